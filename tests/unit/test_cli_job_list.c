/* cli/job_list: files of jobs, checked before any is sent. */
#include "support/support.h"

#include <stdio.h>

#include "cli/job_list.h"

static struct job_list list;

static void begin(void)
{
    list = (struct job_list){.default_queue = "default", .max_payload = 1 << 20};
}

static void end(void)
{
    job_list_release(&list);
}

static int read_text(const char *text, struct err *err)
{
    FILE *in = fmemopen((void *)text, strlen(text), "r");
    ck_assert_ptr_nonnull(in);
    int rc = job_list_read(&list, in, "jobs.ndjson", err);
    (void)fclose(in);
    return rc;
}

START_TEST(lines_are_kept_byte_for_byte)
{
    static const char *const lines[] = {
        "{\"class\":\"a\",\"args\":[1.10, 12345678901234567890]}",
        "  {\"class\":\"b\",\"args\":[],\"queue\":\"low\",\"x\":{\"\\u00e9\":[]}} ",
        "{\"class\":\"c\",\"args\":[],\"at\":1900000000.5}",
        "{\"class\":\"d\",\"args\":[],\"queue\":\"low\"}",
    };
    char text[1024];
    struct err err = {""};
    (void)snprintf(text, sizeof text, "%s\n\n%s\n \t\r\n%s\r\n%s", lines[0], lines[1], lines[2],
                   lines[3]); /* no newline at the end */
    ck_assert_msg(read_text(text, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(list.n, 4);
    for (size_t i = 0; i < list.n; i++) {
        const struct listed_job *job = &list.job[i];
        ck_assert_int_eq(memcmp(list.text.p + job->at, lines[i], strlen(lines[i])), 0);
        ck_assert_str_eq(list.queue[job->queue], i % 2 ? "low" : "default");
        ck_assert_double_eq(job->due, i == 2 ? 1900000000.5 : 0);
    }
    ck_assert_uint_eq(list.nqueues, 2);
}
END_TEST

START_TEST(a_bad_line_is_named)
{
    static const struct {
        const char *line, *what;
    } cases[] = {
        {"{\"class\":\"b\"}", "field \"args\" is missing"},
        {"{\"args\":[]}", "field \"class\" is missing"},
        {"{\"class\":\"\",\"args\":[]}", "field \"class\""},
        {"{\"class\":\"b\",\"args\":{}}", "field \"args\" is an object"},
        {"{\"class\":\"b\",\"args\":[],\"queue\":\"a b\"}", "field \"queue\""},
        {"{\"class\":\"b\",\"args\":[],\"at\":\"soon\"}", "field \"at\""},
        {"[]", "an array"},
        {"{\"class\":\"b\",\"args\":[]} x", "JSON"},
        {"nonsense", "JSON"},
        {"{\"class\":\"b\",\"args\":[\"\xff\"]}", "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[1024];
        struct err err = {""};
        (void)snprintf(text, sizeof text, "{\"class\":\"a\",\"args\":[]}\n\n%s\nworse\n",
                       cases[i].line);
        ck_assert_int_eq(read_text(text, &err), -EBADMSG);
        ck_assert_msg(strncmp(err.text, "jobs.ndjson:3: ", 15) == 0, "%s", err.text);
        ck_assert_msg(strstr(err.text, cases[i].what) != NULL, "%s", err.text);
    }
}
END_TEST

START_TEST(what_workers_would_bury_is_refused)
{
    struct err err = {""};
    struct slice job = slice_of("{\"class\":\"a\",\"args\":[]}");
    list.max_payload = 150; /* the bytes given are fewer; jid, queue and times come on top */
    ck_assert_int_eq(job_list_add(&list, job, &err), 0);
    list.max_payload = 100;
    ck_assert_int_eq(job_list_add(&list, job, &err), -EBADMSG);
    ck_assert_msg(strstr(err.text, "at most 100 are allowed") != NULL, "%s", err.text);
    ck_assert_uint_eq(list.n, 1);
}
END_TEST

START_TEST(nothing_is_no_error)
{
    ck_assert_int_eq(read_text("\n\n", NULL), 0);
    ck_assert_uint_eq(list.n, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("cli/job_list");
    TCase *t = tcase_create("job_list");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, lines_are_kept_byte_for_byte);
    tcase_add_test(t, a_bad_line_is_named);
    tcase_add_test(t, what_workers_would_bury_is_refused);
    tcase_add_test(t, nothing_is_no_error);
    suite_add_tcase(s, t);
    return s;
}
