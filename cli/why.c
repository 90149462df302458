/* What is known of a job: gathered. */
#include "cli/why.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "store/inspect.h"
#include "store/search.h"

/* ---- Reading what was found ------------------------------------------------------------------ */

static char *text_of(struct slice value)
{
    struct buf text = {0};
    char *copy = NULL;
    if (value.n > 0 && json_type_of(value) == JSON_STRING && json_decode_string(value, &text) == 0)
        copy = buf_steal(&text, NULL);
    buf_release(&text);
    return copy;
}

static int take_record(void *ctx, const struct json_member *m)
{
    struct why_record *r = ctx;
    const struct {
        const char *name;
        char **text;
        double *real;
        int64_t *whole;
    } members[] = {
        {"state", .text = &r->state},
        {"class", .text = &r->klass},
        {"queue", .text = &r->queue},
        {"worker", .text = &r->worker},
        {"error_class", .text = &r->error_class},
        {"error", .text = &r->error},
        {"started_at", .real = &r->started_at},
        {"finished_at", .real = &r->finished_at},
        {"attempt", .whole = &r->attempt},
    };
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!json_key_is(m->key, members[i].name))
            continue;
        if (members[i].text && !*members[i].text)
            *members[i].text = text_of(m->value);
        if (members[i].real && m->type == JSON_NUMBER)
            (void)!json_decode_real(m->value, members[i].real); /* else it stays unknown */
        if (members[i].whole && m->type == JSON_NUMBER)
            (void)!json_decode_int(m->value, members[i].whole);
    }
    return 0;
}

struct found {
    struct slice in, score, position, worker, job;
};

static int take_found(void *ctx, const struct json_member *m)
{
    struct found *f = ctx;
    if (json_key_is(m->key, "in"))
        f->in = m->value;
    else if (json_key_is(m->key, "score"))
        f->score = m->value;
    else if (json_key_is(m->key, "position"))
        f->position = m->value;
    else if (json_key_is(m->key, "worker"))
        f->worker = m->value;
    else if (json_key_is(m->key, "job") && m->type == JSON_OBJECT)
        f->job = m->value;
    return 0;
}

static enum why_place place_of(const char *in, const char **ret_queue)
{
    static const struct {
        const char *name;
        enum why_place place;
    } sets[] = {{"dead", WHY_DEAD},
                {"schedule", WHY_SCHEDULE},
                {"retry", WHY_RETRY},
                {"running", WHY_RUNNING}};
    static const char queue[] = "queue:", trial[] = "trial:";
    *ret_queue = NULL;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        if (strcmp(in, sets[i].name) == 0)
            return sets[i].place;
    bool waits = strncmp(in, queue, sizeof queue - 1) == 0;
    *ret_queue = in + (waits ? sizeof queue : sizeof trial) - 1;
    return waits ? WHY_QUEUE : WHY_TRIAL;
}

/* The place furthest along a job's way counts. */
static int take_place(void *ctx, const struct json_member *m)
{
    struct why *w = ctx;
    struct found f = {{"", 0}, {"", 0}, {"", 0}, {"", 0}, {"", 0}};
    enum json_type type;
    const char *queue;
    if (m->type != JSON_OBJECT || json_scan(m->value, &type, take_found, &f, NULL) != 0)
        return 0;
    char *in = text_of(f.in);
    enum why_place place = in ? place_of(in, &queue) : WHY_NOWHERE;
    if (place > w->place) {
        w->place = place;
        w->job = f.job;
        w->score = 0;
        w->position = -1;
        free(w->queue);
        free(w->worker);
        w->queue = queue ? strdup(queue) : NULL;
        w->worker = text_of(f.worker);
        if (f.score.n > 0 && json_type_of(f.score) == JSON_NUMBER)
            (void)!json_decode_real(f.score, &w->score);
        if (f.position.n > 0 && json_type_of(f.position) == JSON_NUMBER)
            (void)!json_decode_int(f.position, &w->position);
    }
    free(in);
    return 0;
}

static int take_search(void *ctx, const struct json_member *m)
{
    struct why *w = ctx;
    enum json_type type;
    if (json_key_is(m->key, "record") && m->type == JSON_OBJECT) {
        w->record.json = m->value;
        return json_scan(m->value, &type, take_record, &w->record, NULL);
    }
    if (json_key_is(m->key, "found") && m->type == JSON_ARRAY)
        return json_scan(m->value, &type, take_place, w, NULL);
    if (json_key_is(m->key, "truncated"))
        w->truncated = m->type == JSON_TRUE;
    return 0;
}

/* ---- Gathering ------------------------------------------------------------------------------- */

static int take_all(struct why *w, struct err *err)
{
    enum json_type type;
    int rc = buf_error(&w->search);
    if (rc == 0)
        rc = json_scan(buf_slice(&w->search), &type, take_search, w, err);
    if (rc == 0 && w->job.n > 0 && envelope_parse(w->job, &w->e, NULL) == 0) {
        w->has_envelope = true;
        job_story_read(w->place == WHY_SCHEDULE ? JOBS_SCHEDULE : JOBS_RETRY, &w->e, &w->story);
    }
    if (rc == 0 && !w->queue) {
        const char *queue = w->has_envelope ? envelope_next_queue(&w->e) : w->record.queue;
        w->queue = strdup(queue ? queue : "");
    }
    if (rc == 0 && !w->worker)
        w->worker = strdup(w->record.worker ? w->record.worker : "");
    if (rc == 0 && (!w->queue || !w->worker))
        rc = -ENOMEM;
    return rc == -ENOMEM ? err_set(err, rc, "no memory for what was found") : rc;
}

static int count_workers(const struct session *session, struct why *w, struct err *err)
{
    struct worker_info *info = NULL;
    size_t n = 0;
    int rc = store_workers(session->store, session->redis, &info, &n, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        bool live = info[i].sluice ? info[i].lease : info[i].info[0] != '\0';
        bool serves = live && worker_info_serves(&info[i], w->queue);
        if (strcmp(info[i].identity, w->worker) == 0)
            w->is_sluice = info[i].sluice;
        w->workers += live;
        w->serving += serves;
        w->open += serves && !info[i].quiet;
    }
    worker_infos_free(info, n);
    return rc;
}

int why_look(const struct session *session, const char *jid, struct why *ret, struct err *err)
{
    *ret = (struct why){.jid = jid, .position = -1};
    int rc = store_put_search(session->store, session->redis, jid, session->conf->max_payload,
                              &ret->search, err);
    if (rc == 0)
        rc = take_all(ret, err);
    if (rc == 0)
        rc = store_job_facts(session->store, session->redis, jid, ret->queue, ret->worker, ret->job,
                             &ret->facts, err);
    if (rc == 0)
        rc = count_workers(session, ret, err);
    if (rc != 0)
        why_release(ret);
    return rc;
}

void why_release(struct why *w)
{
    struct why_record *r = &w->record;
    free(r->state);
    free(r->klass);
    free(r->queue);
    free(r->worker);
    free(r->error_class);
    free(r->error);
    free(w->queue);
    free(w->worker);
    envelope_release(&w->e);
    job_facts_release(&w->facts);
    buf_release(&w->search);
    *w = (struct why){0};
}
