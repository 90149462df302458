#include "redis/greet.h"

/* What a new connection says, in order, in one write. PING, because a server that accepts
 * connections may still be loading, or want a password that was not given; ROLE, because a replica
 * answers PING like a master. */
enum greeting { SAY_AUTH, SAY_SELECT, SAY_NAME, SAY_PING, SAY_ROLE, SAY_END };

/* Puts one greeting into cmd; false when the options do not ask for it. */
static bool compose(enum greeting what, const struct redis_options *o, struct command *cmd)
{
    command_clear(cmd);
    switch (what) {
    case SAY_AUTH:
        if (!o->username && !o->password)
            return false;
        command_text(cmd, "AUTH");
        if (o->username)
            command_text(cmd, o->username);
        command_text(cmd, o->password ? o->password : ""); /* an ACL user with `nopass` */
        return true;
    case SAY_SELECT:
        if (o->db == 0)
            return false;
        command_text(cmd, "SELECT");
        command_int(cmd, o->db);
        return true;
    case SAY_NAME:
        if (!o->name)
            return false;
        command_text(cmd, "CLIENT");
        command_text(cmd, "SETNAME");
        command_text(cmd, o->name);
        return true;
    case SAY_PING:
        command_text(cmd, "PING");
        return true;
    case SAY_ROLE:
        if (!o->master)
            return false;
        command_text(cmd, "ROLE");
        return true;
    case SAY_END:
        break;
    }
    return false;
}

/* The code for an error reply to one greeting. */
static int judge(enum greeting what, int rc, struct err *err)
{
    switch (what) {
    case SAY_AUTH: /* old servers have no word for it: "ERR invalid password" */
        return err_prefix(err, rc == -EPROTO ? -EACCES : rc, "AUTH");
    case SAY_SELECT:
        return err_prefix(err, rc == -EPROTO ? -EINVAL : rc, "SELECT");
    case SAY_NAME: /* a help for people; services that forbid CLIENT work without it */
    case SAY_ROLE: /* where it is forbidden, the first write tells */
        return rc == -EPROTO || rc == -EACCES ? 0 : rc;
    default:
        return rc;
    }
}

static int check_role(const struct reply *role, struct err *err)
{
    struct slice is = reply_str(reply_at(role, 0));
    if (is.n == 0 || slice_is(is, "master"))
        return 0;
    if (slice_is(is, "slave"))
        is = slice_of("replica");
    return err_set(err, -EROFS, "this is no master but a %.*s", (int)is.n, is.p);
}

int greet(struct redis_conn *c, const struct redis_options *o, struct err *err)
{
    struct command cmd = {0};
    unsigned said = 0;
    int rc = 0;
    for (enum greeting what = SAY_AUTH; what < SAY_END && rc == 0; what++)
        if (compose(what, o, &cmd)) {
            rc = redis_conn_send(c, &cmd);
            said |= 1U << what;
        }
    command_release(&cmd);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));

    for (enum greeting what = SAY_AUTH; what < SAY_END && rc == 0; what++)
        if (said & 1U << what) {
            struct reply *reply = NULL;
            rc = redis_conn_read(c, &reply, err);
            if (rc != 0)
                break;
            rc = reply_error(reply, err);
            if (rc != 0)
                rc = judge(what, rc, err);
            else if (what == SAY_ROLE)
                rc = check_role(reply, err);
            reply_free(reply);
        }
    return rc;
}
