/*
 * Http handlers: each job is posted to a service.
 *
 *   request   POST, the job as JSON with its attempt; signed when there is a secret
 *   answer    2xx done, its body the result; 409, 410 and 422 dead; the rest failed
 *   again     429 and 503 say with Retry-After when to come again
 *   events    a body of lines or of server-sent events streams live; there is no result then
 *
 * Clients are kept on a stack: the one that was used last has the connection that is most likely
 * alive, and there are never more than jobs were under way at once.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/thread.h"
#include "handlers/body.h"
#include "handlers/handler.h"
#include "handlers/job_text.h"
#include "http/client.h"
#include "http/signature.h"

enum {
    CONNECT_MS = 10000,
    SHOWN_MAX = 500, /* bytes of a body in an error message */
    SECRET_MAX = 4096,
    RETRY_AFTER_MAX_S = 24 * 60 * 60,
    LOOK_MS = 100, /* between two looks at a run that has no descriptor to wake us */
};

struct idle_client {
    struct http_client *client;
    struct idle_client *next;
};

struct http_handler {
    struct handler base;
    struct buf secret;  /* empty without */
    struct mutex mutex; /* guards: idle */
    struct idle_client *idle;
};

/* One job under way. */
struct exchange {
    const struct http_handler *handler;
    const struct run_job *job;
    struct run *run;
    const struct run_ops *ops;
    int wake_fd;
    int64_t heard_ns; /* the last time something came */
    int status;       /* 0 before the head */
    int64_t retry_after_s;
    struct body body;
    enum run_stop stop;
    bool silent;
    int error; /* of the body */
};

/* ---- settings ---- */

static int read_secret(const char *path, struct buf *ret, struct err *err)
{
    char bytes[SECRET_MAX + 1];
    FILE *f = fopen(path, "re");
    if (!f)
        return err_set(err, -EINVAL, "secret_file %s: %s", path, strerror(errno));
    size_t n = fread(bytes, 1, sizeof bytes, f);
    bool failed = ferror(f);
    (void)fclose(f); /* only read */
    while (n > 0 && (bytes[n - 1] == '\n' || bytes[n - 1] == '\r'))
        n--;
    if (failed || n == 0 || n > SECRET_MAX)
        return err_set(err, -EINVAL, "secret_file %s: must hold 1 to %d bytes", path, SECRET_MAX);
    buf_put(ret, (struct slice){bytes, n});
    explicit_bzero(bytes, sizeof bytes);
    return buf_error(ret);
}

static void close_handler(struct handler *handler)
{
    struct http_handler *h = (struct http_handler *)handler;
    while (h->idle) {
        struct idle_client *first = h->idle;
        h->idle = first->next;
        http_client_free(first->client);
        free(first);
    }
    if (h->secret.n > 0)
        explicit_bzero(h->secret.p, h->secret.n);
    buf_release(&h->secret);
    mutex_release(&h->mutex);
    free(h);
}

static int open_handler(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    int rc = http_url_check(conf->url, err);
    if (rc < 0)
        return err_prefix(err, rc, "http");
    struct http_handler *h = calloc(1, sizeof *h);
    if (!h)
        return err_set(err, -ENOMEM, "http: no memory");
    h->base = (struct handler){.kind = &http_kind, .conf = conf};
    mutex_init(&h->mutex);
    if (conf->tls_ca && access(conf->tls_ca, R_OK) < 0)
        rc = err_set(err, -EINVAL, "tls_ca %s: %s", conf->tls_ca, strerror(errno));
    else if (conf->secret_file)
        rc = read_secret(conf->secret_file, &h->secret, err);
    if (rc < 0) {
        close_handler(&h->base);
        return rc;
    }
    *ret = &h->base;
    return 0;
}

/* ---- clients ---- */

static struct idle_client *take_client(struct http_handler *h)
{
    mutex_lock(&h->mutex);
    struct idle_client *c = h->idle;
    if (c)
        h->idle = c->next;
    mutex_unlock(&h->mutex);
    if (c)
        return c;
    c = calloc(1, sizeof *c);
    if (c && http_client_new(&c->client) < 0) {
        free(c);
        c = NULL;
    }
    return c;
}

static void give_client(struct http_handler *h, struct idle_client *c)
{
    mutex_lock(&h->mutex);
    c->next = h->idle;
    h->idle = c;
    mutex_unlock(&h->mutex);
}

/* ---- the request ---- */

enum { HEADERS_MAX = 8 };

struct headers {
    struct buf texts[HEADERS_MAX]; /* of those that differ from job to job */
    const char *list[HEADERS_MAX + 1];
    int n;
};

/* What a producer chose and a header cannot hold (a line break would begin another one) is left
 * out: the body has it. */
static bool is_plain(const char *value)
{
    for (const char *p = value; *p; p++)
        if (*p <= ' ' || *p > '~')
            return false;
    return *value;
}

static void add_header(struct headers *h, const char *name, const char *value)
{
    struct buf *text = &h->texts[h->n];
    if (!value || !is_plain(value))
        return;
    buf_printf(text, "%s: %s", name, value);
    h->list[h->n++] = buf_str(text);
}

static int make_headers(const struct http_handler *handler, const struct run_job *job,
                        struct slice body, struct headers *h)
{
    char attempt[24];
    int rc = 0;
    (void)snprintf(attempt, sizeof attempt, "%" PRId64, job->attempt);
    h->list[h->n++] = "Content-Type: application/json";
    h->list[h->n++] = "Accept: application/json, application/x-ndjson, text/event-stream";
    h->list[h->n++] = "User-Agent: sluice/" SLUICE_VERSION;
    add_header(h, "Idempotency-Key", job->jid);
    add_header(h, "Sluice-Jid", job->jid);
    add_header(h, "Sluice-Attempt", attempt);
    add_header(h, "Traceparent", job->traceparent);
    if (handler->secret.n > 0) {
        struct buf *text = &h->texts[h->n];
        rc = http_signature_put(text, buf_slice(&handler->secret), time(NULL), body);
        h->list[h->n++] = buf_str(text);
    }
    for (int i = 0; i < h->n && rc == 0; i++)
        rc = buf_error(&h->texts[i]);
    return rc;
}

static void release_headers(struct headers *h)
{
    for (int i = 0; i < h->n; i++)
        buf_release(&h->texts[i]);
}

/* ---- the answer ---- */

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* How long to wait at most; less than 0 when the run should end. */
static int64_t wait_ms(void *ctx)
{
    struct exchange *x = ctx;
    int64_t now = clock_now_ns(), until = x->job->deadline_ns;
    double silence_s = x->handler->base.conf->silence_timeout_s;
    x->stop = x->ops->stop(x->run);
    if (x->stop == RUN_GOES_ON && now >= until)
        x->stop = RUN_TIMEOUT;
    if (x->stop != RUN_GOES_ON)
        return -1;
    if (silence_s > 0) {
        int64_t silent_ns = x->heard_ns + (int64_t)(silence_s * (double)NS_PER_S);
        x->silent = now >= silent_ns;
        if (x->silent)
            return -1;
        until = min64(until, silent_ns);
    }
    if (x->wake_fd < 0)
        until = min64(until, now + LOOK_MS * NS_PER_MS);
    return (until - now) / NS_PER_MS + 1;
}

static int emit(void *ctx, struct slice text)
{
    const struct exchange *x = ctx;
    return x->ops->emit(x->run, text);
}

static bool is_success(int status)
{
    return status >= 200 && status <= 299;
}

static bool on_head(void *ctx, const struct http_head *head)
{
    struct exchange *x = ctx;
    bool good = is_success(head->status);
    x->status = head->status;
    x->heard_ns = clock_now_ns();
    if (head->status == 429 || head->status == 503)
        x->retry_after_s = min64(head->retry_after_s, RETRY_AFTER_MAX_S);
    body_init(&x->body, good ? body_kind_of(head->content_type) : BODY_TEXT,
              good ? HANDLER_RESULT_MAX : SHOWN_MAX, emit, x);
    return true;
}

static bool on_body(void *ctx, struct slice bytes)
{
    struct exchange *x = ctx;
    x->error = body_feed(&x->body, bytes);
    x->heard_ns = clock_now_ns(); /* an event may have waited for Redis: that is no silence */
    return x->error == 0;
}

/* ---- the outcome ---- */

static void take_result(struct exchange *x, struct outcome *out)
{
    struct slice text = buf_slice(&x->body.text);
    enum json_type type;
    out->kind = OUTCOME_DONE;
    if (x->body.kind != BODY_TEXT || text.n == 0)
        return;
    if (json_scan(text, &type, NULL, NULL, NULL) == 0) {
        out->result = x->body.text;
        x->body.text = (struct buf){0};
    } else {
        json_put_string(&out->result, text, text.n);
    }
}

static void fail_by_status(const struct exchange *x, struct outcome *out)
{
    bool dead = x->status == 409 || x->status == 410 || x->status == 422;
    outcome_fail(out, dead ? OUTCOME_DEAD : OUTCOME_FAILED, "HttpStatus", "HTTP %d%s", x->status,
                 x->body.text.n > 0 ? ": " : "");
    buf_put(&out->message, buf_slice(&x->body.text));
    out->retry_after_s = (double)x->retry_after_s;
}

static void conclude(struct exchange *x, int rc, const struct err *err, struct outcome *out)
{
    const struct conf_handler *conf = x->handler->base.conf;
    bool answered = rc == 0 || (x->error == -EMSGSIZE && !is_success(x->status));
    if (x->stop == RUN_GOES_ON && x->error == -ECANCELED)
        x->stop = x->ops->stop(x->run);
    if (x->stop != RUN_GOES_ON)
        outcome_stop(out, x->stop, x->job);
    else if (x->silent)
        outcome_silent(out, conf->silence_timeout_s);
    else if (answered && is_success(x->status))
        take_result(x, out);
    else if (answered)
        fail_by_status(x, out);
    else if (x->error == -EMSGSIZE)
        outcome_fail(out, OUTCOME_FAILED, "ResponseTooLarge", "the answer is longer than %d bytes",
                     HANDLER_RESULT_MAX);
    else if (rc == -ENOMEM || x->error == -ENOMEM)
        outcome_fail(out, OUTCOME_FAILED, "OutOfMemory", "no memory for an exchange");
    else if (rc == -EPROTO)
        outcome_fail(out, OUTCOME_FAILED, "TlsError", "%s (trusted: %s)", err->text,
                     conf->tls_ca ? conf->tls_ca : "the system's certificates");
    else
        outcome_fail(out, OUTCOME_FAILED, "ConnectionError", "%s%s",
                     x->status ? "the answer broke off: " : "", err->text);
}

static void exchange(struct http_handler *h, struct idle_client *c, struct exchange *x,
                     struct outcome *out)
{
    const struct conf_handler *conf = h->base.conf;
    struct buf text = {0};
    struct headers headers = {.n = 0};
    struct err err = {""};
    int rc = job_text_put(&text, x->job);
    if (rc == 0)
        rc = make_headers(h, x->job, buf_slice(&text), &headers);
    if (rc == 0) {
        const struct http_post post = {
            .url = conf->url,
            .headers = headers.list,
            .body = buf_slice(&text),
            .ca_file = conf->tls_ca,
            .connect_timeout_ms = CONNECT_MS,
            .wake_fd = x->wake_fd,
            .wait_ms = wait_ms,
            .head = on_head,
            .body_part = on_body,
            .ctx = x,
        };
        rc = http_client_post(c->client, &post, &err);
    }
    if (rc == 0)
        x->error = body_end(&x->body);
    conclude(x, x->error < 0 && rc == 0 ? -ECANCELED : rc, &err, out);
    body_release(&x->body);
    release_headers(&headers);
    buf_release(&text);
}

static void run_handler(struct handler *handler, const struct run_job *job, struct run *run,
                        const struct run_ops *ops, struct outcome *out)
{
    struct http_handler *h = (struct http_handler *)handler;
    struct exchange x = {.handler = h,
                         .job = job,
                         .run = run,
                         .ops = ops,
                         .wake_fd = ops->stop_fd(run),
                         .heard_ns = clock_now_ns()};
    struct idle_client *c = take_client(h);
    if (!c) {
        outcome_fail(out, OUTCOME_FAILED, "OutOfMemory", "no memory for a client");
        return;
    }
    exchange(h, c, &x, out);
    give_client(h, c);
}

const struct handler_kind http_kind = {
    .name = "http",
    .open = open_handler,
    .run = run_handler,
    .close = close_handler,
};
