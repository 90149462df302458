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
#include "store/connect.h"
#include "worker/services.h"

enum { NONCE_BYTES = 6 };

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
    o.redis.master = true; /* nothing can be claimed from a replica */
    if (rc == 0)
        rc = redis_pool_new(&o, &w->pool, err);
    if (rc == 0)
        redis_pool_set_bulk_max(w->pool, store_bulk_max(conf));
    free(storage);
    return rc;
}

/* The main thread waits for signals. */
static void call_main_thread(void *ctx)
{
    (void)ctx;
    (void)kill(getpid(), SIGUSR2);
}

static void on_unpaused(void *dispatch)
{
    dispatch_suspect(dispatch);
}

static void on_cancel(void *runner)
{
    runner_cancel(runner);
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
        .oversize = &w->oversize,
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
        .oversize = &w->oversize,
        .tally = &w->tally,
        .cancelled = &w->cancelled,
    };
    w->control = (struct control){
        .store = w->store,
        .pool = w->pool,
        .cancelled = &w->cancelled,
        .cancel = on_cancel,
        .cancel_ctx = &w->runner,
        .unpaused = on_unpaused,
        .unpaused_ctx = &w->dispatch,
        .describe = worker_describe,
        .describe_ctx = w,
        .inbox = &w->inbox,
    };
    w->scheduler = (struct scheduler){
        .store = w->store,
        .pool = w->pool,
        .heartbeat = &w->heartbeat,
        .live = &w->live,
        .oversize = &w->oversize,
    };
    w->reaper = (struct reaper){
        .store = w->store,
        .pool = w->pool,
        .heartbeat = &w->heartbeat,
        .inflight = &w->inflight,
        .dispatch = &w->dispatch,
        .live = &w->live,
        .oversize = &w->oversize,
    };
    w->beacon = (struct beacon){
        .store = w->store,
        .pool = w->pool,
        .heartbeat = &w->heartbeat,
        .dispatch = &w->dispatch,
        .runner = &w->runner,
        .live = &w->live,
        .tally = &w->tally,
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
    w->born_ns = clock_now_ns();
    for (int i = 0; i < ORDER_SETTINGS; i++)
        w->tuned[i] = ORDER_DEFAULT;
    make_identity(w->identity, sizeof w->identity);
    int rc = make_pool(w, conf, err);
    if (rc == 0)
        rc = store_new(conf->key_prefix, w->identity, &w->store);
    if (rc == 0)
        rc = registry_open(conf, &registry, err);
    if (rc == 0 && (rc = inbox_init(&w->inbox, call_main_thread, NULL)) != 0) {
        (void)err_set(err, rc, "no descriptor for the inbox of orders");
    } else if (rc == 0) {
        w->executors = (struct executors){
            .dispatch = &w->dispatch, .runner = &w->runner, .fetcher = &w->fetcher};
        rc = executors_init(&w->executors);
        if (rc != 0) {
            (void)err_set(err, rc, "no memory");
            inbox_release(&w->inbox);
        }
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
    cancelled_init(&w->cancelled);
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
    cancelled_release(&w->cancelled);
    live_release(&w->live);
    executors_release(&w->executors);
    inbox_release(&w->inbox);
    store_free(w->store);
    redis_pool_free(w->pool);
    free(w);
}

/* ---- life ---- */

int worker_start(struct worker *w, struct err *err)
{
    struct conf *conf = live_conf(&w->live, NULL);
    struct registry *registry = live_registry(&w->live);
    int rc = registry_warm(registry, err);
    if (rc == 0)
        rc = services_start(w, conf, err);
    registry_unref(registry);
    conf_unref(conf);
    if (rc == 0) {
        dispatch_open(&w->dispatch, true);
        log_info("worker started", log_str("identity", w->identity),
                 log_str("version", SLUICE_VERSION), log_int("threads", w->executors.n));
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
