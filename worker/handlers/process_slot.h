/*
 * Inside of a pool of processes: what process_pool.c (jobs) and process_keeper.c (everything else)
 * share. See process_pool.h for the states.
 */
#ifndef SLUICE_WORKER_HANDLERS_PROCESS_SLOT_H
#define SLUICE_WORKER_HANDLERS_PROCESS_SLOT_H

#include "base/backoff.h"
#include "base/thread.h"
#include "handlers/errlog.h"
#include "handlers/limiter.h"
#include "handlers/process_pool.h"

struct process {
    struct child child; /* none while EMPTY */
    enum process_state state;
    bool proven;      /* has answered a job, or has ended before it could */
    int jobs;         /* answered */
    int64_t due_ns;   /* EMPTY: when to start; RETIRING: when to kill */
    struct buf words; /* the end of what it said on stderr since its start, between jobs */
    struct backoff backoff;
    bool look;             /* something has happened to it: its end, or words on stderr */
    int heard_after;       /* jobs, when the keeper listened last */
    struct process *below; /* in the stack of idle ones */
    struct errlog log;     /* the keeper's alone */
};

struct process_pool {
    const struct conf_handler *conf;
    char *const *env;
    struct process_times times;
    struct limiter places; /* idle processes; a place taken is a right to pop one */
    struct thread keeper;
    int epoll_fd;
    int wake_fd;

    struct mutex mutex;
    /* guards: below, and of each slot all but its child and its log */
    bool closing;
    int64_t answered_ns; /* the last answer, of any of them */
    struct buf cause;    /* why the last start failed; empty: it is not the handler's fault */
    int busy;
    struct process *idle; /* the one used last on top */
    int n;
    struct process slots[];
};

/* Every change of state passes here. */
void process_set_locked(struct process_pool *pool, struct process *p, enum process_state state);

/* Nobody's but the keeper's: idle (unless it is promised) or retiring. */
bool process_is_between_jobs(const struct process *p);

void process_remove_locked(struct process_pool *pool, struct process *p); /* of the idle ones */
void process_retire_locked(struct process_pool *pool, struct process *p);

/* The process is gone: its slot is due again at once, or, when it never was of use, after a
 * back-off. Returns that in ms, else -1. The cause is what jobs may fail with that wait for one. */
int64_t process_empty_locked(struct process_pool *pool, struct process *p, struct slice cause);
void process_log_end(const struct process_pool *pool, struct slice how, int64_t retry_ms);

/* The keeper: a thread from its start until the pool is closing and empty. */
int process_keeper_start(struct process_pool *pool) warn_unused_result;
void process_keeper_wake(const struct process_pool *pool);
void process_keeper_join(struct process_pool *pool); /* harmless when it was never started */

#endif
