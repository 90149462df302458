/* The helpers for handlers in Python and Node, under a real worker. Needs python3 and node. */
#include "integration/test_worker.h"
#include "support/proc.h"

static const struct language {
    const char *name;    /* of classes and files */
    const char *program; /* as the settings have it */
    const char *odd_class, *large_class, *exit_class;
    const char *exit_message;
    const char *const said[4]; /* what was printed, in the log */
} languages[] = {
    {"py",
     "process: [python3, \"" TEST_SOURCE_DIR "/tests/interop/handlers.py\"], "
     "env: {PYTHONPATH: \"" TEST_SOURCE_DIR "/clients/python\", PYTHONDONTWRITEBYTECODE: 1}",
     "ValueError",
     "ValueError",
     "RuntimeError",
     "the handler left by sys.exit(3)",
     {"printed at the top", "printed by the handler", "printed by a child", NULL}},
    {"js",
     "process: [node, \"" TEST_SOURCE_DIR "/tests/interop/handlers.js\"], "
     "env: {NODE_PATH: \"" TEST_SOURCE_DIR "/clients/node\"}",
     "TypeError",
     "RangeError",
     "ExitStatus",
     "the process ended without an answer: exit status 3",
     {"printed at the top", "printed by the handler", "printed to stdout", NULL}},
};
enum { LANGUAGES = sizeof languages / sizeof languages[0] };

static const struct language *lang;

static void start(int i, int processes, const char *more)
{
    char text[1024];
    lang = &languages[i];
    (void)snprintf(text, sizeof text,
                   "worker: {threads: 4, shutdown_timeout: 1}\nhandlers:\n"
                   "  - {class: \"%s.*\", track: true, processes: %d%s, %s}\n",
                   lang->name, processes, more, lang->program);
    start_worker(text);
}

static void ask(const char *what, const char *args)
{
    char job[256];
    (void)snprintf(job, sizeof job, "{\"class\":\"%s.%s\",\"jid\":\"%s\",\"args\":%s}", lang->name,
                   what, what, args);
    push("default", job);
}

static bool is(const char *jid, const char *field, const char *value)
{
    return answers_with(redis, value, "HGET sluice:job:%s %s", jid, field);
}

static void must_fail(const char *what, const char *state, const char *klass, const char *message)
{
    ask(what, "[]");
    wait_until(HANG_MS, is(what, "state", state));
    char *error = must_text(redis, "HGET sluice:job:%s error", what);
    char *error_class = must_text(redis, "HGET sluice:job:%s error_class", what);
    ck_assert_str_eq(error_class, klass);
    ck_assert_msg(strncmp(error, message, strlen(message)) == 0, "%s", error);
    free(error);
    free(error_class);
}

START_TEST(results_and_events)
{
    char expected[128];
    start(_i, 1, "");
    ask("echo", "[1,[],{\"a\":\"é\"}]");
    wait_until(HANG_MS, is("echo", "state", "completed"));
    (void)snprintf(expected, sizeof expected,
                   "{\"args\":[1,[],{\"a\":\"%s\"}],\"jid\":\"echo\",\"class\":\"%s.echo\","
                   "\"attempt\":1}",
                   _i == 0 ? "\\u00e9" : "é", lang->name);
    ck_assert(is("echo", "result", expected));
    ask("events", "[300]");
    wait_until(HANG_MS, is("events", "state", "completed"));
    ck_assert(is("events", "result", "null"));
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:events"), 301);
    ck_assert(answers_with(redis, "{\"n\":0}", "LINDEX sluice:stream:events 0"));
    ck_assert(answers_with(redis, "{\"n\":299}", "LINDEX sluice:stream:events 299"));
    ask("glob.any", "[]");
    wait_until(HANG_MS, is("glob.any", "result", "\"glob\""));
}
END_TEST

START_TEST(what_is_printed_goes_to_the_log)
{
    start(_i, 1, "");
    ask("print", "[]");
    wait_until(HANG_MS, is("print", "state", "completed"));
    ck_assert(is("print", "result", "\"quiet\""));
    for (int i = 0; lang->said[i]; i++)
        wait_said(lang->said[i]);
}
END_TEST

START_TEST(failures_have_their_class_and_words)
{
    start(_i, 1, "");
    must_fail("fail", "retrying", "LookupError", "no é luck");
    must_fail("dead", "dead", "Dead", "bad args");
    must_fail("nobody", "retrying", "NoHandler", "no handler for class \"");
    must_fail("odd", "retrying", lang->odd_class, "");
    must_fail("large", "retrying", lang->large_class, "10485");
    ck_assert_int_eq(worker_process_count(&worker, "printed at the top"), 1); /* still the same */
    must_fail("exit", "retrying", lang->exit_class, lang->exit_message);
    ask("echo", "[]");
    wait_until(HANG_MS, is("echo", "state", "completed"));
}
END_TEST

START_TEST(a_job_can_see_that_it_should_stop)
{
    char name[32];
    start(_i, 1, "");
    ask("echo", "[]"); /* the language is up */
    wait_until(HANG_MS, is("echo", "state", "completed"));
    push("default", _i == 0 ? "{\"class\":\"py.wait\",\"jid\":\"w\",\"args\":[],\"timeout\":0.5}"
                            : "{\"class\":\"js.wait\",\"jid\":\"w\",\"args\":[],\"timeout\":0.5}");
    wait_until(HANG_MS, is("w", "state", "retrying"));
    ck_assert(is("w", "error_class", "Timeout"));
    (void)snprintf(name, sizeof name, "stopped.%s", lang->name);
    ck_assert_int_eq(times_in_file(name, "w"), 1);
}
END_TEST

/* Its processes read the end of stdin: the idle ones at once, one at work when it has finished. */
START_TEST(a_killed_worker_takes_its_processes_along)
{
    start(_i, 1, "");
    ask("events", "[1]");
    wait_until(HANG_MS, is("events", "state", "completed"));
    pid_t pid = proc_child(worker.pid);
    ck_assert_int_gt(pid, 1);
    worker_process_kill(&worker);
    wait_until(HANG_MS, proc_is_gone(pid));
}
END_TEST

START_TEST(many_jobs)
{
    enum { JOBS = 2000 };
    char job[128];
    start(_i, 2, "");
    for (int i = 0; i < JOBS; i++) {
        (void)snprintf(job, sizeof job, "{\"class\":\"%s.echo\",\"jid\":\"m%d\",\"args\":[%d]}",
                       lang->name, i, i);
        push("default", job);
    }
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") == JOBS);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead"), 0);
    char *result = must_text(redis, "HGET sluice:job:m1234 result");
    ck_assert_ptr_nonnull(strstr(result, "\"args\":[1234]"));
    free(result);
}
END_TEST

/* The examples run as their settings say, and the shell needs no helper. */
START_TEST(examples)
{
    start_worker("handlers:\n"
                 "  - {class: \"py.*\", track: true, process: [\"" TEST_SOURCE_DIR
                 "/examples/process/handlers.py\"], processes: 1, "
                 "env: {PYTHONDONTWRITEBYTECODE: 1}}\n"
                 "  - {class: \"js.*\", track: true, process: [node, \"" TEST_SOURCE_DIR
                 "/examples/process/handlers.js\"], processes: 1}\n"
                 "  - {class: \"sh.*\", track: true, process: [\"" TEST_SOURCE_DIR
                 "/examples/process/handlers.sh\"], processes: 1}\n");
    lang = &languages[0];
    push("default", "{\"class\":\"py.checksum\",\"jid\":\"p\",\"args\":[\"/dev/null\"]}");
    push("default", "{\"class\":\"js.checksum\",\"jid\":\"j\",\"args\":[\"/dev/null\"]}");
    push("default", "{\"class\":\"py.checksum\",\"jid\":\"pd\",\"args\":[\"/no/such\"]}");
    push("default", "{\"class\":\"js.checksum\",\"jid\":\"jd\",\"args\":[\"/no/such\"]}");
    push("default", "{\"class\":\"sh.echo\",\"jid\":\"s\",\"args\":[1]}");
    static const char sums[] =
        "{\"/dev/null\":\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}";
    wait_until(HANG_MS, is("p", "result", sums));
    wait_until(HANG_MS, is("j", "result", sums));
    wait_until(HANG_MS, is("pd", "state", "dead"));
    wait_until(HANG_MS, is("jd", "state", "dead"));
    wait_until(HANG_MS, is("s", "state", "completed"));
    ck_assert_int_eq(must_int(redis, "LLEN sluice:stream:s"), 2);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("helpers for processes");
    TCase *tc = new_case(suite, "helpers");
    tcase_add_loop_test(tc, results_and_events, 0, LANGUAGES);
    tcase_add_loop_test(tc, what_is_printed_goes_to_the_log, 0, LANGUAGES);
    tcase_add_loop_test(tc, failures_have_their_class_and_words, 0, LANGUAGES);
    tcase_add_loop_test(tc, a_job_can_see_that_it_should_stop, 0, LANGUAGES);
    tcase_add_loop_test(tc, a_killed_worker_takes_its_processes_along, 0, LANGUAGES);
    tcase_add_loop_test(tc, many_jobs, 0, LANGUAGES);
    tcase_add_test(tc, examples);
    return suite;
}
