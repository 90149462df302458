/*
 * peers: other job systems on a backlog of no-op jobs of about 200 bytes, and ours beside them, in
 * turn, on the same Redis: jobs per second, memory of all worker processes, Redis' time for a job.
 *
 * Each peer is set up as its users would for speed, and drains as many jobs as take it some
 * seconds: what counts is the rate. One that is not installed is left out, and said to be;
 * bench/peers installs them all.
 *
 * Usage: peers [JOBS [RUNS [PEER,PEER…]]]   (JOBS: the largest backlog of a peer)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "key_figures.h"
#include "peer.h"

enum { RUNS_MAX = 50, OURS_TIMES = 3 };

static const struct peer sidekiq = {
    .key = "sidekiq",
    .name = "Sidekiq, as installed, 10 threads",
    .processes = 1,
    .fill = {"/usr/bin/ruby", PEER_SCRIPT("sidekiq_noop.rb"), "fill"},
    .work = {"/usr/bin/sidekiq", "-r", PEER_SCRIPT("sidekiq_noop.rb")},
    .left = {{"LLEN", "queue:default"}}, /* the last few are in the processes */
    .failed = {"ZCARD", "retry"},
};

static const struct peer sidekiq_fast = {
    .key = "sidekiq_fast",
    .name = "Sidekiq, 2 x 25 threads, YJIT, hiredis",
    .processes = 2,
    .fill = {"/usr/bin/ruby", PEER_SCRIPT("sidekiq_noop.rb"), "fill"},
    .work = {"/usr/bin/env", "BENCH_FAST=1", "RUBYOPT=--yjit", "/usr/bin/sidekiq", "-c", "25", "-r",
             PEER_SCRIPT("sidekiq_noop.rb")},
    .left = {{"LLEN", "queue:default"}},
    .failed = {"ZCARD", "retry"},
};

static const struct peer bullmq = {
    .key = "bullmq",
    .name = "BullMQ, concurrency 100",
    .safe = true,
    .processes = 1,
    .fill = {"node", PEER_SCRIPT("bullmq_noop.js"), "fill"},
    .work = {"node", PEER_SCRIPT("bullmq_noop.js"), "work"},
    .left = {{"LLEN", "bull:bench:wait"}, {"LLEN", "bull:bench:active"}},
    .failed = {"ZCARD", "bull:bench:failed"},
};

static const struct peer bee = {
    .key = "bee",
    .name = "bee-queue, 2 x concurrency 100",
    .safe = true,
    .processes = 2,
    .fill = {"node", PEER_SCRIPT("bee_noop.js"), "fill"},
    .work = {"node", PEER_SCRIPT("bee_noop.js"), "work"},
    .left = {{"LLEN", "bq:bench:waiting"}, {"LLEN", "bq:bench:active"}},
    .failed = {"SCARD", "bq:bench:failed"},
};

static const struct peer rq = {
    .key = "rq",
    .name = "RQ, 2 SimpleWorkers",
    .processes = 2,
    .fill = {"/usr/bin/python3", PEER_SCRIPT("rq_noop.py"), "fill"},
    .work = {"/usr/bin/python3", PEER_SCRIPT("rq_noop.py"), "work"},
    .left = {{"LLEN", "rq:queue:bench"}, {"ZCARD", "rq:wip:bench"}},
    .failed = {"ZCARD", "rq:failed:bench"},
};

/* Of the largest backlog each gets a part, so that none takes much longer than the others. */
static const struct {
    const struct peer *peer;
    int part;
} all[] = {
    {&sidekiq, 2}, {&sidekiq_fast, 1}, {&bullmq, 1}, {&bee, 1}, {&peer_celery, 12}, {&rq, 30},
};
enum { ALL = sizeof all / sizeof *all };

struct result {
    bool wanted, missing;
    double per_s[RUNS_MAX], redis_us[RUNS_MAX], rss_kib[RUNS_MAX];
};

static struct result ours, results[ALL];

static bool is_named(const char *list, const char *key)
{
    size_t n = strlen(key);
    for (const char *at = list; (at = strstr(at, key)) != NULL; at += n)
        if ((at == list || at[-1] == ',') && (at[n] == '\0' || at[n] == ','))
            return true;
    return false;
}

static void measure_ours(struct lab *lab, int jobs, int run)
{
    struct lab_drain r = lab_drain(lab, "", jobs, "noop");
    ours.per_s[run] = r.per_s;
    ours.redis_us[run] = r.redis_us;
    ours.rss_kib[run] = (double)r.rss_kb;
}

static void measure_peer(struct lab *lab, int which, int jobs, int run)
{
    struct result *result = &results[which];
    struct peer_drain r;
    if (!result->wanted || result->missing)
        return;
    if (!peer_drain(lab, all[which].peer, jobs / all[which].part, &r)) {
        result->missing = true;
        return;
    }
    result->per_s[run] = r.per_s;
    result->redis_us[run] = r.redis_us;
    result->rss_kib[run] = (double)r.rss_kb;
}

static double show(const char *name, bool safe, struct result *r, int runs)
{
    double rate = lab_median(r->per_s, runs);
    printf("  %-38s  %-10s  %9.0f jobs/s  %6.1f MiB  %6.1f us", name, safe ? "yes" : "no", rate,
           lab_median(r->rss_kib, runs) / 1024, lab_median(r->redis_us, runs));
    return rate;
}

static void show_all(int runs)
{
    printf("  %-38s  %-10s  %16s  %10s  %9s  %s\n", "", "crash-safe", "", "memory", "Redis/job",
           "ours");
    double rate = show("Sluice, 1 worker, 100 threads", true, &ours, runs), best_sidekiq = 0;
    printf("\n");
    key_figure(rate, "per_s");
    for (int i = 0; i < ALL; i++) {
        const struct peer *p = all[i].peer;
        if (!results[i].wanted)
            continue;
        if (results[i].missing) {
            printf("  %-38s  cannot be run; see " PEER_LOG "\n", p->name);
            continue;
        }
        double theirs = show(p->name, p->safe, &results[i], runs);
        printf("  %.1f x\n", rate / theirs);
        key_figure(theirs, "%s_per_s", p->key);
        key_figure(rate / theirs, "%s_ratio", p->key);
        if (p == &sidekiq_fast || p == &sidekiq)
            best_sidekiq = theirs > best_sidekiq ? theirs : best_sidekiq;
    }
    if (best_sidekiq > 0) {
        key_figure(best_sidekiq, "sidekiq_best_per_s");
        key_figure(rate / best_sidekiq, "sidekiq_best_ratio");
    }
}

int main(int argc, char **argv)
{
    int jobs = argc > 1 ? atoi(argv[1]) : 100000;
    int runs = argc > 2 ? atoi(argv[2]) : 3;
    struct lab lab;
    int wanted = 0;
    for (int i = 0; i < ALL; i++) {
        results[i].wanted = argc <= 3 || is_named(argv[3], all[i].peer->key);
        wanted += results[i].wanted;
    }
    if (jobs < 5000 || runs < 1 || runs > RUNS_MAX || wanted == 0)
        lab_fail("usage: peers [JOBS [RUNS [PEER,PEER...]]]   (JOBS from 5000, RUNS 1..%d, peers: "
                 "sidekiq, sidekiq_fast, bullmq, bee, celery, rq)",
                 RUNS_MAX);
    (void)remove(PEER_LOG); /* of the last time */
    lab_open(&lab, NULL);
    for (int run = 0; run < runs; run++) {
        measure_ours(&lab, jobs * OURS_TIMES, run);
        for (int i = 0; i < ALL; i++)
            measure_peer(&lab, i, jobs, run);
    }
    lab_close(&lab);
    printf("no-op jobs of about 200 bytes, medians of %d runs\n", runs);
    show_all(runs);
    key_figures_print();
    return 0;
}
