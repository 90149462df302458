/* Orders as text: what is written reads back, and values are those of the settings. */
#include "store/order.h"
#include "support/support.h"

#include <string.h>

static const char *const messages[] = {
    "{\"cmd\":\"quiet\"}",
    "{\"cmd\":\"stop\",\"reply\":\"a-B_9\",\"id\":\"x y\"}",
    "{\"cmd\":\"set\",\"threads\":20,\"max_concurrent_ops\":7,\"log_level\":\"debug\"}",
    "{\"cmd\":\"set\",\"threads\":\"default\",\"log_level\":\"default\",\"id\":-1.5}",
    "{\"cmd\":\"cancel\",\"jid\":\"a\\\"b\",\"kept\":true}",
    "{\"cmd\":\"unpause\",\"queue\":\"q\"}",
};
enum { MESSAGES = sizeof messages / sizeof messages[0] };

START_TEST(what_is_written_reads_back)
{
    struct order o;
    struct buf out = {0};
    struct err err = {""};
    ck_assert_msg(order_parse(slice_of(messages[_i]), &o, &err) == 0, "%s", err.text);
    order_put_open(&o, &out);
    buf_putc(&out, '}');
    ck_assert_str_eq(buf_str(&out), messages[_i]);
    order_release(&o);
    buf_release(&out);
}
END_TEST

START_TEST(members_come_in_any_order_and_unknown_ones_pass)
{
    struct order o;
    static const char text[] =
        " {\"later\":{\"x\":[1]},\"n\":1700000000000001,\"\\u0063md\":\"p\\u0069ng\"} ";
    ck_assert_int_eq(order_parse(slice_of(text), &o, NULL), 0);
    ck_assert_int_eq(o.cmd, ORDER_PING);
    ck_assert_uint_eq(o.number, UINT64_C(1700000000000001));
    order_release(&o);
}
END_TEST

/* The sender can be told: where to answer is known all the same. Of broken text nothing is. */
START_TEST(a_bad_order_still_says_who_asks)
{
    struct order o;
    struct err err = {""};
    static const char bad[] = "{\"cmd\":\"jump\",\"reply\":\"r\",\"id\":3}";
    static const char broken[] = "{\"reply\":\"r\",\"id\":3,\"cmd\":";
    ck_assert_int_eq(order_parse(slice_of(bad), &o, &err), -EBADMSG);
    ck_assert_str_eq(o.reply, "r");
    ck_assert_str_eq(o.id, "3");
    ck_assert_int_eq(order_parse(slice_of(broken), &o, &err), -EBADMSG);
    ck_assert_str_eq(o.reply, "");
    ck_assert_str_eq(o.id, "");
}
END_TEST

START_TEST(what_is_too_large_is_not_read)
{
    static char text[ORDER_TEXT_MAX + 2];
    struct order o;
    struct err err = {""};
    memset(text, ' ', sizeof text - 1);
    ck_assert_int_eq(order_parse(slice_of(text), &o, &err), -EBADMSG);
    ck_assert_ptr_nonnull(strstr(err.text, "an order of 65537 bytes"));
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("order");
    TCase *tc = tcase_create("order");
    tcase_add_loop_test(tc, what_is_written_reads_back, 0, MESSAGES);
    tcase_add_test(tc, members_come_in_any_order_and_unknown_ones_pass);
    tcase_add_test(tc, a_bad_order_still_says_who_asks);
    tcase_add_test(tc, what_is_too_large_is_not_read);
    suite_add_tcase(suite, tc);
    return suite;
}
