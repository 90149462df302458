/* One connection against a real server: opening, talking, and breaking at every possible point. */
#include "support/support.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "support/redis_fixture.h"

static struct redis_server server;

static void start_server(void)
{
    must_start(&server, &(struct redis_server_options){.tcp = true});
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static void expect_refused(const struct redis_options *o, int code, const char *word)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_conn_open(o, &c, &err), code);
    ck_assert_ptr_null(c);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
    ck_assert_msg(!strstr(err.text, "SECRET"), "%s", err.text);
}

static void expect_str(struct reply *r, const char *want)
{
    ck_assert(slice_is(reply_str(r), want));
    reply_free(r);
}

/* --- opening ------------------------------------------------------------------------------- */

START_TEST(passwords_and_users)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *admin = must_open(&o);
    must_do(admin, "ACL SETUSER alice on >SECRET-a ~* +@all");
    must_do(admin, "ACL SETUSER guest on nopass ~* +@all");
    must_do(admin, "CONFIG SET requirepass SECRET-d");

    expect_refused(&o, -EACCES, "NOAUTH");
    o.password = "SECRET-wrong";
    expect_refused(&o, -EACCES, "WRONGPASS");
    o.password = "SECRET-d";
    redis_conn_free(must_open(&o));

    o.username = "alice";
    expect_refused(&o, -EACCES, "WRONGPASS");
    o.password = "SECRET-a";
    struct redis_conn *c = must_open(&o);
    expect_str(must_call(c, "ACL WHOAMI"), "alice");
    redis_conn_free(c);

    o.username = "guest";
    o.password = NULL;
    c = must_open(&o);
    expect_str(must_call(c, "ACL WHOAMI"), "guest");
    redis_conn_free(c);

    must_do(admin, "CONFIG SET requirepass %s", "");
    redis_conn_free(admin);
}
END_TEST

START_TEST(a_password_that_nobody_asked_for)
{
    struct redis_options o = server_options(&server);
    o.password = "SECRET";
    expect_refused(&o, -EACCES, "AUTH");
}
END_TEST

START_TEST(databases)
{
    struct redis_options o = server_options(&server);
    o.db = 3;
    struct redis_conn *three = must_open(&o);
    must_do(three, "SET where three");
    o.db = 0;
    struct redis_conn *zero = must_open(&o);
    ck_assert_int_eq(must_int(zero, "EXISTS where"), 0);
    redis_conn_free(zero);
    redis_conn_free(three);
    o.db = 4000;
    expect_refused(&o, -EINVAL, "SELECT");
}
END_TEST

START_TEST(the_server_knows_our_name)
{
    struct redis_options o = server_options(&server);
    o.name = "sluice-worker:1:fetch";
    struct redis_conn *c = must_open(&o);
    struct reply *list = must_call(c, "CLIENT LIST");
    ck_assert_ptr_nonnull(strstr(reply_str(list).p, "name=sluice-worker:1:fetch "));
    reply_free(list);
    redis_conn_free(c);
}
END_TEST

static int get_option(int fd, int level, int name)
{
    int value = 0;
    socklen_t len = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

START_TEST(sockets_are_set_up)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    ck_assert(fcntl(redis_conn_fd(c), F_GETFD) & FD_CLOEXEC);
    redis_conn_free(c);

    o.path = NULL;
    o.host = "127.0.0.1";
    o.port = server.port;
    c = must_open(&o);
    int fd = redis_conn_fd(c);
    ck_assert(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    ck_assert(!(fcntl(fd, F_GETFL) & O_NONBLOCK));
    ck_assert_int_eq(get_option(fd, IPPROTO_TCP, TCP_NODELAY), 1);
    ck_assert_int_eq(get_option(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
    /* The kernel gives up later than we do, and never the end of the connection: it says nothing.
     */
    ck_assert_int_ge(get_option(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 2 * o.socket_timeout_ms);
    int kept = dup(fd);
    ck_assert_int_ge(kept, 0);
    redis_conn_free(c);
    ck_assert_int_eq(get_option(kept, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
    (void)close(kept); /* nothing was sent */
}
END_TEST

START_TEST(nobody_there)
{
    struct redis_options o = server_options(&server);
    o.path = "/nonexistent/r.sock";
    expect_refused(&o, -ENOTCONN, "/nonexistent/r.sock");
    o.path = NULL;
    o.host = "127.0.0.1";
    o.port = redis_server_free_port();
    expect_refused(&o, -ENOTCONN, "refused");
    o.host = "no-such-host.invalid";
    expect_refused(&o, -ENOTCONN, "no-such-host.invalid");

    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    o.path = longer;
    expect_refused(&o, -EINVAL, "longer");
}
END_TEST

/* --- talking ------------------------------------------------------------------------------- */

START_TEST(arguments_are_binary_safe)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    struct command cmd = {0};
    command_text(&cmd, "SET");
    command_add(&cmd, (struct slice){all, sizeof all});
    command_copy(&cmd, (struct slice){all, sizeof all});
    ck_assert_int_eq(redis_call(c, &cmd, NULL, NULL), 0);
    command_release(&cmd);

    struct reply *r = must_call(c, "GET %b", all, sizeof all);
    ck_assert(slice_eq(reply_str(r), (struct slice){all, sizeof all}));
    reply_free(r);
    redis_conn_free(c);
}
END_TEST

/* hiredis makes room for it megabyte by megabyte, and AddressSanitizer copies it all each time. */
#ifdef __SANITIZE_ADDRESS__
enum { BIG_MIB = 8 };
#else
enum { BIG_MIB = 64 }; /* the greatest payload, unless told otherwise */
#endif

START_TEST(a_value_of_many_megabytes)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    size_t n = (size_t)BIG_MIB << 20;
    char *big = malloc(n);
    ck_assert_ptr_nonnull(big);
    for (size_t i = 0; i < n; i++)
        big[i] = (char)(i * 2654435761U >> 24);
    must_do(c, "SET big %b", big, n);
    struct reply *r = must_call(c, "GET big");
    ck_assert(slice_eq(reply_str(r), (struct slice){big, n}));
    reply_free(r);
    free(big);
    must_do(c, "DEL big");
    redis_conn_free(c);
}
END_TEST

static long peak_rss_kb(void)
{
    struct rusage used = {0};
    ck_assert_int_eq(getrusage(RUSAGE_SELF, &used), 0);
    return used.ru_maxrss;
}

/* The value is there, another connection goes on, and its bytes never were here. */
START_TEST(a_value_above_the_cap_is_not_read)
{
    enum { CAP = 1 << 20, GROWTH_KB = 16 << 10 };
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o), *other = must_open(&o);
    struct err err = {""};
    must_do(other, "EVAL %s 1 big", "redis.call('SET', KEYS[1], string.rep('x', 67108864))");
    long before_kb = peak_rss_kb();
    redis_conn_set_bulk_max(c, CAP);
    ck_assert_int_eq(redis_callf(c, NULL, &err, "EVAL %s 1 big",
                                 "return {'small', {1, redis.call('GET', KEYS[1])}}"),
                     -EMSGSIZE);
    ck_assert_msg(strstr(err.text, "more than 1048576 bytes") != NULL, "%s", err.text);
    ck_assert(redis_conn_broken(c));
    ck_assert_int_lt(peak_rss_kb() - before_kb, GROWTH_KB);
    ck_assert_int_eq(must_int(other, "STRLEN big"), 67108864);
    must_do(other, "DEL big");
    redis_conn_free(c);
    redis_conn_free(other);
}
END_TEST

START_TEST(an_array_of_a_million)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    struct reply *r =
        must_call(c, "EVAL %s 0", "local t = {} for i = 1, 1000000 do t[i] = i end return t");
    ck_assert_uint_eq(reply_count(r), 1000000);
    ck_assert_int_eq(reply_int(reply_at(r, 999999)), 1000000);
    reply_free(r);
    redis_conn_free(c);
}
END_TEST

START_TEST(an_error_reply_leaves_the_connection)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    must_do(c, "SET text x");
    struct reply *r = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_callf(c, &r, &err, "LPUSH text y"), -EMEDIUMTYPE);
    ck_assert_ptr_null(r);
    ck_assert_ptr_nonnull(strstr(err.text, "WRONGTYPE"));
    ck_assert(redis_conn_reusable(c));
    must_do(c, "PING");
    redis_conn_free(c);
}
END_TEST

START_TEST(pipelines_answer_in_order)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    struct command cmd = {0};
    for (int i = 0; i < 1000; i++) {
        command_clear(&cmd);
        command_text(&cmd, "ECHO");
        command_int(&cmd, i);
        ck_assert_int_eq(redis_conn_send(c, &cmd), 0);
    }
    command_release(&cmd);
    ck_assert(!redis_conn_reusable(c));
    for (int i = 0; i < 1000; i++) {
        struct reply *r = NULL;
        ck_assert_int_eq(redis_conn_read(c, &r, NULL), 0);
        ck_assert_int_eq(reply_int(r), i);
        reply_free(r);
    }
    ck_assert(redis_conn_reusable(c) && !redis_conn_stale(c));
    redis_conn_free(c);
}
END_TEST

static bool is_ready(struct redis_conn *c)
{
    bool ready = false;
    ck_assert_int_eq(redis_conn_poll(c, &ready), 0);
    return ready;
}

START_TEST(poll_never_blocks)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *waiter = must_open(&o), *other = must_open(&o);
    struct command cmd = {0};
    command_text(&cmd, "BLPOP");
    command_text(&cmd, "polled");
    command_text(&cmd, "0");
    ck_assert_int_eq(redis_conn_send(waiter, &cmd), 0);
    ck_assert_int_eq(redis_conn_flush(waiter, NULL), 0);
    command_release(&cmd);
    ck_assert(!is_ready(waiter));

    size_t n = 3 << 20; /* larger than any socket buffer: it arrives in pieces */
    char *value = calloc(1, n);
    must_do(other, "LPUSH polled %b", value, n);
    wait_until(20000, is_ready(waiter));
    ck_assert(is_ready(waiter)); /* asked again, it does not forget */
    struct reply *r = NULL;
    ck_assert_int_eq(redis_conn_read(waiter, &r, NULL), 0);
    ck_assert(slice_eq(reply_str(reply_at(r, 1)), (struct slice){value, n}));
    reply_free(r);
    free(value);
    must_do(waiter, "PING"); /* it blocks again as before */
    redis_conn_free(waiter);
    redis_conn_free(other);
}
END_TEST

/* --- waiting ------------------------------------------------------------------------------- */

START_TEST(the_wait_can_be_lengthened)
{
    struct redis_options o = server_options(&server);
    o.socket_timeout_ms = 100;
    struct redis_conn *c = must_open(&o);
    ck_assert_int_eq(redis_conn_set_timeout(c, 20000), 0);
    struct reply *r = must_call(c, "BLPOP nothing 0.3");
    ck_assert_int_eq(reply_type(r), REPLY_NIL);
    reply_free(r);
    ck_assert_int_eq(redis_conn_set_timeout(c, o.socket_timeout_ms), 0);
    struct err err = {""};
    ck_assert_int_eq(redis_callf(c, NULL, &err, "BLPOP nothing 20"), -ENOTCONN);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer within 100 ms"));
    ck_assert(redis_conn_broken(c));
    redis_conn_free(c);
}
END_TEST

START_TEST(a_late_reply_is_never_read)
{
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    o.socket_timeout_ms = 50;
    struct redis_conn *c = must_open(&o);
    uint64_t before = proxy_stats(&proxy).passed[PROXY_REPLIES];
    proxy_delay(&proxy, PROXY_REPLIES, 300);
    ck_assert_int_eq(redis_callf(c, NULL, NULL, "ECHO late"), -ENOTCONN);

    proxy_delay(&proxy, PROXY_REPLIES, 0);
    wait_until(20000, proxy_stats(&proxy).passed[PROXY_REPLIES] > before); /* now it is here */
    struct reply *r = NULL;
    bool ready = false;
    ck_assert_int_eq(redis_callf(c, &r, NULL, "ECHO next"), -ENOTCONN);
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), -ENOTCONN);
    ck_assert_int_eq(redis_conn_poll(c, &ready), -ENOTCONN);
    ck_assert_int_eq(redis_conn_flush(c, NULL), -ENOTCONN);
    ck_assert_ptr_null(r);
    ck_assert(redis_conn_stale(c) && !redis_conn_reusable(c));
    redis_conn_free(c);
    proxy_stop(&proxy);
}
END_TEST

static atomic_int interrupts;

static void on_signal(int sig)
{
    (void)sig;
    atomic_fetch_add(&interrupts, 1);
}

static void *interrupt(void *arg)
{
    pthread_t whom = *(pthread_t *)arg;
    for (int i = 0; i < 50; i++) {
        (void)pthread_kill(whom, SIGUSR1);
        (void)usleep(4000);
    }
    return NULL;
}

START_TEST(signals_do_not_break_a_wait)
{
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o);
    pthread_t self = pthread_self(), other;
    ck_assert_int_eq(pthread_create(&other, NULL, interrupt, &self), 0);
    while (atomic_load(&interrupts) < 40) {
        struct reply *r = must_call(c, "BLPOP nothing 0.05");
        ck_assert_int_eq(reply_type(r), REPLY_NIL);
        reply_free(r);
    }
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    redis_conn_free(c);
}
END_TEST

/* --- breaking ------------------------------------------------------------------------------ */

START_TEST(killed_by_the_server)
{
    struct redis_options o = server_options(&server);
    struct redis_conn *c = must_open(&o), *other = must_open(&o);
    int id = (int)must_int(c, "CLIENT ID");
    ck_assert(!redis_conn_stale(c));
    ck_assert_int_eq(must_int(other, "CLIENT KILL ID %d", id), 1);
    wait_until(20000, redis_conn_stale(c));
    ck_assert(!redis_conn_broken(c)); /* only found out, not tried */
    ck_assert_int_eq(redis_callf(c, NULL, NULL, "PING"), -ENOTCONN);
    ck_assert(redis_conn_broken(c));
    redis_conn_free(c);
    redis_conn_free(other);
}
END_TEST

START_TEST(stale_after_a_restart)
{
    struct redis_server own;
    must_start(&own, NULL);
    struct redis_options o = server_options(&own);
    struct redis_conn *c = must_open(&o);
    redis_server_kill(&own);
    must_restart(&own);
    ck_assert(redis_conn_stale(c));
    redis_conn_free(c);
    redis_conn_free(must_open(&o));
    redis_server_free(&own);
}
END_TEST

START_TEST(frozen_server)
{
    struct redis_server own;
    must_start(&own, NULL);
    struct redis_options o = server_options(&own);
    o.socket_timeout_ms = o.connect_timeout_ms = 100;
    struct redis_conn *c = must_open(&o);
    redis_server_pause(&own);
    ck_assert_int_eq(redis_callf(c, NULL, NULL, "PING"), -ENOTCONN);
    expect_refused(&o, -ENOTCONN, "no answer"); /* the kernel accepts, nobody answers */
    redis_server_resume(&own);
    redis_conn_free(c);
    o.connect_timeout_ms = 20000;
    redis_conn_free(must_open(&o));
    redis_server_free(&own);
}
END_TEST

START_TEST(a_reply_cut_at_every_byte)
{
    static const char wire[] = "*3\r\n$5\r\nhello\r\n:7\r\n$-1\r\n";
    const char *script = "return {'hello', 7, false}";
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    for (size_t k = 0; k < sizeof wire; k++) {
        struct redis_conn *c = must_open(&o);
        proxy_cut(&proxy, PROXY_REPLIES, (int64_t)k);
        struct reply *r = NULL;
        int rc = redis_callf(c, &r, NULL, "EVAL %s 0", script);
        if (k < sizeof wire - 1) {
            ck_assert_int_eq(rc, -ENOTCONN);
            ck_assert_ptr_null(r);
            ck_assert(redis_conn_broken(c));
        } else { /* all of it has passed before the cut */
            ck_assert_int_eq(rc, 0);
            ck_assert(slice_is(reply_str(reply_at(r, 0)), "hello"));
            ck_assert_int_eq(reply_int(reply_at(r, 1)), 7);
            wait_until(20000, redis_conn_stale(c));
        }
        ck_assert_uint_eq(proxy_stats(&proxy).cuts, k + 1);
        reply_free(r);
        redis_conn_free(c);
    }
    proxy_stop(&proxy);
}
END_TEST

START_TEST(a_request_cut_at_every_byte)
{
    static const char wire[] = "*3\r\n$3\r\nSET\r\n$3\r\ncut\r\n$2\r\n10\r\n";
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options direct = server_options(&server), o = proxy_options(&proxy);
    struct redis_conn *observer = must_open(&direct);
    must_do(observer, "SET cut 0");
    for (int k = 0; k < (int)sizeof wire; k++) {
        struct redis_conn *c = must_open(&o);
        proxy_cut(&proxy, PROXY_REQUESTS, k);
        ck_assert_int_eq(redis_callf(c, NULL, NULL, "SET cut %d", 10 + k), -ENOTCONN);
        ck_assert_uint_eq(proxy_stats(&proxy).cuts, (uint64_t)k + 1);
        redis_conn_free(c);
        if (k < (int)sizeof wire - 1)
            ck_assert_int_eq(must_int(observer, "GET cut"), 0);
        else /* the same error, and yet it has happened: only the caller can find out */
            wait_until(20000, must_int(observer, "GET cut") == 10 + k);
    }
    redis_conn_free(observer);
    proxy_stop(&proxy);
}
END_TEST

START_TEST(a_black_hole_times_out)
{
    struct proxy proxy;
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    struct redis_options o = proxy_options(&proxy);
    o.socket_timeout_ms = 100;
    for (enum proxy_lane lane = PROXY_REQUESTS; lane < PROXY_LANES; lane++) {
        struct redis_conn *c = must_open(&o);
        proxy_black_hole(&proxy, lane, true);
        ck_assert_int_eq(redis_callf(c, NULL, NULL, "PING"), -ENOTCONN);
        ck_assert_uint_gt(proxy_stats(&proxy).swallowed[lane], 0);
        proxy_black_hole(&proxy, lane, false);
        redis_conn_free(c);
    }
    proxy_stop(&proxy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/conn");
    TCase *t = tcase_create("conn");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_test(t, passwords_and_users);
    tcase_add_test(t, a_password_that_nobody_asked_for);
    tcase_add_test(t, databases);
    tcase_add_test(t, the_server_knows_our_name);
    tcase_add_test(t, sockets_are_set_up);
    tcase_add_test(t, nobody_there);
    tcase_add_test(t, arguments_are_binary_safe);
    tcase_add_test(t, a_value_of_many_megabytes);
    tcase_add_test(t, a_value_above_the_cap_is_not_read);
    tcase_add_test(t, an_array_of_a_million);
    tcase_add_test(t, an_error_reply_leaves_the_connection);
    tcase_add_test(t, pipelines_answer_in_order);
    tcase_add_test(t, poll_never_blocks);
    tcase_add_test(t, the_wait_can_be_lengthened);
    tcase_add_test(t, a_late_reply_is_never_read);
    tcase_add_test(t, signals_do_not_break_a_wait);
    tcase_add_test(t, killed_by_the_server);
    tcase_add_test(t, stale_after_a_restart);
    tcase_add_test(t, frozen_server);
    tcase_add_test(t, a_reply_cut_at_every_byte);
    tcase_add_test(t, a_request_cut_at_every_byte);
    tcase_add_test(t, a_black_hole_times_out);
    suite_add_tcase(s, t);
    return s;
}
