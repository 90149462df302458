#include "store/inspect.h"

#include <stdio.h>
#include <stdlib.h>

#include "job/envelope.h"
#include "questions.h"

static const struct slice nothing = {"", 0};

/* ---- Stats --------------------------------------------------------------------------------- */

/* Entries in all claims: the registries name them, one list each. */
static int count_claimed(const struct store *s, struct redis_conn *c, const struct names *workers,
                         struct questions *registries, size_t first, int64_t *ret, struct err *err)
{
    struct questions q = {.c = c};
    for (size_t w = 0; w < workers->n; w++) {
        const struct reply *seqs = question_answer(registries, first + w);
        for (size_t i = 0; i < reply_count(seqs); i++) {
            struct slice seq = reply_str(reply_at(seqs, i));
            command_text(&q.cmd, "LLEN");
            command_printf(&q.cmd, "%s%s:%.*s", s->key[KEY_CLAIM_PREFIX], workers->name[w],
                           (int)seq.n, seq.p);
            question_send(&q);
        }
    }
    int64_t sum = 0;
    int rc = questions_read(&q, err);
    for (size_t i = 0; rc == 0 && i < q.n; i++)
        sum += reply_int(question_answer(&q, i));
    questions_release(&q);
    if (rc == 0)
        *ret = sum;
    return rc;
}

/* What depends on the first answers: the day, the queues, the processes and the claims. */
static int stats_of_names(const struct store *s, struct redis_conn *c, const struct names *queues,
                          const struct names *processes, const struct names *workers,
                          struct store_stats *stats, struct err *err)
{
    struct questions q = {.c = c};
    command_text(&q.cmd, "GET");
    store_add_day_key(&q.cmd, s, KEY_PROCESSED, stats->now);
    question_send(&q);
    command_text(&q.cmd, "GET");
    store_add_day_key(&q.cmd, s, KEY_FAILED, stats->now);
    question_send(&q);
    for (size_t i = 0; i < queues->n; i++)
        question_ask_named(&q, s, "LLEN", KEY_QUEUE_PREFIX, queues->name[i]);
    for (size_t i = 0; i < processes->n; i++) {
        command_text(&q.cmd, "HGET");
        command_printf(&q.cmd, "%s%s", s->prefix, processes->name[i]);
        command_text(&q.cmd, "busy");
        question_send(&q);
    }
    for (size_t i = 0; i < workers->n; i++)
        question_ask_named(&q, s, "HKEYS", KEY_CLAIMS_PREFIX, workers->name[i]);

    int rc = questions_read(&q, err);
    if (rc == 0) {
        size_t at = 0;
        stats->processed_today = reply_int(question_answer(&q, at++));
        stats->failed_today = reply_int(question_answer(&q, at++));
        for (size_t i = 0; i < queues->n; i++)
            stats->enqueued += reply_int(question_answer(&q, at++));
        for (size_t i = 0; i < processes->n; i++, at++) {
            if (reply_type(question_answer(&q, at)) != REPLY_STRING)
                continue; /* it died and its hash has expired */
            stats->workers++;
            stats->busy += reply_int(question_answer(&q, at));
        }
        rc = count_claimed(s, c, workers, &q, at, &stats->claimed, err);
    }
    questions_release(&q);
    return rc;
}

int store_stats(const struct store *s, struct redis_conn *c, struct store_stats *ret,
                struct err *err)
{
    enum { TIME, PROCESSED, FAILED, SCHEDULE, RETRY, DEAD, QUEUES, PROCESSES, WORKERS };
    struct questions q = {.c = c};
    question_ask(&q, "TIME");
    question_ask_key(&q, "GET", store_key(s, KEY_PROCESSED));
    question_ask_key(&q, "GET", store_key(s, KEY_FAILED));
    question_ask_key(&q, "ZCARD", store_key(s, KEY_SCHEDULE));
    question_ask_key(&q, "ZCARD", store_key(s, KEY_RETRY));
    question_ask_key(&q, "ZCARD", store_key(s, KEY_DEAD));
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_QUEUES));
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_PROCESSES));
    question_ask_key(&q, "SMEMBERS", store_key(s, KEY_WORKERS));

    struct store_stats stats = {0};
    struct names queues = {0}, processes = {0}, workers = {0};
    int rc = questions_read(&q, err);
    if (rc != 0)
        goto out;
    stats.now = question_time(question_answer(&q, TIME));
    stats.processed = reply_int(question_answer(&q, PROCESSED));
    stats.failed = reply_int(question_answer(&q, FAILED));
    stats.scheduled = reply_int(question_answer(&q, SCHEDULE));
    stats.retries = reply_int(question_answer(&q, RETRY));
    stats.dead = reply_int(question_answer(&q, DEAD));
    rc = names_of(question_answer(&q, QUEUES), NULL, &queues, err);
    if (rc == 0)
        rc = names_of(question_answer(&q, PROCESSES), NULL, &processes, err);
    if (rc == 0)
        rc = names_of(question_answer(&q, WORKERS), NULL, &workers, err);
    if (rc != 0)
        goto out;
    rc = stats_of_names(s, c, &queues, &processes, &workers, &stats, err);
    if (rc == 0)
        *ret = stats;
out:
    names_release(&queues);
    names_release(&processes);
    names_release(&workers);
    questions_release(&q);
    return rc;
}

/* ---- Queues -------------------------------------------------------------------------------- */

/* How long the job has waited by its own account. The client's clock wrote it, so it may be
 * ahead of Redis'. */
static double age_of(struct slice payload, double now)
{
    struct envelope e;
    if (payload.n == 0 || envelope_parse(payload, &e, NULL) != 0)
        return 0;
    double since = e.enqueued_at > 0 ? e.enqueued_at : e.created_at;
    envelope_release(&e);
    return since > 0 && now > since ? now - since : 0;
}

static void read_queue(struct queue_info *info, const struct reply *length,
                       const struct reply *next, const struct reply *paused, double now)
{
    info->wrong_type = reply_type(length) == REPLY_ERROR;
    info->size = reply_int(length);
    info->latency_s = age_of(reply_type(next) == REPLY_STRING ? reply_str(next) : nothing, now);
    info->paused = set_has(paused, info->name);
}

int store_queues(const struct store *s, struct redis_conn *c, struct queue_info **ret,
                 size_t *ret_n, struct err *err)
{
    enum { TIME, QUEUES, PAUSED };
    struct questions sets = {.c = c}, q = {.c = c};
    struct names names = {0};
    struct queue_info *info = NULL;
    question_ask(&sets, "TIME");
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_QUEUES));
    question_ask_key(&sets, "SMEMBERS", store_key(s, KEY_PAUSED));
    int rc = questions_read(&sets, err);
    if (rc != 0)
        goto out;
    rc = names_of(question_answer(&sets, QUEUES), NULL, &names, err);
    if (rc == 0 && !(info = calloc(names.n ? names.n : 1, sizeof *info)))
        rc = err_set(err, -ENOMEM, "no memory for %zu queues", names.n);
    if (rc != 0)
        goto out;
    for (size_t i = 0; i < names.n; i++) {
        question_ask_named(&q, s, "LLEN", KEY_QUEUE_PREFIX, names.name[i]);
        command_text(&q.cmd, "LINDEX");
        store_add_key(&q.cmd, s, KEY_QUEUE_PREFIX, names.name[i]);
        command_text(&q.cmd, "-1"); /* the tail is the next to run */
        question_send(&q);
    }
    rc = questions_read(&q, err);
    if (rc != 0)
        goto out;
    double now = question_time(question_answer(&sets, TIME));
    for (size_t i = 0; i < names.n; i++) {
        info[i].name = names.name[i];
        names.name[i] = NULL; /* handed over */
        read_queue(&info[i], question_answer(&q, 2 * i), question_answer(&q, 2 * i + 1),
                   question_answer(&sets, PAUSED), now);
    }
    *ret = info;
    *ret_n = names.n;
    info = NULL;
out:
    free(info);
    names_release(&names);
    questions_release(&q);
    questions_release(&sets);
    return rc;
}

void queue_infos_free(struct queue_info *q, size_t n)
{
    for (size_t i = 0; q && i < n; i++)
        free(q[i].name);
    free(q);
}

/* ---- The server ---------------------------------------------------------------------------- */

/* The value of "name:value\r\n" in INFO's text; empty when absent. */
static struct slice info_value(struct slice text, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = text.p, *end = text.p + text.n; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));
        if (!eol)
            eol = end;
        if ((size_t)(eol - p) > n && memcmp(p, name, n) == 0 && p[n] == ':') {
            struct slice value = {p + n + 1, (size_t)(eol - p) - n - 1};
            if (value.n > 0 && value.p[value.n - 1] == '\r')
                value.n--;
            return value;
        }
        p = eol + 1;
    }
    return nothing;
}

static void copy_value(char *ret, size_t size, struct slice value)
{
    (void)snprintf(ret, size, "%.*s", (int)value.n, value.p); /* cut: display only */
}

static int64_t info_int(struct slice text, const char *name)
{
    char digits[24];
    copy_value(digits, sizeof digits, info_value(text, name));
    return strtoll(digits, NULL, 10);
}

int store_server_info(struct redis_conn *c, struct server_info *ret, struct err *err)
{
    enum { INFO, MAXCLIENTS, SAVE };
    static const char *const settings[] = {"maxclients", "save"};
    struct questions q = {.c = c};
    question_ask(&q, "INFO");
    for (size_t i = 0; i < 2; i++) {
        command_text(&q.cmd, "CONFIG");
        command_text(&q.cmd, "GET");
        command_text(&q.cmd, settings[i]);
        question_send(&q);
    }
    /* A server that refuses to tell is a server of unknown settings, and no failure. */
    int rc = questions_read(&q, err);
    if (rc == -EACCES || rc == -EPROTO)
        rc = 0;
    if (rc == 0) {
        const struct reply *max = question_answer(&q, MAXCLIENTS),
                           *save = question_answer(&q, SAVE);
        struct slice info = reply_type(question_answer(&q, INFO)) == REPLY_STRING
                                ? reply_str(question_answer(&q, INFO))
                                : nothing;
        struct server_info s = {
            .maxclients = reply_int(reply_field(max, "maxclients")),
            .connected_clients = info_int(info, "connected_clients"),
            .persistent = reply_count(save) != 2 || reply_str(reply_at(save, 1)).n > 0 ||
                          info_int(info, "aof_enabled") == 1,
        };
        if (s.maxclients == 0)
            s.maxclients = info_int(info, "maxclients");
        copy_value(s.version, sizeof s.version, info_value(info, "redis_version"));
        copy_value(s.maxmemory_policy, sizeof s.maxmemory_policy,
                   info_value(info, "maxmemory_policy"));
        *ret = s;
    }
    questions_release(&q);
    return rc;
}
