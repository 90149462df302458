#include "store/claim.h"

#include <inttypes.h>
#include <stdlib.h>

#include "keys.h"
#include "scripts.h"

enum { REPLY_QUEUE, REPLY_UNREAD, REPLY_WRONG, REPLY_FIRST_JOB };

struct slice claimed_payload(const struct claimed *c, unsigned i)
{
    return reply_str(reply_at(c->reply, REPLY_FIRST_JOB + i));
}

void claimed_wrong_queues(const struct claimed *c, void (*visit)(void *ctx, int queue), void *ctx)
{
    const struct reply *wrong = reply_at(c->reply, REPLY_WRONG);
    for (size_t i = 0; i < reply_count(wrong); i++)
        visit(ctx, (int)reply_int(reply_at(wrong, i)) - 1);
}

static void build_claim(const struct store *s, const struct claim_request *r,
                        struct script_call *call)
{
    struct command *cmd = &call->cmd;
    enum key lists = r->trial ? KEY_TRIAL_PREFIX : KEY_QUEUE_PREFIX;
    script_begin(call, &script_claim, 5 + r->nqueues);
    command_add(cmd, store_key(s, KEY_CLAIMS));
    command_printf(cmd, "%s%" PRIu64, s->key[KEY_OWN_CLAIM_PREFIX], r->seq);
    command_add(cmd, store_key(s, KEY_LEASE));
    command_add(cmd, store_key(s, KEY_PAUSED));
    command_add(cmd, store_key(s, KEY_DEAD));
    for (int i = 0; i < r->nqueues; i++)
        store_add_key(cmd, s, lists, r->queues[i]);
    command_int(cmd, (int64_t)r->seq);
    command_int(cmd, r->want);
    command_int(cmd, r->max_bytes);
    command_int(cmd, r->max_payload);
    command_int(cmd, (int64_t)store_key(s, lists).n);
}

/* Whether the reply is one that claim.lua gives to this request: what follows may rely on it. */
static bool is_claim_reply(const struct reply *reply, const struct claim_request *r,
                           int64_t *ret_queue)
{
    const struct reply *wrong = reply_at(reply, REPLY_WRONG);
    size_t count = reply_count(reply);
    int64_t queue;
    if (count < REPLY_FIRST_JOB || !reply_whole(reply_at(reply, REPLY_QUEUE), ret_queue) ||
        reply_type(reply_at(reply, REPLY_UNREAD)) != REPLY_ARRAY)
        return false;
    size_t jobs = count - REPLY_FIRST_JOB;
    if (*ret_queue > 0 ? jobs < 1 || jobs > r->want || *ret_queue > r->nqueues : jobs > 0)
        return false;
    for (size_t i = REPLY_FIRST_JOB; i < count; i++)
        if (reply_type(reply_at(reply, i)) != REPLY_STRING)
            return false;
    for (size_t i = 0; i < reply_count(wrong); i++)
        if (!reply_whole(reply_at(wrong, i), &queue) || queue < 1 || queue > r->nqueues)
            return false;
    return true;
}

static int read_claimed(struct reply *reply, const struct claim_request *r, struct claimed *ret,
                        struct err *err)
{
    int64_t queue = 0;
    int rc = reply_error(reply, err);
    if (rc != 0)
        return rc;
    if (!is_claim_reply(reply, r, &queue))
        return err_set(err, -EPROTO, "claim: an unexpected reply of %zu parts", reply_count(reply));
    *ret = (struct claimed){
        .reply = reply,
        .queue = queue > 0 ? (int)queue - 1 : -1,
        .no_lease = queue < 0,
        .unread = reply_at(reply, REPLY_UNREAD),
        .n = (unsigned)(reply_count(reply) - REPLY_FIRST_JOB),
    };
    return 0;
}

int store_claim(const struct store *s, struct redis_conn *c, const struct claim_request *r,
                const struct settle_batch *batch, int *ret_settle, int8_t *ret_results,
                struct claimed *ret, struct err *err)
{
    struct script_call call = {0};
    build_claim(s, r, &call);
    const struct script_call *calls[2];
    struct reply *replies[2] = {NULL, NULL};
    int n = 0;
    if (batch)
        calls[n++] = &batch->call;
    calls[n++] = &call;

    int rc = script_run_all(c, calls, n, replies, err);
    script_call_release(&call);
    if (batch) {
        *ret_settle =
            replies[0] ? settle_results(batch, replies[0], ret_results, err) : (rc ? rc : -EPROTO);
        reply_free(replies[0]);
    }
    struct reply *claim = replies[n - 1];
    if (rc == 0 || claim)
        rc = read_claimed(claim, r, ret, err);
    if (rc != 0)
        reply_free(claim);
    return rc;
}

int store_any_trial(const struct store *s, struct redis_conn *c, const char *const *queues,
                    int nqueues, bool *ret_any, struct err *err)
{
    struct command cmd = {0};
    int64_t there = 0;
    command_text(&cmd, "EXISTS");
    for (int i = 0; i < nqueues; i++)
        store_add_key(&cmd, s, KEY_TRIAL_PREFIX, queues[i]);
    int rc = store_ask_number(c, &cmd, &there, err);
    if (rc == 0)
        *ret_any = there > 0;
    command_release(&cmd);
    return rc;
}

int store_wait_register(const struct store *s, struct redis_conn *c, uint64_t seq,
                        const char *queue, struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "HSET");
    command_add(&cmd, store_key(s, KEY_CLAIMS));
    command_int(&cmd, (int64_t)seq);
    command_text(&cmd, queue);
    int rc = redis_call(c, &cmd, NULL, err);
    command_release(&cmd);
    return rc;
}

int store_wait_send(const struct store *s, struct redis_conn *c, uint64_t seq, const char *queue,
                    double timeout_s, bool ask_paused)
{
    struct command cmd = {0};
    command_text(&cmd, "BLMOVE");
    store_add_key(&cmd, s, KEY_QUEUE_PREFIX, queue);
    command_printf(&cmd, "%s%" PRIu64, s->key[KEY_OWN_CLAIM_PREFIX], seq);
    command_text(&cmd, "RIGHT");
    command_text(&cmd, "LEFT");
    command_printf(&cmd, "%.3f", timeout_s);
    int rc = redis_conn_send(c, &cmd);

    command_clear(&cmd);
    command_text(&cmd, "SISMEMBER");
    command_add(&cmd, store_key(s, KEY_PAUSED));
    command_text(&cmd, queue);
    if (rc == 0 && ask_paused)
        rc = redis_conn_send(c, &cmd);
    if (rc == 0)
        rc = redis_conn_flush(c, NULL);
    command_release(&cmd);
    return rc;
}

int store_wait_read(struct redis_conn *c, bool ask_paused, struct reply **ret_job, bool *ret_paused,
                    struct err *err)
{
    struct reply *job = NULL, *paused = NULL;
    int rc = redis_conn_read(c, &job, err);
    int ended = rc == 0 ? reply_error(job, err) : 0;
    /* A server that is demoted ends waits with UNBLOCKED, and hangs up: no second reply. */
    if (rc == 0 && ended != -EROFS && ask_paused)
        rc = redis_conn_read(c, &paused, err);
    if (rc == 0)
        rc = ended;
    /* Demoted between the two: a job is handed out, and the next command says so instead. */
    if (paused && reply_type(job) != REPLY_STRING && reply_error(paused, NULL) == -EROFS)
        rc = reply_error(paused, err);
    if (rc == 0) {
        if (ask_paused)
            *ret_paused = reply_int(paused) == 1;
        *ret_job = reply_type(job) == REPLY_STRING ? job : NULL;
        if (*ret_job)
            job = NULL;
    }
    reply_free(job);
    reply_free(paused);
    return rc;
}

int store_is_paused(const struct store *s, struct redis_conn *c, const char *queue,
                    bool *ret_paused, struct err *err)
{
    struct command cmd = {0};
    struct reply *reply = NULL;
    command_text(&cmd, "SISMEMBER");
    command_add(&cmd, store_key(s, KEY_PAUSED));
    command_text(&cmd, queue);
    int rc = redis_call(c, &cmd, &reply, err);
    if (rc == -EMEDIUMTYPE) /* no set: nobody is in it */
        rc = 0;
    if (rc == 0)
        *ret_paused = reply_int(reply) == 1;
    reply_free(reply);
    command_release(&cmd);
    return rc;
}

int store_claims(const struct store *s, struct redis_conn *c, struct claim_entry **ret,
                 size_t *ret_n, struct err *err)
{
    struct reply *reply = NULL;
    int rc = redis_callf(c, &reply, err, "HGETALL %s", s->key[KEY_CLAIMS]);
    if (rc != 0)
        return rc;
    size_t n = reply_count(reply) / 2;
    struct claim_entry *entries = calloc(n ? n : 1, sizeof *entries);
    for (size_t i = 0; entries && i < n; i++) {
        struct slice queue = reply_str(reply_at(reply, 2 * i + 1));
        entries[i].seq = (uint64_t)reply_int(reply_at(reply, 2 * i));
        entries[i].queue = strndup(queue.p, queue.n);
        if (!entries[i].queue) {
            claim_entries_free(entries, n);
            entries = NULL;
        }
    }
    reply_free(reply);
    if (!entries)
        return err_set(err, -ENOMEM, "no memory for %zu claims", n);
    *ret = entries;
    *ret_n = n;
    return 0;
}

void claim_entries_free(struct claim_entry *entries, size_t n)
{
    for (size_t i = 0; entries && i < n; i++)
        free(entries[i].queue);
    free(entries);
}

int store_claim_adopt(const struct store *s, struct redis_conn *c, const struct claim_entry *entry,
                      int64_t max_payload, struct adopted *ret, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_adopt, 3);
    command_add(&call.cmd, store_key(s, KEY_CLAIMS));
    command_printf(&call.cmd, "%s%" PRIu64, s->key[KEY_OWN_CLAIM_PREFIX], entry->seq);
    command_add(&call.cmd, store_key(s, KEY_DEAD));
    command_text(&call.cmd, entry->queue);
    command_int(&call.cmd, max_payload);
    command_add(&call.cmd, store_tombstone());
    int rc = script_run(c, &call, &reply, err);
    script_call_release(&call);
    if (rc != 0)
        return rc;
    if (reply_type(reply) == REPLY_INT) {
        reply_free(reply);
        return err_set(err, -EMEDIUMTYPE, "the key dead holds another type than a sorted set");
    }
    *ret = (struct adopted){
        .reply = reply, .unread = reply_at(reply, 0), .elements = reply_at(reply, 1)};
    return 0;
}

bool store_is_tombstone(struct slice element)
{
    return slice_eq(element, store_tombstone());
}

int store_claim_forget(const struct store *s, struct redis_conn *c, uint64_t seq, struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_forget, 2);
    command_add(&call.cmd, store_key(s, KEY_CLAIMS));
    command_printf(&call.cmd, "%s%" PRIu64, s->key[KEY_OWN_CLAIM_PREFIX], seq);
    command_int(&call.cmd, (int64_t)seq);
    int rc = script_run(c, &call, NULL, err);
    script_call_release(&call);
    return rc;
}
