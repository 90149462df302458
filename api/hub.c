#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "api/hub_parts.h"
#include "base/clock.h"
#include "base/hash.h"
#include "store/stream.h"

#define GREETING  "retry: 1000\n\n" /* milliseconds until a client comes back */
#define HEARTBEAT ":\n\n"

void hub_wake(struct hub *hub)
{
    uint64_t one = 1;
    (void)!write(hub->wake, &one, sizeof one); /* full only when it is woken already */
}

/* ---- topics ---- */

static unsigned bucket_of(struct slice jid)
{
    return hash_short(jid) % TOPIC_BUCKETS;
}

struct topic *topic_find_locked(struct hub *hub, struct slice jid)
{
    struct topic *t = hub->buckets[bucket_of(jid)];
    while (t && !slice_is(jid, t->jid))
        t = t->in_bucket;
    return t;
}

static struct topic *topic_open_locked(struct hub *hub, const char *jid, int64_t after)
{
    struct topic *t = topic_find_locked(hub, slice_of(jid));
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    char *name = t ? strdup(jid) : NULL;
    if (!name) {
        free(t);
        return NULL;
    }
    struct topic **bucket = &hub->buckets[bucket_of(slice_of(jid))];
    *t = (struct topic){
        .jid = name, .length = after, .look_ns = clock_deadline_ms(1000), .in_bucket = *bucket};
    *bucket = t;
    hub->topics++;
    hub->unsent++;
    return t;
}

void topic_drop_chunks_locked(struct topic *t, size_t kept)
{
    while (t->oldest && t->kept > kept && (t->oldest != t->newest || kept == 0)) {
        struct chunk *c = t->oldest;
        t->oldest = c->next;
        t->kept -= c->text.n;
        c->next = NULL;
        chunk_unref(c);
    }
    if (!t->oldest)
        t->newest = NULL;
}

char *topic_end_locked(struct hub *hub, struct topic *t)
{
    char *name = t->jid;
    struct topic **at = &hub->buckets[bucket_of(slice_of(name))];
    while (*at != t)
        at = &(*at)->in_bucket;
    *at = t->in_bucket;
    hub->topics--;
    hub->unsent -= !t->sent;
    topic_drop_chunks_locked(t, 0);
    free(t);
    return name;
}

void topic_line_up_locked(struct hub *hub, struct topic *t)
{
    if (t->in_line) {
        t->due = true;
        return;
    }
    t->in_line = true;
    t->next = NULL;
    if (hub->due_last)
        hub->due_last->next = t;
    else
        hub->due_first = t;
    hub->due_last = t;
}

void topic_wake_viewers_locked(struct topic *t)
{
    for (struct viewer *v = t->viewers; v; v = v->next)
        http_wake(v->x);
}

/* ---- viewers ---- */

static void line_up_locked(struct hub *hub, struct viewer *v)
{
    if (v->in_line || v->with_thread)
        return;
    v->in_line = true;
    v->in_line_next = NULL;
    if (hub->behind_last)
        hub->behind_last->in_line_next = v;
    else
        hub->behind_first = v;
    hub->behind_last = v;
    hub_wake(hub);
}

static void leave_line_locked(struct hub *hub, struct viewer *v)
{
    struct viewer *before = NULL;
    for (struct viewer *at = hub->behind_first; at != v; at = at->in_line_next)
        before = at;
    if (before)
        before->in_line_next = v->in_line_next;
    else
        hub->behind_first = v->in_line_next;
    if (hub->behind_last == v)
        hub->behind_last = before;
    v->in_line = false;
}

void viewer_free_locked(struct viewer *v)
{
    chunk_unref(v->chunk);
    chunk_unref(v->page);
    free(v);
}

/* The chunk with what it wants, with a reference; NULL when it is behind all that are kept. */
static struct chunk *take_chunk_locked(struct viewer *v)
{
    struct chunk *found = NULL;
    if (v->page && chunk_has(v->page, v->wants)) {
        found = v->page;
        v->page = NULL;
    }
    for (struct chunk *c = v->topic->oldest; c && !found; c = c->next)
        if (chunk_has(c, v->wants)) {
            c->refs++;
            found = c;
        }
    if (found)
        v->at = chunk_start_of(found, v->wants);
    return found;
}

/* It wants what is beyond the topic. Either the topic lags: messages may be lost or late, and the
 * viewer has seen more by a page of its own, or from another process. Or the stream was longer
 * once. What tells is a reading that begins after the question, to the end of what there is. */
static bool was_longer_locked(struct viewer *v)
{
    struct topic *t = v->topic;
    bool asked = v->doubt > 0;
    if (!asked)
        v->doubt = t->begun + 1;
    if (asked && t->done >= v->doubt && t->length >= t->known)
        return true;
    if (!asked || t->length < t->known) {
        topic_line_up_locked(v->hub, t);
        hub_wake(v->hub);
    }
    return false;
}

/* Takes what comes next: a chunk, last words, or nothing yet. False at the end. */
static bool advance_locked(struct viewer *v)
{
    struct topic *t = v->topic;
    if (v->hub->ending)
        return false;
    if (!t->read)
        return true;
    if (v->wants > t->length + 1) {
        if (!was_longer_locked(v))
            return true;
        v->wants = t->length + 1; /* what comes is new */
    }
    v->doubt = 0;
    if (v->wants <= t->length) {
        v->chunk = take_chunk_locked(v);
        if (!v->chunk)
            line_up_locked(v->hub, v);
        return true;
    }
    if (t->length < t->known) { /* the topic goes on reading when somebody has caught up with it */
        topic_line_up_locked(v->hub, t);
        hub_wake(v->hub);
        return true;
    }
    if (t->end == JOB_GOES_ON)
        return true;
    if (!t->silent || v->told)
        return false;
    v->told = true;
    (void)snprintf(v->text, sizeof v->text, "data: " STREAM_STATUS_EVENT("%s") "\n\n",
                   job_end_name(t->end)); /* fits */
    v->words = slice_of(v->text);
    return true;
}

static ssize_t copy(struct slice from, size_t *at, char *to, size_t n)
{
    size_t left = from.n - *at;
    n = n < left ? n : left;
    memcpy(to, from.p + *at, n);
    *at += n;
    return (ssize_t)n;
}

static ssize_t read_viewer(void *ctx, char *to, size_t n)
{
    struct viewer *v = ctx;
    bool more = true;
    if (v->words.n == 0 && !v->chunk) {
        mutex_lock(&v->hub->mutex);
        more = advance_locked(v);
        mutex_unlock(&v->hub->mutex);
    }
    if (v->words.n == 0 && !v->chunk && more && atomic_exchange(&v->beat, false))
        v->words = slice_of(HEARTBEAT);
    ssize_t got = more ? 0 : -1;
    if (v->words.n > 0) {
        size_t at = 0;
        got = copy(v->words, &at, to, n);
        v->words = (struct slice){v->words.p + at, v->words.n - at};
    } else if (v->chunk) {
        got = copy(buf_slice(&v->chunk->text), &v->at, to, n);
        if (v->at == v->chunk->text.n) {
            int64_t wants = v->chunk->first + (int64_t)v->chunk->n;
            atomic_fetch_add_explicit(&v->hub->events, (uint64_t)(wants - v->wants),
                                      memory_order_relaxed);
            mutex_lock(&v->hub->mutex);
            v->wants = wants;
            chunk_unref(v->chunk);
            v->chunk = NULL;
            mutex_unlock(&v->hub->mutex);
        }
    }
    if (got > 0)
        atomic_store_explicit(&v->sent_ns, clock_coarse_ns(), memory_order_relaxed);
    return got;
}

static void close_viewer(void *ctx)
{
    struct viewer *v = ctx;
    struct hub *hub = v->hub;
    struct topic *t = v->topic;
    mutex_lock(&hub->mutex);
    if (v->in_line)
        leave_line_locked(hub, v);
    if (v->prev)
        v->prev->next = v->next;
    else
        t->viewers = v->next;
    if (v->next)
        v->next->prev = v->prev;
    if (!t->viewers)
        t->left_ns = clock_now_ns();
    hub->viewers--;
    v->closed = true;
    if (!v->with_thread)
        viewer_free_locked(v);
    mutex_unlock(&hub->mutex);
}

int hub_view(struct hub *hub, const char *jid, int64_t after, struct http_exchange *x)
{
    struct viewer *v = calloc(1, sizeof *v);
    if (!v)
        return -ENOMEM;
    *v = (struct viewer){.hub = hub, .x = x, .wants = after + 1, .words = slice_of(GREETING)};
    atomic_init(&v->sent_ns, clock_coarse_ns());
    mutex_lock(&hub->mutex);
    struct topic *t = topic_open_locked(hub, jid, after);
    if (t) {
        v->topic = t;
        v->next = t->viewers;
        if (t->viewers)
            t->viewers->prev = v;
        t->viewers = v;
        t->left_ns = 0;
        hub->viewers++;
        hub_wake(hub);
    }
    mutex_unlock(&hub->mutex);
    if (!t) {
        free(v);
        return -ENOMEM;
    }
    x->res.content_type = "text/event-stream";
    x->res.source = (struct http_source){read_viewer, close_viewer, v};
    return 0;
}

/* ---- life ---- */

int hub_start(const struct store *store, struct redis_pool *pool, struct hub **ret)
{
    struct hub *hub = calloc(1, sizeof *hub);
    if (!hub)
        return -ENOMEM;
    hub->store = store;
    hub->pool = pool;
    hub->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mutex_init(&hub->mutex);
    int rc = hub->wake < 0 ? -errno : thread_start(&hub->thread, "hub", hub_main, hub);
    if (rc != 0) {
        if (hub->wake >= 0)
            (void)close(hub->wake); /* nothing was written */
        mutex_release(&hub->mutex);
        free(hub);
        return rc;
    }
    *ret = hub;
    return 0;
}

void hub_end_viewers(struct hub *hub)
{
    mutex_lock(&hub->mutex);
    hub->ending = true;
    for (int b = 0; b < TOPIC_BUCKETS; b++)
        for (struct topic *t = hub->buckets[b]; t; t = t->in_bucket)
            topic_wake_viewers_locked(t);
    mutex_unlock(&hub->mutex);
}

void hub_stop(struct hub *hub)
{
    if (!hub)
        return;
    atomic_store(&hub->stopping, true);
    hub_wake(hub);
    thread_join(&hub->thread);
}

void hub_free(struct hub *hub)
{
    if (!hub)
        return;
    for (int b = 0; b < TOPIC_BUCKETS; b++)
        for (struct topic *t = hub->buckets[b], *next; t; t = next) {
            next = t->in_bucket;
            topic_drop_chunks_locked(t, 0);
            free(t->jid);
            free(t);
        }
    mutex_release(&hub->mutex);
    (void)close(hub->wake); /* nothing to flush */
    free(hub);
}

void hub_stats(struct hub *hub, struct hub_stats *ret)
{
    mutex_lock(&hub->mutex);
    *ret = (struct hub_stats){.viewers = hub->viewers, .topics = hub->topics};
    mutex_unlock(&hub->mutex);
    ret->events = atomic_load_explicit(&hub->events, memory_order_relaxed);
    ret->reads = atomic_load_explicit(&hub->reads, memory_order_relaxed);
}
