/* cli/tail_line and cli/tail_jobs: what a line looks like, and which jobs are remembered. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/tail_jobs.h"
#include "cli/tail_line.h"

static const struct terminal pipe_end = {0};

static struct tail_line line_of(const char *jid, const char *klass, const char *event)
{
    return (struct tail_line){.at_us = INT64_C(1795506900000250),
                              .jid = jid,
                              .klass = klass,
                              .queue = klass ? "default" : NULL,
                              .id = 7,
                              .event = slice_of(event)};
}

/* The text of a line behind its clock, whose zone is whose machine this is. */
static const char *text_of(struct buf *out, const struct tail_line *line, const struct terminal *t,
                           struct tail_widths *widths)
{
    buf_clear(out);
    tail_put_text(out, line, t, widths);
    const char *text = strchr(buf_str(out), ' ');
    ck_assert_ptr_nonnull(text);
    return text;
}

static const struct {
    const char *klass, *event, *text, *json;
} events[] = {
    {"mail", "{\"a\":1}", "  j  mail  {\"a\":1}\n",
     "\"class\":\"mail\",\"queue\":\"default\",\"id\":7,\"event\":{\"a\":1}}\n"},
    {NULL, "\"x\"", "  j  -  \"x\"\n", "\"class\":null,\"queue\":null,\"id\":7,\"event\":\"x\"}\n"},
    /* White space between values may be lines. */
    {"m", "{\n\t\"a\": 1\r\n}", "  j  m  {  \"a\": 1  }\n",
     "\"class\":\"m\",\"queue\":\"default\",\"id\":7,\"event\":{  \"a\": 1  }}\n"},
    /* Somebody else pushed it. */
    {"m", "no\njson \x1b[31m\xff", "  j  m  no json  [31m?\n",
     "\"class\":\"m\",\"queue\":\"default\",\"id\":7,\"event\":\"no\\njson "
     "\\u001b[31m\xef\xbf\xbd\"}"
     "\n"},
    {"e\x1b\n", "1", "  j  e    1\n",
     "\"class\":\"e\\u001b\\n\",\"queue\":\"default\",\"id\":7,\"event\":1}\n"},
};

START_TEST(an_event_is_one_line)
{
    struct buf out = {0};
    struct tail_widths widths = {0};
    struct tail_line line = line_of("j", events[_i].klass, events[_i].event);
    ck_assert_str_eq(text_of(&out, &line, &pipe_end, &widths), events[_i].text);
    buf_clear(&out);
    tail_put_json(&out, &line);
    static const char head[] = "{\"time\":1795506900.000250,\"jid\":\"j\",";
    ck_assert_msg(strncmp(buf_str(&out), head, strlen(head)) == 0, "%s", buf_str(&out));
    ck_assert_str_eq(buf_str(&out) + strlen(head), events[_i].json);
    buf_release(&out);
}
END_TEST

START_TEST(a_terminal_is_aligned_and_not_exceeded)
{
    const struct terminal narrow = {.columns = 44};
    struct tail_widths widths = {0};
    struct buf out = {0};
    struct tail_line line = line_of("long", "class", "[1]");
    ck_assert_str_eq(text_of(&out, &line, &narrow, &widths), "  long  class  [1]\n");
    line = line_of("s", "c", "[2]");
    ck_assert_str_eq(text_of(&out, &line, &narrow, &widths), "  s     c      [2]\n");
    line = line_of("s", "c", "\"1234567890123456789\"");
    ck_assert_str_eq(text_of(&out, &line, &narrow, &widths),
                     "  s     c      \"1234567890123456789\"\n");
    line = line_of("s", "c", "\"123456789012345678\xc3\xbc 1\"");
    ck_assert_str_eq(text_of(&out, &line, &narrow, &widths),
                     "  s     c      \"123456789012345678\xc3\xbc…\n");
    buf_release(&out);
}
END_TEST

START_TEST(each_job_has_its_colour)
{
    const struct terminal colourful = {.colour = true, .columns = 100};
    struct tail_widths widths = {0};
    struct buf out = {0};
    char hue[16] = "";
    for (int i = 0; i < 2; i++) {
        struct tail_line line = line_of("j", "c", "{\"type\":\"status\",\"status\":\"dead\"}");
        buf_clear(&out);
        tail_put_text(&out, &line, &colourful, &widths);
        const char *jid = strstr(buf_str(&out), "mj  c  \033[0m"); /* the end of its colour */
        ck_assert_msg(jid && strstr(jid, "\033[31m{\"type\""), "%s", buf_str(&out));
        if (i == 1)
            ck_assert(strncmp(jid - 4, hue, 4) == 0);
        (void)snprintf(hue, sizeof hue, "%.4s", jid - 4);
    }
    buf_release(&out);
}
END_TEST

START_TEST(types_are_members_named_type)
{
    static const char *const types[] = {"status", "progress"};
    ck_assert(tail_event_is(slice_of("{\"a\":1,\"type\":\"progress\"}"), types, 2));
    ck_assert(tail_event_is(slice_of("{\"type\":\"st\\u0061tus\"}"), types, 2));
    ck_assert(!tail_event_is(slice_of("{\"type\":\"other\"}"), types, 2));
    ck_assert(!tail_event_is(slice_of("{\"x\":{\"type\":\"status\"}}"), types, 2));
    ck_assert(!tail_event_is(slice_of("[\"type\",\"status\"]"), types, 2));
    ck_assert(!tail_event_is(slice_of("{\"type\":\"status\"} x"), types, 2));
}
END_TEST

/* ---- the jobs ---- */

static struct tail_jobs jobs;

static void forget_all(void)
{
    tail_jobs_release(&jobs);
}

/* Serves whoever is first: all of it is shown, unless no filter means it. */
static struct tail_job *show_first(bool wanted)
{
    struct tail_job *job = tail_jobs_first(&jobs);
    ck_assert_ptr_nonnull(job);
    job->labelled = true;
    job->wanted = wanted;
    job->shown = job->known;
    tail_jobs_settle(&jobs, job);
    return job;
}

static void hear(const char *jid, int64_t length, int64_t now_ns)
{
    tail_jobs_hear(&jobs, slice_of(jid), length, now_ns);
}

START_TEST(who_has_more_is_in_line)
{
    hear("a", 1, 1);
    hear("b", 1, 1);
    hear("a", 2, 1);
    struct tail_job *a = show_first(true);
    ck_assert_str_eq(a->jid, "a");
    ck_assert_int_eq(a->known, 2);
    ck_assert_str_eq(show_first(false)->jid, "b");
    ck_assert_ptr_null(tail_jobs_first(&jobs));
    hear("b", 2, 2); /* is passed over */
    ck_assert_ptr_null(tail_jobs_first(&jobs));
    hear("a", 3, 2);
    ck_assert_ptr_eq(tail_jobs_first(&jobs), a);
    a->shown = 2; /* a page was not all of it */
    a->known = 3;
    tail_jobs_settle(&jobs, a);
    ck_assert_ptr_eq(show_first(true), a);
    tail_jobs_look_again(&jobs); /* after a lost connection */
    ck_assert_ptr_eq(show_first(true), a);
    a->end = JOB_COMPLETED;
    tail_jobs_look_again(&jobs);
    ck_assert_ptr_null(tail_jobs_first(&jobs));
}
END_TEST

START_TEST(late_messages_are_none_and_a_new_stream_is_new)
{
    hear("a", 5, 1);
    struct tail_job *a = show_first(true);
    a->shown = a->known = 8; /* the reading was ahead of the messages */
    hear("a", 7, 1);
    hear("a", 8, 1);
    ck_assert_ptr_null(tail_jobs_first(&jobs));
    tail_jobs_look_again(&jobs);
    (void)show_first(true);
    a->shown = a->known = 8;
    hear("a", 7, 1); /* the first on a connection may be late */
    ck_assert_ptr_null(tail_jobs_first(&jobs));
    hear("a", 2, 1); /* it has expired, and begins anew */
    ck_assert_ptr_eq(tail_jobs_first(&jobs), a);
    ck_assert_int_eq(a->shown, 0);
    ck_assert_int_eq(a->known, 2);
}
END_TEST

START_TEST(they_are_bounded)
{
    char jid[16];
    hear("passed", 1, 1);
    (void)show_first(false);
    hear("followed", 1, 5);
    (void)show_first(true);
    for (int i = 2; i < TAIL_JOBS_MAX; i++) {
        (void)snprintf(jid, sizeof jid, "%d", i);
        hear(jid, 1, 9);
    }
    ck_assert_uint_eq(jobs.n, TAIL_JOBS_MAX);
    hear("x", 1, 9); /* in place of who is passed over */
    ck_assert_int_eq(jobs.forgot_ns, 0);
    hear("y", 1, 9); /* in place of who is followed */
    ck_assert_int_eq(jobs.forgot_ns, 5);
    ck_assert_uint_eq(jobs.left_out, 0);
    hear("z", 1, 9); /* all others wait */
    hear("z", 2, 9);
    hear("y", 2, 9);
    ck_assert_uint_eq(jobs.left_out, 2);
    ck_assert_uint_eq(jobs.n, TAIL_JOBS_MAX);
    (void)show_first(true);
    hear("z", 3, 9);
    ck_assert_uint_eq(jobs.left_out, 2);
    ck_assert_int_eq(jobs.forgot_ns, 9);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("sluice tail");
    TCase *tc = tcase_create("lines");
    tcase_add_loop_test(tc, an_event_is_one_line, 0, sizeof events / sizeof *events);
    tcase_add_test(tc, a_terminal_is_aligned_and_not_exceeded);
    tcase_add_test(tc, each_job_has_its_colour);
    tcase_add_test(tc, types_are_members_named_type);
    suite_add_tcase(suite, tc);
    tc = tcase_create("jobs");
    tcase_add_checked_fixture(tc, NULL, forget_all);
    tcase_add_test(tc, who_has_more_is_in_line);
    tcase_add_test(tc, late_messages_are_none_and_a_new_stream_is_new);
    tcase_add_test(tc, they_are_bounded);
    suite_add_tcase(suite, tc);
    return suite;
}
