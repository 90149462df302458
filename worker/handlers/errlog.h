/*
 * What a child says on stderr: each line goes to the log, in bounds, and the last of it is kept for
 * an error message.
 *
 * Threads: none. Ownership: embedded; errlog_release().
 */
#ifndef SLUICE_WORKER_HANDLERS_ERRLOG_H
#define SLUICE_WORKER_HANDLERS_ERRLOG_H

#include "base/buf.h"
#include "handlers/lines.h"

struct errlog {
    struct lines lines;
    struct buf tail;
    size_t logged; /* bytes */
    void (*say)(void *ctx, int level, struct slice line);
    void *ctx;
};

void errlog_init(struct errlog *e, void (*say)(void *ctx, int level, struct slice line), void *ctx);
void errlog_feed(struct errlog *e, struct slice bytes);
/* It says no more for now: what it has begun to say is a line, too. */
void errlog_end(struct errlog *e);
void errlog_release(struct errlog *e);

/* Appends ": " and the end of what was said, or nothing when that is only white space. */
void errlog_put_tail(struct buf *message, const struct buf *tail);

/* Keeps the last of a stream: some KiB, however much comes. */
void errlog_keep_tail(struct buf *tail, struct slice bytes);

#endif
