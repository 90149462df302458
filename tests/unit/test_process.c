/* Warm processes: one job's conversation, and how it ends. */
#include "unit/fake_process.h"

#include <stdio.h>
#include <stdlib.h>

#include "handlers/process_slot.h"

#define EACH_JOB "while read -r job; do "

START_TEST(a_job_is_one_line_and_so_is_its_answer)
{
    struct fake_process x;
    fake_process_init(&x, EACH_JOB "printf '{\"event\":%s}\\n{\"event\":2}\\n' \"$job\"; "
                                   "echo '{\"done\":{\"n\": 1.10}}'; done");
    x.job.attempt = 3;
    fake_process_open(&x);
    fake_process_run(&x);
    assert_done(&x, "{\"n\": 1.10}");
    ck_assert_str_eq(buf_str(&x.run.events),
                     "{\"class\":\"test\",\"args\":[1],\"attempt\":3}\n2\n");
    fake_process_release(&x);
}
END_TEST

START_TEST(line_breaks_in_a_job_do_not_break_its_line)
{
    static const char payload[] = "{\n \"class\":\"test\",\r\n \"args\":[\n1]\n}\n";
    struct fake_process x;
    fake_process_init(&x, EACH_JOB "printf '{\"event\":%s}\\n{\"done\":0}\\n' \"$job\"; done");
    x.job.payload = slice_of(payload);
    fake_process_open(&x);
    fake_process_run(&x);
    assert_done(&x, "0");
    ck_assert_str_eq(buf_str(&x.run.events),
                     "{  \"class\":\"test\",\r  \"args\":[ 1] ,\"attempt\":1}\n");
    fake_process_release(&x);
}
END_TEST

START_TEST(one_process_serves_many_jobs)
{
    struct fake_process x;
    char result[16];
    fake_process_init(&x, "n=0; " EACH_JOB "n=$((n + 1)); echo '{\"done\":'$n'}'; done");
    fake_process_open(&x);
    for (int i = 1; i <= 20; i++) {
        (void)snprintf(result, sizeof result, "%d", i);
        fake_process_run(&x);
        assert_done(&x, result);
    }
    fake_process_release(&x);
}
END_TEST

START_TEST(a_large_job_arrives_whole)
{
    enum { N = 300000 };
    struct fake_process x;
    char *payload = malloc(N);
    ck_assert_ptr_nonnull(payload);
    memset(payload, 'j', N);
    payload[N - 1] = '}';
    fake_process_init(&x, EACH_JOB "echo '{\"done\":'${#job}'}'; done");
    x.job.payload = (struct slice){payload, N};
    fake_process_open(&x);
    fake_process_run(&x);
    assert_done(&x, "300012"); /* ,"attempt":1 */
    fake_process_release(&x);
    free(payload);
}
END_TEST

START_TEST(an_answer_may_come_in_pieces)
{
    struct fake_process x;
    fake_process(&x, EACH_JOB "printf '{\"ev'; sleep 0.05; printf 'ent\":1}\\n{\"do'; sleep 0.05; "
                              "printf 'ne\":7}'; sleep 0.05; echo; done");
    assert_done(&x, "7");
    ck_assert_str_eq(buf_str(&x.run.events), "1\n");
    fake_process_release(&x);
}
END_TEST

START_TEST(stderr_is_the_log)
{
    struct fake_process x;
    fake_process(&x, EACH_JOB "echo working >&2; echo '{\"error\":\"broken\"}'; done");
    assert_outcome(&x, OUTCOME_FAILED, "HandlerError", "broken");
    ck_assert_str_eq(buf_str(&x.run.log), "1 working\n");
    fake_process_release(&x);
}
END_TEST

/* What does not leave the process fit for another job. In each case the next job has a new one. */
static const struct {
    const char *script; /* for the first process; the second answers */
    enum outcome_kind kind;
    const char *error_class, *message;
    int timeout_ms;
    double silence_s;
} ends[] = {
    {"echo hello; sleep 60", OUTCOME_FAILED, "ProtocolError",
     "a line on stdout is none of {\"event\":…}, {\"done\":…} and {\"error\":…}: \"hello\"", 0, 0},
    {"echo '{\"event\":1}'; echo why >&2; sleep 0.1; echo '{\"event\"}'; sleep 60", OUTCOME_FAILED,
     "ProtocolError",
     "a line on stdout is none of {\"event\":…}, {\"done\":…} and {\"error\":…}: "
     "\"{\\\"event\\\"}\": why",
     0, 0},
    {"head -c 3000000 /dev/zero | tr '\\0' a; sleep 60", OUTCOME_FAILED, "ProtocolError",
     "a line on stdout is longer than 1 MiB", 0, 0},
    {"ulimit -c 0; echo last words >&2; kill -SEGV $$", OUTCOME_FAILED, "Signal",
     "the process ended without an answer: killed by SIGSEGV: last words", 0, 0},
    {"echo '{\"event\":1}'; printf '{\"done\":'; exit 3", OUTCOME_FAILED, "ExitStatus",
     "the process ended without an answer: exit status 3", 0, 0},
    {"exit 0", OUTCOME_FAILED, "ExitStatus", "the process ended without an answer: exit status 0",
     0, 0},
    {"exit 100", OUTCOME_FAILED, "ExitStatus",
     "the process ended without an answer: exit status 100", 0, 0},
    {"exec >&-; exec sleep 60", OUTCOME_FAILED, "ProtocolError",
     "it closed its stdout without an answer", 0, 0},
    {"setsid sleep 60 & exit 4", OUTCOME_FAILED, "ExitStatus",
     "the process ended without an answer: exit status 4", 0, 0},
    {"echo busy >&2; exec sleep 60", OUTCOME_FAILED, "Timeout", "ran longer than 0.3 s: busy", 300,
     0},
    {"trap 'echo \"{\\\"done\\\":1}\"; exec cat' TERM; while :; do :; done", OUTCOME_FAILED,
     "Timeout", "ran longer than 0.3 s", 300, 0},
    {"echo '{\"event\":1}'; exec sleep 60", OUTCOME_FAILED, "SilenceTimeout", "no output for 0.3 s",
     0, 0.3},
    {"echo '{\"done\":\"first\"}'; exit 9", OUTCOME_DONE, "", "", 0, 0},
    {"printf '{\"done\":\"first\"}\\n{\"done\":2}\\n'; sleep 60", OUTCOME_DONE, "", "", 0, 0},
    {"printf '{\"done\":\"first\"}\\nand'; sleep 60", OUTCOME_DONE, "", "", 0, 0},
};
enum { ENDS = sizeof ends / sizeof *ends };

START_TEST(what_ends_a_process_costs_its_own_job_only)
{
    struct fake_process x;
    char dir[] = "/tmp/sluice-process-XXXXXX";
    char script[1024], first[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(script, sizeof script,
                   "if mkdir first 2>&-; then read -r job; %s; else " EACH_JOB
                   "echo '{\"done\":\"next\"}'; done; fi",
                   ends[_i].script);
    fake_process_init(&x, script);
    x.conf.workdir = dir;
    x.conf.silence_timeout_s = ends[_i].silence_s;
    x.job.timeout_ms = ends[_i].timeout_ms;
    fake_process_open(&x);
    fake_process_handler(&x)->limits.grace_ms = 500;
    /* It is started in advance; the time of the job must not be over before it is the first. */
    (void)snprintf(first, sizeof first, "%s/first", dir);
    wait_until(FOREVER_MS, access(first, F_OK) == 0);
    fake_process_run(&x);
    assert_outcome(&x, ends[_i].kind, ends[_i].error_class, ends[_i].message);
    if (ends[_i].kind == OUTCOME_DONE)
        ck_assert_str_eq(buf_str(&x.out.result), "\"first\"");
    ck_assert_int_lt(x.ms, FOREVER_MS);
    x.job.timeout_ms = 0;
    x.job.deadline_ns = CLOCK_NEVER;
    fake_process_handler(&x)->limits.silence_ms = 0;
    fake_process_run(&x);
    assert_done(&x, "\"next\"");
    fake_process_release(&x);
    ck_assert_int_eq(rmdir(first), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(what_is_said_without_a_job_harms_no_job)
{
    struct fake_process x;
    char dir[] = "/tmp/sluice-test-late-XXXXXX", script[256], said[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(script, sizeof script,
                   EACH_JOB "echo '{\"done\":'$$'}'; echo '{\"done\":\"late\"}'; mkdir %s/$$; done",
                   dir);
    fake_process_init(&x, script);
    fake_process_open(&x);
    char *before = NULL;
    for (int i = 0; i < 10; i++) {
        fake_process_run(&x);
        ck_assert_str_eq(x.out.error_class, "");
        const char *pid = buf_str(&x.out.result);
        ck_assert(strtol(pid, NULL, 10) > 1);
        ck_assert(!before || strcmp(before, pid) != 0);
        free(before);
        before = strdup(pid);
        /* The late answer lies in the pipe, or came with the first, which was the end of it. */
        (void)snprintf(said, sizeof said, "%s/%s", dir, pid);
        wait_until(FOREVER_MS, access(said, F_OK) == 0 || kill((pid_t)atol(pid), 0) != 0);
        (void)rmdir(said); /* if it is there */
    }
    free(before);
    fake_process_release(&x);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static void *stop_when_begun(void *arg)
{
    struct fake_process *x = arg;
    wait_until(FOREVER_MS, atomic_load(&x->run.nevents) > 0);
    fake_run_stop(&x->run, (enum run_stop)x->job.attempt); /* the test's way to say which */
    return NULL;
}

static const struct {
    enum run_stop why;
    const char *error_class;
    bool deaf;
} stops[] = {
    {RUN_CANCELLED, "Cancelled", false},
    {RUN_SHUTDOWN, "Shutdown", false},
    {RUN_LOST, "Lost", true},
};

START_TEST(a_stop_ends_the_process)
{
    struct fake_process x;
    struct thread t;
    fake_process_init(&x, EACH_JOB "echo '{\"event\":1}'; exec sleep 60; done");
    x.job.attempt = stops[_i].why;
    x.run.deaf = stops[_i].deaf;
    fake_process_open(&x);
    ck_assert_int_eq(thread_start(&t, "stopper", stop_when_begun, &x), 0);
    fake_process_run(&x);
    thread_join(&t);
    ck_assert_str_eq(x.out.error_class, stops[_i].error_class);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    /* That says nothing about the process: its slot need not wait for the next. */
    ck_assert_uint_eq(fake_process_handler(&x)->pool->slots[0].backoff.failures, 0);
    fake_process_release(&x);
}
END_TEST

START_TEST(the_environment_is_the_handlers)
{
    ck_assert_int_eq(setenv("REDIS_PASSWORD", "secret", 1), 0);
    ck_assert_int_eq(setenv("SLUICE_JID", "of another", 1), 0);
    struct conf_env own = {(char *)"MINE", (char *)"yes"};
    struct fake_process x;
    fake_process_init(&x, EACH_JOB "echo '{\"done\":\"'$MINE$REDIS_PASSWORD$SLUICE_JID'\"}'; done");
    x.conf.env = &own;
    x.conf.nenv = 1;
    fake_process_open(&x);
    fake_process_run(&x);
    assert_done(&x, "\"yes\"");
    fake_process_release(&x);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("process");
    TCase *tc = tcase_create("conversation");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_job_is_one_line_and_so_is_its_answer);
    tcase_add_test(tc, line_breaks_in_a_job_do_not_break_its_line);
    tcase_add_test(tc, one_process_serves_many_jobs);
    tcase_add_test(tc, a_large_job_arrives_whole);
    tcase_add_test(tc, an_answer_may_come_in_pieces);
    tcase_add_test(tc, stderr_is_the_log);
    tcase_add_test(tc, the_environment_is_the_handlers);
    suite_add_tcase(s, tc);
    tc = tcase_create("ends");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, what_ends_a_process_costs_its_own_job_only, 0, ENDS);
    tcase_add_test(tc, what_is_said_without_a_job_harms_no_job);
    tcase_add_loop_test(tc, a_stop_ends_the_process, 0, sizeof stops / sizeof *stops);
    suite_add_tcase(s, tc);
    return s;
}
