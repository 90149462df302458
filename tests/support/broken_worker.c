#include "support/broken_worker.h"

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM TEST_BINARY_DIR "/tests/broken-worker"

void broken_worker_note(const char *log, const char *jid, const char *what)
{
    FILE *f = fopen(log, "ae");
    if (f) {
        (void)fprintf(f, "%s 1 %ld %s\n", jid, (long)getpid(), what); /* one write at the close */
        (void)fclose(f);
    }
}

pid_t broken_worker_start(const char *url, const char *log, int64_t job_ms)
{
    char ms[24], parent[24];
    (void)snprintf(ms, sizeof ms, "%lld", (long long)job_ms);
    (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
    char *const argv[] = {(char *)PROGRAM, (char *)url, (char *)log, ms, parent, NULL};
    posix_spawn_file_actions_t actions;
    int begun[2];
    char byte;
    pid_t pid;
    ck_assert_int_eq(pipe2(begun, O_CLOEXEC), 0);
    ck_assert_int_eq(posix_spawn_file_actions_init(&actions), 0);
    ck_assert_int_eq(posix_spawn_file_actions_adddup2(&actions, begun[1], STDOUT_FILENO), 0);
    ck_assert_int_eq(posix_spawn(&pid, PROGRAM, &actions, NULL, argv, environ), 0);
    (void)posix_spawn_file_actions_destroy(&actions); /* cannot fail */
    (void)close(begun[1]);
    ck_assert_int_eq(read(begun[0], &byte, 1), 0); /* it has closed its end */
    (void)close(begun[0]);
    return pid;
}

void broken_worker_kill(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
