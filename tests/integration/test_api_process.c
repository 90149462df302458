/* sluice-api as a process: flags, settings, who may ask, limits, health, the log, and its end. */
#include "test_api.h"

#include <poll.h>
#include <sys/socket.h>

#include "support/program.h"

/* ---- the program ---- */

static struct program run_api(const char *const *words)
{
    struct program p = {0};
    const char *argv[8] = {API_PROGRAM};
    for (int i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    program_start(&p, argv);
    (void)program_wait(&p);
    return p;
}

static const struct {
    const char *words[4];
    int status;
    const char *out, *err; /* how they begin */
} runs[] = {
    {{"--version"}, 0, "sluice-api ", ""},
    {{"--help"}, 0, "Usage: sluice-api ", ""},
    {{"--check-config"}, 0, "redis:\n", "settings are valid\n"},
    {{"--check-config", "--listen", "127.0.0.1:1"}, 0, "redis:\n", "settings are valid\n"},
    {{"--nonsense"}, 2, "", ""},
    {{"extra"}, 2, "", "sluice-api: unexpected argument \"extra\"; options only\n"},
    {{"--listen", "here"}, 2, "", "--listen: api.listen is \"here\", must be host:port"},
    {{"--listen", "off"}, 2, "", "--listen: api.listen is \"off\", must be host:port\n"},
    {{"--listen", "0.0.0.0:1"}, 2, "", "--listen: api.listen is \"0.0.0.0:1\", which other "},
    {{"--config", "/nowhere"}, 2, "", "/nowhere: cannot be read: No such file or directory\n"},
};

START_TEST(flags)
{
    struct program p = {0};
    const char *argv[6] = {API_PROGRAM};
    int status = 0;
    for (int i = 0; i < 4; i++)
        argv[i + 1] = runs[_i].words[i];
    program_start(&p, argv);
    status = program_wait(&p);
    ck_assert_msg(status == runs[_i].status, "%d: %s%s", status, p.out, p.err);
    ck_assert_msg(strncmp(p.out, runs[_i].out, strlen(runs[_i].out)) == 0, "%s", p.out);
    ck_assert_msg(strncmp(p.err, runs[_i].err, strlen(runs[_i].err)) == 0, "%s", p.err);
    program_end(&p);
}
END_TEST

START_TEST(secrets_are_not_shown)
{
    struct program p = {.env = {"SLUICE_API_TOKEN=wordofmouth"}};
    const char *const argv[] = {API_PROGRAM, "--check-config", NULL};
    program_start(&p, argv);
    ck_assert_int_eq(program_wait(&p), 0);
    ck_assert_ptr_null(strstr(p.out, "wordofmouth"));
    ck_assert_ptr_nonnull(strstr(p.out, "  token: \"********\"\n"));
    program_end(&p);
}
END_TEST

START_TEST(an_address_in_use_is_told)
{
    char listen[64];
    start_api(NULL);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    struct program p = run_api((const char *const[]){"--listen", listen, NULL});
    ck_assert_ptr_nonnull(strstr(p.err, "Address already in use"));
    ck_assert_ptr_nonnull(strstr(p.err, listen));
    program_end(&p);
}
END_TEST

/* ---- health, methods, paths ---- */

START_TEST(health)
{
    start_api(NULL);
    must_say(get("/livez"), 200, "\r\n\r\n{\"status\":\"ok\"}\n");
    must_say(get("/readyz"), 200, "\r\n\r\n{\"status\":\"ok\"}\n");
    redis_server_stop(&server);
    must_refuse(get("/readyz"), 503, "redis_unavailable");
    must_say(get("/readyz"), 503, "\r\nRetry-After: 1\r\n");
    must_say(get("/livez"), 200, "ok");
    restart_redis();
    wait_until(HANG_MS, status_of("/readyz") == 200);
}
END_TEST

START_TEST(paths_and_methods)
{
    start_api(NULL);
    must_refuse(get("/v1"), 404, "not_found");
    must_refuse(get("/livez/"), 404, "not_found");
    must_refuse(get("/livez%00"), 404, "not_found");
    must_refuse(get("/v1"), 404, "not_found");
    must_refuse(ask_with("PUT", "/nowhere", TYPE_JSON, "{}"), 404, "not_found");
    must_refuse(ask_with("PUT", "/livez", "", ""), 405, "method_not_allowed");
    must_say(ask_with("PUT", "/livez", "", ""), 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    must_say(ask_with("OPTIONS", "/livez", "", ""), 204, "\r\nAllow: GET, HEAD, OPTIONS\r\n");
    must_refuse(ask_with("GET", "/livez", "", "hello"), 413, "body_not_allowed");

    struct answer a = ask_with("HEAD", "/livez", "", "");
    ck_assert_str_eq(a.body, "");
    must_say(a, 200, "\r\nContent-Length: 16\r\n");

    /* No page of another origin may read an answer. */
    a = ask_with("GET", "/livez", "Origin: https://example.com\r\n", "");
    ck_assert_ptr_null(strcasestr(a.text, "access-control"));
    free(a.text);
}
END_TEST

/* ---- tokens ---- */

START_TEST(tokens)
{
    static const char all[] = "Authorization: Bearer all-secret\r\n";
    static const char read[] = "Authorization: bearer read-secret\r\n";
    start_api("api: {token: all-secret, read_token: read-secret}\n");
    ck_assert_int_eq(status_of("/livez"), 200);
    must_refuse(get("/readyz"), 401, "unauthorized");
    must_say(get("/readyz"), 401, "\r\nWWW-Authenticate: Bearer\r\n");
    must_refuse(get("/nowhere"), 401, "unauthorized"); /* strangers learn no paths */
    static const char *const wrong[] = {
        "Authorization: Bearer all-secre\r\n", "Authorization: Bearer all-secrets\r\n",
        "Authorization: Bearer \r\n",          "Authorization: Bearer\r\n",
        "Authorization: Basic all-secret\r\n", "Authorization: all-secret\r\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(status_with("GET", "/readyz", wrong[i]), 401);
    ck_assert_int_eq(status_with("GET", "/readyz", all), 200);
    ck_assert_int_eq(status_with("GET", "/readyz", read), 200);
    ck_assert_int_eq(status_with("GET", "/nowhere", all), 404);
    ck_assert_int_eq(status_with("GET", "/readyz?token=all-secret", ""), 401);

    ck_assert(!worker_process_said(&worker, "all-secret"));
    ck_assert(!worker_process_said(&worker, "read-secret"));
    ck_assert(!worker_process_said(&worker, "token=all"));
}
END_TEST

/* As a browser sends it that has asked its person. */
START_TEST(passwords)
{
    static const struct {
        const char *header;
        int get, post; /* /readyz, /v1/queues/q/pause */
    } cases[] = {
        {"Basic dTphbGwtc2VjcmV0", 200, 200},     /* u:all-secret */
        {"basic OmFsbC1zZWNyZXQ=", 200, 200},     /* :all-secret */
        {"Basic dTpyOmVhZC1zZWNyZXQ=", 200, 403}, /* u:r:ead-secret */
        {"Basic YWxsLXNlY3JldDp1", 401, 401},     /* all-secret:u */
        {"Basic YWxsLXNlY3JldA==", 401, 401},     /* all-secret */
        {"Basic dTphbGwtc2VjcmV0cw==", 401, 401}, /* u:all-secrets */
        {"Basic dTphbGwtc2VjcmU=", 401, 401},     /* u:all-secre */
        {"Basic dTo=", 401, 401},                 /* u: */
        {"Basic ", 401, 401},
        {"Basic", 401, 401},
        {"Basic dTphbGwtc2VjcmV0 ", 401, 401},
        {"Basic u:all-secret", 401, 401},
    };
    start_api("api: {token: all-secret, read_token: \"r:ead-secret\"}\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        (void)snprintf(header, sizeof header, "Authorization: %s\r\n", cases[i].header);
        int status = status_with("GET", "/readyz", header);
        ck_assert_msg(status == cases[i].get, "%s: %d", cases[i].header, status);
        status = status_with("POST", "/v1/queues/q/pause", header);
        ck_assert_msg(status == cases[i].post, "%s: %d", cases[i].header, status);
    }

    /* Only pages make a browser ask: a script that may not read gets no dialog in the way. */
    must_say(get("/"), 401, "\r\nWWW-Authenticate: Basic realm=\"sluice\"\r\n");
    must_say(get("/openapi.yaml"), 401, "\r\nWWW-Authenticate: Bearer\r\n");
    must_say(get("/openapi.yaml"), 401, "\r\nWWW-Authenticate: Basic realm=\"sluice\"\r\n");
    static const char *const others[] = {"/v1/stats", "/metrics", "/nowhere"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct answer a = get(others[i]);
        ck_assert_int_eq(a.status, 401);
        ck_assert_ptr_nonnull(strstr(a.text, "\r\nWWW-Authenticate: Bearer\r\n"));
        ck_assert_ptr_null(strcasestr(a.text, "basic realm"));
        free(a.text);
    }
}
END_TEST

/* ---- browsers ---- */

static struct answer ask_as(const char *method, const char *path, const char *host,
                            const char *headers)
{
    char request[512];
    (void)snprintf(request, sizeof request, "%s %s HTTP/1.1\r\n%s%s%sConnection: close\r\n%s\r\n",
                   method, path, *host ? "Host: " : "", host, *host ? "\r\n" : "", headers);
    return ask_raw(port, slice_of(request));
}

START_TEST(pages_of_others_change_nothing)
{
    static const char pause[] = "/v1/queues/q/pause";
    char own[64];
    start_api(NULL);
    (void)snprintf(own, sizeof own, "Origin: http://localhost:%d\r\n", port);
    char host[64];
    (void)snprintf(host, sizeof host, "localhost:%d", port);
    must_say(ask_as("POST", pause, host, own), 200, "\"changed\":true");
    must_say(ask_as("POST", pause, host, "Sec-Fetch-Site: same-origin\r\n"), 200, "paused");
    static const char *const foreign[] = {
        "Origin: https://evil.example\r\n", "Origin: http://localhost:1\r\n", "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site: same-site\r\n"};
    static const char *const writes[][2] = {{"POST", "/v1/queues/q/resume"},
                                            {"POST", "/v1/jobs"},
                                            {"DELETE", "/v1/dead/x"},
                                            {"PUT", "/nowhere"}};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        for (size_t w = 0; w < sizeof writes / sizeof *writes; w++)
            must_refuse(ask_as(writes[w][0], writes[w][1], host, foreign[i]), 403, "cross_origin");
        must_say(ask_as("GET", "/v1/queues", host, foreign[i]), 200, "queues");
        must_say(ask_as("HEAD", "/v1/queues", host, foreign[i]), 200, "200");
        must_say(ask_as("OPTIONS", pause, host, foreign[i]), 204, "Allow: POST, OPTIONS");
    }
    ck_assert_int_eq(must_int(redis, "SCARD paused"), 1);
}
END_TEST

/* Neither may those whose browser has the token, nor is that told to them. */
START_TEST(tokens_do_not_help_pages_of_others)
{
    start_api("api: {token: t}\n");
    must_refuse(ask_as("POST", "/v1/queues/q/pause", "sluice.example",
                       "Authorization: Basic dTp0\r\nOrigin: https://evil.example\r\n"),
                403, "cross_origin");
    must_refuse(
        ask_as("POST", "/v1/queues/q/pause", "sluice.example", "Origin: https://evil.example\r\n"),
        403, "cross_origin");
    /* A proxy has taken the TLS off, and passes the host on. */
    must_say(ask_as("POST", "/v1/queues/q/pause", "sluice.example",
                    "Authorization: Basic dTp0\r\nOrigin: https://sluice.example\r\n"),
             200, "paused");
}
END_TEST

START_TEST(names_of_others_are_refused)
{
    static const char *const local[] = {"localhost", "LOCALHOST:99", "127.0.0.1", "127.9.9.9:1",
                                        "[::1]:8394"};
    static const char *const foreign[] = {
        "x", "evil.example", "evil.example:8394", "127.0.0.1.evil.example", "10.0.0.1", "[::2]"};
    start_api(NULL);
    for (size_t i = 0; i < sizeof local / sizeof *local; i++)
        must_say(ask_as("GET", "/v1/queues", local[i], ""), 200, "queues");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        must_refuse(ask_as("GET", "/v1/queues", foreign[i], ""), 403, "unknown_host");
        must_refuse(ask_as("POST", "/v1/queues/q/pause", foreign[i], ""), 403, "unknown_host");
        must_refuse(ask_as("GET", "/livez", foreign[i], ""), 403, "unknown_host");
        must_refuse(ask_as("GET", "/nowhere", foreign[i], ""), 403, "unknown_host");
    }
    /* No browser is without. */
    must_say(ask_raw(port, slice_of("GET /v1/queues HTTP/1.0\r\n\r\n")), 200, "queues");
    stop_worker();
    worker_process_free(&worker);

    /* With a token the name is nobody's business: whoever has it may come by any. */
    start_api("api: {token: t}\n");
    must_say(ask_as("GET", "/v1/queues", "sluice.example", "Authorization: Bearer t\r\n"), 200,
             "queues");
}
END_TEST

/* ---- the log ---- */

START_TEST(each_request_is_logged)
{
    start_api(NULL);
    ck_assert_int_eq(status_of("/livez?password=hidden"), 200);
    ck_assert_int_eq(status_of("/nowhere"), 404);
    wait_said("msg=\"request\" method=GET path=/livez status=200 ms=");
    wait_said("path=/nowhere status=404 ms=");
    wait_said(" bytes=16\n");
    ck_assert(!worker_process_said(&worker, "hidden"));
}
END_TEST

/* ---- limits ---- */

static int send_to_api(const char *request)
{
    int fd = ask_dial(port);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    return fd;
}

/* Reads the answer to what was sent, which must begin so, and closes. free() it. */
static char *answer_to(int fd, const char *begin)
{
    struct buf got = {0};
    ask_read(fd, &got);
    (void)close(fd); /* only read */
    ck_assert_msg(strncmp(buf_str(&got), begin, strlen(begin)) == 0, "%s", buf_str(&got));
    return buf_steal(&got, NULL);
}

static bool closes(int fd)
{
    struct buf got = {0};
    ask_read(fd, &got);
    buf_release(&got);
    (void)close(fd); /* by the other side */
    return true;
}

/* A line of 40,000 bytes behind this beginning. */
static int status_of_long(const char *begin, const char *end)
{
    struct buf request = {0};
    buf_puts(&request, begin);
    for (int i = 0; i < 40000; i++)
        buf_putc(&request, 'x');
    buf_puts(&request, end);
    struct answer a = ask_raw(port, buf_slice(&request));
    free(a.text);
    buf_release(&request);
    return a.status;
}

START_TEST(heads_are_bounded)
{
    static const char rest[] = "\r\nConnection: close\r\n\r\n";
    start_api(NULL);
    ck_assert_int_eq(status_of_long("GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ", rest),
                     431);
    ck_assert_int_eq(
        status_of_long("GET /livez?", " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
        414);
    ck_assert_int_eq(status_of("/livez"), 200);

    /* What browsers and proxies send has room: a cookie may have 4 KiB. */
    char headers[4200];
    int n = snprintf(headers, sizeof headers, "Cookie: a=");
    memset(headers + n, 'x', 4096);
    (void)snprintf(headers + n + 4096, 3, "\r\n"); /* fits */
    ck_assert_int_eq(status_with("GET", "/livez", headers), 200);
}
END_TEST

START_TEST(silence_is_bounded)
{
    start_api("api: {idle_timeout: 1}\n");
    ck_assert(closes(send_to_api("GET /li")));
    ck_assert_int_eq(status_of("/livez"), 200);
}
END_TEST

#define READY "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
#define JOB_HEAD                                                                                   \
    "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\n" TYPE_JSON "Content-Length: 23\r\n\r\n"
#define JOB JOB_HEAD "{\"class\":\"x\",\"args\":[]}"

/* A Redis that says nothing: those who wait for it are told so, and nobody else notices. */
START_TEST(waiting_is_bounded)
{
    struct pollfd p[3];
    int late = 0;
    start_api("redis: {socket_timeout: 60}\n"
              "api: {max_concurrent_ops: 2, max_connections: 3, max_wait: 0.3}\n");
    ck_assert_int_eq(status_of("/readyz"), 200);
    redis_server_pause(&server);
    /* Two of them have the permits (or one, if the sampler was faster), and then there is no turn.
     */
    for (int i = 0; i < 3; i++)
        p[i] = (struct pollfd){.fd = send_to_api(READY), .events = POLLIN};
    ck_assert_int_ge(poll(p, 3, HANG_MS), 1);
    must_refuse(get("/readyz"), 503, "busy");
    must_say(get("/readyz"), 503, "\r\nRetry-After: 1\r\n");
    ck_assert_int_eq(status_of("/livez"), 200);
    ck_assert_int_gt(poll(p, 3, 0), 0);
    redis_server_resume(&server);
    for (int i = 0; i < 3; i++) {
        late += p[i].revents != 0;
        free(answer_to(p[i].fd, p[i].revents ? "HTTP/1.1 503 " : "HTTP/1.1 200 "));
    }
    ck_assert_int_le(late, 2);
}
END_TEST

/* ---- the end ---- */

/* Jobs hang in Redis, which goes on reading; returns when n requests are known to be under way. */
static void hang_writes(int *fds, int n)
{
    ck_assert_int_eq(status_of("/readyz"), 200);
    must_do(redis, "CLIENT PAUSE 600000 WRITE");
    for (int i = 0; i < n; i++)
        fds[i] = send_to_api(JOB);
    wait_until(HANG_MS, figure("sluice_api_requests_running") == n + 1); /* and that one */
}

START_TEST(a_stop_lets_requests_end)
{
    int fd;
    start_api("redis: {socket_timeout: 60}\napi: {stop_timeout: 60}\n");
    hang_writes(&fd, 1);
    worker_process_signal(&worker, SIGTERM);
    wait_said("stopping: waiting");
    wait_until(HANG_MS, status_of("/livez") == 0);
    ck_assert(!worker_process_ended(&worker));
    must_do(redis, "CLIENT UNPAUSE");
    char *text = answer_to(fd, "HTTP/1.1 202 ");
    ck_assert_ptr_nonnull(strstr(text, "\r\nConnection: close\r\n"));
    free(text);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    ck_assert(worker_process_said(&worker, "stopped"));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

/* Whoever keeps it is told, and does not keep it. */
START_TEST(a_stop_is_bounded)
{
    int fds[2];
    start_api("redis: {socket_timeout: 4}\napi: {stop_timeout: 0.2}\n");
    hang_writes(fds, 2);
    int slow = send_to_api("GET /livez ");
    worker_process_signal(&worker, SIGTERM);
    for (int i = 0; i < 2; i++) {
        char *text = answer_to(fds[i], "HTTP/1.1 503 ");
        ck_assert_ptr_nonnull(strstr(text, "outcome_unknown"));
        free(text);
    }
    ck_assert(closes(slow));
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

/* A body that is whole only when nobody is left to serve it. */
START_TEST(a_late_body_is_told)
{
    static const char job[] = JOB;
    int fd;
    start_api("redis: {socket_timeout: 1}\napi: {stop_timeout: 0}\n");
    hang_writes(&fd, 1);
    int late = send_to_api(JOB_HEAD);
    wait_until(HANG_MS, figure("sluice_api_requests_running") == 3);
    worker_process_signal(&worker, SIGTERM);
    free(answer_to(fd, "HTTP/1.1 503 ")); /* the last that is served */
    ck_assert_int_eq(send(late, job + sizeof JOB_HEAD - 1, 23, MSG_NOSIGNAL), 23);
    struct buf got = {0};
    ask_read(late, &got);
    (void)close(late); /* only read */
    if (got.n > 0)     /* or the process was faster */
        ck_assert_ptr_nonnull(strstr(buf_str(&got), "\"stopping\""));
    buf_release(&got);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

/* A second signal does not wait. */
START_TEST(it_tells_its_state)
{
    start_api(NULL);
    worker_process_signal(&worker, SIGUSR1);
    wait_said("msg=\"state\" requests=0 waiting=0 viewers=0 topics=0 permits_in_use=");
    ck_assert_int_eq(status_of("/livez"), 200);
}
END_TEST

START_TEST(a_second_signal_hurries)
{
    int fd;
    start_api("redis: {socket_timeout: 4}\napi: {stop_timeout: 3600}\n");
    hang_writes(&fd, 1);
    worker_process_signal(&worker, SIGTERM);
    wait_said("stopping: waiting");
    worker_process_signal(&worker, SIGINT);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    free(answer_to(fd, "HTTP/1.1 503 "));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API process");
    TCase *tc = new_case(suite, "program");
    tcase_add_loop_test(tc, flags, 0, sizeof runs / sizeof *runs);
    tcase_add_test(tc, secrets_are_not_shown);
    tcase_add_test(tc, an_address_in_use_is_told);
    tc = new_case(suite, "requests");
    tcase_add_test(tc, health);
    tcase_add_test(tc, paths_and_methods);
    tcase_add_test(tc, tokens);
    tcase_add_test(tc, passwords);
    tcase_add_test(tc, pages_of_others_change_nothing);
    tcase_add_test(tc, tokens_do_not_help_pages_of_others);
    tcase_add_test(tc, names_of_others_are_refused);
    tcase_add_test(tc, each_request_is_logged);
    tc = new_case(suite, "limits");
    tcase_add_test(tc, heads_are_bounded);
    tcase_add_test(tc, silence_is_bounded);
    tcase_add_test(tc, waiting_is_bounded);
    tc = new_case(suite, "end");
    tcase_add_test(tc, a_stop_lets_requests_end);
    tcase_add_test(tc, a_stop_is_bounded);
    tcase_add_test(tc, a_late_body_is_told);
    tcase_add_test(tc, a_second_signal_hurries);
    tcase_add_test(tc, it_tells_its_state);
    return suite;
}
