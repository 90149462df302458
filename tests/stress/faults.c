#include "faults.h"

#include <signal.h>
#include <stdio.h>

#include "soak.h"

static bool every(struct trouble *t, int64_t ms)
{
    if (clock_now_ns() < t->again_ns)
        return false;
    t->again_ns = clock_deadline_ms(ms);
    return true;
}

/* --- at a worker --------------------------------------------------------------------------- */

static void kill_worker(struct soak *s, struct trouble *t)
{
    struct member *m = &s->crew.member[t->victim];
    char identity[sizeof m->process.identity];
    (void)snprintf(identity, sizeof identity, "%s", crew_identity(s, t->victim));
    crew_kill(s, t->victim);
    t->bit = m->process.status == 128 + SIGKILL;
    s->allowed += crew_at_stake(s, t->victim);
    recovery_begin(s, identity);
}

static bool replace_worker(struct soak *s, struct trouble *t)
{
    crew_start(s, t->victim);
    return true;
}

/* Its jobs are shorter than its patience, so in peace it repeats nothing; when it cannot reach
 * Redis meanwhile, it may. */
static void order_stop(struct soak *s, struct trouble *t)
{
    (void)crew_identity(s, t->victim);
    t->before = crew_at_stake(s, t->victim);
    worker_process_signal(&s->crew.member[t->victim].process, SIGTERM);
}

static bool replace_stopped(struct soak *s, struct trouble *t)
{
    struct member *m = &s->crew.member[t->victim];
    t->disturbed = t->disturbed || chaos_count(s) > 1;
    if (!worker_process_ended(&m->process))
        return false;
    t->bit = m->process.status == 0;
    s->allowed += t->disturbed ? t->before : 0;
    if (m->process.status != 0 && m->process.identity[0]) /* before that TERM may just end it */
        soak_complain(s, "worker %d stopped with status %d", t->victim, m->process.status);
    crew_start(s, t->victim);
    return true;
}

/* Longer than the lease. */
static void pause_worker(struct soak *s, struct trouble *t)
{
    (void)crew_identity(s, t->victim);
    worker_process_signal(&s->crew.member[t->victim].process, SIGSTOP);
    s->allowed += crew_at_stake(s, t->victim);
    t->due_ns += (int64_t)(crew_lease_s * NS_PER_S);
}

static bool resume_worker(struct soak *s, struct trouble *t)
{
    const char *identity = s->crew.member[t->victim].process.identity;
    t->bit = identity[0] && soak_count(s, "EXISTS sluice:lease:%s", identity) == 0;
    worker_process_signal(&s->crew.member[t->victim].process, SIGCONT);
    return true;
}

/* --- at Redis ------------------------------------------------------------------------------ */

static void kill_redis(struct soak *s, struct trouble *t)
{
    t->before = (uint64_t)soak_info(s, "server", "process_id");
    redis_server_kill(&s->server);
    t->bit = !soak_ask(s, NULL, "PING");
}

static bool restart_redis(struct soak *s, struct trouble *t)
{
    (void)t;
    must_restart(&s->server);
    return true;
}

/* While it is silent, a look at it takes longer than the patience of whoever looks. */
static void freeze_redis(struct soak *s, struct trouble *t)
{
    (void)t;
    redis_server_pause(&s->server);
}

static bool thaw_redis(struct soak *s, struct trouble *t)
{
    t->bit = !soak_ask(s, NULL, "PING");
    redis_server_resume(&s->server);
    return true;
}

static void pause_clients(struct soak *s, struct trouble *t)
{
    t->bit =
        soak_ask(s, NULL, "CLIENT PAUSE %d ALL", (int)t->lasts_ms) && !soak_ask(s, NULL, "PING");
}

static void kill_clients(struct soak *s, struct trouble *t)
{
    if (every(t, 100) && soak_count(s, "CLIENT KILL TYPE normal SKIPME yes") > 0)
        t->bit = true;
}

static void note_evals(struct soak *s, struct trouble *t)
{
    t->before = (uint64_t)soak_info(s, "commandstats", "cmdstat_eval:calls");
}

static void forget_scripts(struct soak *s, struct trouble *t)
{
    if (every(t, 50))
        (void)soak_ask(s, NULL, "SCRIPT FLUSH"); /* what counts is what workers send then */
}

static bool see_evals(struct soak *s, struct trouble *t)
{
    t->bit = soak_info(s, "commandstats", "cmdstat_eval:calls") > (int64_t)t->before;
    return true;
}

static void take_memory(struct soak *s, struct trouble *t)
{
    t->bit = soak_ask(s, NULL, "CONFIG SET maxmemory 1") && !soak_ask(s, NULL, "SET soak 1");
}

static bool give_memory(struct soak *s, struct trouble *t)
{
    (void)t;
    return soak_ask(s, NULL, "CONFIG SET maxmemory 0");
}

/* --- at the link --------------------------------------------------------------------------- */

/* Who cannot renew its lease for long enough is taken for dead. */
static void risk_leases(struct soak *s)
{
    for (int i = 0; i < s->crew.n; i++)
        if (s->crew.member[i].proxied)
            s->allowed += crew_at_stake(s, i);
}

static enum proxy_lane some_lane(struct trouble *t)
{
    return dice_percent(&t->dice, 50) ? PROXY_REPLIES : PROXY_REQUESTS;
}

static void begin_cuts(struct soak *s, struct trouble *t)
{
    t->before = proxy_stats(&s->proxy).cuts;
    risk_leases(s);
}

static void cut_again(struct soak *s, struct trouble *t)
{
    if (!every(t, 60))
        return;
    proxy_cut(&s->proxy, some_lane(t), dice_between(&t->dice, 0, 2000));
}

static bool end_cuts(struct soak *s, struct trouble *t)
{
    t->bit = proxy_stats(&s->proxy).cuts > t->before;
    proxy_cut(&s->proxy, PROXY_REQUESTS, -1);
    proxy_cut(&s->proxy, PROXY_REPLIES, -1);
    return true;
}

static uint64_t swallowed(struct soak *s)
{
    struct proxy_stats stats = proxy_stats(&s->proxy);
    return stats.swallowed[PROXY_REQUESTS] + stats.swallowed[PROXY_REPLIES];
}

static void open_hole(struct soak *s, struct trouble *t)
{
    t->before = swallowed(s);
    risk_leases(s);
    proxy_black_hole(&s->proxy, some_lane(t), true);
}

static bool close_hole(struct soak *s, struct trouble *t)
{
    t->bit = swallowed(s) > t->before;
    proxy_black_hole(&s->proxy, PROXY_REQUESTS, false);
    proxy_black_hole(&s->proxy, PROXY_REPLIES, false);
    return true;
}

/* The reply to one script of a proxied worker is cut short, or never comes. */
static void set_trap(struct soak *s, struct trouble *t)
{
    t->before = proxy_stats(&s->proxy).trapped;
    risk_leases(s);
}

static void trap_again(struct soak *s, struct trouble *t)
{
    if (!every(t, 200))
        return;
    proxy_trap(&s->proxy, "EVALSHA", dice_percent(&t->dice, 50) ? PROXY_MUTE : PROXY_CUT,
               dice_between(&t->dice, 0, 200));
}

static bool lift_trap(struct soak *s, struct trouble *t)
{
    t->bit = proxy_stats(&s->proxy).trapped > t->before;
    proxy_trap(&s->proxy, "", PROXY_NONE, 0);
    return true;
}

static void slow_down(struct soak *s, struct trouble *t)
{
    enum proxy_lane lane = some_lane(t);
    risk_leases(s);
    proxy_delay(&s->proxy, lane, dice_between(&t->dice, 20, 400));
}

/* It bites when a round trip of our own takes at least the shortest delay. */
static void time_a_trip(struct soak *s, struct trouble *t)
{
    if (t->bit || !every(t, 500))
        return;
    struct redis_options to = proxy_options(&s->proxy);
    to.connect_timeout_ms = to.socket_timeout_ms = SLOW * 1000;
    int64_t began_ns = clock_now_ns();
    struct redis_conn *c = NULL;
    if (redis_conn_open(&to, &c, NULL) == 0) /* with a PING */
        t->bit = clock_now_ns() - began_ns >= 20 * NS_PER_MS;
    redis_conn_free(c);
}

static bool speed_up(struct soak *s, struct trouble *t)
{
    (void)t;
    proxy_delay(&s->proxy, PROXY_REQUESTS, 0);
    proxy_delay(&s->proxy, PROXY_REPLIES, 0);
    return true;
}

static void refuse_all(struct soak *s, struct trouble *t)
{
    t->before = proxy_stats(&s->proxy).refused;
    risk_leases(s);
    proxy_refuse(&s->proxy, true);
    proxy_drop_all(&s->proxy);
}

static bool accept_all(struct soak *s, struct trouble *t)
{
    t->bit = proxy_stats(&s->proxy).refused > t->before;
    proxy_refuse(&s->proxy, false);
    return true;
}

static void drop_links(struct soak *s, struct trouble *t)
{
    struct proxy_stats stats = proxy_stats(&s->proxy);
    t->before = stats.accepted;
    proxy_drop_all(&s->proxy);
}

/* Dropped connections are opened again. */
static bool see_newcomers(struct soak *s, struct trouble *t)
{
    t->bit = proxy_stats(&s->proxy).accepted > t->before;
    return true;
}

/* The workers lose their connections, and Redis does not notice: ghosts wait on. */
static void make_ghosts(struct soak *s, struct trouble *t)
{
    (void)t;
    risk_leases(s);
    proxy_hold(&s->proxy, true);
    proxy_drop_all(&s->proxy);
}

static void see_ghosts(struct soak *s, struct trouble *t)
{
    t->bit = t->bit || proxy_stats(&s->proxy).held > 0;
}

static bool end_ghosts(struct soak *s, struct trouble *t)
{
    (void)t;
    proxy_hold(&s->proxy, false);
    return true;
}

/* --- the table ----------------------------------------------------------------------------- */

const struct fault faults[] = {
    {"worker-kill", AT_WORKER, 20, 100, 2000, false, kill_worker, NULL, replace_worker},
    {"worker-term", AT_WORKER, 10, 0, 0, false, order_stop, NULL, replace_stopped},
    {"worker-pause", AT_WORKER, 8, 500, 3000, true, pause_worker, NULL, resume_worker},
    {"redis-kill", AT_REDIS, 6, 100, 2000, false, kill_redis, NULL, restart_redis},
    {"redis-freeze", AT_REDIS, 5, 1000, 5000, false, freeze_redis, NULL, thaw_redis},
    {"client-pause", AT_REDIS, 5, 1000, 5000, false, pause_clients, NULL, NULL},
    {"client-kill", AT_REDIS, 6, 500, 2500, false, NULL, kill_clients, NULL},
    {"script-flush", AT_REDIS, 4, 500, 3000, false, note_evals, forget_scripts, see_evals},
    {"memory-full", AT_REDIS, 6, 500, 4000, false, take_memory, NULL, give_memory},
    {"link-cut", AT_LINK, 8, 500, 4000, false, begin_cuts, cut_again, end_cuts},
    {"link-hole", AT_LINK, 8, 500, 6000, false, open_hole, NULL, close_hole},
    {"link-trap", AT_LINK, 8, 1000, 3000, false, set_trap, trap_again, lift_trap},
    {"link-slow", AT_LINK, 5, 1000, 4000, false, slow_down, time_a_trip, speed_up},
    {"link-refuse", AT_LINK, 5, 500, 6000, false, refuse_all, NULL, accept_all},
    {"link-drop", AT_LINK, 5, 1000, 1000, false, drop_links, NULL, see_newcomers},
    {"link-ghosts", AT_LINK, 6, 1000, 4000, false, make_ghosts, see_ghosts, end_ghosts},
};
const int nfaults = sizeof faults / sizeof *faults;
