/* Settings as text: the dump, its secrets, and config/worker.yaml against the table. */
#include "test_conf.h"

START_TEST(secrets_are_masked)
{
    static const struct {
        const char *url, *shown;
    } cases[] = {
        {"redis://user:hunter2@db:1/0", "url: \"redis://********@db:1/0\"\n"},
        {"rediss://:hunter2@db", "url: \"rediss://********@db\"\n"},
        {"redis://:hunter2@/@hunter2@db", "url: \"redis://********@db\"\n"},
        {"unix://hunter2@/run/redis.sock", "url: \"unix://********@/run/redis.sock\"\n"},
        {"redis://db:1/0", "url: \"redis://db:1/0\"\n"},
    };
    ck_assert_int_eq(setenv("REDIS_PASSWORD", "hunter2", 1), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(setenv("REDIS_URL", cases[i].url, 1), 0);
        struct conf *c = accept_yaml("handlers: [{class: a, exec: [b], env: {TOKEN: hunter2}}]\n");
        ck_assert_str_eq(c->redis_url, cases[i].url);
        char *dump = dump_of(c);
        ck_assert_ptr_nonnull(strstr(dump, cases[i].shown));
        ck_assert_ptr_nonnull(strstr(dump, "  password: \"********\"\n"));
        ck_assert_ptr_nonnull(strstr(dump, "    env: {TOKEN: \"********\"}\n"));
        ck_assert_ptr_null(strstr(dump, "hunter2"));
        free(dump);
        conf_unref(c);
    }
}
END_TEST

START_TEST(a_dump_loads_again)
{
    struct conf *c =
        accept_yaml("redis: {host: \"a \\\"quoted\\\" \\\\ name\", idle_timeout: 0.125}\n"
                    "worker: {queues: [a:3, b], lease: 1.000001}\n"
                    "metrics: {listen: off}\n"
                    "handlers:\n"
                    "  - {class: 'a*', plugin: ./a.so, timeout: 2.5, retry: true}\n"
                    "  - {class: b, exec: [x, 'y \" z', \"\\n\"], stream: false}\n");
    char *first = dump_of(c);
    conf_unref(c);
    c = accept_yaml(first);
    char *second = dump_of(c);
    ck_assert_str_eq(first, second);
    ck_assert_ptr_nonnull(strstr(first, "  host: \"a \\\"quoted\\\" \\\\ name\"\n"));
    ck_assert_ptr_nonnull(strstr(first, "  lease: 1.000001\n"));
    ck_assert_ptr_nonnull(strstr(first, "  queues: [\"a:3\", \"b:1\"]\n"));
    free(first);
    free(second);
    conf_unref(c);
}
END_TEST

static char *read_all(const char *path)
{
    struct buf text = {0};
    char chunk[4096];
    size_t n;
    FILE *f = fopen(path, "r");
    ck_assert_msg(f, "cannot open %s", path);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(&text, chunk, n);
    ck_assert_int_eq(fclose(f), 0);
    char *all = buf_steal(&text, NULL);
    ck_assert_ptr_nonnull(all);
    return all;
}

/* What YAML folds, refuses or takes for the end of a line. */
START_TEST(a_dump_escapes_what_yaml_would_not_keep)
{
    struct conf *c =
        accept_yaml("redis: {username: \"a\\L\\P\\uFEFF\\uFFFE\\\\\\\"\\u00e4\\U0001F600\"}\n"
                    "handlers: [{class: x, exec: [\"a\\N\\n\\t\\x9bz\"]}]\n");
    char *dump = dump_of(c);
    ck_assert_ptr_nonnull(strstr(dump, "  username: \"a\\u2028\\u2029\\ufeff\\ufffe\\\\\\\"\xc3\xa4"
                                       "\xf0\x9f\x98\x80\"\n"));
    ck_assert_ptr_nonnull(strstr(dump, "    exec: [\"a\\x85\\x0a\\x09\\x9bz\"]\n"));
    struct conf *back = accept_yaml(dump);
    ck_assert_str_eq(back->redis_username, c->redis_username);
    ck_assert_str_eq(back->handlers[0].argv[0], c->handlers[0].argv[0]);
    free(dump);
    conf_unref(c);
    conf_unref(back);

    ck_assert_int_eq(setenv("REDIS_HOST", "h\xff\xc3", 1), 0); /* bytes that are no text */
    c = accept_yaml("");
    dump = dump_of(c);
    ck_assert_ptr_nonnull(strstr(dump, "  host: \"h\\xff\\xc3\"\n"));
    free(dump);
    conf_unref(c);
}
END_TEST

START_TEST(worker_yaml_is_the_table)
{
    const char *path = TEST_SOURCE_DIR "/config/worker.yaml";
    char *file = read_all(path);
    struct buf expected = {0};
    conf_print_defaults(CONF_WORKER, &expected);
    ck_assert_int_eq(buf_error(&expected), 0);
    ck_assert_msg(strncmp(file, buf_str(&expected), expected.n) == 0,
                  "config/worker.yaml does not begin with conf_print_defaults():\n%s",
                  buf_str(&expected));
    buf_release(&expected);

    for (int i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        struct buf line = {0};
        if (!(s->programs & CONF_WORKER))
            continue;
        if (s->preset)
            buf_printf(&line, "\n  %s: %s\n", s->key, *s->preset ? s->preset : "\"\"");
        else
            buf_printf(&line, "\n  # %s: %s\n", s->key, s->example);
        ck_assert_msg(strstr(file, buf_str(&line)), "no %s", buf_str(&line));
        ck_assert_msg(strstr(file, s->doc), "no line \"%s\"", s->doc);
        ck_assert_msg(strstr(file, s->env), "no %s", s->env);
        buf_release(&line);
    }

    struct conf *from_file = accept_with(NULL, (struct conf_flags){.config_file = path});
    struct conf *built_in = accept_yaml(NULL);
    char *one = dump_of(from_file), *other = dump_of(built_in);
    ck_assert_str_eq(one, other);
    ck_assert_int_eq(from_file->nhandlers, 0);
    free(one);
    free(other);
    conf_unref(from_file);
    conf_unref(built_in);
    free(file);
}
END_TEST

/* What stands commented out in the file is right, too. */
START_TEST(worker_yaml_examples_load)
{
    char *file = read_all(TEST_SOURCE_DIR "/config/worker.yaml");
    struct buf yaml = {0};
    char *rest = NULL;
    for (char *line = strtok_r(file, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        bool in_handlers = yaml.n && strstr(buf_str(&yaml), "\nhandlers:");
        char *mark = strncmp(line, "  # ", 4) == 0 ? line + 2 : NULL;
        bool example = false;
        for (int i = 0; mark && i < SETTINGS; i++) {
            const char *key = settings[i].preset ? NULL : settings[i].key;
            example |= key && strncmp(mark + 2, key, strlen(key)) == 0 &&
                       strcmp(mark + 2 + strlen(key) + 2, settings[i].example) == 0;
        }
        if (mark && (in_handlers || example))
            memmove(mark, mark + 2, strlen(mark + 2) + 1);
        buf_printf(&yaml, "%s\n", line);
    }
    struct conf *c = accept_yaml(buf_str(&yaml));
    ck_assert_str_eq(c->redis_password, "secret");
    ck_assert_int_eq(c->nhandlers, 4);
    ck_assert_str_eq(c->handlers[0].plugin, "lib/checksum.so");
    ck_assert_str_eq(c->handlers[1].argv[1], "--fast");
    ck_assert_int_eq(c->handlers[2].processes, 4);
    ck_assert_str_eq(c->handlers[3].url, "https://example.com/jobs");
    conf_unref(c);
    buf_release(&yaml);
    free(file);
}
END_TEST

START_TEST(a_command_prints_its_own_defaults)
{
    struct buf out = {0};
    conf_print_defaults(CONF_COMMAND, &out);
    ck_assert_ptr_nonnull(strstr(buf_str(&out), "REDIS_URL, --redis: "));
    ck_assert_ptr_nonnull(strstr(buf_str(&out), "\nworker:\n"));
    ck_assert_ptr_null(strstr(buf_str(&out), "SLUICE_THREADS"));
    ck_assert_ptr_null(strstr(buf_str(&out), "metrics:"));
    struct conf *c = accept_yaml(buf_str(&out));
    conf_unref(c);
    buf_release(&out);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("conf: texts");
    TCase *tc = conf_case("texts");
    tcase_add_test(tc, secrets_are_masked);
    tcase_add_test(tc, a_dump_loads_again);
    tcase_add_test(tc, a_dump_escapes_what_yaml_would_not_keep);
    tcase_add_test(tc, worker_yaml_is_the_table);
    tcase_add_test(tc, worker_yaml_examples_load);
    tcase_add_test(tc, a_command_prints_its_own_defaults);
    suite_add_tcase(s, tc);
    return s;
}
