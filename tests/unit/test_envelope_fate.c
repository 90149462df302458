/* job/fate: what a failure leads to, after Sidekiq's rules. */
#include "support/support.h"

#include <stdio.h>

#include "job/envelope.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define JOB(members) "{\"class\":\"x\",\"args\":[]," members "}"

static const double now = 1795478712.5;

static struct envelope parse(const char *payload)
{
    struct envelope e;
    struct err err = {0};
    int rc = envelope_parse(slice_of(payload), &e, &err);
    ck_assert_msg(rc == 0, "%s: %s", payload, err.text);
    return e;
}

enum { NO_SETTING = -1 };

static const struct fate {
    const char *members;
    int64_t handler_retry;
    enum job_fate fate;
    double min_delay_s, jitter_s; /* rand(10) * (count + 1): at most 9 * jitter_s more */
} fates[] = {
    {"\"queue\":\"q\"", NO_SETTING, JOB_FATE_RETRY, 15, 1},
    {"\"retry\":true", NO_SETTING, JOB_FATE_RETRY, 15, 1},
    {"\"retry\":true,\"retry_count\":0", NO_SETTING, JOB_FATE_RETRY, 16, 2},
    {"\"retry\":true,\"retry_count\":1", NO_SETTING, JOB_FATE_RETRY, 31, 3},
    {"\"retry\":true,\"retry_count\":23", NO_SETTING, JOB_FATE_RETRY, 331791, 25},
    {"\"retry\":true,\"retry_count\":24", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry_count\":24", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry\":true,\"retry_count\":100", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry\":1000000,\"retry_count\":999998", NO_SETTING, JOB_FATE_RETRY, 1e9, 0},
    /* never, and never again */
    {"\"retry\":false", NO_SETTING, JOB_FATE_DROP, 0, 0},
    {"\"retry\":false", 5, JOB_FATE_DROP, 0, 0},
    {"\"retry\":0", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry\":1", NO_SETTING, JOB_FATE_RETRY, 15, 1},
    {"\"retry\":1,\"retry_count\":0", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry\":0,\"dead\":false", NO_SETTING, JOB_FATE_DROP, 0, 0},
    {"\"retry\":0,\"dead\":true", NO_SETTING, JOB_FATE_DEAD, 0, 0},
    {"\"retry\":2,\"dead\":false", NO_SETTING, JOB_FATE_RETRY, 15, 1},
    /* the handler's setting counts where the job says nothing */
    {"\"queue\":\"q\"", 0, JOB_FATE_DEAD, 0, 0},
    {"\"retry_count\":1", 2, JOB_FATE_DEAD, 0, 0},
    {"\"retry_count\":1", 3, JOB_FATE_RETRY, 31, 3},
    {"\"retry\":true,\"retry_count\":1", 2, JOB_FATE_RETRY, 31, 3},
    /* retry_for counts from the first failure */
    {"\"retry_for\":10", NO_SETTING, JOB_FATE_RETRY, 15, 1},
    {"\"retry_for\":10,\"retry_count\":0,\"failed_at\":1795478702.5", NO_SETTING, JOB_FATE_RETRY,
     16, 2},
    {"\"retry_for\":10,\"retry_count\":0,\"failed_at\":1795478702.25", NO_SETTING, JOB_FATE_DEAD, 0,
     0},
    {"\"retry_for\":10,\"retry_count\":0,\"failed_at\":1795478702250", NO_SETTING, JOB_FATE_DEAD, 0,
     0},
    {"\"retry_for\":1000,\"retry\":0", NO_SETTING, JOB_FATE_DEAD, 0, 0},
};

START_TEST(test_fate)
{
    const struct fate *f = &fates[_i];
    char payload[256];
    (void)snprintf(payload, sizeof payload, JOB("%s"), f->members);
    struct envelope e = parse(payload);
    for (int i = 0; i < 50; i++) {
        double delay = -1;
        ck_assert_int_eq(envelope_fate(&e, f->handler_retry, now, &delay), f->fate);
        if (f->fate != JOB_FATE_RETRY) {
            ck_assert(delay == -1);
            continue;
        }
        double extra = delay - f->min_delay_s;
        ck_assert_msg(extra >= 0 && extra <= 9 * f->jitter_s, "%s: %f", f->members, delay);
    }
    envelope_release(&e);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("envelope_fate");
    TCase *fate = tcase_create("fate");
    tcase_add_loop_test(fate, test_fate, 0, COUNT(fates));
    suite_add_tcase(suite, fate);
    return suite;
}
