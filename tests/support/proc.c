#include "support/proc.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH = 64, TEXT = 4096 };

/* A file of /proc/PID as far as it fits; "" when the process is gone. */
static void read_text(pid_t pid, const char *name, char ret[TEXT])
{
    char path[PATH];
    ssize_t n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        n = read(fd, ret, TEXT - 1); /* made for one read(2) */
        (void)close(fd);             /* only read */
    }
    ret[n > 0 ? n : 0] = '\0';
}

/* ---- memory ---- */

static int64_t status_kb(pid_t pid, const char *field)
{
    char text[TEXT];
    read_text(pid, "status", text);
    const char *at = strstr(text, field);
    return at ? strtoll(at + strlen(field), NULL, 10) : 0;
}

int64_t proc_peak_kb(pid_t pid)
{
    return status_kb(pid, "\nVmHWM:");
}

/* ---- descriptors ---- */

static int count_descriptors(pid_t pid, bool sockets)
{
    char path[PATH];
    struct stat st;
    int n = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    int own = pid == getpid() ? dirfd(dir) : -1;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] != '.' && (int)strtol(e->d_name, NULL, 10) != own)
            n += sockets || (fstatat(dirfd(dir), e->d_name, &st, 0) == 0 && !S_ISSOCK(st.st_mode));
    (void)closedir(dir); /* only read */
    return n;
}

int proc_descriptors(pid_t pid)
{
    return count_descriptors(pid, true);
}

int proc_files(pid_t pid)
{
    return count_descriptors(pid, false);
}

int proc_free_descriptor(pid_t pid)
{
    char path[PATH];
    int n = 0;
    do
        (void)snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, n++);
    while (faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return n - 1;
}

/* ---- life ---- */

struct life {
    char state; /* 'Z': a zombie; '\0': gone */
    int parent;
};

static struct life life_of(pid_t pid)
{
    char text[TEXT];
    struct life life = {0};
    read_text(pid, "stat", text);
    const char *after_name = strrchr(text, ')'); /* which may have blanks and brackets itself */
    if (!after_name || sscanf(after_name + 1, " %c %d", &life.state, &life.parent) != 2)
        life.state = '\0';
    return life;
}

bool proc_is_gone(pid_t pid)
{
    char state = life_of(pid).state;
    return state == '\0' || state == 'Z' || state == 'X';
}

/* The children that are zombies, or that are not. Returns how many, and one of them. */
static int count_children(pid_t parent, bool zombies, pid_t *ret_one)
{
    int n = 0;
    DIR *dir = opendir("/proc");
    for (const struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        pid_t pid = (pid_t)strtol(e->d_name, NULL, 10);
        struct life life = pid > 0 ? life_of(pid) : (struct life){0};
        if (life.state == '\0' || life.parent != parent || (life.state == 'Z') != zombies)
            continue;
        *ret_one = pid;
        n++;
    }
    if (dir)
        (void)closedir(dir); /* only read */
    return n;
}

int proc_zombies(pid_t parent)
{
    pid_t one;
    return count_children(parent, true, &one);
}

pid_t proc_child(pid_t parent)
{
    pid_t one = 0;
    return count_children(parent, false, &one) > 0 ? one : 0;
}
