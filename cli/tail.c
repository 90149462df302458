#include "cli/tail.h"

#include <fnmatch.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "cli/human.h"
#include "cli/tail_jobs.h"
#include "cli/tail_line.h"
#include "cli/time_text.h"
#include "job/envelope.h"
#include "store/control.h"
#include "store/feed.h"
#include "store/job_labels.h"

enum {
    HEAR_MAX = 1000, /* messages before it is read again */
    NAMES_MAX = 500, /* jobs of one order to subscribe */
    LABELS_MAX = 64, /* jobs asked about in one round trip */
    NEW = 1000,      /* events that a worker appends at once, at most */
    PAGE_EVENTS = 1000,
    PAGE_BYTES = 64 * 1024,
    UNITS = 16000,    /* of work a second: of labels, or … */
    PAGE_UNITS = 8,   /* … for a page, and … */
    UNIT_BYTES = 512, /* … so many bytes of it */
    TURN_UNITS = UNITS / 10,
    WAIT_MS = 20, /* for units */
    LOOK_MS = 1000,
};
#define PING_NS     (10 * NS_PER_S)
#define PONG_NS     (5 * NS_PER_S)
#define LEFT_OUT_NS (5 * NS_PER_S) /* between two notices */

struct tail {
    const struct session *session;
    const struct tail_wants *wants;
    struct tail_jobs jobs;
    struct redis_conn *ears, *eyes;
    double began_s;   /* Redis' time: of jobs that start from now on, all is heard */
    double redis_s;   /* Redis' time … */
    int64_t redis_ns; /* … at this monotonic time */
    int64_t heard_ns, pinged_ns;
    bool more;                 /* messages have been left for later */
    int64_t units, units_ns;   /* what may be spent, as of this time */
    int64_t said_ns;           /* when the last notice was given */
    uint64_t said;             /* jobs->left_out as of it */
    struct tail_widths widths; /* of what is printed */
    struct terminal terminal;
    struct buf line;
};

/* ---- filters ---- */

static bool names_hold(const struct tail_names *names, const char *text, bool globs)
{
    for (size_t i = 0; text && i < names->n; i++)
        if (strcmp(names->name[i], text) == 0 || (globs && fnmatch(names->name[i], text, 0) == 0))
            return true;
    return names->n == 0;
}

static char *copy_label(struct slice label)
{
    size_t max = JOB_CLASS_MAX; /* of a queue, too */
    return label.n > 0 ? strndup(label.p, label.n < max ? label.n : max) : NULL;
}

/* ---- reading ---- */

/* Since when all that begins is heard of, by Redis' clock. */
static double knows_since(const struct tail *t)
{
    if (t->jobs.forgot_ns == 0)
        return t->began_s;
    double forgot_s = t->redis_s + (double)(t->jobs.forgot_ns - t->redis_ns) / (double)NS_PER_S;
    return forgot_s > t->began_s ? forgot_s : t->began_s;
}

static int64_t before_end(int64_t length, int64_t lines)
{
    return length > lines ? length - lines : 0;
}

static int64_t where_to_begin(const struct tail *t, const struct tail_job *job,
                              const struct job_labels *labels)
{
    bool heard = job->known > 0; /* else it was asked for by its jid */
    bool old = !heard || (labels->started_at > 0 && labels->started_at <= knows_since(t));
    int64_t lines = old || t->wants->lines > NEW ? t->wants->lines : NEW;
    return before_end(heard ? job->known : labels->length, lines);
}

struct asked {
    struct tail *t;
    struct tail_job *job[LABELS_MAX];
    const char *jid[LABELS_MAX];
    size_t n;
};

static void take_labels(void *ctx, size_t i, const struct job_labels *labels)
{
    const struct asked *asked = ctx;
    struct tail *t = asked->t;
    struct tail_job *job = asked->job[i];
    if (job->shown < 0)
        job->shown = where_to_begin(t, job, labels);
    if (job->known < labels->length)
        job->known = labels->length;
    if (labels->recorded) {
        job->klass = copy_label(labels->klass);
        job->queue = copy_label(labels->queue);
    }
    /* One of which there is nothing may not have begun: it is asked about again. */
    job->labelled = labels->recorded || job->known > 0;
    job->wanted = names_hold(&t->wants->queues, job->queue, false) &&
                  names_hold(&t->wants->classes, job->klass, true);
}

/* Of those next in line that have none. */
static int read_labels(struct tail *t, struct err *err)
{
    struct asked asked = {.t = t};
    struct tail_job *job = tail_jobs_first(&t->jobs);
    for (size_t i = 0; job && i < LABELS_MAX; i++, job = job->next)
        if (!job->labelled) {
            asked.job[asked.n] = job;
            asked.jid[asked.n++] = job->jid;
        }
    t->units -= (int64_t)asked.n;
    int rc =
        store_job_labels(t->session->store, t->eyes, asked.jid, asked.n, take_labels, &asked, err);
    for (size_t i = 0; rc == 0 && i < asked.n; i++)
        if (!asked.job[i]->labelled || !asked.job[i]->wanted)
            tail_jobs_settle(&t->jobs, asked.job[i]);
    return rc;
}

static void print(struct tail *t, const struct tail_job *job, struct slice event, int64_t at_us)
{
    const struct tail_names *types = &t->wants->types;
    if (types->n > 0 && !tail_event_is(event, types->name, types->n))
        return;
    struct tail_line line = {.at_us = at_us,
                             .jid = job->jid,
                             .klass = job->klass,
                             .queue = job->queue,
                             .id = job->shown,
                             .event = event};
    buf_clear(&t->line);
    if (t->wants->json)
        tail_put_json(&t->line, &line);
    else
        tail_put_text(&t->line, &line, &t->terminal, &t->widths);
    (void)fwrite(t->line.p, 1, t->line.n, stdout); /* cli_flush() tells */
}

/* What comes next of a job. */
static int read_page(struct tail *t, struct tail_job *job, struct err *err)
{
    struct stream_page page;
    size_t bytes = 0;
    int rc = store_stream_page(t->session->store, t->eyes, job->jid, job->shown, PAGE_EVENTS,
                               PAGE_BYTES, &page, err);
    if (rc != 0)
        return rc;
    int64_t now_us = clock_wall_us();
    if (page.length < job->shown) /* it began anew while nobody listened, or Redis lost its end */
        job->shown = before_end(page.length, t->wants->lines);
    for (size_t i = 0; i < page.n; i++) {
        struct slice event = stream_page_event(&page, i);
        job->shown++;
        bytes += event.n;
        job_end_learn(&job->end, event);
        print(t, job, event, now_us);
    }
    job->known = page.length;
    t->units -= PAGE_UNITS + (int64_t)(bytes / UNIT_BYTES);
    reply_free(page.reply);
    tail_jobs_settle(&t->jobs, job);
    return buf_error(&t->line);
}

static void earn_units(struct tail *t)
{
    int64_t now = clock_now_ns(), since = now - t->units_ns;
    t->units_ns = now;
    t->units += (since < NS_PER_S ? since : NS_PER_S) * UNITS / NS_PER_S;
    if (t->units > TURN_UNITS)
        t->units = TURN_UNITS;
}

/* Serves those in line, as far as the units go. */
static int serve(struct tail *t, struct err *err)
{
    struct tail_job *job;
    int rc = 0;
    earn_units(t);
    t->terminal = terminal_of(STDOUT_FILENO); /* it may have been resized */
    while (rc == 0 && t->units > 0 && (job = tail_jobs_first(&t->jobs)) != NULL)
        rc = job->labelled ? read_page(t, job, err) : read_labels(t, err);
    int flushed = cli_flush(rc == 0 ? err : NULL);
    return rc == 0 ? flushed : rc;
}

static void say_left_out(struct tail *t)
{
    char text[HUMAN_TEXT];
    int64_t now = clock_now_ns();
    uint64_t n = t->jobs.left_out - t->said;
    if (n == 0 || (t->said_ns > 0 && now - t->said_ns < LEFT_OUT_NS))
        return;
    t->said_ns = now;
    t->said = t->jobs.left_out;
    fprintf(stderr, "sluice tail: too much at once: %s message%s of further jobs passed over\n",
            human_count((int64_t)n, text), n == 1 ? "" : "s");
}

/* ---- hearing ---- */

static int hear_one(struct tail *t, const struct reply *reply, struct err *err)
{
    struct slice jid;
    int64_t length = 0;
    enum feed_kind kind = store_feed_read(t->session->store, reply, &jid, &length);
    if (kind == FEED_OTHER)
        return reply_error(reply, err);
    if (jid.n == 0 || jid.n > JOB_JID_MAX || memchr(jid.p, '\0', jid.n))
        return 0; /* of no job */
    if (kind == FEED_SUBSCRIBED)
        return tail_jobs_add(&t->jobs, jid);
    tail_jobs_hear(&t->jobs, jid, length, t->heard_ns);
    return 0;
}

static int hear(struct tail *t, struct err *err)
{
    bool ready = true;
    int rc = 0, n = 0;
    for (; rc == 0 && n < HEAR_MAX; n++) {
        struct reply *reply = NULL;
        rc = redis_conn_poll(t->ears, &ready);
        if (rc != 0 || !ready)
            break;
        rc = redis_conn_read(t->ears, &reply, err);
        t->heard_ns = clock_now_ns();
        if (rc == 0)
            rc = hear_one(t, reply, err);
        reply_free(reply);
    }
    t->more = n == HEAR_MAX;
    return rc;
}

/* Silence is no end: only a PING that is not answered is. */
static int check_link(struct tail *t, struct err *err)
{
    int64_t now = clock_now_ns();
    if (t->pinged_ns > t->heard_ns)
        return now - t->pinged_ns < PONG_NS
                   ? 0
                   : err_set(err, -ENOTCONN, "the subscription has fallen silent");
    if (now - t->heard_ns < PING_NS)
        return 0;
    t->pinged_ns = now;
    return store_control_ping(t->ears);
}

/* ---- connections ---- */

static void hang_up(struct tail *t)
{
    redis_conn_free(t->ears);
    redis_conn_free(t->eyes);
    t->ears = t->eyes = NULL;
}

static int subscribe(struct tail *t, struct err *err)
{
    const struct tail_wants *w = t->wants;
    int rc = 0;
    if (w->njids == 0)
        rc = store_feed_subscribe_all(t->session->store, t->ears, err);
    for (size_t i = 0; rc == 0 && i < w->njids; i += NAMES_MAX)
        rc = store_feed_subscribe(t->session->store, t->ears, w->jids + i,
                                  w->njids - i < NAMES_MAX ? w->njids - i : NAMES_MAX);
    return rc;
}

/* First the subscription, then all else: so nothing falls in between. */
static int connect_both(struct tail *t, struct err *err)
{
    int rc = session_dial(t->session, &t->ears, err);
    if (rc == 0)
        rc = subscribe(t, err);
    if (rc == 0)
        rc = session_dial(t->session, &t->eyes, err);
    if (rc == 0)
        rc = store_time(t->eyes, &t->redis_s, err);
    if (rc != 0) {
        hang_up(t);
        return rc;
    }
    t->redis_ns = t->heard_ns = clock_now_ns();
    t->pinged_ns = 0;
    if (t->began_s == 0)
        t->began_s = t->redis_s;
    tail_jobs_look_again(&t->jobs);
    return 0;
}

/* Sleeps until something may be heard, at most. -EPIPE when nobody reads stdout any more. */
static int rest(const struct tail *t, int ms)
{
    struct pollfd fds[2] = {
        {.fd = t->ears ? redis_conn_fd(t->ears) : -1, .events = POLLIN},
        {.fd = STDOUT_FILENO}, /* its end is always told */
    };
    int n = poll(fds, 2, ms); /* EINTR: look anyway */
    return n > 0 && fds[1].revents ? -EPIPE : 0;
}

static int wait_for_redis(struct tail *t, const struct err *why, struct err *err)
{
    struct backoff backoff = {.base_ms = 50, .cap_ms = 5000};
    int64_t began_ns = clock_now_ns();
    char text[DURATION_TEXT];
    int rc;
    fprintf(stderr, "sluice tail: waiting for Redis: %s\n", why->text);
    do {
        rc = rest(t, (int)backoff_next_ms(&backoff));
        if (rc == 0)
            rc = connect_both(t, err);
    } while (redis_is_away(rc));
    if (rc == 0)
        fprintf(stderr,
                "sluice tail: Redis is back after %s; jobs that began and ended meanwhile are not "
                "shown\n",
                duration_text((double)(clock_now_ns() - began_ns) / (double)NS_PER_S, text));
    return rc;
}

static int turn(struct tail *t, struct err *err)
{
    int rc = hear(t, err);
    if (rc == 0)
        rc = serve(t, err);
    if (rc == 0)
        rc = check_link(t, err);
    if (rc != 0)
        return rc;
    say_left_out(t);
    bool waits = tail_jobs_first(&t->jobs) != NULL;
    return rest(t, t->more || (waits && t->units > 0) ? 0 : waits ? WAIT_MS : LOOK_MS);
}

int tail_run(const struct session *session, const struct tail_wants *wants, struct err *err)
{
    struct tail t = {.session = session, .wants = wants, .units_ns = clock_now_ns()};
    int rc = connect_both(&t, err);
    while (rc == 0) {
        struct err why = {""};
        rc = turn(&t, &why);
        if (rc == 0)
            continue;
        hang_up(&t);
        if (!why.text[0])
            (void)err_set(&why, rc, "%s", err_phrase(rc)); /* returns the code */
        if (redis_is_away(rc))
            rc = wait_for_redis(&t, &why, err);
        else
            *err = why;
    }
    hang_up(&t);
    tail_jobs_release(&t.jobs);
    buf_release(&t.line);
    return rc;
}
