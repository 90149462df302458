/* The emitter plugin of the benches: emits as many events as its first argument says, each with its
 * number and the monotonic time at which the first was emitted. With a second argument it pauses
 * for so many microseconds before each, which has a time of its own then. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <sluice/handler.h>

static long long now_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static int run(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api)
{
    char *end;
    long long began_ns = now_ns();
    long events = strtol(info->args + 1, &end, 10); /* args: [N,PAUSE,STAY] */
    long pause_us = *end == ',' ? strtol(end + 1, &end, 10) : 0;
    long stay_us = *end == ',' ? strtol(end + 1, &end, 10) : 0;
    for (long i = 0; i < events; i++) {
        if (pause_us > 0) {
            (void)usleep((useconds_t)pause_us);
            began_ns = now_ns();
        }
        char text[96];
        int n = snprintf(text, sizeof text,
                         "{\"n\":%ld,\"began_ns\":%lld,\"step\":\"a part of it\"}", i, began_ns);
        if (api->emit(job, text, (size_t)n) != 0)
            return SLUICE_FAILED;
    }
    if (stay_us > 0)
        (void)usleep((useconds_t)stay_us);
    return SLUICE_DONE;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "emitter",
    .run = run,
};
