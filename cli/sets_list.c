/* sluice retry ls, sluice schedule ls, sluice dead ls */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/sets.h"
#include "cli/table.h"
#include "cli/time_text.h"

struct listing {
    const struct sets_request *r;
    struct table table;
    struct buf json;
    double now;
    int64_t total, shown;
};

/* "in 5m", "2h ago", "due". */
static void when_cell(struct table *t, double at, double now)
{
    char text[DURATION_TEXT];
    if (at <= 0)
        table_cell(t, TONE_PLAIN, "-");
    else if (at > now)
        table_cell(t, TONE_PLAIN, "in %s", duration_text(at - now, text));
    else
        table_cell(t, TONE_PLAIN, "%s ago", duration_text(now - at, text));
}

static void add_job(struct listing *l, const struct job_entry *entry, const struct envelope *e)
{
    struct table *t = &l->table;
    struct job_story story;
    job_story_read(l->r->set, e, &story);
    when_cell(t, entry->score, l->now);
    table_cell(t, TONE_PLAIN, "%s", e->jid_is_new ? "-" : e->jid);
    table_cell(t, TONE_PLAIN, "%s", e->klass);
    table_cell(t, TONE_PLAIN, "%s",
               l->r->set == JOBS_DEAD ? (e->queue ? e->queue : "default") : envelope_next_queue(e));
    table_cell(t, TONE_PLAIN, "%" PRId64, e->retry_count + 1); /* failures */
    table_cell(t, TONE_PLAIN, "%s%s%s", story.error_class, story.error[0] ? ": " : "", story.error);
}

/* What is no job, or too long to be read here. */
static void add_other(struct listing *l, const struct job_entry *entry)
{
    enum { SHOWN = 200 };
    struct table *t = &l->table;
    int n = entry->payload.n > SHOWN ? SHOWN : (int)entry->payload.n;
    when_cell(t, entry->score, l->now);
    for (int i = 0; i < 4; i++)
        table_cell(t, TONE_PLAIN, "-");
    if (entry->bytes > 0)
        table_cell(t, TONE_WARN, "%" PRId64 " bytes, not shown", entry->bytes);
    else
        table_cell(t, TONE_WARN, "no job: %.*s", n, entry->payload.p);
}

static void list_entry(struct listing *l, const struct job_entry *entry)
{
    struct envelope e;
    bool is_job = entry->bytes == 0 && envelope_parse(entry->payload, &e, NULL) == 0;
    bool meant = is_job ? job_filter_meets(&l->r->filter, l->r->set, &e)
                        : job_filter_is_empty(&l->r->filter);
    if (meant) {
        if (l->r->json) {
            buf_puts(&l->json, l->shown > 0 ? "," : "");
            job_entry_put(&l->json, entry);
        } else if (is_job) {
            add_job(l, entry, &e);
        } else {
            add_other(l, entry);
        }
        l->shown++;
    }
    if (is_job)
        envelope_release(&e);
}

static bool is_full(const struct listing *l)
{
    return l->r->limit > 0 && l->shown >= l->r->limit;
}

/* Page by page. What is added or goes meanwhile may be missed or come twice. */
static int read_all(struct listing *l, struct err *err)
{
    struct progress progress = progress_of_stderr();
    int64_t began = clock_now_ns(), at = 0;
    int rc = store_time(l->r->session->redis, &l->now, err);
    for (bool more = true; rc == 0 && more && !is_full(l);) {
        struct job_page page = {0};
        rc = store_page(l->r->session->store, l->r->session->redis, l->r->set, at, JOB_PAGE_MAX,
                        &page, err);
        for (size_t i = 0; rc == 0 && i < page.n && !is_full(l); i++) {
            const struct job_entry entry = job_page_at(&page, i);
            list_entry(l, &entry);
            at++;
        }
        l->total = page.total;
        more = page.n > 0 && at < page.total;
        if (more)
            progress_draw_bar(&progress, "reading", (uint64_t)at, (uint64_t)page.total, began);
        job_page_release(&page);
    }
    progress_erase(&progress);
    return rc;
}

static void print_text(const struct listing *l)
{
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    char shown[HUMAN_TEXT], total[HUMAN_TEXT];
    if (l->shown > 0)
        table_print(&l->table, &terminal);
    if (l->shown == 0 && l->total == 0)
        printf("No jobs in %s.\n", l->r->self->name);
    else if (l->shown == 0)
        printf("None of the %s jobs in %s is meant.\n", human_count(l->total, total),
               l->r->self->name);
    else if (is_full(l) && l->shown < l->total)
        printf("%s of %s in %s; --limit 0 shows all that are meant.\n",
               human_count(l->shown, shown), human_count(l->total, total), l->r->self->name);
}

int sets_list(const struct sets_request *r)
{
    static const struct table_column columns[] = {
        {.title = "When", .right = true},     {.title = "Job"},
        {.title = "Class", .shrinks = true},  {.title = "Queue", .shrinks = true},
        {.title = "Failures", .right = true}, {.title = "Error", .shrinks = true},
    };
    struct listing l = {.r = r, .table = {.column = columns, .columns = 6}};
    struct err err = {""};
    int rc = read_all(&l, &err);
    if (rc == 0)
        rc = buf_error(&l.json);
    if (rc == 0 && r->json) {
        struct buf out = {0};
        buf_printf(&out, "{\"set\":\"%s\",\"total\":%" PRId64 ",\"shown\":%" PRId64 ",\"jobs\":[",
                   r->self->name, l.total, l.shown);
        buf_put(&out, buf_slice(&l.json));
        buf_puts(&out, "]}");
        cli_print(&out);
        buf_release(&out);
    } else if (rc == 0) {
        print_text(&l);
    }
    table_release(&l.table);
    buf_release(&l.json);
    return rc == 0 ? CLI_DONE : cli_fail(rc, &err);
}
