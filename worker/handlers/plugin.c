/* Plugins: how one job meets the run() of a shared object (object.h). */
#include "handlers/handler.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/thread.h"
#include "handlers/object.h"

struct plugin_handler {
    struct handler base;
    struct object *object;
};

/* The worker's side of one job, behind the pointer that the plugin gets. */
struct sluice_job {
    const struct run_ops *ops;
    struct run *run;
    struct mutex mutex; /* guards: the rest; a plugin may call from threads of its own */
    struct buf result;
    struct buf error_class; /* empty until error() */
    struct buf message;
    bool has_error;
};

static int plugin_open(const struct conf_handler *conf, struct handler **ret, struct err *err)
{
    struct buf path = {0};
    struct plugin_handler *h = calloc(1, sizeof *h);
    if (!strchr(conf->plugin, '/'))
        buf_puts(&path, "./"); /* a file like any other, not a name to search for */
    buf_puts(&path, conf->plugin);
    int rc = h ? buf_error(&path) : -ENOMEM;
    if (rc < 0)
        rc = err_set(err, rc, "%s: no memory", conf->plugin);
    else
        rc = object_open(buf_str(&path), &h->object, err);
    buf_release(&path);
    if (rc < 0) {
        free(h);
        return rc;
    }
    h->base = (struct handler){.kind = &plugin_kind, .conf = conf};
    *ret = &h->base;
    return 0;
}

static void plugin_close(struct handler *handler)
{
    struct plugin_handler *h = (struct plugin_handler *)handler;
    object_close(h->object);
    free(h);
}

static int api_emit(struct sluice_job *job, const char *json, size_t n)
{
    return job->ops->emit(job->run, (struct slice){json, n}) < 0 ? -1 : 0;
}

static int api_cancelled(struct sluice_job *job)
{
    return job->ops->stop(job->run) != RUN_GOES_ON;
}

static int api_result(struct sluice_job *job, const char *json, size_t n)
{
    enum json_type type;
    if (n > HANDLER_RESULT_MAX || json_scan((struct slice){json, n}, &type, NULL, NULL, NULL) < 0)
        return -1;
    struct buf copy = {0};
    buf_append(&copy, json, n);
    if (buf_error(&copy) < 0) {
        buf_release(&copy);
        return -1;
    }
    mutex_lock(&job->mutex);
    struct buf old = job->result;
    job->result = copy;
    mutex_unlock(&job->mutex);
    buf_release(&old);
    return 0;
}

static void api_error(struct sluice_job *job, const char *error_class, const char *message)
{
    mutex_lock(&job->mutex);
    job->has_error = true;
    buf_clear(&job->error_class);
    buf_puts(&job->error_class, error_class ? error_class : "HandlerError");
    buf_clear(&job->message);
    buf_puts(&job->message, message ? message : "");
    mutex_unlock(&job->mutex);
}

static void api_log(struct sluice_job *job, int level, const char *message)
{
    job->ops->log(job->run, level, slice_of(message ? message : ""));
}

static const struct sluice_api api = {
    .size = sizeof(struct sluice_api),
    .emit = api_emit,
    .cancelled = api_cancelled,
    .result = api_result,
    .error = api_error,
    .log = api_log,
};

/* What run() returned, and what it said before, becomes the outcome. */
static void conclude(struct sluice_job *side, int rc, const struct run_job *job,
                     struct outcome *out)
{
    if (rc == SLUICE_DONE) {
        out->kind = OUTCOME_DONE;
        out->result = side->result;
        side->result = (struct buf){0};
        return;
    }
    enum outcome_kind kind = rc == SLUICE_DEAD ? OUTCOME_DEAD : OUTCOME_FAILED;
    enum run_stop stop = side->ops->stop(side->run);
    if (side->has_error) {
        outcome_fail(out, kind, buf_str(&side->error_class), "%s", buf_str(&side->message));
    } else if (stop != RUN_GOES_ON && kind == OUTCOME_FAILED) {
        outcome_stop(out, stop, job);
    } else if (rc == SLUICE_FAILED || rc == SLUICE_DEAD) {
        outcome_fail(out, kind, "HandlerError", "the handler gave no reason");
    } else {
        outcome_fail(out, kind, "HandlerError", "run() returned %d, which is no outcome", rc);
    }
}

static void plugin_run(struct handler *handler, const struct run_job *job, struct run *run,
                       const struct run_ops *ops, struct outcome *out)
{
    struct plugin_handler *h = (struct plugin_handler *)handler;
    struct sluice_job side = {.ops = ops, .run = run};
    char short_args[512], *args = short_args; /* again, with the NUL that C authors expect */
    if (job->args.n >= sizeof short_args)
        args = malloc(job->args.n + 1);
    if (!args) {
        outcome_fail(out, OUTCOME_FAILED, "OutOfMemory", "no memory for arguments of %zu bytes",
                     job->args.n);
        return;
    }
    memcpy(args, job->args.p, job->args.n);
    args[job->args.n] = '\0';
    const struct sluice_job_info info = {
        .size = sizeof info,
        .jid = job->jid,
        .klass = job->klass,
        .queue = job->queue,
        .args = args,
        .args_len = job->args.n,
        .payload = job->payload.p,
        .payload_len = job->payload.n,
        .attempt = job->attempt,
        .timeout_ms = job->timeout_ms,
    };
    mutex_init(&side.mutex);
    int rc = object_plugin(h->object)->run(&side, &info, &api);
    conclude(&side, rc, job, out);
    mutex_release(&side.mutex);
    buf_release(&side.result);
    buf_release(&side.error_class);
    buf_release(&side.message);
    if (args != short_args)
        free(args);
}

const struct handler_kind plugin_kind = {
    .name = "plugin",
    .open = plugin_open,
    .run = plugin_run,
    .close = plugin_close,
};
