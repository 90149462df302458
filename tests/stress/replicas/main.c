#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"

#include "../options.h"
#include "fleet.h"

enum {
    NOT_HERE = 77, /* CTest: skipped */
    STEP_US = 2000,
    PROGRESS_MS = 10000,
    OPEN_MAX = 3000, /* jobs that wait or run */
    LONG_MS = 60000,
    FAIR_MS = 5000,         /* in which everybody gets jobs */
    TURMOIL_MS = 150000,    /* between two matches */
    MORE_MS = SLOW * 60000, /* for what has not happened yet */
    DRAIN_MS = SLOW * 120000,
    LOAD_SERIES = 2,
    JUDGED_MIN = 5, /* a shorter run's speed is not judged */
};
static const double ratio_least = 0.85;

/* Check runs it in a child, so that a step that fails still ends with its reason. */
static struct fleet_options options = {.minutes = 15, .replicas = 16, .threads = 8, .rate = 500};

void fleet_complain(struct fleet *f, const char *fmt, ...)
{
    va_list ap;
    f->complaints++;
    (void)printf("FAILED: ");
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)printf("\n");
    (void)fflush(stdout); /* Check leaves by _exit */
}

/* --- steps ---------------------------------------------------------------------------------- */

static void push_due(struct fleet *f)
{
    int64_t now_ns = clock_now_ns(), every_ns = NS_PER_S / f->options.rate;
    char args[32] = "";
    for (; f->push_ns <= now_ns && f->oracle.missing < OPEN_MAX; f->push_ns += every_ns) {
        if (dice_percent(&f->load_dice, 30))
            (void)snprintf(args, sizeof args, "\"sleep_ms\":%d",
                           (int)dice_between(&f->load_dice, 1, 50));
        ck_assert(oracle_push(&f->oracle, "default", args));
    }
    if (f->push_ns <= now_ns) /* what was held back is not made up for */
        f->push_ns = now_ns + every_ns;
}

void fleet_step(struct fleet *f, bool load)
{
    if (load)
        push_due(f);
    oracle_read(&f->oracle);
    replicas_step(f);
    watch_step(f);
    (void)usleep(STEP_US);
}

/* Whoever died with jobs whose end was not written leaves them to others: they come again. */
static bool nothing_is_left(struct fleet *f)
{
    return f->oracle.missing == 0 && must_int(f->redis, "LLEN queue:default") == 0 &&
           must_int(f->redis, "EVAL %s 0",
                    "return #redis.call('KEYS', 'sluice:claim:*') + "
                    "#redis.call('KEYS', 'sluice:trial:*')") == 0;
}

void fleet_calm(struct fleet *f)
{
    int64_t deadline_ns = clock_deadline_ms(DRAIN_MS);
    turmoil_end(f);
    while (!replicas_are_well(f) || !nothing_is_left(f)) {
        if (clock_now_ns() > deadline_ns)
            ck_abort_msg("no end: %zu jobs are missing, %d of %d replicas are reached",
                         f->oracle.missing, replicas_reached(f), f->replicas.n);
        fleet_step(f, false);
    }
}

/* --- the run -------------------------------------------------------------------------------- */

static void open_fleet(struct fleet *f)
{
    static const char *const extra[] = {"--bind",           NET_SERVER, "127.0.0.1",
                                        "--protected-mode", "no",       NULL};
    net_open(&f->net);
    must_start(&f->server, &(struct redis_server_options){.tcp = true, .extra = extra});
    struct redis_options to = server_options(&f->server);
    f->redis = must_open(&to);
    oracle_init(&f->oracle, &f->server);
    f->load_dice = dice_of(f->options.seed, LOAD_SERIES);
    f->push_ns = clock_now_ns();
    turmoil_init(f);
    replicas_open(f);
}

static void close_fleet(struct fleet *f)
{
    replicas_close(f);
    oracle_release(&f->oracle);
    redis_conn_free(f->redis);
    redis_server_free(&f->server);
    net_close(&f->net);
}

/* In peace: jobs that come one by one, and then as many as all threads have to do for a while. */
static void share_out(struct fleet *f, int64_t ms)
{
    size_t from = f->oracle.offset;
    for (int64_t until_ns = clock_deadline_ms(ms); clock_now_ns() < until_ns;)
        fleet_step(f, true);
    fleet_calm(f);
    struct shares few = watch_shares(f, from);
    from = f->oracle.offset;
    int n = f->options.replicas * f->options.threads * (int)(ms / 10);
    oracle_push_many(&f->oracle, "default", "\"sleep_ms\":5", n);
    fleet_calm(f);
    struct shares many = watch_shares(f, from);
    (void)printf("jobs per replica, least / median / most: %zu / %zu / %zu at %d per second, "
                 "%zu / %zu / %zu of a backlog\n",
                 few.least, few.median, few.most, f->options.rate, many.least, many.median,
                 many.most);
    (void)fflush(stdout);
    if (many.least == 0 || (few.least == 0 && ms >= FAIR_MS)) /* a moment may well pass one by */
        fleet_complain(f, "a replica had no job at all");
}

static void print_progress(struct fleet *f, int64_t began_ns)
{
    const struct replicas *r = &f->replicas;
    (void)printf("%5lld s: %zu jobs, %zu executions, %zu open; %d of %d replicas reached; %u "
                 "killed, %u cut off, %u stopped; connections %d at most\n",
                 (long long)((clock_now_ns() - began_ns) / NS_PER_S), f->oracle.njobs,
                 f->oracle.started, f->oracle.missing, replicas_reached(f), r->n, r->kills, r->cuts,
                 r->stops, f->watch.most_at_once);
    (void)fflush(stdout);
}

static void go_through(struct fleet *f)
{
    int64_t length_ms = (int64_t)(f->options.minutes * 60000), began_ns = clock_now_ns();
    int64_t progress_ns = clock_deadline_ms(PROGRESS_MS);
    bool is_long = length_ms >= LONG_MS;
    int jobs = is_long ? 100000 : 5000;
    share_out(f, is_long ? FAIR_MS : 500);
    /* Only now: on a busy machine the jobs so far take longer than a short run, which went by with
     * nothing else. */
    int64_t end_ns = clock_deadline_ms(length_ms), last_ns = end_ns + MORE_MS * NS_PER_MS;
    while (clock_now_ns() < end_ns) {
        match_play(f, jobs, is_long ? 6 : 2);
        int64_t until_ns = clock_deadline_ms(TURMOIL_MS);
        while ((clock_now_ns() < until_ns && clock_now_ns() < end_ns) ||
               (!turmoil_was_had(f) && clock_now_ns() < last_ns)) {
            turmoil_step(f);
            fleet_step(f, true);
            if (clock_now_ns() > progress_ns) {
                print_progress(f, began_ns);
                progress_ns = clock_deadline_ms(PROGRESS_MS);
            }
        }
        fleet_calm(f);
    }
    match_play(f, jobs, is_long ? 6 : 2);
}

/* --- the verdict ---------------------------------------------------------------------------- */

static void judge(struct fleet *f, const struct oracle_figures *o, double ratio)
{
    if (o->lost > 0)
        fleet_complain(f, "%zu jobs were lost", o->lost);
    if (o->unexpected > 0)
        fleet_complain(f, "%zu executions of jobs that nobody pushed", o->unexpected);
    if (o->duplicates > f->allowed)
        fleet_complain(f, "%zu repetitions, and what was done explains %zu", o->duplicates,
                       f->allowed);
    if (o->kept > 0)
        fleet_complain(f, "%zu jobs lie in retry or dead", o->kept);
    const struct replicas *r = &f->replicas;
    if (!turmoil_was_had(f))
        fleet_complain(f, "%u kills, %u cables pulled, %u stops: each has to happen", r->kills,
                       r->cuts, r->stops);
    if (SLOW == 1 && f->options.minutes >= JUDGED_MIN && ratio < ratio_least)
        fleet_complain(f, "the replicas do %.2f of what one large worker does", ratio);
}

static void print_line(struct fleet *f, const struct oracle_figures *o,
                       const struct match_result *m)
{
    char buried[96], back[96], born[96];
    struct replicas *r = &f->replicas;
    const struct watch *w = &f->watch;
    (void)printf(
        "fleet: seed %llu, %.1f min, %d replicas of %d threads: %zu jobs, %zu executions; lost "
        "%zu, unexpected %zu, duplicated %zu (at most %zu); %u starts, %u stops, %u kills, %u "
        "cables pulled (%u for longer than the lease), %d to %d replicas up; a killed one's jobs "
        "are back after: %s; after a long cut, a lease again: %s; from the start to a lease: %s; "
        "connections, in %u looks: of one %d at most (its pool: %d), of all %d, of nobody any more "
        "%d, together %d (%d pools: %d); jobs per second, medians of %d: %.0f by the replicas, "
        "%.0f by one with as many threads, ratio %.2f\n",
        (unsigned long long)f->options.seed, f->options.minutes, r->n, f->options.threads,
        f->oracle.njobs, o->executions, o->lost, o->unexpected, o->duplicates, f->allowed,
        r->starts, r->stops, r->kills, r->cuts, r->long_cuts, f->turmoil.fewest, f->turmoil.most,
        times_text(&r->buried, buried, sizeof buried), times_text(&r->back, back, sizeof back),
        times_text(&r->born, born, sizeof born), w->looks, w->most_of_one, POOL, w->most_live,
        w->most_ghosts, w->most_at_once, r->n, r->n * POOL, f->match.n, m->fleet, m->large,
        m->ratio);
    (void)fflush(stdout);
}

START_TEST(the_fleet)
{
    static struct fleet f;
    f.options = options;
    (void)printf("fleet: --seed %llu, %.1f minutes, %d replicas of %d threads, at most %d jobs per "
                 "second\n",
                 (unsigned long long)options.seed, options.minutes, options.replicas,
                 options.threads, options.rate);
    (void)fflush(stdout);
    open_fleet(&f);
    go_through(&f);
    replicas_stop(&f);
    struct oracle_figures o = oracle_figures(&f.oracle);
    struct match_result m = match_result(&f);
    judge(&f, &o, m.ratio);
    print_line(&f, &o, &m);
    int complaints = f.complaints;
    close_fleet(&f);
    if (complaints > 0)
        ck_abort_msg("%d complaints, above", complaints);
}
END_TEST

/* --- the command line ----------------------------------------------------------------------- */

static void print_usage(FILE *to)
{
    (void)fprintf(to,
                  "Usage: fleet [OPTION]...\n"
                  "\n"
                  "  --minutes N     of turmoil and matches (default 15)\n"
                  "  --replicas N    2 to %d (default 16)\n"
                  "  --threads N     of each replica, 1 to 64 (default 8)\n"
                  "  --rate R        jobs per second at most (default 500)\n"
                  "  --seed S        repeats the decisions of the run that printed it\n"
                  "  --help          show this text\n"
                  "\n"
                  "Exit status 77: there are no network namespaces here.\n",
                  REPLICAS_MAX);
}

static bool read_option(int which, const char *text)
{
    switch (which) {
    case 'm':
        return option_number("minutes", text, 0.02, 100000, &options.minutes);
    case 'n':
        return option_whole("replicas", text, 2, REPLICAS_MAX, &options.replicas);
    case 't':
        return option_whole("threads", text, 1, 64, &options.threads);
    case 'r':
        return option_whole("rate", text, 1, 5000, &options.rate);
    case 's':
        return option_seed(text, &options.seed);
    case 'h':
        print_usage(stdout);
        exit(EXIT_SUCCESS);
    default:
        return false;
    }
}

static bool read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"minutes", required_argument, NULL, 'm'},
        {"replicas", required_argument, NULL, 'n'},
        {"threads", required_argument, NULL, 't'},
        {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 's'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options.seed = random_below(1000000);
    return options_read("fleet", argc, argv, names, read_option);
}

int main(int argc, char **argv)
{
    if (!read_options(argc, argv))
        return 2;
    if (!net_works()) {
        (void)printf("fleet: not run, as there are no network namespaces here (they need iproute2, "
                     "and the super-user or namespaces of users)\n");
        return NOT_HERE;
    }
    return long_test_run("fleet", the_fleet);
}
