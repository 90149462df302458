// A no-op job by bee-queue, for bench-peers.
//
// Usage: bee_noop.js fill JOBS | work     Redis' socket is in BENCH_SOCKET
"use strict";

const Queue = require("bee-queue");

const AT_ONCE = 1000;
const working = process.argv[2] === "work";
const queue = new Queue("bench", {
  redis: { path: process.env.BENCH_SOCKET },
  isWorker: working,
  getEvents: false,
  sendEvents: false,
  storeJobs: false,
  removeOnSuccess: true,
});

async function fill(jobs) {
  for (let done = 0; done < jobs; done += AT_ONCE) {
    const many = [];
    for (let i = done; i < Math.min(done + AT_ONCE, jobs); i++)
      many.push(queue.createJob({ args: [i, "a text of some length", { k: [] }] }));
    const failed = await queue.saveAll(many);
    if (failed.size > 0) throw [...failed.values()][0];
  }
  await queue.close();
}

if (working) {
  queue.process(100, async () => {});
} else {
  fill(Number(process.argv[3])).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}
