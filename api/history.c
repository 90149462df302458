#include "api/history.h"

#include <math.h>
#include <stdlib.h>

#include "job/envelope.h"

static const struct {
    const char *name;
    int places; /* behind the decimal point */
} columns[HISTORY_COLUMNS] = {
    [HISTORY_PROCESSED] = {"processed", 0},
    [HISTORY_FAILED] = {"failed", 0},
    [HISTORY_ENQUEUED] = {"enqueued", 0},
    [HISTORY_SCHEDULED] = {"scheduled", 0},
    [HISTORY_RETRIES] = {"retries", 0},
    [HISTORY_DEAD] = {"dead", 0},
    [HISTORY_BUSY] = {"busy", 0},
    [HISTORY_THREADS] = {"threads", 0},
    [HISTORY_LATENCY_S] = {"latency_s", 3},
    [HISTORY_DURATION_P50_S] = {"duration_p50_s", 6},
    [HISTORY_DURATION_P99_S] = {"duration_p99_s", 6},
    [HISTORY_PERMITS_IN_USE] = {"permits_in_use", 0},
    [HISTORY_PERMITS_LIMIT] = {"permits_limit", 0},
    [HISTORY_PERMITS_WAITING] = {"permits_waiting", 0},
    [HISTORY_CONNECTIONS_OPEN] = {"connections_open", 0},
    [HISTORY_CONNECTIONS_LIMIT] = {"connections_limit", 0},
};

void history_init(struct history *h)
{
    mutex_init(&h->mutex);
    h->first = h->n = 0;
}

void history_release(struct history *h)
{
    mutex_release(&h->mutex);
}

static struct history_point *at_locked(struct history *h, size_t i)
{
    return &h->point[(h->first + i) % HISTORY_POINTS];
}

void history_add(struct history *h, const struct history_point *point)
{
    mutex_lock(&h->mutex);
    while (h->n > 0 && at_locked(h, h->n - 1)->t >= point->t)
        h->n--;
    if (h->n == HISTORY_POINTS) {
        h->first = (h->first + 1) % HISTORY_POINTS;
        h->n--;
    }
    *at_locked(h, h->n) = *point;
    h->n++;
    mutex_unlock(&h->mutex);
}

/* A copy of the points after that time, for text is not made under the mutex. */
static struct history_point *copy_after(struct history *h, double after, size_t *ret_n)
{
    struct history_point *copy = calloc(HISTORY_POINTS, sizeof *copy);
    size_t n = 0;
    if (!copy)
        return NULL;
    mutex_lock(&h->mutex);
    for (size_t i = 0; i < h->n; i++)
        if (at_locked(h, i)->t > after)
            copy[n++] = *at_locked(h, i);
    mutex_unlock(&h->mutex);
    *ret_n = n;
    return copy;
}

static void put_column(struct buf *out, int column, const struct history_point *point, size_t n)
{
    buf_printf(out, ",\"%s\":[", columns[column].name);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        if (isfinite(point[i].value[column]))
            buf_printf(out, "%.*f", columns[column].places, point[i].value[column]);
        else
            buf_puts(out, "null");
    }
    buf_putc(out, ']');
}

int history_put(struct history *h, double after, double now, struct buf *out)
{
    size_t n;
    struct history_point *points = copy_after(h, after, &n);
    if (!points)
        return -ENOMEM;
    buf_printf(out, "{\"interval_s\":%d,\"points\":%zu,\"now\":", HISTORY_INTERVAL_S, n);
    job_put_time(out, now);
    buf_puts(out, ",\"t\":[");
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        job_put_time(out, points[i].t);
    }
    buf_putc(out, ']');
    for (int column = 0; column < HISTORY_COLUMNS; column++)
        put_column(out, column, points, n);
    buf_putc(out, '}');
    free(points);
    return buf_error(out);
}
