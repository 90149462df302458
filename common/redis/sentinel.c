#include "redis/sentinel.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* A host name has at most 253 bytes. */
enum { HOST_MAX = 256 };

struct master {
    char host[HOST_MAX];
    int port;
};

/* ret is complete only when 0 is returned. */
static int read_answer(const struct reply *r, const char *service, struct master *ret,
                       struct err *err)
{
    if (reply_type(r) == REPLY_NIL)
        return err_set(err, -ENOTCONN, "it does not know the service \"%s\"", service);
    struct slice host = reply_str(reply_at(r, 0));
    int64_t port = reply_int(reply_at(r, 1));
    if (host.n == 0 || host.n >= sizeof ret->host || port < 1 || port > 65535)
        return err_set(err, -ENOTCONN, "it names no address for the service \"%s\"", service);
    (void)snprintf(ret->host, sizeof ret->host, "%.*s", (int)host.n, host.p); /* it fits */
    ret->port = (int)port;
    return 0;
}

/* Where does this sentinel say the master is? */
static int ask(const struct redis_options *o, const struct redis_address *sentinel,
               int64_t deadline_ns, struct master *ret, struct err *err)
{
    int left_ms = clock_poll_ms(deadline_ns);
    struct redis_options to = {
        .host = sentinel->host,
        .port = sentinel->port,
        .username = o->sentinel_username,
        .password = o->sentinel_password,
        .socket_timeout_ms = left_ms > 0 ? left_ms : 1,
    };
    struct redis_conn *c = NULL;
    struct reply *answer = NULL;
    int rc = redis_conn_open_direct(&to, deadline_ns, &c, err);
    if (rc != 0)
        return rc;
    left_ms = clock_poll_ms(deadline_ns);
    rc = redis_conn_set_timeout(c, left_ms > 0 ? left_ms : 1);
    if (rc == 0)
        rc = redis_callf(c, &answer, err, "SENTINEL GET-MASTER-ADDR-BY-NAME %s", o->service);
    if (rc == 0)
        rc = read_answer(answer, o->service, ret, err);
    reply_free(answer);
    redis_conn_free(c);
    return rc;
}

static int open_master(const struct redis_options *o, const struct master *at, int64_t deadline_ns,
                       struct redis_conn **ret, struct err *err)
{
    struct redis_options to = *o;
    to.host = at->host;
    to.port = at->port;
    to.master = true;
    int rc = redis_conn_open_direct(&to, deadline_ns, ret, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "it names the master %s port %d", at->host, at->port);
}

/* One sentinel and, when it answers, its master. */
static int try_one(const struct redis_options *o, int i, int64_t budget_ns, struct redis_conn **ret,
                   struct err *err)
{
    struct master master;
    int64_t now_ns = clock_now_ns();
    int rc = ask(o, &o->sentinels[i], now_ns + budget_ns / 2, &master, err);
    return rc == 0 ? open_master(o, &master, now_ns + budget_ns, ret, err) : rc;
}

int sentinel_open(const struct redis_options *o, int64_t deadline_ns, struct redis_conn **ret,
                  struct err *err)
{
    static atomic_int last; /* that led to a master; of another list it is merely a place */
    struct buf reasons = {0};
    int first = atomic_load(&last) % o->nsentinels, code = -ENOTCONN;
    for (int n = 0; n < o->nsentinels; n++) {
        int i = (first + n) % o->nsentinels;
        int64_t budget_ns = (deadline_ns - clock_now_ns()) / (o->nsentinels - n);
        struct err why = {""};
        int rc = try_one(o, i, budget_ns, ret, &why);
        if (rc == 0) {
            atomic_store(&last, i);
            buf_release(&reasons);
            return 0;
        }
        if (rc == -EACCES || rc == -EINVAL || rc == -ENOMEM)
            code = rc;
        buf_printf(&reasons, "%ssentinel %s port %d: %s", n > 0 ? "; " : "", o->sentinels[i].host,
                   o->sentinels[i].port, why.text);
    }
    err_set(err, code, "%s", buf_str(&reasons));
    buf_release(&reasons);
    return code;
}
