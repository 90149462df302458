#include "handlers/watch.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "handlers/lines.h"

enum {
    EVENT_MAX = 1 << 20,     /* bytes of a line of stdout; a longer one is cut */
    LOG_LINE_MAX = 4096,     /* bytes of a line of stderr, likewise */
    LOG_TOTAL_MAX = 1 << 20, /* bytes of stderr that one run may put into the log */
    TAIL_MAX = 8192,         /* bytes of stderr kept for the error message */
    CHUNK = 32768,           /* bytes per read(2) */
    TICK_MS = 50,            /* how often to look when a descriptor to wait on is missing */
};

struct watch {
    struct child *child;
    const struct run_job *job;
    struct run *run;
    const struct run_ops *ops;
    const struct watch_limits *limits;
    struct watch_end *end;

    size_t fed; /* bytes of the payload and its newline that stdin has taken */
    struct lines out;
    struct lines err;
    size_t logged;     /* bytes of stderr in the log */
    bool muted;        /* events are dropped: emit() refused one, or the child has to stop */
    bool stopping;     /* SIGTERM was sent */
    int64_t silent_at; /* when the silence has lasted too long */
    int64_t kill_at;   /* when the grace is over */
};

static void note(struct watch *w, int level, const char *text)
{
    w->ops->log(w->run, level, slice_of(text));
}

static void on_event(void *ctx, struct slice line, bool cut)
{
    struct watch *w = ctx;
    if (w->muted)
        return;
    if (cut)
        note(w, LOG_WARN, "a line of stdout is longer than 1 MiB; the event is cut there");
    if (w->ops->emit(w->run, line) < 0)
        w->muted = true; /* the run should stop; the next look at stop() says why */
}

static void on_log_line(void *ctx, struct slice line, bool cut)
{
    (void)cut; /* the log cuts long lines anyway */
    struct watch *w = ctx;
    if (w->logged > LOG_TOTAL_MAX)
        return;
    w->logged += line.n + 1;
    if (w->logged > LOG_TOTAL_MAX)
        note(w, LOG_WARN, "more than 1 MiB on stderr; the rest of this run is not logged");
    else
        w->ops->log(w->run, LOG_INFO, line);
}

static void keep_tail(struct buf *tail, struct slice bytes)
{
    if (bytes.n > TAIL_MAX)
        bytes = (struct slice){bytes.p + bytes.n - TAIL_MAX, TAIL_MAX};
    buf_put(tail, bytes);
    if (tail->n > 2 * TAIL_MAX) /* now and then, not for each line */
        buf_consume(tail, tail->n - TAIL_MAX);
}

static void on_output(struct watch *w, int *fd, struct slice bytes)
{
    if (fd == &w->child->out) {
        lines_feed(&w->out, bytes, on_event, w);
    } else {
        keep_tail(&w->end->tail, bytes);
        lines_feed(&w->err, bytes, on_log_line, w);
    }
}

/* Reads once, at most max bytes. Returns how many; closes the pipe at its end. */
static size_t read_output(struct watch *w, int *fd, size_t max)
{
    char chunk[CHUNK];
    ssize_t n = read(*fd, chunk, max < sizeof chunk ? max : sizeof chunk);
    if (n > 0) {
        on_output(w, fd, (struct slice){chunk, (size_t)n});
        return (size_t)n;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR))
        child_close_pipe(fd);
    return 0;
}

/* After the exit: all that the child wrote lies in the pipe, so take what lies there now and not
 * what a stranger who holds the other end goes on to write. */
static void drain(struct watch *w, int *fd)
{
    int left = 0;
    if (*fd < 0 || ioctl(*fd, FIONREAD, &left) < 0)
        return;
    while (left > 0) {
        size_t n = read_output(w, fd, (size_t)left);
        if (n == 0)
            return;
        left -= (int)n;
    }
}

/* Hands over as much of the job as the pipe takes. A child need not read it: EPIPE is no error. */
static void feed(struct watch *w)
{
    struct slice payload = w->job->payload;
    size_t taken = w->fed < payload.n ? w->fed : payload.n;
    const struct iovec parts[2] = {
        {(void *)(uintptr_t)(payload.p + taken), payload.n - taken}, /* writev() only reads it */
        {(char[]){'\n'}, 1},
    };
    ssize_t n = writev(w->child->in, parts, 2);
    if (n > 0)
        w->fed += (size_t)n;
    if (w->fed > payload.n || (n < 0 && errno != EAGAIN && errno != EINTR))
        child_close_pipe(&w->child->in);
}

static void tell_to_stop(struct watch *w, enum run_stop why)
{
    w->end->stop = why;
    w->end->silent = why == RUN_GOES_ON;
    w->stopping = true;
    w->muted = true;
    w->kill_at =
        clock_deadline_ms(why == RUN_SHUTDOWN ? w->limits->shutdown_grace_ms : w->limits->grace_ms);
    child_signal(w->child, SIGTERM);
}

/* Looks at the clock and at the run, and sends the signal that is due. */
static void enforce(struct watch *w)
{
    int64_t now = clock_now_ns();
    if (w->stopping) {
        if (now >= w->kill_at) {
            child_signal(w->child, SIGKILL);
            w->kill_at = CLOCK_NEVER;
        }
        return;
    }
    enum run_stop why = w->ops->stop(w->run);
    if (why == RUN_GOES_ON && now >= w->job->deadline_ns)
        why = RUN_TIMEOUT;
    bool due = why != RUN_GOES_ON || now >= w->silent_at;
    if (due && !child_exited(w->child, &w->end->exit)) /* else its own end counts */
        tell_to_stop(w, why);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int poll_timeout_ms(const struct watch *w, bool blind)
{
    int64_t next = w->stopping ? w->kill_at : earlier(w->job->deadline_ns, w->silent_at);
    return clock_poll_ms(blind ? earlier(next, clock_deadline_ms(TICK_MS)) : next);
}

static int64_t next_silence(const struct watch *w)
{
    return clock_deadline_ms(w->limits->silence_ms > 0 ? w->limits->silence_ms : -1);
}

/* Waits for something to happen and deals with it. False when the child has exited. */
static bool step(struct watch *w, int stop_fd)
{
    struct child *c = w->child;
    enum { EXIT, STOP, IN, OUT, ERR, N };
    struct pollfd fds[N] = {
        [EXIT] = {.fd = c->pidfd, .events = POLLIN},
        [STOP] = {.fd = w->stopping ? -1 : stop_fd, .events = POLLIN}, /* stays readable */
        [IN] = {.fd = c->in, .events = POLLOUT},
        [OUT] = {.fd = c->out, .events = POLLIN},
        [ERR] = {.fd = c->err, .events = POLLIN},
    };
    bool blind = c->pidfd < 0 || stop_fd < 0;
    (void)poll(fds, N, poll_timeout_ms(w, blind)); /* without success there are no revents */
    if (fds[IN].revents)
        feed(w);
    if (fds[OUT].revents)
        (void)read_output(w, &c->out, CHUNK); /* its end is not the child's */
    if (fds[ERR].revents)
        (void)read_output(w, &c->err, CHUNK); /* likewise */
    if (fds[OUT].revents || fds[ERR].revents)
        w->silent_at = next_silence(w);
    bool look = fds[EXIT].revents || c->pidfd < 0;
    return !look || !child_exited(c, &w->end->exit);
}

void watch_child(struct child *child, const struct run_job *job, struct run *run,
                 const struct run_ops *ops, const struct watch_limits *limits,
                 struct watch_end *ret)
{
    *ret = (struct watch_end){.stop = RUN_GOES_ON};
    struct watch w = {
        .child = child,
        .job = job,
        .run = run,
        .ops = ops,
        .limits = limits,
        .end = ret,
        .out.max = EVENT_MAX,
        .err.max = LOG_LINE_MAX,
    };
    w.silent_at = next_silence(&w);
    int stop_fd = ops->stop_fd(run);
    do
        enforce(&w);
    while (step(&w, stop_fd));

    child_signal(child, SIGKILL); /* whatever it left behind in its group */
    drain(&w, &child->out);
    drain(&w, &child->err);
    lines_end(&w.out, on_event, &w);
    lines_end(&w.err, on_log_line, &w);
    child_end(child);
    if (ret->tail.n > TAIL_MAX)
        buf_consume(&ret->tail, ret->tail.n - TAIL_MAX);
    lines_release(&w.out);
    lines_release(&w.err);
}
