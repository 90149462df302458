/*
 * The way to Redis breaks: replies that never come, that come in part, and connections that are
 * killed (rows 7, 9, 10, 11 and 12).
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proxy.h"

/* Of all requests, only a claim has these two keys side by side. */
#define CLAIM_REQUEST "dead\r\n$13\r\nqueue:default\r\n"

struct link_stage {
    struct stage s;
    struct proxy proxy;
    char url[64];
};

static void link_open(struct link_stage *l)
{
    stage_open(&l->s, NULL);
    ck_assert_int_eq(proxy_start(&l->proxy, l->s.server.socket, NULL), 0);
    (void)snprintf(l->url, sizeof l->url, "redis://127.0.0.1:%d", l->proxy.port);
}

static void link_close(struct link_stage *l)
{
    must_stop(&l->s.worker[0]);
    check_books_are_empty(&l->s);
    stage_close(&l->s);
    proxy_stop(&l->proxy);
}

/* Row 7: the claim is made, and the worker never hears of it. */
START_TEST(a_claim_whose_reply_is_swallowed_is_found)
{
    enum { JOBS = 20 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    (void)stage_worker(s, 0, (struct role){.url = l.url, .socket_timeout_s = 1});
    ck_assert(oracle_push(&s->oracle, "default", "")); /* so that Redis knows the scripts */
    wait_until(DRAIN_MS, stat_of(s, "stat:processed") == 1);
    worker_process_signal(&s->worker[0], SIGTSTP);
    wait_until(DRAIN_MS, worker_process_said(&s->worker[0], "quiet"));
    wait_until(DRAIN_MS, info(s, "clients", "blocked_clients") == 0);
    oracle_push_many(&s->oracle, "default", "", JOBS);
    proxy_trap(&l.proxy, CLAIM_REQUEST, PROXY_MUTE, 0); /* the next claim */
    worker_process_signal(&s->worker[0], SIGCONT);
    wait_until(DRAIN_MS, proxy_stats(&l.proxy).trapped == 1 && count_claimed(s) > 0);
    size_t claimed = count_claimed(s);
    int64_t began_ns = clock_now_ns();
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    int64_t took_ms = ms_since(began_ns);
    ck_assert_uint_gt(proxy_stats(&l.proxy).swallowed[PROXY_REPLIES], 0);
    ck_assert(worker_process_said(&s->worker[0], "jobs of a lost reply were found"));
    struct oracle_figures f = oracle_check(&s->oracle, "claim reply swallowed", 0);
    matrix_report(&(struct matrix_entry){.row = 7,
                                         .fault = "the reply to a claim is swallowed",
                                         .bit = matrix_text("%zu jobs were in that claim", claimed),
                                         .figures = &f,
                                         .took = "found and run",
                                         .took_ms = took_ms});
    link_close(&l);
}
END_TEST

/* Row 7 for the blocking wait, which has no reply for a long time anyway. */
START_TEST(a_wait_whose_reply_is_swallowed_is_found)
{
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    proxy_trap(&l.proxy, "BLMOVE", PROXY_MUTE, 0);
    (void)stage_worker(s, 0, (struct role){.url = l.url, .socket_timeout_s = 1});
    wait_until(DRAIN_MS, proxy_stats(&l.proxy).trapped == 1);
    wait_until(DRAIN_MS, info(s, "clients", "blocked_clients") == 1);
    int64_t began_ns = clock_now_ns();
    ck_assert(oracle_push(&s->oracle, "default", ""));
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    int64_t took_ms = ms_since(began_ns);
    uint64_t swallowed = proxy_stats(&l.proxy).swallowed[PROXY_REPLIES];
    ck_assert_uint_gt(swallowed, 0);
    struct oracle_figures f = oracle_check(&s->oracle, "wait reply swallowed", 0);
    matrix_report(&(struct matrix_entry){
        .row = 7,
        .fault = "the reply to a blocking wait is swallowed",
        .bit = matrix_text("%llu bytes swallowed", (unsigned long long)swallowed),
        .figures = &f,
        .took = "found and run",
        .took_ms = took_ms});
    link_close(&l);
}
END_TEST

/* Row 7 for the renewal that finds the lease lapsed: the next one finds it alive, and must not take
 * that for what has been. */
START_TEST(a_lapse_whose_reply_is_swallowed_is_noticed)
{
    enum { LEASE = 4 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    struct worker_process *w =
        stage_worker(s, 0, (struct role){.url = l.url, .socket_timeout_s = 1, .lease_s = LEASE});
    ck_assert(oracle_push(&s->oracle, "default", "")); /* for that it has to know of its lease */
    wait_until(DRAIN_MS, stat_of(s, "stat:processed") == 1);
    for (int lane = 0; lane < PROXY_LANES; lane++)
        proxy_black_hole(&l.proxy, (enum proxy_lane)lane, true);
    wait_until(DRAIN_MS, must_int(s->redis, "EXISTS sluice:lease:%s", w->identity) == 0);
    proxy_trap(&l.proxy, "sluice:workers", PROXY_MUTE, 0); /* of scripts, only renew is due */
    for (int lane = 0; lane < PROXY_LANES; lane++)
        proxy_black_hole(&l.proxy, (enum proxy_lane)lane, false);
    wait_until(DRAIN_MS, proxy_stats(&l.proxy).trapped == 1);
    wait_until(DRAIN_MS, worker_process_said(w, "lease had lapsed"));
    ck_assert(oracle_push(&s->oracle, "default", ""));
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s->oracle, "reply to a lapse swallowed", 0);
    matrix_report(&(struct matrix_entry){
        .row = 7,
        .fault = "the reply to the renewal that finds the lease lapsed is swallowed",
        .bit = "it was trapped",
        .figures = &f,
        .result = "the lapse was noticed all the same"});
    link_close(&l);
}
END_TEST

/* Row 9: whatever is under way, cut after every number of bytes. Claims, acks, waits, renewals and
 * greetings all pass here. */
START_TEST(replies_cut_at_every_byte_harm_nothing)
{
    enum { CUTS = 60, JOBS = 6 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    srand(seed("cuts"));
    struct role role = {.url = l.url, .threads = 4, .socket_timeout_s = 1, .lease_s = 4};
    (void)stage_worker(s, 0, role);
    for (int k = 0; k < CUTS; k++) {
        proxy_cut(&l.proxy, PROXY_REPLIES, k);
        oracle_push_many(&s->oracle, "default", k % 2 ? "" : "\"sleep_ms\":2", JOBS);
        wait_until(DRAIN_MS, proxy_stats(&l.proxy).cuts > (uint64_t)k);
        if (k % 10 == 0)
            hold_ms(rand() % 20);
    }
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    ck_assert_uint_eq(proxy_stats(&l.proxy).cuts, CUTS);
    ck_assert(!worker_process_ended(&s->worker[0]));
    struct oracle_figures f = oracle_check(&s->oracle, "replies cut at every byte", 0);
    wait_until(DRAIN_MS, count_claimed(s) == 0);
    ck_assert_int_eq(stat_of(s, "stat:processed"), CUTS * JOBS);
    matrix_report(&(struct matrix_entry){.row = 9,
                                         .fault = "replies cut after 0, 1, … 59 bytes, under load",
                                         .bit = matrix_text("%d cuts", CUTS),
                                         .figures = &f,
                                         .result = "each job counted once"});
    link_close(&l);
}
END_TEST

/* Row 9 where it hurts most: the reply to a claim, with its payloads, cut at many places. */
START_TEST(a_claim_whose_reply_is_cut_is_found)
{
    enum { STEP = 89, LAST = 1200 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    (void)stage_worker(s, 0, (struct role){.url = l.url, .threads = 4, .lease_s = 4});
    int cuts = 0;
    for (int64_t k = 0; k < LAST; k += STEP, cuts++) {
        proxy_trap(&l.proxy, CLAIM_REQUEST, PROXY_CUT, k);
        oracle_push_many(&s->oracle, "default", "", 10);
        wait_until(DRAIN_MS, proxy_stats(&l.proxy).trapped > (uint64_t)cuts);
        ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    }
    uint64_t bit = proxy_stats(&l.proxy).cuts;
    ck_assert_uint_gt(bit, 0);
    struct oracle_figures f = oracle_check(&s->oracle, "claim replies cut", 0);
    matrix_report(&(struct matrix_entry){
        .row = 9,
        .fault = "replies to claims cut within their payloads",
        .bit = matrix_text("%llu of %d were cut", (unsigned long long)bit, cuts),
        .figures = &f});
    link_close(&l);
}
END_TEST

/* Row 10: the end is written, and the worker does not hear of it. */
START_TEST(an_end_whose_reply_is_lost_is_written_once)
{
    static const char *const ends[] = {"", "\"outcome\":\"fail\"", "\"outcome\":\"dead\""};
    enum { ENDS = 3, BYTES = 14 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    (void)stage_worker(s, 0, (struct role){.url = l.url, .threads = 4, .lease_s = 4});
    int jobs = 0;
    for (int i = 0; i < ENDS; i++)
        for (int64_t k = 0; k < BYTES; k++, jobs++) {
            proxy_trap(&l.proxy, "stat:processed", PROXY_CUT, k);
            ck_assert(oracle_push(&s->oracle, "default", ends[i]));
            wait_until(DRAIN_MS, proxy_stats(&l.proxy).trapped == (uint64_t)jobs + 1);
            /* The ends are written in order, so what is repeated comes before this one. */
            ck_assert(oracle_push(&s->oracle, "default", ""));
            wait_until(DRAIN_MS, stat_of(s, "stat:processed") >= 2 * (jobs + 1));
            ck_assert_int_eq(stat_of(s, "stat:processed"), 2 * (jobs + 1));
        }
    uint64_t cuts = proxy_stats(&l.proxy).cuts;
    ck_assert_uint_gt(cuts, (unsigned)jobs / 2);
    must_stop(&s->worker[0]);
    ck_assert_int_eq(must_int(s->redis, "ZCARD retry"), BYTES);
    ck_assert_int_eq(must_int(s->redis, "ZCARD dead"), BYTES);
    ck_assert_int_eq(stat_of(s, "stat:processed"), 2 * jobs);
    ck_assert_int_eq(stat_of(s, "stat:failed"), 2 * BYTES);
    struct oracle_figures f = oracle_check(&s->oracle, "replies to ends cut", 0);
    check_books_are_empty(s);
    matrix_report(&(struct matrix_entry){
        .row = 10,
        .fault = "replies to ends (done, retry, dead) cut after the script ran",
        .bit = matrix_text("%llu of %d were cut", (unsigned long long)cuts, jobs),
        .figures = &f,
        .result = "one entry each in retry and dead; counters exact"});
    stage_close(s);
    proxy_stop(&l.proxy);
}
END_TEST

/* Row 10, the figures: one ack of a claim is written without our knowledge; before it is repeated,
 * the rest of the claim has ended, so that the claim could be settled and counted whole. */
START_TEST(an_ack_whose_reply_is_lost_is_counted_once)
{
    enum { ROUNDS = SLOW > 1 ? 5 : 10, JOBS = 4 };
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    struct worker_process *w = stage_worker(s, 0, (struct role){.url = l.url, .threads = JOBS});
    for (int round = 1; round <= ROUNDS; round++) {
        worker_process_signal(w, SIGTSTP);
        wait_until(DRAIN_MS, worker_process_count(w, "quiet") == round);
        wait_until(DRAIN_MS, info(s, "clients", "blocked_clients") == 0);
        ck_assert(oracle_push(&s->oracle, "default", ""));
        oracle_push_many(&s->oracle, "default", "\"sleep_ms\":15", JOBS - 1);
        proxy_trap(&l.proxy, "stat:processed", PROXY_CUT, 0);
        worker_process_signal(w, SIGCONT);
        wait_until(DRAIN_MS, oracle_ended(&s->oracle) == (size_t)(round * JOBS));
        wait_until(DRAIN_MS, count_keys(s, "sluice:claim:*") == 0);
        ck_assert_uint_eq(proxy_stats(&l.proxy).trapped, (uint64_t)round);
        ck_assert_int_eq(stat_of(s, "stat:processed"), round * JOBS);
    }
    ck_assert_uint_eq(proxy_stats(&l.proxy).cuts, ROUNDS);
    struct oracle_figures f = oracle_check(&s->oracle, "replies to acks cut", 0);
    matrix_report(
        &(struct matrix_entry){.row = 10,
                               .fault = "replies to acks lost, their claim ends meanwhile",
                               .bit = matrix_text("%d cuts", ROUNDS),
                               .figures = &f,
                               .result = "counters exact"});
    link_close(&l);
}
END_TEST

/* Row 11. Killed ten times a second, everything that is connected, under load. */
START_TEST(killed_connections_repeat_nothing)
{
    enum { SECONDS = 5, PER_SECOND = 10 };
    struct stage s;
    stage_open(&s, NULL);
    for (int i = 0; i < 2; i++)
        (void)stage_worker(&s, i, (struct role){.threads = 10});
    struct redis_options to = server_options(&s.server);
    int64_t killed = 0;
    for (int i = 0; i < SECONDS * PER_SECOND; i++) {
        int64_t next_ns = clock_deadline_ms(1000 / PER_SECOND);
        while (clock_now_ns() < next_ns) {
            (void)oracle_push(&s.oracle, "default", "\"sleep_ms\":5");
            (void)oracle_push(&s.oracle, "default", "");
            hold_ms(5);
        }
        struct redis_conn *killer = must_open(&to);
        killed += must_int(killer, "CLIENT KILL TYPE normal");
        redis_conn_free(killer);
    }
    int64_t ended_ns = clock_now_ns();
    stage_reconnect(&s);
    wait_until(DRAIN_MS, oracle_push(&s.oracle, "default", "")); /* it was killed like the others */
    oracle_push_many(&s.oracle, "default", "", 1000);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    int64_t took_ms = ms_since(ended_ns), bound_ms = SLOW * 5000;
    ck_assert_int_gt(killed, SECONDS * PER_SECOND);
    ck_assert_int_le(took_ms, bound_ms);
    ck_assert(worker_process_said(&s.worker[0], "was lost"));
    struct oracle_figures f = oracle_check(&s.oracle, "connections killed 10/s", 0);
    wait_until(DRAIN_MS, count_claimed(&s) == 0);
    for (int i = 0; i < 2; i++)
        must_stop(&s.worker[i]);
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(
        &(struct matrix_entry){.row = 11,
                               .fault = "CLIENT KILL TYPE normal, 10 a second for 5 s",
                               .bit = matrix_text("%lld connections killed", (long long)killed),
                               .figures = &f,
                               .took = "1,000 jobs more done after the last",
                               .took_ms = took_ms,
                               .bound_ms = bound_ms});
}
END_TEST

/* Row 12. A link that is dead and looks alive: nothing comes, nothing breaks. */
START_TEST(a_silent_link_is_given_up)
{
    struct link_stage l;
    link_open(&l);
    struct stage *s = &l.s;
    (void)stage_worker(s, 0, (struct role){.url = l.url, .socket_timeout_s = 1});
    wait_until(DRAIN_MS, info(s, "clients", "blocked_clients") == 1);
    for (int lane = 0; lane < PROXY_LANES; lane++)
        proxy_black_hole(&l.proxy, (enum proxy_lane)lane, true);
    ck_assert(oracle_push(&s->oracle, "default", ""));
    hold_ms(2 * LEASE_S * 1000);
    for (int lane = 0; lane < PROXY_LANES; lane++)
        proxy_black_hole(&l.proxy, (enum proxy_lane)lane, false);
    int64_t ended_ns = clock_now_ns();
    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    int64_t took_ms = ms_since(ended_ns), bound_ms = SLOW * 10000;
    ck_assert_int_le(took_ms, bound_ms);
    uint64_t swallowed = proxy_stats(&l.proxy).swallowed[PROXY_REQUESTS];
    ck_assert_uint_gt(swallowed, 0);
    struct oracle_figures f = oracle_check(&s->oracle, "silent link", 0);
    matrix_report(&(struct matrix_entry){
        .row = 12,
        .fault = matrix_text("the link swallows everything for %d s", 2 * LEASE_S),
        .bit = matrix_text("%llu bytes swallowed", (unsigned long long)swallowed),
        .figures = &f,
        .took = "at work again",
        .took_ms = took_ms,
        .bound_ms = bound_ms});
    link_close(&l);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("link");
    stage_add(suite, a_claim_whose_reply_is_swallowed_is_found, 1);
    stage_add(suite, a_wait_whose_reply_is_swallowed_is_found, 1);
    stage_add(suite, a_lapse_whose_reply_is_swallowed_is_noticed, 1);
    stage_add(suite, replies_cut_at_every_byte_harm_nothing, 1);
    stage_add(suite, a_claim_whose_reply_is_cut_is_found, 1);
    stage_add(suite, an_end_whose_reply_is_lost_is_written_once, 1);
    stage_add(suite, an_ack_whose_reply_is_lost_is_counted_once, 1);
    stage_add(suite, killed_connections_repeat_nothing, 1);
    stage_add(suite, a_silent_link_is_given_up, 1);
    return suite;
}
