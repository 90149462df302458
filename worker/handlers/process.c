/*
 * Process handlers: warm processes that run one job after the other, in any language.
 *
 *   stdin   one line of JSON per job: the job, with its `attempt`; the end of stdin: exit
 *   stdout  lines of JSON: events, then the answer (answer.h)
 *   stderr  one line of the worker's log per line
 *
 * The pool (process_pool.h) has the processes; here is what one job does with one of them.
 */
#include "handlers/process.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "handlers/answer.h"
#include "handlers/errlog.h"
#include "handlers/job_text.h"
#include "handlers/program.h"

enum { MEMORY_MS = 50 }; /* between two looks whether there is memory */

static int process_open(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    int rc = program_check(conf, "process", err);
    if (rc < 0)
        return rc;
    struct process_handler *h = calloc(1, sizeof *h);
    if (!h || environment_init(&h->environment, conf) < 0) {
        free(h);
        return err_set(err, -ENOMEM, "process: no memory for the environment");
    }
    rc = process_pool_new(conf, h->environment.vars, &h->pool, err);
    if (rc < 0) {
        environment_release(&h->environment);
        free(h);
        return rc;
    }
    h->base = (struct handler){.kind = &process_kind, .conf = conf};
    watch_limits_init(&h->limits, conf);
    *ret = &h->base;
    return 0;
}

static int process_warm(struct handler *handler, struct err *err)
{
    struct process_handler *h = (struct process_handler *)handler;
    int rc = process_pool_start(h->pool);
    return rc < 0 ? err_set(err, rc, "process: cannot start processes: %s", strerror(-rc)) : 0;
}

static void process_close(struct handler *handler)
{
    struct process_handler *h = (struct process_handler *)handler;
    process_pool_free(h->pool);
    environment_release(&h->environment);
    free(h);
}

static enum watch_said hear(void *ctx, struct slice line, struct slice *ret_event)
{
    return answer_read(line, ctx, ret_event);
}

/* How a process that has not answered came to its end, as far as stdout tells. */
static const char *fault_of(const struct watch_end *end, const struct outcome *out)
{
    switch (end->outcome) {
    case WATCH_RUBBISH:
        return buf_str(&out->message); /* of answer_read() */
    case WATCH_TOO_EARLY:
        return "it answered before it had read its job";
    case WATCH_TOO_LONG:
        return "a line on stdout is longer than 1 MiB";
    case WATCH_HUNG_UP:
        return "it closed its stdout without an answer";
    case WATCH_EXITED:
    case WATCH_ANSWERED:
        break;
    }
    return "";
}

/* The same in full, for the log. */
static void put_cause(struct buf *ret, const struct watch_end *end, const struct outcome *out)
{
    if (end->outcome == WATCH_EXITED)
        program_put_exit(ret, &end->exit);
    else
        buf_puts(ret, fault_of(end, out));
    errlog_put_tail(ret, &end->tail);
}

/* The outcome of a job that its process has begun and not answered. */
static void fail(const struct process_handler *h, const struct run_job *job,
                 const struct watch_end *end, struct outcome *out)
{
    struct buf how = {0};
    if (end->outcome == WATCH_EXITED)
        program_put_exit(&how, &end->exit);
    else
        buf_puts(&how, fault_of(end, out));
    if (end->stop != RUN_GOES_ON)
        outcome_stop(out, end->stop, job);
    else if (end->silent)
        outcome_silent(out, h->base.conf->silence_timeout_s);
    else if (end->outcome != WATCH_EXITED)
        outcome_fail(out, OUTCOME_FAILED, "ProtocolError", "%s", buf_str(&how));
    else
        outcome_fail(out, OUTCOME_FAILED, program_was_killed(&end->exit) ? "Signal" : "ExitStatus",
                     "the process ended without an answer: %s", buf_str(&how));
    errlog_put_tail(&out->message, &end->tail);
    buf_release(&how);
}

/* One job, one process. False when the process has ended before it took notice of the job, which is
 * then as good as new. */
static bool converse(struct process_handler *h, struct process *p, struct slice line,
                     const struct run_job *job, struct run *run, const struct run_ops *ops,
                     struct outcome *out)
{
    struct watch_end end;
    const struct watch_talk talk = {.input = line, .hear = hear, .ctx = out};
    watch_child(process_child(p), &talk, job, run, ops, &h->limits, &end);
    bool stopped = end.stop != RUN_GOES_ON || end.silent;
    bool answered = end.outcome == WATCH_ANSWERED && !stopped;
    bool begun = stopped || answered || !end.untouched;
    if (end.lives) {
        process_pool_give(h->pool, p);
    } else {
        struct buf cause = {0};
        put_cause(&cause, &end, out);
        process_pool_lose(h->pool, p,
                          stopped    ? LOSS_STOPPED
                          : answered ? LOSS_ANSWERED
                                     : LOSS_FAILED,
                          buf_slice(&cause));
        buf_release(&cause);
    }
    if (!begun) {
        outcome_release(out);
        *out = (struct outcome){0};
    } else if (!answered) {
        fail(h, job, &end, out);
    }
    buf_release(&end.tail);
    return begun;
}

/* Its line. That there is no memory right now is no fault of the job: it waits, and as in the wait
 * for a process its time has not begun. False, with the outcome, when the run should stop. */
static bool put_line(const struct run_job *job, struct run *run, const struct run_ops *ops,
                     struct buf *ret, struct outcome *out)
{
    const struct timespec pause = clock_timespec(MEMORY_MS * NS_PER_MS);
    while (job_text_put(ret, job) < 0) {
        enum run_stop stop = ops->stop(run);
        buf_release(ret);
        if (stop != RUN_GOES_ON && stop != RUN_TIMEOUT) {
            outcome_stop(out, stop, job);
            return false;
        }
        (void)nanosleep(&pause, NULL); /* the loop looks again */
    }
    return true;
}

static void process_run(struct handler *handler, const struct run_job *job, struct run *run,
                        const struct run_ops *ops, struct outcome *out)
{
    struct process_handler *h = (struct process_handler *)handler;
    struct buf line = {0};
    int64_t since_ns = clock_now_ns();
    bool over = !put_line(job, run, ops, &line, out);
    while (!over) {
        struct process *p = process_pool_take(h->pool, since_ns, job, run, ops, out);
        over = !p || converse(h, p, buf_slice(&line), job, run, ops, out);
    }
    buf_release(&line);
}

const struct handler_kind process_kind = {
    .name = "process",
    .open = process_open,
    .warm = process_warm,
    .run = process_run,
    .close = process_close,
};
