#include "cli/tail_line.h"

#include <inttypes.h>
#include <time.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/job_record.h"

enum { GAP = 2, WIDTH_MAX = 24, EVENT_MIN = 16, US_PER_S = 1000000 };

/* ---- JSON ---- */

static void put_text_or_null(struct buf *out, const char *text)
{
    if (text)
        json_put_string(out, slice_of(text), SIZE_MAX);
    else
        buf_puts(out, "null");
}

void tail_put_json(struct buf *out, const struct tail_line *line)
{
    enum json_type type;
    buf_printf(out, "{\"time\":%" PRId64 ".%06" PRId64 ",\"jid\":", line->at_us / US_PER_S,
               line->at_us % US_PER_S);
    put_text_or_null(out, line->jid);
    buf_puts(out, ",\"class\":");
    put_text_or_null(out, line->klass);
    buf_puts(out, ",\"queue\":");
    put_text_or_null(out, line->queue);
    buf_printf(out, ",\"id\":%" PRId64 ",\"event\":", line->id);
    if (json_scan(line->event, &type, NULL, NULL, NULL) == 0)
        cli_put_flat(out, line->event);
    else
        json_put_string(out, line->event, SIZE_MAX); /* somebody else wrote it */
    buf_puts(out, "}\n");
}

/* ---- text ---- */

static int widen(int *width, const char *text)
{
    int n = (int)terminal_width(text);
    if (n > *width)
        *width = n < WIDTH_MAX ? n : WIDTH_MAX;
    return *width > n ? *width - n : 0;
}

/* A cell and the gap behind it; returns how wide both are. */
static int put_cell(struct buf *out, const char *text, int *width, const struct terminal *terminal)
{
    struct buf clean = {0};
    cli_put_flat(&clean, slice_of(text));
    if (clean.n > 0)
        terminal_clean(clean.p);
    int pad = terminal->columns > 0 ? widen(width, buf_str(&clean)) : 0;
    int n = (int)terminal_width(buf_str(&clean)) + pad + GAP;
    buf_printf(out, "%s%*s", buf_str(&clean), pad + GAP, "");
    buf_release(&clean);
    return n;
}

static void put_event(struct buf *out, struct slice event, int room,
                      const struct terminal *terminal)
{
    enum { BYTES_MAX = 4 }; /* of a character */
    enum job_end end = JOB_GOES_ON;
    struct buf clean = {0};
    job_end_learn(&end, event);
    if (room > 0 && event.n > (size_t)(room + 1) * BYTES_MAX)
        event.n = (size_t)(room + 1) * BYTES_MAX; /* the rest is not seen */
    cli_put_flat(&clean, event);
    if (clean.n > 0)
        terminal_clean(clean.p);
    const char *text = buf_str(&clean);
    bool cut = room > 0 && terminal_width(text) > (size_t)room;
    size_t n = cut ? terminal_bytes(text, (size_t)room - 1) : strlen(text);
    buf_puts(out, tone_begin(terminal, job_end_tone(end)));
    buf_append(out, text, n);
    buf_puts(out, cut ? "…" : "");
    buf_puts(out, tone_end(terminal, job_end_tone(end)));
    buf_release(&clean);
}

void tail_put_text(struct buf *out, const struct tail_line *line, const struct terminal *terminal,
                   struct tail_widths *widths)
{
    char clock[16];
    struct tm local;
    time_t at = (time_t)(line->at_us / US_PER_S);
    (void)localtime_r(&at, &local);
    int used = (int)strftime(clock, sizeof clock, "%H:%M:%S", &local) + GAP;
    buf_printf(out, "%s%s%s%*s", tone_begin(terminal, TONE_DIM), clock,
               tone_end(terminal, TONE_DIM), GAP, "");
    buf_puts(out, hue_begin(terminal, hash_short(slice_of(line->jid))));
    used += put_cell(out, line->jid, &widths->jid, terminal);
    used += put_cell(out, line->klass ? line->klass : "-", &widths->klass, terminal);
    buf_puts(out, hue_end(terminal));
    int room = terminal->columns - used;
    put_event(out, line->event,
              terminal->columns == 0 ? 0
              : room > EVENT_MIN     ? room
                                     : EVENT_MIN,
              terminal);
    buf_putc(out, '\n');
}

/* ---- filter ---- */

struct wanted_type {
    const char *const *types;
    size_t n;
    bool found;
};

static int look(void *ctx, const struct json_member *member)
{
    struct wanted_type *w = ctx;
    if (member->type == JSON_STRING && json_key_is(member->key, "type"))
        for (size_t i = 0; i < w->n; i++)
            w->found =
                w->found || json_key_is(member->value, w->types[i]); /* a string, as keys are */
    return 0;
}

bool tail_event_is(struct slice event, const char *const *types, size_t n)
{
    struct wanted_type w = {types, n, false};
    enum json_type type;
    return json_scan(event, &type, look, &w, NULL) == 0 && type == JSON_OBJECT && w.found;
}
