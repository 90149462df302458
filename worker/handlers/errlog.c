#include "handlers/errlog.h"

#include "base/log.h"

enum {
    LINE_MAX_BYTES = 4096,   /* of a line; the log cuts it there anyway */
    LOG_TOTAL_MAX = 1 << 20, /* bytes that one run may put into the log */
    TAIL_MAX = 8192,         /* bytes kept for the error message */
};

void errlog_init(struct errlog *e, void (*say)(void *ctx, int level, struct slice line), void *ctx)
{
    *e = (struct errlog){.lines.max = LINE_MAX_BYTES, .say = say, .ctx = ctx};
}

static void on_line(void *ctx, struct slice line, bool cut)
{
    (void)cut;
    struct errlog *e = ctx;
    if (e->logged > LOG_TOTAL_MAX)
        return;
    e->logged += line.n + 1;
    if (e->logged > LOG_TOTAL_MAX)
        e->say(e->ctx, LOG_WARN, slice_of("more than 1 MiB on stderr; the rest is not logged"));
    else
        e->say(e->ctx, LOG_INFO, line);
}

void errlog_keep_tail(struct buf *tail, struct slice bytes)
{
    if (bytes.n > TAIL_MAX)
        bytes = (struct slice){bytes.p + bytes.n - TAIL_MAX, TAIL_MAX};
    buf_put(tail, bytes);
    if (tail->n > 2 * TAIL_MAX) /* now and then, not for each line */
        buf_consume(tail, tail->n - TAIL_MAX);
}

void errlog_feed(struct errlog *e, struct slice bytes)
{
    errlog_keep_tail(&e->tail, bytes);
    lines_feed(&e->lines, bytes, on_line, e);
}

void errlog_end(struct errlog *e)
{
    lines_end(&e->lines, on_line, e);
}

void errlog_release(struct errlog *e)
{
    lines_release(&e->lines);
    buf_release(&e->tail);
}

void errlog_put_tail(struct buf *message, const struct buf *tail)
{
    struct slice text = buf_slice(tail);
    if (text.n > TAIL_MAX)
        text = (struct slice){text.p + text.n - TAIL_MAX, TAIL_MAX};
    while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]))
        text.n--;
    if (text.n > 0) {
        buf_puts(message, ": ");
        buf_put(message, text);
    }
}
