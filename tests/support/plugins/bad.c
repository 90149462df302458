/* Plugins that must be refused: the build sets one of these to a value that is wrong. */
#include "sluice/handler.h"

#ifndef ABI
#define ABI SLUICE_HANDLER_ABI
#endif
#ifndef SIZE
#define SIZE sizeof(struct sluice_plugin)
#endif
#ifndef SYMBOL
#define SYMBOL sluice_plugin
#endif
#ifndef INIT
#define INIT NULL
#endif
#ifndef RUN
#define RUN bad_run
#endif

#define maybe_unused __attribute__((unused))

maybe_unused static int bad_init(const char **ret_error)
{
    *ret_error = "no licence";
    return -1;
}

maybe_unused static int bad_run(struct sluice_job *job, const struct sluice_job_info *info,
                                const struct sluice_api *api)
{
    (void)job;
    (void)info;
    (void)api;
    return SLUICE_DONE;
}

extern const struct sluice_plugin SYMBOL;
const struct sluice_plugin SYMBOL = {
    .abi = ABI,
    .size = SIZE,
    .name = "bad",
    .init = INIT,
    .run = RUN,
};
