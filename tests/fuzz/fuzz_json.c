/*
 * base/json against any bytes: whatever the scanner accepts, cJSON accepts too; members lie inside
 * the text; every value decodes or says why not; and what is written as a string reads back.
 */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "base/json.h"
#include "base/utf8.h"

/* cJSON reads 63 bytes of a number and refuses surrogates that are no pair. Both are legal text
 * and pass our scanner, so they are no finding. */
enum { CJSON_NUMBER_MAX = 63 };

static bool is_surrogate_escape(const char *p, const char *end)
{
    return end - p >= 4 && p[0] == '\\' && p[1] == 'u' && (p[2] | 0x20) == 'd' && p[3] >= '8';
}

/* text is valid JSON, so a backslash always starts an escape within a string. */
static bool cjson_cannot(struct slice text)
{
    const char *end = text.p + text.n;
    size_t number = 0;
    for (const char *p = text.p; p < end; p++) {
        number = *p && strchr("0123456789+-eE.", *p) ? number + 1 : 0;
        if (number > CJSON_NUMBER_MAX || is_surrogate_escape(p, end))
            return true;
        p += *p == '\\';
    }
    return false;
}

static int check_member(void *ctx, const struct json_member *m)
{
    const struct slice *text = ctx;
    must(m->value.n > 0 && m->value.p >= text->p);
    must(m->value.p + m->value.n <= text->p + text->n);
    must(m->whole.p + m->whole.n == m->value.p + m->value.n);
    must(m->whole.p == (m->key.n > 0 ? m->key.p : m->value.p));
    must(m->type == json_type_of(m->value));
    (void)json_key_is(m->key, "class"); /* any answer will do, only not a crash */

    struct buf decoded = {0};
    int64_t n;
    double real;
    if (m->type == JSON_STRING) {
        int rc = json_decode_string(m->value, &decoded);
        must(rc == 0 || rc == -EINVAL);
        must(utf8_ok(buf_slice(&decoded)));
        must(!memchr(buf_str(&decoded), '\0', decoded.n));
    } else if (m->type == JSON_NUMBER) {
        int rc = json_decode_real(m->value, &real);
        must(rc == 0 || rc == -ERANGE);
        if (m->value.n <= CJSON_NUMBER_MAX && rc == 0) {
            char copy[CJSON_NUMBER_MAX + 1];
            memcpy(copy, m->value.p, m->value.n);
            copy[m->value.n] = '\0';
            must(real == strtod(copy, NULL));
        }
        rc = json_decode_int(m->value, &n);
        must(rc == 0 || rc == -ERANGE);
    }
    buf_release(&decoded);
    return 0;
}

static void check_writing(struct slice text)
{
    struct buf json = {0}, back = {0};
    enum json_type type;
    json_put_string(&json, text, SIZE_MAX);
    must(json_scan(buf_slice(&json), &type, NULL, NULL, NULL) == 0 && type == JSON_STRING);
    if (utf8_ok(text) && text.n > 0 && !memchr(text.p, '\0', text.n)) {
        must(json_decode_string(buf_slice(&json), &back) == 0);
        must(slice_eq(buf_slice(&back), text));
    }
    for (size_t max = 0; max <= 4; max++) {
        buf_clear(&json);
        json_put_string(&json, text, max);
        must(json_scan(buf_slice(&json), &type, NULL, NULL, NULL) == 0);
    }
    buf_release(&json);
    buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice text = {(const char *)data, n};
    struct err err = {0};
    enum json_type type, type_without;
    int rc = json_scan(text, &type, NULL, NULL, &err);
    must(rc == 0 || (rc == -EBADMSG && err.text[0]));
    if (rc == 0) {
        must(json_scan(text, &type_without, check_member, &text, NULL) == 0);
        must(type == type_without);
        cJSON *tree = cJSON_ParseWithLengthOpts(text.p, text.n, NULL, false);
        must(tree || cjson_cannot(text));
        cJSON_Delete(tree);
    }
    check_writing(text);
    return 0;
}
