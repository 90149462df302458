#include "worker/cancelled.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

void cancelled_init(struct cancelled *c)
{
    *c = (struct cancelled){0};
    mutex_init(&c->mutex);
    cond_init(&c->changed);
}

static void clear(char **jids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(jids[i]);
    free(jids);
}

void cancelled_release(struct cancelled *c)
{
    clear(c->jids, atomic_load(&c->n));
    cond_release(&c->changed);
    mutex_release(&c->mutex);
}

/* Where the jid is, or belongs. */
static size_t find_locked(const struct cancelled *c, const char *jid, bool *ret_found)
{
    size_t low = 0, high = atomic_load(&c->n);
    *ret_found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(c->jids[middle], jid);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        *(order < 0 ? &low : &high) = order < 0 ? middle + 1 : middle;
    }
    return low;
}

void cancelled_wait_known(struct cancelled *c, int64_t max_ms)
{
    if (atomic_load_explicit(&c->known, memory_order_acquire))
        return;
    int64_t deadline_ns = clock_deadline_ms(max_ms);
    mutex_lock(&c->mutex);
    while (!atomic_load(&c->known) && cond_wait_until(&c->changed, &c->mutex, deadline_ns))
        continue;
    atomic_store(&c->known, true);
    mutex_unlock(&c->mutex);
}

bool cancelled_has(struct cancelled *c, const char *jid)
{
    bool found;
    if (atomic_load_explicit(&c->n, memory_order_acquire) == 0)
        return false;
    mutex_lock(&c->mutex);
    (void)find_locked(c, jid, &found);
    mutex_unlock(&c->mutex);
    return found;
}

static int insert_locked(struct cancelled *c, const char *jid)
{
    bool found;
    size_t n = atomic_load(&c->n), at = find_locked(c, jid, &found);
    if (found)
        return 0;
    if (n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        char **jids = realloc(c->jids, cap * sizeof *jids);
        if (!jids)
            return -ENOMEM;
        c->jids = jids;
        c->cap = cap;
    }
    char *copy = strdup(jid);
    if (!copy)
        return -ENOMEM;
    memmove(&c->jids[at + 1], &c->jids[at], (n - at) * sizeof *c->jids);
    c->jids[at] = copy;
    atomic_store(&c->n, n + 1);
    return 0;
}

int cancelled_add(struct cancelled *c, const char *jid)
{
    mutex_lock(&c->mutex);
    int rc = insert_locked(c, jid);
    mutex_unlock(&c->mutex);
    return rc;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int cancelled_replace(struct cancelled *c, const struct reply *jids)
{
    size_t n = reply_count(jids), made = 0;
    char **list = malloc((n ? n : 1) * sizeof *list);
    for (; list && made < n; made++) {
        struct slice jid = reply_str(reply_at(jids, made));
        list[made] = strndup(jid.n > 0 ? jid.p : "", jid.n);
        if (!list[made])
            break;
    }
    if (!list || made < n) {
        clear(list, made);
        return -ENOMEM;
    }
    qsort(list, n, sizeof *list, by_text);
    mutex_lock(&c->mutex);
    char **old = c->jids;
    size_t nold = atomic_load(&c->n);
    c->jids = list;
    c->cap = n;
    atomic_store(&c->n, n);
    atomic_store(&c->known, true);
    cond_broadcast(&c->changed);
    mutex_unlock(&c->mutex);
    clear(old, nold);
    return 0;
}
