// A no-op job by BullMQ, for bench-peers.
//
// Usage: bullmq_noop.js fill JOBS | work     Redis' socket is in BENCH_SOCKET
"use strict";

const { Queue, Worker } = require("bullmq");

const AT_ONCE = 1000;
const connection = { path: process.env.BENCH_SOCKET, maxRetriesPerRequest: null };

async function fill(jobs) {
  const queue = new Queue("bench", { connection });
  for (let done = 0; done < jobs; done += AT_ONCE) {
    const many = [];
    for (let i = done; i < Math.min(done + AT_ONCE, jobs); i++)
      many.push({ name: "noop", data: [i, "a text of some length", { k: [] }] });
    await queue.addBulk(many);
  }
  await queue.close();
}

if (process.argv[2] === "fill") {
  fill(Number(process.argv[3])).catch((error) => {
    console.error(error);
    process.exit(1);
  });
} else {
  new Worker("bench", async () => {}, { connection, concurrency: 100, removeOnComplete: { count: 0 } });
}
