/* Plugins: what is refused and in which words, and how a job meets run(). */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "unit/fake_run.h"

#define FOLDER TEST_BINARY_DIR "/tests/"

static const struct {
    const char *file;
    const char *message; /* after the file's name */
} refused[] = {
    {FOLDER "bad_symbol.so", ": no symbol \"sluice_plugin\""},
    {FOLDER "bad_abi.so", " was built for handler ABI 2, this worker speaks 1"},
    {FOLDER "bad_size.so", ": size in sluice_plugin is 8, less than the 40 of ABI 1"},
    {FOLDER "bad_run.so", ": sluice_plugin has no run()"},
    {FOLDER "bad_init.so", ": init failed: no licence"},
    {FOLDER "no_such.so", ": cannot open shared object file: No such file or directory"},
    {"/dev/null", ": file too short"},
    {TEST_SOURCE_DIR "/docs/STYLE.md", ": invalid ELF header"},
};

START_TEST(what_is_no_plugin_is_a_configuration_error)
{
    struct conf_handler conf = {.kind = CONF_PLUGIN, .plugin = (char *)refused[_i].file};
    struct handler *h = NULL;
    struct err err = {0};
    ck_assert_int_eq(plugin_kind.open(&conf, &h, &err), -EINVAL);
    ck_assert_ptr_null(h);
    size_t n = strlen(refused[_i].file);
    ck_assert_int_eq(strncmp(err.text, refused[_i].file, n), 0);
    ck_assert_str_eq(err.text + n, refused[_i].message);
}
END_TEST

START_TEST(a_bare_name_is_a_file_here)
{
    struct conf_handler conf = {.kind = CONF_PLUGIN, .plugin = (char *)"libc.so.6"};
    struct handler *h = NULL;
    struct err err = {0};
    ck_assert_int_eq(plugin_kind.open(&conf, &h, &err), -EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "./libc.so.6: cannot open"));
}
END_TEST

static struct handler *open_plugin(struct conf_handler *conf, const char *path)
{
    struct handler *h = NULL;
    struct err err = {0};
    *conf =
        (struct conf_handler){.klass = (char *)"test", .kind = CONF_PLUGIN, .plugin = (char *)path};
    int rc = plugin_kind.open(conf, &h, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    return h;
}

static int counter(void *dl, const char *name)
{
    atomic_int *n = dlsym(dl, name);
    ck_assert_ptr_nonnull(n);
    return atomic_load(n);
}

START_TEST(an_object_is_initialised_once_and_finished_last)
{
    struct conf_handler conf[2];
    void *dl = dlopen(FOLDER "testplugin.so", RTLD_NOW | RTLD_LOCAL); /* to look at it at the end */
    ck_assert_ptr_nonnull(dl);
    struct handler *one = open_plugin(&conf[0], FOLDER "testplugin.so");
    struct handler *two = open_plugin(&conf[1], FOLDER "../tests/testplugin.so");
    ck_assert_int_eq(counter(dl, "testplugin_inits"), 1);
    plugin_kind.close(one);
    ck_assert_int_eq(counter(dl, "testplugin_finis"), 0);
    plugin_kind.close(two);
    ck_assert_int_eq(counter(dl, "testplugin_finis"), 1);
    struct handler *again = open_plugin(&conf[0], FOLDER "testplugin.so");
    ck_assert_int_eq(counter(dl, "testplugin_inits"), 2);
    plugin_kind.close(again);
    ck_assert_int_eq(dlclose(dl), 0);
}
END_TEST

struct once {
    struct conf_handler conf;
    struct handler *handler;
    struct run run;
    struct outcome out;
};

static void once_open(struct once *o, const char *path)
{
    *o = (struct once){0};
    fake_run_init(&o->run);
    o->handler = open_plugin(&o->conf, path);
}

static void once_run(struct once *o, const struct run_job *job)
{
    outcome_release(&o->out);
    o->out = (struct outcome){0};
    plugin_kind.run(o->handler, job, &o->run, &fake_ops, &o->out);
}

static void once_release(struct once *o)
{
    plugin_kind.close(o->handler);
    outcome_release(&o->out);
    fake_run_release(&o->run);
}

static const struct {
    struct run_job job;
    enum run_stop stop;
    enum outcome_kind kind;
    const char *error_class;
    const char *message;
    const char *result;
} outcomes[] = {
    {FAKE_JOB("[{}]"), RUN_GOES_ON, OUTCOME_DONE, "", "", ""},
    {FAKE_JOB("[{\"result\":{\"a\":[1,null]}}]"), RUN_GOES_ON, OUTCOME_DONE, "", "",
     "{\"a\":[1,null]}"},
    {FAKE_JOB("[{\"outcome\":\"fail\",\"result\":1}]"), RUN_GOES_ON, OUTCOME_FAILED, "TestError",
     "as the test wished", ""},
    {FAKE_JOB("[{\"outcome\":\"dead\"}]"), RUN_GOES_ON, OUTCOME_DEAD, "TestError",
     "as the test wished", ""},
    {FAKE_JOB("[{\"outcome\":\"mute\"}]"), RUN_GOES_ON, OUTCOME_FAILED, "HandlerError",
     "the handler gave no reason", ""},
    {FAKE_JOB("[{\"outcome\":\"odd\"}]"), RUN_GOES_ON, OUTCOME_FAILED, "HandlerError",
     "run() returned 7, which is no outcome", ""},
    {FAKE_JOB("[{\"outcome\":\"fail\",\"until\":1}]"), RUN_GOES_ON, OUTCOME_FAILED, "TestError",
     "as the test wished", ""},
    {FAKE_JOB("[3]"), RUN_GOES_ON, OUTCOME_DEAD, "ArgumentError", "args must be one object: [{…}]",
     ""},
    {FAKE_JOB("[{\"sleep_ms\":60000}]"), RUN_CANCELLED, OUTCOME_FAILED, "Cancelled",
     "cancelled by a user", ""},
    {FAKE_JOB("[{\"sleep_ms\":60000}]"), RUN_TIMEOUT, OUTCOME_FAILED, "Timeout",
     "ran longer than 0 s", ""},
    {FAKE_JOB("[{}]"), RUN_CANCELLED, OUTCOME_DONE, "", "", ""}, /* done before it noticed */
    {FAKE_JOB("[{\"outcome\":\"dead\"}]"), RUN_SHUTDOWN, OUTCOME_DEAD, "TestError",
     "as the test wished", ""},
};

START_TEST(what_run_returns_is_the_outcome)
{
    struct once o;
    once_open(&o, FOLDER "testplugin.so");
    if (outcomes[_i].stop != RUN_GOES_ON)
        fake_run_stop(&o.run, outcomes[_i].stop);
    once_run(&o, &outcomes[_i].job);
    ck_assert_int_eq(o.out.kind, outcomes[_i].kind);
    ck_assert_str_eq(o.out.error_class, outcomes[_i].error_class);
    ck_assert_str_eq(buf_str(&o.out.message), outcomes[_i].message);
    ck_assert_str_eq(buf_str(&o.out.result), outcomes[_i].result);
    once_release(&o);
}
END_TEST

START_TEST(events_arrive_in_order)
{
    const struct run_job job = FAKE_JOB("[{\"emit\":3}]");
    struct once o;
    once_open(&o, FOLDER "testplugin.so");
    once_run(&o, &job);
    ck_assert_int_eq(o.out.kind, OUTCOME_DONE);
    ck_assert_str_eq(buf_str(&o.run.events), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
    once_release(&o);
}
END_TEST

enum { THREADS = 16, RUNS = 200 };

static void *run_many(void *arg)
{
    struct once *o = arg;
    const struct run_job job = FAKE_JOB("[{\"emit\":1,\"result\":[true]}]");
    for (int i = 0; i < RUNS; i++) {
        struct outcome out = {0};
        plugin_kind.run(o->handler, &job, &o->run, &fake_ops, &out);
        ck_assert_int_eq(out.kind, OUTCOME_DONE);
        ck_assert_str_eq(buf_str(&out.result), "[true]");
        outcome_release(&out);
    }
    return NULL;
}

START_TEST(many_threads_share_one_plugin)
{
    struct once o;
    struct thread threads[THREADS];
    once_open(&o, FOLDER "testplugin.so");
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "runner", run_many, &o), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(o.run.nevents, THREADS * RUNS);
    once_release(&o);
}
END_TEST

#define CHECKSUM    TEST_BINARY_DIR "/lib/checksum.so"
#define SLEEP       TEST_BINARY_DIR "/lib/sleep.so"
#define NOOP        TEST_BINARY_DIR "/lib/noop.so"
#define WANTS_PATHS "args must be one or more paths: [\"/etc/hosts\", …]"
#define WANTS_MS    "args must be [MILLISECONDS], a number from 0 to 86400000"

/* The example that the documentation starts with. */
START_TEST(checksum_of_one_file)
{
    const struct run_job job = FAKE_JOB("[\"/etc/passwd\"]");
    struct once o;
    once_open(&o, CHECKSUM);
    once_run(&o, &job);
    ck_assert_msg(o.out.kind == OUTCOME_DONE, "%s", buf_str(&o.out.message));
    const char *head = "{\"path\":\"/etc/passwd\",\"sha256\":\"";
    ck_assert_int_eq(strncmp(buf_str(&o.out.result), head, strlen(head)), 0);
    ck_assert_uint_eq(o.run.events.n, 0);
    once_release(&o);
}
END_TEST

#define SHA256_OF_NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

START_TEST(checksum_of_several_files)
{
    char path[] = "/tmp/sluice-empty-XXXXXX", args[256], sum[256], expected[1024];
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(close(fd), 0);
    (void)snprintf(args, sizeof args, "[\"%s\",\"%s\"]", path, path);
    (void)snprintf(sum, sizeof sum,
                   "{\"path\":\"%s\",\"sha256\":\"" SHA256_OF_NOTHING "\",\"bytes\":0}", path);
    struct run_job job = FAKE_JOB("[]");
    job.args = slice_of(args);
    struct once o;
    once_open(&o, CHECKSUM);
    once_run(&o, &job);
    ck_assert_int_eq(o.out.kind, OUTCOME_DONE);
    (void)snprintf(expected, sizeof expected, "%s\n%s\n", sum, sum);
    ck_assert_str_eq(buf_str(&o.run.events), expected);
    (void)snprintf(expected, sizeof expected, "[%s,%s]", sum, sum);
    ck_assert_str_eq(buf_str(&o.out.result), expected);
    once_release(&o);
    ck_assert_int_eq(unlink(path), 0);
}
END_TEST

static const struct {
    const char *plugin;
    struct run_job job;
    enum run_stop stop;
    enum outcome_kind kind;
    const char *message;
} examples[] = {
    {CHECKSUM, FAKE_JOB("[]"), RUN_GOES_ON, OUTCOME_DEAD, WANTS_PATHS},
    {CHECKSUM, FAKE_JOB("[1]"), RUN_GOES_ON, OUTCOME_DEAD, WANTS_PATHS},
    {CHECKSUM, FAKE_JOB("[\"/no/such\"]"), RUN_GOES_ON, OUTCOME_FAILED,
     "/no/such: No such file or directory"},
    {CHECKSUM, FAKE_JOB("[\"/etc\"]"), RUN_GOES_ON, OUTCOME_FAILED, "/etc: not a regular file"},
    {CHECKSUM, FAKE_JOB("[\"/dev/zero\"]"), RUN_GOES_ON, OUTCOME_FAILED,
     "/dev/zero: not a regular file"},
    {CHECKSUM, FAKE_JOB("[\"/etc/passwd\"]"), RUN_CANCELLED, OUTCOME_FAILED, "cancelled by a user"},
    {SLEEP, FAKE_JOB("[1]"), RUN_GOES_ON, OUTCOME_DONE, ""},
    {SLEEP, FAKE_JOB("[60000]"), RUN_CANCELLED, OUTCOME_FAILED, "cancelled by a user"},
    {SLEEP, FAKE_JOB("[\"1\"]"), RUN_GOES_ON, OUTCOME_DEAD, WANTS_MS},
    {SLEEP, FAKE_JOB("[-1]"), RUN_GOES_ON, OUTCOME_DEAD, WANTS_MS},
    {NOOP, FAKE_JOB("[null]"), RUN_GOES_ON, OUTCOME_DONE, ""},
};

START_TEST(examples_say_what_is_wrong)
{
    struct once o;
    once_open(&o, examples[_i].plugin);
    if (examples[_i].stop != RUN_GOES_ON)
        fake_run_stop(&o.run, examples[_i].stop);
    once_run(&o, &examples[_i].job);
    ck_assert_int_eq(o.out.kind, examples[_i].kind);
    ck_assert_str_eq(buf_str(&o.out.message), examples[_i].message);
    once_release(&o);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("plugin");
    TCase *open = tcase_create("open");
    tcase_add_loop_test(open, what_is_no_plugin_is_a_configuration_error, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(open, a_bare_name_is_a_file_here);
    tcase_add_test(open, an_object_is_initialised_once_and_finished_last);
    suite_add_tcase(s, open);
    TCase *run = tcase_create("run");
    tcase_set_timeout(run, 60);
    tcase_add_loop_test(run, what_run_returns_is_the_outcome, 0,
                        sizeof outcomes / sizeof *outcomes);
    tcase_add_test(run, events_arrive_in_order);
    tcase_add_test(run, many_threads_share_one_plugin);
    suite_add_tcase(s, run);
    TCase *example = tcase_create("examples");
    tcase_add_test(example, checksum_of_one_file);
    tcase_add_test(example, checksum_of_several_files);
    tcase_add_loop_test(example, examples_say_what_is_wrong, 0, sizeof examples / sizeof *examples);
    suite_add_tcase(s, example);
    return s;
}
