#include "store/lease.h"

#include <stdlib.h>

#include "keys.h"
#include "scripts.h"

enum { MOVES_PER_CALL = 1000 };

/* Taken for a lapsed lease, a reply that says nothing would make the worker drop its jobs. */
static int read_renewal(const struct reply *reply, struct lease_state *ret, struct err *err)
{
    int64_t part[4];
    for (size_t i = 0; i < 4; i++)
        if (!reply_whole(reply_at(reply, i), &part[i]) || part[i] < 0)
            return err_set(err, -EPROTO, "renew: an unexpected reply of %zu parts",
                           reply_count(reply));
    *ret = (struct lease_state){
        .was_alive = part[0] == 1,
        .claims = (uint64_t)part[1],
        .now = (double)part[2] + (double)part[3] / 1e6,
    };
    return 0;
}

int store_lease_renew(const struct store *s, struct redis_conn *c, int64_t lease_ms,
                      struct lease_state *ret, struct err *err)
{
    struct script_call call = {0};
    struct reply *reply = NULL;
    script_begin(&call, &script_renew, 3);
    command_add(&call.cmd, store_key(s, KEY_LEASE));
    command_add(&call.cmd, store_key(s, KEY_WORKERS));
    command_add(&call.cmd, store_key(s, KEY_CLAIMS));
    command_text(&call.cmd, s->identity);
    command_int(&call.cmd, lease_ms);
    int rc = script_run(c, &call, &reply, err);
    if (rc == 0)
        rc = read_renewal(reply, ret, err);
    reply_free(reply);
    script_call_release(&call);
    return rc;
}

int store_lease_extend(const struct store *s, struct redis_conn *c, int64_t lease_ms,
                       bool *ret_alive, struct err *err)
{
    struct command cmd = {0};
    int64_t alive = 0;
    command_text(&cmd, "PEXPIRE");
    command_add(&cmd, store_key(s, KEY_LEASE));
    command_int(&cmd, lease_ms);
    int rc = store_ask_number(c, &cmd, &alive, err);
    if (rc == 0)
        *ret_alive = alive == 1;
    command_release(&cmd);
    return rc;
}

static bool is_self(const struct store *s, const struct reply *member)
{
    return s->identity && slice_is(reply_str(member), s->identity);
}

/* The members of sluice:workers. */
static int read_workers(const struct store *s, struct redis_conn *c, struct reply **ret,
                        struct err *err)
{
    return redis_callf(c, ret, err, "SMEMBERS %s", s->key[KEY_WORKERS]);
}

/* Their leases, in the same order; NULL when there are no members. */
static int read_leases(const struct store *s, struct redis_conn *c, const struct reply *members,
                       struct reply **ret, struct err *err)
{
    struct command cmd = {0};
    if (reply_count(members) == 0) {
        *ret = NULL;
        return 0;
    }
    command_text(&cmd, "MGET");
    for (size_t i = 0; i < reply_count(members); i++) {
        struct slice id = reply_str(reply_at(members, i));
        command_printf(&cmd, "%s%.*s", s->key[KEY_LEASE_PREFIX], (int)id.n, id.p);
    }
    int rc = redis_call(c, &cmd, ret, err);
    command_release(&cmd);
    return rc;
}

/* Copies of the members without a lease, other than this worker. */
static int take_lapsed(const struct store *s, const struct reply *members,
                       const struct reply *leases, char ***ret, size_t *ret_n, struct err *err)
{
    size_t n = 0, count = reply_count(members);
    char **ids = calloc(count + 1, sizeof *ids);
    if (!ids)
        return err_set(err, -ENOMEM, "no memory for %zu workers", count);
    for (size_t i = 0; i < count; i++) {
        if (reply_type(reply_at(leases, i)) != REPLY_NIL || is_self(s, reply_at(members, i)))
            continue;
        struct slice id = reply_str(reply_at(members, i));
        ids[n] = strndup(id.p, id.n);
        if (ids[n++])
            continue;
        while (n > 0)
            free(ids[--n]);
        free(ids);
        return err_set(err, -ENOMEM, "no memory for a worker's name");
    }
    *ret = ids;
    *ret_n = n;
    return 0;
}

int store_lapsed_workers(const struct store *s, struct redis_conn *c, char ***ret, size_t *ret_n,
                         struct err *err)
{
    struct reply *members = NULL, *leases = NULL;
    int rc = read_workers(s, c, &members, err);
    bool alone = rc == 0 && reply_count(members) == 1 && is_self(s, reply_at(members, 0));
    if (rc == 0 && !alone)
        rc = read_leases(s, c, members, &leases, err);
    if (rc == 0)
        rc = take_lapsed(s, members, leases, ret, ret_n, err);
    reply_free(members);
    reply_free(leases);
    return rc;
}

int store_live_workers(const struct store *s, struct redis_conn *c, size_t *ret_n, struct err *err)
{
    struct reply *members = NULL, *leases = NULL;
    int rc = read_workers(s, c, &members, err);
    if (rc == 0)
        rc = read_leases(s, c, members, &leases, err);
    if (rc == 0) {
        *ret_n = 0;
        for (size_t i = 0; i < reply_count(members); i++)
            *ret_n += reply_type(reply_at(leases, i)) != REPLY_NIL;
    }
    reply_free(members);
    reply_free(leases);
    return rc;
}

enum {
    RECOVERED_STATE,
    RECOVERED_MOVED,
    RECOVERED_WRONG,
    RECOVERED_SUSPECTS,
    RECOVERED_UNREAD,
};
enum { SUSPECT_PARTS = 4 };

int store_recover(const struct store *s, struct redis_conn *c, const char *identity,
                  double not_after, int64_t max_payload, struct recovered *ret, struct err *err)
{
    const char *who = identity ? identity : s->identity;
    struct script_call call = {0};
    struct command *cmd = &call.cmd;
    struct reply *reply = NULL;
    script_begin(&call, &script_recover, 9);
    store_add_key(cmd, s, KEY_LEASE_PREFIX, who);
    store_add_key(cmd, s, KEY_CLAIMS_PREFIX, who);
    command_add(cmd, store_key(s, KEY_WORKERS));
    command_add(cmd, store_key(s, KEY_PROCESSES));
    command_printf(cmd, "%s%s", s->prefix, who);
    command_printf(cmd, "%s%s:work", s->prefix, who);
    command_add(cmd, store_key(s, KEY_DEAD));
    store_add_key(cmd, s, KEY_WANTED_PREFIX, who);
    command_printf(cmd, "%s%s:workers", s->prefix, who);
    command_text(cmd, who);
    command_int(cmd, identity ? 0 : 1);
    command_printf(cmd, "%s%s:", s->key[KEY_CLAIM_PREFIX], who);
    command_add(cmd, store_key(s, KEY_QUEUE_PREFIX));
    command_add(cmd, store_key(s, KEY_DELIVERY_PREFIX));
    command_add(cmd, store_tombstone());
    command_int(cmd, STORE_DELIVERIES_ALLOWED);
    command_int(cmd, STORE_DELIVERIES_SECONDS);
    command_int(cmd, MOVES_PER_CALL);
    command_add(cmd, store_key(s, KEY_TRIAL_PREFIX));
    command_printf(cmd, "%.6f", not_after);
    command_int(cmd, max_payload);
    int rc = script_run(c, &call, &reply, err);
    script_call_release(&call);
    if (rc != 0)
        return rc;
    int64_t state;
    if (!reply_whole(reply_at(reply, RECOVERED_STATE), &state) || state < RECOVER_LATE ||
        state > RECOVER_REMAINS) {
        rc = err_set(err, -EPROTO, "recover: an unexpected reply of %zu parts", reply_count(reply));
        reply_free(reply);
        return rc;
    }
    *ret = (struct recovered){
        .reply = reply,
        .state = (enum recover_state)state,
        .moved = (uint64_t)reply_int(reply_at(reply, RECOVERED_MOVED)),
        .nwrong = reply_count(reply_at(reply, RECOVERED_WRONG)),
        .nsuspects = reply_count(reply_at(reply, RECOVERED_SUSPECTS)) / SUSPECT_PARTS,
        .unread = reply_at(reply, RECOVERED_UNREAD),
    };
    return 0;
}

struct suspect recovered_suspect(const struct recovered *r, size_t i)
{
    const struct reply *parts = reply_at(r->reply, RECOVERED_SUSPECTS);
    size_t at = i * SUSPECT_PARTS;
    return (struct suspect){
        .seq = (uint64_t)reply_int(reply_at(parts, at)),
        .index = (unsigned)reply_int(reply_at(parts, at + 1)),
        .queue = reply_str(reply_at(parts, at + 2)),
        .payload = reply_str(reply_at(parts, at + 3)),
    };
}

struct slice recovered_wrong(const struct recovered *r, size_t i)
{
    return reply_str(reply_at(reply_at(r->reply, RECOVERED_WRONG), i));
}
