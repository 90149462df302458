#include "worker/worker.h"

#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "handlers/child.h"
#include "store/connect.h"
#include "store/lease.h"
#include "worker/health.h"
#include "worker/parts.h"

enum {
    NONCE_BYTES = 6,
    FLUSH_MS = 5000,     /* for the acks of finished jobs, at the end */
    GIVE_BACK_MS = 5000, /* for the script that returns what is left */
    GRACE_MS = 3000,     /* for handlers that were told to stop */
    AT_ONCE_MS = 500,    /* for each of these, when asked to hurry */
};

/* ---- making ---- */

/* host:pid:nonce. The host goes without characters that separate parts or break a display. */
static void make_identity(char *ret, size_t size)
{
    char host[256] = "";
    char nonce[2 * NONCE_BYTES + 1];
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0')
        (void)snprintf(host, sizeof host, "localhost");
    for (char *c = host; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '-' && *c != '.' && *c != '_')
            *c = '-';
    random_hex(nonce, NONCE_BYTES);
    (void)snprintf(ret, size, "%s:%d:%s", host, (int)getpid(), nonce);
}

static int make_pool(struct worker *w, struct conf *conf, struct err *err)
{
    char name[340];
    char *storage = NULL;
    struct redis_pool_options o = {
        .permits = conf->max_concurrent_ops,
        .max_connections = conf->max_connections,
        .reserved = conf_reserved_connections(conf),
        .idle_timeout_ms = (int64_t)(conf->redis_idle_timeout * 1000),
    };
    (void)snprintf(name, sizeof name, "sluice-worker:%s", w->identity);
    int rc = store_redis_options(conf, name, &o.redis, &storage, err);
    if (rc == 0)
        rc = redis_pool_new(&o, &w->pool, err);
    free(storage);
    return rc;
}

static void on_signal(void *ctx, enum presence_signal signal)
{
    static const int numbers[] = {
        [PRESENCE_QUIET] = SIGTSTP, [PRESENCE_STOP] = SIGTERM, [PRESENCE_DUMP] = SIGUSR1};
    (void)ctx;
    log_info("the dashboard asks", log_str("signal", strsignal(numbers[signal])));
    (void)kill(getpid(), numbers[signal]); /* the main thread takes it like any other */
}

/* Tells each part what it works with. */
static void wire(struct worker *w)
{
    w->fetcher = (struct fetcher){
        .store = w->store,
        .pool = w->pool,
        .dispatch = &w->dispatch,
        .settler = &w->settler,
        .inflight = &w->inflight,
        .heartbeat = &w->heartbeat,
        .live = &w->live,
        .lost_reply = reaper_reconcile,
        .lost_reply_ctx = &w->reaper,
    };
    w->waker = (struct waker){
        .store = w->store,
        .pool = w->pool,
        .dispatch = &w->dispatch,
        .settler = &w->settler,
        .inflight = &w->inflight,
        .heartbeat = &w->heartbeat,
        .live = &w->live,
        .lost_reply = reaper_reconcile,
        .lost_reply_ctx = &w->reaper,
        .event_fd = -1,
    };
    w->runner = (struct runner){
        .store = w->store,
        .pool = w->pool,
        .settler = &w->settler,
        .streamer = &w->streamer,
        .heartbeat = &w->heartbeat,
        .live = &w->live,
        .tally = &w->tally,
    };
    w->scheduler =
        (struct scheduler){.store = w->store, .pool = w->pool, .heartbeat = &w->heartbeat};
    w->reaper = (struct reaper){
        .store = w->store,
        .pool = w->pool,
        .heartbeat = &w->heartbeat,
        .inflight = &w->inflight,
        .dispatch = &w->dispatch,
        .live = &w->live,
    };
    w->beacon = (struct beacon){
        .store = w->store,
        .pool = w->pool,
        .heartbeat = &w->heartbeat,
        .dispatch = &w->dispatch,
        .runner = &w->runner,
        .live = &w->live,
        .signalled = on_signal,
    };
}

int worker_new(struct conf *conf, struct worker **ret, struct err *err)
{
    struct registry *registry = NULL;
    struct worker *w = calloc(1, sizeof *w);
    if (!w)
        return err_set(err, -ENOMEM, "no memory");
    w->born_at = (double)clock_wall_us() / 1e6;
    make_identity(w->identity, sizeof w->identity);
    int rc = make_pool(w, conf, err);
    if (rc == 0)
        rc = store_new(conf->key_prefix, w->identity, &w->store);
    if (rc == 0)
        rc = registry_open(conf, &registry, err);
    if (rc == 0) {
        w->executors = calloc(EXECUTORS_MAX, sizeof *w->executors);
        if (!w->executors)
            rc = err_set(err, -ENOMEM, "no memory");
    }
    if (rc != 0) {
        registry_unref(registry);
        store_free(w->store);
        redis_pool_free(w->pool);
        free(w);
        return rc;
    }
    live_init(&w->live, conf_ref(conf), registry);
    inflight_init(&w->inflight);
    tally_init(&w->tally);
    heartbeat_init(&w->heartbeat, w->store, w->pool, conf->lease);
    dispatch_init(&w->dispatch, conf->threads, waker_notify, &w->waker);
    wire(w);
    *ret = w;
    return 0;
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    waker_release(&w->waker);
    runner_release(&w->runner);
    dispatch_release(&w->dispatch);
    heartbeat_release(&w->heartbeat);
    inflight_release(&w->inflight);
    tally_release(&w->tally);
    live_release(&w->live);
    free(w->executors);
    store_free(w->store);
    redis_pool_free(w->pool);
    free(w);
}

/* ---- executors ---- */

static void *executor_main(void *arg)
{
    struct executor *e = arg;
    struct worker *w = e->worker;
    struct job *job = NULL;
    unsigned want = 0;
    int64_t took_ns = 0;
    for (;;) {
        switch (dispatch_next(&w->dispatch, &e->sleeper, took_ns, &job, &want)) {
        case TURN_JOB:
            took_ns = runner_run(&w->runner, e->sleeper.thread, job);
            break;
        case TURN_CLAIM:
            fetcher_claim(&w->fetcher, &e->sleeper, want);
            break;
        case TURN_END:
            return NULL;
        }
    }
}

/* A place is used again after its thread has left, which the limit once told it to. */
static int start_executor(struct worker *w, int i)
{
    struct executor *e = &w->executors[i];
    if (i < w->nexecutors) {
        if (!dispatch_has_left(&w->dispatch, &e->sleeper))
            return 0;
        thread_join(&e->thread);
        sleeper_release(&e->sleeper);
    }
    e->worker = w;
    sleeper_init(&e->sleeper, i);
    int rc = thread_start(&e->thread, "executor", executor_main, e);
    if (rc == 0 && i == w->nexecutors)
        w->nexecutors = i + 1;
    else if (rc != 0 && i == w->nexecutors)
        sleeper_release(&e->sleeper);
    else if (rc != 0)
        e->sleeper.left = true; /* no thread: the next reload tries again */
    return rc;
}

int worker_grow(struct worker *w, int n)
{
    for (int i = 0; i < n; i++) {
        int rc = start_executor(w, i);
        if (rc != 0 && i == 0)
            return rc;
        if (rc != 0) {
            log_warn("no room for all threads", log_int("wanted", n), log_int("started", i));
            return 0;
        }
    }
    return 0;
}

static void join_executors(struct worker *w)
{
    for (int i = 0; i < w->nexecutors; i++) {
        thread_join(&w->executors[i].thread);
        sleeper_release(&w->executors[i].sleeper);
    }
    w->nexecutors = 0;
}

/* ---- the start order ---- */

static int start_heartbeat(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return heartbeat_start(&w->heartbeat);
}

static int start_streamer(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return streamer_start(&w->streamer, w->store, w->pool);
}

static int start_settler(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return settler_start(&w->settler, w->store, w->pool, &w->inflight, &w->heartbeat);
}

static int start_reaper(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return reaper_start(&w->reaper);
}

static int start_health(struct worker *w, const struct conf *conf)
{
    return health_start(w, conf->metrics_listen, &w->why);
}

static int start_waker(struct worker *w, const struct conf *conf)
{
    (void)conf;
    int rc = waker_init(&w->waker);
    return rc == 0 ? waker_start(&w->waker) : rc;
}

static int start_executors(struct worker *w, const struct conf *conf)
{
    int rc = runner_init(&w->runner, EXECUTORS_MAX);
    return rc == 0 ? worker_grow(w, conf->threads) : rc;
}

static int start_scheduler(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return scheduler_start(&w->scheduler);
}

static int start_beacon(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return beacon_start(&w->beacon);
}

static void stop_heartbeat(struct worker *w)
{
    heartbeat_stop(&w->heartbeat);
}

static void stop_streamer(struct worker *w)
{
    streamer_stop(&w->streamer);
}

static void stop_settler(struct worker *w)
{
    settler_stop(&w->settler);
}

static void stop_reaper(struct worker *w)
{
    reaper_stop(&w->reaper);
    waker_stop(&w->waker); /* again: what was adopted since has no thread to run on */
}

static void stop_waker(struct worker *w)
{
    waker_stop(&w->waker);
}

static void stop_executors(struct worker *w)
{
    dispatch_end(&w->dispatch);
    join_executors(w);
}

static void stop_scheduler(struct worker *w)
{
    scheduler_stop(&w->scheduler);
}

static void stop_beacon(struct worker *w)
{
    beacon_stop(&w->beacon);
}

/* The one list. Services start in this order and stop in the reverse of it, except that the last
 * steps of a stop lie between (worker_finish). A service may use only those above it. */
static const struct service {
    const char *name;
    int (*start)(struct worker *w, const struct conf *conf);
    void (*stop)(struct worker *w);
} services[] = {
    {"heartbeat", start_heartbeat, stop_heartbeat},
    {"streamer", start_streamer, stop_streamer},
    {"settler", start_settler, stop_settler},
    {"reaper", start_reaper, stop_reaper},
    {"metrics server", start_health, health_stop}, /* below all it reads; sees the drain */
    {"waker", start_waker, stop_waker},
    {"executors", start_executors, stop_executors},
    {"scheduler", start_scheduler, stop_scheduler},
    {"beacon", start_beacon, stop_beacon},
};
enum { SERVICES = sizeof services / sizeof services[0] };

int worker_start(struct worker *w, struct err *err)
{
    struct conf *conf = live_conf(&w->live, NULL);
    int rc = 0;
    for (int i = 0; rc == 0 && i < SERVICES; i++) {
        rc = services[i].start(w, conf);
        if (rc == 0)
            w->started = i + 1;
        else
            (void)err_set(err, rc, "cannot start the %s: %s", services[i].name,
                          w->why.text[0] ? w->why.text : strerror(-rc));
    }
    conf_unref(conf);
    if (rc == 0) {
        dispatch_open(&w->dispatch, true);
        log_info("worker started", log_str("identity", w->identity),
                 log_str("version", SLUICE_VERSION), log_int("threads", w->nexecutors));
        return 0;
    }
    (void)!worker_finish(w, true); /* nothing runs yet, so nothing can refuse to end */
    return rc;
}

bool worker_is_ready(struct worker *w)
{
    return heartbeat_fresh(&w->heartbeat);
}

/* The heartbeat thread comes by at least every few seconds, with or without Redis; and no claim may
 * hang longer than its deadlines. Whoever stands still longer than that is stuck. */
bool worker_is_alive(struct worker *w)
{
    return heartbeat_is_moving(&w->heartbeat);
}

void worker_quiet(struct worker *w)
{
    dispatch_open(&w->dispatch, false);
    ticker_wake(&w->beacon.ticker);
    log_info("quiet: no new jobs are taken");
}

void worker_resume(struct worker *w)
{
    if (w->begun_stop)
        return;
    dispatch_open(&w->dispatch, true);
    ticker_wake(&w->beacon.ticker);
    log_info("resumed");
}

/* ---- the stop order ---- */

void worker_begin_stop(struct worker *w)
{
    w->begun_stop = true;
    dispatch_open(&w->dispatch, false);
}

bool worker_wait_drained(struct worker *w, int64_t deadline_ns)
{
    return dispatch_wait_idle(&w->dispatch, deadline_ns);
}

/* All claims of ours, in Redis, back to their queues; and our name out of the books. */
static void give_back(struct worker *w, int64_t deadline)
{
    uint64_t moved = 0;
    struct err err = {""};
    int rc;
    if (waker_has_ghosts(&w->waker)) {
        log_warn("a lost blocking wait may still take a job: others recover what is claimed when "
                 "the lease has lapsed");
        return;
    }
    do {
        struct redis_conn *conn = NULL;
        struct recovered got = {0};
        rc = redis_pool_take(w->pool, deadline, &conn, &err);
        if (rc == 0)
            rc = store_recover(w->store, conn, NULL, 0, &got, &err);
        if (conn)
            redis_pool_give(w->pool, conn);
        if (rc != 0)
            continue;
        moved += got.moved;
        for (size_t i = 0; i < got.nwrong; i++)
            log_error("jobs stay claimed: their queue's key is no list",
                      log_slice("queue", recovered_wrong(&got, i)));
        bool more = got.state == RECOVER_MORE;
        reply_free(got.reply);
        if (!more)
            break;
    } while (clock_now_ns() < deadline);
    if (rc != 0)
        log_warn("could not give back what is left: others recover it when the lease has lapsed",
                 log_str("error", err.text[0] ? err.text : err_phrase(rc)));
    else if (moved > 0)
        log_warn("unfinished jobs went back to their queues", log_int("jobs", (int64_t)moved));
}

static void stop_down_to(struct worker *w, int keep)
{
    while (w->started > keep)
        services[--w->started].stop(w);
}

static int index_of(void (*stop)(struct worker *w))
{
    int i = 0;
    while (services[i].stop != stop)
        i++;
    return i;
}

bool worker_finish(struct worker *w, bool at_once)
{
    worker_begin_stop(w);
    /* No more promotions, no more presence; executors live on, for jobs that still run. */
    stop_down_to(w, index_of(stop_executors) + 1);

    /* Whoever still runs loses its job now: after this its end writes nothing. */
    bool ended = dispatch_wait_idle(&w->dispatch, clock_now_ns());
    if (!ended)
        runner_stop_all(&w->runner, RUN_SHUTDOWN, true);
    /* No wait may outlive our name in the books: nobody would find the job that it takes. */
    if (w->started > index_of(stop_waker))
        waker_stop(&w->waker);
    if (w->started > index_of(stop_settler) &&
        !settler_flush(&w->settler, clock_deadline_ms(at_once ? AT_ONCE_MS : FLUSH_MS)))
        log_warn("acks of finished jobs could not be written: these jobs run again",
                 log_int("jobs", settler_pending(&w->settler)));
    /* Before the lease is given up nobody may renew it; and who waits for it must not any more. */
    bool leased = w->started > index_of(stop_heartbeat);
    if (leased)
        heartbeat_stop(&w->heartbeat);
    if (!ended && leased) {
        give_back(w, clock_deadline_ms(at_once ? AT_ONCE_MS : GIVE_BACK_MS));
        ended =
            dispatch_wait_idle(&w->dispatch, clock_deadline_ms(at_once ? AT_ONCE_MS : GRACE_MS));
    }
    if (!ended) {
        log_warn("handlers do not return; leaving without them");
        child_kill_all(); /* else they would outlive us, beside the new runs of their jobs */
        return false;
    }
    stop_down_to(w, 0);
    if (leased) /* what landed at the last moment, and our registration */
        give_back(w, clock_deadline_ms(at_once ? AT_ONCE_MS : GIVE_BACK_MS));
    redis_pool_stop(w->pool);
    return true;
}
