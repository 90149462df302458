/*
 * handlers/lines against any bytes, cut anywhere: the lines are those of the text as a whole, none
 * is longer than the limit, and what is marked as cut was longer.
 *
 * The first byte is the limit, the second seeds the cuts, the rest is the output of a child.
 */
#include "fuzz.h"

#include "handlers/lines.h"

struct expected {
    struct slice rest; /* what has not been delivered yet */
    size_t max;
};

static void check_line(void *ctx, struct slice line, bool cut)
{
    struct expected *e = ctx;
    must(e->rest.n > 0);
    const char *end = memchr(e->rest.p, '\n', e->rest.n);
    size_t n = end ? (size_t)(end - e->rest.p) : e->rest.n;
    must(cut == (n > e->max));
    must(slice_eq(line, (struct slice){e->rest.p, cut ? e->max : n}));
    size_t used = n + (end ? 1 : 0);
    e->rest = (struct slice){e->rest.p + used, e->rest.n - used};
}

/* Feeds the text in pieces of 1 to `longest` bytes. */
static void check_cuts(struct slice text, size_t max, size_t longest, unsigned seed)
{
    struct lines lines = {.max = max};
    struct expected e = {.rest = text, .max = max};
    for (size_t at = 0; at < text.n;) {
        seed = seed * 1103515245 + 12345;
        size_t n = 1 + (seed >> 16) % longest;
        if (n > text.n - at)
            n = text.n - at;
        lines_feed(&lines, (struct slice){text.p + at, n}, check_line, &e);
        must(lines.partial.n <= max);
        at += n;
    }
    lines_end(&lines, check_line, &e);
    must(e.rest.n == 0);
    lines_end(&lines, check_line, &e); /* has nothing left */
    lines_release(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    struct slice text = {(const char *)data + 2, n - 2};
    check_cuts(text, data[0], text.n ? text.n : 1, data[1]);
    check_cuts(text, data[0], 1, data[1]);
    check_cuts(text, data[0], 2 + data[1] % 30, data[1]);
    return 0;
}
