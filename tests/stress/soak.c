#include "soak.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

#include "options.h"
#include "verdict.h"

enum {
    STEP_US = 4000,
    PATIENCE_MS = 300,
    PROGRESS_MS = 10000,
    WARM_UP_MS = 300000, /* or a third of the time, when that is shorter */
    MORE_MS = SLOW * 120000,
};

/* Check runs the soak in a child, so that a step that fails still ends with its reason. */
static struct soak_options options = {.minutes = 20, .workers = 4, .rate = 400};
static struct chaos chosen;

/* --- what all parts use -------------------------------------------------------------------- */

bool soak_ask(struct soak *s, struct reply **ret, const char *fmt, ...)
{
    if (s->conn && redis_conn_broken(s->conn)) {
        redis_conn_free(s->conn);
        s->conn = NULL;
    }
    struct redis_options to = server_options(&s->server);
    to.connect_timeout_ms = to.socket_timeout_ms = SLOW * PATIENCE_MS;
    if (!s->conn && redis_conn_open(&to, &s->conn, NULL) != 0)
        return false;
    va_list ap;
    va_start(ap, fmt);
    int rc = redis_vcallf(s->conn, ret, NULL, fmt, ap);
    va_end(ap);
    return rc == 0;
}

int64_t soak_count(struct soak *s, const char *fmt, ...)
{
    char text[512];
    struct reply *reply = NULL;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap); /* names without spaces */
    va_end(ap);
    if (!soak_ask(s, &reply, text))
        return -1;
    int64_t n = reply_int(reply);
    reply_free(reply);
    return n;
}

int64_t soak_info(struct soak *s, const char *section, const char *field)
{
    struct reply *text = NULL;
    if (!soak_ask(s, &text, "INFO %s", section))
        return -1;
    const char *at = strstr(reply_str(text).p, field);
    int64_t n = at ? strtoll(at + strlen(field) + 1, NULL, 10) : 0;
    reply_free(text);
    return n;
}

void soak_complain(struct soak *s, const char *fmt, ...)
{
    va_list ap;
    s->complaints++;
    (void)printf("FAILED: ");
    va_start(ap, fmt);
    (void)vprintf(fmt, ap);
    va_end(ap);
    (void)printf("\n");
    (void)fflush(stdout); /* Check leaves by _exit */
}

/* --- the run ------------------------------------------------------------------------------- */

static void open_soak(struct soak *s)
{
    static const char *const extra[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};
    struct redis_server_options o = {.extra = extra};
    struct err err = {""};
    must_start(&s->server, &o);
    if (proxy_start(&s->proxy, s->server.socket, &err) != 0)
        ck_abort_msg("%s", err.text);
    (void)snprintf(s->proxy_url, sizeof s->proxy_url, "redis://127.0.0.1:%d", s->proxy.port);
    oracle_init(&s->oracle, &s->server);
    crew_init(s);
    if (!options.broken)
        vitals_at_rest(s);
    load_init(s);
    chaos_init(s);
}

static void close_soak(struct soak *s)
{
    crew_release(s);
    load_release(s);
    recovery_release(s);
    oracle_release(&s->oracle);
    redis_conn_free(s->conn);
    proxy_stop(&s->proxy);
    if (options.keep) {
        char kept[96]; /* under another name, as tests sweep away what others have left */
        (void)snprintf(kept, sizeof kept, "/tmp/soak-%llu-%d", (unsigned long long)options.seed,
                       (int)getpid());
        redis_server_stop(&s->server);
        if (rename(s->server.dir, kept) == 0)
            (void)printf("logs and data: %s\n", kept);
    }
    redis_server_free(&s->server);
}

static void print_progress(struct soak *s, int64_t began_ns)
{
    (void)printf("%5lld s: %zu jobs, %zu executions, %zu open, %llu pushes without an answer, %llu "
                 "rounds of faults, %d of %d kinds bit, RSS %lld and %lld KB\n",
                 (long long)((clock_now_ns() - began_ns) / NS_PER_S), s->oracle.njobs,
                 s->oracle.started, s->oracle.missing, (unsigned long long)s->load.refused,
                 (unsigned long long)s->chaos.round, chaos_bitten(s), s->chaos.nkinds,
                 (long long)vitals_now_kb(s, 0), (long long)vitals_now_kb(s, 1));
    (void)fflush(stdout);
}

static void go_through(struct soak *s)
{
    int64_t length_ms = (int64_t)(options.minutes * 60000), began_ns = clock_now_ns();
    int64_t warm_ms = length_ms / 3 < WARM_UP_MS ? length_ms / 3 : WARM_UP_MS;
    int64_t end_ns = clock_deadline_ms(length_ms);
    int64_t last_ns = clock_deadline_ms(length_ms + MORE_MS);
    int64_t warm_ns = clock_deadline_ms(warm_ms), progress_ns = clock_deadline_ms(PROGRESS_MS);
    for (;;) {
        int64_t now_ns = clock_now_ns();
        if (now_ns > last_ns || (now_ns > end_ns && chaos_is_over(s)))
            break;
        load_step(s);
        oracle_read(&s->oracle);
        chaos_step(s);
        recovery_step(s);
        crew_step(s);
        if (!options.broken)
            vitals_step(s);
        if (now_ns > warm_ns) {
            vitals_warm(s);
            warm_ns = CLOCK_NEVER;
        }
        if (now_ns > progress_ns) {
            print_progress(s, began_ns);
            progress_ns = clock_deadline_ms(PROGRESS_MS);
        }
        (void)usleep(STEP_US);
    }
    vitals_end(s);
    chaos_end(s);
}

START_TEST(the_soak)
{
    static struct soak s;
    s.options = options;
    s.chaos = chosen;
    (void)printf("soak: --seed %llu, %.1f minutes, %d workers, at most %d jobs per second\n",
                 (unsigned long long)options.seed, options.minutes, options.workers, options.rate);
    (void)fflush(stdout);
    open_soak(&s);
    go_through(&s);
    bool well = verdict(&s);
    int complaints = s.complaints;
    close_soak(&s);
    (void)fflush(stdout);
    if (!well)
        ck_abort_msg("%d complaints, above", complaints);
}
END_TEST

/* --- the command line ---------------------------------------------------------------------- */

static void print_usage(FILE *to)
{
    (void)fprintf(to,
                  "Usage: soak [OPTION]...\n"
                  "\n"
                  "  --minutes N     how long faults come (default 20; 0.5 is half a minute)\n"
                  "  --seed S        repeats the decisions of the run that printed it\n"
                  "  --workers W     %d to %d (default 4)\n"
                  "  --rate R        jobs per second at most (default 400)\n"
                  "  --faults A,B    only these:",
                  CREW_MIN, CREW_MAX);
    for (int i = 0; i < nfaults; i++)
        (void)fprintf(to, "%s%s", i % 6 == 0 ? "\n                    " : " ", faults[i].name);
    (void)fprintf(to, "\n"
                      "  --broken        with workers that lose jobs: shows that this fails\n"
                      "  --keep          leave logs and data behind, and say where\n"
                      "  --help          show this text\n");
}

static bool read_option(int which, const char *text)
{
    switch (which) {
    case 'm':
        return option_number("minutes", text, 0.05, 100000, &options.minutes);
    case 's':
        return option_seed(text, &options.seed);
    case 'w':
        return option_whole("workers", text, CREW_MIN, CREW_MAX, &options.workers);
    case 'r':
        return option_whole("rate", text, 1, 5000, &options.rate);
    case 'f':
        options.faults = text;
        return true;
    case 'b':
        options.broken = true;
        return true;
    case 'k':
        options.keep = true;
        return true;
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
        {"seed", required_argument, NULL, 's'},
        {"workers", required_argument, NULL, 'w'},
        {"rate", required_argument, NULL, 'r'},
        {"faults", required_argument, NULL, 'f'},
        {"broken", no_argument, NULL, 'b'},
        {"keep", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    options.seed = random_below(1000000);
    if (!options_read("soak", argc, argv, names, read_option))
        return false;
    if (options.broken && !options.faults)
        options.faults = "worker-kill";
    return chaos_choose(&chosen, options.faults);
}

int main(int argc, char **argv)
{
    if (!read_options(argc, argv))
        return 2;
    return long_test_run("soak", the_soak);
}
