#include "worker/tally.h"

#include <stdlib.h>
#include <string.h>

#define OTHER "_other"

void tally_init(struct tally *t)
{
    memset(t, 0, sizeof *t);
    mutex_init(&t->mutex);
    t->rest_queue.name = OTHER;
    t->rest.queue = &t->rest_queue;
    t->rest.klass = OTHER;
}

void tally_release(struct tally *t)
{
    for (unsigned i = 0; i < t->nentries; i++)
        if (t->entries[i] != &t->rest)
            free(t->entries[i]);
    for (unsigned i = 0; i < t->nqueues; i++)
        if (t->queues[i] != &t->rest_queue)
            free(t->queues[i]);
    mutex_release(&t->mutex);
}

/* Eight bytes a step. Whoever makes classes collide makes a walk longer, by at most the few
 * hundred entries that there can be. */
static uint64_t mix(uint64_t hash, const char *text)
{
    const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
    size_t n = strlen(text);
    uint64_t word;
    hash ^= n; /* "a" + "bc" is not "ab" + "c" */
    for (; n >= sizeof word; text += sizeof word, n -= sizeof word) {
        memcpy(&word, text, sizeof word);
        hash = (hash ^ word) * factor;
        hash ^= hash >> 32;
    }
    for (word = 0; *text; text++)
        word = word << 8 | (unsigned char)*text;
    hash = (hash ^ word) * factor;
    return hash ^ hash >> 32;
}

static struct tally_entry *_Atomic *place(struct tally *t, const char *queue, const char *klass)
{
    size_t i = (size_t)mix(mix(0, queue), klass);
    for (;; i++) { /* ends, as there are more places than entries */
        struct tally_entry *_Atomic *at = &t->places[i % TALLY_PLACES];
        struct tally_entry *e = atomic_load_explicit(at, memory_order_acquire);
        if (!e || (strcmp(e->klass, klass) == 0 && strcmp(e->queue->name, queue) == 0))
            return at;
    }
}

static struct tally_entry *look_up(struct tally *t, const char *queue, const char *klass)
{
    return atomic_load_explicit(place(t, queue, klass), memory_order_acquire);
}

/* ---- additions ---- */

static void list_entry_locked(struct tally *t, struct tally_entry *e)
{
    unsigned n = atomic_load_explicit(&t->nentries, memory_order_relaxed);
    t->entries[n] = e;
    atomic_store_explicit(&t->nentries, n + 1, memory_order_release);
}

static void list_queue_locked(struct tally *t, struct tally_queue *q)
{
    unsigned n = atomic_load_explicit(&t->nqueues, memory_order_relaxed);
    t->queues[n] = q;
    atomic_store_explicit(&t->nqueues, n + 1, memory_order_release);
}

/* A zeroed object of `size` bytes with a copy of the text behind it. */
static void *with_text(size_t size, const char *text, const char **ret_copy)
{
    size_t n = strlen(text) + 1;
    char *object = calloc(1, size + n);
    if (object)
        *ret_copy = memcpy(object + size, text, n);
    return object;
}

static struct tally_queue *queue_locked(struct tally *t, const char *name)
{
    const char *copy;
    unsigned n = atomic_load_explicit(&t->nqueues, memory_order_relaxed);
    for (unsigned i = 0; i < n; i++)
        if (strcmp(t->queues[i]->name, name) == 0)
            return t->queues[i];
    struct tally_queue *q = n < TALLY_QUEUES_MAX ? with_text(sizeof *q, name, &copy) : NULL;
    if (q) {
        q->name = copy;
        list_queue_locked(t, q);
    }
    return q;
}

/* The entry, made if need be; NULL without memory or room for its queue. */
static struct tally_entry *entry_locked(struct tally *t, const char *queue, const char *klass)
{
    const char *copy;
    struct tally_entry *_Atomic *at = place(t, queue, klass);
    struct tally_entry *e = atomic_load_explicit(at, memory_order_relaxed);
    struct tally_queue *q = e ? NULL : queue_locked(t, queue);
    if (!q)
        return e;
    e = with_text(sizeof *e, klass, &copy);
    if (!e)
        return NULL;
    e->queue = q;
    e->klass = copy;
    list_entry_locked(t, e);
    atomic_store_explicit(at, e, memory_order_release);
    return e;
}

static struct tally_entry *add(struct tally *t, const char *queue, const char *klass)
{
    mutex_lock(&t->mutex);
    struct tally_entry *e = look_up(t, queue, klass); /* somebody may have been faster */
    if (!e && atomic_load(&t->npairs) < TALLY_PAIRS_MAX) {
        e = entry_locked(t, queue, klass);
        if (e)
            atomic_fetch_add(&t->npairs, 1);
    }
    if (!e)
        e = entry_locked(t, queue, OTHER);
    if (!e) {
        e = &t->rest;
        if (!t->rest_listed) {
            list_queue_locked(t, &t->rest_queue);
            list_entry_locked(t, e);
        }
        t->rest_listed = true;
    }
    mutex_unlock(&t->mutex);
    return e;
}

struct tally_entry *tally_find(struct tally *t, const char *queue, const char *klass)
{
    struct tally_entry *e = look_up(t, queue, klass);
    if (!e && atomic_load_explicit(&t->npairs, memory_order_relaxed) >= TALLY_PAIRS_MAX)
        e = look_up(t, queue, OTHER); /* without the mutex for those that come on top, too */
    return e ? e : add(t, queue, klass);
}

uint64_t tally_total(const struct tally *t, enum tally_outcome outcome)
{
    uint64_t total = 0;
    unsigned n = atomic_load_explicit(&t->nentries, memory_order_acquire);
    for (unsigned i = 0; i < n; i++)
        total += histogram_total(&t->entries[i]->duration[outcome]);
    return total;
}

void tally_sum(const struct tally *t, struct tally_sums *ret)
{
    unsigned nentries = atomic_load_explicit(&t->nentries, memory_order_acquire);
    unsigned nqueues = atomic_load_explicit(&t->nqueues, memory_order_acquire);
    memset(ret, 0, sizeof *ret);
    for (unsigned i = 0; i < nentries; i++)
        for (int o = 0; o < TALLY_OUTCOMES; o++) {
            const struct histogram *h = &t->entries[i]->duration[o];
            uint64_t before = histogram_total(&ret->duration);
            histogram_add(&ret->duration, h);
            if (o == TALLY_FAILED || o == TALLY_DEAD)
                ret->failed += histogram_total(&ret->duration) - before;
        }
    ret->processed = histogram_total(&ret->duration);
    for (unsigned i = 0; i < nqueues; i++)
        histogram_add(&ret->latency, &t->queues[i]->latency);
}
