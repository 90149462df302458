/* deploy/prometheus, deploy/grafana and deploy/kubernetes speak of figures that there are. */
#include <ctype.h>

#include "base/buf.h"
#include "test_api.h"

#define DEPLOY TEST_SOURCE_DIR "/deploy/"

static const char *const files[] = {
    DEPLOY "prometheus/sluice.rules.yml",
    DEPLOY "grafana/sluice.json",
};
enum { FILES = sizeof files / sizeof *files };

static char *read_file(const char *path)
{
    char *text = calloc(1, 1 << 20);
    FILE *f = fopen(path, "re");
    ck_assert_msg(f && text, "%s", path);
    ck_assert(fread(text, 1, (1 << 20) - 1, f) > 0 && fclose(f) == 0);
    return text;
}

/* What both programs show, after a job has run. */
static struct buf shown;

static void scrape(const char *program, int at)
{
    int api = port;
    port = at;
    struct answer a = get("/metrics");
    port = api;
    ck_assert_msg(a.status == 200, "%s: %s", program, a.text);
    buf_puts(&shown, a.body);
    free(a.text);
}

static void learn(void)
{
    char variable[64];
    struct worker_process api;
    int metrics = redis_server_free_port();
    start_api(NULL);
    api = worker;
    worker = (struct worker_process){0};
    (void)snprintf(variable, sizeof variable, "SLUICE_METRICS_LISTEN=127.0.0.1:%d", metrics);
    worker_process_start(&worker, &server,
                         &(struct worker_options){.settings = "handlers:\n" TEST_HANDLER,
                                                  .env = (const char *const[]){variable, NULL}});
    push("default", "{\"class\":\"test\",\"args\":[{}],\"enqueued_at\":1}");
    wait_until(HANG_MS, must_int(redis, "GET stat:processed") == 1);
    must_push(redis, "queue:waits", slice_of("{\"class\":\"test\",\"args\":[]}"));
    must_int(redis, "SADD queues waits");
    scrape("the worker", metrics);
    wait_until(HANG_MS, (scrape("the API", port), strstr(buf_str(&shown), "sluice_queue_size{")));
    worker_process_signal(&api, SIGTERM);
    ck_assert_int_eq(worker_process_wait(&api, HANG_MS), 0);
    worker_process_free(&api);
}

/* A series of this name, or a family. */
static bool is_shown(const char *name, size_t n)
{
    for (const char *line = buf_str(&shown); line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "# TYPE ", 7) == 0)
            line += 7;
        if (strncmp(line, name, n) == 0 && (line[n] == ' ' || line[n] == '{'))
            return true;
    }
    return false;
}

static bool is_name(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

START_TEST(each_metric_is_one)
{
    int names = 0;
    learn();
    for (int i = 0; i < FILES; i++) {
        char *text = read_file(files[i]);
        for (const char *p = text; (p = strstr(p, "sluice_")) != NULL;) {
            size_t n = 0;
            while (is_name(p[n]))
                n++;
            bool begins = p == text || !is_name(p[-1]);
            ck_assert_msg(!begins || is_shown(p, n), "%s: no metric %.*s", files[i], (int)n, p);
            names += begins;
            p += n;
        }
        free(text);
    }
    ck_assert_int_gt(names, 40);
    buf_release(&shown);
}
END_TEST

START_TEST(what_keda_asks_for_is_told)
{
    static const char label[] = "valueLocation: ";
    int names = 0;
    start_api(NULL);
    struct answer a = get("/v1/stats");
    char *text = read_file(DEPLOY "kubernetes/keda/scaledobject.yaml");
    for (const char *p = text; (p = strstr(p, label)) != NULL; names++) {
        char member[64];
        p += sizeof label - 1;
        (void)snprintf(member, sizeof member, "\"%.*s\":", (int)strcspn(p, "\n"), p);
        ck_assert_msg(strstr(a.body, member), "%s is not in %s", member, a.body);
    }
    ck_assert_int_eq(names, 2);
    free(text);
    free(a.text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("observability");
    TCase *tc = new_case(suite, "figures");
    tcase_add_test(tc, each_metric_is_one);
    tcase_add_test(tc, what_keda_asks_for_is_told);
    return suite;
}
