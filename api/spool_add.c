/*
 * Adding to the spool: requests that wait at the same time are written as a group, with one fsync.
 *
 * There is no thread for it: whoever finds that nobody writes takes the turn, and with it everybody
 * who waits; these sleep until their group is on disk. So a lone request costs no hand-over, and
 * while the disk is busy the next group gathers.
 */
#include <unistd.h>

#include "api/spool_frame.h"
#include "api/spool_parts.h"
#include "base/clock.h"
#include "base/log.h"

/* ---- writing, by whoever has the turn; without the mutex ---- */

/* The newest segment gets no more records. */
static void leave_segment(struct spool *s)
{
    if (s->fd >= 0)
        (void)close(s->fd); /* what counts is on disk, the rest is given up */
    s->fd = -1;
}

static int begin_segment(struct spool *s, struct err *err)
{
    struct spool_fence before = s->tail;
    int64_t end;
    int fd, rc = spool_segment_create(s->folder.fd, before.number + 1, before, &fd, &end, err);
    if (rc != 0)
        return rc;
    mutex_lock(&s->mutex);
    rc = spool_push_segment_locked(s,
                                   (struct spool_segment){.number = before.number + 1, .end = end});
    mutex_unlock(&s->mutex);
    if (rc != 0) {
        (void)close(fd); /* it is empty, and the next attempt replaces it */
        return err_set(err, rc, "%s", err_phrase(rc));
    }
    s->fd = fd;
    s->tail = (struct spool_fence){before.number + 1, end};
    return 0;
}

/* In vain: takes back what may have been written. A segment that cannot promise to be as before is
 * left, and fenced off at once if possible. */
static void take_back(struct spool *s, bool synced)
{
    struct err err = {""};
    if (!synced && ftruncate(s->fd, s->tail.end) == 0 && fdatasync(s->fd) == 0)
        return;
    leave_segment(s);
    if (begin_segment(s, &err) != 0)
        log_error("the spool cannot begin a new file", log_str("error", err.text));
}

static int write_group(struct spool *s, const struct adding *group, int64_t *ret_begin,
                       struct err *err)
{
    int64_t at;
    int rc = 0;
    if (s->fd >= 0 && s->tail.end >= s->segment_bytes)
        leave_segment(s);
    if (s->fd < 0 && (rc = begin_segment(s, err)) != 0)
        return rc;
    at = s->tail.end;
    for (const struct adding *a = group; a && rc == 0; a = a->next) {
        rc = spool_segment_write(s->fd, at, a->frame);
        at += (int64_t)a->frame.n;
    }
    if (rc != 0) {
        take_back(s, false);
        return err_set(err, rc, "it cannot be written: %s", strerror(-rc));
    }
    if (fdatasync(s->fd) != 0) {
        rc = -errno;
        take_back(s, true);
        return err_set(err, rc, "it cannot be written to disk: %s", strerror(-rc));
    }
    *ret_begin = s->tail.end;
    s->tail.end = at;
    return 0;
}

/* ---- the turn ---- */

/* The oldest first, as they came. */
static struct adding *reverse(struct adding *list)
{
    struct adding *reversed = NULL;
    while (list) {
        struct adding *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

/* A group is on disk, from `begin` on. */
static void count_locked(struct spool *s, struct adding *group, int64_t begin)
{
    struct spool_segment *newest = &s->segment[s->nsegments - 1];
    if (s->records == 0) {
        s->began_ns = clock_now_ns();
        s->outage = 0;
        s->oldest_us = group->accepted_us;
    }
    for (struct adding *a = group; a; a = a->next) {
        a->key.offset = begin;
        if (a->request->key)
            spool_keys_put(&newest->keys, &a->key);
        begin += (int64_t)a->frame.n;
        s->records++;
        s->jobs += a->request->batch->n;
        s->spooled += a->request->batch->n;
        s->outage += a->request->batch->n;
    }
    s->bytes += begin - newest->end;
    newest->end = begin;
}

/* Writes all that wait; the mutex is released meanwhile. */
static void take_turn_locked(struct spool *s)
{
    struct adding *group = reverse(s->waiting), *next;
    struct err err = {""}, why = {""};
    (void)err_set(&why, 0, "%s", group->request->why); /* its thread may be gone when it is told */
    int64_t begin = 0;
    s->waiting = NULL;
    s->waiting_bytes = 0;
    s->group = group;
    s->writing = true;
    mutex_unlock(&s->mutex);
    int rc = write_group(s, group, &begin, &err);
    mutex_lock(&s->mutex);
    bool first = rc == 0 && s->records == 0;
    if (rc == 0)
        count_locked(s, group, begin);
    s->group = NULL;
    s->writing = false;
    for (struct adding *a = group; a; a = next) {
        next = a->next; /* it is its thread's again */
        a->rc = rc;
        a->err = err;
        a->done = true;
    }
    cond_broadcast(&s->changed);
    cond_signal(&s->work);
    mutex_unlock(&s->mutex);
    if (first)
        log_warn("jobs go into the spool", log_str("why", why.text));
    mutex_lock(&s->mutex);
}

/* It gave up waiting before anybody took it along. */
static bool withdraw_locked(struct spool *s, struct adding *a)
{
    for (struct adding **at = &s->waiting; *at; at = &(*at)->next)
        if (*at == a) {
            *at = a->next;
            s->waiting_bytes -= (int64_t)a->frame.n;
            return true;
        }
    return false;
}

static int add_locked(struct spool *s, struct adding *a, int64_t deadline_ns, struct err *err)
{
    int64_t bytes = (int64_t)a->frame.n;
    if (s->bytes + s->waiting_bytes + bytes > s->max_bytes)
        return err_set(err, -ENOSPC, "it is full (api.spool_max)");
    a->next = s->waiting;
    s->waiting = a;
    s->waiting_bytes += bytes;
    while (!a->done) {
        if (!s->writing) {
            take_turn_locked(s);
            continue;
        }
        if (cond_wait_until(&s->changed, &s->mutex, deadline_ns))
            continue;
        if (withdraw_locked(s, a))
            return err_set(err, -ETIMEDOUT, "the disk is too slow");
        deadline_ns = CLOCK_NEVER; /* it is being written: what comes of it is waited for */
    }
    return a->rc == 0 ? 0 : err_set(err, a->rc, "%s", a->err.text);
}

/* ---- keys ---- */

static bool has_key(const struct adding *list, const struct adding *a)
{
    for (; list; list = list->next)
        if (list->request->key && strcmp(list->request->key, a->request->key) == 0)
            return true;
    return false;
}

/* Whether there is one under the same key on disk, and where; waits for those that are on their
 * way there. */
static bool find_key_locked(struct spool *s, const struct adding *a, struct spool_position *ret)
{
    while (has_key(s->group, a) || has_key(s->waiting, a))
        (void)cond_wait_until(&s->changed, &s->mutex, CLOCK_NEVER); /* the loop looks again */
    for (size_t i = s->nsegments; i-- > 0;) {
        const struct spool_key *found = spool_keys_find(&s->segment[i].keys, &a->key);
        if (found) {
            *ret = (struct spool_position){s->segment[i].number, found->offset};
            return true;
        }
    }
    return false;
}

/* What was kept of the request that lies there. */
static int read_kept(struct spool *s, struct spool_position at, const char *key,
                     struct buf *ret_was, struct err *err)
{
    struct spool_cursor cursor = {.at = at.offset};
    struct spool_found found = {.kind = FOUND_END};
    struct spool_record r;
    int rc = spool_segment_open(s->folder.fd, at.segment, &cursor.fd, &cursor.end, err);
    if (rc == -ENOENT)
        return err_set(err, -ESTALE, "it has just been replayed");
    if (rc != 0)
        return rc;
    rc = spool_cursor_next(&cursor, &found, err);
    if (rc == 0 && (found.kind != FOUND_BODY || spool_record_read(found.body, &r, NULL) != 0 ||
                    !slice_is(r.key, key)))
        rc = err_set(err, -EBADMSG, "what was kept under this key cannot be read");
    if (rc == 0) {
        buf_put(ret_was, r.kept);
        rc = buf_error(ret_was);
    }
    spool_cursor_release(&cursor);
    (void)close(cursor.fd); /* only read */
    return rc;
}

/* ---- adding ---- */

static int put_frame(const struct spool *s, const struct adding *a, struct buf *out)
{
    const struct spool_request *r = a->request;
    struct buf body = {0};
    struct spool_record record = {
        .run = {s->run, SPOOL_RUN},
        .slot = r->sent ? r->sent->slot : SPOOL_NO_SLOT,
        .number = r->sent ? r->sent->number : 0,
        .accepted_us = a->accepted_us,
        .key = slice_of(r->key ? r->key : ""),
        .kept = r->key ? r->kept : (struct slice){"", 0},
    };
    int rc = spool_record_put(&body, &record, r->batch);
    if (rc == 0)
        rc = spool_frame_put(out, buf_slice(&body));
    buf_release(&body);
    return rc;
}

/* What came of adding; the first of its kind is told. */
static void note(struct spool *s, int rc, const struct err *err)
{
    mutex_lock(&s->mutex);
    bool turned = s->failing != (rc != 0);
    s->failing = rc != 0;
    s->failures += rc != 0;
    mutex_unlock(&s->mutex);
    if (turned && rc != 0)
        log_error("the spool fails; jobs are refused", log_str("error", err->text));
    else if (turned)
        log_info("the spool can be written again");
}

int spool_add(struct spool *s, const struct spool_request *r, struct buf *ret_was, struct err *err)
{
    struct adding a = {.request = r, .accepted_us = clock_wall_us()};
    struct spool_position at = {0};
    struct buf frame = {0};
    bool known = false;
    int rc = put_frame(s, &a, &frame);
    if (rc == 0 && r->key)
        rc = spool_key_of(slice_of(r->key), 0, &a.key);
    if (rc != 0) {
        buf_release(&frame);
        return err_set(err, rc, "%s", err_phrase(rc));
    }
    a.frame = buf_slice(&frame);
    mutex_lock(&s->mutex);
    if (r->key)
        known = find_key_locked(s, &a, &at);
    if (!known)
        rc = add_locked(s, &a, r->deadline_ns, err);
    mutex_unlock(&s->mutex);
    if (!known)
        note(s, rc, err);
    else
        rc = read_kept(s, at, r->key, ret_was, err);
    buf_release(&frame);
    return rc;
}
