/* The C client against a Redis and a worker of its own: what it enqueues, and what becomes of it.
 */
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <sluice/client.h>

#include "test_worker.h"

#include "job/envelope.h"

static struct sluice_client *client;
static struct sluice_client_error error;
static char jid[SLUICE_CLIENT_JID_SIZE];

static struct sluice_client *open_client(const char *url, const char *prefix, int timeout_ms)
{
    struct sluice_client *c = NULL;
    struct sluice_client_options o = sluice_client_options_init();
    o.url = url;
    o.key_prefix = prefix;
    o.timeout_ms = timeout_ms;
    ck_assert_msg(sluice_client_new(&o, &c, &error) == 0, "%s", error.text);
    return c;
}

static void set_up_client(void)
{
    set_up();
    client = open_client(server.url, NULL, HANG_MS);
}

static void tear_down_client(void)
{
    sluice_client_free(client);
    tear_down();
}

static struct sluice_client_job job_of(const char *klass, const char *args)
{
    struct sluice_client_job job = sluice_client_job_init();
    job.klass = klass;
    job.args = args;
    return job;
}

static void must_enqueue(const struct sluice_client_job *job)
{
    int rc = sluice_client_enqueue(client, job, NULL, jid, &error);
    ck_assert_msg(rc == 0, "%d: %s", rc, error.text);
    ck_assert_int_eq(error.code, 0);
    ck_assert_str_eq(error.text, "");
}

/* ---- what lies in Redis ---- */

static const char odd_args[] = "[12345678901234567890, 1.10, [], {}, \"\\u00e9\\/\" ,\n1e400]";

START_TEST(a_job_lies_in_its_queue)
{
    struct sluice_client_job job = job_of("x", odd_args);
    must_enqueue(&job);
    ck_assert_uint_eq(strlen(jid), JOB_JID_BYTES);
    ck_assert_uint_eq(strspn(jid, "0123456789abcdef"), JOB_JID_BYTES);
    char *payload = must_text(redis, "LINDEX queue:default 0");
    struct envelope e;
    ck_assert_int_eq(envelope_parse(slice_of(payload), &e, NULL), 0);
    ck_assert(slice_is(e.args, odd_args));
    ck_assert_str_eq(e.jid, jid);
    ck_assert_str_eq(e.queue, "default");
    ck_assert(e.created_at > 1e9 && e.enqueued_at > 1e9 && e.at == 0);
    ck_assert_int_eq(e.retry, JOB_RETRY_UNSET);
    envelope_release(&e);
    free(payload);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues default"), 1);
    job.args_len = 3; /* no NUL is needed behind them */
    job.args = "[1]x";
    must_enqueue(&job);
    job.args = NULL;
    job.args_len = 0;
    must_enqueue(&job);
    payload = must_text(redis, "LINDEX queue:default 0");
    ck_assert_ptr_nonnull(strstr(payload, "\"args\":[],"));
    free(payload);
}
END_TEST

START_TEST(every_field)
{
    struct sluice_client_job job = job_of("mail \"é\"", "[1]");
    job.queue = "mail";
    job.jid = "order/17 \"x\"";
    job.expires_at = 4000000000.5;
    job.timeout = 2.5;
    job.retry = 3;
    job.track = 1;
    job.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    must_enqueue(&job);
    ck_assert_str_eq(jid, job.jid);
    char *payload = must_text(redis, "LINDEX queue:mail 0");
    struct envelope e;
    ck_assert_int_eq(envelope_parse(slice_of(payload), &e, NULL), 0);
    ck_assert_str_eq(e.klass, job.klass);
    ck_assert_str_eq(e.jid, job.jid);
    ck_assert_str_eq(e.queue, "mail");
    ck_assert_str_eq(e.traceparent, job.traceparent);
    ck_assert(e.expires_at == 4000000000.5 && e.timeout_s == 2.5 && e.track);
    ck_assert_int_eq(e.retry, JOB_RETRY_COUNT);
    ck_assert_int_eq(e.max_retries, 3);
    envelope_release(&e);
    free(payload);
}
END_TEST

START_TEST(what_becomes_of_a_failure)
{
    static const struct {
        int retry;
        const char *text;
    } cases[] = {{SLUICE_CLIENT_RETRY_NEVER, "\"retry\":false"},
                 {SLUICE_CLIENT_RETRY_DEAD, "\"retry\":0"},
                 {1, "\"retry\":1"}};
    struct sluice_client_job job = job_of("x", "[]");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        job.retry = cases[i].retry;
        must_enqueue(&job);
        char *payload = must_text(redis, "LINDEX queue:default 0");
        ck_assert_msg(strstr(payload, cases[i].text), "%s", payload);
        free(payload);
    }
}
END_TEST

START_TEST(a_whole_job)
{
    struct sluice_client_job job = sluice_client_job_init();
    job.json = "{\"class\":\"x\", \"unknown\" : [1e400],\"args\":[ 1.10 ],\"queue\":\"q\"}junk";
    job.json_len = strlen(job.json) - strlen("junk");
    must_enqueue(&job);
    char *payload = must_text(redis, "LINDEX queue:q 0");
    ck_assert_ptr_nonnull(strstr(payload, "\"unknown\" : [1e400],\"args\":[ 1.10 ]"));
    ck_assert_ptr_nonnull(strstr(payload, jid));
    free(payload);
}
END_TEST

START_TEST(later_and_now)
{
    struct sluice_client_job job = job_of("x", "[]");
    job.at = 4000000000;
    must_enqueue(&job);
    ck_assert_int_eq(must_int(redis, "ZCOUNT schedule 4000000000 4000000000"), 1);
    job.at = 5; /* has passed */
    must_enqueue(&job);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

START_TEST(keys_have_the_prefix)
{
    struct sluice_client_job job = job_of("x", "[]");
    sluice_client_free(client);
    client = open_client(server.url, "p:", 0);
    ck_assert_int_eq(sluice_client_ping(client, NULL), 0);
    ck_assert_int_eq(sluice_client_enqueue(client, &job, "k", NULL, NULL), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS p:queue:default p:queues p:sluice:idempotency:k"), 3);
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 3);
}
END_TEST

enum { MANY = 2500 }; /* more than one command of the script takes */

START_TEST(many_keep_their_order)
{
    static struct sluice_client_job jobs[MANY];
    static char args[MANY][16], jids[MANY][SLUICE_CLIENT_JID_SIZE];
    for (int i = 0; i < MANY; i++) {
        (void)snprintf(args[i], sizeof args[i], "[%d]", i);
        jobs[i] = job_of("x", args[i]);
        jobs[i].queue = i % 10 == 9 ? "other" : NULL;
        jobs[i].at = i % 100 == 50 ? 4000000000 : 0;
    }
    int rc = sluice_client_enqueue_bulk(client, jobs, MANY, NULL, jids, &error);
    ck_assert_msg(rc == 0, "%s", error.text);
    ck_assert_int_eq(must_int(redis, "LLEN queue:other"), MANY / 10);
    ck_assert_int_eq(must_int(redis, "ZCARD schedule"), MANY / 100);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), MANY - MANY / 10 - MANY / 100);
    for (int i = 0, at = 0; i < MANY; i++) {
        if (i % 10 == 9 || i % 100 == 50)
            continue;
        if (i % 97 == 0) { /* the first is the first to run: it is the last of the list */
            char *payload = must_text(redis, "LINDEX queue:default %d", -1 - at);
            ck_assert_ptr_nonnull(strstr(payload, args[i]));
            ck_assert_ptr_nonnull(strstr(payload, jids[i]));
            free(payload);
        }
        at++;
    }
}
END_TEST

START_TEST(all_of_a_bulk_or_none)
{
    struct sluice_client_job jobs[3] = {job_of("x", "[]"), job_of("x", "[]"), job_of("x", "[]")};
    jobs[2].queue = "text";
    must_do(redis, "SET queue:text here");
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 3, "k", NULL, &error), -EMEDIUMTYPE);
    ck_assert_msg(strstr(error.text, "queue:text is no list"), "%s", error.text);
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 1);
    ck_assert_int_eq(sluice_client_enqueue(client, &jobs[2], NULL, NULL, &error), -EMEDIUMTYPE);
    jobs[2] = job_of("", "[]");
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 3, "k", NULL, &error), -EBADMSG);
    ck_assert_uint_eq(error.index, 2);
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 1);
}
END_TEST

START_TEST(a_job_that_workers_would_bury)
{
    enum { LARGE = 4096 };
    char args[LARGE];
    struct sluice_client_job job = job_of("x", args);
    (void)snprintf(args, sizeof args, "[\"%0*d\"]", LARGE - 8, 0);
    sluice_client_free(client);
    ck_assert_int_eq(setenv("SLUICE_MAX_PAYLOAD", "2048", 1), 0);
    client = open_client(server.url, NULL, 0);
    ck_assert_int_eq(sluice_client_enqueue(client, &job, NULL, NULL, &error), -EMSGSIZE);
    ck_assert_ptr_nonnull(strstr(error.text, "at most 2048 are allowed"));
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 0);
    ck_assert_int_eq(unsetenv("SLUICE_MAX_PAYLOAD"), 0);
}
END_TEST

/* ---- keys ---- */

START_TEST(a_key_makes_it_once)
{
    char again[SLUICE_CLIENT_JID_SIZE];
    struct sluice_client_job job = job_of("x", "[1]");
    ck_assert_int_eq(sluice_client_enqueue(client, &job, "order-17", jid, NULL), 0);
    ck_assert_int_eq(sluice_client_enqueue(client, &job, "order-17", again, NULL), 0);
    ck_assert_str_eq(jid, again);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    int64_t ttl = must_int(redis, "TTL sluice:idempotency:order-17");
    ck_assert(ttl > 86000 && ttl <= 86400);

    job.args = "[2]";
    ck_assert_int_eq(sluice_client_enqueue(client, &job, "order-17", again, &error), -EEXIST);
    ck_assert_ptr_nonnull(strstr(error.text, "order-17"));
    struct sluice_client_job two[] = {job_of("x", "[1]"), job_of("x", "[1]")};
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, two, 2, "order-17", NULL, NULL), -EEXIST);
    must_do(redis, "SET sluice:idempotency:other %s", "{\"of\":\"others\"}");
    ck_assert_int_eq(sluice_client_enqueue(client, &job, "other", NULL, NULL), -EEXIST);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
}
END_TEST

START_TEST(a_key_makes_a_bulk_once)
{
    char first[2][SLUICE_CLIENT_JID_SIZE], again[2][SLUICE_CLIENT_JID_SIZE];
    struct sluice_client_job jobs[] = {job_of("x", "[1]"), job_of("y", "[2]")};
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 2, "k", first, NULL), 0);
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 2, "k", again, NULL), 0);
    ck_assert_int_eq(memcmp(first[0], again[0], JOB_JID_BYTES + 1), 0);
    ck_assert_int_eq(memcmp(first[1], again[1], JOB_JID_BYTES + 1), 0);
    ck_assert_str_ne(first[0], first[1]);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 2);
    /* A record that somebody has cut. */
    char *record = must_text(redis, "GETRANGE sluice:idempotency:k 0 40");
    must_do(redis, "SET sluice:idempotency:k %s", record);
    free(record);
    ck_assert_int_eq(sluice_client_enqueue_bulk(client, jobs, 2, "k", again, NULL), -EPROTO);
}
END_TEST

/* ---- threads, processes, signals ---- */

enum { THREADS = 8, EACH = 200 / SLOW };

static void *enqueue_many(void *number)
{
    char args[32], own[SLUICE_CLIENT_JID_SIZE], name[32];
    struct sluice_client_job job = job_of("x", args);
    for (int i = 0; i < EACH; i++) {
        struct sluice_client_error why;
        (void)snprintf(args, sizeof args, "[%d,%d]", *(int *)number, i);
        (void)snprintf(name, sizeof name, "t%d/%d", *(int *)number, i);
        job.jid = name;
        if (sluice_client_enqueue(client, &job, NULL, own, &why) != 0 || strcmp(own, name) != 0)
            return number; /* failed */
    }
    return NULL;
}

START_TEST(threads_may_share_a_client)
{
    pthread_t thread[THREADS];
    int number[THREADS];
    void *failed;
    for (int i = 0; i < THREADS; i++) {
        number[i] = i;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, enqueue_many, &number[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(thread[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), THREADS * EACH);
    for (int i = 0; i < THREADS; i++) /* each one's in its order: -1 is its first */
        for (int j = 0, at = -1; j < EACH; j += EACH - 1) {
            char text[32];
            (void)snprintf(text, sizeof text, "\"t%d/%d\"", i, j);
            for (;; at--) {
                char *payload = must_text(redis, "LINDEX queue:default %d", at);
                ck_assert_ptr_nonnull(payload);
                bool found = strstr(payload, text) != NULL;
                free(payload);
                if (found)
                    break;
            }
        }
}
END_TEST

static int64_t clients(void)
{
    char *list = must_text(redis, "CLIENT LIST");
    int64_t n = 0;
    for (const char *at = list; (at = strstr(at, "name=sluice-client ")); at++)
        n++;
    free(list);
    return n;
}

START_TEST(a_child_has_a_connection_of_its_own)
{
    struct sluice_client_job job = job_of("x", "[]");
    int status, go[2];
    char byte;
    must_enqueue(&job);
    ck_assert_int_eq(clients(), 1);
    ck_assert_int_eq(pipe(go), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        int rc = sluice_client_enqueue(client, &job, NULL, NULL, NULL);
        _exit(read(go[0], &byte, 1) == 1 && rc == 0 ? 0 : 1);
    }
    wait_until(HANG_MS, clients() == 2);
    must_enqueue(&job);
    ck_assert_int_eq(write(go[1], "x", 1), 1);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    must_enqueue(&job);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 4);
    ck_assert_int_eq(close(go[0]) | close(go[1]), 0);
}
END_TEST

static bool sigpipe_is_blocked(void)
{
    sigset_t mask;
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &mask), 0);
    return sigismember(&mask, SIGPIPE) == 1;
}

/* A server that says what a client wants to hear, up to the jobs: it goes in the midst of them. */
static void *leave_in_between(void *arg)
{
    static const char *const says[] = {"+OK\r\n+PONG\r\n*1\r\n$6\r\nmaster\r\n",
                                       "*2\r\n$10\r\n1795478712\r\n$1\r\n0\r\n", ""};
    const int *listener = arg;
    char asked[4096];
    int fd = accept(*listener, NULL, NULL);
    for (size_t i = 0; i < sizeof says / sizeof *says; i++)
        if (read(fd, asked, sizeof asked) < 1 || send(fd, says[i], strlen(says[i]), 0) < 0)
            break;
    (void)close(fd);
    return NULL;
}

START_TEST(a_program_is_not_killed_by_sigpipe)
{
    enum { LARGE = 4 << 20 }; /* more than a socket holds */
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char url[128], *args = malloc(LARGE);
    ck_assert_ptr_nonnull(args);
    memset(args, 'x', LARGE);
    memcpy(args, "[\"", 2);
    memcpy(args + LARGE - 2, "\"]", 2);
    struct sluice_client_job job = job_of("x", args);
    job.args_len = LARGE;
    (void)snprintf(at.sun_path, sizeof at.sun_path, "%s/leaves", server.dir);
    (void)snprintf(url, sizeof url, "unix://%s", at.sun_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    pthread_t leaver;
    ck_assert_int_eq(pthread_create(&leaver, NULL, leave_in_between, &listener), 0);
    struct sluice_client *c = open_client(url, NULL, HANG_MS);
    (void)signal(SIGPIPE, SIG_DFL);
    int rc = sluice_client_enqueue(c, &job, NULL, NULL, &error);
    (void)signal(SIGPIPE, SIG_IGN);
    ck_assert_msg(rc == -ECONNABORTED && strstr(error.text, "Broken pipe"), "%d: %s", rc,
                  error.text);
    ck_assert(!sigpipe_is_blocked());
    ck_assert_int_eq(pthread_join(leaver, NULL), 0);
    ck_assert_int_eq(close(listener), 0);
    sluice_client_free(c);
    free(args);
}
END_TEST

/* ---- with a worker ---- */

static const char settings[] =
    "worker: {threads: 4, shutdown_timeout: 1}\n"
    "handlers:\n" TEST_HANDLER "  - {class: echo, exec: [cat], track: true}\n";

START_TEST(a_worker_runs_what_was_enqueued)
{
    enum sluice_client_end end = SLUICE_CLIENT_GOES_ON;
    static const char args[] = "[ 12345678901234567890, 1.10,[ ],\"\\u00e9\\/\" ,1e400]";
    struct sluice_client_job job = job_of("echo", args);
    char *record = NULL;
    start_worker(settings);
    ck_assert_int_eq(sluice_client_record(client, "nobody", NULL, NULL, &error), -ENOENT);
    must_enqueue(&job);
    ck_assert_int_eq(sluice_client_follow(client, jid, 0, HANG_MS, NULL, NULL, &end, &error), 0);
    ck_assert_int_eq(end, SLUICE_CLIENT_COMPLETED);
    ck_assert_int_eq(sluice_client_record(client, jid, &end, &record, &error), 0);
    ck_assert_int_eq(end, SLUICE_CLIENT_COMPLETED);
    ck_assert_msg(strstr(record, "\"state\":\"completed\""), "%s", record);
    free(record);
    char *job_as_run = must_text(redis, "LINDEX sluice:stream:%s 0", jid);
    ck_assert_msg(strstr(job_as_run, args), "%s", job_as_run);
    free(job_as_run);
}
END_TEST

struct heard {
    int events, until;
    int64_t last;
    bool blocked;
    char first[64];
};

static int hear(void *ctx, int64_t id, const char *json, size_t n)
{
    struct heard *h = ctx;
    if (h->events++ == 0)
        (void)snprintf(h->first, sizeof h->first, "%.*s", (int)n, json);
    ck_assert_int_eq(id, h->last + 1);
    h->last = id;
    h->blocked |= sigpipe_is_blocked();
    return h->events == h->until;
}

START_TEST(events_are_followed)
{
    struct heard all = {0}, two = {.until = 2}, rest = {.last = 2};
    enum sluice_client_end end = SLUICE_CLIENT_GOES_ON;
    struct sluice_client_job job = job_of("test", "[{\"emit\":5}]");
    start_worker(settings);
    must_enqueue(&job);
    ck_assert_int_eq(sluice_client_follow(client, jid, 0, -1, hear, &all, &end, &error), 0);
    ck_assert_int_eq(end, SLUICE_CLIENT_COMPLETED);
    ck_assert_int_eq(all.events, 6); /* the status is the last */
    ck_assert(!all.blocked);
    ck_assert_int_eq(sluice_client_follow(client, jid, 0, -1, hear, &two, &end, &error),
                     -ECANCELED);
    ck_assert_int_eq(two.events, 2);
    ck_assert_int_eq(sluice_client_follow(client, jid, 2, -1, hear, &rest, &end, &error), 0);
    ck_assert_int_eq(rest.events, 4);
}
END_TEST

START_TEST(a_job_that_waits_is_cancelled)
{
    int withdrawn = -1;
    struct sluice_client_job job = job_of("test", "[]");
    job.at = 4000000000;
    must_enqueue(&job);
    ck_assert_int_eq(sluice_client_cancel(client, jid, &withdrawn, &error), 0);
    ck_assert_int_eq(withdrawn, 1);
    ck_assert_int_eq(must_int(redis, "ZCARD schedule"), 0);
    ck_assert_int_eq(sluice_client_cancel(client, jid, &withdrawn, &error), 0);
    ck_assert_int_eq(withdrawn, 0);
    ck_assert_int_eq(sluice_client_cancel(client, jid, NULL, NULL), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("client");
    TCase *tc = tcase_create("client");
    tcase_add_checked_fixture(tc, set_up_client, tear_down_client);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_job_lies_in_its_queue);
    tcase_add_test(tc, every_field);
    tcase_add_test(tc, what_becomes_of_a_failure);
    tcase_add_test(tc, a_whole_job);
    tcase_add_test(tc, later_and_now);
    tcase_add_test(tc, keys_have_the_prefix);
    tcase_add_test(tc, many_keep_their_order);
    tcase_add_test(tc, all_of_a_bulk_or_none);
    tcase_add_test(tc, a_job_that_workers_would_bury);
    tcase_add_test(tc, a_key_makes_it_once);
    tcase_add_test(tc, a_key_makes_a_bulk_once);
    tcase_add_test(tc, threads_may_share_a_client);
    tcase_add_test(tc, a_child_has_a_connection_of_its_own);
    tcase_add_test(tc, a_program_is_not_killed_by_sigpipe);
    tcase_add_test(tc, a_worker_runs_what_was_enqueued);
    tcase_add_test(tc, events_are_followed);
    tcase_add_test(tc, a_job_that_waits_is_cancelled);
    return suite;
}
