// Sidekiq's Web UI before our workers: it shows them, and its buttons work on them.
//
// There are three workers, of the queues a, b and c, in QUIET, STOP and STAY by their host:pid. Each
// runs a job that does not end; what else there is, and what becomes of it, is said in
// ../test_sidekiq_web.c.
import {check, equal, open, picture, redis, until} from "../dashboard/browser.mjs";

const web = process.env.API;
const {QUIET, STOP, STAY} = process.env;

const session = await open();
const {page} = session;
page.on("dialog", dialog => dialog.accept());

async function go(path) {
    const answer = await page.goto(`${web}/${path}`);
    equal(answer.status(), 200, path);
}

const row = text => page.getByRole("row").filter({hasText: text});
const press = (place, name) => place.getByRole("button", {name, exact: true}).click();

// By the list: chooses it there, then the button below.
async function chosen(path, name, button) {
    await go(path);
    await row(name).getByRole("checkbox").check();
    await press(page, button);
    await until(async () => await row(name).count() === 0, `${name} is gone from ${path}`);
}

// By the job's own page.
async function own(path, name, button) {
    await go(path);
    await row(name).locator("td a").first().click();
    await page.getByText(`jid-${name}`, {exact: true}).waitFor();
    await picture(page, `sidekiq-${name}`);
    await press(page, button);
    await until(async () => await row(name).count() === 0, `${name} is gone from ${path}`);
}

async function busy() {
    await go("busy");
    await picture(page, "sidekiq-busy");
    for (const [who, queue] of [[QUIET, "a"], [STOP, "b"], [STAY, "c"]]) {
        const text = (await row(`${who} `).first().innerText()).replace(/\s+/g, " ");
        check(text.includes(`Queues: ${queue}`), `its queues: ${text}`);
        check(/ [\d,]+ KB 7 1 /.test(text), `its memory, threads and jobs: ${text}`);
        const work = row(`jid-${queue}`);
        const args = await work.locator(".args").innerText();
        for (const part of ["9007199254740993", "<b>é</b>", "[]", "{}"])
            check(args.includes(part), `${part} in the args of what runs: ${args}`);
        equal(await work.getByRole("cell").nth(3).innerText(), queue, "its queue");
        equal(await work.getByRole("cell").nth(4).innerText(), "test", "its class");
        const began = Date.parse(await work.locator("time").getAttribute("datetime"));
        check(began >= Number(process.env.PUSHED_MS) - 1000 && began <= Date.now(), `it began at ${began}`);
    }
}

async function sets() {
    await go("retries");
    await picture(page, "sidekiq-retries");
    const text = (await row("r-delete").innerText()).replace(/\s+/g, " ");
    check(text.includes("ExitStatus: exit status 1: as the <i>test</i> wished"), `its error: ${text}`);
    await own("retries", "r-now", "Retry Now");
    await own("retries", "r-gone", "Delete");
    await chosen("retries", "r-again", "Retry Now");
    await chosen("retries", "r-delete", "Delete");
    await chosen("retries", "r-kill", "Kill");

    await go("morgue");
    await picture(page, "sidekiq-dead");
    equal(await row("r-kill").count(), 1, "what was killed is dead");
    await own("morgue", "d-now", "Retry Now");
    await own("morgue", "d-gone", "Delete");
    await chosen("morgue", "d-again", "Retry Now");
    await chosen("morgue", "d-delete", "Delete");

    await own("scheduled", "s-now", "Add to queue");
    await chosen("scheduled", "s-delete", "Delete");
}

async function others() {
    await go("");
    await picture(page, "sidekiq-dashboard");
    await go("queues");
    check((await row("waiting").innerText()).includes("2"), "two jobs wait");
    await go("queues/waiting");
    await picture(page, "sidekiq-queue");
    await press(row("w-delete"), "Delete");
    await until(() => redis("LLEN", "queue:waiting") === "1", "one of them is deleted");
}

const quiet = who => row(`${who} `).first().getByText("quiet", {exact: true});

// A page costs more to look at than Redis does.
const identity = who => redis("SMEMBERS", "processes").split("\n").find(id => id.startsWith(`${who}:`));

try {
    await busy();
    await press(row(`${QUIET} `).first(), "Quiet");
    await press(row(`${STOP} `).first(), "Stop");
    await sets();
    await others();
    await until(() => redis("HGET", identity(QUIET), "quiet") === "true", "it is quiet");
    await until(() => !identity(STOP), "it has stopped");
    await go("busy");
    await picture(page, "sidekiq-quiet");
    equal(await quiet(QUIET).count(), 1, "it shows as quiet");
    equal(await row(`${STOP} `).count(), 0, "what has stopped is gone");
    equal(await quiet(STAY).count(), 0, "the third is as it was");
    await press(page, "Stop All");
    await until(() => redis("SCARD", "processes") === "0", "all have stopped");
    await go("busy");
    equal(await page.locator("table.processes tbody tr").count(), 0, "and are gone");
} catch (e) {
    await picture(page, "sidekiq-failed");
    console.error(e.stack, "\n", await page.locator("body").innerText().catch(() => ""));
    process.exitCode = 1;
} finally {
    await session.close();
}
