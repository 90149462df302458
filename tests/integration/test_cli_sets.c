/* sluice retry, schedule and dead: what they list, requeue and delete. */
#include "support/sluice.h"
#include "test_worker.h"

/* Into a set, n jobs d1 … of the classes A and B, of which every third failed of E; the i-th failed
 * i minutes ago, for which its queue is "mail" or "default". And one element that is no job. */
static void fill(const char *set, int n)
{
    must_do(
        redis, "EVAL %s 1 %s %d",
        "local t = redis.call('TIME')[1] "
        "for i = 1, tonumber(ARGV[1]) do "
        "local job = string.format('{\"class\":\"%s\",\"jid\":\"d%d\",\"queue\":\"%s\",\"args\":[],"
        "\"retry_count\":2,\"created_at\":%d.5,\"failed_at\":1.0,\"retried_at\":%d.5,"
        "\"error_class\":\"%s\",\"error_message\":\"why %d\"}', "
        "i % 2 == 0 and 'A' or 'B', i, i % 4 == 0 and 'mail' or 'default', t - 60 * i, "
        "t - 60 * i, i % 3 == 0 and 'E' or 'F', i) "
        "redis.call('ZADD', KEYS[1], t - 60 * i, job) end "
        "redis.call('ZADD', KEYS[1], 1, 'rubbish') return 1",
        set, n);
}

static int64_t size_of(const char *key)
{
    return must_int(redis, key[0] == 'q' ? "LLEN %s" : "ZCARD %s", key);
}

static const char *const sets[] = {"retry", "schedule", "dead"};

START_TEST(ls_shows_what_is_meant)
{
    const char *set = sets[_i];
    struct sluice r;
    char line[200];
    (void)snprintf(line, sizeof line, "No jobs in %s.\n", set);
    sluice_expect(sluice(server.url, NULL, set, "ls"), 0, line, "");
    fill(set, 6);
    r = sluice(server.url, NULL, set, "ls");
    ck_assert_int_eq(r.status, 0);
    ck_assert_msg(strstr(r.out, "no job: rubbish") && strstr(r.out, "d6") && strstr(r.out, "1m ") &&
                      strstr(r.out, "E: why 3"),
                  "%s", r.out);
    /* The one that died last comes first, and the soonest. */
    ck_assert((strstr(r.out, "d1") < strstr(r.out, "d6")) == (_i == 2));
    sluice_free(&r);
    r = sluice(server.url, NULL, set, "ls", "--class", "A", "--error-class", "E", "--json");
    (void)snprintf(line, sizeof line,
                   "{\"set\":\"%s\",\"total\":7,\"shown\":1,\"jobs\":[{\"score\":", set);
    ck_assert_msg(r.status == 0 && strstr(r.out, line) == r.out && strstr(r.out, "\"jid\":\"d6\""),
                  "%s%s", r.out, r.err);
    sluice_free(&r);
    r = sluice(server.url, NULL, set, "ls", "--queue", "mail", "--older", "2m", "--newer", "1h");
    ck_assert_msg(r.status == 0 && strstr(r.out, "d4") && !strstr(r.out, "d2"), "%s", r.out);
    sluice_free(&r);
    (void)snprintf(line, sizeof line, "None of the 7 jobs in %s is meant.\n", set);
    sluice_expect(sluice(server.url, NULL, set, "ls", "--newer", "10"), 0, line, "");
    (void)snprintf(line, sizeof line, "2 of 7 in %s; --limit 0 shows all that are meant.\n", set);
    sluice_expect_part(sluice(server.url, NULL, set, "ls", "--limit", "2"), 0, line, "");
}
END_TEST

START_TEST(one_job_is_requeued_or_deleted)
{
    const char *set = sets[_i];
    char line[200];
    fill(set, 4);
    sluice_expect(sluice(server.url, NULL, set, "requeue", "d1", "d4"), 0,
                  "d1: requeued to default\nd4: requeued to mail\n", "");
    (void)snprintf(line, sizeof line, "d2: deleted from %s\n", set);
    sluice_expect(sluice(server.url, NULL, set, "rm", "--jid", "d2"), 0, line, "");
    ck_assert_int_eq(size_of("queue:default"), 1);
    ck_assert_int_eq(size_of("queue:mail"), 1);
    ck_assert_int_eq(size_of(set), 2); /* d3, and what is no job */
    (void)snprintf(line, sizeof line, "sluice: there is no job d9 in %s\n", set);
    sluice_expect(sluice(server.url, NULL, set, "requeue", "d9"), 1, "", line);
    (void)snprintf(line, sizeof line,
                   "[{\"jid\":\"d9\",\"error\":\"there is no job d9 in %s\"},{\"jid\":\"d3\","
                   "\"deleted\":true}]\n",
                   set);
    sluice_expect_part(sluice(server.url, NULL, set, "rm", "d9", "d3", "--json"), 1, line, "");
}
END_TEST

START_TEST(many_are_requeued_or_deleted)
{
    const char *set = sets[_i];
    char line[200];
    fill(set, 3000);
    (void)snprintf(line, sizeof line, "750 jobs of %s requeued\n", set);
    sluice_expect(sluice(server.url, NULL, set, "requeue", "--queue", "mail"), 0, line, "");
    ck_assert_int_eq(size_of("queue:mail"), 750);
    (void)snprintf(line, sizeof line, "{\"set\":\"%s\",\"requeued\":7,\"skipped\":0}\n", set);
    sluice_expect(
        sluice(server.url, NULL, set, "requeue", "--class", "B", "--limit", "7", "--json"), 0, line,
        "");
    ck_assert_int_eq(size_of("queue:default"), 7);
    (void)snprintf(line, sizeof line,
                   "sluice %s: this would delete 1,495 jobs of %s; give --yes, since nobody can be "
                   "asked here\n",
                   set, set);
    sluice_expect(sluice(server.url, NULL, set, "rm", "--older", "750m30s"), 2, "", NULL);
    ck_assert_int_eq(size_of(set), 3001 - 757);
    sluice_expect_part(sluice(server.url, NULL, set, "rm", "--error-class", "E", "--yes"), 0,
                       " deleted\n", "");
    ck_assert_int_eq(
        must_int(redis, "EVAL %s 1 %s",
                 "local n = 0 for _, j in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) "
                 "do if string.find(j, 'class\":\"E\"', 1, true) then n = n + 1 end end "
                 "return n",
                 set),
        0);
    sluice_expect_part(sluice(server.url, NULL, set, "requeue", "--all"), 0,
                       "1 skipped, being no jobs or of a queue that is no list\n", "");
    ck_assert_int_eq(size_of(set), 1);
    sluice_expect_part(sluice(server.url, NULL, set, "rm", "--all", "--yes"), 0, "1 job of ", "");
    ck_assert_int_eq(size_of(set), 0);
}
END_TEST

/* What is deleted after a question on a terminal, where the work is shown. */
START_TEST(a_person_is_asked)
{
    char url[160], line[200];
    fill("dead", 2000);
    (void)snprintf(line, sizeof line, "%s dead rm --class A", SLUICE_BINARY);
    (void)snprintf(url, sizeof url, "REDIS_URL=%s", server.url);
    struct program p = {.env = {url, "TERM=xterm"}, .input = slice_of("y\n")};
    const char *const argv[] = {"/usr/bin/script", "-qec", line, "/dev/null", NULL};
    program_start(&p, argv);
    int status = program_wait(&p);
    ck_assert_msg(status == 0 && strstr(p.out, "Delete 1,000 jobs of dead? [y/N]") &&
                      strstr(p.out, "deleting [") && strstr(p.out, "1,000 jobs of dead deleted"),
                  "%d: %s%s", status, p.out, p.err);
    program_end(&p);
    ck_assert_int_eq(size_of("dead"), 1001);
}
END_TEST

START_TEST(bad_usage_says_what_is_allowed)
{
    sluice_expect(
        sluice(NULL, NULL, "dead"), 2, "",
        "sluice dead: \"\" is not allowed; allowed: ls, requeue, rm; as in: sluice dead ls\n");
    sluice_expect(
        sluice(NULL, NULL, "retry", "eat"), 2, "",
        "sluice retry: \"eat\" is not allowed; allowed: ls, requeue, rm; as in: sluice retry ls\n");
    sluice_expect(
        sluice(NULL, NULL, "dead", "rm"), 2, "",
        "sluice dead: which jobs? allowed: jids, or filters, or --all; see sluice dead --help\n");
    sluice_expect(
        sluice(NULL, NULL, "dead", "rm", "x", "--class", "A"), 2, "",
        "sluice dead: which jobs? allowed: jids, or filters, or --all; see sluice dead --help\n");
    sluice_expect(
        sluice(NULL, NULL, "dead", "requeue", "--all", "--queue", "q"), 2, "",
        "sluice dead: which jobs? allowed: jids, or filters, or --all; see sluice dead --help\n");
    sluice_expect(sluice(NULL, NULL, "dead", "ls", "x"), 2, "",
                  "sluice dead: ls takes no jid; sluice why JID tells of one job\n");
    sluice_expect(sluice(NULL, NULL, "dead", "rm", "--limit", "x", "--all"), 2, "",
                  "sluice dead: --limit \"x\" is not allowed; allowed: 0 to 1000000000\n");
    sluice_expect_part(sluice(NULL, NULL, "dead", "ls", "--older", "soon"), 2, "",
                       "sluice dead: --older: ");
    must_do(redis, "SET dead x");
    sluice_expect_part(sluice(server.url, NULL, "dead", "ls"), 1, "", "WRONGTYPE");
    sluice_expect_part(sluice(server.url, NULL, "dead", "requeue", "--all"), 1, "0 jobs",
                       "WRONGTYPE");
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("commands of sets");
    TCase *tc = new_case(suite, "sets");
    tcase_add_loop_test(tc, ls_shows_what_is_meant, 0, 3);
    tcase_add_loop_test(tc, one_job_is_requeued_or_deleted, 0, 3);
    tcase_add_loop_test(tc, many_are_requeued_or_deleted, 0, 3);
    tcase_add_test(tc, a_person_is_asked);
    tcase_add_test(tc, bad_usage_says_what_is_allowed);
    return suite;
}
