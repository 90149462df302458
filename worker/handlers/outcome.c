#include "handlers/handler.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void outcome_fail(struct outcome *out, enum outcome_kind kind, const char *error_class,
                  const char *fmt, ...)
{
    out->kind = kind;
    (void)snprintf(out->error_class, sizeof out->error_class, "%s", error_class); /* cut to fit */
    buf_clear(&out->message);
    char *text;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) >= 0) { /* without memory the class alone has to do */
        buf_puts(&out->message, text);
        free(text);
    }
    va_end(ap);
}

void outcome_stop(struct outcome *out, enum run_stop stop, const struct run_job *job)
{
    switch (stop) {
    case RUN_CANCELLED:
        outcome_fail(out, OUTCOME_FAILED, "Cancelled", "cancelled by a user");
        break;
    case RUN_SHUTDOWN:
        outcome_fail(out, OUTCOME_FAILED, "Shutdown", "stopped because the worker is leaving");
        break;
    case RUN_LOST:
        outcome_fail(out, OUTCOME_FAILED, "Lost", "stopped because the job changed hands");
        break;
    case RUN_GOES_ON: /* only the wall time ends a run without a word from the worker */
    case RUN_TIMEOUT:
        outcome_fail(out, OUTCOME_FAILED, "Timeout", "ran longer than %g s",
                     (double)job->timeout_ms / 1000);
        break;
    }
}

void outcome_silent(struct outcome *out, double silence_s)
{
    outcome_fail(out, OUTCOME_FAILED, "SilenceTimeout", "no output for %g s", silence_s);
}

void outcome_release(struct outcome *out)
{
    buf_release(&out->message);
    buf_release(&out->result);
}
