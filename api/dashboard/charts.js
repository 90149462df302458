// Charts over time, by uPlot. All on a page share their cursor.
import {h} from "./dom.js";

const drawn = new Set();
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

// A colour of the style sheet, as it is now.
function colour(name) {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
}

const faint = {stroke: () => colour("line"), width: 1};
const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const minutes = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit"});
const steps = Array.from({length: 13}, (_, power) => [1, 2, 5].map(n => n * 10 ** power)).flat();

// series: [{label, colour, text?(value), right?, dash?}]; text(value) for the axis, too; max: the
// axis' end at least; whole: nothing lies between two whole numbers. set(times, columns) draws, and tells the last values in words.
export function chart({title, series, text, max, whole}) {
    const last = h("span");
    const box = h("div", {className: "plot"});
    const picture = h("div", {role: "img", "aria-label": `${title} over time`}, box);
    const node = h("figure", {className: "card"},
                   h("figcaption", null, h("b", null, title), last), picture);
    const axis = {stroke: () => colour("quiet"), grid: faint, ticks: faint};
    const right = series.find(s => s.right);
    const options = {
        width: 480,
        height: 216,
        cursor: {sync: {key: "time"}, drag: {x: false, y: false}, points: {size: 6}},
        legend: {live: true},
        scales: {
            x: {time: true},
            y: {range: (u, lo, hi) => [0, Math.max(hi * 1.08, max ?? 0) || 1]},
            right: {range: (u, lo, hi) => [0, Math.max(hi * 1.08, 5)]},
        },
        axes: [
            {...axis, space: 70, values: (u, ticks, at, space, step) =>
                ticks.map(t => (step < 60 ? clock : minutes).format(t * 1000))},
            {...axis, size: 70, values: (u, ticks) => ticks.map(text), ...(whole && {incrs: steps})},
            ...(right ? [{...axis, scale: "right", side: 1, size: 50, grid: {show: false}, incrs: steps,
                          values: (u, ticks) => ticks.map(right.text)}] : []),
        ],
        series: [
            {label: "Time", value: (u, t) => t === null ? "" : clock.format(t * 1000)},
            ...series.map(s => ({
                label: s.label,
                scale: s.right ? "right" : "y",
                stroke: () => colour(s.colour),
                width: 1.75,
                dash: s.dash,
                points: {show: false},
                value: (u, v) => v === null || v === undefined ? "–" : (s.text ?? text)(v),
            })),
        ],
    };
    let plot = null;
    const size = new ResizeObserver(() => {
        if (plot && box.clientWidth > 0)
            plot.setSize({width: box.clientWidth, height: 180});
    });

    return {
        node,
        set(times, columns) {
            if (!plot) {
                plot = new uPlot(options, [times, ...columns], box);
                drawn.add(plot);
                size.observe(box);
            } else {
                plot.setData([times, ...columns]);
            }
            const words = series.map((s, i) => {
                const value = columns[i].findLast(v => v !== null && v !== undefined);
                return `${s.label} ${value === undefined ? "–" : (s.text ?? text)(value)}`;
            });
            last.textContent = words.join(" · ");
            picture.setAttribute("aria-label", `${title} over time; now ${words.join(", ")}`);
        },
        close() {
            size.disconnect();
            drawn.delete(plot);
            plot?.destroy();
        },
    };
}

// The colours are others now.
export function redraw() {
    for (const plot of drawn)
        plot.redraw(false);
}
