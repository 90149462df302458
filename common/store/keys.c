#include "keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Keys with the prefix alone, and those that also carry the identity (%s). */
static const char *const names[KEY_COUNT] = {
    [KEY_QUEUES] = "queues",
    [KEY_SCHEDULE] = "schedule",
    [KEY_RETRY] = "retry",
    [KEY_DEAD] = "dead",
    [KEY_PAUSED] = "paused",
    [KEY_PROCESSES] = "processes",
    [KEY_PROCESSED] = "stat:processed",
    [KEY_FAILED] = "stat:failed",
    [KEY_WORKERS] = "sluice:workers",
    [KEY_CANCELLED] = "sluice:cancelled",
    [KEY_CONTROL] = "sluice:control",
    [KEY_WANTED] = "sluice:wanted",
    [KEY_QUEUE_PREFIX] = "queue:",
    [KEY_JOB_PREFIX] = "sluice:job:",
    [KEY_STREAM_PREFIX] = "sluice:stream:",
    [KEY_DELIVERY_PREFIX] = "sluice:deliveries:",
    [KEY_TRIAL_PREFIX] = "sluice:trial:",
    [KEY_LEASE_PREFIX] = "sluice:lease:",
    [KEY_CLAIMS_PREFIX] = "sluice:claims:",
    [KEY_CLAIM_PREFIX] = "sluice:claim:",
    [KEY_QUARANTINE_PREFIX] = "sluice:quarantine:",
    [KEY_IDEMPOTENCY_PREFIX] = "sluice:idempotency:",
    [KEY_SENT_PREFIX] = "sluice:sent:",
    [KEY_WANTED_PREFIX] = "sluice:wanted:",
    [KEY_REPLY_PREFIX] = "sluice:reply:",
};

static const struct {
    const char *before, *after;
} own_names[KEY_COUNT] = {
    [KEY_LEASE] = {"sluice:lease:", ""},
    [KEY_CLAIMS] = {"sluice:claims:", ""},
    [KEY_OWN_CLAIM_PREFIX] = {"sluice:claim:", ":"},
    [KEY_SELF] = {"", ""},
    [KEY_WORK] = {"", ":work"},
    [KEY_WORK_OLD] = {"", ":workers"},
    [KEY_SIGNALS] = {"", "-signals"},
    [KEY_OWN_CONTROL] = {"sluice:control:", ""},
    [KEY_OWN_WANTED] = {"sluice:wanted:", ""},
};

static int make(char **ret, const char *prefix, const char *before, const char *middle,
                const char *after)
{
    return asprintf(ret, "%s%s%s%s", prefix, before, middle, after) < 0 ? -ENOMEM : 0;
}

int store_new(const char *prefix, const char *identity, struct store **ret)
{
    struct store *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    int rc = 0;
    s->prefix = strdup(prefix ? prefix : "");
    if (identity)
        s->identity = strdup(identity);
    if (!s->prefix || (identity && !s->identity))
        rc = -ENOMEM;
    for (int k = 0; rc == 0 && k < KEY_COUNT; k++) {
        if (names[k])
            rc = make(&s->key[k], s->prefix, names[k], "", "");
        else if (identity)
            rc = make(&s->key[k], s->prefix, own_names[k].before, identity, own_names[k].after);
    }
    if (rc != 0) {
        store_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

void store_free(struct store *s)
{
    if (!s)
        return;
    for (int k = 0; k < KEY_COUNT; k++)
        free(s->key[k]);
    free(s->prefix);
    free(s->identity);
    free(s);
}

const char *store_identity(const struct store *s)
{
    return s->identity;
}

void store_add_key(struct command *cmd, const struct store *s, enum key prefix, const char *suffix)
{
    command_join(cmd, store_key(s, prefix), slice_of(suffix));
}

void store_add_day_key(struct command *cmd, const struct store *s, enum key stat, double now)
{
    time_t sec = (time_t)now;
    struct tm tm;
    char day[16];
    (void)gmtime_r(&sec, &tm);
    (void)strftime(day, sizeof day, "%Y-%m-%d", &tm);
    command_printf(cmd, "%s:%s", s->key[stat], day);
}

int store_ask_number(struct redis_conn *c, const struct command *cmd, int64_t *ret, struct err *err)
{
    struct reply *reply = NULL;
    int rc = redis_call(c, cmd, &reply, err);
    if (rc == 0 && !reply_whole(reply, ret)) {
        struct slice verb = command_arg(cmd, 0);
        rc = err_set(err, -EPROTO, "%.*s: an unexpected reply", (int)verb.n, verb.p);
    }
    reply_free(reply);
    return rc;
}

struct slice store_tombstone(void)
{
    return (struct slice){STORE_TOMBSTONE, sizeof STORE_TOMBSTONE - 1};
}

int store_time(struct redis_conn *c, double *ret_now, struct err *err)
{
    struct reply *reply = NULL;
    int64_t s, us;
    int rc = redis_callf(c, &reply, err, "TIME");
    if (rc == 0 && (!reply_whole(reply_at(reply, 0), &s) || !reply_whole(reply_at(reply, 1), &us)))
        rc = err_set(err, -EPROTO, "TIME: an unexpected reply of %zu parts", reply_count(reply));
    if (rc == 0)
        *ret_now = (double)s + (double)us / 1e6;
    reply_free(reply);
    return rc;
}
