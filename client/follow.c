#include "client/follow.h"

#include <poll.h>
#include <time.h>

#include "base/backoff.h"
#include "base/clock.h"

enum {
    PAGE = 1000,
    LOOK_MS = 1000, /* how late a lost hint is made good */
};

struct ends {
    struct redis_conn *ears, *eyes;
};

static void hang_up(struct ends *e)
{
    redis_conn_free(e->ears);
    redis_conn_free(e->eyes);
    *e = (struct ends){NULL, NULL};
}

static int dial_one(const struct follow *f, int64_t until_ns, struct redis_conn **ret,
                    struct err *err)
{
    int rc = f->dial(f->home, until_ns, ret, err);
    if (rc == 0)
        redis_conn_set_deadline(*ret, until_ns);
    return rc;
}

static int dial(const struct follow *f, int64_t until_ns, struct ends *e, struct err *err)
{
    int rc = dial_one(f, until_ns, &e->ears, err);
    if (rc == 0)
        rc = store_stream_subscribe(f->store, e->ears, f->jid, err);
    if (rc == 0)
        rc = dial_one(f, until_ns, &e->eyes, err);
    if (rc != 0)
        hang_up(e);
    return rc;
}

/* All events that there are; *ret_end is how the job ended by the last of them. */
static int read_events(struct follow *f, struct ends *e, enum job_end *ret_end, struct err *err)
{
    size_t n;
    int rc;
    do {
        struct reply *page = NULL;
        rc = store_stream_read(f->store, e->eyes, f->jid, f->after, PAGE, &page, err);
        if (rc != 0)
            return rc;
        n = reply_count(page);
        for (size_t i = 0; rc == 0 && i < n; i++) {
            struct slice event = reply_str(reply_at(page, i));
            f->after++;
            job_end_learn(ret_end, event);
            if (f->event && f->event(f->ctx, f->after, event) != 0)
                rc = err_set(err, -ECANCELED, "following job %s was ended", f->jid);
        }
        reply_free(page);
    } while (rc == 0 && n == PAGE);
    return rc;
}

/* A tracked job whose handler has no stream ends in its record only. */
static int read_record(struct follow *f, struct ends *e, enum job_end *ret_end, struct err *err)
{
    struct reply *record = NULL;
    int rc = store_job_read(f->store, e->eyes, f->jid, &record, err);
    if (rc != 0)
        return rc;
    *ret_end = job_end_of_state(reply_str(reply_field(record, "state")));
    reply_free(record);
    return 0;
}

/* Sleeps until there may be more. */
static int listen(struct ends *e, int64_t until_ns)
{
    struct pollfd fd = {.fd = redis_conn_fd(e->ears), .events = POLLIN};
    int64_t look_ns = clock_deadline_ms(LOOK_MS);
    (void)poll(&fd, 1, clock_poll_ms(look_ns < until_ns ? look_ns : until_ns)); /* EINTR: look */
    bool ready = true;
    int rc = 0;
    while (rc == 0 && (rc = redis_conn_poll(e->ears, &ready)) == 0 && ready) {
        struct reply *message = NULL;
        rc = redis_conn_read(e->ears, &message, NULL);
        reply_free(message);
    }
    return rc;
}

static int look(struct follow *f, struct ends *e, enum job_end *ret_end, struct err *err)
{
    /* The record first: what it says about the end was written together with the last event. */
    enum job_end recorded = JOB_GOES_ON;
    int rc = read_record(f, e, &recorded, err);
    if (rc == 0)
        rc = read_events(f, e, ret_end, err);
    if (rc == 0 && *ret_end == JOB_GOES_ON)
        *ret_end = recorded;
    return rc;
}

static void pause_until(int64_t wanted_ns, int64_t until_ns)
{
    struct timespec end = clock_timespec(wanted_ns < until_ns ? wanted_ns : until_ns);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
        continue;
}

int follow_job(struct follow *f, enum job_end *ret_end, struct err *err)
{
    struct ends e = {NULL, NULL};
    struct backoff backoff = {.base_ms = 50, .cap_ms = 2000};
    int64_t until_ns = clock_deadline_ms(f->timeout_ms > 0 ? f->timeout_ms : -1);
    enum job_end end = JOB_GOES_ON;
    int rc = 0;
    while (clock_now_ns() < until_ns) {
        rc = e.eyes ? 0 : dial(f, until_ns, &e, err);
        if (rc == 0)
            rc = look(f, &e, &end, err);
        if (rc == 0 && end != JOB_GOES_ON)
            break;
        if (rc == 0) {
            backoff_reset(&backoff);
            rc = listen(&e, until_ns);
        }
        if (rc == 0)
            continue;
        hang_up(&e);
        if (!redis_is_away(rc))
            break;
        if (backoff.failures == 0 && f->away)
            f->away(f->home, err);
        pause_until(clock_deadline_ms(backoff_next_ms(&backoff)), until_ns);
    }
    hang_up(&e);
    if (end != JOB_GOES_ON) {
        *ret_end = end;
        return 0;
    }
    if (rc != 0 && !redis_is_away(rc))
        return rc;
    return err_set(err, -ETIME, "job %s has not ended within %lld ms", f->jid,
                   (long long)f->timeout_ms);
}
