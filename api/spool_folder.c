#include "api/spool_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/spool_bytes.h"
#include "api/spool_frame.h"
#include "api/spool_segment.h"

enum { POSITION = 'P', POSITION_BYTES = FRAME_HEAD + 17 };

static int fail(const char *path, const char *what, struct err *err)
{
    int code = errno;
    return err_set(err, -code, "%s %s: %s", path, what, strerror(code));
}

static int check_access(const char *path, struct err *err)
{
    return access(path, R_OK | W_OK | X_OK) == 0 ? 0 : fail(path, "cannot be used", err);
}

/* Of the path as it is written; free() it. */
static char *parent_of(const char *path)
{
    char *copy = strdup(path);
    char *parent = copy ? strdup(dirname(copy)) : NULL;
    free(copy);
    return parent;
}

int spool_folder_check(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return S_ISDIR(st.st_mode) ? check_access(path, err)
                                   : err_set(err, -ENOTDIR, "%s is no folder", path);
    if (errno != ENOENT)
        return fail(path, "cannot be looked at", err);
    char *parent = parent_of(path); /* it would be made */
    int rc = parent ? check_access(parent, err) : err_set(err, -ENOMEM, "no memory");
    free(parent);
    return rc;
}

/* ---- opening ---- */

static int sync_parent(const char *path, struct err *err)
{
    char *parent = parent_of(path);
    int rc = 0, fd = -1;
    if (!parent)
        return err_set(err, -ENOMEM, "no memory");
    if ((fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || fsync(fd) != 0)
        rc = fail(parent, "cannot be written to disk", err);
    if (fd >= 0)
        (void)close(fd); /* only read */
    free(parent);
    return rc;
}

static int make(const char *path, struct err *err)
{
    if (mkdir(path, 0700) == 0)
        return sync_parent(path, err);
    return errno == EEXIST ? 0 : fail(path, "cannot be made", err);
}

static int lock(struct spool_folder *f, struct err *err)
{
    char pid[16] = "";
    f->lock = openat(f->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock < 0)
        return fail(f->path, "cannot be locked", err);
    if (flock(f->lock, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK)
            return fail(f->path, "cannot be locked", err);
        ssize_t n = pread(f->lock, pid, sizeof pid - 1, 0);
        return err_set(err, -EBUSY,
                       "%s is used by another process (pid %s); each needs a folder of its own",
                       f->path, n > 0 ? pid : "unknown");
    }
    int n = snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (ftruncate(f->lock, 0) != 0 || pwrite(f->lock, pid, (size_t)n, 0) != n)
        return fail(f->path, "cannot be written to", err);
    return 0;
}

int spool_folder_open(struct spool_folder *f, const char *path, struct err *err)
{
    *f = (struct spool_folder){.path = strdup(path), .fd = -1, .lock = -1, .position = -1};
    if (!f->path)
        return err_set(err, -ENOMEM, "no memory");
    int rc = make(path, err);
    if (rc != 0)
        return rc;
    f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd < 0)
        return fail(path, "cannot be opened", err);
    rc = lock(f, err);
    if (rc != 0)
        return rc;
    f->position = openat(f->fd, "position", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->position < 0 || fsync(f->fd) != 0)
        return fail(path, "cannot be written to", err);
    return 0;
}

void spool_folder_close(struct spool_folder *f)
{
    if (f->position >= 0)
        (void)close(f->position); /* synced with each write */
    if (f->lock >= 0)
        (void)close(f->lock); /* unlocks it */
    if (f->fd >= 0)
        (void)close(f->fd); /* only read */
    free(f->path);
    *f = (struct spool_folder){.fd = -1, .lock = -1, .position = -1};
}

/* ---- segments ---- */

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int read_names(DIR *dir, uint64_t **ret, size_t *ret_n)
{
    uint64_t *numbers = NULL, number;
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (!spool_segment_number(entry->d_name, &number))
            continue;
        uint64_t *grown = reallocarray(numbers, n + 1, sizeof *numbers);
        if (!grown) {
            free(numbers);
            return -ENOMEM;
        }
        numbers = grown;
        numbers[n++] = number;
    }
    if (n > 0)
        qsort(numbers, n, sizeof *numbers, by_number);
    *ret = numbers;
    *ret_n = n;
    return 0;
}

int spool_folder_list(const struct spool_folder *f, uint64_t **ret, size_t *ret_n, struct err *err)
{
    int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* the list consumes it */
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir) {
        int rc = fail(f->path, "cannot be read", err);
        if (fd >= 0)
            (void)close(fd); /* only read */
        return rc;
    }
    int rc = read_names(dir, ret, ret_n);
    (void)closedir(dir); /* only read */
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

int spool_folder_retire(const struct spool_folder *f, uint64_t segment, bool damaged,
                        struct err *err)
{
    char name[SEGMENT_NAME], aside[2 * SEGMENT_NAME];
    spool_segment_name(segment, name);
    (void)snprintf(aside, sizeof aside, "%s.damaged", name); /* fits */
    /* The new name is on disk before a position behind it can be, upon which it would be deleted.
     */
    int rc =
        damaged ? renameat(f->fd, name, f->fd, aside) | fsync(f->fd) : unlinkat(f->fd, name, 0);
    return rc == 0 || errno == ENOENT ? 0 : fail(f->path, "cannot be written to", err);
}

/* ---- the position ---- */

struct spool_position spool_folder_position(const struct spool_folder *f)
{
    char bytes[POSITION_BYTES];
    struct slice body;
    size_t size;
    struct spool_position p = {0};
    ssize_t n = pread(f->position, bytes, sizeof bytes, 0);
    if (n == (ssize_t)sizeof bytes &&
        spool_frame_read((struct slice){bytes, sizeof bytes}, &body, &size) == FRAME_WHOLE) {
        struct bytes_reader from = {.rest = body};
        bool ours = bytes_get(&from, 1) == POSITION;
        p.segment = bytes_get(&from, 8);
        p.offset = (int64_t)bytes_get(&from, 8);
        if (!ours || from.bad)
            p = (struct spool_position){0};
    }
    return p;
}

int spool_folder_set_position(const struct spool_folder *f, struct spool_position p, bool sync,
                              struct err *err)
{
    struct buf body = {0}, frame = {0};
    bytes_put(&body, POSITION, 1);
    bytes_put(&body, p.segment, 8);
    bytes_put(&body, (uint64_t)p.offset, 8);
    int rc = buf_error(&body);
    if (rc == 0)
        rc = spool_frame_put(&frame, buf_slice(&body));
    if (rc == 0)
        rc = spool_segment_write(f->position, 0, buf_slice(&frame));
    if (rc == 0 && sync && fdatasync(f->position) != 0)
        rc = -errno;
    buf_release(&body);
    buf_release(&frame);
    return rc == 0 ? 0 : err_set(err, rc, "the position cannot be written: %s", strerror(-rc));
}

/* ---- what was refused ---- */

int spool_folder_refuse(const struct spool_folder *f, struct slice line, struct err *err)
{
    int fd = openat(f->fd, "refused.jsonl", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), rc = 0;
    off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    if (end < 0 || (rc = spool_segment_write(fd, end, line)) != 0 || fsync(fd) != 0 ||
        fsync(f->fd) != 0) {
        if (rc < 0)
            errno = -rc;
        rc = fail("refused.jsonl", "cannot be written", err);
        if (end >= 0 && ftruncate(fd, end) != 0)
            errno = 0; /* a torn line stays, which is no JSON */
    }
    if (fd >= 0)
        (void)close(fd); /* synced, or given up */
    return rc;
}
