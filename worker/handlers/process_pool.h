/*
 * The warm processes of one handler: started before jobs come, lent to one job at a time, replaced
 * when they end.
 *
 * Each of the handler's `processes` is a slot in one of these states:
 *
 *      ┌──────────── due, keeper ───────────┐
 *      │                                    ▼
 *    EMPTY ◀── exited, keeper ────────── IDLE ──── take ────▶ BUSY
 *      ▲                                    ▲                   │
 *      │                                    └─── give ──────────┤
 *      ├────── exited, keeper ── RETIRING ◀── give, worn out ───┤
 *      └────────────────── lose: ended by its run ──────────────┘
 *
 * One thread, the keeper, does what no job should wait for: it starts processes, notices those that
 * die idle, logs what they say on stderr between jobs, and sees retired ones to their end (their
 * stdin is closed; SIGKILL after a grace). A job takes the process that was used last, which is the
 * warmest, and leaves the others to swap. Rejected: starting processes on demand, on the thread of
 * the job that then waits for it; and a thread per process, which would only ever wait.
 *
 * What ends without ever having answered a job counts as a failure to start, unless its first job
 * was stopped: its slot backs off from 50 ms to 5 s and the cause is logged. A job that finds no
 * process waits in line; when nothing has answered for 30 s and starts keep failing, it fails with
 * the last cause. Unless that is the machine, which has no descriptor, process or memory left: then
 * it waits until there is.
 *
 * Processes end with the worker also when that is killed: nobody else holds the other end of their
 * stdin, so they read its end.
 *
 * Threads: take, give and lose from many threads; new, start and free from one. A process belongs
 * to whoever took it; its pipes and its child belong to the keeper otherwise.
 */
#ifndef SLUICE_WORKER_HANDLERS_PROCESS_POOL_H
#define SLUICE_WORKER_HANDLERS_PROCESS_POOL_H

#include "handlers/child.h"
#include "handlers/handler.h"

enum process_state {
    PROCESS_EMPTY, /* to be started, or waiting until it may be tried again */
    PROCESS_IDLE,
    PROCESS_BUSY,
    PROCESS_RETIRING,
    PROCESS_STATES
};

/* What the end of a process with a job says about it. */
enum process_loss {
    LOSS_FAILED,   /* no answer, by its own doing */
    LOSS_STOPPED,  /* nothing: its run was to stop */
    LOSS_ANSWERED, /* it was of use, and ended only after that */
};

struct process; /* one slot */
struct process_pool;

/* Shown so that tests can shorten what a user cannot set. */
struct process_times {
    int64_t patience_ms; /* of a job for which no process can be started */
    int64_t retire_ms;   /* from the end of stdin to SIGKILL */
};

/* The settings and the environment are borrowed. Starts nothing. */
int process_pool_new(const struct conf_handler *conf, char *const *env, struct process_pool **ret,
                     struct err *err) warn_unused_result;
struct process_times *process_pool_times(struct process_pool *pool);
/* Starts the keeper, and by it the processes. */
int process_pool_start(struct process_pool *pool) warn_unused_result;
/* Retires all processes and waits for their end. None is taken. */
void process_pool_free(struct process_pool *pool);

/* Lends a process, waiting for one if need be. NULL, with the outcome filled: the run should stop,
 * or none can be had. since_ns: when the job began to wait. */
struct process *process_pool_take(struct process_pool *pool, int64_t since_ns,
                                  const struct run_job *job, struct run *run,
                                  const struct run_ops *ops, struct outcome *out);
struct child *process_child(struct process *p);

/* Gives it back after an answer, to be used again or retired. */
void process_pool_give(struct process_pool *pool, struct process *p);
/* It has been ended (child_end). how: in words. */
void process_pool_lose(struct process_pool *pool, struct process *p, enum process_loss loss,
                       struct slice how);

/* Slots of all pools in a state. */
int process_count(enum process_state state);

#endif
