// What runs now.
import {attempt, button, confirm, h, table} from "./dom.js";
import {count, duration, moment} from "./text.js";
import {get, path, remove} from "./http.js";

export async function cancel(jid) {
    if (await confirm(`Cancel ${jid}? It is stopped for good, wherever it is.`, "Cancel the job", "danger"))
        return attempt(() => remove(path`/v1/jobs/${jid}`),
            told => told.withdrawn ? `${jid} was taken out of ${told.withdrawn}` : `${jid} was told to stop`);
    return false;
}

export const jobLink = jid => `#/job/${encodeURIComponent(jid)}`;

export function running({again}) {
    const total = h("p");
    const list = table({
        caption: "Running jobs",
        empty: "Nothing runs.",
        key: j => `${j.worker}\n${j.jid}`,
        columns: [
            {title: "Job", kind: "mono", text: j => j.jid, href: j => jobLink(j.jid)},
            {title: "Class", text: j => j.class},
            {title: "Queue", text: j => j.queue},
            {title: "Worker", text: j => j.worker},
            {title: "Since", kind: "short", text: j => moment(j.started_at)},
            {title: "For", kind: "num", text: j => duration(Math.max(Math.round(Date.now() / 1000 - j.started_at), 0))},
            {title: "", kind: "acts write", mark: j => j.jid, node: j => [
                button("Cancel", async () => { if (await cancel(j.jid)) again(); }, "danger", `Cancel ${j.jid}`)]},
        ],
    });
    return {
        title: "Running",
        node: h("div", null, list.node, total),
        every: 2000,
        async look() {
            const now = await get("/v1/running");
            list.set(now.jobs);
            total.textContent = now.total > now.jobs.length
                ? `${count(now.total)} run; the ${count(now.jobs.length)} that have run longest are shown.` : "";
        },
    };
}
