/* `sluice enqueue` from outside: what it pushes byte for byte, and what it refuses. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "job/envelope.h"
#include "support/redis_fixture.h"
#include "support/sluice.h"

static struct redis_server server;
static struct redis_conn *conn;
static char file[128];

static void start_server(void)
{
    must_start(&server, NULL);
    (void)snprintf(file, sizeof file, "%s/jobs.ndjson", server.dir);
}

static void stop_server(void)
{
    redis_server_free(&server);
}

static void begin(void)
{
    struct redis_options o = server_options(&server);
    conn = must_open(&o);
    must_do(conn, "FLUSHALL");
}

static void end(void)
{
    redis_conn_free(conn);
}

#define enqueue(...)             sluice(server.url, NULL, "enqueue", __VA_ARGS__)
#define enqueue_stdin(text, ...) sluice(server.url, text, "enqueue", "--file", "-", __VA_ARGS__)

static void write_file(const char *text)
{
    FILE *f = fopen(file, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void done(struct sluice r)
{
    ck_assert_msg(r.status == 0, "%d: %s", r.status, r.err);
    ck_assert_str_eq(r.err, "");
    sluice_free(&r);
}

/* Refused, in exactly these words, and nothing at all is in Redis. */
static void refused(struct sluice r, const char *line)
{
    ck_assert_str_eq(r.err, line);
    ck_assert_int_eq(r.status, 2);
    ck_assert_str_eq(r.out, "");
    ck_assert_int_eq(must_int(conn, "DBSIZE"), 0);
    sluice_free(&r);
}

/* The envelope of the next job of a queue; the reply it lies in is the caller's. */
static struct reply *next_job(const char *queue, struct envelope *ret)
{
    struct err err = {""};
    struct reply *r = must_call(conn, "LINDEX queue:%s -1", queue);
    ck_assert_msg(envelope_parse(reply_str(r), ret, &err) == 0, "%s", err.text);
    return r;
}

static bool holds(struct slice text, const char *part)
{
    return memmem(text.p, text.n, part, strlen(part)) != NULL;
}

START_TEST(one_job_prints_its_jid)
{
    struct envelope e;
    struct sluice r = enqueue("checksum", "/etc/hosts", "a\"b\\c\n", "--track", "--retry", "3");
    ck_assert_int_eq(r.status, 0);
    struct reply *job = next_job("default", &e);
    ck_assert_int_eq(strncmp(r.out, e.jid, JOB_JID_BYTES), 0);
    ck_assert_str_eq(r.out + JOB_JID_BYTES, "\n");
    ck_assert_str_eq(e.klass, "checksum");
    ck_assert(slice_is(e.args, "[\"/etc/hosts\",\"a\\\"b\\\\c\\n\"]"));
    ck_assert(e.track && e.retry == JOB_RETRY_COUNT && e.max_retries == 3);
    ck_assert_str_eq(e.queue, "default");
    ck_assert(e.created_at > 1e9 && e.enqueued_at == e.created_at);
    ck_assert_int_eq(must_int(conn, "SISMEMBER queues default"), 1);
    envelope_release(&e);
    reply_free(job);
    sluice_free(&r);
}
END_TEST

START_TEST(args_are_kept_byte_for_byte)
{
    static const char args[] = " [1, 1.10 ,12345678901234567890,{\"b\":[ ]},\"\\u00e9\xc3\xa9\"]";
    struct envelope e;
    done(enqueue("add", "--args", args, "--queue", "critical", "--retry", "false"));
    struct reply *job = next_job("critical", &e);
    ck_assert(slice_is(e.args, args + 1));
    ck_assert_int_eq(e.retry, JOB_RETRY_NEVER);
    envelope_release(&e);
    reply_free(job);
}
END_TEST

START_TEST(arguments_are_strings_whatever_they_look_like)
{
    struct envelope e;
    done(enqueue("x", "--", "1", "true", "[]", "-5", "--track"));
    struct reply *job = next_job("default", &e);
    ck_assert(slice_is(e.args, "[\"1\",\"true\",\"[]\",\"-5\",\"--track\"]"));
    ck_assert(!e.track);
    envelope_release(&e);
    reply_free(job);
}
END_TEST

static double due_of_the_only_one(void)
{
    ck_assert_int_eq(must_int(conn, "ZCARD schedule"), 1);
    ck_assert_int_eq(must_int(conn, "EXISTS queue:default"), 0);
    struct reply *r = must_call(conn, "ZRANGE schedule 0 0 WITHSCORES");
    double due = reply_real(reply_at(r, 1));
    ck_assert(!holds(reply_str(reply_at(r, 0)), "\"at\""));
    ck_assert(!holds(reply_str(reply_at(r, 0)), "enqueued_at"));
    ck_assert(holds(reply_str(reply_at(r, 0)), "\"queue\":\"default\""));
    reply_free(r);
    return due;
}

START_TEST(later_means_by_the_clock_of_redis)
{
    double before = (double)must_int(conn, "EVAL %s 0", "return redis.call('TIME')[1]");
    done(enqueue("x", "--in", "10m"));
    double after = (double)must_int(conn, "EVAL %s 0", "return redis.call('TIME')[1]") + 1;
    double due = due_of_the_only_one();
    ck_assert_msg(due >= before + 600 && due <= after + 600, "%f", due - before);

    must_do(conn, "FLUSHALL");
    done(enqueue("x", "--at", "2100-01-31T08:00:00+01:00"));
    ck_assert_double_eq(due_of_the_only_one(), 4105062000.0);
    must_do(conn, "FLUSHALL");
    done(enqueue("x", "--at", "4105062000.5"));
    ck_assert_double_eq(due_of_the_only_one(), 4105062000.5);

    must_do(conn, "FLUSHALL"); /* a time that has passed means now */
    done(enqueue("x", "--at", "1000000000"));
    done(enqueue("x", "--in", "0"));
    ck_assert_int_eq(must_int(conn, "LLEN queue:default"), 2);
    ck_assert_int_eq(must_int(conn, "EXISTS schedule"), 0);
}
END_TEST

START_TEST(many_are_distinct_and_summed_up)
{
    struct sluice r = enqueue("noop", "--count", "2500", "--queue", "bulk");
    ck_assert_str_eq(r.out, "enqueued 2500 jobs on queue bulk\n");
    sluice_free(&r);
    ck_assert_int_eq(must_int(conn, "LLEN queue:bulk"), 2500);
    ck_assert_int_eq(must_int(conn, "EVAL %s 1 queue:bulk",
                              "local seen, n = {}, 0 "
                              "for _, p in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do "
                              "local jid = cjson.decode(p).jid "
                              "if not seen[jid] then seen[jid] = true n = n + 1 end end return n"),
                     2500);
    r = enqueue("noop", "--count", "30", "--in", "1h");
    ck_assert_str_eq(r.out, "scheduled 30 jobs for queue default\n");
    sluice_free(&r);
    ck_assert_int_eq(must_int(conn, "ZCARD schedule"), 30);
}
END_TEST

static int count_member(void *ctx, const struct json_member *m)
{
    ck_assert_int_eq(m->type, JSON_STRING);
    ++*(int *)ctx;
    return 0;
}

static int find_jids(void *ctx, const struct json_member *m)
{
    enum json_type type;
    ck_assert(json_key_is(m->key, "jids") && m->type == JSON_ARRAY);
    return json_scan(m->value, &type, count_member, ctx, NULL);
}

START_TEST(json_prints_every_jid)
{
    static const int counts[] = {1, 30};
    for (size_t i = 0; i < 2; i++) {
        char count[16];
        int n = 0;
        enum json_type type;
        (void)snprintf(count, sizeof count, "%d", counts[i]);
        struct sluice r = enqueue("noop", "--json", "--count", count);
        ck_assert_int_eq(json_scan(slice_of(r.out), &type, find_jids, &n, NULL), 0);
        ck_assert_int_eq(n, counts[i]);
        sluice_free(&r);
    }
}
END_TEST

START_TEST(a_file_keeps_order_bytes_and_unknown_members)
{
    struct envelope e;
    write_file("{\"class\":\"a\",\"args\":[1.10],\"x\":{\"\\u00e9\":[ ]}}\n"
               "\n"
               "{\"class\":\"b\",\"args\":[],\"queue\":\"low\",\"jid\":\"my own\"}\r\n"
               "{\"class\":\"c\",\"args\":[12345678901234567890]}\n"
               "{\"class\":\"d\",\"args\":[],\"at\":4105062000}\n"
               "{\"class\":\"e\",\"args\":[],\"at\":1000000000}"); /* no newline at the end */
    struct sluice r = enqueue("--file", file, "--queue", "mine");
    ck_assert_msg(r.status == 0, "%s", r.err);
    char *line[5];
    char *rest = r.out;
    for (int i = 0; i < 5; i++)
        line[i] = strsep(&rest, "\n");
    ck_assert_str_eq(line[1], "my own"); /* jids in the order of the lines */

    struct reply *job = next_job("mine", &e);
    ck_assert_str_eq(e.klass, "a");
    ck_assert_str_eq(e.jid, line[0]);
    ck_assert(slice_is(e.args, "[1.10]"));
    ck_assert(holds(e.payload, "\"x\":{\"\\u00e9\":[ ]}"));
    envelope_release(&e);
    reply_free(job);
    ck_assert_int_eq(must_int(conn, "LLEN queue:mine"), 3);
    ck_assert_int_eq(must_int(conn, "LLEN queue:low"), 1);
    ck_assert_int_eq(must_int(conn, "ZSCORE schedule %s", "none"), 0);
    ck_assert_int_eq(must_int(conn, "ZCOUNT schedule 4105062000 4105062000"), 1);
    sluice_free(&r);
}
END_TEST

START_TEST(a_bad_line_is_named_and_nothing_is_enqueued)
{
    char line[256];
    write_file("{\"class\":\"a\",\"args\":[]}\n\n{\"class\":\"b\"}\n");
    (void)snprintf(line, sizeof line, "%s:3: field \"args\" is missing; an array is required\n",
                   file);
    refused(enqueue("--file", file), line);
    refused(
        enqueue_stdin("{\"class\":\"a\",\"args\":[]}\n{\"class\":\"b\",\"args\":{}}\n", "--json"),
        "stdin:2: field \"args\" is an object; an array is required\n");
    (void)snprintf(line, sizeof line, "%s.none: No such file or directory\n", file);
    strcat(file, ".none");
    refused(enqueue("--file", file), line);
    file[strlen(file) - strlen(".none")] = '\0';
}
END_TEST

START_TEST(stdin_may_hold_many_or_none)
{
    struct buf text = {0};
    for (int i = 0; i < 1500; i++)
        buf_printf(&text, "{\"class\":\"n\",\"args\":[%d],\"queue\":\"q%d\"}\n", i, i % 3);
    struct sluice r = enqueue_stdin(buf_str(&text), "--queue", "unused");
    ck_assert_str_eq(r.out, "enqueued 1500 jobs on 3 queues\n");
    sluice_free(&r);
    for (int q = 0; q < 3; q++) {
        struct envelope e;
        char name[8], args[16];
        (void)snprintf(name, sizeof name, "q%d", q);
        (void)snprintf(args, sizeof args, "[%d]", q);
        ck_assert_int_eq(must_int(conn, "LLEN queue:%s", name), 500);
        struct reply *job = next_job(name, &e); /* the first line is the first to run */
        ck_assert(slice_is(e.args, args));
        envelope_release(&e);
        reply_free(job);
    }
    buf_release(&text);
    r = enqueue_stdin("\n\n", "--json");
    ck_assert_str_eq(r.out, "{\"jids\":[]}\n");
    sluice_free(&r);
    done(enqueue_stdin("", "--queue", "q"));
}
END_TEST

START_TEST(bad_input_says_what_is_allowed)
{
    refused(sluice(server.url, NULL, "enqueue"),
            "sluice enqueue: a class is missing; as in: sluice enqueue checksum /etc/hosts\n");
    refused(enqueue(""),
            "sluice enqueue: field \"class\" is \"\"; a string of 1 to 256 bytes is required\n");
    refused(
        enqueue("x", "--in", "soon"),
        "sluice enqueue: --in: \"soon\" is not a duration; allowed: seconds, or a duration like "
        "10s, 5m, 1h30m or 2d\n");
    refused(enqueue("x", "--at", "2030-01-31T08:00:00"),
            "sluice enqueue: --at: \"2030-01-31T08:00:00\" has no zone; add Z for UTC, or one like "
            "+02:00\n");
    refused(enqueue("x", "--in", "1", "--at", "2"),
            "sluice enqueue: --in and --at exclude each other\n");
    refused(enqueue("x", "--retry", "-1"),
            "sluice enqueue: --retry \"-1\" is not allowed; allowed: 0 to 2147483647, true or "
            "false\n");
    refused(enqueue("x", "--count", "0"),
            "sluice enqueue: --count \"0\" is not allowed; allowed: 1 to 10000000\n");
    refused(enqueue("x", "--count", "1e3"),
            "sluice enqueue: --count \"1e3\" is not allowed; allowed: 1 to 10000000\n");
    refused(enqueue("x", "--queue", "a b"),
            "sluice enqueue: --queue \"a b\" is not a queue name; allowed: 1 to 256 bytes without "
            "white space, commas and quotes\n");
    refused(enqueue("x", "--args", "{}"),
            "sluice enqueue: --args is not an array; allowed: one like '[1,\"two\"]'\n");
    refused(enqueue("x", "--args", "[1,]"), "sluice enqueue: --args: not JSON: no value can start "
                                            "here at byte 3; allowed: an array like "
                                            "'[1,\"two\"]'\n");
    refused(enqueue("x", "y", "--args", "[]"),
            "sluice enqueue: --args and arguments exclude each other: put \"y\" into the array\n");
    refused(enqueue("x", "\xff"),
            "sluice enqueue: argument 1 is not UTF-8, which JSON cannot carry\n");
    refused(enqueue("x", "--file", file),
            "sluice enqueue: --file and a class exclude each other: classes come from the file\n");
    refused(enqueue("--file", file, "--track"),
            "sluice enqueue: --file and --track exclude each other: each line of the file is a "
            "whole job; allowed beside it: --queue\n");
}
END_TEST

START_TEST(a_key_of_another_type_fails_and_stays)
{
    must_do(conn, "SET queue:odd text");
    struct sluice r = enqueue("x", "--queue", "odd");
    ck_assert_int_eq(r.status, 1);
    ck_assert_msg(strncmp(r.err, "sluice: queue \"odd\": Redis: WRONGTYPE", 37) == 0, "%s", r.err);
    sluice_free(&r);
    r = enqueue_stdin("{\"class\":\"a\",\"args\":[],\"queue\":\"fine\"}\n"
                      "{\"class\":\"a\",\"args\":[],\"queue\":\"odd\"}\n",
                      "--json");
    ck_assert_int_eq(r.status, 1);
    ck_assert_msg(strstr(r.err, "; 1 of 2 jobs were enqueued\n") != NULL, "%s", r.err);
    sluice_free(&r);
}
END_TEST

/* Cut in the second batch of a thousand: what is certain and what is not. */
START_TEST(a_lost_connection_tells_how_far_it_came)
{
    struct proxy proxy = {0};
    struct err err = {""};
    char url[64];
    ck_assert_msg(proxy_start(&proxy, server.socket, &err) == 0, "%s", err.text);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    proxy_cut(&proxy, PROXY_REQUESTS, 225000); /* a job is some 150 bytes */
    struct sluice r = sluice(url, NULL, "enqueue", "noop", "--count", "5000");
    ck_assert_uint_eq(proxy_stats(&proxy).cuts, 1);
    ck_assert_int_eq(r.status, 69);
    ck_assert_str_eq(r.out, "");
    ck_assert_msg(strstr(r.err, "; 1000 of 5000 jobs were enqueued, and up to 1000 more may have "
                                "been\n") != NULL,
                  "%s", r.err);
    ck_assert_int_eq(must_int(conn, "LLEN queue:default"), 1000);
    sluice_free(&r);
    proxy_stop(&proxy);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("sluice enqueue");
    TCase *t = tcase_create("enqueue");
    tcase_set_timeout(t, 120);
    tcase_add_unchecked_fixture(t, start_server, stop_server);
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, one_job_prints_its_jid);
    tcase_add_test(t, args_are_kept_byte_for_byte);
    tcase_add_test(t, arguments_are_strings_whatever_they_look_like);
    tcase_add_test(t, later_means_by_the_clock_of_redis);
    tcase_add_test(t, many_are_distinct_and_summed_up);
    tcase_add_test(t, json_prints_every_jid);
    tcase_add_test(t, a_file_keeps_order_bytes_and_unknown_members);
    tcase_add_test(t, a_bad_line_is_named_and_nothing_is_enqueued);
    tcase_add_test(t, stdin_may_hold_many_or_none);
    tcase_add_test(t, bad_input_says_what_is_allowed);
    tcase_add_test(t, a_key_of_another_type_fails_and_stays);
    tcase_add_test(t, a_lost_connection_tells_how_far_it_came);
    suite_add_tcase(s, t);
    return s;
}
