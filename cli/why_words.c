/* Why a job is where it is: the reason, and the timeline. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/human.h"
#include "cli/time_text.h"
#include "cli/why.h"

static bool is(const char *text, const char *wanted)
{
    return text && strcmp(text, wanted) == 0;
}

static const char *plural(int64_t n)
{
    return n == 1 ? "" : "s";
}

/* ": CLASS: message", as far as there is one. */
static void put_error(struct buf *out, const char *klass, const char *message)
{
    if (klass && *klass)
        buf_printf(out, ": %s", klass);
    if (message && *message)
        buf_printf(out, ": %s", message);
}

/* ---- Where it waits -------------------------------------------------------------------------- */

static void put_turn(const struct why *w, struct buf *out)
{
    char text[HUMAN_TEXT];
    if (w->position == 0)
        buf_printf(out, "it is the next of queue %s", w->queue);
    else
        buf_printf(out, "%s job%s of queue %s run%s before it", human_count(w->position, text),
                   plural(w->position), w->queue, w->position == 1 ? "s" : "");
}

static const char *tell_queue(const struct why *w, struct buf *out)
{
    if (w->facts.cancelled_at > 0) {
        buf_printf(out,
                   "an order to cancel it is kept: it waits in queue %s, and is stopped when "
                   "its turn comes",
                   w->queue);
        return "cancelling";
    }
    if (w->has_envelope && w->e.expires_at > 0 && w->e.expires_at < w->facts.now) {
        buf_printf(out, "it has expired: it waits in queue %s, and is dropped when its turn comes",
                   w->queue);
        return "expiring";
    }
    if (w->facts.paused) {
        buf_printf(out, "queue %s is paused (sluice unpause %s); ", w->queue, w->queue);
        put_turn(w, out);
        return "paused";
    }
    if (w->serving == 0) {
        buf_printf(out, "no live worker serves queue %s; ", w->queue);
        put_turn(w, out);
        return "no-worker";
    }
    if (w->open == 0) {
        buf_printf(out, "all workers of queue %s are quiet (sluice resume); ", w->queue);
        put_turn(w, out);
        return "quiet";
    }
    put_turn(w, out);
    buf_printf(out, "; %d worker%s of it %s at work", w->open, plural(w->open),
               w->open == 1 ? "is" : "are");
    return "waiting";
}

/* In schedule or retry. */
static void put_due(const struct why *w, struct buf *out)
{
    char text[DURATION_TEXT];
    if (w->score > w->facts.now)
        buf_printf(out, "it goes to queue %s in %s", w->queue,
                   duration_text(w->score - w->facts.now, text));
    else
        buf_printf(out, "it is due since %s, and %s", duration_text(w->facts.now - w->score, text),
                   w->workers > 0 ? "about to go to its queue" : "no worker is up to move it");
}

static const char *tell_retry(const struct why *w, struct buf *out)
{
    int64_t failures = w->has_envelope ? w->e.retry_count + 1 : 0;
    put_due(w, out);
    buf_printf(out, ", having failed %" PRId64 " time%s", failures, plural(failures));
    put_error(out, w->story.error_class, w->story.error);
    return w->score > w->facts.now ? "retrying" : "due";
}

static const char *tell_dead(const struct why *w, struct buf *out)
{
    char text[DURATION_TEXT];
    int64_t failures = w->has_envelope ? w->e.retry_count + 1 : 0;
    buf_printf(out, "it is dead since %s", duration_text(w->facts.now - w->score, text));
    if (failures > 0)
        buf_printf(out, ", after %" PRId64 " failure%s", failures, plural(failures));
    put_error(out, w->story.error_class, w->story.error);
    buf_puts(out, " (sluice dead requeue runs it again)");
    return "dead";
}

/* ---- Where it runs --------------------------------------------------------------------------- */

static const char *tell_running(const struct why *w, struct buf *out)
{
    char text[DURATION_TEXT];
    bool started = is(w->record.state, "running") && w->record.started_at > 0;
    if (w->is_sluice && !w->facts.leased) {
        buf_printf(out, "its worker %s is gone: %s", w->worker,
                   w->workers > 0 ? "another gives it back to its queue, within a lease or two"
                                  : "no other is up to give it back to its queue");
        return "recovering";
    }
    if (w->facts.cancelled_at > 0) {
        buf_printf(out, "%s has it, and is told to stop it", w->worker);
        return "cancelling";
    }
    buf_printf(out, "%s %s it", w->worker, started ? "runs" : "has");
    if (started)
        buf_printf(out, " since %s, as attempt %" PRId64,
                   duration_text(w->facts.now - w->record.started_at, text), w->record.attempt);
    return "running";
}

/* ---- Where it is no more --------------------------------------------------------------------- */

static const char *tell_ended(const struct why *w, struct buf *out)
{
    const struct why_record *r = &w->record;
    char text[DURATION_TEXT];
    const char *ago = duration_text(w->facts.now - r->finished_at, text);
    if (is(r->state, "completed")) {
        buf_printf(out, "it is done, since %s", ago);
        return "completed";
    }
    if (is(r->state, "stopped")) {
        const char *code = is(r->error_class, "Expired")   ? "expired"
                           : is(r->error_class, "Deleted") ? "deleted"
                                                           : "cancelled";
        buf_printf(out, "%s, %s ago",
                   is(code, "expired")   ? "it expired before it ran"
                   : is(code, "deleted") ? "it was deleted before it ran"
                                         : "it was stopped by an order to cancel it",
                   ago);
        return code;
    }
    if (is(r->state, "failed")) {
        buf_printf(out, "it failed %s ago, and asked not to be kept", ago);
        put_error(out, r->error_class, r->error);
        return "failed";
    }
    if (is(r->state, "dead")) {
        buf_printf(out, "it died %s ago, and was taken out of dead since", ago);
        put_error(out, r->error_class, r->error);
        return "removed";
    }
    buf_printf(out, "its record says \"%s\", and it is nowhere%s (sluice fsck looks at the books)",
               r->state ? r->state : "", w->truncated ? " that was looked through" : "");
    return "lost";
}

static const char *tell_unknown(const struct why *w, struct buf *out)
{
    if (w->facts.cancelled_at > 0) {
        buf_puts(out,
                 "it is nowhere, and an order to cancel it is kept: should it come within a day "
                 "of that, it is stopped");
        return "unknown";
    }
    buf_puts(out,
             w->truncated
                 ? "it was not found; not everything was looked through, so it may wait further "
                   "back in a long queue"
                 : "nothing is known of it: it never was, or it was not tracked and is done, or "
                   "its record has expired");
    return "unknown";
}

const char *why_tell(const struct why *w, struct buf *text)
{
    const char *code = NULL;
    switch (w->place) {
    case WHY_RUNNING:
        code = tell_running(w, text);
        break;
    case WHY_TRIAL:
        buf_printf(text,
                   "it is on trial: its workers died %d times, so it waits for one that takes "
                   "it alone (queue %s)",
                   STORE_DELIVERIES_ALLOWED, w->queue);
        code = "trial";
        break;
    case WHY_QUEUE:
        code = tell_queue(w, text);
        break;
    case WHY_RETRY:
        code = tell_retry(w, text);
        break;
    case WHY_SCHEDULE:
        put_due(w, text);
        code = w->score > w->facts.now ? "scheduled" : "due";
        break;
    case WHY_DEAD:
        code = tell_dead(w, text);
        break;
    case WHY_NOWHERE:
        code = w->record.json.n > 0 ? tell_ended(w, text) : tell_unknown(w, text);
        break;
    }
    for (size_t i = 0; i < w->facts.recoveries; i++) {
        struct slice who = job_facts_recovered_from(&w->facts, i);
        buf_printf(text, "%s%.*s", i == 0 ? "; it was recovered after the end of " : ", ",
                   (int)who.n, who.p);
    }
    return code;
}

/* ---- The timeline ---------------------------------------------------------------------------- */

struct timeline {
    struct why_event *event;
    int n;
};

static void add(struct timeline *t, double at, const char *fmt, ...) printf_like(3, 4);

static void add(struct timeline *t, double at, const char *fmt, ...)
{
    if (at <= 0 || t->n == WHY_EVENTS)
        return;
    struct why_event *e = &t->event[t->n++];
    e->at = at;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(e->what, sizeof e->what, fmt, ap); /* cut to fit */
    va_end(ap);
}

static int by_time(const void *a, const void *b)
{
    double x = ((const struct why_event *)a)->at, y = ((const struct why_event *)b)->at;
    return x < y ? -1 : x > y;
}

int why_timeline(const struct why *w, struct why_event ret[WHY_EVENTS])
{
    struct timeline t = {.event = ret};
    const struct why_record *r = &w->record;
    if (w->has_envelope) {
        add(&t, w->e.created_at, "made");
        add(&t, w->e.enqueued_at, "put into queue %s", w->queue);
        if (w->e.failed_at != w->story.came_at)
            add(&t, w->e.failed_at, "failed for the first time");
        if (w->place != WHY_SCHEDULE)
            add(&t, w->story.came_at, "failed%s%s", w->story.error_class[0] ? ": " : "",
                w->story.error_class);
        add(&t, w->e.expires_at, "expires");
    }
    if (w->place == WHY_SCHEDULE || w->place == WHY_RETRY)
        add(&t, w->score, "goes to queue %s", w->queue);
    if (w->place == WHY_DEAD)
        add(&t, w->score, "died");
    add(&t, r->started_at, "attempt %" PRId64 " started on %s", r->attempt,
        r->worker ? r->worker : "a worker");
    if (!is(r->state, "retrying")) /* that it failed is told above */
        add(&t, r->finished_at, "ended: %s", r->state ? r->state : "");
    add(&t, w->facts.cancelled_at, "ordered to be cancelled");
    if (t.n > 1)
        qsort(ret, (size_t)t.n, sizeof *ret, by_time);
    return t.n;
}
