/*
 * What the tests of the worker share: one private Redis, a connection to it, one worker (more are
 * a test's own), and words for what they do all the time. Each test begins with a fresh server.
 */
#ifndef SLUICE_TESTS_TEST_WORKER_H
#define SLUICE_TESTS_TEST_WORKER_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/redis_fixture.h"
#include "support/worker_process.h"

/* Longer than anything takes, also under a sanitizer on a busy machine. */
enum { HANG_MS = 60000, TEST_TIMEOUT_S = 200 };

static struct redis_server server;
static struct redis_conn *redis;
static struct worker_process worker;

static inline void open_redis(void)
{
    struct redis_options to = server_options(&server);
    redis = must_open(&to);
}

static inline void set_up(void)
{
    must_start(&server, NULL);
    open_redis();
}

/* Each test ends with a clean stop (the second TERM hurries it), where a sanitizer speaks last. */
static inline void stop_worker(void)
{
    enum { HURRY_MS = 500 };
    int64_t hurry_ns = clock_deadline_ms(HURRY_MS);
    if (worker.pid <= 0 || worker_process_ended(&worker))
        return;
    worker_process_signal(&worker, SIGTERM);
    while (!worker_process_ended(&worker) && clock_now_ns() < hurry_ns)
        (void)usleep(2000);
    if (!worker_process_ended(&worker))
        worker_process_signal(&worker, SIGTERM);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}

static inline void tear_down(void)
{
    stop_worker();
    worker_process_free(&worker);
    redis_conn_free(redis);
    redis_server_free(&server);
}

static inline TCase *new_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    return tc;
}

static inline void start_worker(const char *settings)
{
    worker_process_start(&worker, &server, &(struct worker_options){.settings = settings});
}

static inline void push(const char *queue, const char *job)
{
    char key[300];
    (void)snprintf(key, sizeof key, "queue:%s", queue);
    must_push(redis, key, slice_of(job));
}

/* Waits until the worker has said this, and has not ended. */
static inline void wait_said(const char *text)
{
    int64_t deadline_ns = clock_deadline_ms(HANG_MS);
    while (!worker_process_said(&worker, text)) {
        if (worker_process_ended(&worker))
            ck_abort_msg("the worker ended (status %d) before it said: %s", worker.status, text);
        if (clock_now_ns() > deadline_ns)
            ck_abort_msg("the worker never said: %s", text);
        (void)usleep(5000);
    }
}

/* How often a text stands in a file of the worker's folder. */
static inline int times_in_file(const char *name, const char *text)
{
    int n = 0;
    char *whole = worker_process_file(&worker, name);
    for (const char *at = whole; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    free(whole);
    return n;
}

/* So many workers hear orders. */
static inline bool workers_listen(int workers)
{
    return must_int(redis, "EVAL %s 0",
                    "return redis.call('PUBSUB', 'NUMSUB', 'sluice:control')[2]") == workers;
}

static inline void wait_processed(int64_t n)
{
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") >= n);
    ck_assert_int_eq(must_int(redis, "GET stat:processed"), n);
}

#endif
