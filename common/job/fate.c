#include "job/envelope.h"

#include "base/random.h"

/* Sidekiq's delays reach 4.6 days at its 25 retries. A job with retry: 1000000 would be put off by
 * longer than a time can say; 31 years are as good as never. */
#define DELAY_MAX_S 1e9

int64_t envelope_attempt(const struct envelope *e)
{
    return e->retry_count + 2;
}

static bool exhausted(const struct envelope *e, int64_t handler_retry, double now)
{
    int64_t max = JOB_RETRY_DEFAULT;
    if (e->retry == JOB_RETRY_COUNT)
        max = e->max_retries;
    else if (handler_retry >= 0)
        max = handler_retry;
    if (e->retry_count + 1 >= max)
        return true;
    return e->retry_for_s > 0 && e->failed_at != 0 && now - e->failed_at > e->retry_for_s;
}

enum job_fate envelope_fate(const struct envelope *e, int64_t handler_retry, double now,
                            double *ret_delay_s)
{
    if (e->retry == JOB_RETRY_NEVER)
        return JOB_FATE_DROP;
    if (exhausted(e, handler_retry, now))
        return e->keep_dead ? JOB_FATE_DEAD : JOB_FATE_DROP;
    double count = (double)(e->retry_count + 1);
    double delay = count * count * count * count + 15 + (double)random_below(10) * (count + 1);
    *ret_delay_s = delay < DELAY_MAX_S ? delay : DELAY_MAX_S;
    return JOB_FATE_RETRY;
}
