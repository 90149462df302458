#include "support/redis_fixture.h"

#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { HANG_MS = 30000 };

void must_start(struct redis_server *s, const struct redis_server_options *o)
{
    struct err err = {""};
    (void)signal(SIGPIPE, SIG_IGN); /* as every program does that talks to Redis */
    if (redis_server_start(s, o, &err) != 0)
        ck_abort_msg("%s", err.text);
}

void must_restart(struct redis_server *s)
{
    struct err err = {""};
    if (redis_server_restart(s, &err) != 0)
        ck_abort_msg("%s", err.text);
}

struct redis_options server_options(const struct redis_server *s)
{
    return (struct redis_options){
        .path = s->socket, .connect_timeout_ms = HANG_MS, .socket_timeout_ms = HANG_MS};
}

struct redis_options proxy_options(const struct proxy *p)
{
    return (struct redis_options){.host = "127.0.0.1",
                                  .port = p->port,
                                  .connect_timeout_ms = HANG_MS,
                                  .socket_timeout_ms = HANG_MS};
}

struct redis_conn *must_open(const struct redis_options *o)
{
    struct redis_conn *c = NULL;
    struct err err = {""};
    if (redis_conn_open(o, &c, &err) != 0)
        ck_abort_msg("open: %s", err.text);
    return c;
}

static struct reply *call(struct redis_conn *c, const char *fmt, va_list ap)
{
    struct reply *reply = NULL;
    struct err err = {""};
    if (redis_vcallf(c, &reply, &err, fmt, ap) != 0)
        ck_abort_msg("%s: %s", fmt, err.text);
    return reply;
}

struct reply *must_call(struct redis_conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct reply *reply = call(c, fmt, ap);
    va_end(ap);
    return reply;
}

int64_t must_int(struct redis_conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct reply *reply = call(c, fmt, ap);
    va_end(ap);
    int64_t n = reply_int(reply);
    reply_free(reply);
    return n;
}

void must_do(struct redis_conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    reply_free(call(c, fmt, ap));
    va_end(ap);
}

static char *copy_text(const struct reply *reply)
{
    if (reply_type(reply) == REPLY_NIL)
        return NULL;
    struct slice s = reply_str(reply);
    char *text = malloc(s.n + 1);
    ck_assert_ptr_nonnull(text);
    if (s.n > 0)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

char *must_text(struct redis_conn *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct reply *reply = call(c, fmt, ap);
    va_end(ap);
    char *text = copy_text(reply);
    reply_free(reply);
    return text;
}

bool answers_with(struct redis_conn *c, const char *text, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    struct reply *reply = call(c, fmt, ap);
    va_end(ap);
    bool same = text ? reply_type(reply) != REPLY_NIL && slice_is(reply_str(reply), text)
                     : reply_type(reply) == REPLY_NIL;
    reply_free(reply);
    return same;
}

void must_push(struct redis_conn *c, const char *key, struct slice bytes)
{
    must_do(c, "LPUSH %s %b", key, bytes.p, bytes.n);
}
