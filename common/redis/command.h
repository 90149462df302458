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

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct command_arg {
    const char *p; /* borrowed bytes; NULL when they lie in `owned`, which moves as it grows */
    size_t n;
    size_t at; /* offset into `owned` when p is NULL */
};

struct command {
    struct command_arg *arg;
    int n;
    int cap;
    struct buf owned; /* bytes of copied and formatted arguments */
    bool failed;
};

void command_release(struct command *c);
void command_clear(struct command *c);
void command_add(struct command *c, struct slice arg);  /* borrowed */
void command_text(struct command *c, const char *arg);  /* borrowed */
void command_copy(struct command *c, struct slice arg); /* copied */
/* One argument of two, copied. */
void command_join(struct command *c, struct slice first, struct slice second);
void command_int(struct command *c, int64_t n);
void command_printf(struct command *c, const char *fmt, ...) printf_like(2, 3);

/* Argument i (0 <= i < n), valid until the next change. */
struct slice command_arg(const struct command *c, int i);

/* 0, or -ENOMEM when any argument since the last clear could not be stored. */
int command_error(const struct command *c) warn_unused_result;

#endif
