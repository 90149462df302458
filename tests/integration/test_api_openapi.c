/* api/openapi.yaml against the program: what it says is answered as it says, and nothing else is.
 */
#include <ctype.h>

#include "api/routes.h"
#include "http/path.h"
#include "test_api.h"

/* ---- the document, as far as its layout tells: two spaces a level ---- */

struct operation {
    char path[64], method[8];
    char statuses[128]; /* "200 401 …" */
};

enum { OPERATIONS_MAX = 64 };
static struct operation operations[OPERATIONS_MAX];
static size_t noperations;
static char *document;

/* The key of a line that is exactly so deep, without quotes; false for all others. */
static bool key_at(const char *line, size_t depth, char *ret, size_t size)
{
    size_t n = strcspn(line, "\n");
    if (strspn(line, " ") != depth || n <= depth || line[depth] == '-' || line[depth] == '#')
        return false;
    const char *key = line + depth + (line[depth] == '"');
    size_t length = strcspn(key, ":\"\n");
    (void)snprintf(ret, size, "%.*s", (int)length, key); /* cut: prose, which nobody looks for */
    return true;
}

static void read_document(void)
{
    char path[64] = "", key[64], part[64] = "";
    bool in_paths = false;
    struct operation *o = NULL;
    struct answer a = get("/openapi.yaml");
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.text, "\r\nContent-Type: application/yaml\r\n"));
    document = strdup(a.body);
    free(a.text);
    noperations = 0;
    for (const char *line = document; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (key_at(line, 0, key, sizeof key)) {
            in_paths = strcmp(key, "paths") == 0;
        } else if (in_paths && key_at(line, 2, key, sizeof key)) {
            (void)snprintf(path, sizeof path, "%s", key);
        } else if (in_paths && key_at(line, 4, key, sizeof key)) {
            if (strcmp(key, "parameters") == 0)
                continue;
            ck_assert_uint_lt(noperations, OPERATIONS_MAX);
            o = &operations[noperations++];
            *o = (struct operation){.path = ""};
            (void)snprintf(o->path, sizeof o->path, "%s", path);
            for (size_t i = 0; key[i]; i++)
                o->method[i] = (char)toupper((unsigned char)key[i]);
        } else if (in_paths && key_at(line, 6, key, sizeof key)) {
            (void)snprintf(part, sizeof part, "%s", key);
        } else if (in_paths && key_at(line, 8, key, sizeof key) && o &&
                   strcmp(part, "responses") == 0) {
            size_t n = strlen(o->statuses);
            (void)snprintf(o->statuses + n, sizeof o->statuses - n, "%s ", key);
        }
    }
}

static void forget_document(void)
{
    free(document);
}

/* "/v1/jobs/{jid}" -> "/v1/jobs/x1". */
static void example_of(const char *path, char *ret, size_t size)
{
    const char *brace = strchr(path, '{');
    int n = brace
                ? snprintf(ret, size, "%.*sx1%s", (int)(brace - path), path, strchr(brace, '}') + 1)
                : snprintf(ret, size, "%s", path);
    ck_assert_int_lt(n, (int)size);
}

static bool is_documented(const char *path, const char *method)
{
    for (size_t i = 0; i < noperations; i++)
        if (strcmp(operations[i].path, path) == 0 && strcmp(operations[i].method, method) == 0)
            return true;
    return false;
}

/* A path may be one of several: "/v1/dead/requeue" is also that of a job with this name. */
static bool is_served(const char *path, const char *method)
{
    for (size_t i = 0; i < noperations; i++)
        if (http_path_match(operations[i].path, path, NULL) &&
            strcmp(operations[i].method, method) == 0)
            return true;
    return false;
}

/* ---- tests ---- */

START_TEST(it_is_the_file)
{
    struct buf file = {0};
    char chunk[4096];
    size_t n;
    start_api(NULL);
    read_document();
    FILE *f = fopen(TEST_SOURCE_DIR "/api/openapi.yaml", "r");
    ck_assert_ptr_nonnull(f);
    while ((n = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_append(&file, chunk, n);
    (void)fclose(f); /* only read */
    ck_assert_str_eq(document, buf_str(&file));
    ck_assert_ptr_eq(strstr(document, "openapi: 3.1.0\n"), document);
    buf_release(&file);
    forget_document();
}
END_TEST

START_TEST(every_route_is_documented)
{
    start_api(NULL);
    read_document();
    for (size_t i = 0; i < nroutes; i++)
        ck_assert_msg(is_documented(routes[i].path, routes[i].method), "%s %s is not",
                      routes[i].method, routes[i].path);
    ck_assert_uint_eq(noperations, nroutes);
    forget_document();
}
END_TEST

static void must_be_among(const struct operation *o, const char *headers, const char *body)
{
    char path[128], status[8];
    example_of(o->path, path, sizeof path);
    char all[512]; /* a stream has no end here */
    (void)snprintf(all, sizeof all, "Accept: application/json\r\n%s", headers);
    struct answer a = ask_with(o->method, path, all, body);
    (void)snprintf(status, sizeof status, "%d ", a.status);
    ck_assert_msg(strstr(o->statuses, status), "%s %s: %d is not documented (%s)\n%s", o->method,
                  o->path, a.status, o->statuses, a.text);
    ck_assert_ptr_null(strstr(a.body, "nothing is served"));
    free(a.text);
}

/* With everything right, without a token, with a token that may only read, and without Redis. */
START_TEST(everything_documented_is_answered_so)
{
    static const char all[] = "Authorization: Bearer a\r\n" TYPE_JSON;
    static const char read[] = "Authorization: Bearer r\r\n" TYPE_JSON;
    start_api(NULL);
    read_document();
    stop_worker();
    worker_process_free(&worker);
    start_api("api: {token: a, read_token: r, max_wait: 0.1}\n");
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < noperations; i++) {
            const struct operation *o = &operations[i];
            const char *job =
                strcmp(o->path, "/v1/jobs") == 0 ? "{\"class\":\"x\",\"args\":[]}" : "";
            must_be_among(o, all, job);
            must_be_among(o, read, job);
            must_be_among(o, TYPE_JSON, job);
        }
        redis_server_stop(&server); /* and once more */
    }
    forget_document();
}
END_TEST

START_TEST(nothing_else_is_served)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"};
    start_api(NULL);
    read_document();
    for (size_t i = 0; i < noperations; i++) {
        char path[128], longer[160];
        example_of(operations[i].path, path, sizeof path);
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
            if (!is_served(path, methods[m]))
                must_refuse(ask_with(methods[m], path, "", ""), 405, "method_not_allowed");
        struct answer a = ask_with("OPTIONS", path, "", "");
        ck_assert_int_eq(a.status, 204);
        const char *allow = strstr(a.text, "\r\nAllow: ");
        ck_assert_ptr_nonnull(allow);
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            char *end = strchr(allow + 2, '\r'), *named = strstr(allow, methods[m]);
            ck_assert_int_eq(named && named < end, is_served(path, methods[m]));
        }
        free(a.text);
        (void)snprintf(longer, sizeof longer, "%s/more/of", path);
        must_refuse(get(longer), 404, "not_found");
    }
    must_refuse(get("/v2/jobs"), 404, "not_found");
    must_refuse(get("/v1/"), 404, "not_found");
    must_refuse(get("/v1/jobs/"), 404, "not_found");
    must_refuse(get("//v1/queues"), 404, "not_found");
    forget_document();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: openapi.yaml");
    TCase *tc = new_case(suite, "document");
    tcase_add_test(tc, it_is_the_file);
    tcase_add_test(tc, every_route_is_documented);
    tcase_add_test(tc, everything_documented_is_answered_so);
    tcase_add_test(tc, nothing_else_is_served);
    return suite;
}
