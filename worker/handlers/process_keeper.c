/* The keeper of a pool of processes: starts, listens, buries (process_pool.h). */
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "handlers/process_slot.h"
#include "handlers/program.h"

enum { CHUNK = 16384, EVENTS_MAX = 64 };
enum { WOKEN = UINT32_MAX }; /* in place of a slot's number */

static void say(void *ctx, int level, struct slice line)
{
    (void)level; /* a line between jobs is as good as another */
    log_info("handler says", log_str("class", ctx), log_slice("text", line));
}

/* One that has just started is the coldest. */
static void push_under_locked(struct process_pool *pool, struct process *p)
{
    struct process **link = &pool->idle;
    while (*link)
        link = &(*link)->below;
    process_set_locked(pool, p, PROCESS_IDLE);
    p->below = NULL;
    *link = p;
}

/* Both are told by the edge: what happens while the process is busy is its run's to deal with. */
static int listen_to(struct process_pool *pool, struct process *p)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET,
                                .data.u32 = (uint32_t)(p - pool->slots)};
    if (epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, p->child.pidfd, &event) < 0 ||
        epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, p->child.err, &event) < 0)
        return -errno;
    return 0;
}

static void start(struct process_pool *pool, struct process *p)
{
    errlog_release(&p->log); /* what its predecessor left unsaid */
    errlog_init(&p->log, say, pool->conf->klass);
    int rc = child_spawn(pool->conf->argv, pool->env, pool->conf->workdir, NULL, &p->child);
    if (rc == 0) {
        rc = p->child.pidfd < 0 ? -EMFILE : listen_to(pool, p); /* unheard it could not be kept */
        if (rc < 0)
            child_end(&p->child, NULL);
    }
    struct buf how = {0};
    int64_t retry_ms = -1;
    if (rc < 0)
        program_put_start_failure(&how, pool->conf, rc);
    struct slice cause = child_error_passes(rc) ? (struct slice){0} : buf_slice(&how);
    mutex_lock(&pool->mutex);
    if (rc == 0)
        push_under_locked(pool, p);
    else
        retry_ms = process_empty_locked(pool, p, cause);
    mutex_unlock(&pool->mutex);
    if (rc == 0)
        limiter_leave(&pool->places);
    else
        process_log_end(pool, buf_slice(&how), retry_ms);
    buf_release(&how);
}

/* Reads stderr of a process between jobs. True when more may be there. */
static bool hear(struct process_pool *pool, struct process *p)
{
    char bytes[CHUNK];
    mutex_lock(&pool->mutex);
    ssize_t n = process_is_between_jobs(p) ? read(p->child.err, bytes, sizeof bytes) : -1;
    if (n > 0)
        errlog_keep_tail(&p->words, (struct slice){bytes, (size_t)n});
    bool fresh = p->jobs != p->heard_after;
    p->heard_after = p->jobs;
    mutex_unlock(&pool->mutex);
    if (fresh)
        p->log.logged = 0; /* the bound is one for each pause */
    if (n > 0)
        errlog_feed(&p->log, (struct slice){bytes, (size_t)n});
    return n == (ssize_t)sizeof bytes;
}

/* True when more may be there: one that writes without end must not keep us from the others. */
static bool hear_out(struct process_pool *pool, struct process *p)
{
    enum { ROUNDS = 16 };
    int i = 0;
    while (i < ROUNDS && hear(pool, p))
        i++;
    return i == ROUNDS;
}

/* Whether it has ended between jobs; then it is nobody's but ours. An idle one is that only with a
 * place in hand: else it may be promised to a job, which will notice. */
static bool claim_ended(struct process_pool *pool, struct process *p, siginfo_t *ret)
{
    bool place = limiter_try(&pool->places);
    mutex_lock(&pool->mutex);
    bool retiring = p->state == PROCESS_RETIRING, idle = p->state == PROCESS_IDLE && place;
    bool ended = (retiring || idle) && child_exited(&p->child, ret);
    if (ended && idle)
        process_remove_locked(pool, p);
    mutex_unlock(&pool->mutex);
    if (place && !(ended && idle))
        limiter_leave(&pool->places);
    return ended;
}

static void bury(struct process_pool *pool, struct process *p, const siginfo_t *exit)
{
    struct buf how = {0};
    errlog_end(&p->log);
    child_end(&p->child, NULL);
    program_put_exit(&how, exit);
    mutex_lock(&pool->mutex);
    errlog_put_tail(&how, &p->words);
    int64_t retry_ms = process_empty_locked(pool, p, buf_slice(&how));
    mutex_unlock(&pool->mutex);
    process_log_end(pool, buf_slice(&how), retry_ms);
    buf_release(&how);
}

static void look_at(struct process_pool *pool, struct process *p)
{
    siginfo_t exit;
    bool more = hear_out(pool, p);
    if (claim_ended(pool, p, &exit)) {
        (void)hear_out(pool, p); /* its last words; what comes after these is a stranger's */
        bury(pool, p, &exit);
    } else if (more) {
        mutex_lock(&pool->mutex);
        p->look = true;
        mutex_unlock(&pool->mutex);
    }
}

enum deed { REST, START, KILL, LOOK };

/* What there is to do about a slot now; else *next_ns is moved to when there will be. */
static enum deed deed_for_locked(struct process_pool *pool, struct process *p, int64_t now,
                                 int64_t *next_ns)
{
    if (pool->closing && p->state == PROCESS_IDLE) {
        process_remove_locked(pool, p);
        process_retire_locked(pool, p);
    }
    if (p->look && process_is_between_jobs(p)) {
        p->look = false;
        return LOOK;
    }
    bool waits = p->state == PROCESS_RETIRING || (p->state == PROCESS_EMPTY && !pool->closing);
    if (waits && p->due_ns > now && p->due_ns < *next_ns)
        *next_ns = p->due_ns;
    if (!waits || p->due_ns > now)
        return REST;
    if (p->state == PROCESS_EMPTY)
        return START;
    p->due_ns = CLOCK_NEVER; /* once */
    return KILL;
}

/* Goes over all slots once. False when the pool is closing and nothing is left of it. */
static bool tend(struct process_pool *pool, int64_t *ret_next_ns)
{
    int64_t now = clock_now_ns();
    bool left = false;
    *ret_next_ns = CLOCK_NEVER;
    for (int i = 0; i < pool->n; i++) {
        struct process *p = &pool->slots[i];
        mutex_lock(&pool->mutex);
        enum deed deed = deed_for_locked(pool, p, now, ret_next_ns);
        mutex_unlock(&pool->mutex);
        if (deed == START) /* only we start, so it is still empty */
            start(pool, p);
        else if (deed == KILL) /* only we bury, so it is still there */
            child_signal(&p->child, SIGKILL);
        else if (deed == LOOK)
            look_at(pool, p);
        if (deed != REST)
            *ret_next_ns = 0; /* there may be more to do, and when is not known yet */
        mutex_lock(&pool->mutex);
        left = left || !pool->closing || p->state != PROCESS_EMPTY;
        mutex_unlock(&pool->mutex);
    }
    return left;
}

static void on_event(struct process_pool *pool, uint32_t which)
{
    eventfd_t count;
    if (which == WOKEN) {
        (void)eventfd_read(pool->wake_fd, &count); /* woken is woken */
        return;
    }
    mutex_lock(&pool->mutex);
    pool->slots[which].look = true; /* of a busy one: when it is back */
    mutex_unlock(&pool->mutex);
}

static void *keep(void *arg)
{
    struct process_pool *pool = arg;
    struct epoll_event events[EVENTS_MAX];
    int64_t next_ns;
    while (tend(pool, &next_ns)) {
        int n = epoll_wait(pool->epoll_fd, events, EVENTS_MAX, clock_poll_ms(next_ns));
        for (int i = 0; i < n; i++)
            on_event(pool, events[i].data.u32);
    }
    return NULL;
}

int process_keeper_start(struct process_pool *pool)
{
    struct epoll_event woken = {.events = EPOLLIN, .data.u32 = WOKEN};
    pool->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    pool->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pool->epoll_fd < 0 || pool->wake_fd < 0 ||
        epoll_ctl(pool->epoll_fd, EPOLL_CTL_ADD, pool->wake_fd, &woken) < 0)
        return -errno;
    return thread_start(&pool->keeper, "keeper", keep, pool);
}

void process_keeper_wake(const struct process_pool *pool)
{
    (void)eventfd_write(pool->wake_fd, 1); /* a counter that is full wakes as well */
}

void process_keeper_join(struct process_pool *pool)
{
    if (pool->keeper.started) {
        process_keeper_wake(pool);
        thread_join(&pool->keeper);
    }
    child_close_pipe(&pool->epoll_fd);
    child_close_pipe(&pool->wake_fd);
}
