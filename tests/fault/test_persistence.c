/*
 * Redis comes back with less than it had: after a power loss, with the file up to its last sync
 * (row 14); after a torn write, with the file up to some byte (row 15).
 */
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
    char args[64];
    stage_open(&s, &o);
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d", SLOW * 6000);
    for (int i = 0; i < CLAIM; i++) /* before there is a worker, so that a claim takes many */
        ck_assert(oracle_push(&s.oracle, "default",
                              i % 2 ? args : "\"sleep_ms\":1500,\"outcome\":\"fail\""));
    (void)stage_worker(&s, 0, (struct role){.threads = CLAIM});
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

    while (must_int(s.redis, "ZCARD retry") < FAILING)
        ck_assert(oracle_push(&s.oracle, "default", ""));
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":600", LATE);
    redis_server_kill(&s.server);
    int64_t cut = aof_size(&s.server) - kept;
    hold_ms(500); /* what was claimed and can start has started */
    ck_assert_uint_ge(oracle_running(&s.oracle), RUNNING);
    size_t begun = 0; /* of jobs that can come back: pushes in the tail cannot */
    for (size_t i = 0; i < s.oracle.tail_from; i++)
        begun += s.oracle.jobs[i].starts;
    aof_cut(&s.server, kept);
    must_restart(&s.server);
    int64_t back_ns = clock_now_ns();
    stage_reconnect(&s);
    oracle_tail_ends(&s.oracle);
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
    ck_assert_int_eq(must_int(s.redis, "ZCARD retry"), FAILING);
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_ended(&s.worker[i]));
        must_stop(&s.worker[i]);
    }
    check_books_are_empty(&s);
    ck_assert_int_le(took_ms, SLOW * BACK_MS);
    matrix_report(&(struct matrix_entry){
        .row = 14,
        .fault = "power loss: kill -9 of Redis (everysec), its file as it was some seconds before",
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

Suite *test_suite(void)
{
    Suite *suite = suite_create("persistence");
    stage_add(suite, a_power_loss_costs_the_unsynced_tail, 1);
    return suite;
}
