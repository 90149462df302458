#include "store/job_facts.h"

#include "keys.h"
#include "questions.h"
#include "scripts.h"

enum { SECONDS, MICROS, CANCELLED, PAUSED, LEASED, RECOVERIES };

int store_job_facts(const struct store *s, struct redis_conn *c, const char *jid, const char *queue,
                    const char *worker, struct slice payload, struct job_facts *ret,
                    struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_job_facts, 3);
    command_add(&call.cmd, store_key(s, KEY_CANCELLED));
    command_add(&call.cmd, store_key(s, KEY_PAUSED));
    store_add_key(&call.cmd, s, KEY_LEASE_PREFIX, worker);
    command_text(&call.cmd, jid);
    command_text(&call.cmd, queue);
    command_add(&call.cmd, store_key(s, KEY_DELIVERY_PREFIX));
    command_add(&call.cmd, payload);
    int rc = script_run(c, &call, &reply, err);
    script_call_release(&call);
    if (rc != 0)
        return rc;
    *ret = (struct job_facts){
        .reply = reply,
        .now = (double)reply_int(reply_at(reply, SECONDS)) +
               (double)reply_int(reply_at(reply, MICROS)) / 1e6,
        .cancelled_at = reply_real(reply_at(reply, CANCELLED)),
        .paused = reply_int(reply_at(reply, PAUSED)) == 1,
        .leased = reply_int(reply_at(reply, LEASED)) == 1,
        .recoveries = reply_count(reply_at(reply, RECOVERIES)),
    };
    return 0;
}

struct slice job_facts_recovered_from(const struct job_facts *f, size_t i)
{
    return reply_str(reply_at(reply_at(f->reply, RECOVERIES), i));
}

void job_facts_release(struct job_facts *f)
{
    reply_free(f->reply);
    *f = (struct job_facts){0};
}
