/*
 * Sleeps: args [MILLISECONDS]. For demonstrations of cancel, timeout and drain.
 *
 * It shows what a long-running plugin owes its worker: to ask cancelled() often enough that a
 * stop takes effect at once, and to leave soon when the answer is yes.
 */
#include <cjson/cJSON.h>
#include <stdint.h>
#include <time.h>

#include "sluice/handler.h"

enum { STEP_MS = 10 };
#define LONGEST_MS 86400000.0 /* a day */

static int64_t now_ms(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail */
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* -1 unless args is an array of one number in range. */
static int64_t parse(const struct sluice_job_info *info)
{
    cJSON *args = cJSON_ParseWithLength(info->args, info->args_len);
    const cJSON *first = cJSON_GetArrayItem(args, 0);
    int64_t ms = -1;
    if (cJSON_GetArraySize(args) == 1 && cJSON_IsNumber(first) && first->valuedouble >= 0 &&
        first->valuedouble <= LONGEST_MS)
        ms = (int64_t)first->valuedouble;
    cJSON_Delete(args);
    return ms;
}

static int sleep_run(struct sluice_job *job, const struct sluice_job_info *info,
                     const struct sluice_api *api)
{
    int64_t ms = parse(info);
    if (ms < 0) {
        api->error(job, "ArgumentError",
                   "args must be [MILLISECONDS], a number from 0 to 86400000");
        return SLUICE_DEAD; /* another attempt would fare no better */
    }
    const int64_t end = now_ms() + ms;
    int64_t left;
    while ((left = end - now_ms()) > 0) {
        if (api->cancelled(job))
            return SLUICE_FAILED; /* the worker knows why it asked, and records that */
        long step = left < STEP_MS ? (long)left : STEP_MS;
        (void)nanosleep(&(struct timespec){.tv_nsec = step * 1000000},
                        NULL); /* any shorter is fine */
    }
    return SLUICE_DONE;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "sleep",
    .run = sleep_run,
};
