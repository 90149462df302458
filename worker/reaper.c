#include "worker/reaper.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "job/envelope.h"
#include "store/bury.h"
#include "store/claim.h"
#include "store/lease.h"

enum { SWEEP_MS = 4000, SWEEP_JITTER_MS = 1000, AFTER_ERROR_MS = 1000, TAKE_MS = 2000 };

struct doubt {
    uint64_t seq;
    int64_t since_ns;
};

/* ---- recovery of others ---- */

/* One that kills its workers: to dead, with the cause. Counts it when that was written. */
static int bury(struct reaper *r, struct redis_conn *conn, const char *identity,
                const struct suspect *suspect, unsigned *buried, struct err *err)
{
    struct envelope e;
    bool written = false;
    struct conf *conf = live_conf(r->live, NULL);
    int rc = store_bury(r->store, conn, identity, suspect, heartbeat_redis_now(r->heartbeat),
                        (int64_t)conf->stream_ttl, &written, err);
    conf_unref(conf);
    if (rc != 0 || !written)
        return rc;
    (*buried)++;
    if (envelope_parse(suspect->payload, &e, NULL) == 0) {
        log_error("a job is dead: its workers died", log_str("jid", e.jid),
                  log_str("class", e.klass), log_str("worker", identity));
        envelope_release(&e);
    }
    return 0;
}

static int recover_one(struct reaper *r, struct redis_conn *conn, const char *identity,
                       struct err *err)
{
    struct recovered got;
    uint64_t moved = 0;
    int64_t max_payload = live_max_payload(r->live);
    unsigned buried;
    enum recover_state state;
    do {
        buried = 0;
        if (!heartbeat_calm(r->heartbeat))
            return 0;
        int rc = store_recover(r->store, conn, identity, heartbeat_calm_until(r->heartbeat),
                               max_payload, &got, err);
        if (rc != 0)
            return rc;
        oversize_note_unread(r->oversize, got.unread, "", max_payload);
        moved += got.moved;
        state = got.state;
        for (size_t i = 0; rc == 0 && i < got.nsuspects; i++) {
            struct suspect s = recovered_suspect(&got, i);
            rc = bury(r, conn, identity, &s, &buried, err);
        }
        for (size_t i = 0; i < got.nwrong; i++)
            log_error("jobs of a dead worker stay claimed: a key holds another type",
                      log_str("worker", identity), log_slice("key", recovered_wrong(&got, i)));
        reply_free(got.reply);
        atomic_fetch_add(&r->buried, buried);
        if (rc != 0)
            return rc;
    } while (state == RECOVER_MORE || buried > 0);
    atomic_fetch_add(&r->recovered, moved);
    if (state == RECOVER_LATE)
        heartbeat_note_trouble(r->heartbeat);
    else if (moved > 0 || state == RECOVER_DONE)
        log_warn("a worker is dead; its jobs went back to their queues",
                 log_str("worker", identity), log_int("jobs", (int64_t)moved));
    if (moved > 0)
        dispatch_suspect(r->dispatch);
    return 0;
}

static int sweep(struct reaper *r, struct redis_conn *conn, struct err *err)
{
    char **ids = NULL;
    size_t n = 0;
    int rc = store_lapsed_workers(r->store, conn, &ids, &n, err);
    for (size_t i = 0; i < n; i++) { /* one that cannot be recovered must not keep the others */
        int one = redis_conn_broken(conn) ? 0 : recover_one(r, conn, ids[i], err);
        if (one != 0)
            rc = one;
        free(ids[i]);
    }
    free(ids);
    return rc;
}

/* ---- trials ---- */

/* Claims one job that is on trial and hands it out. */
static int claim_trial(struct reaper *r, struct redis_conn *conn, const struct conf *conf,
                       const char *const *queues, struct err *err)
{
    struct claimed claimed = {.queue = -1};
    struct claim_request request = {
        .seq = inflight_begin(r->inflight),
        .want = 1,
        .max_bytes = 1, /* one job at least */
        .max_payload = conf->max_payload,
        .queues = queues,
        .nqueues = conf->nqueues,
        .trial = true,
    };
    struct claim *claim = NULL;
    int rc = -ENOMEM;
    if (request.seq)
        rc = store_claim(r->store, conn, &request, NULL, NULL, NULL, &claimed, err);
    oversize_note_unread(r->oversize, claimed.unread, "", request.max_payload);
    if (rc == 0 && claimed.queue >= 0) {
        claim = claim_new(request.seq, heartbeat_generation(r->heartbeat), queues[claimed.queue], 1,
                          claimed.reply);
        rc = claim ? 0 : -ENOMEM;
    }
    if (claim) {
        claim->jobs[0].payload = claimed_payload(&claimed, 0);
        claim->on_trial = true;
        job_log(LOG_WARN, "a job is on trial: if its worker dies once more, it is dead",
                &claim->jobs[0]);
        dispatch_adopted(r->dispatch, claim);
    } else {
        inflight_end(r->inflight, request.seq); /* what came by a lost reply is adopted */
        reply_free(claimed.reply);
        if (rc != 0)
            atomic_store(&r->reconcile, true);
    }
    r->trial_seq = claim ? request.seq : 0;
    return rc;
}

/* Nothing is on trial, as a rule, and asking that costs less than a claim that looks at each queue.
 */
static int begin_trial(struct reaper *r, struct redis_conn *conn, struct err *err)
{
    bool any = false;
    struct conf *conf = live_conf(r->live, NULL);
    const char **queues = calloc((size_t)conf->nqueues, sizeof *queues);
    for (int i = 0; queues && i < conf->nqueues; i++)
        queues[i] = conf->queues[i].name;
    r->trial_seq = 0; /* the last one has ended */
    int rc = queues ? store_any_trial(r->store, conn, queues, conf->nqueues, &any, err)
                    : err_set(err, -ENOMEM, "no memory for %d queues", conf->nqueues);
    if (rc == 0 && any)
        rc = claim_trial(r, conn, conf, queues, err);
    free(queues);
    conf_unref(conf);
    return rc;
}

/* Looks with each sweep; sooner after a trial, as there may be more. */
static bool may_begin_trial(struct reaper *r, bool swept)
{
    return (swept || r->trial_seq != 0) && dispatch_is_open(r->dispatch) &&
           heartbeat_calm(r->heartbeat) &&
           (r->trial_seq == 0 || !inflight_has(r->inflight, r->trial_seq));
}

/* ---- our own books ---- */

/* True when an unknown claim has been empty for so long that no ghost can fill it any more. */
static bool doubt_is_settled(struct reaper *r, uint64_t seq)
{
    int64_t now = clock_now_ns();
    for (size_t i = 0; i < r->ndoubts; i++)
        if (r->doubts[i].seq == seq)
            return now - r->doubts[i].since_ns > r->heartbeat->lease_ns;
    struct doubt *doubts = realloc(r->doubts, (r->ndoubts + 1) * sizeof *doubts);
    if (doubts) {
        r->doubts = doubts;
        r->doubts[r->ndoubts++] = (struct doubt){seq, now};
    }
    return false;
}

static void forget_doubt(struct reaper *r, uint64_t seq)
{
    for (size_t i = 0; i < r->ndoubts; i++)
        if (r->doubts[i].seq == seq) {
            r->doubts[i] = r->doubts[--r->ndoubts];
            return;
        }
}

static unsigned count_live(const struct reply *elements)
{
    unsigned live = 0;
    for (size_t i = 0; i < reply_count(elements); i++)
        live += !store_is_tombstone(reply_str(reply_at(elements, i)));
    return live;
}

/* Nothing but tombstones: all of it was settled, only the claim was not dropped. */
static int drop_settled(struct reaper *r, struct redis_conn *conn, uint64_t seq, struct err *err)
{
    struct settle_batch batch = {0};
    int8_t result;
    settle_begin(&batch, r->store, NULL, heartbeat_redis_now(r->heartbeat));
    settle_ack_claim(&batch, seq, 0);
    int rc = store_settle(conn, &batch, &result, err);
    settle_release(&batch);
    return rc;
}

/* A claim whose number is now known again; takes the reply over, of whose elements some are live.
 */
static void adopt(struct reaper *r, const struct claim_entry *entry, struct adopted *found)
{
    unsigned live = count_live(found->elements), at = 0;
    struct claim *claim =
        claim_new(entry->seq, heartbeat_generation(r->heartbeat), entry->queue, live, found->reply);
    if (!claim) {
        inflight_end(r->inflight, entry->seq);
        reply_free(found->reply);
        return;
    }
    for (size_t i = 0; i < reply_count(found->elements); i++) {
        struct slice payload = reply_str(reply_at(found->elements, i));
        if (store_is_tombstone(payload))
            continue;
        claim->jobs[at].index = (unsigned)i;
        claim->jobs[at++].payload = payload;
    }
    atomic_fetch_add(&r->adopted, live);
    log_warn("claimed jobs of a lost reply were found", log_str("queue", entry->queue),
             log_int("jobs", live));
    dispatch_adopted(r->dispatch, claim);
}

static int check_claim(struct reaper *r, struct redis_conn *conn, const struct claim_entry *entry,
                       int64_t max_payload, struct err *err)
{
    if (!inflight_adopt(r->inflight, entry->seq))
        return 0; /* known */
    struct adopted found = {0};
    int rc = store_claim_adopt(r->store, conn, entry, max_payload, &found, err);
    oversize_note_unread(r->oversize, found.unread, "", max_payload);
    if (rc == 0 && count_live(found.elements) > 0) {
        forget_doubt(r, entry->seq);
        adopt(r, entry, &found);
        return 0;
    }
    bool settled = reply_count(found.elements) > 0;
    reply_free(found.reply);
    if (rc == -EMEDIUMTYPE) { /* the other claims go on; this is looked at again with each tick */
        log_error("claimed jobs of a lost reply stay where they are",
                  log_str("queue", entry->queue), log_str("error", err->text));
        rc = 0;
    } else if (rc == 0 && settled) {
        rc = drop_settled(r, conn, entry->seq, err);
        forget_doubt(r, entry->seq);
    } else if (rc == 0 && doubt_is_settled(r, entry->seq)) {
        rc = store_claim_forget(r->store, conn, entry->seq, err);
        forget_doubt(r, entry->seq);
    }
    inflight_end(r->inflight, entry->seq);
    return rc;
}

/* Doubts about claims that are no longer in the registry are over. */
static void drop_stale_doubts(struct reaper *r, const struct claim_entry *entries, size_t n)
{
    for (size_t i = r->ndoubts; i-- > 0;) {
        size_t at = 0;
        while (at < n && entries[at].seq != r->doubts[i].seq)
            at++;
        if (at == n)
            r->doubts[i] = r->doubts[--r->ndoubts];
    }
}

static int reconcile(struct reaper *r, struct redis_conn *conn, struct err *err)
{
    struct claim_entry *entries = NULL;
    size_t n = 0;
    int64_t max_payload = live_max_payload(r->live);
    int rc = store_claims(r->store, conn, &entries, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = check_claim(r, conn, &entries[i], max_payload, err);
    if (rc == 0)
        drop_stale_doubts(r, entries, n);
    claim_entries_free(entries, n);
    return rc;
}

/* ---- the ticker ---- */

static int64_t tick(void *ctx)
{
    struct reaper *r = ctx;
    struct redis_conn *conn = NULL;
    struct err err = {""};
    bool books = atomic_exchange(&r->reconcile, false) || r->ndoubts > 0 ||
                 heartbeat_registered(r->heartbeat) > inflight_count(r->inflight);
    bool due = clock_now_ns() >= r->next_sweep_ns && heartbeat_calm(r->heartbeat);
    bool trial = may_begin_trial(r, due);
    if (!heartbeat_fresh(r->heartbeat) || (!books && !due && !trial)) {
        if (books)
            atomic_store(&r->reconcile, true);
        return AFTER_ERROR_MS;
    }
    if (books)
        heartbeat_forget_registered(r->heartbeat); /* a failure below asks again by itself */
    int rc = redis_pool_take(r->pool, clock_deadline_ms(TAKE_MS), &conn, &err);
    if (rc == 0 && books)
        rc = reconcile(r, conn, &err);
    if (rc == 0 && due)
        rc = sweep(r, conn, &err);
    if (rc == 0 && trial)
        rc = begin_trial(r, conn, &err);
    if (conn)
        redis_pool_give(r->pool, conn);
    if (rc != 0) {
        if (books)
            atomic_store(&r->reconcile, true);
        if (rc != -ECANCELED)
            log_warn("could not look after dead workers", log_str("error", err.text));
        return AFTER_ERROR_MS;
    }
    if (due)
        r->next_sweep_ns = clock_deadline_ms(SWEEP_MS + (int64_t)random_below(SWEEP_JITTER_MS));
    return SWEEP_MS / 4;
}

int reaper_start(struct reaper *r)
{
    return ticker_start(&r->ticker, "reaper", tick, r);
}

void reaper_stop(struct reaper *r)
{
    ticker_stop(&r->ticker);
    free(r->doubts);
    r->doubts = NULL;
}

void reaper_reconcile(void *reaper)
{
    struct reaper *r = reaper;
    atomic_store(&r->reconcile, true);
    ticker_wake(&r->ticker);
}
