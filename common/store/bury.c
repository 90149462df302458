#include "store/bury.h"

#include <stdio.h>

#include "job/envelope.h"
#include "store/settle.h"

static int put_buried(const struct suspect *suspect, const char *identity, double now,
                      struct buf *out)
{
    struct buf cause = {0};
    struct envelope e;
    int rc = envelope_parse(suspect->payload, &e, NULL);
    if (rc == -EBADMSG) {
        buf_put(out, suspect->payload);
        return buf_error(out);
    }
    if (rc != 0)
        return rc;
    char queue[JOB_QUEUE_MAX + 1];
    (void)snprintf(queue, sizeof queue, "%.*s", (int)suspect->queue.n, suspect->queue.p);
    buf_printf(&cause, "its worker died while it was claimed, %d times; the last was %s",
               STORE_DELIVERIES_ALLOWED + 1, identity);
    rc = buf_error(&cause);
    if (rc == 0)
        rc = envelope_put_failure(&e, queue, "WorkerDied", buf_slice(&cause), now, out);
    envelope_release(&e);
    buf_release(&cause);
    return rc;
}

int store_bury(const struct store *s, struct redis_conn *c, const char *identity,
               const struct suspect *suspect, double now, bool *ret_buried, struct err *err)
{
    struct settle_batch batch = {0};
    struct buf payload = {0};
    int8_t result = SETTLE_LOST;
    int rc = put_buried(suspect, identity, now, &payload);
    if (rc != 0) {
        buf_release(&payload);
        return err_set(err, rc, "%s", err_phrase(rc));
    }
    settle_begin(&batch, s, identity, now);
    settle_move(&batch, suspect->seq, suspect->index, SETTLE_DEAD, SETTLE_FAILED, 0, NULL,
                buf_slice(&payload));
    rc = store_settle(c, &batch, &result, err);
    settle_release(&batch);
    buf_release(&payload);
    if (rc == 0)
        *ret_buried = result == SETTLE_WRITTEN;
    return rc;
}
