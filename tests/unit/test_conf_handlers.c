/* The handlers list of the settings file. */
#include "test_conf.h"

#define KEYS                                                                                       \
    "class, plugin, exec, process, http, timeout, silence_timeout, retry, track, stream, "         \
    "max_concurrency, workdir, env, max_cpu, max_memory, processes, max_jobs, max_rss, "           \
    "secret_file, tls_ca"
#define KINDS "must have exactly one of plugin, exec, process and http"

START_TEST(all_keys)
{
    struct conf *c = accept_yaml("handlers:\n"
                                 "  - {class: checksum, plugin: build/lib/checksum.so}\n"
                                 "  - class: \"thumb.*\"\n"
                                 "    exec: [./bin/thumb, --fast, \"\", 5]\n"
                                 "    timeout: 30\n"
                                 "    silence_timeout: 0.5\n"
                                 "    retry: 0\n"
                                 "    track: on\n"
                                 "    stream: no\n"
                                 "    workdir: /srv\n"
                                 "    env: {A: 1, _b2: \"two words\", EMPTY: \"\"}\n");
    ck_assert_int_eq(c->nhandlers, 2);
    const struct conf_handler *h = &c->handlers[0];
    ck_assert_str_eq(h->file, "conf.yaml");
    ck_assert_int_eq(h->line, 2);
    ck_assert_str_eq(h->klass, "checksum");
    ck_assert_int_eq(h->kind, CONF_PLUGIN);
    ck_assert_str_eq(h->plugin, "build/lib/checksum.so");
    ck_assert_ptr_null(h->argv);
    ck_assert_double_eq(h->timeout_s, 0);
    ck_assert_double_eq(h->silence_timeout_s, 0);
    ck_assert_int_eq(h->retry, -1);
    ck_assert(!h->track);
    ck_assert(h->stream);
    ck_assert_ptr_null(h->workdir);
    ck_assert_int_eq(h->nenv, 0);

    h = &c->handlers[1];
    ck_assert_int_eq(h->line, 3);
    ck_assert_str_eq(h->klass, "thumb.*");
    ck_assert_int_eq(h->kind, CONF_EXEC);
    ck_assert_ptr_null(h->plugin);
    static const char *const argv[] = {"./bin/thumb", "--fast", "", "5"};
    for (int i = 0; i < 4; i++)
        ck_assert_str_eq(h->argv[i], argv[i]);
    ck_assert_ptr_null(h->argv[4]);
    ck_assert_double_eq(h->timeout_s, 30);
    ck_assert_double_eq(h->silence_timeout_s, 0.5);
    ck_assert_int_eq(h->retry, 0);
    ck_assert(h->track);
    ck_assert(!h->stream);
    ck_assert_str_eq(h->workdir, "/srv");
    ck_assert_int_eq(h->nenv, 3);
    ck_assert_str_eq(h->env[0].name, "A");
    ck_assert_str_eq(h->env[0].value, "1");
    ck_assert_str_eq(h->env[1].name, "_b2");
    ck_assert_str_eq(h->env[1].value, "two words");
    ck_assert_str_eq(h->env[2].value, "");
    conf_unref(c);
}
END_TEST

START_TEST(keys_of_programs)
{
    struct conf *c = accept_yaml("handlers:\n"
                                 "  - class: \"py.*\"\n"
                                 "    process: [python3, handlers.py]\n"
                                 "    processes: 4\n"
                                 "    max_jobs: 1000\n"
                                 "    max_rss: 512\n"
                                 "    max_concurrency: 3\n"
                                 "    workdir: /srv\n"
                                 "    env: {A: 1}\n"
                                 "  - {class: b, process: [p]}\n"
                                 "  - {class: c, exec: [p], max_cpu: 10, max_memory: 64}\n");
    const struct conf_handler *h = &c->handlers[0];
    ck_assert_int_eq(h->kind, CONF_PROCESS);
    ck_assert_str_eq(h->argv[1], "handlers.py");
    ck_assert_ptr_null(h->argv[2]);
    ck_assert_int_eq(h->processes, 4);
    ck_assert_int_eq(h->max_jobs, 1000);
    ck_assert_int_eq(h->max_rss_mb, 512);
    ck_assert_int_eq(h->max_concurrency, 3);
    ck_assert_str_eq(h->workdir, "/srv");
    ck_assert_int_eq(h->nenv, 1);
    ck_assert_int_eq(c->handlers[1].processes, 0);
    ck_assert_int_eq(c->handlers[2].max_cpu_s, 10);
    ck_assert_int_eq(c->handlers[2].max_memory_mb, 64);

    char *text = dump_of(c); /* reads back to the same */
    conf_unref(c);
    struct conf *again = accept_yaml(text);
    char *second = dump_of(again);
    ck_assert_str_eq(second, text);
    ck_assert_ptr_nonnull(strstr(text, "    process: [\"python3\", \"handlers.py\"]\n"));
    free(second);
    free(text);
    conf_unref(again);
}
END_TEST

START_TEST(retry_as_a_truth_value)
{
    struct conf *c = accept_yaml("handlers:\n"
                                 "  - {class: a, plugin: p, retry: true}\n"
                                 "  - {class: b, plugin: p, retry: false}\n"
                                 "  - {class: c, plugin: p, retry: 1000}\n");
    ck_assert_int_eq(c->handlers[0].retry, 25);
    ck_assert_int_eq(c->handlers[1].retry, 0);
    ck_assert_int_eq(c->handlers[2].retry, 1000);
    conf_unref(c);
}
END_TEST

START_TEST(many)
{
    enum { MANY = 300 };
    struct buf yaml = {0};
    buf_puts(&yaml, "handlers:\n");
    for (int i = 0; i < MANY; i++)
        buf_printf(&yaml, "  - {class: c%d, exec: [e]}\n", i);
    struct conf *c = accept_yaml(buf_str(&yaml));
    ck_assert_int_eq(c->nhandlers, MANY);
    for (int i = 0; i < MANY; i++) {
        ck_assert_int_eq(c->handlers[i].line, i + 2);
        ck_assert_int_eq(atoi(c->handlers[i].klass + 1), i);
        ck_assert_ptr_null(c->handlers[i].argv[1]);
    }
    conf_unref(c);

    buf_clear(&yaml);
    buf_puts(&yaml, "handlers: [{class: c, exec: [e], env: {A: a");
    for (int i = 0; i < 256; i++)
        buf_printf(&yaml, ",\n  A%d: a", i);
    buf_puts(&yaml, "}}]\n");
    refuse_yaml(buf_str(&yaml), "conf.yaml:257: env has more than 256 names, the most allowed");
    buf_release(&yaml);
}
END_TEST

static const struct {
    const char *yaml, *line;
} refused[] = {
    {"handlers: {class: a}\n", "conf.yaml:1: handlers is a mapping, must be a list of mappings"},
    {"handlers: x\n", "conf.yaml:1: handlers is a word, must be a list of mappings"},
    {"handlers:\n  - checksum\n", "conf.yaml:2: a handler is a word, must be a mapping with " KEYS},
    {"handlers:\n  -\n", "conf.yaml:2: a handler is without a value, must be a mapping with " KEYS},
    {"handlers:\n  - plugin: p\n    timeout: 1\n",
     "conf.yaml:2: a handler without class, must have one"},
    {"handlers: [{}]", "conf.yaml:1: a handler without class, must have one"},
    {"handlers: [{class: '', plugin: p}]",
     "conf.yaml:1: class is \"\", must be text of 1 to 256 printable bytes"},
    {"handlers: [{class: a}]", "conf.yaml:1: handler \"a\" has no kind, " KINDS},
    {"handlers:\n\n  - class: a\n    plugin: p\n    exec: [e]\n",
     "conf.yaml:3: handler \"a\" has plugin and exec, " KINDS},
    {"handlers: [{class: a, plugin: p, process: [e]}]",
     "conf.yaml:1: handler \"a\" has plugin and process, " KINDS},
    {"handlers:\n  - class: a\n    exec: [e]\n    process: [e]\n",
     "conf.yaml:4: a handler has exec and process, " KINDS},
    {"handlers:\n  - {class: a, plugin: p}\n  - class: b\n    pluginn: p\n",
     "conf.yaml:4: unknown key \"pluginn\" in a handler, must be one of " KEYS},
    {"handlers:\n  - class: a\n    exec: [e]\n    class: b\n",
     "conf.yaml:4: class is given twice, first on line 2"},
    {"handlers:\n  - class: a\n    exec: [e]\n    exec: [f]\n",
     "conf.yaml:4: exec is given twice, first on line 3"},

    {"handlers: [{class: a, http: u, plugin: p}]",
     "conf.yaml:1: handler \"a\" has plugin and http, " KINDS},
    {"handlers: [{class: a, http: u, env: {A: b}}]",
     "conf.yaml:1: handler \"a\" has env, which an http cannot have, only exec and process"},
    {"handlers: [{class: a, exec: [e], secret_file: f}]",
     "conf.yaml:1: handler \"a\" has secret_file, which an exec cannot have, only http"},

    {"handlers: [{class: a, process: [a], processes: 0}]",
     "conf.yaml:1: processes is \"0\", must be a whole number from 1 to 1000"},
    {"handlers: [{class: a, process: [a], processes: 1001}]",
     "conf.yaml:1: processes is \"1001\", must be a whole number from 1 to 1000"},
    {"handlers: [{class: a, process: [a], max_jobs: many}]",
     "conf.yaml:1: max_jobs is \"many\", must be a whole number from 0 to 1000000"},
    {"handlers: [{class: a, process: [a], max_rss: -1}]",
     "conf.yaml:1: max_rss is \"-1\", must be a whole number from 0 to 1048576"},
    {"handlers: [{class: a, plugin: p, max_concurrency: 10001}]",
     "conf.yaml:1: max_concurrency is \"10001\", must be a whole number from 0 to 10000"},
    {"handlers: [{class: a, exec: [a], max_cpu: 0.5}]",
     "conf.yaml:1: max_cpu is \"0.5\", must be a whole number from 0 to 604800"},
    {"handlers: [{class: a, exec: [a], processes: 4}]",
     "conf.yaml:1: handler \"a\" has processes, which an exec cannot have, only process"},
    {"handlers: [{class: a, process: [a], max_cpu: 4}]",
     "conf.yaml:1: handler \"a\" has max_cpu, which a process cannot have, only exec"},
    {"handlers: [{class: a, plugin: p, max_rss: 4}]",
     "conf.yaml:1: handler \"a\" has max_rss, which a plugin cannot have, only process"},

    {"handlers: [{class: a, process: python3}]",
     "conf.yaml:1: process is a word, must be a list of a program and its arguments"},
    {"handlers: [{class: a, process: []}]",
     "conf.yaml:1: process has no program, must be a list that begins with one"},
    {"handlers: [{class: a, process: [a, ~]}]",
     "conf.yaml:1: an argument of process is without a value, must be text"},
    {"handlers:\n  - class: a\n    exec: ./bin/a --fast\n",
     "conf.yaml:3: exec is a word, must be a list of a program and its arguments"},
    {"handlers: [{class: a, exec: []}]",
     "conf.yaml:1: exec has no program, must be a list that begins with one"},
    {"handlers: [{class: a, exec: ['', b]}]",
     "conf.yaml:1: exec has no program, must be a list that begins with one"},
    {"handlers: [{class: a, exec: [a,\n [b]]}]",
     "conf.yaml:2: an argument of exec is a list, must be text"},
    {"handlers: [{class: a, exec: [a, ~]}]",
     "conf.yaml:1: an argument of exec is without a value, must be text"},
    {"handlers: [{class: a, exec: [\"a\\0b\"]}]",
     "conf.yaml:1: an argument of exec holds a NUL byte, must be text"},

    {"handlers: [{class: a, timeout: -1}]",
     "conf.yaml:1: timeout is \"-1\", must be a number of seconds from 0 to 604800"},
    {"handlers: [{class: a, silence_timeout: soon}]",
     "conf.yaml:1: silence_timeout is \"soon\", must be a number of seconds from 0 to 604800"},
    {"handlers: [{class: a, retry: 1001}]",
     "conf.yaml:1: retry is \"1001\", must be a whole number from 0 to 1000, true or false"},
    {"handlers: [{class: a, retry: -1}]",
     "conf.yaml:1: retry is \"-1\", must be a whole number from 0 to 1000, true or false"},
    {"handlers: [{class: a, track: maybe}]",
     "conf.yaml:1: track is \"maybe\", must be true or false (or yes, no, on, off)"},
    {"handlers: [{class: a, stream: [true]}]",
     "conf.yaml:1: stream is a list, must be true or false (or yes, no, on, off)"},
    {"handlers: [{class: a, workdir: ''}]",
     "conf.yaml:1: workdir is \"\", must be text of 1 to 4096 printable bytes"},

    {"handlers: [{class: a, exec: [a], env: [A=1]}]",
     "conf.yaml:1: env is a list, must be a mapping of NAME: value"},
    {"handlers: [{class: a, exec: [a], env: {2A: hunter2}}]",
     "conf.yaml:1: \"2A\" in env is no name, must be letters, digits and _"},
    {"handlers: [{class: a, exec: [a], env: {A-B: x}}]",
     "conf.yaml:1: \"A-B\" in env is no name, must be letters, digits and _"},
    {"handlers: [{class: a, exec: [a], env: {A: hunter2,\n A: x}}]",
     "conf.yaml:2: A in env is given twice, must be once"},
    {"handlers: [{class: a, exec: [a], env: {A: }}]",
     "conf.yaml:1: A is without a value, must be text"},
    {"handlers: [{class: a, exec: [a], env: {A: \"hunter2\\0\"}}]",
     "conf.yaml:1: A holds a NUL byte, must be text"},
    {"handlers:\n  - {class: a, plugin: p, env: {A: x}}\n",
     "conf.yaml:2: handler \"a\" has env, which a plugin cannot have, only exec and process"},
    {"handlers:\n  - {class: a, plugin: p, workdir: /}\n",
     "conf.yaml:2: handler \"a\" has workdir, which a plugin cannot have, only exec and process"},
};

START_TEST(is_refused)
{
    refuse_yaml(refused[_i].yaml, refused[_i].line);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("conf: handlers");
    TCase *tc = conf_case("accepted");
    tcase_add_test(tc, all_keys);
    tcase_add_test(tc, keys_of_programs);
    tcase_add_test(tc, retry_as_a_truth_value);
    tcase_add_test(tc, many);
    suite_add_tcase(s, tc);

    tc = conf_case("refused");
    tcase_add_loop_test(tc, is_refused, 0, sizeof refused / sizeof *refused);
    suite_add_tcase(s, tc);
    return s;
}
