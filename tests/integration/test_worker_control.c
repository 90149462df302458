/* The control channel: orders are obeyed and answered, bad ones are refused in words, and those
 * that last hold whether their message was heard or not. */
#include "test_worker.h"

#include "base/log.h"
#include "store/answer.h"
#include "store/cancel.h"
#include "store/wanted.h"

static const char settings[] = "worker: {threads: 4}\n"
                               "redis: {max_concurrent_ops: 10, max_connections: 30}\n"
                               "handlers:\n" TEST_HANDLER;

static struct store *store;

static void set_up_store(void)
{
    set_up();
    ck_assert_int_eq(store_new("", NULL, &store), 0);
}

static void tear_down_store(void)
{
    store_free(store);
    tear_down();
}

static void start(void)
{
    start_worker(settings);
    wait_until(HANG_MS, workers_listen(1));
}

static void publish(const char *message)
{
    ck_assert_int_eq(must_int(redis, "PUBLISH sluice:control %s", message), 1);
}

/* The next answer to "r"; free() it. */
static char *answer(void)
{
    struct reply *reply = NULL;
    struct err err = {""};
    ck_assert_msg(store_answer_wait(store, redis, "r", HANG_MS, &reply, &err) == 0, "%s", err.text);
    ck_assert_msg(reply != NULL, "no answer");
    struct slice text = reply_str(reply_at(reply, 1));
    char *copy = strndup(text.p, text.n);
    reply_free(reply);
    return copy;
}

/* Tells all workers, and expects the one there is to answer with the rest of the object. */
static void expect(const char *order, const char *rest)
{
    char wanted[700], message[700];
    (void)snprintf(message, sizeof message, "{%s,\"reply\":\"r\",\"id\":7}", order);
    publish(message);
    char *text = answer();
    (void)snprintf(wanted, sizeof wanted, "{\"identity\":\"%s\",\"id\":7,%s}", worker.identity,
                   rest);
    ck_assert_str_eq(text, wanted);
    free(text);
}

/* What a ping says; each must occur. */
static bool tells(const char *member)
{
    publish("{\"cmd\":\"ping\",\"reply\":\"r\"}");
    char *text = answer();
    bool found = strstr(text, member) != NULL;
    free(text);
    return found;
}

START_TEST(orders_are_obeyed)
{
    start();
    expect("\"cmd\":\"quiet\"", "\"ok\":true");
    ck_assert(tells("\"quiet\":true"));
    publish("nonsense");
    publish("[\"cmd\"]");
    publish("{\"cmd\":\"dance\"}");
    wait_until(HANG_MS, worker_process_count(&worker, "an order was refused") == 3);
    must_do(redis, "PUBLISH sluice:control:%s %s", worker.identity, "{\"cmd\":\"resume\"}");
    wait_said("resumed");
    expect("\"cmd\":\"stop\"", "\"ok\":true");
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
}
END_TEST

START_TEST(a_ping_tells_the_state)
{
    static const char *const members[] = {"\"ok\":true",
                                          "\"version\":\"",
                                          "\"quiet\":false",
                                          "\"stopping\":false",
                                          "\"busy\":1",
                                          "\"threads\":4",
                                          "\"max_concurrent_ops\":10",
                                          "\"permits_in_use\":",
                                          "\"permits_waiting\":0",
                                          "\"log_level\":\"info\"",
                                          "\"uptime_s\":"};
    start();
    push("default", "{\"class\":\"test\",\"jid\":\"b\",\"args\":[{\"sleep_ms\":60000}]}");
    wait_until(HANG_MS, tells("\"busy\":1"));
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        ck_assert_msg(tells(members[i]), "%s", members[i]);
    ck_assert_int_eq(store_cancel(store, redis, "b", NULL), 0);
}
END_TEST

static const struct refusal {
    const char *order, *error;
} refusals[] = {
    {"\"cmd\":\"dance\"", "unknown order \\\"dance\\\"; allowed: quiet, resume, stop, set, cancel, "
                          "pause, unpause, ping"},
    {"\"cmd\":7", "unknown order 7; allowed: quiet, resume, stop, set, cancel, pause, unpause, "
                  "ping"},
    {"\"x\":1", "the order has no \\\"cmd\\\""},
    {"\"cmd\":\"cancel\"", "cancel needs a \\\"jid\\\", which is a string that is not empty"},
    {"\"cmd\":\"cancel\",\"jid\":[]",
     "cancel needs a \\\"jid\\\", which is a string that is not empty"},
    {"\"cmd\":\"pause\",\"queue\":\"\"",
     "pause needs a \\\"queue\\\", which is a string that is not empty"},
    {"\"cmd\":\"set\"", "set: nothing is set; allowed: threads, max_concurrent_ops, log_level"},
    {"\"cmd\":\"set\",\"thread\":4",
     "set: unknown setting \\\"thread\\\"; allowed: threads, max_concurrent_ops, log_level"},
    {"\"cmd\":\"set\",\"threads\":0",
     "threads is \\\"0\\\", must be a whole number from 1 to 10000"},
    {"\"cmd\":\"set\",\"threads\":[1]",
     "threads is \\\"[1]\\\", must be a whole number from 1 to 10000"},
    {"\"cmd\":\"set\",\"threads\":1e3",
     "threads is \\\"1e3\\\", must be a whole number from 1 to 10000"},
    {"\"cmd\":\"set\",\"log_level\":\"loud\"",
     "log_level is \\\"loud\\\", must be debug, info, warn or error"},
    {"\"cmd\":\"set\",\"max_concurrent_ops\":100",
     "max_concurrent_ops: 100 permits + 3 reserved connections = 103 do not fit into 30 "
     "connections"},
    {"\"cmd\":\"quiet\",\"n\":\"x\"", "\\\"n\\\" is no number of an order"},
};
enum { REFUSALS = sizeof refusals / sizeof refusals[0] };

START_TEST(bad_orders_are_refused_in_words)
{
    start();
    for (int i = 0; i < REFUSALS; i++) {
        char rest[600];
        (void)snprintf(rest, sizeof rest, "\"error\":\"%s\"", refusals[i].error);
        expect(refusals[i].order, rest);
    }
    /* Where to answer must be a name of its own: no order writes to other keys. */
    publish("{\"cmd\":\"ping\",\"reply\":\"../queue:default\"}");
    publish("{\"cmd\":\"ping\",\"reply\":\"\"}");
    wait_until(HANG_MS, worker_process_count(&worker, "\\\"reply\\\" must be 1 to 64") == 2);
    ck_assert(tells("\"quiet\":false"));
    ck_assert_int_eq(must_int(redis, "EXISTS queue:default sluice:reply:r"), 0);
}
END_TEST

/* What was published alone is kept by those who hear it, since it is of all. */
START_TEST(facts_are_kept)
{
    start();
    expect("\"cmd\":\"pause\",\"queue\":\"default\"", "\"ok\":true");
    ck_assert_int_eq(must_int(redis, "SISMEMBER paused default"), 1);
    push("default", "{\"class\":\"test\",\"jid\":\"p\",\"track\":true,\"args\":[{}]}");
    expect("\"cmd\":\"cancel\",\"jid\":\"c\"", "\"ok\":true");
    ck_assert_int_eq(must_int(redis, "ZCARD sluice:cancelled"), 1);
    wait_until(HANG_MS, must_int(redis, "LLEN queue:default") == 1);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:job:p"), 0);
    expect("\"cmd\":\"unpause\",\"queue\":\"default\"", "\"ok\":true");
    wait_until(HANG_MS, answers_with(redis, "completed", "HGET sluice:job:p state"));
    ck_assert_int_eq(must_int(redis, "EXISTS paused"), 0);
}
END_TEST

/* A list of answers nobody collects. */
START_TEST(answers_are_bounded)
{
    start();
    must_do(redis, "EVAL %s 0", "for i = 1, 9999 do redis.call('RPUSH', 'sluice:reply:r', i) end");
    for (int i = 0; i < 3; i++)
        publish("{\"cmd\":\"ping\",\"reply\":\"r\"}");
    wait_until(HANG_MS, must_int(redis, "LLEN sluice:reply:r") == STORE_ANSWERS_MAX);
    ck_assert_int_gt(must_int(redis, "TTL sluice:reply:r"), 0);
    must_do(redis, "DEL sluice:reply:r");
    must_do(redis, "SET sluice:reply:r x"); /* no list: the answer is lost, and nothing else */
    publish("{\"cmd\":\"ping\",\"reply\":\"r\"}");
    wait_said("orders could not be answered");
    must_do(redis, "DEL sluice:reply:r");
    ck_assert(tells("\"ok\":true"));
}
END_TEST

/* ---- What lasts ----------------------------------------------------------------------------- */

static uint64_t give(const char *identity, struct order o)
{
    struct given given = {0};
    struct err err = {""};
    ck_assert_msg(store_order_give(store, redis, identity, &o, &given, &err) == 0, "%s", err.text);
    reply_free(given.reply);
    return given.number;
}

#define SAY_NOTHING                                                                                \
    {                                                                                              \
        ORDER_UNSAID, ORDER_UNSAID, ORDER_UNSAID                                                   \
    }

static struct order set_of(enum order_setting setting, int value)
{
    struct order o = {.cmd = ORDER_SET, .value = SAY_NOTHING};
    o.value[setting] = value;
    return o;
}

/* As if the message had gone by: what is written is read when the connection is back. */
START_TEST(a_lost_message_changes_nothing)
{
    start();
    uint64_t n = give(worker.identity, (struct order){.cmd = ORDER_RESUME});
    must_do(redis, "HSET sluice:wanted:%s state %s", worker.identity, "1 quiet"); /* an older one */
    wait_until(HANG_MS, must_int(redis, "CLIENT KILL TYPE pubsub") > 0);
    wait_until(HANG_MS, workers_listen(1));
    ck_assert(tells("\"quiet\":false"));
    must_do(redis, "HSET sluice:wanted:%s state %s", worker.identity, "9999999999999999 quiet");
    must_do(redis, "HSET sluice:wanted threads %s rubbish x", "9999999999999999 7");
    wait_until(HANG_MS, must_int(redis, "CLIENT KILL TYPE pubsub") > 0);
    wait_until(HANG_MS, workers_listen(1));
    wait_until(HANG_MS, tells("\"quiet\":true"));
    wait_until(HANG_MS, tells("\"threads\":7"));
    wait_said("in part none that it knows");
    /* And a message that comes late does not undo what is newer. */
    char late[100];
    (void)snprintf(late, sizeof late, "\"cmd\":\"resume\",\"n\":%llu", (unsigned long long)n);
    expect(late, "\"ok\":true");
    ck_assert(tells("\"quiet\":true"));
}
END_TEST

/* They are heard all the same, and the worker does its work. */
START_TEST(keys_of_another_type_are_in_nobodys_way)
{
    struct given given;
    must_do(redis, "SET sluice:wanted x");
    start();
    wait_said("a key of what is wanted is no hash");
    expect("\"cmd\":\"quiet\"", "\"ok\":true");
    ck_assert(tells("\"quiet\":true"));
    ck_assert_int_eq(
        store_order_give(store, redis, NULL, &(struct order){.cmd = ORDER_RESUME}, &given, NULL),
        -EMEDIUMTYPE);
}
END_TEST

START_TEST(numbers_only_grow)
{
    start();
    struct order quiet = {.cmd = ORDER_QUIET};
    uint64_t first = give(worker.identity, quiet), second = give(NULL, quiet);
    ck_assert(second > first);
    must_do(redis, "DEL sluice:wanted"); /* lost */
    ck_assert(give(NULL, quiet) > second);
    must_do(redis, "HSET sluice:wanted last 8000000000000000"); /* a clock that was put back */
    ck_assert(give(NULL, quiet) == 8000000000000001);
}
END_TEST

START_TEST(what_is_wanted_of_a_worker_goes_with_it)
{
    struct given given;
    struct err err = {""};
    start();
    ck_assert(give(worker.identity, (struct order){.cmd = ORDER_QUIET}) > 0);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:wanted:%s", worker.identity), 1);
    ck_assert_int_gt(must_int(redis, "TTL sluice:wanted:%s", worker.identity), 0);
    ck_assert(give(NULL, (struct order){.cmd = ORDER_STOP}) > 0);
    ck_assert_int_eq(worker_process_wait(&worker, HANG_MS), 0);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:wanted:%s", worker.identity), 0);
    ck_assert_int_eq(store_order_give(store, redis, worker.identity,
                                      &(struct order){.cmd = ORDER_QUIET}, &given, &err),
                     -ENOENT);
    ck_assert_int_eq(must_int(redis, "EXISTS sluice:wanted:%s", worker.identity), 0);
    ck_assert(give(NULL, set_of(ORDER_THREADS, 3)) > 0); /* to nobody yet */

    /* To stop was of those that were there; what is set, of those to come. */
    worker_process_free(&worker);
    start();
    wait_until(HANG_MS, tells("\"threads\":3"));
    ck_assert(tells("\"stopping\":false"));
}
END_TEST

/* ---- Live ----------------------------------------------------------------------------------- */

static bool runs(int jobs)
{
    return must_int(redis, "EVAL %s 0",
                    "local n = 0 for _, k in ipairs(redis.call('KEYS', 'sluice:job:*')) do "
                    "if redis.call('HGET', k, 'state') == 'running' then n = n + 1 end end "
                    "return n") == jobs;
}

static void push_long(int from, int to)
{
    char job[120];
    for (int i = from; i <= to; i++) {
        (void)snprintf(job, sizeof job,
                       "{\"class\":\"test\",\"jid\":\"j%d\",\"track\":true,\"args\":[{\"sleep_ms\":"
                       "60000}]}",
                       i);
        push("default", job);
    }
}

static void cancel_long(int from, int to)
{
    char jid[16];
    for (int i = from; i <= to; i++) {
        (void)snprintf(jid, sizeof jid, "j%d", i);
        ck_assert_int_eq(store_cancel(store, redis, jid, NULL), 0);
    }
}

START_TEST(threads_grow_and_shrink_under_jobs)
{
    start();
    push_long(1, 8);
    wait_until(HANG_MS, runs(4));
    (void)give(NULL, set_of(ORDER_THREADS, 8));
    wait_until(HANG_MS, runs(8));
    (void)give(worker.identity, set_of(ORDER_THREADS, 2));
    wait_until(HANG_MS, tells("\"threads\":2"));
    push_long(9, 10);
    cancel_long(1, 5);
    wait_until(HANG_MS, runs(3)); /* none of the other three was disturbed */
    cancel_long(6, 8);
    for (int i = 9; i <= 10; i++)
        wait_until(HANG_MS, answers_with(redis, "running", "HGET sluice:job:j%d state", i));
    wait_until(HANG_MS, runs(2));
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 0);
    ck_assert(answers_with(redis, "2", "HGET %s concurrency", worker.identity) ||
              tells("\"busy\":2"));
    cancel_long(9, 10);
    wait_until(HANG_MS, runs(0));
    ck_assert(!worker_process_said(&worker, "level=error"));
}
END_TEST

START_TEST(settings_come_back_and_outlive_a_reload)
{
    start();
    struct order o = {.cmd = ORDER_SET, .value = {5, 20, LOG_DEBUG}};
    (void)give(NULL, o);
    wait_until(HANG_MS, tells("\"max_concurrent_ops\":20"));
    wait_until(HANG_MS, tells("\"threads\":5") && tells("\"log_level\":\"debug\""));
    worker_process_signal(&worker, SIGHUP);
    wait_said("settings reloaded");
    ck_assert(tells("\"threads\":5") && tells("\"max_concurrent_ops\":20"));
    /* Too many permits are refused, and the rest of the order is obeyed. */
    o = (struct order){.cmd = ORDER_SET, .value = {6, 28, ORDER_UNSAID}};
    (void)give(NULL, o);
    wait_until(HANG_MS, tells("\"threads\":6"));
    ck_assert(tells("\"max_concurrent_ops\":20"));
    wait_said("28 permits + 3 reserved connections = 31 do not fit into 30 connections");
    o = (struct order){.cmd = ORDER_SET, .value = {ORDER_DEFAULT, ORDER_DEFAULT, ORDER_DEFAULT}};
    (void)give(NULL, o);
    wait_until(HANG_MS, tells("\"threads\":4"));
    wait_until(HANG_MS, tells("\"max_concurrent_ops\":10") && tells("\"log_level\":\"info\""));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("control");
    TCase *tc = tcase_create("control");
    tcase_add_checked_fixture(tc, set_up_store, tear_down_store);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    tcase_add_test(tc, orders_are_obeyed);
    tcase_add_test(tc, a_ping_tells_the_state);
    tcase_add_test(tc, bad_orders_are_refused_in_words);
    tcase_add_test(tc, facts_are_kept);
    tcase_add_test(tc, answers_are_bounded);
    tcase_add_test(tc, a_lost_message_changes_nothing);
    tcase_add_test(tc, keys_of_another_type_are_in_nobodys_way);
    tcase_add_test(tc, numbers_only_grow);
    tcase_add_test(tc, what_is_wanted_of_a_worker_goes_with_it);
    tcase_add_test(tc, threads_grow_and_shrink_under_jobs);
    tcase_add_test(tc, settings_come_back_and_outlive_a_reload);
    suite_add_tcase(suite, tc);
    return suite;
}
