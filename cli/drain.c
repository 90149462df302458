#include "cli/drain.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/time_text.h"

enum { ASK_MS = 250, ANSWER_MS = 1000 };

double drain_guess_s(int64_t first, int64_t left, double after_s)
{
    if (left <= 0)
        return 0;
    if (left >= first || after_s <= 0)
        return -1;
    return (double)left * after_s / (double)(first - left);
}

/* What is left of those that are waited for. */
struct left {
    int workers;
    int64_t jobs;
    double at_most_s; /* < 0: no bound is known */
    const char *resumed;
};

static const struct told_worker *find(const struct told *t, const char *identity)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->worker[i].identity, identity) == 0)
            return &t->worker[i];
    return NULL;
}

/* One that is gone is not among those that were asked; one that does not answer is there still. */
static struct left look(const struct drain *d, const struct told *now)
{
    struct left left = {.at_most_s = d->stops ? 0 : -1};
    for (size_t i = 0; i < d->who->n; i++) {
        const struct told_worker *was = &d->who->worker[i], *is = find(now, was->identity);
        bool ends = d->stops || (is && is->answer && is->busy + is->ready == 0);
        if (was->error || !is || (ends && !d->stops && is->quiet))
            continue;
        left.workers++;
        left.jobs += is->busy + is->ready;
        if (is->answer && !is->quiet && !is->stopping)
            left.resumed = was->identity;
        if (left.at_most_s >= 0 && (!is->answer || is->stops_within_s > left.at_most_s))
            left.at_most_s = is->stops_within_s;
    }
    return left;
}

static void draw(struct progress *p, const struct left *left, int64_t first, double after_s)
{
    char jobs[HUMAN_TEXT], text[DURATION_TEXT], eta[DURATION_TEXT + 16] = "";
    double guess = drain_guess_s(first, left->jobs, after_s);
    bool bound = left->at_most_s >= 0 && (guess < 0 || guess > left->at_most_s);
    if (bound)
        (void)snprintf(eta, sizeof eta, ", at most %s", duration_text(left->at_most_s, text));
    else if (guess > 0)
        (void)snprintf(eta, sizeof eta, ", about %s left", duration_text(guess, text));
    progress_draw(p, "draining: %s job%s on %d worker%s%s", human_count(left->jobs, jobs),
                  left->jobs == 1 ? "" : "s", left->workers, left->workers == 1 ? "" : "s", eta);
}

/* Through a connection of its own, which may be NULL, and is after a failure. */
static int ask(const struct drain *d, struct redis_conn **c, struct told *ret, struct err *err)
{
    int rc = *c ? 0 : session_dial(d->session, c, err);
    if (rc == 0)
        rc = orders_give(d->session, *c, NULL, (struct order){.cmd = ORDER_PING}, ANSWER_MS, ret,
                         err);
    if (rc != 0) {
        redis_conn_free(*c);
        *c = NULL;
    }
    return rc;
}

static void rest(int64_t ms)
{
    struct timespec pause = clock_timespec(ms * NS_PER_MS);
    (void)nanosleep(&pause, NULL); /* a signal ends the command anyway */
}

int drain_wait(const struct drain *d, struct err *err)
{
    struct progress progress = progress_of_stderr();
    struct backoff backoff = {.base_ms = 50, .cap_ms = 2000};
    struct redis_conn *c = NULL;
    int64_t began = clock_now_ns(), first = -1;
    int64_t until = clock_deadline_ms(d->timeout_ms > 0 ? d->timeout_ms : -1);
    int rc = 0;
    for (;;) {
        struct told now = {0};
        rc = ask(d, &c, &now, err);
        if (rc == 0) {
            struct left left = look(d, &now);
            backoff_reset(&backoff);
            first = left.jobs > first ? left.jobs : first;
            draw(&progress, &left, first, (double)(clock_now_ns() - began) / (double)NS_PER_S);
            if (left.resumed && !d->stops)
                rc = err_set(err, -EALREADY, "%s was resumed meanwhile", left.resumed);
            bool done = left.workers == 0;
            told_release(&now);
            if (rc != 0 || done)
                break;
        } else if (!redis_is_away(rc)) {
            break;
        }
        if (clock_now_ns() >= until) {
            rc = err_set(err, -ETIME, "they have not drained within the time that was given");
            break;
        }
        rest(rc == 0 ? ASK_MS : backoff_next_ms(&backoff));
    }
    progress_erase(&progress);
    redis_conn_free(c);
    return rc;
}
