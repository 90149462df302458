/* The cap on strings in replies, wherever the bytes are cut on their way. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "redis/conn.h"
#include "support/canned.h"

enum { CAP = 40000, FAR = 3000 }; /* more than one read holds; more than hiredis keeps behind it */

static struct canned server;

static struct redis_conn *open_to(struct slice text, size_t cut)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(canned_start_cut(&server, text, cut), 0);
    struct redis_options o = {
        .path = server.socket, .connect_timeout_ms = 20000, .socket_timeout_ms = 20000};
    ck_assert_msg(redis_conn_open(&o, &c, &err) == 0, "%s", err.text);
    redis_conn_set_bulk_max(c, CAP);
    return c;
}

static void close_all(struct redis_conn *c)
{
    redis_conn_free(c);
    canned_stop(&server);
}

static void expect_refused(struct redis_conn *c)
{
    struct reply *r = NULL;
    struct err err = {""};
    bool ready = false;
    ck_assert_int_eq(redis_conn_read(c, &r, &err), -EMSGSIZE);
    ck_assert_msg(strstr(err.text, "more than 40000 bytes") != NULL, "%s", err.text);
    ck_assert_ptr_null(r);
    ck_assert(redis_conn_broken(c) && !redis_conn_reusable(c));
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), -ENOTCONN); /* once, and then it is gone */
    ck_assert_int_eq(redis_conn_poll(c, &ready), -ENOTCONN);
}

/* The answer to the greeting, then a nested reply: one string of `far` bytes and one of `n`. */
static size_t compose(struct buf *text, size_t far, size_t n)
{
    buf_puts(text, "+PONG\r\n*3\r\n:7\r\n*2\r\n");
    buf_printf(text, "$%zu\r\n", far);
    for (size_t i = 0; i < far; i++)
        buf_putc(text, 'f');
    buf_printf(text, "\r\n$%zu\r\n", n);
    size_t header = text->n;
    for (size_t i = 0; i < n; i++)
        buf_putc(text, 'x');
    buf_puts(text, "\r\n$-1\r\n");
    ck_assert_int_eq(buf_error(text), 0);
    return header;
}

/* Cuts around the header: everything from the array's on when nothing lies in between. */
static void each_cut(size_t far, size_t n, void (*check)(struct redis_conn *c))
{
    struct buf text = {0};
    size_t header = compose(&text, far, n);
    size_t from = far > 100 ? header - 12 : strlen("+PONG\r\n");
    for (size_t cut = from; cut <= header + 3; cut++) {
        struct redis_conn *c = open_to(buf_slice(&text), cut);
        check(c);
        close_all(c);
    }
    buf_release(&text);
}

static void expect_whole(struct redis_conn *c)
{
    struct reply *r = NULL;
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), 0);
    ck_assert_int_eq(reply_int(reply_at(r, 0)), 7);
    ck_assert_uint_eq(reply_str(reply_at(reply_at(r, 1), 1)).n, CAP);
    ck_assert_int_eq(reply_type(reply_at(r, 2)), REPLY_NIL);
    ck_assert(redis_conn_reusable(c));
    reply_free(r);
}

START_TEST(a_string_above_the_cap_is_refused_at_every_cut)
{
    each_cut(3, CAP + 1, expect_refused);
    each_cut(FAR, CAP + 1, expect_refused);
}
END_TEST

START_TEST(a_string_of_the_cap_is_read_at_every_cut)
{
    each_cut(3, CAP, expect_whole);
    each_cut(FAR, CAP, expect_whole);
}
END_TEST

/* Nothing but the text comes, so whoever waits for more waits in vain. */
static void refuse_at_once(const char *text)
{
    struct redis_conn *c = open_to(slice_of(text), 0);
    expect_refused(c);
    close_all(c);
}

START_TEST(the_header_alone_is_enough)
{
    refuse_at_once("+PONG\r\n$536870912\r\n");
    refuse_at_once("+PONG\r\n*2\r\n*1\r\n*1\r\n$40001\r\n");
}
END_TEST

START_TEST(half_a_header_that_is_too_large_is_enough)
{
    refuse_at_once("+PONG\r\n$40001");
    refuse_at_once("+PONG\r\n$99999999999999999999999999");
    refuse_at_once("+PONG\r\n*1\r\n$536870912\r");
}
END_TEST

START_TEST(poll_refuses_too)
{
    struct redis_conn *c = open_to(slice_of("+PONG\r\n$40001\r\n"), 0);
    bool ready = false;
    ck_assert_int_eq(redis_conn_poll(c, &ready), -EMSGSIZE);
    ck_assert(!ready && redis_conn_broken(c));
    close_all(c);
}
END_TEST

START_TEST(a_line_without_an_end_is_refused)
{
    struct buf text = {0};
    buf_puts(&text, "+PONG\r\n-ERR ");
    for (int i = 0; i < 2 * CAP; i++)
        buf_putc(&text, 'e');
    struct redis_conn *c = open_to(buf_slice(&text), 0);
    expect_refused(c);
    close_all(c);
    buf_release(&text);
}
END_TEST

START_TEST(small_things_pass_a_small_cap)
{
    struct redis_conn *c =
        open_to(slice_of("+PONG\r\n*5\r\n$-1\r\n$0\r\n\r\n*-1\r\n:123456789\r\n$1\r\nx\r\n"), 30);
    struct reply *r = NULL;
    redis_conn_set_bulk_max(c, 9); /* of the line after ":", and more than any string here */
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), 0);
    ck_assert_uint_eq(reply_count(r), 5);
    reply_free(r);
    close_all(c);
}
END_TEST

START_TEST(without_a_cap_all_is_read)
{
    struct buf text = {0};
    struct reply *r = NULL;
    (void)compose(&text, 3, 10 * CAP);
    struct redis_conn *c = open_to(buf_slice(&text), 0);
    redis_conn_set_bulk_max(c, 0);
    ck_assert_int_eq(redis_conn_read(c, &r, NULL), 0);
    ck_assert_uint_eq(reply_str(reply_at(reply_at(r, 1), 1)).n, 10 * CAP);
    reply_free(r);
    close_all(c);
    buf_release(&text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("redis/bulk_cap");
    TCase *tc = tcase_create("bulk cap");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_string_above_the_cap_is_refused_at_every_cut);
    tcase_add_test(tc, a_string_of_the_cap_is_read_at_every_cut);
    tcase_add_test(tc, the_header_alone_is_enough);
    tcase_add_test(tc, half_a_header_that_is_too_large_is_enough);
    tcase_add_test(tc, poll_refuses_too);
    tcase_add_test(tc, a_line_without_an_end_is_refused);
    tcase_add_test(tc, small_things_pass_a_small_cap);
    tcase_add_test(tc, without_a_cap_all_is_read);
    suite_add_tcase(suite, tc);
    return suite;
}
