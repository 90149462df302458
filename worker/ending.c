#include "worker/ending.h"

#include "base/clock.h"

static const char *error_class(const struct outcome *out)
{
    return out->error_class[0] ? out->error_class : "HandlerError";
}

static enum ending decide(const struct run *run, const struct outcome *out, double now,
                          double *ret_delay_s)
{
    if (out->kind == OUTCOME_DONE)
        return ENDING_DONE;
    if (atomic_load(&run->stop) == RUN_CANCELLED)
        return ENDING_STOPPED;
    if (out->kind == OUTCOME_DEAD)
        return run->envelope.keep_dead ? ENDING_DEAD : ENDING_DROPPED;
    int64_t handler_retry = run->handler ? run->handler->conf->retry : -1;
    switch (envelope_fate(&run->envelope, handler_retry, now, ret_delay_s)) {
    case JOB_FATE_RETRY:
        if (out->retry_after_s > 0)
            *ret_delay_s = out->retry_after_s;
        return ENDING_RETRY;
    case JOB_FATE_DEAD:
        return ENDING_DEAD;
    case JOB_FATE_DROP:
        return ENDING_DROPPED;
    }
    return ENDING_DEAD;
}

static const char *state_of(enum ending ending)
{
    switch (ending) {
    case ENDING_DONE:
        return "completed";
    case ENDING_RETRY:
        return "retrying";
    case ENDING_DEAD:
        return "dead";
    case ENDING_STOPPED:
        return "stopped";
    case ENDING_DROPPED:
    case ENDING_NO_MEMORY:
        break;
    }
    return "failed";
}

static void add_usage(const struct outcome_usage *used, struct record *r)
{
    if (!used->exit[0])
        return;
    record_add(r, "exit", "%s", used->exit);
    record_add(r, "cpu_s", "%.6f", used->cpu_s);
    if (used->peak_rss_kb > 0)
        record_add(r, "peak_rss_kb", "%lld", (long long)used->peak_rss_kb);
}

/* The record of a tracked job, and the final event of a stream (none while it will be retried). */
static int add_record(const struct run *run, const struct outcome *out, enum ending ending,
                      double now, struct settlement *end)
{
    enum run_stream stream = run_stream(run);
    bool status = stream != RUN_STREAM_NONE && ending != ENDING_RETRY;
    if (!run->tracked && !status)
        return 0;
    struct record *r = record_new(run->shown.jid, run->ttl_s);
    if (!r)
        return -ENOMEM;
    end->record = r;
    r->where = stream == RUN_STREAM_MAYBE ? RECORD_FOUND : RECORD_ALWAYS;
    if (status)
        buf_printf(&r->event, STREAM_STATUS_EVENT("%s"), state_of(ending));
    if (!run->tracked)
        return 0;
    record_add(r, "state", "%s", state_of(ending));
    record_add(r, "attempt", "%lld", (long long)run->shown.attempt);
    record_add(r, "finished_at", "%.6f", now);
    record_add(r, "duration_s", "%.6f",
               (double)(run->ended_ns - run->started_ns) / (double)NS_PER_S);
    add_usage(&out->usage, r);
    if (ending == ENDING_DONE) {
        record_add_slice(r, "result",
                         out->result.n > 0 ? buf_slice(&out->result) : slice_of("null"));
    } else {
        record_add(r, "error_class", "%s", error_class(out));
        record_add_slice(r, "error", buf_slice(&out->message));
    }
    return 0;
}

enum ending ending_plan(const struct run *run, const struct outcome *out, double now,
                        struct settlement **ret_end)
{
    double delay_s = 0;
    enum ending ending = decide(run, out, now, &delay_s);
    *ret_end = NULL;
    if (ending == ENDING_DONE && !run->tracked && run_stream(run) == RUN_STREAM_NONE)
        return ENDING_DONE; /* the plain ack, which costs nothing here */

    enum settle_where where = ending == ENDING_RETRY  ? SETTLE_RETRY
                              : ending == ENDING_DEAD ? SETTLE_DEAD
                                                      : SETTLE_DROP;
    struct settlement *end =
        settlement_new(where, ending == ENDING_DONE || ending == ENDING_STOPPED ? SETTLE_PROCESSED
                                                                                : SETTLE_FAILED);
    if (!end)
        return ENDING_NO_MEMORY;
    end->ack = ending == ENDING_DONE;
    end->delay_s = delay_s;
    int rc = add_record(run, out, ending, now, end);
    if (rc == 0 && (ending == ENDING_RETRY || ending == ENDING_DEAD))
        rc = envelope_put_failure(&run->envelope, run->shown.queue, error_class(out),
                                  buf_slice(&out->message), now, &end->payload);
    if (rc == 0)
        rc = buf_error(&end->payload);
    if (rc != 0) {
        settlement_free(end);
        return ENDING_NO_MEMORY;
    }
    *ret_end = end;
    return ending;
}

struct settlement *ending_expired(const struct envelope *envelope, bool tracked, int64_t ttl_s,
                                  double now)
{
    struct settlement *end = settlement_new(SETTLE_DROP, SETTLE_PROCESSED);
    struct record *r = end ? record_new(envelope->jid, ttl_s) : NULL;
    if (!r) {
        settlement_free(end);
        return NULL;
    }
    end->ack = true;
    end->record = r;
    r->where = tracked ? RECORD_ALWAYS : RECORD_FOUND;
    buf_printf(&r->event, STREAM_STATUS_EVENT("stopped"));
    record_add(r, "state", "stopped");
    record_add(r, "finished_at", "%.6f", now);
    record_add(r, "error_class", "Expired");
    record_add(r, "error", "not run: it expired at %.6f", envelope->expires_at);
    return end;
}
