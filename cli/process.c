#include "cli/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child, up to exec. Returns an errno only. */
static int become(const char *const *argv, int output_fd, pid_t parent)
{
    sigset_t none;
    if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
        return errno;
    if (getppid() != parent) /* it died before prctl() could be told of it */
        return ESRCH;
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
        return errno;
    if (output_fd >= 0 &&
        (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(output_fd, STDERR_FILENO) < 0))
        return errno;
    if (signal(SIGPIPE, SIG_DFL) == SIG_ERR || sigemptyset(&none) != 0 ||
        sigprocmask(SIG_SETMASK, &none, NULL) != 0)
        return errno;
    (void)execvp(argv[0], (char *const *)argv); /* comes back only to fail */
    return errno;
}

int process_start(struct process *p, const char *name, const char *const *argv, int output_fd,
                  struct err *err)
{
    int report[2]; /* carries the errno of a failed exec; exec closes it */
    if (pipe2(report, O_CLOEXEC) != 0)
        return err_set(err, -errno, "pipe: %s", strerror(errno));
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        int code = become(argv, output_fd, parent);
        (void)!write(report[1], &code, sizeof code); /* then the exit status must do */
        _exit(127);
    }
    int fork_errno = errno;
    (void)close(report[1]); /* nothing written by us */
    if (pid < 0) {
        (void)close(report[0]);
        return err_set(err, -fork_errno, "fork: %s", strerror(fork_errno));
    }
    int code = 0;
    ssize_t n;
    do
        n = read(report[0], &code, sizeof code);
    while (n < 0 && errno == EINTR);
    (void)close(report[0]);
    if (n == (ssize_t)sizeof code) {
        (void)waitpid(pid, NULL, 0); /* it is ours and has nothing more to tell */
        return err_set(err, -code, "%s: %s", argv[0], strerror(code));
    }
    *p = (struct process){.name = name, .pid = pid};
    return 0;
}

void process_reap(struct process *p)
{
    if (process_runs(p) && waitpid(p->pid, &p->status, WNOHANG) == p->pid)
        p->ended = true;
}

void process_signal(const struct process *p, int signal)
{
    if (process_runs(p)) /* it may have ended since: then it is a zombie, which ignores it */
        (void)kill(signal == SIGKILL ? -p->pid : p->pid, signal);
}

void process_put_end(const struct process *p, struct buf *out)
{
    if (WIFSIGNALED(p->status))
        buf_printf(out, "was killed by signal %d (%s)", WTERMSIG(p->status),
                   strsignal(WTERMSIG(p->status)));
    else
        buf_printf(out, "exited with status %d", WEXITSTATUS(p->status));
}
