#include "support/aof.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_INCREMENT "appendonlydir/appendonly.aof.1.incr.aof"

static int open_file(const struct redis_server *s, int flags)
{
    char path[sizeof s->dir + sizeof FIRST_INCREMENT + 1];
    (void)snprintf(path, sizeof path, "%s/%s", s->dir, FIRST_INCREMENT);
    int fd = open(path, flags | O_CLOEXEC);
    if (fd < 0)
        ck_abort_msg("%s: %s", path, strerror(errno));
    return fd;
}

int64_t aof_size(const struct redis_server *s)
{
    struct stat st = {0};
    int fd = open_file(s, O_RDONLY);
    ck_assert_int_eq(fstat(fd, &st), 0);
    (void)close(fd); /* only looked at */
    return st.st_size;
}

void aof_cut(const struct redis_server *s, int64_t size)
{
    ck_assert_int_le(size, aof_size(s)); /* it would grow */
    int fd = open_file(s, O_WRONLY);
    ck_assert_int_eq(ftruncate(fd, size), 0);
    ck_assert_int_eq(close(fd), 0);
}

struct slice aof_read(const struct redis_server *s)
{
    size_t size = (size_t)aof_size(s), n = 0;
    char *bytes = malloc(size + 1);
    ck_assert_ptr_nonnull(bytes);
    int fd = open_file(s, O_RDONLY);
    ssize_t got;
    while (n < size && (got = read(fd, bytes + n, size - n)) > 0)
        n += (size_t)got;
    (void)close(fd); /* only read */
    ck_assert_uint_eq(n, size);
    return (struct slice){bytes, size};
}

void aof_write(const struct redis_server *s, struct slice bytes)
{
    int fd = open_file(s, O_WRONLY | O_TRUNC);
    for (size_t n = 0; n < bytes.n;) {
        ssize_t put = write(fd, bytes.p + n, bytes.n - n);
        ck_assert_int_gt(put, 0);
        n += (size_t)put;
    }
    ck_assert_int_eq(close(fd), 0);
}

/* Only the soft limit, which may be raised again. */
static void limit_files(const struct redis_server *s, rlim_t size)
{
    struct rlimit limit;
    ck_assert_int_eq(prlimit(s->pid, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
    ck_assert_int_eq(prlimit(s->pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

void aof_limit(const struct redis_server *s, int64_t size)
{
    limit_files(s, (rlim_t)size);
}

void aof_unlimited(const struct redis_server *s)
{
    limit_files(s, RLIM_INFINITY);
}
