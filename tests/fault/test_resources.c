/*
 * The machine has no descriptors, processes or memory left for a worker (row 29).
 *
 * The limits are those of the kernel (prlimit), put on the worker while it runs, and taken off.
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proc.h"

enum { THREADS = 100, JOBS = SLOW == 1 ? 700 : 100 };

/* A job for the oracle. It also notes how many descriptors it finds: its three, and the one that
 * the shell reads the folder by. */
static const char program[] = "set -- /proc/self/fd/*; "
                              "echo $SLUICE_JID $SLUICE_ATTEMPT $$ start >>oracle.log; "
                              "echo $# >>descriptors; "
                              "echo $SLUICE_JID $SLUICE_ATTEMPT $$ end >>oracle.log";
enum { DESCRIPTORS = 3 + 1 };

static char *settings_for(int threads)
{
    char *text;
    ck_assert_int_gt(asprintf(&text,
                              "worker: {threads: %d, queues: [default], lease: %d}\n"
                              "metrics: {listen: \"off\"}\n"
                              "handlers:\n  - {class: test, exec: [sh, -c, '%s']}\n",
                              threads, LEASE_S, program),
                     0);
    return text;
}

/* The first that is free: with this as the limit there is none. */
static rlim_t descriptors_in_use(const struct worker_process *w)
{
    return (rlim_t)proc_free_descriptor(w->pid);
}

static rlim_t bytes_mapped(const struct worker_process *w)
{
    return (rlim_t)proc_mapped_kb(w->pid) * 1024;
}

static rlim_t no_processes(const struct worker_process *w)
{
    (void)w;
    return 1; /* it has more threads than that already */
}

static const struct scarcity {
    const char *fault, *error;
    int resource;
    rlim_t (*nothing)(const struct worker_process *w); /* the limit that leaves none */
    rlim_t little;                                     /* on top of it: for some at once */
} scarcities[] = {
    {"no descriptors", "Too many open files", RLIMIT_NOFILE, descriptors_in_use, 40},
    {"no processes", "Resource temporarily unavailable", RLIMIT_NPROC, no_processes, 0},
    /* Sanitizers take all of the address space for themselves: without them only. */
    {"no memory", "Cannot allocate memory", RLIMIT_AS, bytes_mapped, 0},
};
enum { SCARCITIES = SLOW == 1 ? 3 : 2 };

static int count_lines(const char *text, const char *line, int *ret_others)
{
    int n = 0;
    *ret_others = 0;
    for (const char *next; (next = strchr(text, '\n')) != NULL; text = next + 1)
        if (strncmp(text, line, strlen(line)) == 0 && text[strlen(line)] == '\n')
            n++;
        else
            (*ret_others)++;
    return n;
}

static void check_descriptors(const struct worker_process *w, int jobs)
{
    char line[16];
    int others;
    (void)snprintf(line, sizeof line, "%d", DESCRIPTORS);
    char *text = worker_process_file(w, "descriptors");
    ck_assert_int_eq(count_lines(text, line, &others), jobs);
    ck_assert_int_eq(others, 0);
    free(text);
}

START_TEST(jobs_wait_for_what_the_machine_has_not)
{
    const struct scarcity *scarcity = &scarcities[_i];
    struct stage s;
    stage_open(&s, NULL);
    char *settings = settings_for(THREADS);
    struct worker_options o = {.settings = settings,
                               .own_user = scarcity->resource == RLIMIT_NPROC};
    struct worker_process *w = &s.worker[0];
    worker_process_start(w, &s.server, &o);
    free(settings);
    oracle_push_many(&s.oracle, "default", "", THREADS); /* it has worked before */
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == THREADS && count_claimed(&s) == 0);

    rlim_t nothing = scarcity->nothing(w);
    rlim_t before = worker_process_limit(w, scarcity->resource, nothing);
    size_t started = oracle_started(&s.oracle);
    oracle_push_many(&s.oracle, "default", "", JOBS);
    wait_until(DRAIN_MS, worker_process_count(w, scarcity->error) >= 20);
    hold_ms(2 * LEASE_S * 1000); /* longer than a lease, which does not lapse */
    ck_assert_int_eq(must_int(s.redis, "EXISTS sluice:lease:%s", w->identity), 1);
    ck_assert_uint_eq(oracle_started(&s.oracle), started);
    ck_assert_int_eq(stat_of(&s, "stat:failed"), 0);
    int refused = worker_process_count(w, scarcity->error);

    if (scarcity->little > 0) { /* some come through, beside those that do not */
        (void)worker_process_limit(w, scarcity->resource, nothing + scarcity->little);
        wait_until(DRAIN_MS, oracle_ended(&s.oracle) >= started + JOBS / 4);
    }
    (void)worker_process_limit(w, scarcity->resource, before);
    int64_t back_ns = clock_now_ns();
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    int64_t took_ms = ms_since(back_ns);
    wait_until(DRAIN_MS, count_claimed(&s) == 0);
    struct oracle_figures f = oracle_check(&s.oracle, scarcity->fault, 0);
    ck_assert_uint_eq(f.kept, 0);
    ck_assert_int_eq(stat_of(&s, "stat:failed"), 0);
    check_descriptors(w, THREADS + JOBS);
    ck_assert(!worker_process_said(w, "lease had lapsed"));
    must_stop(w);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 29,
        .fault =
            matrix_text("%s for %d exec jobs at once, %d in all", scarcity->fault, THREADS, JOBS),
        .bit = matrix_text("\"%s\" %d times in the log", scarcity->error, refused),
        .figures = &f,
        .took = "all have run after it was over",
        .took_ms = took_ms,
        .result = "no attempt consumed; the lease held; each child had descriptors 0 to 2 only"});
    stage_close(&s);
}
END_TEST

/* Too few threads at the start: it says so and ends, whichever of its parts is the first to go
 * without. */
START_TEST(a_worker_that_cannot_start_says_why)
{
    enum { EXECUTORS = 4, WANTED = 9 + EXECUTORS, TRIED = WANTED + 8 };
    struct stage s;
    int refused = 0, limit;
    stage_open(&s, NULL);
    char *settings = settings_for(EXECUTORS);
    /* What an ordinary user's other processes leave of the limit is not known. */
    int last = getuid() == 0 ? TRIED : 1;
    for (limit = 1; limit <= last; limit++) {
        struct worker_options o = {.settings = settings, .own_user = true, .processes = limit};
        struct worker_process *w = &s.worker[0];
        worker_process_free(w);
        worker_process_spawn(w, &s.server, &o);
        wait_until(DRAIN_MS, worker_process_ended(w) || worker_process_said(w, "worker started"));
        if (!worker_process_ended(w) && worker_process_said(w, "worker started"))
            break;
        ck_assert_int_eq(w->status, EXIT_FAILURE);
        ck_assert_int_eq(worker_process_count(w, "cannot start the "), 1);
        ck_assert(worker_process_said(w, "Resource temporarily unavailable"));
        check_books_are_empty(&s);
        refused++;
    }
    (void)printf("%d limits were too low\n", refused);
    ck_assert_int_ge(refused, last == 1 ? 1 : WANTED - 1);
    if (last > 1) { /* with a few to spare for children it works */
        struct worker_process *w = &s.worker[0];
        ck_assert_int_le(limit, last);
        worker_process_wait_ready(w, "");
        (void)worker_process_limit(w, RLIMIT_NPROC, (rlim_t)limit + 8);
        oracle_push_many(&s.oracle, "default", "", 10);
        ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
        must_stop(w);
    }
    free(settings);
    struct oracle_figures f = oracle_check(&s.oracle, "no threads", 0);
    matrix_report(&(struct matrix_entry){
        .row = 29,
        .fault = "too few threads allowed for a worker to start",
        .bit = matrix_text("%d limits were too low", refused),
        .figures = &f,
        .result = "it said which part could not start, and ended; nothing left in the books"});
    stage_close(&s);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("resources");
    stage_add(suite, jobs_wait_for_what_the_machine_has_not, SCARCITIES);
    if (SLOW == 1) /* a sanitizer has threads of its own */
        stage_add(suite, a_worker_that_cannot_start_says_why, 1);
    return suite;
}
