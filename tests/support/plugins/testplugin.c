/*
 * A plugin that behaves, or misbehaves, as its job says: for unit tests and for the oracle of the
 * fault tests. args is [OBJECT], every member optional:
 *
 *   log       path; "JID ATTEMPT PID start" is appended at the start of a run and "… end" when it
 *             returns by itself ("… stop" when it was cancelled): one write(2) with O_APPEND each,
 *             so that lines of many workers do not mix
 *   emit      number of events {"n":1} {"n":2} …
 *   emit_ms   milliseconds before each of them
 *   spin_ms   then keeps a processor busy for that long …
 *   sleep_ms  then sleeps; leaving both when cancelled …
 *   stubborn  … or not, if true
 *   gate      path; then waits until there is such a file, leaving when cancelled
 *   result    any JSON value, set as the result
 *   outcome   "done" (default), "fail", "dead", "mute" (fails without a reason), "odd" (returns 7),
 *             "crash" (the process aborts)
 *   until     the outcome holds for attempts up to this one; later ones are done
 *
 * Wrong args are dead.
 */
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sluice/handler.h"

/* Read by tests with dlsym(). */
extern atomic_int testplugin_inits;
extern atomic_int testplugin_finis;
atomic_int testplugin_inits;
atomic_int testplugin_finis;

static int test_init(const char **ret_error)
{
    (void)ret_error;
    (void)atomic_fetch_add(&testplugin_inits, 1); /* the old count says nothing */
    return 0;
}

static void test_fini(void)
{
    (void)atomic_fetch_add(&testplugin_finis, 1); /* likewise */
}

static int note(const char *path, const struct sluice_job_info *info, const char *what)
{
    char line[512];
    int n = snprintf(line, sizeof line, "%s %" PRId64 " %ld %s\n", info->jid, info->attempt,
                     (long)getpid(), what);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    bool written = fd >= 0 && n > 0 && (size_t)n < sizeof line && write(fd, line, (size_t)n) == n;
    if (fd >= 0 && close(fd) < 0)
        written = false;
    return written ? 0 : -1;
}

static void emit(struct sluice_job *job, const struct sluice_api *api, int count, double pause_ms)
{
    const struct timespec pause = {.tv_nsec = (long)(pause_ms * 1e6)};
    char event[32];
    for (int i = 1; i <= count; i++) {
        int n = snprintf(event, sizeof event, "{\"n\":%d}", i);
        if (pause_ms > 0)
            (void)nanosleep(&pause, NULL); /* about right will do */
        if (api->emit(job, event, (size_t)n) < 0)
            return;
    }
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* False when it was cancelled. */
static bool spin(struct sluice_job *job, const struct sluice_api *api, double ms)
{
    int64_t until_ms = now_ms() + (int64_t)ms;
    while (ms > 0 && now_ms() < until_ms)
        if (api->cancelled(job))
            return false;
    return true;
}

/* False when it was cancelled. */
static bool nap(struct sluice_job *job, const struct sluice_api *api, double ms, bool stubborn)
{
    for (; ms > 0; ms -= 5) {
        if (!stubborn && api->cancelled(job))
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* about right will do */
    }
    return true;
}

/* Likewise. */
static bool wait_at(struct sluice_job *job, const struct sluice_api *api, const char *gate)
{
    while (gate && access(gate, F_OK) != 0) {
        if (api->cancelled(job))
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL); /* about right will do */
    }
    return true;
}

static int finish(struct sluice_job *job, const struct sluice_api *api, const char *outcome)
{
    if (strcmp(outcome, "done") == 0)
        return SLUICE_DONE;
    if (strcmp(outcome, "mute") == 0)
        return SLUICE_FAILED;
    if (strcmp(outcome, "odd") == 0)
        return 7;
    if (strcmp(outcome, "crash") == 0)
        abort();
    api->error(job, "TestError", "as the test wished");
    return strcmp(outcome, "dead") == 0 ? SLUICE_DEAD : SLUICE_FAILED;
}

static double number(const cJSON *o, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(o, name);
    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text(const cJSON *o, const char *name)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, name));
}

static int act(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api, const cJSON *o)
{
    const char *log = text(o, "log");
    if (log && note(log, info, "start") < 0) {
        api->error(job, "TestError", "cannot append to the log");
        return SLUICE_FAILED;
    }
    emit(job, api, (int)number(o, "emit"), number(o, "emit_ms"));
    bool slept = spin(job, api, number(o, "spin_ms")) &&
                 nap(job, api, number(o, "sleep_ms"),
                     cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(o, "stubborn"))) &&
                 wait_at(job, api, text(o, "gate"));
    char *result = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(o, "result"));
    if (result)
        (void)api->result(job, result, strlen(result)); /* refused ones are the worker's test */
    cJSON_free(result);
    const char *outcome = text(o, "outcome");
    double until = number(o, "until");
    if (!outcome || (until > 0 && (double)info->attempt > until))
        outcome = "done";
    int rc = slept ? finish(job, api, outcome) : SLUICE_FAILED;
    if (log && note(log, info, slept ? "end" : "stop") < 0)
        return SLUICE_FAILED;
    return rc;
}

static int test_run(struct sluice_job *job, const struct sluice_job_info *info,
                    const struct sluice_api *api)
{
    cJSON *args = cJSON_ParseWithLength(info->args, info->args_len);
    const cJSON *o = cJSON_GetArrayItem(args, 0);
    int rc = SLUICE_DEAD;
    if (cJSON_IsObject(o))
        rc = act(job, info, api, o);
    else
        api->error(job, "ArgumentError", "args must be one object: [{…}]");
    cJSON_Delete(args);
    return rc;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "testplugin",
    .init = test_init,
    .run = test_run,
    .fini = test_fini,
};
