// Everything at one glance: figures of now, and the last hour.
import {chart} from "./charts.js";
import {compact, count, duration, rate} from "./text.js";
import {get} from "./http.js";
import {h} from "./dom.js";

const SPANS = [[300, "5 minutes"], [900, "15 minutes"], [3600, "1 hour"]];

// Of figures that only grow, how fast they do; null where that cannot be said.
function rates(times, totals) {
    return totals.map((n, i) => {
        if (i === 0 || n === null || totals[i - 1] === null || n < totals[i - 1])
            return null;
        return (n - totals[i - 1]) / (times[i] - times[i - 1]);
    });
}

const shares = (parts, wholes) =>
    parts.map((n, i) => n === null || !wholes[i] ? null : 100 * n / wholes[i]);

export function overview() {
    const percent = n => `${Math.round(n)} %`;
    const charts = {
        throughput: chart({title: "Throughput", text: n => `${rate(n)}/s`, series: [
            {label: "done", colour: "accent"}, {label: "failed", colour: "bad"}]}),
        latency: chart({title: "Latency", text: duration, series: [
            {label: "wait in queue", colour: "warn"},
            {label: "run, median", colour: "accent"},
            {label: "run, 99 %", colour: "violet"}]}),
        depth: chart({title: "Queue depth", text: compact, whole: true, series: [
            {label: "enqueued", colour: "accent"},
            {label: "retries", colour: "bad"},
            {label: "scheduled", colour: "violet"}]}),
        gate: chart({title: "Gate saturation", text: percent, max: 100, series: [
            {label: "permits in use", colour: "accent"},
            {label: "connections", colour: "violet"},
            {label: "waiting", colour: "bad", right: true, text: compact, dash: [4, 4]}]}),
    };
    const tiles = [
        ["Enqueued", s => count(s.enqueued)],
        ["Running", s => count(s.busy)],
        ["Workers", s => count(s.workers)],
        ["Scheduled", s => count(s.scheduled)],
        ["Retries", s => count(s.retries)],
        ["Dead", s => count(s.dead)],
        ["Done today", s => count(s.processed_today)],
        ["Failed today", s => count(s.failed_today)],
    ].map(([title, text]) => ({text, title, value: h("dd", null, "–")}));
    const span = h("select", {onchange: () => draw()},
                   ...SPANS.map(([s, text]) => h("option", {value: s, selected: s === 900}, text)));
    const node = h("div", null,
        h("dl", {className: "tiles"}, ...tiles.map(t => h("div", null, h("dt", null, t.title), t.value))),
        h("div", {className: "bar"}, h("label", null, "The last ", span)),
        h("div", {className: "charts"}, ...Object.values(charts).map(c => c.node)));

    let history = null;

    function draw() {
        if (!history || history.t.length === 0)
            return;
        const from = history.now - Number(span.value);
        const first = Math.max(history.t.findIndex(t => t >= from), 0);
        const of = name => history[name].slice(first);
        const t = of("t");
        charts.throughput.set(t, [rates(t, of("processed")), rates(t, of("failed"))]);
        charts.latency.set(t, [of("latency_s"), of("duration_p50_s"), of("duration_p99_s")]);
        charts.depth.set(t, [of("enqueued"), of("retries"), of("scheduled")]);
        charts.gate.set(t, [shares(of("permits_in_use"), of("permits_limit")),
                            shares(of("connections_open"), of("connections_limit")),
                            of("permits_waiting")]);
    }

    return {
        title: "Overview",
        node,
        every: 5000,
        async look() {
            history = await get("/v1/history");
            draw();
        },
        told(stats) {
            for (const t of tiles)
                t.value.textContent = t.text(stats);
        },
        close() {
            for (const c of Object.values(charts))
                c.close();
        },
    };
}
