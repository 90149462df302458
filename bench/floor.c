#include "floor.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/thread.h"
#include "store/claim.h"
#include "store/lease.h"
#include "store/settle.h"

struct drainer {
    struct lab *lab;
    const struct floor_load *load;
    struct store *store;
    struct thread thread;
    int number; /* among those of its replica */
    int64_t taken;
};

static atomic_int_fast64_t to_take;

static void check_acks(int rc, int8_t result, const struct err *err)
{
    if (rc != 0 || result != SETTLE_WRITTEN)
        lab_fail("floor: an ack: %s", rc != 0 ? err->text : "the job is gone");
}

static void *drain_main(void *arg)
{
    struct drainer *d = arg;
    struct redis_conn *conn = lab_connect(d->lab);
    struct settle_batch acks = {0};
    struct err err = {""};
    uint64_t seq = (uint64_t)d->number * 1000000000 + 1;
    unsigned held = 0;
    int8_t result[1];
    while (atomic_load(&to_take) > 0) {
        struct claim_request r = {.seq = seq + 1,
                                  .want = FLOOR_BATCH,
                                  .max_bytes = INT64_C(1) << 22,
                                  .max_payload = INT64_C(1) << 26,
                                  .queues = d->load->queues,
                                  .nqueues = d->load->nqueues};
        struct claimed claimed;
        int settled = 0;
        if (held > 0) {
            settle_begin(&acks, d->store, NULL, 1795478712);
            settle_ack_claim(&acks, seq, held);
        }
        if (store_claim(d->store, conn, &r, held > 0 ? &acks : NULL, &settled, result, &claimed,
                        &err) != 0)
            lab_fail("floor: %s", err.text);
        if (held > 0)
            check_acks(settled, result[0], &err);
        seq++;
        held = claimed.n;
        d->taken += held;
        atomic_fetch_sub(&to_take, held);
        reply_free(claimed.reply);
        if (claimed.queue < 0)
            break;
    }
    if (held > 0) {
        settle_begin(&acks, d->store, NULL, 1795478712);
        settle_ack_claim(&acks, seq, held);
        int rc = store_settle(conn, &acks, result, &err);
        check_acks(rc, result[0], &err);
    }
    settle_release(&acks);
    redis_conn_free(conn);
    return NULL;
}

static struct store *enter(struct lab *lab, int replica)
{
    struct store *store = NULL;
    struct lease_state lease;
    struct err err = {""};
    char identity[32];
    (void)snprintf(identity, sizeof identity, "floor:%d:0", replica);
    if (store_new("", identity, &store) != 0 ||
        store_lease_renew(store, lab->conn, 600000, &lease, &err) != 0)
        lab_fail("floor: %s", err.text);
    return store;
}

static void leave(struct lab *lab, struct store *store)
{
    struct recovered r = {0};
    struct err err = {""};
    if (store_recover(store, lab->conn, NULL, 0, INT64_C(1) << 26, &r, &err) != 0)
        lab_fail("floor: %s", err.text);
    if (r.state != RECOVER_DONE || r.moved > 0)
        lab_fail("floor: jobs were left in a claim");
    reply_free(r.reply);
    store_free(store);
}

struct lab_drain floor_drain(struct lab *lab, const struct floor_load *load)
{
    static struct drainer drainers[FLOOR_REPLICAS_MAX * FLOOR_CONNS_MAX];
    struct store *stores[FLOOR_REPLICAS_MAX];
    pid_t self = getpid();
    int n = load->replicas * load->conns;
    int64_t taken = 0, processed = lab_int(lab, "GET stat:processed");
    if (load->replicas > FLOOR_REPLICAS_MAX || load->conns > FLOOR_CONNS_MAX)
        lab_fail("floor: %d times %d connections are too many", load->replicas, load->conns);
    for (int i = 0; i < load->replicas; i++)
        stores[i] = enter(lab, i);
    atomic_store(&to_take, load->jobs);
    struct lab_watch watch = lab_watch(lab, &self, 1);
    for (int i = 0; i < n; i++) {
        struct drainer *d = &drainers[i];
        *d = (struct drainer){
            .lab = lab, .load = load, .store = stores[i / load->conns], .number = i % load->conns};
        if (thread_start(&d->thread, "drainer", drain_main, d) != 0)
            lab_fail("no thread");
    }
    for (int i = 0; i < n; i++) {
        thread_join(&drainers[i].thread);
        taken += drainers[i].taken;
    }
    struct lab_drain r = lab_watched(lab, &watch, &self, 1, taken);
    for (int i = 0; i < load->replicas; i++)
        leave(lab, stores[i]);
    if (taken < load->jobs || lab_int(lab, "GET stat:processed") - processed != taken)
        lab_fail("floor: %" PRId64 " of %" PRId64 " jobs", taken, load->jobs);
    return r;
}
