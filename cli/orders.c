#include "cli/orders.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/random.h"
#include "store/answer.h"
#include "store/inspect.h"

enum { REPLY_BYTES = 8 };

/* ---- Who ------------------------------------------------------------------------------------ */

int worker_named(const struct session *session, const char *word, char **ret, struct err *err)
{
    struct worker_info *w = NULL;
    size_t n = 0, found = 0, at = 0;
    int rc = store_workers(session->store, session->redis, &w, &n, err);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < n; i++) {
        if (!w[i].lease || strncmp(w[i].identity, word, strlen(word)) != 0)
            continue;
        found++;
        at = i;
        if (strcmp(w[i].identity, word) == 0) {
            found = 1;
            break;
        }
    }
    if (found == 0)
        rc = err_set(err, -ENOENT,
                     "no live worker is called \"%s\" or begins so; sluice workers lists them",
                     word);
    else if (found > 1)
        rc = err_set(err, -EINVAL, "%zu workers begin with \"%s\": give more of the name, or --all",
                     found, word);
    else if (!(*ret = strdup(w[at].identity)))
        rc = err_set(err, -ENOMEM, "no memory for a worker's name");
    worker_infos_free(w, n);
    return rc;
}

/* ---- What they say -------------------------------------------------------------------------- */

static char *text_of(struct slice value)
{
    struct buf text = {0};
    char *copy = json_decode_string(value, &text) == 0 ? buf_steal(&text, NULL) : NULL;
    buf_release(&text);
    return copy;
}

struct reading {
    struct told_worker w;
    struct slice identity, id;
};

static int take_member(void *ctx, const struct json_member *m)
{
    struct reading *r = ctx;
    struct told_worker *w = &r->w;
    const struct {
        const char *name;
        int64_t *whole;
        double *real;
        bool *truth;
        char **text;
    } members[] = {
        {"busy", .whole = &w->busy},
        {"ready", .whole = &w->ready},
        {"threads", .whole = &w->threads},
        {"max_concurrent_ops", .whole = &w->permits},
        {"permits_in_use", .whole = &w->permits_in_use},
        {"permits_waiting", .whole = &w->permits_waiting},
        {"uptime_s", .real = &w->uptime_s},
        {"stops_within_s", .real = &w->stops_within_s},
        {"quiet", .truth = &w->quiet},
        {"stopping", .truth = &w->stopping},
        {"version", .text = &w->version},
        {"log_level", .text = &w->log_level},
        {"error", .text = &w->error},
    };
    if (json_key_is(m->key, "identity"))
        r->identity = m->value;
    else if (json_key_is(m->key, "id"))
        r->id = m->value;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!json_key_is(m->key, members[i].name))
            continue;
        if (members[i].whole && m->type == JSON_NUMBER)
            (void)!json_decode_int(m->value, members[i].whole); /* else it stays 0 */
        if (members[i].real && m->type == JSON_NUMBER)
            (void)!json_decode_real(m->value, members[i].real);
        if (members[i].truth)
            *members[i].truth = m->type == JSON_TRUE;
        if (members[i].text && m->type == JSON_STRING && !*members[i].text)
            *members[i].text = text_of(m->value);
    }
    return 0;
}

static void release_worker(struct told_worker *w)
{
    free(w->identity);
    free(w->answer);
    free(w->error);
    free(w->version);
    free(w->log_level);
}

/* Puts an answer to the worker it is from. What is none, or of another order, or a second one, is
 * passed over. False then. */
static bool take_answer(struct told *t, struct slice text, const char *id, double after_ms)
{
    struct reading r = {.w = {.stops_within_s = -1, .after_ms = after_ms}};
    enum json_type type;
    bool taken = false;
    if (json_scan(text, &type, take_member, &r, NULL) == 0 && slice_is(r.id, id) &&
        r.identity.n > 0 && json_type_of(r.identity) == JSON_STRING)
        r.w.identity = text_of(r.identity);
    for (size_t i = 0; r.w.identity && !taken && i < t->n; i++)
        if (!t->worker[i].answer && strcmp(t->worker[i].identity, r.w.identity) == 0) {
            r.w.answer = strndup(text.p, text.n);
            free(t->worker[i].identity);
            t->worker[i] = r.w;
            taken = r.w.answer != NULL;
            return taken;
        }
    release_worker(&r.w);
    return false;
}

static int name_all(struct told *t, const struct given *given, struct err *err)
{
    t->worker = calloc(given->n + 1, sizeof *t->worker);
    for (size_t i = 0; t->worker && i < given->n; i++) {
        struct slice identity = given_identity(given, i);
        t->worker[i].identity = strndup(identity.p, identity.n);
        t->worker[i].stops_within_s = -1;
        t->n = i + 1;
        if (!t->worker[i].identity)
            return err_set(err, -ENOMEM, "no memory for %zu workers", given->n);
    }
    return t->worker ? 0 : err_set(err, -ENOMEM, "no memory for %zu workers", given->n);
}

static int by_identity(const void *a, const void *b)
{
    return strcmp(((const struct told_worker *)a)->identity,
                  ((const struct told_worker *)b)->identity);
}

int orders_give(const struct session *session, struct redis_conn *c, const char *identity,
                struct order o, int64_t timeout_ms, struct told *ret, struct err *err)
{
    struct told t = {0};
    struct given given = {0};
    int64_t began = clock_now_ns(), until = clock_deadline_ms(timeout_ms);
    random_hex(o.reply, REPLY_BYTES);
    o.id[0] = '1'; /* of a reply of its own: any will do */
    int rc = store_order_give(session->store, c, identity, &o, &given, err);
    if (rc == 0)
        rc = name_all(&t, &given, err);
    for (size_t answers = 0; rc == 0 && answers < t.n && clock_now_ns() < until;) {
        struct reply *reply = NULL;
        rc = store_answer_wait(session->store, c, o.reply, clock_poll_ms(until), &reply, err);
        if (rc == 0 && reply)
            answers += take_answer(&t, reply_str(reply_at(reply, 1)), o.id,
                                   (double)(clock_now_ns() - began) / (double)NS_PER_MS);
        reply_free(reply);
    }
    reply_free(given.reply);
    if (rc != 0) {
        told_release(&t);
        return rc;
    }
    if (t.n > 1)
        qsort(t.worker, t.n, sizeof *t.worker, by_identity);
    *ret = t;
    return 0;
}

void told_release(struct told *t)
{
    for (size_t i = 0; i < t->n; i++)
        release_worker(&t->worker[i]);
    free(t->worker);
    *t = (struct told){0};
}

/* ---- Showing -------------------------------------------------------------------------------- */

bool told_obeyed(const struct told_worker *w)
{
    return w->answer && !w->error;
}

static int exit_code(const struct told *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (!told_obeyed(&t->worker[i]))
            return CLI_FAILED;
    return CLI_DONE;
}

int told_print_json(const struct told *t)
{
    struct buf out = {0};
    buf_puts(&out, "{\"workers\":[");
    for (size_t i = 0; i < t->n; i++) {
        const struct told_worker *w = &t->worker[i];
        buf_puts(&out, i > 0 ? "," : "");
        if (w->answer) {
            buf_puts(&out, w->answer);
        } else {
            buf_puts(&out, "{\"identity\":");
            json_put_string(&out, slice_of(w->identity), SIZE_MAX);
            buf_puts(&out, ",\"error\":\"no answer\"}");
        }
    }
    buf_puts(&out, "]}");
    cli_print(&out);
    buf_release(&out);
    return exit_code(t);
}

int told_print(const struct told *t, const char *done)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct told_worker *w = &t->worker[i];
        struct err line; /* what it quotes must not drive a terminal */
        if (told_obeyed(w)) {
            (void)err_set(&line, 0, "%s: %s", w->identity, done);
            printf("%s\n", line.text);
            continue;
        }
        if (w->error)
            (void)err_set(&line, 0, "%s refuses: %s", w->identity, w->error);
        else
            (void)err_set(&line, 0, "%s does not answer: it obeys when it is back", w->identity);
        fprintf(stderr, "sluice: %s\n", line.text);
    }
    return exit_code(t);
}
