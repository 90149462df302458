/* The life of a worker: quiet and resume, stop, state dumps, what the dashboard sees of it and may
 * tell it. */
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 7, queues: [default, other], shutdown_timeout: 1}\n"
    "handlers:\n" TEST_HANDLER;
static const char witness_settings[] = "worker: {threads: 1, queues: [witness]}\n"
                                       "handlers:\n" TEST_HANDLER;

#define LOGGED(jid, more)                                                                          \
    "{\"class\":\"test\",\"jid\":\"" jid "\",\"args\":[{\"log\":\"ran\"" more "}]}"
#define LONG ",\"sleep_ms\":600000"

static bool ran(const char *jid, const char *what)
{
    char text[64];
    bool yes = false;
    char *whole = worker_process_file(&worker, "ran");
    (void)snprintf(text, sizeof text, "%s ", jid);
    for (char *line = strtok(whole, "\n"); line; line = strtok(NULL, "\n"))
        yes = yes || (strncmp(line, text, strlen(text)) == 0 && strstr(line, what));
    free(whole);
    return yes;
}

static bool shows(const char *field, const char *value)
{
    return answers_with(redis, value, "HGET %s %s", worker.identity, field);
}

/* Another worker claims and runs a job that was pushed now: what our worker does not do by then
 * it does not do. */
static void let_another_work(void)
{
    struct worker_process other = {0};
    worker_process_start(&other, &server, &(struct worker_options){.settings = witness_settings});
    for (int i = 1; i <= 3; i++) {
        int64_t before = must_int(redis, "GET stat:processed");
        push("witness", "{\"class\":\"test\",\"args\":[{\"sleep_ms\":100}]}");
        wait_until(HANG_MS, must_int(redis, "GET stat:processed") == before + 1);
    }
    ck_assert_int_eq(worker_process_stop(&other), 0);
    worker_process_free(&other);
}

START_TEST(quiet_worker_takes_nothing_until_resumed)
{
    start_worker(settings);
    push("default", LOGGED("before", ""));
    wait_until(HANG_MS, ran("before", "end"));
    worker_process_signal(&worker, SIGTSTP);
    wait_said("quiet: no new jobs are taken");
    wait_until(HANG_MS, shows("quiet", "true"));
    push("default", LOGGED("held", ""));
    let_another_work();
    ck_assert(!ran("held", "start"));
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 1);
    worker_process_signal(&worker, SIGCONT);
    wait_until(HANG_MS, ran("held", "end"));
    wait_until(HANG_MS, shows("quiet", "false"));
}
END_TEST

START_TEST(quiet_worker_ends_what_runs)
{
    start_worker(settings);
    push("default", LOGGED("long", ",\"sleep_ms\":300"));
    wait_until(HANG_MS, ran("long", "start"));
    worker_process_signal(&worker, SIGTSTP);
    wait_until(HANG_MS, ran("long", "end"));
    wait_processed(1);
}
END_TEST

START_TEST(state_is_dumped)
{
    start_worker(settings);
    push("default", LOGGED("long", LONG));
    wait_until(HANG_MS, ran("long", "start"));
    worker_process_signal(&worker, SIGUSR1);
    wait_said("msg=\"state: gate\" permits=100 ");
    wait_said("msg=\"state: connections\" limit=120 ");
    wait_said("msg=\"state: dispatch\" threads=7 running=1 ");
    wait_said("msg=\"state: jobs\"");
    wait_said("lease=held");
    wait_said("msg=\"state: running\" thread=");
    wait_said(" jid=long class=test queue=default ");
}
END_TEST

static void check_gone(void)
{
    const char *id = worker.identity;
    ck_assert_int_eq(must_int(redis, "SISMEMBER processes %s", id), 0);
    ck_assert_int_eq(must_int(redis, "SISMEMBER sluice:workers %s", id), 0);
    ck_assert_int_eq(must_int(redis,
                              "EXISTS %s %s:work %s:workers sluice:lease:%s sluice:claims:%s", id,
                              id, id, id, id),
                     0);
    struct reply *claims = must_call(redis, "KEYS sluice:claim:*");
    ck_assert_uint_eq(reply_count(claims), 0);
    reply_free(claims);
}

START_TEST(stop_lets_jobs_end)
{
    int number = _i == 0 ? SIGTERM : SIGINT;
    start_worker(settings);
    push("default", LOGGED("long", ",\"sleep_ms\":300"));
    wait_until(HANG_MS, ran("long", "start"));
    worker_process_signal(&worker, number);
    wait_said("stopping: waiting for running jobs");
    push("other", LOGGED("late", ""));
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    ck_assert(ran("long", "end"));
    ck_assert(!ran("late", "start"));
    ck_assert_int_eq(must_int(redis, "LLEN queue:other"), 1);
    wait_processed(1);
    check_gone();
}
END_TEST

START_TEST(stop_gives_back_what_does_not_end)
{
    start_worker(settings);
    push("default", LOGGED("waits", LONG));
    wait_until(HANG_MS, ran("waits", "start"));
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert(ran("waits", "stop"));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    ck_assert(answers_with(redis, LOGGED("waits", LONG), "LINDEX queue:default -1"));
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead stat:processed stat:failed"), 0);
    check_gone();
}
END_TEST

START_TEST(idle_worker_stops_cleanly)
{
    start_worker(settings);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    check_gone();
}
END_TEST

static void check_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "%s does not have %s", text, part);
}

/* Field by field what Sidekiq's dashboard needs (a missing one crashes a page of it). */
START_TEST(dashboard_sees_the_worker_at_work)
{
    const char *id = worker.identity;
    char part[512];
    start_worker(settings);
    push("default", LOGGED("long", LONG));
    wait_until(HANG_MS, must_int(redis, "HLEN %s:work", id) == 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER processes %s", id), 1);
    ck_assert(shows("busy", "1"));
    ck_assert(shows("quiet", "false"));
    ck_assert(shows("concurrency", "7"));
    ck_assert_int_gt(must_int(redis, "HGET %s rss", id), 0);
    ck_assert_int_eq(must_int(redis, "HEXISTS %s rtt_us", id), 1);
    char *beat = must_text(redis, "HGET %s beat", id);
    check_has(beat, ".");
    free(beat);
    ck_assert_int_gt(must_int(redis, "TTL %s", id), 0);
    ck_assert_int_le(must_int(redis, "TTL %s", id), 60);

    char *info = must_text(redis, "HGET %s info", id);
    (void)snprintf(part, sizeof part, "{\"identity\":\"%s\",\"hostname\":\"", id);
    check_has(info, part);
    (void)snprintf(part, sizeof part, "\"pid\":%d,\"started_at\":1", (int)worker.pid);
    check_has(info, part);
    check_has(info, "\"tag\":\"\"");
    check_has(info, "\"concurrency\":7");
    check_has(info, "\"queues\":[\"default\",\"other\"]");
    check_has(info, "\"labels\":[\"sluice\"]");
    check_has(info, "\"version\":\"sluice ");
    check_has(info, "\"weights\":[{\"default\":0,\"other\":0}]");
    check_has(info, "\"capsules\":{\"default\":{\"concurrency\":7,\"mode\":\"strict\","
                    "\"weights\":{\"default\":0,\"other\":0}}}");
    check_has(info, "\"embedded\":false}");
    free(info);

    struct reply *work = must_call(redis, "HVALS %s:work", id);
    struct slice run = reply_str(reply_at(work, 0));
    char *text = strndup(run.p, run.n);
    check_has(text, "{\"queue\":\"default\",\"payload\":\"{\\\"class\\\":\\\"test\\\","
                    "\\\"jid\\\":\\\"long\\\"");
    char *run_at = strstr(text, "\"run_at\":");
    ck_assert_ptr_nonnull(run_at);
    char *end;
    ck_assert_int_gt(strtol(run_at + strlen("\"run_at\":"), &end, 10), 1600000000);
    ck_assert_int_eq(*end, '}'); /* an integer */
    free(text);
    reply_free(work);
    ck_assert_int_gt(must_int(redis, "TTL %s:work", id), 0);
    ck_assert_int_eq(must_int(redis, "HLEN %s:workers", id), 1); /* for Sidekiq up to 6.4.1 */
    ck_assert_int_gt(must_int(redis, "TTL %s:workers", id), 0);

    ck_assert_int_eq(worker_process_stop(&worker), 0);
    check_gone();
}
END_TEST

static bool has_time_to_live(void)
{
    int64_t left_s = must_int(redis, "TTL %s", worker.identity);
    return left_s > 50 && left_s <= 60;
}

/* What an idle worker repeats is less than the whole, unless the whole is gone. */
START_TEST(deleted_report_is_written_again)
{
    const char *id = worker.identity;
    start_worker(settings);
    wait_until(HANG_MS, must_int(redis, "HEXISTS %s info", id) == 1);
    must_do(redis, "EXPIRE %s 30", id);
    worker_process_signal(&worker, SIGTSTP);
    wait_until(HANG_MS, shows("quiet", "true"));
    ck_assert(has_time_to_live());
    must_do(redis, "DEL %s processes", id);
    worker_process_signal(&worker, SIGCONT);
    wait_until(HANG_MS, shows("quiet", "false"));
    ck_assert(has_time_to_live());
    ck_assert_int_eq(must_int(redis, "HEXISTS %s info", id), 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER processes %s", id), 1);
}
END_TEST

START_TEST(dashboard_may_quiet_and_stop)
{
    start_worker(settings);
    must_do(redis, "LPUSH %s-signals NONSENSE", worker.identity);
    must_do(redis, "LPUSH %s-signals TSTP", worker.identity);
    wait_said("quiet: no new jobs are taken");
    wait_until(HANG_MS, shows("quiet", "true"));
    must_do(redis, "LPUSH %s-signals TTIN", worker.identity);
    wait_said("msg=\"state: gate\"");
    must_do(redis, "LPUSH %s-signals TERM", worker.identity);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    check_gone();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker lifecycle");
    TCase *tc = new_case(suite, "lifecycle");
    tcase_add_test(tc, quiet_worker_takes_nothing_until_resumed);
    tcase_add_test(tc, quiet_worker_ends_what_runs);
    tcase_add_test(tc, state_is_dumped);
    tcase_add_loop_test(tc, stop_lets_jobs_end, 0, 2);
    tcase_add_test(tc, stop_gives_back_what_does_not_end);
    tcase_add_test(tc, idle_worker_stops_cleanly);
    tcase_add_test(tc, dashboard_sees_the_worker_at_work);
    tcase_add_test(tc, deleted_report_is_written_again);
    tcase_add_test(tc, dashboard_may_quiet_and_stop);
    return suite;
}
