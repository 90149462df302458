#include "handlers/process_pool.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "handlers/process_slot.h"

enum {
    START_BACKOFF_MS = 50,
    START_BACKOFF_CAP_MS = 5000,
    PATIENCE_MS = 30000,
    RETIRE_MS = 2000,
    SHOWN_MAX = 200, /* bytes of rubbish in the log */
};

static atomic_int counts[PROCESS_STATES];

int process_count(enum process_state state)
{
    return atomic_load_explicit(&counts[state], memory_order_relaxed);
}

void process_set_locked(struct process_pool *pool, struct process *p, enum process_state state)
{
    atomic_fetch_sub_explicit(&counts[p->state], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&counts[state], 1, memory_order_relaxed);
    pool->busy += (state == PROCESS_BUSY) - (p->state == PROCESS_BUSY);
    p->state = state;
}

struct child *process_child(struct process *p)
{
    return &p->child;
}

/* ---- idle processes ---- */

static void push_locked(struct process_pool *pool, struct process *p)
{
    process_set_locked(pool, p, PROCESS_IDLE);
    p->below = pool->idle;
    pool->idle = p;
}

void process_remove_locked(struct process_pool *pool, struct process *p)
{
    struct process **link = &pool->idle;
    while (*link != p)
        link = &(*link)->below;
    *link = p->below;
}

bool process_is_between_jobs(const struct process *p)
{
    return p->state == PROCESS_IDLE || p->state == PROCESS_RETIRING;
}

void process_retire_locked(struct process_pool *pool, struct process *p)
{
    process_set_locked(pool, p, PROCESS_RETIRING);
    p->due_ns = clock_deadline_ms(pool->times.retire_ms);
    child_close_pipe(&p->child.in);
}

/* ---- the end of a process ---- */

int64_t process_empty_locked(struct process_pool *pool, struct process *p, struct slice cause)
{
    bool failed = !p->proven && p->state != PROCESS_RETIRING;
    int64_t retry_ms = failed ? backoff_next_ms(&p->backoff) : -1;
    if (failed) {
        buf_clear(&pool->cause);
        buf_put(&pool->cause, cause);
    }
    p->due_ns = failed ? clock_deadline_ms(retry_ms) : clock_now_ns();
    p->proven = false;
    p->jobs = 0;
    buf_clear(&p->words);
    process_set_locked(pool, p, PROCESS_EMPTY);
    return retry_ms;
}

void process_log_end(const struct process_pool *pool, struct slice how, int64_t retry_ms)
{
    if (retry_ms >= 0)
        log_warn("a process of a handler is of no use: it has answered no job",
                 log_str("class", pool->conf->klass), log_slice("error", how),
                 log_int("retry_in_ms", retry_ms));
    else
        log_debug("a process of a handler has ended", log_str("class", pool->conf->klass),
                  log_slice("how", how));
}

void process_pool_lose(struct process_pool *pool, struct process *p, enum process_loss loss,
                       struct slice how)
{
    struct buf text = {0};
    buf_put(&text, how);
    mutex_lock(&pool->mutex);
    p->proven = p->proven || loss != LOSS_FAILED;
    if (loss == LOSS_ANSWERED) {
        pool->answered_ns = clock_now_ns();
        backoff_reset(&p->backoff);
    }
    if (!p->proven)
        errlog_put_tail(&text, &p->words); /* it may have said why before it got the job */
    int64_t retry_ms = process_empty_locked(pool, p, buf_slice(&text));
    mutex_unlock(&pool->mutex);
    process_log_end(pool, buf_slice(&text), retry_ms);
    buf_release(&text);
    process_keeper_wake(pool);
}

/* ---- taking and giving ---- */

struct wait {
    struct process_pool *pool;
    int64_t since_ns;
};

static bool is_hopeless(void *ctx)
{
    const struct wait *w = ctx;
    struct process_pool *pool = w->pool;
    if (clock_now_ns() - w->since_ns < pool->times.patience_ms * NS_PER_MS)
        return false;
    mutex_lock(&pool->mutex);
    bool hopeless = pool->cause.n > 0 && pool->busy == 0 && pool->answered_ns < w->since_ns;
    mutex_unlock(&pool->mutex);
    return hopeless;
}

static void fail_hopeless(struct process_pool *pool, struct outcome *out)
{
    struct buf cause = {0};
    mutex_lock(&pool->mutex);
    buf_put(&cause, buf_slice(&pool->cause));
    mutex_unlock(&pool->mutex);
    outcome_fail(out, OUTCOME_FAILED, "ProcessUnavailable",
                 "no process could be started for %g s: %s", (double)pool->times.patience_ms / 1000,
                 buf_str(&cause));
    buf_release(&cause);
}

/* What it has written before it got its job belongs to no job. */
static bool has_spoken_out_of_turn(const struct process *p, struct buf *ret_how)
{
    int waiting = 0;
    char bytes[SHOWN_MAX];
    if (ioctl(p->child.out, FIONREAD, &waiting) == 0 && waiting == 0)
        return false;
    ssize_t n = read(p->child.out, bytes, sizeof bytes);
    buf_puts(ret_how, "it wrote to stdout without a job: ");
    json_put_string(ret_how, (struct slice){bytes, n > 0 ? (size_t)n : 0}, SHOWN_MAX);
    return true;
}

struct process *process_pool_take(struct process_pool *pool, int64_t since_ns,
                                  const struct run_job *job, struct run *run,
                                  const struct run_ops *ops, struct outcome *out)
{
    struct wait wait = {pool, since_ns};
    for (;;) {
        int rc = is_hopeless(&wait) ? -ETIMEDOUT
                                    : limiter_enter(&pool->places, run, ops, is_hopeless, &wait);
        if (rc == -ETIMEDOUT)
            fail_hopeless(pool, out);
        else if (rc < 0)
            outcome_stop(out, ops->stop(run), job);
        if (rc < 0)
            return NULL;
        mutex_lock(&pool->mutex);
        struct process *p = pool->idle;
        assert(p); /* that is what the place means */
        pool->idle = p->below;
        process_set_locked(pool, p, PROCESS_BUSY);
        mutex_unlock(&pool->mutex);
        struct buf how = {0};
        if (!has_spoken_out_of_turn(p, &how))
            return p;
        child_end(&p->child, NULL);
        process_pool_lose(pool, p, LOSS_FAILED, buf_slice(&how));
        buf_release(&how);
    }
}

static bool is_worn_out(const struct process_pool *pool, const struct process *p)
{
    const struct conf_handler *conf = pool->conf;
    return (conf->max_jobs > 0 && p->jobs + 1 >= conf->max_jobs) ||
           (conf->max_rss_mb > 0 &&
            process_rss_kb(p->child.pid) > (int64_t)conf->max_rss_mb * 1024);
}

void process_pool_give(struct process_pool *pool, struct process *p)
{
    bool worn_out = is_worn_out(pool, p);
    mutex_lock(&pool->mutex);
    p->proven = true;
    p->jobs++;
    backoff_reset(&p->backoff);
    pool->answered_ns = clock_now_ns();
    if (worn_out)
        process_retire_locked(pool, p);
    else
        push_locked(pool, p);
    bool wake = worn_out || p->look;
    mutex_unlock(&pool->mutex);
    if (!worn_out)
        limiter_leave(&pool->places);
    if (wake)
        process_keeper_wake(pool);
}

/* ---- the pool ---- */

int process_pool_new(const struct conf_handler *conf, char *const *env, struct process_pool **ret,
                     struct err *err)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int n = conf->processes > 0 ? conf->processes : processors > 0 ? (int)processors : 1;
    struct process_pool *pool = calloc(1, sizeof *pool + (size_t)n * sizeof *pool->slots);
    if (!pool)
        return err_set(err, -ENOMEM, "process: no memory for %d processes", n);
    pool->conf = conf;
    pool->env = env;
    pool->times = (struct process_times){.patience_ms = PATIENCE_MS, .retire_ms = RETIRE_MS};
    pool->epoll_fd = -1;
    pool->wake_fd = -1;
    pool->n = n;
    limiter_init(&pool->places, 0);
    mutex_init(&pool->mutex);
    for (int i = 0; i < n; i++)
        pool->slots[i].backoff =
            (struct backoff){.base_ms = START_BACKOFF_MS, .cap_ms = START_BACKOFF_CAP_MS};
    atomic_fetch_add(&counts[PROCESS_EMPTY], n);
    *ret = pool;
    return 0;
}

struct process_times *process_pool_times(struct process_pool *pool)
{
    return &pool->times;
}

int process_pool_start(struct process_pool *pool)
{
    return process_keeper_start(pool);
}

void process_pool_free(struct process_pool *pool)
{
    mutex_lock(&pool->mutex);
    pool->closing = true;
    mutex_unlock(&pool->mutex);
    process_keeper_join(pool);
    atomic_fetch_sub(&counts[PROCESS_EMPTY], pool->n);
    for (int i = 0; i < pool->n; i++) {
        buf_release(&pool->slots[i].words);
        errlog_release(&pool->slots[i].log);
    }
    limiter_release(&pool->places);
    mutex_release(&pool->mutex);
    buf_release(&pool->cause);
    free(pool);
}
