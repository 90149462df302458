/* The sending half of http/server.h: answers that are there, and those that come in pieces. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "http/wire.h"

enum {
    PIECE_BYTES =
        1024, /* at once to a client of HTTP/1.0; to others what its memory has room for */
    LITTLE_BYTES = 1024, /* at once: not worth a system call */
};

/* The room that a source may fill is memory of its connection, which most of the time waits: so its
 * pages go back to the system meanwhile, unless so little came that no more than one was touched.
 */
static void give_back(struct wire *w, const char *room, size_t n)
{
    uintptr_t page = w->server->page, begin = (uintptr_t)room + page - 1, end = (uintptr_t)room + n;
    begin -= begin % page;
    end -= end % page;
    if (w->filled >= LITTLE_BYTES && begin < end)
        (void)madvise((void *)begin, end - begin, MADV_DONTNEED); /* or it keeps them */
    w->filled = 0;
}

static ssize_t read_source(void *cls, uint64_t at, char *to, size_t n)
{
    struct wire *w = cls;
    const struct http_source *source = &w->x.res.source;
    (void)at; /* it has no other order */
    atomic_store(&w->flow, FLOWING);
    ssize_t got = source->read(source->ctx, to, n);
    if (got < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    w->answer_n += (size_t)got;
    if ((size_t)got > w->filled)
        w->filled = (size_t)got;
    if (got == 0) {
        struct MHD_Connection *connection = w->connection;
        give_back(w, to, n);
        int flowing = FLOWING;
        MHD_suspend_connection(connection);
        if (!atomic_compare_exchange_strong(&w->flow, &flowing, DRY))
            MHD_resume_connection(connection); /* woken in between */
        /* else w may be gone: whoever wakes it has a thread of its own */
    }
    return got;
}

void http_wake(struct http_exchange *x)
{
    struct wire *w = wire_of(x);
    if (atomic_exchange(&w->flow, WOKEN) == DRY)
        MHD_resume_connection(w->connection);
}

/* Wraps the body; the library frees it when it has been sent. */
static struct MHD_Response *wrap(struct wire *w)
{
    static char no_memory[] =
        "{\"error\":{\"code\":\"no_memory\",\"message\":\"no memory for the answer\"}}\n";
    static char nothing[] = "";
    struct http_response *res = &w->x.res;
    if (res->source.read)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_source, w,
                                                 NULL);
    bool failed = buf_error(&res->body) != 0;
    char *body = failed || res->body.n == 0 ? NULL : buf_steal(&res->body, &w->answer_n);
    if (body) {
        struct MHD_Response *r =
            MHD_create_response_from_buffer(w->answer_n, body, MHD_RESPMEM_MUST_FREE);
        if (!r)
            free(body);
        return r;
    }
    if (failed) {
        res->status = HTTP_FAILED;
        res->content_type = HTTP_JSON;
    }
    buf_release(&res->body);
    char *text = failed ? no_memory : nothing;
    w->answer_n = strlen(text);
    return MHD_create_response_from_buffer(w->answer_n, text, MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result wire_send_answer(struct wire *w)
{
    struct http_response *res = &w->x.res;
    struct MHD_Response *r = wrap(w);
    if (!r)
        return MHD_NO;
    enum MHD_Result ok = MHD_YES;
    if (res->status != HTTP_NO_CONTENT && res->status != HTTP_NOT_MODIFIED)
        ok = MHD_add_response_header(r, "Content-Type", res->content_type);
    if (ok == MHD_YES)
        ok = MHD_add_response_header(r, "Cache-Control",
                                     res->cache_control ? res->cache_control : "no-store");
    for (int i = 0; ok == MHD_YES && i < res->nheaders; i++)
        ok = MHD_add_response_header(r, res->header[i].name, res->header[i].value);
    if (ok == MHD_YES && atomic_load(&w->server->quiet))
        ok = MHD_add_response_header(r, "Connection", "close");
    if (ok == MHD_YES)
        ok = MHD_queue_response(w->connection, (unsigned)res->status, r);
    MHD_destroy_response(r);
    return ok;
}

void http_answer(struct http_exchange *x)
{
    struct wire *w = wire_of(x);
    struct MHD_Connection *connection = w->connection;
    /* Unless it is suspended, the thread that runs it sees the answer, and may free x at once. */
    if (atomic_exchange(&w->state, ANSWERED) == SUSPENDED)
        MHD_resume_connection(connection);
}
