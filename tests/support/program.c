#include "support/program.h"

#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "support/support.h"

enum { PATIENCE_MS = 90000 }; /* more than a browser's, which says what it waits for */

static int memory_file(const char *name, struct slice content)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, content.n ? content.p : "", content.n, 0), (ssize_t)content.n);
    return fd;
}

void program_start(struct program *p, const char *const *argv)
{
    char path[4096], home[4096];
    char *envp[PROGRAM_ENV_MAX + 3];
    int n = 0;
    (void)snprintf(path, sizeof path, "PATH=%s", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    (void)snprintf(home, sizeof home, "HOME=%s", getenv("HOME") ? getenv("HOME") : "/");
    envp[n++] = path;
    envp[n++] = home;
    for (int i = 0; p->env[i]; i++)
        envp[n++] = (char *)p->env[i];
    envp[n] = NULL;

    int in_fd = memory_file("stdin", p->input);
    p->out_fd = memory_file("stdout", (struct slice){NULL, 0});
    p->err_fd = memory_file("stderr", (struct slice){NULL, 0});
    posix_spawn_file_actions_t actions;
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, in_fd, 0), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, p->out_fd, 1), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, p->err_fd, 2), 0);
    int rc = posix_spawn(&p->pid, argv[0], &actions, NULL, (char *const *)argv, envp);
    if (rc != 0)
        ck_abort_msg("%s: %s", argv[0], strerror(rc));
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(in_fd); /* the child has its own */
}

static void read_file(int fd, char **ret, size_t *ret_n)
{
    struct stat st;
    ck_assert_int_eq(fstat(fd, &st), 0);
    size_t n = (size_t)st.st_size;
    free(*ret);
    *ret = calloc(n + 1, 1);
    ck_assert_ptr_nonnull(*ret);
    /* The child writes at the offset that it shares with us, so we read beside it. */
    ssize_t got = pread(fd, *ret, n, 0);
    ck_assert_int_ge(got, 0);
    *ret_n = (size_t)got;
}

void program_read(struct program *p)
{
    read_file(p->out_fd, &p->out, &p->out_n);
    read_file(p->err_fd, &p->err, &p->err_n);
}

bool program_ended(struct program *p, int *ret_status)
{
    int status;
    pid_t pid = waitpid(p->pid, &status, WNOHANG);
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        return false;
    p->ended = true;
    *ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

int program_wait(struct program *p)
{
    int status = -1;
    int64_t deadline_ns = clock_deadline_ms(PATIENCE_MS);
    while (!program_ended(p, &status)) {
        if (clock_now_ns() > deadline_ns) {
            program_read(p);
            ck_abort_msg("it has not ended after %d s; it said: %s%s", PATIENCE_MS / 1000, p->out,
                         p->err);
        }
        (void)usleep(2000);
    }
    program_read(p);
    return status;
}

void program_end(struct program *p)
{
    if (p->pid > 0 && !p->ended && kill(p->pid, SIGKILL) == 0)
        (void)waitpid(p->pid, NULL, 0); /* killed: its status tells nothing */
    if (p->pid > 0) {
        (void)close(p->out_fd); /* in memory */
        (void)close(p->err_fd);
    }
    free(p->out);
    free(p->err);
    *p = (struct program){0};
}
