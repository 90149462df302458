/* The exec handler: how a run ends — stops, limits, what is left behind, and scarce resources. */
#include "support/proc.h"
#include "unit/fake_exec.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

enum { FOREVER_MS = 30000 }; /* "at once" is less than this by far, also on a busy machine */

static void assert_no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

START_TEST(a_grandchild_does_not_outlive_the_run)
{
    struct fake_exec x;
    fake_exec(&x, "sleep 60 & echo $!; exit 0");
    assert_done(&x);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    long pid = strtol(buf_str(&x.run.events), NULL, 10);
    ck_assert_int_gt(pid, 1);
    wait_until(5000, proc_is_gone((pid_t)pid));
    assert_no_children();
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_daemon_that_holds_the_pipe_does_not_hold_the_run)
{
    struct fake_exec x;
    fake_exec(&x, "f=$(mktemp); setsid sh -c 'echo $$; echo >\"$1\"; exec sleep 60' sh \"$f\" & "
                  "until [ -s \"$f\" ]; do sleep 0.02; done; rm \"$f\"; exit 0");
    assert_done(&x);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    long pid = strtol(buf_str(&x.run.events), NULL, 10);
    ck_assert_int_gt(pid, 1);
    ck_assert(!proc_is_gone((pid_t)pid)); /* out of reach, as documented */
    ck_assert_int_eq(kill((pid_t)pid, SIGKILL), 0);
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_daemon_that_writes_without_end_does_not_either)
{
    struct fake_exec x;
    fake_exec(&x, "setsid yes & sleep 0.1; exit 0");
    assert_done(&x);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    fake_exec_release(&x); /* and yes(1) has died of its closed pipe */
}
END_TEST

START_TEST(closed_pipes_are_not_an_end)
{
    struct fake_exec x;
    fake_exec(&x, "exec <&- >&- 2>&-; sleep 0.2; exit 3");
    assert_outcome(&x, OUTCOME_FAILED, "ExitStatus", "exit status 3");
    ck_assert_int_ge(x.ms, 200);
    fake_exec_release(&x);
}
END_TEST

/* As when the table of descriptors was full just after the spawn. */
START_TEST(a_child_without_a_pidfd_is_watched_all_the_same)
{
    struct fake_exec x;
    struct child child;
    struct watch_end end;
    fake_exec_init(&x, "echo seen; exit 3");
    fake_exec_open(&x);
    ck_assert_int_eq(child_spawn(x.argv, environ, NULL, NULL, &child), 0);
    child_close_pipe(&child.pidfd);
    watch_child(&child, &(struct watch_talk){.input = x.job.payload}, &x.job, &x.run, &fake_ops,
                fake_exec_limits(&x), &end);
    ck_assert_int_eq(end.exit.si_code, CLD_EXITED);
    ck_assert_int_eq(end.exit.si_status, 3);
    ck_assert_str_eq(buf_str(&x.run.events), "seen\n");
    buf_release(&end.tail);
    assert_no_children();
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_timeout_ends_the_child)
{
    struct fake_exec x;
    fake_exec_init(&x, "echo busy >&2; exec sleep 60");
    x.job.timeout_ms = 300;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_outcome(&x, OUTCOME_FAILED, "Timeout", "ran longer than 0.3 s: busy");
    ck_assert_int_ge(x.ms, 300);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_child_that_ignores_term_is_killed_after_the_grace)
{
    struct fake_exec x;
    fake_exec_init(&x, "trap '' TERM; yes & while :; do sleep 0.05; done");
    x.job.timeout_ms = 1500; /* it ignores TERM by then */
    fake_exec_open(&x);
    fake_exec_limits(&x)->grace_ms = 200;
    fake_exec_run(&x);
    assert_outcome(&x, OUTCOME_FAILED, "Timeout", "ran longer than 1.5 s");
    ck_assert_int_ge(x.ms, 1700);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    assert_no_children();
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_child_that_stops_nicely_may_clean_up)
{
    char dir[] = "/tmp/sluice-exec-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    struct fake_exec x;
    fake_exec_init(&x,
                   "trap 'echo bye; rmdir \"$DIR\"; exit 0' TERM; while :; do sleep 0.05; done");
    struct conf_env env = {(char *)"DIR", dir};
    x.conf.env = &env;
    x.conf.nenv = 1;
    x.job.timeout_ms = 300;
    fake_exec_open(&x);
    fake_exec_run(&x);
    ck_assert_str_eq(x.out.error_class, "Timeout"); /* the message may end with words of sh */
    ck_assert_int_lt(x.ms, 5000);                   /* not killed: it left within the grace */
    ck_assert_int_eq(access(dir, F_OK), -1);
    ck_assert_uint_eq(x.run.events.n, 0); /* what it says after the stop is dropped */
    fake_exec_release(&x);
}
END_TEST

START_TEST(silence_ends_the_child)
{
    struct fake_exec x;
    fake_exec_init(&x, "echo begun; exec sleep 60");
    x.conf.silence_timeout_s = 0.3;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_outcome(&x, OUTCOME_FAILED, "SilenceTimeout", "no output for 0.3 s");
    ck_assert_str_eq(buf_str(&x.run.events), "begun\n");
    ck_assert_int_lt(x.ms, FOREVER_MS);
    fake_exec_release(&x);
}
END_TEST

START_TEST(output_of_either_kind_breaks_the_silence)
{
    struct fake_exec x;
    fake_exec_init(&x, "for i in 1 2 3 4 5; do sleep 0.2; echo $i; sleep 0.2; echo $i >&2; done");
    x.conf.silence_timeout_s = 1.5;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert_int_gt(x.ms, 1500);
    fake_exec_release(&x);
}
END_TEST

static void *stop_when_begun(void *arg)
{
    struct fake_exec *x = arg;
    wait_until(FOREVER_MS, atomic_load(&x->run.nevents) > 0);
    fake_run_stop(&x->run, (enum run_stop)x->job.attempt); /* the test's way to say which */
    return NULL;
}

static const struct {
    enum run_stop why;
    const char *error_class;
    bool deaf;
} stops[] = {
    {RUN_CANCELLED, "Cancelled", false}, {RUN_TIMEOUT, "Timeout", false},
    {RUN_SHUTDOWN, "Shutdown", false},   {RUN_LOST, "Lost", false},
    {RUN_CANCELLED, "Cancelled", true},
};

START_TEST(a_stop_takes_effect_while_the_child_is_silent)
{
    struct fake_exec x;
    struct thread t;
    fake_exec_init(&x, "echo begun; exec sleep 60");
    x.job.attempt = stops[_i].why;
    x.run.deaf = stops[_i].deaf;
    fake_exec_open(&x);
    ck_assert_int_eq(thread_start(&t, "stopper", stop_when_begun, &x), 0);
    fake_exec_run(&x);
    thread_join(&t);
    ck_assert_int_eq(x.out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(x.out.error_class, stops[_i].error_class);
    ck_assert_int_lt(x.ms, FOREVER_MS);
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_leaving_worker_has_less_patience)
{
    struct fake_exec x;
    struct thread t;
    fake_exec_init(&x, "trap '' TERM; echo begun; while :; do sleep 0.05; done");
    x.job.attempt = RUN_SHUTDOWN;
    fake_exec_open(&x);
    fake_exec_limits(&x)->grace_ms = INT64_C(3600000);
    fake_exec_limits(&x)->shutdown_grace_ms = 100;
    ck_assert_int_eq(thread_start(&t, "stopper", stop_when_begun, &x), 0);
    fake_exec_run(&x);
    thread_join(&t);
    ck_assert_str_eq(x.out.error_class, "Shutdown");
    fake_exec_release(&x);
}
END_TEST

enum { THREADS = 32, SPAWNS = 50 };

static void *spawn_many(void *arg)
{
    struct fake_exec *shared = arg;
    for (int i = 0; i < SPAWNS; i++) {
        struct outcome out = {0};
        exec_kind.run(shared->handler, &shared->job, &shared->run, &fake_ops, &out);
        ck_assert_msg(out.kind == OUTCOME_DONE, "%s", buf_str(&out.message));
        outcome_release(&out);
    }
    return NULL;
}

START_TEST(many_threads_leave_no_descriptor_and_no_zombie)
{
    struct fake_exec x;
    struct thread threads[THREADS];
    fake_exec_init(&x, "");
    x.argv[0] = (char *)"echo";
    x.conf.max_memory_mb = 4096 * _i; /* the second time by way of sluice-limit */
    fake_exec_open(&x);
    int before = proc_descriptors(getpid());
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "spawner", spawn_many, &x), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(x.run.nevents, THREADS * SPAWNS);
    ck_assert_int_eq(proc_descriptors(getpid()), before);
    assert_no_children();
    fake_exec_release(&x);
}
END_TEST

/* Leaves room for `spare` more descriptors. */
static void limit_descriptors(struct rlimit *ret_old, int spare)
{
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, ret_old), 0);
    int lowest = dup(STDIN_FILENO);
    ck_assert_int_ge(lowest, 0);
    ck_assert_int_eq(close(lowest), 0);
    struct rlimit tight = {.rlim_cur = (rlim_t)(lowest + spare), .rlim_max = ret_old->rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
}

static bool said(struct run *r, const char *text)
{
    mutex_lock(&r->mutex);
    bool found = strstr(buf_str(&r->log), text);
    mutex_unlock(&r->mutex);
    return found;
}

struct relief {
    struct fake_exec *x;
    struct rlimit limit;
};

static void *relieve_when_stuck(void *arg)
{
    struct relief *r = arg;
    wait_until(FOREVER_MS, said(&r->x->run, "; trying again"));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &r->limit), 0);
    return NULL;
}

/* Any number of descriptors too few: 6 pipe ends are needed, and 8 by way of sluice-limit. */
enum { ENDS = 6, ENDS_BOUNDED = 8 };
START_TEST(a_run_waits_for_descriptors_and_keeps_its_job)
{
    struct fake_exec x;
    struct thread t;
    fake_exec_init(&x, "echo at last");
    x.conf.max_memory_mb = _i < ENDS ? 0 : 4096;
    fake_exec_open(&x);
    struct relief relief = {.x = &x};
    limit_descriptors(&relief.limit, _i < ENDS ? _i : _i - ENDS);
    ck_assert_int_eq(thread_start(&t, "relief", relieve_when_stuck, &relief), 0);
    fake_exec_run(&x);
    thread_join(&t);
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "at last\n");
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_wait_for_descriptors_ends_with_the_job)
{
    struct fake_exec x;
    struct rlimit old;
    fake_exec_init(&x, "echo never");
    x.job.timeout_ms = 300;
    fake_exec_open(&x);
    limit_descriptors(&old, 3);
    fake_exec_run(&x);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_outcome(&x, OUTCOME_FAILED, "Timeout", "ran longer than 0.3 s");
    ck_assert_uint_eq(x.run.events.n, 0);
    fake_exec_release(&x);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("exec_end");
    TCase *stop = tcase_create("stop");
    tcase_set_timeout(stop, 120);
    tcase_add_test(stop, a_grandchild_does_not_outlive_the_run);
    tcase_add_test(stop, a_daemon_that_holds_the_pipe_does_not_hold_the_run);
    tcase_add_test(stop, a_daemon_that_writes_without_end_does_not_either);
    tcase_add_test(stop, closed_pipes_are_not_an_end);
    tcase_add_test(stop, a_child_without_a_pidfd_is_watched_all_the_same);
    tcase_add_test(stop, a_timeout_ends_the_child);
    tcase_add_test(stop, a_child_that_ignores_term_is_killed_after_the_grace);
    tcase_add_test(stop, a_child_that_stops_nicely_may_clean_up);
    tcase_add_test(stop, silence_ends_the_child);
    tcase_add_test(stop, output_of_either_kind_breaks_the_silence);
    tcase_add_loop_test(stop, a_stop_takes_effect_while_the_child_is_silent, 0,
                        sizeof stops / sizeof *stops);
    tcase_add_test(stop, a_leaving_worker_has_less_patience);
    suite_add_tcase(s, stop);
    TCase *scarce = tcase_create("resources");
    tcase_set_timeout(scarce, 120);
    tcase_add_loop_test(scarce, many_threads_leave_no_descriptor_and_no_zombie, 0, 2);
    tcase_add_loop_test(scarce, a_run_waits_for_descriptors_and_keeps_its_job, 0,
                        ENDS + ENDS_BOUNDED);
    tcase_add_test(scarce, a_wait_for_descriptors_ends_with_the_job);
    suite_add_tcase(s, scarce);
    return s;
}
