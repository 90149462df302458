#include "handlers/child.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/thread.h"
#include "handlers/limit.h"

enum { PARENT, CHILD }; /* whose end of a pipe */
enum { PIPES = 3, PIPES_MAX = LIMIT_REPORT_FD + 1 };

static struct mutex mutex = {PTHREAD_MUTEX_INITIALIZER};
/* guards: below, and the links of the children */
static struct child *first;
static int alive;
static bool leaving;

static void enlist(struct child *c)
{
    mutex_lock(&mutex);
    c->next = first;
    if (first)
        first->prev = c;
    first = c;
    alive++;
    if (leaving)
        child_signal(c, SIGKILL);
    mutex_unlock(&mutex);
}

/* From now on its id may become somebody else's. */
static void strike_out(struct child *c)
{
    mutex_lock(&mutex);
    if (c->prev)
        c->prev->next = c->next;
    else
        first = c->next;
    if (c->next)
        c->next->prev = c->prev;
    alive--;
    mutex_unlock(&mutex);
}

/* A pipe for one of the child's descriptors: our end does not block, its end does. That of the
 * report is waited for. */
static int open_pipe(int child_fd, int ends[2])
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    bool child_reads = child_fd == STDIN_FILENO;
    ends[PARENT] = child_reads ? fds[1] : fds[0];
    ends[CHILD] = child_reads ? fds[0] : fds[1];
    if (child_fd != LIMIT_REPORT_FD && fcntl(ends[PARENT], F_SETFL, O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

static int set_attributes(posix_spawnattr_t *attr)
{
    sigset_t none, all;
    (void)sigemptyset(&none); /* these two cannot fail */
    (void)sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attr, &none);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                POSIX_SPAWN_SETSIGDEF);
    return rc;
}

/* No end of a pipe is one of 0-2, and 3 comes last: no dup2() overwrites what another one needs. */
static int set_actions(posix_spawn_file_actions_t *actions, int pipes[][2], int n,
                       const char *workdir)
{
    int rc = 0;
    for (int fd = 0; fd < n && rc == 0; fd++)
        rc = posix_spawn_file_actions_adddup2(actions, pipes[fd][CHILD], fd);
#if __GLIBC_PREREQ(2, 34)
    /* All of ours are close-on-exec; a library or a plugin may have opened others. */
    if (rc == 0)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, n);
#endif
    if (rc == 0 && workdir)
        rc = posix_spawn_file_actions_addchdir_np(actions, workdir);
    return rc;
}

static int spawn(char *const *argv, char *const *env, const char *workdir, int pipes[][2], int n,
                 pid_t *ret)
{
    posix_spawnattr_t attr;
    posix_spawn_file_actions_t actions;
    int rc = posix_spawnattr_init(&attr);
    if (rc != 0)
        return -rc;
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = set_attributes(&attr);
        if (rc == 0)
            rc = set_actions(&actions, pipes, n, workdir);
        if (rc == 0)
            rc = posix_spawnp(ret, argv[0], &actions, &attr, argv, env);
        (void)posix_spawn_file_actions_destroy(&actions); /* frees memory, always succeeds */
    }
    (void)posix_spawnattr_destroy(&attr); /* likewise */
    return -rc;
}

int child_spawn(char *const *argv, char *const *env, const char *workdir,
                const struct bounds *bounds, struct child *ret)
{
    int pipes[PIPES_MAX][2] = {{-1, -1}, {-1, -1}, {-1, -1}, {-1, -1}};
    bool bounded = bounds_any(bounds);
    struct bounds_command *command = bounded ? bounds_command(bounds, argv) : NULL;
    int n = bounded ? PIPES_MAX : PIPES, rc = bounded && !command ? -ENOMEM : 0;
    pid_t pid = -1;
    for (int fd = 0; fd < n && rc == 0; fd++)
        rc = open_pipe(fd, pipes[fd]);
    if (rc == 0)
        rc = spawn(command ? command->argv : argv, env, workdir, pipes, n, &pid);
    free(command);
    for (int fd = 0; fd < n; fd++) {
        child_close_pipe(&pipes[fd][CHILD]);
        if (rc < 0)
            child_close_pipe(&pipes[fd][PARENT]);
    }
    if (rc < 0)
        return rc;
    *ret = (struct child){
        .pid = pid,
        .pidfd = (int)syscall(SYS_pidfd_open, pid, 0), /* close-on-exec by nature */
        .in = pipes[STDIN_FILENO][PARENT],
        .out = pipes[STDOUT_FILENO][PARENT],
        .err = pipes[STDERR_FILENO][PARENT],
    };
    enlist(ret);
    if (bounded)
        rc = bounds_await(pipes[LIMIT_REPORT_FD][PARENT]);
    child_close_pipe(&pipes[LIMIT_REPORT_FD][PARENT]);
    if (rc < 0)
        child_end(ret, NULL);
    return rc;
}

bool child_error_passes(int code)
{
    return code == -EAGAIN || code == -ENOMEM || code == -EMFILE || code == -ENFILE;
}

void child_signal(const struct child *c, int sig)
{
    (void)kill(-c->pid, sig); /* the leader is not reaped yet, so the group exists */
}

bool child_exited(const struct child *c, siginfo_t *ret)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0)
        info = (siginfo_t){0}; /* somebody reaped it: it is gone, how is unknown */
    else if (info.si_pid == 0)
        return false;
    *ret = info;
    return true;
}

void child_await_exit(const struct child *c)
{
    while (waitid(P_PID, (id_t)c->pid, &(siginfo_t){0}, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
}

void child_close_pipe(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd); /* a pipe has nothing to flush */
    *fd = -1;
}

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* Until its exec a child runs in our memory, and the kernel counts that as its peak: a peak that
 * does not exceed ours says nothing about the child. */
static void take_usage(const struct rusage *child, struct child_usage *ret)
{
    struct rusage own = {0};
    (void)getrusage(RUSAGE_SELF, &own); /* cannot fail for ourselves */
    ret->cpu_s = seconds_of(child->ru_utime) + seconds_of(child->ru_stime);
    ret->peak_rss_kb = child->ru_maxrss > own.ru_maxrss ? child->ru_maxrss : 0;
}

void child_end(struct child *c, struct child_usage *ret_usage)
{
    struct rusage used = {0};
    child_signal(c, SIGKILL);
    strike_out(c);
    while (wait4(c->pid, NULL, 0, &used) < 0 && errno == EINTR)
        continue;
    child_close_pipe(&c->pidfd);
    child_close_pipe(&c->in);
    child_close_pipe(&c->out);
    child_close_pipe(&c->err);
    if (ret_usage)
        take_usage(&used, ret_usage);
}

int child_count(void)
{
    mutex_lock(&mutex);
    int n = alive;
    mutex_unlock(&mutex);
    return n;
}

void child_kill_all(void)
{
    mutex_lock(&mutex);
    leaving = true;
    for (const struct child *c = first; c; c = c->next)
        child_signal(c, SIGKILL);
    mutex_unlock(&mutex);
}
