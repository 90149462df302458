/* Random identifiers and numbers, the back-off that draws from them, and the histogram. */
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/histogram.h"
#include "base/thread.h"
#include "support/support.h"

enum { IDS = 1000, THREADS = 4 };

static char ids[THREADS][IDS][25];

static void *draw(void *arg)
{
    char(*mine)[25] = arg;
    for (int i = 0; i < IDS; i++)
        random_hex(mine[i], 12);
    return NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

START_TEST(identifiers_are_hex_and_distinct)
{
    struct thread threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "draw", draw, ids[i]), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    char(*all)[25] = ids[0];
    qsort(all, THREADS * IDS, sizeof *all, by_text);
    for (int i = 0; i < THREADS * IDS; i++) {
        ck_assert_uint_eq(strlen(all[i]), 24);
        ck_assert_uint_eq(strspn(all[i], "0123456789abcdef"), 24);
        if (i > 0)
            ck_assert_str_ne(all[i - 1], all[i]);
    }
}
END_TEST

START_TEST(any_length)
{
    char text[2 * 600 + 2];
    memset(text, 'z', sizeof text);
    random_hex(text, 0);
    ck_assert_str_eq(text, "");
    random_hex(text, 600); /* more than a thread keeps at hand */
    ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 1200);
    ck_assert_int_eq(text[1200], '\0');
    ck_assert_int_eq(text[1201], 'z');
}
END_TEST

START_TEST(numbers_stay_in_bounds)
{
    int seen[6] = {0};
    ck_assert_uint_eq(random_below(0), 0);
    ck_assert_uint_eq(random_below(1), 0);
    for (int i = 0; i < 10000; i++) {
        uint64_t n = random_below(6);
        ck_assert_uint_lt(n, 6);
        seen[n]++;
        double u = random_unit();
        ck_assert(u >= 0.0 && u < 1.0);
    }
    for (int i = 0; i < 6; i++)
        ck_assert_int_gt(seen[i], 1000); /* 1667 expected; less than 1000 is 17 sigma away */
}
END_TEST

START_TEST(backoff_bounds)
{
    for (int round = 0; round < 200; round++) {
        struct backoff b = {.base_ms = 50, .cap_ms = 5000};
        int64_t ceiling = 50;
        for (int i = 0; i < 20; i++) {
            int64_t ms = backoff_next_ms(&b);
            ck_assert_int_ge(ms, 25);
            ck_assert_int_le(ms, ceiling);
            ceiling = ceiling * 2 < 5000 ? ceiling * 2 : 5000;
        }
        backoff_reset(&b);
        ck_assert_int_le(backoff_next_ms(&b), 50);
    }
}
END_TEST

START_TEST(backoff_extremes)
{
    struct backoff b = {.base_ms = 1, .cap_ms = 1};
    for (int i = 0; i < 100; i++) {
        int64_t ms = backoff_next_ms(&b);
        ck_assert(ms == 0 || ms == 1);
    }
    b = (struct backoff){.base_ms = 3, .cap_ms = INT64_MAX, .failures = UINT32_MAX};
    for (int i = 0; i < 100; i++)
        ck_assert_int_ge(backoff_next_ms(&b), 1);
    ck_assert_uint_eq(b.failures, UINT32_MAX); /* and not back at the beginning */

    bool above_half = false; /* the cap is reached, in spite of no power of two that hits it */
    b = (struct backoff){.base_ms = 3, .cap_ms = 1000, .failures = 100};
    for (int i = 0; i < 1000; i++)
        above_half |= backoff_next_ms(&b) > 768;
    ck_assert(above_half);
}
END_TEST

START_TEST(histogram_buckets)
{
    static const struct {
        int64_t ns;
        int bucket;
    } cases[] = {
        {INT64_MIN, 0},
        {-1, 0},
        {0, 0},
        {999, 0},
        {1000, 1},
        {1999, 1},
        {2000, 2},
        {3999, 2},
        {4000, 3},
        {1000000, 10},
        {1024000, 11},
        {(INT64_C(1) << 30) * 1000 - 1, 30},
        {(INT64_C(1) << 30) * 1000, 31},
        {INT64_MAX, 31},
    };
    uint64_t total = 0;
    static struct histogram h;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint64_t before = atomic_load(&h.count[cases[i].bucket]);
        histogram_add_ns(&h, cases[i].ns);
        ck_assert_uint_eq(atomic_load(&h.count[cases[i].bucket]), before + 1);
        ck_assert_uint_eq(histogram_total(&h), ++total);
    }
}
END_TEST

START_TEST(histograms_add_up)
{
    static struct histogram sum, earlier, h;
    histogram_add_ns(&sum, 1000);
    histogram_add_ns(&h, 1000);
    histogram_add_ns(&h, 5000000);
    histogram_add(&sum, &h);
    ck_assert_uint_eq(histogram_total(&sum), 3);
    ck_assert_uint_eq(atomic_load(&sum.count[1]), 2);
    ck_assert_uint_eq(atomic_load(&sum.sum_us), 5002);
    histogram_add(&earlier, &sum);
    histogram_add_ns(&sum, 7000);
    histogram_subtract(&sum, &earlier);
    ck_assert_uint_eq(histogram_total(&sum), 1);
    ck_assert_uint_eq(atomic_load(&sum.count[3]), 1);
    ck_assert_uint_eq(atomic_load(&sum.sum_us), 7);
}
END_TEST

START_TEST(histogram_quantiles)
{
    static struct histogram h;
    ck_assert_uint_eq(histogram_quantile_us(&h, 0.99), 0);
    for (int i = 0; i < 98; i++)
        histogram_add_ns(&h, 3000); /* below 4 µs */
    histogram_add_ns(&h, 100000);   /* below 128 µs */
    histogram_add_ns(&h, 1000000000);
    ck_assert_uint_eq(histogram_quantile_us(&h, 0.5), 4);
    ck_assert_uint_eq(histogram_quantile_us(&h, 0.98), 4);
    ck_assert_uint_eq(histogram_quantile_us(&h, 0.99), 128);
    ck_assert_uint_eq(histogram_quantile_us(&h, 1.0), 1 << 20);
    ck_assert_uint_eq(atomic_load(&h.sum_us), 98 * 3 + 100 + 1000000);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("random");
    TCase *tc = tcase_create("random");
    tcase_add_test(tc, identifiers_are_hex_and_distinct);
    tcase_add_test(tc, any_length);
    tcase_add_test(tc, numbers_stay_in_bounds);
    suite_add_tcase(s, tc);

    tc = tcase_create("backoff");
    tcase_add_test(tc, backoff_bounds);
    tcase_add_test(tc, backoff_extremes);
    suite_add_tcase(s, tc);

    tc = tcase_create("histogram");
    tcase_add_test(tc, histogram_buckets);
    tcase_add_test(tc, histograms_add_up);
    tcase_add_test(tc, histogram_quantiles);
    suite_add_tcase(s, tc);
    return s;
}
