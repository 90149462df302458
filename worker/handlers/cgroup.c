#include "handlers/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TEXT_MAX = 1 << 20 };
#define OWN_GROUP      "worker"
#define RUN_PREFIX     "run-"
#define REMOVE_WAIT_NS (1 * NS_PER_S) /* for the killed to be gone */

static int root_fd = -1; /* the group that we were started in, once it is ours to divide */
static char root_path[CGROUP_FOLDER_MAX]; /* its folder */
static bool opened;
static struct err refusal;
static atomic_uint_fast64_t runs;

/* ---- files ---- */

/* Reads a file of the kernel's, which comes whole at once. 0 or -errno. */
static int read_at(int folder, const char *path, char *text, size_t size)
{
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t n = 0;
    ssize_t got = 1;
    while (got > 0 && n < size - 1) { /* mountinfo may come in pieces */
        got = read(fd, text + n, size - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    int rc = got < 0 ? -errno : 0;
    (void)close(fd); /* only read */
    text[n] = '\0';
    return rc;
}

static int write_at(int folder, const char *path, const char *text)
{
    int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int rc = write(fd, text, strlen(text)) < 0 ? -errno : 0;
    (void)close(fd); /* nothing is buffered */
    return rc;
}

static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += n)
        if ((at == text || at[-1] == ' ') && strchr(" \n", at[n])) /* or its end */
            return true;
    return false;
}

/* The number behind "name " at the start of a line; 0 without. */
static int64_t number_of(const char *text, const char *name)
{
    size_t n = strlen(name);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, n) == 0 && line[n] == ' ')
            return strtoll(line + n + 1, NULL, 10);
    }
    return 0;
}

/* ---- where ---- */

/* A mount of version 2: "ID PARENT DEVICE ROOT FOLDER … - cgroup2 …". */
static bool read_mount(const char *line, char *root, char *folder)
{
    const char *end = strchr(line, '\n'), *kind = strstr(line, " - cgroup2 ");
    return kind && (!end || kind < end) &&
           sscanf(line, "%*s %*s %*s %4095s %4095s", root, folder) == 2;
}

int cgroup_locate(const char *cgroup, const char *mountinfo, char *ret, size_t size)
{
    char root[CGROUP_FOLDER_MAX], folder[CGROUP_FOLDER_MAX];
    const char *path = NULL;
    for (const char *line = cgroup; line && !path; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "0::/", 4) == 0)
            path = line + 3;
    }
    if (!path)
        return -ENOTSUP;
    size_t n = strcspn(path, "\n");
    for (const char *line = mountinfo; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (!read_mount(line, root, folder))
            continue;
        size_t above = strcmp(root, "/") == 0 ? 0 : strlen(root); /* of the path, is not shown */
        if (n < above || strncmp(path, root, above) != 0 || (n > above && path[above] != '/'))
            continue;
        int length = snprintf(ret, size, "%s%.*s", folder, (int)(n - above), path + above);
        return length > 0 && (size_t)length < size ? 0 : -ENOTSUP;
    }
    return -ENOTSUP;
}

/* ---- ours ---- */

static bool remove_group(int folder, const char *name)
{
    int64_t deadline_ns = clock_now_ns() + REMOVE_WAIT_NS;
    for (int64_t pause_ns = NS_PER_MS / 4; unlinkat(folder, name, AT_REMOVEDIR) < 0;
         pause_ns *= 2) {
        if (errno != EBUSY || clock_now_ns() > deadline_ns)
            return false;
        (void)nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL); /* the loop looks again */
    }
    return true;
}

/* Whether a group belongs to a worker that is gone. (One with our id is: we have only begun.) */
static bool is_left(const char *name)
{
    size_t n = strlen(RUN_PREFIX);
    if (strncmp(name, RUN_PREFIX, n) != 0)
        return false;
    pid_t pid = (pid_t)strtol(name + n, NULL, 10);
    return pid > 0 && (pid == getpid() || (kill(pid, 0) < 0 && errno == ESRCH));
}

/* What a worker has left that was killed here before us. */
static void remove_old(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        if (fd >= 0)
            (void)close(fd); /* only read */
        return;              /* they are in nobody's way */
    }
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char kill[300];
        if (!is_left(entry->d_name))
            continue;
        (void)snprintf(kill, sizeof kill, "%s/cgroup.kill", entry->d_name);
        if (write_at(folder, kill, "1") == 0)
            (void)remove_group(folder, entry->d_name); /* else it stays, as above */
    }
    (void)closedir(dir); /* only read */
}

static int divide(int folder, struct err *err)
{
    char text[1024] = "";
    if (faccessat(folder, "cgroup.type", F_OK, 0) < 0) /* only the first of all has none */
        return err_set(err, -ENOTSUP, "it is in the control group of the whole machine");
    int rc = read_at(folder, "cgroup.controllers", text, sizeof text);
    if (rc < 0 || !has_word(text, "memory"))
        return err_set(err, -ENOTSUP, "its control group has no memory controller");
    if (mkdirat(folder, OWN_GROUP, 0755) < 0 && errno != EEXIST)
        return err_set(err, -ENOTSUP, "its control group is not delegated to it: %s",
                       strerror(errno));
    rc = write_at(folder, OWN_GROUP "/cgroup.procs", "0");
    if (rc < 0)
        return err_set(err, -ENOTSUP, "it cannot move within its control group: %s", strerror(-rc));
    rc = write_at(folder, "cgroup.subtree_control", "+memory");
    if (rc < 0) {
        (void)!write_at(folder, "cgroup.procs", "0");    /* back to where it was; and */
        (void)unlinkat(folder, OWN_GROUP, AT_REMOVEDIR); /* if not, it is as well there */
        return err_set(err, -ENOTSUP, "it cannot divide its control group: %s",
                       rc == -EBUSY ? "other processes are in it" : strerror(-rc));
    }
    remove_old(folder);
    return 0;
}

static int open_root(struct err *err)
{
    char *cgroup = malloc(TEXT_MAX), *mountinfo = malloc(TEXT_MAX);
    int rc = cgroup && mountinfo ? 0 : -ENOMEM;
    if (rc == 0)
        rc = read_at(AT_FDCWD, "/proc/self/cgroup", cgroup, TEXT_MAX);
    if (rc == 0)
        rc = read_at(AT_FDCWD, "/proc/self/mountinfo", mountinfo, TEXT_MAX);
    if (rc == 0)
        rc = cgroup_locate(cgroup, mountinfo, root_path, sizeof root_path);
    free(cgroup);
    free(mountinfo);
    int fd = rc == 0 ? open(root_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd < 0)
        return err_set(err, -ENOTSUP, "it is in no control group of version 2 that it can see");
    rc = divide(fd, err);
    if (rc < 0)
        (void)close(fd); /* only read */
    else
        root_fd = fd;
    return rc;
}

int cgroups_open(struct err *err)
{
    if (!opened)
        (void)!open_root(&refusal); /* told below, each time */
    opened = true;
    return root_fd >= 0 ? 0 : err_set(err, -ENOTSUP, "%s", refusal.text);
}

/* ---- one ---- */

bool cgroup_begin(struct cgroup *g, int memory_mb)
{
    char bytes[32];
    *g = (struct cgroup){.fd = -1};
    if (root_fd < 0)
        return false;
    (void)snprintf(g->name, sizeof g->name, RUN_PREFIX "%d-%" PRIuFAST64, (int)getpid(),
                   atomic_fetch_add(&runs, 1));
    if (mkdirat(root_fd, g->name, 0755) < 0)
        return false;
    g->fd = openat(root_fd, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(bytes, sizeof bytes, "%" PRId64, (int64_t)memory_mb << 20);
    bool bounded = g->fd >= 0 && write_at(g->fd, "memory.max", bytes) == 0 &&
                   write_at(g->fd, "memory.oom.group", "1") == 0;
    if (bounded) {
        (void)!write_at(g->fd, "memory.swap.max", "0"); /* fails where the kernel does not swap */
        return true;
    }
    if (g->fd >= 0)
        (void)close(g->fd); /* only read */
    g->fd = -1;
    (void)unlinkat(root_fd, g->name, AT_REMOVEDIR); /* empty */
    return false;
}

const char *cgroup_entry(const struct cgroup *g, char ret[CGROUP_ENTRY_MAX])
{
    if (g->fd < 0)
        return NULL;
    (void)snprintf(ret, CGROUP_ENTRY_MAX, "%s/%s/cgroup.procs", root_path, g->name);
    return ret;
}

void cgroup_end(struct cgroup *g, struct cgroup_usage *ret)
{
    char text[1024] = "";
    *ret = (struct cgroup_usage){false, 0};
    if (g->fd < 0)
        return;
    if (read_at(g->fd, "memory.events", text, sizeof text) == 0)
        ret->killed = number_of(text, "oom_kill") > 0;
    if (read_at(g->fd, "memory.peak", text, sizeof text) == 0) /* since 5.19 */
        ret->peak_kb = strtoll(text, NULL, 10) / 1024;
    (void)!write_at(g->fd, "cgroup.kill", "1"); /* then it cannot be removed, or is empty */
    (void)close(g->fd);                         /* only read */
    g->fd = -1;
    (void)remove_group(root_fd, g->name); /* else it is removed by the next start */
}
