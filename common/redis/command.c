#include "redis/command.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void command_release(struct command *c)
{
    free(c->arg);
    buf_release(&c->owned);
    *c = (struct command){0};
}

void command_clear(struct command *c)
{
    c->n = 0;
    buf_clear(&c->owned);
    c->failed = false;
}

static void append(struct command *c, struct command_arg arg)
{
    if (c->n == c->cap) {
        int cap = c->cap ? c->cap * 2 : 16;
        struct command_arg *grown = realloc(c->arg, (size_t)cap * sizeof *grown);
        if (!grown) {
            c->failed = true;
            return;
        }
        c->arg = grown;
        c->cap = cap;
    }
    c->arg[c->n++] = arg;
}

void command_add(struct command *c, struct slice arg)
{
    append(c, (struct command_arg){.p = arg.p ? arg.p : "", .n = arg.n});
}

void command_text(struct command *c, const char *arg)
{
    command_add(c, slice_of(arg));
}

void command_copy(struct command *c, struct slice arg)
{
    size_t at = c->owned.n;
    buf_put(&c->owned, arg);
    append(c, (struct command_arg){.n = arg.n, .at = at});
}

void command_join(struct command *c, struct slice first, struct slice second)
{
    size_t at = c->owned.n;
    buf_put(&c->owned, first);
    buf_put(&c->owned, second);
    append(c, (struct command_arg){.n = first.n + second.n, .at = at});
}

void command_int(struct command *c, int64_t n)
{
    size_t at = c->owned.n;
    buf_put_int(&c->owned, n);
    append(c, (struct command_arg){.n = c->owned.n - at, .at = at});
}

void command_printf(struct command *c, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof text) {
        command_copy(c, (struct slice){text, (size_t)n});
        return;
    }
    char *big = NULL;
    va_start(ap, fmt);
    n = vasprintf(&big, fmt, ap);
    va_end(ap);
    if (n < 0) {
        c->failed = true;
        return;
    }
    command_copy(c, (struct slice){big, (size_t)n});
    free(big);
}

struct slice command_arg(const struct command *c, int i)
{
    const struct command_arg *arg = &c->arg[i];
    if (arg->p)
        return (struct slice){arg->p, arg->n};
    return (struct slice){buf_str(&c->owned) + arg->at, arg->n};
}

int command_error(const struct command *c)
{
    return c->failed ? -ENOMEM : buf_error(&c->owned);
}
