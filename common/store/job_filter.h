/*
 * Which jobs of a set are meant: by class, by the class of their error, by queue, by age.
 *
 * The age counts from when a job came to where it is, as the job itself tells: its last failure in
 * `retry` and `dead`, its making in `schedule`. A job that tells no such time has no age, and a
 * filter by age leaves it out; what is no job passes an empty filter only.
 *
 * Threads: pure functions. Ownership: a filter borrows its texts.
 */
#ifndef SLUICE_STORE_JOB_FILTER_H
#define SLUICE_STORE_JOB_FILTER_H

#include <stdbool.h>

#include "job/envelope.h"
#include "store/sets.h"

struct job_filter {
    const char *klass, *error_class, *queue; /* NULL: any */
    double before, after;                    /* Unix seconds by Redis' clock; 0: any */
};

bool job_filter_is_empty(const struct job_filter *f);
bool job_filter_meets(const struct job_filter *f, enum job_set set, const struct envelope *e);

/* What the filter goes by, for showing it. */
struct job_story {
    char error_class[JOB_CLASS_MAX]; /* cut; "" without one */
    char error[256];                 /* its message, likewise */
    double came_at;                  /* 0: unknown */
};
void job_story_read(enum job_set set, const struct envelope *e, struct job_story *ret);

#endif
