/*
 * Programs that misbehave (row 28), started for one job (exec) or kept warm for many (process):
 * each costs its own job, and its thread is free in time.
 */
#include "stage.h"
#include "support/matrix.h"
#include "support/proc.h"

enum { GRACE_S = 5, MAX_EVENTS = 100000, MAX_GROWTH_KB = 16 * 1024 };

/* A kind's script notes in the file "pids" who runs a job; for a bad one it goes on with the file
 * "fault". What that leaves behind on purpose notes itself in "left". */
static const struct kind {
    const char *name, *handler, *script;
    bool warm;
} kinds[] = {
    {"a child", "exec: [/bin/sh, script]",
     "read -r job; echo $$ >>pids; case $job in *'\"bad\"'*) . ./fault ;; esac\n", false},
    {"a warm child", "process: [/bin/sh, script], processes: 1",
     "while read -r job; do echo $$ >>pids; case $job in *'\"bad\"'*) . ./fault ;; "
     "*) echo '{\"done\":0}' ;; esac; done\n",
     true},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

#define TOO_LONG  "ran longer than"
#define NO_ANSWER "the process ended without an answer: "

static const struct fault {
    const char *name, *script;
    const char *cause[KINDS];  /* in the error of the job; NULL: it is done */
    const char *limits[KINDS]; /* NULL: none but a timeout */
} faults[] = {
    {.name = "it ignores TERM",
     .script = "trap '' TERM; while :; do sleep 0.2; done",
     .cause = {TOO_LONG, TOO_LONG}},
    {.name = "it leaves a daemon that holds its pipes",
     .script = "setsid sh -c 'echo $$ >>left; exec sleep 60' & "
               "until [ -s left ]; do sleep 0.01; done; exit 0",
     .cause = {NULL, NO_ANSWER "exit status 0"}},
    {.name = "its child ignores TERM and holds its pipes",
     .script = "sh -c 'trap \"\" TERM; echo $$ >>left; while :; do sleep 0.2; done' & "
               "until [ -s left ]; do sleep 0.01; done; exit 0",
     .cause = {NULL, NO_ANSWER "exit status 0"}},
    {.name = "it writes lines to stdout without end",
     .script = "exec yes '{\"event\":1}'",
     .cause = {TOO_LONG, TOO_LONG}},
    {.name = "it writes to stdout without end and without a line",
     .script = "exec cat /dev/zero",
     .cause = {TOO_LONG, "a line on stdout is longer than 1 MiB"}},
    {.name = "it writes to stderr without end",
     .script = "exec 3>&1; exec yes >&2", /* its stdout stays open */
     .cause = {TOO_LONG, TOO_LONG}},
    {.name = "it closes its pipes and stays",
     .script = "exec <&- >&- 2>&-; exec sleep 60",
     .cause = {TOO_LONG, "it closed its stdout without an answer"},
     .limits = {NULL, "timeout: 60"}},
    {.name = "it dies of SIGSEGV",
     .script = "ulimit -c 0; kill -SEGV $$",
     .cause = {"killed by SIGSEGV", NO_ANSWER "killed by SIGSEGV"}},
    {.name = "it prints rubbish",
     .script = "echo rubbish",
     .cause = {NULL, "a line on stdout is none of"}},
    /* 20 MB of 16: one for one job may not have them, a warm one is replaced when it is through. */
    {.name = "it eats memory",
     .script = "head -c 20000000 /dev/zero | tail -c 20000000 >/dev/null || exit 7; "
               "fat=$(head -c 20000000 /dev/zero | tr '\\0' x); echo '{\"done\":0}'",
     .cause = {"exit status 7", NULL},
     .limits = {"timeout: 60, max_memory: 16", "timeout: 60, max_rss: 16"}},
};
enum { FAULTS = sizeof faults / sizeof faults[0] };

static void write_file(const struct stage *s, const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", s->server.dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* extra: more members of the job. */
static void push_child(struct stage *s, const char *jid, const char *extra)
{
    must_do(s->redis, "LPUSH queue:default %s",
            matrix_text("{\"class\":\"child\",\"jid\":\"%s\",\"args\":[]%s}", jid, extra));
}

/* The process in this line of a file, from 0; the file has lines enough. */
static pid_t pid_in(const struct worker_process *w, const char *file, int line)
{
    char *text = worker_process_file(w, file), *at = text;
    for (int i = 0; i < line && at; i++)
        at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL;
    pid_t pid = at ? (pid_t)strtol(at, NULL, 10) : 0;
    free(text);
    ck_assert_msg(pid > 1, "%s has no line %d", file, line + 1);
    return pid;
}

/* How many it keeps open: what it opens for a moment, to look at the server or at itself, is closed
 * again at the next look. */
static int files_at_rest(const struct worker_process *w)
{
    enum { LOOK_US = 20000 };
    wait_until(DRAIN_MS, worker_process_count(w, "connected to Redis") == 1);
    int n, again = proc_files(w->pid);
    do {
        n = again;
        (void)usleep(LOOK_US);
        again = proc_files(w->pid);
    } while (again != n);
    return n;
}

/* The cause is in the job's error; without one, nothing has failed. */
static void check_cause(struct stage *s, const char *cause)
{
    struct reply *failed = must_call(s->redis, "ZRANGE retry 0 -1");
    ck_assert_uint_eq(reply_count(failed), cause != NULL);
    ck_assert_int_eq(stat_of(s, "stat:failed"), cause != NULL);
    const char *payload = cause ? reply_str(reply_at(failed, 0)).p : "";
    ck_assert_msg(!cause || strstr(payload, cause), "without its cause: %.300s", payload);
    reply_free(failed);
}

/* What the fault has left on purpose: in its group it is gone, out of it it is in nobody's way. */
static void check_left(const struct worker_process *w, bool daemon)
{
    char *left = worker_process_file(w, "left");
    if (*left != '\0') {
        pid_t pid = pid_in(w, "left", 0);
        if (daemon)
            ck_assert_int_eq(kill(pid, SIGKILL), 0);
        else
            wait_until(DRAIN_MS, proc_is_gone(pid));
    }
    free(left);
}

/* With one thread: the next job starts when the thread is free again. */
START_TEST(a_bad_child_costs_its_own_job_only)
{
    const struct fault *fault = &faults[_i / KINDS];
    const struct kind *kind = &kinds[_i % KINDS];
    struct stage s;
    char handlers[512];
    stage_open(&s, NULL);
    write_file(&s, "script", kind->script);
    write_file(&s, "fault", fault->script);
    const char *limits = fault->limits[_i % KINDS];
    (void)snprintf(handlers, sizeof handlers, "  - {class: child, %s, retry: 5, %s}\n",
                   kind->handler, limits ? limits : "timeout: 60");
    struct worker_process *w =
        stage_worker(&s, 0, (struct role){.threads = 1, .handlers = handlers});
    push_child(&s, "before", ""); /* everything is loaded and open then */
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == 2);
    int descriptors = files_at_rest(w);
    int64_t peak_kb = proc_peak_kb(w->pid);
    ck_assert(descriptors > 0 && peak_kb > 0);

    /* Only who would go on for ever has to be done within a time that a busy machine may need. */
    const char *cause = fault->cause[_i % KINDS];
    bool endless = cause && strcmp(cause, TOO_LONG) == 0;
    push_child(&s, "bad", !endless ? "" : SLOW == 1 ? ",\"timeout\":1" : ",\"timeout\":3");
    int64_t began_ns = clock_now_ns();
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_started(&s.oracle) == 2);
    int64_t took_ms = ms_since(began_ns);
    int64_t bound_ms = SLOW * (1 + GRACE_S + 1) * 1000; /* timeout, grace, one second */
    ck_assert_int_le(took_ms, bound_ms);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    push_child(&s, "after", "");
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == 5);

    pid_t bad = pid_in(w, "pids", 1);
    ck_assert_int_eq(pid_in(w, "pids", 0) == bad, kind->warm);
    ck_assert_int_ne(pid_in(w, "pids", 2), bad);
    check_cause(&s, cause);
    wait_until(DRAIN_MS, proc_is_gone(bad) && proc_zombies(w->pid) == 0);
    wait_until(DRAIN_MS, proc_files(w->pid) == descriptors);
    check_left(w, strstr(fault->script, "setsid") != NULL);
    int64_t grown_kb = proc_peak_kb(w->pid) - peak_kb;
    if (SLOW == 1)
        ck_assert_int_le(grown_kb, MAX_GROWTH_KB);
    int64_t events = must_int(s.redis, "LLEN sluice:stream:bad");
    ck_assert_int_le(events, MAX_EVENTS + 2); /* and the mark of the cut, and the status */
    struct oracle_figures figures = oracle_check(&s.oracle, "bad child", 0);
    must_stop(w);
    must_do(s.redis, "DEL sluice:stream:bad"); /* it lives for a day */
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 28,
        .fault = matrix_text("%s: %s", kind->name, fault->name),
        .bit = kind->warm ? "it had served a job before, and had begun" : "it had begun",
        .figures = &figures,
        .took = "thread free again",
        .took_ms = took_ms,
        .bound_ms = bound_ms,
        .result = matrix_text("no zombie, no descriptor left; a fresh one for the next job; "
                              "%lld events kept, %lld KB more",
                              (long long)events, (long long)grown_kb)});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("child");
    stage_add(suite, a_bad_child_costs_its_own_job_only, FAULTS * KINDS);
    return suite;
}
