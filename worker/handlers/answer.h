/*
 * What a warm process may say, one JSON object per line:
 *
 *   {"event":VALUE}                                    any number, streamed as they come
 *   {"done":VALUE}                                     the end: the result
 *   {"error":"message"}                                the end: failed
 *   {"error":{"class":…,"message":…,"dead":true}}      the same in full; all members are optional
 *
 * Values are handed on as the bytes they came in. Other members beside these are passed over, so
 * that a later helper may say more; a line with none or with more than one of the three is rubbish.
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_WORKER_HANDLERS_ANSWER_H
#define SLUICE_WORKER_HANDLERS_ANSWER_H

#include "handlers/handler.h"
#include "handlers/watch.h"

/* Reads one line. An event is a slice of it; an answer, or what is wrong with rubbish, becomes the
 * outcome. */
enum watch_said answer_read(struct slice line, struct outcome *out, struct slice *ret_event);

#endif
