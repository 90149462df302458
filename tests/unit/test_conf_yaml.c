/* The YAML file: what is refused, with the exact line, and the little that is odd but right. */
#include "test_conf.h"

#define REDIS_KEYS                                                                                 \
    "url, host, port, username, password, db, ssl, tls_ca, tls_cert, tls_key, "                    \
    "sentinel_username, sentinel_password, connect_timeout, "                                      \
    "socket_timeout, idle_timeout, max_concurrent_ops, max_connections, key_prefix"
#define SECTIONS "redis, worker, log, metrics, api, handlers"
#define NO_EXTRAS                                                                                  \
    "anchors, aliases and tags are not allowed, text with & * ! in front must be in quotes"

static const struct {
    const char *yaml, *line;
} refused[] = {
    /* structure */
    {"[redis]", "conf.yaml:1: the file is a list, must be a mapping of sections"},
    {"\n\nredis", "conf.yaml:3: the file is a word, must be a mapping of sections"},
    {"# x\nredis: hunter2\n", "conf.yaml:2: redis is a word, must be a mapping of settings"},
    {"redis: []\n", "conf.yaml:1: redis is a list, must be a mapping of settings"},
    {"redis: {}\n---\nredis: {}\n", "conf.yaml:2: a second document, must be one only"},
    {"---\n...\n---\n", "conf.yaml:3: a second document, must be one only"},

    /* keys */
    {"log: {}\nreddis: {port: 1}\n",
     "conf.yaml:2: unknown section \"reddis\", must be one of " SECTIONS},
    {"apis:\n  listen: x\n", "conf.yaml:1: unknown section \"apis\", must be one of " SECTIONS},
    {"threads: 5\n", "conf.yaml:1: unknown section \"threads\", must be one of " SECTIONS},
    {"redis:\n  port: 1\n  prot: 1\n",
     "conf.yaml:3: unknown key \"prot\" in redis, must be one of " REDIS_KEYS},
    {"log: {Level: info}", "conf.yaml:1: unknown key \"Level\" in log, must be one of level, "
                           "format"},
    {"metrics: {\"a\\nb\": 1}",
     "conf.yaml:1: unknown key \"a b\" in metrics, must be one of listen"},
    {"redis: {}\nlog: {}\nredis: {}\n", "conf.yaml:3: redis is given twice, first on line 1"},
    {"handlers:\nhandlers:\n", "conf.yaml:2: handlers is given twice, first on line 1"},
    {"redis:\n  db: 1\n  host: x\n  db: 1\n",
     "conf.yaml:4: redis.db is given twice, first on line 2"},
    {"redis: {[a]: 1}", "conf.yaml:1: a key is a list, must be text"},
    {"? {a: b}\n: 1", "conf.yaml:1: a key is a mapping, must be text"},
    {"redis: {~: 1}", "conf.yaml:1: a key is without a value, must be text"},
    {"redis: {\"a\\0b\": 1}", "conf.yaml:1: a key holds a NUL byte, must be text"},

    /* types */
    {"worker:\n  threads: [1]\n",
     "conf.yaml:2: worker.threads is a list, must be a whole number from 1 to 10000"},
    {"worker:\n  threads: {a: 1}\n",
     "conf.yaml:2: worker.threads is a mapping, must be a whole number from 1 to 10000"},
    {"worker:\n  threads: \"5\"\n",
     "conf.yaml:2: worker.threads is text in quotes, must be a whole number from 1 to 10000"},
    {"worker:\n\n  threads:\n",
     "conf.yaml:3: worker.threads is without a value, must be a whole number from 1 to 10000"},
    {"worker: {threads: ~}",
     "conf.yaml:1: worker.threads is without a value, must be a whole number from 1 to 10000"},
    {"worker: {threads: yes}",
     "conf.yaml:1: worker.threads is \"yes\", must be a whole number from 1 to 10000"},
    {"worker: {threads: 5.0}",
     "conf.yaml:1: worker.threads is \"5.0\", must be a whole number from 1 to 10000"},
    {"worker: {threads: 0x10}",
     "conf.yaml:1: worker.threads is \"0x10\", must be a whole number from 1 to 10000"},
    {"worker: {threads: 010}",
     "conf.yaml:1: worker.threads is \"010\", must be a whole number from 1 to 10000"},
    {"worker: {lease: 1e3}",
     "conf.yaml:1: worker.lease is \"1e3\", must be a number of seconds from 1 to 3600"},
    {"worker: {lease: 5.}",
     "conf.yaml:1: worker.lease is \"5.\", must be a number of seconds from 1 to 3600"},
    {"worker: {lease: 15s}",
     "conf.yaml:1: worker.lease is \"15s\", must be a number of seconds from 1 to 3600"},
    {"redis: {ssl: 'yes'}",
     "conf.yaml:1: redis.ssl is text in quotes, must be true or false (or yes, no, on, off)"},
    {"redis: {ssl: 0}",
     "conf.yaml:1: redis.ssl is \"0\", must be true or false (or yes, no, on, off)"},
    {"redis:\n  host: null\n",
     "conf.yaml:2: redis.host is without a value, must be text of 1 to 255 printable bytes"},
    {"redis: {host: ''}",
     "conf.yaml:1: redis.host is \"\", must be text of 1 to 255 printable bytes"},
    {"redis: {host: \"a\\0b\"}", "conf.yaml:1: redis.host holds a NUL byte, must be text"},
    {"redis: {password: [hunter2]}",
     "conf.yaml:1: redis.password is a list, must be text of 1 to 1024 printable bytes"},

    /* ranges, at their edges */
    {"worker: {threads: 0}",
     "conf.yaml:1: worker.threads is \"0\", must be a whole number from 1 to 10000"},
    {"worker: {threads: 10001}",
     "conf.yaml:1: worker.threads is \"10001\", must be a whole number from 1 to 10000"},
    {"redis: {port: 65536}",
     "conf.yaml:1: redis.port is \"65536\", must be a whole number from 1 to 65535"},
    {"redis: {max_concurrent_ops: 10001}",
     "conf.yaml:1: redis.max_concurrent_ops is \"10001\", must be a whole number from 1 to 10000"},
    {"worker: {lease: 0.999}",
     "conf.yaml:1: worker.lease is \"0.999\", must be a number of seconds from 1 to 3600"},
    {"worker: {lease: 3600.1}",
     "conf.yaml:1: worker.lease is \"3600.1\", must be a number of seconds from 1 to 3600"},
    {"worker: {shutdown_timeout: 86401}",
     "conf.yaml:1: worker.shutdown_timeout is \"86401\", must be a number of seconds from 0 to "
     "86400"},
    {"redis: {connect_timeout: 0}",
     "conf.yaml:1: redis.connect_timeout is \"0\", must be a number of seconds from 0.1 to 300"},
    {"worker: {max_payload: 18446744073709551617}",
     "conf.yaml:1: worker.max_payload is \"18446744073709551617\", must be a whole number from "
     "1024 "
     "to 536870912"},

    /* queues */
    {"worker:\n  queues: []\n",
     "conf.yaml:2: worker.queues is an empty list, must be at least one queue"},
    {"worker:\n  queues: {a: 5}\n",
     "conf.yaml:2: worker.queues is a mapping, must be a list of names, or name:weight with a "
     "weight from 1 to 1000"},
    {"worker:\n  queues:\n    - a\n    - [b]\n", "conf.yaml:4: a queue is a list, must be text"},
    {"worker:\n  queues:\n    - a\n    - b:2\n    - a\n",
     "conf.yaml:5: worker.queues: queue \"a\" is given twice, must be once"},
    {"worker: {queues: ['a,b']}",
     "conf.yaml:1: worker.queues: \"a,b\" is no queue name, must be 1 to 256 printable bytes "
     "without space, comma, colon or quote"},
    {"worker: {queues: ''}",
     "conf.yaml:1: worker.queues: \"\" is no queue name, must be 1 to 256 printable bytes without "
     "space, comma, colon or quote"},
    {"worker: {queues: [a:x]}", "conf.yaml:1: worker.queues: \"a:x\" has a bad weight, must be "
                                "name:weight with a whole number "
                                "from 1 to 1000"},

    /* YAML itself */
    {"redis: {host: &a x}", "conf.yaml:1: " NO_EXTRAS},
    {"redis:\n  host: *a\n", "conf.yaml:2: " NO_EXTRAS},
    {"redis:\n  password: !hunter2\n", "conf.yaml:2: " NO_EXTRAS},
    {"redis: !!map {host: x}", "conf.yaml:1: " NO_EXTRAS},
    {"worker:\n  queues: &q [a]\n", "conf.yaml:2: " NO_EXTRAS},
    {"redis:\n  <<: {host: x}\n",
     "conf.yaml:2: unknown key \"<<\" in redis, must be one of " REDIS_KEYS},
    {"redis: {host: x\n", "conf.yaml:2: not valid YAML: did not find expected ',' or '}'"},
    {"redis:\n  host: x\n port: 1\n", "conf.yaml:3: not valid YAML: did not find expected key"},
    {"redis:\n\thost: x\n",
     "conf.yaml:2: not valid YAML: found character that cannot start any token"},
    {"redis:\n  host: \"hunter2\n", "conf.yaml:3: not valid YAML: found unexpected end of stream"},
    {"redis:\n  host: a\n  db: \xff\n", "conf.yaml:3: not valid YAML: invalid leading UTF-8 octet"},
    {"redis:\n  host: a\x01\n", "conf.yaml:2: not valid YAML: control characters are not allowed"},
};

START_TEST(is_refused)
{
    refuse_yaml(refused[_i].yaml, refused[_i].line);
}
END_TEST

START_TEST(empty_files_are_defaults)
{
    static const char *const files[] = {
        "",
        "\n",
        "# nothing\n",
        "---\n",
        "---\n...\n",
        "~",
        "redis:\nworker: ~\nhandlers:\n",
        "%YAML 1.1\n---\n",
        "\xef\xbb\xbf# with a byte order mark\nredis:\n",
    };
    struct conf *c = accept_yaml(NULL);
    char *expected = dump_of(c);
    conf_unref(c);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        c = accept_yaml(files[i]);
        char *dump = dump_of(c);
        ck_assert_str_eq(dump, expected);
        free(dump);
        conf_unref(c);
    }
    free(expected);
}
END_TEST

START_TEST(texts_may_look_like_anything)
{
    struct conf *c = accept_yaml("redis:\n"
                                 "  host: true\n"
                                 "  username: 'null'\n"
                                 "  password: \"*&!: ~#\"\n"
                                 "  tls_ca: >-\n"
                                 "    a folded\n"
                                 "    path\n"
                                 "worker:\n"
                                 "  queues: ['~x', 5, warteschlange-\xc3\xbc, \"b:7\"]\n");
    ck_assert_str_eq(c->redis_host, "true");
    ck_assert_str_eq(c->redis_username, "null");
    ck_assert_str_eq(c->redis_password, "*&!: ~#");
    ck_assert_str_eq(c->redis_tls_ca, "a folded path");
    ck_assert_str_eq(c->queues[0].name, "~x");
    ck_assert_str_eq(c->queues[1].name, "5");
    ck_assert_str_eq(c->queues[2].name, "warteschlange-\xc3\xbc");
    ck_assert_int_eq(c->queues[3].weight, 7);
    conf_unref(c);
}
END_TEST

START_TEST(long_values_are_cut_in_errors)
{
    struct buf yaml = {0};
    buf_puts(&yaml, "worker: {threads: ");
    for (int i = 0; i < 100000; i++)
        buf_putc(&yaml, '9');
    buf_puts(&yaml, "}\n");
    refuse_yaml(buf_str(&yaml),
                "conf.yaml:1: worker.threads is \"999999999999999999999999999999999999999999999999"
                "999999999999\", must be a whole number from 1 to 10000");

    buf_clear(&yaml);
    buf_puts(&yaml, "redis: {? ");
    for (int i = 0; i < 200; i++)
        buf_putc(&yaml, 'k');
    buf_puts(&yaml, " : 1}\n");
    refuse_yaml(buf_str(&yaml), "conf.yaml:1: a key of 200 bytes, must be 127 at most");
    buf_release(&yaml);
}
END_TEST

START_TEST(hostile_nesting_ends_at_once)
{
    struct buf yaml = {0};
    buf_puts(&yaml, "redis: ");
    for (int i = 0; i < 500000; i++)
        buf_putc(&yaml, '[');
    refuse_yaml(buf_str(&yaml), "conf.yaml:1: redis is a list, must be a mapping of settings");
    buf_release(&yaml);
}
END_TEST

START_TEST(file_size_is_capped)
{
    struct err err;
    struct conf *c;
    struct conf_flags flags = {.config_file = "conf.yaml"};
    size_t max = 1 << 20;
    char *text = malloc(max + 1);
    ck_assert_ptr_nonnull(text);
    memset(text, '\n', max + 1);
    write_yaml(text, max);
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, &err), 0);
    conf_unref(c);
    write_yaml(text, max + 1);
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, &err), -EINVAL);
    ck_assert_str_eq(err.text, "conf.yaml: larger than 1 MiB, the most that is allowed");
    free(text);

    write_yaml("log:\0", 5);
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, &err), -EINVAL);
    ck_assert_str_eq(err.text, "conf.yaml:1: not valid YAML: control characters are not allowed");
}
END_TEST

START_TEST(files_that_cannot_be_read)
{
    struct err err;
    struct conf *c;
    struct conf_flags flags = {.config_file = "absent.yaml"};
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, &err), -ENOENT);
    ck_assert_str_eq(err.text, "absent.yaml: cannot be read: No such file or directory");
    flags.config_file = ".";
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, &err), -EISDIR);
    ck_assert_str_eq(err.text, ".: cannot be read: Is a directory");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("conf: YAML");
    TCase *tc = conf_case("refused");
    tcase_add_loop_test(tc, is_refused, 0, sizeof refused / sizeof *refused);
    tcase_add_test(tc, long_values_are_cut_in_errors);
    tcase_add_test(tc, hostile_nesting_ends_at_once);
    tcase_add_test(tc, file_size_is_capped);
    tcase_add_test(tc, files_that_cannot_be_read);
    suite_add_tcase(s, tc);

    tc = conf_case("accepted");
    tcase_add_test(tc, empty_files_are_defaults);
    tcase_add_test(tc, texts_may_look_like_anything);
    suite_add_tcase(s, tc);
    return s;
}
