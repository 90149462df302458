/*
 * The body of an HTTP answer, as it comes: events, or one text.
 *
 *   application/x-ndjson   each line is an event; empty lines are passed over
 *   text/event-stream      the data of each message is an event, its lines joined by newlines;
 *                          other fields and messages without data are passed over
 *   anything else          kept, up to a cap
 *
 * An event longer than HANDLER_EVENT_MAX is delivered as its first bytes, like the lines of
 * programs. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html (parsing),
 * ndjson-spec.
 *
 * Threads: none. Ownership: embedded; body_release(). Errors: what the sink says ends the body.
 */
#ifndef SLUICE_WORKER_HANDLERS_BODY_H
#define SLUICE_WORKER_HANDLERS_BODY_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"
#include "handlers/handler.h"
#include "handlers/lines.h"

enum body_kind { BODY_TEXT, BODY_LINES, BODY_MESSAGES };

/* Of a Content-Type, which may have parameters. */
enum body_kind body_kind_of(const char *content_type);

struct body {
    enum body_kind kind;
    size_t max;                                /* of a text */
    int (*each)(void *ctx, struct slice text); /* one event; less than 0 ends the body */
    void *ctx;
    struct buf text; /* the text so far; of messages: the data of the one under way */
    bool has_data;   /* of messages: there is some, be it empty */
    struct lines lines;
    int error; /* of each() */
};

void body_init(struct body *b, enum body_kind kind, size_t max,
               int (*each)(void *ctx, struct slice text), void *ctx);

/* 0, -EMSGSIZE (a text beyond its cap, of which the first max bytes are kept), -ENOMEM, or what
 * each() said. */
int body_feed(struct body *b, struct slice bytes) warn_unused_result;

/* It has come whole: a last line may have no newline. A message without its blank line counts as
 * broken off, and is dropped. */
int body_end(struct body *b) warn_unused_result;

void body_release(struct body *b);

#endif
