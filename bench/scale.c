/*
 * scale: what a no-op job costs as more of something comes, beside the floor (floor.h).
 *
 *   backlog   jobs that wait, 10^4 to 10^7
 *   queues    1 to 100, served in strict order, the jobs spread evenly over them
 *   last      1 to 100, all jobs in the last of them
 *   replicas  1 to 16 workers, all on this machine
 *   payload   100 bytes to 1 MB a job, the same bytes in all
 *
 * A run works off about --jobs jobs: a longer backlog in part, so that it stays about that long; a
 * shorter one again and again. Floor and worker alternate, so that drift of the machine meets both,
 * and each figure is the median of --runs. Nobody works while jobs are pushed.
 *
 * Prints a table of tab-separated values, a line for each point and side (processor time in
 * microseconds a job), and behind each curve how flat it is: cost is the processor time of the
 * workers and of Redis together, and +-N % that every point lies within N % of the middle between
 * the least and the greatest. Payload is no such curve: more bytes cost more.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "base/buf.h"
#include "fleet.h"
#include "floor.h"
#include "key_figures.h"

enum { RUNS_MAX = 50, QUEUES_MAX = 100, POINTS_MAX = 8, FLOOR_CONNS = 2 };

/* Of a waiting job of some 200 bytes, with room for what Redis needs besides. */
enum { BYTES_WAITING = 400 };

static int runs = 3;
static int64_t jobs_a_run = 200000, backlog_max = 10000000;
static int64_t payload_total = 200000000;

struct point {
    int64_t x;
    int64_t backlog;
    int queues, replicas, bytes;
    bool last; /* all of it in the last queue */
};

struct curve {
    const char *name;
    void (*set)(struct point *p);
    bool flat; /* is to be */
    int64_t x[POINTS_MAX];
};

static char names[QUEUES_MAX][8];
static const char *queues[QUEUES_MAX];

/* ---- one run ---- */

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int filled(const struct point *p)
{
    return p->last ? 1 : p->queues;
}

/* Whole jobs in each of the queues that are filled. */
static int64_t laid_out(const struct point *p)
{
    return p->backlog / filled(p) * filled(p);
}

static int64_t round_jobs(const struct point *p)
{
    return p->bytes > 0 ? laid_out(p) : smaller(laid_out(p), jobs_a_run);
}

static int rounds_of(const struct point *p)
{
    return p->bytes > 0 || p->backlog >= jobs_a_run ? 1 : (int)(jobs_a_run / p->backlog);
}

/* What is missing of the backlog. */
static void top_up(struct lab *lab, const struct point *p)
{
    for (int i = p->queues - filled(p); i < p->queues; i++) {
        struct backlog b = {.queue = queues[i], .klass = "noop", .bytes = p->bytes};
        int64_t there = lab_int(lab, "LLEN queue:%s", queues[i]);
        backlog_push(lab, &b, laid_out(p) / filled(p) - there);
    }
}

/* The sum over rounds; figures are of each job. */
static void add(struct lab_drain *sum, const struct lab_drain *round, int rounds)
{
    sum->per_s += 1 / round->per_s / rounds;
    sum->cpu_us += round->cpu_us / rounds;
    sum->redis_us += round->redis_us / rounds;
}

static struct lab_drain run_floor(struct lab *lab, const struct point *p)
{
    struct lab_drain sum = {0};
    int rounds = rounds_of(p);
    struct floor_load load = {.replicas = p->replicas,
                              .conns = FLOOR_CONNS,
                              .queues = queues,
                              .nqueues = p->queues,
                              .jobs = round_jobs(p)};
    for (int i = 0; i < rounds; i++) {
        top_up(lab, p);
        struct lab_drain round = floor_drain(lab, &load);
        add(&sum, &round, rounds);
    }
    sum.per_s = 1 / sum.per_s;
    return sum;
}

static void settings(struct buf *yaml, const struct point *p)
{
    buf_puts(yaml, "worker: {queues: [");
    for (int i = 0; i < p->queues; i++)
        buf_printf(yaml, "%s%s", i ? ", " : "", queues[i]);
    buf_puts(yaml, "]}\n");
    if (buf_error(yaml) != 0)
        lab_fail("no memory");
}

static struct lab_drain work_round(struct fleet *f, const struct point *p)
{
    struct lab *lab = f->lab;
    fleet_hold(f);
    top_up(lab, p);
    int64_t began = lab_int(lab, "GET stat:processed");
    struct lab_watch watch = lab_watch(lab, f->pids, f->n);
    fleet_go(f);
    int64_t done = fleet_wait_processed(f, began + round_jobs(p)) - began;
    return lab_watched(lab, &watch, f->pids, f->n, done);
}

static struct lab_drain run_workers(struct lab *lab, const struct point *p)
{
    struct lab_drain sum = {0};
    struct buf yaml = {0};
    struct fleet fleet;
    int rounds = rounds_of(p);
    settings(&yaml, p);
    fleet_start(&fleet, lab, p->replicas, buf_str(&yaml));
    (void)work_round(&fleet, &(struct point){.backlog = 2000,
                                             .queues = p->queues,
                                             .replicas = p->replicas,
                                             .last = p->last}); /* warm */
    for (int i = 0; i < rounds; i++) {
        struct lab_drain round = work_round(&fleet, p);
        add(&sum, &round, rounds);
    }
    fleet_stop(&fleet);
    buf_release(&yaml);
    if (lab_int(lab, "EXISTS retry dead") != 0)
        lab_fail("a job failed");
    sum.per_s = 1 / sum.per_s;
    return sum;
}

/* ---- a point, and a curve ---- */

struct side {
    const char *name;
    double per_s[RUNS_MAX], cpu_us[RUNS_MAX], redis_us[RUNS_MAX];
};

static void note(struct side *s, int run, struct lab_drain r)
{
    s->per_s[run] = r.per_s;
    s->cpu_us[run] = r.cpu_us;
    s->redis_us[run] = r.redis_us;
}

/* Returns the cost. */
static double print_side(const struct curve *c, const struct point *p, struct side *s)
{
    double cpu_us = lab_median(s->cpu_us, runs), redis_us = lab_median(s->redis_us, runs);
    printf("%s\t%" PRId64 "\t%s\t%.3f\t%.3f\t%.0f\n", c->name, p->x, s->name, cpu_us, redis_us,
           lab_median(s->per_s, runs));
    (void)fflush(stdout);
    return cpu_us + redis_us;
}

static void print_flatness(const char *curve, const char *side, const double *cost, int n)
{
    double least = cost[0], most = cost[0];
    for (int i = 1; i < n; i++) {
        least = cost[i] < least ? cost[i] : least;
        most = cost[i] > most ? cost[i] : most;
    }
    double percent = 100 * (most - least) / (most + least);
    printf("# %s, %s: %.2f to %.2f us a job, +-%.0f %%: %s\n", curve, side, least, most, percent,
           percent <= 10   ? "flat"
           : percent <= 20 ? "flat within 20 %"
                           : "not flat");
    key_figure(percent, "%s_%s_percent", curve, side);
}

static void measure(struct lab *lab, const struct curve *c)
{
    static struct side floor = {.name = "floor"}, worker = {.name = "worker"};
    double floor_cost[POINTS_MAX], worker_cost[POINTS_MAX];
    int n = 0;
    for (; n < POINTS_MAX && c->x[n] > 0; n++) {
        struct point p = {.x = c->x[n], .backlog = jobs_a_run, .queues = 1, .replicas = 1};
        c->set(&p);
        if (p.bytes == 0 && p.backlog > backlog_max) {
            printf("# %s: %" PRId64 " and more left out\n", c->name, p.x);
            break;
        }
        lab_flush(lab);
        for (int i = 0; i < runs; i++) {
            note(&floor, i, run_floor(lab, &p));
            note(&worker, i, run_workers(lab, &p));
        }
        floor_cost[n] = print_side(c, &p, &floor);
        worker_cost[n] = print_side(c, &p, &worker);
    }
    if (c->flat && n > 1) {
        print_flatness(c->name, "floor", floor_cost, n);
        print_flatness(c->name, "worker", worker_cost, n);
    }
}

static void set_backlog(struct point *p)
{
    p->backlog = p->x;
}

static void set_queues(struct point *p)
{
    p->queues = (int)p->x;
}

static void set_last(struct point *p)
{
    p->queues = (int)p->x;
    p->last = true;
}

static void set_replicas(struct point *p)
{
    p->replicas = (int)p->x;
}

static void set_payload(struct point *p)
{
    p->bytes = (int)p->x;
    p->backlog = payload_total / p->bytes;
}

static const struct curve curves[] = {
    {"backlog", set_backlog, true, {10000, 100000, 1000000, 10000000}},
    {"queues", set_queues, true, {1, 3, 10, 30, 100}},
    {"last", set_last, true, {1, 3, 10, 30, 100}},
    {"replicas", set_replicas, true, {1, 2, 4, 8, 16}},
    {"payload", set_payload, false, {100, 1000, 10000, 100000, 1000000}},
};

enum { NCURVES = sizeof curves / sizeof *curves };

/* ---- the program ---- */

static _Noreturn void usage(void)
{
    lab_fail("usage: scale [--runs N] [--jobs N] [--max JOBS] [--bytes N] [CURVE...]\n"
             "  --runs   of each point (3; at most %d)\n"
             "  --jobs   of a run, about (200000)\n"
             "  --max    of the longest backlog (10000000, or what free memory allows)\n"
             "  --bytes  of payload in all, of that curve (200000000)\n"
             "  CURVE    backlog, queues, last, replicas, payload (all)",
             RUNS_MAX);
}

static int64_t number(const char *text)
{
    char *end;
    int64_t n = strtoll(text, &end, 10);
    if (*end || n < 1)
        usage();
    return n;
}

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {{"runs", required_argument, NULL, 'r'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"max", required_argument, NULL, 'm'},
                                            {"bytes", required_argument, NULL, 'b'},
                                            {0}};
    int c;
    while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
        int64_t n = c == '?' ? 0 : number(optarg);
        if (c == 'r' && n <= RUNS_MAX)
            runs = (int)n;
        else if (c == 'j')
            jobs_a_run = n;
        else if (c == 'm')
            backlog_max = n;
        else if (c == 'b')
            payload_total = n;
        else
            usage();
    }
}

static int64_t free_memory(void)
{
    long long kb = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %lld kB", &kb) == 1)
            break;
    if (f)
        (void)fclose(f);
    return kb * 1024;
}

static bool wanted(const char *name, int argc, char **argv)
{
    bool found = optind == argc;
    for (int i = optind; i < argc; i++)
        found = found || strcmp(argv[i], name) == 0;
    return found;
}

static void check_names(int argc, char **argv)
{
    for (int i = optind; i < argc; i++) {
        bool known = false;
        for (int c = 0; c < NCURVES; c++)
            known = known || strcmp(argv[i], curves[c].name) == 0;
        if (!known)
            usage();
    }
}

int main(int argc, char **argv)
{
    struct lab lab;
    read_options(argc, argv);
    check_names(argc, argv);
    for (int i = 0; i < QUEUES_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "q%03d", i);
        queues[i] = names[i];
    }
    backlog_max = smaller(backlog_max, free_memory() / BYTES_WAITING);
    double load = 0;
    (void)getloadavg(&load, 1); /* without it 0 is shown */
    lab_open(&lab, NULL);
    printf("# medians of %d runs of about %" PRId64 " no-op jobs; payload: %" PRId64
           " bytes in all; load of the machine before: %.1f\n"
           "curve\tx\tside\tcpu_us\tredis_us\tper_s\n",
           runs, jobs_a_run, payload_total, load);
    for (int c = 0; c < NCURVES; c++)
        if (wanted(curves[c].name, argc, argv))
            measure(&lab, &curves[c]);
    lab_close(&lab);
    key_figures_print();
    return 0;
}
