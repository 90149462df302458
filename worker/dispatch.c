#include "worker/dispatch.h"

#include <assert.h>

#include "base/clock.h"

void dispatch_init(struct dispatch *d, int limit, void (*notify)(void *), void *ctx)
{
    *d = (struct dispatch){
        .limit = limit, .suspected = true, .mean_ns = -1, .notify = notify, .notify_ctx = ctx};
    mutex_init(&d->mutex);
    cond_init(&d->idle_cond);
    cond_init(&d->pause_ends);
}

void dispatch_release(struct dispatch *d)
{
    assert(!d->head);
    cond_release(&d->pause_ends);
    cond_release(&d->idle_cond);
    mutex_release(&d->mutex);
}

void sleeper_init(struct sleeper *s, int thread)
{
    *s = (struct sleeper){.thread = thread};
    cond_init(&s->cond);
}

void sleeper_release(struct sleeper *s)
{
    cond_release(&s->cond);
}

void dispatch_count(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    d->threads++;
    mutex_unlock(&d->mutex);
}

void dispatch_uncount(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    d->threads--;
    mutex_unlock(&d->mutex);
}

int dispatch_threads(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    int threads = d->threads;
    mutex_unlock(&d->mutex);
    return threads;
}

/* ---- the ready list and the stack of sleepers ---- */

static void append_locked(struct dispatch *d, struct job *job)
{
    job->next = NULL;
    if (d->tail)
        d->tail->next = job;
    else
        d->head = job;
    d->tail = job;
    d->ready++;
}

static struct job *pop_locked(struct dispatch *d)
{
    struct job *job = d->head;
    d->head = job->next;
    if (!d->head)
        d->tail = NULL;
    job->next = NULL;
    d->ready--;
    return job;
}

/* Oldest first: the last of a claim was the tail of its queue. */
static void append_claim_locked(struct dispatch *d, struct claim *claim)
{
    for (unsigned i = claim->n; i-- > 0;)
        append_locked(d, &claim->jobs[i]);
}

static void wake_one_locked(struct dispatch *d)
{
    struct sleeper *s = d->sleepers;
    if (!s)
        return;
    d->sleepers = s->below;
    d->sleeping--;
    d->waking++;
    s->awake = true;
    cond_signal(&s->cond);
}

static void wake_all_locked(struct dispatch *d)
{
    while (d->sleepers)
        wake_one_locked(d);
}

static unsigned free_locked(const struct dispatch *d)
{
    unsigned threads = d->sleeping + d->waking;
    return threads > d->ready ? threads - d->ready : 0;
}

/* From now on the waker looks after the ready list, until it finds it empty. True when it has to be
 * told so. */
static bool watch_locked(struct dispatch *d)
{
    bool notify = !d->watched;
    d->watched = true;
    return notify;
}

static void check_idle_locked(struct dispatch *d)
{
    if (d->running == 0 && d->ready == 0 && d->claimers == 0)
        cond_broadcast(&d->idle_cond);
}

/* ---- turns ---- */

static unsigned ahead_locked(const struct dispatch *d)
{
    if (d->mean_ns < 0)
        return 0;
    double jobs = (double)CLAIM_AHEAD_NS / (d->mean_ns + 1);
    return jobs > CLAIM_MAX_JOBS ? CLAIM_MAX_JOBS : (unsigned)jobs;
}

/* How many jobs a claim by one more awake thread should ask for. */
static unsigned want_locked(const struct dispatch *d)
{
    if (!d->open || !d->suspected || d->claimers >= CLAIMERS_MAX)
        return 0;
    unsigned room = d->sleeping + d->waking + 1 + ahead_locked(d);
    unsigned coming = d->ready + d->wanted;
    if (coming >= room)
        return 0;
    unsigned want = room - coming;
    return want > CLAIM_MAX_JOBS ? CLAIM_MAX_JOBS : want;
}

/* Whether a running thread is done with its job and all that are ready before another one were of
 * much help. */
static bool soon_done_locked(const struct dispatch *d)
{
    return d->mean_ns >= 0 && (d->ready + 1) * d->mean_ns <= (double)WAKE_NS;
}

/* Whether the thread that has just taken a job should wake another. Not while one is on its way,
 * which asks the same when it arrives. For short jobs only so that somebody claims while they run.
 */
static bool worth_waking_locked(const struct dispatch *d)
{
    if (d->waking > 0)
        return false;
    if (soon_done_locked(d))
        return d->claimers == 0 && want_locked(d) > 0;
    return d->ready > 0 || want_locked(d) > 0;
}

/* Whether a thread should claim so many though jobs are ready: another one is about to have run
 * them, and would then wait for Redis, which does nothing meanwhile. Not for a handful: what a
 * claim costs, it costs once. */
static bool claims_first_locked(const struct dispatch *d, unsigned want)
{
    return want >= CLAIM_MAX_JOBS / 2 && d->claimers == 0 && d->running > 0 && soon_done_locked(d);
}

static void note_finished_locked(struct dispatch *d, struct sleeper *self, int64_t took_ns)
{
    if (!self->running)
        return;
    self->running = false;
    d->running--;
    /* An average that follows within some ten jobs, so that a burst of slow ones stops claiming
     * ahead at once, and one slow job among thousands does not for long. */
    d->mean_ns = d->mean_ns < 0 ? (double)took_ns : d->mean_ns + ((double)took_ns - d->mean_ns) / 8;
    check_idle_locked(d);
}

enum turn dispatch_next(struct dispatch *d, struct sleeper *self, int64_t took_ns,
                        struct job **ret_job, unsigned *ret_want)
{
    enum turn turn;
    bool notify = false;
    mutex_lock(&d->mutex);
    note_finished_locked(d, self, took_ns);
    for (;;) {
        if (d->ended || d->threads > d->limit) {
            turn = TURN_END;
            self->left = true;
            d->threads--;
            break;
        }
        unsigned want = want_locked(d);
        if (d->head && !claims_first_locked(d, want)) {
            *ret_job = pop_locked(d);
            self->running = true;
            d->running++;
            turn = TURN_JOB;
            if (worth_waking_locked(d))
                wake_one_locked(d);
            break;
        }
        if (want > 0) {
            d->claimers++;
            d->wanted += want;
            self->want = want;
            *ret_want = want;
            turn = TURN_CLAIM;
            break;
        }
        self->awake = false;
        self->below = d->sleepers;
        d->sleepers = self;
        d->sleeping++;
        if (d->waker_wants_thread) {
            d->waker_wants_thread = false;
            mutex_unlock(&d->mutex);
            d->notify(d->notify_ctx);
            mutex_lock(&d->mutex);
        }
        while (!self->awake)
            cond_wait_until(&self->cond, &d->mutex, CLOCK_NEVER);
        d->waking--;
    }
    if (d->ready > 0 && d->waking == 0) /* they wait for what is believed to be over soon */
        notify = watch_locked(d);
    mutex_unlock(&d->mutex);
    if (notify)
        d->notify(d->notify_ctx);
    return turn;
}

void dispatch_claimed(struct dispatch *d, struct sleeper *self, struct claim *claim, bool dry)
{
    mutex_lock(&d->mutex);
    d->claimers--;
    d->wanted -= self->want;
    self->want = 0;
    bool notify = false;
    if (claim) {
        append_claim_locked(d, claim);
        /* The caller takes one itself, and the chain wakes others. */
        if (!d->open)
            notify = watch_locked(d);
    } else if (dry && d->suspected) {
        d->suspected = false;
        notify = true;
    }
    check_idle_locked(d);
    mutex_unlock(&d->mutex);
    if (notify)
        d->notify(d->notify_ctx);
}

int dispatch_landed(struct dispatch *d, struct claim *claim)
{
    mutex_lock(&d->mutex);
    bool taken = d->open && free_locked(d) > 0;
    if (taken) {
        append_claim_locked(d, claim);
        d->suspected = true;
        wake_one_locked(d);
    }
    mutex_unlock(&d->mutex);
    return taken ? 0 : -EBUSY;
}

void dispatch_adopted(struct dispatch *d, struct claim *claim)
{
    mutex_lock(&d->mutex);
    append_claim_locked(d, claim);
    wake_one_locked(d);
    bool notify = watch_locked(d);
    mutex_unlock(&d->mutex);
    if (notify)
        d->notify(d->notify_ctx);
}

bool dispatch_is_dry(struct dispatch *d, unsigned *ret_free)
{
    mutex_lock(&d->mutex);
    bool dry = d->open && !d->suspected;
    *ret_free = free_locked(d);
    d->waker_wants_thread = dry && *ret_free == 0;
    mutex_unlock(&d->mutex);
    return dry;
}

void dispatch_suspect(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    d->suspected = true;
    if (want_locked(d) > 0)
        wake_one_locked(d);
    mutex_unlock(&d->mutex);
}

/* Takes the whole list, or what is not on trial. */
static struct job *take_ready_locked(struct dispatch *d, bool all)
{
    struct job *taken = NULL, **end = &taken;
    for (unsigned i = d->ready; i > 0; i--) {
        struct job *job = pop_locked(d);
        if (job->claim->on_trial && !all) {
            append_locked(d, job);
        } else {
            *end = job;
            end = &job->next;
        }
    }
    check_idle_locked(d);
    return taken;
}

struct job *dispatch_surplus(struct dispatch *d, bool all, int64_t *ret_recheck_ns)
{
    int64_t now = clock_now_ns();
    struct job *taken = NULL;
    mutex_lock(&d->mutex);
    int64_t age = d->head ? now - d->head->claim->claimed_ns : 0;
    if (age > JOB_LATE_NS) /* the jobs before it turned out to be slow */
        for (unsigned i = d->ready; i > 0; i--)
            wake_one_locked(d);
    if (all || (age > JOB_SURPLUS_NS && d->sleeping + d->waking == 0))
        taken = take_ready_locked(d, all);
    /* Short jobs pass through the list between two looks; only then is it worth looking again. */
    *ret_recheck_ns = d->head || d->watched ? now + JOB_LATE_NS : CLOCK_NEVER;
    d->watched = d->head != NULL;
    mutex_unlock(&d->mutex);
    return taken;
}

void dispatch_open(struct dispatch *d, bool open)
{
    mutex_lock(&d->mutex);
    d->open = open;
    cond_broadcast(&d->pause_ends);
    if (open) {
        d->suspected = true;
        wake_one_locked(d);
    }
    mutex_unlock(&d->mutex);
    d->notify(d->notify_ctx);
}

bool dispatch_is_open(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    bool open = d->open;
    mutex_unlock(&d->mutex);
    return open;
}

void dispatch_set_limit(struct dispatch *d, int limit)
{
    mutex_lock(&d->mutex);
    d->limit = limit;
    wake_all_locked(d);
    mutex_unlock(&d->mutex);
}

bool dispatch_has_left(struct dispatch *d, const struct sleeper *s)
{
    mutex_lock(&d->mutex);
    bool left = s->left;
    mutex_unlock(&d->mutex);
    return left;
}

void dispatch_end(struct dispatch *d)
{
    mutex_lock(&d->mutex);
    d->open = false;
    d->ended = true;
    cond_broadcast(&d->pause_ends);
    wake_all_locked(d);
    mutex_unlock(&d->mutex);
}

bool dispatch_wait_idle(struct dispatch *d, int64_t deadline_ns)
{
    mutex_lock(&d->mutex);
    bool idle;
    while (!(idle = d->running == 0 && d->ready == 0 && d->claimers == 0))
        if (!cond_wait_until(&d->idle_cond, &d->mutex, deadline_ns))
            break;
    mutex_unlock(&d->mutex);
    return idle;
}

void dispatch_pause(struct dispatch *d, int64_t ms)
{
    int64_t deadline = clock_deadline_ms(ms);
    mutex_lock(&d->mutex);
    /* Not on the stack: a pause must not swallow the wake-up of a job that landed. */
    while (d->open && !d->ended && cond_wait_until(&d->pause_ends, &d->mutex, deadline))
        ;
    mutex_unlock(&d->mutex);
}

void dispatch_stats(struct dispatch *d, struct dispatch_stats *ret)
{
    mutex_lock(&d->mutex);
    *ret = (struct dispatch_stats){
        .ready = d->ready,
        .running = d->running,
        .sleeping = d->sleeping,
        .claimers = d->claimers,
        .limit = d->limit,
        .open = d->open,
        .dry = !d->suspected,
        .mean_ns = d->mean_ns,
    };
    mutex_unlock(&d->mutex);
}
