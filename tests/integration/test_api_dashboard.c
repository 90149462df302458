/* How the dashboard's files are served; what they do is seen by interop/test_dashboard. */
#include "test_api.h"

#define ETAG "\r\nETag: \""

START_TEST(its_files_are_served)
{
    static const struct {
        const char *path, *type, *text;
    } files[] = {
        {"/", "text/html; charset=utf-8", "<title>Sluice</title>"},
        {"/dashboard/main.js", "text/javascript; charset=utf-8", "import {get} from"},
        {"/dashboard/style.css", "text/css; charset=utf-8", ":focus-visible"},
        {"/dashboard/icon.svg", "image/svg+xml", "<svg"},
        {"/dashboard/uPlot.iife.min.js", "text/javascript; charset=utf-8", "uPlot"},
    };
    char header[96];
    start_api(NULL);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(header, sizeof header, "\r\nContent-Type: %s\r\n", files[i].type);
        must_say(get(files[i].path), 200, header);
        must_say(get(files[i].path), 200, files[i].text);
        must_say(get(files[i].path), 200, "\r\nCache-Control: no-cache\r\n");
        must_say(get(files[i].path), 200, "\r\nX-Frame-Options: DENY\r\n");
    }
}
END_TEST

/* A browser that has it is told so, until it is another. */
START_TEST(what_is_known_is_not_sent_again)
{
    char header[128];
    start_api(NULL);
    struct answer a = get("/dashboard/main.js");
    const char *tag = strstr(a.text, ETAG);
    ck_assert_ptr_nonnull(tag);
    tag += strlen(ETAG);
    (void)snprintf(header, sizeof header, "If-None-Match: \"%.*s\"\r\n", (int)strcspn(tag, "\""),
                   tag);
    struct answer again = ask_with("GET", "/dashboard/main.js", header, "");
    ck_assert_int_eq(again.status, 304);
    ck_assert_str_eq(again.body, "");
    free(again.text);
    free(a.text);
    ck_assert_int_eq(status_with("GET", "/", header), 200);
}
END_TEST

START_TEST(there_are_no_others)
{
    start_api(NULL);
    must_refuse(get("/dashboard/nothing.js"), 404, "not_found");
    must_refuse(get("/dashboard/..%2F..%2Fetc%2Fpasswd"), 404, "not_found");
    must_refuse(get("/dashboard/"), 404, "not_found");
    ck_assert_int_eq(status_with("POST", "/", ""), 405);
    ck_assert_int_eq(status_with("HEAD", "/", ""), 200);
}
END_TEST

START_TEST(a_token_is_asked_for)
{
    start_api_at(NULL, NULL, (const char *const[]){"SLUICE_API_TOKEN=all", NULL});
    must_refuse(get("/"), 401, "unauthorized");
    must_refuse(get("/dashboard/main.js"), 401, "unauthorized");
    ck_assert_int_eq(status_with("GET", "/", "Authorization: Bearer all\r\n"), 200);
}
END_TEST

Suite *test_suite(void);
Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: the dashboard's files");
    TCase *tc = new_case(suite, "files");
    tcase_add_test(tc, its_files_are_served);
    tcase_add_test(tc, what_is_known_is_not_sent_again);
    tcase_add_test(tc, there_are_no_others);
    tcase_add_test(tc, a_token_is_asked_for);
    return suite;
}
