/* Orders, as the main thread obeys them (worker/inbox.h), and what a worker tells of itself. */
#include "base/clock.h"
#include "base/log.h"
#include "worker/parts.h"

/* Of numbered orders about one thing the newest counts, however late the others are heard. */
static bool is_news(uint64_t number, uint64_t *obeyed)
{
    if (number > 0 && number <= *obeyed)
        return false;
    if (number > 0)
        *obeyed = number;
    return true;
}

static int obey_state(struct worker *w, const struct order *o, bool *ret_stop, struct err *err)
{
    bool open = dispatch_is_open(&w->dispatch);
    if (!is_news(o->number, &w->obeyed.state))
        return 0;
    if (o->cmd == ORDER_STOP)
        *ret_stop = true;
    else if (w->begun_stop)
        return err_set(err, -ECANCELED, "the worker is stopping");
    else if (o->cmd == ORDER_QUIET && open)
        worker_quiet(w);
    else if (o->cmd == ORDER_RESUME && !open)
        worker_resume(w);
    return 0;
}

/* Each by itself: what cannot be set keeps nothing else from it. The first reason is told. */
static int obey_settings(struct worker *w, const struct order *o, struct err *err)
{
    int first = 0;
    for (int i = 0; i < ORDER_SETTINGS; i++) {
        if (o->value[i] == ORDER_UNSAID || !is_news(o->number, &w->obeyed.setting[i]))
            continue;
        struct err why = {""};
        int rc = worker_tune(w, (enum order_setting)i, o->value[i], &why);
        if (rc != 0)
            log_warn("an order was not obeyed",
                     log_str("setting", order_setting_name((enum order_setting)i)),
                     log_str("error", why.text));
        if (first == 0 && rc != 0)
            first = err_set(err, rc, "%s: %s", order_setting_name((enum order_setting)i), why.text);
    }
    return first;
}

bool worker_obey(struct worker *w)
{
    struct errand *e;
    bool stop = false;
    while ((e = inbox_take(&w->inbox))) {
        e->rc = e->order.cmd == ORDER_SET ? obey_settings(w, &e->order, &e->err)
                                          : obey_state(w, &e->order, &stop, &e->err);
        inbox_finish(&w->inbox, e);
    }
    if (stop && !w->begun_stop)
        log_info("ordered to stop");
    return stop;
}

void worker_describe(void *worker, struct buf *out)
{
    struct worker *w = worker;
    struct dispatch_stats d;
    struct redis_pool_stats p;
    bool stopping = w->begun_stop;
    int level = LOG_DEBUG;
    dispatch_stats(&w->dispatch, &d);
    redis_pool_stats(w->pool, &p);
    while (level < LOG_ERROR && !log_enabled((enum log_level)level))
        level++;
    buf_printf(out,
               "\"version\":\"" SLUICE_VERSION "\",\"quiet\":%s,\"stopping\":%s,\"busy\":%u,"
               "\"ready\":%u,\"threads\":%d,\"max_concurrent_ops\":%d,\"permits_in_use\":%d,"
               "\"permits_waiting\":%d,\"uptime_s\":%.3f,\"log_level\":\"",
               d.open ? "false" : "true", stopping ? "true" : "false", d.running, d.ready, d.limit,
               p.permits_limit, p.permits_in_use, p.permits_waiting,
               (double)(clock_now_ns() - w->born_ns) / (double)NS_PER_S);
    order_value_put(ORDER_LOG_LEVEL, level, out);
    buf_putc(out, '"');
    int64_t left_ns = atomic_load(&w->stop_deadline_ns) - clock_now_ns();
    if (stopping)
        buf_printf(out, ",\"stops_within_s\":%.3f",
                   left_ns > 0 ? (double)left_ns / (double)NS_PER_S : 0.0);
}
