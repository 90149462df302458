/*
 * sluice/client.h — enqueue jobs from C and C++, ABI version 1.
 *
 *     struct sluice_client *client;
 *     struct sluice_client_error error;
 *     if (sluice_client_new(NULL, &client, &error) != 0) …      the address is in REDIS_URL
 *
 *     struct sluice_client_job job = sluice_client_job_init();
 *     char jid[SLUICE_CLIENT_JID_SIZE];
 *     job.klass = "checksum";
 *     job.args = "[\"/etc/hosts\"]";
 *     if (sluice_client_enqueue(client, &job, NULL, jid, &error) != 0)
 *         fprintf(stderr, "%s\n", error.text);
 *
 * and `cc … $(pkg-config --cflags --libs sluice-client)`. A job is Sidekiq's JSON object on a Redis
 * list; workers of Sluice run it. This header is self-contained: it needs nothing else of Sluice.
 *
 * Why a library, when LPUSH is enough. It checks a job by the parser that workers use, before it
 * lies in Redis; it gives it its jid and its times by Redis' clock; it enqueues many jobs or none;
 * and it knows whether a job that got no answer may have been enqueued.
 *
 * Versioning. The library's SONAME carries SLUICE_CLIENT_ABI, which changes only when a program
 * that was built against an older header could misbehave. The structs that a program fills in carry
 * their size, and members are only ever appended to them: zero means that a member is not given.
 *
 * Threads. A client owns one connection, and calls on it take turns, so threads may share one. Why
 * turns: a call is one exchange of some ten microseconds with one server that also does one thing
 * at a time; and a race in somebody's program, by which one thread would read another's answer,
 * must not be possible. Threads that enqueue all the time do better with a client each. The one
 * exception is sluice_client_free(), which must be the last call. An error belongs to its caller.
 *
 * Blocking. Nothing is sent before the first call that has to; sluice_client_new() waits for
 * nobody. A call waits for its turn, connects when there is no connection, and waits for the
 * answer, all within `timeout_ms`; then it fails. (Where the address has a host name, the system's
 * resolver takes its own time on top of that.) A connection that was lost is opened again by the
 * next call; nothing runs in between, and no call is repeated by the library itself.
 *
 * Errors. Each function returns 0 or a negative errno value, and fills in an error, which may be
 * NULL, with a sentence for people. Outputs are untouched then.
 *
 *   -EINVAL        an argument or a setting is wrong, or the address cannot be read; also
 *                  rediss:// where this library was built without TLS
 *   -EBADMSG       a job is refused: `field` says which member of it, `index` which job
 *   -EMSGSIZE      a job is larger than workers take (worker.max_payload, SLUICE_MAX_PAYLOAD)
 *   -EEXIST        the key was used within a day for other jobs
 *   -ETIMEDOUT     other threads had the client for all of the time: nothing happened
 *   -ENOTCONN      Redis was not reached: nothing happened
 *   -ECONNABORTED  it was sent and no answer came: it may have happened or not (below)
 *   -EAGAIN        Redis loads, is busy or has too many clients: nothing happened
 *   -EROFS         the server is a replica (now): nothing happened; the next call looks again
 *   -ENOSPC        Redis is out of memory or cannot write to its disk: nothing happened
 *   -EACCES        Redis refused the password, or this user may not do that: nothing happened
 *   -EMEDIUMTYPE   a key that the job belongs into holds something else: nothing was enqueued
 *   -EPROTO        an answer that this library does not know
 *   -ENOMEM        no memory
 *
 * A lost answer. After -ECONNABORTED only Redis knows whether the jobs are there, and asking again
 * may double them. With a key it may not: for a day the key stands for these jobs, and who asks
 * again with it and the same jobs is given their jids and enqueues nothing twice. So choose a key
 * that names the occasion ("order-17"), and repeat until the answer is another one. The same holds
 * across programs and machines, and across a crash of yours. (The key is one of Redis' and lives
 * as long as Redis remembers.)
 *
 * Ownership. What is passed in is borrowed for the call, bytes included: `args` go into Redis as
 * they are, byte for byte. What is handed out is the caller's, to be given to free().
 *
 * Signals. Nothing here installs a handler; SIGPIPE is blocked in the calling thread while it talks
 * to Redis. After fork() the child opens a connection of its own, as long as no other thread was
 * inside of a call at that moment.
 */
#ifndef SLUICE_CLIENT_H
#define SLUICE_CLIENT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_CLIENT_ABI 1

#if defined(__GNUC__)
#define SLUICE_CLIENT_CALL __attribute__((__visibility__("default"), __warn_unused_result__))
#define SLUICE_CLIENT_API  __attribute__((__visibility__("default")))
#else
#define SLUICE_CLIENT_CALL
#define SLUICE_CLIENT_API
#endif

/* Room for a jid and its NUL: 24 hex digits where the library makes it; one that a job brings along
 * may have 128 bytes. */
#define SLUICE_CLIENT_JID_SIZE 129

/* Jobs of one bulk: while Redis takes them in, it does nothing else. */
#define SLUICE_CLIENT_BULK_MAX 10000

struct sluice_client; /* opaque */

struct sluice_client_error {
    int code;          /* what the function returned */
    const char *field; /* -EBADMSG: the member that is wrong, "args"; else NULL; constant text */
    size_t index;      /* of a bulk: the job that is wrong */
    char text[512];    /* one line, without a newline, never a secret; "" until set */
};

/* The version of the library that is in use, "0.1.0". */
SLUICE_CLIENT_API const char *sluice_client_version(void);

/* ---- The client ------------------------------------------------------------------------------ */

/* All may be left out. What is not given is taken from the environment, as by every program of
 * Sluice: REDIS_URL, else REDIS_HOST and its siblings, REDIS_TLS_CA …, REDIS_SOCKET_TIMEOUT,
 * SLUICE_KEY_PREFIX, SLUICE_MAX_PAYLOAD; else it is redis://127.0.0.1:6379/0. */
struct sluice_client_options {
    size_t size; /* sizeof(struct sluice_client_options) */

    /* redis://, rediss:// (TLS), unix://, redis+sentinel:// or rediss+sentinel:// */
    const char *url;
    const char *key_prefix; /* before the name of every key, as the workers have it */
    int timeout_ms;         /* the longest that a call may take; 0: 5 s */
    const char *name;       /* of the connection, for CLIENT LIST; NULL: "sluice-client" */
    const char *tls_ca;     /* file of certificates to trust; NULL: the system's */
    const char *tls_cert;   /* client certificate; with tls_key */
    const char *tls_key;
    const char *sentinel_username;
    const char *sentinel_password;
};

static inline struct sluice_client_options sluice_client_options_init(void)
{
    struct sluice_client_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    return options;
}

/* Checks everything that can be checked without Redis. options may be NULL. */
SLUICE_CLIENT_CALL int sluice_client_new(const struct sluice_client_options *options,
                                         struct sluice_client **ret,
                                         struct sluice_client_error *error);

/* Closes the connection. Accepts NULL. */
SLUICE_CLIENT_API void sluice_client_free(struct sluice_client *client);

/* Whether Redis answers, for programs that want to know when they start. */
SLUICE_CLIENT_CALL int sluice_client_ping(struct sluice_client *client,
                                          struct sluice_client_error *error);

/* ---- Jobs ------------------------------------------------------------------------------------ */

/* What becomes of a job that fails, in `retry`; N > 0 are N retries, and then it is dead. */
#define SLUICE_CLIENT_RETRY_DEFAULT 0    /* as its handler says, else 25 */
#define SLUICE_CLIENT_RETRY_NEVER   (-1) /* dropped */
#define SLUICE_CLIENT_RETRY_DEAD    (-2) /* dead at once: kept, for somebody to look at */

/* A job by its parts, or whole as `json`. Strings are UTF-8. */
struct sluice_client_job {
    size_t size; /* sizeof(struct sluice_client_job) */

    const char *klass; /* which handler runs it: 1 to 256 bytes; required */
    const char *args;  /* a JSON array; NULL: [] */
    size_t args_len;   /* its bytes; 0: as many as there are before a NUL */
    const char *queue; /* NULL: "default" */
    const char *jid;   /* NULL: a new one, of 24 hex digits */
    double at;         /* Unix seconds by Redis' clock; 0, or a time that has passed: now */
    double expires_at; /* Unix seconds; if it has not begun by then, it is not run; 0: never */
    double timeout;    /* seconds it may run; 0: as its handler says */
    int retry;         /* above */
    int track;         /* 1: its state and result are recorded (sluice_client_record()) */
    const char *traceparent; /* W3C trace context; NULL: none */

    const char *json; /* a whole job, a JSON object; nothing above is given then */
    size_t json_len;  /* as args_len */
};

static inline struct sluice_client_job sluice_client_job_init(void)
{
    struct sluice_client_job job;
    memset(&job, 0, sizeof job);
    job.size = sizeof job;
    return job;
}

/* Enqueues one job. key: what makes it safe to ask again (above), 1 to 255 printable ASCII
 * characters without spaces, or NULL. ret_jid: SLUICE_CLIENT_JID_SIZE bytes, or NULL. */
SLUICE_CLIENT_CALL int sluice_client_enqueue(struct sluice_client *client,
                                             const struct sluice_client_job *job, const char *key,
                                             char *ret_jid, struct sluice_client_error *error);

/* Enqueues n jobs, at most SLUICE_CLIENT_BULK_MAX: all of them or none, those of one queue in their
 * order, in one exchange. All have the same `size`. ret_jids: room for n, or NULL. */
SLUICE_CLIENT_CALL int sluice_client_enqueue_bulk(struct sluice_client *client,
                                                  const struct sluice_client_job *jobs, size_t n,
                                                  const char *key,
                                                  char (*ret_jids)[SLUICE_CLIENT_JID_SIZE],
                                                  struct sluice_client_error *error);

/* ---- What becomes of a job ------------------------------------------------------------------- */

enum sluice_client_end {
    SLUICE_CLIENT_GOES_ON,   /* waits, runs or will be tried again */
    SLUICE_CLIENT_COMPLETED, /* done */
    SLUICE_CLIENT_FAILED,    /* failed, and its retry said that it is dropped then */
    SLUICE_CLIENT_STOPPED,   /* cancelled */
    SLUICE_CLIENT_DEAD,      /* failed for good, and kept in the dead set */
};

/* What is recorded of a job that is tracked, by itself or by its handler: as *ret_json an object
 * with its state, times, result, error …, to be given to free(). Either output may be NULL. -ENOENT
 * when nothing is recorded: it is not tracked, has not begun, or ended more than a day ago. */
SLUICE_CLIENT_CALL int sluice_client_record(struct sluice_client *client, const char *jid,
                                            enum sluice_client_end *ret_end, char **ret_json,
                                            struct sluice_client_error *error);

/* Stops a job for good, whether it waits or runs. *ret_withdrawn, which may be NULL: 1 when it was
 * taken out of where it waited and will not run; 0 when whoever has it, or gets it within a day,
 * stops it. After -ECONNABORTED, which also says that looking through long queues took too long,
 * the order may stand all the same. May be repeated. */
SLUICE_CLIENT_CALL int sluice_client_cancel(struct sluice_client *client, const char *jid,
                                            int *ret_withdrawn, struct sluice_client_error *error);

/* Called for each event of a job's output, in order: its number, from 1, and one JSON value, which
 * is no string with a NUL. Anything but 0 ends the following. */
typedef int sluice_client_event(void *ctx, int64_t id, const char *json, size_t n);

/* Waits until a job ends, and calls event, unless it is NULL, for what it emits behind the event
 * `after` (0: from the start): no event is missed and none comes twice, also when Redis restarts
 * meanwhile, which is waited for. timeout_ms: the longest that it may take, whatever the client's
 * says; below 0: for ever. The job must be tracked, or emit events, or it seems to go on for ever.
 *
 * It holds two connections of its own while it lasts, and no turn: other calls go on beside it.
 * -ETIME when the job has not ended in time; -ECANCELED when event ended it. */
SLUICE_CLIENT_CALL int sluice_client_follow(struct sluice_client *client, const char *jid,
                                            int64_t after, int timeout_ms,
                                            sluice_client_event *event, void *ctx,
                                            enum sluice_client_end *ret_end,
                                            struct sluice_client_error *error);

#ifdef __cplusplus
}
#endif

#endif
