#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        va_list ap;
        va_start(ap, fmt);
        (void)vsnprintf(err->text, sizeof err->text, fmt, ap); /* cut: still one clear line */
        va_end(ap);
    }
    return code;
}

int err_prefix(struct err *err, int code, const char *fmt, ...)
{
    if (err) {
        struct err old = *err;
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        if (n >= 0 && (size_t)n < sizeof err->text)
            (void)snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old.text);
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
        return "Redis is a read-only replica";
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
    case EPROTO:
        return "unexpected reply from Redis";
    default:
        return strerror(-code);
    }
}
