/* The commands that look after one job: status, follow and enqueue --wait, beside a real worker. */
#include "support/sluice.h"
#include "test_worker.h"

#include <pthread.h>

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER
    "  - {class: count, track: true, exec: [sh, -c, \"for i in 1 2 3; do "
    "echo $i; until [ -e go$i ]; do sleep 0.02; done; done\"]}\n"
    "  - {class: quiet, track: true, stream: false, plugin: \"" TEST_PLUGIN "\"}\n"
    "  - {class: bad, exec: [sh, -c, \"echo trying; echo why >&2; exit 100\"]}\n";

static void touch(const char *name)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", server.dir, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(fclose(f), 0);
}

START_TEST(wait_prints_the_result)
{
    start_worker(settings);
    sluice_expect(
        sluice(server.url, NULL, "enqueue", "test", "--args", "[{\"result\":[1,{}]}]", "--wait"), 0,
        "[1,{}]\n", "");
    sluice_expect(
        sluice(server.url, NULL, "enqueue", "quiet", "--args", "[{\"result\":7}]", "--wait"), 0,
        "7\n", "");
    struct sluice r = sluice(server.url, NULL, "enqueue", "bad", "--wait", "--json");
    ck_assert_int_eq(r.status, 1);
    ck_assert_msg(strstr(r.out, "\"state\":\"dead\"") && strstr(r.out, "exit status 100: why"),
                  "%s", r.out);
    sluice_free(&r);
    r = sluice(server.url, NULL, "enqueue", "bad", "--wait");
    ck_assert_int_eq(r.status, 1);
    ck_assert_str_eq(r.out, "");
    ck_assert_msg(strstr(r.err, ": dead: exit status 100: why"), "%s", r.err);
    sluice_free(&r);
    sluice_expect(sluice(server.url, NULL, "enqueue", "test", "--wait", "--count", "2"), 2, "",
                  "sluice enqueue: --wait and --count exclude each other: it waits for one job\n");
}
END_TEST

static void *follow(void *unused)
{
    (void)unused;
    static struct sluice r;
    r = sluice(server.url, NULL, "follow", "f", "--json");
    return &r;
}

/* While it is followed, the connections of the follower are cut again and again. */
START_TEST(follow_misses_nothing)
{
    pthread_t thread;
    void *got;
    start_worker(settings);
    ck_assert_int_eq(pthread_create(&thread, NULL, follow, NULL), 0);
    wait_until(HANG_MS,
               must_int(redis, "EVAL %s 0",
                        "return redis.call('PUBSUB', 'NUMSUB', 'sluice:stream:f')[2]") == 1);
    push("default", "{\"class\":\"count\",\"jid\":\"f\",\"args\":[]}");
    for (int i = 1; i <= 3; i++) {
        char name[8];
        wait_until(HANG_MS, must_int(redis, "LLEN sluice:stream:f") == i);
        (void)must_int(redis, "CLIENT KILL TYPE pubsub");
        (void)snprintf(name, sizeof name, "go%d", i);
        touch(name);
    }
    ck_assert_int_eq(pthread_join(thread, &got), 0);
    struct sluice *r = got;
    ck_assert_int_eq(r->status, 0);
    ck_assert_str_eq(r->out,
                     "{\"id\":1,\"event\":1}\n{\"id\":2,\"event\":2}\n{\"id\":3,\"event\":3}\n"
                     "{\"id\":4,\"event\":{\"type\":\"status\",\"status\":\"completed\"}}\n");
    sluice_free(r);
    sluice_expect(sluice(server.url, NULL, "follow", "f", "--after", "2"), 0,
                  "3\n{\"type\":\"status\",\"status\":\"completed\"}\n", "");
}
END_TEST

START_TEST(follow_gives_up_when_told)
{
    sluice_expect(sluice(server.url, NULL, "follow", "nobody", "--timeout", "0.2"), 1, "",
                  "sluice: job nobody has not ended within 200 ms\n");
    sluice_expect(sluice(server.url, NULL, "follow", "j", "--after", "x"), 2, "",
                  "sluice follow: --after \"x\" is not allowed; allowed: 0 to 2147483647\n");
    sluice_expect(
        sluice(server.url, NULL, "follow"), 2, "",
        "sluice follow: one jid is wanted; as in: sluice follow 3f0a8b1c2d4e5f60718293a4\n");
}
END_TEST

/* Requeued: the end of its first life is none of the job. */
START_TEST(follow_goes_on_with_a_job_that_runs_again)
{
    must_do(redis, "RPUSH sluice:stream:r 1 %s %s 2", "{\"type\":\"status\",\"status\":\"dead\"}",
            "{\"type\":\"attempt\",\"attempt\":1}");
    sluice_expect(
        sluice(server.url, NULL, "follow", "r", "--after", "1", "--timeout", "0.2"), 1,
        "{\"type\":\"status\",\"status\":\"dead\"}\n{\"type\":\"attempt\",\"attempt\":1}\n2\n",
        "sluice: job r has not ended within 200 ms\n");
    must_do(redis, "RPUSH sluice:stream:r %s", "{\"type\":\"status\",\"status\":\"completed\"}");
    sluice_expect(sluice(server.url, NULL, "follow", "r", "--after", "3"), 0,
                  "2\n{\"type\":\"status\",\"status\":\"completed\"}\n", "");
}
END_TEST

/* An event is a line whatever it is, and nobody is followed for a reader that is gone. */
START_TEST(follow_ends_with_its_reader)
{
    char url[160];
    struct program p = {0};
    must_do(redis, "RPUSH sluice:stream:p %s", "{\n\t\"a\": 1}");
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", server.url);
    p.env[0] = url;
    program_start(&p, (const char *const[]){"/bin/sh", "-c",
                                            "{ " SLUICE_BINARY " follow p --json; echo $? >&2; } | "
                                            "{ read -r line; echo \"$line\"; }",
                                            NULL});
    wait_until(HANG_MS, (program_read(&p), strstr(p.out, "\n") != NULL));
    ck_assert_str_eq(p.out, "{\"id\":1,\"event\":{  \"a\": 1}}\n");
    must_do(redis, "EVAL %s 1 sluice:stream:p",
            "redis.call('PUBLISH', KEYS[1], redis.call('RPUSH', KEYS[1], 2))");
    ck_assert_int_eq(program_wait(&p), 0);
    ck_assert_str_eq(p.err, "1\n");
    program_end(&p);
}
END_TEST

START_TEST(status_shows_the_record)
{
    start_worker(settings);
    push("default",
         "{\"class\":\"test\",\"jid\":\"s\",\"track\":true,\"args\":[{\"result\":\"x\"}]}");
    sluice_expect(sluice(server.url, NULL, "follow", "s"), 0,
                  "{\"type\":\"status\",\"status\":\"completed\"}\n", "");
    struct sluice r = sluice(server.url, NULL, "status", "s", "--json");
    ck_assert_int_eq(r.status, 0);
    ck_assert_msg(strstr(r.out, "{\"jid\":\"s\",\"state\":\"completed\",\"class\":\"test\"") ==
                          r.out &&
                      strstr(r.out, "\"attempt\":1,") && strstr(r.out, "\"result\":\"x\"}\n"),
                  "%s", r.out);
    sluice_free(&r);
    r = sluice(server.url, NULL, "status", "s");
    ck_assert_int_eq(r.status, 0);
    ck_assert_msg(strstr(r.out, "completed") && strstr(r.out, " ago\n"), "%s", r.out);
    sluice_free(&r);
    sluice_expect(
        sluice(server.url, NULL, "status", "nobody"), 1, "",
        "sluice: nothing is recorded of job nobody: it is not tracked, has not started, or ended "
        "too long ago\n");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("commands of one job");
    TCase *tc = new_case(suite, "job");
    tcase_add_test(tc, wait_prints_the_result);
    tcase_add_test(tc, follow_misses_nothing);
    tcase_add_test(tc, follow_gives_up_when_told);
    tcase_add_test(tc, follow_ends_with_its_reader);
    tcase_add_test(tc, follow_goes_on_with_a_job_that_runs_again);
    tcase_add_test(tc, status_shows_the_record);
    return suite;
}
