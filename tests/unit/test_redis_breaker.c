/* The circuit breaker, with a clock that the test moves. */
#include "support/support.h"

#include "redis/breaker.h"

static const struct err why = {"refused"};

static void refuse(struct breaker *b, enum breaker_ticket ticket, int64_t now_ns)
{
    breaker_fail(b, ticket, now_ns, -ENOTCONN, &why);
}

START_TEST(closed_admits_everybody)
{
    struct breaker b;
    breaker_init(&b);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(breaker_enter(&b, 0), TICKET_FREE);
    breaker_abandon(&b, TICKET_FREE);
    ck_assert(breaker_admits(&b, 0));
}
END_TEST

START_TEST(open_admits_one_after_the_delay)
{
    struct breaker b;
    breaker_init(&b);
    refuse(&b, breaker_enter(&b, 0), 1000);
    ck_assert_int_eq(b.code, -ENOTCONN);
    ck_assert_str_eq(b.why.text, "refused");
    ck_assert_int_ge(b.retry_at_ns, 1000 + 25 * NS_PER_MS);
    ck_assert_int_le(b.retry_at_ns, 1000 + 50 * NS_PER_MS);

    ck_assert_int_eq(breaker_enter(&b, b.retry_at_ns - 1), TICKET_NONE);
    ck_assert_int_eq(breaker_enter(&b, b.retry_at_ns), TICKET_TRIAL);
    ck_assert_int_eq(breaker_enter(&b, b.retry_at_ns), TICKET_NONE);

    breaker_abandon(&b, TICKET_TRIAL); /* another may try at once */
    ck_assert_int_eq(breaker_enter(&b, b.retry_at_ns), TICKET_TRIAL);
    breaker_succeed(&b);
    ck_assert_int_eq(breaker_enter(&b, 0), TICKET_FREE);
}
END_TEST

START_TEST(one_outage_counts_once)
{
    struct breaker b;
    breaker_init(&b);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(breaker_enter(&b, 0), TICKET_FREE);
    refuse(&b, TICKET_FREE, 0);
    int64_t retry_at_ns = b.retry_at_ns;
    for (int i = 0; i < 99; i++)
        refuse(&b, TICKET_FREE, 1);
    ck_assert_int_eq(b.retry_at_ns, retry_at_ns);
    ck_assert_uint_eq(b.backoff.failures, 1);

    /* Nor does a straggler take the trial away from its holder. */
    ck_assert_int_eq(breaker_enter(&b, retry_at_ns), TICKET_TRIAL);
    refuse(&b, TICKET_FREE, retry_at_ns);
    ck_assert_int_eq(b.state, BREAKER_TRYING);
}
END_TEST

START_TEST(delays_double_up_to_the_cap_and_start_again)
{
    struct breaker b;
    breaker_init(&b);
    int64_t now_ns = 0, longest_ns = 0;
    for (int i = 0; i < 200; i++) {
        refuse(&b, breaker_enter(&b, now_ns), now_ns);
        int64_t delay_ns = b.retry_at_ns - now_ns;
        int64_t ceiling_ms = i < 7 ? 50LL << i : 5000;
        ck_assert_int_le(delay_ns, ceiling_ms * NS_PER_MS);
        ck_assert_int_ge(delay_ns, 25 * NS_PER_MS);
        longest_ns = delay_ns > longest_ns ? delay_ns : longest_ns;
        now_ns = b.retry_at_ns;
    }
    ck_assert_int_gt(longest_ns, 2500 * NS_PER_MS);

    ck_assert_int_eq(breaker_enter(&b, now_ns), TICKET_TRIAL);
    breaker_succeed(&b);
    refuse(&b, breaker_enter(&b, now_ns), now_ns);
    ck_assert_int_le(b.retry_at_ns - now_ns, 50 * NS_PER_MS);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/breaker");
    TCase *t = tcase_create("breaker");
    tcase_add_test(t, closed_admits_everybody);
    tcase_add_test(t, open_admits_one_after_the_delay);
    tcase_add_test(t, one_outage_counts_once);
    tcase_add_test(t, delays_double_up_to_the_cap_and_start_again);
    suite_add_tcase(s, t);
    return s;
}
