#include "api/spool_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"

static void close_cursor(struct spool_batch *b)
{
    if (b->cursor.fd >= 0)
        (void)close(b->cursor.fd); /* only read */
    spool_cursor_release(&b->cursor);
    b->cursor = (struct spool_cursor){.fd = -1};
}

void spool_batch_clear(struct spool_batch *b)
{
    for (int i = 0; i < b->n; i++) {
        job_batch_release(&b->item[i].jobs);
        reply_free(b->each[i].was);
    }
    b->n = 0;
}

/* The cursor is where the replay goes on. */
static int open_cursor(struct spool_batch *b, struct err *err)
{
    struct spool *s = b->s;
    int64_t size;
    mutex_lock(&s->mutex);
    struct spool_segment first = s->segment[0];
    struct spool_position done = s->done;
    mutex_unlock(&s->mutex);
    if (b->cursor.fd >= 0 && b->segment != first.number)
        close_cursor(b);
    if (b->cursor.fd < 0) {
        int rc = spool_segment_open(s->folder.fd, first.number, &b->cursor.fd, &size, err);
        if (rc != 0)
            return rc;
        b->segment = first.number;
    }
    int64_t at = done.segment == first.number ? done.offset : 0;
    if (b->cursor.at != at) {
        buf_clear(&b->cursor.window);
        b->cursor.used = 0;
        b->cursor.at = at;
    }
    b->cursor.end = first.end;
    return 0;
}

/* The guard of a request, and its place in the chain. */
static void set_guard(struct spool_batch *b, struct spool_item *item, struct enqueue *e)
{
    const struct spool_record *record = &item->record;
    int run = SPOOL_RUN;
    bool sent = record->slot != SPOOL_NO_SLOT;
    if (sent) /* as spool_turn_take() names it */
        (void)snprintf(item->guard, sizeof item->guard, "%.*s:%u", run, record->run.p,
                       record->slot);
    else
        (void)snprintf(item->guard, sizeof item->guard, "%.*s:spool", run, record->run.p);
    e->guard = (struct enqueue_guard){
        .name = item->guard,
        .floor = sent || b->n == 0 ? 0 : b->each[b->n - 1].guard.number,
        .number = sent ? record->number : (int64_t)(item->at.segment << 30) + item->at.offset,
    };
}

/* Takes a record into the batch. False when it has to begin the next one. -EBADMSG when it is none.
 */
static int take(struct spool_batch *b, const struct spool_found *found, bool *ret_taken)
{
    struct spool_item *item = &b->item[b->n];
    struct enqueue *e = &b->each[b->n];
    const struct spool_record *first = &b->item[0].record, *record = &item->record;
    *item = (struct spool_item){.at = {0}};
    *e = (struct enqueue){.batch = &item->jobs};
    int rc = spool_record_read(found->body, &item->record, &item->jobs);
    if (rc == 0 && record->key.n >= sizeof item->key)
        rc = -EBADMSG;
    bool alone = record->slot != SPOOL_NO_SLOT;
    *ret_taken = rc == 0 && (b->n == 0 || (!alone && slice_eq(first->run, record->run)));
    if (!*ret_taken) {
        job_batch_release(&item->jobs);
        return rc;
    }
    item->at = (struct spool_position){b->segment, found->begin};
    item->next = (struct spool_position){b->segment, found->begin + found->size};
    if (record->key.n > 0) {
        memcpy(item->key, record->key.p, record->key.n);
        item->key[record->key.n] = '\0';
        e->key = item->key;
        e->record = record->kept;
    }
    set_guard(b, item, e);
    b->n++;
    return 0;
}

/* More records behind the first, without reading. */
static void fill_batch(struct spool_batch *b)
{
    struct spool_found found;
    bool taken = b->item[0].record.slot == SPOOL_NO_SLOT;
    while (taken && b->n < SPOOL_BATCH) {
        int64_t at = b->cursor.at;
        size_t used = b->cursor.used;
        spool_cursor_next_held(&b->cursor, &found);
        if (found.kind != FOUND_BODY)
            break;
        int rc = take(b, &found, &taken);
        if (rc != 0 || !taken) { /* it begins the next batch, or is what that finds damaged */
            b->cursor.at = at;
            b->cursor.used = used;
            break;
        }
    }
}

/* ---- the end of a segment, and of the spool ---- */

/* Takes the oldest segment off the list, unless it has grown meanwhile. */
static bool drop_segment(struct spool_batch *b, struct spool_segment *ret)
{
    struct spool *s = b->s;
    bool dropped = false;
    int fd = -1;
    mutex_lock(&s->mutex);
    bool newest = s->nsegments == 1, grown = s->segment[0].end > b->cursor.at;
    if (!grown && !(newest && (s->writing || s->waiting))) {
        *ret = s->segment[0];
        s->nsegments--;
        memmove(s->segment, s->segment + 1, s->nsegments * sizeof *s->segment);
        s->bytes -= ret->end;
        if (newest) { /* nobody writes, so it is ours to close */
            fd = s->fd;
            s->fd = -1;
            s->records = s->jobs = 0; /* what has become unreadable meanwhile is not waited for */
            memset(s->kept, 0, sizeof s->kept);
        }
        dropped = true;
    }
    mutex_unlock(&s->mutex);
    if (fd >= 0)
        (void)close(fd); /* all of it has been replayed */
    return dropped;
}

static int end_segment(struct spool_batch *b, struct err *err)
{
    struct spool_segment segment;
    if (!drop_segment(b, &segment))
        return 0;
    spool_keys_release(&segment.keys);
    close_cursor(b);
    return spool_folder_retire(&b->s->folder, segment.number, segment.damaged, err);
}

/* Something that is no record: what is done with it is in its segment's name. */
static void skip(struct spool_batch *b, const struct spool_found *found)
{
    struct spool *s = b->s;
    mutex_lock(&s->mutex);
    bool told = s->segment[0].damaged;
    s->done = (struct spool_position){b->segment, b->cursor.at};
    mutex_unlock(&s->mutex);
    if (!told) /* else by spool_load() */
        spool_report_damage(s, b->segment, found);
}

int spool_batch_read(struct spool_batch *b, struct err *err)
{
    struct spool_found found;
    bool taken = false;
    int rc = open_cursor(b, err);
    if (rc == 0)
        rc = spool_cursor_next(&b->cursor, &found, err);
    if (rc != 0)
        return rc;
    if (found.kind == FOUND_END)
        return end_segment(b, err);
    if (found.kind == FOUND_BODY) {
        rc = take(b, &found, &taken);
        if (rc != 0 && rc != -EBADMSG)
            return err_set(err, rc, "%s", err_phrase(rc));
    }
    if (taken)
        fill_batch(b);
    else
        skip(b, &found);
    return 0;
}

void spool_batch_init(struct spool_batch *b, struct spool *s)
{
    *b = (struct spool_batch){.s = s, .cursor = {.fd = -1}};
}

void spool_batch_release(struct spool_batch *b)
{
    spool_batch_clear(b);
    close_cursor(b);
}
