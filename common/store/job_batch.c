#include "store/job_batch.h"

#include <stdlib.h>

#include "job/envelope.h"
#include "keys.h"
#include "scripts.h"

enum { RUN_MAX = 1000 }; /* jobs in one command: a script's stack is limited */

static const char default_queue[] = "default";

static struct batch_job *new_job(struct job_batch *b)
{
    if (b->n == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 16;
        struct batch_job *grown = reallocarray(b->job, cap, sizeof *grown);
        if (!grown)
            return NULL;
        b->job = grown;
        b->cap = cap;
    }
    return &b->job[b->n];
}

static size_t add_name(struct job_batch *b, const char *name)
{
    size_t at = b->names.n;
    buf_append(&b->names, name, strlen(name) + 1);
    return at;
}

/* Takes a job in whose payload has been appended. */
static int take_in(struct job_batch *b, const char *queue, const char *jid, double due)
{
    struct batch_job *job = new_job(b);
    if (!job)
        return -ENOMEM;
    *job = (struct batch_job){
        .end = b->text.n,
        .queue = add_name(b, queue),
        .jid = add_name(b, jid),
        .due = due,
    };
    b->n++;
    return buf_error(&b->names);
}

/* Appends the completed payload and takes the job in. */
static int complete(struct job_batch *b, const struct envelope *e, struct err *err)
{
    const char *queue = e->queue ? e->queue : default_queue;
    size_t begin = b->text.n;
    bool later = e->at > b->now; /* a time that has passed means now, as with Sidekiq */
    int rc = later ? envelope_put_scheduled(e, queue, b->now, &b->text)
                   : envelope_put_enqueued(e, queue, b->now, &b->text);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    if ((int64_t)(b->text.n - begin) > b->max_payload)
        return err_set(err, -EMSGSIZE,
                       "the job has %zu bytes; at most %lld are allowed (worker.max_payload)",
                       b->text.n - begin, (long long)b->max_payload);
    rc = take_in(b, queue, e->jid, later ? e->at : 0);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

int job_batch_add(struct job_batch *b, struct slice job, const char **ret_field, struct err *err)
{
    struct envelope e;
    *ret_field = NULL;
    int rc = envelope_check(job, &e, ret_field, err);
    if (rc != 0)
        return rc;
    e.request_traceparent = b->traceparent;
    rc = complete(b, &e, err);
    envelope_release(&e);
    return rc;
}

int job_batch_put(struct job_batch *b, const char *queue, const char *jid, double due,
                  struct slice payload)
{
    buf_put(&b->text, payload);
    int rc = buf_error(&b->text);
    return rc == 0 ? take_in(b, queue, jid, due) : rc;
}

const char *job_batch_jid(const struct job_batch *b, size_t i)
{
    return b->names.p + b->job[i].jid;
}

const char *job_batch_queue(const struct job_batch *b, size_t i)
{
    return b->names.p + b->job[i].queue;
}

struct slice job_batch_payload(const struct job_batch *b, size_t i)
{
    size_t begin = i > 0 ? b->job[i - 1].end : 0;
    return (struct slice){b->text.p + begin, b->job[i].end - begin};
}

void job_batch_release(struct job_batch *b)
{
    buf_release(&b->text);
    buf_release(&b->names);
    free(b->job);
    *b = (struct job_batch){0};
}

/* "" stands for the schedule. */
static const char *target_of(const struct job_batch *b, size_t i)
{
    return b->job[i].due > 0 ? "" : job_batch_queue(b, i);
}

/* One run: as many as follow each other to the same target. Returns where the next begins. */
static size_t add_run(struct command *cmd, const struct job_batch *b, size_t first)
{
    const char *target = target_of(b, first);
    size_t end = first + 1;
    while (end < b->n && end - first < RUN_MAX && strcmp(target_of(b, end), target) == 0)
        end++;
    command_text(cmd, target);
    command_int(cmd, (int64_t)(end - first));
    for (size_t i = first; i < end; i++) {
        if (b->job[i].due > 0)
            command_printf(cmd, "%.6f", b->job[i].due);
        command_add(cmd, job_batch_payload(b, i));
    }
    return end;
}

static void begin_call(struct script_call *call, const struct store *s, const struct enqueue *e)
{
    const struct job_batch *b = e->batch;
    script_begin(call, &script_enqueue, 4);
    command_add(&call->cmd, store_key(s, KEY_QUEUES));
    command_add(&call->cmd, store_key(s, KEY_SCHEDULE));
    store_add_key(&call->cmd, s, KEY_IDEMPOTENCY_PREFIX, e->key ? e->key : "");
    store_add_key(&call->cmd, s, KEY_SENT_PREFIX, e->guard.name ? e->guard.name : "");
    command_add(&call->cmd, store_key(s, KEY_QUEUE_PREFIX));
    command_add(&call->cmd, e->key ? e->record : (struct slice){"", 0});
    command_int(&call->cmd, STORE_IDEMPOTENCY_SECONDS);
    if (e->guard.name)
        command_int(&call->cmd, e->guard.floor);
    else
        command_text(&call->cmd, "");
    command_int(&call->cmd, e->guard.number);
    command_int(&call->cmd, STORE_GUARD_SECONDS);
    for (size_t i = 0; i < b->n;)
        i = add_run(&call->cmd, b, i);
}

/* Takes the reply. */
static void read_reply(struct enqueue *e, struct reply *reply)
{
    e->rc = reply_error(reply, &e->err);
    if (e->rc == -ENOEXEC) /* it was to be repeated, and another's repetition lost the connection */
        e->rc = err_set(&e->err, -EAGAIN, "the connection to Redis was lost before its turn");
    if (e->rc != 0)
        (void)err_prefix(&e->err, e->rc, "script %s", script_enqueue.name);
    e->stopped = e->rc == 0 && reply_type(reply) == REPLY_ARRAY;
    if (e->stopped)
        e->reached = reply_int(reply_at(reply, 0));
    if (e->rc == 0 && reply_type(reply) == REPLY_STRING)
        e->was = reply;
    else
        reply_free(reply);
}

void store_enqueue_all(const struct store *s, struct redis_conn *c, struct enqueue *const *e, int n)
{
    struct script_call calls[STORE_ENQUEUE_MAX] = {0};
    const struct script_call *at[STORE_ENQUEUE_MAX] = {NULL};
    struct reply *replies[STORE_ENQUEUE_MAX];
    struct err err = {""};
    for (int i = 0; i < n; i++) {
        begin_call(&calls[i], s, e[i]);
        at[i] = &calls[i];
    }
    int rc = script_run_all(c, at, n, replies, &err);
    for (int i = 0; i < n; i++) {
        e[i]->was = NULL;
        if (replies[i]) {
            read_reply(e[i], replies[i]);
        } else {
            e[i]->rc = err_set(&e[i]->err, rc, "%s", err.text);
            if (rc == -EMSGSIZE) /* is the first one's; behind it nothing more was read */
                rc = err_set(&err, -ENOTCONN, "the connection to Redis was closed");
        }
        script_call_release(&calls[i]);
    }
}

int store_enqueue(const struct store *s, struct redis_conn *c, const struct job_batch *b,
                  const char *key, struct slice record, struct reply **ret_was, struct err *err)
{
    struct enqueue one = {.batch = b, .key = key, .record = record}, *all = &one;
    store_enqueue_all(s, c, &all, 1);
    if (one.rc != 0)
        return err_set(err, one.rc, "%s", one.err.text);
    *ret_was = one.was;
    return 0;
}

int store_enqueued_before(const struct store *s, struct redis_conn *c, const char *key,
                          struct reply **ret_was, struct err *err)
{
    struct command cmd = {0};
    struct reply *reply = NULL;
    command_text(&cmd, "GET");
    store_add_key(&cmd, s, KEY_IDEMPOTENCY_PREFIX, key);
    int rc = redis_call(c, &cmd, &reply, err);
    command_release(&cmd);
    if (rc == 0 && reply_type(reply) == REPLY_STRING)
        *ret_was = reply;
    else
        reply_free(reply);
    return rc;
}
