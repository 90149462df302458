/*
 * The soak: mixed jobs under random faults, alone and in overlapping pairs, for as long as one
 * likes.
 *
 *   load      pushes jobs of every kind, at a bounded rate            load.h
 *   crew      the workers, half of them behind a proxy                crew.h
 *   chaos     decides from the seed which fault comes when            chaos.h
 *   faults    the table of faults: each injects, undoes, and          faults.h
 *             says whether it bit
 *   recovery  how long the jobs of a killed worker take               recovery.h
 *   vitals    memory and descriptors of workers that are never killed vitals.h
 *   verdict   the drain, the books, the line of figures               verdict.h
 *
 * One thread drives all of it in small steps, so nothing here may wait: whoever asks Redis does so
 * through soak_ask(), which gives up soon. What went wrong is collected and told at the end;
 * the run goes on, as the next minute may tell more.
 *
 * Every decision follows from the printed seed: which fault, when after the one before, how long,
 * on whom; which jobs in which order. Only what the machine does in between is not repeatable.
 */
#ifndef SLUICE_TESTS_STRESS_SOAK_H
#define SLUICE_TESTS_STRESS_SOAK_H

#include <stdbool.h>
#include <stdint.h>

#include "support/oracle.h"
#include "support/proxy.h"

#include "chaos.h"
#include "crew.h"
#include "load.h"
#include "recovery.h"
#include "vitals.h"

struct soak_options {
    double minutes;
    uint64_t seed;
    int workers;
    int rate;           /* jobs per second at most */
    const char *faults; /* names with commas between; NULL: all */
    bool broken;        /* workers that lose jobs on purpose */
    bool keep;          /* the folder with the logs */
};

struct soak {
    struct soak_options options;
    struct redis_server server;
    struct redis_conn *conn; /* of soak_ask(); NULL: to be opened */
    struct proxy proxy;
    char proxy_url[64];
    struct oracle oracle;
    struct load load;
    struct crew crew;
    struct chaos chaos;
    struct recovery recovery;
    struct vitals vitals;
    size_t allowed; /* repetitions, by what the faults took away from workers */
    int complaints;
};

/* A command straight to the server. False when there was no answer within a fraction of a second,
 * or an error; a reply (may be NULL) is the caller's. */
bool soak_ask(struct soak *s, struct reply **ret, const char *fmt, ...);
/* The same for numbers; -1 without an answer. */
int64_t soak_count(struct soak *s, const char *fmt, ...) printf_like(2, 3);
/* A field of INFO as a number; -1 without an answer, 0 when there is none. */
int64_t soak_info(struct soak *s, const char *section, const char *field);

/* Something is wrong: printed now, and the end of the run is a failure. */
void soak_complain(struct soak *s, const char *fmt, ...) printf_like(2, 3);

#endif
