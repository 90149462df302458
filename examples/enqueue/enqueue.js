#!/usr/bin/env node
// Enqueue from Node with ioredis (`npm ci` here, or `npm install ioredis`). Redis' address is in
// REDIS_URL.
//
// Usage: enqueue.js [SECONDS]    the second job is due in so many seconds (default: 60)
"use strict";

const { randomBytes } = require("node:crypto");
const Redis = require("ioredis");

class Queue {
  constructor(redis, name = "default") {
    this.redis = redis;
    this.name = name;
  }

  // One job; its jid.
  async enqueue(klass, args, fields) {
    return (await this.enqueueMany(klass, [args], fields))[0];
  }

  // All of them or none, in their order; their jids.
  async enqueueMany(klass, manyArgs, fields) {
    const jobs = manyArgs.map((args) => this.#job(klass, args, fields));
    const replies = await this.redis
      .multi()
      .sadd("queues", this.name)
      .lpush(`queue:${this.name}`, ...jobs.map((job) => JSON.stringify(job)))
      .exec();
    for (const [error] of replies) if (error) throw error;
    return jobs.map((job) => job.jid);
  }

  // Due in so many seconds by Redis' clock, which all workers share.
  async enqueueIn(seconds, klass, args, fields) {
    const [now, micros] = await this.redis.time();
    const job = this.#job(klass, args, fields);
    const due = Number(now) + Number(micros) / 1e6 + seconds;
    await this.redis.zadd("schedule", due, JSON.stringify(job));
    return job.jid;
  }

  #job(klass, args, fields) {
    return {
      class: klass,
      args,
      queue: this.name,
      jid: randomBytes(12).toString("hex"),
      created_at: Date.now() / 1000,
      ...fields, // retry, timeout, expires_at, track …
    };
  }
}

async function main(delay) {
  const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379", {
    // What was sent and got no answer may have been done: ioredis would send it again.
    autoResendUnfulfilledCommands: false,
  });
  console.log("single", await new Queue(redis).enqueue("checksum", ["/etc/hosts"], { retry: 5 }));
  // (An integer beyond 2^53 is none in JavaScript: pass it as a string.)
  const args = ["12345678901234567890", 1.5, "é", [], {}];
  console.log("delayed", await new Queue(redis).enqueueIn(delay, "noop", args));
  const paths = ["/etc/hosts", "/etc/services", "/etc/passwd"];
  const low = new Queue(redis, "low");
  console.log("bulk", ...(await low.enqueueMany("checksum", paths.map((path) => [path]))));
  await redis.quit();
}

main(Number(process.argv[2] ?? 60)).catch((error) => {
  console.error(error);
  process.exit(1);
});
