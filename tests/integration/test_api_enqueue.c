/*
 * Many requests that wait for a turn and then go to Redis together: each has its own answer.
 *
 * Redis is made to hold back writes while they gather, and there is one permit, so that it is known
 * that they do go together: the gate is passed far less often than there are requests.
 */
#include <poll.h>
#include <sys/socket.h>

#include "support/proxy.h"
#include "test_api.h"

enum { REQUESTS = 90, KINDS = 4 };

/* What request i is. */
enum kind { GOOD, WRONG_TYPE, INVALID, KEYED };

static int fds[REQUESTS];

static enum kind kind_of(int i)
{
    return (enum kind)(i % KINDS);
}

static int send_request(int i)
{
    char body[96], request[400], key[64] = "";
    (void)snprintf(body, sizeof body, "{\"class\":\"x\",\"%s\":[%d],\"queue\":\"%s\"}",
                   kind_of(i) == INVALID ? "arg" : "args", i,
                   kind_of(i) == WRONG_TYPE ? "wrong" : "q");
    if (kind_of(i) == KEYED)
        (void)snprintf(key, sizeof key, "Idempotency-Key: key-%d\r\n", i);
    int n = snprintf(request, sizeof request,
                     "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" TYPE_JSON
                     "%sContent-Length: %zu\r\n\r\n%s",
                     key, strlen(body), body);
    int fd = ask_dial(port);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

/* free() its text. */
static struct answer read_answer(int fd)
{
    struct buf got = {0};
    ask_read(fd, &got);
    (void)close(fd); /* only read */
    struct answer a = {.text = buf_steal(&got, NULL)};
    ck_assert_int_eq(sscanf(a.text, "HTTP/1.1 %d", &a.status), 1);
    a.body = strstr(a.text, "\r\n\r\n");
    return a;
}

static bool somebody_is_held_back(void)
{
    char *list = must_text(redis, "INFO clients");
    bool held = strstr(list, "blocked_clients:1") != NULL;
    free(list);
    return held;
}

/* Sends all of them while writes are held back: the first has the permit, the others wait. */
static void send_all(void)
{
    ck_assert_int_eq(status_of("/readyz"), 200);
    must_do(redis, "SET queue:wrong text");
    must_do(redis, "CLIENT PAUSE 600000 WRITE");
    fds[0] = send_request(0);
    wait_until(HANG_MS, somebody_is_held_back());
    for (int i = 1; i < REQUESTS; i++)
        fds[i] = send_request(i);
    for (int i = 0; i < 8; i++) /* read behind them, by either thread of the server */
        ck_assert_int_eq(status_of("/livez"), 200);
}

/* How often each job lies in the queue. */
static void count_pushed(int *times)
{
    struct reply *jobs = must_call(redis, "LRANGE queue:q 0 -1");
    memset(times, 0, REQUESTS * sizeof *times);
    for (size_t at = 0; at < reply_count(jobs); at++) {
        struct slice job = reply_str(reply_at(jobs, at));
        const char *args = memmem(job.p, job.n, "\"args\":[", 8);
        ck_assert_ptr_nonnull(args);
        long i = strtol(args + 8, NULL, 10);
        ck_assert(i >= 0 && i < REQUESTS);
        times[i]++;
    }
    reply_free(jobs);
}

static bool says(const struct answer *a, int status, const char *text)
{
    return a->status == status && strstr(a->text, text);
}

/* The answer to request i when nothing went wrong with Redis. */
static void must_be_answered(int i, const struct answer *a)
{
    static const struct {
        int status;
        const char *text;
    } wanted[KINDS] = {
        [GOOD] = {202, "{\"jid\":\""},
        [WRONG_TYPE] = {409, "queue:wrong is no list"},
        [INVALID] = {422, "\"field\":\"args\""},
        [KEYED] = {202, "{\"jid\":\""},
    };
    ck_assert_msg(says(a, wanted[kind_of(i)].status, wanted[kind_of(i)].text), "%d: %s", i,
                  a->text);
}

#define ONE_PERMIT "redis: {socket_timeout: 60}\napi: {max_concurrent_ops: 1, max_wait: "

START_TEST(each_has_its_own_answer)
{
    int times[REQUESTS];
    start_api(ONE_PERMIT "60}\n");
    double passed = figure("sluice_redis_op_seconds_count");
    send_all();
    must_do(redis, "CLIENT UNPAUSE");
    for (int i = 0; i < REQUESTS; i++) {
        struct answer a = read_answer(fds[i]);
        must_be_answered(i, &a);
        free(a.text);
    }
    passed = figure("sluice_redis_op_seconds_count") - passed;
    ck_assert_msg(passed < REQUESTS / 2, "the gate was passed %g times", passed);
    count_pushed(times);
    for (int i = 0; i < REQUESTS; i++)
        ck_assert_int_eq(times[i], kind_of(i) == GOOD || kind_of(i) == KEYED);
}
END_TEST

/* Of a request whose connection may have been cut: what is said to have happened has, and a key
 * makes it safe to ask again. Returns whether it was. */
static bool check_cut(int i, int times)
{
    static const char *const lost[KINDS] = {[GOOD] = "\"outcome_unknown\"",
                                            [WRONG_TYPE] = "\"outcome_unknown\"",
                                            [KEYED] = "with the same Idempotency-Key"};
    struct answer a = read_answer(fds[i]);
    bool cut = a.status == 503;
    if (!cut)
        must_be_answered(i, &a);
    else
        ck_assert_msg(lost[kind_of(i)] && strstr(a.text, lost[kind_of(i)]), "%d: %s", i, a.text);
    if (a.status == 202)
        ck_assert_int_eq(times, 1);
    free(a.text);
    return cut;
}

/* Sends all of them through a proxy that cuts the connection at this byte of the replies. Returns
 * of how many it is not known what has become of them; those with a key are asked again. */
static int break_connection(struct proxy *proxy, int cut)
{
    int times[REQUESTS], lost = 0;
    uint64_t before = proxy_stats(proxy).cuts;
    must_do(redis, "FLUSHALL");
    send_all();
    proxy_cut(proxy, PROXY_REPLIES, cut);
    must_do(redis, "CLIENT UNPAUSE");
    for (int i = 0; i < REQUESTS; i++) { /* all is decided */
        struct pollfd p = {.fd = fds[i], .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, HANG_MS), 1);
    }
    ck_assert_uint_eq(proxy_stats(proxy).cuts, before + 1);
    count_pushed(times);
    for (int i = 0; i < REQUESTS; i++)
        if (check_cut(i, times[i])) {
            lost++;
            fds[i] = kind_of(i) == KEYED ? send_request(i) : -1;
        } else {
            fds[i] = -1;
        }
    return lost;
}

/* Where in the replies the connection breaks. */
static const int cuts[] = {2, 30, 150, 400, 650};

START_TEST(a_connection_that_breaks)
{
    enum { TRIES = 10 };
    struct proxy proxy = {0};
    char url[64];
    int times[REQUESTS], tries = 0;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    start_api_at(url, ONE_PERMIT "60}\n", NULL);
    must_say(ask_with("POST", "/v1/jobs", TYPE_JSON, "{\"class\":\"x\",\"args\":[]}"), 202,
             "jid"); /* Redis knows the script now: the replies are the same each time */
    while (break_connection(&proxy, cuts[_i]) == 0) /* the API looked at its queues just then */
        ck_assert_int_lt(++tries, TRIES);
    for (int i = 0; i < REQUESTS; i++)
        if (fds[i] >= 0) {
            struct answer a = read_answer(fds[i]);
            must_be_answered(i, &a);
            free(a.text);
        }
    count_pushed(times);
    for (int i = 0; i < REQUESTS; i++)
        if (kind_of(i) == KEYED)
            ck_assert_int_eq(times[i], 1);
        else
            ck_assert_int_le(times[i], kind_of(i) == GOOD);
    stop_worker();
    proxy_stop(&proxy);
}
END_TEST

/* They wait together, and each is told in its time that it got no turn; but for the one that has
 * the permit, and what is refused without Redis. */
START_TEST(none_gets_a_turn)
{
    start_api(ONE_PERMIT "0.5}\n");
    send_all();
    for (int i = 1; i < REQUESTS; i++) {
        struct answer a = read_answer(fds[i]);
        if (kind_of(i) == INVALID)
            must_be_answered(i, &a);
        else
            ck_assert_msg(says(&a, 503, "\"busy\"") && strstr(a.text, "\r\nRetry-After: 1\r\n"),
                          "%d: %s", i, a.text);
        free(a.text);
    }
    must_do(redis, "CLIENT UNPAUSE");
    struct answer a = read_answer(fds[0]);
    must_be_answered(0, &a);
    free(a.text);
    ck_assert_int_eq(must_int(redis, "LLEN queue:q"), 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: enqueueing together");
    TCase *tc = new_case(suite, "together");
    tcase_add_test(tc, each_has_its_own_answer);
    tcase_add_loop_test(tc, a_connection_that_breaks, 0, sizeof cuts / sizeof *cuts);
    tcase_add_test(tc, none_gets_a_turn);
    return suite;
}
