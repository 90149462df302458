#include "replica.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "fleet.h"

enum { LEASE_S = 3, LOOK_MS = 50, STOP_WITHIN_MS = SLOW * 60000, HANG_MS = SLOW * 60000 };

static const char *identity_of(struct replica *r)
{
    if (!r->process.identity[0])
        (void)worker_process_identify(&r->process); /* "" is an answer */
    return r->process.identity;
}

static bool has_lease(struct fleet *f, struct replica *r)
{
    const char *identity = identity_of(r);
    return identity[0] && must_int(f->redis, "EXISTS sluice:lease:%s", identity) == 1;
}

/* How many jobs might run again if this one were taken for dead now: what its claims hold, and what
 * it begins before it notices. */
static size_t at_stake(struct fleet *f, struct replica *r)
{
    const char *identity = identity_of(r);
    int64_t claimed =
        must_int(f->redis, "EVAL %s 0 %s",
                 "local n = 0 "
                 "for _, seq in ipairs(redis.call('HKEYS', 'sluice:claims:' .. ARGV[1])) do "
                 "n = n + redis.call('LLEN', 'sluice:claim:' .. ARGV[1] .. ':' .. seq) end "
                 "return n",
                 identity);
    return (size_t)claimed + (size_t)f->options.threads;
}

/* --- its life ------------------------------------------------------------------------------- */

static void start(struct fleet *f, int i)
{
    struct replica *r = &f->replicas.one[i];
    int size = i == f->replicas.n ? f->replicas.n : 1;
    char text[1024], url[64];
    int n = snprintf(text, sizeof text,
                     "worker: {threads: %d, queues: [default], lease: %d}\n"
                     "redis: {max_concurrent_ops: %d, max_connections: %d, socket_timeout: 1, "
                     "connect_timeout: 1}\n"
                     "handlers:\n" TEST_HANDLER,
                     size * f->options.threads, LEASE_S, size * PERMITS, size * PERMITS + RESERVED);
    ck_assert_int_lt(n, (int)sizeof text);
    (void)snprintf(url, sizeof url, "redis://" NET_SERVER ":%d", f->server.port);
    worker_process_free(&r->process);
    worker_process_spawn(
        &r->process, &f->server,
        &(struct worker_options){.settings = text, .url = url, .netns = f->net.ns[i]});
    r->state = REPLICA_UP;
    r->start_ns = 0;
    r->since_ns = clock_now_ns();
    r->is_new = true;
    f->replicas.starts++;
}

void replicas_open(struct fleet *f)
{
    f->replicas.n = f->options.replicas;
    for (int i = 0; i <= f->replicas.n; i++) {
        ck_assert_int_eq(net_add(&f->net), i);
        start(f, i);
    }
    for (int i = 0; i <= f->replicas.n; i++)
        worker_process_wait_ready(&f->replicas.one[i].process, "");
    replica_set_quiet(f, f->replicas.n, true);
}

void replicas_close(struct fleet *f)
{
    for (int i = 0; i <= f->replicas.n; i++)
        worker_process_free(&f->replicas.one[i].process);
    times_release(&f->replicas.buried);
    times_release(&f->replicas.back);
    times_release(&f->replicas.born);
}

int replicas_reached(const struct fleet *f)
{
    int n = 0;
    for (int i = 0; i < f->replicas.n; i++)
        n += f->replicas.one[i].state == REPLICA_UP && !f->replicas.one[i].cut;
    return n;
}

bool replicas_are_well(const struct fleet *f)
{
    bool well = replicas_reached(f) == f->replicas.n;
    for (int i = 0; i < f->replicas.n; i++)
        well = well && f->replicas.one[i].since_ns == 0;
    for (int i = 0; i < DEAD_MAX; i++)
        well = well && !f->replicas.dead[i].identity[0];
    return well;
}

/* --- what is done to it --------------------------------------------------------------------- */

void replica_start_in(struct fleet *f, int i, int64_t ms)
{
    f->replicas.one[i].start_ns = clock_deadline_ms(ms);
}

void replica_stop(struct fleet *f, int i)
{
    struct replica *r = &f->replicas.one[i];
    worker_process_signal(&r->process, SIGTERM);
    r->state = REPLICA_STOPPING;
    r->stop_ns = clock_now_ns();
    r->start_ns = CLOCK_NEVER;
    r->since_ns = 0;
    r->troubled = r->cut || !identity_of(r)[0]; /* before that, TERM may just end it */
    f->replicas.stops++;
}

static void remember(struct fleet *f, const char *identity)
{
    for (int i = 0; i < DEAD_MAX && identity[0]; i++) {
        struct dead *d = &f->replicas.dead[i];
        if (d->identity[0])
            continue;
        (void)snprintf(d->identity, sizeof d->identity, "%s", identity);
        d->killed_ns = clock_now_ns();
        return;
    }
}

void replica_kill(struct fleet *f, int i, int64_t back_in_ms)
{
    struct replica *r = &f->replicas.one[i];
    char identity[sizeof r->process.identity];
    (void)snprintf(identity, sizeof identity, "%s", identity_of(r));
    worker_process_kill(&r->process);
    f->allowed += at_stake(f, r);
    remember(f, identity);
    r->state = REPLICA_DOWN;
    r->since_ns = 0;
    replica_start_in(f, i, back_in_ms);
    f->replicas.kills++;
}

void replica_cut(struct fleet *f, int i, int64_t ms)
{
    struct replica *r = &f->replicas.one[i];
    net_pull(i);
    r->cut = r->troubled = true;
    r->plug_ns = clock_deadline_ms(ms);
    f->allowed += at_stake(f, r);
    f->replicas.cuts++;
}

static void plug(struct fleet *f, int i)
{
    struct replica *r = &f->replicas.one[i];
    bool lapsed = r->state == REPLICA_UP && r->since_ns == 0 && !has_lease(f, r);
    net_plug(i);
    r->cut = false;
    r->cut_end_ns = clock_now_ns();
    if (lapsed) {
        r->since_ns = r->cut_end_ns;
        r->is_new = false;
        f->replicas.long_cuts++;
    }
}

static bool shows_quiet(struct fleet *f, struct replica *r, bool quiet)
{
    return answers_with(f->redis, quiet ? "true" : "false", "HGET %s quiet", identity_of(r));
}

void replica_set_quiet(struct fleet *f, int i, bool quiet)
{
    struct replica *r = &f->replicas.one[i];
    worker_process_signal(&r->process, quiet ? SIGTSTP : SIGCONT);
    if (quiet)
        wait_until(HANG_MS, shows_quiet(f, r, quiet));
}

/* --- what comes by itself ------------------------------------------------------------------- */

static void note_end(struct fleet *f, int i)
{
    struct replica *r = &f->replicas.one[i];
    if (r->state == REPLICA_UP)
        fleet_complain(f, "replica %d ended by itself with status %d", i, r->process.status);
    else if (r->process.status != 0 && !r->troubled)
        fleet_complain(f, "replica %d stopped with status %d", i, r->process.status);
    if (r->troubled) { /* it could not take its leave */
        f->allowed += at_stake(f, r);
        remember(f, r->process.identity);
    }
    r->troubled = false;
    r->state = REPLICA_DOWN;
}

static void note_times(struct fleet *f)
{
    struct replicas *all = &f->replicas;
    int64_t now_ns = clock_now_ns();
    for (int i = 0; i <= all->n; i++) {
        struct replica *r = &all->one[i];
        if (r->since_ns == 0 || r->cut || !has_lease(f, r))
            continue;
        times_add(r->is_new ? &all->born : &all->back, (now_ns - r->since_ns) / NS_PER_MS);
        r->since_ns = 0;
    }
    for (int i = 0; i < DEAD_MAX; i++) {
        struct dead *d = &all->dead[i];
        if (!d->identity[0] || must_int(f->redis, "SISMEMBER sluice:workers %s", d->identity) == 1)
            continue;
        times_add(&all->buried, (now_ns - d->killed_ns) / NS_PER_MS);
        d->identity[0] = '\0';
    }
}

void replicas_step(struct fleet *f)
{
    int64_t now_ns = clock_now_ns();
    for (int i = 0; i < f->replicas.n; i++) {
        struct replica *r = &f->replicas.one[i];
        if (r->state != REPLICA_DOWN && worker_process_ended(&r->process))
            note_end(f, i);
        if (r->state == REPLICA_STOPPING && now_ns > r->stop_ns + STOP_WITHIN_MS * NS_PER_MS)
            ck_abort_msg("replica %d does not stop", i);
        if (r->cut && now_ns >= r->plug_ns)
            plug(f, i);
        if (r->state == REPLICA_DOWN && now_ns >= r->start_ns)
            start(f, i);
    }
    if (now_ns >= f->replicas.look_ns) {
        note_times(f);
        f->replicas.look_ns = clock_deadline_ms(LOOK_MS);
    }
}

void replicas_stop(struct fleet *f)
{
    for (int i = 0; i <= f->replicas.n; i++)
        worker_process_signal(&f->replicas.one[i].process, SIGTERM);
    for (int i = 0; i <= f->replicas.n; i++) {
        int status = worker_process_wait(&f->replicas.one[i].process, STOP_WITHIN_MS);
        if (status != 0)
            fleet_complain(f, "replica %d stopped with status %d", i, status);
    }
}
