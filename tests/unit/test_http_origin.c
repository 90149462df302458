/* Whose page asks, which host it names, and base64. */
#include <string.h>

#include "http/base64.h"
#include "http/origin.h"
#include "support/support.h"

static const struct {
    const char *host, *origin, *site; /* NULL: the header is not there */
    bool cross;
} pages[] = {
    {"localhost:8394", NULL, NULL, false},
    {NULL, NULL, NULL, false},
    {"localhost:8394", "http://localhost:8394", NULL, false},
    {"localhost:8394", "http://localhost:8394", "same-origin", false},
    {"LocalHost:8394", "HTTP://LOCALHOST:8394", NULL, false},
    {"localhost", "http://localhost", NULL, false},
    {"localhost:80", "http://localhost", NULL, false},
    {"example.com", "https://example.com", NULL, false}, /* a proxy has taken the TLS off */
    {"example.com:443", "https://example.com", NULL, false},
    {"[::1]:8394", "http://[::1]:8394", NULL, false},
    {"[::1]", "http://[::1]", NULL, false},
    {"localhost:8394", "http://localhost", NULL, true},
    {"localhost:8394", "http://localhost:8395", NULL, true},
    {"localhost:8394", "http://127.0.0.1:8394", NULL, true},
    {"localhost:8394", "http://evil.example:8394", NULL, true},
    {"localhost:8394", "http://localhost.evil:8394", NULL, true},
    {"localhost:8394", "http://localhost:83940", NULL, true},
    {"localhost:8394", "http://localhost:8394/", NULL, true}, /* no origin has a path */
    {"localhost:8394", "http://localhost:8394@evil.example", NULL, true},
    {"localhost:8394", "http://evil.example#localhost:8394", NULL, true},
    {"localhost:8394", "ftp://localhost:8394", NULL, true},
    {"localhost:8394", "localhost:8394", NULL, true},
    {"localhost:8394", "null", NULL, true},
    {"localhost:8394", "", NULL, true},
    {"localhost:8394", "http://", NULL, true},
    {"localhost:8394", "http://[::1", NULL, true},
    {"[::1]:8394", "http://::1:8394", NULL, true},
    {NULL, "http://localhost:8394", NULL, true},
    {"", "http://", NULL, true},
    {"localhost:8394", NULL, "cross-site", true},
    {"localhost:8394", NULL, "same-site", true},
    {"localhost:8394", "http://localhost:8394", "Cross-Site", true},
    {"localhost:8394", NULL, "none", false}, /* typed by a person */
    {"localhost:8394", NULL, "same-origin", false},
};

START_TEST(whose_page)
{
    ck_assert_int_eq(http_is_cross_origin(pages[_i].host, pages[_i].origin, pages[_i].site),
                     pages[_i].cross);
}
END_TEST

static const struct {
    const char *host, *listen;
    bool local;
} hosts[] = {
    {"localhost", "127.0.0.1:8394", true},
    {"LOCALHOST:1", "127.0.0.1:8394", true},
    {"127.0.0.1", "127.0.0.1:8394", true},
    {"127.0.0.1:8394", "127.0.0.1:8394", true},
    {"127.255.3.4:99", "127.0.0.1:8394", true},
    {"[::1]", "127.0.0.1:8394", true},
    {"[::1]:8394", "127.0.0.1:8394", true},
    {"[0:0:0:0:0:0:0:1]:8394", "127.0.0.1:8394", true},
    {"[::ffff:127.0.0.1]", "127.0.0.1:8394", true},
    {"build.internal:8394", "Build.Internal:8394", true},
    {"build.internal", "build.internal:8394", true},
    {"", "127.0.0.1:8394", false},
    {":8394", "127.0.0.1:8394", false},
    {"evil.example", "127.0.0.1:8394", false},
    {"evil.example:8394", "127.0.0.1:8394", false},
    {"localhost.evil.example", "127.0.0.1:8394", false},
    {"127.evil.example", "127.0.0.1:8394", false},
    {"127.0.0.1.evil.example", "127.0.0.1:8394", false},
    {"128.0.0.1", "127.0.0.1:8394", false},
    {"0.0.0.0", "127.0.0.1:8394", false},
    {"[::2]", "127.0.0.1:8394", false},
    {"[::ffff:10.0.0.1]", "127.0.0.1:8394", false},
    {"[evil.example]", "127.0.0.1:8394", false},
    {"[127.0.0.1]", "127.0.0.1:8394", false},
    {"::1", "127.0.0.1:8394", false},
    {"localhost@evil.example", "127.0.0.1:8394", false},
    {"localhost:8394@evil.example", "127.0.0.1:8394", false},
    {"localhost:123456", "127.0.0.1:8394", false},
    {"localhost evil", "127.0.0.1:8394", false},
    {"build.internal.evil", "build.internal:8394", false},
};

START_TEST(which_host)
{
    ck_assert_int_eq(http_host_is_local(hosts[_i].host, hosts[_i].listen), hosts[_i].local);
}
END_TEST

static const struct {
    const char *text, *decoded; /* NULL: refused */
} codes[] = {
    {"", ""},
    {"QQ==", "A"},
    {"QUI=", "AB"},
    {"QUJD", "ABC"},
    {"dXNlcjpwYXNzd29yZA==", "user:password"},
    {"+/+/", "\xfb\xff\xbf"},
    {"QQ", NULL},
    {"QQ=", NULL},
    {"Q===", NULL},
    {"====", NULL},
    {"QQ==QQ==", NULL},
    {"Q=Q=", NULL},
    {" QQ=", NULL},
    {"QQ==\n", NULL},
    {"    ", NULL},
    {"QU-_", NULL},
    {"QUJDQUJDQUJDQUJDQUJDQUJD", NULL}, /* too long */
};

START_TEST(base64)
{
    unsigned char bytes[16];
    size_t n = 99;
    int rc = http_base64_decode(slice_of(codes[_i].text), bytes, sizeof bytes, &n);
    ck_assert_int_eq(rc, codes[_i].decoded ? 0 : -EINVAL);
    if (codes[_i].decoded)
        ck_assert(slice_is((struct slice){(const char *)bytes, n}, codes[_i].decoded));
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("http: origins");
    TCase *tc = tcase_create("origins");
    tcase_add_loop_test(tc, whose_page, 0, sizeof pages / sizeof *pages);
    tcase_add_loop_test(tc, which_host, 0, sizeof hosts / sizeof *hosts);
    tcase_add_loop_test(tc, base64, 0, sizeof codes / sizeof *codes);
    suite_add_tcase(s, tc);
    return s;
}
