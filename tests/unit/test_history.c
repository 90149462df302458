/* The ring of the last hour: what it keeps, what it forgets, and how it is told. */
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/history.h"

static struct history history;
static struct buf out;

static void set_up(void)
{
    out = (struct buf){0};
    history_init(&history);
}

static void tear_down(void)
{
    history_release(&history);
    buf_release(&out);
}

static void add(double t, double value)
{
    struct history_point point = {.t = t};
    for (int i = 0; i < HISTORY_COLUMNS; i++)
        point.value[i] = value;
    history_add(&history, &point);
}

static const char *told(double after)
{
    buf_clear(&out);
    ck_assert_int_eq(history_put(&history, after, 1000, &out), 0);
    return buf_str(&out);
}

/* How many points, and the first and the last. */
static void must_hold(size_t n, double first, double last)
{
    char text[64];
    (void)snprintf(text, sizeof text, "\"points\":%zu,", n);
    ck_assert_msg(strstr(told(0), text), "%s is not in %s", text, buf_str(&out));
    ck_assert_uint_eq(history.n, n);
    (void)snprintf(text, sizeof text, "\"t\":[%.6f,", first);
    ck_assert_msg(strstr(buf_str(&out), text), "%s is not in %s", text, buf_str(&out));
    (void)snprintf(text, sizeof text, ",%.6f],\"processed\":", last);
    ck_assert_msg(strstr(buf_str(&out), text), "%s is not in %s", text, buf_str(&out));
}

START_TEST(columns)
{
    static const char nothing[] =
        "{\"interval_s\":5,\"points\":0,\"now\":1000.000000,\"t\":[],\"processed\":[],"
        "\"failed\":[],\"enqueued\":[],\"scheduled\":[],\"retries\":[],\"dead\":[],\"busy\":[],"
        "\"threads\":[],\"latency_s\":[],\"duration_p50_s\":[],\"duration_p99_s\":[],"
        "\"permits_in_use\":[],\"permits_limit\":[],\"permits_waiting\":[],"
        "\"connections_open\":[],\"connections_limit\":[]}";
    static const char two[] =
        "{\"interval_s\":5,\"points\":2,\"now\":1000.000000,\"t\":[10.500000,15.500000],"
        "\"processed\":[123456789012,null],\"failed\":[123456789012,null],"
        "\"enqueued\":[123456789012,null],\"scheduled\":[123456789012,null],"
        "\"retries\":[123456789012,null],\"dead\":[123456789012,null],"
        "\"busy\":[123456789012,null],\"threads\":[123456789012,null],"
        "\"latency_s\":[123456789012.000,null],\"duration_p50_s\":[123456789012.000000,null],"
        "\"duration_p99_s\":[123456789012.000000,null],\"permits_in_use\":[123456789012,null],"
        "\"permits_limit\":[123456789012,null],\"permits_waiting\":[123456789012,null],"
        "\"connections_open\":[123456789012,null],\"connections_limit\":[123456789012,null]}";
    ck_assert_str_eq(told(0), nothing);
    add(10.5, 123456789012.0);
    add(15.5, NAN);
    ck_assert_str_eq(told(0), two);
    ck_assert_ptr_nonnull(
        strstr(told(10.5), "\"points\":1,\"now\":1000.000000,\"t\":[15.500000],"));
    ck_assert_str_eq(told(15.5), nothing);
}
END_TEST

START_TEST(an_hour)
{
    for (int i = 1; i <= HISTORY_POINTS; i++)
        add(i, i);
    must_hold(HISTORY_POINTS, 1, HISTORY_POINTS);
    for (int i = 1; i <= 1000; i++)
        add(HISTORY_POINTS + i, i);
    must_hold(HISTORY_POINTS, 1001, HISTORY_POINTS + 1000);
    ck_assert_ptr_nonnull(strstr(told(HISTORY_POINTS + 998), "\"processed\":[999,1000],"));
}
END_TEST

/* Time rises, whatever the clock does. */
START_TEST(a_clock_that_is_set_back)
{
    for (int i = 1; i <= HISTORY_POINTS + 10; i++)
        add(i, i);
    add(HISTORY_POINTS + 10, 1); /* the same again */
    must_hold(HISTORY_POINTS, 11, HISTORY_POINTS + 10);
    add(100.5, 1);
    must_hold(91, 11, 100.5);
    add(1e9, 1);
    must_hold(92, 11, 1e9);
    add(1, 1);
    ck_assert_uint_eq(history.n, 1);
    ck_assert_ptr_nonnull(strstr(told(0), "\"t\":[1.000000],"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("api/history");
    TCase *tc = tcase_create("history");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, columns);
    tcase_add_test(tc, an_hour);
    tcase_add_test(tc, a_clock_that_is_set_back);
    suite_add_tcase(s, tc);
    return s;
}
