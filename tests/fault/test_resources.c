/*
 * The machine has no descriptors, processes or memory left for a worker (row 29).
 *
 * The limits are those of the kernel (prlimit), put on the worker while it runs, and taken off.
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proc.h"

enum { THREADS = 100 };

/* A job for the oracle. It also notes how many descriptors it finds: its three, and those by which
 * the shell reads the script and the folder. */
#define NOTE                                                                                       \
    "set -- /proc/self/fd/*; echo $jid $attempt $$ start >>oracle.log; "                           \
    "echo $# >>descriptors; echo $jid $attempt $$ end >>oracle.log; "
enum { DESCRIPTORS = 3 + 2 };

static const struct kind {
    const char *name, *handler, *script;
    int jobs;
    bool warm;
} kinds[] = {
    {"exec", "exec: [sh, script]", "jid=$SLUICE_JID attempt=$SLUICE_ATTEMPT; " NOTE,
     SLOW == 1 ? 700 : 100, false},
    {"process", "process: [sh, script], processes: 20",
     "while read -r job; do jid=${job#*'\"jid\":\"'}; jid=${jid%%'\"'*}; "
     "attempt=${job##*'\"attempt\":'}; attempt=${attempt%'}'}; " NOTE "echo '{\"done\":0}'; done",
     SLOW == 1 ? 700 : 100, true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static void start_worker(struct stage *s, const struct kind *kind, int threads,
                         struct worker_options o)
{
    char *text, path[256];
    (void)snprintf(path, sizeof path, "%s/script", s->server.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(kind->script, f), 0);
    ck_assert_int_eq(fclose(f), 0);
    ck_assert_int_gt(asprintf(&text,
                              "worker: {threads: %d, queues: [default], lease: %d}\n"
                              "metrics: {listen: \"off\"}\n"
                              "handlers:\n  - {class: test, %s}\n",
                              threads, LEASE_S, kind->handler),
                     0);
    o.settings = text;
    worker_process_free(&s->worker[0]);
    worker_process_spawn(&s->worker[0], &s->server, &o);
    free(text);
}

static const struct scarcity {
    const char *fault, *error;
    int resource;
    rlim_t none;   /* the limit with which there is none for anything new */
    rlim_t little; /* more descriptors than are in use: for some at once */
} scarcities[] = {
    {"no descriptors", "cannot start sh: Too many open files", RLIMIT_NOFILE, 3, 40},
    {"no processes", "cannot start sh: Resource temporarily unavailable", RLIMIT_NPROC, 1, 0},
    /* Sanitizers take all of the address space for themselves: without them only. */
    {"no memory", "cannot start sh: Cannot allocate memory", RLIMIT_AS, 1 << 20, 0},
};
enum { SCARCITIES = SLOW == 1 ? 3 : 2, REFUSED_MIN = 20 };

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

/* Ends the warm processes, which would need nothing new, until their replacements are refused. */
static bool are_refused(const struct worker_process *w, const struct scarcity *scarcity)
{
    pid_t child = proc_child(w->pid);
    if (child > 0)
        ck_assert(kill(child, SIGKILL) == 0 || errno == ESRCH);
    return child == 0 && worker_process_count(w, scarcity->error) >= REFUSED_MIN;
}

/* A failure costs an attempt: says what it was. */
static void check_nothing_failed(struct stage *s)
{
    struct reply *failed = must_call(s->redis, "ZRANGE retry 0 0");
    if (reply_count(failed) > 0)
        ck_abort_msg("failed: %s", reply_str(reply_at(failed, 0)).p);
    reply_free(failed);
    ck_assert_int_eq(stat_of(s, "stat:failed"), 0);
}

START_TEST(jobs_wait_for_what_the_machine_has_not)
{
    const struct scarcity *scarcity = &scarcities[_i / KINDS];
    const struct kind *kind = &kinds[_i % KINDS];
    const int jobs = kind->jobs;
    struct stage s;
    stage_open(&s, NULL);
    start_worker(&s, kind, THREADS,
                 (struct worker_options){.own_user = scarcity->resource == RLIMIT_NPROC});
    struct worker_process *w = &s.worker[0];
    worker_process_wait_ready(w, "");
    oracle_push_many(&s.oracle, "default", "", THREADS); /* it has worked before */
    wait_until(DRAIN_MS, oracle_ended(&s.oracle) == THREADS && count_claimed(&s) == 0);

    /* Jobs that start a program must be claimed first, by connections that may come and go. */
    bool sharp = scarcity->resource != RLIMIT_NOFILE || kind->warm;
    rlim_t none = sharp ? scarcity->none : (rlim_t)proc_free_descriptor(w->pid);
    rlim_t before = worker_process_limit(w, scarcity->resource, none);
    if (kind->warm)
        wait_until(DRAIN_MS, are_refused(w, scarcity));
    size_t started = oracle_started(&s.oracle);
    oracle_push_many(&s.oracle, "default", "", jobs);
    wait_until(DRAIN_MS, worker_process_count(w, scarcity->error) >= REFUSED_MIN);
    hold_ms(LEASE_S * 1500); /* longer than a lease, which does not lapse */
    ck_assert_int_eq(must_int(s.redis, "EXISTS sluice:lease:%s", w->identity), 1);
    ck_assert_uint_eq(oracle_started(&s.oracle), started);
    check_nothing_failed(&s);
    int refused = worker_process_count(w, scarcity->error);

    if (scarcity->little > 0) { /* some come through, beside those that do not */
        (void)worker_process_limit(w, scarcity->resource,
                                   (rlim_t)proc_free_descriptor(w->pid) + scarcity->little);
        wait_until(DRAIN_MS, oracle_ended(&s.oracle) >= started + (size_t)jobs / 4);
    }
    (void)worker_process_limit(w, scarcity->resource, before);
    int64_t back_ns = clock_now_ns();
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    int64_t took_ms = ms_since(back_ns);
    wait_until(DRAIN_MS, count_claimed(&s) == 0);
    struct oracle_figures f = oracle_check(&s.oracle, scarcity->fault, 0);
    ck_assert_uint_eq(f.kept, 0);
    check_nothing_failed(&s);
    check_descriptors(w, THREADS + jobs);
    ck_assert(!worker_process_said(w, "lease had lapsed"));
    must_stop(w);
    check_books_are_empty(&s);
    matrix_report(&(struct matrix_entry){
        .row = 29,
        .fault = matrix_text("%s for %d %s jobs at once, %d in all", scarcity->fault, THREADS,
                             kind->name, jobs),
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
    /* What an ordinary user's other processes leave of the limit is not known. */
    int last = getuid() == 0 ? TRIED : 1;
    for (limit = 1; limit <= last; limit++) {
        start_worker(&s, &kinds[0], EXECUTORS,
                     (struct worker_options){.own_user = true, .processes = limit});
        struct worker_process *w = &s.worker[0];
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
    stage_add(suite, jobs_wait_for_what_the_machine_has_not, SCARCITIES * KINDS);
    if (SLOW == 1) /* a sanitizer has threads of its own */
        stage_add(suite, a_worker_that_cannot_start_says_why, 1);
    return suite;
}
