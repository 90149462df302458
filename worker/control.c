#include "worker/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/cancel.h"
#include "store/control.h"
#include "worker/obey.h"

#define PING_NS    (10 * NS_PER_S)
#define SILENCE_NS (15 * NS_PER_S) /* with a PING in between: the link is dead */
#define POLL_NS    (2 * NS_PER_S)  /* between two looks where subscribing is refused */
#define TAKE_NS    (2 * NS_PER_S)
#define LEAVE_NS   (200 * NS_PER_MS) /* for the last answers, when stopping */

enum { MESSAGES_MAX = 256 }; /* read before what they ask for is written */

/* ---- the state ---- */

static int read_state(struct control *c, struct redis_conn *conn, struct reply **ret_jids,
                      struct wanted *ret_wanted, struct err *err)
{
    int rc = store_cancelled(c->store, conn, ret_jids, err);
    if (rc == -EMEDIUMTYPE) {
        log_error("the key `sluice:cancelled` is no sorted set: what was cancelled is not known");
        rc = 0;
    }
    if (rc != 0)
        return rc;
    rc = store_wanted_read(c->store, conn, ret_wanted, err);
    if (rc == -EMEDIUMTYPE) {
        log_error("a key of what is wanted is no hash: orders are heard, but not read again",
                  log_str("error", err ? err->text : ""));
        rc = 0;
    }
    return rc;
}

static int sync_state(struct control *c, struct err *err)
{
    struct redis_conn *conn = NULL;
    struct reply *jids = NULL;
    struct wanted wanted = {0};
    int rc = redis_pool_take(c->pool, clock_now_ns() + TAKE_NS, &conn, err);
    if (rc != 0)
        return rc;
    rc = read_state(c, conn, &jids, &wanted, err);
    redis_pool_give(c->pool, conn);
    if (rc == 0)
        rc = cancelled_replace(c->cancelled, jids);
    reply_free(jids);
    if (rc != 0)
        return rc;
    c->cancel(c->cancel_ctx);
    obey_wanted(c, &wanted);
    return 0;
}

/* ---- the connection ---- */

static void hang_up(struct control *c)
{
    if (c->conn)
        redis_pool_give_private(c->pool, c->conn);
    c->conn = NULL;
    c->behind = false;
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
    c->behind = rc == 0; /* messages may have come with the confirmation */
    return rc;
}

/* What is left unread, since there is much of it, may be in our buffers, where poll() sees none. */
static int read_messages(struct control *c)
{
    c->behind = true;
    for (int n = 0; n < MESSAGES_MAX && !inbox_is_full(c->inbox); n++) {
        int rc = redis_conn_poll(c->conn, &c->behind);
        if (rc != 0 || !c->behind)
            return rc;
        struct reply *reply = NULL;
        struct slice text;
        rc = redis_conn_read(c->conn, &reply, NULL);
        c->heard_ns = clock_now_ns();
        if (rc == 0 && store_control_message(reply, &text))
            obey_message(c, text);
        reply_free(reply);
        if (rc != 0)
            return rc;
    }
    return 0;
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
    bool full = inbox_is_full(c->inbox); /* the bell tells when it is not any more */
    struct pollfd fds[3] = {{.fd = full ? -1 : redis_conn_fd(c->conn), .events = POLLIN},
                            {.fd = c->wake, .events = POLLIN},
                            {.fd = c->inbox->bell, .events = POLLIN}};
    (void)poll(fds, 3, c->behind && !full ? 0 : 1000); /* EINTR: look anyway */
    int rc = fds[0].revents || c->behind ? read_messages(c) : 0;
    if (c->cancels) /* once for many, since it looks at every thread */
        c->cancel(c->cancel_ctx);
    c->cancels = false;
    obey_collect(c);
    obey_flush(c, clock_now_ns() + TAKE_NS);
    return rc;
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
        log_debug("orders are not heard at the moment",
                  log_str("error", err.text[0] ? err.text : err_phrase(rc)));
        if (rc == -EACCES) {
            if (!refused)
                log_warn("orders are not heard at once: subscribing is refused",
                         log_str("error", err.text));
            refused = true;
            (void)!sync_state(c, NULL); /* tried again soon */
            obey_collect(c);
            pause_until(c, clock_now_ns() + POLL_NS);
        } else {
            redis_pool_wait_ready(c->pool, clock_now_ns() + TAKE_NS);
            pause_until(c, clock_deadline_ms(100));
        }
    }
    hang_up(c);
    obey_collect(c);
    obey_flush(c, clock_now_ns() + LEAVE_NS);
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
