/*
 * One typed field of a settings struct: how its text is read, checked, shown and freed.
 *
 * YAML scalars, environment variables, flags and built-in defaults all arrive as text and pass
 * through value_parse(), so that a value means the same and is refused in the same words wherever
 * it was written. A field is an offset into a struct; the rows of table.c point into struct conf,
 * those of handlers.c into struct conf_handler.
 *
 * Numbers are decimal and strict: no sign, no leading zero, no exponent, nothing after them. (All
 * settings are counts and durations, so that a sign would only ever be out of range.)
 *
 * Threads: pure functions. Ownership: strings are allocated and belong to the struct.
 * Errors: -EINVAL with "NAME is VALUE, must be …"; the caller puts the place before it. The value
 * of a secret is never repeated. -ENOMEM.
 */
#ifndef SLUICE_CONF_VALUE_H
#define SLUICE_CONF_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

enum value_type {
    VALUE_TEXT,    /* char *, or NULL; min..max bytes, none of them a control byte */
    VALUE_SECRET,  /* as VALUE_TEXT, never shown */
    VALUE_URL,     /* char *, or NULL; shown without user and password */
    VALUE_LISTEN,  /* char *: "host:port"; "off" is NULL */
    VALUE_INT,     /* int, min..max */
    VALUE_LONG,    /* int64_t, min..max */
    VALUE_RETRY,   /* int64_t, min..max; true is 25, false is 0; -1 when not set */
    VALUE_SECONDS, /* double, min..max, fractions allowed */
    VALUE_BOOL,    /* bool */
    VALUE_CHOICE,  /* an enum: the index of the word in choices */
    VALUE_QUEUES,  /* the queue list of the struct conf that base is */
};

struct field {
    const char *name;
    enum value_type type;
    size_t offset;
    double min, max;
    const char *const *choices; /* ends with NULL */
};

/* Replaces the field's value. On failure it keeps the old one. */
int value_parse(const struct field *f, void *base, const char *text,
                struct err *err) warn_unused_result;

/* -EINVAL with "NAME is WHAT, must be …", for input that is no text to begin with. */
int value_refuse(const struct field *f, const char *what, struct err *err);

/* Appends what is allowed, to follow "must be". */
void value_put_allowed(const struct field *f, struct buf *out);

/* Appends the value as YAML that reads back to the same, except secrets: those are "********".
 * Nothing is appended, and false returned, when the field is not set. */
bool value_put(const struct field *f, const void *base, struct buf *out);

/* Whether the field of two structs has one value. */
bool value_same(const struct field *f, const void *base, const void *other);

/* Appends text as a double-quoted YAML scalar. */
void value_put_quoted(const char *text, struct buf *out);

/* True when text in quotes can be a value of this type. */
bool value_is_textual(const struct field *f);

void value_free(const struct field *f, void *base);

#endif
