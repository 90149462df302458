/*
 * A worker of Sidekiq's and one of ours on one Redis: each has a queue of its own, and they share
 * `schedule` and `retry`, whose jobs either of them moves to the queue of either. Both are killed,
 * in turn. Needs Debian's ruby-sidekiq.
 *
 * What Sidekiq's worker holds lies in its memory alone, so a kill costs the jobs which it runs, and
 * one that its poller is just moving: that is Sidekiq's promise, and not what is judged here. It is
 * killed when it holds none of ours; what went with it is found by looking for each job in all of
 * Redis at once. Everything else must come to its end, once.
 *
 * PEERS_SECONDS=60 makes it longer.
 */
#include "integration/test_worker.h"
#include "support/dice.h"
#include "support/oracle.h"
#include "support/sluice.h"

#define JOBS_RB TEST_SOURCE_DIR "/tests/interop/sidekiq/jobs.rb"

enum {
    THREADS = 5,
    RATE_MS = 4,    /* between two pushes */
    OPEN_MAX = 400, /* jobs that wait or run */
    HURRY_MS = 100, /* between two looks at retries, which are not waited for */
    ENOUGH = 10,    /* moves that show who is at work */
    BOTH_MS = 1000, /* with both at work */
    JOBS_MAX = 65536,
};

enum side { OURS, RUBYS, SIDES };
static const char *const queue_of[SIDES] = {"ours", "ruby"};

/* What the oracle does not know of a job; its jid ends with its number. */
static struct {
    enum side side;
    unsigned moves;   /* out of schedule and retry until it is at rest */
    unsigned by_ruby; /* of these, by Sidekiq's poller */
    bool taken;       /* it went with the memory of a killed Ruby */
} jobs[JOBS_MAX];

static struct oracle oracle;
static struct worker_process ruby;
static struct dice dice;
static int64_t push_ns, hurry_ns;
static size_t may_repeat;  /* what kills of ours explain */
static size_t may_be_lost; /* taken */
static int64_t direct;     /* pushes straight to Ruby's queue */
static int kills[SIDES];

/* --- the two ------------------------------------------------------------------------------- */

static void start_ours(void)
{
    static const char settings[] = "worker: {threads: 5, queues: [ours], lease: 2}\n"
                                   "handlers:\n" TEST_HANDLER;
    worker_process_free(&worker);
    start_worker(settings);
}

static void start_ruby(void)
{
    static const char *const args[] = {"-r", JOBS_RB, "-q", "ruby", "-c", "5", NULL};
    static const char *const env[] = {"LANG=C.UTF-8", NULL};
    worker_process_free(&ruby);
    worker_process_spawn(
        &ruby, &server,
        &(struct worker_options){.program = "/usr/bin/sidekiq", .args = args, .env = env});
    while (!worker_process_said(&ruby, "started")) {
        ck_assert_msg(!worker_process_ended(&ruby), "Sidekiq ended with status %d", ruby.status);
        (void)usleep(10000);
    }
}

static void end_all(void)
{
    worker_process_free(&ruby);
    oracle_release(&oracle);
}

/* --- the load ------------------------------------------------------------------------------ */

static void push_one(void)
{
    enum { FAIL_PERCENT = 15, LATER_PERCENT = 50, LATER_MS = 600 };
    char jid[ORACLE_JID + 1], job[512];
    enum side side = dice_percent(&dice, 50) ? OURS : RUBYS;
    bool fails = dice_percent(&dice, FAIL_PERCENT), later = dice_percent(&dice, LATER_PERCENT);
    oracle_expect(&oracle, fails ? 2 : 1, false, jid);
    ck_assert_uint_le(oracle.njobs, JOBS_MAX);
    jobs[oracle.njobs - 1].side = side;
    jobs[oracle.njobs - 1].moves = fails + later;
    int n =
        snprintf(job, sizeof job,
                 "{\"class\":\"%s\",\"jid\":\"%s\",\"queue\":\"%s\",\"retry\":3,"
                 "\"created_at\":1795478712.5,\"args\":[{\"log\":\"%s\",\"sleep_ms\":%d%s}]}",
                 side == OURS ? "test" : "Job", jid, queue_of[side], oracle.log,
                 (int)dice_between(&dice, 0, 20), fails ? ",\"outcome\":\"fail\",\"until\":1" : "");
    ck_assert_int_lt(n, (int)sizeof job);
    double due = (double)(clock_wall_us() + dice_between(&dice, 0, LATER_MS) * 1000) / 1e6;
    if (later)
        must_do(redis, "ZADD schedule %f %s", due, job);
    else
        push(queue_of[side], job);
    direct += side == RUBYS && !later;
    oracle_ack(&oracle, 1);
}

/* Who has failed is due at once, in place of 15 s later. */
static void hurry_retries(void)
{
    must_do(redis, "EVAL %s 0",
            "local now = redis.call('TIME')[1] "
            "for _, job in ipairs(redis.call('ZRANGEBYSCORE', 'retry', now + 1, '+inf')) do "
            "redis.call('ZADD', 'retry', now, job) end");
}

static void step(bool pushes)
{
    int64_t now_ns = clock_now_ns();
    oracle_read(&oracle);
    if (pushes && now_ns >= push_ns && oracle.missing < OPEN_MAX) {
        push_one();
        push_ns = clock_deadline_ms(RATE_MS);
    }
    if (now_ns >= hurry_ns) {
        hurry_retries();
        hurry_ns = clock_deadline_ms(HURRY_MS);
    }
    (void)usleep(500);
}

static void go_on_ms(int64_t ms)
{
    int64_t until_ns = clock_deadline_ms(ms);
    while (clock_now_ns() < until_ns)
        step(true);
}

#define go_on_until(condition)                                                                     \
    do {                                                                                           \
        int64_t hang_ns = clock_deadline_ms(HANG_MS);                                              \
        while (!(condition)) {                                                                     \
            ck_assert_msg(clock_now_ns() < hang_ns, "never became true: " #condition);             \
            step(true);                                                                            \
        }                                                                                          \
    } while (0)

/* --- where is each job --------------------------------------------------------------------- */

static size_t number_of(const char *jid)
{
    size_t n = strtoul(jid + strlen(jid) - 8, NULL, 16);
    ck_assert_uint_lt(n, oracle.njobs);
    return n;
}

/* Marks the acknowledged jobs of one side that are not at rest and nowhere in Redis; how many.
 * Redis is read at one instant, and then the log, where an end is written before Redis knows. */
static size_t find_missing(enum side side, bool *missing)
{
    size_t n = 0;
    struct reply *there =
        must_call(redis, "EVAL %s 0",
                  "local found = {} "
                  "local function note(list) for _, text in ipairs(list) do "
                  "found[#found + 1] = string.match(text, '\"jid\":\"(%x+)\"') end end "
                  "for _, set in ipairs({'schedule', 'retry', 'dead'}) do "
                  "note(redis.call('ZRANGE', set, 0, -1)) end "
                  "for _, pattern in ipairs({'queue:*', 'sluice:claim:*', 'sluice:trial:*'}) do "
                  "for _, key in ipairs(redis.call('KEYS', pattern)) do "
                  "note(redis.call('LRANGE', key, 0, -1)) end end return found");
    oracle_read(&oracle);
    for (size_t i = 0; i < oracle.njobs; i++) {
        const struct oracle_job *job = &oracle.jobs[i];
        missing[i] = jobs[i].side == side && !jobs[i].taken && job->acked &&
                     __builtin_popcount(job->settled) < job->owes;
    }
    for (size_t i = 0; i < reply_count(there); i++)
        missing[number_of(reply_str(reply_at(there, i)).p)] = false;
    reply_free(there);
    for (size_t i = 0; i < oracle.njobs; i++)
        n += missing[i];
    return n;
}

/* Redis has seen what was sent, and who is gone, before it answers for the third time: what had
 * happened when the first question was sent is read with the second one at the latest. */
static void let_redis_see(void)
{
    for (int i = 0; i < 3; i++)
        must_do(redis, "PING");
}

/* --- the kills ----------------------------------------------------------------------------- */

static size_t count_claimed(void)
{
    struct reply *keys = must_call(redis, "KEYS sluice:claim:*");
    size_t n = 0;
    for (size_t i = 0; i < reply_count(keys); i++)
        n += (size_t)must_int(redis, "LLEN %s", reply_str(reply_at(keys, i)).p);
    reply_free(keys);
    return n;
}

static void kill_ours(void)
{
    worker_process_kill(&worker);
    let_redis_see();
    may_repeat += count_claimed();
    kills[OURS]++;
}

static void kill_ruby(void)
{
    static bool missing[JOBS_MAX];
    enum { IN_ITS_HANDS = 2 * THREADS + 1 }; /* running, just popped; and one of its poller's */
    int64_t hang_ns = clock_deadline_ms(HANG_MS);
    for (;;) {
        worker_process_signal(&ruby, SIGSTOP);
        let_redis_see();
        size_t n = find_missing(OURS, missing);
        if (n == 0)
            break;
        ck_assert_msg(clock_now_ns() < hang_ns, "%zu jobs of ours are nowhere", n);
        worker_process_signal(&ruby, SIGCONT);
        (void)usleep(1000);
    }
    worker_process_kill(&ruby);
    let_redis_see();
    size_t n = find_missing(RUBYS, missing);
    ck_assert_uint_le(n, IN_ITS_HANDS);
    for (size_t i = 0; i < oracle.njobs; i++)
        jobs[i].taken = jobs[i].taken || missing[i];
    may_be_lost += n;
    kills[RUBYS]++;
}

/* --- who moves ----------------------------------------------------------------------------- */

static int moved_by_ruby(enum side side)
{
    char end[16];
    (void)snprintf(end, sizeof end, " %s\n", queue_of[side]);
    return times_in_file("moved", end);
}

static void read_moves(void)
{
    char jid[64], queue[16], *text = worker_process_file(&ruby, "moved"), *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) != NULL && *line;) {
        ck_assert_int_eq(sscanf(line, "%63s %15s", jid, queue), 2);
        jobs[number_of(jid)].by_ruby++;
        ck_assert_str_eq(queue, queue_of[jobs[number_of(jid)].side]);
    }
    free(text);
}

static void check_moves(void)
{
    unsigned by_us[SIDES] = {0}, by_ruby[SIDES] = {0};
    read_moves();
    for (size_t i = 0; i < oracle.njobs; i++) {
        ck_assert_uint_le(jobs[i].by_ruby, jobs[i].moves);
        if (jobs[i].taken)
            continue;
        by_us[jobs[i].side] += jobs[i].moves - jobs[i].by_ruby;
        by_ruby[jobs[i].side] += jobs[i].by_ruby;
    }
    (void)printf(
        "moved when due: by us %u jobs of ours and %u of Ruby's, by Ruby %u of ours and %u "
        "of its own\n",
        by_us[OURS], by_us[RUBYS], by_ruby[OURS], by_ruby[RUBYS]);
    for (enum side side = OURS; side < SIDES; side++) {
        ck_assert_uint_ge(by_us[side], ENOUGH);
        ck_assert_uint_ge(by_ruby[side], ENOUGH);
    }
}

/* --- the test ------------------------------------------------------------------------------ */

/* Whatever Sidekiq does beside us, our own tools are content. */
static void check_tools(void)
{
    struct sluice books = sluice(server.url, NULL, "fsck");
    ck_assert_msg(books.status == 0, "%.2000s%.2000s", books.out, books.err);
    sluice_free(&books);
    struct sluice workers = sluice(server.url, NULL, "workers");
    ck_assert_msg(workers.status == 0, "%.2000s%.2000s", workers.out, workers.err);
    ck_assert_ptr_nonnull(strstr(workers.out, worker.identity));
    sluice_free(&workers);
}

static void kill_each_once(void)
{
    /* Who is killed all the time never comes to recover who was killed before. */
    go_on_until(must_int(redis, "SCARD sluice:workers") == 1);
    go_on_ms(BOTH_MS);
    kill_ours();
    int before = moved_by_ruby(OURS);
    go_on_until(moved_by_ruby(OURS) >= before + ENOUGH);
    start_ours();
    go_on_ms(BOTH_MS);
    kill_ruby();
    int64_t waiting = must_int(redis, "LLEN queue:ruby") - direct;
    go_on_until(must_int(redis, "LLEN queue:ruby") - direct >= waiting + ENOUGH);
    start_ruby();
    size_t ended = oracle_ended(&oracle);
    go_on_until(oracle_ended(&oracle) > ended);
}

static void drain(void)
{
    int64_t hang_ns = clock_deadline_ms(2 * HANG_MS);
    while (oracle.missing > may_be_lost) {
        ck_assert_msg(clock_now_ns() < hang_ns, "%zu jobs are missing, %zu were taken",
                      oracle.missing, may_be_lost);
        step(false);
    }
    /* What had ended before its worker died comes once more. */
    wait_until(HANG_MS, count_claimed() == 0 && must_int(redis, "EXISTS queue:ours") == 0);
}

START_TEST(nothing_is_lost_between_them)
{
    const char *given = getenv("PEERS_SECONDS");
    oracle_init(&oracle, &server);
    dice = dice_of((uint64_t)getpid(), 0);
    start_ours();
    start_ruby();
    int64_t end_ns = clock_deadline_ms((given ? atoi(given) : 0) * 1000);
    do
        kill_each_once();
    while (clock_now_ns() < end_ns);
    check_tools();
    drain();
    struct oracle_figures f = oracle_figures(&oracle);
    (void)printf("%zu jobs, %zu executions; ours was killed %d times (which explains %zu "
                 "repetitions), Ruby %d times (with %zu jobs of its own in its memory); lost %zu, "
                 "unexpected %zu, repeated %zu\n",
                 oracle.njobs, f.executions, kills[OURS], may_repeat, kills[RUBYS], may_be_lost,
                 f.lost - may_be_lost, f.unexpected, f.duplicates);
    (void)fflush(stdout); /* Check leaves by _exit */
    ck_assert_uint_eq(f.lost, may_be_lost);
    ck_assert_uint_eq(f.unexpected, 0);
    ck_assert_uint_eq(f.kept, 0);
    ck_assert_uint_le(f.duplicates, may_repeat);
    for (size_t i = 0; i < oracle.njobs; i++) {
        const struct oracle_job *job = &oracle.jobs[i];
        ck_assert(jobs[i].side == OURS ||
                  job->starts == (unsigned)__builtin_popcount(job->attempts));
    }
    check_moves();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("a worker of Sidekiq's beside ours");
    TCase *tc = new_case(suite, "beside");
    tcase_set_timeout(tc, 0); /* each of its steps has a bound */
    tcase_add_checked_fixture(tc, NULL, end_all);
    tcase_add_test(tc, nothing_is_lost_between_them);
    return suite;
}
