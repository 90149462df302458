/* cli/time_text: durations and times as people write and read them. */
#include "support/support.h"

#include "cli/time_text.h"

START_TEST(durations_are_read)
{
    static const struct {
        const char *text;
        double seconds;
    } cases[] = {
        {"0", 0},
        {"90", 90},
        {"1.5", 1.5},
        {"10s", 10},
        {"5m", 300},
        {"2h", 7200},
        {"1d", 86400},
        {"1h30m", 5400},
        {"1d2h3m4s", 93784},
        {"0.5h", 1800},
        {"36525d", 36525 * 86400.0},
        {"007s", 7},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double s = -1;
        struct err err = {""};
        ck_assert_msg(duration_parse(cases[i].text, &s, &err) == 0, "%s", err.text);
        ck_assert_msg(s == cases[i].seconds, "%s: %f", cases[i].text, s);
    }
}
END_TEST

START_TEST(bad_durations_are_refused)
{
    static const char *const cases[] = {
        "",       " ",
        "s",      "-1",
        "+1",     "1x",
        "5m3h",   "1s1s",
        "1h 30m", "1m30",
        "1.",     ".5",
        "1e3",    "inf",
        "nan",    "0x10",
        "1,5",    "10ms",
        "36526d", "99999999999",
        "1 ",     "9999999999999999999999999999999999999999999999999999999999999999999999999s",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double s = -1;
        struct err err = {""};
        ck_assert_msg(duration_parse(cases[i], &s, &err) == -EINVAL, "\"%s\"", cases[i]);
        ck_assert_msg(s == -1, "the output stays untouched");
        ck_assert_ptr_nonnull(strstr(err.text, cases[i]));
    }
}
END_TEST

START_TEST(durations_are_written)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {
        {0, "0s"},          {-1, "0s"},        {0.0003, "0.3 ms"},     {0.0120, "12 ms"},
        {0.9994, "999 ms"}, {0.9996, "1.0s"},  {1.54, "1.5s"},         {9.96, "10s"},
        {59.4, "59s"},      {59.6, "1m 0s"},   {192, "3m 12s"},        {7500, "2h 5m"},
        {86399.6, "1d 0h"}, {273600, "3d 4h"}, {1e12, "11574074d 1h"},
    };
    char text[DURATION_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        ck_assert_str_eq(duration_text(cases[i].seconds, text), cases[i].text);
    ck_assert_ptr_nonnull(duration_text(1e300, text)); /* any double fits */
}
END_TEST

START_TEST(times_are_read)
{
    /* By GNU date. */
    static const struct {
        const char *text;
        double unix_s;
    } cases[] = {
        {"0", 0},
        {"1795478712.5", 1795478712.5},
        {"2030-01-31T08:00:00Z", 1896076800},
        {"2030-01-31t08:00:00z", 1896076800},
        {"2030-01-31 08:00:00Z", 1896076800},
        {"2030-01-31T08:00:00+01:00", 1896073200},
        {"2030-01-31T08:00:00-05:30", 1896096600},
        {"2028-02-29T23:59:59.25Z", 1835481599.25},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"1970-01-01T00:00:00Z", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double t = -1;
        struct err err = {""};
        ck_assert_msg(time_parse(cases[i].text, &t, &err) == 0, "%s", err.text);
        ck_assert_msg(t == cases[i].unix_s, "%s: %f", cases[i].text, t);
    }
}
END_TEST

START_TEST(bad_times_are_refused)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {"", "not a time"},
        {"tomorrow", "not a time"},
        {"-5", "not a time"},
        {"2030-01-31", "not a time"},
        {"2030-01-31T08:00Z", "not a time"},
        {"2030-02-30T08:00:00Z", "not a time"},
        {"2027-02-29T08:00:00Z", "not a time"},
        {"2030-13-01T08:00:00Z", "not a time"},
        {"2030-01-31T24:00:00Z", "not a time"},
        {"2030-01-31T08:00:00.Z", "not a time"},
        {"2030-01-31T08:00:00.5e3Z", "not a time"},
        {"2030-01-31T08:00:00+1", "not a time"},
        {"2030-01-31T08:00:00+01:00x", "not a time"},
        {"2030-01-31T08:00:00", "has no zone"},
        {"1795506797000", "milliseconds"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        double t = -1;
        struct err err = {""};
        ck_assert_msg(time_parse(cases[i].text, &t, &err) == -EINVAL, "\"%s\"", cases[i].text);
        ck_assert_msg(t == -1, "the output stays untouched");
        ck_assert_msg(strstr(err.text, cases[i].reason) != NULL, "%s", err.text);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("cli/time_text");
    TCase *t = tcase_create("time_text");
    tcase_add_test(t, durations_are_read);
    tcase_add_test(t, bad_durations_are_refused);
    tcase_add_test(t, durations_are_written);
    tcase_add_test(t, times_are_read);
    tcase_add_test(t, bad_times_are_refused);
    suite_add_tcase(s, t);
    return s;
}
