/* Walking through a list or a sorted set, page by page.
 *
 * Pages begin small and grow while they stay light, so that a queue of huge jobs costs no more
 * memory than a queue of small ones. A list grows at its head, where the walk begins: an element
 * may be met twice, none is passed over but by what takes elements out in front of it. */
#include <inttypes.h>

#include "fsck_run.h"

enum { PAGE_NEXT, PAGE_KIND, PAGE_ELEMENTS }; /* parts of the reply */
enum { PAGE_FIRST = 8, PAGE_MAX = 500, PAGE_LIGHT = 256 << 10, PAGE_HEAVY = 4 << 20 };

struct walk {
    struct slice key;
    const struct fsck_walker *walker;
    uint64_t index; /* in a list: where the page begins */
    uint64_t count; /* elements per page */
    uint64_t bytes; /* of the page */
};

static int read_page(struct fsck *f, const struct walk *w, struct slice from, struct reply **ret,
                     struct err *err)
{
    struct script_call call = {0};
    script_begin(&call, &script_fsck_page, 1);
    command_add(&call.cmd, w->key);
    command_add(&call.cmd, from);
    command_int(&call.cmd, (int64_t)w->count);
    command_int(&call.cmd, f->o->max_payload > 0 ? f->o->max_payload : INT64_C(1) << 30);
    int rc = script_run(f->c, &call, ret, err);
    script_call_release(&call);
    return rc;
}

static int visit_page(struct fsck *f, struct walk *w, const struct reply *page, struct err *err)
{
    int rc = 0;
    w->bytes = 0;
    for (size_t i = PAGE_ELEMENTS; rc == 0 && i + 1 < reply_count(page); i += 2) {
        const struct reply *element = reply_at(page, i);
        const struct fsck_element e = {
            .payload = reply_str(element),
            .large = reply_type(element) == REPLY_INT ? (uint64_t)reply_int(element) : 0,
            .score = reply_str(reply_at(page, i + 1)),
            .index = w->index + (i - PAGE_ELEMENTS) / 2,
        };
        w->bytes += e.payload.n;
        rc = w->walker->element(f, w->walker->ctx, &e, err);
    }
    return rc;
}

/* Where the next page begins: as the script says, in a list less what was taken out before it. */
static void go_on(struct walk *w, const struct reply *page, uint64_t gone, struct buf *from)
{
    buf_clear(from);
    if (slice_is(reply_str(reply_at(page, PAGE_KIND)), "list")) {
        w->index += w->count - gone;
        buf_printf(from, "%" PRIu64, w->index);
    } else {
        buf_put(from, reply_str(reply_at(page, PAGE_NEXT)));
    }
}

int fsck_walk(struct fsck *f, struct slice key, const struct fsck_walker *walker, struct err *err)
{
    struct walk w = {.key = key, .walker = walker, .count = PAGE_FIRST};
    struct buf from = {0};
    bool more = true;
    int rc = 0;
    buf_puts(&from, "0");
    while (rc == 0 && more) {
        struct reply *page = NULL;
        uint64_t gone = 0;
        rc = read_page(f, &w, buf_slice(&from), &page, err);
        if (rc == 0)
            rc = visit_page(f, &w, page, err);
        if (rc == 0 && walker->page_end)
            rc = walker->page_end(f, walker->ctx, &gone, err);
        more = reply_str(reply_at(page, PAGE_NEXT)).n > 0;
        go_on(&w, page, gone, &from);
        reply_free(page);
        if (rc == 0 && buf_error(&from) != 0)
            rc = err_set(err, -ENOMEM, "no memory for a page");
        if (w.bytes > PAGE_HEAVY)
            w.count = w.count > 1 ? w.count / 2 : 1;
        else if (w.bytes < PAGE_LIGHT && w.count < PAGE_MAX)
            w.count *= 2;
    }
    buf_release(&from);
    return rc;
}
