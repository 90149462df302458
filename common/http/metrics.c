#include "http/metrics.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include "base/utf8.h"

enum { BOUND_STEP = 2, US_PER_S = 1000000 };

void metrics_family(struct buf *out, const char *name, enum metrics_type type, const char *help)
{
    static const char *const types[] = {
        [METRICS_COUNTER] = "counter",
        [METRICS_GAUGE] = "gauge",
        [METRICS_HISTOGRAM] = "histogram",
    };
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, types[type]);
}

static void put_escaped(struct buf *out, const char *value)
{
    bool utf8 = utf8_ok(slice_of(value));
    for (const char *p = value; *p; p++) {
        if (*p == '\n')
            buf_puts(out, "\\n");
        else if (*p == '"' || *p == '\\')
            buf_printf(out, "\\%c", *p);
        else
            buf_putc(out, utf8 || (unsigned char)*p < 0x80 ? *p : '?');
    }
}

/* name_suffix{labels,le="bound"}, with the space after it. */
static void put_series(struct buf *out, const char *name, const char *suffix,
                       const struct metrics_label *labels, const char *bound)
{
    char before = '{';
    buf_puts(out, name);
    buf_puts(out, suffix);
    for (const struct metrics_label *l = labels; l && l->name; l++, before = ',') {
        buf_putc(out, before);
        buf_puts(out, l->name);
        buf_puts(out, "=\"");
        put_escaped(out, l->value);
        buf_putc(out, '"');
    }
    if (bound) {
        buf_printf(out, "%cle=\"%s\"", before, bound);
        before = ',';
    }
    buf_puts(out, before == ',' ? "} " : " ");
}

void metrics_put(struct buf *out, const char *name, const struct metrics_label *labels,
                 double value)
{
    put_series(out, name, "", labels, NULL);
    buf_printf(out, "%.15g\n", value);
}

/* Microseconds as seconds, exactly: "0.000004", "1.048576". */
static const char *seconds_text(char *ret, size_t size, uint64_t us)
{
    (void)snprintf(ret, size, "%" PRIu64 ".%06" PRIu64, us / US_PER_S, us % US_PER_S); /* fits */
    return ret;
}

void metrics_put_histogram(struct buf *out, const char *name, const struct metrics_label *labels,
                           const struct histogram *h)
{
    char text[32];
    uint64_t count = 0;
    /* What is counted meanwhile is seen or not, but the lines agree with each other. */
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&h->count[i], memory_order_relaxed);
        bool last = i == HISTOGRAM_BUCKETS - 1;
        if (!last && (i == 0 || i % BOUND_STEP != 0))
            continue;
        put_series(out, name, "_bucket", labels,
                   last ? "+Inf" : seconds_text(text, sizeof text, UINT64_C(1) << i));
        buf_printf(out, "%" PRIu64 "\n", count);
    }
    put_series(out, name, "_sum", labels, NULL);
    buf_puts(out, seconds_text(text, sizeof text,
                               atomic_load_explicit(&h->sum_us, memory_order_relaxed)));
    buf_putc(out, '\n');
    put_series(out, name, "_count", labels, NULL);
    buf_printf(out, "%" PRIu64 "\n", count);
}

void metrics_counter(struct buf *out, const char *name, const char *help, double value)
{
    metrics_family(out, name, METRICS_COUNTER, help);
    metrics_put(out, name, NULL, value);
}

void metrics_gauge(struct buf *out, const char *name, const char *help, double value)
{
    metrics_family(out, name, METRICS_GAUGE, help);
    metrics_put(out, name, NULL, value);
}
