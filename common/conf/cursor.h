/*
 * A cursor over the events of one YAML text, for a reader that descends with it.
 *
 * Events rather than libyaml's document tree: they know their lines, hostile input is refused at
 * the first event that does not fit (so that depth and size never matter), and nothing is built
 * that would have to be taken apart again. Anchors, aliases and tags are refused here, once: a
 * settings file needs none, and they are how a small file becomes a large one.
 *
 * Model: there is always one current event; cursor_next() moves on. Texts borrow from the current
 * event. Threads: none.
 * Errors: -EINVAL with "FILE:LINE: …"; -ENOMEM.
 */
#ifndef SLUICE_CONF_CURSOR_H
#define SLUICE_CONF_CURSOR_H

#include <stdbool.h>
#include <yaml.h>

#include "base/err.h"
#include "base/slice.h"
#include "conf/value.h"

struct cursor {
    yaml_parser_t parser;
    yaml_event_t event;
    struct slice text;
    const char *file;
};

struct key {
    char text[128];
    int line;
};

/* Text and file are borrowed until the release, which is due only after success. */
int cursor_init(struct cursor *c, const char *file, struct slice text,
                struct err *err) warn_unused_result;
void cursor_release(struct cursor *c);

int cursor_next(struct cursor *c, struct err *err) warn_unused_result;

/* Moves to the next key of the mapping that is being read and on to its value: 1, and the current
 * event is the value; 0 at the end of the mapping; or an error. */
int cursor_next_key(struct cursor *c, struct key *ret, struct err *err) warn_unused_result;

bool cursor_is(const struct cursor *c, yaml_event_type_t type);
bool cursor_is_null(const struct cursor *c); /* nothing, ~ or null, not in quotes */
int cursor_line(const struct cursor *c);     /* counted from 1 */

/* What the current event is, for "… is WHAT, must be …". */
const char *cursor_what(const struct cursor *c);

/* The current event as text without NUL bytes; `name` is for the error, "must be text". */
int cursor_text(const struct cursor *c, const char *name, const char **ret,
                struct err *err) warn_unused_result;

/* Reads the current event, a scalar, into a field. Numbers and truth values must not be quoted. */
int cursor_read(const struct cursor *c, const struct field *f, void *base,
                struct err *err) warn_unused_result;

/* Fails at a line. Returns -EINVAL. */
int cursor_fail(const struct cursor *c, int line, struct err *err, const char *fmt, ...)
    printf_like(4, 5);

#endif
