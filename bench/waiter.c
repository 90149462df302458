/* The waiter plugin of the cancel and recovery benches: writes a byte into the fifo that is its
 * only argument, and holds it open until it is told to stop, for which it asks ten times in a
 * millisecond. */
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sluice/handler.h>

static int run(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api)
{
    const struct timespec pause = {.tv_nsec = 100000};
    char path[256] = "";
    const char *first = strchr(info->args, '"'), *last = strrchr(info->args, '"');
    if (first && last > first && (size_t)(last - first) < sizeof path)
        memcpy(path, first + 1, (size_t)(last - first - 1));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "", 1) != 1)
        return SLUICE_DEAD;
    while (!api->cancelled(job))
        (void)nanosleep(&pause, NULL);
    (void)close(fd);
    return SLUICE_FAILED;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "waiter",
    .run = run,
};
