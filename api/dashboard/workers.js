// The workers: how busy each is, how full its gate, and orders to it.
import {attempt, badge, button, confirm, h, table} from "./dom.js";
import {bytes, count, duration, moment} from "./text.js";
import {get, path, post} from "./http.js";

const kinds = {running: "good", quiet: "warn", starting: "", lost: "bad", gone: "bad"};

// "12 / 100", and as a picture.
const share = (label, n, limit) => limit > 0
    ? [h("meter", {max: limit, value: n, high: limit * 0.9, optimum: 0, "aria-label": `${label}: ${n} of ${limit}`}),
       ` ${count(n)} / ${count(limit)}`]
    : ["–"];

export function workers({again}) {
    const order = async (w, cmd, told) => {
        await attempt(() => post(path`/v1/workers/${w.identity}/` + cmd), told);
        setTimeout(again, 300); // it tells of itself with its next report
    };
    const stop = async w => {
        const text = `Stop ${w.identity}? It takes no more jobs, waits for the ${w.busy} that run, and ends.`;
        if (await confirm(text, "Stop it", "main"))
            await order(w, "stop", `${w.identity} was told to stop`);
    };
    const list = table({
        caption: "Workers",
        empty: "No worker runs.",
        key: w => w.identity,
        columns: [
            {title: "Worker", mark: w => w.identity + w.sluice, node: w => h("div", null, w.identity,
                h("small", null, w.sluice ? w.info?.version ?? "" : `Sidekiq ${w.info?.version ?? ""}`))},
            {title: "State", mark: w => w.state, node: w => badge(w.state, kinds[w.state])},
            {title: "Queues", text: w => w.info?.queues?.join(", ") ?? "–"},
            {title: "Busy", kind: "short", mark: w => [w.busy, w.threads],
             node: w => share("Threads busy", w.busy, w.threads)},
            {title: "Permits (peak)", kind: "short", mark: w => Object.values(w.permits ?? {}), node: w =>
                w.permits ? h("div", null, ...share("Permits", w.permits.in_use, w.permits.limit),
                    h("small", null, `peak ${w.permits.peak}, ${w.permits.waiting} waiting`)) : "–"},
            {title: "Connections", kind: "short", mark: w => Object.values(w.connections ?? {}), node: w =>
                w.connections ? share("Connections", w.connections.open, w.connections.limit) : "–"},
            {title: "Memory", kind: "num", text: w => bytes(w.rss_kb * 1024)},
            {title: "Redis", kind: "num", text: w => duration(w.rtt_us / 1e6)},
            {title: "Since", kind: "short", text: w => w.info?.started_at ? moment(w.info.started_at) : "–"},
            {title: "", kind: "acts write", mark: w => [w.state, w.busy > 0], node: w => w.state === "lost" || w.state === "gone" ? "" : [
                w.quiet ? button("Resume", () => order(w, "resume", `${w.identity} goes on`), "", `Resume ${w.identity}`)
                    : button("Quiet", () => order(w, "quiet", `${w.identity} takes no more jobs`), "", `Quiet ${w.identity}`),
                button("Stop", () => stop(w), "danger", `Stop ${w.identity}`)]},
        ],
    });
    return {
        title: "Workers",
        node: list.node,
        every: 2000,
        look: async () => list.set((await get("/v1/workers")).workers),
    };
}
