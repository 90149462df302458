// What the scenarios share: a browser, a page of it that must not complain, Redis, and checks.
//
// Nothing waits for time: what is expected is asked for until it is so, or until PATIENCE_MS.
import {execFileSync} from "node:child_process";
import {createRequire} from "node:module";
import {mkdirSync, mkdtempSync, readFileSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const npm = join(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../../deploy/npm/");
const require = createRequire(npm);
const {chromium} = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

export const PATIENCE_MS = 60000;
export const api = process.env.API;
const shots = process.env.SHOTS; // a folder for pictures, for people

export function check(truth, what) {
    if (!truth)
        throw new Error(what);
}

export function equal(is, wanted, what) {
    check(is === wanted, `${what}: ${JSON.stringify(is)} is not ${JSON.stringify(wanted)}`);
}

export async function until(truth, what) {
    const end = Date.now() + PATIENCE_MS;
    while (!await truth()) {
        check(Date.now() < end, `waited in vain for: ${what}`);
        await new Promise(resolve => setTimeout(resolve, 20));
    }
}

export const redis = (...command) =>
    execFileSync("redis-cli", ["-s", process.env.REDIS_SOCKET, ...command], {encoding: "utf8"}).trim();

export async function open() {
    // Chromium asks nobody but us: what it does on its own account is turned off.
    const profile = mkdtempSync(join(tmpdir(), "sluice-browser-"));
    const browser = await chromium.launchPersistentContext(profile, {
        executablePath: "/usr/bin/chromium",
        viewport: {width: 1280, height: 860},
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
               "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"],
        ...(process.env.TOKEN && {httpCredentials: {username: "me", password: process.env.TOKEN}}),
    });
    browser.setDefaultTimeout(PATIENCE_MS);
    const page = browser.pages()[0] ?? await browser.newPage();
    const complaints = [];
    const strangers = [];
    page.on("pageerror", e => complaints.push(e.stack));
    page.on("console", m => {
        if (m.type() === "error" || m.type() === "warning")
            complaints.push(`${m.text()} (${m.location().url})`);
    });
    page.on("request", r => {
        if (!r.url().startsWith(`${api}/`))
            strangers.push(r.url());
    });
    return {
        page,
        complaints, // of the console
        strangers,  // requests that went elsewhere
        async close() {
            await browser.close();
            rmSync(profile, {recursive: true, force: true});
        },
    };
}

export async function go(page, route, heading) {
    await page.goto(`${api}/#/${route}`);
    await page.getByRole("heading", {level: 1, name: heading}).waitFor();
}

// Rules of accessibility: WCAG 2.2 AA and good practice, or some by name.
export async function accessible(page, what, rules = null) {
    if (!await page.evaluate(() => "axe" in window))
        await page.evaluate(axe);
    const {violations} = await page.evaluate(only => axe.run(document, {runOnly: only}),
        rules ?? ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]);
    check(violations.length === 0, `${what}: ` + violations.map(v =>
        `${v.id}: ${v.help}: ${v.nodes.map(n => n.target.join(" ")).join(", ")}`).join("; "));
}

export async function fits(page, what) {
    const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    check(wide <= room, `${what}: ${wide} pixels wide in a window of ${room}`);
}

export async function picture(page, name) {
    if (!shots)
        return;
    mkdirSync(shots, {recursive: true});
    await page.screenshot({path: join(shots, `${name}.png`)});
}
