#include "api/crew.h"

#include <stdlib.h>

#include "base/clock.h"

/* NULL when there will be nothing more. */
static struct http_exchange *next(struct crew *c)
{
    mutex_lock(&c->mutex);
    while (!c->first && !c->stopping)
        (void)cond_wait_until(&c->work, &c->mutex, CLOCK_NEVER); /* the loop looks again */
    struct http_exchange *x = c->first;
    if (x) {
        c->first = x->next;
        c->waiting--;
    }
    mutex_unlock(&c->mutex);
    return x;
}

static void *work(void *arg)
{
    struct crew *c = arg;
    for (struct http_exchange *x; (x = next(c)) != NULL;)
        c->run(c->ctx, x);
    return NULL;
}

int crew_start(struct crew *c, int threads, void (*run)(void *ctx, struct http_exchange *x),
               void *ctx)
{
    *c = (struct crew){.run = run, .ctx = ctx};
    c->threads = calloc((size_t)threads, sizeof *c->threads);
    if (!c->threads)
        return -ENOMEM;
    mutex_init(&c->mutex);
    cond_init(&c->work);
    for (; c->n < threads; c->n++) {
        int rc = thread_start(&c->threads[c->n], "crew", work, c);
        if (rc != 0)
            return rc;
    }
    return 0;
}

void crew_submit(struct crew *c, struct http_exchange *x)
{
    x->next = NULL;
    mutex_lock(&c->mutex);
    if (c->first)
        c->last->next = x;
    else
        c->first = x;
    c->last = x;
    c->waiting++;
    cond_signal(&c->work);
    mutex_unlock(&c->mutex);
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
    cond_broadcast(&c->work);
    mutex_unlock(&c->mutex);
    for (int i = 0; i < c->n; i++)
        thread_join(&c->threads[i]);
    cond_release(&c->work);
    mutex_release(&c->mutex);
    free(c->threads);
    c->threads = NULL;
}
