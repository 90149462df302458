/* cli/terminal, cli/human and cli/table: what a person reads. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cli/human.h"
#include "cli/table.h"

START_TEST(text_cannot_drive_the_terminal)
{
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8d\xa3",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x8d\xa3"},
        {"\x1b[31mred", "?[31mred"},
        {"a\nb\tc\rd\x7f", "a?b?c?d?"},
        {"\xc2\x9b"
         "31m",
         "?31m"}, /* CSI as one character */
        {"\xff\xfe", "??"},
        {"cut \xe2\x82", "cut ??"},
        {"\xc0\x80", "??"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s", cases[i].text);
        terminal_clean(text);
        ck_assert_str_eq(text, cases[i].clean);
    }
    ck_assert_uint_eq(terminal_width("gr\xc3\xbc\xc3\x9f"), 4);
}
END_TEST

START_TEST(colours_only_where_they_belong)
{
    struct terminal file = {0}, colourful = {.colour = true, .columns = 80};
    ck_assert_str_eq(tone_begin(&file, TONE_BAD), "");
    ck_assert_str_eq(tone_end(&file, TONE_BAD), "");
    ck_assert_str_eq(tone_begin(&colourful, TONE_BAD), "\033[31m");
    ck_assert_str_eq(tone_end(&colourful, TONE_BAD), "\033[0m");
    ck_assert_str_eq(tone_end(&colourful, TONE_PLAIN), "");
    int fd = memfd_create("file", MFD_CLOEXEC);
    ck_assert(!terminal_of(fd).colour && terminal_of(fd).columns == 0);
    (void)close(fd);
}
END_TEST

START_TEST(counts_and_sizes)
{
    char t[HUMAN_TEXT];
    ck_assert_str_eq(human_count(0, t), "0");
    ck_assert_str_eq(human_count(999, t), "999");
    ck_assert_str_eq(human_count(1000, t), "1,000");
    ck_assert_str_eq(human_count(-1234567, t), "-1,234,567");
    ck_assert_str_eq(human_count(-123, t), "-123");
    ck_assert_str_eq(human_count(INT64_MIN, t), "-9,223,372,036,854,775,808");
    ck_assert_str_eq(human_kb(1023, t), "1023 KB");
    ck_assert_str_eq(human_kb(34567, t), "33 MB");
    ck_assert_str_eq(human_kb(20 * 1024 * 1024, t), "20 GB");
}
END_TEST

/* What table_print() writes, which goes to stdout. */
static char *printed(const struct table *t, const struct terminal *terminal)
{
    static char text[4096];
    int saved = dup(STDOUT_FILENO), fd = memfd_create("out", MFD_CLOEXEC);
    ck_assert_int_ge(dup2(fd, STDOUT_FILENO), 0);
    table_print(t, terminal);
    ck_assert_int_eq(fflush(stdout), 0);
    ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    ck_assert_int_ge(n, 0);
    text[n] = '\0';
    (void)close(fd);
    (void)close(saved);
    return text;
}

static void fill(struct table *t)
{
    table_cell(t, TONE_PLAIN, "default");
    table_cell(t, TONE_BAD, "%d", 12);
    table_cell(t, TONE_PLAIN, "%s", "");
    table_cell(t, TONE_PLAIN,
               "gr\xc3\xbc\xc3\x9f"
               "e-an-alle");
    table_cell(t, TONE_PLAIN, "%d", 1234567);
    table_cell(t, TONE_PLAIN, "\n");
}

START_TEST(tables_align_and_shrink)
{
    static const struct table_column columns[] = {
        {.title = "Queue", .shrinks = true}, {.title = "Jobs", .right = true}, {.title = "State"}};
    struct table t = {.column = columns, .columns = 3};
    struct terminal file = {0}, narrow = {.columns = 25}, colourful = {.colour = true};
    fill(&t);
    ck_assert_str_eq(printed(&t, &file), "Queue             Jobs  State\n"
                                         "default             12\n"
                                         "gr\xc3\xbc\xc3\x9f"
                                         "e-an-alle  1234567  ?\n");
    ck_assert_str_eq(printed(&t, &narrow), "Queue         Jobs  State\n"
                                           "default         12\n"
                                           "gr\xc3\xbc\xc3\x9f"
                                           "e-an\xe2\x80\xa6  1234567  ?\n");
    ck_assert_ptr_nonnull(strstr(printed(&t, &colourful), "     \033[31m12\033[0m\n"));
    table_release(&t);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("cli/terminal");
    TCase *t = tcase_create("terminal");
    tcase_add_test(t, text_cannot_drive_the_terminal);
    tcase_add_test(t, colours_only_where_they_belong);
    tcase_add_test(t, counts_and_sizes);
    tcase_add_test(t, tables_align_and_shrink);
    suite_add_tcase(s, t);
    return s;
}
