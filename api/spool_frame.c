#include "api/spool_frame.h"

#include <assert.h>

#include "api/spool_bytes.h"
#include "http/digest.h"

enum { MARKER = 4, DIGEST = 16, LENGTH = 4 };

static_assert(MARKER + DIGEST + LENGTH == FRAME_HEAD, "the layout");
static_assert(DIGEST <= (int)HTTP_DIGEST_BYTES, "the layout");

static const char marker[MARKER] = {(char)0xff, 'S', 'P', '1'};

int spool_frame_put(struct buf *out, struct slice body)
{
    static const char zeros[DIGEST];
    unsigned char digest[HTTP_DIGEST_BYTES];
    size_t begin = out->n;
    if (body.n > UINT32_MAX)
        return -EMSGSIZE;
    buf_append(out, marker, MARKER);
    buf_append(out, zeros, DIGEST);
    bytes_put(out, body.n, LENGTH);
    buf_put(out, body);
    int rc = buf_error(out);
    if (rc == 0)
        rc = http_digest((struct slice){out->p + begin + MARKER + DIGEST, LENGTH + body.n}, digest);
    if (rc == 0)
        memcpy(out->p + begin + MARKER, digest, DIGEST);
    return rc;
}

enum spool_frame_state spool_frame_read(struct slice bytes, struct slice *ret_body,
                                        size_t *ret_size)
{
    unsigned char digest[HTTP_DIGEST_BYTES];
    size_t known = bytes.n < MARKER ? bytes.n : MARKER;
    if (known > 0 && memcmp(bytes.p, marker, known) != 0)
        return FRAME_BAD;
    size_t size = FRAME_HEAD;
    if (bytes.n >= FRAME_HEAD)
        size += (size_t)bytes_number(bytes.p + MARKER + DIGEST, LENGTH);
    *ret_size = size;
    if (bytes.n < size)
        return FRAME_PART;
    if (http_digest((struct slice){bytes.p + MARKER + DIGEST, size - MARKER - DIGEST}, digest) !=
            0 ||
        memcmp(digest, bytes.p + MARKER, DIGEST) != 0)
        return FRAME_BAD;
    *ret_body = (struct slice){bytes.p + FRAME_HEAD, size - FRAME_HEAD};
    return FRAME_WHOLE;
}

size_t spool_frame_find(struct slice bytes)
{
    struct slice body;
    size_t at = 0, size;
    while (at < bytes.n) {
        const char *next = memchr(bytes.p + at, (unsigned char)marker[0], bytes.n - at);
        if (!next)
            break;
        at = (size_t)(next - bytes.p);
        if (spool_frame_read((struct slice){next, bytes.n - at}, &body, &size) == FRAME_WHOLE)
            return at;
        at++;
    }
    return bytes.n;
}
