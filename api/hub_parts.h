/*
 * What the hub is made of: for api/hub.c, which has topics and viewers, and api/hub_thread.c, which
 * reads for them.
 */
#ifndef SLUICE_API_HUB_PARTS_H
#define SLUICE_API_HUB_PARTS_H

#include <stdatomic.h>

#include "api/chunk.h"
#include "api/hub.h"
#include "base/thread.h"

enum {
    TOPIC_BUCKETS = 4096,
    PAGE_EVENTS = 1000,
    PAGE_BYTES = 64 * 1024,
    KEEP_BYTES = 256 * 1024,
    LOOK_S = 5,
    BEAT_S = 15,
    LINGER_S = 10, /* of a topic without viewers: they often come back */
};

struct viewer;

struct topic {
    char *jid;
    struct topic *in_bucket; /* the next one */
    struct viewer *viewers;
    struct chunk *oldest, *newest; /* kept, in a row up to `length` */
    size_t kept;                   /* bytes */
    int64_t length;                /* read up to this id */
    int64_t known;                 /* so many there are, by a reading or a message */
    enum job_end end;              /* by the last event, or the record */
    bool silent;                   /* … the record: there is no event that says so */
    bool read;                     /* at least once */
    uint64_t begun, done;          /* readings: the latest; the latest that Redis answered */
    bool sent;                     /* its subscription, on this connection */
    bool in_line, due;             /* to be read; due again meanwhile */
    int64_t look_ns;               /* when to read it without a message */
    int64_t left_ns;               /* when its last viewer left; 0: it has some */
    struct topic *next;            /* in line */
};

struct viewer {
    struct hub *hub;
    struct topic *topic;
    struct http_exchange *x;
    struct viewer *next, *prev; /* of the topic */
    int64_t wants;              /* the id that it gets next */
    uint64_t doubt;     /* it wants what the topic has not: the reading that tells why, or 0 */
    bool in_line;       /* for a page of its own */
    bool with_thread;   /* which reads that page now, */
    int64_t page_after; /* … of the events after this id */
    bool closed;        /* … meanwhile: the thread frees it */
    struct chunk *page; /* … and puts here */
    bool told;          /* of an end that no event says */
    struct viewer *in_line_next;
    atomic_bool beat; /* it is time to say something */
    atomic_int_fast64_t sent_ns;

    /* of the server's thread; the chunk's reference is given back under the mutex */
    struct chunk *chunk;
    size_t at;          /* in its text */
    struct slice words; /* to be sent before anything else */
    char text[96];
};

struct hub {
    const struct store *store;
    struct redis_pool *pool;
    struct thread thread;
    int wake; /* eventfd: something is in line, or stopping */
    atomic_bool stopping;
    atomic_uint_fast64_t events, reads;

    struct mutex mutex;
    /* guards: below, topics, and of viewers what is not the server's */
    struct topic *buckets[TOPIC_BUCKETS];
    struct topic *due_first, *due_last;        /* topics in line */
    struct viewer *behind_first, *behind_last; /* viewers in line */
    int viewers, topics;
    int unsent; /* topics that are to be subscribed */
    bool ending;

    /* the thread's alone */
    struct redis_conn *feed;
    int64_t heard_ns, pinged_ns, tend_ns;
    bool viewers_turn; /* the next reading is for a viewer, if one waits */
};

void *hub_main(void *arg); /* api/hub_thread.c */
void hub_wake(struct hub *hub);

/* The rest under the mutex. */
struct topic *topic_find_locked(struct hub *hub, struct slice jid);
void topic_line_up_locked(struct hub *hub, struct topic *t);
void topic_wake_viewers_locked(struct topic *t);
/* Down to so many bytes, but the newest stays; 0: all. */
void topic_drop_chunks_locked(struct topic *t, size_t kept);
/* Returns its name, which is the caller's to free. */
char *topic_end_locked(struct hub *hub, struct topic *t);
void viewer_free_locked(struct viewer *v);

#endif
