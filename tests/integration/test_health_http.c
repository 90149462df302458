/* How /metrics and its kin are served: protocol, bounds, many and slow clients, addresses. */
#include <arpa/inet.h>

#include "test_health.h"

#include "base/thread.h"

enum { SCRAPERS = 8, SCRAPES = 25 };

/* ---- the protocol ---- */

START_TEST(paths_and_methods)
{
    static const struct {
        const char *method, *path;
        int status;
        const char *code;
    } cases[] = {
        {"GET", "/", 404, "not_found"},
        {"GET", "/metrics/", 404, "not_found"},
        {"GET", "/metricsx", 404, "not_found"},
        {"GET", "/../etc/passwd", 404, "not_found"},
        {"POST", "/nowhere", 404, "not_found"},
        {"POST", "/metrics", 405, "method_not_allowed"},
        {"DELETE", "/readyz", 405, "method_not_allowed"},
        {"OPTIONS", "/livez", 405, "method_not_allowed"},
        {"get", "/livez", 405, "method_not_allowed"},
    };
    start();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char begin[64];
        struct answer a = ask(cases[i].method, cases[i].path);
        (void)snprintf(begin, sizeof begin, "{\"error\":{\"code\":\"%s\",\"message\":\"",
                       cases[i].code);
        ck_assert_msg(a.status == cases[i].status, "%s %s: %d", cases[i].method, cases[i].path,
                      a.status);
        ck_assert_ptr_eq(strstr(a.body, begin), a.body);
        ck_assert_str_eq(a.body + strlen(a.body) - 4, "\"}}\n");
        ck_assert(!strstr(a.text, "\r\nAllow: GET, HEAD\r\n") == (a.status != 405));
        free(a.text);
    }
    ck_assert_int_eq(status_of("/livez?verbose=1"), 200);
}
END_TEST

START_TEST(head_has_no_body)
{
    start();
    struct answer a = ask("HEAD", "/livez");
    ck_assert_int_eq(a.status, 200);
    ck_assert_ptr_nonnull(strstr(a.text, "\r\nContent-Length: 16\r\n"));
    ck_assert_str_eq(a.body, "");
    free(a.text);
}
END_TEST

START_TEST(sizes_are_bounded)
{
    start();
    struct answer a = exchange("GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    ck_assert_int_eq(a.status, 413);
    free(a.text);
    a = exchange("GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    ck_assert_int_eq(a.status, 413);
    free(a.text);

    struct buf request = {0};
    buf_puts(&request, "GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ");
    for (int i = 0; i < 20000; i++)
        buf_putc(&request, 'x');
    buf_puts(&request, "\r\nConnection: close\r\n\r\n");
    a = exchange(buf_str(&request));
    ck_assert_int_ne(a.status, 200);
    free(a.text);
    buf_release(&request);
    ck_assert_int_eq(status_of("/livez"), 200);
}
END_TEST

START_TEST(connections_are_kept)
{
    struct buf got = {0};
    start();
    int fd = dial();
    static const char twice[] = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
                                "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    ck_assert_int_eq(send(fd, twice, sizeof twice - 1, MSG_NOSIGNAL), sizeof twice - 1);
    ask_read(fd, &got);
    const char *second = strstr(buf_str(&got) + 1, "HTTP/1.1 200 OK");
    ck_assert_ptr_nonnull(second);
    buf_release(&got);
    (void)close(fd);
}
END_TEST

static void *scrape_often(void *arg)
{
    (void)arg;
    for (int i = 0; i < SCRAPES; i++)
        free(scrape());
    return NULL;
}

START_TEST(many_scrapes_at_once)
{
    struct thread threads[SCRAPERS] = {{.started = false}};
    start();
    for (int i = 0; i < SCRAPERS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "scraper", scrape_often, NULL), 0);
    for (int i = 0; i < 500; i++)
        push_test(i % 2 ? "default" : "critical", "done", "");
    for (int i = 0; i < SCRAPERS; i++)
        thread_join(&threads[i]);
    wait_processed(500);
    ck_assert_double_eq(scraped(PROCESSED("default", "test", "done")), 250);
    ck_assert_double_eq(scraped(PROCESSED("critical", "test", "done")), 250);
}
END_TEST

/* Clients that ask half a question, or never read the answer, hold up neither others nor a stop. */
START_TEST(slow_clients_hold_up_nobody)
{
    enum { SLUGS = 12 };
    int fds[SLUGS];
    static const char half[] = "GET /metrics HTT",
                      many[] = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
    start();
    for (int i = 0; i < SLUGS; i++) {
        fds[i] = dial();
        ck_assert_int_ge(fds[i], 0);
        if (i % 2 == 0)
            ck_assert_int_eq(send(fds[i], half, sizeof half - 1, MSG_NOSIGNAL), sizeof half - 1);
        for (int n = 0; i % 2 == 1 && n < 100; n++)
            (void)!send(fds[i], many, sizeof many - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    ck_assert_int_eq(status_of("/livez"), 200);
    int64_t begin = clock_now_ns();
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    ck_assert_int_lt(clock_now_ns() - begin, 20 * NS_PER_S); /* and not the 30 s of their timeout */
    for (int i = 0; i < SLUGS; i++)
        (void)close(fds[i]);
}
END_TEST

/* ---- where it listens ---- */

START_TEST(bind_conflict_is_an_error)
{
    char listen[64], error[512];
    struct worker_process second;
    start();
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    spawn_at(&second, listen);
    ck_assert_int_eq(worker_process_wait(&second, HANG_MS), 1);
    (void)snprintf(error, sizeof error,
                   "level=error msg=\"cannot start\" error=\"cannot start the metrics server: %s: "
                   "Address already in use; each worker of a host needs an address of its own, or "
                   "off (SLUICE_METRICS_LISTEN)\"",
                   listen);
    ck_assert(worker_process_said(&second, error));
    worker_process_free(&second);
    ck_assert_int_eq(status_of("/readyz"), 200);
    wait_until(HANG_MS, must_int(redis, "SCARD sluice:workers") == 1);
}
END_TEST

START_TEST(address_of_others)
{
    spawn_at(&worker, "192.0.2.1:9394"); /* reserved for documentation: nobody's */
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 1);
    ck_assert(worker_process_said(&worker, "metrics server: 192.0.2.1:9394: Cannot assign "
                                           "requested address (SLUICE_METRICS_LISTEN)"));
}
END_TEST

START_TEST(off)
{
    spawn_at(&worker, "off");
    worker_process_wait_ready(&worker, "");
    push_test("default", "done", "");
    wait_processed(1);
    ck_assert(!worker_process_said(&worker, "/metrics"));
    ck_assert_int_eq(worker_process_stop(&worker), 0);
}
END_TEST

START_TEST(beyond_loopback_warns)
{
    static const char warning[] = "other machines may read /metrics";
    char listen[64];
    start();
    ck_assert(!worker_process_said(&worker, warning));
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    worker_process_free(&worker);
    (void)snprintf(listen, sizeof listen, "0.0.0.0:%d", port);
    spawn_at(&worker, listen);
    worker_process_wait_ready(&worker, "");
    wait_said(warning);
    ck_assert_int_eq(status_of("/livez"), 200);
}
END_TEST

START_TEST(ipv6)
{
    char listen[64];
    struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool here = fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    if (fd >= 0)
        (void)close(fd);
    if (!here)
        return; /* this machine has no ::1 */
    (void)snprintf(listen, sizeof listen, "[::1]:%d", redis_server_free_port());
    spawn_at(&worker, listen);
    worker_process_wait_ready(&worker, "");
    ck_assert(worker_process_said(&worker, "serving /metrics, /livez and /readyz"));
    ck_assert(!worker_process_said(&worker, "other machines"));
    ck_assert_int_eq(worker_process_stop(&worker), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("health_http");
    TCase *tc = new_case(suite, "protocol");
    tcase_add_test(tc, paths_and_methods);
    tcase_add_test(tc, head_has_no_body);
    tcase_add_test(tc, sizes_are_bounded);
    tcase_add_test(tc, connections_are_kept);
    tcase_add_test(tc, many_scrapes_at_once);
    tcase_add_test(tc, slow_clients_hold_up_nobody);
    tc = new_case(suite, "address");
    tcase_add_test(tc, bind_conflict_is_an_error);
    tcase_add_test(tc, address_of_others);
    tcase_add_test(tc, off);
    tcase_add_test(tc, beyond_loopback_warns);
    tcase_add_test(tc, ipv6);
    return suite;
}
