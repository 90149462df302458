/*
 * A frame: some bytes in a file, with a length and a digest, so that a crash in the middle of a
 * write, or a bad disk, is noticed when they are read again.
 *
 *   marker (4)  digest (16)  length of the body (4, little-endian)  body
 *
 * The digest is the first half of SHA-256 over length and body: no damage passes for a frame, so a
 * reader may go on behind what is damaged by looking for the next one. (Rejected: CRC32C. It is
 * faster, which a file that waits for the disk does not notice; but among a gigabyte of damage one
 * place in four billion looks right, and it needs a library of its own.) The marker begins with a
 * byte that UTF-8 does not have, so jobs, which are JSON, never contain one.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_API_SPOOL_FRAME_H
#define SLUICE_API_SPOOL_FRAME_H

#include "base/buf.h"

enum { FRAME_HEAD = 24 };

/* Appends one. -EIO when there is no digest, -ENOMEM, -EMSGSIZE above 4 GiB. */
int spool_frame_put(struct buf *out, struct slice body) warn_unused_result;

enum spool_frame_state {
    FRAME_WHOLE,
    FRAME_PART, /* it may become one: more bytes are needed */
    FRAME_BAD,
};

/* What the bytes begin with. *ret_body: of a whole one. *ret_size: of a whole one, or what is
 * needed to know more about a part. */
enum spool_frame_state spool_frame_read(struct slice bytes, struct slice *ret_body,
                                        size_t *ret_size);

/* Where the first whole frame begins; bytes.n when there is none. */
size_t spool_frame_find(struct slice bytes);

#endif
