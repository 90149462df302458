/* Log lines as they reach stderr: both formats, quoting, the cut at 8 KiB, whole lines. */
#include "base/log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/thread.h"
#include "base/utf8.h"
#include "support/support.h"

enum { LINE_MAX_BYTES = 8192 };

static int real_stderr = -1;
static int captured[2] = {-1, -1};

/* stderr becomes a pipe, which holds more than any test writes before it reads. */
static void capture(void)
{
    real_stderr = dup(STDERR_FILENO);
    ck_assert_int_ge(real_stderr, 0);
    ck_assert_int_eq(pipe(captured), 0);
    ck_assert_int_eq(dup2(captured[1], STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(close(captured[1]), 0);
}

/* Ends the capture and returns all of it. */
static char *end_capture(void)
{
    struct buf out = {0};
    char chunk[4096];
    ssize_t n;
    ck_assert_int_eq(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO); /* closes the pipe's end */
    ck_assert_int_eq(close(real_stderr), 0);
    while ((n = read(captured[0], chunk, sizeof chunk)) > 0)
        buf_append(&out, chunk, (size_t)n);
    ck_assert_int_eq(close(captured[0]), 0);
    char *text = buf_steal(&out, NULL);
    ck_assert_ptr_nonnull(text);
    return text;
}

/* The time is the one thing that varies: each digit of it becomes a 0. */
static char *captured_line(size_t time_at)
{
    char *line = end_capture();
    static const char shape[] = "0000-00-00T00:00:00.000Z";
    for (size_t i = 0; i < sizeof shape - 1; i++) {
        char *c = &line[time_at + i];
        if (*c >= '0' && *c <= '9')
            *c = '0';
        ck_assert_int_eq(*c, shape[i]);
    }
    return line;
}

static void expect_logfmt(const char *rest)
{
    struct buf expected = {0};
    char *line = captured_line(3);
    buf_printf(&expected, "ts=0000-00-00T00:00:00.000Z %s\n", rest);
    ck_assert_str_eq(line, buf_str(&expected));
    buf_release(&expected);
    free(line);
}

static void expect_json(const char *rest)
{
    struct buf expected = {0};
    char *line = captured_line(7);
    buf_printf(&expected, "{\"ts\":\"0000-00-00T00:00:00.000Z\",%s}\n", rest);
    ck_assert_str_eq(line, buf_str(&expected));
    ck_assert_int_eq(json_scan(slice_of(line), &(enum json_type){JSON_NULL}, NULL, NULL, NULL), 0);
    buf_release(&expected);
    free(line);
}

START_TEST(logfmt)
{
    log_setup(LOG_INFO, LOG_LOGFMT);
    capture();
    log_info("job done", log_str("jid", "abc-1"), log_int("ms", -12), log_real("rate", 0.25));
    expect_logfmt("level=info msg=\"job done\" jid=abc-1 ms=-12 rate=0.25");

    capture();
    log_error("alone");
    expect_logfmt("level=error msg=\"alone\"");

    capture();
    log_warn("quoting", log_str("empty", ""), log_str("null", NULL), log_str("space", "a b"),
             log_str("eq", "a=b"), log_str("quote", "a\"b\\"), log_str("utf8", "\xc3\xbc"),
             log_slice("part", (struct slice){"abcdef", 3}));
    expect_logfmt("level=warn msg=\"quoting\" empty=\"\" null=\"\" space=\"a b\" eq=\"a=b\" "
                  "quote=\"a\\\"b\\\\\" utf8=\"\xc3\xbc\" part=abc");
}
END_TEST

START_TEST(json)
{
    log_setup(LOG_DEBUG, LOG_JSON);
    capture();
    log_debug("job done", log_str("jid", "abc"), log_int("ms", INT64_MIN), log_real("r", 1e300));
    expect_json("\"level\":\"debug\",\"msg\":\"job done\",\"jid\":\"abc\","
                "\"ms\":-9223372036854775808,\"r\":1e+300");

    capture();
    log_warn("odd numbers", log_real("inf", (double)INFINITY), log_real("nan", (double)NAN));
    expect_json("\"level\":\"warn\",\"msg\":\"odd numbers\",\"inf\":0,\"nan\":0");
}
END_TEST

START_TEST(control_and_foreign_bytes)
{
    static const char bytes[] =
        "\x1b[31m\n\t\x7f\0|\xff|\xc3|\xed\xa0\x80|\xf0\x9f\x98\x80|\xe2\x82";
    struct slice odd = {bytes, sizeof bytes - 1};
    const char *shown = "\\u001b[31m\\n\\u0009\\u007f\\u0000|\xef\xbf\xbd|\xef\xbf\xbd|"
                        "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd|\xf0\x9f\x98\x80|"
                        "\xef\xbf\xbd\xef\xbf\xbd";
    struct buf expected = {0};
    log_setup(LOG_INFO, LOG_JSON);
    capture();
    log_info("bytes", log_slice("odd", odd));
    buf_printf(&expected, "\"level\":\"info\",\"msg\":\"bytes\",\"odd\":\"%s\"", shown);
    expect_json(buf_str(&expected));

    log_setup(LOG_INFO, LOG_LOGFMT);
    capture();
    log_info("bytes", log_slice("odd", odd));
    buf_clear(&expected);
    buf_printf(&expected, "level=info msg=\"bytes\" odd=\"%s\"", shown);
    expect_logfmt(buf_str(&expected));
    buf_release(&expected);
}
END_TEST

START_TEST(levels)
{
    log_setup(LOG_WARN, LOG_LOGFMT);
    ck_assert(!log_enabled(LOG_INFO));
    ck_assert(log_enabled(LOG_WARN));
    capture();
    int evaluated = 0;
    log_info("not shown", log_int("n", ++evaluated));
    log_error("shown", log_int("n", ++evaluated));
    expect_logfmt("level=error msg=\"shown\" n=1");
    ck_assert_int_eq(evaluated, 1);
}
END_TEST

/* Whatever is cut, and wherever in an escape or character the cut falls: at most 8 KiB, one
 * newline at the end, and still JSON. */
START_TEST(long_lines_stay_well_formed)
{
    static const char *const pieces[] = {"x", "\"", "\x01", "\xc3\xbc", "\xf0\x9f\x98\x80", "\xff"};
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        for (int lead = 0; lead < 8; lead++) {
            struct buf value = {0};
            buf_append(&value, "leading ", (size_t)lead);
            while (value.n < 3 * LINE_MAX_BYTES)
                buf_puts(&value, pieces[i]);
            for (int format = LOG_LOGFMT; format <= LOG_JSON; format++) {
                log_setup(LOG_INFO, (enum log_format)format);
                capture();
                log_info("long", log_int("before", 1), log_slice("value", buf_slice(&value)),
                         log_str("after", "left out"), log_int("n", 2));
                char *line = end_capture();
                size_t n = strlen(line);
                ck_assert_uint_le(n, LINE_MAX_BYTES);
                ck_assert_uint_gt(n, LINE_MAX_BYTES - 32);
                ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
                ck_assert_ptr_nonnull(strstr(line, "before"));
                ck_assert_ptr_null(strstr(line, "after"));
                enum json_type type;
                if (format == LOG_JSON)
                    ck_assert_int_eq(json_scan(slice_of(line), &type, NULL, NULL, NULL), 0);
                ck_assert(utf8_ok(slice_of(line)));
                free(line);
            }
            buf_release(&value);
        }
    }
}
END_TEST

START_TEST(fields_that_do_not_fit_are_left_out)
{
    struct buf value = {0};
    while (value.n < 8000)
        buf_putc(&value, 'x');
    log_setup(LOG_INFO, LOG_JSON);
    for (int i = 0; i < 200; i++) {
        capture();
        log_info("nearly full", log_slice("value", buf_slice(&value)), log_int("n", INT64_MIN),
                 log_str("plain", "and a text that is long enough to meet the end somewhere"));
        char *line = end_capture();
        enum json_type type;
        ck_assert_int_eq(json_scan(slice_of(line), &type, NULL, NULL, NULL), 0);
        ck_assert_uint_le(strlen(line), LINE_MAX_BYTES);
        free(line);
        buf_putc(&value, 'x');
    }
    buf_release(&value);
}
END_TEST

START_TEST(errno_survives)
{
    log_setup(LOG_INFO, LOG_LOGFMT);
    int saved = dup(STDERR_FILENO);
    ck_assert_int_eq(close(STDERR_FILENO), 0); /* the write fails */
    errno = ENOENT;
    log_info("into the void");
    int after = errno;
    ck_assert_int_eq(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ck_assert_int_eq(close(saved), 0);
    ck_assert_int_eq(after, ENOENT);
}
END_TEST

static void *log_many(void *arg)
{
    for (int i = 0; i < 50; i++)
        log_info("together", log_int("thread", *(int *)arg), log_int("i", i));
    return NULL;
}

START_TEST(lines_of_threads_do_not_mix)
{
    enum { THREADS = 8 };
    struct thread threads[THREADS];
    int ids[THREADS];
    log_setup(LOG_INFO, LOG_JSON);
    capture();
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        ck_assert_int_eq(thread_start(&threads[i], "log", log_many, &ids[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    char *text = end_capture(), *rest = NULL;
    int lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        enum json_type type;
        ck_assert_int_eq(json_scan(slice_of(line), &type, NULL, NULL, NULL), 0);
        lines++;
    }
    ck_assert_int_eq(lines, THREADS * 50);
    free(text);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("log");
    TCase *tc = tcase_create("log");
    tcase_add_test(tc, logfmt);
    tcase_add_test(tc, json);
    tcase_add_test(tc, control_and_foreign_bytes);
    tcase_add_test(tc, levels);
    tcase_add_test(tc, long_lines_stay_well_formed);
    tcase_add_test(tc, fields_that_do_not_fit_are_left_out);
    tcase_add_test(tc, errno_survives);
    tcase_add_test(tc, lines_of_threads_do_not_mix);
    suite_add_tcase(s, tc);
    return s;
}
