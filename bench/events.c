/*
 * events: how fast the output of one job reaches Redis, from its first emit() to its stored final
 * status, beside the floor: a bare client that makes the same events and appends them, 1,000 in an
 * RPUSH with a PUBLISH, pipelined.
 *
 * Each run is checked: the stream holds every event once and in order, then the final status. The
 * worker's peak is what the kernel recorded as its largest resident size.
 *
 * Usage: events [EVENTS [RUNS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "key_figures.h"
#include "lab.h"
#include "store/enqueue.h"
#include "store/job_view.h"
#include "support/proc.h"

enum {
    RUNS_MAX = 50,
    BATCH = 1000,
    WINDOW = 4, /* batches of the floor under way; more gain nothing */
    PAGE = 10000,
    EVENT_MAX = 96,
};

static const char jid[] = "0123456789abcdef01234567";
static const char stream[] = "sluice:stream:0123456789abcdef01234567";

/* ---- the floor ---- */

static void send_batch(struct redis_conn *conn, int from, int n, int64_t began_ns)
{
    static char text[BATCH][EVENT_MAX];
    struct command cmd = {0};
    command_text(&cmd, "RPUSH");
    command_text(&cmd, stream);
    for (int i = 0; i < n; i++) {
        int len = snprintf(text[i], sizeof text[i],
                           "{\"n\":%d,\"began_ns\":%" PRId64 ",\"step\":\"a part of it\"}",
                           from + i, began_ns);
        command_add(&cmd, (struct slice){text[i], (size_t)len});
    }
    int rc = redis_conn_send(conn, &cmd);
    command_clear(&cmd);
    command_text(&cmd, "PUBLISH");
    command_text(&cmd, stream);
    command_int(&cmd, from + n);
    if (rc == 0)
        rc = redis_conn_send(conn, &cmd);
    if (rc != 0 || redis_conn_flush(conn, NULL) != 0)
        lab_fail("floor: cannot send");
    command_release(&cmd);
}

static void read_batch(struct redis_conn *conn)
{
    for (int i = 0; i < 2; i++) {
        struct reply *reply = NULL;
        if (redis_conn_read(conn, &reply, NULL) != 0 || reply_error(reply, NULL) != 0)
            lab_fail("floor: cannot append");
        reply_free(reply);
    }
}

static double run_floor(struct lab *lab, int events)
{
    lab_flush(lab);
    int64_t began_ns = clock_now_ns();
    int open = 0;
    for (int from = 0; from < events; from += BATCH) {
        if (open++ == WINDOW) {
            read_batch(lab->conn);
            open--;
        }
        send_batch(lab->conn, from, events - from < BATCH ? events - from : BATCH, began_ns);
    }
    while (open-- > 0)
        read_batch(lab->conn);
    double took_s = (double)(clock_now_ns() - began_ns) / (double)NS_PER_S;
    if (lab_int(lab, "LLEN %s", stream) != events)
        lab_fail("floor: events are missing");
    return events / took_s;
}

/* ---- the worker ---- */

struct figures {
    double per_s;
    int64_t before_kb, peak_kb, after_kb;
};

static void push(struct lab *lab, int events)
{
    char text[160];
    struct err err = {""};
    int n = snprintf(text, sizeof text, "{\"class\":\"emitter\",\"args\":[%d],\"jid\":\"%s\"}",
                     events, jid);
    struct slice payload = {text, (size_t)n};
    if (store_push(lab->store, lab->conn, "default", &payload, 1, NULL, &err) != 0)
        lab_fail("push: %s", err.text);
}

/* When the hint came that says that the stream has that length. */
static int64_t await_length(struct redis_conn *ears, int64_t length)
{
    struct reply *message = NULL;
    int64_t heard = 0;
    while (heard < length) {
        if (redis_conn_read(ears, &message, NULL) != 0)
            lab_fail("the stream has stopped at %" PRId64 " of %" PRId64 " events", heard, length);
        heard = reply_int(reply_at(message, 2));
        reply_free(message);
    }
    return clock_now_ns();
}

static int64_t number_of(struct slice event, const char *name)
{
    const char *at = memmem(event.p, event.n, name, strlen(name));
    return at ? strtoll(at + strlen(name), NULL, 10) : -1;
}

/* Returns when the first was emitted. */
static int64_t check_stream(struct lab *lab, int events)
{
    static const char end[] = "{\"type\":\"status\",\"status\":\"completed\"}";
    int64_t began_ns = -1;
    if (lab_int(lab, "LLEN %s", stream) != events + 1)
        lab_fail("the stream holds another number of events than were emitted");
    for (int from = 0; from <= events; from += PAGE) {
        struct reply *page = NULL;
        struct err err = {""};
        if (redis_callf(lab->conn, &page, &err, "LRANGE %s %d %d", stream, from, from + PAGE - 1) !=
            0)
            lab_fail("LRANGE: %s", err.text);
        for (int i = 0; i < (int)reply_count(page); i++) {
            struct slice event = reply_str(reply_at(page, (size_t)i));
            bool good =
                from + i == events ? slice_is(event, end) : number_of(event, "{\"n\":") == from + i;
            if (!good)
                lab_fail("event %d is %.*s", from + i, (int)event.n, event.p);
            if (from + i == 0)
                began_ns = number_of(event, "\"began_ns\":");
        }
        reply_free(page);
    }
    return began_ns;
}

static struct figures run_worker(struct lab *lab, int events)
{
    char yaml[512];
    struct figures f;
    struct err err = {""};
    (void)snprintf(yaml, sizeof yaml,
                   "  - {class: emitter, plugin: %s/bench/emitter.so}\n"
                   "worker: {stream_max_events: %d}\n",
                   BENCH_BUILD_DIR, events);
    lab_flush(lab);
    pid_t pid = lab_worker(lab, yaml);
    struct redis_conn *ears = lab_connect(lab);
    if (store_stream_subscribe(lab->store, ears, jid, &err) != 0)
        lab_fail("SUBSCRIBE: %s", err.text);
    f.before_kb = lab_rss_kb(pid);
    push(lab, events);
    int64_t ended_ns = await_length(ears, events + 1);
    f.peak_kb = proc_peak_kb(pid);
    f.after_kb = lab_rss_kb(pid);
    f.per_s = events / ((double)(ended_ns - check_stream(lab, events)) / (double)NS_PER_S);
    redis_conn_free(ears);
    lab_worker_stop(pid);
    return f;
}

int main(int argc, char **argv)
{
    int events = argc > 1 ? atoi(argv[1]) : 1000000;
    int runs = argc > 2 ? atoi(argv[2]) : 5;
    double floor[RUNS_MAX], worker[RUNS_MAX], before[RUNS_MAX], peak[RUNS_MAX], after[RUNS_MAX];
    struct lab lab;
    if (events < 1 || runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: events [EVENTS [RUNS]]   (EVENTS from 1, RUNS 1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    for (int i = 0; i < runs; i++) {
        floor[i] = run_floor(&lab, events);
        struct figures f = run_worker(&lab, events);
        worker[i] = f.per_s;
        before[i] = (double)f.before_kb;
        peak[i] = (double)f.peak_kb;
        after[i] = (double)f.after_kb;
    }
    lab_close(&lab);

    double bare = lab_median(floor, runs), ours = lab_median(worker, runs);
    printf("%d events of one job, medians of %d runs\n", events, runs);
    printf("  %-24s %9.0f events/s\n", "floor, bare RPUSH", bare);
    printf("  %-24s %9.0f events/s   %5.2f of the floor\n", "worker", ours, ours / bare);
    printf("  %-24s %9.0f KiB before, %.0f at its peak, %.0f after\n", "worker, resident",
           lab_median(before, runs), lab_median(peak, runs), lab_median(after, runs));
    key_figure(ours, "per_s");
    key_figure(bare, "floor_per_s");
    key_figures_print();
    return 0;
}
