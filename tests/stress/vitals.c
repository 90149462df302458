#include "vitals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/process.h"
#include "soak.h"
#include "support/proc.h"

enum {
    EVERY_MS = 500,
    REST_MS = 2000,                /* idle connections are closed after one second */
    BACK_WITHIN_MS = SLOW * 30000, /* … unless a beacon uses them just then */
    GROWTH_PERCENT = 5,
    GROWTH_FLOOR_KB = 1024,
    JUDGED_MIN = 10,
};

static pid_t pid_of(struct soak *s, int i)
{
    return s->crew.member[i].process.pid;
}

void vitals_at_rest(struct soak *s)
{
    (void)usleep(REST_MS * 1000);
    int64_t until_ns = clock_deadline_ms(REST_MS);
    do {
        for (int i = 0; i < CREW_LASTING; i++) {
            int n = proc_descriptors(pid_of(s, i));
            if (n > s->vitals.member[i].fds_begin)
                s->vitals.member[i].fds_begin = n;
        }
        (void)usleep(10000);
    } while (clock_now_ns() < until_ns);
}

void vitals_step(struct soak *s)
{
    if (clock_now_ns() < s->vitals.next_ns)
        return;
    s->vitals.next_ns = clock_deadline_ms(EVERY_MS);
    for (int i = 0; i < CREW_LASTING; i++) {
        struct vital *v = &s->vitals.member[i];
        v->sample_kb[v->nsamples++ % VITALS_SAMPLES] = process_rss_kb(pid_of(s, i));
    }
}

int64_t vitals_now_kb(const struct soak *s, int member)
{
    const struct vital *v = &s->vitals.member[member];
    return v->nsamples ? v->sample_kb[(v->nsamples - 1) % VITALS_SAMPLES] : 0;
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int64_t median(const struct vital *v)
{
    int64_t sorted[VITALS_SAMPLES];
    size_t n = v->nsamples < VITALS_SAMPLES ? v->nsamples : VITALS_SAMPLES;
    memcpy(sorted, v->sample_kb, sizeof sorted);
    qsort(sorted, n, sizeof *sorted, compare);
    return n ? sorted[n / 2] : 0;
}

void vitals_warm(struct soak *s)
{
    for (int i = 0; i < CREW_LASTING; i++)
        s->vitals.member[i].warm_kb = median(&s->vitals.member[i]);
}

void vitals_end(struct soak *s)
{
    for (int i = 0; i < CREW_LASTING; i++)
        s->vitals.member[i].end_kb = median(&s->vitals.member[i]);
}

static void judge_descriptors(struct soak *s, int i)
{
    struct vital *v = &s->vitals.member[i];
    int64_t deadline_ns = clock_deadline_ms(BACK_WITHIN_MS);
    do {
        v->fds_end = proc_descriptors(pid_of(s, i));
        (void)usleep(10000);
    } while (v->fds_end > v->fds_begin && clock_now_ns() < deadline_ns);
    if (v->fds_end > v->fds_begin)
        soak_complain(s, "worker %d has %d descriptors at the end, and had %d at first", i,
                      v->fds_end, v->fds_begin);
}

void vitals_judge(struct soak *s)
{
    for (int i = 0; i < CREW_LASTING; i++) {
        const struct vital *v = &s->vitals.member[i];
        int64_t most_kb = v->warm_kb * GROWTH_PERCENT / 100;
        if (most_kb < GROWTH_FLOOR_KB)
            most_kb = GROWTH_FLOOR_KB;
        judge_descriptors(s, i);
        bool judged = SLOW == 1 && s->options.minutes >= JUDGED_MIN;
        if (judged && v->end_kb > v->warm_kb + most_kb)
            soak_complain(s, "worker %d has grown from %lld to %lld KB (%lld more are allowed)", i,
                          (long long)v->warm_kb, (long long)v->end_kb, (long long)most_kb);
    }
}
