/*
 * How long it takes until the jobs of a killed worker are begun again.
 *
 * At the kill it is noted which jobs lay in the claims of the dead, and how often each had begun;
 * the time is that of the last of them to begin once more. A job whose end was on its way to Redis
 * when its worker died is not begun again: so a case is closed when the dead has left the books and
 * nothing more has begun for a while, and only jobs that did begin count.
 *
 * A case is undisturbed when no fault but kills was under way from the kill to its end.
 */
#ifndef SLUICE_TESTS_STRESS_RECOVERY_H
#define SLUICE_TESTS_STRESS_RECOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "support/oracle.h"

#include "times.h"

struct soak;

enum { RECOVERY_CASES = 8, RECOVERY_JOBS = 256 };

struct recovery_case {
    char identity[384]; /* "": free */
    bool read;          /* its claims have been */
    bool disturbed;
    int64_t killed_ns, last_ns, gone_ns; /* gone: out of the books */
    size_t jobs, begun;
    struct {
        char jid[ORACLE_JID + 1];
        unsigned starts;
        bool begun;
    } job[RECOVERY_JOBS];
};

struct recovery {
    struct recovery_case cases[RECOVERY_CASES];
    struct times all, undisturbed;
    size_t kills, jobs, unmeasured;
    int64_t next_ns;
};

void recovery_begin(struct soak *s, const char *identity); /* it has just been killed */
void recovery_step(struct soak *s);
void recovery_end(struct soak *s); /* closes what is open, as all jobs have ended */
void recovery_release(struct soak *s);

#endif
