/* The ramp, with a clock that the test moves. */
#include "support/support.h"

#include "redis/ramp.h"

static const int64_t start_ns = 1000 * NS_PER_S, length_ns = RAMP_MS * NS_PER_MS;

START_TEST(over_unless_begun)
{
    struct ramp r = {0};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_le(ramp_next_ns(&r), 0);
        ramp_take(&r, 0);
    }
}
END_TEST

/* A quarter of them in the first half, and never two at once. */
START_TEST(it_starts_slowly)
{
    enum { COUNT = 480 };
    struct ramp r = {0};
    int first_half = 0;
    int64_t last_ns = start_ns - 1;
    ramp_begin(&r, start_ns, COUNT);
    for (int i = 0; i < COUNT; i++) {
        int64_t at_ns = ramp_next_ns(&r);
        double part = (double)(at_ns - start_ns) / (double)length_ns;
        ck_assert_int_gt(at_ns, last_ns);
        ck_assert(part * part * COUNT > i - 0.01 && part * part * COUNT < i + 1.01);
        first_half += part < 0.5;
        ck_assert(!ramp_is_over(&r, at_ns));
        ramp_take(&r, at_ns);
        last_ns = at_ns;
    }
    ck_assert_int_eq(first_half, COUNT / 4);
    ck_assert_int_le(ramp_next_ns(&r), start_ns + length_ns);
    for (int i = 0; i < 1000; i++) /* then it is over */
        ramp_take(&r, start_ns + length_ns);
    ck_assert_int_le(ramp_next_ns(&r), start_ns + length_ns);
    ck_assert(ramp_is_over(&r, start_ns + length_ns));
}
END_TEST

START_TEST(a_late_asker_finds_what_has_passed)
{
    struct ramp r = {0};
    ramp_begin(&r, start_ns, 40);
    int64_t now_ns = start_ns + length_ns / 2;
    int granted = 0;
    for (; ramp_next_ns(&r) <= now_ns; granted++)
        ramp_take(&r, now_ns);
    ck_assert_int_ge(granted, 10); /* the eleventh may lie on either side */
    ck_assert_int_le(granted, 11);
}
END_TEST

/* A single connection of many processes: anywhere in the whole length, as the curve has it. */
START_TEST(small_ones_are_spread_by_chance)
{
    enum { PROCESSES = 1000 };
    int first_half = 0;
    for (int i = 0; i < PROCESSES; i++) {
        struct ramp r = {0};
        ramp_begin(&r, start_ns, i % 2); /* 0 counts as 1 */
        int64_t in_ns = ramp_next_ns(&r) - start_ns;
        ck_assert_int_ge(in_ns, 0);
        ck_assert_int_le(in_ns, length_ns);
        first_half += in_ns < length_ns / 2;
    }
    ck_assert_int_gt(first_half, 125); /* a quarter, give or take nine standard deviations */
    ck_assert_int_lt(first_half, 375);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/ramp");
    TCase *t = tcase_create("ramp");
    tcase_add_test(t, over_unless_begun);
    tcase_add_test(t, it_starts_slowly);
    tcase_add_test(t, a_late_asker_finds_what_has_passed);
    tcase_add_test(t, small_ones_are_spread_by_chance);
    suite_add_tcase(s, t);
    return s;
}
