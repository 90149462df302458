#include "api/jobs_body.h"

#include <stdio.h>

#include "base/json.h"

struct reading {
    struct job_batch *batch;
    struct http_response *res;
    const char *what; /* "jobs[%zu]", "line %zu", or NULL for a single job */
    size_t at;        /* for what */
    bool refused;
};

/* Refuses with the place of the job before the sentence. */
static void refuse(struct reading *r, int status, const char *code, const char *field,
                   const struct err *why)
{
    struct err text = *why;
    if (r->what)
        (void)err_prefix(&text, 0, r->what[0] == 'l' ? "line %zu" : "jobs[%zu]", r->at);
    http_fail_at(r->res, status, code, text.text, field,
                 r->what ? (int64_t)r->batch->n : (int64_t)-1);
    r->refused = true;
}

static void add(struct reading *r, struct slice job)
{
    struct err err = {""};
    const char *field = NULL;
    int rc;
    if (r->batch->n == JOBS_MAX) {
        (void)err_set(&err, 0, "more than %d jobs, the most of one request", JOBS_MAX);
        refuse(r, HTTP_TOO_LARGE, "too_many_jobs", NULL, &err);
        return;
    }
    rc = job_batch_add(r->batch, job, &field, &err);
    if (rc == -EBADMSG)
        refuse(r, HTTP_UNPROCESSABLE, "invalid_job", field, &err);
    else if (rc == -EMSGSIZE)
        refuse(r, HTTP_TOO_LARGE, "job_too_large", NULL, &err);
    else if (rc != 0)
        refuse(r, HTTP_UNAVAILABLE, "no_memory", NULL, &err);
}

static int visit(void *ctx, const struct json_member *element)
{
    struct reading *r = ctx;
    if (element->key.n > 0)
        return 0; /* of an object, which is a job as a whole */
    r->what = "jobs";
    r->at = r->batch->n;
    add(r, element->value);
    return r->refused ? -ECANCELED : 0;
}

static bool read_json(struct reading *r, struct slice body, bool *ret_single)
{
    struct err err = {""};
    enum json_type type;
    int rc = json_scan(body, &type, visit, r, &err);
    if (r->refused)
        return false;
    r->what = NULL;
    if (rc != 0)
        refuse(r, HTTP_BAD_REQUEST, "bad_json", NULL, &err);
    else if (type != JSON_ARRAY)
        add(r, body); /* what is no object is refused by the name of its kind */
    *ret_single = type != JSON_ARRAY;
    return !r->refused;
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
            return false;
    return true;
}

static void read_line(struct reading *r, struct slice line)
{
    struct err err = {""};
    enum json_type type;
    if (json_scan(line, &type, NULL, NULL, &err) != 0)
        refuse(r, HTTP_BAD_REQUEST, "bad_json", NULL, &err);
    else
        add(r, line);
}

static bool read_lines(struct reading *r, struct slice body)
{
    const char *p = body.n > 0 ? body.p : "", *end = p + body.n;
    r->what = "line";
    while (p < end && !r->refused) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        struct slice line = {p, (size_t)((newline ? newline : end) - p)};
        r->at++;
        if (!is_blank(line))
            read_line(r, line);
        p = newline ? newline + 1 : end;
    }
    return !r->refused;
}

bool jobs_body_read(struct slice body, bool lines, struct job_batch *batch, bool *ret_single,
                    struct http_response *res)
{
    struct reading r = {.batch = batch, .res = res};
    *ret_single = false;
    if (!(lines ? read_lines(&r, body) : read_json(&r, body, ret_single)))
        return false;
    if (batch->n > 0)
        return true;
    http_fail(res, HTTP_UNPROCESSABLE, "no_jobs", "there are no jobs in the body");
    return false;
}
