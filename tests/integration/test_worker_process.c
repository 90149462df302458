/* Warm processes under a real worker: what they answer, how they end, and what a reload and a stop
 * leave of them. Each process notes its id in the file "pids" when it starts. */
#include "test_worker.h"

/* What a job does is its class; each script serves all of them. */
static const char script[] =
    "echo $$ >>pids\n"
    "while read -r job; do\n"
    "    case $job in\n"
    "    *p.events*) printf '{\"event\":%s}\\n{\"event\": \"two\"}\\n{\"done\":[1,{}]}\\n' "
    "\"$job\" ;;\n"
    "    *p.error*) echo '{\"error\":{\"class\":\"ValueError\",\"message\":\"no good\"}}' ;;\n"
    "    *p.dead*) echo '{\"error\":{\"message\":\"bad args\",\"dead\":true}}' ;;\n"
    "    *p.crash*) ulimit -c 0; echo last words >&2; kill -SEGV $$ ;;\n"
    "    *p.hang*) echo '{\"event\":\"begun\"}'; sleep 60 ;;\n"
    "    *p.wait*) echo '{\"event\":\"begun\"}'; until [ -e go ]; do sleep 0.02; done\n"
    "        echo '{\"done\":\"old\"}' ;;\n"
    "    *) echo '{\"done\":'$$'}' ;;\n"
    "    esac\n"
    "done\n";

static void write_script(const char *text)
{
    char path[256], new[256];
    (void)snprintf(path, sizeof path, "%s/script", server.dir);
    (void)snprintf(new, sizeof new, "%s/script.new", server.dir);
    FILE *f = fopen(new, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_eq(rename(new, path), 0);
}

#define HANDLER(more)  "  - {class: \"p.*\", process: [sh, script], track: true" more "}\n"
#define SETTINGS(more) "worker: {threads: 8, shutdown_timeout: 1}\nhandlers:\n" HANDLER(more)

static void start_with(const char *settings)
{
    write_script(script);
    start_worker(settings);
}

static void push_class(const char *klass, const char *jid)
{
    char job[256];
    (void)snprintf(job, sizeof job, "{\"class\":\"%s\",\"jid\":\"%s\",\"args\":[]}", klass, jid);
    push("default", job);
}

static bool field_is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

static void wait_state(const char *jid, const char *state)
{
    wait_until(HANG_MS, field_is(jid, "state", state));
}

/* The result of a job that answers with the id of its process. */
static long ask_pid(const char *jid)
{
    push_class("p.pid", jid);
    wait_state(jid, "completed");
    char *pid = must_text(redis, "HGET sluice:job:%s result", jid);
    long n = strtol(pid, NULL, 10);
    ck_assert_int_gt(n, 1);
    free(pid);
    return n;
}

/* How many of those that were ever started still are there. */
static int alive(void)
{
    int n = 0;
    char *pids = worker_process_file(&worker, "pids");
    for (char *line = strtok(pids, "\n"); line; line = strtok(NULL, "\n"))
        n += kill((pid_t)strtol(line, NULL, 10), 0) == 0;
    free(pids);
    return n;
}

START_TEST(events_and_result)
{
    start_with(SETTINGS(""));
    push("default", "{\"class\":\"p.events\",\"jid\":\"j\",\"args\":[1.10, {}],\n\"x\":null}");
    wait_state("j", "completed");
    ck_assert(field_is("j", "result", "[1,{}]"));
    ck_assert(answers_with(redis, "\"two\"", "LINDEX sluice:stream:j 1"));
    char *job = must_text(redis, "LINDEX sluice:stream:j 0");
    ck_assert_ptr_nonnull(strstr(job, "\"jid\":\"j\""));
    ck_assert_ptr_nonnull(strstr(job, "\"args\":[1.10, {}]"));
    ck_assert_ptr_nonnull(strstr(job, "\"queue\":\"default\""));
    ck_assert_ptr_nonnull(strstr(job, "\"attempt\":1}"));
    free(job);
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:j"), 3);
}
END_TEST

START_TEST(failures)
{
    start_with(SETTINGS(", processes: 2"));
    push_class("p.error", "e");
    push_class("p.dead", "d");
    wait_state("e", "retrying");
    wait_state("d", "dead");
    ck_assert(field_is("e", "error_class", "ValueError"));
    ck_assert(field_is("e", "error", "no good"));
    ck_assert(field_is("d", "error", "bad args"));
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 1);
    ck_assert_int_eq(must_int(redis, "ZCARD retry"), 1);
}
END_TEST

START_TEST(a_crash_costs_one_job)
{
    start_with(SETTINGS(", processes: 1"));
    long before = ask_pid("before");
    push_class("p.crash", "c");
    wait_state("c", "retrying");
    ck_assert(field_is("c", "error_class", "Signal"));
    ck_assert(field_is("c", "error",
                       "the process ended without an answer: killed by SIGSEGV: last words"));
    ck_assert_int_ne(ask_pid("after"), before);
    wait_said("text=\"last words\"");
}
END_TEST

START_TEST(a_timeout_replaces_the_process)
{
    start_with(SETTINGS(", processes: 1, timeout: 0.5"));
    long before = ask_pid("before");
    push_class("p.hang", "h");
    wait_state("h", "retrying");
    ck_assert(field_is("h", "error_class", "Timeout"));
    ck_assert_int_ne(ask_pid("after"), before);
    wait_until(HANG_MS, alive() == 1);
}
END_TEST

START_TEST(after_max_jobs_a_process_is_replaced)
{
    start_with(SETTINGS(", processes: 1, max_jobs: 2"));
    long a = ask_pid("a"), b = ask_pid("b"), c = ask_pid("c");
    ck_assert_int_eq(a, b);
    ck_assert_int_ne(b, c);
}
END_TEST

START_TEST(a_broken_start_is_told_and_heals)
{
    write_script("echo no such module >&2; exit 7\n");
    start_worker(SETTINGS(", processes: 1"));
    push_class("p.pid", "j");
    wait_said("a process of a handler is of no use: it has answered no job\" class=p.* "
              "error=\"exit status 7: no such module\"");
    write_script(script);
    wait_state("j", "completed"); /* its first attempt: it was never read before */
    ck_assert(field_is("j", "attempt", "1"));
}
END_TEST

START_TEST(a_job_that_runs_outlives_a_reload)
{
    start_with(SETTINGS(", processes: 2"));
    push_class("p.wait", "w");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:stream:w") == 1);
    write_script("echo $$ >>pids\nwhile read -r job; do echo '{\"done\":\"new\"}'; done\n");
    worker_process_signal(&worker, SIGHUP);
    wait_said("settings reloaded");
    push_class("p.wait", "n"); /* what runs from now on has the new ones */
    wait_state("n", "completed");
    ck_assert(field_is("n", "result", "\"new\""));
    ck_assert(field_is("w", "state", "running"));
    wait_until(HANG_MS, alive() == 4); /* all that the old and the new settings ask for */
    char path[256];
    (void)snprintf(path, sizeof path, "%s/go", server.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
    wait_state("w", "completed");
    ck_assert(field_is("w", "result", "\"old\""));
    wait_until(HANG_MS, alive() == 2);
}
END_TEST

START_TEST(a_stop_leaves_no_process)
{
    start_with(SETTINGS(", processes: 3"));
    push_class("p.hang", "h");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:stream:h") == 1);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert_int_eq(alive(), 0);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1); /* given back */
}
END_TEST

START_TEST(checking_settings_starts_nothing)
{
    write_script(script);
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){.settings = SETTINGS(", processes: 4"),
                                 .args = (const char *const[]){"--check-config", NULL}});
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    char *text = worker_process_log(&worker), *pids = worker_process_file(&worker, "pids");
    ck_assert_ptr_nonnull(strstr(text, "process: [\"sh\", \"script\"]"));
    ck_assert_str_eq(pids, "");
    free(pids);
    free(text);
}
END_TEST

static bool shows(const char *text)
{
    worker_process_signal(&worker, SIGUSR1);
    return worker_process_said(&worker, text);
}

START_TEST(processes_are_shown)
{
    start_with(SETTINGS(", processes: 3"));
    push_class("p.hang", "h");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:stream:h") == 1);
    wait_until(HANG_MS, shows("msg=\"state: processes\" children=3 idle=2 starting=0"));
}
END_TEST

/* ---- for handlers of any kind ---- */

START_TEST(max_concurrency_bounds_a_handler)
{
    start_worker("worker: {threads: 8}\nhandlers:\n"
                 "  - {class: few, max_concurrency: 2, plugin: \"" TEST_PLUGIN
                 "\"}\n" TEST_HANDLER);
    for (int i = 0; i < 12; i++)
        push("default", "{\"class\":\"few\",\"timeout\":0.5,\"args\":[{\"log\":\"ran\","
                        "\"sleep_ms\":100}]}");
    push("default", "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}");
    wait_processed(13);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0); /* a wait is no timeout */
    int now = 0, most = 0;
    char *whole = worker_process_file(&worker, "ran");
    for (char *line = strtok(whole, "\n"); line; line = strtok(NULL, "\n")) {
        now += strstr(line, " start") ? 1 : -1;
        most = now > most ? now : most;
    }
    free(whole);
    ck_assert_int_ge(most, 2);
    ck_assert_int_le(most, 3); /* two, and the other class beside them */
}
END_TEST

START_TEST(a_wait_for_a_turn_ends_with_the_worker)
{
    start_worker("worker: {threads: 4, shutdown_timeout: 0.5}\nhandlers:\n"
                 "  - {class: few, max_concurrency: 1, plugin: \"" TEST_PLUGIN "\"}\n");
    for (int i = 0; i < 3; i++)
        push("default", "{\"class\":\"few\",\"args\":[{\"log\":\"ran\",\"sleep_ms\":60000}]}");
    wait_until(HANG_MS, times_in_file("ran", " start\n") == 1);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 0);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 3);
    ck_assert_int_eq(times_in_file("ran", " start\n"), 1);
}
END_TEST

START_TEST(what_a_program_used_is_recorded)
{
    start_worker("handlers:\n"
                 "  - {class: ok, track: true, exec: [sh, -c, \"read -r job\"]}\n"
                 "  - {class: spin, track: true, max_cpu: 1, exec: [sh, -c, \"ulimit -c 0; read -r "
                 "job; while :; do :; done\"]}\n");
    push_class("ok", "o");
    push_class("spin", "s");
    wait_state("o", "completed");
    ck_assert(field_is("o", "exit", "exit status 0"));
    wait_state("s", "retrying");
    ck_assert(field_is("s", "exit", "killed by SIGXCPU"));
    ck_assert(field_is("s", "error_class", "CpuLimit"));
    char *cpu = must_text(redis, "HGET sluice:job:s cpu_s");
    ck_assert_double_ge(strtod(cpu, NULL), 0.5);
    free(cpu);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker runs warm processes");
    TCase *tc = new_case(suite, "process");
    tcase_add_test(tc, events_and_result);
    tcase_add_test(tc, failures);
    tcase_add_test(tc, a_crash_costs_one_job);
    tcase_add_test(tc, a_timeout_replaces_the_process);
    tcase_add_test(tc, after_max_jobs_a_process_is_replaced);
    tcase_add_test(tc, a_broken_start_is_told_and_heals);
    tcase_add_test(tc, a_job_that_runs_outlives_a_reload);
    tcase_add_test(tc, a_stop_leaves_no_process);
    tcase_add_test(tc, checking_settings_starts_nothing);
    tcase_add_test(tc, processes_are_shown);
    tc = new_case(suite, "limits");
    tcase_add_test(tc, max_concurrency_bounds_a_handler);
    tcase_add_test(tc, a_wait_for_a_turn_ends_with_the_worker);
    tcase_add_test(tc, what_a_program_used_is_recorded);
    return suite;
}
