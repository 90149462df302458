/*
 * What the tests of the API share: a private Redis, sluice-api on a free port in front of it, and
 * questions to it. `worker` of test_worker.h is the API process here.
 */
#ifndef SLUICE_TESTS_TEST_API_H
#define SLUICE_TESTS_TEST_API_H

#include "support/exposition.h"
#include "support/http_ask.h"
#include "test_worker.h"

#define API_PROGRAM TEST_BINARY_DIR "/bin/sluice-api"
#define TYPE_JSON   "Content-Type: application/json\r\n"
#define TYPE_NDJSON "Content-Type: application/x-ndjson\r\n"

static int port;

static inline struct answer ask_with(const char *method, const char *path, const char *headers,
                                     const char *body)
{
    return ask_for(port, method, path, headers, slice_of(body));
}

static inline struct answer get(const char *path)
{
    return ask_with("GET", path, "", "");
}

static inline int status_with(const char *method, const char *path, const char *headers)
{
    struct answer a = ask_with(method, path, headers, "");
    free(a.text);
    return a.status;
}

static inline int status_of(const char *path)
{
    return status_with("GET", path, "");
}

/* The answer has this status and, somewhere in it, this text. */
static inline void must_say(struct answer a, int status, const char *text)
{
    ck_assert_msg(a.status == status, "%d is wanted:\n%s", status, a.text);
    ck_assert_msg(strstr(a.text, text), "\"%s\" is not in\n%s", text, a.text);
    free(a.text);
}

/* An error of this kind. */
static inline void must_refuse(struct answer a, int status, const char *code)
{
    char begin[96];
    (void)snprintf(begin, sizeof begin, "\r\n\r\n{\"error\":{\"code\":\"%s\",\"message\":\"", code);
    ck_assert_msg(a.status == status, "%d is wanted:\n%s", status, a.text);
    ck_assert_str_eq(a.body + strlen(a.body) - 3, "}}\n");
    must_say(a, status, begin);
}

/* The server again, after it was stopped, and a new connection of ours. */
static inline void restart_redis(void)
{
    redis_conn_free(redis);
    redis = NULL;
    must_restart(&server);
    open_redis();
}

/* The value of a figure of the API's own. */
static inline double figure(const char *series)
{
    struct answer a = get("/metrics");
    must_be_exposition(a.body);
    double value = must_value(a.body, series);
    free(a.text);
    return value;
}

/* At the port that it had. */
static inline void start_api_again(const char *url, const char *settings, const char *const *env)
{
    char listen[64];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    const char *const args[] = {"--listen", listen, NULL};
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){
            .program = API_PROGRAM, .settings = settings, .url = url, .args = args, .env = env});
    wait_said("serving the API");
}

/* settings may be NULL, env too: "NAME=value", NULL-terminated. */
static inline void start_api_at(const char *url, const char *settings, const char *const *env)
{
    port = redis_server_free_port();
    ck_assert_int_gt(port, 0);
    start_api_again(url, settings, env);
}

static inline void start_api(const char *settings)
{
    start_api_at(NULL, settings, NULL);
}

#endif
