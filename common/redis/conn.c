#include "redis/conn.h"

#include <assert.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "redis/bulk_cap.h"
#include "redis/dial.h"
#include "redis/greet.h"
#include "redis/reply_build.h"
#include "redis/sentinel.h"
#include "redis/tls.h"

struct redis_conn {
    redisContext *redis;
    struct reply_builder builder; /* what its reader makes replies with */
    bool local;                   /* a unix socket */
    bool broken;
    bool demoted;       /* the server is no master: no more commands */
    unsigned pending;   /* commands sent whose replies have not been read */
    struct reply *next; /* received by redis_conn_poll() and not read yet */
    int receive_ms;     /* the wait for replies that is in force */
    int send_ms;
    int64_t deadline_ns; /* bounds both waits; CLOCK_NEVER: it does not */
    size_t bulk_max;     /* bytes of a string in a reply; 0: any */
    struct redis_conn_note note;

    /* The arguments of the command being sent, in the shape that hiredis takes; kept so that a
     * send in steady state allocates nothing here. */
    const char **argv;
    size_t *argvlen;
    int arg_cap;
};

struct redis_conn_note *redis_conn_note(struct redis_conn *c)
{
    return &c->note;
}

void redis_conn_set_bulk_max(struct redis_conn *c, size_t bytes)
{
    c->bulk_max = bytes;
}

bool redis_conn_broken(const struct redis_conn *c)
{
    return c->broken || c->demoted;
}

bool redis_conn_demoted(const struct redis_conn *c)
{
    return c->demoted;
}

bool redis_conn_reusable(const struct redis_conn *c)
{
    const redisReader *in = c->redis->reader;
    return !redis_conn_broken(c) && c->pending == 0 && !c->next && in->pos == in->len;
}

int redis_conn_fd(const struct redis_conn *c)
{
    return c->redis->fd;
}

bool redis_conn_stale(const struct redis_conn *c)
{
    if (!redis_conn_reusable(c))
        return true;
    char byte;
    ssize_t n = recv(c->redis->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return !(n < 0 && (errno == EAGAIN || errno == EINTR));
}

int redis_conn_set_timeout(struct redis_conn *c, int timeout_ms)
{
    assert(timeout_ms > 0);
    int rc = dial_set_timeouts(c->redis->fd, timeout_ms, c->send_ms);
    if (rc == 0)
        c->receive_ms = timeout_ms;
    return rc;
}

void redis_conn_set_deadline(struct redis_conn *c, int64_t deadline_ns)
{
    bool lifted = deadline_ns == CLOCK_NEVER && c->deadline_ns != CLOCK_NEVER;
    c->deadline_ns = deadline_ns;
    if (lifted && dial_set_timeouts(c->redis->fd, c->receive_ms, c->send_ms) != 0)
        c->broken = true; /* its waits are no longer what they should be */
}

/* Marks the connection broken, with the reason that hiredis and errno give. */
static int fail(struct redis_conn *c, int saved_errno, struct err *err)
{
    c->broken = true;
    if (c->redis->err == REDIS_ERR_IO && saved_errno == EAGAIN)
        return err_set(err, -ENOTCONN, "no answer within %d ms", c->receive_ms);
    if (c->redis->err == REDIS_ERR_OOM)
        return err_set(err, -ENOMEM, "out of memory while talking to Redis");
    return err_set(err, -ENOTCONN, "connection lost: %s", c->redis->errstr);
}

static int fail_again(struct err *err)
{
    return err_set(err, -ENOTCONN, "connection lost before");
}

/* Before each wait: it lasts no longer than the deadline leaves. */
static int hold_to_deadline(struct redis_conn *c, struct err *err)
{
    if (c->deadline_ns == CLOCK_NEVER)
        return 0;
    int left_ms = clock_poll_ms(c->deadline_ns);
    if (left_ms > 0 &&
        dial_set_timeouts(c->redis->fd, left_ms < c->receive_ms ? left_ms : c->receive_ms,
                          left_ms < c->send_ms ? left_ms : c->send_ms) == 0)
        return 0;
    c->broken = true;
    return err_set(err, -ENOTCONN, "no answer within %d ms", c->receive_ms);
}

/* Why no command may be sent; 0 when one may. */
static int refusal(const struct redis_conn *c)
{
    return c->broken ? -ENOTCONN : c->demoted ? -EROFS : 0;
}

static int reserve_args(struct redis_conn *c, int n)
{
    if (n <= c->arg_cap)
        return 0;
    const char **argv = realloc(c->argv, (size_t)n * sizeof *argv);
    if (argv)
        c->argv = argv;
    size_t *argvlen = realloc(c->argvlen, (size_t)n * sizeof *argvlen);
    if (argvlen)
        c->argvlen = argvlen;
    if (!argv || !argvlen)
        return -ENOMEM;
    c->arg_cap = n;
    return 0;
}

int redis_conn_send(struct redis_conn *c, const struct command *cmd)
{
    int rc = refusal(c);
    if (rc == 0)
        rc = command_error(cmd);
    if (rc == 0)
        rc = reserve_args(c, cmd->n);
    if (rc != 0)
        return rc;
    assert(cmd->n > 0);
    for (int i = 0; i < cmd->n; i++) {
        struct slice arg = command_arg(cmd, i);
        c->argv[i] = arg.p;
        c->argvlen[i] = arg.n;
    }
    if (redisAppendCommandArgv(c->redis, cmd->n, c->argv, c->argvlen) != REDIS_OK) {
        c->broken = true; /* part of it may be in the output buffer */
        return -ENOMEM;
    }
    c->pending++;
    return 0;
}

int redis_conn_flush(struct redis_conn *c, struct err *err)
{
    if (c->broken)
        return fail_again(err);
    for (int done = 0; !done;) {
        int rc = hold_to_deadline(c, err);
        if (rc != 0)
            return rc;
        if (redisBufferWrite(c->redis, &done) != REDIS_OK)
            return fail(c, errno, err);
    }
    return 0;
}

/* The next reply out of what has arrived; NULL when that is not yet all of it. */
static int parse(struct redis_conn *c, struct reply **ret, struct err *err)
{
    void *reply = NULL;
    if (redisGetReplyFromReader(c->redis, &reply) != REDIS_OK)
        return fail(c, 0, err);
    if (!reply && c->bulk_max > 0) {
        int rc = bulk_cap_check(c->redis->reader, c->bulk_max, err);
        c->broken = rc != 0; /* the rest of the string is on its way */
        if (rc != 0)
            return rc;
    }
    *ret = reply;
    return 0;
}

/* On a unix socket a blocked read() is woken in vain once the server has read what was sent, which
 * costs two context switches for each reply; poll() is not. */
static int await_local(struct redis_conn *c, struct err *err)
{
    struct pollfd fd = {.fd = c->redis->fd, .events = POLLIN};
    int64_t left_ms = clock_poll_ms(c->deadline_ns);
    int ms = left_ms >= 0 && left_ms < c->receive_ms ? (int)left_ms : c->receive_ms;
    if (!c->local || poll(&fd, 1, ms) != 0)
        return 0; /* whatever it was, read() says */
    c->broken = true;
    return err_set(err, -ENOTCONN, "no answer within %d ms", c->receive_ms);
}

/* Waits for a whole reply. */
static int receive(struct redis_conn *c, struct reply **ret, struct err *err)
{
    struct reply *reply = NULL;
    int rc = parse(c, &reply, err);
    if (rc == 0 && !reply)
        rc = redis_conn_flush(c, err);
    while (rc == 0 && !reply && (rc = hold_to_deadline(c, err)) == 0 &&
           (rc = await_local(c, err)) == 0) {
        if (redisBufferRead(c->redis) != REDIS_OK)
            return fail(c, errno, err);
        rc = parse(c, &reply, err);
    }
    if (rc == 0)
        *ret = reply;
    return rc;
}

int redis_conn_read(struct redis_conn *c, struct reply **ret, struct err *err)
{
    if (c->broken)
        return fail_again(err);
    if (c->next) {
        *ret = c->next;
        c->next = NULL;
    } else {
        int rc = receive(c, ret, err);
        if (rc != 0)
            return rc;
    }
    if (c->pending > 0) /* pushed messages answer no command */
        c->pending--;
    if (reply_error(*ret, NULL) == -EROFS)
        c->demoted = true;
    return 0;
}

/* Without REDIS_BLOCK, hiredis takes "nothing there" for what it is and not for a timeout. */
static int set_blocking(struct redis_conn *c, bool blocking)
{
    int flags = fcntl(c->redis->fd, F_GETFL);
    if (flags < 0)
        return -errno;
    flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
    if (fcntl(c->redis->fd, F_SETFL, flags) != 0)
        return -errno;
    if (blocking)
        c->redis->flags |= REDIS_BLOCK;
    else
        c->redis->flags &= ~REDIS_BLOCK;
    return 0;
}

/* Reads until a whole reply is there (then in c->next) or the socket has no more. */
static int gather(struct redis_conn *c)
{
    for (;;) {
        int rc = parse(c, &c->next, NULL);
        if (rc != 0 || c->next)
            return rc;
        size_t had = c->redis->reader->len;
        if (redisBufferRead(c->redis) != REDIS_OK)
            return fail(c, 0, NULL);
        if (c->redis->reader->len == had)
            return 0;
    }
}

int redis_conn_poll(struct redis_conn *c, bool *ret_ready)
{
    if (c->broken)
        return -ENOTCONN;
    if (!c->next) {
        int rc = set_blocking(c, false);
        if (rc == 0)
            rc = gather(c);
        if (rc == 0)
            rc = set_blocking(c, true);
        if (rc != 0) {
            c->broken = true;
            return rc == -EMSGSIZE ? rc : -ENOTCONN;
        }
    }
    *ret_ready = c->next != NULL;
    return 0;
}

/* The end of a call: one reply, its error as a code. */
static int finish_call(struct redis_conn *c, struct reply **ret, struct err *err)
{
    struct reply *reply = NULL;
    int rc = redis_conn_read(c, &reply, err);
    if (rc != 0)
        return rc;
    rc = reply_error(reply, err);
    if (rc == 0 && ret)
        *ret = reply;
    else
        reply_free(reply);
    return rc;
}

int redis_call(struct redis_conn *c, const struct command *cmd, struct reply **ret, struct err *err)
{
    assert(c->broken || c->pending == 0);
    int rc = redis_conn_send(c, cmd);
    if (rc == -ENOTCONN)
        return fail_again(err);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    return finish_call(c, ret, err);
}

int redis_vcallf(struct redis_conn *c, struct reply **ret, struct err *err, const char *fmt,
                 va_list ap)
{
    int rc = refusal(c);
    if (rc == -ENOTCONN)
        return fail_again(err);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    assert(c->pending == 0);
    if (redisvAppendCommand(c->redis, fmt, ap) != REDIS_OK) {
        c->broken = true;
        return err_set(err, c->redis->err == REDIS_ERR_OOM ? -ENOMEM : -EINVAL,
                       "cannot format the command %s", fmt);
    }
    c->pending++;
    return finish_call(c, ret, err);
}

int redis_callf(struct redis_conn *c, struct reply **ret, struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = redis_vcallf(c, ret, err, fmt, ap);
    va_end(ap);
    return rc;
}

/* Everything between the connected socket and the first command of the caller, in time. */
static int set_up(struct redis_conn *c, const struct redis_options *o, int64_t deadline_ns,
                  struct err *err)
{
    int rc = 0;
    if (o->tls)
        rc = tls_start(c->redis, o, deadline_ns, err);
    if (rc != 0)
        return rc;
    int left_ms = clock_poll_ms(deadline_ns);
    c->send_ms = c->receive_ms = left_ms > 0 ? left_ms : 1;
    c->deadline_ns = deadline_ns;
    rc = greet(c, o, err);
    if (rc == 0) {
        c->deadline_ns = CLOCK_NEVER;
        c->send_ms = o->socket_timeout_ms;
        rc = redis_conn_set_timeout(c, o->socket_timeout_ms);
    }
    return rc;
}

int redis_conn_open_direct(const struct redis_options *o, int64_t deadline_ns,
                           struct redis_conn **ret, struct err *err)
{
    int rc = o->tls ? tls_check(o, err) : 0;
    if (rc != 0)
        return rc;
    int fd = dial(o, deadline_ns, err);
    if (fd < 0)
        return fd;

    struct redis_conn *c = calloc(1, sizeof *c);
    if (c) {
        c->deadline_ns = CLOCK_NEVER;
        c->redis = redisConnectFd(fd);
    }
    if (!c || !c->redis) {
        (void)close(fd); /* nothing was sent: its result changes nothing */
        free(c);
        return err_set(err, -ENOMEM, "no memory for a connection");
    }
    c->local = o->path != NULL;
    reply_builder_attach(&c->builder, c->redis->reader);
    rc = set_up(c, o, deadline_ns, err);
    if (rc != 0)
        redis_conn_free(c);
    else
        *ret = c;
    return rc;
}

int redis_conn_open(const struct redis_options *options, struct redis_conn **ret, struct err *err)
{
    assert(options->connect_timeout_ms > 0 && options->socket_timeout_ms > 0);
    int64_t deadline_ns = clock_deadline_ms(options->connect_timeout_ms);
    int rc = options->sentinels ? sentinel_open(options, deadline_ns, ret, err)
                                : redis_conn_open_direct(options, deadline_ns, ret, err);
    if (rc == 0)
        return 0;
    struct buf where = {0};
    redis_options_describe(options, &where);
    rc = err_prefix(err, rc, "%s", buf_str(&where));
    buf_release(&where);
    return rc;
}

void redis_conn_free(struct redis_conn *c)
{
    if (!c)
        return;
    reply_free(c->next);
    if (c->redis)
        dial_let_go(c->redis->fd);
    redisFree(c->redis);
    free(c->argv);
    free(c->argvlen);
    free(c);
}
