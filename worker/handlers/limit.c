#include "handlers/limit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* All but main() return 0 or an errno. */

/* Never more than we have been given ourselves. By prlimit(), which the filter of the systemd unit
 * lets pass. */
static int lower(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (prlimit(0, resource, NULL, &now) < 0)
        return errno;
    if (hard < now.rlim_max)
        now.rlim_max = hard;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    return prlimit(0, resource, &now, NULL) < 0 ? errno : 0;
}

static int enter(const char *group)
{
    int fd = open(group, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int rc = write(fd, "0", 1) < 0 ? errno : 0;
    (void)close(fd); /* nothing is buffered */
    return rc;
}

/* The group first: what comes behind is charged to it. Memory of its own is what RLIMIT_DATA
 * counts: address space that is only reserved is free, which RLIMIT_AS would refuse to half of the
 * runtimes there are. */
static int lay(char *const *argv)
{
    rlim_t cpu_s = strtoul(argv[LIMIT_CPU], NULL, 10);
    rlim_t memory = (rlim_t)strtoul(argv[LIMIT_MEMORY], NULL, 10) << 20;
    int rc = argv[LIMIT_GROUP][0] ? enter(argv[LIMIT_GROUP]) : 0;
    if (rc == 0 && cpu_s > 0)
        rc = lower(RLIMIT_CPU, cpu_s, cpu_s + 1);
    if (rc == 0 && memory > 0)
        rc = lower(RLIMIT_DATA, memory, memory);
    return rc;
}

static int become(char **argv, const char *path)
{
    char file[PATH_MAX];
    int why = ENOENT;
    if (strchr(argv[0], '/')) {
        (void)execv(argv[0], argv); /* returns only when it fails */
        return errno;
    }
    /* As posix_spawnp() does. execvp() would give to the shell what is no program. */
    for (const char *at = path;; at++) {
        int n = (int)strcspn(at, ":");
        if (snprintf(file, sizeof file, "%.*s%s%s", n, at, n > 0 ? "/" : "", argv[0]) <
            (int)sizeof file) {
            (void)execv(file, argv); /* as above */
            if (errno == EACCES)
                why = EACCES; /* another one may do */
            else if (errno != ENOENT && errno != ENOTDIR)
                return errno;
        }
        at += n;
        if (*at == '\0')
            return why;
    }
}

int main(int argc, char **argv)
{
    if (argc <= LIMIT_PROGRAM || fcntl(LIMIT_REPORT_FD, F_SETFD, FD_CLOEXEC) < 0) {
        (void)fprintf(stderr,
                      LIMIT_NAME ": sluice-worker starts this, for handlers with max_cpu or "
                                 "max_memory\n");
        return 2;
    }
    int rc = lay(argv);
    if (rc == 0)
        rc = become(argv + LIMIT_PROGRAM, argv[LIMIT_PATH]);
    (void)!write(LIMIT_REPORT_FD, &rc, sizeof rc); /* who asked is gone, if that fails */
    return 1;
}
