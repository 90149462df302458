// The dashboard in a browser, as a person uses it. One scenario a run:
//   API=http://… REDIS_SOCKET=… [TOKEN=…] [SHOTS=folder] node scenarios.mjs NAME
// test_dashboard.c starts what it needs: its comments say what there is.
import {accessible, api, check, equal, fits, go, open, picture, redis, until} from "./browser.mjs";

const PAGES = [["", "Overview"], ["queues", "Queues"], ["workers", "Workers"], ["running", "Running"],
               ["retry", "Retries"], ["schedule", "Scheduled"], ["dead", "Dead"], ["job/talk", "Job talk"]];

const row = (page, text) => page.getByRole("row").filter({hasText: text});
const press = (page, name) => page.getByRole("button", {name, exact: true}).click();
const confirm = (page, name) => page.getByRole("dialog").getByRole("button", {name, exact: true}).click();
const said = (page, text) => page.locator("#toasts").getByText(text).first().waitFor();

async function tile(page, name) {
    return page.locator(".tiles > div").filter({hasText: name}).locator("dd").innerText();
}

// Every page in both colours and on a phone: it draws, fits, can be used by all, and is quiet. What
// it has to say to whom cannot see it does not depend on colours and sizes; contrast does.
async function looks({page}, name, width, height) {
    await page.setViewportSize({width, height});
    await page.emulateMedia({colorScheme: name === "dark" ? "dark" : "light"});
    for (const [route, heading] of PAGES) {
        await go(page, route, heading);
        await until(() => page.evaluate(() =>
            document.querySelector("main .empty:not([hidden]), main td, main dd, main canvas") !== null), `${heading} is drawn`);
        await fits(page, `${heading}, ${name}`);
        await accessible(page, `${heading}, ${name}`, name === "light" ? null : ["color-contrast"]);
        await picture(page, `${name}-${heading}`);
    }
}

const light = session => looks(session, "light", 1280, 860);
const dark = session => looks(session, "dark", 1280, 860);
const phone = session => looks(session, "phone", 390, 844);

async function colours({page}) {
    const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await page.emulateMedia({colorScheme: "light"});
    await go(page, "", "Overview");
    const day = await ground();
    await page.getByLabel("Colours").selectOption("dark"); // against the system's
    const night = await ground();
    check(day !== night, `${day} by day and by night`);
    await page.reload();
    equal(await ground(), night, "the choice after a reload");
    await page.getByLabel("Colours").selectOption("auto");
    equal(await ground(), day, "the system's");
    await page.emulateMedia({colorScheme: "dark"});
    equal(await ground(), night, "the system's at night");
}

async function overview({page}) {
    await go(page, "", "Overview");
    await until(async () => await tile(page, "Dead") === "3" && await tile(page, "Running") === "2", "figures");
    equal(await tile(page, "Scheduled"), "1", "scheduled");
    equal(await page.locator("figure canvas").count(), 4, "charts");
    await until(async () => /permits in use \d+ %/.test(await page.getByRole("img", {name: /^Gate saturation/}).getAttribute("aria-label")),
        "the gate in words");
    equal(await page.getByRole("link", {name: "Dead 3"}).count(), 1, "the count beside its page");
}

async function queues({page}) {
    await go(page, "queues", "Queues");
    await press(page, "Pause default");
    await said(page, "default is paused");
    await row(page, "default").getByText("paused").waitFor();
    equal(redis("SISMEMBER", "paused", "default"), "1", "paused in Redis");
    await press(page, "Resume default");
    await row(page, "default").getByText("open").waitFor();
    equal(redis("SISMEMBER", "paused", "default"), "0", "and not any more");
}

async function workers({page}) {
    await go(page, "workers", "Workers");
    const quiet = page.getByRole("button", {name: /^Quiet /});
    await quiet.click();
    await page.getByRole("cell").getByText("quiet", {exact: true}).waitFor();
    await page.getByRole("button", {name: /^Resume /}).click();
    await page.getByRole("cell").getByText("running", {exact: true}).waitFor();
    const text = await page.getByRole("row").nth(1).innerText();
    check(/\d+ \/ 100/.test(text), `its permits: ${text}`);
    check(/\d+ \/ 120/.test(text), `its connections: ${text}`);
}

// Whoever uses the keyboard keeps the place when the list is looked at again.
async function keyboard({page}) {
    await go(page, "dead", "Dead");
    await page.reload(); // the focus is where it is when one comes here
    await page.getByRole("button", {name: "Requeue: dies2"}).waitFor();
    await page.locator("body").press("Tab");
    equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content", "the first stop");
    await page.keyboard.press("Enter");
    equal(await page.evaluate(() => document.activeElement.id), "main", "where that leads");
    await page.getByRole("button", {name: "Requeue: dies2"}).focus();
    for (let looks = 0; looks < 2; looks++)
        await page.waitForResponse(r => r.url().includes("/v1/dead"));
    equal(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), "Requeue: dies2", "the focus");
    await page.getByRole("button", {name: "Delete dies2"}).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await until(async () => await page.getByRole("dialog").count() === 0, "Escape is no");
    equal(redis("ZCARD", "dead"), "3", "nothing is deleted");
}

async function dead({page}) {
    await go(page, "dead", "Dead");
    await press(page, "Requeue: dies1"); // and it dies again
    await said(page, "dies1 is in default");
    await until(() => redis("ZCARD", "dead") === "3", "dies1 died again");
    await press(page, "Delete dies1");
    await confirm(page, "Delete it");
    await said(page, "dies1 is deleted");
    equal(redis("ZCARD", "dead"), "2", "one less");
    await page.getByLabel("Choose dies2").check();
    await press(page, "Delete");
    await confirm(page, "Delete them");
    await said(page, "1 are deleted");
    equal(redis("ZCARD", "dead"), "1", "the chosen one is gone");
    redis("ZADD", "dead", "1", "no job at all");
    await page.getByText("without a jid").waitFor();
    await press(page, "Delete all");
    await confirm(page, "Delete all");
    await page.getByText("Nothing is dead.").waitFor();
    equal(redis("ZCARD", "dead"), "0", "all are gone");
}

async function sets({page}) {
    await go(page, "schedule", "Scheduled");
    await press(page, "Run now: later");
    await said(page, "later is in default");
    await page.getByText("Nothing is scheduled.").waitFor();
    await until(() => redis("HGET", "sluice:job:later", "state") === "completed", "later ran");
    await go(page, "retry", "Retries");
    await row(page, "fails").getByText("(once)").waitFor();
    await press(page, "Run now, all");
    await confirm(page, "Run now");
    await row(page, "fails").getByText("(2 times)").waitFor();
}

// A job is found by its jid; its output comes live, to the last byte as it was written; it is
// stopped, and all of that shows.
async function job({page}) {
    await go(page, "", "Overview");
    await page.getByLabel("Find a job by its jid").fill("talk");
    await page.getByLabel("Find a job by its jid").press("Enter");
    await page.getByRole("heading", {level: 1, name: "Job talk"}).waitFor();
    await page.getByText("runs on").waitFor();
    const log = page.getByRole("log");
    await log.getByText("{\"n\":9007199254740993,\"a\":[],\"f\":1.10}").first().waitFor();
    await log.getByText("a line with <b>no markup</b>").first().waitFor();
    const lines = () => log.locator("div").count();
    const before = await lines();
    await until(async () => await lines() > before + 3, "more lines");
    const ids = (await log.locator("i").allInnerTexts()).map(Number);
    check(ids.every((id, i) => i === 0 || id === ids[i - 1] + 1), `each once and in order: ${ids}`);
    await press(page, "Cancel");
    await confirm(page, "Cancel the job");
    await page.getByText("ended: stopped").first().waitFor();
    await page.locator(".badge").getByText("stopped").waitFor();

    await go(page, "job/dies3", "Job dies3");
    const payload = page.locator("pre");
    await payload.getByText("9007199254740993").waitFor();
    check((await payload.innerText()).includes("[9007199254740993, 1.10, [], {}]"), "arguments as they were sent");
    await page.getByText("It is dead").waitFor();
    await press(page, "Run now");
    await said(page, "dies3 is in default");

    await go(page, "job/nobody", "Job nobody");
    await page.getByText("Nothing is known of it").waitFor();
}

// Redis goes away and comes back: the page says so, and then is well by itself.
async function outage({page, complaints}) {
    await go(page, "queues", "Queues");
    await row(page, "default").waitFor();
    process.kill(Number(process.env.REDIS_PID), "SIGSTOP");
    try {
        await page.getByRole("alert").getByText(/^Since /).waitFor();
        await picture(page, "outage");
    } finally {
        process.kill(Number(process.env.REDIS_PID), "SIGCONT");
    }
    await page.getByRole("alert").waitFor({state: "hidden"});
    complaints.length = 0; // a browser logs each 503
}

// With a token that may only read, everything is seen and nothing can be pressed.
async function reader({page}) {
    await go(page, "dead", "Dead");
    await page.getByRole("link", {name: "dies1"}).waitFor();
    equal(await page.getByRole("button", {name: "Delete dies1"}).count(), 0, "buttons that change something");
    await go(page, "job/talk", "Job talk");
    await page.getByRole("log").locator("div").first().waitFor();
    equal(await page.getByRole("button", {name: "Cancel"}).count(), 0, "a button to cancel");
}

const scenarios = {light, dark, phone, colours, overview, queues, workers, keyboard, sets, job, dead, outage, reader};

const session = await open();
try {
    for (const name of process.argv.slice(2)) {
        await scenarios[name](session);
        equal(session.complaints.join("\n"), "", `${name}: what the console complains of`);
        equal(session.strangers.join("\n"), "", `${name}: requests to others than ${api}`);
        console.log(`${name}: ok`);
    }
} catch (e) {
    await picture(session.page, "failed");
    console.error(e.stack, "\n", await session.page.locator("body").innerText().catch(() => ""));
    process.exitCode = 1;
} finally {
    await session.close();
}
