/* What becomes of a job: its record, cancelling it, following it. */
#include <assert.h>

#include "base/clock.h"
#include "client/client.h"
#include "client/follow.h"
#include "job/envelope.h"
#include "store/cancel.h"
#include "store/inspect_json.h"

static_assert((int)SLUICE_CLIENT_GOES_ON == JOB_GOES_ON &&
                  (int)SLUICE_CLIENT_COMPLETED == JOB_COMPLETED &&
                  (int)SLUICE_CLIENT_FAILED == JOB_FAILED &&
                  (int)SLUICE_CLIENT_STOPPED == JOB_STOPPED && (int)SLUICE_CLIENT_DEAD == JOB_DEAD,
              "the public names are those of the store");

static int check_jid(const char *jid, struct err *err)
{
    size_t n = strlen(jid);
    return n >= 1 && n <= JOB_JID_MAX
               ? 0
               : err_set(err, -EINVAL, "the jid has %zu bytes; 1 to %d are required", n,
                         JOB_JID_MAX);
}

/* ---- its record ---- */

static int put_record(const char *jid, const struct reply *record, enum sluice_client_end *ret_end,
                      char **ret_json, struct err *err)
{
    struct buf json = {0};
    char *text = NULL;
    if (reply_count(record) == 0)
        return err_set(err, -ENOENT,
                       "nothing is recorded of job %s: it is not tracked, has not begun, or ended "
                       "too long ago",
                       jid);
    if (ret_json) {
        inspect_put_job(&json, jid, record);
        text = buf_steal(&json, NULL);
        if (!text)
            return err_set(err, -ENOMEM, "%s", err_phrase(-ENOMEM));
        *ret_json = text;
    }
    if (ret_end)
        *ret_end =
            (enum sluice_client_end)job_end_of_state(reply_str(reply_field(record, "state")));
    return 0;
}

int sluice_client_record(struct sluice_client *client, const char *jid,
                         enum sluice_client_end *ret_end, char **ret_json,
                         struct sluice_client_error *error)
{
    struct client_call call = {.client = client};
    struct reply *record = NULL;
    int rc = check_jid(jid, &call.err);
    if (rc == 0)
        rc = client_begin(&call, client, clock_deadline_ms(client->settings.timeout_ms));
    if (rc == 0)
        rc = client_end(&call, store_job_read(client->store, call.conn, jid, &record, &call.err));
    if (rc == 0)
        rc = put_record(jid, record, ret_end, ret_json, &call.err);
    reply_free(record);
    return client_fail(error, rc, &call.err);
}

/* ---- cancelling it ---- */

int sluice_client_cancel(struct sluice_client *client, const char *jid, int *ret_withdrawn,
                         struct sluice_client_error *error)
{
    struct client_call call = {.client = client};
    struct cancellation done = {0};
    const struct conf *conf = &client->settings.conf;
    int rc = check_jid(jid, &call.err);
    if (rc == 0)
        rc = client_begin(&call, client, clock_deadline_ms(client->settings.timeout_ms));
    if (rc == 0) {
        call.ordered = true;
        rc = client_end(&call,
                        store_cancel_job(client->store, call.conn, jid, (int64_t)conf->stream_ttl,
                                         conf->max_payload, &done, &call.err));
    }
    if (rc == 0 && ret_withdrawn)
        *ret_withdrawn = *done.where != '\0';
    cancellation_release(&done);
    return client_fail(error, rc, &call.err);
}

/* ---- following it ---- */

struct following {
    sluice_client_event *event;
    void *ctx;
    struct sigpipe sigpipe;
};

/* The program's own code runs with the program's own signal mask. */
static int pass_on(void *ctx, int64_t id, struct slice event)
{
    struct following *f = ctx;
    sigpipe_restore(&f->sigpipe);
    int rc = f->event(f->ctx, id, event.p, event.n);
    sigpipe_block(&f->sigpipe);
    return rc;
}

int sluice_client_follow(struct sluice_client *client, const char *jid, int64_t after,
                         int timeout_ms, sluice_client_event *event, void *ctx,
                         enum sluice_client_end *ret_end, struct sluice_client_error *error)
{
    struct err err = {""};
    struct following following = {.event = event, .ctx = ctx};
    struct follow f = {
        .store = client->store,
        .jid = jid,
        .after = after,
        .timeout_ms = timeout_ms == 0 ? client->settings.timeout_ms : timeout_ms,
        .dial = client_dial,
        .home = client,
        .event = event ? pass_on : NULL,
        .ctx = &following,
    };
    enum job_end end = JOB_GOES_ON;
    int rc = check_jid(jid, &err);
    if (rc == 0 && after < 0)
        rc = err_set(&err, -EINVAL, "after is %lld; 0 or more is required", (long long)after);
    if (rc == 0) {
        sigpipe_block(&following.sigpipe);
        rc = follow_job(&f, &end, &err);
        sigpipe_restore(&following.sigpipe);
    }
    if (rc == 0 && ret_end)
        *ret_end = (enum sluice_client_end)end;
    return client_fail(error, rc, &err);
}
