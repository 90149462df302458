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
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"

enum { GRACE_MS = 5000, SHUTDOWN_GRACE_MS = 2000, EXIT_DEAD = 100 };
#define STEP_NS (50 * NS_PER_MS) /* between two looks whether a pause should end */

static int check_workdir(const char *workdir, struct err *err)
{
    struct stat st;
    if (!workdir)
        return 0;
    if (stat(workdir, &st) < 0)
        return err_set(err, -EINVAL, "workdir %s: %s", workdir, strerror(errno));
    return S_ISDIR(st.st_mode) ? 0 : err_set(err, -EINVAL, "workdir %s is no directory", workdir);
}

/* A program given by its path has to be there at the start; one that is searched in PATH may come
 * later. */
static int check_program(const char *program, const char *workdir, struct err *err)
{
    if (!program || !*program)
        return err_set(err, -EINVAL, "exec: no program");
    if (!strchr(program, '/'))
        return 0;
    struct buf path = {0};
    if (workdir && program[0] != '/')
        buf_printf(&path, "%s/", workdir);
    buf_puts(&path, program);
    struct stat st;
    int rc = buf_error(&path);
    if (rc < 0)
        rc = err_set(err, rc, "exec: no memory");
    else if (stat(buf_str(&path), &st) < 0)
        rc = err_set(err, -EINVAL, "exec: %s: %s", buf_str(&path), strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = err_set(err, -EINVAL, "exec: %s is no regular file", buf_str(&path));
    else if (access(buf_str(&path), X_OK) < 0)
        rc = err_set(err, -EINVAL, "exec: %s is not executable: %s", buf_str(&path),
                     strerror(errno));
    buf_release(&path);
    return rc;
}

static int exec_open(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    int rc = check_workdir(conf->workdir, err);
    if (rc == 0)
        rc = check_program(conf->argv ? conf->argv[0] : NULL, conf->workdir, err);
    if (rc < 0)
        return rc;
    struct exec_handler *h = calloc(1, sizeof *h);
    if (!h || environment_init(&h->environment, conf) < 0) {
        free(h);
        return err_set(err, -ENOMEM, "exec: no memory for the environment");
    }
    h->base = (struct handler){&exec_kind, conf};
    h->limits = (struct watch_limits){
        .silence_ms = (int64_t)(conf->silence_timeout_s * 1000),
        .grace_ms = GRACE_MS,
        .shutdown_grace_ms = SHUTDOWN_GRACE_MS,
    };
    *ret = &h->base;
    return 0;
}

static void exec_close(struct handler *handler)
{
    struct exec_handler *h = (struct exec_handler *)handler;
    environment_release(&h->environment);
    free(h);
}

static int spawn(const struct exec_handler *h, const struct run_job *job, struct child *ret)
{
    const struct conf_handler *conf = h->base.conf;
    char **env;
    int rc = environment_for_job(&h->environment, job, &env);
    if (rc < 0)
        return rc;
    rc = child_spawn(conf->argv, env, conf->workdir, ret);
    free(env);
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
                  const struct run_ops *ops, struct child *ret, struct outcome *out)
{
    const char *program = h->base.conf->argv[0];
    struct backoff backoff = {.base_ms = 50, .cap_ms = 2000};
    int rc;
    while ((rc = spawn(h, job, ret)) < 0) {
        if (!child_error_passes(rc)) {
            outcome_fail(out, OUTCOME_FAILED, "SpawnError", "cannot start %s%s%s: %s", program,
                         h->base.conf->workdir ? " in " : "",
                         h->base.conf->workdir ? h->base.conf->workdir : "", strerror(-rc));
            return false;
        }
        if (backoff.failures == 0) {
            char text[256];
            (void)snprintf(text, sizeof text, "cannot start %s yet, trying again: %s", program,
                           strerror(-rc)); /* cut to fit */
            ops->log(run, LOG_WARN, slice_of(text));
        }
        enum run_stop stop = pause_run(job, run, ops, backoff_next_ms(&backoff));
        if (stop != RUN_GOES_ON) {
            outcome_stop(out, stop, job);
            return false;
        }
    }
    return true;
}

static void fail_by_exit(struct outcome *out, const siginfo_t *how)
{
    const char *signal_name = sigabbrev_np(how->si_status); /* NULL for real-time signals */
    const char *core = how->si_code == CLD_DUMPED ? " (core dumped)" : "";
    if (how->si_code == CLD_EXITED)
        outcome_fail(out, how->si_status == EXIT_DEAD ? OUTCOME_DEAD : OUTCOME_FAILED, "ExitStatus",
                     "exit status %d", how->si_status);
    else if (how->si_code != CLD_KILLED && how->si_code != CLD_DUMPED)
        outcome_fail(out, OUTCOME_FAILED, "ExitStatus", "exit status unknown");
    else if (signal_name)
        outcome_fail(out, OUTCOME_FAILED, "Signal", "killed by SIG%s%s", signal_name, core);
    else
        outcome_fail(out, OUTCOME_FAILED, "Signal", "killed by signal %d%s", how->si_status, core);
}

static void add_tail(struct outcome *out, struct slice tail)
{
    while (tail.n > 0 && strchr(" \t\r\n", tail.p[tail.n - 1]))
        tail.n--;
    if (tail.n > 0) {
        buf_puts(&out->message, ": ");
        buf_put(&out->message, tail);
    }
}

static void conclude(const struct exec_handler *h, const struct run_job *job,
                     const struct watch_end *end, struct outcome *out)
{
    if (end->stop != RUN_GOES_ON) {
        outcome_stop(out, end->stop, job);
    } else if (end->silent) {
        outcome_fail(out, OUTCOME_FAILED, "SilenceTimeout", "no output for %g s",
                     h->base.conf->silence_timeout_s);
    } else if (end->exit.si_code == CLD_EXITED && end->exit.si_status == 0) {
        out->kind = OUTCOME_DONE;
        return;
    } else {
        fail_by_exit(out, &end->exit);
    }
    add_tail(out, buf_slice(&end->tail));
}

static void exec_run(struct handler *handler, const struct run_job *job, struct run *run,
                     const struct run_ops *ops, struct outcome *out)
{
    struct exec_handler *h = (struct exec_handler *)handler;
    struct child child;
    if (!start(h, job, run, ops, &child, out))
        return;
    struct watch_end end;
    watch_child(&child, job, run, ops, &h->limits, &end);
    conclude(h, job, &end, out);
    buf_release(&end.tail);
}

const struct handler_kind exec_kind = {
    .name = "exec",
    .open = exec_open,
    .run = exec_run,
    .close = exec_close,
};
