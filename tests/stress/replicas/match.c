#include "match.h"

#include <stdlib.h>
#include <string.h>

#include "fleet.h"

enum { AT_ONCE = 500, WITHIN_MS = SLOW * 120000 };

static void push(struct fleet *f, int jobs)
{
    static const char job[] =
        "{\"class\":\"test\",\"jid\":\"0123456789abcdef01234567\",\"args\":[{}]}";
    for (int left = jobs; left > 0; left -= AT_ONCE) {
        struct command cmd = {0};
        command_text(&cmd, "LPUSH");
        command_text(&cmd, "queue:default");
        for (int i = 0; i < AT_ONCE && i < left; i++)
            command_text(&cmd, job);
        ck_assert_int_eq(redis_call(f->redis, &cmd, NULL, NULL), 0);
        command_release(&cmd);
    }
}

static void set_quiet(struct fleet *f, bool large, bool quiet)
{
    int from = large ? f->replicas.n : 0, to = large ? f->replicas.n : f->replicas.n - 1;
    for (int i = from; i <= to; i++)
        replica_set_quiet(f, i, quiet);
}

/* Everybody is quiet before, and after. */
static double play(struct fleet *f, bool large)
{
    int64_t before = must_int(f->redis, "GET stat:processed");
    push(f, f->match.jobs);
    int64_t began_ns = clock_now_ns(), deadline_ns = clock_deadline_ms(WITHIN_MS);
    set_quiet(f, large, false);
    while (must_int(f->redis, "GET stat:processed") < before + f->match.jobs) {
        ck_assert(clock_now_ns() < deadline_ns);
        watch_step(f);
        (void)usleep(1000);
    }
    double took_s = (double)(clock_now_ns() - began_ns) / (double)NS_PER_S;
    set_quiet(f, large, true);
    return f->match.jobs / took_s;
}

void match_play(struct fleet *f, int jobs, int pairs)
{
    struct match *m = &f->match;
    m->jobs = jobs;
    set_quiet(f, false, true);
    for (int i = 0; i < pairs && m->n < MATCH_PAIRS_MAX; i++, m->n++) {
        bool large_first = i % 2 == 1;
        double first = play(f, large_first), second = play(f, !large_first);
        m->fleet[m->n] = large_first ? second : first;
        m->large[m->n] = large_first ? first : second;
        m->ratio[m->n] = m->fleet[m->n] / m->large[m->n];
    }
    set_quiet(f, false, false);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, int n)
{
    double sorted[MATCH_PAIRS_MAX];
    memcpy(sorted, values, (size_t)n * sizeof *values);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    return n > 0 ? sorted[n / 2] : 0;
}

struct match_result match_result(struct fleet *f)
{
    const struct match *m = &f->match;
    return (struct match_result){.fleet = median(m->fleet, m->n),
                                 .large = median(m->large, m->n),
                                 .ratio = median(m->ratio, m->n)};
}
