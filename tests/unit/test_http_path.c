/* Paths: patterns, parameters, percent-encoding. */
#include <stdio.h>

#include "http/path.h"
#include "support/support.h"

static const struct {
    const char *pattern, *path, *param; /* NULL: no match */
} matches[] = {
    {"/livez", "/livez", ""},
    {"/livez", "/livez/", NULL},
    {"/livez", "/live", NULL},
    {"/jobs/{jid}", "/jobs/a", "a"},
    {"/jobs/{jid}", "/jobs/a%2Fb", "a%2Fb"},
    {"/jobs/{jid}", "/jobs/", NULL},
    {"/jobs/{jid}", "/jobs/a/b", NULL},
    {"/jobs/{jid}", "/jobs", NULL},
    {"/jobs/{jid}", "/job/a", NULL},
    {"/q/{q}/pause", "/q/default/pause", "default"},
    {"/q/{q}/pause", "/q//pause", NULL},
    {"/q/{q}/pause", "/q/pause", NULL},
    {"/q/{q}/pause", "/q/a/pauses", NULL},
    {"/q/{q}/pause", "/q/a/resume", NULL},
};

START_TEST(patterns)
{
    struct slice param = {"", 0};
    bool matched = http_path_match(matches[_i].pattern, matches[_i].path, &param);
    ck_assert_int_eq(matched, matches[_i].param != NULL);
    ck_assert_int_eq(http_path_match(matches[_i].pattern, matches[_i].path, NULL), matched);
    if (matched)
        ck_assert(slice_is(param, matches[_i].param));
}
END_TEST

static const struct {
    const char *text, *decoded; /* NULL: refused */
} codes[] = {
    {"", ""},           {"abc", "abc"},         {"a%2Fb", "a/b"},       {"%41%62", "Ab"},
    {"100%25", "100%"}, {"%c3%a9", "\xc3\xa9"}, {"%C3%A9", "\xc3\xa9"}, {"%", NULL},
    {"%4", NULL},       {"%4g", NULL},          {"a%", NULL},           {"%00", NULL},
    {"%ff", NULL},      {"%c3", NULL},          {"1234567", "1234567"}, {"12345678", NULL},
};

START_TEST(encoding)
{
    char text[8] = "";
    int rc = http_decode(slice_of(codes[_i].text), text, sizeof text);
    ck_assert_int_eq(rc, codes[_i].decoded ? 0 : -EINVAL);
    if (codes[_i].decoded)
        ck_assert_str_eq(text, codes[_i].decoded);
}
END_TEST

START_TEST(queries)
{
    char text[8] = "";
    ck_assert_int_eq(http_decode_query(slice_of("a+b%2B%20"), text, sizeof text), 0);
    ck_assert_str_eq(text, "a b+ ");
    ck_assert_int_eq(http_decode(slice_of("a+b%2B%20"), text, sizeof text), 0);
    ck_assert_str_eq(text, "a+b+ ");
    ck_assert_int_eq(http_decode_query(slice_of("%00"), text, sizeof text), -EINVAL);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("http: paths");
    TCase *tc = tcase_create("paths");
    tcase_add_loop_test(tc, patterns, 0, sizeof matches / sizeof *matches);
    tcase_add_loop_test(tc, encoding, 0, sizeof codes / sizeof *codes);
    tcase_add_test(tc, queries);
    suite_add_tcase(s, tc);
    return s;
}
