/* Settings of sluice-api: its own section, who may listen where, the sum of its pool. */
#include "test_conf.h"

static struct conf *accept_api(const char *yaml)
{
    struct conf *c = NULL;
    struct err err = {""};
    write_yaml(yaml, strlen(yaml));
    struct conf_flags flags = {.config_file = "conf.yaml"};
    int rc = conf_load(CONF_API, &flags, &c, &err);
    ck_assert_msg(rc == 0, "refused: %s", err.text);
    return c;
}

START_TEST(defaults)
{
    struct conf *c = accept_api("worker: {threads: 3}\n");
    ck_assert_str_eq(c->api_listen, "127.0.0.1:8394");
    ck_assert_ptr_null(c->api_token);
    ck_assert_ptr_null(c->api_read_token);
    ck_assert_int_eq(c->api_max_concurrent_ops, 20);
    ck_assert_int_eq(c->api_max_connections, 50);
    ck_assert_int_eq(c->api_max_body, 16 << 20);
    conf_unref(c);
}
END_TEST

START_TEST(every_setting_from_the_environment)
{
    static const struct {
        const char *name, *value, *dumped;
    } cases[] = {
        {"SLUICE_API_LISTEN", "0.0.0.0:1", "  listen: \"0.0.0.0:1\"\n"},
        {"SLUICE_API_TOKEN", "all", "  token: \"********\"\n"},
        {"SLUICE_API_READ_TOKEN", "read", "  read_token: \"********\"\n"},
        {"SLUICE_API_TLS_CERT", "/c", "  tls_cert: \"/c\"\n"},
        {"SLUICE_API_TLS_KEY", "/k", "  tls_key: \"/k\"\n"},
        {"REDIS_MAX_CONCURRENT_OPS", "7", "  max_concurrent_ops: 7\n"},
        {"REDIS_MAX_CONNECTIONS", "8", "  max_connections: 8\n"},
        {"SLUICE_API_MAX_WAIT", "0.5", "  max_wait: 0.5\n"},
        {"SLUICE_API_IDLE_TIMEOUT", "5", "  idle_timeout: 5\n"},
        {"SLUICE_API_STOP_TIMEOUT", "1", "  stop_timeout: 1\n"},
        {"SLUICE_API_MAX_BODY", "4096", "  max_body: 4096\n"},
        {"SLUICE_API_MAX_CLIENTS", "9", "  max_clients: 9\n"},
        {"SLUICE_API_SPOOL", "/spool", "  spool: \"/spool\"\n"},
        {"SLUICE_API_SPOOL_MAX", "1048576", "  spool_max: 1048576\n"},
    };
    size_t row = 0;
    for (int i = 0; i < SETTINGS; i++)
        if (settings[i].programs == CONF_API) {
            ck_assert_str_eq(cases[row].name, settings[i].env); /* the table has no other */
            ck_assert_int_eq(setenv(cases[row].name, cases[row].value, 1), 0);
            row++;
        }
    ck_assert_uint_eq(row, sizeof cases / sizeof *cases);
    struct conf *c = accept_api("");
    struct buf dump = {0};
    conf_dump(c, CONF_API, &dump);
    for (size_t i = 0; i < row; i++)
        ck_assert_msg(strstr(buf_str(&dump), cases[i].dumped), "no %s", cases[i].dumped);
    buf_release(&dump);
    conf_unref(c);
}
END_TEST

#define OPEN_TO_OTHERS                                                                             \
    ", which other machines can reach; it must be a loopback address (127.0.0.1, [::1], "          \
    "localhost), or api.token (SLUICE_API_TOKEN) must be set"

static const struct {
    const char *yaml, *line; /* NULL: it is allowed */
} cases[] = {
    {"api:\n  listen: 0.0.0.0:80\n", "conf.yaml:2: api.listen is \"0.0.0.0:80\"" OPEN_TO_OTHERS},
    {"api: {listen: \"[::]:80\"}\n", "conf.yaml:1: api.listen is \"[::]:80\"" OPEN_TO_OTHERS},
    {"api: {listen: \"127.example.com:80\"}\n",
     "conf.yaml:1: api.listen is \"127.example.com:80\"" OPEN_TO_OTHERS},
    {"api: {listen: \"host:80\"}\n", "conf.yaml:1: api.listen is \"host:80\"" OPEN_TO_OTHERS},
    {"api: {listen: off}\n", "conf.yaml:1: api.listen is \"off\", must be host:port"},
    {"api: {listen: \"x\"}\n",
     "conf.yaml:1: api.listen is \"x\", must be host:port with a port from 1 to 65535, or off"},
    {"api: {max_concurrent_ops: 50}\n", "default: api.max_connections is 50, but 51 are needed: "
                                        "50 permits + 1 subscriber"},
    {"api:\n  max_concurrent_ops: 1\n\n  max_connections: 1\n",
     "conf.yaml:4: api.max_connections is \"1\", must be a whole number from 2 to 20000"},
    {"api: {port: 1}\n",
     "conf.yaml:1: unknown key \"port\" in api, must be one of listen, token, read_token, "
     "tls_cert, tls_key, max_concurrent_ops, max_connections, max_wait, idle_timeout, "
     "stop_timeout, max_body, "
     "max_clients, spool, spool_max"},
    {"api: {listen: \"0.0.0.0:80\", token: x}\n", NULL},
    {"api: {listen: \"0.0.0.0:80\", read_token: x}\n", NULL},
    {"api: {listen: \"127.9.9.9:80\"}\n", NULL},
    {"api: {listen: \"localhost:80\"}\n", NULL},
    {"api: {listen: \"[::1]:80\"}\n", NULL},
    {"api: {max_concurrent_ops: 1, max_connections: 2}\n", NULL},
};

START_TEST(rules)
{
    struct conf_flags flags = {.config_file = "conf.yaml"};
    struct conf *c = NULL;
    struct err err = {""};
    write_yaml(cases[_i].yaml, strlen(cases[_i].yaml));
    int rc = conf_load(CONF_API, &flags, &c, &err);
    ck_assert_str_eq(err.text, cases[_i].line ? cases[_i].line : "");
    ck_assert_int_eq(rc, cases[_i].line ? -EINVAL : 0);
    conf_unref(c);
}
END_TEST

START_TEST(the_flag_wins)
{
    struct conf_flags flags = {.listen = "127.0.0.1:99"};
    struct conf *c = NULL;
    ck_assert_int_eq(setenv("SLUICE_API_LISTEN", "127.0.0.1:98", 1), 0);
    ck_assert_int_eq(conf_load(CONF_API, &flags, &c, NULL), 0);
    ck_assert_str_eq(c->api_listen, "127.0.0.1:99");
    conf_unref(c);
}
END_TEST

START_TEST(api_yaml_is_the_table)
{
    struct buf expected = {0}, file = {0};
    char chunk[4096];
    size_t n;
    FILE *f = fopen(TEST_SOURCE_DIR "/config/api.yaml", "r");
    ck_assert_ptr_nonnull(f);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(&file, chunk, n);
    (void)fclose(f); /* only read */
    conf_print_defaults(CONF_API, &expected);
    ck_assert_str_eq(buf_str(&file), buf_str(&expected));
    struct conf *c = accept_api(buf_str(&file));
    conf_unref(c);
    buf_release(&file);
    buf_release(&expected);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("conf: the API's");
    TCase *tc = conf_case("api");
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, every_setting_from_the_environment);
    tcase_add_loop_test(tc, rules, 0, sizeof cases / sizeof *cases);
    tcase_add_test(tc, the_flag_wins);
    tcase_add_test(tc, api_yaml_is_the_table);
    suite_add_tcase(s, tc);
    return s;
}
