#include <stdlib.h>

#include "base/json.h"
#include "questions.h"
#include "store/inspect.h"

/* Sidekiq before 8.1.2 tells its threads in `info` only. */
static int find_concurrency(void *ctx, const struct json_member *m)
{
    int64_t n;
    if (json_key_is(m->key, "concurrency") && m->type == JSON_NUMBER &&
        json_decode_int(m->value, &n) == 0)
        *(int64_t *)ctx = n;
    return 0;
}

enum { FIELD_INFO, FIELD_BUSY, FIELD_BEAT, FIELD_QUIET, FIELD_RSS, FIELD_RTT, FIELD_CONCURRENCY };
static const char *const worker_fields[] = {
    [FIELD_INFO] = "info",
    [FIELD_BUSY] = "busy",
    [FIELD_BEAT] = "beat",
    [FIELD_QUIET] = "quiet",
    [FIELD_RSS] = "rss",
    [FIELD_RTT] = "rtt_us",
    [FIELD_CONCURRENCY] = "concurrency",
};
enum { WORKER_FIELDS = sizeof worker_fields / sizeof worker_fields[0], WORKER_QUESTIONS = 3 };

static void ask_worker(struct questions *q, const struct store *s, const char *identity)
{
    command_text(&q->cmd, "HMGET");
    command_printf(&q->cmd, "%s%s", s->prefix, identity);
    for (int f = 0; f < WORKER_FIELDS; f++)
        command_text(&q->cmd, worker_fields[f]);
    for (int f = 0; f < GAUGE_FIELDS; f++)
        command_text(&q->cmd, gauge_fields[f]);
    question_send(q);
    question_ask_named(q, s, "EXISTS", KEY_LEASE_PREFIX, identity);
    question_ask_named(q, s, "HLEN", KEY_CLAIMS_PREFIX, identity);
}

static int read_worker(struct worker_info *w, const struct reply *hash, const struct reply *lease,
                       const struct reply *claims)
{
    w->busy = reply_int(reply_at(hash, FIELD_BUSY));
    w->beat = reply_real(reply_at(hash, FIELD_BEAT));
    w->quiet = slice_is(reply_str(reply_at(hash, FIELD_QUIET)), "true");
    w->rss_kb = reply_int(reply_at(hash, FIELD_RSS));
    w->rtt_us = reply_int(reply_at(hash, FIELD_RTT));
    w->concurrency = reply_int(reply_at(hash, FIELD_CONCURRENCY));
    w->lease = reply_int(lease) == 1;
    w->claims = reply_int(claims);
    gauges_read(hash, WORKER_FIELDS, &w->gauges);
    w->info = question_text(reply_at(hash, FIELD_INFO));
    if (!w->info)
        return -ENOMEM;
    enum json_type type;
    int64_t concurrency = 0;
    if (w->concurrency == 0 &&
        json_scan(slice_of(w->info), &type, find_concurrency, &concurrency, NULL) == 0)
        w->concurrency = concurrency;
    return 0;
}

int store_workers(const struct store *s, struct redis_conn *c, struct worker_info **ret,
                  size_t *ret_n, struct err *err)
{
    enum { PROCESSES, WORKERS };
    struct questions sets = {.c = c}, q = {.c = c};
    struct names names = {0}, workers = {0};
    struct worker_info *info = NULL;
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_PROCESSES));
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_WORKERS));
    int rc = questions_read(&sets, err);
    if (rc != 0)
        goto out;
    rc = names_of(question_answer(&sets, PROCESSES), question_answer(&sets, WORKERS), &names, err);
    if (rc == 0)
        rc = names_of(question_answer(&sets, WORKERS), NULL, &workers, err);
    names_cut(&names, INSPECT_PROCESSES_MAX);
    if (rc == 0 && !(info = calloc(names.n ? names.n : 1, sizeof *info)))
        rc = err_set(err, -ENOMEM, "no memory for %zu workers", names.n);
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < names.n; i++)
        ask_worker(&q, s, names.name[i]);
    rc = questions_read(&q, err);
    for (size_t i = 0; rc == 0 && i < names.n; i++) {
        const size_t at = i * WORKER_QUESTIONS;
        info[i].identity = names.name[i];
        names.name[i] = NULL; /* handed over */
        info[i].sluice = names_have(&workers, info[i].identity);
        rc = read_worker(&info[i], question_answer(&q, at), question_answer(&q, at + 1),
                         question_answer(&q, at + 2));
        if (rc != 0)
            err_set(err, rc, "no memory for %zu workers", names.n);
    }
    if (rc == 0) {
        *ret = info;
        *ret_n = names.n;
        info = NULL;
    }
out:
    worker_infos_free(info, names.n);
    names_release(&names);
    names_release(&workers);
    questions_release(&q);
    questions_release(&sets);
    return rc;
}

struct queue_look {
    const char *queue;
    bool found;
};

static int look_at_queue(void *ctx, const struct json_member *m)
{
    struct queue_look *look = ctx;
    struct buf name = {0};
    if (m->type == JSON_STRING && json_decode_string(m->value, &name) == 0 &&
        strcmp(buf_str(&name), look->queue) == 0)
        look->found = true;
    buf_release(&name);
    return 0;
}

static int look_at_queues(void *ctx, const struct json_member *m)
{
    enum json_type type;
    if (json_key_is(m->key, "queues") && m->type == JSON_ARRAY)
        return json_scan(m->value, &type, look_at_queue, ctx, NULL);
    return 0;
}

bool worker_info_serves(const struct worker_info *w, const char *queue)
{
    struct queue_look look = {.queue = queue};
    enum json_type type;
    return w->info[0] == '\0' ||
           json_scan(slice_of(w->info), &type, look_at_queues, &look, NULL) != 0 || look.found;
}

bool worker_info_lives(const struct worker_info *w)
{
    return w->info[0] != '\0' && (w->lease || !w->sluice);
}

void worker_infos_free(struct worker_info *w, size_t n)
{
    for (size_t i = 0; w && i < n; i++) {
        free(w[i].identity);
        free(w[i].info);
    }
    free(w);
}
