#include "http/probe.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { TIMEOUT_MS = 3000, ANSWER_MAX = 4096 };

static size_t take(char *bytes, size_t one, size_t n, void *ctx)
{
    struct buf *answer = ctx;
    (void)one; /* is 1 */
    if (answer->n < ANSWER_MAX)
        buf_append(answer, bytes, n);
    return n;
}

struct question {
    CURL *easy;
    struct curl_slist *headers;
    struct buf url, answer;
    char text[CURL_ERROR_SIZE];
};

static int set_up(struct question *q, const char *listen, const char *pin, const char *token)
{
    struct buf header = {0};
    bool ok = true;
    buf_printf(&q->url, "%s://%s/readyz", pin ? "https" : "http", listen);
    if (token) {
        buf_printf(&header, "Authorization: Bearer %s", token);
        q->headers = buf_error(&header) == 0 ? curl_slist_append(NULL, header.p) : NULL;
        ok = q->headers != NULL;
    }
    buf_release(&header);
    q->easy = curl_easy_init();
    if (!ok || !q->easy || buf_error(&q->url) != 0)
        return -ENOMEM;
    CURL *e = q->easy;
    /* Of these only those that copy text can fail, without memory. */
    (void)curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
    (void)curl_easy_setopt(e, CURLOPT_HTTPHEADER, q->headers);
    (void)curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take);
    (void)curl_easy_setopt(e, CURLOPT_WRITEDATA, &q->answer);
    (void)curl_easy_setopt(e, CURLOPT_ERRORBUFFER, q->text);
    /* It is the key that has to be right: nobody certifies the name "127.0.0.1". */
    (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
    (void)curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
    if (curl_easy_setopt(e, CURLOPT_URL, buf_str(&q->url)) != CURLE_OK ||
        curl_easy_setopt(e, CURLOPT_PROXY, "") != CURLE_OK ||
        (pin && curl_easy_setopt(e, CURLOPT_PINNEDPUBLICKEY, pin) != CURLE_OK))
        return -ENOMEM;
    return 0;
}

int http_probe_ready(const char *listen, const char *pin, const char *token, struct err *err)
{
    struct question q = {.text = ""};
    long status = 0;
    int rc = set_up(&q, listen, pin, token);
    if (rc != 0) {
        (void)err_set(err, rc, "%s: %s", listen, err_phrase(rc));
    } else {
        CURLcode code = curl_easy_perform(q.easy);
        (void)curl_easy_getinfo(q.easy, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK)
            rc = err_set(err, -ENOTCONN, "%s: %s", listen,
                         q.text[0] ? q.text : curl_easy_strerror(code));
        else if (status != 200)
            rc = err_set(err, -EAGAIN, "%s: %.*s", listen, (int)strcspn(buf_str(&q.answer), "\n"),
                         buf_str(&q.answer));
    }
    curl_easy_cleanup(q.easy);
    curl_slist_free_all(q.headers);
    buf_release(&q.url);
    buf_release(&q.answer);
    return rc;
}
