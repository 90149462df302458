#include "support/broken_worker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "support/oracle.h"

void broken_worker_note(const char *log, const char *jid, const char *what)
{
    FILE *f = fopen(log, "ae");
    if (f) {
        (void)fprintf(f, "%s 1 %ld %s\n", jid, (long)getpid(), what); /* one write at the close */
        (void)fclose(f);
    }
}

static struct redis_conn *connect_again(struct redis_conn *c, const struct redis_options *to)
{
    while (!c || redis_conn_broken(c)) {
        redis_conn_free(c);
        c = NULL;
        if (redis_conn_open(to, &c, NULL) != 0)
            (void)usleep(1000);
    }
    return c;
}

static _Noreturn void work(const struct redis_options *to, const char *log, int64_t job_ms)
{
    struct redis_conn *c = NULL;
    for (;;) {
        struct reply *r = NULL;
        c = connect_again(c, to);
        if (redis_callf(c, &r, NULL, "BRPOP queue:default 5") != 0)
            continue;
        const char *at = strstr(reply_str(reply_at(r, 1)).p, "\"jid\":\"");
        if (at) {
            char jid[ORACLE_JID + 1];
            (void)snprintf(jid, sizeof jid, "%s", at + 7);
            broken_worker_note(log, jid, "start");
            (void)usleep((unsigned)job_ms * 1000);
            broken_worker_note(log, jid, "end");
        }
        reply_free(r);
    }
}

pid_t broken_worker_start(const struct redis_options *to, const char *log, int64_t job_ms)
{
    pid_t self = getpid();
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() == self)
            work(to, log, job_ms);
        _exit(1);
    }
    return pid;
}

void broken_worker_kill(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
