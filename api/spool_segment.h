/*
 * A segment: one file of the spool, which grows at its end and is deleted when all of it has been
 * replayed. "0000000000000001.spool" and so on; numbers only ever rise.
 *
 * Its first frame says which format it has, and where the segment before it ends: its fence. What
 * lies behind a fence does not count: it was written in vain (the disk would not promise to keep
 * it, so the requests were refused), or torn by a crash. A segment that ends before its fence has
 * lost something.
 *
 * A cursor reads the frames of a part of a segment. What is no frame it reports as damage, once and
 * as a whole, and goes on behind it; only an unfinished frame at the very end is torn, as a crash
 * leaves it.
 *
 * Threads: none. Errors: the file's; -EPROTO for a segment of another version of this program.
 */
#ifndef SLUICE_API_SPOOL_SEGMENT_H
#define SLUICE_API_SPOOL_SEGMENT_H

#include <stdint.h>

#include "base/buf.h"

enum { SEGMENT_NAME = 32 };

struct spool_fence {
    uint64_t number; /* of the segment before; 0: there is none */
    int64_t end;
};

void spool_segment_name(uint64_t number, char ret[SEGMENT_NAME]);
/* False when it is no segment's name. */
bool spool_segment_number(const char *name, uint64_t *ret);

/* The file, and its name in the folder, are on disk when it returns; *ret_end: where to go on. What
 * an attempt that failed has left under that name is replaced. */
int spool_segment_create(int folder, uint64_t number, struct spool_fence before, int *ret_fd,
                         int64_t *ret_end, struct err *err) warn_unused_result;
/* To be read. */
int spool_segment_open(int folder, uint64_t number, int *ret_fd, int64_t *ret_size,
                       struct err *err) warn_unused_result;
/* -EBADMSG when its first frame is damaged. */
int spool_segment_fence(int fd, struct spool_fence *ret, struct err *err) warn_unused_result;

/* Writes all of it at an offset. */
int spool_segment_write(int fd, int64_t at, struct slice bytes) warn_unused_result;

struct spool_cursor {
    int fd;
    int64_t at, end;   /* offsets: where the next frame begins, and where reading ends */
    struct buf window; /* what has been read … */
    size_t used;       /* … up to `at` */
};

struct spool_found {
    enum { FOUND_BODY, FOUND_DAMAGE, FOUND_TORN, FOUND_END } kind;
    struct slice body; /* valid until the next reading */
    int64_t begin;     /* offset … */
    int64_t size;      /* … and bytes, of all but an end */
};

/* What comes next, reading as much as that takes. */
int spool_cursor_next(struct spool_cursor *c, struct spool_found *ret,
                      struct err *err) warn_unused_result;
/* The same without reading, so that bodies stay valid: a body, or an end when more would have to be
 * read, or there is something else. */
void spool_cursor_next_held(struct spool_cursor *c, struct spool_found *ret);
void spool_cursor_release(struct spool_cursor *c); /* leaves the file open */

#endif
