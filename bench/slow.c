/*
 * slow: how long do fast jobs wait behind slow ones? Slow ones of 1 s lie among 10,000 fast ones,
 * at several places and up to as many as there are threads; two replicas work on them.
 *
 * A fast job waited when jobs that had been queued behind it were started before it (by how much
 * the first of these was earlier), or when nothing at all was started before it for a while (since
 * the last start); the longer of both. Some of that is there without any slow job, since two
 * replicas work on a hundred jobs each: so every run is followed by one of the same jobs with none
 * among them, which is the floor. The bench ends with an error when a fast job has waited longer
 * than WAIT_MAX_MS beyond the longest wait of its floor.
 *
 * Usage: slow [RUNS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "fleet.h"
#include "key_figures.h"
#include "lab.h"
#include "store/enqueue.h"

enum { FAST = 10000, THREADS = 100, REPLICAS = 2, SLOW_MAX = REPLICAS * (THREADS - 1) };
enum { JOBS_MAX = FAST + SLOW_MAX, RUNS_MAX = 50, SLOW_US = 1000000, WARM = 3000 };
enum { WAIT_MAX_MS = 50, RUN_MS = 60000 };

enum group { ONE, SEVERAL, ALL_BUT_ONE };

/* Slow jobs: how many, from where on (in queue order), and how many fast ones lie between two. */
struct scene {
    const char *name;
    enum group group;
    int slow, from, between;
};

static const struct scene none = {.slow = 0};
static const struct scene scenes[] = {
    {"1, the first of all", ONE, 1, 0, 0},           {"1, within the first batch", ONE, 1, 50, 0},
    {"1, in the middle", ONE, 1, 5000, 0},           {"1, in the last batch", ONE, 1, 9950, 0},
    {"10, in a row", SEVERAL, 10, 5000, 0},          {"10, spread", SEVERAL, 10, 500, 900},
    {"99, in a row", SEVERAL, THREADS - 1, 5000, 0}, {"99, spread", SEVERAL, THREADS - 1, 50, 99},
    {"198, spread", ALL_BUT_ONE, SLOW_MAX, 50, 49},
};

enum { NSCENES = sizeof scenes / sizeof *scenes };

static struct lab lab;
static struct fleet fleet;
static int64_t *moments; /* when each job began, 0: not yet; written by the plugin */

/* ---- the jobs of a scene ---- */

static bool is_slow(const struct scene *s, int place)
{
    int behind = place - s->from;
    return behind >= 0 && behind % (s->between + 1) == 0 && behind / (s->between + 1) < s->slow;
}

static void push(const struct scene *s, int n, int fast_us)
{
    static struct slice payloads[JOBS_MAX];
    static size_t ends[JOBS_MAX];
    struct buf text = {0};
    struct err err = {""};
    for (int i = 0; i < n; i++) {
        buf_printf(&text, "{\"class\":\"moment\",\"args\":[%d,%d],\"jid\":\"%024d\"}", i,
                   is_slow(s, i) ? SLOW_US : fast_us, i);
        ends[i] = text.n;
    }
    if (buf_error(&text) != 0)
        lab_fail("no memory");
    for (int i = 0; i < n; i++) {
        size_t began = i > 0 ? ends[i - 1] : 0;
        payloads[i] = (struct slice){text.p + began, ends[i] - began};
    }
    if (store_push(lab.store, lab.conn, "default", payloads, (size_t)n, NULL, &err) != 0)
        lab_fail("push: %s", err.text);
    buf_release(&text);
}

static int64_t moment(int place)
{
    return __atomic_load_n(&moments[place], __ATOMIC_RELAXED);
}

/* From the moments alone, so that Redis has nothing to do with it. */
static void wait_started(int n)
{
    int64_t deadline = clock_deadline_ms(RUN_MS);
    for (int i = 0; i < n; i++)
        while (moment(i) == 0) {
            if (clock_now_ns() > deadline)
                lab_fail("job %d was not started", i);
            (void)usleep(1000);
        }
}

static int compare(const void *a, const void *b)
{
    const int64_t x = moments[*(const int *)a], y = moments[*(const int *)b];
    return (x > y) - (x < y);
}

/* In milliseconds, as the top of this file says. */
static double longest_wait(const struct scene *s, int n)
{
    static int order[JOBS_MAX];
    int64_t longest = 0, earliest_behind = INT64_MAX;
    for (int i = n; i-- > 0;) {
        int64_t wait = moments[i] - earliest_behind;
        if (!is_slow(s, i) && wait > longest)
            longest = wait;
        earliest_behind = moments[i] < earliest_behind ? moments[i] : earliest_behind;
        order[i] = i;
    }
    qsort(order, (size_t)n, sizeof *order, compare);
    for (int i = 1; i < n; i++) {
        int64_t pause = moments[order[i]] - moments[order[i - 1]];
        if (!is_slow(s, order[i]) && pause > longest)
            longest = pause;
    }
    return (double)longest / (double)NS_PER_MS;
}

static void work(const struct scene *s, int n, int fast_us)
{
    memset(moments, 0, JOBS_MAX * sizeof *moments);
    fleet_hold(&fleet);
    int64_t processed = lab_int(&lab, "GET stat:processed");
    push(s, n, fast_us);
    fleet_go(&fleet);
    wait_started(n);
    (void)fleet_wait_processed(&fleet, processed + n);
}

static double run(const struct scene *s, int fast_us)
{
    work(&none, WARM, fast_us); /* what the workers know of recent jobs is that they are fast */
    work(s, FAST + s->slow, fast_us);
    return longest_wait(s, FAST + s->slow);
}

/* ---- the program ---- */

static void make_moments(void)
{
    static char path[160];
    (void)snprintf(path, sizeof path, "%s/moments", lab.server.dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, JOBS_MAX * (off_t)sizeof *moments) != 0)
        lab_fail("cannot make %s", path);
    void *map = mmap(NULL, JOBS_MAX * sizeof *moments, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (map == MAP_FAILED || setenv("MOMENTS_FILE", path, 1) != 0)
        lab_fail("no memory");
    moments = map;
}

/* The worst of some scenes. */
struct verdict {
    const char *what;
    double typical, worst; /* the median of a scene's runs; all runs */
    double floor;          /* likewise, without slow jobs */
};

static void worsen(double *worst, double value)
{
    *worst = value > *worst ? value : *worst;
}

static void play(const struct scene *s, int runs, int fast_us, struct verdict *v)
{
    double with[RUNS_MAX], without[RUNS_MAX];
    for (int i = 0; i < runs; i++) {
        with[i] = run(s, fast_us);
        without[i] = run(&none, fast_us);
    }
    double typical = lab_median(with, runs), floor = lab_median(without, runs); /* sorted now */
    printf("    %-28s %7.1f %7.1f      %7.1f %7.1f\n", s->name, typical, with[runs - 1], floor,
           without[runs - 1]);
    (void)fflush(stdout);
    worsen(&v->typical, typical);
    worsen(&v->worst, with[runs - 1]);
    worsen(&v->floor, without[runs - 1]);
}

int main(int argc, char **argv)
{
    static const int fast_us[] = {0, 1000};
    static struct verdict verdicts[] = {[ONE] = {.what = "one slow job"},
                                        [SEVERAL] = {.what = "several"},
                                        [ALL_BUT_ONE] = {.what = "nearly as many as threads"}};
    int runs = argc > 1 ? atoi(argv[1]) : 5;
    char yaml[512];
    if (runs < 1 || runs > RUNS_MAX)
        lab_fail("usage: slow [RUNS]   (1..%d)", RUNS_MAX);
    lab_open(&lab, NULL);
    make_moments();
    (void)snprintf(yaml, sizeof yaml,
                   "  - {class: moment, plugin: %s/bench/moment.so}\nworker: {threads: %d}\n",
                   BENCH_BUILD_DIR, THREADS);
    fleet_start(&fleet, &lab, REPLICAS, yaml);
    printf("the longest wait of a fast job in ms, %d replicas of %d threads, %d runs\n"
           "    slow ones of 1 s among %d    median   worst  without: median  worst\n",
           REPLICAS, THREADS, runs, FAST);
    for (size_t f = 0; f < sizeof fast_us / sizeof *fast_us; f++) {
        printf("  fast ones of %d ms\n", fast_us[f] / 1000);
        (void)run(&none, fast_us[f]); /* all that happens once has happened */
        for (int i = 0; i < NSCENES; i++)
            play(&scenes[i], runs, fast_us[f], &verdicts[scenes[i].group]);
    }
    fleet_stop(&fleet);
    lab_close(&lab);
    bool kept = true;
    for (size_t i = 0; i < sizeof verdicts / sizeof *verdicts; i++) {
        const struct verdict *v = &verdicts[i];
        printf(
            "  behind %s no fast job waited longer than %.1f ms, in the worst scene's median %.1f; "
            "without %.1f\n",
            v->what, v->worst, v->typical, v->floor);
        kept = kept && v->worst <= v->floor + WAIT_MAX_MS;
    }
    key_figure(verdicts[ONE].worst, "wait_ms");
    key_figure(verdicts[ONE].floor, "floor_ms");
    key_figure(verdicts[SEVERAL].worst, "several_ms");
    key_figures_print();
    if (!kept)
        lab_fail("a fast job waited behind a slow one for longer than %d ms", WAIT_MAX_MS);
    return 0;
}
