/* The exec handler: what goes in, what comes out, and what surrounds the child. */
#include "unit/fake_exec.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "handlers/lines.h"

static void join(void *ctx, struct slice line, bool cut)
{
    buf_put(ctx, line);
    buf_puts(ctx, cut ? "~" : "|");
}

START_TEST(lines_are_the_same_however_they_arrive)
{
    const char text[] = "a\n\nbcd\nabcdefgh\nabcdefghi\nxyz";
    for (size_t step = 1; step <= sizeof text; step++) {
        struct lines l = {.max = 8};
        struct buf seen = {0};
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t left = sizeof text - 1 - at;
            lines_feed(&l, (struct slice){text + at, left < step ? left : step}, join, &seen);
        }
        lines_end(&l, join, &seen);
        ck_assert_str_eq(buf_str(&seen), "a||bcd|abcdefgh|abcdefgh~xyz|");
        lines_release(&l);
        buf_release(&seen);
    }
}
END_TEST

START_TEST(stdout_lines_are_events_in_order)
{
    struct fake_exec x;
    fake_exec(&x, "echo one; echo '{\"n\":2}'; echo; printf last");
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "one\n{\"n\":2}\n\nlast\n");
    ck_assert_uint_eq(x.out.result.n, 0);
    fake_exec_release(&x);
}
END_TEST

START_TEST(stdin_is_the_job_on_one_line)
{
    struct fake_exec x;
    fake_exec(&x, "cat; echo end");
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "{\"class\":\"test\",\"args\":[1]}\nend\n");
    fake_exec_release(&x);
}
END_TEST

static void large_job(struct fake_exec *x, const char *script)
{
    enum { N = 1 << 20 };
    char *payload = malloc(N);
    ck_assert_ptr_nonnull(payload);
    memset(payload, 'j', N);
    fake_exec_init(x, script);
    x->job.payload = (struct slice){payload, N};
    fake_exec_open(x);
    fake_exec_run(x);
    free(payload);
}

START_TEST(a_large_job_arrives_whole)
{
    struct fake_exec x;
    large_job(&x, "wc -c");
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "1048577\n");
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_large_job_need_not_be_read)
{
    struct fake_exec x;
    large_job(&x, "echo ignored");
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "ignored\n");
    fake_exec_release(&x);
    large_job(&x, "exec <&-; echo closed; exit 3");
    assert_outcome(&x, OUTCOME_FAILED, "ExitStatus", "exit status 3");
    fake_exec_release(&x);
}
END_TEST

START_TEST(an_endless_line_is_cut)
{
    struct fake_exec x;
    fake_exec(&x, "head -c 3000000 /dev/zero | tr '\\0' a; echo; echo next");
    assert_done(&x);
    ck_assert_int_eq(x.run.nevents, 2);
    ck_assert_uint_eq(x.run.longest, 1 << 20);
    ck_assert_ptr_nonnull(strstr(buf_str(&x.run.events), "a\nnext\n"));
    ck_assert_ptr_nonnull(strstr(buf_str(&x.run.log), "longer than 1 MiB"));
    fake_exec_release(&x);
}
END_TEST

START_TEST(much_output_takes_little_memory)
{
    struct rusage before, after;
    struct fake_exec x;
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &before), 0);
    fake_exec(&x, "yes $(printf %0999d 7) | head -n 100000");
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &after), 0);
    assert_done(&x);
    ck_assert_int_eq(x.run.nevents, 100000); /* 100 MB */
    ck_assert_uint_eq(x.run.longest, 999);
    ck_assert_int_lt(after.ru_maxrss - before.ru_maxrss, 32 * 1024); /* KiB; the fake keeps 4 MiB */
    fake_exec_release(&x);
}
END_TEST

START_TEST(stderr_is_logged_and_its_tail_is_the_message)
{
    struct fake_exec x;
    fake_exec(&x, "echo working >&2; echo broken >&2; exit 3");
    assert_outcome(&x, OUTCOME_FAILED, "ExitStatus", "exit status 3: working\nbroken");
    ck_assert_str_eq(buf_str(&x.run.log), "1 working\n1 broken\n");
    fake_exec_release(&x);
}
END_TEST

START_TEST(a_full_stderr_blocks_nobody)
{
    struct fake_exec x;
    fake_exec(&x, "yes noise | head -n 1000000 >&2; echo the reason >&2; echo out; exit 1");
    ck_assert_int_eq(x.out.kind, OUTCOME_FAILED);
    ck_assert_uint_le(x.out.message.n, 8192 + 32);
    const char *end = buf_str(&x.out.message) + x.out.message.n - strlen("noise\nthe reason");
    ck_assert_str_eq(end, "noise\nthe reason");
    ck_assert_uint_lt(x.run.log.n, 2 << 20);
    ck_assert_str_eq(buf_str(&x.run.events), "out\n");
    fake_exec_release(&x);
}
END_TEST

static const struct {
    const char *script;
    enum outcome_kind kind;
    const char *error_class;
    const char *message;
} ends[] = {
    {"exit 0", OUTCOME_DONE, "", ""},
    {"echo said but fine >&2", OUTCOME_DONE, "", ""},
    {"exit 100", OUTCOME_DEAD, "ExitStatus", "exit status 100"},
    {"echo bad args >&2; exit 100", OUTCOME_DEAD, "ExitStatus", "exit status 100: bad args"},
    {"exit 1", OUTCOME_FAILED, "ExitStatus", "exit status 1"},
    {"exit 255", OUTCOME_FAILED, "ExitStatus", "exit status 255"},
    {"kill -KILL $$", OUTCOME_FAILED, "Signal", "killed by SIGKILL"},
    {"kill -TERM $$", OUTCOME_FAILED, "Signal", "killed by SIGTERM"},
    {"ulimit -c 0; echo last words >&2; kill -SEGV $$", OUTCOME_FAILED, "Signal",
     "killed by SIGSEGV: last words"},
    {"kill -40 $$", OUTCOME_FAILED, "Signal", "killed by signal 40"},
};

START_TEST(the_exit_is_the_outcome)
{
    struct fake_exec x;
    fake_exec(&x, ends[_i].script);
    assert_outcome(&x, ends[_i].kind, ends[_i].error_class, ends[_i].message);
    fake_exec_release(&x);
}
END_TEST

static bool has_line(const struct buf *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = buf_str(text); (p = strstr(p, line)); p++)
        if ((p == text->p || p[-1] == '\n') && p[n] == '\n')
            return true;
    return false;
}

/* Loops over these see the same with a bound, which goes by way of sluice-limit: nothing that the
 * program has or is told may differ. */
enum { EITHER_WAY = 2, PLENTY_MB = 4096 };

static void init_either_way(struct fake_exec *x, const char *script, int way)
{
    fake_exec_init(x, script);
    x->conf.max_memory_mb = way * PLENTY_MB;
}

START_TEST(the_environment_has_the_job_and_no_secrets)
{
    const char *const set[] = {
        "REDIS_PASSWORD", "REDIS_URL",  "SLUICE_API_TOKEN", "SLUICE_API_READ_TOKEN",
        "PLAIN",          "OVERRIDDEN", "SLUICE_JID",       "TRACEPARENT"};
    for (size_t i = 0; i < sizeof set / sizeof *set; i++)
        ck_assert_int_eq(setenv(set[i], "from the worker", 1), 0);
    struct conf_env own[] = {{(char *)"OVERRIDDEN", (char *)"mine"},
                             {(char *)"EXTRA", (char *)"a=b c"},
                             {(char *)"SLUICE_QUEUE", (char *)"forged"}};
    struct fake_exec x;
    init_either_way(&x, "env", _i);
    x.conf.env = own;
    x.conf.nenv = 3;
    x.job.attempt = 7;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert(has_line(&x.run.events, "PLAIN=from the worker"));
    ck_assert(has_line(&x.run.events, "OVERRIDDEN=mine"));
    ck_assert(has_line(&x.run.events, "EXTRA=a=b c"));
    ck_assert(has_line(&x.run.events, "SLUICE_JID=0123456789abcdef01234567"));
    ck_assert(has_line(&x.run.events, "SLUICE_CLASS=test"));
    ck_assert(has_line(&x.run.events, "SLUICE_QUEUE=default"));
    ck_assert(has_line(&x.run.events, "SLUICE_ATTEMPT=7"));
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_null(strstr(buf_str(&x.run.events), set[i]));
    ck_assert_ptr_null(strstr(buf_str(&x.run.events), "TRACEPARENT"));
    x.job.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    fake_exec_run(&x);
    ck_assert_ptr_nonnull(strstr(buf_str(&x.run.events), "\nTRACEPARENT=00-4bf9"));
    fake_exec_release(&x);
}
END_TEST

START_TEST(the_child_has_three_descriptors)
{
    int leak = open("/dev/null", O_RDONLY); /* on purpose without O_CLOEXEC */
    ck_assert_int_ge(leak, 3);
    struct fake_exec x;
    init_either_way(&x, "ls /proc/$$/fd; :", _i);
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "0\n1\n2\n");
    fake_exec_release(&x);
    ck_assert_int_eq(close(leak), 0);
}
END_TEST

START_TEST(the_child_has_default_signals_and_a_session_of_its_own)
{
    sigset_t all, old;
    ck_assert_int_eq(sigfillset(&all), 0);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &all, &old), 0);
    struct fake_exec x;
    init_either_way(&x,
                    "set -- $(grep -E '^Sig(Blk|Ign)' /proc/$$/status) $(cat /proc/$$/stat);"
                    "echo $2; echo $4; [ $9 = $5 ] && [ ${10} = $5 ]",
                    _i);
    fake_exec_open(&x);
    fake_exec_run(&x);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
    assert_done(&x);
    char *end;
    const unsigned long long libc_internal = 3ull << 31; /* 32 and 33, which it sets as it likes */
    ck_assert_uint_eq(strtoull(buf_str(&x.run.events), &end, 16), 0);
    ck_assert_uint_eq(strtoull(end, NULL, 16) & ~libc_internal, 0);
    fake_exec_release(&x);
}
END_TEST

START_TEST(workdir_is_where_the_program_runs_and_is_looked_up)
{
    char dir[] = "/tmp/sluice-exec-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    char path[64];
    (void)snprintf(path, sizeof path, "%s/here", dir);
    ck_assert_int_eq(symlink("/bin/pwd", path), 0);
    struct fake_exec x;
    init_either_way(&x, "", _i);
    x.argv[0] = (char *)"./here";
    x.argv[1] = NULL;
    x.conf.workdir = dir;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert(has_line(&x.run.events, dir));

    ck_assert_int_eq(unlink(path), 0); /* a deploy that went wrong: noticed at the next job */
    fake_exec_run(&x);
    char message[128];
    (void)snprintf(message, sizeof message, "cannot start ./here in %s: No such file or directory",
                   dir);
    assert_outcome(&x, OUTCOME_FAILED, "SpawnError", message);
    fake_exec_release(&x);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

START_TEST(a_program_that_is_not_in_path_fails_the_job)
{
    struct fake_exec x;
    init_either_way(&x, "", _i);
    x.argv[0] = (char *)"sluice-no-such-program";
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_outcome(&x, OUTCOME_FAILED, "SpawnError",
                   "cannot start sluice-no-such-program: No such file or directory");
    fake_exec_release(&x);
}
END_TEST

START_TEST(the_program_is_searched_in_our_path_and_not_in_the_job_s)
{
    struct conf_env own = {(char *)"PATH", (char *)"/no/such"};
    struct fake_exec x;
    init_either_way(&x, "echo \"$PATH\"", _i);
    x.conf.env = &own;
    x.conf.nenv = 1;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "/no/such\n");
    fake_exec_release(&x);
}
END_TEST

/* execvp() would do that. */
START_TEST(what_is_no_program_is_not_given_to_a_shell)
{
    char dir[] = "/tmp/sluice-exec-XXXXXX", path[64], search[64], message[128];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/sluice-text", dir);
    (void)snprintf(search, sizeof search, "/no/such:%s", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
    ck_assert_int_eq(write(fd, "echo no\n", 8), 8);
    ck_assert_int_eq(close(fd), 0);
    ck_assert_int_eq(setenv("PATH", search, 1), 0);
    struct fake_exec x;
    init_either_way(&x, "", _i);
    x.argv[0] = (char *)"sluice-text";
    fake_exec_open(&x);
    fake_exec_run(&x);
    (void)snprintf(message, sizeof message, "cannot start sluice-text: %s", strerror(ENOEXEC));
    assert_outcome(&x, OUTCOME_FAILED, "SpawnError", message);

    ck_assert_int_eq(chmod(path, 0), 0);
    fake_exec_run(&x);
    (void)snprintf(message, sizeof message, "cannot start sluice-text: %s", strerror(EACCES));
    assert_outcome(&x, OUTCOME_FAILED, "SpawnError", message);
    fake_exec_release(&x);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(rmdir(dir), 0);
}
END_TEST

static const struct {
    const char *program;
    const char *workdir;
    const char *message;
} refused[] = {
    {"./no-such", NULL, "exec: ./no-such: No such file or directory"},
    {"no/such", "/usr", "exec: /usr/no/such: No such file or directory"},
    {"/etc/passwd", NULL, "exec: /etc/passwd is not executable: Permission denied"},
    {"/usr/bin", NULL, "exec: /usr/bin is no regular file"},
    {"sh", "/no/such", "workdir /no/such: No such file or directory"},
    {"sh", "/etc/passwd", "workdir /etc/passwd is no directory"},
    {"", NULL, "exec: no program"},
};

START_TEST(what_cannot_work_is_a_configuration_error)
{
    char *argv[] = {(char *)refused[_i].program, NULL};
    struct conf_handler conf = {.argv = argv, .workdir = (char *)refused[_i].workdir};
    struct handler *h = NULL;
    struct err err = {0};
    ck_assert_int_eq(exec_kind.open(&conf, &h, &err), -EINVAL);
    ck_assert_str_eq(err.text, refused[_i].message);
    ck_assert_ptr_null(h);
}
END_TEST

/* ---- limits ---- */

static const struct {
    const char *script, *message;
} spins[] = {
    {"ulimit -c 0; while :; do :; done", "used 1 s of processor time, killed by SIGXCPU"},
    {"trap '' XCPU; while :; do :; done", "used 1 s of processor time, killed by SIGKILL"},
};

START_TEST(max_cpu_ends_a_program)
{
    struct fake_exec x;
    fake_exec_init(&x, spins[_i].script);
    x.conf.max_cpu_s = 1;
    fake_exec_open(&x);
    fake_exec_run(&x);
    assert_outcome(&x, OUTCOME_FAILED, "CpuLimit", spins[_i].message);
    ck_assert_double_ge(x.out.usage.cpu_s, 0.5);
    fake_exec_release(&x);
}
END_TEST

/* tail(1) keeps 100 MB of a pipe in memory. */
static const char fat[] = "head -c 100000000 /dev/zero | tail -c 100000000 >/dev/null";

START_TEST(max_memory_makes_allocations_fail)
{
    struct fake_exec x;
    fake_exec_init(&x, fat);
    x.conf.max_memory_mb = 64;
    fake_exec_open(&x);
    fake_exec_run(&x);
    ck_assert_int_eq(x.out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(x.out.error_class, "ExitStatus");
    ck_assert_ptr_nonnull(strstr(buf_str(&x.out.message), "memory"));
    fake_exec_release(&x);
}
END_TEST

/* The bound is laid before the program's first instruction. Else it would be a race, which is won
 * here by whoever is not us: on one processor, as a batch, we go on only when the program rests. */
START_TEST(a_program_that_forks_at_once_does_not_escape)
{
    enum { ROUNDS = 10 };
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_int_eq(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}), 0);
    struct fake_exec x;
    fake_exec_init(&x, "(ulimit -d; ulimit -S -t; ulimit -H -t) & wait");
    x.conf.max_memory_mb = 64;
    x.conf.max_cpu_s = 7;
    fake_exec_open(&x);
    for (int i = 0; i < ROUNDS; i++) {
        buf_clear(&x.run.events);
        fake_exec_run(&x);
        assert_done(&x);
        ck_assert_str_eq(buf_str(&x.run.events), "65536\n7\n8\n");
    }
    fake_exec_release(&x);
}
END_TEST

/* What we have been given ourselves is not raised. */
START_TEST(a_lower_limit_of_our_own_stays)
{
    const struct rlimit lower = {.rlim_cur = 500, .rlim_max = 600};
    struct fake_exec x;
    fake_exec_init(&x, "ulimit -S -t; ulimit -H -t");
    x.conf.max_cpu_s = 1000;
    fake_exec_open(&x);
    ck_assert_int_eq(setrlimit(RLIMIT_CPU, &lower), 0);
    fake_exec_run(&x);
    assert_done(&x);
    ck_assert_str_eq(buf_str(&x.run.events), "600\n600\n");
    fake_exec_release(&x);
}
END_TEST

START_TEST(usage_is_told)
{
    struct rusage own;
    struct fake_exec x;
    fake_exec(&x, fat);
    assert_done(&x);
    ck_assert_str_eq(x.out.usage.exit, "exit status 0");
    ck_assert_double_gt(x.out.usage.cpu_s, 0);
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &own), 0);
    if (own.ru_maxrss < 90000) /* else the kernel does not tell */
        ck_assert_int_ge(x.out.usage.peak_rss_kb, 100000000 / 1024);
    fake_exec_release(&x);

    fake_exec(&x, "exit 3");
    ck_assert_str_eq(x.out.usage.exit, "exit status 3");
    ck_assert_int_lt(x.out.usage.peak_rss_kb, 50000); /* or 0 */
    fake_exec_release(&x);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("exec");
    TCase *flow = tcase_create("flow");
    tcase_set_timeout(flow, 60);
    tcase_add_test(flow, lines_are_the_same_however_they_arrive);
    tcase_add_test(flow, stdout_lines_are_events_in_order);
    tcase_add_test(flow, stdin_is_the_job_on_one_line);
    tcase_add_test(flow, a_large_job_arrives_whole);
    tcase_add_test(flow, a_large_job_need_not_be_read);
    tcase_add_test(flow, an_endless_line_is_cut);
    tcase_add_test(flow, much_output_takes_little_memory);
    tcase_add_test(flow, stderr_is_logged_and_its_tail_is_the_message);
    tcase_add_test(flow, a_full_stderr_blocks_nobody);
    tcase_add_loop_test(flow, the_exit_is_the_outcome, 0, sizeof ends / sizeof *ends);
    suite_add_tcase(s, flow);
    TCase *place = tcase_create("surroundings");
    tcase_set_timeout(place, 60);
    tcase_add_loop_test(place, the_environment_has_the_job_and_no_secrets, 0, EITHER_WAY);
    tcase_add_loop_test(place, the_child_has_three_descriptors, 0, EITHER_WAY);
    tcase_add_loop_test(place, the_child_has_default_signals_and_a_session_of_its_own, 0,
                        EITHER_WAY);
    tcase_add_loop_test(place, workdir_is_where_the_program_runs_and_is_looked_up, 0, EITHER_WAY);
    tcase_add_loop_test(place, a_program_that_is_not_in_path_fails_the_job, 0, EITHER_WAY);
    tcase_add_loop_test(place, the_program_is_searched_in_our_path_and_not_in_the_job_s, 0,
                        EITHER_WAY);
    tcase_add_loop_test(place, what_is_no_program_is_not_given_to_a_shell, 0, EITHER_WAY);
    tcase_add_loop_test(place, what_cannot_work_is_a_configuration_error, 0,
                        sizeof refused / sizeof *refused);
    suite_add_tcase(s, place);
    TCase *limits = tcase_create("limits");
    tcase_set_timeout(limits, 60);
    tcase_add_loop_test(limits, max_cpu_ends_a_program, 0, 2);
    tcase_add_test(limits, max_memory_makes_allocations_fail);
    tcase_add_test(limits, a_program_that_forks_at_once_does_not_escape);
    tcase_add_test(limits, a_lower_limit_of_our_own_stays);
    tcase_add_test(limits, usage_is_told);
    suite_add_tcase(s, limits);
    return s;
}
