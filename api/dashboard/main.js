// The frame around the pages: which one is shown, how often it looks, and whether that works.
import {get} from "./http.js";
import {compact, moment} from "./text.js";
import {dead, retries, scheduled} from "./sets.js";
import {h} from "./dom.js";
import {job} from "./job.js";
import {overview} from "./overview.js";
import {queues} from "./queues.js";
import {redraw} from "./charts.js";
import {running} from "./running.js";
import {workers} from "./workers.js";

const main = document.getElementById("main");
const trouble = document.getElementById("trouble");
const STATS_MS = 2000;

// A page is a function of what its address has behind the name; it returns {title, node, every
// (ms), look() (async), told(stats)?, close()?}.
const pages = {"": overview, queues, workers, running, retry: retries, schedule: scheduled, dead, job};

let page = null;

// ---- looking ----

// What does not work now, and since when: looking at the figures, or at what the page shows.
const failing = new Map();

function tell() {
    const [first] = failing.values();
    trouble.hidden = first === undefined;
    trouble.textContent = first ? `Since ${moment(first.since)}: ${first.message}` : "";
}

function works(what) {
    failing.delete(what);
    tell();
}

function fails(what, failure) {
    if (failure.status === undefined)
        console.error(failure); // ours
    failing.set(what, {since: failing.get(what)?.since ?? Date.now() / 1000, message: failure.message});
    tell();
}

let timer = 0;

async function look(shown) {
    let wait = shown.every;
    try {
        await shown.look();
        if (page === shown)
            works("page");
    } catch (failure) {
        wait = Math.max(wait, 3000);
        if (page === shown)
            fails("page", failure);
    }
    if (page !== shown)
        return;
    clearTimeout(timer); // one that was asked for meanwhile
    if (!document.hidden)
        timer = setTimeout(look, wait, shown);
}

let statsTimer = 0;

async function lookAtStats() {
    try {
        const stats = await get("/v1/stats");
        for (const node of document.querySelectorAll("[data-count]")) {
            const n = stats[node.dataset.count];
            node.textContent = n > 0 ? compact(n) : "";
            node.classList.toggle("alarm", node.dataset.count === "dead" && n > 0);
        }
        page?.told?.(stats);
        works("figures");
    } catch (failure) {
        fails("figures", failure);
    }
    clearTimeout(statsTimer);
    if (!document.hidden)
        statsTimer = setTimeout(lookAtStats, STATS_MS);
}

document.addEventListener("visibilitychange", () => {
    if (document.hidden)
        return;
    lookAtStats();
    if (page)
        look(page);
});

// ---- pages ----

function show() {
    const address = location.hash.replace(/^#\/?/, "");
    const [name, rest] = address.split(/\/(.*)/s);
    const [bare, query] = name.split("?");
    const first = page === null;
    page?.close?.();
    clearTimeout(timer);
    works("page");
    const make = pages[bare] ?? (() => ({
        title: "Nothing here",
        node: h("p", {className: "empty"}, "There is no such page."),
        every: 1e9,
        look: async () => {},
    }));
    page = make({
        rest: decode(rest ?? ""),
        query: new URLSearchParams(query ?? ""),
        again: () => look(page),
    });
    document.title = `${page.title} · Sluice`;
    main.replaceChildren(h("h1", null, page.heading ?? page.title), page.node);
    for (const link of document.querySelectorAll("header nav a")) {
        const here = link.getAttribute("href") === `#/${bare}`;
        if (!here) {
            link.removeAttribute("aria-current");
            continue;
        }
        link.setAttribute("aria-current", "page");
        // On a phone the list of pages is wider than the screen.
        link.scrollIntoView({block: "nearest", inline: "center"});
    }
    if (!first)
        main.focus();
    look(page);
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

addEventListener("hashchange", show);

// An address behind # is a page here, so this jump is made by hand.
document.querySelector(".skip").addEventListener("click", event => {
    event.preventDefault();
    main.focus();
});

document.getElementById("search").addEventListener("submit", event => {
    event.preventDefault();
    const jid = document.getElementById("jid").value.trim();
    if (jid)
        location.hash = `#/job/${encodeURIComponent(jid)}`;
});

const theme = document.getElementById("theme");
theme.value = document.documentElement.dataset.theme ?? "auto";
theme.addEventListener("change", () => {
    if (theme.value === "auto") {
        localStorage.removeItem("theme");
        delete document.documentElement.dataset.theme;
    } else {
        localStorage.setItem("theme", theme.value);
        document.documentElement.dataset.theme = theme.value;
    }
    redraw();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

show();
lookAtStats();
