/*
 * The log: one line per event on stderr, levelled, as logfmt or JSON.
 *
 *   log_info("job done", log_str("jid", jid), log_int("ms", 12));
 *   ts=2026-01-02T03:04:05.678Z level=info msg="job done" jid=… ms=12
 *
 * The message is a constant phrase that can be searched for; what varies goes into fields. Each
 * line is one write(2), so that lines of threads and children do not mix. Beyond 8 KiB a value is
 * cut and further fields are left out; the line stays well formed, also where a value is not UTF-8
 * (then with U+FFFD). Secrets are never fields.
 *
 * Threads: all functions are safe from any thread; the level and format are atomics that may
 * change while others log; errno is left as it was. Not safe in a signal handler.
 */
#ifndef SLUICE_BASE_LOG_H
#define SLUICE_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    enum { LOG_END, LOG_STR, LOG_INT, LOG_REAL } kind;
    const char *key; /* [a-z_]+, constant */
    struct slice str;
    int64_t num;
    double real;
};

void log_setup(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *msg, const struct log_field *fields);

static inline struct log_field log_slice(const char *key, struct slice s)
{
    return (struct log_field){.kind = LOG_STR, .key = key, .str = s};
}

static inline struct log_field log_str(const char *key, const char *s)
{
    return log_slice(key, slice_of(s ? s : ""));
}

static inline struct log_field log_int(const char *key, int64_t n)
{
    return (struct log_field){.kind = LOG_INT, .key = key, .num = n};
}

static inline struct log_field log_real(const char *key, double n)
{
    return (struct log_field){.kind = LOG_REAL, .key = key, .real = n};
}

/* The last field is put there by the macro, hence no terminator at the call. */
#define log_at(level, msg, ...)                                                                    \
    do {                                                                                           \
        if (log_enabled(level))                                                                    \
            log_write(level, msg, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}});      \
    } while (0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

#endif
