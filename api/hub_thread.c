/* The hub's thread: hears the feed, reads for topics and viewers, looks after both. */
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/hub_parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/control.h"
#include "store/feed.h"

enum {
    NAMES_MAX = 500, /* topics of one order */
    TURN = 64,       /* readings with one permit */
    PAUSE_MS = 100,  /* after a failure */
};
#define TAKE_NS    (500 * NS_PER_MS)
#define TEND_NS    NS_PER_S
#define PING_NS    (10 * NS_PER_S)
#define SILENCE_NS (15 * NS_PER_S) /* with a PING in between: the link is dead */

/* ---- the feed ---- */

static void hang_up(struct hub *hub)
{
    if (!hub->feed)
        return;
    redis_pool_give_private(hub->pool, hub->feed);
    hub->feed = NULL;
    mutex_lock(&hub->mutex);
    for (int b = 0; b < TOPIC_BUCKETS; b++)
        for (struct topic *t = hub->buckets[b]; t; t = t->in_bucket)
            t->sent = false;
    hub->unsent = hub->topics;
    mutex_unlock(&hub->mutex);
}

/* Topics that are to be subscribed, at most max. Only this thread ends topics, so their names stay
 * without the mutex. */
static size_t take_unsent(struct hub *hub, const char **names, size_t max)
{
    size_t n = 0;
    mutex_lock(&hub->mutex);
    for (int b = 0; b < TOPIC_BUCKETS && hub->unsent > 0 && n < max; b++)
        for (struct topic *t = hub->buckets[b]; t && n < max; t = t->in_bucket)
            if (!t->sent) {
                t->sent = true;
                hub->unsent--;
                names[n++] = t->jid;
            }
    mutex_unlock(&hub->mutex);
    return n;
}

static int subscribe(struct hub *hub)
{
    const char *names[NAMES_MAX];
    size_t n;
    int rc = 0;
    while (rc == 0 && (n = take_unsent(hub, names, NAMES_MAX)) > 0)
        rc = store_feed_subscribe(hub->store, hub->feed, names, n);
    return rc;
}

static void hear_one(struct hub *hub, const struct reply *reply)
{
    struct slice jid;
    int64_t length = 0;
    enum feed_kind kind = store_feed_read(hub->store, reply, &jid, &length);
    if (kind == FEED_OTHER)
        return;
    mutex_lock(&hub->mutex);
    struct topic *t = topic_find_locked(hub, jid);
    if (t && kind == FEED_SUBSCRIBED)
        topic_line_up_locked(hub, t);
    /* One that has not been read to what was known is read on when a viewer gets there. */
    if (t && kind == FEED_LENGTH && length != t->length) {
        bool caught_up = t->length >= t->known;
        t->known = length;
        if (caught_up)
            topic_line_up_locked(hub, t);
    }
    mutex_unlock(&hub->mutex);
}

static int hear(struct hub *hub)
{
    bool ready = true;
    int rc = 0;
    while (rc == 0 && (rc = redis_conn_poll(hub->feed, &ready)) == 0 && ready) {
        struct reply *reply = NULL;
        rc = redis_conn_read(hub->feed, &reply, NULL);
        hub->heard_ns = clock_now_ns();
        if (rc == 0)
            hear_one(hub, reply);
        reply_free(reply);
    }
    return rc;
}

static int check_link(struct hub *hub, int64_t now)
{
    if (now - hub->heard_ns > SILENCE_NS || redis_pool_outdated(hub->pool, hub->feed))
        return -ENOTCONN;
    if (now - hub->heard_ns <= PING_NS || now - hub->pinged_ns <= PING_NS)
        return 0;
    hub->pinged_ns = now;
    return store_control_ping(hub->feed);
}

/* Connects when there is something to hear, and hears. False when it has to be tried again. */
static bool listen(struct hub *hub)
{
    struct err err = {""};
    mutex_lock(&hub->mutex);
    bool wanted = hub->topics > 0;
    mutex_unlock(&hub->mutex);
    int rc = 0;
    if (!hub->feed && wanted) {
        rc = redis_pool_take_private(hub->pool, "feed", REDIS_AT_ONCE, &hub->feed, &err);
        hub->heard_ns = hub->pinged_ns = clock_now_ns();
    }
    if (rc == 0 && hub->feed)
        rc = subscribe(hub);
    if (rc == 0 && hub->feed)
        rc = hear(hub);
    if (rc == 0 && hub->feed)
        rc = check_link(hub, clock_now_ns());
    if (rc != 0)
        hang_up(hub);
    return rc == 0;
}

/* ---- reading ---- */

static void keep_locked(struct topic *t, struct chunk *c)
{
    if (t->newest)
        t->newest->next = c;
    else
        t->oldest = c;
    t->newest = c;
    t->kept += c->text.n;
    t->length = c->first + (int64_t)c->n - 1;
    topic_drop_chunks_locked(t, KEEP_BYTES);
}

static int read_page(struct hub *hub, struct redis_conn *conn, const char *jid, int64_t after,
                     struct stream_page *page, struct chunk **ret)
{
    struct err err = {""};
    *ret = NULL;
    int rc = store_stream_page(hub->store, conn, jid, after, PAGE_EVENTS, PAGE_BYTES, page, &err);
    atomic_fetch_add_explicit(&hub->reads, 1, memory_order_relaxed);
    if (rc != 0 || page->n == 0)
        return rc;
    *ret = chunk_new(page, after + 1);
    if (!*ret)
        reply_free(page->reply);
    return *ret ? 0 : -ENOMEM;
}

static int read_topic(struct hub *hub, struct redis_conn *conn, struct topic *t)
{
    struct stream_page page;
    struct chunk *chunk;
    int64_t after = t->length; /* only this thread changes it */
    int rc = read_page(hub, conn, t->jid, after, &page, &chunk);
    mutex_lock(&hub->mutex);
    t->in_line = false;
    t->look_ns = clock_now_ns() + (rc == 0 ? LOOK_S : 1) * NS_PER_S;
    if (rc == 0) {
        t->read = true;
        t->done = t->begun;
        t->known = page.length;
        if (page.length < after) { /* it begins anew: expired, deleted, or lost by Redis */
            topic_drop_chunks_locked(t, 0);
            t->length = page.length;
        }
        if (chunk)
            keep_locked(t, chunk);
        t->end = stream_page_end(&page, after, &t->silent);
        topic_wake_viewers_locked(t);
    }
    if (t->due && rc == 0)
        topic_line_up_locked(hub, t);
    t->due = false;
    mutex_unlock(&hub->mutex);
    if (rc == 0)
        reply_free(page.reply);
    return rc;
}

static int read_for_viewer(struct hub *hub, struct redis_conn *conn, struct viewer *v)
{
    struct stream_page page;
    struct chunk *chunk;
    /* Its topic stays, as it has this viewer, or has lost it only now. */
    int rc = read_page(hub, conn, v->topic->jid, v->page_after, &page, &chunk);
    mutex_lock(&hub->mutex);
    v->with_thread = false;
    if (v->closed) {
        chunk_unref(chunk);
        viewer_free_locked(v);
    } else {
        chunk_unref(v->page);
        v->page = chunk;
        if (!chunk && rc == 0) /* the stream is shorter than it was */
            topic_line_up_locked(hub, v->topic);
        if (rc == 0)
            http_wake(v->x);
        else
            atomic_store(&v->beat, true); /* woken soon, it asks again */
    }
    mutex_unlock(&hub->mutex);
    if (rc == 0)
        reply_free(page.reply);
    return rc;
}

static bool take_due(struct hub *hub, struct topic **ret_topic, struct viewer **ret_viewer)
{
    mutex_lock(&hub->mutex);
    bool viewer = hub->behind_first && (hub->viewers_turn || !hub->due_first);
    struct topic *t = viewer ? NULL : hub->due_first;
    struct viewer *v = viewer ? hub->behind_first : NULL;
    hub->viewers_turn = !viewer;
    if (t) {
        t->begun++;
        hub->due_first = t->next;
        if (!hub->due_first)
            hub->due_last = NULL;
    } else if (v) {
        hub->behind_first = v->in_line_next;
        if (!hub->behind_first)
            hub->behind_last = NULL;
        v->in_line = false;
        v->with_thread = true;
        v->page_after = v->wants - 1;
    }
    mutex_unlock(&hub->mutex);
    *ret_topic = t;
    *ret_viewer = v;
    return t || v;
}

static bool is_due(struct hub *hub)
{
    mutex_lock(&hub->mutex);
    bool due = hub->due_first || hub->behind_first;
    mutex_unlock(&hub->mutex);
    return due;
}

/* Serves some of those in line. False when Redis fails. */
static bool serve(struct hub *hub)
{
    struct redis_conn *conn = NULL;
    if (redis_pool_take(hub->pool, clock_now_ns() + TAKE_NS, &conn, NULL) != 0)
        return false;
    struct topic *t;
    struct viewer *v;
    int rc = 0;
    for (int i = 0; i < TURN && rc == 0 && take_due(hub, &t, &v); i++)
        rc = t ? read_topic(hub, conn, t) : read_for_viewer(hub, conn, v);
    redis_pool_give(hub->pool, conn);
    return rc == 0;
}

/* ---- tending ---- */

static void tend_viewers_locked(struct topic *t, int64_t now)
{
    for (struct viewer *v = t->viewers; v; v = v->next)
        if (now - atomic_load_explicit(&v->sent_ns, memory_order_relaxed) > BEAT_S * NS_PER_S ||
            atomic_load(&v->beat)) {
            atomic_store(&v->beat, true);
            http_wake(v->x);
        }
}

/* Looks after all topics, and ends some of those that nobody has viewed for a while: puts their
 * names, which the caller frees, and returns how many. */
static size_t tend_topics(struct hub *hub, int64_t now, char **names, size_t max)
{
    size_t n = 0;
    mutex_lock(&hub->mutex);
    for (int b = 0; b < TOPIC_BUCKETS; b++)
        for (struct topic *t = hub->buckets[b], *next; t; t = next) {
            next = t->in_bucket;
            if (t->viewers && now >= t->look_ns)
                topic_line_up_locked(hub, t);
            tend_viewers_locked(t, now);
            if (!t->viewers && now - t->left_ns > LINGER_S * NS_PER_S && !t->in_line && n < max)
                names[n++] = topic_end_locked(hub, t);
        }
    mutex_unlock(&hub->mutex);
    return n;
}

static int tend(struct hub *hub, int64_t now)
{
    char *names[NAMES_MAX];
    size_t n = tend_topics(hub, now, names, NAMES_MAX);
    int rc = 0;
    if (n > 0 && hub->feed)
        rc = store_feed_unsubscribe(hub->store, hub->feed, (const char *const *)names, n);
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    return rc;
}

static void rest(struct hub *hub, int64_t ms)
{
    uint64_t count;
    struct pollfd fds[2] = {
        {.fd = hub->wake, .events = POLLIN},
        {.fd = hub->feed ? redis_conn_fd(hub->feed) : -1, .events = POLLIN},
    };
    (void)poll(fds, 2, (int)ms); /* EINTR: look anyway */
    if (fds[0].revents)
        (void)!read(hub->wake, &count, sizeof count); /* woken is woken */
}

void *hub_main(void *arg)
{
    struct hub *hub = arg;
    while (!atomic_load(&hub->stopping)) {
        bool fine = listen(hub);
        bool due = is_due(hub);
        if (due)
            fine = serve(hub) && fine;
        int64_t now = clock_now_ns();
        if (now - hub->tend_ns >= TEND_NS) {
            hub->tend_ns = now;
            if (tend(hub, now) != 0)
                hang_up(hub);
        }
        if (!fine)
            rest(hub, PAUSE_MS);
        else if (!is_due(hub))
            rest(hub, TEND_NS / NS_PER_MS);
    }
    hang_up(hub);
    return NULL;
}
