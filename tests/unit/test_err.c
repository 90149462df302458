/* Errors: one line whatever it quotes, cut to fit, the code handed through. */
#include "base/err.h"

#include <string.h>

#include "support/support.h"

START_TEST(set_and_prefix)
{
    struct err err;
    ck_assert_int_eq(err_set(&err, -EINVAL, "%s is %d", "x", 5), -EINVAL);
    ck_assert_str_eq(err.text, "x is 5");
    ck_assert_int_eq(err_prefix(&err, -ENOENT, "%s:%d", "file", 7), -ENOENT);
    ck_assert_str_eq(err.text, "file:7: x is 5");
    ck_assert_int_eq(err_set(NULL, -EPROTO, "nobody reads %s", "this"), -EPROTO);
    ck_assert_int_eq(err_prefix(NULL, -EPROTO, "nor %s", "this"), -EPROTO);
}
END_TEST

START_TEST(old_text_may_be_an_argument)
{
    struct err err;
    (void)err_set(&err, 0, "inner");
    (void)err_set(&err, 0, "outer (%s)", err.text);
    ck_assert_str_eq(err.text, "outer (inner)");
}
END_TEST

START_TEST(always_one_line)
{
    struct err err;
    (void)err_set(&err, 0, "a %s", "b\nc\r\x1b[31m\x7f\td");
    ck_assert_str_eq(err.text, "a b c  [31m  d");
    (void)err_prefix(&err, 0, "x\ny");
    ck_assert_str_eq(err.text, "x y: a b c  [31m  d");
}
END_TEST

START_TEST(cut_to_fit)
{
    struct err err;
    char longer[1000];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    (void)err_set(&err, 0, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    (void)err_prefix(&err, 0, "place");
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_int_eq(strncmp(err.text, "place: xxx", 10), 0);
    (void)err_prefix(&err, 0, "%s", longer);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
}
END_TEST

START_TEST(always_text)
{
    struct err err;
    (void)err_set(&err, 0, "%s", "\xc3\xa4 \xff\xc3 \xe2\x82\xac \xed\xa0\x80");
    ck_assert_str_eq(err.text, "\xc3\xa4 ?? \xe2\x82\xac ???");
    (void)err_set(&err, 0, "%.4s", "abc\xc3\xa4"); /* cut within a character */
    ck_assert_str_eq(err.text, "abc?");
    (void)err_set(&err, 0, "a%sb",
                  "\xc2\x9b"
                  "31m"); /* one control of two bytes */
    ck_assert_str_eq(err.text, "a 31mb");
}
END_TEST

START_TEST(phrases)
{
    static const int codes[] = {0,       -ENOTCONN, -ETIMEDOUT,   -ECANCELED, -EAGAIN,  -EROFS,
                                -ENOSPC, -EACCES,   -EMEDIUMTYPE, -ESTALE,    -EBADMSG, -EMSGSIZE,
                                -EPROTO, -EINVAL,   -ENOMEM,      -123456};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        ck_assert_uint_gt(strlen(err_phrase(codes[i])), 0);
    ck_assert_str_eq(err_phrase(-ENOTCONN), "Redis cannot be reached");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("err");
    TCase *tc = tcase_create("err");
    tcase_add_test(tc, set_and_prefix);
    tcase_add_test(tc, old_text_may_be_an_argument);
    tcase_add_test(tc, always_one_line);
    tcase_add_test(tc, cut_to_fit);
    tcase_add_test(tc, always_text);
    tcase_add_test(tc, phrases);
    suite_add_tcase(s, tc);
    return s;
}
