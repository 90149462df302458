/*
 * A viewer of a job's events, as a browser is one: it reads server-sent events, notes the last id,
 * and comes back with it when it is cut off. It judges what it sees: ids in a row from where it
 * began, each with the data that is wanted (if somebody says what that is), and an answer that is a
 * stream. What is wrong is counted, and the first of it told.
 *
 * One viewer reads by viewer_pull(), which fails the test for anything wrong; thousands of them are
 * a crowd (support/crowd.h), whose test looks at the counts.
 *
 * Threads: one at a time. Ownership: zeroed before the first use; viewer_free() ends it.
 */
#ifndef SLUICE_TESTS_VIEWER_H
#define SLUICE_TESTS_VIEWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/* Whether this is the data of the event with this id. */
typedef bool viewer_judge(const void *ctx, int64_t id, const char *data);

struct viewer_client {
    int port;
    char jid[64];
    viewer_judge *judge; /* NULL: none, and the data is kept */
    const void *judge_ctx;
    int64_t lie;     /* added to the id that it comes back with, to prove that it notices */
    int fd;          /* -1: not connected */
    struct buf in;   /* what has come and is not whole */
    struct buf data; /* of all events, a line each */
    int64_t id;      /* of the last event */
    int64_t events;
    bool headed; /* the head of the answer has been read */
    bool ended;  /* the final status has come, and the server has closed */
    bool final;  /* the final status has come */
    int beats;   /* comments */
    int64_t lost, doubled, odd;
    char complaint[256]; /* of the first of these; "": none */
};

void viewer_open(struct viewer_client *v, int port, const char *jid, int64_t after);
/* Reads what there is; connects again when the server has hung up before the end. */
void viewer_pull(struct viewer_client *v);
/* Hangs up in the middle of whatever comes. */
void viewer_cut(struct viewer_client *v);
void viewer_free(struct viewer_client *v);

/* The parts of it, for who has a socket of its own: what to send, what has come, and that the
 * server has hung up. */
size_t viewer_request(const struct viewer_client *v, char *ret, size_t size);
void viewer_take(struct viewer_client *v, const char *bytes, size_t n);
void viewer_hung_up(struct viewer_client *v);

#endif
