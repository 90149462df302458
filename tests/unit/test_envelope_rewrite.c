/* job/splice and job/rewrite: a job changes, and what is not ours in it stays as it came. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/random.h"
#include "job/envelope.h"

#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define JOB(members) "{\"class\":\"x\",\"args\":[]," members "}"

static const double now = 1795478712.5;

static struct envelope parse(const char *payload)
{
    struct envelope e;
    struct err err = {0};
    int rc = envelope_parse(slice_of(payload), &e, &err);
    ck_assert_msg(rc == 0, "%s: %s", payload, err.text);
    return e;
}

static void assert_slice(struct slice got, const char *expected)
{
    ck_assert_msg(slice_is(got, expected), "got %.*s, expected %s", (int)got.n, got.p, expected);
}

START_TEST(test_splice)
{
    static const struct splice splices[] = {
        {"b", LITERAL("[9]")}, {"c", {0}}, {"new", LITERAL("\"x\"")}};
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"{}", "{\"b\":[9],\"new\":\"x\"}"},
        {"{ }", "{\"b\":[9],\"new\":\"x\"}"},
        {"{\"a\":1}", "{\"a\":1,\"b\":[9],\"new\":\"x\"}"},
        {" { \"a\" : 1.10 , \"b\" : 2 , \"d\":[ ] } ",
         "{\"a\" : 1.10,\"d\":[ ],\"b\":[9],\"new\":\"x\"}"},
        {"{\"c\":1,\"b\":2,\"c\":3,\"b\":4}", "{\"b\":[9],\"new\":\"x\"}"},
        {"{\"\\u0062\":1,\"\\u0063\":2,\"\\u0064\":3}", "{\"\\u0064\":3,\"b\":[9],\"new\":\"x\"}"},
        {"{\"n\":{\"b\":1,\"c\":2}}", "{\"n\":{\"b\":1,\"c\":2},\"b\":[9],\"new\":\"x\"}"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        struct buf out = {0};
        buf_puts(&out, "> ");
        ck_assert_int_eq(envelope_splice(slice_of(cases[i].before), splices, COUNT(splices), &out),
                         0);
        ck_assert_str_eq(buf_str(&out) + 2, cases[i].after);
        buf_release(&out);
    }
}
END_TEST

START_TEST(test_splice_of_no_object)
{
    struct buf out = {0};
    ck_assert_int_eq(envelope_splice(slice_of("[1]"), NULL, 0, &out), -EBADMSG);
    ck_assert_int_eq(envelope_splice(slice_of("{\"a\""), NULL, 0, &out), -EBADMSG);
    buf_release(&out);
}
END_TEST

/* Replaces *payload by what a step makes of it. */
static void fail_once(char **payload)
{
    struct envelope e = parse(*payload);
    struct buf out = {0};
    ck_assert_int_eq(
        envelope_put_failure(&e, "default", "Oops", slice_of("no \"luck\""), now, &out), 0);
    envelope_release(&e);
    free(*payload);
    *payload = buf_steal(&out, NULL);
}

static void enqueue_once(char **payload)
{
    struct envelope e = parse(*payload);
    struct buf out = {0};
    ck_assert_int_eq(envelope_put_enqueued(&e, "default", now + 1, &out), 0);
    envelope_release(&e);
    free(*payload);
    *payload = buf_steal(&out, NULL);
}

START_TEST(test_foreign_bytes_survive)
{
    static const char args[] = "[9007199254740993, [], {}, 1.10, \"\\u00e9\"]";
    char *payload = malloc(512);
    (void)snprintf(payload, 512,
                   "{\"x\":{\"class\":\"inner\",\"n\":18446744073709551616},\"jid\":\"abc\","
                   "\"args\":%s,\"class\":\"t\",\"\\u0079\":1e400,\"queue\":\"default\","
                   "\"created_at\":1795478700}",
                   args);
    for (int i = 0; i < 3; i++) {
        fail_once(&payload);
        enqueue_once(&payload);
        struct envelope e = parse(payload);
        assert_slice(e.args, args);
        ck_assert_int_eq(e.retry_count, i);
        envelope_release(&e);
    }
    ck_assert_str_eq(payload,
                     "{\"x\":{\"class\":\"inner\",\"n\":18446744073709551616},\"jid\":\"abc\","
                     "\"args\":[9007199254740993, [], {}, 1.10, \"\\u00e9\"],\"class\":\"t\","
                     "\"\\u0079\":1e400,\"queue\":\"default\",\"created_at\":1795478700,"
                     "\"failed_at\":1795478712.500000,"
                     "\"retry_count\":2,\"retried_at\":1795478712.500000,\"error_class\":\"Oops\","
                     "\"error_message\":\"no \\\"luck\\\"\",\"enqueued_at\":1795478713.500000}");
    free(payload);
}
END_TEST

START_TEST(test_failure_of_a_bare_job)
{
    struct envelope e = parse("{\"class\":\"x\",\"args\":[],\"jid\":null}");
    struct buf out = {0}, expected = {0};
    ck_assert_int_eq(envelope_put_failure(&e, "low", "E", slice_of("a\xff\n"), now, &out), 0);
    buf_printf(&expected,
               "{\"class\":\"x\",\"args\":[],\"retry_count\":0,\"failed_at\":1795478712.500000,"
               "\"error_class\":\"E\",\"error_message\":\"a\xef\xbf\xbd\\n\",\"jid\":\"%s\","
               "\"queue\":\"low\"}",
               e.jid);
    ck_assert_str_eq(buf_str(&out), buf_str(&expected));
    envelope_release(&e);
    buf_release(&out);
    buf_release(&expected);
}
END_TEST

START_TEST(test_failure_queue)
{
    static const struct {
        const char *member, *expected;
    } cases[] = {
        {"\"queue\":\"low\"", "low"},
        {"\"queue\":\"other\"", "low"}, /* it lay in low, so it goes back to low */
        {"\"queue\":null", "low"},
        {"\"queue\":\"low\",\"retry_queue\":\"slow\"", "slow"},
        {"\"retry_queue\":\"slow\"", "slow"},
    };
    for (int i = 0; i < COUNT(cases); i++) {
        char payload[128];
        (void)snprintf(payload, sizeof payload, JOB("%s"), cases[i].member);
        struct envelope e = parse(payload);
        struct buf out = {0};
        ck_assert_int_eq(envelope_put_failure(&e, "low", "E", (struct slice){0}, now, &out), 0);
        envelope_release(&e);
        e = parse(buf_str(&out));
        ck_assert_str_eq(e.queue, cases[i].expected);
        envelope_release(&e);
        buf_release(&out);
    }
}
END_TEST

START_TEST(test_long_error_message_is_cut)
{
    enum { LONG = JOB_ERROR_MESSAGE_MAX + 1000 };
    char *message = malloc(LONG);
    memset(message, 'm', LONG);
    memcpy(message + JOB_ERROR_MESSAGE_MAX - 1, "\xc3\xa9", 2);
    struct envelope e = parse(JOB("\"queue\":\"q\""));
    struct buf out = {0};
    ck_assert_int_eq(envelope_put_failure(&e, "q", "E", (struct slice){message, LONG}, now, &out),
                     0);
    const char *begin = strstr(buf_str(&out), "\"error_message\":\"");
    ck_assert_ptr_nonnull(begin);
    begin += strlen("\"error_message\":\"");
    ck_assert_uint_eq(strspn(begin, "m"), JOB_ERROR_MESSAGE_MAX - 1);
    ck_assert_int_eq(begin[JOB_ERROR_MESSAGE_MAX - 1], '"');
    envelope_release(&e);
    buf_release(&out);
    free(message);
}
END_TEST

START_TEST(test_failed_at_is_kept)
{
    /* Sidekiq 8 wrote it in milliseconds; the dashboard took one off retry_count. */
    struct envelope e =
        parse(JOB("\"jid\":\"j\",\"queue\":\"q\",\"retry_count\":-1,\"failed_at\":1795478700000"));
    struct buf out = {0};
    ck_assert_int_eq(envelope_put_failure(&e, "q", "E", (struct slice){0}, now, &out), 0);
    ck_assert_str_eq(
        buf_str(&out),
        "{\"class\":\"x\",\"args\":[],\"jid\":\"j\",\"queue\":\"q\",\"failed_at\":1795478700000,"
        "\"retry_count\":0,\"retried_at\":1795478712.500000,\"error_class\":\"E\","
        "\"error_message\":\"\"}");
    envelope_release(&e);
    buf_release(&out);
}
END_TEST

START_TEST(test_enqueued_and_scheduled)
{
    struct envelope e = parse("{\"at\":1795478712.4,\"class\":\"x\",\"args\":[],\"jid\":\"j\","
                              "\"enqueued_at\":1,\"queue\":\"other\"}");
    struct buf out = {0};
    ck_assert_int_eq(envelope_put_enqueued(&e, "q", now, &out), 0);
    ck_assert_str_eq(buf_str(&out),
                     "{\"class\":\"x\",\"args\":[],\"jid\":\"j\",\"queue\":\"q\","
                     "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000}");
    buf_clear(&out);
    ck_assert_int_eq(envelope_put_scheduled(&e, "other", now, &out), 0);
    ck_assert_str_eq(buf_str(&out),
                     "{\"class\":\"x\",\"args\":[],\"jid\":\"j\",\"queue\":\"other\","
                     "\"created_at\":1795478712.500000}");
    envelope_release(&e);

    buf_clear(&out);
    e = parse(JOB("\"jid\":\"j\",\"queue\":\"q\",\"created_at\":1"));
    ck_assert_int_eq(envelope_put_scheduled(&e, "q", now, &out), 0);
    ck_assert_str_eq(buf_str(&out), JOB("\"jid\":\"j\",\"queue\":\"q\",\"created_at\":1"));
    envelope_release(&e);
    buf_release(&out);
}
END_TEST

START_TEST(test_put_time)
{
    static const struct {
        double seconds;
        const char *text;
    } times[] = {{0, "0.000000"},
                 {1795478712.5, "1795478712.500000"},
                 {1795478712.9999999, "1795478713.000000"},
                 {-1.25, "-1.250000"},
                 {-0.25, "-0.250000"},
                 {1e300, "1000000000000.000000"}};
    for (int i = 0; i < COUNT(times); i++) {
        struct buf out = {0};
        job_put_time(&out, times[i].seconds);
        ck_assert_str_eq(buf_str(&out), times[i].text);
        buf_release(&out);
    }
}
END_TEST

START_TEST(test_new_jids_differ)
{
    char a[JOB_JID_BYTES + 1], b[JOB_JID_BYTES + 1];
    job_new_jid(a);
    job_new_jid(b);
    ck_assert_uint_eq(strlen(a), JOB_JID_BYTES);
    ck_assert_str_ne(a, b);
}
END_TEST

/* ---- Property: whatever the object, its other members come back byte for byte ------------ */

struct members {
    int n;
    struct slice whole[64];
};

/* Lists the members that envelope_put_failure() does not own. */
static int list_foreign(void *ctx, const struct json_member *m)
{
    static const char *const owned[] = {"retry_count",   "failed_at", "retried_at", "error_class",
                                        "error_message", "jid",       "queue"};
    struct members *list = ctx;
    for (int i = 0; i < COUNT(owned); i++)
        if (json_key_is(m->key, owned[i]))
            return 0;
    ck_assert_int_lt(list->n, COUNT(list->whole));
    list->whole[list->n++] = m->whole;
    return 0;
}

static uint64_t seed;

static unsigned pick(unsigned bound)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % bound;
}

static void put_space(struct buf *out)
{
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t ", "\r\n  "};
    buf_puts(out, spaces[pick(COUNT(spaces))]);
}

static void put_value(struct buf *out, int depth)
{
    static const char *const scalars[] = {"null",
                                          "true",
                                          "false",
                                          "0",
                                          "-0.0",
                                          "1.10",
                                          "9007199254740993",
                                          "1e400",
                                          "\"\"",
                                          "\"a\"",
                                          "\"\\u00e9\"",
                                          "\"\xc3\xa9\"",
                                          "\"]},{[\\\"\"",
                                          "[]",
                                          "{}",
                                          "\"\\ud800\""};
    unsigned kind = depth > 3 ? 0 : pick(4);
    if (kind < 2) {
        buf_puts(out, scalars[pick(COUNT(scalars))]);
        return;
    }
    buf_putc(out, kind == 2 ? '[' : '{');
    for (unsigned i = 0, n = pick(4); i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_space(out);
        if (kind == 3)
            buf_printf(out, "\"k%u\":", pick(3));
        put_value(out, depth + 1);
        put_space(out);
    }
    buf_putc(out, kind == 2 ? ']' : '}');
}

static void put_member(struct buf *out)
{
    static const char *const own[] = {"\"retry_count\":4",
                                      "\"failed_at\":1795478700.25",
                                      "\"retried_at\":1",
                                      "\"error_class\":\"Old\"",
                                      "\"error_messag\\u0065\":1",
                                      "\"jid\":\"j\"",
                                      "\"jid\":null",
                                      "\"queue\" : \"q\"",
                                      "\"qu\\u0065ue\":\"other\"",
                                      "\"retry\":3"};
    static const char *const keys[] = {"\"\"",        "\"tags\"",  "\"x\\u0000y\"",
                                       "\"jids\"",    "\"Queue\"", "\"\xf0\x9f\x98\x80\"",
                                       "\"\\u006a\"", "\"error\""};
    if (pick(3) == 0) {
        buf_puts(out, own[pick(COUNT(own))]);
        return;
    }
    buf_puts(out, keys[pick(COUNT(keys))]);
    put_space(out);
    buf_putc(out, ':');
    put_space(out);
    put_value(out, 0);
}

/* A random job: its two required members stand somewhere among others. */
static void put_job(struct buf *out)
{
    unsigned n = pick(12), class_at = pick(n + 1), args_at = pick(n + 1);
    put_space(out);
    buf_putc(out, '{');
    for (unsigned i = 0; i <= n; i++) {
        put_space(out);
        if (i == class_at)
            buf_puts(out, "\"class\":\"x\",");
        if (i == args_at) {
            buf_puts(out, "\"args\":[");
            put_value(out, 0);
            buf_puts(out, "],");
        }
        put_member(out);
        put_space(out);
        buf_putc(out, i < n ? ',' : '}');
    }
    put_space(out);
}

START_TEST(test_splice_property)
{
    const char *given = getenv("SLUICE_TEST_SEED");
    uint64_t first = given ? strtoull(given, NULL, 10) : random_below(UINT64_MAX);
    struct buf job = {0}, out = {0};
    for (uint64_t round = 0; round < 3000; round++) {
        seed = first + round;
        uint64_t this_seed = seed;
        buf_clear(&job);
        buf_clear(&out);
        put_job(&job);
        struct envelope e;
        struct err err = {0};
        enum json_type type;
        struct members before = {0}, after = {0};
        ck_assert_msg(envelope_parse(buf_slice(&job), &e, &err) == 0,
                      "SLUICE_TEST_SEED=%llu: %s: %s", (unsigned long long)this_seed, err.text,
                      buf_str(&job));
        ck_assert_int_eq(envelope_put_failure(&e, "q", "E", slice_of("m"), now, &out), 0);
        envelope_release(&e);
        ck_assert_int_eq(json_scan(buf_slice(&job), &type, list_foreign, &before, NULL), 0);
        ck_assert_msg(json_scan(buf_slice(&out), &type, list_foreign, &after, &err) == 0,
                      "SLUICE_TEST_SEED=%llu: %s: %s", (unsigned long long)this_seed, err.text,
                      buf_str(&out));
        bool same = before.n == after.n;
        for (int i = 0; same && i < before.n; i++)
            same = slice_eq(before.whole[i], after.whole[i]);
        ck_assert_msg(same, "SLUICE_TEST_SEED=%llu:\n%s\n%s", (unsigned long long)this_seed,
                      buf_str(&job), buf_str(&out));
    }
    buf_release(&job);
    buf_release(&out);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("envelope_rewrite");
    TCase *rewriting = tcase_create("rewrite");
    tcase_add_test(rewriting, test_splice);
    tcase_add_test(rewriting, test_splice_of_no_object);
    tcase_add_test(rewriting, test_foreign_bytes_survive);
    tcase_add_test(rewriting, test_failure_of_a_bare_job);
    tcase_add_test(rewriting, test_failure_queue);
    tcase_add_test(rewriting, test_long_error_message_is_cut);
    tcase_add_test(rewriting, test_failed_at_is_kept);
    tcase_add_test(rewriting, test_enqueued_and_scheduled);
    tcase_add_test(rewriting, test_put_time);
    tcase_add_test(rewriting, test_new_jids_differ);
    tcase_add_test(rewriting, test_splice_property);
    suite_add_tcase(suite, rewriting);
    return suite;
}
