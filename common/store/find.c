#include "find.h"

#include "job/envelope.h"
#include "scripts.h"

enum { FIND_PAGE = 1000 };
enum { NEXT, LOOKED, HEAD }; /* of the script's reply */

static void look_at(struct slice payload, const struct reply *place, const char *jid,
                    struct found *found)
{
    struct envelope e;
    if (found->payload.n > 0 || envelope_parse(payload, &e, NULL) != 0)
        return;
    if (!e.jid_is_new && strcmp(e.jid, jid) == 0) {
        found->tracked = e.track;
        found->position = reply_int(place);
        found->score = reply_real(place);
        buf_put(&found->payload, payload);
    }
    envelope_release(&e);
}

int find_job(struct redis_conn *c, struct slice key, const char *jid, int64_t max_payload,
             int64_t max_look, struct found *ret, struct err *err)
{
    struct found found = {0};
    struct buf at = {0};
    int rc = 0;
    buf_puts(&at, "0");
    do {
        struct script_call call = {0};
        struct reply *page = NULL;
        script_begin(&call, &script_find, 1);
        command_add(&call.cmd, key);
        command_add(&call.cmd, buf_slice(&at));
        command_int(&call.cmd, FIND_PAGE);
        command_text(&call.cmd, jid);
        command_int(&call.cmd, max_payload);
        rc = script_run(c, &call, &page, err);
        script_call_release(&call);
        for (size_t i = HEAD; rc == 0 && i + 1 < reply_count(page); i += 2)
            look_at(reply_str(reply_at(page, i)), reply_at(page, i + 1), jid, &found);
        buf_clear(&at);
        buf_put(&at, reply_str(reply_at(page, NEXT)));
        found.looked += reply_int(reply_at(page, LOOKED));
        reply_free(page);
    } while (rc == 0 && at.n > 0 && found.payload.n == 0 && found.looked < max_look);
    found.cut = at.n > 0 && found.payload.n == 0;
    if (rc == 0 && (rc = buf_error(&found.payload)) != 0)
        (void)err_set(err, rc, "%s", err_phrase(rc)); /* the code is kept in rc */
    buf_release(&at);
    if (rc == 0)
        *ret = found;
    else
        buf_release(&found.payload);
    return rc;
}
