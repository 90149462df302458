#include "cli/tail_jobs.h"

#include <stdlib.h>

#include "base/hash.h"

/* ---- places ---- */

static void leave(struct tail_jobs *jobs, struct tail_job *job)
{
    struct tail_list *list = &jobs->place[job->place];
    *(job->prev ? &job->prev->next : &list->first) = job->next;
    *(job->next ? &job->next->prev : &list->last) = job->prev;
}

static void enter(struct tail_jobs *jobs, struct tail_job *job, enum tail_place place)
{
    struct tail_list *list = &jobs->place[place];
    job->place = place;
    job->prev = list->last;
    job->next = NULL;
    *(list->last ? &list->last->next : &list->first) = job;
    list->last = job;
}

static void move(struct tail_jobs *jobs, struct tail_job *job, enum tail_place place)
{
    leave(jobs, job);
    enter(jobs, job, place);
}

struct tail_job *tail_jobs_first(const struct tail_jobs *jobs)
{
    return jobs->place[TAIL_LINE].first;
}

static bool is_due(const struct tail_job *job)
{
    return !job->labelled || (job->wanted && job->known > job->shown);
}

void tail_jobs_settle(struct tail_jobs *jobs, struct tail_job *job)
{
    bool passed = job->labelled && !job->wanted;
    /* What is not labelled by now has nothing to show yet. */
    move(jobs, job,
         job->labelled && is_due(job) ? TAIL_LINE
         : passed                     ? TAIL_PASSED
                                      : TAIL_FOLLOWED);
}

void tail_jobs_look_again(struct tail_jobs *jobs)
{
    for (struct tail_job *job = jobs->place[TAIL_FOLLOWED].first, *next; job; job = next) {
        next = job->next;
        if (job->end == JOB_GOES_ON)
            move(jobs, job, TAIL_LINE);
    }
    for (int b = 0; b < TAIL_BUCKETS; b++)
        for (struct tail_job *job = jobs->bucket[b]; job; job = job->in_bucket)
            job->told = 0;
}

/* ---- jobs ---- */

static struct tail_job **bucket_of(struct tail_jobs *jobs, struct slice jid)
{
    return &jobs->bucket[hash_short(jid) % TAIL_BUCKETS];
}

static struct tail_job *find(struct tail_jobs *jobs, struct slice jid)
{
    struct tail_job *job = *bucket_of(jobs, jid);
    while (job && !slice_is(jid, job->jid))
        job = job->in_bucket;
    return job;
}

static void release(struct tail_job *job)
{
    free(job->klass);
    free(job->queue);
    free(job);
}

/* Makes room for one more. False when all wait in line. */
static bool forget_one(struct tail_jobs *jobs)
{
    struct tail_job *job = jobs->place[TAIL_PASSED].first;
    if (!job) {
        job = jobs->place[TAIL_FOLLOWED].first;
        if (!job)
            return false;
        if (job->heard_ns > jobs->forgot_ns)
            jobs->forgot_ns = job->heard_ns;
    }
    struct tail_job **at = bucket_of(jobs, slice_of(job->jid));
    while (*at != job)
        at = &(*at)->in_bucket;
    *at = job->in_bucket;
    leave(jobs, job);
    release(job);
    jobs->n--;
    return true;
}

/* In line, as nothing is known of it. NULL when there is no room. */
static struct tail_job *add(struct tail_jobs *jobs, struct slice jid)
{
    if (jobs->n >= TAIL_JOBS_MAX && !forget_one(jobs))
        return NULL;
    struct tail_job *job = calloc(1, sizeof *job + jid.n + 1);
    if (!job)
        return NULL;
    struct tail_job **bucket = bucket_of(jobs, jid);
    memcpy(job->jid, jid.p, jid.n);
    job->shown = -1;
    job->in_bucket = *bucket;
    *bucket = job;
    jobs->n++;
    enter(jobs, job, TAIL_LINE);
    return job;
}

int tail_jobs_add(struct tail_jobs *jobs, struct slice jid)
{
    struct tail_job *job = find(jobs, jid);
    if (job)
        move(jobs, job, TAIL_LINE);
    return job || add(jobs, jid) ? 0 : -ENOMEM;
}

void tail_jobs_hear(struct tail_jobs *jobs, struct slice jid, int64_t length, int64_t now_ns)
{
    struct tail_job *job = find(jobs, jid);
    if (!job)
        job = add(jobs, jid);
    if (!job) {
        jobs->left_out++;
        return;
    }
    bool anew = job->told > 0 && length <= job->told;
    job->told = length;
    job->heard_ns = now_ns;
    if (anew && job->shown > 0)
        job->shown = 0;
    if (anew || length > job->known)
        job->known = length;
    if (anew)
        job->end = JOB_GOES_ON;
    if (job->place == TAIL_LINE)
        return;
    move(jobs, job, is_due(job) ? TAIL_LINE : job->place); /* where it is, it is now the last */
}

void tail_jobs_release(struct tail_jobs *jobs)
{
    for (int b = 0; b < TAIL_BUCKETS; b++)
        for (struct tail_job *job = jobs->bucket[b], *next; job; job = next) {
            next = job->in_bucket;
            release(job);
        }
    *jobs = (struct tail_jobs){0};
}
