/* base/json: what is JSON, what is not and where, and single values. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/utf8.h"

#define LITERAL(text)                                                                              \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }

static int scan(struct slice text, struct err *err)
{
    /* A copy of the exact size, so that AddressSanitizer sees a read past the end. */
    char *exact = malloc(text.n ? text.n : 1);
    memcpy(exact, text.p, text.n);
    enum json_type type;
    int rc = json_scan((struct slice){exact, text.n}, &type, NULL, NULL, err);
    free(exact);
    return rc;
}

/* ---- What is accepted: the y_ cases of JSONTestSuite, and its i_ cases as we decide them --- */

static const struct slice accepted[] = {
    LITERAL("[]"),
    LITERAL("[   ]"),
    LITERAL("{}"),
    LITERAL("[[]   ]"),
    LITERAL("[\"\"]"),
    LITERAL("[\"a\"]"),
    LITERAL("[false]"),
    LITERAL("[null, 1, \"1\", {}]"),
    LITERAL("[null]"),
    LITERAL("[1\n]"),
    LITERAL(" [1]"),
    LITERAL("[1,null,null,null,2]"),
    LITERAL("[2] "),
    LITERAL("[0e+1]"),
    LITERAL("[0e1]"),
    LITERAL("[ 4]"),
    LITERAL("[-0.000000000000000000000000000000000000000000000000000000000000000000000000000001]"),
    LITERAL("[20e1]"),
    LITERAL("[-0]"),
    LITERAL("[-123]"),
    LITERAL("[-1]"),
    LITERAL("[1E22]"),
    LITERAL("[1E-2]"),
    LITERAL("[1E+2]"),
    LITERAL("[123e45]"),
    LITERAL("[123.456e78]"),
    LITERAL("[1e-2]"),
    LITERAL("[1e400]"),
    LITERAL("[-1e9999]"),
    LITERAL("[123456789012345678901234567890123456789012345678901234567890123456789012345678]"),
    LITERAL("[123.456789]"),
    LITERAL("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"),
    LITERAL("{\"asd\":\"sdf\"}"),
    LITERAL("{\"a\":\"b\",\"a\":\"c\"}"),
    LITERAL("{\"a\":\"b\",\"a\":\"b\"}"),
    LITERAL("{\"\":0}"),
    LITERAL("{\"foo\\u0000bar\": 42}"),
    LITERAL("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"),
    LITERAL("{\"x\":[{\"id\": \"xxxxxxxxxxxxxxxxxxxx\"}], \"id\": \"xxxxxxxxxxx\"}"),
    LITERAL("{\n\"a\": \"b\"\n}"),
    LITERAL("[\"\\u0060\\u012a\\u12AB\"]"),
    LITERAL("[\"\\uD801\\udc37\"]"),
    LITERAL("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"),
    LITERAL("[\"\\\\u0000\"]"),
    LITERAL("[\"\\u0000\"]"),
    LITERAL("[\"a/*b*/c/*d//e\"]"),
    LITERAL("[\"\\\\a\"]"),
    LITERAL("[\"\xc2\x80\xdf\xbf\"]"),
    LITERAL("[\"\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\"]"),
    LITERAL("[\"\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"]"),
    LITERAL("[\"\x7f\"]"),
    LITERAL("[\"\\uD800\"]"),
    LITERAL("[\"\\uDADA\"]"),
    LITERAL("[\"\\uDd1e\\uD834\"]"),
    LITERAL("false"),
    LITERAL("42"),
    LITERAL("-0.1"),
    LITERAL("null"),
    LITERAL("\"asd\""),
    LITERAL("true"),
    LITERAL("\"\""),
    LITERAL("\t\r\n [] \t\r\n"),
};

START_TEST(test_accepted)
{
    struct err err = {0};
    int rc = scan(accepted[_i], &err);
    ck_assert_msg(rc == 0, "%s: %s", accepted[_i].p, err.text);
}
END_TEST

/* ---- What is refused: the n_ cases, each with the byte that is to blame ----------------- */

static const struct refused {
    struct slice text;
    int byte;
} refused[] = {
    {LITERAL(""), 0},
    {LITERAL(" "), 1},
    {LITERAL("["), 1},
    {LITERAL("[1"), 2},
    {LITERAL("[1 true]"), 3},
    {LITERAL("[1:2]"), 2},
    {LITERAL("[\"\"],"), 4},
    {LITERAL("[,1]"), 1},
    {LITERAL("[1,,2]"), 3},
    {LITERAL("[\"x\"]]"), 5},
    {LITERAL("[\"\",]"), 4},
    {LITERAL("[\"x\""), 4},
    {LITERAL("[3[4]]"), 2},
    {LITERAL("[,]"), 1},
    {LITERAL("[1,]"), 3},
    {LITERAL("[-]"), 2},
    {LITERAL("[   , \"\"]"), 4},
    {LITERAL("[*]"), 1},
    {LITERAL("[1,\n1\n,1"), 8},
    {LITERAL("[fals]"), 1},
    {LITERAL("[nul"), 1},
    {LITERAL("[tru]"), 1},
    {LITERAL("[True]"), 1},
    {LITERAL("nan"), 0},
    {LITERAL("[NaN]"), 1},
    {LITERAL("[Infinity]"), 1},
    {LITERAL("[-Infinity]"), 2},
    {LITERAL("[++1]"), 1},
    {LITERAL("[+1]"), 1},
    {LITERAL("[-01]"), 3},
    {LITERAL("[012]"), 2},
    {LITERAL("[-2.]"), 4},
    {LITERAL("[.2e-3]"), 1},
    {LITERAL("[0.1.2]"), 4},
    {LITERAL("[0.3e+]"), 6},
    {LITERAL("[0e]"), 3},
    {LITERAL("[0E+]"), 4},
    {LITERAL("[0.e1]"), 3},
    {LITERAL("[1.0e-]"), 6},
    {LITERAL("[1 000.0]"), 3},
    {LITERAL("[1eE2]"), 3},
    {LITERAL("[1+2]"), 2},
    {LITERAL("[0x1]"), 2},
    {LITERAL("[2.e3]"), 3},
    {LITERAL("[1ea]"), 3},
    {LITERAL("[\xef\xbc\x91]"), 1},
    {LITERAL("-"), 1},
    {LITERAL("1."), 2},
    {LITERAL("1e"), 2},
    {LITERAL("{"), 1},
    {LITERAL("{\"x\", null}"), 4},
    {LITERAL("{\"x\"::\"b\"}"), 5},
    {LITERAL("{\"a\":\"a\" 123}"), 9},
    {LITERAL("{key: 'value'}"), 1},
    {LITERAL("{1:1}"), 1},
    {LITERAL("{null:null}"), 1},
    {LITERAL("{[:\"x\"}"), 1},
    {LITERAL("{\"id\":0,}"), 8},
    {LITERAL("{\"id\":0,,}"), 8},
    {LITERAL("{,\"id\":0}"), 1},
    {LITERAL("{\"a\" b}"), 5},
    {LITERAL("{:\"b\"}"), 1},
    {LITERAL("{\"a\":"), 5},
    {LITERAL("{\"a\""), 4},
    {LITERAL("{\"a"), 3},
    {LITERAL("{'a':0}"), 1},
    {LITERAL("{\"a\":\"b\"}/**/"), 9},
    {LITERAL("{\"a\":\"b\"}#"), 9},
    {LITERAL("{\"a\":1]"), 6},
    {LITERAL("[1}"), 2},
    {LITERAL("{}}"), 2},
    {LITERAL("{}{}"), 2},
    {LITERAL("1 2"), 2},
    {LITERAL("[][]"), 2},
    {LITERAL("]"), 0},
    {LITERAL("\""), 1},
    {LITERAL("[\"a"), 3},
    {LITERAL("[\"\\"), 3},
    {LITERAL("[\"\\x00\"]"), 2},
    {LITERAL("[\"\\a\"]"), 2},
    {LITERAL("[\"\\'\"]"), 2},
    {LITERAL("[\"\\U0041\"]"), 2},
    {LITERAL("[\"\\u00A\"]"), 2},
    {LITERAL("[\"\\u00G0\"]"), 2},
    {LITERAL("[\"\\u 041\"]"), 2},
    {LITERAL("[\"\\u"), 4},
    {LITERAL("[\"\\u12"), 6},
    {LITERAL("[\"\\\xf0\x9f\x8c\x80\"]"), 2},
    {LITERAL("[\"a\x00"
             "a\"]"),
     3},
    {LITERAL("[\"new\nline\"]"), 5},
    {LITERAL("[\"\t\"]"), 2},
    {LITERAL("[\"\x1f\"]"), 2},
    {LITERAL("\x00"), 0},
    {LITERAL("[]\x00"), 2},
    {LITERAL("[\x00]"), 1},
    {LITERAL("[1\x00]"), 2},
    {LITERAL("['single']"), 1},
    {LITERAL("[\f]"), 1},
    {LITERAL("[\xc2\xa0]"), 1},
    {LITERAL("\xef\xbb\xbf{}"), 0},
    {LITERAL("<.>"), 0},
    /* UTF-8 that is none */
    {LITERAL("[\"\x80\"]"), 2},
    {LITERAL("[\"\xbf\"]"), 2},
    {LITERAL("[\"\xc0\x80\"]"), 2},
    {LITERAL("[\"\xc1\xbf\"]"), 2},
    {LITERAL("[\"\xc3\"]"), 2},
    {LITERAL("[\"\xc3"), 2},
    {LITERAL("[\"\xe0\x80\x80\"]"), 2},
    {LITERAL("[\"\xe0\x9f\xbf\"]"), 2},
    {LITERAL("[\"\xe2\x82\"]"), 2},
    {LITERAL("[\"\xed\xa0\x80\"]"), 2},
    {LITERAL("[\"\xed\xbf\xbf\"]"), 2},
    {LITERAL("[\"\xf0\x80\x80\x80\"]"), 2},
    {LITERAL("[\"\xf0\x8f\xbf\xbf\"]"), 2},
    {LITERAL("[\"\xf0\x9f\x98\"]"), 2},
    {LITERAL("[\"\xf4\x90\x80\x80\"]"), 2},
    {LITERAL("[\"\xf5\x80\x80\x80\"]"), 2},
    {LITERAL("[\"\xff\"]"), 2},
};

START_TEST(test_refused)
{
    struct err err = {0};
    char where[32];
    (void)snprintf(where, sizeof where, " at byte %d", refused[_i].byte);
    ck_assert_int_eq(scan(refused[_i].text, &err), -EBADMSG);
    size_t n = strlen(err.text), suffix = strlen(where);
    ck_assert_msg(n > suffix && strcmp(err.text + n - suffix, where) == 0, "%s: %s, expected%s",
                  refused[_i].text.p, err.text, where);
}
END_TEST

START_TEST(test_every_prefix_is_refused)
{
    static const char text[] =
        " {\"a\" : [1.5e-3, {\"b\":null}, \"\\u00e9\xf0\x9f\x98\x80\"], \"\":true}";
    for (size_t n = 0; n + 1 < sizeof text; n++)
        ck_assert_int_eq(scan((struct slice){text, n}, NULL), -EBADMSG);
    ck_assert_int_eq(scan((struct slice){text, sizeof text - 1}, NULL), 0);
}
END_TEST

static struct slice nested(char *text, int depth, char open, char close)
{
    memset(text, open, (size_t)depth);
    memset(text + depth, close, (size_t)depth);
    return (struct slice){text, 2 * (size_t)depth};
}

/* Strings are read in steps of several bytes. */
START_TEST(test_every_byte_at_every_place)
{
    for (size_t n = 1; n <= 20; n++)
        for (size_t at = 0; at < n; at++)
            for (int byte = 0; byte < 256; byte++) {
                char text[22];
                memset(text, 'x', sizeof text);
                text[0] = text[n + 1] = '"';
                text[1 + at] = (char)byte;
                bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                ck_assert_msg((scan((struct slice){text, n + 2}, NULL) == 0) == plain,
                              "byte %d at %zu of %zu", byte, at, n);
            }
}
END_TEST

START_TEST(test_depth)
{
    char text[2 * 101];
    struct err err;
    ck_assert_int_eq(scan(nested(text, 100, '[', ']'), NULL), 0);
    ck_assert_int_eq(scan(nested(text, 101, '[', ']'), &err), -EBADMSG);
    ck_assert_str_eq(err.text, "not JSON: nesting deeper than 100 at byte 100");

    struct buf objects = {0};
    for (int i = 0; i < 100; i++)
        buf_puts(&objects, "{\"a\":");
    buf_puts(&objects, "1");
    for (int i = 0; i < 100; i++)
        buf_putc(&objects, '}');
    ck_assert_int_eq(buf_error(&objects), 0);
    ck_assert_int_eq(scan(buf_slice(&objects), NULL), 0);
    buf_clear(&objects);
    for (int i = 0; i < 101; i++)
        buf_puts(&objects, "{\"a\":");
    ck_assert_int_eq(scan(buf_slice(&objects), &err), -EBADMSG);
    buf_release(&objects);

    enum { DEEP = 1000000 };
    char *deep = malloc(DEEP);
    memset(deep, '[', DEEP);
    ck_assert_int_eq(scan((struct slice){deep, DEEP}, &err), -EBADMSG);
    free(deep);
}
END_TEST

/* ---- Members ---------------------------------------------------------------------------- */

static int record(void *ctx, const struct json_member *m)
{
    struct buf *seen = ctx;
    buf_printf(seen, "%d <", (int)m->type);
    buf_put(seen, m->key);
    buf_puts(seen, "> <");
    buf_put(seen, m->value);
    buf_puts(seen, "> <");
    buf_put(seen, m->whole);
    buf_puts(seen, ">\n");
    return 0;
}

static int stop_at_second(void *ctx, const struct json_member *m)
{
    (void)m;
    int *calls = ctx;
    return ++*calls == 2 ? -ECANCELED : 0;
}

START_TEST(test_members)
{
    struct buf seen = {0};
    enum json_type type;
    ck_assert_int_eq(
        json_scan(slice_of(" { \"a\" : [1, {\"k\":2}] ,\"b\\n\":\"x\"\t, \"\":{},\"n\":"
                           "null,\"t\":true,\"f\":false , \"d\":-1.50 } "),
                  &type, record, &seen, NULL),
        0);
    ck_assert_int_eq(type, JSON_OBJECT);
    ck_assert_str_eq(buf_str(&seen), "5 <\"a\"> <[1, {\"k\":2}]> <\"a\" : [1, {\"k\":2}]>\n"
                                     "4 <\"b\\n\"> <\"x\"> <\"b\\n\":\"x\">\n"
                                     "6 <\"\"> <{}> <\"\":{}>\n"
                                     "0 <\"n\"> <null> <\"n\":null>\n"
                                     "2 <\"t\"> <true> <\"t\":true>\n"
                                     "1 <\"f\"> <false> <\"f\":false>\n"
                                     "3 <\"d\"> <-1.50> <\"d\":-1.50>\n");

    buf_clear(&seen);
    ck_assert_int_eq(json_scan(slice_of("[{\"a\":1}, [] ,{}, 2 ]"), &type, record, &seen, NULL), 0);
    ck_assert_int_eq(type, JSON_ARRAY);
    ck_assert_str_eq(buf_str(&seen), "6 <> <{\"a\":1}> <{\"a\":1}>\n"
                                     "5 <> <[]> <[]>\n"
                                     "6 <> <{}> <{}>\n"
                                     "3 <> <2> <2>\n");

    buf_clear(&seen);
    ck_assert_int_eq(json_scan(slice_of("{}"), &type, record, &seen, NULL), 0);
    ck_assert_int_eq(json_scan(slice_of("\"x\""), &type, record, &seen, NULL), 0);
    ck_assert_int_eq(type, JSON_STRING);
    ck_assert_uint_eq(seen.n, 0);
    buf_release(&seen);
}
END_TEST

START_TEST(test_visitor_stops)
{
    int calls = 0;
    enum json_type type = JSON_NULL;
    ck_assert_int_eq(json_scan(slice_of("[1,2,3,bad"), &type, stop_at_second, &calls, NULL),
                     -ECANCELED);
    ck_assert_int_eq(calls, 2);
    ck_assert_int_eq(type, JSON_NULL);
}
END_TEST

START_TEST(test_keys)
{
    ck_assert(json_key_is(slice_of("\"class\""), "class"));
    ck_assert(json_key_is(slice_of("\"cl\\u0061ss\""), "class"));
    ck_assert(json_key_is(slice_of("\"\\u0063\\u006C\\u0061\\u0073\\u0073\""), "class"));
    ck_assert(json_key_is(slice_of("\"a\\/b\\tc\""), "a/b\tc"));
    ck_assert(json_key_is(slice_of("\"\""), ""));
    ck_assert(!json_key_is(slice_of("\"clas\""), "class"));
    ck_assert(!json_key_is(slice_of("\"classs\""), "class"));
    ck_assert(!json_key_is(slice_of("\"Class\""), "class"));
    ck_assert(!json_key_is(slice_of("\"cl\\u0041ss\""), "class"));
    ck_assert(!json_key_is(slice_of("\"class\\u0000\""), "class"));
    ck_assert(!json_key_is(slice_of("\"\\u0000\""), ""));
    ck_assert(!json_key_is(slice_of("\"\\u0163lass\""), "class"));
    ck_assert(!json_key_is(slice_of("\"cl\\u0061s\""), "class"));
}
END_TEST

/* ---- Single values ---------------------------------------------------------------------- */

static const struct decoding {
    const char *json;
    const char *text;
} decodings[] = {
    {"\"\"", ""},
    {"\"plain\"", "plain"},
    {"\"\xc3\xa9\"", "\xc3\xa9"},
    {"\"\\u00e9\"", "\xc3\xa9"},
    {"\"\\u20AC\"", "\xe2\x82\xac"},
    {"\"\\uD83D\\uDE00\"", "\xf0\x9f\x98\x80"},
    {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
    {"\"\\\\u0000\"", "\\u0000"},
    {"\"\\uD800\"", "\xef\xbf\xbd"},
    {"\"\\uDC00\"", "\xef\xbf\xbd"},
    {"\"x\\uD800\\u0041\"", "x\xef\xbf\xbd"
                            "A"},
    {"\"\\uD800\\uD83D\\uDE00\"", "\xef\xbf\xbd\xf0\x9f\x98\x80"},
    {"\"\\uDE00\\uD83D\"", "\xef\xbf\xbd\xef\xbf\xbd"},
    {"\"\\uD83D\\\\uDE00\"", "\xef\xbf\xbd\\uDE00"},
    {"\"\\uD83D\\n\"", "\xef\xbf\xbd\n"},
};

START_TEST(test_decode_string)
{
    const struct decoding *d = &decodings[_i];
    struct buf text = {0};
    buf_puts(&text, "old");
    ck_assert_int_eq(scan(slice_of(d->json), NULL), 0);
    ck_assert_int_eq(json_decode_string(slice_of(d->json), &text), 0);
    ck_assert_str_eq(buf_str(&text), d->text);
    ck_assert_uint_eq(text.n, strlen(d->text));
    buf_release(&text);

    size_t n = strlen(d->json);
    char *exact = malloc(n);
    ck_assert_int_eq(json_decode_into((struct slice){d->json, n}, exact, &n), 0);
    ck_assert_str_eq(exact, d->text);
    ck_assert_uint_eq(n, strlen(d->text));
    free(exact);
}
END_TEST

START_TEST(test_decode_nul)
{
    struct buf text = {0};
    ck_assert_int_eq(json_decode_string(slice_of("\"a\\u0000b\""), &text), -EINVAL);
    ck_assert_str_eq(buf_str(&text), "");
    ck_assert_int_eq(json_decode_string(slice_of("\"\\n\\u0000\""), &text), -EINVAL);
    buf_release(&text);
}
END_TEST

START_TEST(test_decode_int)
{
    static const struct {
        const char *json;
        int64_t n;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"25", 25},
                {"-7", -7},
                {"9007199254740993", INT64_C(9007199254740993)},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN}};
    static const char *const bad[] = {"1.0", "1e3", "9223372036854775808", "-9223372036854775809",
                                      "99999999999999999999999"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        int64_t n = 1;
        ck_assert_int_eq(json_decode_int(slice_of(good[i].json), &n), 0);
        ck_assert_int_eq(n, good[i].n);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        int64_t n = 1;
        ck_assert_int_eq(json_decode_int(slice_of(bad[i]), &n), -ERANGE);
        ck_assert_int_eq(n, 1);
    }
}
END_TEST

START_TEST(test_decode_real)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "-1.5",
                                       "0.1",
                                       "1.10",
                                       "1795478712.512345",
                                       "1795478712.5123456",
                                       "1795478712512",
                                       "9007199254740993",
                                       "99999999999999999",
                                       "0.123456789012345",
                                       "9.999999999999999",
                                       "1e22",
                                       "2.5E-3",
                                       "5e-324",
                                       "1e-5000",
                                       "1.7976931348623157e308"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        double real = 7;
        ck_assert_int_eq(json_decode_real(slice_of(good[i]), &real), 0);
        ck_assert_msg(real == strtod(good[i], NULL), "%s: %.17g", good[i], real);
    }
    double real = 7;
    ck_assert_int_eq(json_decode_real(slice_of("1e400"), &real), -ERANGE);
    ck_assert_int_eq(json_decode_real(slice_of("-1e400"), &real), -ERANGE);
    char digits[JSON_NUMBER_MAX + 1];
    memset(digits, '1', sizeof digits);
    ck_assert_int_eq(json_decode_real((struct slice){digits, sizeof digits}, &real), -ERANGE);
    ck_assert(real == 7);
}
END_TEST

/* ---- Writing ---------------------------------------------------------------------------- */

static const struct writing {
    struct slice text;
    size_t max;
    const char *json;
} writings[] = {
    {LITERAL(""), SIZE_MAX, "\"\""},
    {LITERAL("plain"), SIZE_MAX, "\"plain\""},
    {LITERAL("a\"b\\c/"), SIZE_MAX, "\"a\\\"b\\\\c/\""},
    {LITERAL("\n\r\t\b\x00\x1f\x7f"), SIZE_MAX, "\"\\n\\r\\t\\u0008\\u0000\\u001f\x7f\""},
    {LITERAL("\xc3\xa9\xf0\x9f\x98\x80"), SIZE_MAX, "\"\xc3\xa9\xf0\x9f\x98\x80\""},
    {LITERAL("a\xff"
             "b\xc3"),
     SIZE_MAX,
     "\"a\xef\xbf\xbd"
     "b\xef\xbf\xbd\""},
    {LITERAL("\xed\xa0\x80"), SIZE_MAX, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    {LITERAL("abcdef"), 3, "\"abc\""},
    {LITERAL("abc"), 3, "\"abc\""},
    {LITERAL("abc"), 0, "\"\""},
    {LITERAL("ab\xc3\xa9"), 3, "\"ab\""},
    {LITERAL("ab\xc3\xa9"), 4, "\"ab\xc3\xa9\""},
    {LITERAL("\xf0\x9f\x98\x80"), 3, "\"\""},
};

START_TEST(test_put_string)
{
    const struct writing *w = &writings[_i];
    struct buf out = {0};
    json_put_string(&out, w->text, w->max);
    ck_assert_str_eq(buf_str(&out), w->json);
    ck_assert_int_eq(scan(buf_slice(&out), NULL), 0);
    buf_release(&out);
}
END_TEST

START_TEST(test_utf8_ok)
{
    ck_assert(utf8_ok((struct slice){0}));
    ck_assert(utf8_ok(slice_of("caf\xc3\xa9 \xf0\x9f\x98\x80\n")));
    ck_assert(!utf8_ok(slice_of("caf\xc3")));
    ck_assert(!utf8_ok(slice_of("\xed\xa0\x80")));
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

Suite *test_suite(void)
{
    Suite *suite = suite_create("json");
    TCase *scanning = tcase_create("scan");
    tcase_add_loop_test(scanning, test_accepted, 0, COUNT(accepted));
    tcase_add_loop_test(scanning, test_refused, 0, COUNT(refused));
    tcase_add_test(scanning, test_every_prefix_is_refused);
    tcase_add_test(scanning, test_every_byte_at_every_place);
    tcase_add_test(scanning, test_depth);
    tcase_add_test(scanning, test_members);
    tcase_add_test(scanning, test_visitor_stops);
    tcase_add_test(scanning, test_keys);
    suite_add_tcase(suite, scanning);

    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, test_decode_string, 0, COUNT(decodings));
    tcase_add_test(values, test_decode_nul);
    tcase_add_test(values, test_decode_int);
    tcase_add_test(values, test_decode_real);
    tcase_add_loop_test(values, test_put_string, 0, COUNT(writings));
    tcase_add_test(values, test_utf8_ok);
    suite_add_tcase(suite, values);
    return suite;
}
