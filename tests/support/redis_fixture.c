#include "support/redis_fixture.h"

#include <signal.h>
#include <stdarg.h>

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
