/*
 * Programs that misbehave (row 28): each costs its own job, and its thread is free in time.
 */
#include "stage.h"
#include "support/matrix.h"

enum { TIMEOUT_S = 1, GRACE_S = 5, MAX_EVENTS = 100000 };

static const struct {
    const char *fault;
    const char *script; /* of /bin/sh; "$$" lines go to the file "pids" */
    const char *cause;  /* in the error message; NULL: it is done */
    bool at_once;       /* does not wait for the timeout */
} children[] = {
    {"it ignores TERM", "trap '' TERM; echo $$ >>pids; while :; do sleep 0.2; done", "Timeout",
     false},
    {"it leaves a daemon that holds its pipes",
     "setsid sh -c 'echo $$ >>pids; exec sleep 30' & until [ -s pids ]; do sleep 0.01; done", NULL,
     true},
    {"its child ignores TERM and holds its pipes",
     "sh -c 'trap \"\" TERM; echo $$ >>pids; while :; do sleep 0.2; done' & until [ -s pids ]; do "
     "sleep 0.01; done",
     NULL, true},
    {"it writes to stdout without end", "echo $$ >>pids; exec yes", "Timeout", false},
    {"it writes to stderr without end", "echo $$ >>pids; exec yes >&2", "Timeout", false},
    {"it closes its pipes and stays", "echo $$ >>pids; exec <&- >&- 2>&-; exec sleep 30", "Timeout",
     false},
    {"it dies of SIGSEGV", "echo $$ >>pids; kill -SEGV $$", "SIGSEGV", true},
};
enum { CHILDREN = sizeof children / sizeof children[0] };

static int zombies_of(pid_t parent)
{
    char command[96];
    (void)snprintf(command, sizeof command, "ps -o stat= --ppid %ld | grep -c ^Z", (long)parent);
    FILE *f = popen(command, "re");
    int n = -1;
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%d", &n), 1);
    (void)pclose(f); /* grep fails when it counts none */
    return n;
}

/* Without sockets: a connection to Redis may open at any time, and a child has none. */
static size_t descriptors_of(pid_t pid)
{
    char command[96];
    unsigned n = 0;
    (void)snprintf(command, sizeof command,
                   "find /proc/%ld/fd -type l -not -lname 'socket:*' | wc -l", (long)pid);
    FILE *f = popen(command, "re");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fscanf(f, "%u", &n), 1);
    ck_assert_int_eq(pclose(f), 0);
    return n;
}

/* The highest resident size so far, in KB. */
static long peak_of(pid_t pid)
{
    char path[64], line[256];
    long kb = -1;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
    FILE *f = fopen(path, "re");
    ck_assert_ptr_nonnull(f);
    while (kb < 0 && fgets(line, sizeof line, f))
        (void)sscanf(line, "VmHWM: %ld kB", &kb);
    (void)fclose(f); /* only read */
    return kb;
}

/* With one thread: the next job starts when the thread is free again. */
START_TEST(a_bad_child_costs_its_own_job_only)
{
    struct stage s;
    char handlers[512];
    stage_open(&s, NULL);
    (void)snprintf(handlers, sizeof handlers,
                   "  - {class: child, exec: [/bin/sh, script], timeout: %d, retry: 5}\n",
                   TIMEOUT_S);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/script", s.server.dir);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_gt(fprintf(f, "%s\n", children[_i].script), 0);
    ck_assert_int_eq(fclose(f), 0);
    struct worker_process *w =
        stage_worker(&s, 0, (struct role){.threads = 1, .handlers = handlers});
    ck_assert(oracle_push(&s.oracle, "default", "")); /* everything is loaded and open then */
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == 1);
    size_t descriptors = descriptors_of(w->pid);
    long peak = peak_of(w->pid);

    must_do(s.redis, "LPUSH queue:default %s", "{\"class\":\"child\",\"jid\":\"bad\",\"args\":[]}");
    int64_t began_ns = clock_now_ns();
    ck_assert(oracle_push(&s.oracle, "default", ""));
    wait_until(DRAIN_MS, oracle_started(&s.oracle) == 2);
    int64_t took_ms = ms_since(began_ns);
    int64_t bound_ms = SLOW * (TIMEOUT_S + GRACE_S + 1) * 1000;
    ck_assert_int_le(took_ms, bound_ms);
    ck_assert(oracle_drain(&s.oracle, DRAIN_MS));
    wait_until(DRAIN_MS, stat_of(&s, "stat:processed") == 3);

    char *pids = worker_process_file(w, "pids");
    ck_assert_msg(*pids != '\0', "the child has not begun: the fault did not happen");
    free(pids);
    struct reply *failed = must_call(s.redis, "ZRANGE retry 0 -1");
    ck_assert_uint_eq(reply_count(failed), children[_i].cause != NULL);
    if (children[_i].cause) {
        const char *payload = reply_str(reply_at(failed, 0)).p;
        ck_assert_msg(strstr(payload, children[_i].cause), "without its cause: %.300s", payload);
    } else {
        ck_assert_int_eq(stat_of(&s, "stat:failed"), 0);
    }
    reply_free(failed);
    ck_assert_int_eq(zombies_of(w->pid), 0);
    wait_until(DRAIN_MS, descriptors_of(w->pid) == descriptors);
    long grown = peak_of(w->pid) - peak;
    if (SLOW == 1)
        ck_assert_int_le(grown, 16 * 1024);
    int64_t events = must_int(s.redis, "LLEN sluice:stream:bad");
    ck_assert_int_le(events, MAX_EVENTS + 2); /* and the mark of the cut, and the status */
    struct oracle_figures figures = oracle_check(&s.oracle, "bad child", 0);
    must_stop(w);
    must_do(s.redis, "DEL sluice:stream:bad"); /* it lives for a day */
    check_books_are_empty(&s);
    stage_close(&s);
    matrix_report(&(struct matrix_entry){
        .row = 28,
        .fault = matrix_text("a child: %s", children[_i].fault),
        .bit = "it had begun",
        .figures = &figures,
        .took = "thread free again",
        .took_ms = took_ms,
        .bound_ms = bound_ms,
        .result = matrix_text("no zombie, no descriptor left; %lld events kept, %ld KB more",
                              (long long)events, grown)});
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("child");
    stage_add(suite, a_bad_child_costs_its_own_job_only, CHILDREN);
    return suite;
}
