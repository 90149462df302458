"use strict";
// What tests/interop/test_process_clients.c asks of the Node helper.

const fs = require("node:fs");
const sluice = require("sluice.js");

console.log("printed at the top");

sluice.handler("js.echo", (ctx, ...args) => ({
    args,
    jid: ctx.jid,
    class: ctx.jobClass,
    attempt: ctx.attempt,
}));

sluice.handler("js.events", async (ctx, n) => {
    for (let i = 0; i < n; i++) ctx.emit({n: i});
});

sluice.handler("js.print", async () => {
    console.log("printed by the handler");
    process.stdout.write("printed to stdout\n");
    return "quiet";
});

sluice.handler("js.fail", async () => {
    const error = new Error("no é luck");
    error.name = "LookupError";
    throw error;
});

sluice.handler("js.dead", () => {
    throw new sluice.Dead("bad args");
});

sluice.handler("js.odd", () => 1n);

sluice.handler("js.large", (ctx) => ctx.emit("x".repeat(1 << 20)));

sluice.handler("js.exit", () => process.exit(3));

sluice.handler("js.glob.*", () => "glob");

sluice.handler("js.wait", async (ctx) => {
    ctx.emit(process.pid);
    await new Promise((resolve) => {
        const busy = setInterval(() => {}, 1000);
        ctx.signal.addEventListener("abort", () => {
            clearInterval(busy);
            resolve();
        });
    });
    fs.writeFileSync("stopped.js", ctx.jid);
});

sluice.run();
