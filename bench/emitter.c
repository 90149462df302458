/* The emitter plugin of the events bench: emits as many events as its only argument says, each with
 * its number and the monotonic time at which the first was emitted. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sluice/handler.h>

static int run(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    long long began_ns = ts.tv_sec * 1000000000LL + ts.tv_nsec;
    long events = strtol(info->args + 1, NULL, 10); /* args: [N] */
    for (long i = 0; i < events; i++) {
        char text[96];
        int n = snprintf(text, sizeof text,
                         "{\"n\":%ld,\"began_ns\":%lld,\"step\":\"a part of it\"}", i, began_ns);
        if (api->emit(job, text, (size_t)n) != 0)
            return SLUICE_FAILED;
    }
    return SLUICE_DONE;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "emitter",
    .run = run,
};
