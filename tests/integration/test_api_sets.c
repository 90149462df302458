/* What the API does to jobs in retry, schedule and dead: to one, and to many at once. */
#include "test_api.h"

static const char *const sets[] = {"retry", "schedule", "dead"};
enum { RETRY, SCHEDULE, DEAD, SETS };

static struct answer ask_post(const char *path)
{
    return ask_with("POST", path, "", "");
}

static struct answer ask_delete(const char *path)
{
    return ask_with("DELETE", path, "", "");
}

static const char *path_of(int set, const char *rest)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "/v1/%s%s", sets[set], rest);
    return path;
}

static void add(int set, double score, const char *entry)
{
    must_do(redis, "ZADD %s %f %b", sets[set], score, entry, strlen(entry));
}

/* ---- one ---- */

/* What only waits is brought forward, byte for byte. */
START_TEST(waiting_ones_run_now)
{
    static const char job[] =
        "{\"class\" : \"x\",\"args\":[12345678901234567890, []],\"jid\":\"j\","
        "\"queue\":\"mail\",\"retry_count\":3,\"at\":4e9,\"error_class\":\"E\"}";
    start_api(NULL);
    for (int set = RETRY; set <= SCHEDULE; set++) {
        add(set, 4e9, job);
        add(set, 4e9, "not j");
        must_do(redis, "ZADD sluice:cancelled 1 j");
        must_refuse(ask_post(path_of(set, "/other/requeue")), 404, "not_found");
        must_say(ask_post(path_of(set, "/j/requeue")), 200,
                 "\r\n\r\n{\"jid\":\"j\",\"queue\":\"mail\"}\n");
        ck_assert(answers_with(redis, job, "LPOP queue:mail"));
        ck_assert_int_eq(must_int(redis, "SISMEMBER queues mail"), 1);
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 1);
        ck_assert_int_eq(must_int(redis, "ZCARD sluice:cancelled"), 1); /* the order stands */
        must_refuse(ask_post(path_of(set, "/j/requeue")), 404, "not_found");

        /* The queue is no list: the job stays. */
        must_do(redis, "SET queue:mail text");
        add(set, 4e9, job);
        must_refuse(ask_post(path_of(set, "/j/requeue")), 409, "wrong_type");
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 2);
        must_do(redis, "DEL queue:mail");
    }
    /* A retry may have a queue of its own; a job of no queue is of the default one. */
    add(RETRY, 1,
        "{\"class\":\"x\",\"args\":[],\"jid\":\"own\",\"queue\":\"a\",\"retry_queue\":\"b\","
        "\"retry_count\":0}");
    must_say(ask_post("/v1/retry/own/requeue"), 200, "\"queue\":\"b\"}\n");
    add(SCHEDULE, 1, "{\"class\":\"x\",\"args\":[],\"jid\":\"bare\"}");
    must_say(ask_post("/v1/schedule/bare/requeue"), 200, "\"queue\":\"default\"}\n");
}
END_TEST

/* A job that was cancelled does not run because somebody is in a hurry. */
START_TEST(an_order_to_cancel_stands)
{
    struct worker_process runner;
    start_api(NULL);
    worker_process_start(&runner, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER});
    wait_until(HANG_MS, workers_listen(1));
    add(SCHEDULE, 4e9, "{\"class\":\"test\",\"args\":[{}],\"jid\":\"c\",\"track\":true}");
    must_do(redis, "ZADD sluice:cancelled %d c", (int)(clock_wall_us() / 1000000));
    must_do(redis, "PUBLISH sluice:control %s",
            "{\"cmd\":\"cancel\",\"jid\":\"c\",\"reply\":\"heard\",\"id\":1}");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:reply:heard") == 1);
    must_say(ask_post("/v1/schedule/c/requeue"), 200, "default");
    wait_until(HANG_MS, answers_with(redis, "stopped", "HGET sluice:job:c state"));
    ck_assert_int_eq(worker_process_stop(&runner), 0);
    worker_process_free(&runner);
}
END_TEST

START_TEST(one_is_deleted)
{
    static const char tracked[] = "{\"class\":\"x\",\"args\":[],\"jid\":\"t\",\"track\":true}";
    static const char plain[] = "{\"class\":\"x\",\"args\":[],\"jid\":\"p\"}";
    start_api("worker: {stream_ttl: 500}\n");
    for (int set = 0; set < SETS; set++) {
        must_do(redis, "DEL sluice:job:t sluice:stream:t");
        add(set, 1, tracked);
        add(set, 2, plain);
        add(set, 3, "no job");
        must_refuse(ask_delete(path_of(set, "/other")), 404, "not_found");
        must_say(ask_delete(path_of(set, "/t")), 200, "\r\n\r\n{\"jid\":\"t\",\"deleted\":true}\n");
        must_say(ask_delete(path_of(set, "/p")), 200, "{\"jid\":\"p\",\"deleted\":true}\n");
        must_refuse(ask_delete(path_of(set, "/t")), 404, "not_found");
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 1);
        ck_assert_int_eq(must_int(redis, "EXISTS sluice:cancelled sluice:job:p sluice:stream:p"),
                         0);
        /* Whoever follows it hears of the end; a dead one had its own. */
        bool told = set != DEAD;
        ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:t sluice:stream:t"), told ? 2 : 0);
        if (told) {
            must_say(get("/v1/jobs/t"), 200,
                     "{\"jid\":\"t\",\"state\":\"stopped\",\"finished_at\":");
            must_say(get("/v1/jobs/t"), 200,
                     "\"error_class\":\"Deleted\",\"error\":\"deleted before it ran\"}\n");
            ck_assert(answers_with(redis, "{\"type\":\"status\",\"status\":\"stopped\"}",
                                   "LINDEX sluice:stream:t -1"));
            ck_assert_int_le(must_int(redis, "TTL sluice:stream:t"), 500);
        }
    }
}
END_TEST

/* ---- many ---- */

struct piece {
    long long done, left, skipped;
    char next[64]; /* "" at the end */
};

static struct piece piece_of(struct answer a)
{
    struct piece p = {.next = ""};
    char end[64] = "";
    int n = sscanf(a.body, "{\"done\":%lld,\"left\":%lld,\"skipped\":%lld,\"next\":%63[^}]}",
                   &p.done, &p.left, &p.skipped, end);
    ck_assert_msg(a.status == 200 && n == 4, "%s", a.text);
    if (strcmp(end, "null") != 0)
        ck_assert_int_eq(sscanf(end, "\"%63[0-9.]\"", p.next), 1);
    free(a.text);
    return p;
}

/* Comes back until there is nothing more; adds up what was done and skipped. An entry that is
 * skipped may count twice: the set shrinks under the scan. */
static struct piece do_all(const char *method, const char *path, const char *filter)
{
    struct piece sum = {.next = ""}, p = {.next = ""};
    int pieces = 0;
    do {
        char whole[512];
        (void)snprintf(whole, sizeof whole, "%s?%s%s%s", path, filter, p.next[0] ? "&after=" : "",
                       p.next);
        p = piece_of(ask_with(method, whole, "", ""));
        sum.done += p.done;
        sum.skipped += p.skipped;
        ck_assert_int_lt(++pieces, 1000);
    } while (p.next[0]);
    ck_assert_int_eq(p.left, 0);
    return sum;
}

/* Jobs j1 … jn of the class A or, every third, B; each fifth has failed of E. */
static void add_many(int set, int n)
{
    must_do(
        redis, "EVAL %s 0 %s %d",
        "for i = 1, tonumber(ARGV[2]) do redis.call('ZADD', ARGV[1], 4e9 + i % 7, string.format("
        "'{\"class\":\"%s\",\"args\":[%d],\"jid\":\"j%d\",\"queue\":\"q%d\"%s}', "
        "i % 3 == 0 and 'B' or 'A', i, i, i % 2, "
        "i % 5 == 0 and ',\"error_class\":\"E\"' or '')) end",
        sets[set], n);
}

static int64_t queued(void)
{
    return must_int(redis, "LLEN queue:q0") + must_int(redis, "LLEN queue:q1");
}

START_TEST(all_are_requeued)
{
    enum { MANY = 2500 };
    start_api(NULL);
    for (int set = 0; set < SETS; set++) {
        add_many(set, MANY);
        add(set, 1, "no job");
        add(set, 2, "{\"class\":\"A\",\"args\":[],\"queue\":\"q0\"}"); /* without a jid */
        must_do(redis, "ZADD sluice:cancelled 1 j7");
        struct piece p = piece_of(ask_post(path_of(set, "/requeue")));
        ck_assert_int_eq(p.done, 1000);
        ck_assert_int_eq(p.left + p.skipped, MANY + 2 - 1000);
        ck_assert_int_eq(queued(), 1000);
        struct piece next = do_all("POST", path_of(set, "/requeue"), "limit=400");
        ck_assert_int_eq(next.done, MANY + 1 - 1000);
        ck_assert_int_ge(next.skipped, 1);
        ck_assert_int_eq(queued(), MANY + 1);
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 1);
        ck_assert_int_eq(must_int(redis, "EXISTS sluice:cancelled"), set != DEAD);
        if (set != DEAD) /* as it was */
            ck_assert_int_eq(must_int(redis, "LREM queue:q1 0 %s",
                                      "{\"class\":\"A\",\"args\":[1],\"jid\":\"j1\",\"queue\":"
                                      "\"q1\"}"),
                             1);
        must_do(redis, "DEL queue:q0 queue:q1 sluice:cancelled %s", sets[set]);
    }
}
END_TEST

START_TEST(some_are_meant)
{
    static const struct {
        const char *filter;
        int n; /* of 300 */
    } cases[] = {
        {"class=A", 200}, {"class=B", 100}, {"class=B&error_class=E", 20}, {"error_class=E", 60},
        {"class=C", 0},   {"class=a", 0},   {"error_class=E&class=A", 40}};
    start_api(NULL);
    for (int set = 0; set < SETS; set++)
        for (int requeue = 0; requeue < 2; requeue++)
            for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                add_many(set, 300);
                add(set, 1, "no job");
                add(set, 2, "{\"class\":\"A\"}");
                struct piece p = do_all(requeue ? "POST" : "DELETE",
                                        path_of(set, requeue ? "/requeue" : ""), cases[i].filter);
                ck_assert_int_eq(p.done, cases[i].n);
                ck_assert_int_eq(p.skipped, 0); /* none that was meant */
                ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[set]), 302 - cases[i].n);
                ck_assert_int_eq(queued(), requeue ? cases[i].n : 0);
                must_do(redis, "DEL queue:q0 queue:q1 %s", sets[set]);
            }
    /* As a browser writes it, and as JSON may. */
    add(DEAD, 1, "{\"class\":\"a+b \xc3\xa9\",\"args\":[],\"error_class\":\"\\u0045\"}");
    ck_assert_int_eq(do_all("DELETE", "/v1/dead", "class=a%2Bb+%C3%A9&error_class=E").done, 1);
}
END_TEST

/* What nobody can find by its jid: no JSON, no jid, too large. By the largest and the smallest
 * step. */
START_TEST(everything_is_deleted)
{
    static const char *const limits[] = {"limit=1000", "limit=1"};
    static char large[100001];
    memset(large, '7', sizeof large - 1);
    start_api("worker: {max_payload: 4096}\n");
    for (int set = 0; set < SETS; set++)
        for (int i = 0; i < 2; i++) {
            int n = i == 0 ? 500 : 20;
            add_many(set, n);
            add(set, 1, "no json");
            add(set, 2, "[]");
            add(set, 3, "{\"class\":\"A\",\"args\":[]}");
            add(set, 4, "");
            for (int k = 0; k < 3; k++) {
                large[0] = (char)('1' + k);
                add(set, 5, large);
            }
            struct piece p = do_all("POST", path_of(set, "/requeue"), limits[i]);
            ck_assert_int_eq(p.done, n + 1);
            ck_assert_int_ge(p.skipped, 6);
            add_many(set, n);
            p = do_all("DELETE", path_of(set, ""), limits[i]);
            ck_assert_int_eq(p.done, n + 6);
            ck_assert_int_eq(p.skipped, 0);
            ck_assert_int_eq(must_int(redis, "EXISTS %s", sets[set]), 0);
        }
}
END_TEST

/* Jobs whose queue cannot take them stay, and hold up none behind them. */
START_TEST(a_queue_that_is_none)
{
    start_api(NULL);
    add_many(DEAD, 400);
    must_do(redis, "SET queue:q1 text");
    struct piece p = do_all("POST", "/v1/dead/requeue", "limit=7");
    ck_assert_int_eq(p.done, 200);
    ck_assert_int_ge(p.skipped, 200);
    ck_assert_int_eq(must_int(redis, "LLEN queue:q0"), 200);
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 200);
}
END_TEST

START_TEST(deleted_ones_are_ended)
{
    start_api(NULL);
    add(RETRY, 1, "{\"class\":\"A\",\"args\":[],\"jid\":\"t\",\"track\":true}");
    add(RETRY, 1, "{\"class\":\"A\",\"args\":[],\"jid\":\"p\"}");
    ck_assert_int_eq(piece_of(ask_delete("/v1/retry")).done, 2);
    must_say(get("/v1/jobs/t"), 200, "\"state\":\"stopped\"");
    must_refuse(get("/v1/jobs/p"), 404, "not_recorded");
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:cancelled"), 0);
}
END_TEST

/* Two at once share the work. */
static void *requeue_all(void *arg)
{
    struct piece *sum = arg;
    *sum = do_all("POST", "/v1/dead/requeue", "limit=50");
    return NULL;
}

START_TEST(none_is_lost_or_doubled)
{
    enum { MANY = 3000, CALLERS = 3 };
    struct thread threads[CALLERS];
    struct piece sums[CALLERS];
    long long done = 0;
    start_api(NULL);
    add_many(DEAD, MANY);
    for (int i = 0; i < CALLERS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "caller", requeue_all, &sums[i]), 0);
    for (int i = 0; i < CALLERS; i++) {
        thread_join(&threads[i]);
        done += sums[i].done;
    }
    ck_assert_int_eq(done, MANY);
    ck_assert_int_eq(queued(), MANY);
    ck_assert_int_eq(must_int(redis, "EXISTS dead"), 0);
    ck_assert_int_eq(
        must_int(redis, "EVAL %s 0",
                 "local seen, n = {}, 0 for q = 0, 1 do for _, job in ipairs("
                 "redis.call('LRANGE', 'queue:q' .. q, 0, -1)) do "
                 "local id = string.match(job, '\"jid\":\"(j%d+)\"') "
                 "if not seen[id] then seen[id] = true n = n + 1 end end end return n"),
        MANY);
}
END_TEST

START_TEST(what_is_refused)
{
    static const char *const bad[] = {
        "limit=0",      "limit=1001",      "limit=x",   "class=",
        "error_class=", "class=%00",       "class=%zz", "after=",
        "after=1",      "after=1.",        "after=x.1", "after=99999999999999999999.0",
        "clas=A",       "class=A&class=B", "limit=1&x", "after=0.0&offset=1"};
    start_api(NULL);
    add_many(DEAD, 3);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "/v1/dead?%s", bad[i]);
        must_refuse(ask_delete(path), 400, "bad_parameter");
        (void)snprintf(path, sizeof path, "/v1/dead/requeue?%s", bad[i]);
        must_refuse(ask_post(path), 400, "bad_parameter");
    }
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 3);
    must_say(ask_delete("/v1/dead?after=18446744073709551615.0"), 200, "{\"done\":");
    must_say(ask_delete("/v1/retry"), 200,
             "\r\n\r\n{\"done\":0,\"left\":0,\"skipped\":0,\"next\":null}\n");
    must_do(redis, "SET schedule text");
    must_refuse(ask_delete("/v1/schedule"), 409, "wrong_type");
    must_refuse(ask_post("/v1/schedule/requeue"), 409, "wrong_type");
}
END_TEST

/* A fixed word goes before a jid, and a job may bear it as its name. */
START_TEST(a_job_named_requeue)
{
    static const char job[] = "{\"class\":\"A\",\"args\":[],\"jid\":\"requeue\"}";
    start_api(NULL);
    for (int set = 0; set < SETS; set++) {
        add(set, 1, job);
        must_say(ask_with("OPTIONS", path_of(set, "/requeue"), "", ""), 204,
                 "\r\nAllow: POST, DELETE, OPTIONS\r\n");
        must_say(ask_delete(path_of(set, "/requeue")), 200,
                 "{\"jid\":\"requeue\",\"deleted\":true}\n");
        add(set, 1, job);
        must_say(ask_post(path_of(set, "/requeue/requeue")), 200,
                 "{\"jid\":\"requeue\",\"queue\":\"default\"}\n");
        add(set, 1, job);
        must_say(ask_post(path_of(set, "/requeue")), 200, "{\"done\":1,");
        must_refuse(get(path_of(set, "/requeue")), 405, "method_not_allowed");
    }
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 6);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: sets of jobs");
    TCase *tc = new_case(suite, "one");
    tcase_add_test(tc, waiting_ones_run_now);
    tcase_add_test(tc, an_order_to_cancel_stands);
    tcase_add_test(tc, one_is_deleted);
    tc = new_case(suite, "many");
    tcase_add_test(tc, all_are_requeued);
    tcase_add_test(tc, some_are_meant);
    tcase_add_test(tc, everything_is_deleted);
    tcase_add_test(tc, a_queue_that_is_none);
    tcase_add_test(tc, deleted_ones_are_ended);
    tcase_add_test(tc, none_is_lost_or_doubled);
    tcase_add_test(tc, what_is_refused);
    tcase_add_test(tc, a_job_named_requeue);
    return suite;
}
