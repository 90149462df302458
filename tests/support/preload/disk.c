/*
 * Loaded into sluice-api by LD_PRELOAD: the disk under its spool, so that a kill is a loss of
 * power.
 *
 * What is written to a segment stays in memory until it is synced, and a new segment has another
 * name until its folder is; so SIGKILL takes with it all that was not synced. DISK_FILE names a
 * file that holds a struct disk (disk.h), which is mapped: the test says what the disk does, and
 * sees how often it was asked. Without the file, and for all other files, nothing is changed.
 *
 * The kernel is asked by system call, as in wallclock.c. Threads: any.
 */
#include "disk.h"
#include "shared.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NAME = 64, NAMES = 64, HIDDEN = NAME + 2 };

struct held {
    struct held *next;
    int fd;
    off_t at;
    size_t n;
    char bytes[];
};

static struct disk *shared;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* guards: the two below */
static struct held *held;                                 /* the oldest first */
static char hidden[NAMES][NAME];

static const char suffix[] = ".spool", unsynced[] = "~";

__attribute__((constructor)) static void map(void)
{
    shared = shared_map("DISK_FILE", sizeof *shared);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool is_segment(int fd)
{
    char link[64], path[4096];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fits */
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return ends_with(path, suffix) || ends_with(path, ".spool~");
}

static int fail(int code)
{
    (void)atomic_fetch_add(&shared->failures, 1); /* the count before is of no use */
    errno = code;
    return -1;
}

/* Forgets what is held for a file from an offset on, or writes it. */
static bool let_go_locked(int fd, off_t from, bool written)
{
    bool fine = true;
    for (struct held **at = &held; *at;) {
        struct held *h = *at;
        if (h->fd != fd || h->at + (off_t)h->n <= from) {
            at = &h->next;
            continue;
        }
        if (written)
            fine = fine && syscall(SYS_pwrite64, fd, h->bytes, h->n, h->at) == (ssize_t)h->n;
        *at = h->next;
        free(h);
    }
    return fine;
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at)
{
    if (!shared || !is_segment(fd))
        return syscall(SYS_pwrite64, fd, bytes, n, at);
    if (atomic_load(&shared->mode) == DISK_FULL && (n /= 2) == 0)
        return fail(ENOSPC);
    struct held *h = malloc(sizeof *h + n);
    if (!h)
        return fail(ENOMEM);
    *h = (struct held){.fd = fd, .at = at, .n = n};
    memcpy(h->bytes, bytes, n);
    (void)pthread_mutex_lock(&mutex); /* never fails */
    struct held **end = &held;
    while (*end)
        end = &(*end)->next;
    *end = h;
    (void)pthread_mutex_unlock(&mutex);
    return (ssize_t)n;
}

int ftruncate(int fd, off_t end)
{
    if (shared && is_segment(fd)) {
        (void)pthread_mutex_lock(&mutex);
        (void)let_go_locked(fd, end, false); /* forgetting does not fail */
        (void)pthread_mutex_unlock(&mutex);
    }
    return (int)syscall(SYS_ftruncate, fd, end);
}

/* New segments of a folder get their names. */
static void unhide_locked(int folder)
{
    char name[HIDDEN];
    for (int i = 0; i < NAMES; i++) {
        if (!hidden[i][0])
            continue;
        (void)snprintf(name, sizeof name, "%.*s%s", NAME - 1, hidden[i], unsynced); /* fits */
        (void)renameat(folder, name, folder, hidden[i]); /* the program finds out */
        hidden[i][0] = '\0';
    }
}

static int sync_with(long call, int fd)
{
    struct stat st;
    if (!shared || fstat(fd, &st) != 0 || (!S_ISDIR(st.st_mode) && !is_segment(fd)))
        return (int)syscall(call, fd);
    int mode = atomic_load(&shared->mode);
    bool fine = true;
    (void)pthread_mutex_lock(&mutex);
    if (mode == DISK_FAILS)
        (void)let_go_locked(fd, 0, false); /* forgetting does not fail */
    else if (mode != DISK_LIES && S_ISDIR(st.st_mode))
        unhide_locked(fd);
    else if (mode != DISK_LIES)
        fine = let_go_locked(fd, 0, true);
    (void)pthread_mutex_unlock(&mutex);
    if (mode == DISK_FAILS || !fine)
        return fail(EIO);
    (void)atomic_fetch_add(&shared->syncs, 1); /* the count before is of no use */
    return 0; /* the test is about a program that dies: the kernel lives on */
}

int fsync(int fd)
{
    return sync_with(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return sync_with(SYS_fdatasync, fd);
}

/* A segment that is made is hidden, under the name in ret. */
static bool hide(const char *name, char ret[HIDDEN])
{
    bool done = false;
    size_t n = strlen(name);
    (void)pthread_mutex_lock(&mutex);
    for (int i = 0; i < NAMES && n < NAME && !done; i++)
        if (!hidden[i][0]) {
            memcpy(hidden[i], name, n + 1);
            (void)snprintf(ret, HIDDEN, "%.*s%s", NAME - 1, hidden[i], unsynced); /* fits */
            done = true;
        }
    (void)pthread_mutex_unlock(&mutex);
    return done;
}

int openat(int folder, const char *name, int flags, ...)
{
    char other[HIDDEN];
    mode_t mode = 0;
    va_list ap;
    va_start(ap, flags);
    if (flags & O_CREAT)
        mode = va_arg(ap, mode_t);
    va_end(ap);
    if (shared && (flags & O_CREAT) && ends_with(name, suffix) && hide(name, other)) {
        (void)syscall(SYS_unlinkat, folder, other, 0); /* of an attempt before */
        name = other;
    }
    return (int)syscall(SYS_openat, folder, name, flags, mode);
}

int unlinkat(int folder, const char *name, int flags)
{
    bool found = false;
    (void)pthread_mutex_lock(&mutex);
    for (int i = 0; shared && i < NAMES; i++)
        if (strcmp(hidden[i], name) == 0) {
            hidden[i][0] = '\0';
            found = true;
        }
    (void)pthread_mutex_unlock(&mutex);
    return found ? 0 : (int)syscall(SYS_unlinkat, folder, name, flags);
}
