#include "store/settle.h"

#include <inttypes.h>

#include "keys.h"
#include "scripts.h"

void settle_begin(struct settle_batch *b, const struct store *s, const char *identity, double now)
{
    struct command *cmd = &b->call.cmd;
    b->n = 0;
    script_begin(&b->call, &script_settle, 7);
    if (identity)
        store_add_key(cmd, s, KEY_CLAIMS_PREFIX, identity);
    else
        command_add(cmd, store_key(s, KEY_CLAIMS));
    command_add(cmd, store_key(s, KEY_RETRY));
    command_add(cmd, store_key(s, KEY_DEAD));
    command_add(cmd, store_key(s, KEY_PROCESSED));
    store_add_day_key(cmd, s, KEY_PROCESSED, now);
    command_add(cmd, store_key(s, KEY_FAILED));
    store_add_day_key(cmd, s, KEY_FAILED, now);
    if (identity)
        command_printf(cmd, "%s%s:", s->key[KEY_CLAIM_PREFIX], identity);
    else
        command_add(cmd, store_key(s, KEY_OWN_CLAIM_PREFIX));
    command_add(cmd, store_key(s, KEY_QUEUE_PREFIX));
    command_add(cmd, store_key(s, KEY_JOB_PREFIX));
    command_add(cmd, store_key(s, KEY_STREAM_PREFIX));
    command_add(cmd, store_tombstone());
}

void settle_release(struct settle_batch *b)
{
    script_call_release(&b->call);
}

void settle_ack(struct settle_batch *b, uint64_t seq, unsigned index)
{
    command_text(&b->call.cmd, "A");
    command_int(&b->call.cmd, (int64_t)seq);
    command_int(&b->call.cmd, index);
    b->n++;
}

void settle_ack_claim(struct settle_batch *b, uint64_t seq, unsigned count)
{
    command_text(&b->call.cmd, "D");
    command_int(&b->call.cmd, (int64_t)seq);
    command_int(&b->call.cmd, count);
    b->n++;
}

void settle_move(struct settle_batch *b, uint64_t seq, unsigned index, enum settle_where where,
                 enum settle_stats stats, double delay_s, const char *queue, struct slice payload)
{
    static const char *const words[] = {"retry", "dead", "queue", "drop"};
    struct command *cmd = &b->call.cmd;
    command_text(cmd, "M");
    command_int(cmd, (int64_t)seq);
    command_int(cmd, index);
    command_text(cmd, words[where]);
    command_int(cmd, stats);
    if (where == SETTLE_QUEUE)
        command_text(cmd, queue);
    else
        command_printf(cmd, "%.6f", delay_s);
    command_add(cmd, payload);
    b->n++;
}

void settle_record(struct settle_batch *b, const char *jid, int64_t ttl_s, enum record_where where,
                   struct slice event, const struct settle_field *fields, int n)
{
    struct command *cmd = &b->call.cmd;
    command_text(cmd, "R");
    command_text(cmd, jid);
    command_int(cmd, ttl_s);
    command_text(cmd, where == RECORD_FOUND ? "found" : "always");
    command_add(cmd, event);
    command_int(cmd, n);
    for (int i = 0; i < n; i++) {
        command_text(cmd, fields[i].name);
        command_add(cmd, fields[i].value);
    }
}

int settle_results(const struct settle_batch *b, const struct reply *reply, int8_t *ret_results,
                   struct err *err)
{
    int rc = reply_error(reply, err);
    if (rc != 0)
        return rc;
    if (reply_count(reply) != (size_t)b->n)
        return err_set(err, -EPROTO, "settle: %zu results for %d operations", reply_count(reply),
                       b->n);
    for (int i = 0; i < b->n; i++) {
        int64_t result;
        if (!reply_whole(reply_at(reply, (size_t)i), &result) || result < SETTLE_NOT_ALL ||
            result > SETTLE_WRITTEN)
            return err_set(err, -EPROTO, "settle: operation %d has no result", i);
        ret_results[i] = (int8_t)result;
    }
    return 0;
}

int store_settle(struct redis_conn *c, const struct settle_batch *b, int8_t *ret_results,
                 struct err *err)
{
    struct reply *reply = NULL;
    int rc = script_run(c, &b->call, &reply, err);
    if (rc == 0)
        rc = settle_results(b, reply, ret_results, err);
    reply_free(reply);
    return rc;
}
