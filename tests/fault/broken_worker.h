/*
 * A worker as one must not write it: BRPOP, then run. Between the two, and until the end of the
 * run, the job is nowhere but in its memory. The oracle must find that out (test_oracle.c).
 *
 * It leaves the same lines in the oracle's log as the test plugin does, and never returns.
 */
#ifndef SLUICE_TESTS_FAULT_BROKEN_WORKER_H
#define SLUICE_TESTS_FAULT_BROKEN_WORKER_H

#include "stage.h"

static void broken_note(const char *log, const char *jid, const char *what)
{
    FILE *f = fopen(log, "ae");
    if (f) {
        (void)fprintf(f, "%s 1 %ld %s\n", jid, (long)getpid(), what); /* one write at the close */
        (void)fclose(f);
    }
}

static _Noreturn void broken_worker(const struct redis_options *to, const char *log, int64_t job_ms)
{
    struct redis_conn *c = NULL;
    for (;;) {
        while (!c || redis_conn_broken(c)) {
            redis_conn_free(c);
            c = NULL;
            if (redis_conn_open(to, &c, NULL) != 0)
                hold_ms(1);
        }
        struct reply *r = NULL;
        if (redis_callf(c, &r, NULL, "BRPOP queue:default 5") != 0)
            continue;
        const char *at = strstr(reply_str(reply_at(r, 1)).p, "\"jid\":\"");
        if (at) {
            char jid[ORACLE_JID + 1];
            (void)snprintf(jid, sizeof jid, "%s", at + 7);
            broken_note(log, jid, "start");
            hold_ms(job_ms);
            broken_note(log, jid, "end");
        }
        reply_free(r);
    }
}

#endif
