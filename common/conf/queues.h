/*
 * The queue list: `critical, default, low` in strict order, or `critical:5, low` by weight.
 *
 * One `name:weight` anywhere makes the list weighted; names without a weight then weigh 1. That is
 * why a list is gathered first and moved into the conf as a whole, also when it replaces the list
 * of an earlier source (file < environment < flag).
 *
 * Names keep clear of what separates them here (comma, colon, quotes, white space), which is a
 * little stricter than what job/ accepts on the wire: a queue that settings cannot name cannot be
 * served, and a clear error now beats a worker that waits on a list nobody fills.
 *
 * Threads: none. Ownership: a list owns its names until queue_list_move().
 * Errors: -EINVAL with a sentence without a place; -ENOMEM.
 */
#ifndef SLUICE_CONF_QUEUES_H
#define SLUICE_CONF_QUEUES_H

#include "base/slice.h"
#include "conf/conf.h"

struct queue_list {
    struct conf_queue *items; /* weight 0: none was given */
    int n;
};

/* Appends one `name` or `name:weight`; white space around it does not count. */
int queue_list_add(struct queue_list *list, struct slice item, struct err *err) warn_unused_result;
void queue_list_release(struct queue_list *list);

/* Makes the list, which must not be empty, the conf's own and empties it. */
void queue_list_move(struct queue_list *list, struct conf *c);

/* Replaces the conf's queues by those of a comma list. */
int queues_parse(struct conf *c, const char *text, struct err *err) warn_unused_result;

/* Appends the conf's queues as a YAML list. */
void queues_put(const struct conf *c, struct buf *out);

void queues_release(struct conf *c);

#endif
