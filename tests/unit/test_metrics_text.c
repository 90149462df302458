/* Prometheus text: the writer of http/metrics, byte for byte and by a strict reader; and the tally
 * that most of it is written from. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "http/metrics.h"
#include "support/exposition.h"
#include "worker/tally.h"

static struct buf out;

static void set_up(void)
{
    out = (struct buf){0};
}

static void tear_down(void)
{
    buf_release(&out);
}

/* ---- the writer ---- */

START_TEST(samples)
{
    metrics_family(&out, "jobs_total", METRICS_COUNTER, "Jobs.");
    metrics_put(&out, "jobs_total", metrics_labels({"queue", "a"}, {"class", "b"}), 3);
    metrics_put(&out, "jobs_total", metrics_labels({"queue", "b"}, {"class", "b"}), 0);
    metrics_gauge(&out, "running", "Running.", 2);
    metrics_counter(&out, "cpu_seconds_total", "Time.", 1.25);
    ck_assert_str_eq(buf_str(&out), "# HELP jobs_total Jobs.\n"
                                    "# TYPE jobs_total counter\n"
                                    "jobs_total{queue=\"a\",class=\"b\"} 3\n"
                                    "jobs_total{queue=\"b\",class=\"b\"} 0\n"
                                    "# HELP running Running.\n"
                                    "# TYPE running gauge\n"
                                    "running 2\n"
                                    "# HELP cpu_seconds_total Time.\n"
                                    "# TYPE cpu_seconds_total counter\n"
                                    "cpu_seconds_total 1.25\n");
    must_be_exposition(buf_str(&out));
}
END_TEST

START_TEST(numbers)
{
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "n 0\n"},
        {-1, "n -1\n"},
        {0.5, "n 0.5\n"},
        {123456789012345, "n 123456789012345\n"},
        {1795478712.5, "n 1795478712.5\n"},
        {1e300, "n 1e+300\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&out);
        metrics_put(&out, "n", NULL, cases[i].value);
        ck_assert_str_eq(buf_str(&out), cases[i].text);
    }
}
END_TEST

START_TEST(label_values)
{
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"", "n{l=\"\"} 1\n"},
        {"a b{},=#", "n{l=\"a b{},=#\"} 1\n"},
        {"say \"x\"", "n{l=\"say \\\"x\\\"\"} 1\n"},
        {"C:\\dir\\", "n{l=\"C:\\\\dir\\\\\"} 1\n"},
        {"two\nlines", "n{l=\"two\\nlines\"} 1\n"},
        {"\xc3\xa9t\xc3\xa9", "n{l=\"\xc3\xa9t\xc3\xa9\"} 1\n"},
        {"bad\xff\xc3", "n{l=\"bad??\"} 1\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&out);
        metrics_put(&out, "n", metrics_labels({"l", cases[i].value}), 1);
        ck_assert_str_eq(buf_str(&out), cases[i].text);
        buf_clear(&out);
        metrics_family(&out, "n", METRICS_GAUGE, "N.");
        metrics_put(&out, "n", metrics_labels({"l", cases[i].value}), 1);
        must_be_exposition(buf_str(&out));
    }
}
END_TEST

START_TEST(histograms)
{
    static struct histogram h, empty;
    static const struct {
        const char *bound;
        double count;
    } cases[] = {{"0.000004", 2}, {"0.001024", 2}, {"0.004096", 3},
                 {"1.048576", 3}, {"4.194304", 4}, {"+Inf", 5}};
    histogram_add_ns(&h, 0);
    histogram_add_ns(&h, 3999);
    histogram_add_ns(&h, 2500000);
    histogram_add_ns(&h, 2 * NS_PER_S);
    histogram_add_ns(&h, 100000 * NS_PER_S);
    metrics_family(&out, "d_seconds", METRICS_HISTOGRAM, "D.");
    metrics_put_histogram(&out, "d_seconds", metrics_labels({"queue", "q"}), &h);
    metrics_put_histogram(&out, "d_seconds", metrics_labels({"queue", "r"}), &empty);
    metrics_family(&out, "e_seconds", METRICS_HISTOGRAM, "E.");
    metrics_put_histogram(&out, "e_seconds", NULL, &empty);
    must_be_exposition(buf_str(&out));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char series[64];
        (void)snprintf(series, sizeof series, "d_seconds_bucket{queue=\"q\",le=\"%s\"}",
                       cases[i].bound);
        ck_assert_double_eq(must_value(buf_str(&out), series), cases[i].count);
    }
    ck_assert_double_eq_tol(must_value(buf_str(&out), "d_seconds_sum{queue=\"q\"}"), 100002.002503,
                            1e-6);
    ck_assert_double_eq(must_value(buf_str(&out), "d_seconds_count{queue=\"q\"}"), 5);
    ck_assert_double_eq(must_value(buf_str(&out), "e_seconds_bucket{le=\"+Inf\"}"), 0);
    ck_assert_double_eq(must_value(buf_str(&out), "e_seconds_sum"), 0);
}
END_TEST

/* ---- the tally ---- */

static struct tally tally;

static void tally_up(void)
{
    tally_init(&tally);
}

static void tally_down(void)
{
    tally_release(&tally);
}

static uint64_t done(const struct tally_entry *e)
{
    return histogram_total(&e->duration[TALLY_DONE]);
}

START_TEST(one_entry_a_pair)
{
    struct tally_entry *e = tally_find(&tally, "q", "c");
    ck_assert_str_eq(e->queue->name, "q");
    ck_assert_str_eq(e->klass, "c");
    ck_assert_ptr_eq(tally_find(&tally, "q", "c"), e);
    ck_assert_ptr_ne(tally_find(&tally, "q", "d"), e);
    ck_assert_ptr_ne(tally_find(&tally, "qc", ""), e);
    ck_assert_ptr_ne(tally_find(&tally, "r", "c"), e);
    ck_assert_ptr_eq(tally_find(&tally, "q", "d")->queue, e->queue);
    ck_assert_uint_eq(atomic_load(&tally.nentries), 4);
    ck_assert_uint_eq(atomic_load(&tally.nqueues), 3);

    tally_start(e, NS_PER_S);
    tally_end(e, TALLY_DONE, NS_PER_S);
    tally_end(e, TALLY_DEAD, NS_PER_S);
    ck_assert_uint_eq(done(e), 1);
    ck_assert_uint_eq(histogram_total(&e->duration[TALLY_DEAD]), 1);
    ck_assert_uint_eq(histogram_total(&e->queue->latency), 1);
}
END_TEST

START_TEST(bounded_in_classes)
{
    char klass[32];
    for (int i = 0; i < 10 * TALLY_PAIRS_MAX; i++) {
        (void)snprintf(klass, sizeof klass, "class.%d", i);
        struct tally_entry *e = tally_find(&tally, i % 2 ? "a" : "b", klass);
        ck_assert_str_eq(e->klass, i < TALLY_PAIRS_MAX ? klass : "_other");
        ck_assert_str_eq(e->queue->name, i % 2 ? "a" : "b");
        tally_end(e, TALLY_DONE, 0);
    }
    ck_assert_uint_eq(atomic_load(&tally.nentries), TALLY_PAIRS_MAX + 2);
    ck_assert_uint_eq(done(tally_find(&tally, "a", "_other")), 9 * TALLY_PAIRS_MAX / 2);
    ck_assert_str_eq(tally_find(&tally, "b", "class.0")->klass, "class.0");
}
END_TEST

START_TEST(bounded_in_queues)
{
    char queue[32];
    for (int i = 0; i < 10 * TALLY_QUEUES_MAX; i++) {
        (void)snprintf(queue, sizeof queue, "queue.%d", i);
        struct tally_entry *e = tally_find(&tally, queue, "c");
        ck_assert_str_eq(e->queue->name, i < TALLY_QUEUES_MAX ? queue : "_other");
        ck_assert_str_eq(e->klass, i < TALLY_PAIRS_MAX ? "c" : "_other");
    }
    ck_assert_uint_eq(atomic_load(&tally.nqueues), TALLY_QUEUES_MAX + 1);
    ck_assert_uint_le(atomic_load(&tally.nentries), TALLY_ENTRIES_MAX);
}
END_TEST

enum { THREADS = 4, ROUNDS = 20000, CLASSES = 300 };

static void *count(void *arg)
{
    char klass[32];
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        (void)snprintf(klass, sizeof klass, "class.%d", i % CLASSES);
        struct tally_entry *e = tally_find(&tally, i % 3 ? "a" : "b", klass);
        tally_start(e, i);
        tally_end(e, TALLY_DONE, i);
    }
    return NULL;
}

/* Nothing is counted twice or lost while entries come to be and others read them. */
START_TEST(many_threads)
{
    struct thread threads[THREADS] = {{.started = false}};
    uint64_t sum = 0, started = 0;
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "count", count, NULL), 0);
    for (int round = 0; round < 100; round++)
        for (unsigned i = 0; i < atomic_load(&tally.nentries); i++)
            ck_assert_uint_gt(strlen(tally.entries[i]->klass), 0);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    for (unsigned i = 0; i < atomic_load(&tally.nentries); i++)
        sum += done(tally.entries[i]);
    for (unsigned i = 0; i < atomic_load(&tally.nqueues); i++)
        started += histogram_total(&tally.queues[i]->latency);
    ck_assert_uint_eq(sum, THREADS * ROUNDS);
    ck_assert_uint_eq(started, THREADS * ROUNDS);
    ck_assert_uint_eq(atomic_load(&tally.npairs), TALLY_PAIRS_MAX);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("metrics_text");
    TCase *tc = tcase_create("text");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, samples);
    tcase_add_test(tc, numbers);
    tcase_add_test(tc, label_values);
    tcase_add_test(tc, histograms);
    suite_add_tcase(suite, tc);
    tc = tcase_create("tally");
    tcase_add_checked_fixture(tc, tally_up, tally_down);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, one_entry_a_pair);
    tcase_add_test(tc, bounded_in_classes);
    tcase_add_test(tc, bounded_in_queues);
    tcase_add_test(tc, many_threads);
    suite_add_tcase(suite, tc);
    return suite;
}
