/*
 * The wall clock of a worker is wrong, or jumps (row 26). Redis' clock decides what is due and what
 * has expired, the monotonic one how long things take.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "stage.h"
#include "support/matrix.h"
#include "support/preload/wallclock.h"

enum {
    HOUR_S = 3600,
    DUE = 40,           /* jobs in each of the two sets … */
    DUE_FROM_MS = 2600, /* when each scheduler has seen them: it looks every 2.5 s */
    DUE_SPAN_MS = 3000,
    STEP_MS = 150,
    LATE_MS = 2000, /* less than that pause */
    EXPIRING = 10,
    FAILING = 5,
    RUNNING = 4,
};

static const char *const sets[] = {"schedule", "retry"};

static struct wallclock *new_clock(struct stage *s, int number, char *ret_setting, size_t size)
{
    char path[128];
    struct wallclock none = {0};
    (void)snprintf(path, sizeof path, "%s/wallclock-%d", s->server.dir, number);
    (void)snprintf(ret_setting, size, "WALLCLOCK_FILE=%s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, &none, sizeof none), (ssize_t)sizeof none);
    void *clock = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(clock, MAP_FAILED);
    (void)close(fd); /* the mapping stays */
    return clock;
}

static double redis_now(struct stage *s)
{
    struct reply *time = must_call(s->redis, "TIME");
    double now = reply_real(reply_at(time, 0)) + reply_real(reply_at(time, 1)) / 1e6;
    reply_free(time);
    return now;
}

/* How far the last line of the log is off. */
static double log_shift_s(const struct worker_process *w)
{
    char *log = worker_process_log(w);
    const char *at = log, *next;
    while ((next = strstr(at, "\nts=")) != NULL)
        at = next + 1;
    struct tm tm = {0};
    ck_assert_ptr_nonnull(strptime(at, "ts=%Y-%m-%dT%H:%M:%S", &tm));
    free(log);
    return difftime(timegm(&tm), time(NULL));
}

/* Steps the worker's clock, and sees in its log that it has. */
static void step(struct worker_process *w, struct wallclock *clock, int64_t shift_s)
{
    static const char last[] = "state: jobs";
    int lines = worker_process_count(w, last);
    int64_t began_ns = clock_now_ns();
    atomic_store(&clock->shift_s, shift_s);
    worker_process_signal(w, SIGUSR1);
    wait_until(DRAIN_MS, worker_process_count(w, last) > lines);
    double slack_s = 2 + (double)ms_since(began_ns) / 1000;
    double off_s = log_shift_s(w) - (double)shift_s;
    ck_assert_msg(off_s > -slack_s && off_s < slack_s, "the log is off by %g s too much", off_s);
}

/* --- jobs ---------------------------------------------------------------------------------- */

/* A job of the oracle's with one more member in front. */
static char *payload_with(struct stage *s, const char *args, const char *member)
{
    char *plain = oracle_payload(&s->oracle, "default", args, NULL), *text;
    ck_assert_int_gt(asprintf(&text, "{%s,%s", member, plain + 1), 0);
    free(plain);
    return text;
}

static void push_expiring(struct stage *s, double at, bool runs)
{
    char member[64];
    (void)snprintf(member, sizeof member, "\"expires_at\":%.3f", at);
    for (int i = 0; i < EXPIRING; i++) {
        char *payload = payload_with(s, "", member);
        must_do(s->redis, "LPUSH queue:default %s", payload);
        if (runs)
            oracle_ack(&s->oracle, 1);
        free(payload);
    }
}

static void schedule_all(struct stage *s, double from, double due[DUE])
{
    for (int i = 0; i < DUE; i++) {
        due[i] = from + (double)i * DUE_SPAN_MS / DUE / 1000;
        for (int set = 0; set < 2; set++) {
            char *payload = oracle_payload(&s->oracle, "default", "", NULL);
            must_do(s->redis, "ZADD %s %.6f %s", sets[set], due[i], payload);
            oracle_ack(&s->oracle, 1);
            free(payload);
        }
    }
}

/* At one instant as Redis sees it: what is not due lies in its set. Returns how late the oldest
 * that is still there is, in ms; *ret_left: how many are. */
static int64_t look(struct stage *s, const double due[DUE], int64_t *ret_left)
{
    static const char script[] = "local t = redis.call('TIME') "
                                 "local now = string.format('%d.%06d', t[1], t[2]) local r = {now} "
                                 "for i = 1, 2 do "
                                 "r[#r + 1] = redis.call('ZCOUNT', KEYS[i], '(' .. now, ARGV[1]) "
                                 "r[#r + 1] = redis.call('ZCOUNT', KEYS[i], '-inf', ARGV[1]) "
                                 "r[#r + 1] = redis.call('ZRANGE', KEYS[i], 0, 0, 'WITHSCORES')[2] "
                                 "or '' end return r";
    struct reply *r = must_call(s->redis, "EVAL %s 2 schedule retry %.6f", script, due[DUE - 1]);
    double now = reply_real(reply_at(r, 0)), late_s = 0;
    int64_t later = 0;
    for (int i = 0; i < DUE; i++)
        later += due[i] > now + 1e-5; /* scores have been rounded on their way */
    *ret_left = 0;
    for (size_t set = 0; set < 2; set++) {
        ck_assert_msg(reply_int(reply_at(r, 3 * set + 1)) >= later, "a job of %s was early",
                      sets[set]);
        *ret_left += reply_int(reply_at(r, 3 * set + 2));
        struct slice first = reply_str(reply_at(r, 3 * set + 3));
        if (first.n > 0 && now - strtod(first.p, NULL) > late_s)
            late_s = now - strtod(first.p, NULL);
    }
    reply_free(r);
    return (int64_t)(late_s * 1000);
}

/* Those that failed, by whichever clock, are due again by Sidekiq's rule for the first failure:
 * after 15 to 24 s. */
static void check_retries(struct stage *s, double since)
{
    struct reply *r = must_call(s->redis, "ZRANGE retry 0 -1 WITHSCORES");
    double until = redis_now(s);
    for (size_t i = 1; i < reply_count(r); i += 2) {
        double at = reply_real(reply_at(r, i));
        ck_assert_double_ge(at, since + 15);
        ck_assert_double_le(at, until + 25);
    }
    reply_free(r);
}

/* --- the cases ----------------------------------------------------------------------------- */

struct scene {
    struct stage stage;
    struct wallclock *clock[2];
    char clock_file[2][160], asan[512];
};

static struct worker_process *start_wrong(struct scene *c, int i, int64_t shift_s)
{
    const char *given = getenv("ASAN_OPTIONS");
    (void)snprintf(c->asan, sizeof c->asan, "ASAN_OPTIONS=%s%sverify_asan_link_order=0",
                   given ? given : "", given ? ":" : "");
    c->clock[i] = new_clock(&c->stage, i, c->clock_file[i], sizeof c->clock_file[i]);
    const char *const env[] = {"LD_PRELOAD=" WALLCLOCK_LIBRARY, c->clock_file[i], c->asan, NULL};
    atomic_store(&c->clock[i]->shift_s, shift_s); /* before it starts */
    struct worker_process *w = stage_worker(&c->stage, i, (struct role){.env = env});
    step(w, c->clock[i], shift_s);
    return w;
}

/* Jobs that run all the time, for others to recover if they took this worker for dead; and some
 * that fail. */
static void give_work(struct stage *s, size_t running, double since)
{
    char args[32];
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d", CALM_MS + (2 + SLOW) * LEASE_S * 1000);
    oracle_push_many(&s->oracle, "default", args, RUNNING);
    wait_until(DRAIN_MS, oracle_running(&s->oracle) == running);
    oracle_push_many(&s->oracle, "default", "\"outcome\":\"fail\"", FAILING);
    wait_until(DRAIN_MS, must_int(s->redis, "ZCARD retry") == FAILING);
    check_retries(s, since);
    must_do(s->redis, "DEL retry"); /* on a slow machine they would fall due in what follows */
}

START_TEST(the_wall_clock_decides_nothing)
{
    static const struct {
        const char *fault;
        int64_t shift_s[2][3]; /* of each worker: gone through again and again */
    } cases[] = {
        {"wall clock of one worker 1 h fast, of the other 1 h slow",
         {{HOUR_S, HOUR_S, HOUR_S}, {-HOUR_S, -HOUR_S, -HOUR_S}}},
        {"wall clocks of two workers stepped all the time, by 2 h and by a year",
         {{HOUR_S, -HOUR_S, HOUR_S}, {-HOUR_S, 8766 * HOUR_S, 0}}},
    };
    struct scene c = {0};
    struct stage *s = &c.stage;
    stage_open(s, NULL);
    double began = redis_now(s);

    struct worker_process *fast = start_wrong(&c, 0, HOUR_S);
    push_expiring(s, redis_now(s) + HOUR_S / 2.0, true); /* expired by its own clock */
    wait_until(DRAIN_MS, oracle_ended(&s->oracle) == EXPIRING);
    give_work(s, RUNNING, began);
    worker_process_signal(fast, SIGTSTP); /* what follows is for the other */
    wait_until(DRAIN_MS, worker_process_said(fast, "quiet"));

    struct worker_process *slow = start_wrong(&c, 1, -HOUR_S);
    size_t dropped = s->oracle.njobs;
    push_expiring(s, redis_now(s) - HOUR_S / 2.0, false); /* not yet by its own clock */
    wait_until(DRAIN_MS, worker_process_count(slow, "job has expired") == EXPIRING);
    give_work(s, (size_t)2 * RUNNING, began);
    worker_process_signal(fast, SIGCONT);

    double due[DUE];
    int64_t left, late_ms = 0, looks = 0, steps = 0;
    int64_t next_ns = 0, until_ns = clock_deadline_ms(CALM_MS + LEASE_S * 1000);
    schedule_all(s, redis_now(s) + DUE_FROM_MS / 1000.0, due);
    do {
        hold_ms(2);
        int64_t late = look(s, due, &left);
        late_ms = late > late_ms ? late : late_ms;
        looks += left > 0 && left < (int64_t)2 * DUE;
        for (int i = 0; i < 2; i++)
            ck_assert_int_eq(must_int(s->redis, "EXISTS sluice:lease:%s", s->worker[i].identity),
                             1);
        if (clock_now_ns() >= next_ns) {
            for (int i = 0; i < 2; i++)
                step(&s->worker[i], c.clock[i], cases[_i].shift_s[i][steps % 3]);
            steps++;
            next_ns = clock_deadline_ms(STEP_MS);
        }
    } while (left > 0 || clock_now_ns() < until_ns); /* long enough for a recovery */
    (void)printf("%s: at most %lld ms late in %lld looks\n", cases[_i].fault, (long long)late_ms,
                 (long long)looks);
    (void)fflush(stdout);
    ck_assert_int_gt(looks, 0); /* else we have seen nothing */
    ck_assert_int_le(late_ms, SLOW * LATE_MS);

    ck_assert(oracle_drain(&s->oracle, DRAIN_MS));
    for (size_t i = dropped; i < dropped + EXPIRING; i++)
        ck_assert_uint_eq(s->oracle.jobs[i].starts, 0);
    int64_t reads = 0;
    for (int i = 0; i < 2; i++) {
        ck_assert(!worker_process_said(&s->worker[i], "a worker is dead"));
        ck_assert(!worker_process_said(&s->worker[i], "lease had lapsed"));
        ck_assert(!worker_process_said(&s->worker[i], "no longer ours"));
        reads += atomic_load(&c.clock[i]->reads);
    }
    struct oracle_figures f = oracle_check(&s->oracle, cases[_i].fault, 0);
    for (int i = 0; i < 2; i++) {
        must_stop(&s->worker[i]);
        ck_assert_int_eq(munmap(c.clock[i], sizeof *c.clock[i]), 0);
    }
    check_books_are_empty(s);
    matrix_report(&(struct matrix_entry){
        .row = 26,
        .fault = cases[_i].fault,
        .bit = matrix_text("both logs showed each of %lld shifts; the clocks were read %lld times",
                           (long long)steps, (long long)reads),
        .figures = &f,
        .took = "the latest due job was moved after",
        .took_ms = late_ms,
        .bound_ms = SLOW * LATE_MS,
        .result = matrix_text("in %lld looks none of %d due jobs early by Redis' time; %d that "
                              "had expired by it dropped, %d others run; the leases always held",
                              (long long)looks, 2 * DUE, EXPIRING, EXPIRING)});
    stage_close(s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("clock");
    stage_add(suite, the_wall_clock_decides_nothing, 2);
    return suite;
}
