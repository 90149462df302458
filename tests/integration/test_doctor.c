/* `sluice doctor`: each thing it looks at is made wrong on purpose, and is told. */
#include "test_worker.h"

#include <sys/resource.h>

#include "base/json.h"
#include "support/sluice.h"

static char settings[160];

/* Runs it, with settings unless there are none, and expects an exit status and a part of what it
 * says. */
static void expect(int status, const char *part)
{
    struct sluice r = settings[0] ? sluice(server.url, NULL, "doctor", "--config", settings)
                                  : sluice(server.url, NULL, "doctor");
    ck_assert_msg(r.status == status, "%d, and not %d (%s): %s%s", r.status, status, part, r.out,
                  r.err);
    ck_assert_msg(strstr(r.out, part) || strstr(r.err, part), "not told: %s\n%s%s", part, r.out,
                  r.err);
    sluice_free(&r);
}

static void write_settings(const char *text)
{
    (void)snprintf(settings, sizeof settings, "%s/doctor.yaml", server.dir);
    FILE *file = fopen(settings, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

START_TEST(a_fresh_server)
{
    expect(0, "ok       version       Redis ");
    expect(0, "warning  persistence   Redis does not persist: a restart of it loses every job.\n"
              "                       → set appendonly yes.\n");
    expect(0, "ok       latency       200 PINGs took ");
    expect(0, "ok       rights        the user \"default\" may use every command needed.\n");
    expect(0, "warning  workers       no worker is alive");
    expect(0, "warning  queue         worker.queues names \"default\", which has never had");
    expect(0, "\n0 problems, ");

    enum json_type type;
    struct sluice r = sluice(server.url, NULL, "doctor", "--json");
    ck_assert_int_eq(r.status, 0);
    ck_assert_int_eq(json_scan(slice_of(r.out), &type, NULL, NULL, NULL), 0);
    ck_assert_ptr_nonnull(strstr(r.out, "{\"name\":\"eviction\",\"level\":\"ok\",\"text\":"));
    ck_assert_ptr_nonnull(strstr(r.out, "\"problems\":0}\n"));
    sluice_free(&r);
    ck_assert_int_eq(must_int(redis, "DBSIZE"), 0); /* it has changed nothing */
}
END_TEST

START_TEST(settings_of_the_server)
{
    must_do(redis, "CONFIG SET appendonly yes");
    expect(0, "ok       persistence   appendonly, fsync everysec: a killed Redis loses nothing");
    must_do(redis, "CONFIG SET appendfsync no");
    expect(0, "warning  persistence   appendonly without fsync");
    must_do(redis, "CONFIG SET appendonly no");
    must_do(redis, "CONFIG SET save %s", "3600 1");
    expect(0, "warning  persistence   snapshots only");

    must_do(redis, "CONFIG SET maxmemory-policy allkeys-lru");
    expect(0, "warning  eviction      maxmemory-policy allkeys-lru");
    must_do(redis, "CONFIG SET maxmemory 100mb");
    expect(1, "problem  eviction      maxmemory-policy allkeys-lru");
    must_do(redis, "CONFIG SET maxmemory-policy noeviction");
    expect(0, "% of 100 MB (maxmemory)");
    must_do(redis, "CONFIG SET maxmemory 1mb"); /* less than an empty server needs */
    expect(1, "problem  memory        ");
    must_do(redis, "CONFIG SET maxmemory 0");

    must_do(redis, "CONFIG SET timeout 10");
    expect(0, "warning  timeout       Redis closes connections that are idle for 10 s");
    must_do(redis, "CONFIG SET busy-reply-threshold 20000");
    expect(0, "warning  busy scripts  a script of anybody may stop Redis for 20000 ms");
    must_do(redis, "CONFIG SET min-replicas-to-write 1");
    expect(1, "problem  role          min-replicas-to-write is 1 and 0 are connected");
    must_do(redis, "CONFIG SET min-replicas-to-write 0");
    must_do(redis, "REPLICAOF 127.0.0.1 1");
    expect(1, "problem  role          this is a read-only replica");
    must_do(redis, "REPLICAOF NO ONE");
    must_do(redis, "EVAL %s 0",
            "local t = redis.call('TIME') repeat local n = redis.call('TIME') until (n[1] - t[1]) "
            "* 1000000 + n[2] - t[2] > 150000 return 1");
    expect(0, "warning  slow log      "); /* how many, a busy machine adds to */
}
END_TEST

START_TEST(too_many_connections)
{
    must_do(redis, "CONFIG SET maxclients 130");
    must_do(redis, "SADD sluice:workers h:1:a");
    must_do(redis, "SET sluice:lease:h:1:a 1");
    expect(0, "ok       clients       ");
    must_do(redis, "SADD sluice:workers h:1:b");
    must_do(redis, "SET sluice:lease:h:1:b 1");
    expect(1, "problem  clients       2 live workers × 120 connections may open 240");
}
END_TEST

START_TEST(a_user_with_few_rights)
{
    must_do(redis, "ACL SETUSER few on >secret ~* +@all -blmove -publish");
    char url[200];
    (void)snprintf(url, sizeof url, "unix://few:secret@%s", server.socket);
    struct sluice r = sluice(url, NULL, "doctor");
    ck_assert_msg(r.status == 1, "%s%s", r.out, r.err);
    ck_assert_msg(strstr(r.out, "the user \"few\" may not use: BLMOVE, PUBLISH.\n") != NULL, "%s",
                  r.out);
    sluice_free(&r);

    /* A managed Redis: the questions themselves are refused. */
    must_do(redis, "ACL SETUSER few +blmove +publish -@admin -@dangerous");
    r = sluice(url, NULL, "doctor");
    ck_assert_msg(r.status == 0, "%s%s", r.out, r.err);
    ck_assert_msg(strstr(r.out, "unseen   version ") && strstr(r.out, "unseen   rights ") &&
                      strstr(r.out, "unseen   clients "),
                  "%s", r.out);
    sluice_free(&r);
}
END_TEST

START_TEST(settings_of_the_worker)
{
    write_settings("worker: {thread: 1}\n");
    expect(2, "doctor.yaml:1: ");
    write_settings("redis: {max_concurrent_ops: 10, max_connections: 11}\n");
    expect(2, "doctor.yaml:1: redis.max_connections is 11");
    write_settings("redis: {max_concurrent_ops: 2}\nworker: {threads: 400}\n");
    expect(0, "warning  sizes         400 threads share 2 permits");
    write_settings("redis: {max_concurrent_ops: 9000}\n");
    struct rlimit limit, low;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    low = limit;
    low.rlim_cur = 1024;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &low), 0);
    expect(0, "warning  descriptors   the limit of open files is 1024 here");
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    write_settings("redis: {socket_timeout: 4}\nworker: {lease: 5}\n");
    expect(0, "warning  lease         a reply may be awaited for 4 s");
    expect(0, "warning  handlers      these settings have no handlers");
    write_settings("handlers:\n  - {class: a, plugin: /none.so}\n");
    expect(1, "doctor.yaml:2: /none.so: No such file or directory");
    write_settings("handlers:\n  - {class: a, exec: [no-such-program-here]}\n");
    expect(1, "no-such-program-here: it is not in PATH");
    write_settings("handlers:\n  - {class: a, exec: [./true], workdir: /nowhere}\n");
    expect(1, "./true: its workdir is no directory");
    write_settings("handlers:\n  - {class: a, exec: [sh, -c, exit]}\n" TEST_HANDLER);
    expect(0, "ok       handlers      2 handlers, whose files are there");
}
END_TEST

START_TEST(a_fleet_and_its_queues)
{
    start_worker("worker: {queues: [default]}\nhandlers:\n" TEST_HANDLER);
    wait_until(HANG_MS, must_int(redis, "SISMEMBER queues default") == 1 &&
                            must_int(redis, "SCARD processes") == 1);
    expect(0, "ok       workers       1 live worker.\n");
    expect(0, "ok       versions      all live workers are sluice " SLUICE_VERSION);
    expect(0, "ok       queues        1 queue, none is paused or without a worker");
    must_do(redis, "SADD queues low");
    push("low", "{}");
    expect(1,
           "problem  queue         no live worker serves the queue \"low\", and 1 job waits in it");
    must_do(redis, "SADD paused low");
    expect(0, "warning  queue         the queue \"low\" is paused, and 1 job waits in it");
    must_do(redis, "DEL queue:low");
    must_do(redis, "SET queue:low text");
    expect(1, "problem  queue         the key of the queue \"low\" is no list");
    must_do(redis, "DEL queue:low");
    must_do(redis, "SADD sluice:workers h:1:old h:1:dead");
    must_do(redis, "SET sluice:lease:h:1:old 1 EX 600");
    must_do(redis, "HSET h:1:old info %s", "{\"queues\":[],\"version\":\"sluice 0.0.1\"}");
    expect(0, "warning  versions      live workers are of different versions: ");
    must_do(redis, "DEL sluice:lease:h:1:old");
    expect(0, "warning  dead workers  ");
}
END_TEST

START_TEST(unreachable)
{
    struct sluice r = sluice("unix:///nonexistent", NULL, "doctor");
    ck_assert_int_eq(r.status, 69);
    ck_assert_str_eq(r.out, "");
    sluice_free(&r);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("doctor");
    TCase *t = new_case(s, "doctor");
    tcase_add_test(t, a_fresh_server);
    tcase_add_test(t, settings_of_the_server);
    tcase_add_test(t, too_many_connections);
    tcase_add_test(t, a_user_with_few_rights);
    tcase_add_test(t, settings_of_the_worker);
    tcase_add_test(t, a_fleet_and_its_queues);
    tcase_add_test(t, unreachable);
    return s;
}
