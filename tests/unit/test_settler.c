/* The settler without a server: who is awake when. */
#include "worker/settler.h"

#include <string.h>

#include "base/clock.h"
#include "support/support.h"

enum { HANG_MS = 60000 };

static struct settler settler;
static struct heartbeat heartbeat;
static struct inflight inflight;
static struct store *store;
static struct redis_pool *pool;

static void setup(void)
{
    struct redis_pool_options o = {
        .redis = {.path = "/nowhere/r.sock", .connect_timeout_ms = 100, .socket_timeout_ms = 100},
        .permits = 1,
        .max_connections = 1};
    ck_assert_int_eq(store_new("", "host:1:0123456789ab", &store), 0);
    ck_assert_int_eq(redis_pool_new(&o, &pool, NULL), 0);
    heartbeat_init(&heartbeat, store, pool, 15);
    inflight_init(&inflight);
    ck_assert_int_eq(settler_start(&settler, store, pool, &inflight, &heartbeat), 0);
}

static void teardown(void)
{
    settler_stop(&settler);
    inflight_release(&inflight);
    heartbeat_release(&heartbeat);
    redis_pool_free(pool);
    store_free(store);
}

static int64_t sleeps_until(void)
{
    mutex_lock(&settler.mutex);
    int64_t until = settler.sleeps_until_ns;
    mutex_unlock(&settler.mutex);
    return until;
}

static bool is_parked(void)
{
    mutex_lock(&settler.mutex);
    bool parked = settler.parked;
    mutex_unlock(&settler.mutex);
    return parked;
}

/* A claim carries the end, and while it is under way the thread falls asleep for good: there is
 * nothing for it to wait for. The end comes back parked, and nothing else ever happens. */
START_TEST(a_job_parked_by_a_claim_is_tried_again)
{
    struct claim *claim = claim_new(inflight_begin(&inflight), 0, "q", 1, NULL);
    ck_assert_ptr_nonnull(claim);
    claim->jobs[0].payload = slice_of("{}");
    wait_until(HANG_MS, sleeps_until() == CLOCK_NEVER);
    settler_submit(&settler, &claim->jobs[0]);
    ck_assert_ptr_nonnull(settler_take(&settler));
    wait_until(HANG_MS, sleeps_until() == CLOCK_NEVER);
    settler.results[0] = SETTLE_WRONGTYPE;
    settler_applied(&settler, 0, NULL);
    ck_assert(is_parked());
    wait_until(HANG_MS, !is_parked());
    ck_assert_uint_eq(settler_pending(&settler), 1);
}
END_TEST

/* The first of two jobs waits for the second, for its 5 ms: then one operation does for both. */
START_TEST(half_a_claim_is_not_carried_along)
{
    struct claim *claim = claim_new(inflight_begin(&inflight), 0, "q", 2, NULL);
    ck_assert_ptr_nonnull(claim);
    int64_t before = clock_now_ns();
    settler_submit(&settler, &claim->jobs[0]);
    const struct settle_batch *batch = settler_take(&settler);
    if (batch) { /* a machine so slow that they were over */
        ck_assert_int_ge(clock_now_ns() - before, 5 * NS_PER_MS);
        settler_applied(&settler, -EAGAIN, NULL);
        settler_submit(&settler, &claim->jobs[1]);
        return;
    }
    settler_submit(&settler, &claim->jobs[1]);
    batch = settler_take(&settler);
    ck_assert_ptr_nonnull(batch);
    ck_assert_int_eq(batch->n, 1);
    settler.results[0] = SETTLE_WRITTEN;
    settler_applied(&settler, 0, NULL);
    ck_assert_uint_eq(settler_pending(&settler), 0);
    ck_assert_uint_eq(inflight_count(&inflight), 0);
}
END_TEST

static void submit_claims(int n, unsigned jobs)
{
    for (int i = 0; i < n; i++) {
        struct claim *claim = claim_new(inflight_begin(&inflight), 0, "q", jobs, NULL);
        ck_assert_ptr_nonnull(claim);
        for (unsigned k = 0; k < jobs; k++)
            settler_submit(&settler, &claim->jobs[k]);
    }
}

static bool has_room(void)
{
    int rc = settler_wait_room(&settler, 0);
    ck_assert(rc == 0 || rc == -ETIMEDOUT);
    return rc == 0;
}

/* One turn, whose operations all end so. */
static void settle(enum settle_result result)
{
    const struct settle_batch *batch = settler_take(&settler);
    ck_assert_ptr_nonnull(batch);
    for (int i = 0; i < batch->n; i++)
        settler.results[i] = (int8_t)result;
    settler_applied(&settler, 0, NULL);
}

/* Ends that wait bound what is claimed; a failed turn makes no room. */
START_TEST(room_is_bounded)
{
    ck_assert(has_room());
    submit_claims(SETTLE_ROOM / 100 - 1, 100);
    ck_assert(has_room());
    submit_claims(1, 100);
    ck_assert(!has_room());
    ck_assert_ptr_nonnull(settler_take(&settler));
    ck_assert(!has_room());
    settler_applied(&settler, -EAGAIN, NULL);
    ck_assert(!has_room());
    wait_until(HANG_MS, clock_now_ns() > settler.not_before_ns);
    settle(SETTLE_WRITTEN);
    ck_assert(has_room());
    ck_assert_uint_eq(settler_pending(&settler), SETTLE_ROOM - SETTLE_MAX_JOBS);
}
END_TEST

/* Those that have nowhere to go hold up others only when they are many. */
START_TEST(parked_ones_take_another_room)
{
    for (int i = 0; i < SETTLE_PARKED / SETTLE_MAX_JOBS; i++) {
        ck_assert(has_room());
        submit_claims(SETTLE_MAX_JOBS / 100, 100);
        settle(SETTLE_WRONGTYPE);
    }
    ck_assert_uint_eq(settler_pending(&settler), SETTLE_PARKED);
    ck_assert(!has_room());
}
END_TEST

static void *wait_for_room(void *arg)
{
    *(int *)arg = settler_wait_room(&settler, CLOCK_NEVER);
    return NULL;
}

START_TEST(who_waits_for_room_is_woken)
{
    struct thread thread;
    int rc = 1;
    submit_claims(SETTLE_ROOM / 100, 100);
    ck_assert_int_eq(thread_start(&thread, "claimer", wait_for_room, &rc), 0);
    settle(SETTLE_WRITTEN);
    thread_join(&thread);
    ck_assert_int_eq(rc, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("settler");
    TCase *tc = tcase_create("settler");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 2.0 * HANG_MS / 1000);
    tcase_add_test(tc, a_job_parked_by_a_claim_is_tried_again);
    tcase_add_test(tc, half_a_claim_is_not_carried_along);
    tcase_add_test(tc, room_is_bounded);
    tcase_add_test(tc, parked_ones_take_another_room);
    tcase_add_test(tc, who_waits_for_room_is_woken);
    suite_add_tcase(s, tc);
    return s;
}
