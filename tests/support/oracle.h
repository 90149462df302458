/*
 * The oracle of the fault tests: what was pushed, what ran, and whether the two agree.
 *
 * After Jepsen's total-queue. The pusher notes each job before the push and its acknowledgement
 * after it; the test plugin (plugins/testplugin.c) appends "JID ATTEMPT PID start" and "… end" to a
 * file that every worker shares. After a full drain:
 *
 *   lost        acknowledged, and neither at rest nor in retry or dead: a job is at rest when it
 * has ended as often as was expected of it, once, or once for each attempt that fails unexpected
 * ran, and nobody has tried to push it duplicates  executions beyond one per job and attempt
 *   misplaced   in retry or dead twice, or in the wrong one, or missing from dead
 *   revived     begun again after oracle_close() although they were at rest
 *
 * Jobs that were pushed in an interval which the fault takes back (the unsynced tail of a file) may
 * be missing without being lost; they are counted as `tail`.
 *
 * A worker is right when lost and unexpected are 0 and duplicates stay within what the fault
 * allows. tests/fault/test_oracle.c shows that the oracle can fail.
 *
 * A jid is a salt and a running number, so a line of the file finds its job without a search; what
 * is asked for all the time is counted while the file is read. A million jobs take 20 MB.
 *
 * Threads: one. Ownership: embedded; oracle_release() frees. The pusher has a connection of its
 * own, straight to the server, which it opens anew after a fault.
 */
#ifndef SLUICE_TESTS_ORACLE_H
#define SLUICE_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/redis_fixture.h"

enum { ORACLE_JID = 24 };

struct oracle_job {
    uint32_t attempts; /* those that began, as bits */
    uint32_t settled;  /* those that came to their own end */
    unsigned starts;   /* executions begun */
    unsigned ends;     /* … and come to their own end */
    bool acked;
    bool dies;    /* its place is `dead` when it is at rest */
    uint8_t owes; /* attempts until it is at rest */
    uint8_t kept; /* entries in retry and dead, as of the last look … */
    bool dead;    /* … of these one in dead */
    bool buried;  /* … because its workers died */
};

struct oracle {
    const struct redis_server *server;
    int replicas; /* a push is acknowledged when so many of them have it as well */
    struct redis_conn *conn;
    char log[128];
    char salt[ORACLE_JID - 8 + 1];
    struct oracle_job *jobs;
    size_t njobs, cap;
    size_t tail_from, tail_to;                      /* jobs that may go missing: none when equal */
    size_t acked, started, running, ended, missing; /* missing: acknowledged and not at rest */
    size_t unexpected, revived, ndead;
    size_t offset; /* of the log: what has been read */
    bool closed;
};

struct oracle_figures {
    size_t acked, executions, ended, kept;
    size_t lost, unexpected, duplicates;
    size_t tail; /* acknowledged, and went with the tail */
    size_t misplaced, revived;
    size_t settled; /* attempts that ended, each counted once, and burials: stat:processed */
};

void oracle_init(struct oracle *o, const struct redis_server *s);
void oracle_release(struct oracle *o);

/* From now on this server is pushed to and asked. */
void oracle_follow(struct oracle *o, const struct redis_server *s);

/* A new job of class "test", noted as about to be pushed; args are members of the plugin's object,
 * as JSON text without braces, or "". ret_jid may be NULL. free() the payload. */
char *oracle_payload(struct oracle *o, const char *queue, const char *args,
                     char ret_jid[ORACLE_JID + 1]);
/* The same without a payload, for those who make their own. Its first attempts - 1 runs fail; the
 * last one ends well, or in `dead`. */
void oracle_expect(struct oracle *o, unsigned attempts, bool dies, char ret_jid[ORACLE_JID + 1]);
/* What was made last has been acknowledged by Redis. */
void oracle_ack(struct oracle *o, size_t jobs);

/* What is pushed from here, and up to there, may go missing. */
void oracle_tail_begins(struct oracle *o);
void oracle_tail_ends(struct oracle *o);

/* Pushes one job. False when that was not acknowledged. */
bool oracle_push(struct oracle *o, const char *queue, const char *args);
/* Pushes n of them, many in one command; fails the test when one is not acknowledged. */
void oracle_push_many(struct oracle *o, const char *queue, const char *args, int n);

/* The log as it is now. */
void oracle_read(struct oracle *o);
/* Executions that are under way or were cut short: starts less ends. */
size_t oracle_running(struct oracle *o);
size_t oracle_started(struct oracle *o);
size_t oracle_ended(struct oracle *o);

/* From now on, no job that is at rest may begin again. */
void oracle_close(struct oracle *o);

/* The job of this jid, until the next one is made; NULL: none of ours. */
const struct oracle_job *oracle_find(struct oracle *o, const char *jid);

/* Waits until no acknowledged job is missing, the tail's apart; false after ms. */
bool oracle_drain(struct oracle *o, int64_t ms);
struct oracle_figures oracle_figures(struct oracle *o);
/* Prints the figures in one line; fails the test on anything lost or unexpected, and on more than
 * max_duplicates. */
struct oracle_figures oracle_check(struct oracle *o, const char *title, size_t max_duplicates);

#endif
