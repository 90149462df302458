/*
 * How replies are made: hiredis parses, and has these functions build `struct reply`.
 *
 * Why not hiredis' own objects: they are two allocations for each string and one for each array,
 * made by one thread and freed by another, which costs as much as running a short job does. Here a
 * reply is one tree in a few blocks of memory that are freed together: an array holds its children,
 * and texts lie one behind another.
 *
 * Model. The reader makes one reply at a time, outer before inner. The root begins a new tree,
 * which is from then on the reader's, later whoever's read it: reply_free(). What a reader dies
 * with in the middle of is freed by hiredis, through the same.
 *
 * Threads: a builder belongs to its connection. Errors: without memory a function answers NULL,
 * which hiredis takes for REDIS_ERR_OOM.
 */
#ifndef SLUICE_REDIS_REPLY_BUILD_H
#define SLUICE_REDIS_REPLY_BUILD_H

#include "redis/reply.h"

struct redisReader;

/* A node of the tree; reply.c reads it. */
struct reply {
    enum reply_type type;
    size_t n; /* bytes of a text, children of an array */
    union {
        int64_t integer;
        const char *text; /* with a NUL behind it */
        struct reply *children;
    };
};

struct reply_tree; /* the root and its blocks */

struct reply_builder {
    struct reply_tree *tree; /* that is being built; another's once it is complete */
    char *at, *end;          /* what is left of its last block */
};

/* From now on the reader builds with b, which must live as long. Before its first reply. */
void reply_builder_attach(struct reply_builder *b, struct redisReader *reader);

#endif
