#include "store/server.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "questions.h"
#include "scripts.h"

static const struct slice nothing = {"", 0};

/* ---- INFO ----------------------------------------------------------------------------------- */

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
            .replica = slice_is(info_value(info, "role"), "slave"),
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

/* ---- A thorough look ------------------------------------------------------------------------ */

static const char *const settings[] = {
    "maxclients",
    "maxmemory",
    "maxmemory-policy",
    "save",
    "appendonly",
    "appendfsync",
    "timeout",
    "databases",
    "lua-time-limit",
    "busy-reply-threshold",
    "min-replicas-to-write",
    "slowlog-log-slower-than",
};
enum { SETTINGS = sizeof settings / sizeof settings[0], SLOW_ENTRIES = 128 };
enum { LOOK_INFO, LOOK_SLOW, LOOK_USER, LOOK_SETTINGS, LOOK_ANSWERS = LOOK_SETTINGS + SETTINGS };

void server_look_release(struct server_look *look)
{
    for (size_t i = 0; i < look->answers; i++)
        reply_free(look->answer[i]);
    free(look->answer);
    *look = (struct server_look){0};
}

struct slice server_fact(const struct server_look *look, const char *name)
{
    const struct reply *info = look->answers > LOOK_INFO ? look->answer[LOOK_INFO] : NULL;
    return reply_type(info) == REPLY_STRING ? info_value(reply_str(info), name) : nothing;
}

int64_t server_fact_int(const struct server_look *look, const char *name)
{
    char digits[24];
    copy_value(digits, sizeof digits, server_fact(look, name));
    return strtoll(digits, NULL, 10);
}

struct slice server_setting(const struct server_look *look, const char *name, bool *ret_known)
{
    for (size_t i = 0; i < SETTINGS && LOOK_SETTINGS + i < look->answers; i++) {
        const struct reply *value = reply_field(look->answer[LOOK_SETTINGS + i], name);
        if (strcmp(settings[i], name) != 0 || !value)
            continue;
        if (ret_known)
            *ret_known = true;
        return reply_str(value);
    }
    if (ret_known)
        *ret_known = false;
    return nothing;
}

int64_t server_setting_int(const struct server_look *look, const char *name, bool *ret_known)
{
    char digits[24];
    copy_value(digits, sizeof digits, server_setting(look, name, ret_known));
    return strtoll(digits, NULL, 10);
}

/* Answers that are refusals stay what they are, and read as empty. */
static int ask(struct questions *q, struct err *err)
{
    int rc = questions_read(q, err);
    return rc == -EACCES || rc == -EPROTO ? 0 : rc;
}

static int read_settings(struct redis_conn *c, struct server_look *look, struct err *err)
{
    struct questions q = {.c = c};
    question_ask(&q, "INFO");
    command_text(&q.cmd, "SLOWLOG");
    command_text(&q.cmd, "GET");
    command_int(&q.cmd, SLOW_ENTRIES);
    question_send(&q);
    command_text(&q.cmd, "ACL");
    command_text(&q.cmd, "WHOAMI");
    question_send(&q);
    for (size_t i = 0; i < SETTINGS; i++) {
        command_text(&q.cmd, "CONFIG");
        command_text(&q.cmd, "GET");
        command_text(&q.cmd, settings[i]);
        question_send(&q);
    }
    int rc = ask(&q, err);
    if (rc == 0) {
        look->answer = q.answers; /* handed over */
        look->answers = q.n;
        q.answers = NULL;
    }
    questions_release(&q);
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static int measure(struct redis_conn *c, struct server_look *look, struct err *err)
{
    double us[SERVER_PINGS];
    for (int i = 0; i < SERVER_PINGS; i++) {
        int64_t began = clock_now_ns();
        int rc = redis_callf(c, NULL, err, "PING");
        if (rc != 0)
            return rc;
        us[i] = (double)(clock_now_ns() - began) / 1000;
    }
    qsort(us, SERVER_PINGS, sizeof us[0], by_size);
    look->ping_min_us = us[0];
    look->ping_p50_us = us[SERVER_PINGS / 2];
    look->ping_p99_us = us[SERVER_PINGS - 1 - SERVER_PINGS / 100];

    double now = 0;
    int64_t began = clock_now_ns();
    int rc = store_time(c, &now, err);
    double half_s = (double)(clock_now_ns() - began) / 2 / (double)NS_PER_S;
    if (rc == -EACCES) /* told with the rights */
        return 0;
    look->clock_ahead_s = now + half_s - (double)clock_wall_us() / 1e6;
    return rc;
}

static bool is_ours(const struct reply *words)
{
    static const struct script *const scripts[] = {
        &script_claim,   &script_settle, &script_stream,  &script_due,
        &script_promote, &script_renew,  &script_recover, &script_forget,
    };
    for (size_t i = 0; i < sizeof scripts / sizeof scripts[0]; i++)
        if (slice_is(reply_str(reply_at(words, 1)), scripts[i]->sha1))
            return true;
    return false;
}

static void read_slow_log(struct server_look *look)
{
    enum { ENTRY_TIME = 1, ENTRY_US = 2, ENTRY_WORDS = 3 };
    const struct reply *log = look->answer[LOOK_SLOW];
    int64_t now = clock_wall_us() / 1000000 + (int64_t)look->clock_ahead_s;
    look->slow_known = reply_type(log) == REPLY_ARRAY;
    for (size_t i = 0; i < reply_count(log); i++) {
        const struct reply *entry = reply_at(log, i);
        int64_t us = reply_int(reply_at(entry, ENTRY_US));
        if (us < SERVER_SLOW_US || reply_int(reply_at(entry, ENTRY_TIME)) < now - SERVER_SLOW_S)
            continue;
        look->slow++;
        look->slow_ours += is_ours(reply_at(entry, ENTRY_WORDS));
        look->slowest_us = us > look->slowest_us ? us : look->slowest_us;
    }
}

/* ---- Rights --------------------------------------------------------------------------------- */

/* What Sluice sends, and what its scripts call; %s is a key of the prefix. */
static const char *const needed[][7] = {
    {"EVALSHA", "0", "0"},
    {"EVAL", "return 1", "0"},
    {"BLMOVE", "%s", "%s", "RIGHT", "LEFT", "1"},
    {"BLPOP", "%s", "1"},
    {"LPUSH", "%s", "x"},
    {"RPUSH", "%s", "x"},
    {"RPOP", "%s"},
    {"LRANGE", "%s", "0", "1"},
    {"LTRIM", "%s", "0", "1"},
    {"LSET", "%s", "0", "x"},
    {"LINDEX", "%s", "0"},
    {"LLEN", "%s"},
    {"DEL", "%s"},
    {"UNLINK", "%s"},
    {"COPY", "%s", "%s"},
    {"EXISTS", "%s"},
    {"EXPIRE", "%s", "1"},
    {"TYPE", "%s"},
    {"SET", "%s", "x", "GET"},
    {"GET", "%s"},
    {"MGET", "%s"},
    {"INCRBY", "%s", "1"},
    {"HSET", "%s", "x", "x"},
    {"HDEL", "%s", "x"},
    {"HGET", "%s", "x"},
    {"HGETALL", "%s"},
    {"HLEN", "%s"},
    {"SADD", "%s", "x"},
    {"SREM", "%s", "x"},
    {"SMEMBERS", "%s"},
    {"SISMEMBER", "%s", "x"},
    {"SCARD", "%s"},
    {"ZADD", "%s", "1", "x"},
    {"ZREM", "%s", "x"},
    {"ZRANGE", "%s", "0", "1"},
    {"ZRANGEBYSCORE", "%s", "0", "1"},
    {"ZREMRANGEBYSCORE", "%s", "0", "1"},
    {"ZREMRANGEBYRANK", "%s", "0", "1"},
    {"PUBLISH", "%s", "x"},
    {"TIME"},
    {"PING"},
    {"MULTI"},
    {"EXEC"},
    {"INFO"},
};
enum { NEEDED = sizeof needed / sizeof needed[0] };

static void ask_right(struct questions *q, const struct store *s, struct slice user,
                      const char *const *words)
{
    command_text(&q->cmd, "ACL");
    command_text(&q->cmd, "DRYRUN");
    command_copy(&q->cmd, user);
    for (int i = 0; i < 7 && words[i]; i++) {
        if (strcmp(words[i], "%s") == 0)
            command_add(&q->cmd, store_key(s, KEY_WORKERS));
        else
            command_text(&q->cmd, words[i]);
    }
    question_send(q);
}

/* OK, or a text that says what is refused; an error when the question itself is (or is unknown,
 * before Redis 7). */
static int read_rights(const struct store *s, struct redis_conn *c, struct server_look *look,
                       struct err *err)
{
    struct questions q = {.c = c};
    const struct reply *who = look->answer[LOOK_USER];
    if (reply_type(who) != REPLY_STRING)
        return 0;
    struct slice user = reply_str(who);
    copy_value(look->user, sizeof look->user, user);
    for (size_t i = 0; i < NEEDED; i++)
        ask_right(&q, s, user, needed[i]);
    int rc = ask(&q, err);
    look->rights_known = rc == 0;
    for (size_t i = 0; rc == 0 && i < NEEDED; i++) {
        const struct reply *verdict = question_answer(&q, i);
        if (reply_type(verdict) == REPLY_ERROR)
            look->rights_known = false;
        size_t n = strlen(look->refused);
        if (reply_type(verdict) == REPLY_STRING)
            (void)snprintf(look->refused + n, sizeof look->refused - n, "%s%s", n > 0 ? ", " : "",
                           needed[i][0]); /* cut: the first ones say enough */
    }
    questions_release(&q);
    return rc;
}

int store_server_look(const struct store *s, struct redis_conn *c, struct server_look *ret,
                      struct err *err)
{
    struct server_look look = {0};
    int rc = read_settings(c, &look, err);
    if (rc == 0)
        rc = measure(c, &look, err);
    if (rc == 0) {
        read_slow_log(&look);
        rc = read_rights(s, c, &look, err);
    }
    if (rc == 0)
        *ret = look;
    else
        server_look_release(&look);
    return rc;
}
