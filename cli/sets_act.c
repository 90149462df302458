/* sluice retry, schedule and dead: requeue and rm. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/confirm.h"
#include "cli/human.h"
#include "cli/progress.h"
#include "cli/sets.h"

/* ---- By jid --------------------------------------------------------------------------------- */

static int act_on(const struct sets_request *r, enum bulk_action action, const char *jid,
                  char **ret_queue, struct err *err)
{
    const struct session *s = r->session;
    if (action == BULK_REQUEUE)
        return store_requeue(s->store, s->redis, r->set, jid, s->conf->max_payload, ret_queue, err);
    return store_delete(s->store, s->redis, r->set, jid, (int64_t)s->conf->stream_ttl,
                        s->conf->max_payload, err);
}

static void print_one(const struct sets_request *r, const char *jid, const char *queue)
{
    struct err line; /* what it quotes must not drive a terminal */
    if (queue)
        (void)err_set(&line, 0, "%s: requeued to %s", jid, queue);
    else
        (void)err_set(&line, 0, "%s: deleted from %s", jid, r->self->name);
    printf("%s\n", line.text);
}

static void put_one(struct buf *out, const char *jid, int rc, const char *queue,
                    const struct err *err)
{
    buf_puts(out, out->n > 0 ? ",{\"jid\":" : "[{\"jid\":");
    json_put_string(out, slice_of(jid), SIZE_MAX);
    if (rc == 0 && queue) {
        buf_puts(out, ",\"queue\":");
        json_put_string(out, slice_of(queue), SIZE_MAX);
    } else if (rc == 0) {
        buf_puts(out, ",\"deleted\":true");
    } else {
        buf_puts(out, ",\"error\":");
        json_put_string(out, slice_of(err->text), SIZE_MAX);
    }
    buf_putc(out, '}');
}

/* One that cannot be found keeps nothing from the others; a server that cannot be reached does. */
int sets_act_on_jids(const struct sets_request *r, enum bulk_action action)
{
    struct buf out = {0};
    int exit_code = CLI_DONE;
    for (int i = 0; i < r->njids && exit_code != CLI_UNREACHABLE; i++) {
        struct err err = {""};
        char *queue = NULL;
        int rc = act_on(r, action, r->jids[i], &queue, &err);
        if (rc != 0)
            exit_code = cli_fail(rc, &err);
        else if (!r->json)
            print_one(r, r->jids[i], queue);
        if (r->json)
            put_one(&out, r->jids[i], rc, queue, &err);
        free(queue);
    }
    if (r->json) {
        buf_putc(&out, ']');
        cli_print(&out);
    }
    buf_release(&out);
    return exit_code;
}

/* ---- Many ----------------------------------------------------------------------------------- */

/* How many meet the filter now; the set's size without one. */
static int count(const struct sets_request *r, struct progress *progress, int64_t *ret,
                 struct err *err)
{
    int64_t at = 0, n = 0, began = clock_now_ns();
    bool all = job_filter_is_empty(&r->filter);
    int rc = 0;
    for (bool more = true; rc == 0 && more;) {
        struct job_page page = {0};
        rc = store_page(r->session->store, r->session->redis, r->set, at, all ? 1 : JOB_PAGE_MAX,
                        &page, err);
        for (size_t i = 0; rc == 0 && !all && i < page.n; i++) {
            const struct job_entry entry = job_page_at(&page, i);
            struct envelope e;
            if (entry.bytes > 0 || envelope_parse(entry.payload, &e, NULL) != 0)
                continue;
            n += job_filter_meets(&r->filter, r->set, &e);
            envelope_release(&e);
        }
        at += (int64_t)page.n;
        more = !all && page.n > 0 && at < page.total;
        if (all)
            n = page.total;
        progress_draw_bar(progress, "looking", (uint64_t)at, (uint64_t)page.total, began);
        job_page_release(&page);
    }
    progress_erase(progress);
    if (rc == 0)
        *ret = r->limit > 0 && r->limit < n ? r->limit : n;
    return rc;
}

/* Whoever is to be asked is told how many. CLI_GO, or the exit code. */
static int ask(const struct sets_request *r, struct progress *progress, struct err *err)
{
    char text[HUMAN_TEXT];
    int64_t n = 0;
    if (r->yes)
        return CLI_GO;
    int rc = count(r, progress, &n, err);
    if (rc != 0)
        return cli_fail(rc, err);
    return confirm(r->self, false, "Delete %s job%s of %s", human_count(n, text), n == 1 ? "" : "s",
                   r->self->name);
}

static void print_outcome(const struct sets_request *r, enum bulk_action action, int64_t done,
                          int64_t skipped)
{
    const char *verb = action == BULK_REQUEUE ? "requeued" : "deleted";
    char text[HUMAN_TEXT], more[HUMAN_TEXT];
    if (r->json) {
        printf("{\"set\":\"%s\",\"%s\":%" PRId64 ",\"skipped\":%" PRId64 "}\n", r->self->name, verb,
               done, skipped);
        return;
    }
    printf("%s job%s of %s %s", human_count(done, text), done == 1 ? "" : "s", r->self->name, verb);
    if (skipped > 0)
        printf("; %s skipped, being no jobs or of a queue that is no list",
               human_count(skipped, more));
    putchar('\n');
}

int sets_act_on_many(const struct sets_request *r, enum bulk_action action)
{
    const struct session *s = r->session;
    struct progress progress = progress_of_stderr();
    struct bulk_result result = {0};
    struct err err = {""};
    struct bulk_order order = {.set = r->set,
                               .action = action,
                               .filter = r->filter,
                               .max_payload = s->conf->max_payload,
                               .ttl_s = (int64_t)s->conf->stream_ttl};
    int64_t done = 0, skipped = 0, total = 0, began = clock_now_ns();
    char after[BULK_CURSOR_BYTES] = "";
    int rc = action == BULK_DELETE ? ask(r, &progress, &err) : CLI_GO;
    if (rc != CLI_GO)
        return rc;
    do {
        int64_t room = r->limit > 0 ? r->limit - done : BULK_MAX;
        order.limit = room < BULK_MAX ? room : BULK_MAX;
        order.after = *after ? after : NULL;
        rc = store_bulk(s->store, s->redis, &order, &result, &err);
        if (rc != 0)
            break;
        done += result.done;
        skipped += result.skipped;
        (void)snprintf(after, sizeof after, "%s", result.next); /* of the same size */
        int64_t seen = done + skipped + result.left;
        total = seen > total ? seen : total;
        progress_draw_bar(&progress, action == BULK_REQUEUE ? "requeueing" : "deleting",
                          (uint64_t)(total - result.left), (uint64_t)total, began);
    } while (*after && (r->limit == 0 || done < r->limit));
    progress_erase(&progress);
    print_outcome(r, action, done, skipped); /* also before a failure: so much was done */
    return rc == 0 ? CLI_DONE : cli_fail(rc, &err);
}
