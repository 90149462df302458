#include "api/spool_segment.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/spool_bytes.h"
#include "api/spool_frame.h"

enum { HEADER = 'H', VERSION = 1, DIGITS = 16, CHUNK = 1 << 20, FIRST_FRAME = 64 };

static const char suffix[] = ".spool";

void spool_segment_name(uint64_t number, char ret[SEGMENT_NAME])
{
    (void)snprintf(ret, SEGMENT_NAME, "%0*" PRIx64 "%s", DIGITS, number, suffix); /* fits */
}

bool spool_segment_number(const char *name, uint64_t *ret)
{
    if (strspn(name, "0123456789abcdef") != DIGITS || strcmp(name + DIGITS, suffix) != 0)
        return false;
    *ret = strtoull(name, NULL, 16);
    return true;
}

static int fail(const char *what, const char *name, struct err *err)
{
    int code = errno;
    return err_set(err, -code, "cannot %s %s: %s", what, name, strerror(code));
}

/* ---- writing ---- */

int spool_segment_write(int fd, int64_t at, struct slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = pwrite(fd, bytes.p, bytes.n, at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -ENOSPC;
        bytes = (struct slice){bytes.p + n, bytes.n - (size_t)n};
        at += n;
    }
    return 0;
}

static int put_header(struct buf *out, struct spool_fence before)
{
    struct buf body = {0};
    bytes_put(&body, HEADER, 1);
    bytes_put(&body, VERSION, 1);
    bytes_put(&body, before.number, 8);
    bytes_put(&body, (uint64_t)before.end, 8);
    int rc = buf_error(&body);
    if (rc == 0)
        rc = spool_frame_put(out, buf_slice(&body));
    buf_release(&body);
    return rc;
}

int spool_segment_create(int folder, uint64_t number, struct spool_fence before, int *ret_fd,
                         int64_t *ret_end, struct err *err)
{
    char name[SEGMENT_NAME];
    struct buf header = {0};
    int rc = put_header(&header, before), fd = -1;
    spool_segment_name(number, name);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    /* A new file in any case: one whose fsync has failed is not asked again. */
    if (unlinkat(folder, name, 0) != 0 && errno != ENOENT) {
        rc = fail("replace", name, err);
    } else if ((fd = openat(folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) < 0) {
        rc = fail("create", name, err);
    } else if ((rc = spool_segment_write(fd, 0, buf_slice(&header))) != 0) {
        rc = err_set(err, rc, "cannot write %s: %s", name, strerror(-rc));
    } else if (fsync(fd) != 0 || fsync(folder) != 0) {
        rc = fail("write to disk", name, err);
    }
    if (rc == 0) {
        *ret_fd = fd;
        *ret_end = (int64_t)header.n;
    } else if (fd >= 0) {
        (void)close(fd);                 /* of no use */
        (void)unlinkat(folder, name, 0); /* else the next attempt replaces it */
    }
    buf_release(&header);
    return rc;
}

/* ---- reading ---- */

int spool_segment_open(int folder, uint64_t number, int *ret_fd, int64_t *ret_size, struct err *err)
{
    char name[SEGMENT_NAME];
    struct stat st;
    spool_segment_name(number, name);
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail("open", name, err);
    if (fstat(fd, &st) != 0) {
        int rc = fail("look at", name, err);
        (void)close(fd); /* only read */
        return rc;
    }
    *ret_fd = fd;
    *ret_size = st.st_size;
    return 0;
}

/* Appends up to n bytes of the file; fewer where it ends. */
static int read_at(int fd, int64_t at, size_t n, struct buf *into, struct err *err)
{
    char piece[1 << 14];
    while (n > 0) {
        ssize_t got = pread(fd, piece, n < sizeof piece ? n : sizeof piece, at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return fail("read", "a segment", err);
        if (got == 0)
            break;
        buf_append(into, piece, (size_t)got);
        at += got;
        n -= (size_t)got;
    }
    int rc = buf_error(into);
    return rc == 0 ? 0 : err_set(err, rc, "%s", err_phrase(rc));
}

int spool_segment_fence(int fd, struct spool_fence *ret, struct err *err)
{
    struct buf bytes = {0};
    struct slice body;
    size_t size;
    int rc = read_at(fd, 0, FIRST_FRAME, &bytes, err);
    if (rc == 0 && spool_frame_read(buf_slice(&bytes), &body, &size) != FRAME_WHOLE)
        rc = err_set(err, -EBADMSG, "its beginning is damaged");
    if (rc == 0) {
        struct bytes_reader from = {.rest = body};
        bool header = bytes_get(&from, 1) == HEADER;
        uint64_t version = bytes_get(&from, 1);
        struct spool_fence fence = {.number = bytes_get(&from, 8)};
        fence.end = (int64_t)bytes_get(&from, 8);
        if (!header || version != VERSION || from.bad)
            rc = err_set(err, -EPROTO, "it was written by another version of Sluice");
        else
            *ret = fence;
    }
    buf_release(&bytes);
    return rc;
}

static struct slice held(const struct spool_cursor *c)
{
    struct slice all = buf_slice(&c->window);
    return (struct slice){all.n > 0 ? all.p + c->used : "", all.n - c->used};
}

/* Has n bytes from `at` on in the window, or all up to the end. */
static int fill(struct spool_cursor *c, size_t n, struct err *err)
{
    buf_consume(&c->window, c->used);
    c->used = 0;
    int64_t have = (int64_t)c->window.n, left = c->end - c->at - have;
    if (n < CHUNK)
        n = CHUNK;
    int64_t wanted = (int64_t)n - have < left ? (int64_t)n - have : left;
    int rc = read_at(c->fd, c->at + have, (size_t)wanted, &c->window, err);
    if (rc == 0 && (int64_t)c->window.n < have + wanted)
        c->end = c->at + (int64_t)c->window.n; /* the file is shorter than was said */
    return rc;
}

static void pass(struct spool_cursor *c, size_t n)
{
    c->used += n;
    c->at += (int64_t)n;
}

/* A frame that is whole; false when there is none in the window. Headers are passed over. */
static bool take(struct spool_cursor *c, struct spool_found *ret, enum spool_frame_state *ret_state,
                 size_t *ret_size)
{
    struct slice body;
    while ((*ret_state = spool_frame_read(held(c), &body, ret_size)) == FRAME_WHOLE) {
        int64_t begin = c->at;
        pass(c, *ret_size);
        if (body.n > 0 && body.p[0] == HEADER)
            continue;
        *ret = (struct spool_found){FOUND_BODY, body, begin, (int64_t)*ret_size};
        return true;
    }
    return false;
}

/* What begins here is no frame: how far does that go? */
static int pass_over(struct spool_cursor *c, bool unfinished, struct spool_found *ret,
                     struct err *err)
{
    int rc = fill(c, (size_t)(c->end - c->at), err);
    if (rc != 0)
        return rc;
    struct slice all = held(c);
    size_t n = all.n;
    if (n > 0)
        n = 1 + spool_frame_find((struct slice){all.p + 1, all.n - 1});
    bool last = n == all.n;
    *ret = (struct spool_found){.kind = n == 0               ? FOUND_END
                                        : unfinished && last ? FOUND_TORN
                                                             : FOUND_DAMAGE,
                                .begin = c->at,
                                .size = (int64_t)n};
    pass(c, n);
    return 0;
}

int spool_cursor_next(struct spool_cursor *c, struct spool_found *ret, struct err *err)
{
    enum spool_frame_state state;
    size_t size;
    for (;;) {
        if (take(c, ret, &state, &size))
            return 0;
        if (c->at >= c->end) {
            *ret = (struct spool_found){.kind = FOUND_END, .begin = c->at};
            return 0;
        }
        if (state == FRAME_BAD || c->at + (int64_t)held(c).n >= c->end)
            return pass_over(c, state == FRAME_PART, ret, err);
        int rc = fill(c, size, err);
        if (rc != 0)
            return rc;
    }
}

void spool_cursor_next_held(struct spool_cursor *c, struct spool_found *ret)
{
    enum spool_frame_state state;
    size_t size;
    if (!take(c, ret, &state, &size))
        *ret = (struct spool_found){.kind = FOUND_END, .begin = c->at};
}

void spool_cursor_release(struct spool_cursor *c)
{
    buf_release(&c->window);
}
