#include "fleet.h"

#include <unistd.h>

#include "base/clock.h"

enum { SETTLE_MS = 10000, LOOK_US = 500, STUCK_MS = 60000 };

/* Nobody waits at Redis, and nobody has a job. */
static const char at_rest[] =
    "if tonumber(string.match(redis.call('INFO', 'clients'), 'blocked_clients:(%d+)')) > 0 then "
    "  return 0 "
    "end "
    "for _, id in ipairs(redis.call('SMEMBERS', 'sluice:workers')) do "
    "  for _, seq in ipairs(redis.call('HKEYS', 'sluice:claims:' .. id)) do "
    "    if redis.call('EXISTS', 'sluice:claim:' .. id .. ':' .. seq) == 1 then "
    "      return 0 "
    "    end "
    "  end "
    "end "
    "return 1";

static const char listeners[] = "return redis.call('PUBSUB', 'NUMSUB', 'sluice:control')[2]";

static void wait_until(struct lab *lab, const char *script, int64_t wanted, const char *else_say)
{
    int64_t deadline = clock_deadline_ms(SETTLE_MS);
    while (lab_int(lab, "EVAL %s 0", script) != wanted) {
        if (clock_now_ns() > deadline)
            lab_fail("%s", else_say);
        (void)usleep(LOOK_US);
    }
}

void fleet_start(struct fleet *f, struct lab *lab, int n, const char *yaml)
{
    *f = (struct fleet){.lab = lab};
    if (n > FLEET_MAX)
        lab_fail("%d workers are too many", n);
    while (f->n < n)
        f->pids[f->n++] = lab_worker(lab, yaml);
    wait_until(lab, listeners, n, "a worker takes no orders");
}

static void tell(struct fleet *f, const char *order)
{
    if (lab_int(f->lab, "PUBLISH sluice:control %s", order) != f->n)
        lab_fail("a worker is gone");
}

void fleet_hold(struct fleet *f)
{
    struct err err = {""};
    tell(f, "{\"cmd\":\"quiet\",\"reply\":\"bench\"}");
    for (int i = 0; i < f->n; i++)
        if (redis_callf(f->lab->conn, NULL, &err, "BLPOP sluice:reply:bench 10") != 0)
            lab_fail("BLPOP: %s", err.text);
    wait_until(f->lab, at_rest, 1, "a worker does not get quiet");
}

void fleet_go(struct fleet *f)
{
    tell(f, "{\"cmd\":\"resume\"}");
}

int64_t fleet_wait_processed(struct fleet *f, int64_t jobs)
{
    int64_t processed, before = -1, deadline = 0;
    while ((processed = lab_int(f->lab, "GET stat:processed")) < jobs) {
        if (processed > before)
            deadline = clock_deadline_ms(STUCK_MS);
        else if (clock_now_ns() > deadline)
            lab_fail("the workers do nothing any more");
        before = processed;
        (void)usleep(LOOK_US);
    }
    return processed;
}

void fleet_stop(struct fleet *f)
{
    while (f->n > 0)
        lab_worker_stop(f->pids[--f->n]);
}
