#include "worker/inflight.h"

#include <stdlib.h>

void inflight_init(struct inflight *t)
{
    *t = (struct inflight){.next_seq = 1};
    mutex_init(&t->mutex);
}

void inflight_release(struct inflight *t)
{
    mutex_release(&t->mutex);
    free(t->known);
}

static bool add_locked(struct inflight *t, uint64_t seq)
{
    if (t->n == t->cap) {
        size_t cap = t->cap ? 2 * t->cap : 64;
        uint64_t *known = realloc(t->known, cap * sizeof *known);
        if (!known)
            return false;
        t->known = known;
        t->cap = cap;
    }
    t->known[t->n++] = seq;
    return true;
}

static size_t find_locked(const struct inflight *t, uint64_t seq)
{
    size_t i = 0;
    while (i < t->n && t->known[i] != seq)
        i++;
    return i;
}

uint64_t inflight_begin(struct inflight *t)
{
    mutex_lock(&t->mutex);
    uint64_t seq = t->next_seq++;
    if (!add_locked(t, seq))
        seq = 0;
    mutex_unlock(&t->mutex);
    return seq;
}

bool inflight_adopt(struct inflight *t, uint64_t seq)
{
    mutex_lock(&t->mutex);
    bool added = find_locked(t, seq) == t->n && add_locked(t, seq);
    mutex_unlock(&t->mutex);
    return added;
}

void inflight_end(struct inflight *t, uint64_t seq)
{
    mutex_lock(&t->mutex);
    size_t i = find_locked(t, seq);
    if (i < t->n)
        t->known[i] = t->known[--t->n];
    mutex_unlock(&t->mutex);
}

bool inflight_has(struct inflight *t, uint64_t seq)
{
    mutex_lock(&t->mutex);
    bool known = find_locked(t, seq) < t->n;
    mutex_unlock(&t->mutex);
    return known;
}

size_t inflight_count(struct inflight *t)
{
    mutex_lock(&t->mutex);
    size_t n = t->n;
    mutex_unlock(&t->mutex);
    return n;
}
