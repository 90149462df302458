/* Keys that somebody has set to another type: the jobs behind them wait, all others go on, nothing
 * is lost, and when the key is repaired what waited goes its way. */
#include "support/matrix.h"
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 4, queues: [broken, default], max_payload: 4096}\n"
    "handlers:\n" TEST_HANDLER;

#define GOOD "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}"
#define FAIL "{\"class\":\"test\",\"jid\":\"bad\",\"args\":[{\"outcome\":\"fail\"}]}"
#define DEAD "{\"class\":\"test\",\"jid\":\"bad\",\"args\":[{\"outcome\":\"dead\"}]}"

static void break_key(const char *key)
{
    must_do(redis, "SET %s text", key);
}

static void report(const char *key, const char *result)
{
    matrix_report(&(struct matrix_entry){.row = 22,
                                         .fault = matrix_text("%s holds a string", key),
                                         .bit = "the key was set by the test",
                                         .result = result});
}

static void repair_key(const char *key)
{
    ck_assert_int_eq(must_int(redis, "DEL %s", key), 1);
}

static void wait_ran(int n)
{
    wait_until(HANG_MS, times_in_file("ran", " end\n") == n);
}

/* A good job, pushed now, runs. */
static void check_alive(void)
{
    int before = times_in_file("ran", " end\n");
    push("default", GOOD);
    wait_ran(before + 1);
}

/* Jobs that lie in the worker's claims. */
static int64_t claimed(const char *payload)
{
    static const char script[] =
        "local n = 0 "
        "for _, seq in ipairs(redis.call('HKEYS', KEYS[1])) do "
        "for _, job in ipairs(redis.call('LRANGE', ARGV[1] .. seq, 0, -1)) "
        "do if job == ARGV[2] then n = n + 1 end end end return n";
    return must_int(redis, "EVAL %s 1 sluice:claims:%s sluice:claim:%s: %s", script,
                    worker.identity, worker.identity, payload);
}

START_TEST(queue_of_the_wrong_type_is_passed_over)
{
    break_key("queue:broken");
    start_worker(settings);
    check_alive();
    wait_said("a queue's key is no list");
    check_alive();
    repair_key("queue:broken");
    push("broken", GOOD);
    wait_ran(3);
    report("queue:broken", "other queues go on; its jobs run when it is repaired");
}
END_TEST

/* Every claim meets it; the log is not flooded. */
START_TEST(queue_of_the_wrong_type_is_named_now_and_then)
{
    enum { JOBS = 100 };
    int64_t began_ns = clock_now_ns();
    break_key("queue:broken");
    start_worker(settings);
    for (int i = 0; i < JOBS; i++)
        check_alive();
    int64_t seconds = (clock_now_ns() - began_ns) / NS_PER_S;
    ck_assert_int_le(worker_process_count(&worker, "a queue's key is no list"), 1 + seconds / 5);
}
END_TEST

START_TEST(queue_that_breaks_while_the_worker_waits_is_passed_over)
{
    start_worker(settings);
    check_alive(); /* idle from now on: it waits on both queues */
    break_key("queue:broken");
    check_alive();
    check_alive();
    repair_key("queue:broken");
    push("broken", GOOD);
    wait_ran(4);
}
END_TEST

/* Where a failing job should go, and what ends there. */
static const struct {
    const char *key, *job;
} ends[] = {{"retry", FAIL}, {"dead", DEAD}, {"dead", "not a job"}};

START_TEST(end_with_nowhere_to_go_waits_claimed)
{
    const char *key = ends[_i].key, *job = ends[_i].job;
    break_key(key);
    start_worker(settings);
    push("default", job);
    wait_said("a job stays claimed: the key it should go to holds another type");
    check_alive();
    ck_assert_int_eq(claimed(job), 1);
    ck_assert(answers_with(redis, "text", "GET %s", key));
    repair_key(key);
    wait_until(HANG_MS, must_int(redis, "ZCARD %s", key) == 1);
    wait_processed(2);
    ck_assert_int_eq(must_int(redis, "GET stat:failed"), 1);
    ck_assert_int_eq(claimed(job), 0);
    check_alive();
    report(key, "what should go there stays claimed until it is repaired; others run");
}
END_TEST

START_TEST(end_with_nowhere_to_go_survives_a_stop)
{
    const char *key = ends[_i].key, *job = ends[_i].job;
    break_key(key);
    start_worker(settings);
    push("default", job);
    wait_said("a job stays claimed: the key it should go to holds another type");
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert(answers_with(redis, job, "LINDEX queue:default -1"));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

START_TEST(oversize_job_waits_for_dead)
{
    char job[8192] = "{\"class\":\"test\",\"args\":[\"";
    size_t n = strlen(job);
    memset(job + n, 'x', sizeof job - n - 1);
    break_key("dead");
    push("broken", job);
    start_worker(settings);
    check_alive();
    check_alive();
    repair_key("dead");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:broken"), 0);
    check_alive();
}
END_TEST

/* Found on other ways than by a claim: it stays due, or in the claim that a wait has put it in. */
START_TEST(oversize_job_that_was_not_claimed_waits_for_dead)
{
    enum { LARGE = 2 << 20 }; /* more than a connection reads */
    struct buf job = {0};
    while (job.n < LARGE)
        buf_puts(&job, "0123456789abcdef");
    ck_assert_int_eq(buf_error(&job), 0);
    break_key("dead");
    start_worker(settings);
    check_alive();
    if (_i == 0) {
        must_do(redis, "ZADD schedule 1 %b", buf_str(&job), job.n);
        wait_said("due jobs cannot go to their queues");
        ck_assert_int_eq(must_int(redis, "ZCARD schedule"), 1);
    } else {
        must_push(redis, "queue:broken", buf_slice(&job));
        wait_said("claimed jobs of a lost reply stay where they are");
        ck_assert_int_eq(must_int(redis, "LLEN queue:broken"), 0);
    }
    check_alive();
    repair_key("dead");
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == 1);
    ck_assert_int_eq(must_int(redis, "EXISTS schedule"), 0);
    wait_said("a job larger than max_payload was moved to dead");
    check_alive();
    buf_release(&job);
}
END_TEST

/* Keys that no job needs to come to its end. */
static const char *const bystanders[] = {"processes", "queues", "paused", "stat:processed",
                                         "stat:failed"};

START_TEST(keys_of_figures_and_displays_stop_nobody)
{
    const char *key = bystanders[_i];
    break_key(key);
    start_worker(settings);
    check_alive();
    push("default", FAIL);
    wait_until(HANG_MS, must_int(redis, "ZCARD retry") == 1);
    push("broken", GOOD);
    wait_ran(2);
    ck_assert(answers_with(redis, "text", "GET %s", key));
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:lease:%s sluice:claims:%s", worker.identity,
                              worker.identity),
                     0);
    ck_assert_int_eq(must_int(redis, "SCARD sluice:workers"), 0);
    ck_assert_int_eq(worker_process_count(&worker, "could not give back"), 0);
    report(key, "nothing but the display suffers");
}
END_TEST

/* A paused queue whose `paused` is overwritten is no longer paused. */
START_TEST(paused_that_breaks_later_stops_nobody)
{
    must_do(redis, "SADD paused broken");
    start_worker(settings);
    push("broken", GOOD);
    check_alive();
    wait_until(HANG_MS, must_int(redis, "LLEN queue:broken") == 1);
    break_key("paused");
    wait_ran(2);
    check_alive();
}
END_TEST

START_TEST(one_broken_set_does_not_hold_up_the_other)
{
    static const char *const sets[] = {"schedule", "retry"};
    break_key(sets[_i]);
    must_do(redis, "ZADD %s 1 %s", sets[1 - _i], GOOD);
    start_worker(settings);
    wait_ran(1);
    repair_key(sets[_i]);
    must_do(redis, "ZADD %s 1 %s", sets[_i], GOOD);
    wait_ran(2);
    report(sets[_i], "what is due in the other set runs");
}
END_TEST

/* More due jobs than are moved at once have a queue that cannot take them. */
START_TEST(due_jobs_of_a_broken_queue_do_not_hold_up_others)
{
    enum { STUCK = 150 };
    break_key("queue:broken");
    for (int i = 0; i < STUCK; i++)
        must_do(redis, "ZADD schedule %d %s%d%s", i + 1, "{\"class\":\"test\",\"jid\":\"s", i,
                "\",\"queue\":\"broken\",\"args\":[{\"log\":\"ran\"}]}");
    must_do(redis, "ZADD schedule %d %s", STUCK + 1, GOOD);
    start_worker(settings);
    wait_ran(1);
    wait_said("due jobs cannot go to their queues");
    ck_assert_int_eq(must_int(redis, "ZCARD schedule"), STUCK);
    repair_key("queue:broken");
    wait_ran(STUCK + 1);
    ck_assert_int_eq(must_int(redis, "EXISTS schedule"), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and keys of the wrong type");
    TCase *tc = new_case(suite, "wrong types");
    tcase_add_test(tc, queue_of_the_wrong_type_is_passed_over);
    tcase_add_test(tc, queue_of_the_wrong_type_is_named_now_and_then);
    tcase_add_test(tc, queue_that_breaks_while_the_worker_waits_is_passed_over);
    tcase_add_loop_test(tc, end_with_nowhere_to_go_waits_claimed, 0, 3);
    tcase_add_loop_test(tc, end_with_nowhere_to_go_survives_a_stop, 0, 3);
    tcase_add_test(tc, oversize_job_waits_for_dead);
    tcase_add_loop_test(tc, oversize_job_that_was_not_claimed_waits_for_dead, 0, 2);
    tcase_add_loop_test(tc, keys_of_figures_and_displays_stop_nobody, 0, 5);
    tcase_add_test(tc, paused_that_breaks_later_stops_nobody);
    tcase_add_loop_test(tc, one_broken_set_does_not_hold_up_the_other, 0, 2);
    tcase_add_test(tc, due_jobs_of_a_broken_queue_do_not_hold_up_others);
    return suite;
}
