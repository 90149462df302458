#include "worker/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "store/cancel.h"
#include "store/control.h"

#define PING_NS    (10 * NS_PER_S)
#define SILENCE_NS (15 * NS_PER_S) /* with a PING in between: the link is dead */
#define POLL_NS    (2 * NS_PER_S)  /* between two looks where subscribing is refused */
#define TAKE_NS    (2 * NS_PER_S)

/* ---- messages ---- */

struct message {
    struct slice cmd, jid; /* raw JSON strings */
};

static int take_member(void *ctx, const struct json_member *member)
{
    struct message *m = ctx;
    if (member->type == JSON_STRING && json_key_is(member->key, "cmd"))
        m->cmd = member->value;
    else if (member->type == JSON_STRING && json_key_is(member->key, "jid"))
        m->jid = member->value;
    return 0;
}

static void obey_cancel(struct control *c, struct slice raw_jid)
{
    struct buf jid = {0};
    int rc = raw_jid.n > 0 ? json_decode_string(raw_jid, &jid) : -EINVAL;
    if (rc == 0)
        rc = cancelled_add(c->cancelled, buf_str(&jid));
    if (rc == 0)
        c->cancel(c->cancel_ctx);
    else
        log_warn("an order to cancel was not understood", log_str("error", err_phrase(rc)));
    buf_release(&jid);
}

static void obey(struct control *c, struct slice text)
{
    static const char *const orders[] = {[CONTROL_QUIET] = "\"quiet\"",
                                         [CONTROL_RESUME] = "\"resume\"",
                                         [CONTROL_STOP] = "\"stop\""};
    struct message m = {{"", 0}, {"", 0}};
    struct err err = {""};
    enum json_type type;
    if (json_scan(text, &type, take_member, &m, &err) != 0 || type != JSON_OBJECT) {
        log_warn("an order that is no JSON object was ignored", log_str("error", err.text));
        return;
    }
    if (slice_is(m.cmd, "\"cancel\"")) {
        obey_cancel(c, m.jid);
        return;
    }
    for (int i = 0; i < (int)(sizeof orders / sizeof orders[0]); i++)
        if (slice_is(m.cmd, orders[i])) {
            c->order(c->order_ctx, (enum control_order)i);
            return;
        }
    log_warn("an unknown order was ignored", log_slice("cmd", m.cmd));
}

/* ---- the state ---- */

static int sync_state(struct control *c, struct err *err)
{
    struct redis_conn *conn = NULL;
    struct reply *jids = NULL;
    int rc = redis_pool_take(c->pool, clock_now_ns() + TAKE_NS, &conn, err);
    if (rc != 0)
        return rc;
    rc = store_cancelled(c->store, conn, &jids, err);
    redis_pool_give(c->pool, conn);
    if (rc == -EMEDIUMTYPE) {
        log_error("the key `sluice:cancelled` is no sorted set: what was cancelled is not known");
        rc = 0;
    }
    if (rc == 0)
        rc = cancelled_replace(c->cancelled, jids);
    reply_free(jids);
    if (rc != 0)
        return rc;
    c->cancel(c->cancel_ctx);
    return 0;
}

/* ---- the connection ---- */

static void hang_up(struct control *c)
{
    if (c->conn)
        redis_pool_give_private(c->pool, c->conn);
    c->conn = NULL;
}

/* Subscribed, then read: what is ordered meanwhile comes as a message. */
static int connect_and_sync(struct control *c, struct err *err)
{
    int rc = redis_pool_take_private(c->pool, "control", REDIS_IN_TURN, &c->conn, err);
    if (rc == 0)
        rc = store_control_subscribe(c->store, c->conn, err);
    if (rc == 0)
        rc = sync_state(c, err);
    c->heard_ns = c->pinged_ns = clock_now_ns();
    return rc;
}

static int read_messages(struct control *c)
{
    bool ready = true;
    int rc = 0;
    while (rc == 0 && (rc = redis_conn_poll(c->conn, &ready)) == 0 && ready) {
        struct reply *reply = NULL;
        struct slice text;
        rc = redis_conn_read(c->conn, &reply, NULL);
        c->heard_ns = clock_now_ns();
        if (rc == 0 && store_control_message(reply, &text))
            obey(c, text);
        reply_free(reply);
    }
    return rc;
}

/* Sleeps until there is something to read or to do. */
static int listen(struct control *c)
{
    int64_t now = clock_now_ns();
    /* A subscription is not refused by a server that is demoted, and hears less there. */
    if (now - c->heard_ns > SILENCE_NS || redis_pool_outdated(c->pool, c->conn))
        return -ENOTCONN;
    if (now - c->heard_ns > PING_NS && now - c->pinged_ns > PING_NS) {
        c->pinged_ns = now;
        int rc = store_control_ping(c->conn);
        if (rc != 0)
            return rc;
    }
    struct pollfd fds[2] = {{.fd = redis_conn_fd(c->conn), .events = POLLIN},
                            {.fd = c->wake, .events = POLLIN}};
    (void)poll(fds, 2, 1000); /* EINTR: look anyway */
    return fds[0].revents ? read_messages(c) : 0;
}

static void pause_until(struct control *c, int64_t deadline_ns)
{
    struct pollfd fd = {.fd = c->wake, .events = POLLIN};
    (void)poll(&fd, 1, clock_poll_ms(deadline_ns)); /* woken to stop, or never mind */
}

static void *control_main(void *arg)
{
    struct control *c = arg;
    bool refused = false;
    while (!atomic_load(&c->stopping)) {
        struct err err = {""};
        int rc = c->conn ? listen(c) : connect_and_sync(c, &err);
        if (rc == 0)
            continue;
        hang_up(c);
        if (rc == -EACCES) {
            if (!refused)
                log_warn("orders are not heard at once: subscribing is refused",
                         log_str("error", err.text));
            refused = true;
            (void)!sync_state(c, NULL); /* tried again soon */
            pause_until(c, clock_now_ns() + POLL_NS);
        } else {
            redis_pool_wait_ready(c->pool, clock_now_ns() + TAKE_NS);
            pause_until(c, clock_deadline_ms(100));
        }
    }
    hang_up(c);
    return NULL;
}

int control_start(struct control *c)
{
    c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (c->wake < 0)
        return -errno;
    int rc = thread_start(&c->thread, "control", control_main, c);
    if (rc != 0)
        (void)close(c->wake); /* nothing was written to it */
    return rc;
}

void control_stop(struct control *c)
{
    uint64_t one = 1;
    atomic_store(&c->stopping, true);
    (void)!write(c->wake, &one, sizeof one); /* a counter of 1 always fits */
    thread_join(&c->thread);
    (void)close(c->wake); /* nothing to flush */
}
