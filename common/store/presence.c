#include "store/presence.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "job/envelope.h"
#include "questions.h"

enum { SHOWN_PAYLOAD_MAX = 8192, TTL_SECONDS = 60 };

static void put_text(struct buf *out, const char *text)
{
    json_put_string(out, slice_of(text), SIZE_MAX);
}

static void put_weights(struct buf *out, const char *const *queues, const int *weights, int n)
{
    buf_putc(out, '{');
    for (int i = 0; i < n; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_text(out, queues[i]);
        buf_printf(out, ":%d", weights[i]);
    }
    buf_putc(out, '}');
}

void presence_info(struct buf *out, const char *identity, double started_at, int threads,
                   const char *const *queues, const int *weights, int nqueues)
{
    /* identity is host:pid:nonce, and a host has no colon. */
    const char *colon = strchr(identity, ':');
    size_t host = colon ? (size_t)(colon - identity) : strlen(identity);
    buf_puts(out, "{\"identity\":");
    put_text(out, identity);
    buf_puts(out, ",\"hostname\":");
    json_put_string(out, (struct slice){identity, host}, SIZE_MAX);
    buf_printf(out, ",\"pid\":%d,\"started_at\":", colon ? atoi(colon + 1) : 0);
    job_put_time(out, started_at);
    buf_printf(out, ",\"tag\":\"\",\"concurrency\":%d,\"queues\":[", threads);
    bool weighted = false;
    for (int i = 0; i < nqueues; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_text(out, queues[i]);
        weighted = weighted || weights[i] > 0;
    }
    buf_puts(out, "],\"labels\":[\"sluice\"],\"version\":\"sluice " SLUICE_VERSION "\","
                  "\"weights\":[");
    put_weights(out, queues, weights, nqueues);
    buf_printf(out, "],\"capsules\":{\"default\":{\"concurrency\":%d,\"mode\":\"%s\",\"weights\":",
               threads, weighted ? "weighted" : "strict");
    put_weights(out, queues, weights, nqueues);
    buf_puts(out, "}},\"embedded\":false}");
}

/* The dashboard parses the payload, so what is too long is shown as a job without its args. */
static void put_work(struct buf *out, const struct presence_job *job)
{
    struct buf shown = {0};
    struct slice payload = job->payload;
    if (payload.n > SHOWN_PAYLOAD_MAX) {
        buf_puts(&shown, "{\"class\":");
        put_text(&shown, job->klass);
        buf_puts(&shown, ",\"jid\":");
        put_text(&shown, job->jid);
        buf_printf(&shown, ",\"args\":[\"(%zu bytes)\"],\"created_at\":0.0}", payload.n);
        payload = buf_slice(&shown);
    }
    buf_puts(out, "{\"queue\":");
    put_text(out, job->queue);
    buf_puts(out, ",\"payload\":");
    json_put_string(out, payload, SIZE_MAX);
    buf_printf(out, ",\"run_at\":%" PRId64 "}", (int64_t)job->started_at);
    buf_release(&shown);
}

static int send_work(const struct store *s, struct redis_conn *c, const struct presence *p,
                     struct command *cmd)
{
    struct buf text = {0};
    command_clear(cmd);
    command_text(cmd, "HSET");
    command_add(cmd, store_key(s, KEY_WORK));
    for (int i = 0; i < p->njobs; i++) {
        command_printf(cmd, "t%d", p->jobs[i].thread);
        buf_clear(&text);
        put_work(&text, &p->jobs[i]);
        command_copy(cmd, buf_slice(&text));
    }
    int rc = buf_error(&text);
    buf_release(&text);
    return rc == 0 ? redis_conn_send(c, cmd) : rc;
}

/* A command of constant words. */
static int send_command(struct redis_conn *c, struct command *cmd, const char *const *words)
{
    command_clear(cmd);
    for (; *words; words++)
        command_text(cmd, *words);
    return redis_conn_send(c, cmd);
}
#define send_text(c, cmd, ...) send_command(c, cmd, (const char *const[]){__VA_ARGS__, NULL})

static void put_self(const struct store *s, const struct presence *p, struct command *cmd)
{
    command_text(cmd, "HSET");
    command_add(cmd, store_key(s, KEY_SELF));
    command_text(cmd, "info");
    command_text(cmd, p->info);
    command_text(cmd, "busy");
    command_int(cmd, p->busy);
    command_text(cmd, "beat");
    command_printf(cmd, "%.6f", p->now);
    command_text(cmd, "rtt_us");
    command_int(cmd, p->rtt_us);
    command_text(cmd, "quiet");
    command_text(cmd, p->quiet ? "true" : "false");
    command_text(cmd, "rss");
    command_int(cmd, p->rss_kb);
    command_text(cmd, "concurrency");
    command_int(cmd, p->threads);
    gauges_add(cmd, &p->gauges);
}

static int send_self(const struct store *s, struct redis_conn *c, const struct presence *p,
                     struct command *cmd)
{
    command_clear(cmd);
    put_self(s, p, cmd);
    return redis_conn_send(c, cmd);
}

static int send_all(const struct store *s, struct redis_conn *c, const struct presence *p,
                    struct command *cmd, int *ret_sent)
{
    char ttl[16];
    (void)snprintf(ttl, sizeof ttl, "%d", TTL_SECONDS); /* fits */
    const char *self = s->key[KEY_SELF], *work = s->key[KEY_WORK], *old = s->key[KEY_WORK_OLD];

    int sent = 7;
    int rc = send_text(c, cmd, "MULTI");
    if (rc == 0)
        rc = send_text(c, cmd, "SADD", s->key[KEY_PROCESSES], s->identity);
    if (rc == 0)
        rc = send_self(s, c, p, cmd);
    if (rc == 0)
        rc = send_text(c, cmd, "EXPIRE", self, ttl);
    if (rc == 0)
        rc = send_text(c, cmd, "UNLINK", work, old);
    if (rc == 0 && p->njobs > 0) {
        sent += 3;
        rc = send_work(s, c, p, cmd);
        if (rc == 0)
            rc = send_text(c, cmd, "EXPIRE", work, ttl);
        if (rc == 0)
            rc = send_text(c, cmd, "COPY", work, old); /* it will expire, too */
    }
    if (rc == 0)
        rc = send_text(c, cmd, "RPOP", s->key[KEY_SIGNALS]);
    if (rc == 0)
        rc = send_text(c, cmd, "EXEC");
    *ret_sent = sent;
    return rc;
}

static enum presence_signal read_signal(const struct reply *reply)
{
    struct slice signal = reply_str(reply);
    return slice_is(signal, "TSTP")   ? PRESENCE_QUIET
           : slice_is(signal, "TERM") ? PRESENCE_STOP
           : slice_is(signal, "TTIN") ? PRESENCE_DUMP
                                      : PRESENCE_NONE;
}

int store_presence(const struct store *s, struct redis_conn *c, const struct presence *p,
                   enum presence_signal *ret_signal, struct err *err)
{
    struct command cmd = {0};
    int sent = 0;
    int rc = send_all(s, c, p, &cmd, &sent);
    command_release(&cmd);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));

    struct reply *reply = NULL;
    for (int i = 0; rc == 0 && i < sent; i++) {
        reply_free(reply);
        reply = NULL;
        rc = redis_conn_read(c, &reply, err); /* QUEUED …, then EXEC's array */
    }
    if (rc == 0)
        rc = reply_error(reply, err);
    /* Inside EXEC each command has its own outcome; one of the wrong type must not hide others. */
    for (size_t i = 0; rc == 0 && i < reply_count(reply); i++)
        if (reply_error(reply_at(reply, i), err) != 0)
            rc = reply_error(reply_at(reply, i), NULL);
    if (rc == 0)
        *ret_signal = read_signal(reply_at(reply, reply_count(reply) - 1));
    reply_free(reply);
    return rc;
}

int store_presence_again(const struct store *s, struct redis_conn *c, const struct presence *p,
                         enum presence_signal *ret_signal, struct err *err)
{
    struct questions q = {.c = c};
    int64_t there = 0;
    /* First, since the hash must never be there without an end. */
    command_text(&q.cmd, "EXPIRE");
    command_add(&q.cmd, store_key(s, KEY_SELF));
    command_int(&q.cmd, TTL_SECONDS);
    int rc = store_ask_number(c, &q.cmd, &there, err);
    command_clear(&q.cmd);
    if (rc == 0 && there == 0)
        rc = -ENOENT;
    if (rc == 0) {
        put_self(s, p, &q.cmd);
        question_send(&q);
        question_ask_key(&q, "RPOP", store_key(s, KEY_SIGNALS));
        rc = questions_read(&q, err);
    }
    for (size_t i = 0; rc == 0 && i < q.n; i++)
        rc = reply_error(question_answer(&q, i), err);
    if (rc == 0)
        *ret_signal = read_signal(question_answer(&q, 1));
    questions_release(&q);
    return rc;
}

int store_register_queues(const struct store *s, struct redis_conn *c, const char *const *queues,
                          int n, struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "SADD");
    command_add(&cmd, store_key(s, KEY_QUEUES));
    for (int i = 0; i < n; i++)
        command_text(&cmd, queues[i]);
    int rc = redis_call(c, &cmd, NULL, err);
    command_release(&cmd);
    return rc;
}
