/*
 * The moment plugin of the slow bench: its arguments are a number and a time in microseconds. It
 * writes the monotonic time at which it was called into that place of the file that MOMENTS_FILE
 * names (of 8 bytes a place), and sleeps for the time.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sluice/handler.h>

static int64_t *moments;
static long places;

static int init(const char **ret_error)
{
    const char *path = getenv("MOMENTS_FILE");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct stat st;
    *ret_error = "MOMENTS_FILE is not set, or cannot be opened";
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0) {
        void *map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map != MAP_FAILED) {
            moments = map;
            places = (long)(st.st_size / (off_t)sizeof *moments);
        }
    }
    (void)close(fd);
    return moments ? 0 : -1;
}

static int run(struct sluice_job *job, const struct sluice_job_info *info,
               const struct sluice_api *api)
{
    struct timespec now;
    char *end;
    (void)job;
    (void)api;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    long place = strtol(info->args + 1, &end, 10);
    long us = *end == ',' ? strtol(end + 1, NULL, 10) : 0;
    if (place < 0 || place >= places)
        return SLUICE_DEAD;
    __atomic_store_n(&moments[place], (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                     __ATOMIC_RELAXED);
    struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    if (us > 0)
        (void)nanosleep(&pause, NULL);
    return SLUICE_DONE;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "moment",
    .init = init,
    .run = run,
};
