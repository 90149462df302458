/*
 * Sidekiq's own client enqueues (sidekiq/enqueue.rb), our worker runs: every job once, with each
 * byte that Ruby wrote. Needs Debian's ruby-sidekiq.
 */
#include "integration/test_worker.h"
#include "support/program.h"

#define ENQUEUE TEST_SOURCE_DIR "/tests/interop/sidekiq/enqueue.rb"

/* What the jobs are given goes to a file, line by line. */
static const char settings[] =
    "worker: {threads: 4, queues: [default, low, Mail.out-1_B], shutdown_timeout: 1}\n"
    "handlers:\n"
    "  - {class: \"*\", processes: 1, process: [/bin/sh, -c, 'while IFS= read -r job; do "
    "printf \"%s\\n\" \"$job\" >>ran; echo \"{\\\"done\\\":null}\"; done']}\n";

static struct program ruby;

static void end_ruby(void)
{
    program_end(&ruby);
}

static void enqueue(void)
{
    char url[160];
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", server.url);
    ruby = (struct program){.env = {url, "LANG=C.UTF-8"}};
    program_start(&ruby, (const char *const[]){"/usr/bin/ruby", ENQUEUE, NULL});
    int status = program_wait(&ruby);
    ck_assert_msg(status == 0, "%s", ruby.err);
}

/* One that ran, by its jid. */
struct ran {
    const char *line;
    bool told;
};

/* Ends each line of a text by a NUL, and returns where they begin. */
static char **split(char *text, size_t *ret_n)
{
    size_t n = 0;
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        n++;
    char **lines = calloc(n + 1, sizeof *lines);
    ck_assert_ptr_nonnull(lines);
    for (size_t i = 0; i < n; i++) {
        lines[i] = text;
        text = strchr(text, '\n');
        *text++ = '\0';
    }
    *ret_n = n;
    return lines;
}

/* One line of what Ruby told: members, the jid first, with tabs between. */
static void must_have_run(char *told, struct ran *ran, size_t n)
{
    char *rest = told, *jid = strsep(&rest, "\t");
    size_t at = 0;
    while (at < n && (ran[at].told || !strstr(ran[at].line, jid)))
        at++;
    ck_assert_msg(at < n, "%s has not run", jid);
    ran[at].told = true;
    for (char *part; (part = strsep(&rest, "\t")) != NULL;)
        ck_assert_msg(strstr(ran[at].line, part), "%s ran as %.1000s\nand not with %.1000s", jid,
                      ran[at].line, part);
}

START_TEST(each_job_runs_once_as_it_was_enqueued)
{
    size_t ntold, nran;
    start_worker(settings);
    enqueue();
    char **told = split(ruby.out, &ntold);
    ck_assert_uint_gt(ntold, 2500);
    wait_processed((int64_t)ntold);
    char *text = worker_process_file(&worker, "ran");
    char **lines = split(text, &nran);
    ck_assert_uint_eq(nran, ntold);
    struct ran *ran = calloc(nran, sizeof *ran);
    ck_assert_ptr_nonnull(ran);
    for (size_t i = 0; i < nran; i++)
        ran[i].line = lines[i];
    for (size_t i = 0; i < ntold; i++)
        must_have_run(told[i], ran, nran);
    ck_assert_int_eq(must_int(redis, "EXISTS schedule retry dead queue:default queue:low"), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS stat:failed"), 0);
    free(ran);
    free(lines);
    free(text);
    free(told);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("Sidekiq's client");
    TCase *tc = new_case(suite, "client");
    tcase_add_checked_fixture(tc, NULL, end_ruby);
    tcase_add_test(tc, each_job_runs_once_as_it_was_enqueued);
    return suite;
}
