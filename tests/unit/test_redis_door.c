/* The door of the pool, with a clock that the test moves. */
#include "support/support.h"

#include "redis/door.h"

enum { GATED = 100, PRIVATE = 18 };

static const struct err why = {"refused"};
static const int64_t start_ns = 1000 * NS_PER_S;

static bool admits(struct door *d, enum lane lane, int64_t now_ns)
{
    return door_enter(d, lane, false, now_ns) != TICKET_NONE;
}

/* An outage that ends at start_ns. */
static void fall_and_rise(struct door *d)
{
    door_init(d, GATED, PRIVATE);
    enum breaker_ticket ticket = door_enter(d, LANE_GATED, false, start_ns - NS_PER_S);
    ck_assert_int_eq(ticket, TICKET_FREE);
    door_fail(d, ticket, start_ns - NS_PER_S, -ENOTCONN, &why);
    ck_assert(door_is_shut(d));
    ck_assert_int_eq(door_opens_ns(d, LANE_PRIVATE), d->breaker.retry_at_ns);
    ck_assert_int_eq(door_enter(d, LANE_GATED, true, start_ns - NS_PER_S), TICKET_NONE);
    ck_assert_int_eq(door_enter(d, LANE_GATED, false, start_ns), TICKET_TRIAL);
    ck_assert_int_eq(door_opens_ns(d, LANE_GATED), CLOCK_NEVER);
    ck_assert(door_succeed(d, start_ns));
    ck_assert(!door_is_shut(d));
}

START_TEST(open_at_first)
{
    struct door d;
    door_init(&d, GATED, PRIVATE);
    for (int i = 0; i < 2 * GATED; i++) {
        ck_assert(admits(&d, LANE_GATED, 0));
        ck_assert(!door_succeed(&d, 0));
    }
    ck_assert_int_le(door_opens_ns(&d, LANE_PRIVATE), 0);
}
END_TEST

START_TEST(lanes_come_back_side_by_side)
{
    struct door d;
    struct err err = {""};
    int let[LANES] = {0};
    fall_and_rise(&d);
    for (int ms = 0; ms <= RAMP_MS / 2; ms++)
        for (int lane = 0; lane < LANES; lane++)
            while (admits(&d, (enum lane)lane, start_ns + ms * NS_PER_MS)) {
                ck_assert(!door_succeed(&d, start_ns + ms * NS_PER_MS));
                let[lane]++;
            }
    ck_assert_int_ge(let[LANE_GATED], GATED / 4);
    ck_assert_int_le(let[LANE_GATED], GATED / 4 + 1);
    ck_assert_int_ge(let[LANE_PRIVATE], PRIVATE / 4);
    ck_assert_int_le(let[LANE_PRIVATE], PRIVATE / 4 + 1);
    ck_assert_int_eq(door_refuse(&d, &err), -EAGAIN);
    ck_assert_ptr_nonnull(strstr(err.text, "one by one"));
    ck_assert_int_eq(door_enter(&d, LANE_GATED, true, start_ns), TICKET_FREE); /* in haste */
    for (int i = 0; i < 2 * GATED; i++)
        ck_assert(admits(&d, LANE_GATED, start_ns + RAMP_MS * NS_PER_MS));
}
END_TEST

START_TEST(lost_connections_begin_it_once)
{
    struct door d;
    door_init(&d, GATED, PRIVATE);
    ck_assert(admits(&d, LANE_GATED, start_ns));
    door_lost(&d, start_ns);
    int let = 0;
    for (int ms = 0; ms < RAMP_MS; ms++) {
        door_lost(&d, start_ns + ms * NS_PER_MS);
        let += admits(&d, LANE_GATED, start_ns + ms * NS_PER_MS);
    }
    ck_assert_int_ge(let, GATED * 9 / 10);
    ck_assert_int_le(let, GATED);
}
END_TEST

START_TEST(a_second_outage_starts_anew)
{
    struct door d;
    fall_and_rise(&d);
    int64_t now_ns = start_ns + RAMP_MS * NS_PER_MS - 1;
    door_fail(&d, TICKET_FREE, now_ns, -ENOTCONN, &why);
    now_ns = d.breaker.retry_at_ns;
    ck_assert_int_eq(door_enter(&d, LANE_PRIVATE, false, now_ns), TICKET_TRIAL);
    ck_assert(door_succeed(&d, now_ns));
    int let = 0;
    while (admits(&d, LANE_GATED, now_ns + RAMP_MS / 2 * NS_PER_MS))
        let++;
    ck_assert_int_le(let, GATED / 4 + 1);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/door");
    TCase *t = tcase_create("door");
    tcase_add_test(t, open_at_first);
    tcase_add_test(t, lanes_come_back_side_by_side);
    tcase_add_test(t, lost_connections_begin_it_once);
    tcase_add_test(t, a_second_outage_starts_anew);
    suite_add_tcase(s, t);
    return s;
}
