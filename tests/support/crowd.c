#include "support/crowd.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/support.h"

enum {
    OTHER_FDS = 200, /* of the test, and of what it starts */
    LOOK_MS = 5,     /* between two looks at who dials or hears again */
    DIAL_MS = 100,   /* at most, until somebody who was cut off dials again */
    AT_ONCE = 256,   /* viewers served by one wait */
};

static void allow_descriptors(size_t n)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    rlim_t wanted = n + OTHER_FDS;
    if (limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = wanted;
    ck_assert_msg(wanted <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0,
                  "%zu descriptors are needed (ulimit -Hn)", (size_t)wanted);
}

void crowd_init(struct crowd *c, size_t n, uint64_t seed)
{
    *c = (struct crowd){.dice = dice_of(seed, 1)};
    allow_descriptors(n);
    c->viewer = calloc(n, sizeof *c->viewer);
    ck_assert_ptr_nonnull(c->viewer);
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    ck_assert_int_ge(c->epoll, 0);
}

void crowd_free(struct crowd *c)
{
    for (size_t i = 0; i < c->n; i++)
        viewer_free(&c->viewer[i].v);
    free(c->viewer);
    (void)close(c->epoll); /* nothing was written */
    *c = (struct crowd){.epoll = -1};
}

struct crowd_viewer *crowd_join(struct crowd *c, int port, const char *jid, int64_t last,
                                viewer_judge *judge, const void *ctx)
{
    struct crowd_viewer *cv = &c->viewer[c->n++];
    *cv = (struct crowd_viewer){.v = {.port = port, .judge = judge, .judge_ctx = ctx, .fd = -1},
                                .last = last,
                                .cut_in = -1};
    ck_assert_uint_lt(strlen(jid), sizeof cv->v.jid);
    memcpy(cv->v.jid, jid, strlen(jid) + 1);
    return cv;
}

/* ---- one connection ---- */

static void leave(struct crowd *c, struct crowd_viewer *cv)
{
    c->torn += cv->v.headed && cv->v.in.n > 0;
    viewer_cut(&cv->v);
    cv->cut_in = -1;
    cv->deaf_ns = 0;
    cv->dial_ns = clock_deadline_ms(dice_between(&c->dice, 0, DIAL_MS));
}

static void watch(struct crowd *c, struct crowd_viewer *cv, int order, uint32_t what)
{
    struct epoll_event e = {.events = what, .data.ptr = cv};
    ck_assert_int_eq(epoll_ctl(c->epoll, order, cv->v.fd, &e), 0);
}

static void dial(struct crowd *c, struct crowd_viewer *cv)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)cv->v.port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    cv->v.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(cv->v.fd, 0);
    c->dials++;
    if (connect(cv->v.fd, (struct sockaddr *)&addr, sizeof addr) != 0 && errno != EINPROGRESS) {
        c->refused++;
        leave(c, cv);
        return;
    }
    cv->dialing = true;
    watch(c, cv, EPOLL_CTL_ADD, EPOLLOUT);
}

static void request(struct crowd *c, struct crowd_viewer *cv)
{
    char text[256];
    size_t n = viewer_request(&cv->v, text, sizeof text);
    if (send(cv->v.fd, text, n, MSG_NOSIGNAL) != (ssize_t)n) { /* a fresh socket holds it */
        c->refused++;
        leave(c, cv);
        return;
    }
    cv->dialing = false;
    watch(c, cv, EPOLL_CTL_MOD, EPOLLIN);
}

static void cut(struct crowd *c, struct crowd_viewer *cv)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (cv->reset) {
        ck_assert_int_eq(setsockopt(cv->v.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
        c->resets++;
    } else {
        c->cuts++;
    }
    leave(c, cv);
}

/* Once, so that nobody is served for long while others wait. */
static void pull(struct crowd *c, struct crowd_viewer *cv)
{
    char bytes[65536];
    size_t room = sizeof bytes;
    if (cv->cut_in >= 0 && (size_t)cv->cut_in < room)
        room = (size_t)cv->cut_in;
    ssize_t n = recv(cv->v.fd, bytes, room, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n > 0) {
        viewer_take(&cv->v, bytes, (size_t)n);
        cv->cut_in -= cv->cut_in >= 0 ? n : 0;
        if (cv->cut_in == 0)
            cut(c, cv);
        return;
    }
    if (!cv->v.final)
        leave(c, cv);
    viewer_hung_up(&cv->v);
    c->ended += cv->v.ended;
    c->hangups += !cv->v.ended;
}

/* ---- all of them ---- */

static void look(struct crowd *c)
{
    int64_t now = clock_now_ns();
    if (now < c->look_ns)
        return;
    c->look_ns = now + LOOK_MS * NS_PER_MS;
    for (struct crowd_viewer *cv = c->viewer; cv < c->viewer + c->n; cv++) {
        if (cv->deaf_ns != 0 && now >= cv->deaf_ns) {
            cv->deaf_ns = 0;
            if (cv->v.fd >= 0 && !cv->dialing)
                watch(c, cv, EPOLL_CTL_MOD, EPOLLIN);
        }
        if (cv->v.fd < 0 && !cv->v.ended && now >= cv->dial_ns)
            dial(c, cv);
    }
}

void crowd_step(struct crowd *c, int64_t ms)
{
    struct epoll_event ready[AT_ONCE];
    look(c);
    int n = epoll_wait(c->epoll, ready, AT_ONCE, (int)(ms < LOOK_MS ? ms : LOOK_MS));
    for (int i = 0; i < n; i++) {
        struct crowd_viewer *cv = ready[i].data.ptr;
        if (cv->dialing)
            request(c, cv);
        else if (cv->deaf_ns == 0)
            pull(c, cv);
        else /* an error is told to the deaf as well */
            leave(c, cv);
    }
}

void crowd_run(struct crowd *c, int64_t ms)
{
    int64_t until_ns = clock_deadline_ms(ms);
    for (int64_t left; (left = until_ns - clock_now_ns()) > 0;)
        crowd_step(c, 1 + left / NS_PER_MS);
}

void crowd_cut(struct crowd *c, struct crowd_viewer *cv, int64_t bytes, bool reset)
{
    if (cv->v.fd < 0 || cv->dialing)
        return;
    cv->reset = reset;
    cv->cut_in = bytes;
    if (bytes == 0)
        cut(c, cv);
}

void crowd_deafen(struct crowd *c, struct crowd_viewer *cv, int64_t ms)
{
    if (cv->v.fd < 0 || cv->dialing)
        return;
    c->deaf++;
    cv->deaf_ns = clock_deadline_ms(ms);
    watch(c, cv, EPOLL_CTL_MOD, 0);
}

size_t crowd_present(const struct crowd *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->viewer[i].v.headed;
    return n;
}

struct crowd_verdict crowd_judge(const struct crowd *c)
{
    struct crowd_verdict all = {.complaint = ""};
    for (const struct crowd_viewer *cv = c->viewer; cv < c->viewer + c->n; cv++) {
        all.events += cv->v.events;
        all.lost += cv->v.lost + (cv->v.ended && cv->v.id < cv->last ? cv->last - cv->v.id : 0);
        all.doubled += cv->v.doubled;
        all.odd += cv->v.odd + (cv->v.id > cv->last);
        all.unfinished += !cv->v.ended;
        if (!all.complaint[0])
            all.complaint = cv->v.complaint;
    }
    return all;
}
