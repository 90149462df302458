#include "store/enqueue.h"

#include "keys.h"

/* Reads n replies; the last one's integer is the result. All are read, so that the connection
 * stays in step; the first error wins. */
static int read_replies(struct redis_conn *c, int n, int64_t *ret_last, struct err *err)
{
    int first = 0;
    for (int i = 0; i < n; i++) {
        struct reply *reply = NULL;
        struct err this = {""};
        int rc = redis_conn_read(c, &reply, &this);
        if (rc == 0)
            rc = reply_error(reply, &this);
        if (rc == 0 && ret_last)
            *ret_last = reply_int(reply);
        reply_free(reply);
        if (rc != 0 && first == 0)
            first = err_set(err, rc, "%s", this.text);
        if (rc == -ENOTCONN)
            break;
    }
    return first;
}

int store_push(const struct store *s, struct redis_conn *c, const char *queue,
               const struct slice *payloads, size_t n, int64_t *ret_length, struct err *err)
{
    /* Name and jobs in this order: a dashboard may show an empty queue for a moment, but a job
     * never lies in a queue that nobody knows. */
    struct command cmd = {0};
    command_text(&cmd, "SADD");
    command_add(&cmd, store_key(s, KEY_QUEUES));
    command_text(&cmd, queue);
    int rc = redis_conn_send(c, &cmd);
    command_clear(&cmd);
    command_text(&cmd, "LPUSH");
    store_add_key(&cmd, s, KEY_QUEUE_PREFIX, queue);
    for (size_t i = 0; i < n; i++)
        command_add(&cmd, payloads[i]);
    if (rc == 0)
        rc = redis_conn_send(c, &cmd);
    command_release(&cmd);
    return rc == 0 ? read_replies(c, 2, ret_length, err) : err_set(err, rc, "%s", err_phrase(rc));
}

int store_schedule(const struct store *s, struct redis_conn *c, const struct slice *payloads,
                   const double *due, size_t n, struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "ZADD");
    command_add(&cmd, store_key(s, KEY_SCHEDULE));
    for (size_t i = 0; i < n; i++) {
        command_printf(&cmd, "%.6f", due[i]);
        command_add(&cmd, payloads[i]);
    }
    int rc = redis_call(c, &cmd, NULL, err);
    command_release(&cmd);
    return rc;
}
