/* Replies of every shape, and of none, from a server that says what it is told to. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "redis/conn.h"
#include "support/canned.h"

static struct canned server;

static struct redis_options options(void)
{
    return (struct redis_options){
        .path = server.socket, .connect_timeout_ms = 10000, .socket_timeout_ms = 10000};
}

/* A connection whose PING is answered, with `text` behind the answer. */
static struct redis_conn *open_to(const char *text, size_t n)
{
    static char all[8192];
    ck_assert_uint_lt(n, sizeof all - 8);
    memcpy(all, "+PONG\r\n", 7);
    memcpy(all + 7, text, n);
    ck_assert_int_eq(canned_start(&server, (struct slice){all, n + 7}), 0);
    struct redis_options o = options();
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_msg(redis_conn_open(&o, &c, &err) == 0, "%s", err.text);
    return c;
}

static void close_all(struct redis_conn *c)
{
    redis_conn_free(c);
    canned_stop(&server);
}

static struct reply *read_one(struct redis_conn *c)
{
    struct reply *r = NULL;
    struct err err = {""};
    ck_assert_msg(redis_conn_read(c, &r, &err) == 0, "%s", err.text);
    return r;
}

#define OPEN_TO(text) open_to(text, sizeof(text) - 1)

START_TEST(nothing_answers_empty)
{
    ck_assert_int_eq(reply_type(NULL), REPLY_NIL);
    ck_assert_int_eq(reply_int(NULL), 0);
    ck_assert(reply_real(NULL) == 0);
    ck_assert_uint_eq(reply_str(NULL).n, 0);
    ck_assert_uint_eq(reply_count(NULL), 0);
    ck_assert_ptr_null(reply_at(NULL, 0));
    ck_assert_ptr_null(reply_field(NULL, "x"));
    ck_assert_int_eq(reply_error(NULL, NULL), 0);
    reply_free(NULL);
}
END_TEST

START_TEST(every_type)
{
    struct redis_conn *c = OPEN_TO("$-1\r\n*-1\r\n:9223372036854775807\r\n:-5\r\n+OK\r\n"
                                   "$4\r\na\0\r\n\r\n*0\r\n*2\r\n*1\r\n:1\r\n$-1\r\n");
    struct reply *r = read_one(c);
    ck_assert_int_eq(reply_type(r), REPLY_NIL);
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_type(r), REPLY_NIL);
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_int(r), INT64_MAX);
    ck_assert_uint_eq(reply_str(r).n, 0);
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_int(r), -5);
    ck_assert(reply_real(r) == -5.0);
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_type(r), REPLY_STATUS);
    ck_assert(slice_is(reply_str(r), "OK"));
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_type(r), REPLY_STRING);
    ck_assert(slice_eq(reply_str(r), (struct slice){"a\0\r\n", 4}));
    reply_free(r);
    r = read_one(c);
    ck_assert_int_eq(reply_type(r), REPLY_ARRAY);
    ck_assert_uint_eq(reply_count(r), 0);
    ck_assert_ptr_null(reply_at(r, 0));
    reply_free(r);
    r = read_one(c);
    ck_assert_uint_eq(reply_count(r), 2);
    ck_assert_int_eq(reply_int(reply_at(reply_at(r, 0), 0)), 1);
    ck_assert_int_eq(reply_type(reply_at(r, 1)), REPLY_NIL);
    ck_assert_ptr_null(reply_at(r, 2));
    reply_free(r);
    close_all(c);
}
END_TEST

START_TEST(numbers_as_text)
{
    static const struct {
        const char *text;
        int64_t whole;
        double real;
    } table[] = {
        {"$2\r\n42\r\n", 42, 42},   {"$2\r\n-7\r\n", -7, -7},
        {"$4\r\n1.50\r\n", 0, 1.5}, {"$3\r\n1e3\r\n", 0, 1000},
        {"$0\r\n\r\n", 0, 0},       {"$3\r\n12x\r\n", 0, 0},
        {"$3\r\n1\0002\r\n", 0, 0}, {"$20\r\n99999999999999999999\r\n", 0, 99999999999999999999.0},
        {"$2\r\n 3\r\n", 0, 3},     {"$2\r\n+3\r\n", 0, 3},
        {"$3\r\nnan\r\n", 0, 0},    {"-7\r\n", 0, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t n = i == 6 ? 9 : strlen(table[i].text); /* row 6 holds a NUL */
        struct redis_conn *c = open_to(table[i].text, n);
        struct reply *r = read_one(c);
        ck_assert_int_eq(reply_int(r), table[i].whole);
        ck_assert(reply_real(r) == table[i].real);
        reply_free(r);
        close_all(c);
    }
}
END_TEST

START_TEST(zero_is_told_from_nothing)
{
    struct redis_conn *c = OPEN_TO("*4\r\n:0\r\n$1\r\n0\r\n$1\r\nx\r\n$-1\r\n");
    struct reply *r = read_one(c);
    for (size_t i = 0; i < 5; i++) {
        int64_t n = 7;
        ck_assert_int_eq(reply_whole(reply_at(r, i), &n), i < 2);
        ck_assert_int_eq(n, i < 2 ? 0 : 7);
    }
    reply_free(r);
    close_all(c);
}
END_TEST

START_TEST(fields_of_pairs)
{
    struct redis_conn *c = OPEN_TO("*5\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nb\r\n:3\r\n$3\r\nodd\r\n");
    struct reply *r = read_one(c);
    ck_assert(slice_is(reply_str(reply_field(r, "a")), "b"));
    ck_assert_int_eq(reply_int(reply_field(r, "b")), 3);
    ck_assert_ptr_null(reply_field(r, "odd"));
    ck_assert_ptr_null(reply_field(r, "none"));
    reply_free(r);
    close_all(c);
}
END_TEST

static const struct {
    const char *text;
    int code;
} errors[] = {
    {"LOADING Redis is loading the dataset in memory", -EAGAIN},
    {"BUSY Redis is busy running a script.", -EAGAIN},
    {"MASTERDOWN Link with MASTER is down", -EROFS},
    {"UNBLOCKED force unblock from blocking operation", -EROFS},
    {"ERR max number of clients reached", -EAGAIN},
    {"READONLY You can't write against a read only replica.", -EROFS},
    {"ERR Error running script (call to f_1): @user_script: 1: -READONLY You can't", -EROFS},
    {"OOM command not allowed when used memory > 'maxmemory'.", -ENOSPC},
    {"MISCONF Redis is configured to save RDB snapshots", -ENOSPC},
    {"NOAUTH Authentication required.", -EACCES},
    {"WRONGPASS invalid username-password pair", -EACCES},
    {"NOPERM this user has no permissions", -EACCES},
    {"DENIED Redis is running in protected mode", -EACCES},
    {"WRONGTYPE Operation against a key holding the wrong kind of value", -EMEDIUMTYPE},
    {"NOSCRIPT No matching script. Please use EVAL.", -ENOEXEC},
    {"ERR script said NOSCRIPT No matching script", -EPROTO},
    {"BUSYGROUP Consumer Group name already exists", -EPROTO},
    {"ERR BUSY_ROOM is full", -EPROTO},
    {"ERR unknown command", -EPROTO},
    {"", -EPROTO},
};

START_TEST(errors_have_a_code)
{
    char text[256];
    int n = snprintf(text, sizeof text, "-%s\r\n*1\r\n-%s\r\n", errors[_i].text, errors[_i].text);
    struct redis_conn *c = open_to(text, (size_t)n);
    struct reply *r = read_one(c);
    struct err err = {""};
    ck_assert_int_eq(reply_type(r), REPLY_ERROR);
    ck_assert_int_eq(reply_error(r, &err), errors[_i].code);
    ck_assert_ptr_nonnull(strstr(err.text, errors[_i].text));
    ck_assert(redis_conn_broken(c) == (errors[_i].code == -EROFS));
    ck_assert(redis_conn_demoted(c) == (errors[_i].code == -EROFS));
    reply_free(r);

    r = read_one(c); /* still read; and an error inside of an array is no error of the array */
    ck_assert_int_eq(reply_error(r, NULL), 0);
    ck_assert_int_eq(reply_error(reply_at(r, 0), NULL), errors[_i].code);
    reply_free(r);
    close_all(c);
}
END_TEST

static const char *const nonsense[] = {"?what\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "*x\r\n",
                                       "$-7\r\n", "\r\n"};

START_TEST(nonsense_breaks_the_connection)
{
    struct redis_conn *c = open_to(nonsense[_i], strlen(nonsense[_i]));
    struct reply *r = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_conn_read(c, &r, &err), -ENOTCONN);
    ck_assert_ptr_null(r);
    ck_assert(redis_conn_broken(c));
    ck_assert_int_eq(redis_callf(c, NULL, &err, "PING"), -ENOTCONN);
    close_all(c);
}
END_TEST

START_TEST(unasked_bytes_make_it_stale)
{
    struct redis_conn *c = OPEN_TO("+OK\r\n");
    ck_assert(!redis_conn_reusable(c)); /* read together with the PONG */
    ck_assert(redis_conn_stale(c));
    close_all(c);
}
END_TEST

static const struct {
    const char *greeting;
    int code;
} greetings[] = {
    {"-LOADING Redis is loading the dataset in memory\r\n", -EAGAIN},
    {"-ERR max number of clients reached\r\n", -EAGAIN},
    {"-MASTERDOWN Link with MASTER is down\r\n", -EROFS},
    {"-NOAUTH Authentication required.\r\n", -EACCES},
    {"-DENIED Redis is running in protected mode\r\n", -EACCES},
    {"SSH-2.0-OpenSSH_9.2\r\n", -ENOTCONN},
};

START_TEST(greetings_that_refuse)
{
    const char *text = greetings[_i].greeting;
    ck_assert_int_eq(canned_start(&server, slice_of(text)), 0);
    struct redis_options o = options();
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_conn_open(&o, &c, &err), greetings[_i].code);
    ck_assert_ptr_null(c);
    ck_assert_str_ne(err.text, "");
    canned_stop(&server);
}
END_TEST

START_TEST(a_silent_server_times_out)
{
    ck_assert_int_eq(canned_start(&server, slice_of("")), 0);
    struct redis_options o = options();
    o.connect_timeout_ms = 50;
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_conn_open(&o, &c, &err), -ENOTCONN);
    ck_assert_ptr_nonnull(strstr(err.text, "no answer"));
    canned_stop(&server);
}
END_TEST

START_TEST(an_old_servers_refusal_of_a_password)
{
    ck_assert_int_eq(canned_start(&server, slice_of("-ERR invalid password\r\n-NOAUTH x\r\n")), 0);
    struct redis_options o = options();
    o.password = "SECRET";
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_int_eq(redis_conn_open(&o, &c, &err), -EACCES);
    ck_assert_ptr_nonnull(strstr(err.text, "AUTH"));
    ck_assert_ptr_null(strstr(err.text, "SECRET"));
    canned_stop(&server);
}
END_TEST

START_TEST(a_forbidden_name_is_no_obstacle)
{
    ck_assert_int_eq(canned_start(&server, slice_of("-NOPERM no\r\n+PONG\r\n")), 0);
    struct redis_options o = options();
    o.name = "x";
    struct redis_conn *c = NULL;
    struct err err = {""};
    ck_assert_msg(redis_conn_open(&o, &c, &err) == 0, "%s", err.text);
    close_all(c);
}
END_TEST

#define COUNT(table) ((int)(sizeof table / sizeof table[0]))

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/reply");
    TCase *t = tcase_create("reply");
    tcase_add_test(t, nothing_answers_empty);
    tcase_add_test(t, every_type);
    tcase_add_test(t, numbers_as_text);
    tcase_add_test(t, zero_is_told_from_nothing);
    tcase_add_test(t, fields_of_pairs);
    tcase_add_loop_test(t, errors_have_a_code, 0, COUNT(errors));
    tcase_add_loop_test(t, nonsense_breaks_the_connection, 0, COUNT(nonsense));
    tcase_add_test(t, unasked_bytes_make_it_stale);
    tcase_add_loop_test(t, greetings_that_refuse, 0, COUNT(greetings));
    tcase_add_test(t, a_silent_server_times_out);
    tcase_add_test(t, an_old_servers_refusal_of_a_password);
    tcase_add_test(t, a_forbidden_name_is_no_obstacle);
    suite_add_tcase(s, t);
    return s;
}
