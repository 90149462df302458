/*
 * The `handlers:` list of the settings file.
 *
 * Each entry is a mapping with a `class` (exact or a glob) and exactly one key that says of which
 * kind it is: `plugin` (a path), `exec` or `process` (lists: program and arguments, no shell) or
 * `http` (an address). Its scalars have a field table, like the rows of table.c, which also says to
 * which kinds a key means something; the lists and `env` are read by hand.
 *
 * Threads: none. Ownership: everything belongs to the conf.
 * Errors: -EINVAL with "FILE:LINE: …"; -ENOMEM.
 */
#ifndef SLUICE_CONF_HANDLERS_H
#define SLUICE_CONF_HANDLERS_H

#include "conf/conf.h"

struct cursor;

/* Reads the list that is the cursor's current event. */
int handlers_read(struct conf *c, struct cursor *cursor, struct err *err) warn_unused_result;

/* Appends the section as YAML, values of `env` as "********": they are often secrets. */
void handlers_put(const struct conf *c, struct buf *out);

void handlers_release(struct conf *c);

#endif
