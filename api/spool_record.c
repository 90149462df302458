#include "api/spool_record.h"

#include "api/spool_bytes.h"
#include "job/envelope.h"

/* The first byte says what a frame's body is. */
enum { RECORD = 'R' };

enum { SLOT = 2, NUMBER = 8, TIME = 8, COUNT = 4, SHORT_TEXT = 2, TEXT = 4 };

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double real_of(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

int spool_record_put(struct buf *out, const struct spool_record *r, const struct job_batch *b)
{
    buf_putc(out, RECORD);
    buf_put(out, r->run);
    bytes_put(out, r->slot, SLOT);
    bytes_put(out, (uint64_t)r->number, NUMBER);
    bytes_put(out, (uint64_t)r->accepted_us, TIME);
    bytes_put_text(out, r->key, SHORT_TEXT);
    bytes_put_text(out, r->kept, TEXT);
    bytes_put(out, b->n, COUNT);
    for (size_t i = 0; i < b->n; i++) {
        bytes_put_text(out, slice_of(job_batch_queue(b, i)), SHORT_TEXT);
        bytes_put(out, bits_of(b->job[i].due), TIME);
        bytes_put_text(out, job_batch_payload(b, i), TEXT);
    }
    return buf_error(out);
}

static int read_job(struct bytes_reader *from, struct job_batch *batch)
{
    char queue[JOB_QUEUE_MAX + 1];
    struct slice name = bytes_get_text(from, SHORT_TEXT);
    double due = real_of(bytes_get(from, TIME));
    struct slice payload = bytes_get_text(from, TEXT);
    if (from->bad || name.n > JOB_QUEUE_MAX)
        return -EBADMSG;
    if (!batch)
        return 0;
    memcpy(queue, name.p, name.n);
    queue[name.n] = '\0';
    return job_batch_put(batch, queue, "", due, payload); /* nobody asks for the jid any more */
}

int spool_record_read(struct slice body, struct spool_record *ret, struct job_batch *batch)
{
    struct bytes_reader from = {.rest = body};
    struct spool_record r = {.njobs = 0};
    if (bytes_get(&from, 1) != RECORD)
        return -EBADMSG;
    r.run = bytes_take(&from, SPOOL_RUN);
    r.slot = (unsigned)bytes_get(&from, SLOT);
    r.number = (int64_t)bytes_get(&from, NUMBER);
    r.accepted_us = (int64_t)bytes_get(&from, TIME);
    r.key = bytes_get_text(&from, SHORT_TEXT);
    r.kept = bytes_get_text(&from, TEXT);
    r.njobs = (size_t)bytes_get(&from, COUNT);
    for (size_t i = 0; i < r.njobs; i++) {
        int rc = read_job(&from, batch);
        if (rc != 0)
            return rc;
    }
    if (from.bad || from.rest.n > 0)
        return -EBADMSG;
    *ret = r;
    return 0;
}
