/*
 * The broken worker (support/broken_worker.h): URL LOG JOB_MS PARENT_PID. Whatever goes wrong with
 * its connection, it connects again and goes on.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "redis/conn.h"
#include "support/broken_worker.h"
#include "support/oracle.h"

enum { TIMEOUT_MS = 60000 };

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

int main(int argc, char **argv)
{
    struct redis_options to = {.connect_timeout_ms = TIMEOUT_MS, .socket_timeout_ms = TIMEOUT_MS};
    char *storage = NULL;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc != 5 || getppid() != (pid_t)strtol(argv[4], NULL, 10) || /* it died meanwhile */
        redis_url_parse(argv[1], &to, &storage, NULL) != 0)
        return 1;
    (void)close(STDOUT_FILENO); /* who started us waits for that */
    work(&to, argv[2], strtoll(argv[3], NULL, 10));
}
