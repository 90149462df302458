// The jobs that wait for their time (retries, scheduled) and those that are dead: the same page.
import {attempt, button, confirm, h, progress, say, table} from "./dom.js";
import {count, distance, moment} from "./text.js";
import {get, path, post, remove} from "./http.js";
import {jobLink} from "./running.js";
import {pretty} from "./json.js";

const PAGE = 50;
const AT_ONCE = 500; // of a request for all

const kinds = {
    retry: {title: "Retries", when: "Next try", run: "Run now", empty: "Nothing waits to be tried again."},
    schedule: {title: "Scheduled", when: "Due", run: "Run now", empty: "Nothing is scheduled."},
    dead: {title: "Dead", when: "Died", run: "Requeue", empty: "Nothing is dead."},
};

const short = text => text.length > 200 ? `${text.slice(0, 200)}…` : text;
const nameOf = e => e.job?.class ?? "no job";
const argsOf = e => e.bytes ? `${count(e.bytes)} bytes` : short(e.job ? pretty(e.job.args ?? null) : e.raw ?? "");

function errorOf(job) {
    if (!job?.error_class && !job?.error_message)
        return "";
    return short([job.error_class, job.error_message].filter(Boolean).join(": "));
}

function failures(job) {
    if (job?.retry_count === undefined)
        return "";
    const n = Number(job.retry_count) + 1;
    return n === 1 ? " (once)" : ` (${n} times)`;
}

function setPage(name, {query, again}) {
    const kind = kinds[name];
    const offset = Math.max(parseInt(query.get("offset")) || 0, 0);
    const chosen = new Set(); // jids
    let shown = [];
    let total = 0;
    let now = Date.now() / 1000;

    const one = {
        requeue: jid => post(path`/v1/${name}/${jid}/requeue`),
        delete: jid => remove(path`/v1/${name}/${jid}`),
    };
    const words = {requeue: "are in their queues", delete: "are deleted"};

    async function chosenDo(what) {
        const jids = [...chosen];
        if (what === "delete" && !await confirm(`Delete ${jids.length} jobs?`, "Delete them", "danger"))
            return;
        const failed = [];
        let done = 0;
        await progress(what === "delete" ? "Deleted" : "Requeued", async report => {
            await Promise.all(jids.splice(0, 4).map(jid => one[what](jid).then(
                () => { done++; chosen.delete(jid); }, e => failed.push(`${jid}: ${e.message}`))));
            report(done, done + jids.length + failed.length);
            return jids.length > 0;
        });
        say(`${done} ${words[what]}`);
        if (failed.length > 0)
            say(`${failed.length} could not be: ${failed[0]}`, true);
        marks();
        again();
    }

    async function allDo(what) {
        const question = what === "delete" ? `Delete all ${count(total)} jobs here?`
            : `Let all ${count(total)} jobs run now?`;
        if (!await confirm(question, what === "delete" ? "Delete all" : kind.run,
                           what === "delete" ? "danger" : "main"))
            return;
        let done = 0, skipped = 0, after = null;
        try {
            await progress(what === "delete" ? "Deleted" : "Requeued", async report => {
                const where = `?limit=${AT_ONCE}` + (after === null ? "" : `&after=${encodeURIComponent(after)}`);
                const told = what === "delete" ? await remove(`/v1/${name}` + where)
                    : await post(`/v1/${name}/requeue` + where);
                done += told.done;
                skipped += told.skipped;
                after = told.next;
                report(done, done + told.left);
                return after !== null;
            });
        } catch (e) {
            say(e.message, true);
        }
        say(`${count(done)} ${words[what]}`);
        if (skipped > 0)
            say(`${count(skipped)} could not be: they are no jobs, or their queue is none`, true);
        again();
    }

    async function oneDo(what, jid) {
        if (what === "delete" && !await confirm(`Delete ${jid}?`, "Delete it", "danger"))
            return;
        await attempt(() => one[what](jid),
                      told => what === "delete" ? `${jid} is deleted` : `${jid} is in ${told.queue}`);
        again();
    }

    // ---- what is chosen ----

    const everything = h("input", {type: "checkbox", "aria-label": "Choose all on this page", onchange: () => {
        for (const e of shown)
            if (e.jid)
                everything.checked ? chosen.add(e.jid) : chosen.delete(e.jid);
        marks();
    }});
    const chosenRun = button(kind.run, () => chosenDo("requeue"), "write");
    const chosenDelete = button("Delete", () => chosenDo("delete"), "danger write");
    const allRun = button(`${kind.run}, all`, () => allDo("requeue"), "write");
    const allDelete = button("Delete all", () => allDo("delete"), "danger write");
    const figure = h("span");

    function marks() {
        for (const box of list.node.querySelectorAll("td input"))
            box.checked = chosen.has(box.value);
        const jids = shown.filter(e => e.jid);
        everything.checked = jids.length > 0 && jids.every(e => chosen.has(e.jid));
        everything.indeterminate = !everything.checked && jids.some(e => chosen.has(e.jid));
        for (const b of [chosenRun, chosenDelete])
            b.disabled = chosen.size === 0;
        for (const b of [allRun, allDelete])
            b.disabled = total === 0;
        figure.textContent = chosen.size > 0 ? `${chosen.size} chosen` : "";
    }

    const list = table({
        caption: kind.title,
        empty: kind.empty,
        key: e => `${e.score}\n${e.jid ?? e.raw ?? e.bytes}`,
        columns: [
            {title: "", head: everything, kind: "choice write", mark: e => e.jid, node: e => e.jid
                ? h("input", {type: "checkbox", value: e.jid, checked: chosen.has(e.jid), "aria-label": `Choose ${e.jid}`,
                              onchange: event => {
                                  event.target.checked ? chosen.add(e.jid) : chosen.delete(e.jid);
                                  marks();
                              }}) : null},
            {title: "Job", mark: e => e.jid, node: e => h("div", null,
                e.jid ? h("a", {href: jobLink(e.jid), className: "mono"}, e.jid) : "without a jid",
                h("small", null, nameOf(e)))},
            {title: "Queue", text: e => e.job?.queue ?? "–"},
            {title: "Arguments", kind: "mono", text: argsOf},
            {title: kind.when, kind: "short", mark: e => distance(e.score, now), node: e => h("div", null,
                distance(e.score, now), h("small", null, moment(e.score)))},
            ...(name === "schedule" ? [] : [{title: "Error", text: e =>
                errorOf(e.job) + failures(e.job)}]),
            {title: "", kind: "acts write", mark: e => e.jid, node: e => e.jid ? [
                button(kind.run, () => oneDo("requeue", e.jid), "", `${kind.run}: ${e.jid}`),
                button("Delete", () => oneDo("delete", e.jid), "danger", `Delete ${e.jid}`)] : null},
        ],
    });

    // ---- pages ----

    const pages = h("nav", {className: "bar list-pages", "aria-label": "Pages of the list"});
    function turn() {
        const link = (text, to) => h("a", {href: `#/${name}?offset=${to}`}, text);
        pages.replaceChildren(...[
            offset > 0 ? link("‹ Before", Math.max(offset - PAGE, 0)) : null,
            total > 0 ? h("span", null, `${count(offset + 1)}–${count(offset + shown.length)} of ${count(total)}`) : null,
            next !== null ? link("Behind ›", next) : null,
        ].filter(n => n !== null));
    }
    let next = null;

    return {
        title: kind.title,
        node: h("div", null,
                h("div", {className: "bar"}, chosenRun, chosenDelete, figure, h("span", {className: "space"}), allRun, allDelete),
                list.node, pages),
        every: 3000,
        told(stats) { now = Number(stats.now); },
        async look() {
            const page = await get(`/v1/${name}?offset=${offset}&limit=${PAGE}`);
            ({jobs: shown, total, next} = page);
            list.set(shown);
            marks();
            turn();
        },
    };
}

export const retries = at => setPage("retry", at);
export const scheduled = at => setPage("schedule", at);
export const dead = at => setPage("dead", at);
