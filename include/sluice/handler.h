/*
 * sluice/handler.h — the C handler ABI, version 1.
 *
 * A plugin is a shared object that defines one symbol:
 *
 *     const struct sluice_plugin sluice_plugin = {
 *         .abi = SLUICE_HANDLER_ABI,
 *         .size = sizeof(struct sluice_plugin),
 *         .name = "checksum",
 *         .run = checksum_run,
 *     };
 *
 * and is named in worker.yaml: `handlers: [{class: checksum, plugin: build/lib/checksum.so}]`.
 * This header is self-contained: it needs nothing else of Sluice, and a plugin links with nothing.
 *
 * Versioning. `abi` must equal the SLUICE_HANDLER_ABI of the worker; it changes only when an old
 * plugin could misbehave. Both structs carry their size, and members are only ever appended, so a
 * plugin built against an older header of the same ABI keeps working, and one built against a
 * newer header can compare `api->size` before it uses a later member.
 *
 * Delivery is at least once: a job may run again after a crash or a lost connection. Make its
 * effects idempotent, or key them by `jid`.
 *
 * Threads. run() is called from many threads at once, each with its own job. A job and everything
 * it points to is valid until run() returns. The functions of the api may be called for the job
 * from any thread until then. init() and fini() are called once, from the main thread, before the
 * first and after the last run().
 */
#ifndef SLUICE_HANDLER_H
#define SLUICE_HANDLER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLUICE_HANDLER_ABI 1

/* What run() returns. Any other value counts as SLUICE_FAILED. */
enum sluice_outcome {
    SLUICE_DONE = 0,   /* acknowledged; a result set before is kept for tracked jobs */
    SLUICE_FAILED = 1, /* retried with back-off, then dead */
    SLUICE_DEAD = 2,   /* never retried: moved to the dead set at once */
};

struct sluice_job; /* opaque: the worker's side of this job */

/* The functions a plugin may call. Strings are copied. */
struct sluice_api {
    uint32_t size; /* sizeof(struct sluice_api) in the worker */

    /* Appends one event to the job's output stream: `json` is one JSON value of n bytes; text that
     * is no JSON becomes a JSON string. Blocks when the output runs ahead of Redis (back-pressure).
     * 0; -1 when the job was cancelled or is no longer ours: stop soon. */
    int (*emit)(struct sluice_job *job, const char *json, size_t n);

    /* 1 when the job should stop (cancelled, timed out, worker stopping), else 0. Cheap: one atomic
     * load, made to be called in inner loops. */
    int (*cancelled)(struct sluice_job *job);

    /* Sets the result, one JSON value of n bytes; the last call wins. -1 when it is no JSON or
     * larger than 1 MiB (then the result stays as it was). */
    int (*result)(struct sluice_job *job, const char *json, size_t n);

    /* Sets the error that a SLUICE_FAILED or SLUICE_DEAD is recorded with. error_class may be NULL
     * ("HandlerError"). The last call wins. */
    void (*error)(struct sluice_job *job, const char *error_class, const char *message);

    /* Writes one line to the worker's log with the job's id and class. level: 0 debug, 1 info,
     * 2 warning, 3 error. */
    void (*log)(struct sluice_job *job, int level, const char *message);
};

/* What a job is. All strings are UTF-8 and NUL-terminated. */
struct sluice_job_info {
    uint32_t size; /* sizeof(struct sluice_job_info) in the worker */
    const char *jid;
    const char *klass;
    const char *queue;
    const char *args; /* the raw JSON array, byte for byte as it was enqueued */
    size_t args_len;
    const char *payload; /* the whole job, one JSON object */
    size_t payload_len;
    int64_t attempt;    /* 1 at the first execution */
    int64_t timeout_ms; /* wall time this run may take; 0 = no limit */
};

struct sluice_plugin {
    uint32_t abi;  /* SLUICE_HANDLER_ABI */
    uint32_t size; /* sizeof(struct sluice_plugin) in the plugin */
    const char *name;

    /* Optional. A non-zero return keeps the worker from starting, with *ret_error as the reason
     * (a constant or static string). */
    int (*init)(const char **ret_error);

    /* Required. */
    int (*run)(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api);

    /* Optional. */
    void (*fini)(void);
};

/* What the worker looks up; declared here so that it is exported by C++ (where a const object is
 * local otherwise) and under -fvisibility=hidden too. */
extern const struct sluice_plugin sluice_plugin __attribute__((visibility("default")));

#ifdef __cplusplus
}
#endif

#endif
