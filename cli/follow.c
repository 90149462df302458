#include "cli/follow.h"

#include <poll.h>
#include <stdio.h>
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

static int dial(const struct follow *f, struct ends *e, struct err *err)
{
    int rc = session_dial(f->session, &e->ears, err);
    if (rc == 0)
        rc = store_stream_subscribe(f->session->store, e->ears, f->jid, err);
    if (rc == 0)
        rc = session_dial(f->session, &e->eyes, err);
    if (rc != 0)
        hang_up(e);
    return rc;
}

/* All events that there are; *ret_end is how the job ended by the last of them. */
static int read_events(struct follow *f, struct ends *e, enum job_end *ret_end, struct err *err)
{
    size_t n;
    do {
        struct reply *page = NULL;
        int rc = store_stream_read(f->session->store, e->eyes, f->jid, f->after, PAGE, &page, err);
        if (rc != 0)
            return rc;
        n = reply_count(page);
        for (size_t i = 0; i < n; i++) {
            struct slice event = reply_str(reply_at(page, i));
            f->after++;
            if (f->event)
                f->event(f->ctx, f->after, event);
            job_end_learn(ret_end, event);
        }
        reply_free(page);
    } while (n == PAGE);
    return 0;
}

/* A tracked job whose handler has no stream ends in its record only. */
static int read_record(struct follow *f, struct ends *e, enum job_end *ret_end, struct err *err)
{
    struct reply *record = NULL;
    int rc = store_job_read(f->session->store, e->eyes, f->jid, &record, err);
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

static bool passes(int rc)
{
    return rc == -ENOTCONN || rc == -EAGAIN || rc == -EROFS;
}

int follow_job(struct follow *f, enum job_end *ret_end, struct err *err)
{
    struct ends e = {NULL, NULL};
    struct backoff backoff = {.base_ms = 50, .cap_ms = 2000};
    int64_t until_ns = clock_deadline_ms(f->timeout_ms > 0 ? f->timeout_ms : -1);
    enum job_end end = JOB_GOES_ON;
    int rc = 0;
    while (clock_now_ns() < until_ns) {
        rc = e.eyes ? 0 : dial(f, &e, err);
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
        if (!passes(rc))
            break;
        if (backoff.failures == 0)
            fprintf(stderr, "waiting for Redis: %s\n", err->text);
        struct timespec pause = clock_timespec(backoff_next_ms(&backoff) * NS_PER_MS);
        (void)nanosleep(&pause, NULL); /* a signal ends the command anyway */
    }
    hang_up(&e);
    if (end != JOB_GOES_ON) {
        *ret_end = end;
        return 0;
    }
    if (rc != 0 && !passes(rc))
        return rc;
    return err_set(err, -ETIME, "job %s has not ended within %lld ms", f->jid,
                   (long long)f->timeout_ms);
}
