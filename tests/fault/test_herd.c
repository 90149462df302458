/*
 * After an outage nobody comes back as a herd (row 30): a fleet of workers, and one large pool.
 *
 * What is judged is the server's own count of connections that it has accepted, sampled from the
 * moment it answers again.
 */
#include "redis/pool.h"
#include "redis/ramp.h"
#include "stage.h"
#include "support/matrix.h"

enum {
    SPREAD_MS = 2000,         /* from the 5th to the 95th of a hundred connects, at least … */
    BACK_MS = 5000 + RAMP_MS, /* … and all of them after the longest back-off and the ramp */
    OUTAGE_MS = 300,          /* short: so the back-off alone would spread them by as little */
    SAMPLE_US = 10000,
    SAMPLES_MAX = SLOW * 4000,
};

/* Connections that the server has accepted since it came back, without ours. */
struct curve {
    struct redis_conn *observer;
    int64_t began_ns;
    int64_t ours; /* of those the server has counted */
    int n;
    struct {
        int64_t ms, count;
    } at[SAMPLES_MAX];
};

static int64_t accepted(struct redis_conn *observer)
{
    static const char field[] = "total_connections_received:";
    struct reply *text = must_call(observer, "INFO stats");
    const char *at = strstr(reply_str(text).p, field);
    ck_assert_ptr_nonnull(at);
    int64_t n = strtoll(at + sizeof field - 1, NULL, 10);
    reply_free(text);
    return n;
}

/* Clients whose name begins so, as the server lists them. */
static int64_t named(struct redis_conn *observer, const char *name)
{
    char text[64];
    (void)snprintf(text, sizeof text, " name=%s", name);
    struct reply *list = must_call(observer, "CLIENT LIST");
    int64_t n = 0;
    for (const char *at = reply_str(list).p; (at = strstr(at, text)) != NULL; at++)
        n++;
    reply_free(list);
    return n;
}

static void curve_begin(struct curve *c, struct stage *s, const char *name)
{
    *c = (struct curve){.observer = s->redis, .began_ns = clock_now_ns()};
    c->ours = accepted(c->observer) - named(c->observer, name);
}

static void curve_sample(struct curve *c)
{
    (void)usleep(SAMPLE_US);
    ck_assert_int_lt(c->n, SAMPLES_MAX);
    c->at[c->n].count = accepted(c->observer) - c->ours;
    c->at[c->n++].ms = ms_since(c->began_ns);
}

/* When this part of all was back, in hundredths. */
static int64_t curve_ms(const struct curve *c, int part)
{
    int64_t all = c->at[c->n - 1].count;
    for (int i = 0; i < c->n; i++)
        if (c->at[i].count * 100 >= all * part)
            return c->at[i].ms;
    return c->at[c->n - 1].ms;
}

static void curve_check(const struct curve *c, const char *who, const char *fault, int64_t least,
                        const struct oracle_figures *figures)
{
    int64_t all = c->at[c->n - 1].count, back_ms = c->at[c->n - 1].ms;
    int64_t spread_ms = curve_ms(c, 95) - curve_ms(c, 5);
    (void)printf("%s: %lld connects; 5, 25, 50, 75, 95 and 100 in a hundred after %lld, %lld, "
                 "%lld, %lld, %lld and %lld ms\n",
                 who, (long long)all, (long long)curve_ms(c, 5), (long long)curve_ms(c, 25),
                 (long long)curve_ms(c, 50), (long long)curve_ms(c, 75), (long long)curve_ms(c, 95),
                 (long long)back_ms);
    (void)fflush(stdout);
    ck_assert_int_ge(all, least);
    ck_assert_int_ge(spread_ms, SPREAD_MS);
    ck_assert_int_le(back_ms, SLOW * BACK_MS);
    matrix_report(&(struct matrix_entry){
        .row = 30,
        .fault = fault,
        .bit = matrix_text("%lld connects after the restart", (long long)all),
        .figures = figures,
        .took = "all are back",
        .took_ms = back_ms,
        .bound_ms = SLOW * BACK_MS,
        .result = matrix_text("from the 5th to the 95th of a hundred connects %.2f s (≥ %.0f s)",
                              (double)spread_ms / 1000, SPREAD_MS / 1000.0)});
}

/* --- a fleet ------------------------------------------------------------------------------- */

enum { QUEUES = 16, FLEET = SLOW == 1 ? 25 : 6, OWN = QUEUES + 1 /* the heartbeat's */ };

static void start_fleet(struct stage *s, struct worker_process *fleet)
{
    char text[1024], queues[512] = "default";
    for (int i = 1; i < QUEUES; i++) {
        size_t n = strlen(queues);
        (void)snprintf(queues + n, sizeof queues - n, ", q%d", i);
    }
    (void)snprintf(text, sizeof text,
                   "worker: {threads: 4, queues: [%s]}\n"
                   "metrics: {listen: \"off\"}\n"
                   "handlers:\n" TEST_HANDLER,
                   queues);
    for (int i = 0; i < FLEET; i++)
        worker_process_spawn(&fleet[i], &s->server, &(struct worker_options){.settings = text});
    for (int i = 0; i < FLEET; i++)
        worker_process_wait_ready(&fleet[i], "");
}

START_TEST(a_fleet_comes_back_in_time_and_not_at_once)
{
    static const char *const extra[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct worker_process fleet[FLEET] = {0};
    struct stage s;
    static struct curve curve;
    stage_open(&s, &(struct redis_server_options){.extra = extra});
    start_fleet(&s, fleet);
    wait_until(DRAIN_MS, named(s.redis, "sluice-worker") >= FLEET * OWN);
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1000", FLEET);
    wait_until(DRAIN_MS, oracle_started(&s.oracle) == FLEET);

    redis_server_kill(&s.server);
    hold_ms(OUTAGE_MS);
    must_restart(&s.server);
    stage_reconnect(&s);
    curve_begin(&curve, &s, "sluice-worker");
    wait_until(DRAIN_MS, oracle_push(&s.oracle, "default", ""));
    curve.ours++;                                      /* the oracle's */
    oracle_push_many(&s.oracle, "default", "", FLEET); /* queues are looked at meanwhile */
    do
        curve_sample(&curve);
    while (named(s.redis, "sluice-worker") < FLEET * OWN);

    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    struct oracle_figures f = oracle_check(&s.oracle, "herd", 0);
    for (int i = 0; i < FLEET; i++) {
        ck_assert(!worker_process_said(&fleet[i], "lease had lapsed"));
        worker_process_signal(&fleet[i], SIGTERM);
    }
    for (int i = 0; i < FLEET; i++)
        ck_assert_int_eq(worker_process_wait(&fleet[i], DRAIN_MS), 0);
    check_books_are_empty(&s);
    curve_check(
        &curve, "fleet",
        matrix_text("Redis restarted under %d workers with %d blocking waits each", FLEET, QUEUES),
        (int64_t)FLEET * OWN, &f);
    for (int i = 0; i < FLEET; i++)
        worker_process_free(&fleet[i]);
    stage_close(&s);
}
END_TEST

/* --- a large pool -------------------------------------------------------------------------- */

enum { PERMITS = 480, RESERVED = 20, CONNECTIONS = PERMITS + RESERVED };

/* Threads that all want a connection at the same time, as long as they are told to hold it. */
struct holders {
    struct redis_pool *pool;
    struct thread thread[CONNECTIONS];
    struct mutex mutex; /* guards: below */
    struct cond changed;
    int round, holding;
};

static void hold_one(struct holders *h, int round, struct redis_conn *c,
                     void (*give)(struct redis_pool *, struct redis_conn *))
{
    mutex_lock(&h->mutex);
    h->holding++;
    while (h->round == round)
        (void)cond_wait_until(&h->changed, &h->mutex, CLOCK_NEVER);
    h->holding--;
    mutex_unlock(&h->mutex);
    give(h->pool, c);
}

static void *hold_gated(void *arg)
{
    struct holders *h = arg;
    for (int round = 0; round < 2; round++) {
        struct redis_conn *c = NULL;
        if (redis_pool_take(h->pool, CLOCK_NEVER, &c, NULL) == 0)
            hold_one(h, round, c, redis_pool_give);
    }
    return NULL;
}

static void *hold_private(void *arg)
{
    struct holders *h = arg;
    for (int round = 0; round < 2; round++) {
        struct redis_conn *c = NULL;
        while (redis_pool_take_private(h->pool, "wait", REDIS_IN_TURN, &c, NULL) != 0)
            hold_ms(20);
        hold_one(h, round, c, redis_pool_give_private);
    }
    return NULL;
}

static int holding(struct holders *h)
{
    mutex_lock(&h->mutex);
    int n = h->holding;
    mutex_unlock(&h->mutex);
    return n;
}

static void let_go(struct holders *h)
{
    mutex_lock(&h->mutex);
    h->round++;
    cond_broadcast(&h->changed);
    mutex_unlock(&h->mutex);
}

START_TEST(a_large_pool_comes_back_gradually)
{
    struct stage s;
    static struct curve curve;
    static struct holders h;
    stage_open(&s, NULL);
    struct redis_pool_options o = {.redis = server_options(&s.server),
                                   .permits = PERMITS,
                                   .reserved = RESERVED,
                                   .max_connections = CONNECTIONS};
    o.redis.name = "pooled";
    ck_assert_int_eq(redis_pool_new(&o, &h.pool, NULL), 0);
    mutex_init(&h.mutex);
    cond_init(&h.changed);
    for (int i = 0; i < CONNECTIONS; i++)
        ck_assert_int_eq(
            thread_start(&h.thread[i], "holder", i < PERMITS ? hold_gated : hold_private, &h), 0);
    wait_until(DRAIN_MS, holding(&h) == CONNECTIONS);

    redis_server_kill(&s.server);
    let_go(&h); /* all are broken, and all threads want another */
    hold_ms(OUTAGE_MS);
    must_restart(&s.server);
    stage_reconnect(&s);
    curve_begin(&curve, &s, "pooled");
    do
        curve_sample(&curve);
    while (holding(&h) < CONNECTIONS);
    let_go(&h);
    for (int i = 0; i < CONNECTIONS; i++)
        thread_join(&h.thread[i]);
    curve_check(&curve, "pool",
                matrix_text("Redis restarted under a pool of %d connections", CONNECTIONS),
                CONNECTIONS, NULL);
    redis_pool_free(h.pool);
    cond_release(&h.changed);
    mutex_release(&h.mutex);
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("herd");
    stage_add(suite, a_fleet_comes_back_in_time_and_not_at_once, 1);
    stage_add(suite, a_large_pool_comes_back_gradually, 1);
    return suite;
}
