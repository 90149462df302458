/*
 * Exec handlers: one process per job, any program in any language.
 *
 *   stdin   the job as one line of JSON
 *   stdout  one event per line
 *   stderr  one line of the worker's log per line; its tail is the error message
 *   exit    0 done, 100 dead, anything else (or a signal) failed
 */
#include "handlers/exec.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "handlers/cgroup.h"
#include "handlers/errlog.h"
#include "handlers/program.h"

enum { EXIT_DEAD = 100 };
#define STEP_NS (50 * NS_PER_MS) /* between two looks whether a pause should end */

static int exec_open(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    int rc = program_check(conf, "exec", err);
    if (rc == 0 && (conf->max_cpu_s > 0 || conf->max_memory_mb > 0))
        rc = bounds_open(err);
    if (rc < 0)
        return rc;
    struct exec_handler *h = calloc(1, sizeof *h);
    if (!h || environment_init(&h->environment, conf) < 0) {
        free(h);
        return err_set(err, -ENOMEM, "exec: no memory for the environment");
    }
    h->base = (struct handler){.kind = &exec_kind, .conf = conf};
    watch_limits_init(&h->limits, conf);
    *ret = &h->base;
    return 0;
}

static void exec_close(struct handler *handler)
{
    struct exec_handler *h = (struct exec_handler *)handler;
    environment_release(&h->environment);
    free(h);
}

static int exec_warm(struct handler *handler, struct err *err)
{
    struct err why;
    (void)err; /* one bound is left */
    if (handler->conf->max_memory_mb > 0 && cgroups_open(&why) < 0)
        log_info("max_memory bounds each process of a run by itself",
                 log_str("class", handler->conf->klass), log_str("because", why.text));
    return 0;
}

/* What a run occupies. */
struct place {
    struct child child;
    struct cgroup group;
};

static int spawn(const struct exec_handler *h, const struct run_job *job, struct place *ret)
{
    const struct conf_handler *conf = h->base.conf;
    struct bounds bounds = {.cpu_s = conf->max_cpu_s, .memory_mb = conf->max_memory_mb};
    char **env, entry[CGROUP_ENTRY_MAX];
    int rc = environment_for_job(&h->environment, job, &env);
    if (rc < 0)
        return rc;
    ret->group.fd = -1;
    if (conf->max_memory_mb > 0 && cgroup_begin(&ret->group, conf->max_memory_mb))
        bounds.group = cgroup_entry(&ret->group, entry);
    rc = child_spawn(conf->argv, env, conf->workdir, &bounds, &ret->child);
    free(env);
    if (rc < 0)
        cgroup_end(&ret->group, &(struct cgroup_usage){0}); /* nobody was in it */
    return rc;
}

/* Waits ms or until the run should stop, whichever is earlier. In steps, because stop_fd() would
 * take a descriptor: a hundred who wait for some must not hold one each. */
static enum run_stop pause_run(const struct run_job *job, struct run *run,
                               const struct run_ops *ops, int64_t ms)
{
    int64_t until = clock_deadline_ms(ms);
    for (;;) {
        enum run_stop stop = ops->stop(run);
        int64_t now = clock_now_ns();
        if (stop == RUN_GOES_ON && now >= job->deadline_ns)
            return RUN_TIMEOUT;
        if (stop != RUN_GOES_ON || now >= until)
            return stop;
        int64_t step = until - now < STEP_NS ? until - now : STEP_NS;
        (void)nanosleep(&(struct timespec){.tv_nsec = step}, NULL); /* the loop looks again */
    }
}

/* Starts the child. A machine that has no room for another process right now is no fault of the
 * job: it keeps its attempt and waits here, with back-off, until there is. */
static bool start(const struct exec_handler *h, const struct run_job *job, struct run *run,
                  const struct run_ops *ops, struct place *ret, struct outcome *out)
{
    struct backoff backoff = {.base_ms = 50, .cap_ms = 2000};
    int rc;
    while ((rc = spawn(h, job, ret)) < 0) {
        struct buf why = {0};
        program_put_start_failure(&why, h->base.conf, rc);
        bool passes = child_error_passes(rc);
        if (!passes) {
            outcome_fail(out, OUTCOME_FAILED, "SpawnError", "%s", buf_str(&why));
        } else if (backoff.failures == 0) {
            buf_puts(&why, "; trying again");
            ops->log(run, LOG_WARN, buf_slice(&why));
        }
        buf_release(&why);
        if (!passes)
            return false;
        enum run_stop stop = pause_run(job, run, ops, backoff_next_ms(&backoff));
        if (stop != RUN_GOES_ON) {
            outcome_stop(out, stop, job);
            return false;
        }
    }
    return true;
}

/* At its limit of processor time it dies of SIGXCPU, or of SIGKILL when it does not heed that. The
 * kernel counts ticks for the limit, and exactly for the usage: they differ somewhat. */
static bool is_out_of_time(const struct exec_handler *h, const struct watch_end *end)
{
    int max = h->base.conf->max_cpu_s, number = end->exit.si_status;
    return max > 0 && program_was_killed(&end->exit) &&
           (number == SIGXCPU || (number == SIGKILL && end->usage.cpu_s > 0.7 * max));
}

static void fail_by_exit(const struct exec_handler *h, const struct watch_end *end,
                         const struct cgroup_usage *used, struct outcome *out)
{
    struct buf how = {0};
    bool dead = end->exit.si_code == CLD_EXITED && end->exit.si_status == EXIT_DEAD;
    program_put_exit(&how, &end->exit);
    if (used->killed)
        outcome_fail(out, OUTCOME_FAILED, "MemoryLimit", "used more than %d MB of memory, %s",
                     h->base.conf->max_memory_mb, buf_str(&how));
    else if (is_out_of_time(h, end))
        outcome_fail(out, OUTCOME_FAILED, "CpuLimit", "used %d s of processor time, %s",
                     h->base.conf->max_cpu_s, buf_str(&how));
    else
        outcome_fail(out, dead ? OUTCOME_DEAD : OUTCOME_FAILED,
                     program_was_killed(&end->exit) ? "Signal" : "ExitStatus", "%s", buf_str(&how));
    buf_release(&how);
}

static void conclude(const struct exec_handler *h, const struct run_job *job,
                     const struct watch_end *end, const struct cgroup_usage *used,
                     struct outcome *out)
{
    if (end->stop != RUN_GOES_ON) {
        outcome_stop(out, end->stop, job);
    } else if (end->silent) {
        outcome_silent(out, h->base.conf->silence_timeout_s);
    } else if (end->exit.si_code == CLD_EXITED && end->exit.si_status == 0) {
        out->kind = OUTCOME_DONE;
        return;
    } else {
        fail_by_exit(h, end, used, out);
    }
    errlog_put_tail(&out->message, &end->tail);
}

static void note_usage(const struct watch_end *end, const struct cgroup_usage *used,
                       struct outcome_usage *ret)
{
    struct buf how = {0};
    program_put_exit(&how, &end->exit);
    (void)snprintf(ret->exit, sizeof ret->exit, "%s", buf_str(&how)); /* cut to fit */
    ret->cpu_s = end->usage.cpu_s;
    ret->peak_rss_kb = used->peak_kb > 0 ? used->peak_kb : end->usage.peak_rss_kb;
    buf_release(&how);
}

static void exec_run(struct handler *handler, const struct run_job *job, struct run *run,
                     const struct run_ops *ops, struct outcome *out)
{
    struct exec_handler *h = (struct exec_handler *)handler;
    struct place place;
    if (!start(h, job, run, ops, &place, out))
        return;
    struct watch_end end;
    struct cgroup_usage used;
    const struct watch_talk talk = {.input = job->payload};
    watch_child(&place.child, &talk, job, run, ops, &h->limits, &end);
    cgroup_end(&place.group, &used);
    conclude(h, job, &end, &used, out);
    note_usage(&end, &used, &out->usage);
    buf_release(&end.tail);
}

const struct handler_kind exec_kind = {
    .name = "exec",
    .open = exec_open,
    .warm = exec_warm,
    .run = exec_run,
    .close = exec_close,
};
