/* What an earlier run has left in the folder. */
#include <stdlib.h>
#include <unistd.h>

#include "api/spool_parts.h"
#include "base/clock.h"
#include "base/log.h"

/* A number times 2^30 is still a number of a guard (api/spool_replay.c). */
#define SEGMENTS_MAX (UINT64_C(1) << 22)

/* A segment that is being read. */
struct loading {
    uint64_t number;
    bool last;
    struct spool_cursor cursor;
    int64_t end; /* behind the last record so far */
};

/* False when the body is no record. */
static bool load_record(struct spool *s, const struct loading *l, const struct spool_found *found)
{
    struct spool_record r;
    struct spool_key key;
    if (spool_record_read(found->body, &r, NULL) != 0)
        return false;
    if (r.key.n > 0 && spool_key_of(r.key, found->begin, &key) == 0)
        spool_keys_put(&s->segment[s->nsegments - 1].keys, &key);
    if (l->number == s->done.segment && found->begin < s->done.offset)
        return true; /* it has been replayed */
    if (s->records == 0)
        s->oldest_us = r.accepted_us;
    s->records++;
    s->jobs += r.njobs;
    return true;
}

/* Until the end of what the cursor reads. */
static int load_records(struct spool *s, struct loading *l, struct err *err)
{
    struct spool_found found;
    for (;;) {
        int rc = spool_cursor_next(&l->cursor, &found, err);
        if (rc != 0)
            return rc;
        switch (found.kind) {
        case FOUND_END:
            return 0;
        case FOUND_TORN:
            if (l->last) {
                log_warn("the end of the spool was not written whole when the process died; nobody "
                         "was told that it was",
                         log_int("bytes", found.size));
                return 0;
            }
            break;
        case FOUND_BODY:
            l->end = found.begin + found.size;
            if (load_record(s, l, &found))
                continue;
            break;
        case FOUND_DAMAGE:
            l->end = found.begin + found.size;
            break;
        }
        spool_report_damage(s, l->number, &found);
    }
}

/* What the next segment says of where this one ends. */
static int find_end(struct spool *s, const struct loading *l, uint64_t next, int64_t *end,
                    struct err *err)
{
    struct spool_fence fence = {0};
    int64_t size;
    int fd, rc = spool_segment_open(s->folder.fd, next, &fd, &size, err);
    if (rc != 0)
        return rc;
    rc = spool_segment_fence(fd, &fence, err);
    (void)close(fd); /* only read */
    if (rc == -EBADMSG)
        return 0; /* the next one is damaged, and will be told of */
    if (rc != 0 || fence.number != l->number)
        return rc;
    if (fence.end > *end)
        spool_report_damage(s, l->number,
                            &(struct spool_found){.begin = *end, .size = fence.end - *end});
    else
        *end = fence.end;
    return 0;
}

static int load_segment(struct spool *s, struct loading *l, const uint64_t *next, struct err *err)
{
    int64_t size;
    int fd, rc = spool_segment_open(s->folder.fd, l->number, &fd, &size, err);
    if (rc != 0)
        return rc;
    mutex_lock(&s->mutex);
    rc = spool_push_segment_locked(s, (struct spool_segment){.number = l->number});
    mutex_unlock(&s->mutex);
    if (rc != 0)
        rc = err_set(err, rc, "%s", err_phrase(rc));
    if (rc == 0 && next)
        rc = find_end(s, l, *next, &size, err);
    struct spool_fence own;
    if (rc == 0 && spool_segment_fence(fd, &own, err) == -EPROTO)
        rc = -EPROTO;
    if (rc == 0) {
        l->cursor = (struct spool_cursor){.fd = fd, .end = size};
        rc = load_records(s, l, err);
        spool_cursor_release(&l->cursor);
    }
    if (rc == 0) {
        s->segment[s->nsegments - 1].end = l->end;
        s->bytes += l->end;
        s->tail = (struct spool_fence){l->number, l->end};
    }
    (void)close(fd); /* only read */
    return rc;
}

int spool_load(struct spool *s, struct err *err)
{
    uint64_t *numbers = NULL;
    size_t n = 0;
    s->done = spool_folder_position(&s->folder);
    s->tail.number = s->done.segment;
    int rc = spool_folder_list(&s->folder, &numbers, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct loading l = {.number = numbers[i], .last = i + 1 == n};
        if (numbers[i] >= SEGMENTS_MAX)
            rc = err_set(err, -EPROTO, "a segment has a number that none can have");
        else if (numbers[i] < s->done.segment)
            rc = spool_folder_retire(&s->folder, numbers[i], false, err);
        else
            rc = load_segment(s, &l, l.last ? NULL : &numbers[i + 1], err);
        if (rc != 0)
            rc = err_prefix(err, rc, "segment %llu", (unsigned long long)numbers[i]);
    }
    free(numbers);
    if (s->records > 0)
        s->began_ns = clock_now_ns();
    s->outage = s->jobs;
    return rc;
}
