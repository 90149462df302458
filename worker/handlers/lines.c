#include "handlers/lines.h"

static void keep(struct lines *l, struct slice part)
{
    size_t room = l->max - l->partial.n;
    if (part.n > room) {
        part.n = room;
        l->cut = true;
    }
    buf_put(&l->partial, part);
    if (buf_error(&l->partial) < 0)
        l->cut = true; /* what was kept so far still is a beginning of the line */
}

static void deliver(struct lines *l, lines_each *each, void *ctx)
{
    each(ctx, buf_slice(&l->partial), l->cut);
    buf_clear(&l->partial);
    l->cut = false;
}

void lines_feed(struct lines *l, struct slice bytes, lines_each *each, void *ctx)
{
    while (bytes.n > 0) {
        const char *end = memchr(bytes.p, '\n', bytes.n);
        struct slice part = {bytes.p, end ? (size_t)(end - bytes.p) : bytes.n};
        bool whole = end && l->partial.n == 0 && !l->cut;
        if (whole && part.n <= l->max) {
            each(ctx, part, false);
        } else {
            keep(l, part);
            if (end)
                deliver(l, each, ctx);
        }
        size_t used = part.n + (end ? 1 : 0);
        bytes = (struct slice){bytes.p + used, bytes.n - used};
    }
}

void lines_end(struct lines *l, lines_each *each, void *ctx)
{
    if (l->partial.n > 0 || l->cut)
        deliver(l, each, ctx);
}

void lines_release(struct lines *l)
{
    buf_release(&l->partial);
}
