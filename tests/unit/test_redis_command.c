/* Commands under construction: binary-safe, borrowed or copied, reusable. */
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#include "redis/command.h"
#include "redis/script.h"

static void check_arg(const struct command *c, int i, const void *bytes, size_t n)
{
    struct slice arg = command_arg(c, i);
    ck_assert_uint_eq(arg.n, n);
    ck_assert_mem_eq(arg.p, bytes, n);
}

START_TEST(keeps_each_kind_of_argument)
{
    struct command c = {0};
    char gone[] = "a\0b";
    command_text(&c, "SET");
    command_add(&c, (struct slice){"k\0\r\n", 4});
    command_copy(&c, (struct slice){gone, 3});
    memset(gone, 'x', sizeof gone); /* a copy no longer looks there */
    command_int(&c, INT64_MIN);
    command_printf(&c, "%s:%d", "q", 7);
    command_add(&c, (struct slice){NULL, 0});
    command_copy(&c, (struct slice){"", 0});
    command_join(&c, slice_of("queue:"), (struct slice){"a\0b", 3});

    ck_assert_int_eq(command_error(&c), 0);
    ck_assert_int_eq(c.n, 8);
    check_arg(&c, 0, "SET", 3);
    check_arg(&c, 1, "k\0\r\n", 4);
    check_arg(&c, 2, "a\0b", 3);
    check_arg(&c, 3, "-9223372036854775808", 20);
    check_arg(&c, 4, "q:7", 3);
    check_arg(&c, 5, "", 0);
    check_arg(&c, 6, "", 0);
    check_arg(&c, 7, "queue:a\0b", 9);
    command_release(&c);
}
END_TEST

START_TEST(copies_survive_growth)
{
    struct command c = {0};
    for (int i = 0; i < 5000; i++)
        command_printf(&c, "argument-%d", i);
    ck_assert_int_eq(command_error(&c), 0);
    for (int i = 0; i < 5000; i++) {
        char want[32];
        int n = snprintf(want, sizeof want, "argument-%d", i);
        check_arg(&c, i, want, (size_t)n);
    }
    command_release(&c);
}
END_TEST

START_TEST(formats_text_of_any_length)
{
    struct command c = {0};
    for (int n = 500; n < 530; n++) { /* around the size of the buffer on the stack */
        command_clear(&c);
        command_printf(&c, "%*d", n, 1);
        ck_assert_int_eq(command_error(&c), 0);
        ck_assert_uint_eq(command_arg(&c, 0).n, (size_t)n);
    }
    command_release(&c);
}
END_TEST

START_TEST(clear_reuses_the_memory)
{
    struct command c = {0};
    command_printf(&c, "%d", 1);
    command_text(&c, "two");
    const struct command_arg *before = c.arg;
    command_clear(&c);
    ck_assert_int_eq(c.n, 0);
    command_printf(&c, "%d", 3);
    ck_assert_ptr_eq(c.arg, before);
    check_arg(&c, 0, "3", 1);
    command_release(&c);
}
END_TEST

START_TEST(script_calls_begin_anew)
{
    const struct script script = {
        .name = "s", .source = "return 1", .source_len = 8, .sha1 = "da39a3"};
    struct script_call call = {0};
    for (int round = 0; round < 2; round++) {
        script_begin(&call, &script, 1);
        command_text(&call.cmd, "key");
        ck_assert_int_eq(call.cmd.n, 4);
        check_arg(&call.cmd, 0, "EVALSHA", 7);
        check_arg(&call.cmd, 1, "da39a3", 6);
        check_arg(&call.cmd, 2, "1", 1);
        check_arg(&call.cmd, 3, "key", 3);
    }
    script_call_release(&call);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/command");
    TCase *t = tcase_create("command");
    tcase_add_test(t, keeps_each_kind_of_argument);
    tcase_add_test(t, copies_survive_growth);
    tcase_add_test(t, formats_text_of_any_length);
    tcase_add_test(t, clear_reuses_the_memory);
    tcase_add_test(t, script_calls_begin_anew);
    suite_add_tcase(s, t);
    return s;
}
