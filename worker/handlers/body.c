#include "handlers/body.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_type(const char *content_type, const char *name)
{
    size_t n = strlen(name);
    return strncasecmp(content_type, name, n) == 0 && strchr("; \t", content_type[n]);
}

enum body_kind body_kind_of(const char *content_type)
{
    if (is_type(content_type, "application/x-ndjson"))
        return BODY_LINES;
    return is_type(content_type, "text/event-stream") ? BODY_MESSAGES : BODY_TEXT;
}

void body_init(struct body *b, enum body_kind kind, size_t max,
               int (*each)(void *ctx, struct slice text), void *ctx)
{
    *b = (struct body){
        .kind = kind, .max = max, .each = each, .ctx = ctx, .lines.max = HANDLER_EVENT_MAX};
}

static void deliver(struct body *b, struct slice text)
{
    if (b->error == 0)
        b->error = b->each(b->ctx, text);
}

static struct slice without_cr(struct slice line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static void on_line(void *ctx, struct slice line, bool cut)
{
    (void)cut;
    line = without_cr(line);
    if (line.n > 0)
        deliver(ctx, line);
}

/* "data:VALUE" or "data: VALUE" */
static void add_data(struct body *b, struct slice value)
{
    if (value.n > 0 && *value.p == ' ')
        value = (struct slice){value.p + 1, value.n - 1};
    if (b->has_data)
        buf_putc(&b->text, '\n');
    b->has_data = true;
    size_t room = HANDLER_EVENT_MAX > b->text.n ? HANDLER_EVENT_MAX - b->text.n : 0;
    buf_put(&b->text, (struct slice){value.p, value.n < room ? value.n : room});
}

static void on_message_line(void *ctx, struct slice line, bool cut)
{
    static const char field[] = "data";
    enum { N = sizeof field - 1 };
    struct body *b = ctx;
    (void)cut;
    line = without_cr(line);
    if (line.n == 0) {
        if (b->has_data)
            deliver(b, buf_slice(&b->text));
        buf_clear(&b->text);
        b->has_data = false;
    } else if (slice_is(line, field)) {
        add_data(b, (struct slice){"", 0});
    } else if (line.n > N && memcmp(line.p, field, N) == 0 && line.p[N] == ':') {
        add_data(b, (struct slice){line.p + N + 1, line.n - N - 1});
    }
}

static int feed_text(struct body *b, struct slice bytes)
{
    size_t room = b->max - b->text.n;
    bool fits = bytes.n <= room;
    buf_put(&b->text, (struct slice){bytes.p, fits ? bytes.n : room});
    if (buf_error(&b->text) < 0)
        return -ENOMEM;
    return fits ? 0 : -EMSGSIZE;
}

static lines_each *each_line(const struct body *b)
{
    return b->kind == BODY_LINES ? on_line : on_message_line;
}

int body_feed(struct body *b, struct slice bytes)
{
    if (b->kind == BODY_TEXT)
        return feed_text(b, bytes);
    lines_feed(&b->lines, bytes, each_line(b), b);
    return b->error < 0 ? b->error : buf_error(&b->text);
}

int body_end(struct body *b)
{
    if (b->kind == BODY_LINES)
        lines_end(&b->lines, on_line, b);
    return b->error;
}

void body_release(struct body *b)
{
    buf_release(&b->text);
    lines_release(&b->lines);
}
