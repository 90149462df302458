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
        rc = spool_segment_write(s->fd, at, buf_slice(&a->frame));
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
        if (a->request->sent)
            s->kept[a->request->sent->slot / 64] |= UINT64_C(1) << (a->request->sent->slot % 64);
        s->records++;
        s->jobs += a->request->batch->n;
        s->spooled += a->request->batch->n;
        s->outage += a->request->batch->n;
    }
    s->bytes += begin - newest->end;
    newest->end = begin;
}

static void settle(struct adding *a, int rc, const char *text)
{
    a->request->rc = err_set(&a->request->err, rc, "the spool: %s", text);
    a->state = ADDING_DONE;
}

/* Writes all that wait; the mutex is released meanwhile. */
static void take_turn_locked(struct spool *s)
{
    struct adding *group = reverse(s->waiting), *next;
    struct err err = {""}, why = {""};
    int64_t begin = 0;
    (void)err_set(&why, 0, "%s", group->request->why); /* its thread may be gone when it is told */
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
        settle(a, rc, err.text);
    }
    cond_broadcast(&s->changed);
    cond_signal(&s->work);
    if (!first)
        return;
    mutex_unlock(&s->mutex);
    log_warn("jobs go into the spool", log_str("why", why.text));
    mutex_lock(&s->mutex);
}

/* Gives up what nobody has taken along yet. */
static void withdraw_locked(struct spool *s, struct adding *mine, int n)
{
    struct adding **at = &s->waiting;
    while (*at) {
        struct adding *a = *at;
        if (a < mine || a >= mine + n) {
            at = &a->next;
            continue;
        }
        *at = a->next;
        s->waiting_bytes -= (int64_t)a->frame.n;
        settle(a, -ETIMEDOUT, "the disk is too slow");
    }
    cond_broadcast(&s->changed); /* to those who waited for their keys */
}

/* ---- keys ---- */

static bool has_key(const struct adding *list, const struct adding *a)
{
    for (; list; list = list->next)
        if (list->request->key && strcmp(list->request->key, a->request->key) == 0)
            return true;
    return false;
}

/* Whether there is one under the same key on disk, and where. */
static bool find_key_locked(struct spool *s, const struct adding *a, struct spool_position *ret)
{
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
static int read_kept(struct spool *s, struct spool_position at, struct spool_request *r,
                     struct err *err)
{
    struct spool_cursor cursor = {.at = at.offset};
    struct spool_found found = {.kind = FOUND_END};
    struct spool_record record;
    int rc = spool_segment_open(s->folder.fd, at.segment, &cursor.fd, &cursor.end, err);
    if (rc == -ENOENT)
        return err_set(err, -ESTALE, "the jobs under this key are being enqueued; ask again");
    if (rc != 0)
        return rc;
    rc = spool_cursor_next(&cursor, &found, err);
    if (rc == 0 && (found.kind != FOUND_BODY || spool_record_read(found.body, &record, NULL) != 0 ||
                    !slice_is(record.key, r->key)))
        rc = err_set(err, -EBADMSG, "what is kept under this key cannot be read");
    if (rc == 0) {
        buf_put(&r->was, record.kept);
        rc = buf_error(&r->was);
    }
    spool_cursor_release(&cursor);
    (void)close(cursor.fd); /* only read */
    return rc;
}

/* The mutex is released meanwhile. */
static void answer_by_key_locked(struct spool *s, struct adding *a, struct spool_position at)
{
    struct err err = {""};
    mutex_unlock(&s->mutex);
    int rc = read_kept(s, at, a->request, &err);
    settle(a, rc, err.text);
    mutex_lock(&s->mutex);
}

/* ---- adding ---- */

static int put_frame(const struct spool *s, struct adding *a)
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
        rc = spool_frame_put(&a->frame, buf_slice(&body));
    if (rc == 0 && r->key)
        rc = spool_key_of(record.key, 0, &a->key);
    buf_release(&body);
    return rc;
}

/* Gets in line, unless it is answered by its key, or there is no room. False when it has to wait
 * for another under its key first. */
static bool line_up_locked(struct spool *s, struct adding *a)
{
    int64_t bytes = (int64_t)a->frame.n;
    struct spool_position at;
    if (a->request->key && (has_key(s->group, a) || has_key(s->waiting, a)))
        return false;
    if (a->request->key && find_key_locked(s, a, &at)) {
        answer_by_key_locked(s, a, at);
    } else if (s->bytes + s->waiting_bytes + bytes > s->max_bytes) {
        settle(a, -ENOSPC, "it is full (api.spool_max)");
    } else {
        a->state = ADDING_WAITS;
        a->next = s->waiting;
        s->waiting = a;
        s->waiting_bytes += bytes;
    }
    return true;
}

static bool all_done(const struct adding *mine, int n)
{
    for (int i = 0; i < n; i++)
        if (mine[i].state != ADDING_DONE)
            return false;
    return true;
}

static void add_locked(struct spool *s, struct adding *mine, int n, int64_t deadline_ns)
{
    while (!all_done(mine, n)) {
        for (int i = 0; i < n; i++)
            if (mine[i].state == ADDING_TODO && !line_up_locked(s, &mine[i]))
                break; /* those behind it keep their place */
        if (s->waiting && !s->writing) {
            take_turn_locked(s);
        } else if (!all_done(mine, n) && !cond_wait_until(&s->changed, &s->mutex, deadline_ns)) {
            withdraw_locked(s, mine, n);
            deadline_ns = CLOCK_NEVER; /* what is being written is waited for */
        }
    }
}

/* What came of adding; the first of its kind is told. */
static void note(struct spool *s, const struct spool_request *r)
{
    mutex_lock(&s->mutex);
    bool failed = r->rc != 0, turned = s->failing != failed;
    s->failing = failed;
    s->failures += failed;
    mutex_unlock(&s->mutex);
    if (turned && failed)
        log_error("the spool fails; jobs are refused", log_str("error", r->err.text));
    else if (turned)
        log_info("the spool can be written again");
}

void spool_add(struct spool *s, struct spool_request *const *all, int n, int64_t deadline_ns)
{
    struct adding mine[STORE_ENQUEUE_MAX] = {{.state = ADDING_TODO}};
    int64_t now_us = clock_wall_us();
    for (int i = 0; i < n; i++) {
        mine[i] = (struct adding){.request = all[i], .accepted_us = now_us};
        all[i]->rc = put_frame(s, &mine[i]);
        if (all[i]->rc != 0)
            settle(&mine[i], all[i]->rc, err_phrase(all[i]->rc));
    }
    mutex_lock(&s->mutex);
    add_locked(s, mine, n, deadline_ns);
    mutex_unlock(&s->mutex);
    for (int i = 0; i < n; i++) {
        if (all[i]->was.n == 0 && all[i]->rc != -ESTALE) /* else it was not written */
            note(s, all[i]);
        buf_release(&mine[i].frame);
    }
}
