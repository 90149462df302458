/*
 * A Redis command under construction: a list of binary-safe arguments.
 *
 * Arguments are borrowed until the command has been sent, except those formatted here. A failed
 * allocation is sticky and makes the send fail with -ENOMEM; nothing is sent in part.
 *
 * Threads: none. Ownership: embedded; command_release() ends it, command_clear() reuses it, so
 * that a long-lived command costs no allocation in steady state.
 */
#ifndef SLUICE_REDIS_COMMAND_H
#define SLUICE_REDIS_COMMAND_H

#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"

struct command {
    struct slice *arg; /* p == NULL: n is an offset into `owned`, resolved when sent */
    int n;
    int cap;
    struct buf owned; /* text of formatted arguments, each NUL-terminated */
    bool failed;
};

void command_release(struct command *c);
void command_clear(struct command *c);
void command_add(struct command *c, struct slice arg);    /* borrowed */
void command_text(struct command *c, const char *arg);    /* borrowed */
void command_copy(struct command *c, struct slice arg);   /* copied */
void command_int(struct command *c, int64_t n);
void command_printf(struct command *c, const char *fmt, ...) printf_like(2, 3);

#endif
