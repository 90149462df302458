/* Http handlers over TLS: only the right name under an authority that is trusted gets the job. */
#include "support/certs.h"
#include "unit/fake_http.h"

#define UNTRUSTED  "SSL certificate problem: "
#define OTHER_NAME "SSL: no alternative certificate subject name matches target "

static const struct {
    const char *cert, *ca; /* ca NULL: the system's, which do not know ours */
    const char *host;
    const char *refusal; /* begins the message; NULL: it is trusted */
} trusts[] = {
    {"server", "ca.pem", "localhost", NULL},
    {"server", "ca.pem", "127.0.0.1", NULL},
    {"server", "other.pem", "localhost", UNTRUSTED},
    {"server", NULL, "localhost", UNTRUSTED},
    {"elsewhere", "ca.pem", "localhost", OTHER_NAME},
    {"elsewhere", "ca.pem", "127.0.0.1", OTHER_NAME},
};

START_TEST(certificates_are_verified)
{
    struct certs certs;
    struct webhook server;
    char name[32], url[64], trusted[128];
    certs_make(&certs);
    (void)snprintf(name, sizeof name, "%s.key", trusts[_i].cert);
    struct cert_path key = certs_path(&certs, name);
    (void)snprintf(name, sizeof name, "%s.pem", trusts[_i].cert);
    struct cert_path cert = certs_path(&certs, name);
    struct cert_path ca = certs_path(&certs, trusts[_i].ca ? trusts[_i].ca : "");
    webhook_start_tls(&server, cert.text, key.text);
    webhook_answers(&server, OK("application/json", "Content-Length: 1\r\n\r\n7"));
    (void)snprintf(url, sizeof url, "https://%s:%d/jobs", trusts[_i].host, server.port);
    conf.url = url;
    conf.tls_ca = trusts[_i].ca ? ca.text : NULL;
    (void)snprintf(trusted, sizeof trusted, " (trusted: %s)",
                   conf.tls_ca ? conf.tls_ca : "the system's certificates");
    for (int i = 0; i < 2; i++) { /* also not at the second try, nor by what was kept of it */
        run_job();
        if (!trusts[_i].refusal) {
            assert_done("7");
            continue;
        }
        const char *said = buf_str(&out.message);
        ck_assert_int_eq(out.kind, OUTCOME_FAILED);
        ck_assert_str_eq(out.error_class, "TlsError");
        ck_assert_msg(strstr(said, trusts[_i].refusal) == said && strstr(said, trusted), "%s",
                      said);
    }
    ck_assert_int_eq(webhook_requests(&server), trusts[_i].refusal ? 0 : 2);
    ck_assert_int_eq(webhook_connections(&server), trusts[_i].refusal ? 2 : 1);
    webhook_stop(&server);
    certs_remove(&certs);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("http handler, TLS");
    TCase *tc = new_case(suite);
    tcase_add_loop_test(tc, certificates_are_verified, 0, COUNT(trusts));
    return suite;
}
