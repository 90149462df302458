/*
 * Threads, mutexes and condition variables with the choices of this project made once:
 * conditions wait on the monotonic clock, threads have names and block every signal (the main
 * thread alone takes signals, by sigwait), and a failure of a mutex call is a bug of ours and
 * aborts. C11 <threads.h> is not used: ThreadSanitizer does not know it.
 *
 * A thread is always joined; there is no cancellation and no detaching.
 */
#ifndef SLUICE_BASE_THREAD_H
#define SLUICE_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct mutex {
    pthread_mutex_t m;
};

struct cond {
    pthread_cond_t c;
};

struct thread {
    pthread_t id;
    bool started; /* so that joining a thread that never started is harmless */
};

void mutex_init(struct mutex *m);
void mutex_release(struct mutex *m);
void mutex_lock(struct mutex *m);
void mutex_unlock(struct mutex *m);

void cond_init(struct cond *c);
void cond_release(struct cond *c);
void cond_signal(struct cond *c);
void cond_broadcast(struct cond *c);

/* Waits until signalled or until the monotonic deadline. False when the deadline has passed.
 * Spurious returns happen: loop on the condition. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_ns);

/* Starts main(arg) with all signals blocked and a name of at most 15 bytes for ps and gdb.
 * -EAGAIN when the system has no room for another thread; nothing has started then. */
int thread_start(struct thread *t, const char *name, void *(*main)(void *),
                 void *arg) warn_unused_result;

void thread_join(struct thread *t);

/* Before there are many threads. Since 6.17 Linux keeps a process' futexes in a table of its own,
 * of four rows for each processor: where hundreds of threads sleep, each lock and each waking up
 * would look through many of them. With this it has four rows for each thread
 * (PR_FUTEX_HASH(2const)). */
void thread_expect(int threads);

#endif
