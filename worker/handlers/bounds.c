#include "handlers/bounds.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/limit.h"

static char limit_path[PATH_MAX]; /* "": not found yet */

int bounds_open(struct err *err)
{
    char path[PATH_MAX] = "";
    if (limit_path[0])
        return 0;
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *name = n > 0 ? strrchr(path, '/') : NULL;
    if (!name)
        return err_set(err, -EINVAL, "max_cpu and max_memory need /proc: %s", strerror(errno));
    size_t room = sizeof path - (size_t)(name - path);
    if (snprintf(name, room, "/" LIMIT_FOLDER "/" LIMIT_NAME) >= (int)room)
        return err_set(err, -EINVAL, "max_cpu and max_memory need a shorter path to this program");
    if (access(path, X_OK) < 0)
        return err_set(err, -EINVAL, "max_cpu and max_memory need %s: %s", path, strerror(errno));
    memcpy(limit_path, path, sizeof path);
    return 0;
}

bool bounds_any(const struct bounds *b)
{
    return b && (b->cpu_s > 0 || b->memory_mb > 0 || b->group);
}

struct bounds_command *bounds_command(const struct bounds *b, char *const *argv)
{
    size_t n = 0;
    while (argv[n])
        n++;
    struct bounds_command *c = malloc(sizeof *c + (LIMIT_PROGRAM + n + 1) * sizeof *argv);
    const char *path = getenv("PATH");
    if (!c)
        return NULL;
    (void)snprintf(c->cpu, sizeof c->cpu, "%d", b->cpu_s);
    (void)snprintf(c->memory, sizeof c->memory, "%d", b->memory_mb);
    c->argv[0] = limit_path;
    c->argv[LIMIT_CPU] = c->cpu;
    c->argv[LIMIT_MEMORY] = c->memory;
    c->argv[LIMIT_GROUP] = (char *)(b->group ? b->group : "");
    c->argv[LIMIT_PATH] = (char *)(path ? path : "/bin:/usr/bin"); /* as posix_spawnp() has it */
    memcpy(c->argv + LIMIT_PROGRAM, argv, (n + 1) * sizeof *argv);
    return c;
}

int bounds_await(int report_fd)
{
    int code;
    ssize_t n;
    do
        n = read(report_fd, &code, sizeof code);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof code ? -code : 0;
}
