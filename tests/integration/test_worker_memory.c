/*
 * A bound on the memory of a run's processes together, by control groups, where those are
 * delegated; and of each by itself, where not. Each test holds on both kinds of machines, and says
 * which it was: "control group" in its output.
 */
#include "test_worker.h"

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER "  - {class: one, track: true, max_memory: 64, exec: [sh, -c, "
    "\"head -c 200M /dev/zero | tail -c 200M >/dev/null\"]}\n"
    "  - {class: two, track: true, max_memory: 64, exec: [sh, -c, \"f() { (head -c "
    "50M /dev/zero; "
    "sleep 2) | tail -c 50M >/dev/null; }; f & f; wait\"]}\n"
    "  - {class: little, track: true, max_memory: 64, exec: [sh, -c, \"head -c 5M /dev/zero | tail "
    "-c 5M >/dev/null\"]}\n"
    "  - {class: daemon, max_memory: 64, exec: [sh, -c, \"setsid sh -c 'echo $$ >daemon; exec "
    "sleep "
    "600' & until [ -s daemon ]; do sleep 0.01; done\"]}\n";

static bool grouped;

static void begin(void)
{
    start_worker(settings);
    wait_said("worker started");
    grouped = !worker_process_said(&worker, "max_memory bounds each process");
    printf("%s\n", grouped ? "control group" : "no control group");
}

static void run(const char *klass)
{
    char job[128];
    (void)snprintf(job, sizeof job, "{\"class\":\"%s\",\"jid\":\"%s\",\"retry\":0,\"args\":[]}",
                   klass, klass);
    push("default", job);
}

static bool is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

/* Its own allocations fail, or the kernel ends it: it does not get what it asks for. */
START_TEST(one_process_is_bounded)
{
    begin();
    run("one");
    wait_processed(1);
    ck_assert(is("one", "state", "dead"));
    struct reply *peak = must_call(redis, "HGET sluice:job:one peak_rss_kb");
    ck_assert_int_le(reply_int(peak), 70 * 1024);
    reply_free(peak);
}
END_TEST

START_TEST(the_sum_of_all_is_bounded_by_a_group)
{
    begin();
    run("two");
    run("little");
    wait_processed(2);
    ck_assert(is("little", "state", "completed"));
    ck_assert(is("two", "state", grouped ? "dead" : "completed"));
    if (grouped) {
        ck_assert(is("two", "error_class", "MemoryLimit"));
        ck_assert(is("two", "error", "used more than 64 MB of memory, killed by SIGKILL"));
    }
    ck_assert(!worker_process_ended(&worker));
}
END_TEST

static bool daemon_lives(void)
{
    char *text = worker_process_file(&worker, "daemon");
    pid_t pid = (pid_t)strtol(text, NULL, 10);
    free(text);
    return pid > 0 && kill(pid, 0) == 0;
}

/* One that has made itself a session of its own is out of reach without a group. */
START_TEST(a_group_leaves_no_daemon)
{
    begin();
    run("daemon");
    wait_processed(1);
    if (grouped) {
        wait_until(HANG_MS, !daemon_lives());
    } else {
        ck_assert(daemon_lives());
        char *text = worker_process_file(&worker, "daemon");
        (void)kill((pid_t)strtol(text, NULL, 10), SIGKILL);
        free(text);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker memory");
    TCase *tc = new_case(suite, "memory");
    tcase_add_test(tc, one_process_is_bounded);
    tcase_add_test(tc, the_sum_of_all_is_bounded_by_a_group);
    tcase_add_test(tc, a_group_leaves_no_daemon);
    return suite;
}
