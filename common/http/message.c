#include "http/message.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"

void http_set_header(struct http_response *res, const char *name, const char *value)
{
    assert(res->nheaders < HTTP_HEADERS_MAX);
    res->header[res->nheaders].name = name;
    (void)snprintf(res->header[res->nheaders].value, HTTP_HEADER_VALUE_MAX, "%s", value);
    res->nheaders++;
}

void http_fail_at(struct http_response *res, int status, const char *code, const char *message,
                  const char *field, int64_t index)
{
    struct buf *out = &res->body;
    res->status = status;
    res->content_type = HTTP_JSON;
    buf_clear(out);
    buf_puts(out, "{\"error\":{\"code\":");
    json_put_string(out, slice_of(code), SIZE_MAX);
    buf_puts(out, ",\"message\":");
    json_put_string(out, slice_of(message), SIZE_MAX);
    if (field) {
        buf_puts(out, ",\"field\":");
        json_put_string(out, slice_of(field), SIZE_MAX);
    }
    if (index >= 0)
        buf_printf(out, ",\"index\":%" PRId64, index);
    buf_puts(out, "}}\n");
}

void http_fail(struct http_response *res, int status, const char *code, const char *message)
{
    http_fail_at(res, status, code, message, NULL, -1);
}
