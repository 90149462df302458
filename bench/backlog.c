#include "backlog.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/random.h"
#include "store/enqueue.h"

enum { BATCH_JOBS = 1000, BATCH_BYTES = 4 << 20 };

struct batch {
    struct buf text;
    size_t ends[BATCH_JOBS]; /* the buffer may move while it grows */
    struct slice payloads[BATCH_JOBS];
    size_t n;
};

static void pad(struct buf *text, size_t n)
{
    static const char filler[] = "a text of some length, again and again; ";
    while (n > 0) {
        size_t part = n < sizeof filler - 1 ? n : sizeof filler - 1;
        buf_append(text, filler, part);
        n -= part;
    }
}

static void add_job(struct batch *batch, const struct backlog *b, int64_t number)
{
    struct buf *text = &batch->text;
    const char *fields = b->fields ? b->fields : "";
    char jid[25];
    random_hex(jid, 12);
    if (b->bytes == 0) {
        char usual[64];
        (void)snprintf(usual, sizeof usual, "%lld,\"a text of some length\",{\"k\":[]}",
                       (long long)number);
        buf_printf(
            text,
            "{\"class\":\"%s\",\"args\":[%s],%s\"jid\":\"%s\",\"queue\":\"%s\",\"retry\":true,"
            "\"created_at\":1795478712.500000,\"enqueued_at\":1795478712.500000}",
            b->klass, b->args ? b->args : usual, fields, jid, b->queue);
    } else {
        size_t began = text->n;
        buf_printf(text, "{\"class\":\"%s\",%s\"jid\":\"%s\",\"args\":[\"", b->klass, fields, jid);
        size_t closed = text->n - began + strlen("\"]}");
        if (closed > (size_t)b->bytes)
            lab_fail("a job of %d bytes has no room for its fields", b->bytes);
        pad(text, (size_t)b->bytes - closed);
        buf_puts(text, "\"]}");
    }
    batch->ends[batch->n++] = text->n;
}

/* As many as fit into one push, at most n. */
static void make_batch(struct batch *batch, const struct backlog *b, int64_t number, int64_t n)
{
    buf_clear(&batch->text);
    batch->n = 0;
    while (batch->n < BATCH_JOBS && (int64_t)batch->n < n && batch->text.n < BATCH_BYTES)
        add_job(batch, b, number + (int64_t)batch->n);
    if (buf_error(&batch->text) != 0)
        lab_fail("no memory");
    size_t began = 0;
    for (size_t i = 0; i < batch->n; i++) {
        batch->payloads[i] = (struct slice){batch->text.p + began, batch->ends[i] - began};
        began = batch->ends[i];
    }
}

void backlog_push(struct lab *lab, const struct backlog *b, int64_t n)
{
    struct batch *batch = calloc(1, sizeof *batch);
    struct err err = {""};
    if (!batch)
        lab_fail("no memory");
    for (int64_t done = 0; done < n; done += (int64_t)batch->n) {
        make_batch(batch, b, done, n - done);
        if (store_push(lab->store, lab->conn, b->queue, batch->payloads, batch->n, NULL, &err) != 0)
            lab_fail("push: %s", err.text);
    }
    buf_release(&batch->text);
    free(batch);
}

void backlog_schedule(struct lab *lab, const struct backlog *b, int64_t n, double in_s)
{
    struct batch *batch = calloc(1, sizeof *batch);
    double due[BATCH_JOBS], now;
    struct err err = {""};
    if (!batch)
        lab_fail("no memory");
    if (store_time(lab->conn, &now, &err) != 0)
        lab_fail("TIME: %s", err.text);
    for (int64_t done = 0; done < n; done += (int64_t)batch->n) {
        make_batch(batch, b, done, n - done);
        for (size_t i = 0; i < batch->n; i++)
            due[i] = now + in_s;
        if (store_schedule(lab->store, lab->conn, batch->payloads, due, batch->n, &err) != 0)
            lab_fail("schedule: %s", err.text);
    }
    buf_release(&batch->text);
    free(batch);
}
