#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* In place: one line of UTF-8. A character that was cut off at the end is no character either. */
static void scrub(struct err *err)
{
    unsigned char *to = (unsigned char *)err->text;
    const unsigned char *p = to, *end = p + strlen(err->text);
    while (p < end) {
        size_t n = *p < 0x80 ? 1 : utf8_length(p, end);
        if (*p < 0x20 || *p == 0x7f || (n == 2 && *p == 0xc2 && p[1] < 0xa0)) {
            *to++ = ' ';
        } else if (n == 0) {
            *to++ = '?';
        } else {
            memmove(to, p, n);
            to += n;
        }
        p += n ? n : 1;
    }
    *to = '\0';
}

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (err) {
        struct err new; /* apart from err, whose old text may be among the arguments */
        (void)vsnprintf(new.text, sizeof new.text, fmt, ap); /* cut: still one clear line */
        scrub(&new);
        *err = new;
    }
    return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void)err_vset(err, code, fmt, ap); /* returns code */
    va_end(ap);
    return code;
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        struct err prefix;
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(prefix.text, sizeof prefix.text, fmt, ap); /* cut, as above */
        va_end(ap);
        (void)err_set(err, code, "%s: %s", prefix.text, err->text); /* returns code */
    }
    return code;
}

const char *err_phrase(int code)
{
    switch (-code) {
    case 0:
        return "no error";
    case ENOTCONN:
        return "Redis cannot be reached";
    case ETIMEDOUT:
        return "no permit or connection before the deadline";
    case ECANCELED:
        return "stopping";
    case EAGAIN:
        return "Redis is busy or loading";
    case EROFS:
        return "Redis is no master any more";
    case ENOSPC:
        return "Redis is out of memory or cannot persist";
    case EACCES:
        return "Redis refused access";
    case EMEDIUMTYPE:
        return "a key holds the wrong type";
    case ESTALE:
        return "the job is no longer owned by this worker";
    case EBADMSG:
        return "not a job";
    case EMSGSIZE:
        return "a reply is larger than allowed";
    case EPROTO:
        return "unexpected reply from Redis";
    default:
        return strerror(-code);
    }
}
