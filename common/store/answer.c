#include "store/answer.h"

#include <stdlib.h>

#include "keys.h"
#include "scripts.h"

int store_answers_write(const struct store *s, struct redis_conn *c, const struct answer *answers,
                        size_t n, struct err *err)
{
    struct script_call *calls = calloc(n, sizeof *calls);
    const struct script_call **call = calloc(n, sizeof *call);
    struct reply **replies = calloc(n, sizeof *replies);
    int rc = calls && call && replies ? 0 : err_set(err, -ENOMEM, "no memory for %zu answers", n);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        call[i] = &calls[i];
        script_begin(&calls[i], &script_answer, 1);
        store_add_key(&calls[i].cmd, s, KEY_REPLY_PREFIX, answers[i].reply);
        command_add(&calls[i].cmd, answers[i].text);
        command_int(&calls[i].cmd, STORE_ANSWER_SECONDS);
        command_int(&calls[i].cmd, STORE_ANSWERS_MAX);
    }
    if (rc == 0)
        rc = script_run_all(c, call, (int)n, replies, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = reply_error(replies[i], err);
    for (size_t i = 0; replies && calls && i < n; i++) {
        reply_free(replies[i]);
        script_call_release(&calls[i]);
    }
    free(replies);
    free(call);
    free(calls);
    return rc;
}

int store_answer_wait(const struct store *s, struct redis_conn *c, const char *reply,
                      int64_t timeout_ms, struct reply **ret, struct err *err)
{
    enum { SLACK_MS = 2000 };
    struct reply *popped = NULL;
    struct command cmd = {0};
    int rc = redis_conn_set_timeout(c, (int)timeout_ms + SLACK_MS);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    command_text(&cmd, "BLPOP");
    store_add_key(&cmd, s, KEY_REPLY_PREFIX, reply);
    command_printf(&cmd, "%.3f", timeout_ms > 0 ? (double)timeout_ms / 1000 : 0.001); /* 0: ever */
    rc = redis_call(c, &cmd, &popped, err);
    command_release(&cmd);
    if (rc == 0 && reply_type(popped) == REPLY_NIL) {
        reply_free(popped);
        popped = NULL;
    }
    if (rc == 0)
        *ret = popped;
    return rc;
}
