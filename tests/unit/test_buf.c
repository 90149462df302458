/* The growable buffer: content, termination, the sticky failure, who owns the memory. */
#include "base/buf.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "support/support.h"

START_TEST(zero_is_empty)
{
    struct buf b = {0};
    ck_assert_str_eq(buf_str(&b), "");
    ck_assert_uint_eq(buf_slice(&b).n, 0);
    ck_assert_int_eq(buf_error(&b), 0);
    buf_consume(&b, 0);
    buf_clear(&b);
    buf_append(&b, NULL, 0);
    buf_put(&b, (struct slice){0});
    ck_assert_str_eq(buf_str(&b), "");
    buf_release(&b);
    buf_release(&b);
}
END_TEST

START_TEST(appends_add_up)
{
    struct buf b = {0};
    buf_puts(&b, "one ");
    buf_append(&b, "two\0", 4);
    buf_putc(&b, ' ');
    buf_put(&b, slice_of("three"));
    buf_printf(&b, " %d %s", 4, "five");
    buf_printf(&b, "%s", "");
    ck_assert_uint_eq(b.n, 21);
    ck_assert_mem_eq(b.p, "one two\0 three 4 five", 22);
    ck_assert(slice_eq(buf_slice(&b), (struct slice){"one two\0 three 4 five", 21}));
    buf_release(&b);
}
END_TEST

START_TEST(grows_through_all_sizes)
{
    struct buf b = {0};
    for (size_t i = 0; i < 5000; i++) {
        if (i % 2)
            buf_putc(&b, (char)('a' + i % 26));
        else
            buf_printf(&b, "%c", (char)('a' + i % 26));
        ck_assert_uint_eq(b.n, i + 1);
        ck_assert_uint_lt(b.n, b.cap);
        ck_assert_int_eq(b.p[b.n], '\0');
    }
    for (size_t i = 0; i < b.n; i++)
        ck_assert_int_eq(b.p[i], (char)('a' + i % 26));
    buf_release(&b);
}
END_TEST

START_TEST(whole_numbers)
{
    static const int64_t numbers[] = {0, 7, -1, 10, 1000000, INT64_MAX, INT64_MIN};
    struct buf b = {0}, printed = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        buf_put_int(&b, numbers[i]);
        buf_printf(&printed, "%" PRId64, numbers[i]);
    }
    ck_assert_str_eq(buf_str(&b), buf_str(&printed));
    buf_release(&b);
    buf_release(&printed);
}
END_TEST

/* Whatever room is left, nothing is cut, and what did not fit leaves no trace. */
START_TEST(printed_into_any_room)
{
    for (size_t had = 0; had < 70; had++) {
        struct buf b = {0};
        for (size_t i = 0; i < had; i++)
            buf_putc(&b, 'x');
        buf_printf(&b, "%s|%d", "twenty bytes of text", 12345);
        ck_assert_uint_eq(b.n, had + 26);
        ck_assert_str_eq(b.p + had, "twenty bytes of text|12345");
        buf_release(&b);
    }
}
END_TEST

START_TEST(consume_moves_the_rest_down)
{
    struct buf b = {0};
    buf_puts(&b, "abcdef");
    buf_consume(&b, 2);
    ck_assert_str_eq(buf_str(&b), "cdef");
    buf_consume(&b, 0);
    buf_consume(&b, 4);
    ck_assert_str_eq(buf_str(&b), "");
    ck_assert_uint_eq(b.n, 0);
    buf_puts(&b, "again");
    ck_assert_str_eq(buf_str(&b), "again");
    buf_release(&b);
}
END_TEST

START_TEST(a_failure_sticks_until_cleared)
{
    struct buf b = {0};
    buf_puts(&b, "kept");
    buf_append(&b, "x", SIZE_MAX - 2); /* refused by its size, before any byte is read */
    ck_assert_int_eq(buf_error(&b), -ENOMEM);
    buf_puts(&b, "ignored");
    buf_printf(&b, "%s", "ignored");
    ck_assert_str_eq(buf_str(&b), "kept");
    ck_assert_int_eq(buf_error(&b), -ENOMEM);

    buf_clear(&b);
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_str_eq(buf_str(&b), "");
    buf_puts(&b, "new");
    ck_assert_str_eq(buf_str(&b), "new");

    buf_append(&b, "x", SIZE_MAX - 2);
    size_t n = 7;
    ck_assert_ptr_null(buf_steal(&b, &n));
    ck_assert_uint_eq(n, 7); /* untouched */
    ck_assert_int_eq(buf_error(&b), 0);
    ck_assert_ptr_null(b.p);
}
END_TEST

START_TEST(steal_hands_over)
{
    struct buf b = {0};
    size_t n;
    char *empty = buf_steal(&b, &n);
    ck_assert_ptr_nonnull(empty);
    ck_assert_str_eq(empty, "");
    ck_assert_uint_eq(n, 0);
    free(empty);

    buf_append(&b, "a\0b", 3);
    char *text = buf_steal(&b, &n);
    ck_assert_uint_eq(n, 3);
    ck_assert_mem_eq(text, "a\0b", 4);
    ck_assert_uint_eq(b.cap, 0);
    buf_puts(&b, "independent");
    ck_assert_mem_eq(text, "a\0b", 4);
    free(text);
    buf_release(&b);
}
END_TEST

START_TEST(slices)
{
    ck_assert(slice_is(slice_of("abc"), "abc"));
    ck_assert(!slice_is(slice_of("abc"), "ab"));
    ck_assert(!slice_is(slice_of("abc"), "abd"));
    ck_assert(slice_eq((struct slice){NULL, 0}, slice_of("")));
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("buf");
    TCase *tc = tcase_create("buf");
    tcase_add_test(tc, zero_is_empty);
    tcase_add_test(tc, appends_add_up);
    tcase_add_test(tc, grows_through_all_sizes);
    tcase_add_test(tc, whole_numbers);
    tcase_add_test(tc, printed_into_any_room);
    tcase_add_test(tc, consume_moves_the_rest_down);
    tcase_add_test(tc, a_failure_sticks_until_cleared);
    tcase_add_test(tc, steal_hands_over);
    tcase_add_test(tc, slices);
    suite_add_tcase(s, tc);
    return s;
}
