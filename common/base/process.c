#include "base/process.h"

#include <stdio.h>
#include <unistd.h>

int64_t process_rss_kb(void)
{
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f) {
        if (fscanf(f, "%*s %ld", &pages) != 1)
            pages = 0;
        (void)fclose(f);
    }
    return (int64_t)pages * (sysconf(_SC_PAGESIZE) / 1024);
}
