#include "worker/executors.h"

#include <stdlib.h>

struct executor {
    struct executors *owner;
    struct sleeper sleeper;
    struct thread thread;
};

int executors_init(struct executors *x)
{
    x->place = calloc(EXECUTORS_MAX, sizeof *x->place);
    return x->place ? 0 : -ENOMEM;
}

void executors_release(struct executors *x)
{
    free(x->place);
}

static void *executor_main(void *arg)
{
    struct executor *e = arg;
    struct executors *x = e->owner;
    struct job *job = NULL;
    unsigned want = 0;
    int64_t took_ns = 0;
    for (;;) {
        switch (dispatch_next(x->dispatch, &e->sleeper, took_ns, &job, &want)) {
        case TURN_JOB:
            took_ns = runner_run(x->runner, e->sleeper.thread, job);
            break;
        case TURN_CLAIM:
            fetcher_claim(x->fetcher, &e->sleeper, want);
            break;
        case TURN_END:
            return NULL;
        }
    }
}

/* A place is used again after its thread has left, which a lower limit once told it to. */
static int start_executor(struct executors *x, int i)
{
    struct executor *e = &x->place[i];
    if (i < x->n) {
        if (!dispatch_has_left(x->dispatch, &e->sleeper))
            return 0;
        thread_join(&e->thread);
        sleeper_release(&e->sleeper);
    }
    e->owner = x;
    sleeper_init(&e->sleeper, i);
    dispatch_count(x->dispatch);
    int rc = thread_start(&e->thread, "executor", executor_main, e);
    if (rc != 0)
        dispatch_uncount(x->dispatch);
    if (rc == 0 && i == x->n)
        x->n = i + 1;
    else if (rc != 0 && i == x->n)
        sleeper_release(&e->sleeper);
    else if (rc != 0)
        e->sleeper.left = true; /* no thread: the next reload tries again */
    return rc;
}

int executors_grow(struct executors *x, int n, int *ret_started)
{
    int rc = 0;
    for (int i = 0; rc == 0 && i < EXECUTORS_MAX && dispatch_threads(x->dispatch) < n; i++)
        rc = start_executor(x, i);
    *ret_started = dispatch_threads(x->dispatch);
    return rc;
}

void executors_stop(struct executors *x)
{
    dispatch_end(x->dispatch);
    for (int i = 0; i < x->n; i++) {
        thread_join(&x->place[i].thread);
        sleeper_release(&x->place[i].sleeper);
    }
    x->n = 0;
}
