// One job: where it is, what became of it, when what happened, what it says.
import {attempt, badge, button, h} from "./dom.js";
import {bytes, count, duration, moment, seconds} from "./text.js";
import {get, path, post} from "./http.js";
import {cancel} from "./running.js";
import {output} from "./output.js";
import {pretty} from "./json.js";

const kinds = {running: "good", completed: "good", retrying: "warn", dead: "bad", failed: "bad", stopped: "warn"};
const sets = {retry: "waits to be tried again", schedule: "is scheduled", dead: "is dead"};

// Where it is, in words.
function place(at) {
    if (at.in.startsWith("queue:"))
        return `waits in ${at.in.slice(6)}` + (at.position > 0 ? `, behind ${count(at.position)}` : ", the next to run");
    if (at.in === "running")
        return `runs on ${at.worker}`;
    return `${sets[at.in] ?? `is in ${at.in}`} (${moment(at.score)})`;
}

// What happened, the earliest first.
function timesOf(job, record, found) {
    const times = [];
    const add = (t, text, kind = "") => {
        if (t !== undefined && t !== null && t !== "")
            times.push({t: seconds(t), text, kind});
    };
    add(job?.created_at, "created");
    add(job?.enqueued_at, "enqueued" + (job?.queue ? ` to ${job.queue}` : ""));
    if (job?.retry_count > 0 || job?.retried_at)
        add(job?.failed_at, "failed for the first time", "bad");
    else
        add(job?.failed_at, `failed: ${job?.error_message ?? job?.error_class ?? ""}`, "bad");
    add(job?.retried_at, `failed again (${Number(job?.retry_count) + 1} times): ${job?.error_message ?? ""}`, "bad");
    add(record?.started_at, `attempt ${record?.attempt ?? 1} began on ${record?.worker ?? "a worker"}`);
    add(record?.finished_at, `ended: ${record?.state}`, record?.state === "completed" ? "" : "bad");
    for (const at of found)
        if (at.in === "retry" || at.in === "schedule")
            add(at.score, at.in === "retry" ? "will be tried again" : "due");
        else if (at.in === "dead")
            add(at.score, "died", "bad");
    return times.sort((a, b) => a.t - b.t);
}

export function job({rest: jid, again}) {
    const state = h("span");
    const acts = h("span", {className: "write"});
    const places = h("p");
    const facts = h("dl", {className: "facts"});
    const times = h("ol", {className: "times"});
    const payload = h("pre", {tabIndex: 0});
    let shown = "";

    function fact(name, value) {
        return value === undefined || value === null || value === "" ? []
            : [h("dt", null, name), h("dd", null, value)];
    }

    function actsFor(told, running, over) {
        const dead = told.found.some(at => at.in === "dead");
        const early = told.found.find(at => at.in === "retry" || at.in === "schedule");
        const run = set => button("Run now", async () => {
            await attempt(() => post(path`/v1/${set}/${jid}/requeue`), done => `${jid} is in ${done.queue}`);
            again();
        });
        return [
            dead ? run("dead") : early ? run(early.in) : null,
            !dead && (!over || running) ? button("Cancel", async () => { if (await cancel(jid)) again(); }, "danger") : null,
        ].filter(n => n !== null);
    }

    function draw(told) {
        const {record, found} = told;
        const job = found.find(at => at.job)?.job ?? null;
        const running = record?.state === "running" || found.some(at => at.in === "running");
        const over = ["completed", "dead", "failed", "stopped"].includes(record?.state);
        const name = record?.state ?? found[0]?.in ?? "unknown";
        state.replaceChildren(badge(name.startsWith("queue:") ? "enqueued" : name, kinds[name] ?? ""));
        acts.replaceChildren(...actsFor(told, running, over));
        places.textContent = found.length > 0 ? `It ${found.map(place).join("; it ")}.`
            : record ? "It is in no queue and no set any more."
                : `Nothing is known of it${told.truncated ? " within what was searched" : ""}: it has not come yet, `
                  + "or it is over and was not tracked, or that is too long ago.";
        facts.replaceChildren(...[
            fact("Class", record?.class ?? job?.class),
            fact("Queue", record?.queue ?? job?.queue),
            fact("Attempt", record?.attempt),
            fact("Worker", record?.worker),
            fact("Took", record?.duration_s !== undefined ? duration(Number(record.duration_s)) : null),
            fact("Memory", record?.peak_rss_kb !== undefined ? `${bytes(record.peak_rss_kb * 1024)} at the peak` : null),
            fact("Processor", record?.cpu_s !== undefined ? duration(Number(record.cpu_s)) : null),
            fact("Events", told.events > 0 ? count(told.events) : null),
            fact("Error", [record?.error_class ?? job?.error_class, record?.error ?? job?.error_message].filter(Boolean).join(": ")),
            fact("Result", record?.result !== undefined ? h("code", null, pretty(record.result)) : null),
        ].flat());
        times.replaceChildren(...timesOf(job, record, found).map(e =>
            h("li", {className: e.kind}, h("time", {dateTime: new Date(e.t * 1000).toISOString()}, moment(e.t)), e.text)));
        payload.textContent = job ? pretty(job) : "It is not kept any more: a job that is over is gone from Redis.";
    }

    const out = output(jid, () => setTimeout(again, 200));
    return {
        title: jid,
        heading: `Job ${jid}`,
        node: h("div", null,
                h("div", {className: "bar"}, state, places, h("span", {className: "space"}), acts),
                h("div", {className: "job"},
                  h("div", null,
                    h("section", {className: "card"}, h("h2", null, "What is known"), facts),
                    h("section", {className: "card"}, h("h2", null, "Times"), times),
                    h("section", {className: "card"}, h("h2", null, "As it lies in Redis"), payload)),
                  out.node)),
        every: 2000,
        async look() {
            const told = await get("/v1/search?jid=" + encodeURIComponent(jid));
            const text = pretty(told); // nothing new: whoever reads or selects is not disturbed
            if (text !== shown)
                draw(told);
            shown = text;
        },
        close: () => out.close(),
    };
}
