#include "support/worker_process.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "support/redis_fixture.h"

extern char **environ;

enum { OWN_USERS = 50000 }; /* ids from here on belong to nobody */
enum { READY_WITHIN_MS = 60000, STOP_WITHIN_MS = 60000, MAX_ARGS = 32, TAIL_BYTES = 8192 };

/* --- files --------------------------------------------------------------------------------- */

static void write_file(const char *path, const char *text)
{
    char draft[160];
    (void)snprintf(draft, sizeof draft, "%s.new", path);
    FILE *f = fopen(draft, "we");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0 || rename(draft, path) != 0)
        ck_abort_msg("%s: %s", path, strerror(errno));
}

void worker_process_rewrite(const struct worker_process *w, const char *settings)
{
    write_file(w->settings, settings);
}

static char *read_file(const char *path)
{
    struct stat st = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 ? errno != ENOENT : fstat(fd, &st) != 0)
        ck_abort_msg("%s: %s", path, strerror(errno));
    char *text = calloc((size_t)st.st_size + 1, 1);
    ck_assert_ptr_nonnull(text);
    size_t n = 0;
    ssize_t got;
    while (n < (size_t)st.st_size && (got = read(fd, text + n, (size_t)st.st_size - n)) > 0)
        n += (size_t)got;
    if (fd >= 0)
        (void)close(fd); /* only read */
    return text;
}

char *worker_process_file(const struct worker_process *w, const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", w->server->dir, name);
    return read_file(path);
}

char *worker_process_log(const struct worker_process *w)
{
    return read_file(w->log);
}

int worker_process_count(const struct worker_process *w, const char *text)
{
    int n = 0;
    char *log = worker_process_log(w);
    for (const char *at = log; (at = strstr(at, text)) != NULL; at += strlen(text))
        n++;
    free(log);
    return n;
}

bool worker_process_said(const struct worker_process *w, const char *text)
{
    return worker_process_count(w, text) > 0;
}

/* --- the children -------------------------------------------------------------------------- */

static bool names_the_same(const char *setting, const char *const *list)
{
    size_t n = strcspn(setting, "=") + 1;
    for (size_t i = 0; list && list[i]; i++)
        if (strncmp(setting, list[i], n) == 0)
            return true;
    return false;
}

/* The environment without what Sluice reads, then the address, then what the test adds. */
static char **compose_environment(const char *url, const char *const *more)
{
    static const char no_metrics[] = "SLUICE_METRICS_LISTEN=off";
    size_t n = 0, extra = 0, at = 0;
    while (environ[n])
        n++;
    while (more && more[extra])
        extra++;
    char **env = calloc(n + extra + 3, sizeof *env);
    ck_assert_ptr_nonnull(env);
    for (size_t i = 0; i < n; i++)
        if (strncmp(environ[i], "REDIS_", 6) != 0 && strncmp(environ[i], "SLUICE_", 7) != 0 &&
            !names_the_same(environ[i], more))
            env[at++] = environ[i];
    if (!names_the_same(url, more))
        env[at++] = (char *)url;
    if (!names_the_same(no_metrics, more)) /* tests run beside each other on one machine */
        env[at++] = (char *)no_metrics;
    for (size_t i = 0; i < extra; i++)
        env[at++] = (char *)more[i];
    return env;
}

/* An id of its own, and of all privileges of the super-user the one to open any file, which has to
 * be "ambient" to outlast the execve. */
static bool become_other_user(uid_t uid)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = {0};
    caps[0].permitted = caps[0].effective = caps[0].inheritable = 1U << CAP_DAC_OVERRIDE;
    return prctl(PR_SET_KEEPCAPS, 1) == 0 && syscall(SYS_setresuid, uid, uid, uid) == 0 &&
           syscall(SYS_capset, &head, caps) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0) == 0;
}

/* In the child: only async-signal-safe calls, as other threads may have held any lock. */
static _Noreturn void become_worker(const struct worker_process *w, char **argv, char **env,
                                    int log_fd, pid_t parent, const struct worker_options *o)
{
    if (o->netns > 0 && setns(o->netns, CLONE_NEWNET) != 0)
        _exit(127);
    if (w->uid != 0 && !become_other_user(w->uid))
        _exit(127);
    struct rlimit limit;
    bool limited = o->processes == 0 || getrlimit(RLIMIT_NPROC, &limit) == 0;
    limit.rlim_cur = (rlim_t)o->processes; /* the hard one stays: it may be raised again */
    if (!limited || (o->processes > 0 && setrlimit(RLIMIT_NPROC, &limit) != 0))
        _exit(127);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    (void)setpgid(0, 0); /* Ctrl-C is for the test, which then ends the worker */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* tests crash it on purpose */
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0 ||
        chdir(w->server->dir) != 0)
        _exit(127);
    (void)execve(argv[0], argv, env);
    _exit(127);
}

/* Waits for the end of the pipe. A byte before it means that all is well; else the test has failed
 * (Check leaves by _exit, which runs no handler), and the end of the log tells why. */
static _Noreturn void bear_witness(int pipe_fd, int log_fd)
{
    static const char title[] = "--- the end of the worker's log:\n", end[] = "---\n";
    char bytes[TAIL_BYTES];
    struct stat st;
    (void)setpgid(0, 0); /* Check kills the group of a failed test */
    (void)signal(SIGPIPE, SIG_IGN);
    /* Nothing else may stay open here: peers wait for the end of the test's sockets. */
    if (dup2(log_fd, 0) < 0 || dup2(pipe_fd, 1) < 0 || close_range(3, ~0U, 0) != 0)
        _exit(1);
    ssize_t n = read(1, bytes, 1);
    if (n != 0 || fstat(0, &st) != 0)
        _exit(0);
    off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
    n = pread(0, bytes, sizeof bytes, from);
    if (n > 0 && write(2, title, sizeof title - 1) > 0 && write(2, bytes, (size_t)n) > 0)
        _exit(write(2, end, sizeof end - 1) > 0 ? 0 : 1);
    _exit(1);
}

static void call_witness(struct worker_process *w, int log_fd)
{
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        pid_t again = fork(); /* so that nobody has to reap it */
        if (again != 0)
            _exit(0);
        bear_witness(fds[0], log_fd);
    }
    (void)waitpid(pid, NULL, 0); /* at once */
    (void)close(fds[0]);         /* the witness has its own */
    w->witness = fds[1];
}

void worker_process_spawn(struct worker_process *w, const struct redis_server *s,
                          const struct worker_options *o)
{
    static const struct worker_options nothing = {0};
    static int number;
    char url[256];
    char *argv[MAX_ARGS + 4] = {(char *)(o->program ? o->program : WORKER_PROGRAM)};
    int n = 1;
    o = o ? o : &nothing;
    *w = (struct worker_process){.server = s};
    number++;
    (void)snprintf(w->log, sizeof w->log, "%s/worker-%d.log", s->dir, number);
    if (o->settings) {
        (void)snprintf(w->settings, sizeof w->settings, "%s/worker-%d.yaml", s->dir, number);
        write_file(w->settings, o->settings);
        argv[n++] = (char *)"--config";
        argv[n++] = w->settings;
    }
    for (int i = 0; o->args && o->args[i]; i++) {
        ck_assert_int_lt(i, MAX_ARGS);
        argv[n++] = (char *)o->args[i];
    }
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", o->url ? o->url : s->url);
    char **env = compose_environment(url, o->env);
    int log_fd = open(w->log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (log_fd < 0)
        ck_abort_msg("%s: %s", w->log, strerror(errno));
    call_witness(w, log_fd);
    pid_t self = getpid();
    if (o->own_user && getuid() == 0)
        w->uid = OWN_USERS + (uid_t)(self % 10000);
    w->pid = fork();
    ck_assert_int_ge(w->pid, 0);
    if (w->pid == 0)
        become_worker(w, argv, env, log_fd, self, o);
    (void)close(log_fd); /* the worker has its own */
    free(env);
}

/* --- its life ------------------------------------------------------------------------------ */

bool worker_process_ended(struct worker_process *w)
{
    int status;
    if (w->pid > 0 && waitpid(w->pid, &status, WNOHANG) == w->pid) {
        w->pid = 0;
        w->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return w->pid == 0;
}

/* Its log names it: identity=host:pid:nonce. */
bool worker_process_identify(struct worker_process *w)
{
    char *log = worker_process_log(w);
    const char *at = strstr(log, "worker started");
    at = at ? strstr(at, "identity") : NULL;
    if (at) {
        at += strlen("identity");
        at += strspn(at, "=\": "); /* logfmt or JSON */
        (void)snprintf(w->identity, sizeof w->identity, "%.*s", (int)strcspn(at, "\", \n"), at);
    }
    free(log);
    return at != NULL;
}

void worker_process_wait_ready(struct worker_process *w, const char *key_prefix)
{
    struct redis_options to = server_options(w->server);
    struct redis_conn *c = must_open(&to);
    int64_t deadline_ns = clock_deadline_ms(READY_WITHIN_MS);
    while (!worker_process_identify(w) ||
           must_int(c, "EXISTS %ssluice:lease:%s", key_prefix, w->identity) == 0) {
        if (worker_process_ended(w))
            ck_abort_msg("the worker ended at once with status %d", w->status);
        if (clock_now_ns() > deadline_ns)
            ck_abort_msg("the worker is not ready");
        (void)usleep(2000);
    }
    redis_conn_free(c);
}

void worker_process_start(struct worker_process *w, const struct redis_server *s,
                          const struct worker_options *o)
{
    worker_process_spawn(w, s, o);
    worker_process_wait_ready(w, "");
}

void worker_process_signal(const struct worker_process *w, int number)
{
    ck_assert_int_gt(w->pid, 0);
    ck_assert_int_eq(kill(w->pid, number), 0);
    siginfo_t state = {0};
    const int look = WSTOPPED | WNOHANG | WNOWAIT;
    if (number == SIGSTOP) /* on a busy machine its threads go on for a while */
        wait_until(STOP_WITHIN_MS,
                   waitid(P_PID, (id_t)w->pid, &state, look) == 0 && state.si_pid == w->pid);
}

/* Only its own user may always change the limits of a process, so that is who does it. */
rlim_t worker_process_limit(const struct worker_process *w, int resource, rlim_t limit)
{
    struct rlimit old;
    int status;
    ck_assert_int_gt(w->pid, 0);
    int fds[2];
    ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) { /* only async-signal-safe calls, as above */
        struct rlimit new;
        bool done = w->uid == 0 || syscall(SYS_setresuid, w->uid, w->uid, w->uid) == 0;
        done = done && prlimit(w->pid, (enum __rlimit_resource)resource, NULL, &old) == 0;
        new = (struct rlimit){limit, old.rlim_max};
        done = done && prlimit(w->pid, (enum __rlimit_resource)resource, &new, NULL) == 0 &&
               write(fds[1], &old, sizeof old) == sizeof old;
        _exit(done ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
    ck_assert_int_eq(read(fds[0], &old, sizeof old), (ssize_t)sizeof old);
    (void)close(fds[0]); /* the value is here */
    (void)close(fds[1]);
    return old.rlim_cur;
}

void worker_process_kill(struct worker_process *w)
{
    if (w->pid <= 0)
        return;
    (void)kill(w->pid, SIGKILL); /* our unreaped child: the id is its own */
    (void)worker_process_wait(w, STOP_WITHIN_MS);
}

int worker_process_wait(struct worker_process *w, int64_t ms)
{
    wait_until(ms, worker_process_ended(w));
    return w->status;
}

int worker_process_stop(struct worker_process *w)
{
    worker_process_signal(w, SIGTERM);
    return worker_process_wait(w, STOP_WITHIN_MS);
}

void worker_process_free(struct worker_process *w)
{
    worker_process_kill(w);
    if (w->witness > 0) {
        ssize_t n = write(w->witness, "", 1);
        (void)n; /* a witness that is gone needs no word */
        (void)close(w->witness);
    }
    *w = (struct worker_process){0};
}
