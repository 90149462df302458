#include "store/job_view.h"

#include "base/json.h"
#include "keys.h"
#include "scripts.h"

static const char *const names[] = {
    [JOB_GOES_ON] = "",        [JOB_COMPLETED] = "completed", [JOB_FAILED] = "failed",
    [JOB_STOPPED] = "stopped", [JOB_DEAD] = "dead",
};

int store_job_read(const struct store *s, struct redis_conn *c, const char *jid, struct reply **ret,
                   struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "HGETALL");
    store_add_key(&cmd, s, KEY_JOB_PREFIX, jid);
    int rc = redis_call(c, &cmd, ret, err);
    command_release(&cmd);
    return rc;
}

int store_stream_read(const struct store *s, struct redis_conn *c, const char *jid, int64_t after,
                      int64_t max, struct reply **ret, struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "LRANGE");
    store_add_key(&cmd, s, KEY_STREAM_PREFIX, jid);
    command_int(&cmd, after);
    command_int(&cmd, after + max - 1);
    int rc = redis_call(c, &cmd, ret, err);
    command_release(&cmd);
    return rc;
}

enum { PAGE_HEAD = 3 }; /* elements before the events */

int store_stream_page(const struct store *s, struct redis_conn *c, const char *jid, int64_t after,
                      int64_t max, int64_t max_bytes, struct stream_page *ret, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_stream_page, 2);
    store_add_key(&call.cmd, s, KEY_STREAM_PREFIX, jid);
    store_add_key(&call.cmd, s, KEY_JOB_PREFIX, jid);
    command_int(&call.cmd, after);
    command_int(&call.cmd, max);
    command_int(&call.cmd, max_bytes);
    int rc = script_run(c, &call, &reply, err);
    script_call_release(&call);
    if (rc == 0 && reply_count(reply) < PAGE_HEAD)
        rc = err_set(err, -EPROTO, "stream_page: an answer of %zu elements", reply_count(reply));
    if (rc != 0) {
        reply_free(reply);
        return rc;
    }
    *ret = (struct stream_page){.reply = reply,
                                .length = reply_int(reply_at(reply, 0)),
                                .state = reply_str(reply_at(reply, 1)),
                                .last = reply_str(reply_at(reply, 2)),
                                .n = reply_count(reply) - PAGE_HEAD};
    return 0;
}

struct slice stream_page_event(const struct stream_page *page, size_t i)
{
    return reply_str(reply_at(page->reply, PAGE_HEAD + i));
}

int store_stream_subscribe(const struct store *s, struct redis_conn *c, const char *jid,
                           struct err *err)
{
    struct command cmd = {0};
    command_text(&cmd, "SUBSCRIBE");
    store_add_key(&cmd, s, KEY_STREAM_PREFIX, jid);
    int rc = redis_call(c, &cmd, NULL, err);
    command_release(&cmd);
    return rc;
}

enum job_end job_end_of_state(struct slice state)
{
    for (int end = JOB_COMPLETED; end <= JOB_DEAD; end++)
        if (slice_is(state, names[end]))
            return (enum job_end)end;
    return JOB_GOES_ON;
}

struct own_event {
    struct slice type;
    enum job_end end;
};

static int look(void *ctx, const struct json_member *member)
{
    struct own_event *event = ctx;
    if (member->type == JSON_STRING && json_key_is(member->key, "type"))
        event->type = member->value;
    else if (member->type == JSON_STRING && json_key_is(member->key, "status"))
        event->end =
            job_end_of_state((struct slice){member->value.p + 1, member->value.n - 2}); /* quotes */
    return 0;
}

void job_end_learn(enum job_end *end, struct slice event)
{
    struct own_event found = {{"", 0}, JOB_GOES_ON};
    enum json_type type;
    if (json_scan(event, &type, look, &found, NULL) != 0 || type != JSON_OBJECT)
        return;
    if (slice_is(found.type, "\"attempt\""))
        *end = JOB_GOES_ON;
    else if (slice_is(found.type, "\"status\"") && found.end != JOB_GOES_ON)
        *end = found.end;
}

enum job_end stream_page_end(const struct stream_page *page, int64_t after, bool *ret_silent)
{
    enum job_end end = JOB_GOES_ON;
    struct slice last = page->n > 0 ? stream_page_event(page, page->n - 1) : page->last;
    *ret_silent = false;
    if (after + (int64_t)page->n < page->length)
        return JOB_GOES_ON;
    if (last.n > 0)
        job_end_learn(&end, last);
    *ret_silent = end == JOB_GOES_ON;
    return *ret_silent ? job_end_of_state(page->state) : end;
}

const char *job_end_name(enum job_end end)
{
    return names[end];
}
