/* job/envelope: reading a job, and refusing what is none. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "job/envelope.h"

#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

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

/* ---- Reading ---------------------------------------------------------------------------- */

START_TEST(test_smallest_job)
{
    struct envelope e = parse("{\"class\":\"checksum\",\"args\":[\"/etc/hosts\"]}");
    ck_assert_str_eq(e.klass, "checksum");
    assert_slice(e.args, "[\"/etc/hosts\"]");
    ck_assert(e.jid_is_new);
    ck_assert_uint_eq(strlen(e.jid), JOB_JID_BYTES);
    ck_assert_uint_eq(strspn(e.jid, "0123456789abcdef"), JOB_JID_BYTES);
    ck_assert_ptr_null(e.queue);
    ck_assert_ptr_null(e.retry_queue);
    ck_assert_ptr_null(e.traceparent);
    ck_assert(!e.track);
    ck_assert(e.keep_dead);
    ck_assert_int_eq(e.retry, JOB_RETRY_UNSET);
    ck_assert_int_eq(e.retry_count, -1);
    ck_assert_int_eq(envelope_attempt(&e), 1);
    ck_assert(e.created_at == 0 && e.enqueued_at == 0 && e.failed_at == 0 && e.at == 0);
    ck_assert(e.expires_at == 0 && e.timeout_s == 0 && e.retry_for_s == 0);
    envelope_release(&e);
    envelope_release(&e); /* harmless */
}
END_TEST

START_TEST(test_every_field)
{
    struct envelope e =
        parse(" {\t\"class\" : \"thumb.make\" ,\r\n\"args\" : [ 1 , [ ] ] , \"jid\":\"any id\","
              "\"queue\":\"low\",\"retry_queue\":\"slow\",\"traceparent\":\"00-ab-cd-01\","
              "\"retry\":7,\"retry_count\":3,\"retry_for\":3600.5,\"dead\":false,\"track\":true,"
              "\"timeout\":1.5,\"created_at\":1795478712.5,\"enqueued_at\":1795478713,"
              "\"failed_at\":1795478714.25,\"at\":1795478715.0,\"expires_at\":1795478716.125,"
              "\"tags\":[\"x\"],\"bid\":null} \n");
    ck_assert_str_eq(e.klass, "thumb.make");
    assert_slice(e.args, "[ 1 , [ ] ]");
    ck_assert_str_eq(e.jid, "any id");
    ck_assert(!e.jid_is_new);
    ck_assert_str_eq(e.queue, "low");
    ck_assert_str_eq(e.retry_queue, "slow");
    ck_assert_str_eq(e.traceparent, "00-ab-cd-01");
    ck_assert_int_eq(e.retry, JOB_RETRY_COUNT);
    ck_assert_int_eq(e.max_retries, 7);
    ck_assert_int_eq(e.retry_count, 3);
    ck_assert_int_eq(envelope_attempt(&e), 5);
    ck_assert(!e.keep_dead && e.track);
    ck_assert(e.retry_for_s == 3600.5 && e.timeout_s == 1.5);
    ck_assert(e.created_at == 1795478712.5 && e.enqueued_at == 1795478713);
    ck_assert(e.failed_at == 1795478714.25 && e.at == 1795478715.0);
    ck_assert(e.expires_at == 1795478716.125);
    envelope_release(&e);
}
END_TEST

START_TEST(test_null_is_absent)
{
    struct envelope e =
        parse("{\"class\":\"x\",\"args\":[],\"jid\":null,\"queue\":null,\"retry_queue\":null,"
              "\"traceparent\":null,\"retry\":null,\"retry_count\":null,\"retry_for\":null,"
              "\"dead\":null,\"track\":null,\"timeout\":null,\"created_at\":null,"
              "\"enqueued_at\":null,\"failed_at\":null,\"at\":null,\"expires_at\":null}");
    ck_assert(e.jid_is_new && !e.queue && !e.retry_queue && !e.traceparent);
    ck_assert(e.keep_dead && !e.track && e.retry == JOB_RETRY_UNSET && e.retry_count == -1);
    ck_assert(e.created_at == 0 && e.timeout_s == 0);
    envelope_release(&e);
}
END_TEST

START_TEST(test_escaped_names_and_values)
{
    struct envelope e = parse("{\"cl\\u0061ss\":\"caf\\u00e9\\n\",\"\\u0061rgs\":[\"\\u00e9\"],"
                              "\"jid\":\"\\uD83D\\uDE00\",\"queue\":\"\\u0071\"}");
    ck_assert_str_eq(e.klass, "caf\xc3\xa9\n");
    assert_slice(e.args, "[\"\\u00e9\"]");
    ck_assert_str_eq(e.jid, "\xf0\x9f\x98\x80");
    ck_assert_str_eq(e.queue, "q");
    envelope_release(&e);
}
END_TEST

START_TEST(test_last_duplicate_wins)
{
    struct envelope e =
        parse("{\"class\":1,\"args\":{},\"jid\":\"a\",\"class\":\"old\",\"args\":[1],"
              "\"jid\":\"b\",\"cl\\u0061ss\":\"new\",\"args\":[2],\"jid\":null}");
    ck_assert_str_eq(e.klass, "new");
    assert_slice(e.args, "[2]");
    ck_assert(e.jid_is_new);
    envelope_release(&e);
}
END_TEST

START_TEST(test_retry_values)
{
    static const struct {
        const char *json;
        enum job_retry_kind kind;
        int64_t max;
    } values[] = {{"true", JOB_RETRY_COUNT, 25},
                  {"false", JOB_RETRY_NEVER, 0},
                  {"0", JOB_RETRY_COUNT, 0},
                  {"1000000000000", JOB_RETRY_COUNT, INT64_C(1000000000000)}};
    for (int i = 0; i < COUNT(values); i++) {
        char payload[128];
        (void)snprintf(payload, sizeof payload, "{\"class\":\"x\",\"args\":[],\"retry\":%s}",
                       values[i].json);
        struct envelope e = parse(payload);
        ck_assert_int_eq(e.retry, values[i].kind);
        ck_assert_int_eq(e.max_retries, values[i].max);
        envelope_release(&e);
    }
}
END_TEST

START_TEST(test_times_by_magnitude)
{
    static const char *const forms[] = {"1795478712.5", "1795478712500", "1795478712500.0",
                                        "1.7954787125e9", "17954787125e2"};
    for (int i = 0; i < COUNT(forms); i++) {
        char payload[160];
        (void)snprintf(payload, sizeof payload,
                       "{\"class\":\"x\",\"args\":[],\"created_at\":%s,\"failed_at\":%s}", forms[i],
                       forms[i]);
        struct envelope e = parse(payload);
        ck_assert_msg(e.created_at == 1795478712.5, "%s: %f", forms[i], e.created_at);
        ck_assert(e.failed_at == 1795478712.5);
        envelope_release(&e);
    }
}
END_TEST

START_TEST(test_retry_count_from_the_dashboard)
{
    struct envelope e = parse("{\"class\":\"x\",\"args\":[],\"retry_count\":-1,\"failed_at\":5.5}");
    ck_assert_int_eq(e.retry_count, -1);
    ck_assert_int_eq(envelope_attempt(&e), 1);
    envelope_release(&e);
    e = parse("{\"class\":\"x\",\"args\":[],\"retry_count\":9223372036854775807}");
    ck_assert_int_eq(e.retry_count, INT32_MAX);
    envelope_release(&e);
}
END_TEST

START_TEST(test_traceparent_is_forgiven)
{
    static const char *const values[] = {"1", "[]", "\"a\\u0000b\""};
    char payload[512];
    for (int i = 0; i < COUNT(values); i++) {
        (void)snprintf(payload, sizeof payload, "{\"class\":\"x\",\"args\":[],\"traceparent\":%s}",
                       values[i]);
        struct envelope e = parse(payload);
        ck_assert_ptr_null(e.traceparent);
        envelope_release(&e);
    }
    for (int n = JOB_TRACEPARENT_MAX; n <= JOB_TRACEPARENT_MAX + 1; n++) {
        (void)snprintf(payload, sizeof payload,
                       "{\"class\":\"x\",\"args\":[],\"traceparent\":\"%0*d\"}", n, 0);
        struct envelope e = parse(payload);
        ck_assert((e.traceparent != NULL) == (n == JOB_TRACEPARENT_MAX));
        envelope_release(&e);
    }
}
END_TEST

/* ---- Refusing --------------------------------------------------------------------------- */

#define JOB(members) "{\"class\":\"x\",\"args\":[]," members "}"
#define TIME         "a Unix time in seconds or milliseconds is required"
#define SECONDS      "a number of seconds above 0 is required"
#define QUEUE                                                                                      \
    "a string of 1 to 256 bytes without white space, commas, quotes and control characters is "    \
    "required"
#define JID "a string of 1 to 128 bytes without control characters is required"

static const struct refused {
    struct slice payload;
    const char *sentence;
} refused[] = {
    /* no JSON */
    {LITERAL(""), "not JSON: the text ends too early at byte 0"},
    {LITERAL("   "), "not JSON: the text ends too early at byte 3"},
    {LITERAL("hello"), "not JSON: no value can start here at byte 0"},
    {LITERAL("{\"class\":\"x\",\"args\":["), "not JSON: the text ends too early at byte 21"},
    {LITERAL("{\"class\":\"x\",\"args\":[]}x"), "not JSON: more text after the value at byte 23"},
    {LITERAL("{\"class\":\"x\",\"args\":[]}{}"), "not JSON: more text after the value at byte 23"},
    {LITERAL("{\"class\":\"x\",\"args\":[]}\0"), "not JSON: more text after the value at byte 23"},
    {LITERAL("{\"class\":\"a\0b\",\"args\":[]}"),
     "not JSON: a control character in a string at byte 11"},
    {LITERAL("{\"class\":\"\xff\",\"args\":[]}"), "not JSON: a byte that is not UTF-8 at byte 10"},
    {LITERAL("{\"class\":\"x\",\"args\":[\"\xc3\"]}"),
     "not JSON: a byte that is not UTF-8 at byte 22"},
    /* no job */
    {LITERAL("[]"), "the payload is an array; an object is required"},
    {LITERAL("[{\"class\":\"x\",\"args\":[]}]"), "the payload is an array; an object is required"},
    {LITERAL("\"x\""), "the payload is a string; an object is required"},
    {LITERAL("12"), "the payload is a number; an object is required"},
    {LITERAL("null"), "the payload is null; an object is required"},
    {LITERAL("true"), "the payload is a boolean; an object is required"},
    {LITERAL("{}"), "field \"class\" is missing; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"args\":[]}"),
     "field \"class\" is missing; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":null,\"args\":[]}"),
     "field \"class\" is null; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":\"\",\"args\":[]}"),
     "field \"class\" is \"\"; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":5,\"args\":[]}"),
     "field \"class\" is 5; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":\"a\\u0000b\",\"args\":[]}"),
     "field \"class\" is \"a\\u0000b\"; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":[\"x\"],\"args\":[]}"),
     "field \"class\" is an array; a string of 1 to 256 bytes is required"},
    {LITERAL("{\"class\":\"x\"}"), "field \"args\" is missing; an array is required"},
    {LITERAL("{\"class\":\"x\",\"args\":null}"), "field \"args\" is null; an array is required"},
    {LITERAL("{\"class\":\"x\",\"args\":{}}"), "field \"args\" is an object; an array is required"},
    {LITERAL("{\"class\":\"x\",\"args\":\"[]\"}"),
     "field \"args\" is \"[]\"; an array is required"},
    /* a field of a wrong type */
    {LITERAL(JOB("\"jid\":1")), "field \"jid\" is 1; " JID},
    {LITERAL(JOB("\"jid\":\"\"")), "field \"jid\" is \"\"; " JID},
    {LITERAL(JOB("\"jid\":\"a\\nb\"")), "field \"jid\" is \"a\\nb\"; " JID},
    {LITERAL(JOB("\"jid\":\"\\u0000\"")), "field \"jid\" is \"\\u0000\"; " JID},
    {LITERAL(JOB("\"queue\":[]")), "field \"queue\" is an array; " QUEUE},
    {LITERAL(JOB("\"queue\":\"a b\"")), "field \"queue\" is \"a b\"; " QUEUE},
    {LITERAL(JOB("\"retry_queue\":\"\"")), "field \"retry_queue\" is \"\"; " QUEUE},
    {LITERAL(JOB("\"retry\":-1")), "field \"retry\" is -1; true, false or an integer from 0 is "
                                   "required"},
    {LITERAL(JOB("\"retry\":1.5")), "field \"retry\" is 1.5; true, false or an integer from 0 is "
                                    "required"},
    {LITERAL(JOB("\"retry\":\"3\"")), "field \"retry\" is \"3\"; true, false or an integer from 0 "
                                      "is required"},
    {LITERAL(JOB("\"retry_count\":1e400")),
     "field \"retry_count\" is 1e400; an integer is required"},
    {LITERAL(JOB("\"retry_count\":true")), "field \"retry_count\" is true; an integer is required"},
    {LITERAL(JOB("\"dead\":0")), "field \"dead\" is 0; true or false is required"},
    {LITERAL(JOB("\"track\":\"yes\"")), "field \"track\" is \"yes\"; true or false is required"},
    {LITERAL(JOB("\"timeout\":0")), "field \"timeout\" is 0; " SECONDS},
    {LITERAL(JOB("\"timeout\":-1")), "field \"timeout\" is -1; " SECONDS},
    {LITERAL(JOB("\"timeout\":1e400")), "field \"timeout\" is 1e400; " SECONDS},
    {LITERAL(JOB("\"retry_for\":\"1h\"")), "field \"retry_for\" is \"1h\"; " SECONDS},
    {LITERAL(JOB("\"created_at\":\"2026-01-01T00:00:00.000000000000000000Z\"")),
     "field \"created_at\" is a string of 41 bytes; " TIME},
    {LITERAL(JOB("\"enqueued_at\":\"1795478712.5\"")),
     "field \"enqueued_at\" is \"1795478712.5\"; " TIME},
    {LITERAL(JOB("\"failed_at\":{}")), "field \"failed_at\" is an object; " TIME},
    {LITERAL(JOB("\"at\":false")), "field \"at\" is false; " TIME},
    {LITERAL(JOB("\"expires_at\":1e400")), "field \"expires_at\" is 1e400; " TIME},
    {LITERAL(JOB("\"expires_at\":1e15")), "field \"expires_at\" is 1e15; " TIME},
};

START_TEST(test_refused)
{
    struct envelope e, before;
    struct err err = {0};
    memset(&e, 0x5a, sizeof e);
    before = e;
    char *exact = malloc(refused[_i].payload.n + 1);
    memcpy(exact, refused[_i].payload.p, refused[_i].payload.n);
    ck_assert_int_eq(envelope_parse((struct slice){exact, refused[_i].payload.n}, &e, &err),
                     -EBADMSG);
    ck_assert_str_eq(err.text, refused[_i].sentence);
    ck_assert_mem_eq(&e, &before, sizeof e);
    ck_assert_int_eq(envelope_parse((struct slice){exact, refused[_i].payload.n}, &e, NULL),
                     -EBADMSG);
    free(exact);
}
END_TEST

START_TEST(test_depth)
{
    for (int depth = 99; depth <= 100; depth++) { /* the object itself is one level more */
        struct buf payload = {0};
        buf_puts(&payload, "{\"class\":\"x\",\"args\":");
        for (int i = 0; i < depth; i++)
            buf_putc(&payload, '[');
        for (int i = 0; i < depth; i++)
            buf_putc(&payload, ']');
        buf_putc(&payload, '}');
        struct envelope e = {0};
        int rc = envelope_parse(buf_slice(&payload), &e, NULL);
        ck_assert_int_eq(rc, depth == 99 ? 0 : -EBADMSG);
        envelope_release(&e);
        buf_release(&payload);
    }
}
END_TEST

START_TEST(test_lengths)
{
    static const struct {
        const char *field;
        int max;
    } limits[] = {{"class", JOB_CLASS_MAX}, {"jid", JOB_JID_MAX}, {"queue", JOB_QUEUE_MAX}};
    for (int i = 0; i < COUNT(limits); i++) {
        for (int n = limits[i].max; n <= limits[i].max + 1; n++) {
            char payload[512];
            (void)snprintf(payload, sizeof payload, "{\"class\":\"x\",\"args\":[],\"%s\":\"%0*d\"}",
                           limits[i].field, n, 0);
            struct envelope e = {0};
            int rc = envelope_parse(slice_of(payload), &e, NULL);
            ck_assert_int_eq(rc, n == limits[i].max ? 0 : -EBADMSG);
            envelope_release(&e);
        }
    }
}
END_TEST

START_TEST(test_any_number_passes_in_args)
{
    struct envelope e = parse("{\"class\":\"x\",\"args\":[1e400,-1e-400,12345678901234567890123]}");
    assert_slice(e.args, "[1e400,-1e-400,12345678901234567890123]");
    envelope_release(&e);
}
END_TEST

START_TEST(test_queue_names)
{
    static const char *const good[] = {"default", "a", "mailers:low", "a-b_c.d/e", "caf\xc3\xa9"};
    static const char *const bad[] = {"",     "a b", "a\tb", "a\n",  "a,b",
                                      "a\"b", "a'b", "\x7f", "\x01", "caf\xc3"};
    for (int i = 0; i < COUNT(good); i++)
        ck_assert_msg(job_queue_name_ok(good[i]), "%s", good[i]);
    for (int i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!job_queue_name_ok(bad[i]), "%s", bad[i]);
    char name[JOB_QUEUE_MAX + 2];
    memset(name, 'q', sizeof name);
    name[JOB_QUEUE_MAX + 1] = '\0';
    ck_assert(!job_queue_name_ok(name));
    name[JOB_QUEUE_MAX] = '\0';
    ck_assert(job_queue_name_ok(name));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("envelope");
    TCase *reading = tcase_create("read");
    tcase_add_test(reading, test_smallest_job);
    tcase_add_test(reading, test_every_field);
    tcase_add_test(reading, test_null_is_absent);
    tcase_add_test(reading, test_escaped_names_and_values);
    tcase_add_test(reading, test_last_duplicate_wins);
    tcase_add_test(reading, test_retry_values);
    tcase_add_test(reading, test_times_by_magnitude);
    tcase_add_test(reading, test_retry_count_from_the_dashboard);
    tcase_add_test(reading, test_traceparent_is_forgiven);
    suite_add_tcase(suite, reading);

    TCase *refusing = tcase_create("refuse");
    tcase_add_loop_test(refusing, test_refused, 0, COUNT(refused));
    tcase_add_test(refusing, test_depth);
    tcase_add_test(refusing, test_lengths);
    tcase_add_test(refusing, test_any_number_passes_in_args);
    tcase_add_test(refusing, test_queue_names);
    suite_add_tcase(suite, refusing);
    return suite;
}
