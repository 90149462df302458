#include "store/gauges.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/json.h"

enum { PERMITS, CONNECTIONS, PROCESSED, FAILED, DURATION, LATENCY };
const char *const gauge_fields[GAUGE_FIELDS] = {
    [PERMITS] = "permits", [CONNECTIONS] = "connections", [PROCESSED] = "processed",
    [FAILED] = "failed",   [DURATION] = "duration_us",    [LATENCY] = "latency_us",
};

/* Whole numbers of struct gauges by their names in JSON. */
struct member {
    const char *name;
    size_t at;
};
enum { MEMBERS = 4 };
static const struct member permits[MEMBERS] = {
    {"limit", offsetof(struct gauges, permits.limit)},
    {"in_use", offsetof(struct gauges, permits.in_use)},
    {"waiting", offsetof(struct gauges, permits.waiting)},
    {"peak", offsetof(struct gauges, permits.peak)},
};
static const struct member connections[MEMBERS] = {
    {"limit", offsetof(struct gauges, connections.limit)},
    {"open", offsetof(struct gauges, connections.open)},
    {"in_use", offsetof(struct gauges, connections.in_use)},
    {"peak", offsetof(struct gauges, connections.peak)},
};

/* ---- writing ---- */

static void add_members(struct command *cmd, const struct gauges *g, const struct member *members)
{
    struct buf text = {0};
    for (int i = 0; i < MEMBERS; i++) {
        const int64_t *n = (const void *)((const char *)g + members[i].at);
        buf_printf(&text, "%s\"%s\":%" PRId64, i == 0 ? "{" : ",", members[i].name, *n);
    }
    buf_putc(&text, '}');
    command_copy(cmd, buf_slice(&text)); /* without memory "": not told */
    buf_release(&text);
}

static void add_histogram(struct command *cmd, const struct histogram *h)
{
    struct buf text = {0};
    buf_putc(&text, '{');
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t n = atomic_load_explicit(&h->count[i], memory_order_relaxed);
        if (n > 0)
            buf_printf(&text, "%s\"%" PRIu64 "\":%" PRIu64, text.n > 1 ? "," : "", UINT64_C(1) << i,
                       n);
    }
    buf_putc(&text, '}');
    command_copy(cmd, buf_slice(&text));
    buf_release(&text);
}

void gauges_add(struct command *cmd, const struct gauges *g)
{
    command_text(cmd, gauge_fields[PERMITS]);
    add_members(cmd, g, permits);
    command_text(cmd, gauge_fields[CONNECTIONS]);
    add_members(cmd, g, connections);
    command_text(cmd, gauge_fields[PROCESSED]);
    command_int(cmd, g->processed);
    command_text(cmd, gauge_fields[FAILED]);
    command_int(cmd, g->failed);
    command_text(cmd, gauge_fields[DURATION]);
    add_histogram(cmd, &g->duration);
    command_text(cmd, gauge_fields[LATENCY]);
    add_histogram(cmd, &g->latency);
}

/* ---- reading ---- */

static bool read_count(const struct json_member *m, int64_t *ret)
{
    int64_t n;
    if (m->type != JSON_NUMBER || json_decode_int(m->value, &n) != 0 || n < 0)
        return false;
    *ret = n;
    return true;
}

struct reading {
    struct gauges *g;
    const struct member *members;
    int found;
};

static int read_member(void *ctx, const struct json_member *m)
{
    struct reading *r = ctx;
    for (int i = 0; i < MEMBERS; i++)
        if (json_key_is(m->key, r->members[i].name))
            r->found += read_count(m, (void *)((char *)r->g + r->members[i].at));
    return 0;
}

static bool read_members(const struct reply *text, const struct member *members, struct gauges *g)
{
    struct reading r = {.g = g, .members = members};
    enum json_type type;
    return json_scan(reply_str(text), &type, read_member, &r, NULL) == 0 && r.found == MEMBERS;
}

/* The bucket that a key names by its bound, or -1. */
static int bucket_of(struct slice key)
{
    if (key.n < 3 || key.p[1] < '1' || key.p[1] > '9')
        return -1;
    char *end;
    unsigned long long bound = strtoull(key.p + 1, &end, 10); /* the key's last quote ends it */
    int i = __builtin_ctzll(bound);
    return end == key.p + key.n - 1 && bound == 1ULL << i && i < HISTOGRAM_BUCKETS ? i : -1;
}

static int read_bucket(void *ctx, const struct json_member *m)
{
    struct histogram *h = ctx;
    int i = bucket_of(m->key);
    int64_t n;
    if (i >= 0 && read_count(m, &n))
        atomic_store_explicit(&h->count[i], (uint64_t)n, memory_order_relaxed);
    return 0;
}

static void read_histogram(const struct reply *text, struct histogram *ret)
{
    struct histogram h = {0};
    enum json_type type;
    if (json_scan(reply_str(text), &type, read_bucket, &h, NULL) == 0)
        *ret = h;
}

void gauges_read(const struct reply *answer, size_t first, struct gauges *ret)
{
    struct gauges g = {0};
    g.known = read_members(reply_at(answer, first + PERMITS), permits, &g) &&
              read_members(reply_at(answer, first + CONNECTIONS), connections, &g);
    if (g.known) {
        g.processed = reply_int(reply_at(answer, first + PROCESSED));
        g.failed = reply_int(reply_at(answer, first + FAILED));
        read_histogram(reply_at(answer, first + DURATION), &g.duration);
        read_histogram(reply_at(answer, first + LATENCY), &g.latency);
        *ret = g;
    }
}

void gauges_sum(struct gauges *sum, const struct gauges *g)
{
    if (!g->known)
        return;
    sum->known = true;
    sum->permits.limit += g->permits.limit;
    sum->permits.in_use += g->permits.in_use;
    sum->permits.waiting += g->permits.waiting;
    sum->permits.peak += g->permits.peak;
    sum->connections.limit += g->connections.limit;
    sum->connections.open += g->connections.open;
    sum->connections.in_use += g->connections.in_use;
    sum->connections.peak += g->connections.peak;
    sum->processed += g->processed;
    sum->failed += g->failed;
    histogram_add(&sum->duration, &g->duration);
    histogram_add(&sum->latency, &g->latency);
}
