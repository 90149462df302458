/*
 * Redis over TLS, against a real server with certificates made on the spot: only the right name
 * under the right authority gets through. In a build without TLS, rediss:// is refused by name.
 */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redis/pool.h"
#include "support/canned.h"
#include "support/certs.h"
#include "support/redis_fixture.h"

static struct redis_server server;
static char port[16];
static struct certs certs;
static struct cert_path ca, other_ca, client_cert, client_key;

static struct redis_options tls_options(const char *host)
{
    return (struct redis_options){.host = host,
                                  .port = atoi(port),
                                  .tls = true,
                                  .tls_ca = ca.text,
                                  .connect_timeout_ms = 30000,
                                  .socket_timeout_ms = 30000};
}

static void expect_refused(const struct redis_options *o, int code, const char *word)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_msg(redis_conn_open(o, &c, &err) == code, "%s", err.text);
    ck_assert_ptr_null(c);
    ck_assert_msg(strstr(err.text, word) != NULL, "%s", err.text);
}

/* --- without TLS --------------------------------------------------------------------------- */

START_TEST(unsupported_is_refused_by_name)
{
    struct redis_options o = {0};
    char *storage = NULL;
    ck_assert_int_eq(redis_url_parse("rediss://127.0.0.1:6379", &o, &storage, NULL), 0);
    o.connect_timeout_ms = o.socket_timeout_ms = 1000;
    const char *sentence = "rediss:// needs a build with hiredis_ssl (hiredis 1.0 or later)";
    expect_refused(&o, -EINVAL, sentence);

    struct redis_pool_options p = {.redis = o, .permits = 1, .max_connections = 1};
    struct redis_pool *pool = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_pool_new(&p, &pool, &err), -EINVAL); /* at the start, not later */
    ck_assert_str_eq(err.text, sentence);
    free(storage);
}
END_TEST

/* --- with TLS ------------------------------------------------------------------------------ */

static void start_tls_server(void)
{
    certs_make(&certs);
    ca = certs_path(&certs, "ca.pem");
    other_ca = certs_path(&certs, "other.pem");
    client_cert = certs_path(&certs, "client.pem");
    client_key = certs_path(&certs, "client.key");
    struct cert_path cert = certs_path(&certs, "server.pem");
    struct cert_path key = certs_path(&certs, "server.key");
    (void)snprintf(port, sizeof port, "%d", redis_server_free_port());
    must_start(&server,
               &(struct redis_server_options){
                   .tcp = true,
                   .extra = (const char *const[]){"--tls-port", port, "--tls-cert-file", cert.text,
                                                  "--tls-key-file", key.text, "--tls-ca-cert-file",
                                                  ca.text, "--tls-auth-clients", "no", NULL}});
}

static void stop_tls_server(void)
{
    redis_server_free(&server);
    certs_remove(&certs);
}

START_TEST(the_right_host)
{
    const char *const hosts[] = {"localhost", "127.0.0.1"};
    for (int i = 0; i < 2; i++) {
        struct redis_options o = tls_options(hosts[i]);
        o.name = "tls";
        struct redis_conn *c = must_open(&o);
        ck_assert(!redis_conn_stale(c)); /* session tickets have been read with the greeting */
        size_t n = 5 << 20;
        char *big = calloc(1, n);
        must_do(c, "SET big %b", big, n);
        struct reply *r = must_call(c, "GET big");
        ck_assert(slice_eq(reply_str(r), (struct slice){big, n}));
        reply_free(r);
        free(big);
        redis_conn_free(c);
    }
}
END_TEST

START_TEST(the_wrong_host)
{
    struct redis_options admin = server_options(&server);
    struct redis_conn *c = must_open(&admin);
    must_do(c, "CONFIG SET tls-cert-file %s/elsewhere.pem tls-key-file %s/elsewhere.key", certs.dir,
            certs.dir);
    struct redis_options o = tls_options("localhost");
    expect_refused(&o, -ENOTCONN, "hostname mismatch");
    o.host = "127.0.0.1";
    expect_refused(&o, -ENOTCONN, "IP address mismatch");
    must_do(c, "CONFIG SET tls-cert-file %s/server.pem tls-key-file %s/server.key", certs.dir,
            certs.dir);
    redis_conn_free(must_open(&o));
    redis_conn_free(c);
}
END_TEST

START_TEST(the_wrong_authority)
{
    struct redis_options o = tls_options("localhost");
    o.tls_ca = other_ca.text;
    expect_refused(&o, -ENOTCONN, "TLS");
    o.tls_ca = NULL; /* the system's authorities do not know ours either */
    expect_refused(&o, -ENOTCONN, "TLS");
    o.tls_ca = ca.text; /* and the kept context is not taken for another one */
    redis_conn_free(must_open(&o));
}
END_TEST

START_TEST(unusable_settings)
{
    struct redis_options o = tls_options("localhost");
    o.tls_ca = "/nonexistent/ca.pem";
    expect_refused(&o, -EINVAL, "/nonexistent/ca.pem");
    o.tls_ca = ca.text;
    o.tls_cert = client_cert.text;
    expect_refused(&o, -EINVAL, "together");
    o.tls_key = ca.text;
    expect_refused(&o, -EINVAL, "client key");
    o.tls_cert = o.tls_key = NULL;
    o.path = server.socket;
    expect_refused(&o, -EINVAL, "unix socket");
}
END_TEST

START_TEST(client_certificates)
{
    struct redis_options admin = server_options(&server);
    struct redis_conn *c = must_open(&admin);
    must_do(c, "CONFIG SET tls-auth-clients yes");
    struct redis_options o = tls_options("localhost");
    struct redis_conn *none = NULL;
    ck_assert_int_eq(redis_conn_open(&o, &none, NULL), -ENOTCONN);
    o.tls_cert = client_cert.text;
    o.tls_key = client_key.text;
    redis_conn_free(must_open(&o));
    must_do(c, "CONFIG SET tls-auth-clients no");
    redis_conn_free(c);
}
END_TEST

START_TEST(a_plaintext_port_does_not_hang)
{
    struct redis_options o = tls_options("127.0.0.1");
    o.port = server.port;
    o.connect_timeout_ms = 300;
    expect_refused(&o, -ENOTCONN, "TLS");
}
END_TEST

START_TEST(plaintext_to_a_tls_port_is_refused)
{
    struct redis_options o = tls_options("127.0.0.1");
    o.tls = false;
    o.connect_timeout_ms = 300;
    struct redis_conn *none = NULL;
    ck_assert_int_eq(redis_conn_open(&o, &none, NULL), -ENOTCONN);
}
END_TEST

START_TEST(timeouts_and_polling)
{
    struct redis_options o = tls_options("localhost");
    o.socket_timeout_ms = 100;
    struct redis_conn *c = must_open(&o), *other = must_open(&o);
    struct err err = {""};
    ck_assert_int_eq(redis_callf(other, NULL, &err, "BLPOP nothing 0"), -ENOTCONN);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer within 100 ms"));
    redis_conn_free(other);

    struct command cmd = {0};
    command_text(&cmd, "ECHO");
    command_text(&cmd, "polled");
    ck_assert_int_eq(redis_conn_send(c, &cmd), 0);
    ck_assert_int_eq(redis_conn_flush(c, NULL), 0);
    command_release(&cmd);
    bool ready = false;
    wait_until(20000, redis_conn_poll(c, &ready) == 0 && ready);
    struct reply *r = NULL;
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), 0);
    ck_assert(slice_is(reply_str(r), "polled"));
    reply_free(r);
    redis_conn_free(c);
}
END_TEST

/* The sentinel is asked without TLS, and its master's name is what the certificate must be for. */
START_TEST(through_a_sentinel)
{
    struct canned canned;
    struct proxy sentinel;
    char answer[128], url[64];
    (void)snprintf(answer, sizeof answer, "+PONG\r\n*2\r\n$9\r\nlocalhost\r\n$%zu\r\n%s\r\n",
                   strlen(port), port);
    ck_assert_int_eq(canned_start(&canned, slice_of(answer)), 0);
    ck_assert_int_eq(proxy_start(&sentinel, canned.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "rediss+sentinel://127.0.0.1:%d/svc", sentinel.port);
    struct redis_options o = tls_options(NULL);
    char *storage = NULL;
    ck_assert_int_eq(redis_url_parse(url, &o, &storage, NULL), 0);
    struct redis_conn *c = must_open(&o);
    must_do(c, "PING");
    redis_conn_free(c);
    o.tls_ca = other_ca.text;
    expect_refused(&o, -ENOTCONN, "it names the master localhost port");
    free(storage);
    proxy_stop(&sentinel);
    canned_stop(&canned);
}
END_TEST

START_TEST(pooled)
{
    struct redis_pool_options p = {
        .redis = tls_options("localhost"), .permits = 4, .max_connections = 4};
    struct redis_pool *pool = NULL;
    ck_assert_int_eq(redis_pool_new(&p, &pool, NULL), 0);
    for (int i = 0; i < 20; i++) {
        struct redis_conn *c = NULL;
        ck_assert_int_eq(redis_pool_take(pool, clock_deadline_ms(30000), &c, NULL), 0);
        must_do(c, "PING");
        redis_pool_give(pool, c);
    }
    struct redis_pool_stats s;
    redis_pool_stats(pool, &s);
    ck_assert_uint_eq(s.connects, 1); /* an idle TLS connection is not mistaken for a stale one */
    redis_pool_free(pool);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/tls");
    TCase *t = tcase_create(redis_tls_supported() ? "supported" : "unsupported");
    tcase_set_timeout(t, 60);
    if (redis_tls_supported()) {
        tcase_add_unchecked_fixture(t, start_tls_server, stop_tls_server);
        tcase_add_test(t, the_right_host);
        tcase_add_test(t, the_wrong_host);
        tcase_add_test(t, the_wrong_authority);
        tcase_add_test(t, unusable_settings);
        tcase_add_test(t, client_certificates);
        tcase_add_test(t, a_plaintext_port_does_not_hang);
        tcase_add_test(t, plaintext_to_a_tls_port_is_refused);
        tcase_add_test(t, timeouts_and_polling);
        tcase_add_test(t, through_a_sentinel);
        tcase_add_test(t, pooled);
    } else {
        tcase_add_test(t, unsupported_is_refused_by_name);
    }
    suite_add_tcase(s, t);
    return s;
}
