/*
 * What the tests of /metrics, /livez and /readyz share: a worker that serves them on a free port,
 * and a client that is little more than a socket.
 */
#ifndef SLUICE_TESTS_TEST_HEALTH_H
#define SLUICE_TESTS_TEST_HEALTH_H

#include <sys/socket.h>

#include "support/exposition.h"
#include "support/http_ask.h"
#include "test_worker.h"

#define SETTINGS                                                                                   \
    "worker: {threads: 4, queues: [critical, default], lease: 2, shutdown_timeout: 60}\n"          \
    "handlers:\n" TEST_HANDLER "  - {class: nap, exec: [sleep, '60']}\n"

static int port;

/* ---- a client ---- */

static inline int dial(void)
{
    return ask_dial(port);
}

static inline struct answer exchange(const char *request)
{
    return ask_raw(port, slice_of(request));
}

static inline struct answer ask(const char *method, const char *path)
{
    return ask_for(port, method, path, "", (struct slice){"", 0});
}

static inline int status_of(const char *path)
{
    struct answer a = ask("GET", path);
    free(a.text);
    return a.status;
}

static inline void must_answer(const char *path, int status, const char *body)
{
    struct answer a = ask("GET", path);
    ck_assert_int_eq(a.status, status);
    ck_assert_str_eq(a.body, body);
    ck_assert_ptr_nonnull(strstr(a.text, "\r\nContent-Type: application/json\r\n"));
    free(a.text);
}

/* A scrape, checked; free() it. */
static inline char *scrape(void)
{
    struct answer a = ask("GET", "/metrics");
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(
        strstr(a.text, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    must_be_exposition(a.body);
    char *body = strdup(a.body);
    ck_assert_ptr_nonnull(body);
    free(a.text);
    return body;
}

static inline double scraped(const char *series)
{
    char *text = scrape();
    double value = must_value(text, series);
    free(text);
    return value;
}

/* ---- the worker ---- */

static inline void spawn_at(struct worker_process *w, const char *listen)
{
    char setting[128];
    (void)snprintf(setting, sizeof setting, "SLUICE_METRICS_LISTEN=%s", listen);
    const char *const env[] = {setting, NULL};
    worker_process_spawn(w, &server, &(struct worker_options){.settings = SETTINGS, .env = env});
}

/* On a port that was free a moment ago. */
static inline void spawn(void)
{
    char listen[64];
    port = redis_server_free_port();
    ck_assert_int_gt(port, 0);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    spawn_at(&worker, listen);
}

static inline void start(void)
{
    spawn();
    worker_process_wait_ready(&worker, "");
    wait_until(HANG_MS, status_of("/readyz") == 200);
}

static inline void push_test(const char *queue, const char *outcome, const char *more)
{
    char job[256];
    (void)snprintf(job, sizeof job,
                   "{\"class\":\"test\",\"args\":[{\"outcome\":\"%s\"}],\"enqueued_at\":%lld.5%s}",
                   outcome, (long long)time(NULL) - 2, more);
    push(queue, job);
}

#define PROCESSED(queue, class, outcome)                                                           \
    "sluice_jobs_processed_total{queue=\"" queue "\",class=\"" class "\",outcome=\"" outcome "\"}"

#endif
