/*
 * bench/table.awk, the judge of bench/run: its verdicts, its exit status, and how it writes
 * numbers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/program.h"
#include "support/support.h"

static struct program judge;
static char folder[] = "/tmp/sluice-test-XXXXXX";
static char targets[64], figures[64];

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

static void set_up(void)
{
    judge = (struct program){0};
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(targets, sizeof targets, "%s/targets", folder);
    (void)snprintf(figures, sizeof figures, "%s/figures", folder);
    write_file(targets, "# a comment\n"
                        "fast | per_s  | >= 1000 | >= 5000 | floor {floor_per_s}/s | fast enough\n"
                        "fast | wait   | <= 2.5 if floor_per_s >= 9000 | | | no wait\n"
                        "slow | per_s  | >= 1    |         |                       | slow, too\n");
}

static void tear_down(void)
{
    program_end(&judge);
    (void)unlink(targets);
    (void)unlink(figures);
    (void)rmdir(folder);
    memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6); /* for the next test */
}

static int judged(const char *shown, const char *measured)
{
    char variable[64];
    (void)snprintf(variable, sizeof variable, "shown= %s ", shown);
    const char *argv[] = {
        "/usr/bin/awk", "-v",    variable, "-f", TEST_SOURCE_DIR "/bench/table.awk",
        targets,        figures, NULL};
    write_file(figures, measured);
    program_start(&judge, argv);
    return program_wait(&judge);
}

static void expect(const char *text)
{
    ck_assert_msg(strstr(judge.out, text) != NULL, "\"%s\" is missing in:\n%s%s", text, judge.out,
                  judge.err);
}

START_TEST(what_holds_is_met_and_a_goal_is_named)
{
    ck_assert_int_eq(judged("fast slow", "fast per_s 1234567\nfast floor_per_s 9000\n"
                                         "fast wait 2.5\nslow per_s 1\n"),
                     0);
    expect("1,234,567  floor 9,000/s  goal\n");
    expect("2.50");
    expect("3 of 3 musts met, 1 of 1 goals\n");
}
END_TEST

START_TEST(one_must_that_fails_fails_all)
{
    ck_assert_int_eq(judged("fast", "fast per_s 999.9\nfast floor_per_s 10000\nfast wait 2.4\n"),
                     1);
    expect("999.9  floor 10,000/s  NOT MET\n");
    expect("1 of 2 musts met, 0 of 1 goals\n");
}
END_TEST

START_TEST(a_must_with_a_condition_is_not_asked_elsewhere)
{
    ck_assert_int_eq(judged("fast", "fast per_s 1000\nfast floor_per_s 8999\nfast wait 99\n"), 0);
    expect("not asked\n");
    expect("1 of 1 musts met");
}
END_TEST

START_TEST(what_was_not_measured_is_not_met)
{
    ck_assert_int_eq(judged("slow", ""), 1);
    expect("not measured\n");
    expect("0 of 1 musts met, 0 of 0 goals; 1 not measured\n");
}
END_TEST

START_TEST(a_bench_without_rows_is_shown)
{
    ck_assert_int_eq(judged("new", "new per_s 1000\n"), 0);
    expect("new: per_s");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("bench_table");
    TCase *tc = tcase_create("judge");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_holds_is_met_and_a_goal_is_named);
    tcase_add_test(tc, one_must_that_fails_fails_all);
    tcase_add_test(tc, a_must_with_a_condition_is_not_asked_elsewhere);
    tcase_add_test(tc, what_was_not_measured_is_not_met);
    tcase_add_test(tc, a_bench_without_rows_is_shown);
    suite_add_tcase(s, tc);
    return s;
}
