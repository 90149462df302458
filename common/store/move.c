#include "move.h"

#include "keys.h"
#include "scripts.h"

struct slice job_set_key(const struct store *s, enum job_set set)
{
    static const enum key keys[] = {
        [JOBS_RETRY] = KEY_RETRY,
        [JOBS_SCHEDULE] = KEY_SCHEDULE,
        [JOBS_DEAD] = KEY_DEAD,
    };
    return store_key(s, keys[set]);
}

const char *move_queue(enum job_set set, const struct envelope *e)
{
    if (set != JOBS_DEAD)
        return envelope_next_queue(e);
    return e->queue ? e->queue : "default";
}

void move_begin(struct move *m, const struct store *s, enum job_set set, double now)
{
    *m = (struct move){.s = s, .set = set, .now = now};
    script_begin(&m->call, &script_promote, 3);
    command_add(&m->call.cmd, job_set_key(s, set));
    command_add(&m->call.cmd, store_key(s, KEY_QUEUES));
    command_add(&m->call.cmd, store_key(s, KEY_DEAD));
    command_add(&m->call.cmd, store_key(s, KEY_QUEUE_PREFIX));
    command_text(&m->clear, "ZREM");
    command_add(&m->clear, store_key(s, KEY_CANCELLED));
}

int move_add(struct move *m, const struct envelope *e)
{
    struct buf renewed = {0};
    const char *queue = move_queue(m->set, e);
    int rc = 0;
    command_add(&m->call.cmd, e->payload);
    if (m->set == JOBS_DEAD) {
        rc = envelope_put_renewed(e, queue, m->now, &renewed);
        command_copy(&m->call.cmd, buf_slice(&renewed));
        if (!e->jid_is_new)
            command_copy(&m->clear, slice_of(e->jid));
    } else {
        command_add(&m->call.cmd, e->payload);
    }
    command_copy(&m->call.cmd, slice_of(queue));
    buf_release(&renewed);
    return rc;
}

int move_run(struct move *m, struct redis_conn *c, int64_t *ret_moved, int64_t *ret_wrong,
             struct err *err)
{
    enum { CLEAR_NOTHING = 2 }; /* words without a jid */
    struct reply *reply = NULL;
    int rc = command_error(&m->clear);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    /* Before they can run, or they would be stopped at once. */
    if (m->clear.n > CLEAR_NOTHING)
        rc = redis_call(c, &m->clear, NULL, err);
    if (rc == 0)
        rc = script_run(c, &m->call, &reply, err);
    if (rc == 0) {
        *ret_moved = reply_int(reply_at(reply, 0));
        *ret_wrong = (int64_t)reply_count(reply_at(reply, 1));
    }
    reply_free(reply);
    return rc;
}

void move_release(struct move *m)
{
    script_call_release(&m->call);
    command_release(&m->clear);
}
