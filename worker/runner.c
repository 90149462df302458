#include "worker/runner.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "job/envelope.h"
#include "worker/ending.h"
#include "worker/failpoint.h"
#include "worker/run.h"

enum { KNOWN_MS = 5000 };              /* wait to know what is cancelled, once */
#define START_RECORD_NS (2 * NS_PER_S) /* wait at the gate to record a start */

int runner_init(struct runner *r, int nslots)
{
    r->slots = calloc((size_t)nslots, sizeof *r->slots);
    if (!r->slots)
        return -ENOMEM;
    r->nslots = nslots;
    for (int i = 0; i < nslots; i++)
        mutex_init(&r->slots[i].mutex);
    return 0;
}

void runner_release(struct runner *r)
{
    for (int i = 0; i < r->nslots; i++)
        mutex_release(&r->slots[i].mutex);
    free(r->slots);
}

/* ---- ends without a run ---- */

static void submit(struct runner *r, struct job *job, struct settlement *end)
{
    job->end = end;
    settler_submit(r->settler, job);
}

/* The raw bytes go to dead. False without memory: the job is still claimed, and adopted again. */
static bool bury(struct runner *r, struct job *job, enum settle_stats stats)
{
    struct settlement *end = settlement_new(SETTLE_DEAD, stats);
    if (end)
        submit(r, job, end);
    else
        settler_abandon(r->settler, job);
    return end != NULL;
}

static void bury_malformed(struct runner *r, struct job *job, const struct err *why)
{
    log_error("not a job: moved to dead", log_str("queue", job->claim->queue),
              log_str("error", why->text), log_int("bytes", (int64_t)job->payload.n));
    if (bury(r, job, SETTLE_FAILED))
        atomic_fetch_add(&r->malformed, 1);
}

/* Scripts move such a job to dead unread, and a connection refuses what is above its cap; what a
 * blocking wait brings in between (store_bulk_max) is seen here first. No figure of Redis counts
 * it, on none of these ways: it was no run. */
static void bury_oversize(struct runner *r, struct job *job, int64_t max_payload)
{
    oversize_note(r->oversize, log_str("queue", job->claim->queue), (int64_t)job->payload.n,
                  max_payload);
    (void)bury(r, job, SETTLE_UNCOUNTED); /* either way it has been noted */
}

static bool is_expired(struct runner *r, const struct envelope *e)
{
    return e->expires_at != 0 && heartbeat_redis_now(r->heartbeat) > e->expires_at;
}

static bool is_tracked(const struct envelope *e, const struct handler *handler)
{
    return e->track || (handler && handler->conf->track);
}

static void drop_expired(struct runner *r, struct job *job, const struct envelope *e,
                         struct registry *registry)
{
    bool tracked = is_tracked(e, registry_find(registry, e->klass));
    struct settlement *end =
        ending_expired(e, tracked, (int64_t)registry_conf(registry)->stream_ttl,
                       heartbeat_redis_now(r->heartbeat));
    if (!end) /* then a plain ack */
        log_warn("no memory to record that a job expired", log_str("jid", e->jid));
    atomic_fetch_add(&r->expired, 1);
    job_log(LOG_WARN, "job has expired and is dropped", job);
    submit(r, job, end);
}

/* ---- one run ---- */

/* The payload as handlers see it: with its jid and queue inside. */
static int complete_payload(struct run *run, const char *queue)
{
    struct envelope *e = &run->envelope;
    run->shown.payload = e->payload;
    if (!e->jid_is_new && e->queue)
        return 0;
    struct buf jid = {0}, name = {0};
    buf_printf(&jid, "\"%s\"", e->jid);
    json_put_string(&name, slice_of(queue), SIZE_MAX);
    struct splice splices[2];
    int n = 0;
    if (e->jid_is_new)
        splices[n++] = (struct splice){"jid", buf_slice(&jid)};
    if (!e->queue)
        splices[n++] = (struct splice){"queue", buf_slice(&name)};
    int rc = envelope_splice(e->payload, splices, n, &run->payload);
    run->shown.payload = buf_slice(&run->payload);
    buf_release(&jid);
    buf_release(&name);
    return rc;
}

static void record_start(struct runner *r, struct run *run)
{
    struct record *start = record_new(run->shown.jid, run->ttl_s);
    if (!start)
        return;
    record_add(start, "state", "running");
    record_add_slice(start, "queue", slice_of(run->shown.queue));
    record_add_slice(start, "class", slice_of(run->shown.klass));
    record_add(start, "attempt", "%lld", (long long)run->shown.attempt);
    record_add_slice(start, "worker", slice_of(store_identity(r->store)));
    record_add(start, "started_at", "%.6f", run->started_at);
    struct err err = {""};
    int rc = store_job_set(r->store, r->pool, clock_now_ns() + START_RECORD_NS, start->jid,
                           start->ttl_s, start->fields, start->n, &err);
    if (rc != 0)
        log_warn("the start of a job was not recorded", log_str("jid", run->shown.jid),
                 log_str("class", run->shown.klass), log_str("error", err.text));
    record_free(start);
}

static int prepare(struct runner *r, struct run *run, struct job *job, const struct conf *conf)
{
    struct envelope *e = &run->envelope;
    const struct conf_handler *hc = run->handler ? run->handler->conf : NULL;
    double timeout_s = e->timeout_s > 0 ? e->timeout_s : hc ? hc->timeout_s : 0;
    run->shown = (struct run_job){
        .jid = e->jid,
        .klass = e->klass,
        .queue = job->claim->queue,
        .args = e->args,
        .attempt = envelope_attempt(e),
        .timeout_ms = (int64_t)(timeout_s * 1000),
        .deadline_ns =
            timeout_s > 0 ? run->started_ns + (int64_t)(timeout_s * (double)NS_PER_S) : CLOCK_NEVER,
        .traceparent = e->traceparent,
    };
    run->tracked = is_tracked(e, run->handler);
    run->ttl_s = (int64_t)conf->stream_ttl;
    run_begin(run, r->streamer,
              &(struct stream_target){.jid = e->jid,
                                      .seq = job->claim->seq,
                                      .index = job->index,
                                      .ttl_s = run->ttl_s,
                                      .max_events = conf->stream_max_events},
              hc ? hc->stream : true);
    return complete_payload(run, job->claim->queue);
}

static void call_handler(struct run *run, struct outcome *out)
{
    failpoint("before-run");
    if (run->handler)
        handler_run(run->handler, &run->shown, run, &run_ops, out);
    else
        outcome_fail(out, OUTCOME_FAILED, "NoHandler", "no handler for class \"%s\"",
                     run->shown.klass);
    failpoint("after-run");
}

static void stop_if_cancelled_locked(struct runner *r, struct slot *slot)
{
    if (slot->run && cancelled_has(r->cancelled, slot->run->shown.jid))
        run_stop_locked(slot->run, RUN_CANCELLED);
}

/* Brings the run in sight, and asks: whoever is cancelled from now on is told by runner_cancel().
 */
static void show(struct runner *r, struct slot *slot, struct run *run)
{
    mutex_lock(&slot->mutex);
    slot->run = run;
    stop_if_cancelled_locked(r, slot);
    mutex_unlock(&slot->mutex);
}

/* Takes the run out of sight. True when its job was given back meanwhile. */
static bool hide(struct slot *slot)
{
    mutex_lock(&slot->mutex);
    bool given_back = slot->run->given_back;
    slot->run = NULL;
    mutex_unlock(&slot->mutex);
    return given_back;
}

/* What each ending is counted as, and what is said of it. */
static const struct {
    enum tally_outcome outcome;
    enum log_level level;
    const char *msg;
} endings[] = {
    [ENDING_DONE] = {TALLY_DONE, LOG_DEBUG, "job done"},
    [ENDING_RETRY] = {TALLY_FAILED, LOG_WARN, "job failed; it will be retried"},
    [ENDING_DEAD] = {TALLY_DEAD, LOG_ERROR, "job is dead"},
    [ENDING_DROPPED] = {TALLY_FAILED, LOG_ERROR, "job failed and is dropped, as it asked for"},
    [ENDING_STOPPED] = {TALLY_STOPPED, LOG_INFO, "job was cancelled"},
};

static void log_end(const struct run *run, const struct outcome *out, enum ending ending,
                    const struct settlement *end)
{
    if (!log_enabled(endings[ending].level))
        return;
    struct log_field fields[8] = {
        log_str("jid", run->shown.jid),
        log_str("class", run->shown.klass),
        log_str("queue", run->shown.queue),
        log_int("attempt", run->shown.attempt),
        log_int("ms", (run->ended_ns - run->started_ns) / NS_PER_MS),
    };
    int n = 5; /* the rest are zero, which ends the list */
    if (out->kind != OUTCOME_DONE && ending != ENDING_STOPPED)
        fields[n++] = log_slice("error", buf_slice(&out->message));
    if (ending == ENDING_RETRY)
        fields[n] = log_real("retry_in_s", end->delay_s);
    log_write(endings[ending].level, endings[ending].msg, fields);
}

static void end_run(struct runner *r, struct run *run, struct job *job, struct outcome *out,
                    bool given_back)
{
    int64_t took_ns = run->ended_ns - run->started_ns;
    struct settlement *end = NULL;
    if (given_back || atomic_load(&run->stop) == RUN_LOST) {
        log_warn(given_back ? "job was given back to its queue" : "job is no longer ours",
                 log_str("jid", run->shown.jid), log_str("class", run->shown.klass),
                 log_int("ms", took_ns / NS_PER_MS));
        settler_abandon(r->settler, job);
        return;
    }
    enum ending ending =
        ending_plan(run, out, heartbeat_redis_at(r->heartbeat, run->ended_ns), &end);
    if (ending == ENDING_NO_MEMORY) {
        log_error("no memory to settle a job: it runs again", log_str("jid", run->shown.jid),
                  log_str("class", run->shown.klass), log_str("queue", run->shown.queue));
        settler_abandon(r->settler, job);
        return;
    }
    tally_end(run->tally, endings[ending].outcome, took_ns);
    log_end(run, out, ending, end);
    submit(r, job, end);
}

static void count_start(struct runner *r, struct run *run)
{
    double enqueued_at = run->envelope.enqueued_at;
    run->tally = tally_find(r->tally, run->shown.queue, run->shown.klass);
    if (enqueued_at > 0)
        tally_start(run->tally, (int64_t)((run->started_at - enqueued_at) * (double)NS_PER_S));
}

static int64_t run_parsed(struct runner *r, struct slot *slot, struct job *job,
                          struct registry *registry, struct run *run)
{
    struct outcome out = {.kind = OUTCOME_DONE};
    run->handler = registry_find(registry, run->envelope.klass);
    run->started_at = heartbeat_redis_at(r->heartbeat, run->started_ns);
    run->slot = slot;

    int rc = prepare(r, run, job, registry_conf(registry));
    count_start(r, run);
    show(r, slot, run);
    bool cancelled = atomic_load(&run->stop) == RUN_CANCELLED;
    if (cancelled)
        outcome_stop(&out, RUN_CANCELLED, &run->shown);
    else if (rc == 0 && run->tracked)
        record_start(r, run);
    if (rc == 0 && !cancelled)
        call_handler(run, &out);
    else if (rc != 0)
        outcome_fail(&out, OUTCOME_FAILED, "OutOfMemory", "no memory to run the job");
    run->ended_ns = clock_now_ns();
    run_finish_output(run);
    bool given_back = hide(slot);
    end_run(r, run, job, &out, given_back);

    run_end(run);
    outcome_release(&out);
    return run->ended_ns - run->started_ns;
}

int64_t runner_run(struct runner *r, int slot, struct job *job)
{
    struct run run = {.started_ns = clock_now_ns()};
    struct err err = {""};
    /* After a pause nobody may start what others may have been given meanwhile. */
    bool fresh = heartbeat_fresh_at(r->heartbeat, run.started_ns) ||
                 heartbeat_wait_fresh(r->heartbeat, CLOCK_NEVER);
    if (!fresh || job->claim->generation != heartbeat_generation(r->heartbeat)) {
        job_log(LOG_WARN, "a claimed job was not started: the lease had lapsed", job);
        settler_give_back(r->settler, job); /* fenced: what others were given stays with them */
        return 0;
    }
    cancelled_wait_known(r->cancelled, KNOWN_MS);
    struct registry *registry = live_registry(r->live);
    int64_t took_ns = 0, max_payload = registry_conf(registry)->max_payload;
    if (job->payload.n > (size_t)max_payload) {
        bury_oversize(r, job, max_payload);
        registry_unref(registry);
        return 0;
    }
    int rc = envelope_parse(job->payload, &run.envelope, &err);
    if (rc == -EBADMSG) {
        bury_malformed(r, job, &err);
    } else if (rc != 0) {
        settler_abandon(r->settler, job);
    } else if (is_expired(r, &run.envelope)) {
        drop_expired(r, job, &run.envelope, registry);
    } else {
        took_ns = run_parsed(r, &r->slots[slot], job, registry, &run);
    }
    envelope_release(&run.envelope);
    registry_unref(registry);
    return took_ns;
}

/* ---- seen from outside ---- */

void runner_stop_all(struct runner *r, enum run_stop reason, bool give_back)
{
    for (int i = 0; i < r->nslots; i++) {
        struct slot *slot = &r->slots[i];
        mutex_lock(&slot->mutex);
        if (slot->run) {
            slot->run->given_back = slot->run->given_back || give_back;
            run_stop_locked(slot->run, reason);
        }
        mutex_unlock(&slot->mutex);
    }
}

void runner_cancel(struct runner *r)
{
    for (int i = 0; i < r->nslots; i++) {
        mutex_lock(&r->slots[i].mutex);
        stop_if_cancelled_locked(r, &r->slots[i]);
        mutex_unlock(&r->slots[i].mutex);
    }
}

int runner_jobs(struct runner *r, struct presence_job *ret, int max)
{
    int n = 0;
    for (int i = 0; i < r->nslots && n < max; i++) {
        struct slot *slot = &r->slots[i];
        mutex_lock(&slot->mutex);
        const struct run *run = slot->run;
        if (run) {
            struct slice payload = run->shown.payload;
            char *bytes = malloc(payload.n + 1);
            ret[n] = (struct presence_job){
                .thread = i,
                .queue = strdup(run->shown.queue),
                .jid = strdup(run->shown.jid),
                .klass = strdup(run->shown.klass),
                .payload = {bytes, payload.n},
                .started_at = run->started_at,
            };
            if (bytes)
                memcpy(bytes, payload.p, payload.n);
            if (ret[n].queue && ret[n].jid && ret[n].klass && bytes)
                n++;
            else
                runner_jobs_free(&ret[n], 1);
        }
        mutex_unlock(&slot->mutex);
    }
    return n;
}

void runner_jobs_free(struct presence_job *jobs, int n)
{
    for (int i = 0; i < n; i++) {
        free((char *)jobs[i].queue);
        free((char *)jobs[i].jid);
        free((char *)jobs[i].klass);
        free((char *)jobs[i].payload.p);
    }
}
