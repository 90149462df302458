#include "support/redis_server.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { ANSWER_WITHIN_MS = 20000, TERM_WITHIN_MS = 5000, MAX_ARGS = 64 };

/* The process that owns a folder is part of its name. */
#define FOLDER_PREFIX "sluice-redis-"
#define FOLDER_FORMAT "/tmp/" FOLDER_PREFIX "%d-XXXXXX"

/* --- the program and its arguments --------------------------------------------------------- */

static bool find_in_path(const char *name, char *ret, size_t size)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t n = strcspn(path, ":");
        int len = snprintf(ret, size, "%.*s/%s", (int)n, path, name);
        if (len > 0 && (size_t)len < size && access(ret, X_OK) == 0)
            return true;
        path += n + (path[n] == ':');
    }
    return false;
}

static int find_program(char *ret, size_t size, struct err *err)
{
    if (find_in_path("redis-server", ret, size) || find_in_path("valkey-server", ret, size))
        return 0;
    return err_set(err, -ENOENT,
                   "neither redis-server nor valkey-server is in PATH (install redis-server)");
}

/* Below those that the kernel gives to outgoing connections (32768 and up), so that none of them
 * takes it before its server does, or while its server restarts; and each process begins at one of
 * its own, so that tests which start at the same time do not meet. */
enum { PORT_FIRST = 10000, PORT_END = 32768, PORTS_EACH = 8, PORT_TRIES = 100 };

int redis_server_free_port(void)
{
    static unsigned taken;
    int rc = -EADDRINUSE;
    for (int i = 0; rc == -EADDRINUSE && i < PORT_TRIES; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            return -errno;
        unsigned nth = (unsigned)getpid() * PORTS_EACH + taken++;
        int port = PORT_FIRST + (int)(nth % (PORT_END - PORT_FIRST));
        struct sockaddr_in at = {.sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                 .sin_port = htons((uint16_t)port)};
        rc = bind(fd, (struct sockaddr *)&at, sizeof at) == 0 ? port : -errno;
        (void)close(fd); /* nothing was sent */
    }
    return rc;
}

static bool add(char **argv, int *n, const char *text)
{
    if (*n >= MAX_ARGS)
        return false;
    argv[*n] = strdup(text);
    return argv[*n] != NULL && ++*n > 0;
}

static void free_arguments(struct redis_server *s)
{
    for (int i = 0; s->argv && s->argv[i]; i++)
        free(s->argv[i]);
    free(s->argv);
    s->argv = NULL;
}

/* A sentinel keeps what it learns in the file that it was started with. */
static int write_sentinel_file(const char *path, const char *lines, struct err *err)
{
    FILE *f = fopen(path, "we");
    bool written = f && fputs(lines, f) >= 0;
    if ((f && fclose(f) != 0) || !written)
        return err_set(err, -EIO, "%s: %s", path, strerror(errno));
    return 0;
}

static int compose(struct redis_server *s, const struct redis_server_options *o, struct err *err)
{
    s->port = o && o->tcp ? redis_server_free_port() : 0;
    if (s->port < 0)
        return err_set(err, s->port, "no free port: %s", strerror(-s->port));
    char program[512], port[16];
    int rc = find_program(program, sizeof program, err);
    if (rc != 0)
        return rc;
    (void)snprintf(port, sizeof port, "%d", s->port);
    const char *const fixed[] = {
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--unixsocket",
        s->socket,
        "--unixsocketperm",
        "700",
        "--dir",
        s->dir,
        "--logfile",
        "log",
        "--save",
        "",
        "--appendonly",
        "no",
        "--maxmemory-policy",
        "noeviction",
        NULL,
    };
    free_arguments(s);
    s->argv = calloc(MAX_ARGS + 1, sizeof *s->argv);
    if (!s->argv)
        return err_set(err, -ENOMEM, "no memory");
    int n = 0;
    bool added = add(s->argv, &n, program);
    if (o && o->sentinel) {
        char path[sizeof s->dir + 16];
        (void)snprintf(path, sizeof path, "%s/sentinel.conf", s->dir);
        rc = write_sentinel_file(path, o->sentinel, err);
        if (rc != 0)
            return rc;
        added = added && add(s->argv, &n, path) && add(s->argv, &n, "--sentinel");
    }
    for (int i = 0; added && fixed[i]; i++)
        added = add(s->argv, &n, fixed[i]);
    if (!added)
        return err_set(err, -ENOMEM, "no memory");
    const char *const *extra = o ? o->extra : NULL;
    for (int i = 0; extra && extra[i]; i++)
        if (!add(s->argv, &n, extra[i]))
            return err_set(err, -E2BIG, "more than %d arguments for redis-server", MAX_ARGS);
    return 0;
}

/* --- the process --------------------------------------------------------------------------- */

/* In the child, where only async-signal-safe calls are allowed: other threads may have held any
 * lock at the fork. posix_spawn() has no way to ask for the death signal. */
static _Noreturn void become_server(char *const *argv, pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died before the line above */
        _exit(127);
    (void)setpgid(0, 0); /* Ctrl-C is for the test, which then ends the server */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit of file sizes is an error, as a full disk is */
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null, fd);
    (void)execv(argv[0], argv);
    _exit(127);
}

static bool has_ended(struct redis_server *s)
{
    if (s->pid > 0 && waitpid(s->pid, NULL, WNOHANG) == s->pid)
        s->pid = 0;
    return s->pid == 0;
}

/* True when a PING on a new connection is answered at all: "-NOAUTH" and "-LOADING" are answers. */
static bool answers(const struct redis_server *s)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    (void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", s->socket);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    char byte;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    bool yes = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0 &&
               send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 && poll(&p, 1, 1000) == 1 &&
               recv(fd, &byte, 1, 0) == 1 && (byte == '+' || byte == '-');
    (void)close(fd);
    return yes;
}

static int explain_end(const struct redis_server *s, struct err *err)
{
    char path[96], line[256], last[256] = "no log";
    (void)snprintf(path, sizeof path, "%s/log", s->dir);
    FILE *log = fopen(path, "re");
    while (log && fgets(line, sizeof line, log)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            memcpy(last, line, sizeof last);
    }
    if (log)
        (void)fclose(log);
    return err_set(err, -ECHILD, "%s ended at once: %s", s->argv[0], last);
}

int redis_server_restart(struct redis_server *s, struct err *err)
{
    (void)unlink(s->socket); /* a killed server leaves it; it may not be there */
    pid_t self = getpid();
    s->pid = fork();
    if (s->pid < 0) {
        s->pid = 0;
        return err_set(err, -errno, "fork: %s", strerror(errno));
    }
    if (s->pid == 0)
        become_server(s->argv, self);

    int64_t deadline_ns = clock_deadline_ms(ANSWER_WITHIN_MS);
    while (!answers(s)) {
        if (has_ended(s))
            return explain_end(s, err);
        if (clock_now_ns() > deadline_ns) {
            redis_server_kill(s);
            return err_set(err, -ETIMEDOUT, "%s did not answer", s->argv[0]);
        }
        (void)usleep(2000);
    }
    return 0;
}

static void reap(struct redis_server *s)
{
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
}

void redis_server_kill(struct redis_server *s)
{
    if (s->pid == 0)
        return;
    (void)kill(s->pid, SIGKILL); /* it is our unreaped child: the id is still its own */
    reap(s);
}

void redis_server_stop(struct redis_server *s)
{
    if (s->pid == 0)
        return;
    (void)kill(s->pid, SIGTERM);
    (void)kill(s->pid, SIGCONT); /* in case it is paused */
    int64_t deadline_ns = clock_deadline_ms(TERM_WITHIN_MS);
    while (!has_ended(s) && clock_now_ns() < deadline_ns)
        (void)usleep(2000);
    redis_server_kill(s);
}

void redis_server_pause(struct redis_server *s)
{
    int status;
    if (s->pid > 0 && kill(s->pid, SIGSTOP) == 0) /* wait until it really stands still */
        (void)waitpid(s->pid, &status, WUNTRACED);
}

void redis_server_resume(struct redis_server *s)
{
    if (s->pid > 0)
        (void)kill(s->pid, SIGCONT);
}

/* --- start and end ------------------------------------------------------------------------- */

/* Removes the folder; its depth is one, apart from Redis' appendonlydir. */
static void remove_tree(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *e;
    while (dir && (e = readdir(dir)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        char child[512];
        (void)snprintf(child, sizeof child, "%s/%s", path, e->d_name);
        if (unlink(child) != 0)
            remove_tree(child);
    }
    if (dir)
        (void)closedir(dir);
    (void)rmdir(path); /* what is left behind in a temporary folder breaks nothing */
}

/* Removes what tests have left that were killed: folders whose owner is gone. */
static void sweep(void)
{
    DIR *tmp = opendir("/tmp");
    struct dirent *e;
    while (tmp && (e = readdir(tmp)) != NULL) {
        int owner;
        char path[320];
        if (sscanf(e->d_name, FOLDER_PREFIX "%d-", &owner) == 1 && owner > 0 &&
            kill(owner, 0) != 0 && errno == ESRCH) {
            (void)snprintf(path, sizeof path, "/tmp/%s", e->d_name);
            remove_tree(path);
        }
    }
    if (tmp)
        (void)closedir(tmp);
}

int redis_server_start(struct redis_server *s, const struct redis_server_options *o,
                       struct err *err)
{
    *s = (struct redis_server){0};
    sweep();
    char dir[sizeof s->dir]; /* short: the path of a socket has at most 107 bytes */
    (void)snprintf(dir, sizeof dir, FOLDER_FORMAT, (int)getpid());
    if (!mkdtemp(dir))
        return err_set(err, -errno, "mkdtemp: %s", strerror(errno));
    (void)snprintf(s->dir, sizeof s->dir, "%s", dir);
    (void)snprintf(s->socket, sizeof s->socket, "%s/r.sock", dir);
    (void)snprintf(s->url, sizeof s->url, "unix://%s", s->socket);
    /* A free port may be taken by another process before the server binds it: try another. */
    int rc;
    int tries = o && o->tcp ? 3 : 1;
    do {
        rc = compose(s, o, err);
        if (rc == 0)
            rc = redis_server_restart(s, err);
    } while (rc == -ECHILD && --tries > 0);
    if (rc != 0)
        redis_server_free(s);
    return rc;
}

void redis_server_free(struct redis_server *s)
{
    redis_server_kill(s);
    if (s->dir[0])
        remove_tree(s->dir);
    free_arguments(s);
    *s = (struct redis_server){0};
}
