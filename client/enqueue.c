/* Enqueueing: jobs into a batch of the store (store/job_batch.h), and that into Redis. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "client/client.h"
#include "client/job_text.h"
#include "store/job_batch.h"

enum { KEY_MAX = 255 };

/*
 * What is kept under an idempotency key: a hash of the jobs as they were asked for, a letter that
 * tells our records from those of others (the HTTP API has its own), and behind that the jids, one
 * a line (a jid has no control characters).
 */
enum { MARK_BYTES = HASH_HEX + 1 };
#define MARK_LETTER 'c'

struct request {
    const struct sluice_client_job *jobs;
    size_t n;
    const char *key;  /* NULL: none */
    struct buf texts; /* each job as it was asked for, behind its length: what the hash is of */
    struct text {
        size_t at, n;
    } * text;
    struct job_batch batch; /* the jobs as they will lie in Redis */
    struct buf record;      /* with a key */
    const char *field;      /* that is wrong, and of which job: */
    size_t index;
};

static void release(struct request *r)
{
    buf_release(&r->texts);
    free(r->text);
    job_batch_release(&r->batch);
    buf_release(&r->record);
}

/* ---- Before Redis is asked for anything ------------------------------------------------------ */

static int check_key(const char *key, struct err *err)
{
    size_t n = key ? strlen(key) : 1, printable = 0;
    while (key && key[printable] > 0x20 && key[printable] < 0x7f)
        printable++;
    if (key && (n < 1 || n > KEY_MAX || printable < n))
        return err_set(err, -EINVAL,
                       "the key must be 1 to 255 printable ASCII characters without spaces");
    return 0;
}

static const struct sluice_client_job *job_at(const struct request *r, size_t i)
{
    return (const void *)((const char *)r->jobs + i * r->jobs->size);
}

static int put_text(struct request *r, size_t i, struct buf *text, struct err *err)
{
    const struct sluice_client_job *job = job_at(r, i);
    buf_clear(text);
    if (job->size != r->jobs->size)
        return err_set(err, -EINVAL, "its size is not that of the first");
    int rc = job_text_put(job, text, &r->field, err);
    if (rc != 0)
        return rc;
    buf_printf(&r->texts, "%zu:", text->n);
    r->text[i] = (struct text){r->texts.n, text->n};
    buf_put(&r->texts, buf_slice(text));
    rc = buf_error(&r->texts);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

static int put_texts(struct request *r, struct err *err)
{
    struct buf text = {0};
    int rc = 0;
    r->text = calloc(r->n, sizeof *r->text);
    if (!r->text)
        return err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        r->index = i;
        rc = put_text(r, i, &text, err);
    }
    buf_release(&text);
    return rc;
}

static int put_batch(struct request *r, double now, struct err *err)
{
    int rc = 0;
    r->batch.now = now;
    for (size_t i = 0; rc == 0 && i < r->n; i++) {
        r->index = i;
        rc = job_batch_add(&r->batch, (struct slice){r->texts.p + r->text[i].at, r->text[i].n},
                           &r->field, err);
    }
    return rc;
}

static int put_record(struct request *r, struct err *err)
{
    char hash[HASH_HEX + 1];
    if (!r->key)
        return 0;
    hash_hex(buf_slice(&r->texts), hash);
    buf_puts(&r->record, hash);
    buf_putc(&r->record, MARK_LETTER);
    for (size_t i = 0; i < r->n; i++) {
        buf_puts(&r->record, job_batch_jid(&r->batch, i));
        buf_putc(&r->record, '\n');
    }
    int rc = buf_error(&r->record);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

/* The batch needs Redis' time. When that has to be asked for, the jobs are looked at first: what is
 * wrong with them is wrong without Redis, too. */
static int make_batch(struct request *r, struct sluice_client *client, int64_t deadline_ns,
                      struct err *err)
{
    int64_t max_payload = client->settings.conf.max_payload;
    double now = 0;
    int rc = put_texts(r, err);
    r->batch.max_payload = max_payload;
    if (rc == 0 && !client_knows_time(client, deadline_ns, &now)) {
        rc = put_batch(r, now, err);
        job_batch_release(&r->batch);
        r->batch.max_payload = max_payload;
        if (rc == 0)
            rc = client_ask_time(client, deadline_ns, &now, err);
    }
    if (rc == 0)
        rc = put_batch(r, now, err);
    return rc == 0 ? put_record(r, err) : rc;
}

/* ---- Redis ----------------------------------------------------------------------------------- */

typedef char jid_text[SLUICE_CLIENT_JID_SIZE];

static void copy_jid(jid_text to, struct slice jid)
{
    memcpy(to, jid.p, jid.n);
    to[jid.n] = '\0';
}

/* The jids that were given when the same was asked for before. */
static int read_record(const struct request *r, struct slice was, jid_text *ret_jids,
                       struct err *err)
{
    const char *at = was.p + MARK_BYTES, *end = was.p + was.n;
    if (was.n < MARK_BYTES || memcmp(was.p, r->record.p, MARK_BYTES) != 0)
        return err_set(err, -EEXIST, "the key \"%s\" was used within a day for other jobs", r->key);
    for (size_t i = 0; i < r->n; i++) {
        const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!newline || newline - at >= SLUICE_CLIENT_JID_SIZE)
            return err_set(err, -EPROTO, "the record of the key \"%s\" cannot be read", r->key);
        if (ret_jids)
            copy_jid(ret_jids[i], (struct slice){at, (size_t)(newline - at)});
        at = newline + 1;
    }
    return 0;
}

static int send_batch(const struct request *r, struct sluice_client *client, int64_t deadline_ns,
                      jid_text *ret_jids, struct err *err)
{
    struct client_call call;
    struct reply *was = NULL;
    int rc = client_begin(&call, client, deadline_ns);
    if (rc == 0) {
        call.ordered = true;
        rc = client_end(&call, store_enqueue(client->store, call.conn, &r->batch, r->key,
                                             buf_slice(&r->record), &was, &call.err));
    }
    if (rc != 0) {
        *err = call.err;
        return rc;
    }
    if (was)
        rc = read_record(r, reply_str(was), ret_jids, err);
    for (size_t i = 0; !was && ret_jids && i < r->n; i++)
        copy_jid(ret_jids[i], slice_of(job_batch_jid(&r->batch, i)));
    reply_free(was);
    return rc;
}

static int enqueue(struct sluice_client *client, struct request *r, bool bulk, jid_text *ret_jids,
                   struct sluice_client_error *error)
{
    int64_t deadline_ns = clock_deadline_ms(client->settings.timeout_ms);
    struct err err = {""};
    int rc = check_key(r->key, &err);
    bool job_is_wrong = false;
    if (rc == 0) {
        rc = make_batch(r, client, deadline_ns, &err);
        job_is_wrong = rc == -EBADMSG || rc == -EMSGSIZE || rc == -EINVAL;
    }
    if (rc == 0)
        rc = send_batch(r, client, deadline_ns, ret_jids, &err);
    if (job_is_wrong && bulk)
        (void)err_prefix(&err, rc, "jobs[%zu]", r->index); /* returns rc */
    (void)client_fail(error, rc, &err);                    /* returns rc */
    if (error && job_is_wrong) {
        error->field = r->field;
        error->index = r->index;
    }
    release(r);
    return rc;
}

int sluice_client_enqueue(struct sluice_client *client, const struct sluice_client_job *job,
                          const char *key, char *ret_jid, struct sluice_client_error *error)
{
    struct request r = {.jobs = job, .n = 1, .key = key};
    return enqueue(client, &r, false, (void *)ret_jid, error);
}

int sluice_client_enqueue_bulk(struct sluice_client *client, const struct sluice_client_job *jobs,
                               size_t n, const char *key, jid_text *ret_jids,
                               struct sluice_client_error *error)
{
    struct request r = {.jobs = jobs, .n = n, .key = key};
    struct err err = {""};
    if (n < 1 || n > SLUICE_CLIENT_BULK_MAX)
        return client_fail(error,
                           err_set(&err, -EINVAL, "%zu jobs at once; 1 to %d are allowed", n,
                                   SLUICE_CLIENT_BULK_MAX),
                           &err);
    return enqueue(client, &r, true, ret_jids, error);
}
