/* One http handler with its service, and runs of it, for the tests of http handlers. */
#ifndef SLUICE_TESTS_FAKE_HTTP_H
#define SLUICE_TESTS_FAKE_HTTP_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"
#include "support/webhook.h"
#include "unit/fake_run.h"

enum { FOREVER_MS = 30000 }; /* "at once" is less than this by far, also on a busy machine */

#define OK(type, body) "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\n" body
#define CHUNKED        "Transfer-Encoding: chunked\r\n\r\n"

static struct webhook webhook;
static struct conf_handler conf;
static struct handler *handler;
static struct run_job job;
static struct run run;
static struct outcome out;

static inline void set_up(void)
{
    ck_assert(signal(SIGPIPE, SIG_IGN) != SIG_ERR); /* as the worker does */
    webhook_start(&webhook);
    conf = (struct conf_handler){.klass = (char *)"test",
                                 .kind = CONF_HTTP,
                                 .url = webhook.url,
                                 .retry = -1,
                                 .stream = true};
    job = (struct run_job)FAKE_JOB("[1]");
    out = (struct outcome){0};
    handler = NULL;
    fake_run_init(&run);
}

static inline void tear_down(void)
{
    if (handler)
        http_kind.close(handler);
    outcome_release(&out);
    fake_run_release(&run);
    webhook_stop(&webhook);
}

static inline void run_job(void)
{
    struct err err = {""};
    if (!handler)
        ck_assert_msg(http_kind.open(&conf, &handler, &err) == 0, "%s", err.text);
    if (job.timeout_ms > 0)
        job.deadline_ns = clock_deadline_ms(job.timeout_ms);
    outcome_release(&out);
    out = (struct outcome){0};
    http_kind.run(handler, &job, &run, &fake_ops, &out);
}

static inline void run_against(const char *answer)
{
    webhook_answers(&webhook, answer);
    run_job();
}

static inline void assert_outcome(enum outcome_kind kind, const char *error_class,
                                  const char *message)
{
    assert_outcome_is(&out, kind, error_class, message);
}

static inline void assert_done(const char *result)
{
    assert_outcome(OUTCOME_DONE, "", "");
    ck_assert_str_eq(buf_str(&out.result), result);
}

static inline TCase *new_case(Suite *suite)
{
    TCase *tc = tcase_create("http");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, SLOW * 30);
    suite_add_tcase(suite, tc);
    return tc;
}

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

#endif
