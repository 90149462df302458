/* What a line of a warm process means. */
#include "handlers/answer.h"
#include "support/support.h"

static enum watch_said say(const char *line, struct outcome *out, struct slice *ret_event)
{
    *out = (struct outcome){0};
    return answer_read(slice_of(line), out, ret_event);
}

START_TEST(values_stay_as_they_are)
{
    struct outcome out;
    struct slice event = {NULL, 0};
    ck_assert_int_eq(say(" { \"event\" : {\"a\": 1.10, \"b\":[ ]} }\r", &out, &event), SAID_EVENT);
    ck_assert(slice_is(event, "{\"a\": 1.10, \"b\":[ ]}"));
    outcome_release(&out);
    ck_assert_int_eq(say("{\"done\":123456789012345678901234567890}", &out, &event), SAID_ANSWER);
    ck_assert_int_eq(out.kind, OUTCOME_DONE);
    ck_assert_str_eq(buf_str(&out.result), "123456789012345678901234567890");
    outcome_release(&out);
    ck_assert_int_eq(say("{\"took\":3,\"done\":null}", &out, &event), SAID_ANSWER);
    ck_assert_str_eq(buf_str(&out.result), "null");
    outcome_release(&out);
}
END_TEST

static const struct {
    const char *line;
    enum outcome_kind kind;
    const char *error_class, *message;
} errors[] = {
    {"{\"error\":\"no luck\"}", OUTCOME_FAILED, "HandlerError", "no luck"},
    {"{\"error\":\"a\\u00e9\\n\"}", OUTCOME_FAILED, "HandlerError", "aé\n"},
    {"{\"error\":\"a\\u0000b\"}", OUTCOME_FAILED, "HandlerError", "\"a\\u0000b\""},
    {"{\"error\":{}}", OUTCOME_FAILED, "HandlerError", "the handler gave no reason"},
    {"{\"error\":{\"class\":\"ValueError\",\"message\":\"%s %n\"}}", OUTCOME_FAILED, "ValueError",
     "%s %n"},
    {"{\"error\":{\"message\":\"bad args\",\"dead\":true}}", OUTCOME_DEAD, "HandlerError",
     "bad args"},
    {"{\"error\":{\"message\":\"m\",\"dead\":false,\"more\":[1]}}", OUTCOME_FAILED, "HandlerError",
     "m"},
};

START_TEST(errors_are_told_in_two_ways)
{
    struct outcome out;
    struct slice event;
    ck_assert_int_eq(say(errors[_i].line, &out, &event), SAID_ANSWER);
    ck_assert_int_eq(out.kind, errors[_i].kind);
    ck_assert_str_eq(out.error_class, errors[_i].error_class);
    ck_assert_str_eq(buf_str(&out.message), errors[_i].message);
    outcome_release(&out);
}
END_TEST

#define NONE "a line on stdout is none of {\"event\":…}, {\"done\":…} and {\"error\":…}: "

static const struct {
    const char *line, *shown;
} rubbish[] = {
    {"", "\"\""},
    {"hello", "\"hello\""},
    {"3", "\"3\""},
    {"[]", "\"[]\""},
    {"{}", "\"{}\""},
    {"{\"don\":1}", "\"{\\\"don\\\":1}\""},
    {"{\"done\":1", "\"{\\\"done\\\":1\""},
    {"{\"done\":1} {\"done\":2}", "\"{\\\"done\\\":1} {\\\"done\\\":2}\""},
    {"{\"event\":1,\"done\":2}", "\"{\\\"event\\\":1,\\\"done\\\":2}\""},
    {"{\"error\":7}", "\"{\\\"error\\\":7}\""},
    {"{\"error\":{\"dead\":1}}", "\"{\\\"error\\\":{\\\"dead\\\":1}}\""},
    {"{\"error\":{\"class\":[]}}", "\"{\\\"error\\\":{\\\"class\\\":[]}}\""},
    {"tab\there \xff", "\"tab\\there \xef\xbf\xbd\""},
};

START_TEST(rubbish_is_shown)
{
    struct outcome out;
    struct slice event;
    ck_assert_int_eq(say(rubbish[_i].line, &out, &event), SAID_RUBBISH);
    ck_assert_int_eq(out.kind, OUTCOME_FAILED);
    ck_assert_str_eq(out.error_class, "ProtocolError");
    ck_assert_uint_gt(out.message.n, strlen(NONE));
    ck_assert_int_eq(strncmp(buf_str(&out.message), NONE, strlen(NONE)), 0);
    ck_assert_str_eq(buf_str(&out.message) + strlen(NONE), rubbish[_i].shown);
    outcome_release(&out);
}
END_TEST

START_TEST(of_long_rubbish_the_beginning_is_shown)
{
    struct outcome out;
    struct slice event;
    char line[5000];
    memset(line, 'x', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    ck_assert_int_eq(say(line, &out, &event), SAID_RUBBISH);
    ck_assert_uint_lt(out.message.n, 400);
    ck_assert_ptr_nonnull(strstr(buf_str(&out.message), "xxx\"…"));
    outcome_release(&out);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("answer");
    TCase *tc = tcase_create("answer");
    tcase_add_test(tc, values_stay_as_they_are);
    tcase_add_loop_test(tc, errors_are_told_in_two_ways, 0, sizeof errors / sizeof *errors);
    tcase_add_loop_test(tc, rubbish_is_shown, 0, sizeof rubbish / sizeof *rubbish);
    tcase_add_test(tc, of_long_rubbish_the_beginning_is_shown);
    suite_add_tcase(s, tc);
    return s;
}
