#include "cli/job_list.h"

#include <stdlib.h>

#include "job/envelope.h"

/* The index of a name, added when it is new. Lines of one queue tend to come together. */
static int queue_index(struct job_list *l, const char *name, size_t *ret)
{
    for (size_t i = l->nqueues; i-- > 0;)
        if (strcmp(l->queue[i], name) == 0) {
            *ret = i;
            return 0;
        }
    char **queue = reallocarray(l->queue, l->nqueues + 1, sizeof *queue);
    if (!queue)
        return -ENOMEM;
    l->queue = queue;
    queue[l->nqueues] = strdup(name);
    if (!queue[l->nqueues])
        return -ENOMEM;
    *ret = l->nqueues++;
    return 0;
}

/* How large the job becomes: written out once as it will be sent. */
static int check_size(const struct job_list *l, const struct envelope *e, const char *queue,
                      struct err *err)
{
    const double any_now = 1e9; /* as many digits as the real one */
    struct buf out = {0};
    int rc = envelope_put_enqueued(e, queue, any_now, &out);
    if (rc == 0)
        rc = buf_error(&out);
    if (rc == 0 && out.n > (size_t)l->max_payload)
        rc = err_set(err, -EBADMSG,
                     "the job has %zu bytes; at most %lld are allowed (worker.max_payload)", out.n,
                     (long long)l->max_payload);
    buf_release(&out);
    return rc;
}

static int append(struct job_list *l, struct slice job, const char *queue, double due)
{
    size_t index;
    int rc = queue_index(l, queue, &index);
    if (rc != 0)
        return rc;
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct listed_job *grown = reallocarray(l->job, cap, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        l->job = grown;
        l->cap = cap;
    }
    l->job[l->n++] = (struct listed_job){.at = l->text.n, .n = job.n, .queue = index, .due = due};
    buf_put(&l->text, job);
    return buf_error(&l->text);
}

int job_list_add(struct job_list *l, struct slice job, struct err *err)
{
    struct envelope e;
    err_set(err, 0, "%s", "");
    int rc = envelope_parse(job, &e, err);
    if (rc == 0) {
        const char *queue = e.queue ? e.queue : l->default_queue;
        rc = check_size(l, &e, queue, err);
        if (rc == 0)
            rc = append(l, job, queue, e.at);
        envelope_release(&e);
    }
    return rc == 0 || (err && err->text[0]) ? rc : err_set(err, rc, "%s", err_phrase(rc));
}

static bool is_blank(struct slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (!strchr(" \t\r\n", line.p[i]) || !line.p[i])
            return false;
    return true;
}

int job_list_read(struct job_list *l, FILE *in, const char *name, struct err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    errno = 0;
    for (unsigned long number = 1; rc == 0 && (n = getline(&line, &cap, in)) >= 0; number++) {
        struct slice job = {line, (size_t)n};
        if (job.n > 0 && job.p[job.n - 1] == '\n')
            job.n--;
        if (is_blank(job))
            continue;
        rc = job_list_add(l, job, err);
        if (rc != 0)
            err_prefix(err, rc, "%s:%lu", name, number);
    }
    if (rc == 0 && !feof(in)) /* a failed read, or no memory for a line */
        rc = err_set(err, errno ? -errno : -EIO, "%s: %s", name, strerror(errno ? errno : EIO));
    free(line);
    return rc;
}

void job_list_release(struct job_list *l)
{
    buf_release(&l->text);
    free(l->job);
    for (size_t i = 0; i < l->nqueues; i++)
        free(l->queue[i]);
    free(l->queue);
    *l = (struct job_list){0};
}
