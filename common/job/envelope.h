/*
 * The job envelope: Sidekiq's JSON object on a Redis list, read field by field and never
 * re-encoded.
 *
 * Why not a tree: args, unknown fields, big integers and escapes belong to the user and must
 * survive retries, recovery and death byte for byte. The envelope is scanned once; the fields
 * that Sluice owns are decoded, everything else stays a slice of the payload. A changed payload
 * is spliced: members that we set come last and replace all members of that name, the others are
 * copied as they came, in their order (white space between members is not kept).
 *
 * Policy for bad input (contract.md): no JSON object, no `class` (a non-empty string without
 * NUL), no `args` array, or an owned field of a wrong type (null counts as absent) → -EBADMSG
 * with a sentence that names the field, what it is and what is allowed; the caller moves the raw
 * bytes to `dead`. Of duplicate keys the last wins, as in Ruby, Python and JavaScript. Only
 * `traceparent` is forgiven: it is a hint of others, and one of a wrong shape counts as absent.
 *
 * Times are written in decimal seconds with six places; read by magnitude: above 1e11 they are
 * milliseconds (Sidekiq >= 8), above 1e14 they are an error. Source: Sidekiq wiki "Job Format"
 * and the observed clients.
 *
 * Threads: pure functions; an envelope belongs to one owner. Ownership: an envelope borrows the
 * payload it was parsed from and owns its decoded strings, which share one block of memory: do not
 * replace or free them singly. End it with envelope_release().
 */
#ifndef SLUICE_JOB_ENVELOPE_H
#define SLUICE_JOB_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    JOB_JID_BYTES = 24, /* 24 lowercase hex digits when we make one */
    JOB_JID_MAX = 128,  /* a foreign jid may be any string up to this */
    JOB_CLASS_MAX = 256,
    JOB_QUEUE_MAX = 256,
    JOB_TRACEPARENT_MAX = 256,
    JOB_RETRY_DEFAULT = 25, /* retry: true */
    JOB_ERROR_MESSAGE_MAX = 10000,
};

enum job_retry_kind {
    JOB_RETRY_UNSET, /* the handler's retry, else JOB_RETRY_DEFAULT */
    JOB_RETRY_NEVER, /* false: a failure drops the job */
    JOB_RETRY_COUNT, /* true (= 25) or N >= 0: after N retries → dead */
};

struct envelope {
    struct slice payload;            /* borrowed: the whole text */
    struct slice args;               /* borrowed: the raw JSON array */
    char *strings;                   /* the block that holds the next five */
    char *klass;                     /* decoded, NUL-terminated, not empty */
    char *jid;                       /* decoded; a new one when the payload had none */
    char *queue;                     /* decoded; NULL when absent */
    char *retry_queue;               /* decoded; NULL when absent */
    char *traceparent;               /* decoded; NULL when absent */
    const char *request_traceparent; /* borrowed: for a payload without one; NULL at first */
    bool jid_is_new;
    bool track;
    bool keep_dead; /* Sidekiq's "dead": false means: drop when exhausted */
    enum job_retry_kind retry;
    int64_t max_retries; /* for JOB_RETRY_COUNT */
    int64_t retry_count; /* -1 before the first failure; at most INT32_MAX */
    double created_at;   /* Unix seconds; 0 when absent, as are the next four */
    double enqueued_at;
    double failed_at;
    double at;
    double expires_at;
    double timeout_s;   /* > 0, or 0 when absent */
    double retry_for_s; /* > 0, or 0 when absent */
};

/* -EBADMSG (above); -ENOMEM. On failure there is nothing to release. */
int envelope_parse(struct slice payload, struct envelope *ret, struct err *err) warn_unused_result;
/* The same, and on -EBADMSG the name of the field that is wrong, if it is one. */
int envelope_check(struct slice payload, struct envelope *ret, const char **ret_field,
                   struct err *err) warn_unused_result;
void envelope_release(struct envelope *e); /* accepts a zeroed one; leaves one */

/* The queue that it goes to from `retry` or `schedule`; "default" when it names none. */
const char *envelope_next_queue(const struct envelope *e);

/* Executions so far, this one included: 1 for a job that never failed. */
int64_t envelope_attempt(const struct envelope *e);

/* One member to set, or to remove when json is empty (n == 0). */
struct splice {
    const char *key;   /* ASCII, needs no escaping */
    struct slice json; /* the new value as JSON text */
};

/* The functions below append to out; after a failure what they have appended is of no use.
 * -ENOMEM, and -EBADMSG for a payload that was never parsed.
 *
 * Those with a queue name it in the member `queue`, which the pollers of Sidekiq and ours go by:
 * set when it is absent or says otherwise. The jid is set when the envelope had to make one, and
 * `traceparent` when there is one of the request that brought the job and none in the payload. */

/* The payload with these members set or removed. It must have been parsed or scanned as an object
 * before. */
int envelope_splice(struct slice payload, const struct splice *splices, int n,
                    struct buf *out) warn_unused_result;

/* The payload after a failed execution: retry_count, failed_at (the first time) or retried_at,
 * error_class, error_message, jid, and queue: the envelope's retry_queue if it has one, else the
 * one given. now is Unix seconds by Redis' clock. The message is scrubbed and cut at
 * JOB_ERROR_MESSAGE_MAX. */
int envelope_put_failure(const struct envelope *e, const char *queue, const char *error_class,
                         struct slice message, double now, struct buf *out) warn_unused_result;

/* The payload as it goes (back) to a queue from `schedule` or `retry`, or when a client hands in
 * a bare job: enqueued_at = now, `at` removed, and jid, queue, created_at. created_at is set when
 * absent. */
int envelope_put_enqueued(const struct envelope *e, const char *queue, double now,
                          struct buf *out) warn_unused_result;

/* The same for a dead job that is to begin anew: retry_count, failed_at and retried_at are removed,
 * too. error_class and error_message stay, for whoever wants to know. */
int envelope_put_renewed(const struct envelope *e, const char *queue, double now,
                         struct buf *out) warn_unused_result;

/* The same for the schedule: both enqueued_at and `at` are removed. */
int envelope_put_scheduled(const struct envelope *e, const char *queue, double now,
                           struct buf *out) warn_unused_result;

/* What the job's failure leads to, after Sidekiq's rules, and for a retry its delay:
 * count^4 + 15 + rand(10) * (count + 1) seconds, count = retries so far. The delay is set for
 * JOB_FATE_RETRY only. handler_retry is the handler's `retry` setting, -1 when it has none.
 * Source: sidekiq/lib/sidekiq/job_retry.rb, delay_for. */
enum job_fate { JOB_FATE_RETRY, JOB_FATE_DEAD, JOB_FATE_DROP };
enum job_fate envelope_fate(const struct envelope *e, int64_t handler_retry, double now,
                            double *ret_delay_s);

void job_new_jid(char ret[JOB_JID_BYTES + 1]);

/* True for a queue name that can be used: 1..JOB_QUEUE_MAX bytes of UTF-8 without white space,
 * control characters, commas and quotes (they separate names in settings). */
bool job_queue_name_ok(const char *name);

/* Appends Unix seconds as a JSON number with six places: "1795478712.500000". Never in exponent
 * form: times beyond ±1e12 are written as that. */
void job_put_time(struct buf *out, double seconds);

#endif
