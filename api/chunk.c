#include "api/chunk.h"

#include <inttypes.h>
#include <stdlib.h>

/* An event is one JSON value, so its line ends are only white space, and would end the field. */
static void put_line(struct buf *out, struct slice text)
{
    for (size_t i = 0; i < text.n;) {
        size_t from = i;
        while (i < text.n && text.p[i] != '\n' && text.p[i] != '\r')
            i++;
        buf_append(out, text.p + from, i - from);
        for (; i < text.n && (text.p[i] == '\n' || text.p[i] == '\r'); i++)
            buf_putc(out, ' ');
    }
}

struct chunk *chunk_new(const struct stream_page *page, int64_t first)
{
    struct chunk *c = calloc(1, sizeof *c);
    size_t *ends = calloc(page->n, sizeof *ends);
    if (!c || !ends) {
        free(c);
        free(ends);
        return NULL;
    }
    *c = (struct chunk){.refs = 1, .first = first, .n = page->n, .ends = ends};
    for (size_t i = 0; i < page->n; i++) {
        buf_printf(&c->text, "id: %" PRId64 "\ndata: ", first + (int64_t)i);
        put_line(&c->text, stream_page_event(page, i));
        buf_puts(&c->text, "\n\n");
        ends[i] = c->text.n;
    }
    if (buf_error(&c->text) != 0) {
        chunk_unref(c);
        return NULL;
    }
    return c;
}

void chunk_unref(struct chunk *c)
{
    if (!c || --c->refs > 0)
        return;
    buf_release(&c->text);
    free(c->ends);
    free(c);
}

size_t chunk_start_of(const struct chunk *c, int64_t id)
{
    return id == c->first ? 0 : c->ends[id - c->first - 1];
}
