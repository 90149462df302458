#include "worker/settler.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/failpoint.h"
#include "worker/settle_plan.h"

#define LINGER_NS (5 * NS_PER_MS)
#define PARK_NS   (5 * NS_PER_S)
#define TAKE_NS   (2 * NS_PER_S) /* the thread's wait at the gate before it looks up again */

/* ---- the list ---- */

/* The thread is woken only if it would sleep past what is due now: in a busy worker, where acks
 * ride on claims, it is not woken a thousand times for nothing. */
static void wake_locked(struct settler *s, int64_t due_ns)
{
    if (s->under_way || s->sleeps_until_ns <= due_ns)
        return;
    s->sleeps_until_ns = 0;
    cond_signal(&s->wake);
}

/* Into the list, with its claim. */
static void list_locked(struct settler *s, struct job *job, int64_t due_ns)
{
    struct claim *c = job->claim;
    job->next = NULL;
    if (c->ended) {
        c->last_ended->next = job;
    } else {
        c->ended = job;
        c->due_ns = due_ns;
        c->next = NULL;
        *s->claims_end = c;
        s->claims_end = &c->next;
    }
    c->last_ended = job;
    if (due_ns < c->due_ns)
        c->due_ns = due_ns;
    if (c->due_ns < s->due_ns)
        s->due_ns = c->due_ns;
}

static void submit_locked(struct settler *s, struct job *job)
{
    struct claim *c = job->claim;
    /* Somebody may be following a job that is recorded: that one does not wait for company. */
    bool urgent = job->end && job->end->record;
    list_locked(s, job, urgent ? 0 : c->ended ? c->due_ns : clock_now_ns() + LINGER_NS);
    c->away--;
    s->pending++;
    wake_locked(s, s->due_ns);
}

void settler_submit(struct settler *s, struct job *job)
{
    mutex_lock(&s->mutex);
    submit_locked(s, job);
    mutex_unlock(&s->mutex);
}

void settler_give_back(struct settler *s, struct job *jobs)
{
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        job->end = settlement_new(SETTLE_QUEUE, SETTLE_UNCOUNTED);
        if (job->end)
            job->end->queue = strdup(job->claim->queue);
        if (job->end && job->end->queue)
            settler_submit(s, job);
        else
            settler_abandon(s, job); /* no memory: it stays claimed and is adopted again */
    }
}

/* ---- the end of a claim ---- */

static void finish_claim(struct settler *s, struct claim *c)
{
    if (c->settled + c->abandoned < c->n)
        return;
    inflight_end(s->inflight, c->seq);
    claim_free(c);
}

void settler_abandon(struct settler *s, struct job *job)
{
    /* Counters belong to the turn's owner, so this waits for one. It is rare: a lapsed lease. */
    mutex_lock(&s->mutex);
    while (s->under_way)
        cond_wait_until(&s->settled, &s->mutex, clock_deadline_ms(10));
    struct claim *c = job->claim;
    c->away--;
    c->abandoned++;
    finish_claim(s, c);
    mutex_unlock(&s->mutex);
}

/* ---- one turn ---- */

/* Takes what is to be sent now: claims of which all jobs have ended, so that they can be dropped
 * whole, and what is due. */
static void take_locked(struct settler *s, int64_t now)
{
    struct claim **at = &s->claims, *c;
    struct job **end = &s->taken;
    s->ntaken = 0;
    s->due_ns = CLOCK_NEVER;
    while ((c = *at)) {
        if (c->away == 0 || c->due_ns <= now)
            for (; c->ended && s->ntaken < SETTLE_MAX_JOBS; s->ntaken++) {
                *end = c->ended;
                end = &c->ended->next;
                c->ended = c->ended->next;
            }
        if (!c->ended) {
            *at = c->next;
            continue;
        }
        if (c->due_ns < s->due_ns)
            s->due_ns = c->due_ns;
        at = &c->next;
    }
    s->claims_end = at;
    *end = NULL;
}

const struct settle_batch *settler_take(struct settler *s)
{
    int64_t now = clock_now_ns();
    bool mine = false;
    mutex_lock(&s->mutex);
    if (!s->under_way && now >= s->not_before_ns) {
        take_locked(s, now);
        mine = s->under_way = s->ntaken > 0;
    }
    mutex_unlock(&s->mutex);
    if (!mine)
        return NULL;
    settle_begin(&s->batch, s->store, NULL, heartbeat_redis_now(s->heartbeat));
    settle_plan(&s->batch, s->taken);
    return &s->batch;
}

/* One job after a batch that was applied; true when its end is settled. */
static bool note_result(struct settler *s, struct job *job, enum settle_result result)
{
    switch (result) {
    case SETTLE_WRITTEN:
        atomic_fetch_add_explicit(&s->written, 1, memory_order_relaxed);
        return true;
    case SETTLE_LOST:
        if (!job->ambiguous) {
            atomic_fetch_add_explicit(&s->lost, 1, memory_order_relaxed);
            job_log(LOG_WARN, "a job ended that was no longer ours: nothing written", job);
        }
        return true;
    case SETTLE_WRONGTYPE:
    case SETTLE_NOT_ALL:
        break;
    }
    return false;
}

static void push_job(struct job **list, struct job *job)
{
    job->next = *list;
    *list = job;
}

/* Everything in `taken` is settled, or stuck, or to be sent again. The claim of a job in the list
 * cannot be freed before its last job was passed, for settling counts these down. */
static void apply_results(struct settler *s, struct job **ret_stuck, struct job **ret_again)
{
    unsigned stuck = 0; /* of them one is named: there may be thousands, and they come back */
    for (struct job *job = s->taken, *next; job; job = next) {
        struct claim *c = job->claim;
        next = job->next;
        int op = job->op != NO_OP ? job->op : c->drop_op;
        enum settle_result result = (enum settle_result)s->results[op];
        if (note_result(s, job, result)) {
            c->settled++;
        } else {
            c->piecewise = c->piecewise || result == SETTLE_NOT_ALL;
            if (result == SETTLE_WRONGTYPE && ++stuck == 1)
                job_log(LOG_ERROR,
                        "a job stays claimed: the key it should go to holds another type", job);
            push_job(result == SETTLE_NOT_ALL ? ret_again : ret_stuck, job);
        }
        if (--c->settling == 0)
            finish_claim(s, c);
    }
    if (stuck > 1)
        log_error("further jobs of the same batch stay claimed", log_int("jobs", stuck - 1));
}

static void put_back_locked(struct settler *s, bool ambiguous)
{
    for (struct job *job = s->taken, *next; job; job = next) {
        next = job->next;
        job->claim->settling = 0;
        job->ambiguous = job->ambiguous || ambiguous;
        list_locked(s, job, 0); /* they have waited */
    }
}

void settler_applied(struct settler *s, int rc, const char *error)
{
    struct job *stuck = NULL, *again = NULL;
    int64_t pause_ms = 0;
    if (rc == 0) {
        apply_results(s, &stuck, &again);
        backoff_reset(&s->backoff);
    } else {
        pause_ms = backoff_next_ms(&s->backoff);
    }

    mutex_lock(&s->mutex);
    unsigned gone = rc == 0 ? s->ntaken : 0;
    if (rc != 0) {
        put_back_locked(s, rc == -ENOTCONN);
        s->not_before_ns = clock_now_ns() + pause_ms * NS_PER_MS;
    }
    for (struct job *job = stuck, *next; job; job = next) {
        next = job->next;
        push_job(&s->parked, job);
        s->nparked++;
        gone--;
        s->parked_until_ns = clock_now_ns() + PARK_NS;
    }
    for (struct job *job = again, *next; job; job = next) {
        next = job->next;
        list_locked(s, job, 0); /* they have waited */
        gone--;
    }
    s->taken = NULL;
    s->pending -= gone;
    s->under_way = false;
    if (s->claims)
        wake_locked(s, s->due_ns);
    if (s->parked) /* by a claim's thread, while ours had nothing to wait for */
        wake_locked(s, s->parked_until_ns);
    cond_broadcast(&s->settled);
    mutex_unlock(&s->mutex);
    if (rc != 0)
        log_warn("finished jobs could not be settled; trying again",
                 log_str("error", error && *error ? error : err_phrase(rc)),
                 log_int("pause_ms", pause_ms));
}

/* ---- the thread ---- */

static void send_alone(struct settler *s)
{
    struct redis_conn *conn = NULL;
    struct err err = {""};
    int rc = redis_pool_take(s->pool, clock_now_ns() + TAKE_NS, &conn, &err);
    if (rc == -ETIMEDOUT || rc == -ENOTCONN)
        return; /* nothing was taken off the list: look again */
    const struct settle_batch *batch = rc == 0 ? settler_take(s) : NULL;
    if (batch) {
        failpoint("before-ack");
        rc = store_settle(conn, batch, s->results, &err);
        if (rc == 0)
            failpoint("after-ack");
        settler_applied(s, rc, err.text);
    }
    if (conn)
        redis_pool_give(s->pool, conn);
}

static void unpark_locked(struct settler *s)
{
    while (s->parked) {
        struct job *job = s->parked;
        s->parked = job->next;
        s->nparked--;
        list_locked(s, job, 0); /* they have waited */
    }
}

/* When the thread has something to do: now or earlier means at once. */
static int64_t due_locked(const struct settler *s)
{
    int64_t due = CLOCK_NEVER;
    if (s->claims && !s->under_way) {
        due = s->due_ns;
        if (due < s->not_before_ns)
            due = s->not_before_ns;
    }
    if (s->parked && s->parked_until_ns < due)
        due = s->parked_until_ns;
    return due;
}

static void *settler_main(void *arg)
{
    struct settler *s = arg;
    mutex_lock(&s->mutex);
    while (!s->stopping) {
        int64_t now = clock_now_ns();
        if (s->parked && now >= s->parked_until_ns)
            unpark_locked(s);
        int64_t due = due_locked(s);
        if (now < due) {
            s->sleeps_until_ns = due;
            cond_wait_until(&s->wake, &s->mutex, due);
            s->sleeps_until_ns = 0;
            continue;
        }
        mutex_unlock(&s->mutex);
        send_alone(s);
        mutex_lock(&s->mutex);
    }
    mutex_unlock(&s->mutex);
    return NULL;
}

int settler_start(struct settler *s, const struct store *store, struct redis_pool *pool,
                  struct inflight *inflight, struct heartbeat *heartbeat)
{
    *s = (struct settler){
        .store = store,
        .pool = pool,
        .inflight = inflight,
        .heartbeat = heartbeat,
        .claims_end = &s->claims,
        .due_ns = CLOCK_NEVER,
        .backoff = {.base_ms = 50, .cap_ms = 5000},
    };
    mutex_init(&s->mutex);
    cond_init(&s->wake);
    cond_init(&s->settled);
    return thread_start(&s->thread, "settler", settler_main, s);
}

static void drop(struct settler *s, struct job *jobs)
{
    for (struct job *job = jobs, *next; job; job = next) {
        next = job->next;
        job->claim->abandoned++;
        finish_claim(s, job->claim);
    }
}

void settler_stop(struct settler *s)
{
    mutex_lock(&s->mutex);
    s->stopping = true;
    cond_signal(&s->wake);
    mutex_unlock(&s->mutex);
    thread_join(&s->thread);
    for (struct claim *c = s->claims, *next; c; c = next) {
        next = c->next;
        drop(s, c->ended);
    }
    drop(s, s->parked);
    settle_release(&s->batch);
    cond_release(&s->wake);
    cond_release(&s->settled);
    mutex_release(&s->mutex);
}

int settler_wait_room(struct settler *s, int64_t deadline_ns)
{
    int rc = 0;
    mutex_lock(&s->mutex);
    while (rc == 0 && (s->pending - s->nparked >= SETTLE_ROOM || s->nparked >= SETTLE_PARKED)) {
        s->due_ns = 0; /* no claim takes them along */
        wake_locked(s, s->due_ns);
        if (!cond_wait_until(&s->settled, &s->mutex, deadline_ns))
            rc = -ETIMEDOUT;
    }
    mutex_unlock(&s->mutex);
    return rc;
}

bool settler_flush(struct settler *s, int64_t deadline_ns)
{
    mutex_lock(&s->mutex);
    bool empty;
    for (struct claim *c = s->claims; c; c = c->next)
        c->due_ns = 0; /* no lingering */
    s->due_ns = 0;
    cond_signal(&s->wake);
    while (!(empty = s->pending == 0))
        if (!cond_wait_until(&s->settled, &s->mutex, deadline_ns))
            break;
    mutex_unlock(&s->mutex);
    return empty;
}

unsigned settler_pending(struct settler *s)
{
    mutex_lock(&s->mutex);
    unsigned n = s->pending;
    mutex_unlock(&s->mutex);
    return n;
}
