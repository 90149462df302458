// JSON as it was sent. A number that JavaScript would change (9007199254740993, 1.10) is kept as its
// own text, because what is shown here of a job must be what the job has.

class Digits {
    constructor(text) { this.text = text; }
    toString() { return this.text; }
}

const keep = (key, value, context) =>
    typeof value === "number" && context?.source !== undefined && context.source !== String(value)
        ? new Digits(context.source) : value;

export const parse = text => JSON.parse(text, keep);

// Indented; values that fit are kept on one line.
export function pretty(value, indent = "") {
    if (value instanceof Digits)
        return value.text;
    if (value === null || typeof value !== "object")
        return JSON.stringify(value);
    const inner = indent + "  ";
    const parts = Array.isArray(value)
        ? value.map(v => pretty(v, inner))
        : Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}: ${pretty(v, inner)}`);
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    const line = open + parts.join(", ") + close;
    return line.length + indent.length <= 80 && !line.includes("\n")
        ? line : `${open}\n${parts.map(p => inner + p).join(",\n")}\n${indent}${close}`;
}
