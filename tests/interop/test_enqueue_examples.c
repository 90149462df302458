/*
 * The programs of examples/enqueue/ against a real Redis and worker: what they say they have
 * enqueued lies in Redis, and runs once, with the bytes it was enqueued with.
 *
 * Needs what deploy/install-deps --test installs; a peer's client that is missing is a failure.
 */
#include "integration/test_api.h"
#include "support/program.h"

#define EXAMPLES TEST_SOURCE_DIR "/examples/enqueue/"
#define NODE     TEST_BINARY_DIR "/tests/node"

enum { JOBS = 5 }; /* of each: single, delayed, three in bulk */

/* The args of `single`, and of each of the bulk. */
static const char *const paths[] = {"/etc/hosts", "/etc/hosts", "/etc/services", "/etc/passwd"};

static const struct example {
    const char *name;
    const char *argv[4];
    const char *delayed; /* its args, as this language writes them */
    bool by_http;
} examples[] = {
    {"redis-cli",
     {EXAMPLES "enqueue-redis.sh"},
     "[12345678901234567890, 1.10, \"\\u00e9\", [], {}]",
     false},
    {"curl",
     {EXAMPLES "enqueue-api.sh"},
     "[12345678901234567890, 1.10, \"\\u00e9\", [], {}]",
     true},
    /* Not whatever python3 comes first: Debian's has Debian's modules. */
    {"python",
     {"/usr/bin/python3", "-B", EXAMPLES "enqueue.py"},
     "[12345678901234567890, 1.1, \"\\u00e9\", [], {}]",
     false},
    {"node",
     {"/usr/bin/env", "node", EXAMPLES "enqueue.js"},
     "[\"12345678901234567890\",1.5,\"é\",[],{}]",
     false},
    {"ruby", {EXAMPLES "enqueue.rb"}, "[12345678901234567890,1.1,\"é\",[],{}]", false},
    {"c",
     {TEST_BINARY_DIR "/bin/enqueue"},
     "[12345678901234567890, 1.10, \"\\u00e9\", [], {}]",
     false},
};
enum { EXAMPLE_COUNT = sizeof examples / sizeof *examples };

/* As the lock file has it, into the build folder; by the settings of whoever runs the tests, as a
 * registry may be reached through a mirror. */
static void install_ioredis(void)
{
    static const char line[] =
        "mkdir -p " NODE " && cd " NODE " && "
        "if ! cmp -s " EXAMPLES "package-lock.json package-lock.json; then "
        "  cp " EXAMPLES "package.json . && cp " EXAMPLES "package-lock.json lock && "
        "  cp lock package-lock.json && "
        "  npm ci --ignore-scripts --no-audit --no-fund --prefer-offline >npm.log 2>&1 || "
        "  { cat npm.log; rm -f package-lock.json; exit 1; }; "
        "fi";
    ck_assert_msg(system(line) == 0, "npm ci failed");
}

static void set_up_tcp(void)
{
    must_start(&server, &(struct redis_server_options){.tcp = true});
    open_redis();
}

/* Runs one; returns what it printed, to be freed. */
static char *run(const struct example *e, const char *url, const char *api)
{
    struct program p = {.env = {url, api, "NODE_PATH=" NODE "/node_modules", "LANG=C.UTF-8"}};
    const char *argv[6] = {NULL};
    int n = 0;
    while (e->argv[n]) {
        argv[n] = e->argv[n];
        n++;
    }
    argv[n] = "1"; /* a second until the delayed one is due */
    program_start(&p, argv);
    int status = program_wait(&p);
    ck_assert_msg(status == 0, "%s: %d: %s%s", e->name, status, p.out, p.err);
    char *out = strdup(p.out);
    ck_assert_ptr_nonnull(out);
    program_end(&p);
    return out;
}

/* The jids of "single A\ndelayed B\nbulk C D E\n". */
static void read_jids(const char *out, char jid[JOBS][25])
{
    char rest[2] = "";
    int n = sscanf(out,
                   "single %24[0-9a-f]\ndelayed %24[0-9a-f]\nbulk %24[0-9a-f] %24[0-9a-f] "
                   "%24[0-9a-f]\n%1s",
                   jid[0], jid[1], jid[2], jid[3], jid[4], rest);
    ck_assert_msg(n == JOBS, "%s", out);
    for (int i = 0; i < JOBS; i++) {
        ck_assert_uint_eq(strlen(jid[i]), 24);
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(jid[i], jid[j]);
    }
}

/* The payload has this jid and, as they are, these args. */
static void must_hold(char *payload, const char *jid, const char *args)
{
    char text[64];
    ck_assert_ptr_nonnull(payload);
    const char *at = strstr(payload, "\"args\":");
    ck_assert_msg(strstr(payload, jid) && at, "%s", payload);
    at += strlen("\"args\":");
    at += *at == ' ';
    (void)snprintf(text, sizeof text, "%.*s", (int)strlen(args), at);
    ck_assert_msg(strcmp(text, args) == 0, "%s: args are to be %s", payload, args);
    free(payload);
}

static const char *path_args(int i)
{
    static char args[64];
    (void)snprintf(args, sizeof args, "[\"%s\"]", paths[i]);
    return args;
}

static void check_in_redis(const struct example *e, char jid[JOBS][25])
{
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    ck_assert_int_eq(must_int(redis, "ZCARD schedule"), 1);
    ck_assert_int_eq(must_int(redis, "LLEN queue:low"), 3);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues default"), 1);
    ck_assert_int_eq(must_int(redis, "SISMEMBER queues low"), 1);
    must_hold(must_text(redis, "LINDEX queue:default 0"), jid[0], path_args(0));
    struct reply *waits = must_call(redis, "ZRANGE schedule 0 0");
    struct slice first = reply_str(reply_at(waits, 0));
    must_hold(strndup(first.p, first.n), jid[1], e->delayed);
    reply_free(waits);
    for (int i = 0; i < 3; i++) /* the first is the first to run */
        must_hold(must_text(redis, "LINDEX queue:low %d", -1 - i), jid[2 + i], path_args(1 + i));
}

/* Every job as it was run is a line of the file. */
static void check_as_run(const struct example *e, char jid[JOBS][25])
{
    char *ran = worker_process_file(&worker, "ran");
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(times_in_file("ran", jid[i]), 1);
        char *line = strstr(ran, jid[i]);
        while (line > ran && line[-1] != '\n')
            line--;
        must_hold(strndup(line, strcspn(line, "\n")), jid[i],
                  i == 1 ? e->delayed : path_args(i > 1 ? i - 1 : 0));
    }
    free(ran);
}

static void start_api_process(struct worker_process *api, char *ret_address, size_t size)
{
    port = redis_server_free_port();
    ck_assert_int_gt(port, 0);
    char listen[32];
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    (void)snprintf(ret_address, size, "SLUICE_API=http://%s", listen);
    worker_process_spawn(
        api, &server,
        &(struct worker_options){.program = API_PROGRAM,
                                 .args = (const char *const[]){"--listen", listen, NULL}});
    wait_until(HANG_MS, worker_process_said(api, "serving the API"));
}

START_TEST(each_job_runs_once_as_it_was_enqueued)
{
    const struct example *e = &examples[_i];
    struct worker_process api = {0};
    char jid[JOBS][25], url[64], address[64] = "SLUICE_API=";
    if (strcmp(e->name, "node") == 0)
        install_ioredis();
    if (e->by_http)
        start_api_process(&api, address, sizeof address);
    (void)snprintf(url, sizeof url, "REDIS_URL=redis://127.0.0.1:%d", server.port);
    char *out = run(e, url, address);
    read_jids(out, jid);
    free(out);
    check_in_redis(e, jid);
    /* One line is one write, and the examples' own handlers would not show what they were given. */
    start_worker("worker: {threads: 4, queues: [default, low], shutdown_timeout: 1}\n"
                 "handlers:\n"
                 "  - {class: \"*\", exec: [tee, -a, ran]}\n");
    wait_processed(JOBS);
    check_as_run(e, jid);
    ck_assert_int_eq(must_int(redis, "EXISTS retry dead schedule queue:default queue:low"), 0);
    if (e->by_http)
        (void)worker_process_stop(&api); /* not what is tested here */
    worker_process_free(&api);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("examples of enqueueing");
    TCase *tc = tcase_create("examples");
    tcase_add_checked_fixture(tc, set_up_tcp, tear_down);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    tcase_add_loop_test(tc, each_job_runs_once_as_it_was_enqueued, 0, EXAMPLE_COUNT);
    suite_add_tcase(suite, tc);
    return suite;
}
