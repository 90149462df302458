#include "http_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "front.h"

enum { ANSWER_MAX = 65536, EVENTS = 256, SAMPLES_MAX = 1 << 20, PATIENCE_MS = 30000 };

struct client {
    int fd;
    int64_t began_ns;
    size_t sent, got;
    char *answer; /* ANSWER_MAX and a NUL */
};

struct run {
    const struct http_load *load;
    int epoll, open;
    int64_t ends_ns;
    struct http_load_result result;
    double *sample_us; /* the first SAMPLES_MAX */
    int samples;
};

void http_load_request(struct buf *out, const char *path, struct slice body)
{
    buf_printf(out,
               "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\nAccept: */*\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               path, body.n);
    buf_put(out, body);
}

static void watch(const struct run *r, struct client *c, int how, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (epoll_ctl(r->epoll, how, c->fd, &event) != 0)
        lab_fail("epoll: %s", strerror(errno));
}

static void send_more(struct client *c, struct slice request)
{
    ssize_t n = send(c->fd, request.p + c->sent, request.n - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN)
        lab_fail("a client cannot send: %s", strerror(errno));
    c->sent += n > 0 ? (size_t)n : 0;
}

static void begin(struct client *c, struct slice request)
{
    c->began_ns = clock_now_ns();
    c->sent = c->got = 0;
    send_more(c, request);
}

/* True when the answer is there as a whole. */
static bool is_whole(const struct client *c)
{
    static const char length[] = "\r\nContent-Length: ", accepted[] = "HTTP/1.1 202 ";
    const char *body = strstr(c->answer, "\r\n\r\n"), *at = strcasestr(c->answer, length);
    if (!body)
        return false;
    if (strncmp(c->answer, accepted, strlen(accepted)) != 0 || !at)
        lab_fail("202 is wanted: %s", c->answer);
    return c->answer + c->got == body + 4 + strtoul(at + strlen(length), NULL, 10);
}

/* True when the answer is complete. */
static bool read_answer(struct client *c)
{
    ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - c->got, MSG_DONTWAIT);
    if (n < 0 && errno == EAGAIN)
        return false;
    if (n <= 0)
        lab_fail("a client was hung up on in the middle of an answer");
    c->got += (size_t)n;
    c->answer[c->got] = '\0';
    return is_whole(c);
}

static void count(struct run *r, const struct client *c, int64_t now)
{
    r->result.answers++;
    if (r->samples < SAMPLES_MAX)
        r->sample_us[r->samples++] = (double)(now - c->began_ns) / 1000;
}

static void serve(struct run *r, struct client *c)
{
    if (c->sent < r->load->request.n) {
        send_more(c, r->load->request);
        return;
    }
    if (!read_answer(c))
        return;
    int64_t now = clock_now_ns();
    count(r, c, now);
    if (now < r->ends_ns) {
        begin(c, r->load->request);
        return;
    }
    (void)close(c->fd); /* all was read */
    c->fd = -1;
    r->open--;
}

static void loop(struct run *r)
{
    struct epoll_event events[EVENTS];
    while (r->open > 0) {
        int n = epoll_wait(r->epoll, events, EVENTS, PATIENCE_MS);
        if (n <= 0)
            lab_fail("%d clients wait for answers that do not come", r->open);
        for (int i = 0; i < n; i++)
            serve(r, events[i].data.ptr);
    }
}

struct http_load_result http_load_run(const struct http_load *load)
{
    struct client *clients = calloc((size_t)load->clients, sizeof *clients);
    struct run r = {.load = load, .epoll = epoll_create1(EPOLL_CLOEXEC), .open = load->clients};
    r.sample_us = calloc(SAMPLES_MAX, sizeof *r.sample_us);
    if (!clients || !r.sample_us || r.epoll < 0)
        lab_fail("no memory");
    int64_t began_ns = clock_now_ns();
    r.ends_ns = began_ns + (int64_t)(load->seconds * (double)NS_PER_S);
    for (int i = 0; i < load->clients; i++) {
        clients[i] =
            (struct client){.fd = front_dial(load->port), .answer = malloc(ANSWER_MAX + 1)};
        if (clients[i].fd < 0 || !clients[i].answer)
            lab_fail("a client cannot connect");
        begin(&clients[i], load->request);
        watch(&r, &clients[i], EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET);
    }
    loop(&r);
    r.result.per_s =
        (double)r.result.answers / ((double)(clock_now_ns() - began_ns) / (double)NS_PER_S);
    (void)lab_median(r.sample_us, r.samples); /* sorts */
    r.result.p50_us = r.sample_us[r.samples / 2];
    r.result.p99_us = r.sample_us[(int)(r.samples * 0.99)];
    for (int i = 0; i < load->clients; i++)
        free(clients[i].answer);
    (void)close(r.epoll); /* nothing was written */
    free(r.sample_us);
    free(clients);
    return r.result;
}
