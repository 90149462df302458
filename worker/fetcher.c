#include "worker/fetcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/claim.h"
#include "worker/failpoint.h"

#define WRONG_SAID_NS                                                                              \
    (5 * NS_PER_S)             /* a broken queue is met by every claim: say it now and then        \
                                */
#define TAKE_NS (2 * NS_PER_S) /* wait at the gate before looking up again */

static void strict_order(const struct conf *conf, const char **order)
{
    for (int i = 0; i < conf->nqueues; i++)
        order[i] = conf->queues[i].name;
}

/* Sidekiq's weighted mode: queues are drawn without putting back, each with the chance of its
 * weight, anew for each claim; so a light queue comes first now and then and is never starved. */
static int weighted_order(const struct conf *conf, const char **order)
{
    int n = conf->nqueues;
    struct conf_queue *urn = malloc((size_t)n * sizeof *urn);
    if (!urn)
        return -ENOMEM;
    memcpy(urn, conf->queues, (size_t)n * sizeof *urn);
    int total = 0;
    for (int i = 0; i < n; i++)
        total += urn[i].weight;
    for (int at = 0; at < n; at++) {
        int ticket = (int)random_below((uint64_t)total), i = at;
        while (i < n - 1 && ticket >= urn[i].weight)
            ticket -= urn[i++].weight;
        struct conf_queue drawn = urn[i];
        urn[i] = urn[at];
        urn[at] = drawn;
        total -= drawn.weight;
        order[at] = drawn.name;
    }
    free(urn);
    return 0;
}

struct wrong {
    const char *const *queues;
    struct fetcher *f;
    bool asked, say;
};

/* Among threads that ask at the same moment one is told yes. */
static bool time_to_name_wrong(struct fetcher *f)
{
    int64_t now = clock_now_ns(), said = atomic_load(&f->wrong_said_ns);
    return (said == 0 || now - said > WRONG_SAID_NS) &&
           atomic_compare_exchange_strong(&f->wrong_said_ns, &said, now);
}

static void warn_wrong_queue(void *ctx, int queue)
{
    struct wrong *w = ctx;
    if (!w->asked)
        w->say = time_to_name_wrong(w->f);
    w->asked = true;
    if (w->say)
        log_error("a queue's key is no list: passed over", log_str("queue", w->queues[queue]));
}

static struct claim *make_claim(struct fetcher *f, const struct claim_request *r,
                                struct claimed *claimed, uint64_t generation)
{
    struct claim *claim =
        claim_new(r->seq, generation, r->queues[claimed->queue], claimed->n, claimed->reply);
    if (!claim)
        return NULL;
    for (unsigned i = 0; i < claimed->n; i++)
        claim->jobs[i].payload = claimed_payload(claimed, i);
    atomic_fetch_add(&f->claims, 1);
    atomic_fetch_add(&f->claimed, claimed->n);
    return claim;
}

/* One round trip: acks and claim. *ret_claim is set when jobs came. */
static int round_trip(struct fetcher *f, struct redis_conn *conn, const struct claim_request *r,
                      struct claim **ret_claim, bool *ret_dry, struct err *err)
{
    struct claimed claimed = {0};
    int settled = 0;
    uint64_t generation = heartbeat_generation(f->heartbeat);
    const struct settle_batch *batch = settler_take(f->settler);
    if (batch)
        failpoint("before-ack");
    int rc = store_claim(f->store, conn, r, batch, &settled, f->settler->results, &claimed, err);
    if (batch) {
        if (settled == 0)
            failpoint("after-ack");
        settler_applied(f->settler, settled, err->text);
    }
    if (rc != 0)
        return rc;
    claimed_wrong_queues(&claimed, warn_wrong_queue, &(struct wrong){r->queues, .f = f});
    oversize_note_unread(f->oversize, claimed.unread, "", r->max_payload);
    bool buried = unread_count(claimed.unread) > 0;
    if (claimed.no_lease)
        rc = -ESTALE;
    if (rc == 0 && claimed.queue >= 0) {
        failpoint("claimed");
        *ret_claim = make_claim(f, r, &claimed, generation);
        if (!*ret_claim)
            rc = err_set(err, -ENOMEM, "no memory for a claim; its jobs are adopted later");
    }
    if (!*ret_claim)
        reply_free(claimed.reply);
    *ret_dry = rc == 0 && claimed.queue < 0 && !buried;
    return rc;
}

static void pause_after(struct fetcher *f, int rc, const struct err *err)
{
    struct backoff backoff = {.base_ms = 50, .cap_ms = 5000};
    backoff.failures = atomic_fetch_add(&f->failures, 1);
    int64_t ms = backoff_next_ms(&backoff);
    log_warn("could not claim jobs; trying again",
             log_str("error", err->text[0] ? err->text : err_phrase(rc)), log_int("pause_ms", ms));
    dispatch_pause(f->dispatch, ms);
}

void fetcher_claim(struct fetcher *f, struct sleeper *self, unsigned want)
{
    struct redis_conn *conn = NULL;
    struct claim *claim = NULL;
    struct err err = {""};
    struct conf *conf = live_conf(f->live, NULL);
    const char **order = calloc((size_t)conf->nqueues, sizeof *order);
    int rc = order ? 0 : -ENOMEM;
    bool lost_reply = false, dry = false;

    if (rc == 0 && !heartbeat_wait_fresh(f->heartbeat, clock_now_ns() + TAKE_NS))
        rc = err_set(&err, -ESTALE, "the lease is not renewed");
    if (rc == 0)
        rc = settler_wait_room(f->settler, clock_now_ns() + TAKE_NS);
    if (rc == 0)
        rc = redis_pool_take(f->pool, clock_now_ns() + TAKE_NS, &conn, &err);
    if (rc == 0) {
        if (!conf->weighted || weighted_order(conf, order) != 0)
            strict_order(conf, order);
        struct claim_request r = {
            .seq = inflight_begin(f->inflight),
            .want = want,
            .max_bytes = CLAIM_MAX_BYTES,
            .max_payload = conf->max_payload,
            .queues = order,
            .nqueues = conf->nqueues,
        };
        rc = r.seq ? round_trip(f, conn, &r, &claim, &dry, &err) : -ENOMEM;
        if (!claim)
            inflight_end(f->inflight, r.seq);
        lost_reply = rc == -ENOTCONN || rc == -EMSGSIZE || rc == -ENOMEM || rc == -EPROTO;
        redis_pool_give(f->pool, conn);
    }
    free(order);
    conf_unref(conf);
    if (lost_reply) {
        heartbeat_note_trouble(f->heartbeat);
        f->lost_reply(f->lost_reply_ctx);
    }
    if (rc == 0)
        atomic_store(&f->failures, 0);
    else if (rc != -ECANCELED && rc != -ETIMEDOUT)
        pause_after(f, rc, &err);
    dispatch_claimed(f->dispatch, self, claim, dry);
}
