#include "worker/services.h"

#include <string.h>

#include "worker/health.h"

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

static int start_control(struct worker *w, const struct conf *conf)
{
    (void)conf;
    return control_start(&w->control);
}

static int start_health(struct worker *w, const struct conf *conf)
{
    return health_start(w, conf->metrics_listen, w->why);
}

static int start_waker(struct worker *w, const struct conf *conf)
{
    (void)conf;
    int rc = waker_init(&w->waker);
    return rc == 0 ? waker_start(&w->waker) : rc;
}

static int start_executors(struct worker *w, const struct conf *conf)
{
    int started = 0;
    int rc = runner_init(&w->runner, EXECUTORS_MAX);
    if (rc == 0)
        rc = executors_grow(&w->executors, conf->threads, &started);
    if (rc != 0) { /* going on with fewer would leave no thread for the services below */
        (void)err_set(w->why, rc,
                      "%d of %d threads: %s (a limit on processes, threads or memory; raise it or "
                      "lower worker.threads)",
                      started, conf->threads, strerror(-rc));
        executors_stop(&w->executors);
    }
    return rc;
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

static void stop_control(struct worker *w)
{
    control_stop(&w->control);
}

static void stop_waker(struct worker *w)
{
    waker_stop(&w->waker);
}

static void stop_executors(struct worker *w)
{
    executors_stop(&w->executors);
}

static void stop_scheduler(struct worker *w)
{
    scheduler_stop(&w->scheduler);
}

static void stop_beacon(struct worker *w)
{
    beacon_stop(&w->beacon);
}

/* The one list (worker/services.h). */
static const struct {
    const char *name;
    int (*start)(struct worker *w, const struct conf *conf);
    void (*stop)(struct worker *w);
} services[SERVICES] = {
    [SERVICE_HEARTBEAT] = {"heartbeat", start_heartbeat, stop_heartbeat},
    [SERVICE_STREAMER] = {"streamer", start_streamer, stop_streamer},
    [SERVICE_SETTLER] = {"settler", start_settler, stop_settler},
    [SERVICE_REAPER] = {"reaper", start_reaper, stop_reaper},
    [SERVICE_HEALTH] = {"metrics server", start_health, health_stop},
    [SERVICE_WAKER] = {"waker", start_waker, stop_waker},
    [SERVICE_EXECUTORS] = {"executors", start_executors, stop_executors},
    [SERVICE_CONTROL] = {"control", start_control, stop_control},
    [SERVICE_SCHEDULER] = {"scheduler", start_scheduler, stop_scheduler},
    [SERVICE_BEACON] = {"beacon", start_beacon, stop_beacon},
};

int services_start(struct worker *w, const struct conf *conf, struct err *err)
{
    for (int i = 0; i < SERVICES; i++) {
        struct err why = {""};
        w->why = &why;
        int rc = services[i].start(w, conf);
        w->why = NULL;
        if (rc != 0)
            return err_set(err, rc, "cannot start the %s: %s", services[i].name,
                           why.text[0] ? why.text : strerror(-rc));
        w->started = i + 1;
    }
    return 0;
}

bool services_has(const struct worker *w, enum service service)
{
    return w->started > (int)service;
}

void services_stop_above(struct worker *w, enum service service)
{
    while (w->started > (int)service + 1)
        services[--w->started].stop(w);
}

void services_stop_all(struct worker *w)
{
    while (w->started > 0)
        services[--w->started].stop(w);
}
