#include "support/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

/* One direction of a connection. One chunk at a time: nothing is read before it has gone. */
struct lane {
    int from, to;
    char chunk[16384];
    size_t at, n; /* what is left of the chunk */
    int64_t due_ns;
    bool ended; /* the sender has closed */
};

struct link {
    struct lane lane[PROXY_LANES];
    enum proxy_spell spell; /* of a trap */
    int64_t spell_after;    /* bytes of replies until it takes effect */
    bool dead;
};

/* The proxy thread's own view; the shared one is struct proxy, behind its mutex. */
struct relay {
    struct proxy *p;
    struct link **link;
    struct pollfd *fds; /* listener, wake, then client and server of each link */
    int count, cap;
    struct proxy_faults faults; /* copied once a round */
    int *held;                  /* servers' sides without a client */
    int nheld;
};

/* --- links --------------------------------------------------------------------------------- */

static void close_link(struct link *l)
{
    (void)close(l->lane[PROXY_REQUESTS].from);
    (void)close(l->lane[PROXY_REPLIES].from);
    free(l);
}

/* Closes the client's side alone; without memory, both. */
static void hold_link(struct relay *r, struct link *l)
{
    int *held = realloc(r->held, (size_t)(r->nheld + 1) * sizeof *held);
    int server = dup(l->lane[PROXY_REPLIES].from);
    if (held)
        r->held = held;
    if (held && server >= 0)
        r->held[r->nheld++] = server;
    else if (server >= 0)
        (void)close(server);
    close_link(l);
}

static void let_go(struct relay *r)
{
    while (r->nheld > 0)
        (void)close(r->held[--r->nheld]);
}

static void drop_dead(struct relay *r)
{
    int kept = 0;
    for (int i = 0; i < r->count; i++) {
        if (r->link[i]->dead && r->faults.hold)
            hold_link(r, r->link[i]);
        else if (r->link[i]->dead)
            close_link(r->link[i]);
        else
            r->link[kept++] = r->link[i];
    }
    r->count = kept;
    if (!r->faults.hold)
        let_go(r);
    mutex_lock(&r->p->mutex);
    r->p->stats.open = kept;
    r->p->stats.held = r->nheld;
    mutex_unlock(&r->p->mutex);
}

static int dial_upstream(struct proxy *p)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    mutex_lock(&p->mutex);
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", p->upstream);
    mutex_unlock(&p->mutex);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        (void)close(fd);
        fd = -1;
    }
    return fd;
}

static bool reserve_link(struct relay *r)
{
    if (r->count < r->cap)
        return true;
    int cap = r->cap ? r->cap * 2 : 16;
    struct link **link = realloc(r->link, (size_t)cap * sizeof(*link));
    if (link)
        r->link = link;
    struct pollfd *fds = realloc(r->fds, (size_t)(2 + 2 * cap) * sizeof *fds);
    if (fds)
        r->fds = fds;
    if (!link || !fds)
        return false;
    r->cap = cap;
    return true;
}

/* Closing with zero linger sends a reset instead of an orderly end. */
static void reset(int fd)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    (void)close(fd);
}

static void accept_one(struct relay *r)
{
    int client = accept4(r->p->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client < 0)
        return;
    int server = r->faults.refuse ? -1 : dial_upstream(r->p);
    struct link *l = server >= 0 && reserve_link(r) ? calloc(1, sizeof *l) : NULL;
    mutex_lock(&r->p->mutex);
    r->p->stats.accepted++;
    r->p->stats.refused += r->faults.refuse;
    mutex_unlock(&r->p->mutex);
    if (!l) {
        if (server >= 0)
            (void)close(server);
        reset(client);
        return;
    }
    int one = 1;
    (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    l->lane[PROXY_REQUESTS].from = l->lane[PROXY_REPLIES].to = client;
    l->lane[PROXY_REPLIES].from = l->lane[PROXY_REQUESTS].to = server;
    r->link[r->count++] = l;
}

/* --- bytes --------------------------------------------------------------------------------- */

static void receive(struct relay *r, struct link *l, enum proxy_lane which)
{
    struct lane *lane = &l->lane[which];
    ssize_t n = recv(lane->from, lane->chunk, sizeof lane->chunk, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        lane->ended = true;
        return;
    }
    if (r->faults.black_hole[which] ||
        (which == PROXY_REPLIES && l->spell == PROXY_MUTE && l->spell_after == 0)) {
        mutex_lock(&r->p->mutex);
        r->p->stats.swallowed[which] += (uint64_t)n;
        mutex_unlock(&r->p->mutex);
        return;
    }
    lane->at = 0;
    lane->n = (size_t)n;
    lane->due_ns = clock_deadline_ms(r->faults.delay_ms[which]);
}

/* How much of the chunk may pass now. */
static size_t allowance(const struct proxy_faults *f, enum proxy_lane which, size_t n)
{
    int64_t left = f->cut_after[which];
    return left >= 0 && (uint64_t)left < n ? (size_t)left : n;
}

static void spring_trap_locked(struct proxy *p, struct link *l)
{
    const struct lane *lane = &l->lane[PROXY_REQUESTS];
    struct proxy_trap *t = &p->trap;
    if (t->spell == PROXY_NONE ||
        !memmem(lane->chunk + lane->at, lane->n, t->text, strlen(t->text)))
        return;
    l->spell = t->spell;
    l->spell_after = t->after;
    t->spell = PROXY_NONE;
    p->stats.trapped++;
}

/* How much of a reply may pass, when the connection was trapped. */
static size_t spell_locked(struct proxy *p, struct link *l, size_t want)
{
    if (l->spell == PROXY_NONE)
        return want;
    if (l->spell == PROXY_MUTE && l->spell_after == 0) {
        p->stats.swallowed[PROXY_REPLIES] += l->lane[PROXY_REPLIES].n;
        l->lane[PROXY_REPLIES].n = 0;
        return 0;
    }
    if (l->spell_after == 0) {
        p->stats.cuts++;
        l->dead = true;
        return 0;
    }
    return (uint64_t)l->spell_after < want ? (size_t)l->spell_after : want;
}

static void forward(struct relay *r, struct link *l, enum proxy_lane which)
{
    struct lane *lane = &l->lane[which];
    struct proxy *p = r->p;
    mutex_lock(&p->mutex); /* the send does not block, and the count must fit the cut */
    size_t want = allowance(&p->faults, which, lane->n);
    if (which == PROXY_REQUESTS)
        spring_trap_locked(p, l);
    else
        want = spell_locked(p, l, want);
    ssize_t sent = want ? send(lane->to, lane->chunk + lane->at, want, MSG_NOSIGNAL) : 0;
    if (sent < 0)
        l->dead = errno != EAGAIN && errno != EINTR;
    if (sent > 0) {
        lane->at += (size_t)sent;
        lane->n -= (size_t)sent;
        p->stats.passed[which] += (uint64_t)sent;
        if (which == PROXY_REPLIES && l->spell != PROXY_NONE)
            l->spell_after -= sent;
    }
    if (sent >= 0 && p->faults.cut_after[which] >= 0) {
        p->faults.cut_after[which] -= sent;
        if (p->faults.cut_after[which] == 0) {
            p->faults.cut_after[which] = -1;
            p->stats.cuts++;
            l->dead = true;
        }
    }
    mutex_unlock(&p->mutex);
}

static void serve(struct relay *r, struct link *l, const struct pollfd *fds, int64_t now_ns)
{
    for (enum proxy_lane w = PROXY_REQUESTS; w < PROXY_LANES && !l->dead; w++) {
        struct lane *lane = &l->lane[w];
        const struct pollfd *from = &fds[w == PROXY_REQUESTS ? 0 : 1];
        if (lane->n == 0 && !lane->ended && from->revents)
            receive(r, l, w);
        if (lane->n > 0 && now_ns >= lane->due_ns)
            forward(r, l, w);
        if (lane->n == 0 && lane->ended)
            l->dead = true;
    }
}

/* --- the thread ---------------------------------------------------------------------------- */

/* Fills in what to wait for and returns how long. A chunk that is held back is waited for by time,
 * one that is due by writability. */
static int prepare(struct relay *r)
{
    int64_t now_ns = clock_now_ns(), wake_ns = CLOCK_NEVER;
    r->fds[0] = (struct pollfd){.fd = r->p->listener, .events = POLLIN};
    r->fds[1] = (struct pollfd){.fd = r->p->wake, .events = POLLIN};
    for (int i = 0; i < r->count; i++) {
        struct pollfd *side = &r->fds[2 + 2 * i];
        for (int w = 0; w < PROXY_LANES; w++)
            side[w] = (struct pollfd){.fd = r->link[i]->lane[w].from};
        for (int w = 0; w < PROXY_LANES; w++) {
            const struct lane *lane = &r->link[i]->lane[w];
            if (lane->n == 0)
                side[w].events |= POLLIN;
            else if (now_ns >= lane->due_ns)
                side[!w].events |= POLLOUT;
            else if (lane->due_ns < wake_ns)
                wake_ns = lane->due_ns;
        }
        for (int w = 0; w < PROXY_LANES; w++)
            if (!side[w].events)
                side[w].fd = -1; /* else a hang-up, which is always reported, would spin */
    }
    return clock_poll_ms(wake_ns);
}

/* Takes over what was set from outside. False when the proxy is to stop. */
static bool update(struct relay *r)
{
    mutex_lock(&r->p->mutex);
    r->faults = r->p->faults;
    bool drop_all = r->p->drop_all;
    r->p->drop_all = false;
    bool stopping = r->p->stopping;
    mutex_unlock(&r->p->mutex);
    for (int i = 0; i < r->count && drop_all; i++)
        r->link[i]->dead = true;
    return !stopping;
}

static void *relay_main(void *arg)
{
    struct relay r = {.p = arg};
    while (reserve_link(&r) && update(&r)) {
        drop_dead(&r);
        int timeout_ms = prepare(&r);
        if (poll(r.fds, (nfds_t)(2 + 2 * r.count), timeout_ms) < 0)
            continue;
        uint64_t count;
        if (r.fds[1].revents)
            (void)!read(r.p->wake, &count, sizeof count); /* only to empty it */
        if (!update(&r))
            break;
        int64_t now_ns = clock_now_ns();
        bool newcomer = r.fds[0].revents != 0;
        for (int i = 0; i < r.count; i++)
            if (!r.link[i]->dead)
                serve(&r, r.link[i], &r.fds[2 + 2 * i], now_ns);
        if (newcomer)
            accept_one(&r);
    }
    for (int i = 0; i < r.count; i++)
        close_link(r.link[i]);
    let_go(&r);
    free(r.held);
    free(r.link);
    free(r.fds);
    return NULL;
}

/* --- from outside -------------------------------------------------------------------------- */

static int listen_on_loopback(int *ret_port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&addr, len) != 0 || listen(fd, 1024) != 0 ||
        getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        int rc = -errno;
        (void)close(fd);
        return rc;
    }
    *ret_port = ntohs(addr.sin_port);
    return fd;
}

int proxy_start(struct proxy *p, const char *upstream, struct err *err)
{
    *p = (struct proxy){.faults = {.cut_after = {-1, -1}}};
    (void)snprintf(p->upstream, sizeof p->upstream, "%s", upstream);
    p->listener = listen_on_loopback(&p->port);
    if (p->listener < 0)
        return err_set(err, p->listener, "proxy: cannot listen: %s", strerror(-p->listener));
    p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mutex_init(&p->mutex);
    int rc = p->wake < 0 ? -errno : thread_start(&p->thread, "proxy", relay_main, p);
    if (rc != 0) {
        (void)close(p->listener);
        if (p->wake >= 0)
            (void)close(p->wake);
        mutex_release(&p->mutex);
        return err_set(err, rc, "proxy: %s", strerror(-rc));
    }
    return 0;
}

/* Unlocks after a change and makes the thread look at it. */
static void publish(struct proxy *p)
{
    mutex_unlock(&p->mutex);
    uint64_t one = 1;
    (void)!write(p->wake, &one, sizeof one); /* fails only when a wake-up is pending already */
}

void proxy_stop(struct proxy *p)
{
    if (!p->thread.started)
        return;
    mutex_lock(&p->mutex);
    p->stopping = true;
    publish(p);
    thread_join(&p->thread);
    (void)close(p->listener);
    (void)close(p->wake);
    mutex_release(&p->mutex);
}

void proxy_refuse(struct proxy *p, bool on)
{
    mutex_lock(&p->mutex);
    p->faults.refuse = on;
    publish(p);
}

void proxy_black_hole(struct proxy *p, enum proxy_lane lane, bool on)
{
    mutex_lock(&p->mutex);
    p->faults.black_hole[lane] = on;
    publish(p);
}

void proxy_delay(struct proxy *p, enum proxy_lane lane, int64_t ms)
{
    mutex_lock(&p->mutex);
    p->faults.delay_ms[lane] = ms;
    publish(p);
}

void proxy_cut(struct proxy *p, enum proxy_lane lane, int64_t k)
{
    mutex_lock(&p->mutex);
    p->faults.cut_after[lane] = k;
    publish(p);
}

void proxy_trap(struct proxy *p, const char *text, enum proxy_spell spell, int64_t after)
{
    mutex_lock(&p->mutex);
    p->trap = (struct proxy_trap){.spell = spell, .after = after};
    (void)snprintf(p->trap.text, sizeof p->trap.text, "%s", text);
    publish(p);
}

void proxy_hold(struct proxy *p, bool on)
{
    mutex_lock(&p->mutex);
    p->faults.hold = on;
    publish(p);
}

void proxy_retarget(struct proxy *p, const char *upstream)
{
    mutex_lock(&p->mutex);
    (void)snprintf(p->upstream, sizeof p->upstream, "%s", upstream);
    publish(p);
}

void proxy_drop_all(struct proxy *p)
{
    mutex_lock(&p->mutex);
    p->drop_all = true;
    publish(p);
}

struct proxy_stats proxy_stats(struct proxy *p)
{
    mutex_lock(&p->mutex);
    struct proxy_stats s = p->stats;
    mutex_unlock(&p->mutex);
    return s;
}
