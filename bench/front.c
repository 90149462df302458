#include "front.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

extern char **environ;

enum { START_MS = 10000, SETTINGS_MAX = 160 };

int front_dial(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        lab_fail("no socket: %s", strerror(errno));
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    (void)close(fd); /* never connected */
    return -1;
}

pid_t front_spawn(char *const *argv, const char *log, int port)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log,
                                              O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (rc == 0)
        rc = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    if (rc != 0)
        lab_fail("cannot start %s: %s", argv[0], strerror(rc));
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    int64_t deadline = clock_deadline_ms(START_MS);
    int fd;
    while ((fd = front_dial(port)) < 0) {
        if (clock_now_ns() > deadline || waitpid(pid, NULL, WNOHANG) == pid)
            lab_fail("%s did not start; see %s", argv[0], log);
        (void)usleep(1000);
    }
    (void)close(fd); /* it serves */
    return pid;
}

void front_open(struct front *f, struct lab *lab, const char *yaml)
{
    char name[] = BENCH_BUILD_DIR "/bin/sluice-api", config[] = "--config", flag[] = "--listen";
    char settings[SETTINGS_MAX], log[SETTINGS_MAX], listen[32];
    char *argv[] = {name, config, settings, flag, listen, NULL};
    f->port = redis_server_free_port();
    (void)snprintf(settings, sizeof settings, "%s/api.yaml", lab->server.dir);
    (void)snprintf(log, sizeof log, "%s/api.log", lab->server.dir);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", f->port);
    FILE *file = fopen(settings, "we");
    if (!file)
        lab_fail("cannot write %s", settings);
    (void)fprintf(file, "redis: {url: \"%s\"}\n%s", lab->server.url, yaml);
    (void)fclose(file);
    f->pid = front_spawn(argv, log, f->port);
}

void front_close(struct front *f)
{
    int status;
    (void)kill(f->pid, SIGTERM);
    if (waitpid(f->pid, &status, 0) != f->pid || !WIFEXITED(status) || WEXITSTATUS(status) != 0)
        lab_fail("sluice-api did not stop cleanly");
}
