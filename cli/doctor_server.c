/* What the server is like, and what of it will bring trouble. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cli/doctor.h"
#include "cli/human.h"
#include "cli/time_text.h"

static struct slice fact(const struct doctor *d, const char *name)
{
    return server_fact(d->server, name);
}

static int64_t number(const struct doctor *d, const char *name)
{
    return server_fact_int(d->server, name);
}

static void check_version(struct doctor *d)
{
    int major = 0, minor = 0;
    struct slice version = fact(d, "redis_version");
    if (version.n == 0 || sscanf(version.p, "%d.%d", &major, &minor) != 2)
        doctor_say(d, DOCTOR_UNSEEN, "version", "allow INFO to this user",
                   "the server does not tell its version; 6.2 or later is needed");
    else if (major < 6 || (major == 6 && minor < 2))
        doctor_say(d, DOCTOR_PROBLEM, "version", "upgrade Redis to 6.2 or later",
                   "Redis %.*s is too old: BLMOVE, SET … GET and CLIENT LIST ID need 6.2",
                   (int)version.n, version.p);
    else
        doctor_say(d, DOCTOR_OK, "version", NULL, "Redis %.*s has all that is used (6.2)",
                   (int)version.n, version.p);
}

static void check_role(struct doctor *d)
{
    bool known;
    int64_t wanted = server_setting_int(d->server, "min-replicas-to-write", &known);
    int64_t replicas = number(d, "connected_slaves");
    if (slice_is(fact(d, "role"), "slave"))
        doctor_say(d, DOCTOR_PROBLEM, "role", "connect to the primary",
                   "this is a read-only replica: no job can be claimed from it");
    else if (known && wanted > 0 && replicas < wanted)
        doctor_say(d, DOCTOR_PROBLEM, "role", "bring the replicas back, or lower the setting",
                   "min-replicas-to-write is %" PRId64 " and %" PRId64
                   " are connected: writes are refused",
                   wanted, replicas);
    else if (fact(d, "role").n > 0)
        doctor_say(d, DOCTOR_OK, "role", NULL,
                   "a primary with %" PRId64 " replica%s; what these have not received when it "
                   "fails over is lost",
                   replicas, replicas == 1 ? "" : "s");
    if (number(d, "cluster_enabled") == 1)
        doctor_say(d, DOCTOR_PROBLEM, "cluster", "use a Redis that is no cluster, with replicas",
                   "Redis Cluster is not supported: a job moves between keys of several slots");
}

/* ---- Persistence ---------------------------------------------------------------------------- */

static bool has_failed(const struct doctor *d, const char *name)
{
    return slice_is(fact(d, name), "err");
}

static void check_persistence(struct doctor *d)
{
    bool known;
    bool aof = number(d, "aof_enabled") == 1;
    struct slice save = server_setting(d->server, "save", &known);
    struct slice fsync = server_setting(d->server, "appendfsync", NULL);
    if (has_failed(d, "aof_last_write_status") || has_failed(d, "rdb_last_bgsave_status") ||
        has_failed(d, "aof_last_bgrewrite_status"))
        doctor_say(d, DOCTOR_PROBLEM, "persistence", "look at the disk and at Redis' log",
                   "the last write to disk has failed; Redis refuses writes (MISCONF), or will");
    else if (fact(d, "redis_version").n == 0)
        doctor_say(d, DOCTOR_UNSEEN, "persistence", "see that appendonly is on",
                   "the server does not tell whether it persists");
    else if (aof && slice_is(fsync, "no"))
        doctor_say(d, DOCTOR_WARNING, "persistence", "set appendfsync everysec",
                   "appendonly without fsync: a power loss takes what the kernel had not written, "
                   "some 30 s");
    else if (aof)
        doctor_say(d, DOCTOR_OK, "persistence", NULL, "appendonly, fsync %.*s: %s",
                   fsync.n > 0 ? (int)fsync.n : 7, fsync.n > 0 ? fsync.p : "unknown",
                   slice_is(fsync, "always")
                       ? "what was acknowledged is on disk"
                       : "a killed Redis loses nothing, a power loss the last second or two");
    else if (known && save.n == 0)
        doctor_say(d, DOCTOR_WARNING, "persistence", "set appendonly yes",
                   "Redis does not persist: a restart of it loses every job");
    else
        doctor_say(d, DOCTOR_WARNING, "persistence", "set appendonly yes",
                   "snapshots only: a crash loses every job since the last one, and runs again "
                   "what was done since");
}

/* ---- Memory --------------------------------------------------------------------------------- */

static void check_policy(struct doctor *d)
{
    struct slice policy = fact(d, "maxmemory_policy");
    int64_t limit = number(d, "maxmemory");
    if (policy.n == 0)
        doctor_say(d, DOCTOR_UNSEEN, "eviction", "see that maxmemory-policy is noeviction",
                   "the server does not tell its maxmemory-policy");
    else if (slice_is(policy, "noeviction"))
        doctor_say(d, DOCTOR_OK, "eviction", NULL,
                   "maxmemory-policy noeviction: no key is dropped");
    else
        doctor_say(d, limit > 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, "eviction",
                   "set maxmemory-policy noeviction",
                   "maxmemory-policy %.*s drops keys when memory is full, and with them jobs%s",
                   (int)policy.n, policy.p,
                   limit > 0 ? "" : "; without a maxmemory it does not come to that");
}

static void check_memory(struct doctor *d)
{
    char used_text[HUMAN_TEXT], of_text[HUMAN_TEXT];
    int64_t used = number(d, "used_memory"), limit = number(d, "maxmemory");
    int64_t of = limit > 0 ? limit : number(d, "total_system_memory");
    const char *what = limit > 0 ? "maxmemory" : "the machine's memory; there is no maxmemory";
    if (used == 0)
        doctor_say(d, DOCTOR_UNSEEN, "memory", NULL, "the server does not tell its memory in use");
    else if (of == 0)
        doctor_say(d, DOCTOR_OK, "memory", NULL, "%s in use, of an unknown limit",
                   human_kb(used / 1024, used_text));
    else {
        int64_t percent = used * 100 / of;
        enum doctor_level level = percent >= 95   ? DOCTOR_PROBLEM
                                  : percent >= 80 ? DOCTOR_WARNING
                                                  : DOCTOR_OK;
        doctor_say(d, level, "memory",
                   level == DOCTOR_OK ? NULL
                                      : "give Redis more memory, or find what waits: sluice stats",
                   "%s in use, %" PRId64 " %% of %s (%s)%s", human_kb(used / 1024, used_text),
                   percent, human_kb(of / 1024, of_text), what,
                   level == DOCTOR_OK ? "" : "; when it is full, nothing can be enqueued");
    }
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void check_clients(struct doctor *d)
{
    const char *remedy = "raise maxclients, or lower redis.max_connections of the workers";
    bool known;
    int64_t max = server_setting_int(d->server, "maxclients", &known);
    if (!known)
        max = number(d, "maxclients"); /* INFO has it since 7.0 */
    int64_t now = number(d, "connected_clients"), live = doctor_live(d);
    int64_t fleet = live * d->conf->max_connections;
    if (max == 0)
        doctor_say(d, DOCTOR_UNSEEN, "clients",
                   "see that maxclients is above workers × redis.max_connections",
                   "the server does not tell its maxclients");
    else if (fleet > max || now >= max)
        doctor_say(d, DOCTOR_PROBLEM, "clients", remedy,
                   "%" PRId64 " live worker%s × %d connections may open %" PRId64 ", %" PRId64
                   " are open now, and maxclients is %" PRId64,
                   live, live == 1 ? "" : "s", d->conf->max_connections, fleet, now, max);
    else if (fleet + now > max)
        doctor_say(d, DOCTOR_WARNING, "clients", remedy,
                   "%" PRId64 " live worker%s may open %" PRId64 " connections; with the %" PRId64
                   " that are open now that can pass maxclients, %" PRId64,
                   live, live == 1 ? "" : "s", fleet, now, max);
    else
        doctor_say(d, DOCTOR_OK, "clients", NULL,
                   "%" PRId64 " open, the pools of %" PRId64 " live worker%s may have %" PRId64
                   ", maxclients is %" PRId64,
                   now, live, live == 1 ? "" : "s", fleet, max);
}

static void check_timeout(struct doctor *d)
{
    bool known;
    int64_t timeout = server_setting_int(d->server, "timeout", &known);
    if (known && timeout > 0 && (double)timeout < d->conf->redis_idle_timeout)
        doctor_say(d, DOCTOR_WARNING, "timeout", "set timeout 0, or redis.idle_timeout below it",
                   "Redis closes connections that are idle for %" PRId64
                   " s, before the pool does (redis.idle_timeout %g s): each costs a reconnect",
                   timeout, d->conf->redis_idle_timeout);
    else if (known)
        doctor_say(d, DOCTOR_OK, "timeout", NULL, "idle connections are %s",
                   timeout > 0 ? "closed by the pool first" : "not closed by Redis");
    else
        doctor_say(d, DOCTOR_UNSEEN, "timeout", NULL, "the server does not tell its timeout");
}

/* ---- Time ----------------------------------------------------------------------------------- */

/* A claim, and an end, is one round trip: at 5 ms each, 100 permits still do 20,000 a second, but
 * each idle thread waits that long for its next job. A p99 of a quarter of the lease lets leases
 * lapse. */
static void check_latency(struct doctor *d)
{
    const struct server_look *s = d->server;
    char min[DURATION_TEXT], p50[DURATION_TEXT], p99[DURATION_TEXT];
    (void)duration_text(s->ping_min_us / 1e6, min);
    (void)duration_text(s->ping_p50_us / 1e6, p50);
    (void)duration_text(s->ping_p99_us / 1e6, p99);
    bool lapses = s->ping_p99_us / 1e6 > d->conf->lease / 4;
    if (lapses || s->ping_p50_us > 5000 || s->ping_p99_us > 50000)
        doctor_say(
            d, lapses ? DOCTOR_PROBLEM : DOCTOR_WARNING, "latency",
            "look at the network, the load of the machine, and redis-cli --intrinsic-latency",
            "%d PINGs took %s, half of them up to %s, 1 in 100 above %s; each job waits for "
            "two such round trips%s",
            SERVER_PINGS, min, p50, p99,
            lapses ? ", and leases are renewed every quarter of worker.lease" : "");
    else
        doctor_say(d, DOCTOR_OK, "latency", NULL,
                   "%d PINGs took %s, half of them up to %s, 1 in 100 above %s", SERVER_PINGS, min,
                   p50, p99);
}

static void check_slow(struct doctor *d)
{
    const struct server_look *s = d->server;
    if (!s->slow_known)
        doctor_say(d, DOCTOR_UNSEEN, "slow log", NULL, "the server does not show its slow log");
    else if (s->slow == 0)
        doctor_say(d, DOCTOR_OK, "slow log", NULL, "no command above %d ms within the last hour",
                   SERVER_SLOW_US / 1000);
    else
        doctor_say(d, DOCTOR_WARNING, "slow log", "redis-cli SLOWLOG GET tells whose they are",
                   "%" PRIu64 " command%s above %d ms within the last hour (%" PRIu64
                   " of Sluice's scripts), up to %" PRId64 " ms; all workers wait meanwhile",
                   s->slow, s->slow == 1 ? "" : "s", SERVER_SLOW_US / 1000, s->slow_ours,
                   s->slowest_us / 1000);
}

static void check_busy(struct doctor *d)
{
    bool known;
    int64_t ms = server_setting_int(d->server, "busy-reply-threshold", &known);
    if (!known)
        ms = server_setting_int(d->server, "lua-time-limit", &known); /* its name before 7.0 */
    if (!known)
        doctor_say(d, DOCTOR_UNSEEN, "busy scripts", NULL,
                   "the server does not tell its busy-reply-threshold");
    else if (ms == 0 || (double)ms / 1000 >= d->conf->lease)
        doctor_say(d, DOCTOR_WARNING, "busy scripts", "set busy-reply-threshold 5000",
                   "a script of anybody may stop Redis for %" PRId64
                   " ms before it says BUSY, and leases lapse after %g s",
                   ms, d->conf->lease);
    else
        doctor_say(d, DOCTOR_OK, "busy scripts", NULL,
                   "Redis says BUSY after %" PRId64 " ms of a script, within a lease", ms);
}

static void check_clock(struct doctor *d)
{
    double ahead = d->server->clock_ahead_s;
    if (fabs(ahead) > 1)
        doctor_say(d, DOCTOR_WARNING, "clock", "synchronise both clocks (NTP)",
                   "Redis' clock is %.1f s %s this machine's; harmless to jobs, which go by Redis' "
                   "own, but not to who compares log lines",
                   fabs(ahead), ahead > 0 ? "ahead of" : "behind");
    else
        doctor_say(d, DOCTOR_OK, "clock", NULL,
                   "Redis' clock and this machine's agree within %.0f ms",
                   ceil(fabs(ahead) * 1000));
}

/* ---- Rights --------------------------------------------------------------------------------- */

static void check_rights(struct doctor *d)
{
    const struct server_look *s = d->server;
    if (!s->rights_known)
        doctor_say(d, DOCTOR_UNSEEN, "rights", NULL,
                   "whether this user may use every command cannot be asked (ACL DRYRUN, 7.0)");
    else if (s->refused[0])
        doctor_say(d, DOCTOR_PROBLEM, "rights", "allow them on the keys of redis.key_prefix",
                   "the user \"%s\" may not use: %s", s->user, s->refused);
    else
        doctor_say(d, DOCTOR_OK, "rights", NULL, "the user \"%s\" may use every command needed",
                   s->user);
}

void doctor_server(struct doctor *d)
{
    check_version(d);
    check_role(d);
    check_persistence(d);
    check_policy(d);
    check_memory(d);
    check_clients(d);
    check_timeout(d);
    check_latency(d);
    check_slow(d);
    check_busy(d);
    check_clock(d);
    check_rights(d);
}
