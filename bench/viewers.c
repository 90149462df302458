/*
 * viewers: what it takes to show output live.
 *
 * 1. From emit() in a plugin of a real worker to the byte at a viewer of sluice-api, an event at a
 *    time, beside the floor: PUBLISH to a bare subscriber.
 * 2. Many viewers of some streams: what each costs the API process, before anything has come and
 * when all events have; how many connections to Redis they take; and how fast events reach all of
 *    them.
 *
 * Each viewer has to get every event.
 *
 * Usage: viewers [VIEWERS [STREAMS [EVENTS]]]   (EVENTS: of each stream)
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "front.h"
#include "key_figures.h"
#include "sse.h"
#include "store/enqueue.h"

enum {
    SAMPLES = 1000,
    PAUSE_US = 2000,
    STAY_US = 2000000,
    PATIENCE_MS = 60000,
    EVENTS_AT_ONCE = 512
};

/* key: of the figures' names. */
static void report(const char *what, const char *key, double *us, int n)
{
    (void)lab_median(us, n); /* sorts */
    printf("  %-28s p50 %6.0f us   p99 %6.0f us   max %6.0f us\n", what, us[n / 2],
           us[(int)(n * 0.99)], us[n - 1]);
    key_figure(us[n / 2] / 1000, "%s_p50_ms", key);
    key_figure(us[(int)(n * 0.99)] / 1000, "%s_p99_ms", key);
}

/* ---- the floor ---- */

struct publisher {
    struct lab *lab;
    struct thread thread;
};

static void *publish(void *arg)
{
    struct publisher *p = arg;
    for (int i = 0; i < SAMPLES; i++) {
        (void)usleep(PAUSE_US);
        (void)lab_int(p->lab, "PUBLISH floor %lld", (long long)clock_now_ns());
    }
    return NULL;
}

static void run_floor(struct lab *lab, double *us)
{
    struct redis_conn *ears = lab_connect(lab);
    struct publisher p = {.lab = lab};
    if (redis_callf(ears, NULL, NULL, "SUBSCRIBE floor") != 0 ||
        thread_start(&p.thread, "publisher", publish, &p) != 0)
        lab_fail("floor: no subscriber");
    for (int i = 0; i < SAMPLES; i++) {
        struct reply *message = NULL;
        if (redis_conn_read(ears, &message, NULL) != 0)
            lab_fail("floor: nothing is heard");
        us[i] = (double)(clock_now_ns() - reply_int(reply_at(message, 2))) / 1000;
        reply_free(message);
    }
    thread_join(&p.thread);
    redis_conn_free(ears);
}

/* ---- emit to viewer ---- */

static void name_of(char ret[32], int stream)
{
    (void)snprintf(ret, 32, "stream%d", stream);
}

static void push(struct lab *lab, int stream, int events, int pause_us, int stay_us)
{
    char name[32], text[160];
    struct err err = {""};
    name_of(name, stream);
    int n =
        snprintf(text, sizeof text, "{\"class\":\"emitter\",\"args\":[%d,%d,%d],\"jid\":\"%s\"}",
                 events, pause_us, stay_us, name);
    struct slice payload = {text, (size_t)n};
    if (store_push(lab->store, lab->conn, "default", &payload, 1, NULL, &err) != 0)
        lab_fail("push: %s", err.text);
}

static void await(const struct sse *s)
{
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    if (poll(&p, 1, PATIENCE_MS) != 1)
        lab_fail("a viewer waits for events that do not come");
}

/* The ages of the events in the text at this time. */
static int read_ages(struct buf *text, int64_t now, double *us, int n)
{
    static const char mark[] = "\"began_ns\":";
    char *at = text->n > 0 ? text->p : NULL, *last = NULL;
    for (; at && (at = strstr(at, mark)) != NULL && n < SAMPLES; at = last) {
        last = at + strlen(mark);
        us[n++] = (double)(now - strtoll(last, NULL, 10)) / 1000;
    }
    buf_clear(text);
    return n;
}

static void run_latency(struct lab *lab, const struct front *front, double *us)
{
    struct sse viewer;
    struct buf text = {0};
    char name[32];
    name_of(name, 0);
    sse_open(&viewer, front->port, name);
    while (viewer.blocks == 0) { /* the greeting */
        await(&viewer);
        (void)sse_pull(&viewer, NULL);
    }
    push(lab, 0, SAMPLES, PAUSE_US, 0);
    for (int n = 0; n < SAMPLES;) {
        await(&viewer);
        (void)sse_pull(&viewer, &text);
        n = read_ages(&text, clock_now_ns(), us, n);
    }
    buf_release(&text);
    sse_close(&viewer);
}

/* ---- many viewers ---- */

struct crowd {
    struct sse *viewers;
    int n, streams, epoll;
};

static void crowd_open(struct crowd *c, int port, int first_stream)
{
    for (int i = 0; i < c->n; i++) {
        char name[32];
        name_of(name, first_stream + i % c->streams);
        sse_open(&c->viewers[i], port, name);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &c->viewers[i]};
        if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->viewers[i].fd, &event) != 0)
            lab_fail("epoll: %s", strerror(errno));
    }
}

/* Until each has got so many blocks, the greeting included. */
static void crowd_await(struct crowd *c, int64_t blocks)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    int64_t left = 0;
    for (int i = 0; i < c->n; i++)
        left += blocks - c->viewers[i].blocks;
    while (left > 0) {
        int n = epoll_wait(c->epoll, events, EVENTS_AT_ONCE, PATIENCE_MS);
        if (n <= 0)
            lab_fail("viewers wait for %" PRId64 " events that do not come", left);
        for (int i = 0; i < n; i++) {
            struct sse *s = events[i].data.ptr;
            int64_t had = s->blocks;
            (void)sse_pull(s, NULL);
            left -= s->blocks - had;
        }
    }
}

static void crowd_close(struct crowd *c)
{
    for (int i = 0; i < c->n; i++)
        sse_close(&c->viewers[i]);
}

/* Connections of the API to Redis: "normal" ones, or subscriptions ("pubsub"). */
static int64_t connections(struct lab *lab, const char *type)
{
    struct reply *list = NULL;
    int64_t n = 0;
    if (redis_callf(lab->conn, &list, NULL, "CLIENT LIST TYPE %s", type) != 0)
        lab_fail("CLIENT LIST");
    struct slice text = reply_str(list);
    for (const char *at = text.p; (at = strstr(at, " name=sluice-api")) != NULL; at++)
        n++;
    reply_free(list);
    return n;
}

static void run_crowd(struct lab *lab, const struct front *front, struct crowd *c, int events)
{
    int64_t empty_kb = lab_rss_kb(front->pid);
    crowd_open(c, front->port, 1);
    crowd_await(c, 1);
    int64_t waiting_kb = lab_rss_kb(front->pid);
    double cpu = lab_cpu_s(front->pid), began = lab_now_s();
    for (int i = 0; i < c->streams; i++)
        push(lab, 1 + i, events, 0, STAY_US);
    crowd_await(c, 1 + events);
    double took = lab_now_s() - began, sent = (double)events * c->n;
    cpu = lab_cpu_s(front->pid) - cpu;
    int64_t served_kb = lab_rss_kb(front->pid);
    crowd_await(c, 1 + events + 1); /* the final status */
    printf("%d viewers of %d streams, %d events each\n", c->n, c->streams, events);
    printf("  %-28s %.1f KiB each while nothing came, %.1f KiB when all had come\n",
           "memory of the API", (double)(waiting_kb - empty_kb) / c->n,
           (double)(served_kb - empty_kb) / c->n);
    printf("  %-28s %" PRId64 " KiB empty, %" PRId64 " and %" PRId64 " KiB with them\n", "",
           empty_kb, waiting_kb, served_kb);
    int64_t normal = connections(lab, "normal"), subscriptions = connections(lab, "pubsub");
    printf("  %-28s %" PRId64 ", %" PRId64 " of them subscriptions\n", "its connections to Redis",
           normal + subscriptions, subscriptions);
    printf("  %-28s %.0f events/s, %.2f us of its processor time each\n", "events delivered",
           sent / took, cpu * 1e6 / sent);
    key_figure(c->n, "viewers");
    key_figure((double)(served_kb - empty_kb) / c->n, "kib_each");
    key_figure((double)subscriptions, "subscriptions");
    key_figure(sent / took, "delivered_per_s");
    crowd_close(c);
}

int main(int argc, char **argv)
{
    static double us[SAMPLES];
    struct crowd c = {.n = argc > 1 ? atoi(argv[1]) : 5000,
                      .streams = argc > 2 ? atoi(argv[2]) : 50,
                      .epoll = epoll_create1(EPOLL_CLOEXEC)};
    int events = argc > 3 ? atoi(argv[3]) : 200;
    char yaml[512], api[64];
    struct rlimit files = {0};
    struct lab lab;
    struct front front;
    if (c.n < 1 || c.streams < 1 || events < 1 || c.epoll < 0)
        lab_fail("usage: viewers [VIEWERS [STREAMS [EVENTS]]]");
    (void)getrlimit(RLIMIT_NOFILE, &files); /* cannot fail */
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files); /* or connecting fails, and says so */
    c.viewers = calloc((size_t)c.n, sizeof *c.viewers);
    if (!c.viewers)
        lab_fail("no memory");
    lab_open(&lab, NULL);
    (void)snprintf(yaml, sizeof yaml, "  - {class: emitter, plugin: %s/bench/emitter.so}\n",
                   BENCH_BUILD_DIR);
    (void)snprintf(api, sizeof api, "api: {max_clients: %d}\n", c.n + 100);
    pid_t worker = lab_worker(&lab, yaml);
    front_open(&front, &lab, api);

    printf("from emit to viewer, %d events, one at a time\n", SAMPLES);
    run_floor(&lab, us);
    report("floor, PUBLISH to subscriber", "floor", us, SAMPLES);
    run_latency(&lab, &front, us);
    report("emit to viewer", "live", us, SAMPLES);
    run_crowd(&lab, &front, &c, events);

    front_close(&front);
    lab_worker_stop(worker);
    lab_close(&lab);
    free(c.viewers);
    key_figures_print();
    return 0;
}
