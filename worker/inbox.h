/*
 * The inbox: orders on their way from the control thread, which hears them, to the main thread,
 * which alone changes what the worker does, and back with what became of them.
 *
 * So signals, a reload and orders are obeyed one after another, in the order they came, and none
 * of them needs a lock of its own; the control thread goes on listening meanwhile. (Rejected:
 * signals for orders. They carry no values, and have no answer.)
 *
 * Threads: ask and collect are the control thread's, take and finish the main thread's. None
 * blocks. Ownership: an errand belongs to the inbox from ask to collect, and to the main thread
 * between take and finish.
 */
#ifndef SLUICE_WORKER_INBOX_H
#define SLUICE_WORKER_INBOX_H

#include <stdbool.h>

#include "base/thread.h"
#include "store/order.h"

enum { INBOX_MAX = 1000 }; /* errands; then no more are to be heard, and wait in Redis' buffers */

struct errand {
    struct order order;
    int rc; /* what became of it, and in words when it is not 0 */
    struct err err;
    struct errand *next;
};
void errand_free(struct errand *e); /* accepts NULL */

struct errands {
    struct errand *head, *tail;
};
void errands_push(struct errands *list, struct errand *e);
struct errand *errands_pop(struct errands *list); /* the oldest; NULL: it is empty */

struct inbox {
    void (*call)(void *ctx); /* the main thread: something was asked */
    void *call_ctx;
    int bell; /* eventfd of the control thread: something is done */
    struct mutex mutex;
    /* guards: below */
    struct errands asked, done;
    int n; /* between ask and collect */
};

int inbox_init(struct inbox *b, void (*call)(void *), void *ctx) warn_unused_result;
void inbox_release(struct inbox *b); /* frees what nobody came for */

/* Moves the order into an errand. -ENOMEM: it is the caller's still. */
int inbox_ask(struct inbox *b, struct order *o) warn_unused_result;
bool inbox_is_full(struct inbox *b);
struct errand *inbox_take(struct inbox *b); /* NULL: nothing is asked */
void inbox_finish(struct inbox *b, struct errand *e);
struct errand *inbox_collect(struct inbox *b); /* all that is done, linked by next */

#endif
