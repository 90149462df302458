// The queues: what waits in each, and whether it may be taken.
import {attempt, badge, button, table} from "./dom.js";
import {count, duration} from "./text.js";
import {get, path, post} from "./http.js";

export function queues({again}) {
    const set = async (queue, paused) => {
        const order = paused ? "pause" : "resume";
        await attempt(() => post(path`/v1/queues/${queue.name}/` + order),
                      paused ? `${queue.name} is paused` : `${queue.name} goes on`);
        again();
    };
    const list = table({
        caption: "Queues",
        empty: "There are no queues yet: they come with their first job.",
        key: q => q.name,
        columns: [
            {title: "Queue", text: q => q.name},
            {title: "Waiting", kind: "num", text: q => count(q.size)},
            {title: "Next has waited", kind: "num", text: q => q.size > 0 ? duration(q.latency) : "–"},
            {title: "State", mark: q => [q.paused, q.wrong_type], node: q =>
                q.wrong_type ? badge("its key is no list", "bad")
                    : q.paused ? badge("paused", "warn") : badge("open", "good")},
            {title: "", kind: "acts write", mark: q => q.paused, node: q => q.paused
                ? button("Resume", () => set(q, false), "main", `Resume ${q.name}`)
                : button("Pause", () => set(q, true), "", `Pause ${q.name}`)},
        ],
    });
    return {
        title: "Queues",
        node: list.node,
        every: 2000,
        look: async () => list.set((await get("/v1/queues")).queues),
    };
}
