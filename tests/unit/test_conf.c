/* Settings from their four sources: precedence, checks across settings. */
#include "test_conf.h"

static void set(const char *name, const char *value)
{
    ck_assert_int_eq(setenv(name, value, 1), 0);
}

START_TEST(defaults)
{
    struct conf *c = accept_yaml(NULL);
    ck_assert_ptr_null(c->redis_url);
    ck_assert_str_eq(c->redis_host, "127.0.0.1");
    ck_assert_int_eq(c->redis_port, 6379);
    ck_assert_ptr_null(c->redis_username);
    ck_assert_ptr_null(c->redis_password);
    ck_assert_int_eq(c->redis_db, 0);
    ck_assert(!c->redis_ssl);
    ck_assert_ptr_null(c->redis_tls_ca);
    ck_assert_double_eq(c->redis_connect_timeout, 5);
    ck_assert_double_eq(c->redis_socket_timeout, 5);
    ck_assert_double_eq(c->redis_idle_timeout, 60);
    ck_assert_int_eq(c->max_concurrent_ops, 100);
    ck_assert_int_eq(c->max_connections, 120);
    ck_assert_str_eq(c->key_prefix, "");
    ck_assert_int_eq(c->threads, 100);
    ck_assert_int_eq(c->nqueues, 1);
    ck_assert_str_eq(c->queues[0].name, "default");
    ck_assert_int_eq(c->queues[0].weight, 0);
    ck_assert(!c->weighted);
    ck_assert_double_eq(c->shutdown_timeout, 25);
    ck_assert_double_eq(c->lease, 15);
    ck_assert_int_eq(c->max_payload, 64 << 20);
    ck_assert_int_eq(c->stream_max_events, 100000);
    ck_assert_double_eq(c->stream_ttl, 86400);
    ck_assert_int_eq(c->log_level, LOG_INFO);
    ck_assert_int_eq(c->log_format, LOG_LOGFMT);
    ck_assert_str_eq(c->metrics_listen, "127.0.0.1:9394");
    ck_assert_int_eq(c->nhandlers, 0);
    ck_assert_ptr_null(c->file);
    ck_assert_int_eq(conf_reserved_connections(c), 3);
    conf_unref(c);
    conf_unref(NULL);

    ck_assert_int_eq(conf_load(CONF_COMMAND, NULL, &c, NULL), 0);
    conf_unref(c);
}
END_TEST

START_TEST(every_setting_from_yaml)
{
    struct conf *c = accept_yaml("redis:\n"
                                 "  url: rediss://db.example:6380/2\n"
                                 "  host: \"db\"\n"
                                 "  port: 6380\n"
                                 "  username: 'me'\n"
                                 "  password: 12345\n"
                                 "  db: 3\n"
                                 "  ssl: yes\n"
                                 "  tls_ca: ca.pem\n"
                                 "  tls_cert: cert.pem\n"
                                 "  tls_key: key.pem\n"
                                 "  connect_timeout: 0.5\n"
                                 "  socket_timeout: 2\n"
                                 "  idle_timeout: 0\n"
                                 "  max_concurrent_ops: 7\n"
                                 "  max_connections: 30\n"
                                 "  key_prefix: 'app:'\n"
                                 "worker: {threads: 3, queues: [critical, low], lease: 1.25,\n"
                                 "         shutdown_timeout: 0, max_payload: 4096,\n"
                                 "         stream_max_events: 10, stream_ttl: 60}\n"
                                 "log: {level: warn, format: json}\n"
                                 "metrics: {listen: '[::1]:9000'}\n");
    ck_assert_str_eq(c->redis_url, "rediss://db.example:6380/2");
    ck_assert_str_eq(c->redis_host, "db");
    ck_assert_int_eq(c->redis_port, 6380);
    ck_assert_str_eq(c->redis_username, "me");
    ck_assert_str_eq(c->redis_password, "12345");
    ck_assert_int_eq(c->redis_db, 3);
    ck_assert(c->redis_ssl);
    ck_assert_str_eq(c->redis_tls_ca, "ca.pem");
    ck_assert_str_eq(c->redis_tls_cert, "cert.pem");
    ck_assert_str_eq(c->redis_tls_key, "key.pem");
    ck_assert_double_eq(c->redis_connect_timeout, 0.5);
    ck_assert_double_eq(c->redis_socket_timeout, 2);
    ck_assert_double_eq(c->redis_idle_timeout, 0);
    ck_assert_int_eq(c->max_concurrent_ops, 7);
    ck_assert_int_eq(c->max_connections, 30);
    ck_assert_str_eq(c->key_prefix, "app:");
    ck_assert_int_eq(c->threads, 3);
    ck_assert_int_eq(c->nqueues, 2);
    ck_assert_str_eq(c->queues[0].name, "critical");
    ck_assert_str_eq(c->queues[1].name, "low");
    ck_assert(!c->weighted);
    ck_assert_double_eq(c->lease, 1.25);
    ck_assert_double_eq(c->shutdown_timeout, 0);
    ck_assert_int_eq(c->max_payload, 4096);
    ck_assert_int_eq(c->stream_max_events, 10);
    ck_assert_double_eq(c->stream_ttl, 60);
    ck_assert_int_eq(c->log_level, LOG_WARN);
    ck_assert_int_eq(c->log_format, LOG_JSON);
    ck_assert_str_eq(c->metrics_listen, "[::1]:9000");
    ck_assert_str_eq(c->file, "conf.yaml");
    conf_unref(c);
}
END_TEST

START_TEST(precedence)
{
    const char *yaml = "worker: {threads: 2, lease: 2, queues: a}\nlog: {level: warn}\n";
    struct conf *c = accept_yaml(yaml);
    ck_assert_int_eq(c->threads, 2);
    conf_unref(c);

    set("SLUICE_THREADS", "3");
    set("SLUICE_QUEUES", "b");
    set("SLUICE_LEASE", ""); /* counts as not set */
    c = accept_yaml(yaml);
    ck_assert_int_eq(c->threads, 3);
    ck_assert_str_eq(c->queues[0].name, "b");
    ck_assert_double_eq(c->lease, 2);
    ck_assert_int_eq(c->log_level, LOG_WARN);
    conf_unref(c);

    c = accept_with(yaml, (struct conf_flags){.threads = "4", .queues = ""});
    ck_assert_int_eq(c->threads, 4);
    ck_assert_str_eq(c->queues[0].name, "b");
    conf_unref(c);

    c = accept_with(NULL, (struct conf_flags){.queues = "c, d"});
    ck_assert_int_eq(c->nqueues, 2);
    ck_assert_str_eq(c->queues[1].name, "d");
    conf_unref(c);
}
END_TEST

START_TEST(every_setting_from_the_environment)
{
    static const struct {
        const char *name, *value, *dumped;
    } cases[] = {
        {"REDIS_URL", "unix:///run/redis.sock?db=1", "  url: \"unix:///run/redis.sock?db=1\"\n"},
        {"REDIS_HOST", "db", "  host: \"db\"\n"},
        {"REDIS_PORT", "65535", "  port: 65535\n"},
        {"REDIS_USERNAME", "me", "  username: \"me\"\n"},
        {"REDIS_PASSWORD", "pw", "  password: \"********\"\n"},
        {"REDIS_DB", "9", "  db: 9\n"},
        {"REDIS_SSL", "on", "  ssl: true\n"},
        {"REDIS_TLS_CA", "ca", "  tls_ca: \"ca\"\n"},
        {"REDIS_TLS_CERT", "cert", "  tls_cert: \"cert\"\n"},
        {"REDIS_TLS_KEY", "key", "  tls_key: \"key\"\n"},
        {"REDIS_SENTINEL_USERNAME", "su", "  sentinel_username: \"su\"\n"},
        {"REDIS_SENTINEL_PASSWORD", "sp", "  sentinel_password: \"********\"\n"},
        {"REDIS_CONNECT_TIMEOUT", "0.1", "  connect_timeout: 0.1\n"},
        {"REDIS_SOCKET_TIMEOUT", "300", "  socket_timeout: 300\n"},
        {"REDIS_IDLE_TIMEOUT", "1.5", "  idle_timeout: 1.5\n"},
        {"REDIS_WORKER_MAX_CONCURRENT_OPS", "10", "  max_concurrent_ops: 10\n"},
        {"REDIS_WORKER_MAX_CONNECTIONS", "14", "  max_connections: 14\n"},
        {"SLUICE_KEY_PREFIX", "x:", "  key_prefix: \"x:\"\n"},
        {"SLUICE_THREADS", "10000", "  threads: 10000\n"},
        {"SLUICE_QUEUES", "a:2,b", "  queues: [\"a:2\", \"b:1\"]\n"},
        {"SLUICE_SHUTDOWN_TIMEOUT", "0", "  shutdown_timeout: 0\n"},
        {"SLUICE_LEASE", "3600", "  lease: 3600\n"},
        {"SLUICE_MAX_PAYLOAD", "1024", "  max_payload: 1024\n"},
        {"SLUICE_STREAM_MAX_EVENTS", "1", "  stream_max_events: 1\n"},
        {"SLUICE_STREAM_TTL", "1", "  stream_ttl: 1\n"},
        {"SLUICE_LOG_LEVEL", "debug", "  level: debug\n"},
        {"SLUICE_LOG_FORMAT", "json", "  format: json\n"},
        {"SLUICE_METRICS_LISTEN", "off", "  listen: off\n"},
    };
    const size_t n = sizeof cases / sizeof *cases;
    size_t row = 0;
    for (int i = 0; i < SETTINGS; i++) {
        if (!(settings[i].programs & CONF_WORKER))
            continue;
        ck_assert_uint_lt(row, n);
        ck_assert_str_eq(cases[row].name, settings[i].env); /* the table has no other */
        set(cases[row].name, cases[row].value);
        row++;
    }
    ck_assert_uint_eq(row, n);
    struct conf *c = accept_yaml(NULL);
    char *dump = dump_of(c);
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(strstr(dump, cases[i].dumped), "no %s in\n%s", cases[i].dumped, dump);
    ck_assert_ptr_null(c->metrics_listen);
    free(dump);
    conf_unref(c);
}
END_TEST

static const struct {
    const char *name, *value, *line;
} bad_variables[] = {
    {"SLUICE_THREADS", "1e3",
     "SLUICE_THREADS: worker.threads is \"1e3\", must be a whole number from 1 to 10000"},
    {"SLUICE_THREADS", " 5",
     "SLUICE_THREADS: worker.threads is \" 5\", must be a whole number from 1 to 10000"},
    {"SLUICE_THREADS", "-1",
     "SLUICE_THREADS: worker.threads is \"-1\", must be a whole number from 1 to 10000"},
    {"SLUICE_THREADS", "99999999999999999999",
     "SLUICE_THREADS: worker.threads is \"99999999999999999999\", must be a whole number from 1 to "
     "10000"},
    {"SLUICE_LEASE", "0.5",
     "SLUICE_LEASE: worker.lease is \"0.5\", must be a number of seconds from 1 to 3600"},
    {"SLUICE_LEASE", "nan",
     "SLUICE_LEASE: worker.lease is \"nan\", must be a number of seconds from 1 to 3600"},
    {"REDIS_SSL", "1",
     "REDIS_SSL: redis.ssl is \"1\", must be true or false (or yes, no, on, off)"},
    {"REDIS_URL", "http://user:hunter2@db",
     "REDIS_URL: redis.url is not usable, must be an address that begins with redis://, rediss://, "
     "unix://, redis+sentinel:// or rediss+sentinel://"},
    {"REDIS_URL", "redis://",
     "REDIS_URL: redis.url is not usable, must be an address that begins with redis://, rediss://, "
     "unix://, redis+sentinel:// or rediss+sentinel://"},
    {"REDIS_PASSWORD", "hunter2\n",
     "REDIS_PASSWORD: redis.password is not usable, must be text of 1 to 1024 printable bytes"},
    {"REDIS_HOST", "a\tb",
     "REDIS_HOST: redis.host is \"a b\", must be text of 1 to 255 printable bytes"},
    {"SLUICE_LOG_LEVEL", "INFO",
     "SLUICE_LOG_LEVEL: log.level is \"INFO\", must be debug, info, warn or error"},
    {"SLUICE_LOG_FORMAT", "xml",
     "SLUICE_LOG_FORMAT: log.format is \"xml\", must be logfmt or json"},
    {"SLUICE_METRICS_LISTEN", ":9394",
     "SLUICE_METRICS_LISTEN: metrics.listen is \":9394\", must be host:port with a port from 1 to "
     "65535, or off"},
    {"SLUICE_METRICS_LISTEN", "::1:80",
     "SLUICE_METRICS_LISTEN: metrics.listen is \"::1:80\", must be host:port with a port from 1 to "
     "65535, or off"},
    {"SLUICE_METRICS_LISTEN", "a:70000",
     "SLUICE_METRICS_LISTEN: metrics.listen is \"a:70000\", must be host:port with a port from 1 "
     "to "
     "65535, or off"},
    {"SLUICE_QUEUES", "a,,b",
     "SLUICE_QUEUES: worker.queues: \"\" is no queue name, must be 1 to 256 printable bytes "
     "without "
     "space, comma, colon or quote"},
    {"SLUICE_QUEUES", "a b",
     "SLUICE_QUEUES: worker.queues: \"a b\" is no queue name, must be 1 to 256 printable bytes "
     "without space, comma, colon or quote"},
    {"SLUICE_QUEUES", "a, b:2, a:3",
     "SLUICE_QUEUES: worker.queues: queue \"a:3\" is given twice, must be once"},
    {"SLUICE_QUEUES", "a:0",
     "SLUICE_QUEUES: worker.queues: \"a:0\" has a bad weight, must be name:weight with a whole "
     "number from 1 to 1000"},
    {"SLUICE_QUEUES", "a:1001",
     "SLUICE_QUEUES: worker.queues: \"a:1001\" has a bad weight, must be name:weight with a whole "
     "number from 1 to 1000"},
    {"SLUICE_QUEUES", "a:",
     "SLUICE_QUEUES: worker.queues: \"a:\" has a bad weight, must be name:weight with a whole "
     "number from 1 to 1000"},
    {"SLUICE_QUEUES", "a:1:2",
     "SLUICE_QUEUES: worker.queues: \"a:1:2\" has a bad weight, must be name:weight with a whole "
     "number from 1 to 1000"},
};

START_TEST(bad_variable)
{
    set(bad_variables[_i].name, bad_variables[_i].value);
    refuse_yaml(NULL, bad_variables[_i].line);
}
END_TEST

START_TEST(bad_flag)
{
    refuse_with(NULL, (struct conf_flags){.threads = "0"},
                "--threads: worker.threads is \"0\", must be a whole number from 1 to 10000");
    refuse_with(NULL, (struct conf_flags){.queues = "a,a"},
                "--queues: worker.queues: queue \"a\" is given twice, must be once");
}
END_TEST

START_TEST(a_command_reads_its_own_settings)
{
    struct conf *c;
    struct err err;
    set("SLUICE_THREADS", "not a command's business");
    set("REDIS_WORKER_MAX_CONNECTIONS", "1");
    struct conf_flags flags = {.url = "redis://flag", .threads = "0"};
    ck_assert_int_eq(conf_load(CONF_COMMAND, &flags, &c, &err), 0);
    ck_assert_str_eq(c->redis_url, "redis://flag");
    conf_unref(c);

    flags.url = "flag";
    ck_assert_int_eq(conf_load(CONF_COMMAND, &flags, &c, &err), -EINVAL);
    ck_assert_str_eq(err.text, "--redis: redis.url is not usable, must be an address that begins "
                               "with redis://, rediss://, unix://, redis+sentinel:// or "
                               "rediss+sentinel://");

    /* It accepts the worker's file, and checks it. */
    const char *yaml = "worker: {threads: x}\n";
    write_yaml(yaml, strlen(yaml));
    ck_assert_int_eq(
        conf_load(CONF_COMMAND, &(struct conf_flags){.config_file = "conf.yaml"}, &c, &err),
        -EINVAL);
    ck_assert_str_eq(err.text, "conf.yaml:1: worker.threads is \"x\", must be a whole number from "
                               "1 to 10000");
}
END_TEST

START_TEST(weights)
{
    struct conf *c = accept_yaml("worker: {queues: [critical:5, low]}\n");
    ck_assert(c->weighted);
    ck_assert_int_eq(c->nqueues, 2);
    ck_assert_str_eq(c->queues[0].name, "critical");
    ck_assert_int_eq(c->queues[0].weight, 5);
    ck_assert_str_eq(c->queues[1].name, "low");
    ck_assert_int_eq(c->queues[1].weight, 1);
    conf_unref(c);

    set("SLUICE_QUEUES", " x ,\ty "); /* a later source takes the weights away with the list */
    c = accept_yaml("worker: {queues: 'critical:1000,low'}\n");
    ck_assert(!c->weighted);
    ck_assert_str_eq(c->queues[0].name, "x");
    ck_assert_int_eq(c->queues[1].weight, 0);
    conf_unref(c);
}
END_TEST

START_TEST(queue_names)
{
    struct buf list = {0};
    char longest[258];
    memset(longest, 'q', sizeof longest);
    longest[256] = '\0';
    set("SLUICE_QUEUES", longest);
    conf_unref(accept_yaml(NULL));
    longest[256] = 'q';
    longest[257] = '\0';
    set("SLUICE_QUEUES", longest);
    refuse_yaml(NULL, "SLUICE_QUEUES: worker.queues: "
                      "\"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq\" is no "
                      "queue name, must be 1 to 256 printable bytes without space, comma, colon "
                      "or quote");
    set("SLUICE_QUEUES", "q\xff"); /* no job could name it */
    refuse_yaml(NULL, "SLUICE_QUEUES: worker.queues: \"q?\" is no queue name, must be 1 to 256 "
                      "printable bytes without space, comma, colon or quote");
    for (int i = 0; i < CONF_QUEUES_MAX; i++)
        buf_printf(&list, "%sq%d", i ? "," : "", i);
    set("SLUICE_QUEUES", buf_str(&list));
    struct conf *c = accept_yaml(NULL);
    ck_assert_int_eq(c->nqueues, CONF_QUEUES_MAX);
    ck_assert_int_eq(conf_reserved_connections(c), 18);
    ck_assert_int_eq(c->max_connections, 120);
    conf_unref(c);
    buf_puts(&list, ",more");
    set("SLUICE_QUEUES", buf_str(&list));
    refuse_yaml(NULL, "SLUICE_QUEUES: worker.queues: more than 256 queues, which is the most "
                      "allowed");
    buf_release(&list);
}
END_TEST

START_TEST(pool_sum)
{
    const char *sixteen = "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p";
    set("SLUICE_QUEUES", sixteen);
    refuse_yaml("redis:\n  max_concurrent_ops: 100\n  max_connections: 110\n",
                "conf.yaml:3: redis.max_connections is 110, but 118 are needed: 100 permits + "
                "1 heartbeat + 1 control + 16 blocking waits");
    conf_unref(accept_yaml("redis: {max_concurrent_ops: 100, max_connections: 118}\n"));

    set("SLUICE_QUEUES", "one");
    conf_unref(accept_yaml("redis: {max_concurrent_ops: 1, max_connections: 4}\n"));
    refuse_yaml("redis: {max_concurrent_ops: 1, max_connections: 3}\n",
                "conf.yaml:1: redis.max_connections is 3, but 4 are needed: 1 permit + "
                "1 heartbeat + 1 control + 1 blocking wait");

    /* The line that is to be changed is where the pool was set, not where the permits were. */
    set("REDIS_WORKER_MAX_CONNECTIONS", "5");
    refuse_yaml("redis: {max_concurrent_ops: 3, max_connections: 100}\n",
                "REDIS_WORKER_MAX_CONNECTIONS: redis.max_connections is 5, but 6 are needed: "
                "3 permits + 1 heartbeat + 1 control + 1 blocking wait");

    set("REDIS_WORKER_MAX_CONNECTIONS", "0"); /* follows the permits */
    struct conf *c = accept_yaml("redis: {max_concurrent_ops: 10000, max_connections: 1}\n");
    ck_assert_int_eq(c->max_connections, 10020);
    conf_unref(c);
}
END_TEST

START_TEST(tls_pair)
{
    refuse_yaml("redis:\n  tls_key: k\n", "conf.yaml:2: redis.tls_key is given without "
                                          "redis.tls_cert, must be both or neither");
    set("REDIS_TLS_CERT", "c");
    refuse_yaml(NULL, "REDIS_TLS_CERT: redis.tls_cert is given without redis.tls_key, must be both "
                      "or neither");
    conf_unref(accept_yaml("redis: {tls_key: k}\n"));
}
END_TEST

START_TEST(references)
{
    struct conf *c = accept_yaml("log: {level: error}\n");
    ck_assert_ptr_eq(conf_ref(c), c);
    conf_unref(c);
    ck_assert_int_eq(c->log_level, LOG_ERROR); /* still there: a sanitizer would tell */
    conf_unref(c);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("conf");
    TCase *tc = conf_case("sources");
    tcase_add_test(tc, defaults);
    tcase_add_test(tc, every_setting_from_yaml);
    tcase_add_test(tc, precedence);
    tcase_add_test(tc, every_setting_from_the_environment);
    tcase_add_loop_test(tc, bad_variable, 0, sizeof bad_variables / sizeof *bad_variables);
    tcase_add_test(tc, bad_flag);
    tcase_add_test(tc, a_command_reads_its_own_settings);
    tcase_add_test(tc, references);
    suite_add_tcase(s, tc);

    tc = conf_case("checks");
    tcase_add_test(tc, weights);
    tcase_add_test(tc, queue_names);
    tcase_add_test(tc, pool_sum);
    tcase_add_test(tc, tls_pair);
    suite_add_tcase(s, tc);

    return s;
}
