/* Does nothing, successfully: what is left of a job's time when the handler takes none. */
#include "sluice/handler.h"

static int noop_run(struct sluice_job *job, const struct sluice_job_info *info,
                    const struct sluice_api *api)
{
    (void)job;
    (void)info;
    (void)api;
    return SLUICE_DONE;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "noop",
    .run = noop_run,
};
