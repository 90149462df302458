/*
 * Where the master is, asked of sentinels: canned ones, for every answer that a sentinel may give,
 * in front of a real master and a real replica. tests/fault/test_failover.c has a real sentinel.
 */
#include "support/support.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "support/canned.h"
#include "support/pool_fixture.h"
#include "support/redis_fixture.h"
#include "support/sluice.h"
#include "support/worker_process.h"

enum { HANG_MS = 60000, DEADLINE_MS = 20000, SENTINELS_MAX = 3 };

/* A sentinel with one answer, on a port of its own. */
struct sentinel {
    struct canned canned;
    struct proxy proxy;
    char text[256];
};

static struct redis_server master, replica;
static struct sentinel sentinel[SENTINELS_MAX];
static struct redis_address address[SENTINELS_MAX];
static int count; /* of those in use */

/* greeting: what comes before the answer. */
static struct sentinel *add_with(const char *greeting, const char *answer)
{
    struct sentinel *s = &sentinel[count];
    (void)snprintf(s->text, sizeof s->text, "%s%s", greeting, answer);
    ck_assert_int_eq(canned_start(&s->canned, slice_of(s->text)), 0);
    ck_assert_int_eq(proxy_start(&s->proxy, s->canned.socket, NULL), 0);
    address[count++] = (struct redis_address){"127.0.0.1", s->proxy.port};
    return s;
}

static struct sentinel *add(const char *answer)
{
    return add_with("+PONG\r\n", answer);
}

static const char *names(const char *host, int port)
{
    static char text[128];
    char digits[16];
    int n = snprintf(digits, sizeof digits, "%d", port);
    (void)snprintf(text, sizeof text, "*2\r\n$%zu\r\n%s\r\n$%d\r\n%s\r\n", strlen(host), host, n,
                   digits);
    return text;
}

static void add_dead(void)
{
    address[count++] = (struct redis_address){"127.0.0.1", redis_server_free_port()};
}

static struct redis_options options(void)
{
    return (struct redis_options){.sentinels = address,
                                  .nsentinels = count,
                                  .service = "svc",
                                  .connect_timeout_ms = DEADLINE_MS,
                                  .socket_timeout_ms = DEADLINE_MS};
}

static void must_lead_to(int port)
{
    struct redis_options o = options();
    struct redis_conn *c = must_open(&o);
    struct reply *r = must_call(c, "CONFIG GET port");
    ck_assert_int_eq(reply_int(reply_at(r, 1)), port);
    reply_free(r);
    redis_conn_free(c);
}

static void must_fail(struct redis_options o, int code, const char *why)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    int rc = redis_conn_open(&o, &c, &err);
    ck_assert_msg(rc == code && strstr(err.text, why), "%d: %s", rc, err.text);
    ck_assert_ptr_null(c);
}

static void start_both(void)
{
    char port[16];
    must_start(&master, &(struct redis_server_options){.tcp = true});
    (void)snprintf(port, sizeof port, "%d", master.port);
    must_start(
        &replica,
        &(struct redis_server_options){
            .tcp = true, .extra = (const char *const[]){"--replicaof", "127.0.0.1", port, NULL}});
}

static void stop_both(void)
{
    redis_server_free(&replica);
    redis_server_free(&master);
}

static void stop_sentinels(void)
{
    for (int i = 0; i < SENTINELS_MAX; i++)
        if (sentinel[i].proxy.thread.started) {
            proxy_stop(&sentinel[i].proxy);
            canned_stop(&sentinel[i].canned);
        }
}

/* --- connecting ---------------------------------------------------------------------------- */

START_TEST(a_sentinel_leads_to_the_master)
{
    add(names("127.0.0.1", master.port));
    must_lead_to(master.port);
    must_lead_to(master.port);
    ck_assert_uint_eq(proxy_stats(&sentinel[0].proxy).accepted, 2); /* each is asked for anew */
}
END_TEST

START_TEST(the_next_one_is_asked)
{
    add_dead();
    struct sentinel *ignorant = add("*-1\r\n");
    struct sentinel *good = add(names("localhost", master.port));
    must_lead_to(master.port);
    ck_assert_uint_eq(proxy_stats(&ignorant->proxy).accepted, 1);
    must_lead_to(master.port); /* and comes first from then on */
    ck_assert_uint_eq(proxy_stats(&ignorant->proxy).accepted, 1);
    ck_assert_uint_eq(proxy_stats(&good->proxy).accepted, 2);
}
END_TEST

START_TEST(what_each_came_to_is_told)
{
    add_dead();
    add("*-1\r\n");
    add(names("127.0.0.1", replica.port));
    must_fail(options(), -ENOTCONN, ": Connection refused; sentinel 127.0.0.1 port ");
    must_fail(options(), -ENOTCONN, ": it does not know the service \"svc\"; sentinel");
    must_fail(options(), -ENOTCONN, ": this is no master but a replica");
    struct redis_options o = options();
    o.password = o.sentinel_password = "SECRET";
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_ne(redis_conn_open(&o, &c, &err), 0);
    ck_assert_ptr_null(strstr(err.text, "SECRET"));
    ck_assert_msg(strncmp(err.text, "redis+sentinel://127.0.0.1:", 27) == 0, "%s", err.text);
}
END_TEST

START_TEST(a_replica_is_not_taken_for_the_master)
{
    add(names("127.0.0.1", replica.port));
    add(names("127.0.0.1", redis_server_free_port()));
    add(names("127.0.0.1", master.port));
    must_lead_to(master.port);
}
END_TEST

START_TEST(a_slow_sentinel_does_not_cost_the_deadline)
{
    struct sentinel *slow = add(names("127.0.0.1", master.port));
    add(names("127.0.0.1", master.port));
    proxy_black_hole(&slow->proxy, PROXY_REPLIES, true);
    struct redis_options o = options();
    o.connect_timeout_ms = 4000;
    struct redis_conn *c = must_open(&o);
    redis_conn_free(c);
    ck_assert_uint_gt(proxy_stats(&slow->proxy).swallowed[PROXY_REPLIES], 0);

    proxy_black_hole(&sentinel[1].proxy, PROXY_REPLIES, true); /* now both */
    o.connect_timeout_ms = 400;
    int64_t began_ns = clock_now_ns();
    must_fail(o, -ENOTCONN, "no answer within ");
    ck_assert_int_le((clock_now_ns() - began_ns) / NS_PER_MS, HANG_MS);
}
END_TEST

static const char *const odd[] = {
    "+OK\r\n",
    ":1\r\n",
    "*0\r\n",
    "*1\r\n$9\r\n127.0.0.1\r\n",
    "*2\r\n$9\r\n127.0.0.1\r\n$1\r\n0\r\n",
    "*2\r\n$9\r\n127.0.0.1\r\n$5\r\n99999\r\n",
    "*2\r\n$0\r\n\r\n$4\r\n6379\r\n",
    "-ERR unknown command 'SENTINEL'\r\n",
    "-IDONTKNOW I have not enough information to reply.\r\n",
};

START_TEST(odd_answers)
{
    add(odd[_i]);
    must_fail(options(), -ENOTCONN, "sentinel 127.0.0.1 port");
}
END_TEST

START_TEST(credentials_are_the_sentinels_own)
{
    struct redis_options admin = server_options(&master);
    struct redis_conn *c = must_open(&admin);
    must_do(c, "ACL SETUSER me on >pw ~* &* +@all");
    struct sentinel *bad = add_with("-WRONGPASS no\r\n", "-NOAUTH no\r\n");
    (void)add_with("+OK\r\n+PONG\r\n", names("127.0.0.1", master.port));
    count = 1;
    struct redis_options o = options();
    o.sentinel_username = "su";
    o.sentinel_password = "SECRET";
    must_fail(o, -EACCES, ": AUTH: Redis: WRONGPASS");

    count = 2;
    o = options();
    o.sentinel_password = "SECRET";
    o.username = "me";
    o.password = "pw";
    struct redis_conn *to = must_open(&o);
    ck_assert(answers_with(to, "me", "ACL WHOAMI"));
    ck_assert_uint_eq(proxy_stats(&bad->proxy).accepted, 2);
    redis_conn_free(to);
    redis_conn_free(c);
}
END_TEST

static bool has_ipv6(void)
{
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0)
        (void)close(fd);
    return yes;
}

START_TEST(an_ipv6_master)
{
    if (!has_ipv6())
        return; /* there is nothing to test with */
    struct redis_options admin = server_options(&master);
    struct redis_conn *c = must_open(&admin);
    must_do(c, "CONFIG SET bind %s", "127.0.0.1 ::1");
    add(names("::1", master.port));
    must_lead_to(master.port);
    redis_conn_free(c);
}
END_TEST

/* --- the pool ------------------------------------------------------------------------------ */

static struct redis_pool *new_pool(struct redis_options redis)
{
    struct redis_pool_options o = {.redis = redis, .permits = 3, .max_connections = 3};
    o.redis.master = true;
    return must_pool(&o);
}

static int open_now(struct redis_pool *pool)
{
    struct redis_pool_stats s = pool_stats(pool);
    return s.connections_open;
}

/* One connection hears that its server is no master any more: no other of that time is used again.
 * The sentinel has known it all along. */
START_TEST(connections_from_before_a_demotion_are_dropped)
{
    struct redis_options admin = server_options(&master);
    struct redis_conn *at_master = must_open(&admin);
    admin = server_options(&replica);
    struct redis_conn *at_replica = must_open(&admin);
    add(names("127.0.0.1", master.port));
    struct sentinel *later = add(names("127.0.0.1", replica.port));
    count = 1;
    struct redis_pool *pool = new_pool(options());
    struct redis_conn *c[3];
    for (int i = 0; i < 3; i++)
        c[i] = must_take(pool);
    redis_pool_give(pool, c[0]); /* it lies idle, one hears it, one is in use */
    must_do(at_replica, "REPLICAOF NO ONE");
    must_do(at_master, "REPLICAOF 127.0.0.1 %d", replica.port);
    proxy_retarget(&sentinel[0].proxy, later->canned.socket);

    struct err err = {""};
    ck_assert_int_eq(redis_callf(c[1], NULL, &err, "SET a 1"), -EROFS);
    ck_assert_int_eq(redis_callf(c[1], NULL, &err, "PING"), -EROFS); /* not even sent */
    ck_assert_str_eq(err.text, "Redis is no master any more");
    redis_pool_give(pool, c[1]);
    redis_pool_give(pool, c[2]);
    ck_assert_int_eq(open_now(pool), 1);
    struct redis_conn *new = must_take(pool);
    ck_assert_int_eq(open_now(pool), 1);
    must_do(new, "SET a 2");
    redis_pool_give(pool, new);
    ck_assert_int_eq(open_now(pool), 1); /* that one is of the new epoch and stays */
    ck_assert(answers_with(at_replica, "2", "GET a"));
    redis_pool_free(pool);
    redis_conn_free(at_master);
    redis_conn_free(at_replica);
}
END_TEST

/* A plain address may lead to a replica for a while, as it does during a failover. */
START_TEST(a_pool_that_wants_a_master_waits_for_one)
{
    struct redis_options o = server_options(&replica);
    struct redis_conn *admin = must_open(&o), *c = NULL;
    struct redis_pool *pool = new_pool(o);
    struct err err = {""};
    ck_assert_int_eq(redis_pool_take(pool, clock_deadline_ms(300), &c, &err), -EROFS);
    ck_assert_msg(strstr(err.text, "this is no master but a replica"), "%s", err.text);
    struct redis_pool_stats s = pool_stats(pool);
    ck_assert_uint_le(s.connect_failures, 10); /* 50 ms, doubling */
    must_do(admin, "REPLICAOF NO ONE");
    redis_pool_give(pool, must_take(pool));
    redis_pool_free(pool);
    redis_conn_free(admin);
}
END_TEST

START_TEST(who_may_not_ask_for_the_role_is_let_in)
{
    struct redis_options o = server_options(&master);
    struct redis_conn *admin = must_open(&o);
    must_do(admin, "ACL SETUSER w on >pw ~* &* +@all -role");
    o.username = "w";
    o.password = "pw";
    o.master = true;
    redis_conn_free(must_open(&o));
    redis_conn_free(admin);
}
END_TEST

/* --- the programs -------------------------------------------------------------------------- */

static const char *url(void)
{
    static char text[256];
    int n = snprintf(text, sizeof text, "redis+sentinel://me:SECRET@");
    for (int i = 0; i < count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%s127.0.0.1:%d", i > 0 ? "," : "",
                      address[i].port);
    (void)snprintf(text + n, sizeof text - (size_t)n, "/svc");
    return text;
}

START_TEST(a_command_says_why_and_leaves_with_69)
{
    add_dead();
    add("*-1\r\n");
    struct sluice r = sluice(NULL, NULL, "stats", "--redis", url());
    ck_assert_int_eq(r.status, 69);
    ck_assert_ptr_nonnull(strstr(r.err, "Connection refused; sentinel"));
    ck_assert_ptr_nonnull(strstr(r.err, "it does not know the service \"svc\"\n"));
    ck_assert_ptr_null(strstr(r.err, "SECRET"));
    sluice_free(&r);
}
END_TEST

START_TEST(a_command_finds_its_master)
{
    struct redis_options admin = server_options(&master);
    struct redis_conn *c = must_open(&admin);
    must_do(c, "ACL SETUSER me on >SECRET ~* &* +@all");
    add(names("127.0.0.1", master.port));
    struct sluice r = sluice(NULL, NULL, "enqueue", "test", "--redis", url());
    ck_assert_msg(r.status == 0, "%s", r.err);
    ck_assert_int_eq(must_int(c, "LLEN queue:default"), 1);
    sluice_free(&r);
    redis_conn_free(c);
}
END_TEST

START_TEST(a_worker_says_why_and_goes_on_trying)
{
    static const char settings[] = "worker: {threads: 2}\nhandlers:\n" TEST_HANDLER;
    struct redis_options admin = server_options(&master);
    struct redis_conn *c = must_open(&admin);
    struct worker_process w;
    must_do(c, "ACL SETUSER me on >SECRET ~* &* +@all");
    struct sentinel *s = add("*-1\r\n");
    struct sentinel *later = add(names("127.0.0.1", master.port));
    count = 1;
    worker_process_spawn(&w, &master, &(struct worker_options){.settings = settings, .url = url()});
    wait_until(HANG_MS, worker_process_said(&w, "it does not know the service"));
    proxy_retarget(&s->proxy, later->canned.socket);
    worker_process_wait_ready(&w, "");
    ck_assert_int_eq(worker_process_stop(&w), 0);
    ck_assert(!worker_process_said(&w, "SECRET"));
    worker_process_free(&w);
    redis_conn_free(c);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/sentinel");
    TCase *t = tcase_create("sentinel");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, start_both, stop_both);
    tcase_add_checked_fixture(t, NULL, stop_sentinels);
    tcase_add_test(t, a_sentinel_leads_to_the_master);
    tcase_add_test(t, the_next_one_is_asked);
    tcase_add_test(t, what_each_came_to_is_told);
    tcase_add_test(t, a_replica_is_not_taken_for_the_master);
    tcase_add_test(t, a_slow_sentinel_does_not_cost_the_deadline);
    tcase_add_loop_test(t, odd_answers, 0, sizeof odd / sizeof odd[0]);
    tcase_add_test(t, credentials_are_the_sentinels_own);
    tcase_add_test(t, an_ipv6_master);
    tcase_add_test(t, connections_from_before_a_demotion_are_dropped);
    tcase_add_test(t, a_pool_that_wants_a_master_waits_for_one);
    tcase_add_test(t, who_may_not_ask_for_the_role_is_let_in);
    tcase_add_test(t, a_command_says_why_and_leaves_with_69);
    tcase_add_test(t, a_command_finds_its_master);
    tcase_add_test(t, a_worker_says_why_and_goes_on_trying);
    suite_add_tcase(s, t);
    return s;
}
