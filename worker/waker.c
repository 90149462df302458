#include "worker/waker.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/claim.h"
#include "worker/failpoint.h"

enum { POLL_MS = 100, OUTAGE_MS = 1000, ASK_AHEAD_MAX = 4 };
#define PAUSED_CHECK_NS (1 * NS_PER_S)
#define WRONG_CHECK_NS  (5 * NS_PER_S)
#define REFUSED_NS      (1 * NS_PER_S)
#define OVERDUE_NS      (2 * NS_PER_S) /* a wait that is this much overdue is a dead connection */

struct wait_slot {
    char *queue;
    struct redis_conn *conn;
    int64_t client_id; /* at the server, to end its wait */
    uint64_t seq;      /* the claim the next job lands in; 0 = none yet */
    uint64_t generation;
    bool armed;
    bool paused;
    int64_t overdue_ns;     /* while armed */
    int64_t ghost_id;       /* a lost client, which may be waiting … */
    int64_t ghost_until_ns; /* … until then; 0: there is none */
    int64_t not_before_ns;  /* paused, or refused */
};

void waker_notify(void *waker)
{
    struct waker *w = waker;
    uint64_t one = 1;
    ssize_t n = write(w->event_fd, &one, sizeof one);
    (void)n; /* EAGAIN: it is signalled already */
}

/* ---- connections ---- */

static void ask_client_id(struct wait_slot *slot)
{
    struct reply *id = NULL;
    if (redis_callf(slot->conn, &id, NULL, "CLIENT ID") == 0)
        slot->client_id = reply_int(id);
    reply_free(id);
}

/* Best effort: where CLIENT LIST or KILL is forbidden, the ghost ends with its wait. The name is
 * looked at because a server that was restarted gives the same ids to others. */
static void exorcise(struct waker *w, struct wait_slot *slot, struct redis_conn *conn)
{
    struct reply *line = NULL;
    long long id = slot->ghost_id;
    int rc = redis_callf(conn, &line, NULL, "CLIENT LIST ID %lld", id);
    if (rc == 0 && strstr(reply_str(line).p, store_identity(w->store)))
        rc = redis_callf(conn, NULL, NULL, "CLIENT KILL ID %lld", id);
    if (rc == 0)
        slot->ghost_until_ns = 0;
    reply_free(line);
}

static int open_slot(struct waker *w, struct wait_slot *slot)
{
    struct err err = {""};
    int rc = redis_pool_take_private(w->pool, "wait", REDIS_IN_TURN, &slot->conn, &err);
    if (rc != 0) {
        log_debug("no connection to wait on", log_str("queue", slot->queue),
                  log_str("error", err.text));
        return rc;
    }
    ask_client_id(slot);
    if (slot->ghost_until_ns != 0) {
        exorcise(w, slot, slot->conn);
        w->lost_reply(w->lost_reply_ctx);
    }
    return 0;
}

static void forget_number(struct waker *w, struct wait_slot *slot)
{
    if (slot->seq)
        inflight_end(w->inflight, slot->seq);
    slot->seq = 0;
}

/* A key of the wrong type stays until somebody mends it; anything else may be over any moment. */
static void refused(struct wait_slot *slot, int rc, const struct err *err)
{
    bool wrong = rc == -EMEDIUMTYPE;
    log_at(wrong ? LOG_ERROR : LOG_WARN, "waiting on a queue is refused",
           log_str("queue", slot->queue), log_str("error", err->text));
    slot->not_before_ns = clock_now_ns() + (wrong ? WRONG_CHECK_NS : REFUSED_NS);
}

static void close_slot(struct waker *w, struct wait_slot *slot)
{
    if (slot->conn)
        redis_pool_give_private(w->pool, slot->conn);
    slot->conn = NULL;
    if (slot->armed) {
        slot->ghost_id = slot->client_id;
        slot->ghost_until_ns = slot->overdue_ns;
    }
    slot->armed = false;
    slot->client_id = 0;
    forget_number(w, slot);
}

/* Redis is away, or its master is: whatever is tried next needs a new connection. */
static bool is_away(int rc)
{
    return rc == -ENOTCONN || rc == -EROFS;
}

static void break_slot(struct waker *w, struct wait_slot *slot, const char *why)
{
    log_warn("a blocking wait was lost", log_str("queue", slot->queue), log_str("error", why));
    close_slot(w, slot);
    heartbeat_note_trouble(w->heartbeat);
    w->lost_reply(w->lost_reply_ctx);
}

/* What landed is too large to be read. It lies in the claim, whose number is forgotten, so that
 * reconciliation looks at it, and buries it. The connection goes with it; Redis is in no trouble.
 */
static void refuse_landed(struct waker *w, struct wait_slot *slot)
{
    log_debug("a blocking wait brought a job that is too large", log_str("queue", slot->queue));
    slot->armed = false;
    close_slot(w, slot);
    w->lost_reply(w->lost_reply_ctx);
}

/* ---- waiting and landing ---- */

/* Is the queue paused? With few queues the question rides along with each wait, so that the answer
 * is there when a job is. With many that would double what an idle worker costs Redis, and it is
 * asked only when a job has landed. */
static bool asks_ahead(const struct waker *w)
{
    return w->nslots <= ASK_AHEAD_MAX;
}

/* is_away() of what it returns tells that Redis is; -EAGAIN: it is back, our turn has not come. */
static int arm(struct waker *w, struct wait_slot *slot)
{
    int64_t now = clock_now_ns();
    if (slot->armed || now < slot->not_before_ns)
        return 0;
    if (!slot->conn) {
        int rc = open_slot(w, slot);
        if (rc != 0)
            return rc;
    }
    if (slot->paused) {
        if (store_is_paused(w->store, slot->conn, slot->queue, &slot->paused, NULL) != 0) {
            break_slot(w, slot, "no answer");
            return -ENOTCONN;
        }
        if (slot->paused) {
            slot->not_before_ns = now + PAUSED_CHECK_NS;
            return 0;
        }
    }
    if (slot->seq && slot->generation != heartbeat_generation(w->heartbeat))
        forget_number(w, slot); /* its registration may be gone with the lease */
    if (slot->seq == 0) {
        struct err err = {""};
        slot->generation = heartbeat_generation(w->heartbeat);
        slot->seq = inflight_begin(w->inflight);
        if (slot->seq == 0)
            return 0;
        int rc = store_wait_register(w->store, slot->conn, slot->seq, slot->queue, &err);
        if (is_away(rc)) {
            break_slot(w, slot, err.text);
            return rc;
        }
        if (rc != 0) {
            refused(slot, rc, &err);
            forget_number(w, slot);
            return 0;
        }
    }
    if (!heartbeat_may_wait(w->heartbeat)) /* all that took a while */
        return 0;
    double seconds = heartbeat_wait_seconds(w->heartbeat);
    slot->armed = true; /* even when sending fails: the server may have it all the same */
    slot->overdue_ns = clock_now_ns() + (int64_t)(seconds * (double)NS_PER_S) + OVERDUE_NS;
    if (store_wait_send(w->store, slot->conn, slot->seq, slot->queue, seconds, asks_ahead(w)) !=
        0) {
        break_slot(w, slot, "the connection is gone");
        return -ENOTCONN;
    }
    return 0;
}

static void land(struct waker *w, struct wait_slot *slot, struct reply *payload)
{
    struct claim *claim = claim_new(slot->seq, slot->generation, slot->queue, 1, payload);
    if (!claim) {
        reply_free(payload);
        close_slot(w, slot); /* forgets the number: it is adopted when there is memory */
        return;
    }
    claim->jobs[0].payload = reply_str(payload);
    failpoint("landed");
    slot->seq = 0; /* stays in inflight: the claim's now */
    atomic_fetch_add(&w->landed, 1);
    if (slot->paused || dispatch_landed(w->dispatch, claim) != 0)
        settler_give_back(w->settler, &claim->jobs[0]);
}

/* Reads the end of a wait; blocks only if the reply is not there yet. */
static void read_wait(struct waker *w, struct wait_slot *slot)
{
    struct reply *payload = NULL;
    struct err err = {""};
    int rc = store_wait_read(slot->conn, asks_ahead(w), &payload, &slot->paused, &err);
    if (rc == -ENOTCONN) {
        break_slot(w, slot, err.text);
        return;
    }
    if (rc == -EMSGSIZE) {
        refuse_landed(w, slot);
        return;
    }
    slot->armed = false;
    if (rc == -EROFS) { /* it has not taken a job, and is no ghost either */
        break_slot(w, slot, err.text);
        return;
    }
    if (rc == 0 && payload && !asks_ahead(w) &&
        store_is_paused(w->store, slot->conn, slot->queue, &slot->paused, NULL) != 0)
        slot->paused = true; /* in doubt not run: the job goes back and the next wait asks again */
    if (rc == 0) {
        if (slot->paused)
            slot->not_before_ns = clock_now_ns() + PAUSED_CHECK_NS;
        if (payload)
            land(w, slot, payload);
    } else {
        refused(slot, rc, &err);
    }
}

static void check_wait(struct waker *w, struct wait_slot *slot, bool readable)
{
    bool ready = false;
    if (!slot->armed)
        return;
    int rc = readable ? redis_conn_poll(slot->conn, &ready) : 0;
    if (rc == -EMSGSIZE)
        refuse_landed(w, slot);
    else if (rc != 0)
        break_slot(w, slot, "the connection broke");
    else if (ready)
        read_wait(w, slot);
    else if (clock_now_ns() > slot->overdue_ns)
        break_slot(w, slot, "no reply in time");
}

/* Ends all waits at the server, so that none can take a job after we have stopped listening. */
static void disarm_all(struct waker *w)
{
    struct redis_conn *conn = NULL;
    for (int i = 0; i < w->nslots; i++) {
        struct wait_slot *slot = &w->slots[i];
        if (!slot->armed && slot->ghost_until_ns == 0)
            continue;
        if (!conn && redis_pool_take(w->pool, clock_deadline_ms(OUTAGE_MS), &conn, NULL) != 0)
            break;
        if (slot->armed) {
            (void)!redis_callf(conn, NULL, NULL, "CLIENT UNBLOCK %lld", (long long)slot->client_id);
            read_wait(w, slot);
        }
        if (slot->ghost_until_ns != 0)
            exorcise(w, slot, conn);
    }
    if (conn)
        redis_pool_give(w->pool, conn);
}

/* ---- the thread ---- */

static void close_all(struct waker *w)
{
    disarm_all(w);
    for (int i = 0; i < w->nslots; i++) {
        close_slot(w, &w->slots[i]);
        if (w->slots[i].ghost_until_ns > w->ghosts_until_ns)
            w->ghosts_until_ns = w->slots[i].ghost_until_ns;
        free(w->slots[i].queue);
    }
    free(w->slots);
    w->slots = NULL;
    w->nslots = 0;
}

/* Follows the settings: one slot per queue. */
static void follow_conf(struct waker *w)
{
    uint64_t version;
    struct conf *conf = live_conf(w->live, &version);
    if (version != w->conf_version) {
        close_all(w);
        int n = conf->nqueues < CONF_BLOCKING_MAX ? conf->nqueues : CONF_BLOCKING_MAX;
        w->slots = calloc((size_t)n, sizeof *w->slots);
        for (int i = 0; w->slots && i < n; i++) {
            w->slots[i].queue = strdup(conf->queues[i].name);
            if (!w->slots[i].queue)
                break;
            w->nslots++;
        }
        w->more_queues = conf->nqueues > w->nslots;
        w->conf_version = version;
    }
    conf_unref(conf);
}

/* Starts the waits that are due. False when Redis is away. */
static bool arm_all(struct waker *w)
{
    w->unwatched = w->more_queues;
    for (int i = 0; i < w->nslots; i++) {
        int rc = arm(w, &w->slots[i]);
        if (is_away(rc))
            return false;
        w->unwatched = w->unwatched || rc == -EAGAIN;
    }
    return true;
}

static int64_t earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Until when poll() may sleep. */
static int64_t next_look(const struct waker *w, bool waiting, int64_t recheck_ns)
{
    int64_t at = recheck_ns;
    int64_t now = clock_now_ns();
    for (int i = 0; i < w->nslots; i++) {
        const struct wait_slot *slot = &w->slots[i];
        if (slot->armed)
            at = earliest(at, slot->overdue_ns);
        else if (waiting)
            at = earliest(at, slot->not_before_ns > now ? slot->not_before_ns
                                                        : now + POLL_MS * NS_PER_MS);
    }
    if (waiting && w->unwatched)
        at = earliest(at, now + POLL_MS * NS_PER_MS);
    return at;
}

static void sleep_until(struct waker *w, int64_t deadline_ns)
{
    struct pollfd fds[CONF_BLOCKING_MAX + 1] = {{.fd = w->event_fd, .events = POLLIN}};
    for (int i = 0; i < w->nslots; i++) {
        fds[i + 1].fd = w->slots[i].armed ? redis_conn_fd(w->slots[i].conn) : -1;
        fds[i + 1].events = POLLIN;
    }
    (void)poll(fds, (nfds_t)w->nslots + 1, clock_poll_ms(deadline_ns)); /* EINTR: look anyway */
    if (fds[0].revents) {
        uint64_t count;
        ssize_t n = read(w->event_fd, &count, sizeof count);
        (void)n; /* it only says that something changed */
    }
    for (int i = 0; i < w->nslots; i++)
        check_wait(w, &w->slots[i], fds[i + 1].revents != 0);
}

static void *waker_main(void *arg)
{
    struct waker *w = arg;
    while (!atomic_load(&w->stopping)) {
        follow_conf(w);
        bool open = dispatch_is_open(w->dispatch);
        int64_t recheck_ns;
        settler_give_back(w->settler, dispatch_surplus(w->dispatch, !open, &recheck_ns));
        if (!open)
            disarm_all(w);

        unsigned free_threads;
        bool waiting = dispatch_is_dry(w->dispatch, &free_threads) && free_threads > 0;
        if (waiting && !heartbeat_may_wait(w->heartbeat)) {
            waiting = false;
            recheck_ns = earliest(recheck_ns, clock_deadline_ms(POLL_MS));
        }
        if (waiting && !arm_all(w)) {
            redis_pool_wait_ready(w->pool, clock_deadline_ms(OUTAGE_MS));
            recheck_ns = clock_deadline_ms(POLL_MS / 2);
        }
        int64_t deadline = next_look(w, waiting, recheck_ns);
        sleep_until(w, deadline);
        if (waiting && w->unwatched && clock_now_ns() >= deadline)
            dispatch_suspect(w->dispatch);
    }
    close_all(w);
    return NULL;
}

int waker_init(struct waker *w)
{
    w->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return w->event_fd < 0 ? -errno : 0;
}

int waker_start(struct waker *w)
{
    return thread_start(&w->thread, "waker", waker_main, w);
}

void waker_stop(struct waker *w)
{
    atomic_store(&w->stopping, true);
    waker_notify(w);
    thread_join(&w->thread);
    int64_t unused;
    settler_give_back(w->settler, dispatch_surplus(w->dispatch, true, &unused));
}

bool waker_has_ghosts(const struct waker *w)
{
    return clock_now_ns() < w->ghosts_until_ns;
}

void waker_release(struct waker *w)
{
    if (w->event_fd >= 0)
        (void)close(w->event_fd);
}
