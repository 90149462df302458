/*
 * Redis comes back with less than it had: after a power loss, with the file up to its last sync
 * (row 14); after a torn write, with the file up to some byte (row 15).
 */
#include <signal.h>

#include "stage.h"
#include "support/aof.h"
#include "support/matrix.h"

enum { BACK_MS = 10000 }; /* the longest pause between two tries, and as much to spare */

static const char *const everysec[] = {"--appendonly", "yes", "--appendfsync", "everysec", NULL};

/* True when all that Redis has done is written to the file, be it synced or not. */
static bool file_is_complete(struct stage *s)
{
    return info(s, "persistence", "aof_buffer_length") == 0;
}

/* Executions begun of jobs that can come back: pushes in the tail cannot. */
static size_t begun_before_tail(struct stage *s)
{
    size_t begun = 0;
    oracle_read(&s->oracle);
    for (size_t i = 0; i < s->oracle.tail_from; i++)
        begun += s->oracle.jobs[i].starts;
    return begun;
}

/* Row 14. The worker remembers what Redis has forgotten: claims, ends and jobs.
 *
 * One claim holds jobs that fail in the tail and jobs that still run when Redis comes back: the
 * latter's end must not drop the claim, for the move of the former to retry was undone. */
START_TEST(a_power_loss_costs_the_unsynced_tail)
{
    enum { FAILING = 5, RUNNING = 5, CLAIM = FAILING + RUNNING, THREADS = 10, LATE = 60 };
    enum { EARLY = 200, ENDING = 20 };
    struct redis_server_options o = {.extra = everysec};
    struct stage s;
    stage_open(&s, &o);
    struct worker_process *first = stage_worker(&s, 0, (struct role){.threads = CLAIM});
    worker_process_signal(first, SIGTSTP); /* so that a claim takes many */
    wait_until(DRAIN_MS, worker_process_said(first, "quiet"));
    for (int i = 0; i < CLAIM; i++)
        ck_assert(oracle_push(&s.oracle, "default",
                              i % 2 ? gated(&s, "done", "")
                                    : gated(&s, "fail", ",\"outcome\":\"fail\"")));
    worker_process_signal(first, SIGCONT);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == CLAIM);
    ck_assert_uint_lt(count_keys(&s, "sluice:claim:*"),
                      CLAIM); /* neighbours differ: one has both */
    (void)stage_worker(&s, 1, (struct role){.threads = THREADS});
    oracle_push_many(&s.oracle, "default", "", EARLY);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":100", ENDING);

    /* The moment of the last sync. */
    oracle_tail_begins(&s.oracle);
    int64_t processed = stat_of(&s, "stat:processed");
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), 0);
    wait_until(DRAIN_MS, file_is_complete(&s));
    int64_t kept = aof_size(&s.server);

    open_gate(&s, "fail");
    while (must_int(s.redis, "ZCARD retry") < FAILING)
        ck_assert(oracle_push(&s.oracle, "default", ""));
    oracle_push_many(&s.oracle, "default", gated(&s, "done", ""), LATE);
    redis_server_kill(&s.server);
    int64_t cut = aof_size(&s.server) - kept;
    size_t begun = begun_before_tail(&s), before;
    do { /* until what was claimed and can start has started */
        before = begun;
        hold_ms(500);
        begun = begun_before_tail(&s);
    } while (begun > before);
    ck_assert_uint_ge(oracle_running(&s.oracle), RUNNING);
    aof_cut(&s.server, kept);
    must_restart(&s.server);
    int64_t back_ns = clock_now_ns();
    stage_reconnect(&s);
    oracle_tail_ends(&s.oracle);
    open_gate(&s, "done");
    wait_until(DRAIN_MS, oracle_push(&s.oracle, "default", ""));
    size_t newest = s.oracle.njobs - 1;
    wait_until(DRAIN_MS, (oracle_read(&s.oracle), s.oracle.jobs[newest].ends == 1));
    int64_t took_ms = ms_since(back_ns);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    wait_until(DRAIN_MS, nothing_is_left(&s) && oracle_running(&s.oracle) == 0);
    /* What had begun and not ended for the file: finishes in the tail, and what was running. */
    size_t allowed = begun - (size_t)processed;
    struct oracle_figures f = oracle_check(&s.oracle, "power loss", allowed);
    ck_assert_uint_gt(f.tail, 0); /* it did happen */
    for (size_t i = s.oracle.tail_from; i < s.oracle.tail_to; i++)
        ck_assert(s.oracle.jobs[i].ends > 0 || s.oracle.jobs[i].starts == 0);
    wait_until(DRAIN_MS, must_int(s.redis, "ZCARD retry") == FAILING);
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_ended(&s.worker[i]));
        must_stop(&s.worker[i]);
    }
    ck_assert_uint_eq(count_keys(&s, "sluice:*"), 0);
    ck_assert_int_le(took_ms, SLOW * BACK_MS);
    matrix_report(&(struct matrix_entry){
        .row = 14,
        .fault = "power loss: kill -9 of Redis (everysec), its file cut back to an earlier moment",
        .bit = matrix_text("%lld bytes of the file gone; %d moves to retry undone", (long long)cut,
                           FAILING),
        .figures = &f,
        .max_duplicates = allowed,
        .took = "a new job ends after the restart",
        .took_ms = took_ms,
        .bound_ms = SLOW * BACK_MS,
        .result = matrix_text("unfsynced tail: %zu pushes lost, all of them made in it, none begun",
                              f.tail)});
    stage_close(&s);
}
END_TEST

/* --- row 15 -------------------------------------------------------------------------------- */

enum { QUICK = 40, DUE = 10, FAILS = 20, DIES = 10, LONG = 10 };
enum { JOBS = QUICK + DUE + FAILS + DIES + LONG };

enum place { NOWHERE, QUEUE, CLAIM, RETRY, DEAD, SCHEDULE };

/* Where each job lies. */
struct census {
    enum place place[JOBS];
    size_t absent;
};

static void note_place(struct stage *s, struct census *c, struct slice payload, enum place place)
{
    static const char field[] = "\"jid\":\"";
    const char *at = strstr(payload.p, field);
    if (payload.p[0] != '{') /* a tombstone */
        return;
    ck_assert_ptr_nonnull(at);
    unsigned long job = strtoul(at + strlen(field) + strlen(s->oracle.salt), NULL, 16);
    ck_assert_uint_lt(job, JOBS);
    ck_assert_msg(c->place[job] == NOWHERE, "job %lu is in two places: %d and %d", job,
                  c->place[job], place);
    c->place[job] = place;
}

static void note_all(struct stage *s, struct census *c, enum place place, const char *command,
                     const char *key)
{
    struct reply *jobs = must_call(s->redis, "%s %s 0 -1", command, key);
    for (size_t i = 0; i < reply_count(jobs); i++)
        note_place(s, c, reply_str(reply_at(jobs, i)), place);
    reply_free(jobs);
}

/* Whoever recovers its worker finds this claim: sluice:claim:<identity>:<seq>. */
static void check_registered(struct stage *s, const char *claim)
{
    const char *identity = claim + strlen("sluice:claim:"), *seq = strrchr(claim, ':') + 1;
    int n = (int)(seq - 1 - identity);
    ck_assert_int_eq(must_int(s->redis, "SISMEMBER sluice:workers %b", identity, (size_t)n), 1);
    char registry[512];
    (void)snprintf(registry, sizeof registry, "sluice:claims:%.*s", n, identity);
    ck_assert_int_eq(must_int(s->redis, "HEXISTS %s %s", registry, seq), 1);
}

/* Fails the test unless what is in Redis is a state that whole scripts have left. All jobs were
 * pushed, so one that is in no place has been done: what is recorded and counted says the same. */
static struct census take_census(struct stage *s)
{
    struct census c = {0};
    note_all(s, &c, QUEUE, "LRANGE", "queue:default");
    note_all(s, &c, RETRY, "ZRANGE", "retry");
    note_all(s, &c, DEAD, "ZRANGE", "dead");
    note_all(s, &c, SCHEDULE, "ZRANGE", "schedule");
    struct reply *claims = must_call(s->redis, "KEYS sluice:claim:*");
    for (size_t i = 0; i < reply_count(claims); i++) {
        const char *key = reply_str(reply_at(claims, i)).p;
        note_all(s, &c, CLAIM, "LRANGE", key);
        check_registered(s, key);
    }
    reply_free(claims);
    for (size_t i = 0; i < JOBS; i++) {
        char key[64];
        (void)snprintf(key, sizeof key, "sluice:job:%s%08zx", s->oracle.salt, i);
        char *state = must_text(s->redis, "HGET %s state", key);
        const char *is = state ? state : "";
        c.absent += c.place[i] == NOWHERE;
        ck_assert_msg((strcmp(is, "completed") == 0) == (c.place[i] == NOWHERE) &&
                          (strcmp(is, "dead") == 0) == (c.place[i] == DEAD) &&
                          (c.place[i] != RETRY || strcmp(is, "retrying") == 0),
                      "job %zu is recorded as \"%s\" and lies in place %d", i, is, c.place[i]);
        free(state);
    }
    ck_assert_int_eq(stat_of(s, "stat:processed") - stat_of(s, "stat:failed"), (int64_t)c.absent);
    return c;
}

/* A run of a worker in which every kind of move happens; returns the file it left, and the size
 * that the file had when all jobs were pushed. */
static struct slice record_a_run(struct stage *s, int64_t *ret_pushed)
{
    static const char *const track =
        "  - {class: test, plugin: \"" TEST_PLUGIN "\", track: true}\n";
    oracle_push_many(&s->oracle, "default", "", QUICK);
    oracle_push_many(&s->oracle, "default", "\"outcome\":\"fail\"", FAILS);
    oracle_push_many(&s->oracle, "default", "\"outcome\":\"dead\"", DIES);
    for (int i = 0; i < DUE; i++) {
        char *payload = oracle_payload(&s->oracle, "default", "\"sleep_ms\":20", NULL);
        must_do(s->redis, "ZADD schedule 1 %s", payload);
        oracle_ack(&s->oracle, 1);
        free(payload);
    }
    oracle_push_many(&s->oracle, "default", gated(s, "done", ""), LONG);
    wait_until(DRAIN_MS, file_is_complete(s));
    *ret_pushed = aof_size(&s->server);

    struct worker_process *w = stage_worker(
        s, 0, (struct role){.threads = LONG + 5, .shutdown_timeout_s = 0.1, .handlers = track});
    wait_until(DRAIN_MS, stat_of(s, "stat:processed") >= JOBS - LONG);
    struct reply *failed = must_call(s->redis, "ZRANGE retry 0 %d", FAILS / 2 - 1);
    for (size_t i = 0; i < reply_count(failed); i++) /* their time has come */
        must_do(s->redis, "ZADD retry XX 1 %s", reply_str(reply_at(failed, i)).p);
    reply_free(failed);
    wait_until(DRAIN_MS, stat_of(s, "stat:processed") >= JOBS - LONG + FAILS / 2);
    wait_until(DRAIN_MS, oracle_running(&s->oracle) == LONG);
    must_stop(w); /* gives back what runs */
    struct census c = take_census(s);
    ck_assert_uint_eq(c.absent, QUICK + DUE);
    wait_until(DRAIN_MS, file_is_complete(s));
    redis_server_kill(&s->server);
    return aof_read(&s->server);
}

/* The server with the first bytes of the file. */
static void begin_again(struct stage *s, struct slice file, int64_t size)
{
    redis_server_kill(&s->server);
    aof_write(&s->server, (struct slice){file.p, (size_t)size});
    must_restart(&s->server);
    stage_reconnect(s);
}

static const char *find(struct slice file, int64_t from, const char *text)
{
    const char *at = memmem(file.p + from, file.n - (size_t)from, text, strlen(text));
    return at ? at : file.p + file.n;
}

/* What one script has done lies between these. */
static const char multi[] = "*1\r\n$5\r\nMULTI\r\n", exec[] = "*1\r\n$4\r\nEXEC\r\n";

/* How often Redis has found a file that ends too soon. */
static int short_reads(struct stage *s)
{
    int n = 0;
    char *log = worker_process_file(&s->worker[0], "log");
    for (const char *at = log; (at = strstr(at, "short read while loading")) != NULL; at++)
        n++;
    free(log);
    return n;
}

/* A cut in the middle of what a script has done: all of it is discarded. */
static int64_t cut_in_script(struct slice file, const char *begin)
{
    const char *first = begin + strlen(multi);
    const char *last = find(file, first - file.p, exec) + strlen(exec) - 1;
    ck_assert(last < file.p + file.n);
    return first - file.p + rand() % (last - first + 1);
}

/* The cut is where a job moves to retry. */
static void tear_a_retry(struct stage *s, struct slice file, int64_t pushed)
{
    const char *move = find(file, pushed, "ZADD\r\n$5\r\nretry\r\n");
    int before = short_reads(s);
    ck_assert(move < file.p + file.n);
    begin_again(s, file, move - file.p);
    ck_assert_int_eq(short_reads(s), before + 1);
    (void)take_census(s);
}

/* Redis leaves the head of the torn script in its file, and would join it with what comes after at
 * the next start. A new file has no such head (docs/GUARANTEES.md). */
static void rewrite_file(struct stage *s)
{
    must_do(s->redis, "BGREWRITEAOF");
    wait_until(DRAIN_MS, info(s, "persistence", "aof_rewrite_in_progress") == 0 &&
                             info(s, "persistence", "aof_rewrite_scheduled") == 0);
}

/* Another worker does what is left, and again what had ended for the first one only. */
static void go_on(struct stage *s)
{
    size_t allowed = oracle_started(&s->oracle) - (size_t)stat_of(s, "stat:processed");
    rewrite_file(s);
    open_gate(s, "done");
    struct worker_process *w = stage_worker(s, 1, (struct role){.threads = 10});
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    wait_until(DRAIN_MS, nothing_is_left(s) && must_int(s->redis, "ZCARD schedule") == 0);
    wait_until(DRAIN_MS, must_int(s->redis, "ZCARD retry") == FAILS);
    struct oracle_figures f = oracle_check(&s->oracle, "torn file", allowed);
    must_stop(w);
    redis_server_kill(&s->server);
    must_restart(&s->server);
    stage_reconnect(s);
    ck_assert_int_eq(must_int(s->redis, "ZCARD dead"), DIES);
    ck_assert_int_eq(must_int(s->redis, "ZCARD retry"), FAILS);
    ck_assert_uint_eq(count_keys(s, "sluice:claim*"), 0);
    matrix_report(&(struct matrix_entry){
        .row = 15,
        .fault = "AOF truncated inside of a move to retry; a worker goes on from there",
        .bit = "Redis discarded that script whole",
        .figures = &f,
        .max_duplicates = allowed,
        .result = "every job that fails in retry, every one that dies in dead, also after the next "
                  "restart"});
}

START_TEST(a_torn_file_holds_no_half_of_a_script)
{
    enum { CUTS = 30 };
    struct redis_server_options o = {.extra = everysec};
    struct stage s;
    int64_t pushed;
    size_t fewest = JOBS, most = 0;
    int in_scripts = 0;
    stage_open(&s, &o);
    srand(seed("torn file"));
    struct slice file = record_a_run(&s, &pushed);
    for (int i = 0; i < CUTS; i++) {
        int64_t cut = pushed + rand() % ((int64_t)file.n - pushed);
        const char *script = find(file, cut, multi);
        bool in_script = i % 2 == 0 && script < file.p + file.n;
        if (in_script)
            cut = cut_in_script(file, script);
        int before = short_reads(&s);
        begin_again(&s, file, cut);
        if (in_script) { /* it did happen */
            ck_assert_int_eq(short_reads(&s), before + 1);
            in_scripts++;
        }
        struct census c = take_census(&s);
        fewest = c.absent < fewest ? c.absent : fewest;
        most = c.absent > most ? c.absent : most;
    }
    ck_assert_int_gt(in_scripts, CUTS / 4);
    matrix_report(&(struct matrix_entry){
        .row = 15,
        .fault = matrix_text("AOF of a worker's run truncated at %d places", CUTS),
        .bit =
            matrix_text("Redis discarded half a script %d times; %zu to %zu of %d jobs were done",
                        in_scripts, fewest, most, JOBS),
        .result = "every job in one place or done; registry, records and figures agree"});
    tear_a_retry(&s, file, pushed);
    go_on(&s);
    free((char *)file.p);
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("persistence");
    stage_add(suite, a_power_loss_costs_the_unsynced_tail, 1);
    stage_add(suite, a_torn_file_holds_no_half_of_a_script, 1);
    return suite;
}
