/* A job's output by HTTP: live, resumed, after faults, and as pages. */
#include "test_api.h"

#include <poll.h>
#include <sys/socket.h>

#include "base/process.h"
#include "support/dice.h"
#include "support/viewer.h"

static const char completed[] = "{\"type\":\"status\",\"status\":\"completed\"}";

static void append(const char *jid, const char *event)
{
    must_do(redis, "EVAL %s 1 sluice:stream:%s %s",
            "return redis.call('PUBLISH', KEYS[1], redis.call('RPUSH', KEYS[1], ARGV[1]))", jid,
            event);
}

/* Events lo..hi, each its own number, without a word to anybody when it is silent. */
static void append_numbers(const char *jid, int lo, int hi, bool silent)
{
    must_do(redis, "EVAL %s 1 sluice:stream:%s %d %d %d",
            "for i = ARGV[1], ARGV[2] do redis.call('RPUSH', KEYS[1], string.format('%d', i)) end "
            "if ARGV[3] == '0' then redis.call('PUBLISH', KEYS[1], ARGV[2]) end",
            jid, lo, hi, silent ? 1 : 0);
}

static bool has_all(struct viewer_client *v, int64_t id)
{
    viewer_pull(v);
    return v->id >= id;
}

static bool has_ended(struct viewer_client *v)
{
    viewer_pull(v);
    return v->ended;
}

static void must_have_seen(const struct viewer_client *v, const char *data)
{
    ck_assert_str_eq(buf_str(&v->data), data);
}

START_TEST(finished_job_is_told_from_its_start)
{
    struct viewer_client v;
    start_api(NULL);
    append("j", "{\"a\":\n1}"); /* white space that would end a line */
    append("j", "\"two\"");
    append("j", completed);
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_ended(&v));
    must_have_seen(&v, "{\"a\": 1}\n\"two\"\n{\"type\":\"status\",\"status\":\"completed\"}\n");
    ck_assert_int_eq(v.id, 3);
    viewer_free(&v);

    viewer_open(&v, port, "j", 2); /* somebody who comes back */
    wait_until(HANG_MS, has_ended(&v));
    must_have_seen(&v, "{\"type\":\"status\",\"status\":\"completed\"}\n");
    viewer_free(&v);
}
END_TEST

/* It has seen everything: there is nothing left but the end. */
START_TEST(who_has_seen_the_end_is_let_go)
{
    start_api(NULL);
    append("j", "1");
    append("j", completed);
    struct answer a = ask_with("GET", "/v1/jobs/j/events", "Last-Event-ID: 2\r\n", "");
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_null(strstr(a.body, "data:"));
    free(a.text);
}
END_TEST

START_TEST(events_come_as_they_are_emitted)
{
    struct viewer_client v;
    start_api(NULL);
    viewer_open(&v, port, "j", 0); /* before there is such a job */
    for (int i = 1; i <= 20; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%d", i);
        append("j", text);
        wait_until(HANG_MS, has_all(&v, i));
    }
    append("j", completed);
    wait_until(HANG_MS, has_ended(&v));
    viewer_free(&v);
}
END_TEST

/* Nothing rests on messages. */
START_TEST(lost_messages_are_made_good)
{
    struct viewer_client v;
    start_api(NULL);
    append("j", "1");
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_all(&v, 1));
    append_numbers("j", 2, 50, true);
    wait_until(HANG_MS, has_all(&v, 50));
    viewer_free(&v);
}
END_TEST

/* Two who are far apart share a topic; the one behind has pages of its own. */
START_TEST(latecomers_catch_up)
{
    enum { EVENTS = 60000 };
    struct viewer_client early, late;
    start_api(NULL);
    append_numbers("j", 1, EVENTS, false);
    viewer_open(&early, port, "j", EVENTS - 10);
    wait_until(HANG_MS, has_all(&early, EVENTS));
    viewer_open(&late, port, "j", 0);
    wait_until(HANG_MS, has_all(&late, EVENTS));
    append("j", completed);
    wait_until(HANG_MS, has_ended(&early) && has_ended(&late));
    ck_assert_int_eq(late.id, EVENTS + 1);
    viewer_free(&early);
    viewer_free(&late);
}
END_TEST

/* The topic has missed messages, and somebody has seen more: by a page that was read for the viewer
 * alone, or from another process. That is no stream which was longer once. */
START_TEST(who_is_ahead_of_the_topic_sees_nothing_twice)
{
    enum { EVENTS = 1500, MORE = 50 };
    struct viewer_client early, late, elsewhere;
    start_api(NULL);
    append_numbers("j", 1, EVENTS, false);
    viewer_open(&early, port, "j", EVENTS - 10);
    wait_until(HANG_MS, has_all(&early, EVENTS));
    append_numbers("j", EVENTS + 1, EVENTS + MORE, true);
    viewer_open(&late, port, "j", 0);
    viewer_open(&elsewhere, port, "j", EVENTS + MORE);
    wait_until(HANG_MS, has_all(&late, EVENTS + MORE));
    append("j", completed);
    wait_until(HANG_MS, has_ended(&early) && has_ended(&late) && has_ended(&elsewhere));
    ck_assert_int_eq(early.events, 10 + MORE + 1);
    ck_assert_int_eq(late.events, EVENTS + MORE + 1);
    ck_assert_int_eq(elsewhere.events, 1);
    viewer_free(&early);
    viewer_free(&late);
    viewer_free(&elsewhere);
}
END_TEST

START_TEST(job_without_output_ends_by_its_record)
{
    struct viewer_client v;
    start_api(NULL);
    must_do(redis, "HSET sluice:job:j state running");
    viewer_open(&v, port, "j", 0);
    must_do(redis, "HSET sluice:job:j state completed");
    wait_until(HANG_MS, has_ended(&v));
    must_have_seen(&v, "{\"type\":\"status\",\"status\":\"completed\"}\n");
    ck_assert_int_eq(v.id, 0);
    viewer_free(&v);
}
END_TEST

/* Its first end is in the middle of the stream now. */
START_TEST(job_that_runs_again_goes_on)
{
    struct viewer_client v;
    start_api(NULL);
    append("j", "1");
    append("j", "{\"type\":\"status\",\"status\":\"dead\"}");
    append("j", "{\"type\":\"attempt\",\"attempt\":1}");
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_all(&v, 3));
    append("j", completed);
    wait_until(HANG_MS, has_ended(&v));
    ck_assert_int_eq(v.id, 4);
    viewer_free(&v);
}
END_TEST

START_TEST(stream_that_begins_anew_is_followed)
{
    struct viewer_client v;
    start_api(NULL);
    append_numbers("j", 1, 5, false);
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_all(&v, 5));
    must_do(redis, "DEL sluice:stream:j");
    wait_until(HANG_MS, must_int(redis, "EXISTS sluice:stream:j") == 0);
    v.id = 0; /* as it will be told */
    append("j", completed);
    wait_until(HANG_MS, has_ended(&v));
    ck_assert_int_eq(v.id, 1);
    viewer_free(&v);
}
END_TEST

/* ---- faults ---- */

/* Every viewer has every event once and in order (it checks that itself), whatever is cut. */
START_TEST(many_viewers_miss_nothing)
{
    enum { STREAMS = 10, EACH = 12, VIEWERS = STREAMS * EACH, EVENTS = 400, STEP = 10 };
    static struct viewer_client v[VIEWERS];
    struct dice dice = dice_of(1, 0);
    char jid[16];
    start_api(NULL);
    for (int i = 0; i < VIEWERS; i++) {
        (void)snprintf(jid, sizeof jid, "j%d", i % STREAMS);
        viewer_open(&v[i], port, jid, 0);
    }
    for (int n = 0; n < EVENTS; n += STEP) {
        for (int s = 0; s < STREAMS; s++) {
            (void)snprintf(jid, sizeof jid, "j%d", s);
            append_numbers(jid, n + 1, n + STEP, dice_below(&dice, 4) == 0);
        }
        for (int i = 0; i < VIEWERS; i++)
            viewer_pull(&v[i]);
        for (int i = 0; i < 4; i++)
            viewer_cut(&v[dice_below(&dice, VIEWERS)]);
        if (n % 100 == 50) /* who is there by then */
            wait_until(HANG_MS, must_int(redis, "CLIENT KILL TYPE %s SKIPME yes",
                                         n % 200 == 50 ? "pubsub" : "normal") >= 1);
    }
    for (int s = 0; s < STREAMS; s++) {
        (void)snprintf(jid, sizeof jid, "j%d", s);
        append(jid, completed);
    }
    int left = VIEWERS;
    int64_t deadline_ns = clock_deadline_ms(HANG_MS);
    while (left > 0 && clock_now_ns() < deadline_ns) {
        left = 0;
        for (int i = 0; i < VIEWERS; i++)
            left += !has_ended(&v[i]);
        (void)usleep(2000);
    }
    ck_assert_int_eq(left, 0);
    /* All of them on one subscribed connection. */
    struct reply *list = must_call(redis, "CLIENT LIST TYPE pubsub");
    const char *first = memchr(reply_str(list).p, '\n', reply_str(list).n);
    ck_assert(!first || first == reply_str(list).p + reply_str(list).n - 1);
    reply_free(list);
    for (int i = 0; i < VIEWERS; i++) {
        ck_assert_int_eq(v[i].id, EVENTS + 1);
        viewer_free(&v[i]);
    }
}
END_TEST

/* A viewer that speaks HTTP/1.1, which is given chunks. */
static int open_chunked(const char *jid)
{
    char request[128];
    int fd = ask_dial(port);
    int n = snprintf(request, sizeof request,
                     "GET /v1/jobs/%s/events HTTP/1.1\r\nHost: localhost\r\n\r\n", jid);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
    return fd;
}

static void read_bytes(int fd, size_t n)
{
    char bytes[4096];
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, HANG_MS), 1);
        ssize_t got = recv(fd, bytes, n < sizeof bytes ? n : sizeof bytes, 0);
        ck_assert_int_gt(got, 0);
        n -= (size_t)got;
    }
}

/* What a viewer costs while it waits: little, whatever it was sent before. */
START_TEST(viewers_are_cheap)
{
    enum { WARM = 50, VIEWERS = 450, EVENT = 3000, MOST_KB = 11 };
    static int fds[VIEWERS];
    char event[EVENT + 1];
    int64_t warm_kb = 0;
    if (SLOW > 1)
        return; /* a sanitizer's memory is another */
    memset(event, '7', EVENT);
    event[EVENT] = '\0';
    start_api(NULL);
    append("j", event);
    for (int i = 0; i < VIEWERS; i++) {
        if (i == WARM)
            warm_kb = process_rss_kb(worker.pid);
        fds[i] = open_chunked("j");
        read_bytes(fds[i], EVENT);
    }
    append("j", event);
    for (int i = 0; i < VIEWERS; i++)
        read_bytes(fds[i], EVENT);
    ck_assert_int_gt(warm_kb, 0);
    wait_until(HANG_MS, (process_rss_kb(worker.pid) - warm_kb) / (VIEWERS - WARM) <= MOST_KB);
    for (int i = 0; i < VIEWERS; i++)
        (void)close(fds[i]); /* only read */
}
END_TEST

START_TEST(restart_of_redis_leaves_no_gap)
{
    struct viewer_client v;
    start_api(NULL);
    append_numbers("j", 1, 100, false);
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_all(&v, 100));
    must_do(redis, "SAVE");
    redis_conn_free(redis);
    redis_server_kill(&server);
    must_restart(&server);
    open_redis();
    append_numbers("j", 101, 200, true);
    append("j", completed);
    wait_until(HANG_MS, has_ended(&v));
    ck_assert_int_eq(v.id, 201);
    viewer_free(&v);
}
END_TEST

/* ---- around it ---- */

START_TEST(stop_lets_viewers_go)
{
    struct viewer_client v;
    start_api(NULL);
    append("j", "1");
    viewer_open(&v, port, "j", 0);
    wait_until(HANG_MS, has_all(&v, 1));
    worker_process_signal(&worker, SIGTERM);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    viewer_free(&v);
}
END_TEST

START_TEST(pages)
{
    start_api(NULL);
    append("j", "{\"a\":1}");
    append("j", "no JSON");
    append("j", completed);
    must_say(ask_with("GET", "/v1/jobs/j/events?limit=2", "Accept: application/json\r\n", ""), 200,
             "{\"jid\":\"j\",\"length\":3,\"events\":[{\"id\":1,\"event\":{\"a\":1}},{\"id\":2,"
             "\"event\":\"no JSON\"}],\"next\":2,\"end\":null}\n");
    must_say(ask_with("GET", "/v1/jobs/j/events?after=2", "Accept: application/json\r\n", ""), 200,
             "\"events\":[{\"id\":3,\"event\":{\"type\":\"status\",\"status\":\"completed\"}}],"
             "\"next\":3,\"end\":\"completed\"}\n");
    must_say(ask_with("GET", "/v1/jobs/j/events?after=3", "Accept: application/json\r\n", ""), 200,
             "\"events\":[],\"next\":3,\"end\":\"completed\"}\n");
    must_say(ask_with("GET", "/v1/jobs/none/events", "Accept: application/json\r\n", ""), 200,
             "{\"jid\":\"none\",\"length\":0,\"events\":[],\"next\":0,\"end\":null}\n");
}
END_TEST

START_TEST(bad_ids_are_refused)
{
    start_api(NULL);
    must_refuse(ask_with("GET", "/v1/jobs/j/events", "Last-Event-ID: x\r\n", ""), 400,
                "bad_parameter");
    must_refuse(ask_with("GET", "/v1/jobs/j/events", "Last-Event-ID: 1234567890123\r\n", ""), 400,
                "bad_parameter");
    must_refuse(get("/v1/jobs/j/events?after=-1"), 400, "bad_parameter");
    must_refuse(get("/v1/jobs/j/events?limit=0"), 400, "bad_parameter");
    must_refuse(ask_with("GET", "/v1/jobs/j/events?after=x", "Last-Event-ID: 1\r\n", ""), 400,
                "bad_parameter");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("api events");
    TCase *tc = new_case(suite, "events");
    tcase_add_test(tc, finished_job_is_told_from_its_start);
    tcase_add_test(tc, who_has_seen_the_end_is_let_go);
    tcase_add_test(tc, events_come_as_they_are_emitted);
    tcase_add_test(tc, lost_messages_are_made_good);
    tcase_add_test(tc, latecomers_catch_up);
    tcase_add_test(tc, who_is_ahead_of_the_topic_sees_nothing_twice);
    tcase_add_test(tc, job_without_output_ends_by_its_record);
    tcase_add_test(tc, job_that_runs_again_goes_on);
    tcase_add_test(tc, stream_that_begins_anew_is_followed);
    tcase_add_test(tc, many_viewers_miss_nothing);
    tcase_add_test(tc, viewers_are_cheap);
    tcase_add_test(tc, restart_of_redis_leaves_no_gap);
    tcase_add_test(tc, stop_lets_viewers_go);
    tcase_add_test(tc, pages);
    tcase_add_test(tc, bad_ids_are_refused);
    return suite;
}
