#include "handlers/watch.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "handlers/errlog.h"
#include "handlers/lines.h"

enum {
    GRACE_MS = 5000,
    SHUTDOWN_GRACE_MS = 2000,
    CHUNK = 32768,     /* bytes per read(2) */
    TICK_MS = 50,      /* how often to look when a descriptor to wait on is missing */
    FIRST_MS = 5,      /* likewise, before one has been asked for */
    HANG_UP_MS = 1000, /* for a warm child that has closed its stdout to exit */
};

struct watch {
    struct child *child;
    const struct watch_talk *talk;
    const struct run_job *job;
    struct run *run;
    const struct run_ops *ops;
    const struct watch_limits *limits;
    struct watch_end *end;

    size_t fed; /* bytes of the job and its newline that stdin has taken */
    bool deaf;  /* stdin takes no more */
    struct lines out;
    struct errlog err;
    bool muted;        /* events are dropped: emit() refused one, or the child has to stop */
    bool stopping;     /* SIGTERM was sent */
    bool talks_on;     /* said more after its answer */
    int stop_fd;       /* -1: not asked for yet, or there is none */
    int blind_ms;      /* the longest wait without it */
    int64_t silent_at; /* when the silence has lasted too long */
    int64_t kill_at;   /* when the grace is over; CLOCK_NEVER while it has none */
};

void watch_limits_init(struct watch_limits *l, const struct conf_handler *conf)
{
    *l = (struct watch_limits){
        .silence_ms = (int64_t)(conf->silence_timeout_s * 1000),
        .grace_ms = GRACE_MS,
        .shutdown_grace_ms = SHUTDOWN_GRACE_MS,
    };
}

static void say(void *ctx, int level, struct slice text)
{
    struct watch *w = ctx;
    w->ops->log(w->run, level, text);
}

static bool is_over(const struct watch *w)
{
    return w->end->outcome != WATCH_EXITED;
}

/* Nothing of the job has been read. (A pipe keeps what nobody has read, also when nobody can any
 * more.) */
static bool is_untouched(const struct watch *w)
{
    int left = 0;
    return w->child->in >= 0 && ioctl(w->child->in, FIONREAD, &left) == 0 && (size_t)left == w->fed;
}

static void on_answer(struct watch *w)
{
    /* An answer to a job that lies there unread is one to another job, too late. */
    w->end->outcome = is_untouched(w) ? WATCH_TOO_EARLY : WATCH_ANSWERED;
    if (w->stopping) /* it may leave by itself */
        child_close_pipe(&w->child->in);
}

static void on_line(void *ctx, struct slice line, bool cut)
{
    struct watch *w = ctx;
    struct slice event = line;
    if (is_over(w)) {
        w->talks_on = true;
        return;
    }
    if (w->talk->hear && cut) {
        w->end->outcome = WATCH_TOO_LONG;
        return;
    }
    switch (w->talk->hear ? w->talk->hear(w->talk->ctx, line, &event) : SAID_EVENT) {
    case SAID_ANSWER:
        on_answer(w);
        return;
    case SAID_RUBBISH:
        w->end->outcome = WATCH_RUBBISH;
        return;
    case SAID_EVENT:
        break;
    }
    if (w->muted)
        return;
    if (cut)
        say(w, LOG_WARN, slice_of("a line of stdout is longer than 1 MiB; the event is cut there"));
    if (w->ops->emit(w->run, event) < 0)
        w->muted = true; /* the run should stop; the next look at stop() says why */
}

static void on_output(struct watch *w, int *fd, struct slice bytes)
{
    if (fd == &w->child->err) {
        errlog_feed(&w->err, bytes);
        return;
    }
    lines_feed(&w->out, bytes, on_line, w);
    if (w->talk->hear && w->out.cut && !is_over(w)) /* its end may never come */
        w->end->outcome = WATCH_TOO_LONG;
}

static void on_end(struct watch *w, int *fd)
{
    child_close_pipe(fd);
    if (w->talk->hear && fd == &w->child->out && !w->stopping) /* no answer can come any more */
        w->kill_at = clock_deadline_ms(HANG_UP_MS);
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
        on_end(w, fd);
    return 0;
}

/* Takes what lies in the pipe now, and not what a stranger who holds the other end goes on to
 * write: after the exit, all that the child wrote lies there. */
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
    struct slice input = w->talk->input;
    size_t taken = w->fed < input.n ? w->fed : input.n;
    const struct iovec parts[2] = {
        {(void *)(uintptr_t)(input.p + taken), input.n - taken}, /* writev() only reads it */
        {(char[]){'\n'}, 1},
    };
    ssize_t n = writev(w->child->in, parts, 2);
    if (n > 0)
        w->fed += (size_t)n;
    w->deaf = w->fed > input.n || (n < 0 && errno != EAGAIN && errno != EINTR);
    if (w->deaf && !w->talk->hear)
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
    if (now >= w->kill_at) {
        child_signal(w->child, SIGKILL);
        w->kill_at = CLOCK_NEVER;
        if (!w->stopping)
            w->end->outcome = WATCH_HUNG_UP;
    }
    if (w->stopping)
        return;
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

static int poll_timeout_ms(const struct watch *w, int blind_ms)
{
    int64_t next = w->kill_at;
    if (!w->stopping)
        next = earlier(next, earlier(w->job->deadline_ns, w->silent_at));
    return clock_poll_ms(earlier(next, clock_deadline_ms(blind_ms)));
}

static int64_t next_silence(const struct watch *w)
{
    return clock_deadline_ms(w->limits->silence_ms > 0 ? w->limits->silence_ms : -1);
}

/* Waits for something to happen and deals with it. False when the watch is over. */
static bool step(struct watch *w)
{
    struct child *c = w->child;
    enum { EXIT, STOP, IN, OUT, ERR, N };
    struct pollfd fds[N] = {
        [EXIT] = {.fd = c->pidfd, .events = POLLIN},
        [STOP] = {.fd = w->stopping ? -1 : w->stop_fd, .events = POLLIN}, /* stays readable */
        [IN] = {.fd = w->deaf ? -1 : c->in, .events = POLLOUT},
        [OUT] = {.fd = c->out, .events = POLLIN},
        [ERR] = {.fd = c->err, .events = POLLIN},
    };
    bool blind = c->pidfd < 0 || w->stop_fd < 0;
    (void)poll(
        fds, N,
        poll_timeout_ms(w, blind ? w->blind_ms : -1)); /* without success there are no revents */
    if (fds[IN].revents)
        feed(w);
    if (fds[ERR].revents)
        (void)read_output(w, &c->err, CHUNK); /* its end is not the child's */
    if (fds[OUT].revents)
        (void)read_output(w, &c->out, CHUNK); /* likewise */
    if (fds[OUT].revents || fds[ERR].revents)
        w->silent_at = next_silence(w);
    if (is_over(w) && !w->stopping)
        return false;
    bool look = fds[EXIT].revents || c->pidfd < 0;
    return !look || !child_exited(c, &w->end->exit);
}

/* The child can have another job: all that it said was about this one. */
static bool lives_on(const struct watch *w)
{
    return w->end->outcome == WATCH_ANSWERED && !w->stopping && !w->talks_on &&
           w->out.partial.n == 0 && !w->out.cut && w->fed > w->talk->input.n;
}

static void end_child(struct watch *w)
{
    struct child *child = w->child;
    child_signal(child, SIGKILL); /* and whatever it left behind in its group */
    child_await_exit(child);
    drain(w, &child->out);
    drain(w, &child->err);
    if (!w->talk->hear)
        lines_end(&w->out, on_line, w); /* an answer that was broken off is none */
    else if (w->end->outcome != WATCH_ANSWERED)
        w->end->untouched = is_untouched(w);
    child_end(child, &w->end->usage);
}

void watch_child(struct child *child, const struct watch_talk *talk, const struct run_job *job,
                 struct run *run, const struct run_ops *ops, const struct watch_limits *limits,
                 struct watch_end *ret)
{
    *ret = (struct watch_end){.stop = RUN_GOES_ON};
    struct watch w = {
        .child = child,
        .talk = talk,
        .job = job,
        .run = run,
        .ops = ops,
        .limits = limits,
        .end = ret,
        .out.max = HANDLER_EVENT_MAX,
        .kill_at = CLOCK_NEVER,
        .stop_fd = -1,
        .blind_ms = FIRST_MS,
    };
    errlog_init(&w.err, say, &w);
    w.silent_at = next_silence(&w);
    feed(&w);
    enforce(&w);
    while (step(&w)) {
        /* Most jobs of warm processes are over before it is of use: a descriptor made for nothing.
         */
        w.stop_fd = ops->stop_fd(run);
        w.blind_ms = TICK_MS;
        enforce(&w);
    }

    ret->lives = lives_on(&w);
    if (ret->lives)
        drain(&w, &child->err);
    else
        end_child(&w);
    if (w.talks_on && ret->outcome == WATCH_ANSWERED)
        say(&w, LOG_WARN, slice_of("more on stdout after the answer; the process is replaced"));
    errlog_end(&w.err);
    ret->tail = w.err.tail;
    w.err.tail = (struct buf){0};
    errlog_release(&w.err);
    lines_release(&w.out);
}
