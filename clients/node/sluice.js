"use strict";
/*
 * sluice: handlers in JavaScript for sluice-worker's warm processes.
 *
 * One file, no dependencies, Node 18 or later. A handlers file is
 *
 *     const sluice = require("./sluice");
 *
 *     sluice.handler("js.resize", async (ctx, path, width) => {   // the job's args
 *         ctx.emit({progress: 0.5});      // any JSON value: one event of the job's output
 *         return {ok: true};              // any JSON value: the job's result
 *     });
 *
 *     sluice.run();
 *
 * and its entry in worker.yaml
 *
 *     handlers:
 *       - {class: "js.*", process: [node, handlers.js]}
 *
 * A name may be a glob (* and ?); an exact name goes first, then globs in the order they were given.
 * A process has one job at a time, also when the handler is async: more processes run more jobs.
 *
 * An exception fails the job, which is tried again; its class and text are recorded and its stack
 * goes to the worker's log. `throw new sluice.Dead("why")` fails it for good. Jobs are delivered at
 * least once: make their effect harmless the second time, or note ctx.jid where the effect is.
 *
 * stdout carries the answers. Loading this file turns process.stdout, and so console.log, into
 * stderr, which is the worker's log. A child process must not inherit stdout.
 *
 * When the job has to stop (cancelled, too long, worker leaving), ctx.cancelled() becomes true and
 * ctx.signal, an AbortSignal, aborts; a few seconds later the process is killed. It ends by itself
 * when the worker does.
 */

const fs = require("node:fs");

const LINE_MAX = 1 << 20; // bytes of an event or a result; the worker takes no more

Object.defineProperty(process, "stdout", {configurable: true, get: () => process.stderr});

/** Thrown by a handler: the job has failed and is never tried again. */
class Dead extends Error {
    constructor(message) {
        super(message);
        this.name = "Dead";
    }
}

const exact = new Map();
const globs = [];
let stopped = false; // SIGTERM came
let current = null; // the AbortController of the job that runs
let ended = false; // stdin is at its end

/** The function runs jobs of this class (exact, or a glob), as f(ctx, ...args). */
function handler(name, run) {
    if (/[*?]/.test(name)) {
        const pattern = name
            .replace(/[.+^${}()|[\]\\]/g, "\\$&")
            .replace(/\*/g, "[^]*")
            .replace(/\?/g, "[^]");
        globs.push({pattern: new RegExp(`^${pattern}$`), run});
    } else {
        exact.set(name, run);
    }
}

function find(name) {
    return exact.get(name) ?? globs.find((glob) => glob.pattern.test(name))?.run;
}

function put(line) {
    const bytes = Buffer.from(line);
    if (bytes.length > LINE_MAX)
        throw new RangeError(`${bytes.length} bytes of JSON are more than the ${LINE_MAX} allowed`);
    for (let n = 0; n < bytes.length; ) n += fs.writeSync(1, bytes, n);
}

function toJson(value) {
    return JSON.stringify(value) ?? "null"; // undefined has no JSON
}

class Context {
    constructor(job, signal) {
        this.job = job;
        this.jid = job.jid;
        this.jobClass = job.class;
        this.queue = job.queue;
        this.args = job.args;
        this.attempt = job.attempt ?? 1;
        this.signal = signal;
    }

    /** Adds one event to the job's output. Waits when the output runs ahead. */
    emit(value) {
        put(`{"event":${toJson(value)}}\n`);
    }

    /** True when the job should stop. Cheap: ask in loops. */
    cancelled() {
        return stopped;
    }
}

function putFailure(error) {
    const isError = error instanceof Error;
    const details = {
        class: isError ? error.name : "Error",
        message: (isError ? error.message : String(error)).slice(0, 10000),
    };
    if (error instanceof Dead) details.dead = true;
    else process.stderr.write(`${isError ? error.stack : String(error)}\n`);
    put(`{"error":${JSON.stringify(details)}}\n`);
}

async function serve(line) {
    const job = JSON.parse(line);
    const run = find(job.class);
    current = new AbortController();
    let answer = null;
    try {
        if (!run) {
            const error = new Error(`no handler for class "${job.class}"`);
            error.name = "NoHandler";
            throw error;
        }
        answer = `{"done":${toJson(await run(new Context(job, current.signal), ...job.args))}}\n`;
        put(answer);
    } catch (error) {
        if (error?.code === "EPIPE") process.exit(0); // the worker is gone
        putFailure(error);
    }
    current = null;
    if (stopped || ended) process.exit(0);
}

/** Serves jobs until the worker closes stdin. */
function run() {
    const decoder = new TextDecoder();
    let text = "";
    let waiting = Promise.resolve();
    process.on("SIGINT", () => {}); // a terminal's Ctrl-C is for the worker
    process.on("SIGTERM", () => {
        stopped = true;
        if (current) current.abort();
        else process.exit(0);
    });
    process.stdin.on("data", (chunk) => {
        text += decoder.decode(chunk, {stream: true});
        for (let end; (end = text.indexOf("\n")) >= 0; ) {
            const line = text.slice(0, end);
            text = text.slice(end + 1);
            waiting = waiting.then(() => serve(line));
        }
    });
    process.stdin.on("end", () => {
        ended = true;
        if (!current) process.exit(0);
    });
}

module.exports = {Context, Dead, handler, run};
