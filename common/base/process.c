#include "base/process.h"

#include <stdio.h>
#include <unistd.h>

int64_t process_rss_kb(pid_t pid)
{
    long pages = 0;
    char path[32] = "/proc/self/statm";
    if (pid > 0)
        (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid); /* fits */
    FILE *f = fopen(path, "re");
    if (f) {
        if (fscanf(f, "%*s %ld", &pages) != 1)
            pages = 0;
        (void)fclose(f);
    }
    return (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
}
