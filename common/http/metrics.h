/*
 * Writes Prometheus' text format, version 0.0.4.
 *
 *   metrics_family(out, "jobs_total", METRICS_COUNTER, "Jobs that ended.");
 *   metrics_put(out, "jobs_total", metrics_labels({"queue", queue}), n);
 *
 * A family is its head and then all of its samples, before the next head; the caller sees to that
 * and to names, which are constants. Label values may be any bytes: they are escaped, and what is
 * not UTF-8 is replaced, because one bad byte would cost the whole scrape.
 *
 * Rejected: a registry of metric objects. What is counted lies in the parts that count it, so a
 * scrape reads from there and nothing has to be registered or kept in step.
 *
 * Threads: pure functions. Errors: the buffer's.
 */
#ifndef SLUICE_HTTP_METRICS_H
#define SLUICE_HTTP_METRICS_H

#include "base/buf.h"
#include "base/histogram.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics_label {
    const char *name, *value;
};

/* NULL for no labels. The empty last one ends the list. */
#define metrics_labels(...) ((const struct metrics_label[]){__VA_ARGS__, {NULL, NULL}})

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help);

void metrics_put(struct buf *out, const char *name, const struct metrics_label *labels,
                 double value);

/* In seconds. Every second bound of the histogram is shown, a factor of 4 apart: a family with
 * labels multiplies each line, and twice as many would tell little more. */
void metrics_put_histogram(struct buf *out, const char *name, const struct metrics_label *labels,
                           const struct histogram *h);

/* A family of one sample without labels. */
void metrics_counter(struct buf *out, const char *name, const char *help, double value);
void metrics_gauge(struct buf *out, const char *name, const char *help, double value);

#endif
