/*
 * An event as `sluice tail` shows it: a line of text, or of JSON.
 *
 *   14:03:07  3f0a8b1c2d4e5f60718293a4  mail.send  {"progress":0.5}
 *   {"time":1795506900.125,"jid":"…","class":"…","queue":"…","id":4,"event":{"progress":0.5}}
 *
 * Both are one line, whatever the event holds. On a terminal each job has a colour of its own, an
 * end that of what it is, columns are aligned, and a line is cut to the terminal's width.
 *
 * Threads: none. Errors: the buffer's.
 */
#ifndef SLUICE_CLI_TAIL_LINE_H
#define SLUICE_CLI_TAIL_LINE_H

#include <stdint.h>

#include "base/buf.h"
#include "cli/terminal.h"

struct tail_line {
    int64_t at_us; /* Unix time of its arrival here: events bear none */
    const char *jid;
    const char *klass, *queue; /* NULL: not known */
    int64_t id;
    struct slice event;
};

/* How wide the columns have been so far. */
struct tail_widths {
    int jid, klass;
};

/* Both append a line with its newline. */
void tail_put_text(struct buf *out, const struct tail_line *line, const struct terminal *terminal,
                   struct tail_widths *widths);
void tail_put_json(struct buf *out, const struct tail_line *line);

/* Whether it is an object whose "type" is one of these. */
bool tail_event_is(struct slice event, const char *const *types, size_t n);

#endif
