/*
 * What a spool is made of: for the files api/spool*.c alone.
 *
 * Two are at work in the folder. Whoever has the turn to write (`writing`) appends to the newest
 * segment; the replay reads, sets the position, and retires segments from the oldest on. They meet
 * at the newest only: the replay reads it up to `end`, which rises when records are on disk, and
 * retires it when it has the turn to write, so that nobody is about to append.
 */
#ifndef SLUICE_API_SPOOL_PARTS_H
#define SLUICE_API_SPOOL_PARTS_H

#include "api/spool.h"
#include "api/spool_folder.h"
#include "api/spool_keys.h"
#include "api/spool_record.h"
#include "api/spool_segment.h"
#include "base/thread.h"

enum { SPOOL_SLOTS = 1024, SPOOL_SEGMENT_BYTES = 16 << 20 };

/* A request that is being added; on the stack of its thread. */
struct adding {
    struct adding *next;
    struct spool_request *request;
    struct buf frame;
    struct spool_key key; /* when the request has one */
    int64_t accepted_us;
    enum {
        ADDING_TODO,
        ADDING_WAITS, /* for the disk, or is being written */
        ADDING_DONE
    } state;
};

struct spool_segment {
    uint64_t number;
    int64_t end; /* behind the last record that counts */
    bool damaged;
    struct spool_keys keys; /* of the records in it, also of those that have been replayed */
};

struct spool {
    struct spool_folder folder;
    struct store *store;
    struct redis_pool *pool;
    int64_t max_bytes, segment_bytes;
    char run[SPOOL_RUN + 1];
    struct thread replayer;

    /* Of whoever has the turn to write. */
    int fd;                  /* the newest segment; -1: the next record begins one */
    struct spool_fence tail; /* the newest segment there is or was, and where it ends */

    struct mutex mutex;     /* guards: below */
    struct cond changed;    /* a group has been written, or newcomers need not wait any more */
    struct cond work;       /* the replay has something to do, or is to stop */
    struct adding *waiting; /* for the next turn, the newest first */
    struct adding *group;   /* is being written */
    int64_t waiting_bytes;
    bool writing; /* somebody has the turn */
    struct spool_segment *segment;
    size_t nsegments;
    int64_t bytes; /* of them */
    struct spool_position done;
    size_t records, jobs; /* behind that */
    int64_t oldest_us;    /* when the first of these was accepted, at the latest */
    bool closing;         /* newcomers wait, since the replay has caught up with the disk */
    bool stopping, replaying, failing;
    int64_t began_ns; /* since when there has been something */
    size_t outage;    /* jobs since then */
    int64_t number;   /* the last turn's */
    /* Slots that are taken, and those under which something in the spool was sent, bit by bit. */
    uint64_t taken[SPOOL_SLOTS / 64], kept[SPOOL_SLOTS / 64];
    uint64_t spooled, replayed, refused, failures, damages;
};

/* Reads what lies there; -EPROTO when another version wrote it. */
int spool_load(struct spool *s, struct err *err) warn_unused_result;

bool spool_in_use_locked(const struct spool *s);
/* One more segment, the newest; the mutex is held. */
int spool_push_segment_locked(struct spool *s, struct spool_segment segment) warn_unused_result;
/* Something in a segment cannot be read. */
void spool_report_damage(struct spool *s, uint64_t segment, const struct spool_found *found);

#endif
