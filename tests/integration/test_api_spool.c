/*
 * Enqueueing through an outage: what api.spool keeps while Redis is away, and what comes of it.
 *
 * Redis stands behind a proxy, which takes it away and leaves what it holds.
 */
#include "test_api.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "base/thread.h"
#include "support/program.h"

#define JOB(args, more) "{\"class\":\"x\",\"args\":" args more "}"
#define ONCE            "Idempotency-Key: order-1\r\n"
#define MORE_SETTINGS   "redis: {socket_timeout: 0.5, connect_timeout: 1}\n"

static struct proxy proxy;
static char folder[128];

static struct answer post(const char *headers, const char *body)
{
    return ask_with("POST", "/v1/jobs", headers, body);
}

/* An API with a spool; `more` are members of its section. */
static void start_spooling(const char *more)
{
    char settings[512], url[64];
    (void)snprintf(folder, sizeof folder, "%s/spool", server.dir);
    (void)snprintf(settings, sizeof settings, MORE_SETTINGS "api: {spool: %s%s%s}\n", folder,
                   strstr(more, "max_wait") ? "" : ", max_wait: 0.3", more);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    worker_process_free(&worker);
    start_api_at(url, settings, NULL);
}

static void set_up_proxy(void)
{
    set_up();
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
}

static void tear_down_proxy(void)
{
    tear_down();
    proxy_stop(&proxy);
}

static void redis_goes(void)
{
    proxy_refuse(&proxy, true);
    proxy_drop_all(&proxy);
}

static void redis_comes(void)
{
    proxy_refuse(&proxy, false);
}

static void wait_replayed(void)
{
    wait_until(HANG_MS, figure("sluice_spool_jobs") == 0);
}

static void must_spool(const char *headers, const char *body)
{
    must_say(post(headers, body), 202, "\r\nSluice-Spooled: true\r\n");
}

/* The first argument of each job of a queue, the next to run first. */
static void must_hold(const char *queue, const int *args, int n)
{
    struct reply *jobs = must_call(redis, "LRANGE queue:%s 0 -1", queue);
    ck_assert_int_eq((int)reply_count(jobs), n);
    for (int i = 0; i < n; i++) {
        const char *at = strstr(reply_str(reply_at(jobs, (size_t)(n - 1 - i))).p, "\"args\":[");
        ck_assert_ptr_nonnull(at);
        ck_assert_int_eq(atoi(at + 8), args[i]);
    }
    reply_free(jobs);
}

static void must_have_left_nothing(void)
{
    char path[160];
    (void)snprintf(path, sizeof path, "%s/0000000000000001.spool", folder);
    wait_until(HANG_MS, access(path, F_OK) != 0);
}

/* ---- an outage ---- */

enum { MANY = 200 };

START_TEST(jobs_wait_in_order)
{
    int args[MANY];
    char body[64];
    start_spooling("");
    for (int i = 0; i < MANY; i++) {
        args[i] = i;
        if (i == 10)
            redis_goes();
        (void)snprintf(body, sizeof body, JOB("[%d]", ""), i);
        struct answer a = post(TYPE_JSON, body);
        ck_assert_int_eq(strstr(a.text, "Sluice-Spooled: true") != NULL, i >= 10);
        must_say(a, 202, "\r\n\r\n{\"jid\":\"");
    }
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 10);
    must_say(get("/readyz"), 200, "{\"status\":\"spooling\",\"jobs\":190}");
    ck_assert(figure("sluice_spool_jobs") == MANY - 10);
    ck_assert(figure("sluice_spool_bytes") > 0);
    ck_assert(figure("sluice_spool_oldest_seconds") > 0);
    ck_assert(worker_process_said(&worker, "jobs go into the spool"));
    redis_comes();
    wait_replayed();
    must_hold("default", args, MANY);
    ck_assert(figure("sluice_spool_spooled_jobs_total") == MANY - 10);
    ck_assert(figure("sluice_spool_replayed_jobs_total") == MANY - 10);
    wait_said("msg=\"the spool has been replayed\" jobs=190 ");
    must_have_left_nothing();
    ck_assert(figure("sluice_spool_bytes") == 0);
    struct answer a = post(TYPE_JSON, JOB("[200]", ""));
    ck_assert_ptr_null(strstr(a.text, "Sluice-Spooled"));
    must_say(a, 202, "jid");
    must_say(get("/readyz"), 200, "{\"status\":\"ok\"}");
}
END_TEST

START_TEST(without_one_it_is_503)
{
    char url[64];
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    start_api_at(url, "api: {max_wait: 0.3}\n", NULL);
    redis_goes();
    must_refuse(post(TYPE_JSON, JOB("[1]", "")), 503, "redis_unavailable");
    must_refuse(get("/readyz"), 503, "redis_unavailable");
}
END_TEST

/* A start without Redis, jobs for later, and those that are none. */
START_TEST(times_and_bad_jobs)
{
    redis_goes();
    start_spooling("");
    must_refuse(post(TYPE_JSON, "{"), 400, "bad_json");
    must_refuse(post(TYPE_JSON, "{\"class\":7}"), 422, "invalid_job");
    must_spool(TYPE_JSON, "[" JOB("[1]", ",\"at\":4000000000,\"queue\":\"b\"") "," JOB(
                              "[2]", ",\"at\":5") "]");
    must_spool(TYPE_NDJSON, JOB("[3]", "") "\n" JOB("[4]", ""));
    must_refuse(get("/v1/jobs/x"), 503, "redis_unavailable");
    redis_comes();
    wait_replayed();
    must_hold("default", (const int[]){2, 3, 4}, 3);
    ck_assert_int_eq(must_int(redis, "ZCOUNT schedule 4000000000 4000000000"), 1);
    char *job = must_text(redis, "LINDEX queue:default -1");
    ck_assert_ptr_nonnull(strstr(job, "\"enqueued_at\":1"));
    ck_assert_ptr_null(strstr(job, "\"at\":"));
    free(job);
}
END_TEST

/* Redis is there and takes nothing: full, or no master any more. */
START_TEST(a_redis_that_refuses_is_away_too)
{
    start_spooling("");
    must_say(get("/readyz"), 200, "ok");
    must_do(redis, "CONFIG SET maxmemory 1");
    must_spool(TYPE_JSON, JOB("[1]", ""));
    must_spool(TYPE_JSON, JOB("[2]", ""));
    must_do(redis, "CONFIG SET maxmemory 0");
    wait_replayed();
    must_hold("default", (const int[]){1, 2}, 2);
    must_do(redis, "REPLICAOF 127.0.0.1 1");
    must_spool(TYPE_JSON, JOB("[3]", ""));
    must_spool(TYPE_JSON, JOB("[4]", ""));
    must_do(redis, "REPLICAOF NO ONE");
    wait_replayed();
    must_hold("default", (const int[]){1, 2, 3, 4}, 4);
}
END_TEST

/* ---- once ---- */

static const struct {
    enum proxy_spell spell;
    const char *headers;
} losses[] = {
    {PROXY_CUT, TYPE_JSON},
    {PROXY_MUTE, TYPE_JSON},
    {PROXY_CUT, TYPE_JSON ONCE},
};
enum { LOSSES = sizeof losses / sizeof *losses };

/* Redis has the job, and the answer is lost: it is spooled, and found there at the replay. */
START_TEST(an_answer_that_is_lost)
{
    start_spooling("");
    must_say(post(TYPE_JSON, JOB("[0]", "")), 202, "jid");
    proxy_trap(&proxy, "[7]", losses[_i].spell, 0);
    must_spool(losses[_i].headers, JOB("[7]", ""));
    must_say(post(TYPE_JSON, JOB("[8]", "")), 202, "jid");
    ck_assert_uint_eq(proxy_stats(&proxy).trapped, 1);
    wait_replayed();
    must_hold("default", (const int[]){0, 7, 8}, 3);
    ck_assert(figure("sluice_spool_replayed_jobs_total") >= 1);
}
END_TEST

/* Of a replay, too. */
START_TEST(an_answer_of_the_replay_is_lost)
{
    start_spooling("");
    redis_goes();
    for (int i = 0; i < 3; i++)
        must_spool(TYPE_JSON, JOB("[7]", ""));
    must_spool(TYPE_JSON ONCE, JOB("[7]", ""));
    proxy_trap(&proxy, "[7]", PROXY_CUT, 6 * _i);
    redis_comes();
    wait_replayed();
    ck_assert_uint_eq(proxy_stats(&proxy).trapped, 1);
    must_hold("default", (const int[]){7, 7, 7, 7}, 4);
}
END_TEST

static void must_answer_the_same(const char *body, const char *first)
{
    struct answer a = post(TYPE_JSON ONCE, body);
    ck_assert_str_eq(a.body, first);
    must_say(a, 202, "\r\nIdempotent-Replayed: true\r\n");
}

START_TEST(keys_keep_their_meaning)
{
    start_spooling("");
    redis_goes();
    struct answer first = post(TYPE_JSON ONCE, JOB("[1]", ""));
    ck_assert_int_eq(first.status, 202);
    must_answer_the_same(JOB("[1]", ""), first.body);
    must_refuse(post(TYPE_JSON ONCE, JOB("[2]", "")), 422, "idempotency_key_reused");
    must_refuse(post(TYPE_NDJSON ONCE, JOB("[1]", "")), 422, "idempotency_key_reused");
    stop_worker(); /* and by the next run, too */
    start_spooling("");
    must_answer_the_same(JOB("[1]", ""), first.body);
    must_refuse(post(TYPE_JSON ONCE, JOB("[2]", "")), 422, "idempotency_key_reused");
    redis_comes();
    wait_replayed();
    must_answer_the_same(JOB("[1]", ""), first.body);
    must_hold("default", (const int[]){1}, 1);
    free(first.text);
}
END_TEST

/* Before the outage, when nobody can look. */
START_TEST(a_key_that_was_used_before)
{
    start_spooling("");
    struct answer first = post(TYPE_JSON ONCE, JOB("[1]", ""));
    ck_assert_int_eq(first.status, 202);
    redis_goes();
    must_spool(TYPE_JSON ONCE, JOB("[1]", "")); /* nobody can know */
    must_spool(TYPE_JSON, JOB("[3]", ""));
    redis_comes();
    wait_replayed();
    must_hold("default", (const int[]){1, 3}, 2);
    must_answer_the_same(JOB("[1]", ""), first.body);
    free(first.text);

    /* With another body it is refused at the replay. */
    redis_goes();
    must_spool(TYPE_JSON ONCE, JOB("[4]", ""));
    redis_comes();
    wait_said("its Idempotency-Key was used for another body before");
    ck_assert(figure("sluice_spool_refused_jobs_total") == 1);
    must_hold("default", (const int[]){1, 3}, 2);
}
END_TEST

/* ---- newcomers ---- */

enum { CLIENTS = 4 };

struct client {
    struct thread thread;
    int number, accepted;
    atomic_bool *stop, direct;
};

static void *enqueue_on_and_on(void *arg)
{
    struct client *c = arg;
    char body[96];
    while (!atomic_load(c->stop)) {
        (void)snprintf(body, sizeof body, JOB("[%d]", ",\"queue\":\"c%d\""), c->accepted,
                       c->number);
        struct answer a = post(TYPE_JSON, body);
        bool slow = a.status == 503 && strstr(a.body, "the disk is too slow"); /* it may be that */
        ck_assert_msg(a.status == 202 || slow, "%s %s", a.body, a.text);
        atomic_store(&c->direct, !slow && !strstr(a.text, "Sluice-Spooled"));
        free(a.text);
        c->accepted += !slow;
    }
    return NULL;
}

static bool all_direct(struct client *clients)
{
    for (int i = 0; i < CLIENTS; i++)
        if (!atomic_load(&clients[i].direct))
            return false;
    return true;
}

/* Clients that never pause: the spool comes to its end all the same, and each finds its jobs in its
 * order. */
START_TEST(the_end_of_an_outage_under_load)
{
    struct client clients[CLIENTS] = {{.number = 0}};
    atomic_bool stop = false;
    start_spooling(", max_wait: 1"); /* also for the disk, which others use, too */
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].number = i;
        clients[i].stop = &stop;
        ck_assert_int_eq(thread_start(&clients[i].thread, "client", enqueue_on_and_on, &clients[i]),
                         0);
    }
    wait_until(HANG_MS, all_direct(clients));
    redis_goes();
    wait_until(HANG_MS, figure("sluice_spool_spooled_jobs_total") > 200 / SLOW);
    redis_comes();
    wait_until(HANG_MS, worker_process_said(&worker, "spool has been replayed"));
    wait_until(HANG_MS, all_direct(clients));
    atomic_store(&stop, true);
    for (int i = 0; i < CLIENTS; i++)
        thread_join(&clients[i].thread);
    wait_replayed();
    for (int i = 0; i < CLIENTS; i++) {
        char queue[8];
        int *args = malloc((size_t)clients[i].accepted * sizeof *args);
        for (int k = 0; k < clients[i].accepted; k++)
            args[k] = k;
        (void)snprintf(queue, sizeof queue, "c%d", i);
        must_hold(queue, args, clients[i].accepted);
        free(args);
    }
}
END_TEST

/* ---- what is in the way ---- */

START_TEST(what_redis_refuses_is_set_aside)
{
    char path[160];
    start_spooling("");
    redis_goes();
    must_spool(TYPE_JSON, JOB("[1]", ""));
    must_spool(TYPE_JSON, "[" JOB("[2]", ",\"queue\":\"b\"") "," JOB("[3]", "") "]");
    must_spool(TYPE_JSON, JOB("[4]", ""));
    must_do(redis, "SET queue:b text");
    redis_comes();
    wait_replayed();
    must_hold("default", (const int[]){1, 4}, 2);
    ck_assert(figure("sluice_spool_refused_jobs_total") == 2);
    ck_assert(figure("sluice_spool_replayed_jobs_total") == 2);
    wait_said("level=error msg=\"spooled jobs were refused, and are in refused.jsonl\" jobs=2 ");
    (void)snprintf(path, sizeof path, "spool/refused.jsonl");
    char *line = worker_process_file(&worker, path);
    ck_assert_ptr_nonnull(strstr(line, "queue:b is no list"));
    ck_assert_ptr_nonnull(
        strstr(line, "\"queue\":\"b\",\"payload\":\"{\\\"class\\\":\\\"x\\\",\\\"args\\\":[2]"));
    ck_assert_ptr_nonnull(strstr(line, "\\\"args\\\":[3]"));
    ck_assert_str_eq(strchr(line, '\n'), "\n");
    free(line);
}
END_TEST

/* One byte of the middle (0) or the last request (1) of three. */
static void spoil_segment(int which)
{
    char path[160], byte = 'x';
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/0000000000000001.spool", folder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fstat(fd, &st), 0);
    ck_assert_int_eq(pwrite(fd, &byte, 1, which == 0 ? st.st_size / 2 : st.st_size - 1), 1);
    (void)close(fd); /* written */
}

/* A byte goes bad on the disk: that request is told and kept, the others are enqueued, and nobody
 * waits for it. */
START_TEST(what_cannot_be_read_is_set_aside)
{
    char path[160];
    start_spooling("");
    redis_goes();
    for (int i = 1; i <= 3; i++)
        must_spool(TYPE_JSON, JOB("[1]", ""));
    spoil_segment(_i);
    redis_comes();
    wait_replayed();
    wait_said("a part of the spool cannot be read, and stays in the folder");
    ck_assert(figure("sluice_spool_damages_total") == 1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);
    (void)snprintf(path, sizeof path, "%s/0000000000000001.spool.damaged", folder);
    wait_until(HANG_MS, access(path, F_OK) == 0);
    struct answer a = post(TYPE_JSON, JOB("[4]", ""));
    ck_assert_ptr_null(strstr(a.text, "Sluice-Spooled"));
    must_say(a, 202, "jid");
}
END_TEST

START_TEST(it_is_full)
{
    struct buf body = {0};
    start_spooling(", spool_max: 1048576");
    redis_goes();
    buf_puts(&body, "{\"class\":\"x\",\"args\":[\"");
    for (int i = 0; i < 300000; i++)
        buf_putc(&body, 'x');
    buf_puts(&body, "\"]}");
    for (int i = 0; i < 3; i++)
        must_spool(TYPE_JSON, buf_str(&body));
    must_say(post(TYPE_JSON, buf_str(&body)), 503, "\r\nRetry-After: 1\r\n");
    must_refuse(post(TYPE_JSON, buf_str(&body)), 503, "spool_full");
    must_refuse(get("/readyz"), 503, "redis_unavailable");
    ck_assert(figure("sluice_spool_failures_total") == 2);
    ck_assert_int_eq(worker_process_count(&worker, "the spool fails; jobs are refused"), 1);
    redis_comes();
    wait_replayed();
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 3);
    must_say(post(TYPE_JSON, buf_str(&body)), 202, "jid");
    buf_release(&body);
}
END_TEST

/* ---- stop and start ---- */

START_TEST(what_is_left_is_for_the_next_start)
{
    start_spooling("");
    redis_goes();
    for (int i = 0; i < 3; i++)
        must_spool(TYPE_JSON, JOB("[1]", ""));
    stop_worker();
    ck_assert(worker_process_said(&worker,
                                  "msg=\"jobs stay in the spool until the next start\" jobs=3 "));
    start_spooling("");
    ck_assert(
        worker_process_said(&worker, "msg=\"the spool holds jobs of an earlier run\" jobs=3 "));
    must_spool(TYPE_JSON, JOB("[2]", ""));
    redis_comes();
    wait_replayed();
    must_hold("default", (const int[]){1, 1, 1, 2}, 4);
    stop_worker();
    start_spooling("");
    ck_assert(!worker_process_said(&worker, "earlier run"));
    must_hold("default", (const int[]){1, 1, 1, 2}, 4);
}
END_TEST

static struct program run_api(const char *const *words, const char *spool, int wanted)
{
    static char setting[160];
    struct program p = {.env = {setting}};
    const char *argv[8] = {API_PROGRAM};
    (void)snprintf(setting, sizeof setting, "SLUICE_API_SPOOL=%s", spool);
    for (int i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    program_start(&p, argv);
    int status = program_wait(&p);
    ck_assert_msg(status == wanted, "%d: %s", status, p.err);
    return p;
}

START_TEST(a_folder_of_its_own)
{
    static const char *const at[] = {"--listen", "127.0.0.1:1", NULL};
    static const char *const check[] = {"--check-config", NULL};
    start_spooling("");
    struct program p = run_api(at, folder, 1);
    ck_assert_msg(strstr(p.err, "is used by another process (pid "), "%s", p.err);
    program_end(&p);
    p = run_api(check, folder, 0);
    ck_assert_msg(strstr(p.err, "settings are valid"), "%s", p.err);
    program_end(&p);
    p = run_api(check, "/nowhere/spool", 2);
    ck_assert_str_eq(p.err, "api.spool: /nowhere cannot be used: No such file or directory\n");
    program_end(&p);
}
END_TEST

static TCase *new_spool_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, set_up_proxy, tear_down_proxy);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    return tc;
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("the API: the spool");
    TCase *tc = new_spool_case(suite, "outage");
    tcase_add_test(tc, jobs_wait_in_order);
    tcase_add_test(tc, without_one_it_is_503);
    tcase_add_test(tc, times_and_bad_jobs);
    tcase_add_test(tc, a_redis_that_refuses_is_away_too);
    tcase_add_test(tc, the_end_of_an_outage_under_load);
    tc = new_spool_case(suite, "once");
    tcase_add_loop_test(tc, an_answer_that_is_lost, 0, LOSSES);
    tcase_add_loop_test(tc, an_answer_of_the_replay_is_lost, 0, 2);
    tcase_add_test(tc, keys_keep_their_meaning);
    tcase_add_test(tc, a_key_that_was_used_before);
    tc = new_spool_case(suite, "in the way");
    tcase_add_test(tc, what_redis_refuses_is_set_aside);
    tcase_add_loop_test(tc, what_cannot_be_read_is_set_aside, 0, 2);
    tcase_add_test(tc, it_is_full);
    tc = new_spool_case(suite, "start and stop");
    tcase_add_test(tc, what_is_left_is_for_the_next_start);
    tcase_add_test(tc, a_folder_of_its_own);
    return suite;
}
