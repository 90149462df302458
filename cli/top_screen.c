/* What `sluice top` draws: figures, the gate, the last minutes, one list. */
#include <inttypes.h>
#include <ncurses.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/human.h"
#include "cli/terminal.h"
#include "cli/time_text.h"
#include "cli/top.h"
#include "store/inspect_json.h"

enum { HEAD_ROWS = 8, FOOT_ROWS = 2, BAR = 30, LINE_BYTES = 1024 };
enum { PAIR_GOOD = 1, PAIR_WARN, PAIR_BAD };

static int attributes(const struct top_screen *s, enum tone tone)
{
    switch (tone) {
    case TONE_GOOD:
        return s->colour ? COLOR_PAIR(PAIR_GOOD) : 0;
    case TONE_WARN:
        return s->colour ? COLOR_PAIR(PAIR_WARN) : A_BOLD;
    case TONE_BAD:
        return s->colour ? COLOR_PAIR(PAIR_BAD) : A_BOLD;
    case TONE_BOLD:
        return A_BOLD;
    case TONE_DIM:
        return A_DIM;
    default:
        return 0;
    }
}

/* What lies in Redis may hold anything: it is cleaned before it comes to the terminal. */
static void put(const struct top_screen *s, enum tone tone, const char *fmt, ...) printf_like(3, 4);
static void put(const struct top_screen *s, enum tone tone, const char *fmt, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* cut to what no line exceeds */
    va_end(args);
    terminal_clean(text);
    int attr = attributes(s, tone);
    (void)attron(attr);
    (void)addnstr(text, (int)sizeof text);
    (void)attroff(attr);
}

/* ---- the head ---- */

static void draw_title(const struct top_screen *s, const struct top_view *v)
{
    char clock[16];
    time_t now = time(NULL);
    struct tm local;
    (void)localtime_r(&now, &local);
    (void)strftime(clock, sizeof clock, "%H:%M:%S", &local);
    (void)move(0, 0);
    put(s, TONE_BOLD, "sluice top");
    put(s, TONE_DIM, "  %s  %s", s->where, clock);
    if (v->trouble.text[0])
        put(s, TONE_BAD, "  %s", v->trouble.text);
}

static void figure(const struct top_screen *s, const char *name, int64_t n, enum tone tone)
{
    char text[HUMAN_TEXT];
    put(s, TONE_DIM, "%s ", name);
    put(s, tone, "%s   ", human_count(n, text));
}

static void draw_figures(const struct top_screen *s, const struct top_view *v)
{
    const struct store_stats *st = &v->look.stats;
    char p50[DURATION_TEXT], p99[DURATION_TEXT];
    (void)move(2, 0);
    figure(s, "enqueued", st->enqueued, TONE_BOLD);
    figure(s, "running", st->busy, TONE_BOLD);
    figure(s, "retries", st->retries, st->retries > 0 ? TONE_WARN : TONE_BOLD);
    figure(s, "scheduled", st->scheduled, TONE_BOLD);
    figure(s, "dead", st->dead, st->dead > 0 ? TONE_BAD : TONE_BOLD);
    (void)move(3, 0);
    put(s, TONE_DIM, "done/s ");
    put(s, TONE_BOLD, "%.0f   ", v->done_s[TOP_HISTORY - 1]);
    put(s, TONE_DIM, "failed/s ");
    put(s, v->failed_s[TOP_HISTORY - 1] > 0 ? TONE_WARN : TONE_BOLD, "%.0f   ",
        v->failed_s[TOP_HISTORY - 1]);
    put(s, TONE_DIM, "run ");
    const struct histogram *ran = &v->look.sum.duration;
    if (histogram_total(ran) > 0)
        put(s, TONE_BOLD, "p50 %s p99 %s",
            duration_text((double)histogram_quantile_us(ran, 0.50) / 1e6, p50),
            duration_text((double)histogram_quantile_us(ran, 0.99) / 1e6, p99));
    else
        put(s, TONE_DIM, "-");
}

static void bar(const struct top_screen *s, const char *name, int64_t n, int64_t limit)
{
    int filled = limit > 0 ? (int)(n * BAR / limit) : 0;
    if (filled == 0 && n > 0)
        filled = 1;
    enum tone tone = filled * 10 >= BAR * 9 ? TONE_BAD : TONE_GOOD;
    put(s, TONE_DIM, "%-12s", name);
    put(s, TONE_PLAIN, "[");
    for (int i = 0; i < BAR; i++)
        put(s, i < filled ? tone : TONE_DIM, i < filled ? "#" : ".");
    put(s, TONE_PLAIN, "] ");
    put(s, TONE_BOLD, "%" PRId64 " of %" PRId64, n, limit);
}

static void draw_gate(const struct top_screen *s, const struct top_view *v)
{
    const struct gauges *sum = &v->look.sum;
    (void)move(4, 0);
    bar(s, "permits", sum->permits.in_use, sum->permits.limit);
    put(s, TONE_DIM, "   peak ");
    put(s, TONE_BOLD, "%" PRId64, sum->permits.peak);
    put(s, TONE_DIM, "   waiting ");
    put(s, sum->permits.waiting > 0 ? TONE_WARN : TONE_BOLD, "%" PRId64, sum->permits.waiting);
    (void)move(5, 0);
    bar(s, "connections", sum->connections.open, sum->connections.limit);
}

/* Jobs a second, a column for each look. */
static void draw_history(const struct top_screen *s, const struct top_view *v)
{
    static const char *const steps[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    int columns = COLS - 20 < v->samples ? COLS - 20 : v->samples;
    double most = 1;
    if (columns < 0)
        columns = 0;
    for (int i = TOP_HISTORY - columns; i < TOP_HISTORY; i++)
        most = v->done_s[i] > most ? v->done_s[i] : most;
    (void)move(6, 0);
    put(s, TONE_DIM, "%-12s", "throughput");
    for (int i = TOP_HISTORY - columns; i < TOP_HISTORY; i++)
        put(s, v->failed_s[i] > 0 ? TONE_WARN : TONE_GOOD, "%s",
            steps[(int)(v->done_s[i] / most * 8 + 0.999)]);
    if (columns > 0)
        put(s, TONE_DIM, " %.0f/s", most);
}

/* ---- the list ---- */

static void row_queue(const struct top_screen *s, const struct top_view *v, size_t i)
{
    const struct queue_info *q = &v->look.queues[i];
    char size[HUMAN_TEXT], age[DURATION_TEXT];
    put(s, TONE_PLAIN, "%-32.32s %12s %12s  ", q->name, human_count(q->size, size),
        q->size > 0 ? duration_text(q->latency_s, age) : "-");
    if (q->wrong_type)
        put(s, TONE_BAD, "its key is no list");
    else if (q->paused)
        put(s, TONE_WARN, "paused");
}

static void row_worker(const struct top_screen *s, const struct top_view *v, size_t i)
{
    const struct worker_info *w = &v->look.workers[i];
    const char *state = worker_info_state(w);
    char kb[HUMAN_TEXT], busy[64], permits[64] = "-";
    (void)snprintf(busy, sizeof busy, "%" PRId64 "/%" PRId64, w->busy, w->concurrency);
    if (w->gauges.known)
        (void)snprintf(permits, sizeof permits, "%" PRId64 "/%" PRId64, w->gauges.permits.peak,
                       w->gauges.permits.limit);
    put(s, TONE_PLAIN, "%-36.36s ", w->identity);
    put(s, strcmp(state, "running") == 0 ? TONE_GOOD : TONE_WARN, "%-9s", state);
    put(s, TONE_PLAIN, "%9s %9s %9s", busy, permits, human_kb(w->rss_kb, kb));
}

static void row_job(const struct top_screen *s, const struct top_view *v, size_t i)
{
    const struct top_job *j = &v->look.jobs[i];
    char age[DURATION_TEXT];
    double ran = v->look.stats.now - j->started_at;
    put(s, TONE_PLAIN, "%-26.26s %-20.20s %-12.12s %8s  %s", j->jid, j->klass, j->queue,
        duration_text(ran > 0 ? ran : 0, age), j->worker);
}

static const struct {
    const char *title, *heading, *none;
    void (*row)(const struct top_screen *s, const struct top_view *v, size_t i);
} panes[TOP_PANES] = {
    [TOP_QUEUES] = {"Queues", "QUEUE                                 WAITING  NEXT WAITED",
                    "There are no queues yet.", row_queue},
    [TOP_WORKERS] = {"Workers",
                     "WORKER                               STATE         BUSY   PERMITS    MEMORY",
                     "No worker runs.", row_worker},
    [TOP_JOBS] = {"Running",
                  "JOB                        CLASS                QUEUE             FOR  WORKER",
                  "Nothing runs.", row_job},
};

int top_list_height(void)
{
    int rows = LINES - HEAD_ROWS - FOOT_ROWS - 1;
    return rows > 1 ? rows : 1;
}

static void draw_list(const struct top_screen *s, struct top_view *v)
{
    int height = top_list_height(), n = (int)top_rows(v), selected = (int)top_selected(v);
    int *first = &v->first[v->pane];
    if (selected < *first)
        *first = selected;
    if (selected >= *first + height)
        *first = selected - height + 1;
    if (*first > 0 && *first + height > n) /* rows have gone */
        *first = n > height ? n - height : 0;

    (void)move(HEAD_ROWS - 1, 0);
    for (int p = 0; p < TOP_PANES; p++) {
        if (p == (int)v->pane)
            (void)attron(A_REVERSE);
        put(s, TONE_BOLD, " %d %s ", p + 1, panes[p].title);
        (void)attroff(A_REVERSE);
    }
    if (v->pane == TOP_JOBS && v->look.running > (int64_t)n)
        put(s, TONE_DIM, "  the first %d of %" PRId64, n, v->look.running);
    (void)move(HEAD_ROWS, 0);
    put(s, TONE_DIM, "%s", n > 0 ? panes[v->pane].heading : panes[v->pane].none);
    for (int i = 0; i < height && *first + i < n; i++) {
        (void)move(HEAD_ROWS + 1 + i, 0);
        panes[v->pane].row(s, v, (size_t)*first + (size_t)i);
        if (*first + i == selected) /* across whatever the row is coloured with */
            (void)mvchgat(HEAD_ROWS + 1 + i, 0, -1, A_REVERSE, 0, NULL);
    }
}

static void draw_foot(const struct top_screen *s, const struct top_view *v)
{
    static const char *const keys[TOP_PANES] = {
        [TOP_QUEUES] = "p pause/resume",
        [TOP_WORKERS] = "p quiet/resume   s stop",
        [TOP_JOBS] = "c cancel",
    };
    (void)move(LINES - 2, 0);
    put(s, TONE_BOLD, "%s", v->note);
    (void)move(LINES - 1, 0);
    put(s, TONE_DIM, "q quit   tab, 1-3 list   up, down choose   %s", keys[v->pane]);
}

void top_draw(const struct top_screen *s, struct top_view *v)
{
    (void)erase();
    draw_title(s, v);
    if (v->looked) {
        draw_figures(s, v);
        draw_gate(s, v);
        draw_history(s, v);
        draw_list(s, v);
    }
    draw_foot(s, v);
    (void)refresh();
}
