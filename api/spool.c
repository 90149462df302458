#include "api/spool_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"

static const char setting[] = "api.spool";

int spool_check(const char *path, struct err *err)
{
    int rc = spool_folder_check(path, err);
    return rc == 0 ? 0 : err_prefix(err, rc, setting);
}

int spool_open(const struct spool_options *o, struct spool **ret, struct err *err)
{
    struct spool *s = calloc(1, sizeof *s);
    if (!s)
        return err_set(err, -ENOMEM, "no memory for the spool");
    s->store = o->store;
    s->pool = o->pool;
    s->max_bytes = o->max_bytes;
    s->segment_bytes = SPOOL_SEGMENT_BYTES;
    if (s->segment_bytes > s->max_bytes / 4)
        s->segment_bytes = s->max_bytes / 4; /* what is replayed makes room */
    s->fd = -1;
    random_hex(s->run, SPOOL_RUN / 2);
    mutex_init(&s->mutex);
    cond_init(&s->changed);
    cond_init(&s->work);
    int rc = spool_folder_open(&s->folder, o->path, err);
    if (rc == 0)
        rc = spool_load(s, err);
    if (rc != 0) {
        spool_free(s);
        return err_prefix(err, rc, setting);
    }
    if (s->records > 0)
        log_warn("the spool holds jobs of an earlier run", log_int("jobs", (int64_t)s->jobs),
                 log_int("bytes", s->bytes));
    *ret = s;
    return 0;
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    mutex_lock(&s->mutex);
    s->stopping = true;
    cond_broadcast(&s->work);
    mutex_unlock(&s->mutex);
    if (s->replayer.started) {
        thread_join(&s->replayer);
        if (s->records > 0)
            log_warn("jobs stay in the spool until the next start",
                     log_int("jobs", (int64_t)s->jobs), log_int("bytes", s->bytes));
    }
    if (s->fd >= 0)
        (void)close(s->fd); /* all that counts is on disk */
    spool_folder_close(&s->folder);
    for (size_t i = 0; i < s->nsegments; i++)
        spool_keys_release(&s->segment[i].keys);
    free(s->segment);
    cond_release(&s->work);
    cond_release(&s->changed);
    mutex_release(&s->mutex);
    free(s);
}

int spool_push_segment_locked(struct spool *s, struct spool_segment segment)
{
    struct spool_segment *grown = reallocarray(s->segment, s->nsegments + 1, sizeof *s->segment);
    if (!grown)
        return -ENOMEM;
    s->segment = grown;
    s->segment[s->nsegments++] = segment;
    s->bytes += segment.end;
    return 0;
}

void spool_report_damage(struct spool *s, uint64_t segment, const struct spool_found *found)
{
    char name[SEGMENT_NAME];
    spool_segment_name(segment, name);
    log_error("a part of the spool cannot be read, and stays in the folder", log_str("file", name),
              log_int("offset", found->begin), log_int("bytes", found->size));
    mutex_lock(&s->mutex);
    s->damages++;
    for (size_t i = 0; i < s->nsegments; i++)
        if (s->segment[i].number == segment)
            s->segment[i].damaged = true;
    mutex_unlock(&s->mutex);
}

/* ---- of one request ---- */

bool spool_in_use_locked(const struct spool *s)
{
    return s->records > 0 || s->group || s->waiting;
}

bool spool_in_use(struct spool *s, int64_t deadline_ns)
{
    if (!s)
        return false;
    mutex_lock(&s->mutex);
    while (s->closing && cond_wait_until(&s->changed, &s->mutex, deadline_ns))
        ;
    bool in_use = spool_in_use_locked(s);
    mutex_unlock(&s->mutex);
    return in_use;
}

bool spool_takes(const struct spool *s, int rc)
{
    return s &&
           (rc == -ENOTCONN || rc == -ETIMEDOUT || rc == -EAGAIN || rc == -EROFS || rc == -ENOSPC);
}

bool spool_is_replaying(struct spool *s)
{
    mutex_lock(&s->mutex);
    bool replaying = s->replaying;
    mutex_unlock(&s->mutex);
    return replaying;
}

struct enqueue_guard spool_turn_take(struct spool *s, struct spool_turn *ret)
{
    unsigned slot = SPOOL_NO_SLOT;
    mutex_lock(&s->mutex);
    for (unsigned i = 0; i < SPOOL_SLOTS / 64 && slot == SPOOL_NO_SLOT; i++)
        if (~(s->taken[i] | s->kept[i]) != 0) {
            unsigned bit = (unsigned)__builtin_ctzll(~(s->taken[i] | s->kept[i]));
            s->taken[i] |= UINT64_C(1) << bit;
            slot = 64 * i + bit;
        }
    int64_t number = ++s->number;
    mutex_unlock(&s->mutex);
    *ret = (struct spool_turn){.slot = slot, .number = number};
    if (slot == SPOOL_NO_SLOT)
        return (struct enqueue_guard){.name = NULL};
    (void)snprintf(ret->name, sizeof ret->name, "%s:%u", s->run, slot); /* fits */
    return (struct enqueue_guard){.name = ret->name, .number = number};
}

void spool_turn_give(struct spool *s, const struct spool_turn *turn)
{
    if (!*turn->name)
        return;
    mutex_lock(&s->mutex);
    s->taken[turn->slot / 64] &= ~(UINT64_C(1) << (turn->slot % 64));
    mutex_unlock(&s->mutex);
}

void spool_stats(struct spool *s, struct spool_stats *ret)
{
    int64_t now_us = clock_wall_us();
    mutex_lock(&s->mutex);
    *ret = (struct spool_stats){
        .requests = s->records,
        .jobs = s->jobs,
        .bytes = s->bytes,
        .oldest_s =
            s->records > 0 && s->oldest_us < now_us ? (double)(now_us - s->oldest_us) / 1e6 : 0,
        .failing = s->failing,
        .spooled = s->spooled,
        .replayed = s->replayed,
        .refused = s->refused,
        .failures = s->failures,
        .damages = s->damages,
    };
    mutex_unlock(&s->mutex);
}
