/* One exec handler with its settings, and one run of it, for the tests of exec. */
#ifndef SLUICE_TESTS_FAKE_EXEC_H
#define SLUICE_TESTS_FAKE_EXEC_H

#include <signal.h>
#include <string.h>

#include "handlers/exec.h"
#include "unit/fake_run.h"

struct fake_exec {
    struct conf_handler conf;
    char *argv[4];
    struct handler *handler;
    struct run_job job;
    struct run run;
    struct outcome out;
    int64_t ms; /* how long the last run took */
};

/* The settings of `sh -c script`; change them, then open. */
static inline void fake_exec_init(struct fake_exec *x, const char *script)
{
    *x = (struct fake_exec){
        .argv = {(char *)"sh", (char *)"-c", (char *)script, NULL},
        .conf = {.klass = (char *)"test", .kind = CONF_EXEC, .retry = -1, .stream = true},
        .job = FAKE_JOB("[1]"),
    };
    x->conf.argv = x->argv;
    fake_run_init(&x->run);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as the worker does */
}

static inline void fake_exec_open(struct fake_exec *x)
{
    struct err err = {0};
    int rc = exec_kind.open(&x->conf, &x->handler, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
}

static inline struct watch_limits *fake_exec_limits(struct fake_exec *x)
{
    return &((struct exec_handler *)x->handler)->limits;
}

static inline void fake_exec_run(struct fake_exec *x)
{
    outcome_release(&x->out);
    x->out = (struct outcome){0};
    if (x->job.timeout_ms > 0)
        x->job.deadline_ns = clock_deadline_ms(x->job.timeout_ms);
    int64_t start = clock_now_ns();
    exec_kind.run(x->handler, &x->job, &x->run, &fake_ops, &x->out);
    x->ms = (clock_now_ns() - start) / NS_PER_MS;
}

static inline void fake_exec_release(struct fake_exec *x)
{
    exec_kind.close(x->handler);
    outcome_release(&x->out);
    fake_run_release(&x->run);
}

/* The whole life of a run with default settings; release it after looking at it. */
static inline void fake_exec(struct fake_exec *x, const char *script)
{
    fake_exec_init(x, script);
    fake_exec_open(x);
    fake_exec_run(x);
}

static inline void assert_outcome(const struct fake_exec *x, enum outcome_kind kind,
                                  const char *error_class, const char *message)
{
    assert_outcome_is(&x->out, kind, error_class, message);
}

static inline void assert_done(const struct fake_exec *x)
{
    assert_outcome(x, OUTCOME_DONE, "", "");
}

#endif
