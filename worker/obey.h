/*
 * What becomes of an order that was heard, on the control thread.
 *
 * quiet, resume, stop and set go to the main thread by the inbox. To cancel is done at once.
 * Pausing is nothing to do here: workers ask with every claim (store/pause.h); to unpause wakes one
 * that sleeps. A cancelled job and a paused queue are facts for all workers, so whoever hears of
 * one that its sender has not kept (order.kept) keeps it, as often as there are workers.
 *
 * What has to be written for that, and the answers, is gathered in control.todo, and written by
 * obey_flush() once a batch of messages is read. When Redis is away then, it is dropped: an answer
 * promises nothing, and an order by PUBLISH alone neither.
 *
 * Threads: the control thread's.
 */
#ifndef SLUICE_WORKER_OBEY_H
#define SLUICE_WORKER_OBEY_H

#include "store/wanted.h"
#include "worker/control.h"

void obey_message(struct control *c, struct slice text);
/* What is written down: all that counts, whether it was obeyed before or not. */
void obey_wanted(struct control *c, const struct wanted *w);
/* What the main thread has done. */
void obey_collect(struct control *c);
/* Waits for the gate until the deadline. */
void obey_flush(struct control *c, int64_t deadline_ns);

#endif
