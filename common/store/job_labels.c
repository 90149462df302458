#include "store/job_labels.h"

#include "keys.h"

/* Of one job: what is sent, and the answers in that order. */
static int send_one(const struct store *s, struct redis_conn *c, const char *jid)
{
    struct command cmd = {0};
    command_text(&cmd, "HMGET");
    store_add_key(&cmd, s, KEY_JOB_PREFIX, jid);
    command_text(&cmd, "class");
    command_text(&cmd, "queue");
    command_text(&cmd, "started_at");
    int rc = redis_conn_send(c, &cmd);
    command_clear(&cmd);
    command_text(&cmd, "LLEN");
    store_add_key(&cmd, s, KEY_STREAM_PREFIX, jid);
    if (rc == 0)
        rc = redis_conn_send(c, &cmd);
    command_release(&cmd);
    return rc;
}

/* Anything but a wrong type, which is a matter of that key alone. */
static int read_one(struct redis_conn *c, struct reply **ret, struct err *err)
{
    int rc = redis_conn_read(c, ret, err);
    if (rc != 0)
        return rc;
    struct err why;
    rc = reply_error(*ret, &why);
    if (rc == 0 || rc == -EMEDIUMTYPE)
        return 0;
    reply_free(*ret);
    *ret = NULL;
    return err_set(err, rc, "%s", why.text);
}

int store_job_labels(const struct store *s, struct redis_conn *c, const char *const *jids, size_t n,
                     job_labels_each *each, void *ctx, struct err *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = send_one(s, c, jids[i]);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct reply *fields = NULL, *length = NULL;
        rc = read_one(c, &fields, err);
        if (rc == 0)
            rc = read_one(c, &length, err);
        if (rc == 0) {
            struct job_labels labels = {.klass = reply_str(reply_at(fields, 0)),
                                        .queue = reply_str(reply_at(fields, 1)),
                                        .started_at = reply_real(reply_at(fields, 2)),
                                        .length = reply_int(length)};
            labels.recorded = labels.klass.n > 0;
            each(ctx, i, &labels);
        }
        reply_free(fields);
        reply_free(length);
    }
    return rc;
}
