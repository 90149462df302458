#include "verdict.h"

#include <stdio.h>
#include <string.h>

#include "soak.h"

enum {
    DRAIN_MS = SLOW * 90000,
    BROKEN_DRAIN_MS = 1000, /* what they hold; then it is in vain */
    RETRIES_MS = SLOW * 60000,
    EMPTY_MS = SLOW * 30000,
    AFTER_MS = 1500, /* long enough for what should not run to begin */
    LONG_RUN_MIN = 2,
};

static size_t count_keys(struct soak *s, const char *pattern)
{
    struct reply *keys = NULL;
    if (!soak_ask(s, &keys, "KEYS %s", pattern))
        return 1;
    size_t n = reply_count(keys);
    reply_free(keys);
    return n;
}

static bool queues_are_empty(struct soak *s)
{
    return count_keys(s, "queue:*") == 0 && count_keys(s, "schedule") == 0 &&
           count_keys(s, "sluice:trial:*") == 0 && count_keys(s, "sluice:claim:*") == 0;
}

static bool within(struct soak *s, int64_t ms, bool (*is)(struct soak *s))
{
    int64_t deadline_ns = clock_deadline_ms(ms);
    while (!is(s)) {
        if (clock_now_ns() > deadline_ns)
            return false;
        recovery_step(s);
        oracle_read(&s->oracle);
        (void)usleep(10000);
    }
    return true;
}

/* Streams and states of jobs go by themselves, the counters of deliveries after days. */
static size_t left_in_books(struct soak *s, bool say)
{
    struct reply *keys = NULL;
    if (!soak_ask(s, &keys, "KEYS sluice:*"))
        return 1;
    size_t n = 0;
    for (size_t i = 0; i < reply_count(keys); i++) {
        const char *key = reply_str(reply_at(keys, i)).p;
        if (strncmp(key, "sluice:deliveries:", 18) == 0)
            continue;
        n++;
        if (say)
            soak_complain(s, "left in the books: %s", key);
    }
    reply_free(keys);
    return n;
}

static bool books_are_empty(struct soak *s)
{
    return left_in_books(s, false) == 0;
}

static bool nothing_to_retry(struct soak *s)
{
    return soak_count(s, "ZCARD retry") == 0;
}

static void drain(struct soak *s)
{
    if (!within(s, DRAIN_MS, queues_are_empty))
        soak_complain(s, "jobs are left in queues or claims");
    if (!oracle_drain(&s->oracle, s->options.broken ? BROKEN_DRAIN_MS : DRAIN_MS))
        return; /* what is missing is lost */
    if (s->options.minutes >= LONG_RUN_MIN && !within(s, RETRIES_MS, nothing_to_retry))
        soak_complain(s, "retries do not come to an end");
    if (!within(s, DRAIN_MS, queues_are_empty))
        soak_complain(s, "jobs are left in queues or claims though all have ended");
    oracle_close(&s->oracle);
    (void)usleep(AFTER_MS * 1000);
}

static void judge_jobs(struct soak *s, const struct oracle_figures *f)
{
    int64_t processed = soak_count(s, "GET stat:processed");
    if (f->lost > 0)
        soak_complain(s, "%zu jobs were lost", f->lost);
    if (f->unexpected > 0)
        soak_complain(s, "%zu executions of jobs that nobody pushed", f->unexpected);
    if (f->duplicates > s->allowed)
        soak_complain(s, "%zu repetitions, and the faults explain %zu", f->duplicates, s->allowed);
    if (f->revived > 0)
        soak_complain(s, "%zu jobs ran again after they were done", f->revived);
    if (f->misplaced > 0)
        soak_complain(s, "%zu jobs are twice in retry and dead, or in the wrong one", f->misplaced);
    if (!s->options.broken && processed != (int64_t)f->settled)
        soak_complain(s, "%lld ends were written, of %zu attempts", (long long)processed,
                      f->settled);
}

static void judge_faults(struct soak *s)
{
    const struct chaos *c = &s->chaos;
    for (int i = 0; i < c->nkinds; i++)
        if (c->bit[c->kind[i]] == 0)
            soak_complain(s, "%s never bit in %u tries", faults[c->kind[i]].name,
                          c->injected[c->kind[i]]);
}

static void print_line(struct soak *s, const struct oracle_figures *f)
{
    char all[96], undisturbed[96];
    const struct recovery *r = &s->recovery;
    (void)printf(
        "soak: seed %llu, %.1f min: %zu jobs (%zu acknowledged), %zu executions; lost %zu, "
        "unexpected %zu, duplicated %zu (at most %zu), misplaced %zu; %zu kills took %zu "
        "jobs, begun again: %s (%zu undisturbed: %s)",
        (unsigned long long)s->options.seed, s->options.minutes, s->oracle.njobs, f->acked,
        f->executions, f->lost, f->unexpected, f->duplicates, s->allowed, f->misplaced, r->kills,
        r->jobs, times_text(&s->recovery.all, all, sizeof all), r->undisturbed.n,
        times_text(&s->recovery.undisturbed, undisturbed, sizeof undisturbed));
    for (int i = 0; i < CREW_LASTING; i++) {
        const struct vital *v = &s->vitals.member[i];
        (void)printf("; worker %d: RSS %lld to %lld KB, descriptors %d to %d", i,
                     (long long)v->warm_kb, (long long)v->end_kb, v->fds_begin, v->fds_end);
    }
    (void)printf("; %u pairs; faults that bit, of those injected:", s->chaos.pairs);
    for (int i = 0; i < nfaults; i++)
        if (s->chaos.injected[i] > 0)
            (void)printf(" %s %u/%u", faults[i].name, s->chaos.bit[i], s->chaos.injected[i]);
    (void)printf("\n");
}

bool verdict(struct soak *s)
{
    drain(s);
    recovery_end(s);
    struct oracle_figures f = oracle_figures(&s->oracle);
    judge_jobs(s, &f);
    judge_faults(s);
    if (!s->options.broken)
        vitals_judge(s);
    crew_stop(s);
    if (!within(s, EMPTY_MS, books_are_empty))
        (void)left_in_books(s, true);
    print_line(s, &f);
    return s->complaints == 0;
}
