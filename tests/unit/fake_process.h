/* One process handler with its settings, and runs of it, for the tests of warm processes. */
#ifndef SLUICE_TESTS_FAKE_PROCESS_H
#define SLUICE_TESTS_FAKE_PROCESS_H

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "handlers/process.h"
#include "unit/fake_run.h"

enum { FOREVER_MS = 30000 }; /* "at once" is less than this by far, also on a busy machine */

struct fake_process {
    struct conf_handler conf;
    char *argv[4];
    struct handler *handler;
    struct run_job job;
    struct run run;
    struct outcome out;
    int64_t ms; /* how long the last run took */
};

/* The settings of one process `sh -c script`; change them, then open. */
static inline void fake_process_init(struct fake_process *x, const char *script)
{
    *x = (struct fake_process){
        .argv = {(char *)"sh", (char *)"-c", (char *)script, NULL},
        .conf = {.klass = (char *)"test",
                 .kind = CONF_PROCESS,
                 .retry = -1,
                 .stream = true,
                 .processes = 1},
        .job = FAKE_JOB("[1]"),
    };
    x->conf.argv = x->argv;
    fake_run_init(&x->run);
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as the worker does */
}

static inline struct process_handler *fake_process_handler(struct fake_process *x)
{
    return (struct process_handler *)x->handler;
}

static inline void fake_process_open(struct fake_process *x)
{
    struct err err = {""};
    int rc = process_kind.open(&x->conf, &x->handler, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    rc = process_kind.warm(x->handler, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
}

static inline void fake_process_run(struct fake_process *x)
{
    outcome_release(&x->out);
    x->out = (struct outcome){0};
    if (x->job.timeout_ms > 0)
        x->job.deadline_ns = clock_deadline_ms(x->job.timeout_ms);
    int64_t start = clock_now_ns();
    process_kind.run(x->handler, &x->job, &x->run, &fake_ops, &x->out);
    x->ms = (clock_now_ns() - start) / NS_PER_MS;
}

/* Each test leaves no child behind. */
static inline void fake_process_release(struct fake_process *x)
{
    process_kind.close(x->handler);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
    for (int i = 0; i < PROCESS_STATES; i++)
        ck_assert_int_eq(process_count((enum process_state)i), 0);
    outcome_release(&x->out);
    fake_run_release(&x->run);
}

static inline void fake_process(struct fake_process *x, const char *script)
{
    fake_process_init(x, script);
    fake_process_open(x);
    fake_process_run(x);
}

static inline void assert_outcome(const struct fake_process *x, enum outcome_kind kind,
                                  const char *error_class, const char *message)
{
    assert_outcome_is(&x->out, kind, error_class, message);
}

static inline void assert_done(const struct fake_process *x, const char *result)
{
    assert_outcome(x, OUTCOME_DONE, "", "");
    ck_assert_str_eq(buf_str(&x->out.result), result);
}

#endif
