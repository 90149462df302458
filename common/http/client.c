#include "http/client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct http_client {
    CURLM *multi; /* has the connections */
    CURL *easy;
    /* of the request under way */
    const struct http_post *post;
    bool has_head;
    char error[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void set_up(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* a failure shows in the first handle */
}

/* ---- addresses ---- */

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(u, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static bool has_scheme(CURLU *u)
{
    char *text = NULL;
    bool good = curl_url_get(u, CURLUPART_SCHEME, &text, 0) == CURLUE_OK &&
                (strcmp(text, "http") == 0 || strcmp(text, "https") == 0);
    curl_free(text);
    return good;
}

int http_url_check(const char *url, struct err *err)
{
    int rc = 0;
    (void)pthread_once(&once, set_up);
    CURLU *u = curl_url();
    if (!u)
        return err_set(err, -ENOMEM, "no memory for an address");
    if (curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK || !has_scheme(u))
        rc = err_set(err, -EINVAL, "no address, must be http://HOST[:PORT]/PATH or https://…");
    else if (has_part(u, CURLUPART_USER) || has_part(u, CURLUPART_PASSWORD))
        rc = err_set(err, -EINVAL, "an address with user or password, must be without them");
    curl_url_cleanup(u);
    return rc;
}

/* ---- clients ---- */

int http_client_new(struct http_client **ret)
{
    (void)pthread_once(&once, set_up);
    struct http_client *c = calloc(1, sizeof *c);
    if (c) {
        c->multi = curl_multi_init();
        c->easy = curl_easy_init();
    }
    if (!c || !c->multi || !c->easy) {
        http_client_free(c);
        return -ENOMEM;
    }
    *ret = c;
    return 0;
}

void http_client_free(struct http_client *c)
{
    if (!c)
        return;
    curl_easy_cleanup(c->easy); /* NULL is fine, here and below */
    if (c->multi)
        (void)curl_multi_cleanup(c->multi);
    free(c);
}

/* ---- one request ---- */

static bool show_head(struct http_client *c)
{
    long status = 0;
    char *type = NULL;
    curl_off_t retry_after = 0;
    if (c->has_head)
        return true;
    c->has_head = true;
    (void)curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(c->easy, CURLINFO_CONTENT_TYPE, &type);
    (void)curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
    const struct http_head head = {.status = (int)status,
                                   .content_type = type ? type : "",
                                   .retry_after_s = retry_after > 0 ? retry_after : 0};
    return c->post->head(c->post->ctx, &head);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct http_client *c = ctx;
    n *= size;
    bool goes_on = show_head(c) && c->post->body_part(c->post->ctx, (struct slice){bytes, n});
    return goes_on ? n : n + 1; /* another count than n ends the transfer */
}

static struct curl_slist *make_headers(const char *const *headers)
{
    /* curl would wait a second for a "100 Continue" that few servers send. */
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (; list && *headers; headers++) {
        struct curl_slist *longer = curl_slist_append(list, *headers);
        if (!longer)
            curl_slist_free_all(list);
        list = longer;
    }
    return list;
}

/* Options of known types and values cannot be refused, but for want of memory. */
static bool prepare(struct http_client *c, const struct http_post *post, struct curl_slist *headers)
{
    CURL *e = c->easy;
    curl_easy_reset(e); /* the connections stay */
    *c->error = '\0';
    CURLcode rc = curl_easy_setopt(e, CURLOPT_URL, post->url);
    if (rc == CURLE_OK && post->ca_file)
        rc = curl_easy_setopt(e, CURLOPT_CAINFO, post->ca_file);
    if (rc == CURLE_OK)
        rc = curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    (void)curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)post->connect_timeout_ms);
    (void)curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, headers);
    (void)curl_easy_setopt(e, CURLOPT_POST, 1L);
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDS, post->body.p);
    (void)curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)post->body.n);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
    return rc == CURLE_OK;
}

static int code_of(CURLcode rc)
{
    switch (rc) {
    case CURLE_OK:
        return 0;
    case CURLE_WRITE_ERROR:
        return -ECANCELED;
    case CURLE_OUT_OF_MEMORY:
        return -ENOMEM;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OPERATION_TIMEDOUT: /* of the connect: there is no other */
        return -ENOTCONN;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
        return -EPROTO;
    default:
        return -ECONNRESET;
    }
}

/* Waits and works until the transfer is over. CURLE_WRITE_ERROR when the caller gave up. */
static CURLcode transfer(struct http_client *c, const struct http_post *post)
{
    struct curl_waitfd wake = {.fd = post->wake_fd, .events = CURL_WAIT_POLLIN};
    for (;;) {
        int running = 0, left;
        if (curl_multi_perform(c->multi, &running) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
        const CURLMsg *msg = curl_multi_info_read(c->multi, &left);
        if (msg && msg->msg == CURLMSG_DONE)
            return msg->data.result;
        int64_t ms = post->wait_ms(post->ctx);
        if (ms < 0)
            return CURLE_WRITE_ERROR;
        if (curl_multi_poll(c->multi, &wake, post->wake_fd >= 0, ms < 60000 ? (int)ms : 60000,
                            NULL) != CURLM_OK)
            return CURLE_OUT_OF_MEMORY;
    }
}

int http_client_post(struct http_client *c, const struct http_post *post, struct err *err)
{
    struct curl_slist *headers = make_headers(post->headers);
    c->post = post;
    c->has_head = false;
    if (!headers || !prepare(c, post, headers) ||
        curl_multi_add_handle(c->multi, c->easy) != CURLM_OK) {
        curl_slist_free_all(headers);
        return err_set(err, -ENOMEM, "no memory for a request");
    }
    CURLcode rc = transfer(c, post);
    if (rc == CURLE_OK && !show_head(c)) /* an answer without a body */
        rc = CURLE_WRITE_ERROR;
    (void)curl_multi_remove_handle(c->multi, c->easy); /* it was added */
    curl_slist_free_all(headers);
    if (rc == CURLE_OK)
        return 0;
    return err_set(err, code_of(rc), "%s", *c->error ? c->error : curl_easy_strerror(rc));
}
