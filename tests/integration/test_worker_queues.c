/* Which queue is served when: strict order, weights, pauses, more queues than blocking waits, and
 * queues that come with a reload. */
#include "test_worker.h"

static void push_logged(const char *queue, const char *jid, int sleep_ms)
{
    char job[256];
    (void)snprintf(job, sizeof job,
                   "{\"class\":\"test\",\"jid\":\"%s\",\"args\":[{\"log\":\"ran\","
                   "\"sleep_ms\":%d}]}",
                   jid, sleep_ms);
    push(queue, job);
}

static int ran(const char *jid)
{
    char end[64];
    int n = 0;
    char *whole = worker_process_file(&worker, "ran");
    (void)snprintf(end, sizeof end, "%s 1 ", jid);
    for (const char *at = whole; (at = strstr(at, end)) != NULL; at++)
        n += strncmp(strchr(at, '\n') - 4, " end", 4) == 0;
    free(whole);
    return n;
}

static void quiet_worker(void)
{
    worker_process_signal(&worker, SIGTSTP);
    wait_said("quiet: no new jobs are taken");
}

/* In the order of their ends: 'h' for high, 'l' for low. */
static void order_of(char *ret, size_t size)
{
    char *whole = worker_process_file(&worker, "ran");
    size_t n = 0;
    for (char *line = strtok(whole, "\n"); line; line = strtok(NULL, "\n"))
        if (strstr(line, " end") && n < size - 1)
            ret[n++] = line[0];
    ret[n] = '\0';
    free(whole);
}

START_TEST(strict_order)
{
    enum { EACH = 30 };
    char order[2 * EACH + 1];
    start_worker("worker: {threads: 1, queues: [high, low]}\nhandlers:\n" TEST_HANDLER);
    quiet_worker();
    for (int i = 0; i < EACH; i++) {
        push_logged("low", "low", 0);
        push_logged("high", "high", 0);
    }
    worker_process_signal(&worker, SIGCONT);
    wait_processed(2 * EACH);
    order_of(order, sizeof order);
    for (int i = 0; i < 2 * EACH; i++)
        ck_assert_msg(order[i] == (i < EACH ? 'h' : 'l'), "%s", order);
}
END_TEST

/* Jobs that take a while are claimed one by one, so that the drawing decides each. */
START_TEST(weighted_order)
{
    enum { EACH = 150, MS = 5 };
    char order[2 * EACH + 1];
    for (int i = 0; i < EACH; i++) {
        push_logged("low", "low", MS);
        push_logged("high", "high", MS);
    }
    start_worker("worker: {threads: 1, queues: [\"high:5\", \"low:1\"]}\n"
                 "handlers:\n" TEST_HANDLER);
    wait_processed(2 * EACH);
    order_of(order, sizeof order);
    /* While there were both: until the last of the heavy ones. */
    int lows = 0, highs = 0;
    for (const char *at = order; highs < EACH; at++) {
        ck_assert_int_ne(*at, '\0');
        highs += *at == 'h';
        lows += *at == 'l';
    }
    ck_assert_int_gt(lows, 0);         /* a light queue is served … */
    ck_assert_int_lt(lows, highs / 2); /* … though less: a fifth, give or take */
}
END_TEST

static const char two[] = "worker: {threads: 2, queues: [a, b]}\nhandlers:\n" TEST_HANDLER;

START_TEST(paused_queue_waits)
{
    must_do(redis, "SADD paused a");
    push_logged("a", "held", 0);
    start_worker(two);
    for (int i = 1; i <= 3; i++) {
        push_logged("b", "free", 0);
        wait_until(HANG_MS, ran("free") == i);
        ck_assert_int_eq(ran("held"), 0);
        wait_until(HANG_MS, must_int(redis, "LLEN queue:a") == 1);
    }
    must_do(redis, "SREM paused a");
    wait_until(HANG_MS, ran("held") == 1);
}
END_TEST

START_TEST(queue_paused_under_an_idle_worker_waits)
{
    start_worker(two);
    push_logged("a", "first", 0);
    wait_until(HANG_MS, ran("first") == 1); /* from now on it waits on both */
    must_do(redis, "SADD paused a");
    push_logged("a", "held", 0);
    for (int i = 1; i <= 3; i++) {
        push_logged("b", "free", 0);
        wait_until(HANG_MS, ran("free") == i);
        ck_assert_int_eq(ran("held"), 0);
    }
    push_logged("a", "held", 0);
    push_logged("b", "free", 0);
    wait_until(HANG_MS, ran("free") == 4);
    ck_assert_int_eq(ran("held"), 0);
    must_do(redis, "SREM paused a");
    wait_until(HANG_MS, ran("held") == 2);
}
END_TEST

/* The order within a queue survives a pause: what a blocking wait has taken goes back to the tail.
 */
START_TEST(pause_keeps_the_order)
{
    char order[8];
    start_worker("worker: {threads: 1, queues: [a, b]}\nhandlers:\n" TEST_HANDLER);
    push_logged("b", "0", 0);
    wait_until(HANG_MS, ran("0") == 1);
    must_do(redis, "SADD paused a");
    push_logged("a", "1", 0);
    push_logged("a", "2", 0);
    push_logged("a", "3", 0);
    push_logged("b", "4", 0);
    wait_until(HANG_MS, ran("4") == 1);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:a") == 3);
    must_do(redis, "SREM paused a");
    wait_processed(5);
    order_of(order, sizeof order);
    ck_assert_str_eq(order, "04123");
}
END_TEST

START_TEST(more_queues_than_blocking_waits)
{
    enum { QUEUES = 24 };
    struct buf text = {0};
    char name[16];
    buf_puts(&text, "worker: {threads: 4, queues: [q0");
    for (int i = 1; i < QUEUES; i++)
        buf_printf(&text, ", q%d", i);
    buf_puts(&text, "]}\nhandlers:\n" TEST_HANDLER);
    start_worker(buf_str(&text));
    for (int round = 0; round < 2; round++)
        for (int i = QUEUES - 1; i >= 0; i--) { /* one at a time: it is idle before each */
            (void)snprintf(name, sizeof name, "q%d", i);
            push_logged(name, name, 0);
            wait_until(HANG_MS, ran(name) == round + 1);
        }
    ck_assert_int_eq(must_int(redis, "SCARD queues"), QUEUES);
    buf_release(&text);
}
END_TEST

static int64_t blocked_clients(void)
{
    static const char field[] = "blocked_clients:";
    char *text = must_text(redis, "INFO clients");
    const char *at = strstr(text, field);
    ck_assert_ptr_nonnull(at);
    int64_t n = strtoll(at + strlen(field), NULL, 10);
    free(text);
    return n;
}

START_TEST(queue_comes_with_a_reload)
{
    start_worker("worker: {threads: 2, queues: [a]}\nhandlers:\n" TEST_HANDLER);
    push_logged("b", "later", 0);
    push_logged("a", "now", 0);
    wait_until(HANG_MS, ran("now") == 1);
    ck_assert_int_eq(ran("later"), 0);
    worker_process_rewrite(&worker, two);
    worker_process_signal(&worker, SIGHUP);
    wait_until(HANG_MS, ran("later") == 1);
    wait_until(HANG_MS, must_int(redis, "SISMEMBER queues b") == 1);

    worker_process_rewrite(&worker, "worker: {threads: 2, queues: [b]}\nhandlers:\n" TEST_HANDLER);
    worker_process_signal(&worker, SIGHUP);
    wait_until(HANG_MS, worker_process_count(&worker, "settings reloaded") == 2);
    push_logged("b", "later", 0);
    wait_until(HANG_MS, ran("later") == 2);
    /* The wait for the queue that is gone ends a moment after the reload. */
    wait_until(HANG_MS, blocked_clients() == 1);
    push_logged("a", "now", 0);
    push_logged("b", "later", 0);
    wait_until(HANG_MS, ran("later") == 3);
    ck_assert_int_eq(ran("now"), 1);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:a") == 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and its queues");
    TCase *tc = new_case(suite, "queues");
    tcase_add_test(tc, strict_order);
    tcase_add_test(tc, weighted_order);
    tcase_add_test(tc, paused_queue_waits);
    tcase_add_test(tc, queue_paused_under_an_idle_worker_waits);
    tcase_add_test(tc, pause_keeps_the_order);
    tcase_add_test(tc, more_queues_than_blocking_waits);
    tcase_add_test(tc, queue_comes_with_a_reload);
    return suite;
}
