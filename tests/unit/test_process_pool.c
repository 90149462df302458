/* Warm processes: their pool. Starts, replacements, limits, waits, and its end. */
#include "support/proc.h"
#include "unit/fake_process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define EACH_JOB "while read -r job; do "
#define SAY_PID  EACH_JOB "echo '{\"done\":'$$'}'; done"

static long answer_pid(struct fake_process *x)
{
    fake_process_run(x);
    ck_assert_str_eq(buf_str(&x->out.message), "");
    long pid = strtol(buf_str(&x->out.result), NULL, 10);
    ck_assert_int_gt(pid, 1);
    return pid;
}

static bool is_gone(long pid)
{
    return kill((pid_t)pid, 0) < 0;
}

START_TEST(processes_are_started_before_jobs_come)
{
    struct fake_process x;
    fake_process_init(&x, SAY_PID);
    x.conf.processes = 5;
    fake_process_open(&x);
    wait_until(FOREVER_MS, process_count(PROCESS_IDLE) == 5);
    fake_process_release(&x);
}
END_TEST

START_TEST(without_a_number_there_is_one_per_processor)
{
    struct fake_process x;
    fake_process_init(&x, SAY_PID);
    x.conf.processes = 0;
    fake_process_open(&x);
    wait_until(FOREVER_MS, process_count(PROCESS_IDLE) == sysconf(_SC_NPROCESSORS_ONLN));
    fake_process_release(&x);
}
END_TEST

START_TEST(checking_settings_starts_nothing)
{
    struct fake_process x;
    fake_process_init(&x, SAY_PID);
    ck_assert_int_eq(process_kind.open(&x.conf, &x.handler, NULL), 0);
    ck_assert_int_eq(child_count(), 0);
    fake_process_release(&x);
    x.argv[0] = (char *)"./no-such";
    struct err err = {""};
    ck_assert_int_eq(process_kind.open(&x.conf, &x.handler, &err), -EINVAL);
    ck_assert_str_eq(err.text, "process: ./no-such: No such file or directory");
}
END_TEST

START_TEST(the_process_used_last_is_used_next)
{
    struct fake_process x;
    fake_process_init(&x, SAY_PID);
    x.conf.processes = 4;
    fake_process_open(&x);
    wait_until(FOREVER_MS, process_count(PROCESS_IDLE) == 4);
    long pid = answer_pid(&x);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(answer_pid(&x), pid);
    fake_process_release(&x);
}
END_TEST

START_TEST(after_max_jobs_a_process_is_replaced)
{
    struct fake_process x;
    long pids[9];
    fake_process_init(&x, SAY_PID);
    x.conf.max_jobs = 3;
    fake_process_open(&x);
    for (int i = 0; i < 9; i++)
        pids[i] = answer_pid(&x);
    for (int i = 1; i < 9; i++)
        ck_assert_msg((pids[i] == pids[i - 1]) == (i % 3 != 0), "job %d", i);
    fake_process_release(&x);
}
END_TEST

START_TEST(above_max_rss_a_process_is_replaced)
{
    struct fake_process x;
    fake_process_init(&x, "n=0; " EACH_JOB "n=$((n + 1)); [ $n -lt 3 ] || "
                          "fat=$(head -c 30000000 /dev/zero | tr '\\0' x); "
                          "echo '{\"done\":'$$'}'; done");
    x.conf.max_rss_mb = 16;
    fake_process_open(&x);
    long pid = answer_pid(&x);
    ck_assert_int_eq(answer_pid(&x), pid);
    ck_assert_int_eq(answer_pid(&x), pid); /* it is fat now */
    ck_assert_int_ne(answer_pid(&x), pid);
    ck_assert(is_gone(pid));
    fake_process_release(&x);
}
END_TEST

START_TEST(one_that_dies_idle_is_replaced)
{
    struct fake_process x;
    fake_process_init(&x, SAY_PID);
    fake_process_open(&x);
    for (int i = 0; i < 5; i++) {
        long pid = answer_pid(&x);
        ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
        wait_until(FOREVER_MS, is_gone(pid)); /* reaped without a job */
        ck_assert_int_ne(answer_pid(&x), pid);
    }
    fake_process_release(&x);
}
END_TEST

/* The end comes while its run still looks at it, or when it is idle already. */
START_TEST(one_may_leave_after_each_job)
{
    struct fake_process x;
    fake_process_init(&x, "read -r job; echo '{\"done\":'$$'}'");
    fake_process_open(&x);
    for (int i = 0; i < 40; i++) {
        long pid = answer_pid(&x);
        if (i % 4 == 0)
            wait_until(FOREVER_MS, is_gone(pid));
    }
    fake_process_release(&x);
}
END_TEST

/* ---- starts that fail ---- */

START_TEST(a_job_that_was_never_read_is_not_to_blame)
{
    struct fake_process x;
    char dir[] = "/tmp/sluice-process-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    fake_process_init(&x, "for i in 1 2 3; do mkdir $i 2>&- && exit 7; done; " SAY_PID);
    x.conf.workdir = dir;
    fake_process_open(&x);
    ck_assert_int_gt(answer_pid(&x), 1);
    fake_process_release(&x);
    for (int i = 1; i <= 3; i++) {
        (void)snprintf(path, sizeof path, "%s/%d", dir, i);
        ck_assert_int_eq(rmdir(path), 0); /* it has failed three times */
    }
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static const struct {
    const char *program, *script, *cause;
} broken[] = {
    {"sh", "echo no module named handlers >&2; exit 7", "exit status 7: no module named handlers"},
    {"sh", "ulimit -c 0; kill -ABRT $$", "killed by SIGABRT"},
    {"sluice-no-such-program", "",
     "cannot start sluice-no-such-program: No such file or directory"},
    {"sh", "echo banner; exec sleep 60", NULL}, /* before or after a job is sent */
    {"sh", "sleep 0.05; echo '{\"done\":\"banner\"}'; exec sleep 60", NULL},
};

START_TEST(when_none_can_be_started_jobs_fail_with_the_cause)
{
    struct fake_process x;
    char message[200];
    fake_process_init(&x, broken[_i].script);
    x.argv[0] = (char *)broken[_i].program;
    x.conf.processes = 2;
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->patience_ms = 300;
    fake_process_run(&x);
    if (broken[_i].cause) {
        (void)snprintf(message, sizeof message, "no process could be started for 0.3 s: %s",
                       broken[_i].cause);
        assert_outcome(&x, OUTCOME_FAILED, "ProcessUnavailable", message);
        ck_assert_int_ge(x.ms, 300);
    } else {
        ck_assert_str_eq(x.out.error_class, "ProcessUnavailable");
        const char *said = buf_str(&x.out.message);
        ck_assert_msg(strstr(said, "banner") || strstr(said, "before it had read its job"), "%s",
                      said);
    }
    fake_process_release(&x);
}
END_TEST

enum { PATIENCE_MS = 100, SCARCE_MS = 5 * PATIENCE_MS };

static void *relieve_after_a_while(void *arg)
{
    (void)usleep(SCARCE_MS * 1000); /* longer than a job would wait for a handler at fault */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, arg), 0);
    return NULL;
}

/* Four are free when its predecessor has gone, and a start needs six and one. */
START_TEST(a_job_waits_for_as_long_as_descriptors_are_scarce)
{
    struct fake_process x;
    struct thread t;
    struct rlimit before, none;
    fake_process_init(&x, SAY_PID);
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->patience_ms = PATIENCE_MS;
    long pid = answer_pid(&x);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){(rlim_t)proc_free_descriptor(getpid()), before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
    wait_until(FOREVER_MS, is_gone(pid));
    ck_assert_int_eq(thread_start(&t, "relief", relieve_after_a_while, &before), 0);
    ck_assert_int_ne(answer_pid(&x), pid);
    thread_join(&t);
    ck_assert_int_gt(x.ms, PATIENCE_MS);
    fake_process_release(&x);
}
END_TEST

START_TEST(a_start_heals_when_its_script_is_mended)
{
    struct fake_process x;
    char path[] = "/tmp/sluice-process-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    fake_process_init(&x, "");
    x.argv[1] = path;
    x.argv[2] = NULL;
    ck_assert_int_gt(dprintf(fd, "exit 7\n"), 0);
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->patience_ms = 300;
    fake_process_run(&x);
    ck_assert_str_eq(x.out.error_class, "ProcessUnavailable");
    ck_assert_int_eq(ftruncate(fd, 0), 0);
    ck_assert_int_gt(pwrite(fd, SAY_PID "\n", sizeof SAY_PID, 0), 0);
    process_pool_times(fake_process_handler(&x)->pool)->patience_ms = 30000;
    ck_assert_int_gt(answer_pid(&x), 1);
    ck_assert_int_gt(answer_pid(&x), 1);
    fake_process_release(&x);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

/* ---- many at once ---- */

enum { THREADS = 24, JOBS = 200 };

static void *run_many(void *arg)
{
    struct fake_process *shared = arg;
    for (int i = 0; i < JOBS; i++) {
        struct outcome out = {0};
        process_kind.run(shared->handler, &shared->job, &shared->run, &fake_ops, &out);
        ck_assert_msg(out.kind == OUTCOME_DONE, "%s", buf_str(&out.message));
        outcome_release(&out);
    }
    return NULL;
}

static const char *const habits[] = {
    SAY_PID,
    EACH_JOB "echo '{\"event\":1}'; echo busy >&2; echo '{\"done\":1}'; echo idle >&2; done",
    "for i in 1 2 3 4 5 6 7 8 9 10; do read -r job && echo '{\"done\":1}'; done",
};

START_TEST(many_threads_share_few_processes)
{
    struct fake_process x;
    struct thread threads[THREADS];
    fake_process_init(&x, habits[_i]);
    x.conf.processes = 3;
    int before = proc_descriptors(getpid());
    fake_process_open(&x);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "crowd", run_many, &x), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    process_kind.close(x.handler);
    ck_assert_int_eq(proc_descriptors(getpid()), before);
    ck_assert_int_eq(process_kind.open(&x.conf, &x.handler, NULL), 0);
    fake_process_release(&x);
}
END_TEST

static void *run_one(void *arg)
{
    fake_process_run(arg);
    return NULL;
}

/* A second job finds the only process busy: it may be stopped, and its time has not begun. */
START_TEST(a_wait_for_a_process_can_be_stopped)
{
    struct fake_process x, second;
    struct thread first, waiting;
    fake_process_init(&x, EACH_JOB "echo '{\"event\":1}'; read -r go <go; "
                                   "echo '{\"done\":1}'; done");
    char dir[] = "/tmp/sluice-process-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/go", dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    x.conf.workdir = dir;
    fake_process_open(&x);
    second = x;
    fake_run_init(&second.run);
    second.job.timeout_ms = 1;
    ck_assert_int_eq(thread_start(&first, "first", run_one, &x), 0);
    wait_until(FOREVER_MS, atomic_load(&x.run.nevents) == 1);
    ck_assert_int_eq(thread_start(&waiting, "second", run_one, &second), 0);
    (void)usleep(150000);
    fake_run_stop(&second.run, RUN_SHUTDOWN);
    thread_join(&waiting);
    ck_assert_str_eq(second.out.error_class, "Shutdown");
    ck_assert_int_eq(second.run.nevents, 0);
    fake_run_release(&second.run);
    outcome_release(&second.out);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "\n", 1), 1);
    ck_assert_int_eq(close(fd), 0);
    thread_join(&first);
    assert_done(&x, "1");
    fake_process_release(&x);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(one_that_ignores_the_end_of_stdin_is_killed)
{
    struct fake_process x;
    fake_process_init(&x, "trap '' TERM; read -r job; echo '{\"done\":1}'; "
                          "while :; do sleep 0.05; done");
    x.conf.processes = 2;
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->retire_ms = 100;
    fake_process_run(&x);
    assert_done(&x, "1");
    fake_process_release(&x);
}
END_TEST

/* What it says does not make the keeper forget when it is to be killed. */
START_TEST(one_that_has_last_words_and_stays_is_killed)
{
    struct fake_process x;
    fake_process_init(&x, "read -r job; echo '{\"done\":1}'; read -r end; echo bye >&2; "
                          "exec sleep 10000");
    x.conf.processes = 1;
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->retire_ms = 300;
    fake_process_run(&x);
    assert_done(&x, "1");
    fake_process_release(&x);
}
END_TEST

START_TEST(one_that_chatters_without_end_holds_up_nobody)
{
    struct fake_process x;
    fake_process_init(&x, "yes >&2 & " SAY_PID);
    x.conf.processes = 2;
    fake_process_open(&x);
    process_pool_times(fake_process_handler(&x)->pool)->retire_ms = 100;
    for (int i = 0; i < 3; i++) {
        long pid = answer_pid(&x);
        ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
        wait_until(FOREVER_MS, is_gone(pid));
    }
    fake_process_release(&x);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("process_pool");
    TCase *tc = tcase_create("life");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, processes_are_started_before_jobs_come);
    tcase_add_test(tc, without_a_number_there_is_one_per_processor);
    tcase_add_test(tc, checking_settings_starts_nothing);
    tcase_add_test(tc, the_process_used_last_is_used_next);
    tcase_add_test(tc, after_max_jobs_a_process_is_replaced);
    tcase_add_test(tc, above_max_rss_a_process_is_replaced);
    tcase_add_test(tc, one_that_dies_idle_is_replaced);
    tcase_add_test(tc, one_may_leave_after_each_job);
    tcase_add_test(tc, one_that_ignores_the_end_of_stdin_is_killed);
    tcase_add_test(tc, one_that_has_last_words_and_stays_is_killed);
    tcase_add_test(tc, one_that_chatters_without_end_holds_up_nobody);
    suite_add_tcase(s, tc);
    tc = tcase_create("starts");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, a_job_that_was_never_read_is_not_to_blame);
    tcase_add_loop_test(tc, when_none_can_be_started_jobs_fail_with_the_cause, 0,
                        sizeof broken / sizeof *broken);
    tcase_add_test(tc, a_job_waits_for_as_long_as_descriptors_are_scarce);
    tcase_add_test(tc, a_start_heals_when_its_script_is_mended);
    suite_add_tcase(s, tc);
    tc = tcase_create("crowd");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, many_threads_share_few_processes, 0, sizeof habits / sizeof *habits);
    tcase_add_test(tc, a_wait_for_a_process_can_be_stopped);
    suite_add_tcase(s, tc);
    return s;
}
