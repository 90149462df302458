"use strict";
// Handlers for warm processes in JavaScript.

const crypto = require("node:crypto");
const fs = require("node:fs/promises");
const {setTimeout: sleep} = require("node:timers/promises");
const sluice = require("../../clients/node/sluice.js");

sluice.handler("js.echo", (ctx, ...args) => args);

sluice.handler("js.checksum", async (ctx, ...paths) => {
    const sums = {};
    for (const path of paths) {
        let bytes;
        try {
            bytes = await fs.readFile(path);
        } catch (error) {
            if (error.code === "ENOENT") throw new sluice.Dead(error.message); // no other try will find it
            throw error;
        }
        sums[path] = crypto.createHash("sha256").update(bytes).digest("hex");
        ctx.emit({file: path});
    }
    return sums;
});

// Counts the tenths of a second, and stops when it is told to.
sluice.handler("js.count", async (ctx, seconds) => {
    for (let n = 0; n < seconds * 10; n++) {
        ctx.emit(n);
        await sleep(100, undefined, {signal: ctx.signal});
    }
});

sluice.run();
