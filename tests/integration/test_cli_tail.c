/* `sluice tail`: output of many jobs, by a real worker and by hand, whatever Redis does. */
#include "support/program.h"
#include "support/sluice.h"
#include "test_worker.h"

static struct program tail;

static int64_t subscriptions(void)
{
    return must_int(redis, "PUBSUB NUMPAT");
}

static void start_at(const char *url, const char *const *words)
{
    static char variable[160];
    const char *argv[16] = {SLUICE_BINARY, "tail"};
    for (int i = 0; words[i]; i++)
        argv[2 + i] = words[i];
    (void)snprintf(variable, sizeof variable, "REDIS_URL=%s", url);
    tail.env[0] = variable;
    program_start(&tail, argv);
}

/* With these words, until it listens. */
static void start_words(const char *const *words)
{
    start_at(server.url, words);
    wait_until(HANG_MS, subscriptions() == 1);
}
#define start_tail(...) start_words((const char *const[]){__VA_ARGS__, NULL})

static void end_tail(void)
{
    program_end(&tail);
}

static int count(const char *text, const char *what)
{
    int n = 0;
    for (; (text = strstr(text, what)) != NULL; text += strlen(what))
        n++;
    return n;
}

static bool shows(const char *text)
{
    int status;
    program_read(&tail);
    if (program_ended(&tail, &status))
        ck_abort_msg("it ended with %d: %s", status, tail.err);
    return strstr(tail.out, text) != NULL;
}

static bool says(const char *text)
{
    program_read(&tail);
    return strstr(tail.err, text) != NULL;
}

/* As the scripts of the store do it: an event, and a message with the new length. */
static void emit(const char *jid, const char *event)
{
    must_do(redis, "EVAL %s 1 sluice:stream:%s %s",
            "redis.call('PUBLISH', KEYS[1], redis.call('RPUSH', KEYS[1], ARGV[1]))", jid, event);
}

static void record(const char *jid, const char *klass, const char *queue, const char *started_at)
{
    must_do(redis, "HSET sluice:job:%s class %s queue %s started_at %s", jid, klass, queue,
            started_at);
}

static void emit_numbers(const char *jid, int from, int to)
{
    char number[16];
    for (int i = from; i <= to; i++) {
        (void)snprintf(number, sizeof number, "%d", i);
        emit(jid, number);
    }
}

START_TEST(it_shows_what_jobs_put_out)
{
    start_worker("worker: {threads: 4}\n"
                 "handlers:\n"
                 "  - {class: mail.send, track: true, exec: [sh, -c, \"echo '{\\\"n\\\":1}'; echo "
                 "two\"]}\n"
                 "  - {class: say, exec: [sh, -c, \"echo hello\"]}\n"
                 "  - {class: silent, exec: [\"true\"]}\n");
    start_tail("--json");
    push("default", "{\"class\":\"silent\",\"jid\":\"s\",\"args\":[]}");
    push("default", "{\"class\":\"mail.send\",\"jid\":\"t\",\"args\":[]}");
    push("default", "{\"class\":\"say\",\"jid\":\"u\",\"args\":[]}");
    static const char *const lines[] = {
        "\"jid\":\"t\",\"class\":\"mail.send\",\"queue\":\"default\",\"id\":1,\"event\":{\"n\":1}}"
        "\n",
        "\"jid\":\"t\",\"class\":\"mail.send\",\"queue\":\"default\",\"id\":2,\"event\":\"two\"}\n",
        "\"jid\":\"t\",\"class\":\"mail.send\",\"queue\":\"default\",\"id\":3,\"event\":"
        "{\"type\":\"status\",\"status\":\"completed\"}}\n",
        "\"jid\":\"u\",\"class\":null,\"queue\":null,\"id\":1,\"event\":\"hello\"}\n",
        "\"jid\":\"u\",\"class\":null,\"queue\":null,\"id\":2,\"event\":{\"type\":\"status\","
        "\"status\":\"completed\"}}\n"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        wait_until(HANG_MS, shows(lines[i]));
    ck_assert_int_eq(count(tail.out, "\n"), sizeof lines / sizeof *lines);
    ck_assert_int_eq(count(tail.out, "{\"time\":"), sizeof lines / sizeof *lines);
    ck_assert_str_eq(tail.err, "");
}
END_TEST

/* Each shows these jobs out of a to e; e is shown last, by all. */
static const struct {
    const char *words[8];
    const char *shown;
} filters[] = {
    {{NULL}, "abcde"},
    {{"--class", "mail.*"}, "ae"},
    {{"--class", "web", "--class", "mail.end"}, "be"},
    {{"--queue", "low"}, "be"},
    {{"--queue", "default", "--queue", "low"}, "abe"},
    {{"--queue", "low", "--class", "mail.?*"}, "e"},
    {{"--type", "status"}, "de"},
    {{"--type", "note", "--type", "status"}, "bde"},
    {{"--type", "note", "--queue", "low", "--type", "status"}, "be"},
};

START_TEST(filters_choose)
{
    record("a", "mail.send", "default", "1");
    record("b", "web", "low", "1");
    record("e", "mail.end", "low", "1");
    start_words(filters[_i].words);
    emit("a", "\"of a\"");
    emit("b", "{\"type\":\"note\",\"text\":\"of b\"}");
    emit("c", "\"of c\"");
    emit("d", "{\"type\":\"status\",\"text\":\"of d\"}");
    emit("e", "{\"type\":\"status\",\"text\":\"of e\"}");
    wait_until(HANG_MS, shows("of e"));
    for (const char *jid = "abcde"; *jid; jid++) {
        const char text[] = {'o', 'f', ' ', *jid, '\0'};
        ck_assert_msg(shows(text) == (strchr(filters[_i].shown, *jid) != NULL), "%s", tail.out);
    }
    ck_assert_int_eq(count(tail.out, "\n"), (int)strlen(filters[_i].shown));
}
END_TEST

/* Named jobs are those, also when they have not begun; what they have put out already is shown. */
START_TEST(jids_choose)
{
    emit_numbers("a", 101, 120);
    record("later", "web", "low", "1");
    start_at(server.url, (const char *const[]){"a", "later", "none", "--lines", "3", NULL});
    wait_until(HANG_MS, shows("  a  -  120\n"));
    ck_assert_int_eq(count(tail.out, "\n"), 3);
    ck_assert_int_eq(subscriptions(), 0);
    emit("b", "\"of another\"");
    emit("a", "121");
    emit("later", "1");
    emit("later", "2");
    record("none", "at-last", "low", "1");
    emit("none", "1");
    wait_until(HANG_MS, shows("  none  at-last  1\n"));
    ck_assert_msg(shows("  a  -  121\n") && shows("  later  web  1\n") &&
                      shows("  later  web  2\n"),
                  "%s", tail.out);
    ck_assert_int_eq(count(tail.out, "\n"), 7);
}
END_TEST

START_TEST(it_begins_where_it_makes_sense)
{
    emit_numbers("old", 1, 30);
    emit_numbers("new", 1, 30);
    emit_numbers("unknown", 1, 30);
    emit_numbers("told", 1, 30);
    record("old", "web", "low", "1");
    record("told", "web", "low", "1");
    record("new", "web", "low", "99999999999");
    start_tail("--json");
    emit("old", "\"last of old\"");
    emit("new", "\"last of new\"");
    emit("unknown", "\"last of unknown\"");
    wait_until(HANG_MS, shows("last of unknown"));
    ck_assert_int_eq(count(tail.out, "\"jid\":\"old\""), 10);
    ck_assert(shows("\"jid\":\"old\",\"class\":\"web\",\"queue\":\"low\",\"id\":22,\"event\":22}"));
    ck_assert_int_eq(count(tail.out, "\"jid\":\"new\""), 31);
    ck_assert_int_eq(count(tail.out, "\"jid\":\"unknown\""), 31);
    program_end(&tail);
    wait_until(HANG_MS, subscriptions() == 0);
    start_tail("--lines", "2");
    emit("told", "\"last of told\"");
    wait_until(HANG_MS, shows("last of told"));
    ck_assert_int_eq(count(tail.out, "\n"), 2);
}
END_TEST

/* What is appended while nobody listens, and without a message, is shown when it listens again. */
START_TEST(a_lost_subscription_loses_nothing)
{
    start_tail("--json");
    emit("a", "1");
    wait_until(HANG_MS, shows("\"id\":1,\"event\":1}"));
    for (int i = 2; i <= 4; i++) {
        char event[64];
        (void)snprintf(event, sizeof event, "\"id\":%d,\"event\":%d}", i, i);
        must_do(redis, "MULTI");
        must_do(redis, "CLIENT KILL TYPE pubsub");
        must_do(redis, "RPUSH sluice:stream:a %d", i);
        must_do(redis, "EXEC");
        wait_until(HANG_MS, shows(event));
        wait_until(HANG_MS, subscriptions() == 1);
    }
    emit("a", "5");
    wait_until(HANG_MS, shows("\"id\":5,\"event\":5}"));
    ck_assert_int_eq(count(tail.out, "\n"), 5);
    ck_assert_int_eq(count(tail.err, "waiting for Redis: "), 3);
    ck_assert_int_eq(count(tail.err, "Redis is back after "), 3);
}
END_TEST

START_TEST(redis_may_go_and_come)
{
    start_tail("--json");
    emit("a", "1");
    emit("a", "2");
    wait_until(HANG_MS, shows("\"id\":2,\"event\":2}"));
    redis_conn_free(redis);
    redis_server_kill(&server);
    wait_until(HANG_MS, says("sluice tail: waiting for Redis: "));
    must_restart(&server); /* it has forgotten everything: the stream begins anew */
    open_redis();
    wait_until(HANG_MS, subscriptions() == 1);
    wait_until(HANG_MS, says("sluice tail: Redis is back after "));
    emit("a", "3");
    wait_until(HANG_MS, shows("\"jid\":\"a\",\"class\":null,\"queue\":null,\"id\":1,\"event\":3}"));
    emit("b", "4");
    wait_until(HANG_MS, shows("\"id\":1,\"event\":4}"));
    ck_assert_int_eq(count(tail.out, "\n"), 4);
    ck_assert_int_eq(count(tail.err, "\n"), 2); /* once each, however often it tried */
}
END_TEST

/* However often it tries, it says so once. */
START_TEST(an_outage_is_waited_for)
{
    char url[64];
    struct proxy proxy;
    struct err err = {""};
    ck_assert_msg(proxy_start(&proxy, server.socket, &err) == 0, "%s", err.text);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    start_at(url, (const char *const[]){"--json", NULL});
    wait_until(HANG_MS, subscriptions() == 1);
    emit("a", "1");
    wait_until(HANG_MS, shows("\"id\":1,\"event\":1}"));
    proxy_refuse(&proxy, true);
    proxy_drop_all(&proxy);
    wait_until(HANG_MS, proxy_stats(&proxy).refused >= 4);
    emit("a", "2");
    proxy_refuse(&proxy, false);
    wait_until(HANG_MS, shows("\"id\":2,\"event\":2}"));
    ck_assert_int_eq(count(tail.err, "\n"), 2);
    ck_assert_int_eq(count(tail.err, "sluice tail: waiting for Redis: "), 1);
    ck_assert_int_eq(count(tail.err, "sluice tail: Redis is back after "), 1);
    program_end(&tail);
    proxy_stop(&proxy);
}
END_TEST

/* 30,000 jobs within a moment are more than it reads, and more than it remembers. */
START_TEST(too_much_is_passed_over_and_said)
{
    start_tail("--class", "mine");
    record("mine", "mine", "default", "1");
    must_do(redis, "EVAL %s 0",
            "for i = 1, 30000 do redis.call('PUBLISH', 'sluice:stream:' .. i, 1) end");
    wait_until(HANG_MS, says("sluice tail: too much at once: "));
    ck_assert_msg(strstr(tail.err, " of further jobs passed over\n"), "%s", tail.err);
    wait_until(HANG_MS, (emit("mine", "1"), shows("  mine  mine  1\n"))); /* it goes on */
}
END_TEST

START_TEST(a_prefix_is_no_pattern)
{
    tail.env[1] = "SLUICE_KEY_PREFIX=a*[b]?\\:";
    start_tail("--json");
    must_do(redis, "EVAL %s 0",
            "for i, prefix in ipairs({'axbx:', 'a*[b]?:', '', 'a*[b]?\\\\:'}) do "
            "local key = prefix .. 'sluice:stream:j' .. i "
            "redis.call('PUBLISH', key, redis.call('RPUSH', key, i)) end");
    wait_until(HANG_MS,
               shows("\"jid\":\"j4\",\"class\":null,\"queue\":null,\"id\":1,\"event\":4}"));
    ck_assert_int_eq(count(tail.out, "\n"), 1);
}
END_TEST

static void start_piped(const char *words, const char *reader)
{
    static char variable[160], line[512];
    (void)snprintf(variable, sizeof variable, "REDIS_URL=%s", server.url);
    (void)snprintf(line, sizeof line, "{ %s tail %s; echo ended with $? >&2; } | %s", SLUICE_BINARY,
                   words, reader);
    tail.env[0] = variable;
    program_start(&tail, (const char *const[]){"/bin/sh", "-c", line, NULL});
}

START_TEST(it_ends_with_its_reader)
{
    start_piped("", "true"); /* before there is anything to write */
    wait_until(HANG_MS, says("ended with 0\n"));
    ck_assert_int_eq(program_wait(&tail), 0);
    ck_assert_str_eq(tail.err, "ended with 0\n");
    program_end(&tail);

    must_do(redis, "EVAL %s 1 sluice:stream:a", /* more than a pipe holds */
            "for i = 1, 3000 do redis.call('RPUSH', KEYS[1], string.rep(1, 100)) end");
    start_piped("a --json --lines 3000", "head -n 1");
    wait_until(HANG_MS, says("ended with 0\n"));
    ck_assert_int_eq(program_wait(&tail), 0);
    ck_assert_str_eq(tail.err, "ended with 0\n");
    ck_assert_int_eq(count(tail.out, "\n"), 1);
}
END_TEST

START_TEST(ctrl_c_ends_it)
{
    start_tail("--json");
    emit("a", "1");
    wait_until(HANG_MS, shows("\"event\":1}"));
    ck_assert_int_eq(kill(tail.pid, SIGINT), 0);
    ck_assert_int_eq(program_wait(&tail), 128 + SIGINT);
    ck_assert_str_eq(tail.err, "");
    ck_assert_int_eq(count(tail.out, "\n"), 1);
}
END_TEST

START_TEST(what_is_wrong_is_said)
{
    char url[192];
    sluice_expect(sluice(server.url, NULL, "tail", "--queue", "a,b"), 2, "",
                  "sluice tail: --queue \"a,b\" is not a queue name; allowed: 1 to 256 bytes "
                  "without white space, commas and quotes\n");
    sluice_expect(sluice(server.url, NULL, "tail", "--class", ""), 2, "",
                  "sluice tail: --class is empty\n");
    sluice_expect(sluice(server.url, NULL, "tail", "--lines", "0"), 2, "",
                  "sluice tail: --lines \"0\" is not allowed; allowed: 1 to 100000\n");
    sluice_expect(sluice(server.url, NULL, "tail", "--lines", "7x"), 2, "",
                  "sluice tail: --lines \"7x\" is not allowed; allowed: 1 to 100000\n");
    sluice_expect(sluice(server.url, NULL, "tail", ""), 2, "",
                  "sluice tail: \"\" is not a jid; allowed: 1 to 128 bytes\n");
    sluice_expect(sluice(server.url, NULL, "tail", "--type"), 2, "",
                  "sluice tail: --type needs a value: TYPE\n");
    sluice_expect(sluice(server.url, NULL, "tail", "--bogus"), 2, "", NULL);
    (void)snprintf(url, sizeof url, "unix://%s/none.sock", server.dir);
    sluice_expect(sluice(url, NULL, "tail"), 69, "", NULL);
    /* Who may not subscribe is told so, and not that Redis is away. */
    must_do(redis, "ACL SETUSER reader on >secret allkeys allcommands resetchannels");
    (void)snprintf(url, sizeof url, "unix://reader:secret@%s", server.socket);
    sluice_expect_part(sluice(url, NULL, "tail"), 1, "", "NOPERM");
    sluice_expect_part(sluice(url, NULL, "tail", "some-jid"), 1, "", "NOPERM");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sluice tail");
    TCase *tc = new_case(suite, "tail");
    tcase_add_checked_fixture(tc, NULL, end_tail);
    tcase_add_test(tc, it_shows_what_jobs_put_out);
    tcase_add_loop_test(tc, filters_choose, 0, sizeof filters / sizeof *filters);
    tcase_add_test(tc, jids_choose);
    tcase_add_test(tc, it_begins_where_it_makes_sense);
    tcase_add_test(tc, a_lost_subscription_loses_nothing);
    tcase_add_test(tc, redis_may_go_and_come);
    tcase_add_test(tc, an_outage_is_waited_for);
    tcase_add_test(tc, too_much_is_passed_over_and_said);
    tcase_add_test(tc, a_prefix_is_no_pattern);
    tcase_add_test(tc, it_ends_with_its_reader);
    tcase_add_test(tc, ctrl_c_ends_it);
    tcase_add_test(tc, what_is_wrong_is_said);
    return suite;
}
