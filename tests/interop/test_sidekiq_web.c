/*
 * Sidekiq's Web UI, in a headless Chromium (sidekiq/web.mjs), before our workers: it shows them,
 * what they run and what has failed, and its buttons work on them. Needs Debian's ruby-sidekiq.
 *
 * Jobs have the jid "jid-NAME", and their name among their args, which is what its lists show.
 * Those that fail or die do so once.
 */
#include "integration/test_worker.h"
#include "support/program.h"

#define SCRIPTS TEST_SOURCE_DIR "/tests/interop/sidekiq/"

enum { CREW = 3 };
static struct worker_process crew[CREW];
static const char *const queues[CREW] = {"a", "b", "c"};
static struct program web, browser;

/* Each run is a line of the file `ran`: the jid and the attempt. */
#define NOTE  "echo \"$SLUICE_JID $SLUICE_ATTEMPT\" >>ran; "
#define ONCE  NOTE "[ -e \"$SLUICE_JID\" ] && exit 0; : >\"$SLUICE_JID\"; "
#define ERROR "echo \"as the <i>test</i> wished\" >&2; "
#define SHELL "exec: [/bin/sh, -c, '"
#define HANDLERS                                                                                   \
    "handlers:\n" TEST_HANDLER "  - {class: fails, " SHELL ONCE ERROR "exit 1']}\n"                \
    "  - {class: dies, " SHELL ONCE ERROR "exit 100']}\n"                                          \
    "  - {class: works, " SHELL NOTE "']}\n"

static void start_crew(void)
{
    char text[1024];
    for (int i = 0; i < CREW; i++) {
        (void)snprintf(text, sizeof text,
                       "worker: {threads: 7, queues: [%s], shutdown_timeout: 0}\n" HANDLERS,
                       queues[i]);
        worker_process_start(&crew[i], &server, &(struct worker_options){.settings = text});
    }
}

static void end_all(void)
{
    program_end(&browser);
    program_end(&web);
    for (int i = 0; i < CREW; i++)
        worker_process_free(&crew[i]);
}

/* Its name is among its args, as is what is easily bent; a "test" waits for ever. */
static void write_job(char *ret, size_t size, const char *klass, const char *queue,
                      const char *name)
{
    int n = snprintf(ret, size,
                     "{\"class\":\"%s\",\"jid\":\"jid-%s\",\"queue\":\"%s\",\"retry\":5,"
                     "\"created_at\":1795478712.5,\"args\":[{\"name\":\"%s\",\"gate\":\"never\"},"
                     "9007199254740993,\"<b>é</b>\",[],{}]}",
                     klass, name, queue, name);
    ck_assert_int_lt(n, (int)size);
}

static void push_job(const char *klass, const char *queue, const char *name)
{
    char job[512];
    write_job(job, sizeof job, klass, queue, name);
    push(queue, job);
}

static void schedule_job(const char *klass, const char *queue, const char *name)
{
    char job[512];
    write_job(job, sizeof job, klass, queue, name);
    must_do(redis, "ZADD schedule 9999999999.5 %s", job);
}

/* Nothing is tried again before somebody says so. */
static void put_off_retries(void)
{
    must_do(redis, "EVAL %s 0",
            "for _, job in ipairs(redis.call('ZRANGE', 'retry', 0, -1)) do "
            "redis.call('ZINCRBY', 'retry', 3600, job) end");
}

/* What a worker reports may still be a job that has ended since. */
static bool shows(const struct worker_process *w, const char *jid)
{
    struct reply *work = must_call(redis, "HVALS %s:work", w->identity);
    bool it_does = reply_count(work) == 1 && strstr(reply_str(reply_at(work, 0)).p, jid) != NULL;
    reply_free(work);
    return it_does;
}

static void make_jobs(void)
{
    static const char *const failing[] = {"r-now", "r-again", "r-kill", "r-delete", "r-gone"};
    static const char *const dying[] = {"d-now", "d-again", "d-delete", "d-gone"};
    enum { FAILING = sizeof failing / sizeof *failing, DYING = sizeof dying / sizeof *dying };
    for (int i = 0; i < FAILING; i++)
        push_job("fails", "c", failing[i]);
    for (int i = 0; i < DYING; i++)
        push_job("dies", "c", dying[i]);
    wait_until(HANG_MS,
               must_int(redis, "ZCARD retry") == FAILING && must_int(redis, "ZCARD dead") == DYING);
    put_off_retries();
    schedule_job("works", "c", "s-now");
    schedule_job("works", "c", "s-delete");
    must_do(redis, "SADD queues waiting"); /* nobody's: it stays */
    push_job("works", "waiting", "w-delete");
    push_job("works", "waiting", "w-stays");
    for (int i = 0; i < CREW; i++)
        push_job("test", queues[i], queues[i]);
    static const char *const jids[CREW] = {"jid-a", "jid-b", "jid-c"};
    for (int i = 0; i < CREW; i++)
        wait_until(HANG_MS, shows(&crew[i], jids[i]));
}

static void start_web(char *ret_address, size_t size)
{
    char url[160];
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", server.url);
    web = (struct program){.env = {url, "LANG=C.UTF-8"}};
    program_start(&web, (const char *const[]){"/usr/bin/ruby", SCRIPTS "web.rb", NULL});
    int port = 0, status;
    while (port == 0) {
        program_read(&web);
        if (program_ended(&web, &status))
            ck_abort_msg("it ended with %d: %s", status, web.err);
        if (strchr(web.out, '\n'))
            port = atoi(web.out);
        (void)usleep(5000);
    }
    (void)snprintf(ret_address, size, "API=http://127.0.0.1:%d", port);
}

/* HOST:PID, by which that UI calls a worker. */
static void name_of(const struct worker_process *w, const char *as, char *ret, size_t size)
{
    (void)snprintf(ret, size, "%s=%.*s", as, (int)(strrchr(w->identity, ':') - w->identity),
                   w->identity);
}

static void play(const char *address, int64_t pushed_ms)
{
    char socket[128], names[CREW][400], shots[512], pushed[40];
    static const char *const as[CREW] = {"QUIET", "STOP", "STAY"};
    (void)snprintf(socket, sizeof socket, "REDIS_SOCKET=%s", server.socket);
    (void)snprintf(shots, sizeof shots, "SHOTS=%s", getenv("SHOTS") ? getenv("SHOTS") : "");
    (void)snprintf(pushed, sizeof pushed, "PUSHED_MS=%lld", (long long)pushed_ms);
    for (int i = 0; i < CREW; i++)
        name_of(&crew[i], as[i], names[i], sizeof names[i]);
    browser =
        (struct program){.env = {address, socket, names[0], names[1], names[2], shots, pushed}};
    program_start(&browser, (const char *const[]){"/usr/bin/env", "node", SCRIPTS "web.mjs", NULL});
    int status = program_wait(&browser);
    ck_assert_msg(status == 0, "%s%s%s", browser.out, browser.err, web.err);
}

/* How often the job of this name has run, each time as its first attempt: the buttons take one off
 * what has been counted, so that a run which somebody has asked for costs no try. */
static int runs(const char *name)
{
    char line[64];
    (void)snprintf(line, sizeof line, "jid-%s 1\n", name);
    char *ran = worker_process_file(&crew[0], "ran"), *at = ran;
    int n = 0;
    for (; (at = strstr(at, line)) != NULL; at++)
        n++;
    free(ran);
    return n;
}

START_TEST(it_shows_our_workers_and_its_buttons_work)
{
    char address[64];
    start_crew();
    int64_t pushed_ms = clock_wall_us() / 1000;
    make_jobs();
    start_web(address, sizeof address);
    play(address, pushed_ms);
    for (int i = 0; i < CREW; i++)
        ck_assert_int_eq(worker_process_wait(&crew[i], HANG_MS), 0);
    ck_assert(worker_process_said(&crew[0], "quiet: no new jobs are taken"));
    ck_assert(!worker_process_said(&crew[2], "quiet: no new jobs are taken"));
    ck_assert_int_eq(runs("r-now"), 2);
    ck_assert_int_eq(runs("r-again"), 2);
    ck_assert_int_eq(runs("r-kill"), 1);
    ck_assert_int_eq(runs("d-now"), 2);
    ck_assert_int_eq(runs("d-again"), 2);
    ck_assert_int_eq(runs("s-now"), 1);
    ck_assert_int_eq(runs("s-delete"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS retry schedule"), 0);
    struct reply *dead = must_call(redis, "ZRANGE dead 0 -1");
    ck_assert_uint_eq(reply_count(dead), 1);
    ck_assert_ptr_nonnull(strstr(reply_str(reply_at(dead, 0)).p, "\"jid-r-kill\""));
    reply_free(dead);
    ck_assert_int_eq(must_int(redis, "LLEN queue:waiting"), 1);
    for (int i = 0; i < CREW; i++) /* given back at the stop */
        ck_assert_int_eq(must_int(redis, "LLEN queue:%s", queues[i]), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("Sidekiq's Web UI");
    TCase *tc = new_case(suite, "web");
    tcase_add_checked_fixture(tc, NULL, end_all);
    tcase_add_test(tc, it_shows_our_workers_and_its_buttons_work);
    return suite;
}
