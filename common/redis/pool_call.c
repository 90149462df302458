/* Operations that ride: of those who wait at the gate, whoever has a connection sends what many of
 * them want in one pipeline, and reads their replies. */
#include <stddef.h>

#include "redis/pool_parts.h"

enum {
    RIDERS = 128,     /* at once on one connection … */
    RIDE_BYTES = 2048 /* … and what each may send: of more, the pipeline is not where time goes */
};

struct operation {
    struct permit_waiter waiter;
    const struct command *cmd;
    int n;              /* commands … */
    int sent;           /* … and of these, how many went out */
    struct reply **ret; /* a reply for each, or NULL */
    struct err *err;
    int rc; /* of the first failure */
};

static struct operation *of_waiter(struct permit_waiter *w)
{
    return (struct operation *)(void *)((char *)w - offsetof(struct operation, waiter));
}

static bool is_small(const struct operation *o)
{
    size_t bytes = 0;
    for (int i = 0; i < o->n; i++)
        for (int k = 0; k < o->cmd[i].n; k++)
            bytes += command_arg(&o->cmd[i], k).n;
    return bytes <= RIDE_BYTES;
}

static void send(struct redis_conn *c, struct operation *o)
{
    for (; o->sent < o->n && o->rc == 0; o->sent += o->rc == 0)
        o->rc = redis_conn_send(c, &o->cmd[o->sent]);
    if (o->rc != 0)
        (void)err_set(o->err, o->rc, "%s", err_phrase(o->rc));
}

/* All replies to what was sent, be it in vain: the next ones belong to others. */
static void receive(struct redis_conn *c, struct operation *o)
{
    for (int i = 0; i < o->sent; i++) {
        struct reply *reply = NULL;
        struct err *err = o->rc == 0 ? o->err : NULL;
        int rc = redis_conn_read(c, &reply, err);
        if (rc == 0)
            rc = reply_error(reply, err);
        if (o->rc == 0)
            o->rc = rc;
        if (o->ret && o->rc == 0)
            o->ret[i] = reply;
        else
            reply_free(reply);
    }
}

static void carry(struct redis_pool *pool, struct redis_conn *c, struct operation *own)
{
    struct permit_waiter *riders = permit_board(&pool->permit, RIDERS);
    unsigned n = 0;
    send(c, own);
    for (struct permit_waiter *w = riders; w; w = w->behind, n++)
        send(c, of_waiter(w));
    receive(c, own);
    while (riders) {
        struct permit_waiter *w = riders;
        riders = w->behind;
        receive(c, of_waiter(w));
        permit_alight(w);
    }
    atomic_fetch_add(&pool->rode, n);
}

int redis_pool_call(struct redis_pool *pool, int64_t deadline_ns, const struct command *cmd, int n,
                    struct reply **ret, struct err *err)
{
    struct operation own = {.cmd = cmd, .n = n, .ret = ret, .err = err};
    struct redis_conn *c = NULL;
    for (int i = 0; ret && i < n; i++)
        ret[i] = NULL;
    int rc = redis_pool_enter(pool, deadline_ns, is_small(&own) ? &own.waiter : NULL, &c, err);
    if (rc < 0)
        return rc;
    if (rc != PERMIT_RODE) {
        carry(pool, c, &own);
        redis_pool_give(pool, c);
    }
    for (int i = 0; ret && own.rc != 0 && i < n; i++) {
        reply_free(ret[i]);
        ret[i] = NULL;
    }
    return own.rc;
}
