/* Bad payloads: what is no job goes raw to `dead` at once, what is merely odd runs, nothing
 * crashes, and the jobs around run. */
#include "support/matrix.h"
#include "test_worker.h"

enum { DEEP = 1000000, DEPTH_MAX = 100 };

static const char settings[] =
    "worker: {threads: 4}\n"
    "handlers:\n" TEST_HANDLER "  - {class: any, exec: [sh, -c, \"cat >>seen; echo >>seen\"]}\n";

static const char good[] = "{\"class\":\"test\",\"args\":[{\"log\":\"ran\"}]}";

#define RAW(text)                                                                                  \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define WITH(members) RAW("{\"class\":\"test\",\"args\":[{\"log\":\"bad\"}]," members "}")

static const struct slice bad[] = {
    RAW(""),
    RAW(" "),
    RAW("not json"),
    RAW("{"),
    RAW("{\"class\":\"test\",\"args\":[{}]"),
    RAW("{\"class\":\"test\",\"args\":[{}]} x"),
    RAW("{\"class\":\"test\",\"args\":[{}],}"),
    RAW("{'class':'test','args':[]}"),
    RAW("{\"class\":\"test\",\"args\":[01]}"),
    RAW("{\"class\":\"test\",\"args\":[NaN]}"),
    RAW("\xef\xbb\xbf{\"class\":\"test\",\"args\":[{}]}"), /* a byte order mark */
    /* roots */
    RAW("[]"),
    RAW("[\"class\",\"test\"]"),
    RAW("\"class\""),
    RAW("1"),
    RAW("null"),
    RAW("true"),
    RAW("{}"),
    /* class and args */
    RAW("{\"args\":[{\"log\":\"bad\"}]}"),
    RAW("{\"class\":null,\"args\":[]}"),
    RAW("{\"class\":\"\",\"args\":[]}"),
    RAW("{\"class\":7,\"args\":[]}"),
    RAW("{\"class\":[\"test\"],\"args\":[]}"),
    RAW("{\"class\":\"test\"}"),
    RAW("{\"class\":\"test\",\"args\":null}"),
    RAW("{\"class\":\"test\",\"args\":{}}"),
    RAW("{\"class\":\"test\",\"args\":\"[]\"}"),
    /* bytes */
    RAW("{\"class\":\"te\0st\",\"args\":[]}"),
    RAW("{\"class\":\"test\",\"args\":[{}]}\0"),
    RAW("{\"class\":\"te\\u0000st\",\"args\":[]}"),
    RAW("{\"class\":\"test\",\"args\":[\"\xff\"]}"),
    RAW("{\"class\":\"test\",\"args\":[\"\xc0\xaf\"]}"),     /* overlong */
    RAW("{\"class\":\"test\",\"args\":[\"\xed\xa0\x80\"]}"), /* a surrogate */
    RAW("{\"class\":\"test\",\"args\":[\"\xe2\x82\"]}"),     /* cut short */
    RAW("{\"class\":\"test\",\"args\":[\"a\nb\"]}"),         /* a raw line end in a string */
    /* fields of wrong types */
    WITH("\"jid\":7"),
    WITH("\"jid\":\"\""),
    WITH("\"queue\":7"),
    WITH("\"queue\":\"a b\""),
    WITH("\"retry\":\"yes\""),
    WITH("\"retry\":-1"),
    WITH("\"retry\":1.5"),
    WITH("\"retry_count\":\"1\""),
    WITH("\"retry_queue\":[]"),
    WITH("\"retry_for\":\"1 day\""),
    WITH("\"dead\":\"no\""),
    WITH("\"track\":1"),
    WITH("\"timeout\":\"30\""),
    WITH("\"timeout\":0"),
    /* times that would break every page of Sidekiq's dashboard */
    WITH("\"created_at\":\"2026-01-02T03:04:05Z\""),
    WITH("\"enqueued_at\":\"1795478712.5\""),
    WITH("\"failed_at\":\"now\""),
    WITH("\"at\":{}"),
    WITH("\"expires_at\":\"tomorrow\""),
    WITH("\"created_at\":1e400"),
};
enum { BAD = sizeof bad / sizeof bad[0] };

/* An array of the given depth around nothing, as the args of a job. */
static struct slice nested(const char *jid, int depth)
{
    struct buf job = {0};
    buf_printf(&job, "{\"class\":\"any\",\"jid\":\"%s\",\"args\":", jid);
    for (int i = 0; i < depth; i++)
        buf_putc(&job, '[');
    for (int i = 0; i < depth; i++)
        buf_putc(&job, ']');
    buf_putc(&job, '}');
    ck_assert_int_eq(buf_error(&job), 0);
    return buf_slice(&job);
}

static void push_raw(struct slice job)
{
    must_push(redis, "queue:default", job);
}

static bool is_dead(struct slice job)
{
    struct reply *score = must_call(redis, "ZSCORE dead %b", job.p, job.n);
    bool yes = reply_type(score) != REPLY_NIL;
    reply_free(score);
    return yes;
}

/* Each bad one with a good one before and after it; the worker comes before or after them. */
START_TEST(what_is_no_job_is_dead)
{
    bool worker_first = _i == 0;
    struct slice deep = nested("deep", DEEP), deeper = nested("deeper", DEPTH_MAX);
    if (worker_first)
        start_worker(settings);
    for (int i = 0; i < BAD; i++) {
        push("default", good);
        push_raw(bad[i]);
    }
    push_raw(deep);
    push_raw(deeper); /* the object around it makes it one level too many */
    push("default", good);
    if (!worker_first)
        start_worker(settings);

    wait_until(HANG_MS, times_in_file("ran", " end\n") == BAD + 1);
    wait_until(HANG_MS, must_int(redis, "ZCARD dead") == BAD + 2);
    for (int i = 0; i < BAD; i++)
        ck_assert_msg(is_dead(bad[i]), "not in dead as it came: %s", bad[i].p);
    ck_assert(is_dead(deep));
    ck_assert(is_dead(deeper));
    ck_assert_int_eq(times_in_file("bad", "\n"), 0);
    ck_assert_int_eq(worker_process_count(&worker, "not a job: moved to dead"), BAD + 2);
    wait_processed(BAD + 1 + BAD + 2);
    ck_assert_int_eq(must_int(redis, "GET stat:failed"), BAD + 2);
    ck_assert_int_eq(must_int(redis, "EXISTS retry queue:default"), 0);
    ck_assert_int_eq(worker_process_stop(&worker), 0);
    matrix_report(&(struct matrix_entry){
        .row = 23,
        .fault = matrix_text("%d payloads that are no jobs, %s", BAD + 2,
                             worker_first ? "to a waiting worker" : "in a backlog"),
        .bit = "all are in dead as they came",
        .result = matrix_text("the %d jobs between them ran, nothing crashed", BAD + 1)});
    free((char *)deep.p);
    free((char *)deeper.p);
}
END_TEST

START_TEST(what_is_odd_runs)
{
    static const char *const odd[] = {
        "{\"class\":\"any\",\"jid\":\"huge\",\"args\":[1e400,-1e400,1e-400]}",
        "{\"class\":\"none\",\"jid\":\"gone\",\"args\":7,\"args\":[\"last\"],\"class\":\"any\","
        "\"jid\":\"twice\"}",
        " \t\r\n{ \"class\" : \"any\" , \"jid\" : \"spaces\" , \"args\" : [ ] } \n",
        "{\"cl\\u0061ss\":\"\\u0061ny\",\"jid\":\"escapes\",\"args\":[\"\\u0000\"]}",
        "{\"class\":\"any\",\"jid\":\"nulls\",\"args\":[],\"retry\":null,\"queue\":null,"
        "\"created_at\":null,\"timeout\":null,\"track\":null}",
        "{\"class\":\"any\",\"jid\":\"hint\",\"args\":[],\"traceparent\":7}",
        "{\"class\":\"any\",\"jid\":\"millis\",\"args\":[],\"created_at\":1795478712500}",
        "{\"class\":\"any\",\"jid\":\"unknown\",\"args\":[],\"x\":[[[]]],\"\":{}}",
    };
    enum { ODD = sizeof odd / sizeof odd[0] };
    struct slice deep = nested("deep", DEPTH_MAX - 1);
    start_worker(settings);
    for (int i = 0; i < ODD; i++)
        push("default", odd[i]);
    push_raw(deep);
    wait_processed(ODD + 1);
    ck_assert_int_eq(must_int(redis, "EXISTS dead retry stat:failed"), 0);
    ck_assert_int_eq(times_in_file("seen", "[1e400,-1e400,1e-400]"), 1);
    ck_assert_int_eq(times_in_file("seen", "\"twice\""), 1);
    free((char *)deep.p);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("worker and bad payloads");
    TCase *tc = new_case(suite, "malformed");
    tcase_add_loop_test(tc, what_is_no_job_is_dead, 0, 2);
    tcase_add_test(tc, what_is_odd_runs);
    return suite;
}
