/* Which row answers a request, whatever the order of the rows. */
#include "api/routes.h"
#include "support/support.h"

enum { ONE, WORD, DELETE_ONE, DEEP, LIST, ROWS };
static const struct route table[ROWS] = {
    [ONE] = {.method = "GET", .path = "/dead/{jid}"},
    [WORD] = {.method = "GET", .path = "/dead/word"},
    [DELETE_ONE] = {.method = "DELETE", .path = "/dead/{jid}"},
    [DEEP] = {.method = "POST", .path = "/dead/{jid}/requeue"},
    [LIST] = {.method = "GET", .path = "/dead"},
};

static const struct {
    const char *method, *path;
    int row; /* -1: none */
    bool has_path;
} cases[] = {
    {"GET", "/dead/x", ONE, true},
    {"GET", "/dead/word", WORD, true},
    {"HEAD", "/dead/word", WORD, true},
    {"GET", "/dead/wor", ONE, true},
    {"GET", "/dead/words", ONE, true},
    {"GET", "/dead/w%6frd", ONE, true},
    {"DELETE", "/dead/word", DELETE_ONE, true}, /* a job with that name */
    {"POST", "/dead/word/requeue", DEEP, true},
    {"POST", "/dead/word", -1, true},
    {"GET", "/dead", LIST, true},
    {"HEAD", "/dead", LIST, true},
    {"GET", "/dead/", -1, false},
    {"GET", "/", -1, false},
};

START_TEST(rows)
{
    for (int turn = 0; turn < 2; turn++) {
        struct route turned[ROWS];
        for (int i = 0; i < ROWS; i++)
            turned[i] = table[turn == 0 ? i : ROWS - 1 - i];
        const struct route *path = NULL;
        const struct route *found =
            route_find(turned, ROWS, cases[_i].method, cases[_i].path, &path);
        ck_assert_int_eq(path != NULL, cases[_i].has_path);
        ck_assert_int_eq(found != NULL, cases[_i].row >= 0);
        if (found) {
            ck_assert_str_eq(found->path, table[cases[_i].row].path);
            ck_assert_str_eq(found->method, table[cases[_i].row].method);
        }
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("api/routes");
    TCase *tc = tcase_create("rows");
    tcase_add_loop_test(tc, rows, 0, sizeof cases / sizeof *cases);
    suite_add_tcase(s, tc);
    return s;
}
