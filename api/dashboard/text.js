// How figures read.

const whole = new Intl.NumberFormat("en", {maximumFractionDigits: 0});
const short = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});

export const count = n => n === null || n === undefined ? "–" : whole.format(n);
export const compact = n => n < 10000 ? whole.format(n) : short.format(n);

export function rate(n) {
    if (n === null || n === undefined)
        return "–";
    return n < 10 ? n.toFixed(1) : compact(n);
}

// 0.0042 -> "4.2 ms", 75 -> "1 min 15 s"
export function duration(s) {
    if (s === null || s === undefined)
        return "–";
    if (s <= 0)
        return "0 s";
    if (s < 0.001)
        return `${Number((s * 1e6).toPrecision(2))} µs`;
    if (s < 1)
        return `${Number((s * 1e3).toPrecision(2))} ms`;
    if (s < 60)
        return `${Number(s.toPrecision(2))} s`;
    const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    const first = parts.findIndex(([n]) => s >= n);
    let left = Math.round(s), text = [];
    for (const [n, unit] of parts.slice(first, first + 2)) {
        if (Math.floor(left / n) > 0)
            text.push(`${Math.floor(left / n)} ${unit}`);
        left %= n;
    }
    return text.join(" ");
}

// Sidekiq's clients write times in seconds or, the newest, in milliseconds.
export const seconds = t => t > 1e11 ? t / 1000 : Number(t);

const clock = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit", second: "2-digit"});
const day = new Intl.DateTimeFormat("en-GB", {day: "numeric", month: "short", year: "numeric"});

// The time of day, and the day unless it is today.
export function moment(t) {
    const date = new Date(seconds(t) * 1000);
    if (isNaN(date))
        return String(t);
    const today = new Date().toDateString() === date.toDateString();
    return today ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

// "in 3 min", "3 min ago"; now is by the same clock as t.
export function distance(t, now) {
    const d = seconds(t) - now;
    return d > 0.5 ? `in ${duration(d)}` : d < -0.5 ? `${duration(-d)} ago` : "now";
}

export function bytes(n) {
    if (n === null || n === undefined)
        return "–";
    const units = ["B", "KB", "MB", "GB", "TB"];
    const power = n < 1 ? 0 : Math.min(Math.floor(Math.log(n) / Math.log(1024)), units.length - 1);
    return `${Number((n / 1024 ** power).toPrecision(3))} ${units[power]}`;
}
