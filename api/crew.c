#include "api/crew.h"

#include <stdlib.h>

#include "base/clock.h"

/* Of bodies: a small request does not wait for many large ones. */
enum { GROUP_BYTES = 256 * 1024 };

/* True when another thread is to be woken, which the caller does without the mutex: the woken one
 * would wait for it. */
static bool calls_locked(struct crew *c)
{
    bool calls = c->first && c->asleep > 0 && !c->coming;
    c->coming = c->coming || calls;
    return calls;
}

/* The first in the line, and who may go with it. */
static struct http_exchange *take_locked(struct crew *c)
{
    struct http_exchange *first = c->first, *last = first;
    size_t bytes = first->req.body.n;
    int n = 1;
    for (; n < CREW_GROUP && last->next && c->work.joins(first, last->next); n++) {
        bytes += last->next->req.body.n;
        if (bytes > GROUP_BYTES)
            break;
        last = last->next;
    }
    c->first = last->next;
    last->next = NULL;
    c->waiting -= n;
    return first;
}

/* NULL when there will be nothing more. */
static struct http_exchange *next(struct crew *c)
{
    struct http_exchange *first = NULL;
    mutex_lock(&c->mutex);
    while (!c->first && !c->stopping) {
        c->asleep++;
        (void)cond_wait_until(&c->wake, &c->mutex, CLOCK_NEVER); /* the loop looks again */
        c->asleep--;
        c->coming = false;
    }
    if (c->first)
        first = take_locked(c);
    bool calls = calls_locked(c);
    mutex_unlock(&c->mutex);
    if (calls)
        cond_signal(&c->wake);
    return first;
}

static void *work(void *arg)
{
    struct crew *c = arg;
    for (struct http_exchange *x; (x = next(c)) != NULL;)
        c->work.run(c->work.ctx, x);
    return NULL;
}

int crew_start(struct crew *c, int threads, const struct crew_work *w)
{
    *c = (struct crew){.work = *w};
    c->threads = calloc((size_t)threads, sizeof *c->threads);
    if (!c->threads)
        return -ENOMEM;
    mutex_init(&c->mutex);
    cond_init(&c->wake);
    for (; c->n < threads; c->n++) {
        int rc = thread_start(&c->threads[c->n], "crew", work, c);
        if (rc != 0)
            return rc;
    }
    return 0;
}

bool crew_submit(struct crew *c, struct http_exchange *x)
{
    x->next = NULL;
    mutex_lock(&c->mutex);
    bool taken = !c->stopping;
    if (taken) {
        if (c->first)
            c->last->next = x;
        else
            c->first = x;
        c->last = x;
        c->waiting++;
    }
    bool calls = calls_locked(c);
    mutex_unlock(&c->mutex);
    if (calls)
        cond_signal(&c->wake);
    return taken;
}

int crew_waiting(struct crew *c)
{
    mutex_lock(&c->mutex);
    int n = c->waiting;
    mutex_unlock(&c->mutex);
    return n;
}

void crew_stop(struct crew *c)
{
    if (!c->threads)
        return;
    mutex_lock(&c->mutex);
    c->stopping = true;
    mutex_unlock(&c->mutex);
    cond_broadcast(&c->wake);
    for (int i = 0; i < c->n; i++)
        thread_join(&c->threads[i]);
}

void crew_release(struct crew *c)
{
    if (!c->threads)
        return;
    cond_release(&c->wake);
    mutex_release(&c->mutex);
    free(c->threads);
    c->threads = NULL;
}
