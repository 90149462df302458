// The few things that every page builds from: elements, tables that change in place, notices,
// questions. Text is only ever set as text, so nothing that a job contains can become markup.

// h("a", {href, class, onclick, "aria-label": …}, child, "text", …)
export function h(tag, props, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(props ?? {})) {
        if (name.startsWith("on"))
            node.addEventListener(name.slice(2), value);
        else if (name in node && !name.startsWith("aria"))
            node[name] = value;
        else
            node.setAttribute(name === "class" ? "class" : name, value);
    }
    node.append(...children.filter(c => c !== null && c !== undefined));
    return node;
}

export const button = (label, onclick, kind = "", name = undefined) =>
    h("button", {type: "button", onclick, className: kind, ...(name && {"aria-label": name})}, label);

export const badge = (text, kind = "") => h("span", {className: `badge ${kind}`}, text);

// ---- tables ----
//
// A column is {title, text(row), href(row)?, kind?} or, for what is more than text,
// {title, node(row), mark(row), kind?}: the node is made anew only when mark(row) changes, so that
// whoever is about to press a button, or reads with a screen reader, is not disturbed by each look.

function fill(cell, column, row) {
    const href = column.href?.(row);
    const mark = column.mark ? String(column.mark(row)) : `${column.text(row)}\n${href ?? ""}`;
    if (cell.mark === mark)
        return;
    cell.mark = mark;
    if (column.node)
        cell.replaceChildren(...[column.node(row)].flat().filter(n => n !== null));
    else if (href)
        cell.replaceChildren(h("a", {href}, column.text(row)));
    else
        cell.textContent = column.text(row);
}

export function table({caption, columns, key, empty}) {
    const head = h("tr", {role: "row"}, ...columns.map(c =>
        h("th", {scope: "col", role: "columnheader", className: c.kind ?? ""},
          c.head ? c.head : c.title || h("span", {className: "hidden"}, "Actions"))));
    const body = h("tbody", {role: "rowgroup"});
    const grid = h("table", {className: "data", role: "table"},
                   h("caption", {className: "hidden"}, caption),
                   h("thead", {role: "rowgroup"}, head), body);
    const nothing = h("p", {className: "empty", hidden: true}, empty);
    const known = new Map();

    function lineOf(row) {
        const line = h("tr", {role: "row"}, ...columns.map(c => {
            const cell = h("td", {role: "cell", className: c.kind ?? ""});
            cell.dataset.title = c.title;
            return cell;
        }));
        known.set(key(row), line);
        return line;
    }

    return {
        node: h("div", null, grid, nothing),
        set(rows) {
            const wanted = new Set(rows.map(key));
            for (const [k, line] of known)
                if (!wanted.has(k)) {
                    line.remove();
                    known.delete(k);
                }
            rows.forEach((row, i) => {
                const line = known.get(key(row)) ?? lineOf(row);
                columns.forEach((column, j) => fill(line.cells[j], column, row));
                if (body.rows[i] !== line)
                    body.insertBefore(line, body.rows[i] ?? null);
            });
            grid.hidden = rows.length === 0;
            nothing.hidden = rows.length > 0;
        },
    };
}

// ---- notices and questions ----

export function say(text, bad = false) {
    const notice = h("p", {className: bad ? "bad" : ""}, text);
    document.getElementById("toasts").append(notice);
    setTimeout(() => notice.remove(), bad ? 10000 : 4000);
}

// Does something and says what came of it; true when it was done.
export async function attempt(what, done) {
    try {
        const result = await what();
        say(typeof done === "function" ? done(result) : done);
        return true;
    } catch (e) {
        say(e.message, true);
        return false;
    }
}

// Resolves to whether it was confirmed. Escape, and leaving it, is no.
export function confirm(question, yes, kind = "main") {
    return new Promise(resolve => {
        const dialog = h("dialog", {"aria-label": question},
            h("p", null, question),
            h("div", {className: "bar"},
              button("Cancel", () => dialog.close("")),
              button(yes, () => dialog.close("yes"), kind)));
        dialog.addEventListener("close", () => {
            resolve(dialog.returnValue === "yes");
            dialog.remove();
        });
        document.body.append(dialog);
        dialog.showModal();
    });
}

// Long work with a bar and a way to stop it: step(report) is called until it returns false, and
// report(done, total) moves the bar.
export async function progress(title, step) {
    const bar = h("progress", {max: 1, value: 0, "aria-label": title});
    const figure = h("p", null, title);
    let stopped = false;
    const dialog = h("dialog", {"aria-label": title}, figure, bar,
        h("div", {className: "bar"}, button("Stop", () => { stopped = true; })));
    dialog.addEventListener("cancel", event => { event.preventDefault(); stopped = true; });
    document.body.append(dialog);
    dialog.showModal();
    const report = (done, total) => {
        bar.max = Math.max(total, 1);
        bar.value = done;
        figure.textContent = `${title}: ${done} of ${total}`;
    };
    try {
        while (!stopped && await step(report)) { /* step says when it is over */ }
    } finally {
        dialog.remove();
    }
}
