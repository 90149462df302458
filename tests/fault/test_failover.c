/*
 * The master becomes another server (row 17): by FAILOVER and REPLICAOF behind one address, as a
 * virtual one, and by a sentinel after a kill.
 *
 * Replication is asynchronous, so what a dead or demoted master had acknowledged alone is lost:
 * pushes, and ends of jobs, which then run again. Each test knows how much of it there was.
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proxy.h"

enum { WORKERS = 2, THREADS = 10, RUNNING = 10, AFTER = 20, B_MS = 5000 };

/* One question to a server, on a connection for it alone: a sentinel that changes a server's role
 * ends all others. NULL when there was no answer. */
static struct reply *ask(const struct redis_server *server, const char *command)
{
    struct redis_options to = server_options(server);
    struct redis_conn *c = NULL;
    struct reply *r = NULL;
    if (redis_conn_open(&to, &c, NULL) == 0 && redis_callf(c, &r, NULL, command) != 0)
        r = NULL;
    redis_conn_free(c);
    return r;
}

static bool has_role(const struct redis_server *server, const char *role)
{
    struct reply *r = ask(server, "ROLE");
    bool has = slice_is(reply_str(reply_at(r, 0)), role);
    reply_free(r);
    return has;
}

/* Of a kind of error, how many replies this server has given. */
static int64_t errors(struct redis_conn *c, const char *kind)
{
    char field[64];
    struct reply *text = must_call(c, "INFO errorstats");
    (void)snprintf(field, sizeof field, "errorstat_%s:count=", kind);
    const char *at = strstr(reply_str(text).p, field);
    int64_t n = at ? strtoll(at + strlen(field), NULL, 10) : 0;
    reply_free(text);
    return n;
}

/* How many of the workers are connected to this server. */
static int connected(struct stage *s, const struct redis_server *server)
{
    int n = 0;
    struct reply *list = NULL;
    wait_until(DRAIN_MS, (list = ask(server, "CLIENT LIST")) != NULL);
    for (int i = 0; i < WORKERS; i++)
        n += strstr(reply_str(list).p, s->worker[i].identity) != NULL;
    reply_free(list);
    return n;
}

static int said(struct stage *s, const char *text)
{
    int n = 0;
    for (int i = 0; i < WORKERS; i++)
        n += worker_process_said(&s->worker[i], text);
    return n;
}

/* Waits until the replica has what was written so far. */
static void replicate(struct stage *s)
{
    must_do(s->redis, "SET fence 1");
    ck_assert_int_eq(must_int(s->redis, "WAIT 1 %d", DRAIN_MS), 1);
}

/* Jobs that run until well after the fault. */
static void start_running(struct stage *s)
{
    char args[32];
    (void)snprintf(args, sizeof args, "\"sleep_ms\":%d", SLOW * 2000);
    oracle_push_many(&s->oracle, "default", args, RUNNING);
}

static void open_pair(struct stage *s)
{
    static const char *const extra[] = {"--repl-diskless-sync-delay", "0", NULL};
    stage_open(s, &(struct redis_server_options){.tcp = true, .extra = extra});
}

static void start_replica(struct stage *s, struct redis_server *replica, int port)
{
    char text[16];
    (void)snprintf(text, sizeof text, "%d", port);
    must_start(replica,
               &(struct redis_server_options){
                   .tcp = true,
                   .extra = (const char *const[]){"--replicaof", "127.0.0.1", text,
                                                  "--replica-announce-ip", "127.0.0.1", NULL}});
    wait_until(DRAIN_MS, info(s, "replication", "connected_slaves") == 1);
    replicate(s);
}

/* The test looks at the new master from now on. */
static void follow(struct stage *s, const struct redis_server *master)
{
    struct redis_options to = server_options(master);
    redis_conn_free(s->redis);
    s->redis = must_open(&to);
    oracle_follow(&s->oracle, master);
}

static bool all_ended(struct oracle *o, size_t from)
{
    oracle_read(o);
    for (size_t i = from; i < o->njobs; i++)
        if (o->jobs[i].acked && o->jobs[i].ends == 0)
            return false;
    return true;
}

static size_t lost_before(const struct oracle *o, size_t end)
{
    size_t n = 0;
    for (size_t i = 0; i < end; i++)
        n += o->jobs[i].acked && o->jobs[i].ends == 0;
    return n;
}

static size_t acked_since(const struct oracle *o, size_t from)
{
    size_t n = 0;
    for (size_t i = from; i < o->njobs; i++)
        n += o->jobs[i].acked;
    return n;
}

/* Until both workers are connected to the new master, and then until both have worked there; in
 * *ret_work_ms the latter. Pushes AFTER jobs. */
static int64_t return_ms(struct stage *s, const struct redis_server *master, int64_t since_ns,
                         int64_t *ret_work_ms)
{
    size_t first = s->oracle.njobs;
    wait_until(DRAIN_MS, connected(s, master) == WORKERS);
    int64_t ms = ms_since(since_ns);
    oracle_push_many(&s->oracle, "default", "", AFTER);
    wait_until(DRAIN_MS, all_ended(&s->oracle, first));
    *ret_work_ms = ms_since(since_ns);
    return ms;
}

/* Everything has ended, nothing of it as a failure. */
static void settle_down(struct stage *s, size_t after)
{
    wait_until(DRAIN_MS, nothing_is_left(s) && oracle_running(&s->oracle) == 0);
    ck_assert(all_ended(&s->oracle, after));
    ck_assert_int_eq(stat_of(s, "stat:failed"), 0);
    ck_assert_int_eq(must_int(s->redis, "ZCARD retry") + must_int(s->redis, "ZCARD dead"), 0);
    for (int i = 0; i < WORKERS; i++)
        must_stop(&s->worker[i]);
    check_books_are_empty(s);
}

static const char *seen(int64_t work_ms)
{
    return matrix_text("no job failed; work done after %.2f s", (double)work_ms / 1000);
}

/* FAILOVER waits for the replica, so nothing may be lost and nothing run twice. */
START_TEST(an_orderly_failover_costs_nothing)
{
    struct stage s;
    struct redis_server replica;
    struct proxy address;
    char url[64];
    int64_t work_ms;
    open_pair(&s);
    start_replica(&s, &replica, s.server.port);
    ck_assert_int_eq(proxy_start(&address, s.server.socket, NULL), 0);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", address.port);
    for (int i = 0; i < WORKERS; i++)
        (void)stage_worker(&s, i, (struct role){.threads = THREADS, .url = url});
    for (int i = 0; i < 200; i++)
        ck_assert(oracle_push(&s.oracle, "default", i % 2 ? "" : "\"sleep_ms\":5"));
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == 200);
    start_running(&s);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == RUNNING);
    wait_until(DRAIN_MS, info(&s, "clients", "blocked_clients") == WORKERS);
    must_do(s.redis, "FAILOVER");
    wait_until(DRAIN_MS, has_role(&replica, "master") && has_role(&s.server, "slave"));
    /* The address still leads to the old one: nobody may stay there, and ends of jobs must wait. */
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == s.oracle.njobs);
    wait_until(DRAIN_MS, said(&s, "READONLY") == WORKERS && said(&s, "UNBLOCKED") == WORKERS &&
                             said(&s, "this is no master but a replica") == WORKERS);
    ck_assert(!oracle_push(&s.oracle, "default", "")); /* the pusher is refused as well */
    int64_t readonly = errors(s.redis, "READONLY"), unblocked = errors(s.redis, "UNBLOCKED");
    ck_assert_int_gt(readonly, 1);
    ck_assert_int_eq(unblocked, WORKERS);
    int64_t waiting = (int64_t)oracle_ended(&s.oracle) - stat_of(&s, "stat:processed");
    ck_assert_int_gt(waiting, 0);
    wait_until(DRAIN_MS, connected(&s, &s.server) == 0); /* subscriptions leave a little later */

    size_t after = s.oracle.njobs;
    follow(&s, &replica);
    int64_t moved_ns = clock_now_ns();
    proxy_retarget(&address, replica.socket);
    int64_t took_ms = return_ms(&s, &replica, moved_ns, &work_ms);
    ck_assert_int_eq(connected(&s, &s.server), 0);
    settle_down(&s, after);
    struct oracle_figures f = oracle_check(&s.oracle, "FAILOVER", 0);
    ck_assert_int_eq(stat_of(&s, "stat:processed"), (int64_t)f.acked);
    ck_assert_int_le(took_ms, SLOW * (B_MS + TICK_MS));
    matrix_report(&(struct matrix_entry){
        .row = 17,
        .fault = "FAILOVER with 10 jobs running; the address follows later",
        .bit = matrix_text("%lld READONLY, %lld UNBLOCKED replies; %lld ends had to wait",
                           (long long)readonly, (long long)unblocked, (long long)waiting),
        .figures = &f,
        .took = "reconnected",
        .took_ms = took_ms,
        .bound_ms = SLOW * (B_MS + TICK_MS),
        .result = seen(work_ms)});
    proxy_stop(&address);
    redis_server_free(&replica);
    stage_close(&s);
}
END_TEST

/* A replica is promoted that has not heard everything: what it has missed is known exactly. */
START_TEST(a_replica_that_was_behind_loses_what_it_missed)
{
    enum { MISSED = 20 };
    struct stage s;
    struct redis_server replica;
    struct proxy address, replication;
    char url[64];
    int64_t work_ms;
    open_pair(&s);
    ck_assert_int_eq(proxy_start(&address, s.server.socket, NULL), 0);
    ck_assert_int_eq(proxy_start(&replication, s.server.socket, NULL), 0);
    start_replica(&s, &replica, replication.port);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", address.port);
    for (int i = 0; i < WORKERS; i++)
        (void)stage_worker(&s, i, (struct role){.threads = THREADS, .url = url});
    start_running(&s);
    wait_until(DRAIN_MS, oracle_running(&s.oracle) == RUNNING);
    replicate(&s);
    ck_assert_uint_eq(oracle_ended(&s.oracle), 0);

    proxy_black_hole(&replication, PROXY_REPLIES, true);
    for (int i = 0; i < WORKERS; i++)
        worker_process_signal(&s.worker[i], SIGTSTP);
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == RUNNING && said(&s, "quiet") == WORKERS &&
                             info(&s, "clients", "blocked_clients") == 0);
    oracle_push_many(&s.oracle, "default", "", MISSED);
    ck_assert_int_eq(must_int(s.redis, "LLEN queue:default"), MISSED);

    struct redis_options to = server_options(&replica);
    struct redis_conn *at_replica = must_open(&to);
    must_do(at_replica, "REPLICAOF NO ONE");
    ck_assert_int_eq(must_int(at_replica, "LLEN queue:default"), 0);
    redis_conn_free(at_replica);
    must_do(s.redis, "CONFIG SET replica-serve-stale-data no");
    must_do(s.redis, "REPLICAOF 127.0.0.1 %d", redis_server_free_port());
    wait_until(DRAIN_MS, said(&s, "MASTERDOWN") == WORKERS);
    int64_t masterdown = errors(s.redis, "MASTERDOWN");
    uint64_t swallowed = proxy_stats(&replication).swallowed[PROXY_REPLIES];
    ck_assert_int_gt(masterdown, 0);
    ck_assert_uint_gt(swallowed, 0);

    size_t after = s.oracle.njobs;
    follow(&s, &replica);
    int64_t moved_ns = clock_now_ns();
    proxy_retarget(&address, replica.socket);
    for (int i = 0; i < WORKERS; i++)
        worker_process_signal(&s.worker[i], SIGCONT);
    int64_t took_ms = return_ms(&s, &replica, moved_ns, &work_ms);
    settle_down(&s, after);
    struct oracle_figures f = oracle_figures(&s.oracle);
    (void)printf(
        "promoted %llu bytes behind: %zu acked, lost %zu, unexpected %zu, duplicates %zu\n",
        (unsigned long long)swallowed, f.acked, f.lost, f.unexpected, f.duplicates);
    ck_assert_uint_eq(f.lost, MISSED);
    ck_assert_uint_eq(lost_before(&s.oracle, RUNNING), 0);
    ck_assert_uint_eq(f.unexpected, 0);
    ck_assert_uint_le(f.duplicates, RUNNING); /* those whose ends were missed */
    ck_assert_int_le(took_ms, SLOW * (B_MS + TICK_MS));
    matrix_report(&(struct matrix_entry){
        .row = 17,
        .fault = "REPLICAOF: a replica is promoted that has missed 20 pushes and 10 ends",
        .bit = matrix_text("%llu bytes of replication swallowed; %lld MASTERDOWN replies",
                           (unsigned long long)swallowed, (long long)masterdown),
        .figures = &f,
        .max_duplicates = RUNNING,
        .took = "reconnected",
        .took_ms = took_ms,
        .bound_ms = SLOW * (B_MS + TICK_MS),
        .result = matrix_text("lost exactly the pushes that were missed; %s", seen(work_ms))});
    proxy_stop(&address);
    proxy_stop(&replication);
    redis_server_free(&replica);
    stage_close(&s);
}
END_TEST

static void start_sentinel(struct redis_server *sentinel, const struct redis_server *master)
{
    char lines[256];
    (void)snprintf(lines, sizeof lines,
                   "sentinel monitor sluice 127.0.0.1 %d 1\n"
                   "sentinel down-after-milliseconds sluice 600000\n"
                   "sentinel failover-timeout sluice 10000\n",
                   master->port);
    must_start(sentinel, &(struct redis_server_options){.tcp = true, .sentinel = lines});
}

/* How soon it takes a silent server for dead. Only around the kill that is soon: on a busy machine
 * a server may be silent for a while without being dead, and one failover is enough. */
static void set_patience(struct redis_conn *sentinel, int ms)
{
    must_do(sentinel, "SENTINEL SET sluice down-after-milliseconds %d", ms);
}

static bool knows_replica(struct redis_conn *sentinel)
{
    struct reply *r = must_call(sentinel, "SENTINEL REPLICAS sluice");
    const struct reply *status = reply_field(reply_at(r, 0), "master-link-status");
    bool knows = slice_is(reply_str(status), "ok");
    reply_free(r);
    return knows;
}

/* Whether the sentinel leads to this port. */
static bool names(struct redis_conn *sentinel, int port)
{
    struct reply *r = must_call(sentinel, "SENTINEL GET-MASTER-ADDR-BY-NAME sluice");
    bool yes = reply_int(reply_at(r, 1)) == port;
    reply_free(r);
    return yes;
}

/* The master dies under load. Where a push waits for the replica (the second time), none is lost;
 * and the old master comes back, which must not draw anybody. */
START_TEST(a_killed_master_is_followed)
{
    enum { UNSURE = 20 };
    bool waits = _i == 1;
    struct stage s;
    struct redis_server replica, sentinel;
    char url[64];
    int64_t work_ms;
    open_pair(&s);
    start_replica(&s, &replica, s.server.port);
    start_sentinel(&sentinel, &s.server);
    struct redis_options to = server_options(&sentinel);
    struct redis_conn *at_sentinel = must_open(&to);
    wait_until(DRAIN_MS, knows_replica(at_sentinel));
    (void)snprintf(url, sizeof url, "redis+sentinel://127.0.0.1:%d/sluice", sentinel.port);
    for (int i = 0; i < WORKERS; i++)
        (void)stage_worker(&s, i, (struct role){.threads = THREADS, .url = url});

    s.oracle.replicas = waits;
    oracle_push_many(&s.oracle, "default", "\"sleep_ms\":1500", RUNNING);
    int64_t until_ns = clock_deadline_ms(300);
    do
        ck_assert(oracle_push(&s.oracle, "default", s.oracle.njobs % 2 ? "" : "\"sleep_ms\":5"));
    while (clock_now_ns() < until_ns);
    size_t fence = s.oracle.njobs; /* the replica has all of this, and most of its ends */
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") >= (int64_t)fence - RUNNING);
    int64_t processed = stat_of(&s, "stat:processed");
    replicate(&s);
    for (int i = 0; i < UNSURE; i++)
        ck_assert(oracle_push(&s.oracle, "default", i % 2 ? "" : "\"sleep_ms\":5"));
    redis_server_kill(&s.server);
    int64_t killed_ns = clock_now_ns();
    set_patience(at_sentinel, 500);
    size_t max_lost = waits ? 0 : acked_since(&s.oracle, fence);
    /* What is not known to have ended on the replica may have run, and runs again. */
    size_t max_duplicates = s.oracle.njobs - (size_t)processed;
    wait_until(DRAIN_MS, names(at_sentinel, replica.port) && has_role(&replica, "master"));
    int64_t promoted_ns = clock_now_ns();
    set_patience(at_sentinel, 600000);
    size_t after = s.oracle.njobs;
    follow(&s, &replica);
    s.oracle.replicas = 0; /* there is none */
    if (waits)
        must_restart(&s.server);
    int64_t took_ms = return_ms(&s, &replica, promoted_ns, &work_ms);
    const char *old_one = "";
    if (waits) {
        wait_until(DRAIN_MS, has_role(&s.server, "slave"));
        ck_assert_int_eq(connected(&s, &s.server), 0);
        oracle_push_many(&s.oracle, "default", "", AFTER);
        old_one = "; the old master came back and was left alone";
    }
    settle_down(&s, after);
    struct oracle_figures f = oracle_figures(&s.oracle);
    (void)printf("promoted %lld ms after the kill: %zu acked, lost %zu (at most %zu), "
                 "unexpected %zu, duplicates %zu (at most %zu)\n",
                 (long long)((promoted_ns - killed_ns) / NS_PER_MS), f.acked, f.lost, max_lost,
                 f.unexpected, f.duplicates, max_duplicates);
    ck_assert_uint_le(f.lost, max_lost);
    ck_assert_uint_eq(lost_before(&s.oracle, fence), 0);
    ck_assert_uint_eq(f.unexpected, 0);
    ck_assert_uint_le(f.duplicates, max_duplicates);
    ck_assert_int_le(took_ms, SLOW * (B_MS + TICK_MS));
    matrix_report(&(struct matrix_entry){
        .row = 17,
        .fault = waits ? "kill -9 of the master, a sentinel; pushes WAIT for the replica"
                       : "kill -9 of the master, a sentinel",
        .bit = matrix_text("the sentinel promoted the replica after %.2f s",
                           (double)(promoted_ns - killed_ns) / (double)NS_PER_S),
        .figures = &f,
        .max_duplicates = max_duplicates,
        .took = "reconnected after that",
        .took_ms = took_ms,
        .bound_ms = SLOW * (B_MS + TICK_MS),
        .result = matrix_text("%zu pushes might have been lost; %s%s", max_lost, seen(work_ms),
                              old_one)});
    redis_conn_free(at_sentinel);
    redis_server_free(&sentinel);
    redis_server_free(&replica);
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("failover");
    stage_add(suite, an_orderly_failover_costs_nothing, 1);
    stage_add(suite, a_replica_that_was_behind_loses_what_it_missed, 1);
    stage_add(suite, a_killed_master_is_followed, 2);
    return suite;
}
