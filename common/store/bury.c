#include "store/bury.h"

#include <stdio.h>

#include "job/envelope.h"
#include "store/settle.h"
#include "store/stream.h"

/* What the batch borrows until it was sent. */
struct end {
    struct envelope envelope;
    struct buf payload;
    char error[256], at[32];
    struct settle_field fields[4];
};

static int put_end(struct end *end, const struct suspect *suspect, const char *identity, double now)
{
    static const char error_class[] = "WorkerDied";
    char queue[JOB_QUEUE_MAX + 1];
    (void)snprintf(queue, sizeof queue, "%.*s", (int)suspect->queue.n, suspect->queue.p);
    (void)snprintf(end->error, sizeof end->error,
                   "its worker died while it was claimed, %d times; the last was %s",
                   STORE_DELIVERIES_ALLOWED + 1, identity);
    (void)snprintf(end->at, sizeof end->at, "%.6f", now);
    end->fields[0] = (struct settle_field){"state", slice_of("dead")};
    end->fields[1] = (struct settle_field){"finished_at", slice_of(end->at)};
    end->fields[2] = (struct settle_field){"error_class", slice_of(error_class)};
    end->fields[3] = (struct settle_field){"error", slice_of(end->error)};
    return envelope_put_failure(&end->envelope, queue, error_class, slice_of(end->error), now,
                                &end->payload);
}

static int settle(struct settle_batch *b, struct redis_conn *c, const struct suspect *suspect,
                  struct slice payload, const struct end *end, int64_t ttl_s, int8_t *ret_result,
                  struct err *err)
{
    settle_move(b, suspect->seq, suspect->index, SETTLE_DEAD, SETTLE_FAILED, 0, NULL, payload);
    if (end)
        settle_record(b, end->envelope.jid, ttl_s, RECORD_FOUND,
                      slice_of(STREAM_STATUS_EVENT("dead")), end->fields, 4);
    return store_settle(c, b, ret_result, err);
}

int store_bury(const struct store *s, struct redis_conn *c, const char *identity,
               const struct suspect *suspect, double now, int64_t ttl_s, bool *ret_buried,
               struct err *err)
{
    struct settle_batch batch = {0};
    struct end end = {0};
    int8_t result = SETTLE_LOST;
    settle_begin(&batch, s, identity, now);
    int rc = envelope_parse(suspect->payload, &end.envelope, NULL);
    if (rc == 0) {
        rc = put_end(&end, suspect, identity, now);
        if (rc == 0)
            rc = settle(&batch, c, suspect, buf_slice(&end.payload), &end, ttl_s, &result, err);
        else
            (void)err_set(err, rc, "%s", err_phrase(rc));
        envelope_release(&end.envelope);
        buf_release(&end.payload);
    } else if (rc == -EBADMSG) { /* no job: as it came */
        rc = settle(&batch, c, suspect, suspect->payload, NULL, 0, &result, err);
    } else {
        (void)err_set(err, rc, "%s", err_phrase(rc));
    }
    settle_release(&batch);
    if (rc == 0)
        *ret_buried = result == SETTLE_WRITTEN;
    return rc;
}
