#include "worker/ticker.h"

#include "base/clock.h"

static void *ticker_main(void *arg)
{
    struct ticker *t = arg;
    mutex_lock(&t->mutex);
    while (!t->stopping) {
        t->woken = false;
        mutex_unlock(&t->mutex);
        int64_t deadline = clock_deadline_ms(t->tick(t->ctx));
        mutex_lock(&t->mutex);
        while (!t->woken && !t->stopping)
            if (!cond_wait_until(&t->wake, &t->mutex, deadline))
                break;
    }
    mutex_unlock(&t->mutex);
    return NULL;
}

int ticker_start(struct ticker *t, const char *name, int64_t (*tick)(void *), void *ctx)
{
    *t = (struct ticker){.tick = tick, .ctx = ctx};
    mutex_init(&t->mutex);
    cond_init(&t->wake);
    return thread_start(&t->thread, name, ticker_main, t);
}

void ticker_wake(struct ticker *t)
{
    mutex_lock(&t->mutex);
    t->woken = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->mutex);
}

void ticker_stop(struct ticker *t)
{
    mutex_lock(&t->mutex);
    t->stopping = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->mutex);
    thread_join(&t->thread);
    cond_release(&t->wake);
    mutex_release(&t->mutex);
}
