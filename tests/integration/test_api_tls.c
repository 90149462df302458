/* The API over TLS: who is trusted, what is refused at the start, a renewed certificate. */
#include "support/certs.h"
#include "support/program.h"
#include "test_api.h"

static struct certs certs;

static void make_certs(void)
{
    certs_make(&certs);
}

static void remove_certs(void)
{
    certs_remove(&certs);
}

static void start_secure(const char *name)
{
    char settings[512], pem[32], key[32];
    (void)snprintf(pem, sizeof pem, "%s.pem", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    (void)snprintf(settings, sizeof settings, "api: {tls_cert: \"%s\", tls_key: \"%s\"}\n",
                   certs_path(&certs, pem).text, certs_path(&certs, key).text);
    start_api(settings);
}

/* curl's exit status; what it got is at the end of p->out until program_end(). */
static int curl(struct program *p, const char *host, const char *ca, const char *path)
{
    char url[128];
    (void)snprintf(url, sizeof url, "https://%s:%d%s", host, port, path);
    *p = (struct program){.env = {NULL}};
    program_start(p, (const char *const[]){"/usr/bin/env", "curl", "-sS", "--noproxy", "*",
                                           "--cacert", certs_path(&certs, ca).text, url, NULL});
    return program_wait(p);
}

static bool serves(const char *ca)
{
    struct program p;
    int status = curl(&p, "localhost", ca, "/livez");
    bool ok = status == 0 && strcmp(p.out, "{\"status\":\"ok\"}\n") == 0;
    program_end(&p);
    return ok;
}

START_TEST(it_serves_who_trusts_it)
{
    enum { CURL_NO_TRUST = 60 };
    struct program p;
    start_secure("server");
    ck_assert(serves("ca.pem"));
    ck_assert_int_eq(curl(&p, "localhost", "other.pem", "/livez"), CURL_NO_TRUST);
    program_end(&p);
    struct answer a = get("/livez"); /* without TLS it says nothing */
    ck_assert_int_eq(a.status, 0);
    free(a.text);
}
END_TEST

/* A stream of events flows as it does without TLS, and ends with its job. */
START_TEST(events_flow)
{
    struct program p;
    start_secure("server");
    must_do(redis, "RPUSH sluice:stream:j %s %s", "{\"n\":1}",
            "{\"type\":\"status\",\"status\":\"completed\"}");
    ck_assert_int_eq(curl(&p, "localhost", "ca.pem", "/v1/jobs/j/events"), 0);
    ck_assert_ptr_nonnull(strstr(p.out, "id: 1\ndata: {\"n\":1}\n\nid: 2\n"));
    program_end(&p);
}
END_TEST

START_TEST(a_renewed_certificate_is_taken)
{
    char from[64], to[64];
    start_secure("server");
    ck_assert(serves("ca.pem"));
    /* First only one of the two: the old pair stays. */
    (void)snprintf(from, sizeof from, "%s", certs_path(&certs, "elsewhere.pem").text);
    (void)snprintf(to, sizeof to, "%s", certs_path(&certs, "server.pem").text);
    ck_assert_int_eq(rename(from, to), 0);
    worker_process_signal(&worker, SIGHUP);
    wait_said("this is not the key of the certificate");
    ck_assert(serves("ca.pem"));
    (void)snprintf(from, sizeof from, "%s", certs_path(&certs, "elsewhere.key").text);
    (void)snprintf(to, sizeof to, "%s", certs_path(&certs, "server.key").text);
    ck_assert_int_eq(rename(from, to), 0);
    worker_process_signal(&worker, SIGHUP);
    wait_said("settings reloaded");
    ck_assert(!serves("ca.pem")); /* it is for another host now */
}
END_TEST

static void must_not_start(const char *pem, const char *key, const char *line)
{
    char settings[256], path[64];
    (void)snprintf(path, sizeof path, "%s/api.yaml", certs.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    (void)snprintf(settings, sizeof settings, "api:\n%s%s%s%s%s%s", pem ? "  tls_cert: \"" : "",
                   pem ? certs_path(&certs, pem).text : "", pem ? "\"\n" : "",
                   key ? "  tls_key: \"" : "", key ? certs_path(&certs, key).text : "",
                   key ? "\"\n" : "");
    ck_assert_int_ge(fputs(settings, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    struct program p = {.env = {NULL}};
    program_start(&p, (const char *const[]){API_PROGRAM, "--config", path, NULL});
    ck_assert_int_eq(program_wait(&p), 2);
    program_read(&p);
    ck_assert_msg(strstr(p.err, line) != NULL, "%s", p.err);
    program_end(&p);
}

START_TEST(what_cannot_work_says_so)
{
    must_not_start("server.pem", NULL, "api.yaml:2: api.tls_cert is given without api.tls_key");
    must_not_start("nothing.pem", "server.key", "nothing.pem: No such file or directory");
    must_not_start("server.key", "server.key", "server.key: ");
    must_not_start("server.pem", "elsewhere.key", "elsewhere.key: this is not the key of the");
}
END_TEST

Suite *test_suite(void);
Suite *test_suite(void)
{
    Suite *suite = suite_create("the API over TLS");
    TCase *tc = new_case(suite, "tls");
    tcase_add_checked_fixture(tc, make_certs, remove_certs);
    tcase_add_test(tc, it_serves_who_trusts_it);
    tcase_add_test(tc, events_flow);
    tcase_add_test(tc, a_renewed_certificate_is_taken);
    tcase_add_test(tc, what_cannot_work_says_so);
    return suite;
}
