/* What `sluice top` reads, and the view of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/terminal.h"
#include "cli/top.h"
#include "store/running.h"

/* ---- running jobs: from the JSON that the store makes of them ---- */

static char **text_member(struct top_job *j, const struct json_member *m)
{
    return json_key_is(m->key, "jid")      ? &j->jid
           : json_key_is(m->key, "class")  ? &j->klass
           : json_key_is(m->key, "queue")  ? &j->queue
           : json_key_is(m->key, "worker") ? &j->worker
                                           : NULL;
}

static int take_member(void *ctx, const struct json_member *m)
{
    struct top_job *j = ctx;
    char **text = text_member(j, m);
    struct buf value = {0};
    if (text && m->type == JSON_STRING && json_decode_string(m->value, &value) == 0) {
        terminal_clean(value.p);
        free(*text);
        *text = buf_steal(&value, NULL);
    }
    buf_release(&value);
    if (m->type == JSON_NUMBER && json_key_is(m->key, "started_at"))
        return json_decode_real(m->value, &j->started_at);
    return 0;
}

static void release_job(struct top_job *j)
{
    free(j->jid);
    free(j->klass);
    free(j->queue);
    free(j->worker);
}

static int fill_gaps(struct top_job *j)
{
    char **const texts[] = {&j->jid, &j->klass, &j->queue, &j->worker};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (!*texts[i] && !(*texts[i] = strdup("")))
            return -ENOMEM;
    return 0;
}

static int take_jobs(const struct running *r, struct top_look *l)
{
    enum json_type type;
    l->running = r->total;
    l->jobs = calloc(r->n ? r->n : 1, sizeof *l->jobs);
    if (!l->jobs)
        return -ENOMEM;
    for (size_t i = 0; i < r->n; i++) {
        size_t begin = i > 0 ? r->end[i - 1] + 1 : 0; /* a comma */
        struct slice text = {r->text.p + begin, r->end[i] - begin};
        struct top_job *j = &l->jobs[l->njobs++];
        int rc = json_scan(text, &type, take_member, j, NULL);
        if (rc == 0)
            rc = fill_gaps(j);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int top_look(struct session *s, struct top_look *ret, struct err *err)
{
    struct top_look l = {0};
    struct running running = {0};
    int rc = store_stats(s->store, s->redis, &l.stats, err);
    if (rc == 0)
        rc = store_queues(s->store, s->redis, &l.queues, &l.nqueues, err);
    if (rc == 0)
        rc = store_workers(s->store, s->redis, &l.workers, &l.nworkers, err);
    if (rc == 0)
        rc = store_running(s->store, s->redis, &running, err);
    if (rc == 0)
        rc = take_jobs(&running, &l);
    running_release(&running);
    if (rc != 0) {
        top_look_release(&l);
        return rc;
    }
    for (size_t i = 0; i < l.nworkers; i++)
        if (worker_info_lives(&l.workers[i]))
            gauges_sum(&l.sum, &l.workers[i].gauges);
    *ret = l;
    return 0;
}

void top_look_release(struct top_look *l)
{
    queue_infos_free(l->queues, l->nqueues);
    worker_infos_free(l->workers, l->nworkers);
    for (size_t i = 0; i < l->njobs; i++)
        release_job(&l->jobs[i]);
    free(l->jobs);
    *l = (struct top_look){0};
}

/* ---- the view ---- */

static void push(double *history, int n, double value)
{
    memmove(history, history + 1, (size_t)(n - 1) * sizeof *history);
    history[n - 1] = value;
}

void top_view_take(struct top_view *v, struct top_look *look, double seconds)
{
    if (v->looked && seconds > 0) {
        double done = (double)(look->stats.processed - v->look.stats.processed) / seconds;
        double failed = (double)(look->stats.failed - v->look.stats.failed) / seconds;
        push(v->done_s, TOP_HISTORY, done > 0 ? done : 0);
        push(v->failed_s, TOP_HISTORY, failed > 0 ? failed : 0);
        if (v->samples < TOP_HISTORY)
            v->samples++;
    }
    top_look_release(&v->look);
    v->look = *look;
    v->looked = true;
}

size_t top_rows(const struct top_view *v)
{
    const size_t rows[TOP_PANES] = {[TOP_QUEUES] = v->look.nqueues,
                                    [TOP_WORKERS] = v->look.nworkers,
                                    [TOP_JOBS] = v->look.njobs};
    return rows[v->pane];
}

const char *top_name(const struct top_view *v, size_t row)
{
    switch (v->pane) {
    case TOP_QUEUES:
        return v->look.queues[row].name;
    case TOP_WORKERS:
        return v->look.workers[row].identity;
    default:
        return v->look.jobs[row].jid;
    }
}

size_t top_selected(const struct top_view *v)
{
    size_t n = top_rows(v);
    for (size_t i = 0; i < n; i++)
        if (strcmp(top_name(v, i), v->chosen[v->pane]) == 0)
            return i;
    return 0;
}

void top_select(struct top_view *v, long row)
{
    long n = (long)top_rows(v);
    if (n == 0)
        return;
    row = row < 0 ? 0 : row >= n ? n - 1 : row;
    (void)snprintf(v->chosen[v->pane], TOP_NAME, "%s", top_name(v, (size_t)row)); /* or its begin */
}
