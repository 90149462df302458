/*
 * Elements of 64 MiB (32 under a sanitizer), wherever a worker may come across one (row 24): each
 * goes to dead, byte for byte, without passing through the worker, and its neighbours run.
 *
 * Redis needs a second or so to move one, in which it answers nobody. So waits are lost now and
 * then, and no count of anything is asked for but that every element is named once.
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proc.h"

enum { LEASE_IDLE_S = 20, LEASE_DEAD_S = 5 };
enum { HUGE_MIB = SLOW > 1 ? 32 : 64, HUGE_BYTES = HUGE_MIB << 20 };
enum { MAX_PAYLOAD = 1 << 20, NEIGHBOURS = 5 };

/* A worker that idles has some 10 MB. To that comes, for each connection that refuses, a buffer of
 * the cap at most, and what the allocator keeps per thread. An element that was read would be
 * another 64 MB, and with hiredis' copy 128. A sanitizer has more of its own, so there it is the
 * growth since the start that counts, against one element. */
enum { RSS_KB = 40 << 10 };

struct play {
    struct stage s;
    int n; /* elements */
    int64_t before_kb, peak_kb;
};

/* ---- elements ---- */

/* Element i. */
static struct slice element(int i)
{
    static char bytes[HUGE_BYTES];
    memset(bytes, 'x', HUGE_BYTES);
    bytes[HUGE_BYTES - 1] = (char)('0' + i);
    return (struct slice){bytes, HUGE_BYTES};
}

static void push_huge(struct play *p, const char *key)
{
    must_push(p->s.redis, key, element(p->n++));
}

/* The same in one quick step, of an element that has been brought near before. */
static void stash_huge(struct play *p)
{
    push_huge(p, "stash");
}

static void unstash_huge(struct play *p)
{
    must_do(p->s.redis, "LMOVE stash queue:default RIGHT LEFT");
}

static void schedule_huge(struct play *p, const char *key, double due)
{
    struct slice e = element(p->n++);
    must_do(p->s.redis, "ZADD %s %f %b", key, due, e.p, e.n);
}

/* Each is in dead, byte for byte, and nothing else is. */
static void check_dead(struct play *p)
{
    ck_assert_int_eq(must_int(p->s.redis, "ZCARD dead"), p->n);
    for (int i = 0; i < p->n; i++) {
        struct slice e = element(i);
        struct reply *score = must_call(p->s.redis, "ZSCORE dead %b", e.p, e.n);
        ck_assert_int_ne(reply_type(score), REPLY_NIL);
        reply_free(score);
    }
}

static void wait_dead(struct play *p)
{
    wait_until(DRAIN_MS, must_int(p->s.redis, "ZCARD dead") >= p->n);
}

/* ---- workers ---- */

static struct worker_process *cast(struct play *p, int i, int lease_s)
{
    char text[512];
    (void)snprintf(text, sizeof text,
                   "worker: {threads: 4, queues: [default, other], lease: %d, max_payload: %d}\n"
                   "redis: {socket_timeout: 60}\n" /* Redis needs seconds to copy one */
                   "log: {level: debug}\n"
                   "metrics: {listen: \"off\"}\n"
                   "handlers:\n" TEST_HANDLER,
                   lease_s, MAX_PAYLOAD);
    struct worker_process *w = &p->s.worker[i];
    worker_process_start(w, &p->s.server, &(struct worker_options){.settings = text});
    p->before_kb = proc_peak_kb(w->pid);
    return w;
}

static void check_memory(struct play *p, const struct worker_process *w)
{
    p->peak_kb = proc_peak_kb(w->pid);
    ck_assert_int_gt(p->peak_kb, 0);
    if (SLOW == 1)
        ck_assert_int_lt(p->peak_kb, RSS_KB);
    else
        ck_assert_int_lt(p->peak_kb - p->before_kb, HUGE_BYTES >> 10);
}

static void push_neighbours(struct play *p)
{
    for (int i = 0; i < NEIGHBOURS; i++) {
        ck_assert(oracle_push(&p->s.oracle, "default", ""));
        ck_assert(oracle_push(&p->s.oracle, "other", ""));
    }
}

/* One line and no more for each of n elements, with its place and its size. */
static void check_said(struct worker_process *w, const char *place, int n)
{
    char line[128];
    (void)snprintf(line, sizeof line, "%s bytes=%d max_payload=%d", place, HUGE_BYTES, MAX_PAYLOAD);
    wait_until(DRAIN_MS, worker_process_count(w, line) >= n);
    ck_assert_int_eq(worker_process_count(w, line), n);
}

/* By the log of the plugin alone: the oracle's look into dead would read what nobody should. */
static void wait_neighbours(struct play *p)
{
    wait_until(DRAIN_MS, oracle_ended(&p->s.oracle) == p->s.oracle.njobs);
}

static void report(struct play *p, const char *fault, const char *bit, int64_t took_ms)
{
    must_do(p->s.redis, "DEL dead"); /* all that is there was looked at */
    struct oracle_figures f = oracle_check(&p->s.oracle, fault, 0);
    matrix_report(&(struct matrix_entry){
        .row = 24,
        .fault = fault,
        .bit = bit,
        .figures = &f,
        .took = "neighbours ran",
        .took_ms = took_ms,
        .result =
            matrix_text("%d in dead, byte for byte; peak RSS %lld kB (%s)", p->n,
                        (long long)p->peak_kb, SLOW == 1 ? "40960" : "grown by less than one"),
    });
}

/* ---- an idle worker ---- */

static void wait_idle(struct play *p)
{
    wait_until(DRAIN_MS, info(&p->s, "clients", "blocked_clients") == 2);
}

/* Stops a worker that waits for jobs and lets its wait take an element: it lies in a claim that the
 * worker does not know to hold one. A wait that ended meanwhile is waited for again. */
static void land_in_claim(struct play *p, struct worker_process *w)
{
    stash_huge(p);
    for (;;) {
        wait_idle(p);
        worker_process_signal(w, SIGSTOP);
        unstash_huge(p);
        if (must_int(p->s.redis, "LLEN queue:default") == 0)
            break;
        must_do(p->s.redis, "LMOVE queue:default stash RIGHT LEFT");
        worker_process_signal(w, SIGCONT);
    }
    ck_assert_uint_eq(count_keys(&p->s, "sluice:claim:*"), 1);
}

START_TEST(a_waiting_worker_refuses_it)
{
    enum { REFUSALS = 1, ROUNDS_MAX = 6 };
    static const char refused[] = "a blocking wait brought a job that is too large";
    struct play p = {0};
    stage_open(&p.s, NULL);
    struct worker_process *w = cast(&p, 0, LEASE_IDLE_S);
    int64_t slowest_ms = 0;
    while (worker_process_count(w, refused) < REFUSALS) {
        ck_assert_int_lt(p.n, ROUNDS_MAX);
        stash_huge(&p);
        wait_idle(&p);
        unstash_huge(&p);
        int64_t pushed_ns = clock_now_ns();
        push_neighbours(&p);
        wait_neighbours(&p);
        int64_t took_ms = ms_since(pushed_ns);
        slowest_ms = took_ms > slowest_ms ? took_ms : slowest_ms;
        wait_dead(&p);
    }
    wait_idle(&p);
    check_said(w, "queue=default", p.n);
    check_memory(&p, w);

    /* At a stop, with nobody left to reconcile, it is in the claims that are given back. */
    land_in_claim(&p, w);
    worker_process_signal(w, SIGTERM);
    worker_process_signal(w, SIGCONT);
    ck_assert_int_eq(worker_process_wait(w, DRAIN_MS), 0);
    check_said(w, "queue=default", p.n);
    check_dead(&p);
    check_books_are_empty(&p.s);
    report(&p, matrix_text("%d MiB pushed to a worker that waits, and at its stop", HUGE_MIB),
           matrix_text("%d reply refused by its length", REFUSALS), slowest_ms);
    stage_close(&p.s);
}
END_TEST

/* ---- found on the way ---- */

START_TEST(found_in_backlog_schedule_and_retry_it_is_moved)
{
    struct play p = {0};
    stage_open(&p.s, NULL);
    push_neighbours(&p); /* neighbours are before it and behind */
    push_huge(&p, "queue:default");
    push_neighbours(&p);
    schedule_huge(&p, "schedule", 1);
    /* One that is the first of its set and not due yet is not read either. */
    schedule_huge(&p, "retry", (double)time(NULL) + 3);
    char *job = oracle_payload(&p.s.oracle, "other", "", NULL);
    must_do(p.s.redis, "ZADD schedule 2 %s", job);
    oracle_ack(&p.s.oracle, 1);
    free(job);

    struct worker_process *w = cast(&p, 0, LEASE_IDLE_S);
    int64_t ready_ns = clock_now_ns();
    wait_neighbours(&p);
    int64_t took_ms = ms_since(ready_ns);
    wait_dead(&p);
    wait_idle(&p);
    check_said(w, "queue=default", 1);
    check_said(w, "set=schedule", 1);
    check_said(w, "set=retry", 1);
    ck_assert(!worker_process_said(w, "could not look at the schedule"));
    check_memory(&p, w);
    must_stop(w);
    check_dead(&p);
    check_books_are_empty(&p.s);
    report(&p, matrix_text("%d MiB in a backlog, in schedule and in retry", HUGE_MIB),
           "the worker named each with its size", took_ms);
    stage_close(&p.s);
}
END_TEST

START_TEST(in_the_claim_of_a_dead_worker_it_is_moved)
{
    struct play p = {0};
    stage_open(&p.s, NULL);
    struct worker_process *doomed = cast(&p, 0, LEASE_DEAD_S);
    land_in_claim(&p, doomed);
    worker_process_kill(doomed);
    push_huge(&p, "sluice:trial:default");

    struct worker_process *w = cast(&p, 1, LEASE_DEAD_S);
    int64_t ready_ns = clock_now_ns();
    push_neighbours(&p);
    wait_neighbours(&p);
    int64_t took_ms = ms_since(ready_ns);
    wait_dead(&p);
    wait_until(DRAIN_MS, must_int(p.s.redis, "SCARD sluice:workers") == 1);
    check_said(w, "queue=default", 2);
    check_memory(&p, w);
    must_stop(w);
    check_dead(&p);
    check_books_are_empty(&p.s);
    report(&p, matrix_text("%d MiB in the claim of a killed worker, and on trial", HUGE_MIB),
           "a wait of the dead had taken it; the living named each", took_ms);
    stage_close(&p.s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("huge payload");
    stage_add(suite, a_waiting_worker_refuses_it, 1);
    stage_add(suite, found_in_backlog_schedule_and_retry_it_is_moved, 1);
    stage_add(suite, in_the_claim_of_a_dead_worker_it_is_moved, 1);
    return suite;
}
