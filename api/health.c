/* /livez and /readyz. */
#include "api/parts.h"
#include "api/routes.h"

static void answer_ok(struct call *c)
{
    buf_puts(&c->res->body, "{\"status\":\"ok\"}\n");
}

/* It has been answered by one of the threads that serve everybody: so they go round. */
void answer_livez(struct call *c)
{
    answer_ok(c);
}

/* Whether jobs are taken without Redis. */
static bool spool_is_fine(struct spool *spool, struct spool_stats *ret)
{
    if (!spool)
        return false;
    spool_stats(spool, ret);
    return !ret->failing;
}

static void answer_spooling(struct call *c, const struct spool_stats *s)
{
    buf_printf(&c->res->body, "{\"status\":\"spooling\",\"jobs\":%zu}\n", s->jobs);
}

/* With a spool it is ready, as jobs are taken, while Redis is away. A probe may have less patience
 * than the gate, so that is not even asked when it is known. */
void answer_readyz(struct call *c)
{
    struct err err = {""};
    struct redis_pool_stats pool;
    struct spool_stats spool;
    bool spools = spool_is_fine(c->api->spool, &spool);
    redis_pool_stats(c->api->pool, &pool);
    if (spools && (pool.breaker_open || spool.requests > 0)) {
        answer_spooling(c, &spool);
        return;
    }
    int rc = call_gate(c, &err);
    if (rc == 0)
        rc = redis_callf(c->redis, NULL, &err, "PING");
    if (rc == 0)
        answer_ok(c);
    else if (spools && spool_takes(c->api->spool, rc))
        answer_spooling(c, &spool);
    else
        call_fail(c, rc, &err);
}
