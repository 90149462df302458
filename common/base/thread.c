#include "base/thread.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/clock.h"

static void must(int rc, const char *what)
{
    if (rc != 0) {
        (void)fprintf(stderr, "fatal: %s: %s\n", what, strerror(rc));
        abort();
    }
}

void mutex_init(struct mutex *m)
{
    must(pthread_mutex_init(&m->m, NULL), "pthread_mutex_init");
}

void mutex_release(struct mutex *m)
{
    must(pthread_mutex_destroy(&m->m), "pthread_mutex_destroy");
}

void mutex_lock(struct mutex *m)
{
    must(pthread_mutex_lock(&m->m), "pthread_mutex_lock");
}

void mutex_unlock(struct mutex *m)
{
    must(pthread_mutex_unlock(&m->m), "pthread_mutex_unlock");
}

void cond_init(struct cond *c)
{
    pthread_condattr_t attr;
    must(pthread_condattr_init(&attr), "pthread_condattr_init");
    must(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), "pthread_condattr_setclock");
    must(pthread_cond_init(&c->c, &attr), "pthread_cond_init");
    must(pthread_condattr_destroy(&attr), "pthread_condattr_destroy");
}

void cond_release(struct cond *c)
{
    must(pthread_cond_destroy(&c->c), "pthread_cond_destroy");
}

void cond_signal(struct cond *c)
{
    must(pthread_cond_signal(&c->c), "pthread_cond_signal");
}

void cond_broadcast(struct cond *c)
{
    must(pthread_cond_broadcast(&c->c), "pthread_cond_broadcast");
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns)
{
    if (deadline_ns == CLOCK_NEVER) {
        must(pthread_cond_wait(&c->c, &m->m), "pthread_cond_wait");
        return true;
    }
    struct timespec ts = clock_timespec(deadline_ns);
    int rc = pthread_cond_timedwait(&c->c, &m->m, &ts);
    if (rc == ETIMEDOUT)
        return false;
    must(rc, "pthread_cond_timedwait");
    return true;
}

struct start {
    void *(*main)(void *);
    void *arg;
    char name[16];
};

static void *begin(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    (void)pthread_setname_np(pthread_self(), s.name); /* a name is a help, not a need */
    return s.main(s.arg);
}

int thread_start(struct thread *t, const char *name, void *(*main)(void *), void *arg)
{
    t->started = false;
    struct start *s = malloc(sizeof *s);
    if (!s)
        return -ENOMEM;
    s->main = main;
    s->arg = arg;
    (void)snprintf(s->name, sizeof s->name, "%s", name);

    sigset_t all, old;
    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_BLOCK, &all, &old), "pthread_sigmask");
    int rc = pthread_create(&t->id, NULL, begin, s);
    must(pthread_sigmask(SIG_SETMASK, &old, NULL), "pthread_sigmask");
    if (rc != 0) {
        free(s);
        return -rc;
    }
    t->started = true;
    return 0;
}

void thread_join(struct thread *t)
{
    if (!t->started)
        return;
    must(pthread_join(t->id, NULL), "pthread_join");
    t->started = false;
}

#ifndef PR_FUTEX_HASH
#define PR_FUTEX_HASH           78
#define PR_FUTEX_HASH_SET_SLOTS 1
#endif

void thread_expect(int threads)
{
    enum { ROWS_EACH = 4, ROWS_MIN = 16, ROWS_MAX = 1 << 16 };
    unsigned long rows = ROWS_MIN; /* a power of two */
    while (rows < ROWS_MAX && rows < (unsigned long)threads * ROWS_EACH)
        rows *= 2;
    /* Fails on an older one, which has no such table. */
    (void)prctl(PR_FUTEX_HASH, PR_FUTEX_HASH_SET_SLOTS, rows, 0, 0);
}
