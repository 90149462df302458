/* A file that an environment variable names, mapped: what the test and a library that it has loaded
 * into a program say to each other. */
#ifndef SLUICE_TESTS_PRELOAD_SHARED_H
#define SLUICE_TESTS_PRELOAD_SHARED_H

#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* NULL: there is none. */
static inline void *shared_map(const char *variable, size_t n)
{
    const char *path = getenv(variable);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return NULL;
    void *at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd); /* the mapping stays */
    return at == MAP_FAILED ? NULL : at;
}

#endif
