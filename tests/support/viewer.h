/*
 * A viewer of a job's events, as a browser is one: it reads server-sent events, notes the last id,
 * and comes back with it when it is cut off. It checks itself that ids come in a row.
 *
 * Threads: one at a time. Ownership: zeroed before the first use; viewer_free() ends it.
 */
#ifndef SLUICE_TESTS_VIEWER_H
#define SLUICE_TESTS_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct viewer_client {
    int port;
    char jid[64];
    int fd;          /* -1: not connected */
    struct buf in;   /* what has come and is not whole */
    struct buf data; /* of all events, a line each */
    int64_t id;      /* of the last event */
    bool headed;     /* the head of the answer has been read */
    bool ended;      /* the final status has come, and the server has closed */
    bool final;      /* the final status has come */
    int beats;       /* comments */
};

void viewer_open(struct viewer_client *v, int port, const char *jid, int64_t after);
/* Reads what there is; connects again when the server has hung up before the end. */
void viewer_pull(struct viewer_client *v);
/* Hangs up in the middle of whatever comes. */
void viewer_cut(struct viewer_client *v);
void viewer_free(struct viewer_client *v);

#endif
