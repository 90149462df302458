#include "client/job_text.h"

#include <math.h>

#include "base/json.h"
#include "base/utf8.h"
#include "client/settings.h"
#include "job/envelope.h"

#define TIME_MAX 1e11 /* beyond it, workers take a time for milliseconds */

static int refuse(const char *field, const char **ret_field, struct err *err, const char *is)
{
    *ret_field = field;
    return err_set(err, -EBADMSG, "field \"%s\" %s", field, is);
}

static struct slice text_of(const char *text, size_t n)
{
    return (struct slice){text, n > 0 ? n : strlen(text)};
}

/* Puts `,"name":` before a value, or `{"name":` before the first. */
static void put_name(struct buf *out, const char *name, bool first)
{
    buf_puts(out, first ? "{\"" : ",\"");
    buf_puts(out, name);
    buf_puts(out, "\":");
}

static int put_string(struct buf *out, const char *name, const char *text, const char **ret_field,
                      struct err *err)
{
    if (!text)
        return 0;
    if (!utf8_ok(slice_of(text)))
        return refuse(name, ret_field, err, "is not UTF-8");
    put_name(out, name, false);
    json_put_string(out, slice_of(text), SIZE_MAX);
    return 0;
}

static int put_class(struct buf *out, const char *klass, const char **ret_field, struct err *err)
{
    if (!klass)
        return refuse("class", ret_field, err,
                      "is missing; a string of 1 to 256 bytes is required");
    if (!utf8_ok(slice_of(klass)))
        return refuse("class", ret_field, err, "is not UTF-8");
    put_name(out, "class", true);
    json_put_string(out, slice_of(klass), SIZE_MAX);
    return 0;
}

static int put_args(struct buf *out, const struct sluice_client_job *job, const char **ret_field,
                    struct err *err)
{
    struct slice args = job->args ? text_of(job->args, job->args_len) : slice_of("[]");
    enum json_type type;
    if (json_scan(args, &type, NULL, NULL, err) != 0) {
        *ret_field = "args";
        return err_prefix(err, -EBADMSG, "field \"args\" is no JSON");
    }
    if (type != JSON_ARRAY)
        return refuse("args", ret_field, err, "is JSON, but no array; an array is required");
    put_name(out, "args", false);
    buf_put(out, args);
    return 0;
}

static int put_time(struct buf *out, const char *name, double time, const char **ret_field,
                    struct err *err)
{
    if (time == 0)
        return 0;
    if (!isfinite(time) || time < 0 || time > TIME_MAX)
        return refuse(name, ret_field, err,
                      "is not a Unix time in seconds; 0 (not given) to 1e11 is required");
    put_name(out, name, false);
    job_put_time(out, time);
    return 0;
}

static int put_timeout(struct buf *out, double timeout_s, const char **ret_field, struct err *err)
{
    if (timeout_s == 0)
        return 0;
    if (!isfinite(timeout_s) || timeout_s < 0 || timeout_s > TIME_MAX)
        return refuse("timeout", ret_field, err,
                      "is not a number of seconds; 0 (not given) to 1e11 is required");
    put_name(out, "timeout", false);
    buf_printf(out, "%.6f", timeout_s);
    return 0;
}

static int put_retry(struct buf *out, int retry, const char **ret_field, struct err *err)
{
    if (retry < SLUICE_CLIENT_RETRY_DEAD)
        return refuse("retry", ret_field, err,
                      "is below 0 and none of SLUICE_CLIENT_RETRY_NEVER and …_DEAD");
    if (retry == SLUICE_CLIENT_RETRY_DEFAULT)
        return 0;
    put_name(out, "retry", false);
    if (retry == SLUICE_CLIENT_RETRY_NEVER)
        buf_puts(out, "false");
    else
        buf_printf(out, "%d", retry == SLUICE_CLIENT_RETRY_DEAD ? 0 : retry);
    return 0;
}

/* The parser forgives a traceparent of others; here somebody can be told. */
static int put_traceparent(struct buf *out, const char *text, const char **ret_field,
                           struct err *err)
{
    if (text && strlen(text) > JOB_TRACEPARENT_MAX)
        return refuse("traceparent", ret_field, err, "is longer than 256 bytes");
    return put_string(out, "traceparent", text, ret_field, err);
}

static int put_parts(const struct sluice_client_job *job, struct buf *out, const char **ret_field,
                     struct err *err)
{
    int rc = put_class(out, job->klass, ret_field, err);
    if (rc == 0)
        rc = put_args(out, job, ret_field, err);
    if (rc == 0)
        rc = put_string(out, "queue", job->queue, ret_field, err);
    if (rc == 0)
        rc = put_string(out, "jid", job->jid, ret_field, err);
    if (rc == 0)
        rc = put_time(out, "at", job->at, ret_field, err);
    if (rc == 0)
        rc = put_time(out, "expires_at", job->expires_at, ret_field, err);
    if (rc == 0)
        rc = put_timeout(out, job->timeout, ret_field, err);
    if (rc == 0)
        rc = put_retry(out, job->retry, ret_field, err);
    if (rc == 0)
        rc = put_traceparent(out, job->traceparent, ret_field, err);
    if (rc == 0 && job->track)
        buf_puts(out, ",\"track\":true");
    buf_putc(out, '}');
    return rc;
}

static bool has_parts(const struct sluice_client_job *job)
{
    return job->klass || job->args || job->args_len || job->queue || job->jid || job->at != 0 ||
           job->expires_at != 0 || job->timeout != 0 || job->retry || job->track ||
           job->traceparent;
}

int job_text_put(const struct sluice_client_job *job, struct buf *out, const char **ret_field,
                 struct err *err)
{
    int rc = 0;
    *ret_field = NULL;
    if (!settings_size_ok(job, job->size, sizeof *job, sizeof *job))
        return err_set(err, -EINVAL,
                       "a job's size is %zu; %zu, that of the struct, is required, as "
                       "sluice_client_job_init() sets it",
                       job->size, sizeof *job);
    if (!job->json)
        rc = put_parts(job, out, ret_field, err);
    else if (has_parts(job))
        rc = refuse("json", ret_field, err,
                    "is a whole job, beside which nothing else may be given: put it into the JSON");
    else
        buf_put(out, text_of(job->json, job->json_len));
    if (rc == 0)
        rc = buf_error(out);
    return rc == -ENOMEM ? err_set(err, rc, "%s", err_phrase(rc)) : rc;
}
