/* store/fsck and `sluice fsck`: each finding is made on purpose, reported, repaired, and gone. */
#include "test_worker.h"

#include "base/json.h"
#include "store/fsck.h"
#include "support/sluice.h"

#define DEAD  "host:1:aaaaaaaaaaaa"
#define ALIVE "host:2:bbbbbbbbbbbb"

static struct store *store;

/* ---- Running it ----------------------------------------------------------------------------- */

enum { KEPT = 16, TEXT = 512 };
static struct {
    int n;
    char code[KEPT][32], what[KEPT][TEXT], sample[KEPT][TEXT];
    enum fsck_state state[KEPT];
    uint64_t count[KEPT];
} seen;

static void keep(void *ctx, const struct fsck_finding *f)
{
    (void)ctx;
    ck_assert_int_lt(seen.n, KEPT);
    ck_assert(f->why[0] && f->remedy[0]);
    (void)snprintf(seen.code[seen.n], sizeof seen.code[0], "%s", f->code);
    (void)snprintf(seen.what[seen.n], TEXT, "%s", f->what);
    (void)snprintf(seen.sample[seen.n], TEXT, "%.*s", (int)f->sample.n, f->sample.p);
    seen.state[seen.n] = f->state;
    seen.count[seen.n++] = f->count;
}

static struct fsck_result fsck(bool repair)
{
    const struct fsck_options options = {
        .repair = repair, .max_payload = 4096, .lease_s = 1, .stream_ttl_s = 3600, .finding = keep};
    struct fsck_result result;
    struct err err = {""};
    memset(&seen, 0, sizeof seen);
    ck_assert_msg(store_fsck(store, redis, &options, &result, &err) == 0, "%s", err.text);
    ck_assert(redis_conn_reusable(redis));
    return result;
}

static void must_say(int i, const char *code, uint64_t count, const char *part)
{
    ck_assert_int_gt(seen.n, i);
    ck_assert_str_eq(seen.code[i], code);
    ck_assert_uint_eq(seen.count[i], count);
    ck_assert_msg(strstr(seen.what[i], part) != NULL, "%s", seen.what[i]);
}

static void must_be_clean(void)
{
    struct fsck_result r = fsck(false);
    for (int i = 0; i < seen.n; i++)
        ck_assert_msg(seen.state[i] == FSCK_NOTE, "%s: %s", seen.code[i], seen.what[i]);
    ck_assert_uint_eq(r.found, 0);
}

/* One kind of finding: told and not touched, then repaired, then gone. */
static void expect_repair(const char *code, uint64_t count, const char *part)
{
    struct fsck_result r = fsck(false);
    ck_assert_msg(r.found == 1, "%d: %s", seen.n, seen.what[1]);
    must_say(0, code, count, part);
    ck_assert_int_eq(seen.state[0], FSCK_LEFT);
    (void)fsck(false);
    must_say(0, code, count, part); /* nothing was changed */
    r = fsck(true);
    must_say(0, code, count, part);
    ck_assert_msg(seen.state[0] == FSCK_REPAIRED, "%s", seen.what[0]);
    ck_assert_uint_eq(r.repaired, r.found);
    must_be_clean();
}

static void set_up_store(void)
{
    set_up();
    ck_assert_int_eq(store_new("", NULL, &store), 0);
}

static void tear_down_store(void)
{
    store_free(store);
    tear_down();
}

#define JOB(jid) "{\"class\":\"test\",\"args\":[],\"jid\":\"" jid "\",\"queue\":\"low\"}"

static void seed_live(void)
{
    must_do(redis, "SADD sluice:workers " ALIVE);
    must_do(redis, "SET sluice:lease:" ALIVE " 1 EX 600");
}

/* ---- Types, times to live, the set of queues ------------------------------------------------ */

START_TEST(nothing_at_all)
{
    struct fsck_result r = fsck(false);
    ck_assert_uint_eq(r.keys + r.elements + r.found, 0);
}
END_TEST

START_TEST(keys_of_the_wrong_type)
{
    static const char *const keys[] = {
        "queues",
        "schedule",
        "retry",
        "dead",
        "paused",
        "processes",
        "queue:a",
        "sluice:workers",
        "sluice:job:a",
        "sluice:stream:a",
        "sluice:deliveries:a",
        "sluice:trial:a",
        "sluice:claims:a",
        "sluice:claim:" DEAD ":1",
    };
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        must_do(redis, "SET %s text", keys[i]);
        expect_repair("wrong-type", 1, keys[i]);
        ck_assert_int_eq(must_int(redis, "EXISTS %s", keys[i]), 0);
        struct reply *kept = must_call(redis, "KEYS sluice:quarantine:%s:*", keys[i]);
        ck_assert_uint_eq(reply_count(kept), 1); /* nothing is deleted */
        reply_free(kept);
    }
    must_do(redis, "SADD sluice:lease:a text");
    fsck(true); /* a lease for whoever looks only whether it exists, hence no more than this: */
    must_say(0, "wrong-type", 1, "sluice:lease:a is a set, and should be a string");
    must_be_clean();
    must_do(redis, "SET stat:processed many");
    expect_repair("wrong-type", 1, "stat:processed is a string without a number");
    must_do(redis, "LPUSH stat:failed:2026-01-01 1");
    expect_repair("wrong-type", 1, "should be a number");
    must_do(redis, "LPUSH sluice:claim:nobody:0x7 1");
    expect_repair("wrong-type", 1, "no worker names one so");
    must_do(redis, "SET stat:processed 12");
    fsck(false);
    must_say(0, "quarantine", sizeof keys / sizeof keys[0] + 4, "in quarantine");
}
END_TEST

START_TEST(keys_that_would_stay)
{
    must_do(redis, "RPUSH sluice:stream:a 1");
    must_do(redis, "RPUSH sluice:stream:b 1");
    expect_repair("no-ttl", 2, "2 keys of sluice:stream:*");
    ck_assert_int_gt(must_int(redis, "TTL sluice:stream:a"), 3000);
    must_do(redis, "HSET sluice:job:a state completed");
    expect_repair("no-ttl", 1, "sluice:job:*");
    must_do(redis, "SADD sluice:deliveries:a x");
    expect_repair("no-ttl", 1, "sluice:deliveries:*");
    must_do(redis, "SADD sluice:workers " ALIVE);
    must_do(redis, "SET sluice:lease:" ALIVE " 1");
    fsck(false);
    must_say(0, "no-ttl", 1, "sluice:lease:*");
    ck_assert_int_eq(must_int(redis, "PTTL sluice:lease:" ALIVE), -1);
    fsck(true);
    ck_assert_int_gt(must_int(redis, "PTTL sluice:lease:" ALIVE), -1);
}
END_TEST

START_TEST(queues_that_nobody_sees)
{
    must_do(redis, "SADD queues empty");
    push("hidden", JOB("a"));
    expect_repair("unseen-queue", 1, "\"hidden\" has 1 job and");
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues hidden"), 1);
}
END_TEST

/* ---- Claims and workers --------------------------------------------------------------------- */

START_TEST(claims_that_nobody_would_find)
{
    /* Of a living worker: back into its registry, for it to adopt. */
    seed_live();
    must_do(redis, "SADD queues low default");
    must_do(redis, "RPUSH sluice:claim:" ALIVE ":7 %b %s", STORE_TOMBSTONE,
            sizeof STORE_TOMBSTONE - 1, JOB("a"));
    expect_repair("orphan-claim", 1, "holds 1 job and no registry names it");
    ck_assert(answers_with(redis, "low", "HGET sluice:claims:" ALIVE " 7"));

    /* Of one that is gone: recovered by the same run; the payload does not say which queue. */
    must_do(redis, "RPUSH sluice:claim:" DEAD ":8 {\"class\":\"test\",\"args\":[]}");
    fsck(false);
    must_say(0, "orphan-claim", 1, "its queue is forgotten, so that is taken to be \"default\"");
    ck_assert_uint_eq(fsck(true).repaired, 2);
    must_say(1, "dead-worker", 1, DEAD);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    must_be_clean();
}
END_TEST

START_TEST(books_of_unknown_workers)
{
    must_do(redis, "SET sluice:lease:" ALIVE " 1 EX 600");
    must_do(redis, "HSET sluice:claims:" ALIVE " 3 low");
    expect_repair("orphan-lease", 1, ALIVE);
    ck_assert_int_eq(must_int(redis, "SISMEMBER sluice:workers " ALIVE), 1);

    must_do(redis, "SADD queues low");
    must_do(redis, "HSET sluice:claims:" DEAD " 1 low");
    must_do(redis, "RPUSH sluice:claim:" DEAD ":1 %s", JOB("a"));
    fsck(false);
    must_say(0, "orphan-registry", 1, "1 claim in its registry");
    ck_assert_uint_eq(fsck(true).repaired, 2);
    ck_assert_int_eq(must_int(redis, "LLEN queue:low"), 1);
    must_be_clean();
}
END_TEST

START_TEST(dead_workers)
{
    must_do(redis, "SADD queues low");
    must_do(redis, "SADD sluice:workers " DEAD);
    must_do(redis, "HSET sluice:claims:" DEAD " 1 low");
    must_do(redis, "RPUSH sluice:claim:" DEAD ":1 %s", JOB("a"));
    expect_repair("dead-worker", 1, "and no worker is alive");
    ck_assert_int_eq(must_int(redis, "LLEN queue:low"), 1);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:workers sluice:claims:" DEAD), 0);
}
END_TEST

START_TEST(a_job_that_killed_too_many_is_buried)
{
    must_do(redis, "SADD queues low");
    must_do(redis, "RPUSH queue:low %s", JOB("a"));
    for (int i = 1; i <= 4; i++) {
        must_do(redis, "LMOVE %s sluice:claim:h:1:%d:1 RIGHT LEFT",
                i == 4 ? "sluice:trial:low" : "queue:low", i);
        must_do(redis, "SADD sluice:workers h:1:%d", i);
        must_do(redis, "HSET sluice:claims:h:1:%d 1 low", i);
        struct fsck_result r = fsck(true);
        must_say(0, "dead-worker", 1, "h:1:");
        ck_assert_int_eq(seen.state[0], FSCK_REPAIRED);
        ck_assert_uint_eq(r.found, 1);
        ck_assert_uint_eq(fsck(false).found, i == 3); /* on trial, and no worker is there */
    }
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 1);
    must_be_clean();
}
END_TEST

START_TEST(who_died_just_now_is_left_to_the_living)
{
    seed_live();
    must_do(redis, "SADD sluice:workers " DEAD);
    must_do(redis, "HSET " DEAD " beat %f", (double)clock_wall_us() / 1e6);
    ck_assert_uint_eq(fsck(true).found, 0);
    must_say(0, "dying-worker", 1, DEAD);
    must_do(redis, "HSET " DEAD " beat 1795506900.5");
    expect_repair("dead-worker", 1, "1 live worker has not recovered it");
}
END_TEST

START_TEST(trials_without_a_worker)
{
    must_do(redis, "SADD queues low");
    must_do(redis, "RPUSH sluice:trial:low %s %s", JOB("a"), JOB("b"));
    ck_assert_uint_eq(fsck(true).found, 1);
    must_say(0, "idle-trial", 2, "2 jobs wait on trial for the queue \"low\"");
    ck_assert_int_eq(seen.state[0], FSCK_LEFT);
    seed_live();
    must_be_clean(); /* it has not said what it serves */
    must_do(redis, "HSET " ALIVE " info %s", "{\"queues\":[\"high\"]}");
    ck_assert_uint_eq(fsck(false).found, 1);
    must_do(redis, "HSET " ALIVE " info %s", "{\"queues\":[\"high\",\"low\"]}");
    must_be_clean();
}
END_TEST

/* ---- Elements ------------------------------------------------------------------------------- */

START_TEST(elements_that_are_no_jobs)
{
    static const char *const lists[] = {"queue:low", "sluice:trial:low"};
    static const char *const sets[] = {"schedule", "retry"};
    char large[5000];
    memset(large, 'x', sizeof large);
    seed_live();
    must_do(redis, "SADD queues low");
    for (size_t i = 0; i < 2; i++) {
        must_do(redis, "DEL dead");
        for (int n = 0; n < 700; n++) /* several pages */
            must_do(redis, "LPUSH %s %s", lists[i], JOB("good"));
        must_do(redis, "LPUSH %s {\x1b[31m", lists[i]);
        must_do(redis, "RPUSH %s %s {\"class\":\"\",\"args\":[]} %b", lists[i], "", large,
                sizeof large);
        must_do(redis, "LINSERT %s BEFORE %s %s", lists[i], JOB("good"), "[1]");
        expect_repair("no-job", 5, "are no jobs; of the first: ");
        ck_assert_int_eq(must_int(redis, "LLEN %s", lists[i]), 700);
        ck_assert_int_eq(must_int(redis, "ZCARD dead"), 5);
    }
    for (size_t i = 0; i < 2; i++) {
        must_do(redis, "DEL dead");
        for (int n = 0; n < 700; n++)
            must_do(redis, "ZADD %s %d {\"class\":\"t\",\"args\":[%d]}", sets[i], n, n);
        must_do(redis, "ZADD %s 5 text 6 %s 7 %b", sets[i], "", large, sizeof large);
        expect_repair("no-job", 3, sets[i]);
        ck_assert_int_eq(must_int(redis, "ZCARD %s", sets[i]), 700);
        ck_assert_int_eq(must_int(redis, "ZCARD dead"), 3);
    }
}
END_TEST

START_TEST(due_times_that_are_no_seconds)
{
    must_do(redis, "ZADD schedule 1795506900123 %s 1795506900123456 %s 1795506900 %s", JOB("a"),
            JOB("b"), JOB("c"));
    expect_repair("millisecond-score", 2, "2 elements of schedule");
    ck_assert(answers_with(redis, "1795506900.1229999", "ZSCORE schedule %s", JOB("a")) ||
              must_int(redis, "ZCOUNT schedule 1795506900 1795506901") == 3);
    must_do(redis, "ZADD retry inf %s -inf %s", JOB("d"), JOB("e"));
    expect_repair("never-due", 1, "due at infinity");
    ck_assert_int_eq(must_int(redis, "ZCARD dead"), 1);
}
END_TEST

START_TEST(jobs_that_are_nowhere)
{
    must_do(redis, "SADD queues low");
    for (int i = 0; i < 8; i++) {
        must_do(redis, "HSET sluice:job:j%d state running worker " DEAD, i);
        must_do(redis, "EXPIRE sluice:job:j%d 600", i);
    }
    must_do(redis, "HSET sluice:job:j7 state completed");
    push("low", JOB("j0"));
    must_do(redis, "ZADD schedule 5 %s", JOB("j1"));
    must_do(redis, "ZADD retry 5 %s", JOB("j2"));
    must_do(redis, "ZADD dead 5 %s", JOB("j3"));
    seed_live();
    must_do(redis, "RPUSH sluice:trial:low %s", JOB("j4"));
    must_do(redis, "HSET sluice:claims:" ALIVE " 1 low");
    must_do(redis, "RPUSH sluice:claim:" ALIVE ":1 %s", JOB("j5"));
    ck_assert_uint_eq(fsck(true).found, 1);
    must_say(0, "lost-job", 1, "1 tracked job is said to run");
    ck_assert_str_eq(seen.sample[0], "j6");
    ck_assert_int_eq(seen.state[0], FSCK_LEFT); /* there is nothing to repair it with */
    must_do(redis, "DEL sluice:job:j6");
    must_be_clean();
}
END_TEST

/* ---- Beside a worker, and under a prefix ---------------------------------------------------- */

/* A worker has its lease before its queues are in `queues`, where fsck wants those of a job. */
static void start_seen_worker(const char *settings)
{
    start_worker(settings);
    wait_until(HANG_MS, must_int(redis, "EXISTS queues") == 1);
}

START_TEST(a_busy_worker_is_in_order)
{
    enum { JOBS = 6000, BATCH = 200 };
    start_seen_worker("worker: {threads: 8, queues: [default, low]}\n"
                      "handlers:\n" TEST_HANDLER);
    int rounds = 0;
    for (int n = 0; n < JOBS; n += BATCH) {
        for (int i = 0; i < BATCH; i++) {
            char job[200];
            (void)snprintf(job, sizeof job,
                           "{\"class\":\"test\",\"args\":[],\"jid\":\"j%d\",\"track\":%s}", n + i,
                           i % 10 == 0 ? "true" : "false");
            push(i % 2 ? "default" : "low", job);
        }
        must_be_clean();
        rounds++;
    }
    wait_processed(JOBS);
    must_be_clean();
    ck_assert_int_gt(rounds, 20);
}
END_TEST

/* A claim that has fallen out of a living worker's registry: once named again, its job runs. */
START_TEST(a_living_worker_adopts_what_was_mended)
{
    start_worker("worker: {threads: 2, lease: 2}\nhandlers:\n" TEST_HANDLER);
    must_do(redis, "SADD queues low");
    must_do(redis, "RPUSH sluice:claim:%s:4000000 %s", worker.identity, JOB("a"));
    ck_assert_uint_eq(fsck(true).repaired, 1);
    must_say(0, "orphan-claim", 1, worker.identity);
    wait_processed(1);
    wait_until(HANG_MS, must_int(redis, "EXISTS sluice:claim:%s:4000000", worker.identity) == 0);
    must_be_clean();

    must_do(redis, "SREM sluice:workers %s", worker.identity);
    expect_repair("orphan-lease", 1, worker.identity);
}
END_TEST

/* A worker is killed and no other comes: its jobs are back in the queue, each once. */
START_TEST(jobs_of_a_killed_worker_go_back)
{
    enum { JOBS = 40 };
    start_seen_worker("worker: {threads: 2, lease: 1}\nhandlers:\n" TEST_HANDLER);
    for (int i = 0; i < JOBS; i++) {
        char job[200];
        (void)snprintf(job, sizeof job,
                       "{\"class\":\"test\",\"args\":[{\"sleep_ms\":60000}],\"jid\":\"j%d\"}", i);
        push("default", job);
    }
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") < JOBS);
    worker_process_kill(&worker);
    wait_until(HANG_MS, must_int(redis, "EXISTS sluice:lease:%s", worker.identity) == 0);
    ck_assert_int_lt(must_int(redis, "LLEN queue:default"), JOBS); /* there is something to do */
    struct fsck_result r = fsck(true);
    must_say(0, "dead-worker", 1, worker.identity);
    ck_assert_uint_eq(r.repaired, 1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), JOBS);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:workers sluice:claims:%s", worker.identity), 0);
    must_be_clean();
}
END_TEST

START_TEST(only_keys_of_the_prefix)
{
    store_free(store);
    ck_assert_int_eq(store_new("p[*]:", NULL, &store), 0);
    must_do(redis, "SET queues text");
    must_do(redis, "SET px:queues text");
    must_be_clean();
    must_do(redis, "SET p[*]:queues text");
    expect_repair("wrong-type", 1, "p[*]:queues");
    must_do(redis, "RPUSH p[*]:queue:low [] ");
    must_do(redis, "SADD p[*]:queues low");
    expect_repair("no-job", 1, "p[*]:queue:low");
    ck_assert_int_eq(must_int(redis, "ZCARD p[*]:dead"), 1);
    ck_assert(answers_with(redis, "text", "GET queues"));
}
END_TEST

/* ---- The command ---------------------------------------------------------------------------- */

static void expect(struct sluice r, int status, const char *part)
{
    enum json_type type;
    ck_assert_msg(r.status == status, "%d: %s%s", r.status, r.out, r.err);
    ck_assert_msg(strstr(r.out, part) != NULL, "%s", r.out);
    if (r.out[0] == '{')
        ck_assert_int_eq(json_scan(slice_of(r.out), &type, NULL, NULL, NULL), 0);
    ck_assert_ptr_null(strchr(r.out, '\x1b'));
    sluice_free(&r);
}

START_TEST(the_command)
{
    expect(sluice(server.url, NULL, "fsck"), 0, "the books are in order.\n");
    expect(sluice(server.url, NULL, "fsck", "--json"), 0,
           "{\"findings\":[],\"complete\":true,\"keys\":0,");
    push("low", "{\x1b[31m");
    must_do(redis, "SADD schedule x");
    expect(sluice(server.url, NULL, "fsck"), 1, "found no-job: 1 element of queue:low is no job");
    expect(sluice(server.url, NULL, "fsck"), 1, "For example: \"{\\u001b[31m\"\n");
    expect(sluice(server.url, NULL, "fsck"), 1, "3 findings; nothing was changed.");
    expect(sluice(server.url, NULL, "fsck", "--json"), 1, "\"found\":3,\"repaired\":0,\"left\":3}");
    expect(sluice(server.url, NULL, "fsck", "--repair", "--json"), 0, "\"left\":0}");
    expect(sluice(server.url, NULL, "fsck"), 0, "note quarantine: 1 key in quarantine");
    expect(sluice(server.url, NULL, "fsck", "--repair=now"), 2, "");
    expect(sluice("unix:///nonexistent", NULL, "fsck"), 69, "");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("fsck");
    TCase *t = tcase_create("fsck");
    tcase_set_timeout(t, TEST_TIMEOUT_S);
    tcase_add_checked_fixture(t, set_up_store, tear_down_store);
    tcase_add_test(t, nothing_at_all);
    tcase_add_test(t, keys_of_the_wrong_type);
    tcase_add_test(t, keys_that_would_stay);
    tcase_add_test(t, queues_that_nobody_sees);
    tcase_add_test(t, claims_that_nobody_would_find);
    tcase_add_test(t, books_of_unknown_workers);
    tcase_add_test(t, dead_workers);
    tcase_add_test(t, a_job_that_killed_too_many_is_buried);
    tcase_add_test(t, who_died_just_now_is_left_to_the_living);
    tcase_add_test(t, trials_without_a_worker);
    tcase_add_test(t, elements_that_are_no_jobs);
    tcase_add_test(t, due_times_that_are_no_seconds);
    tcase_add_test(t, jobs_that_are_nowhere);
    tcase_add_test(t, a_busy_worker_is_in_order);
    tcase_add_test(t, a_living_worker_adopts_what_was_mended);
    tcase_add_test(t, jobs_of_a_killed_worker_go_back);
    tcase_add_test(t, only_keys_of_the_prefix);
    tcase_add_test(t, the_command);
    suite_add_tcase(s, t);
    return s;
}
