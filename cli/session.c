#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>

#include "store/connect.h"

int session_load(struct session *s, const struct cli_common *common)
{
    struct conf_flags flags = {.config_file = common->config, .url = common->redis};
    struct err err = {""};
    int rc = conf_load(CONF_COMMAND, &flags, &s->conf, &err);
    if (rc != 0) {
        /* As it is: FILE:LINE in front, where editors and scripts look for it. */
        fprintf(stderr, "%s\n", err.text[0] ? err.text : err_phrase(rc));
        return rc == -ENOMEM ? CLI_FAILED : CLI_USAGE;
    }
    rc = store_new(s->conf->key_prefix, NULL, &s->store);
    if (rc != 0) {
        session_close(s);
        return cli_fail(rc, &err);
    }
    return CLI_GO;
}

int session_dial(const struct session *s, struct redis_conn **ret, struct err *err)
{
    struct redis_options o;
    char *storage = NULL;
    int rc = store_redis_options(s->conf, "sluice", &o, &storage, err);
    if (rc == 0)
        rc = redis_conn_open(&o, ret, err);
    free(storage);
    return rc;
}

/* Of struct follow. */
static int dial_to_follow(void *home, int64_t deadline_ns, struct redis_conn **ret, struct err *err)
{
    (void)deadline_ns; /* a command is ended by whoever is tired of it */
    return session_dial(home, ret, err);
}

static void say_away(void *home, const struct err *why)
{
    (void)home;
    fprintf(stderr, "waiting for Redis: %s\n", why->text);
}

int session_follow(const struct session *s, struct follow *f, enum job_end *ret_end,
                   struct err *err)
{
    struct session home = *s;
    f->store = s->store;
    f->dial = dial_to_follow;
    f->away = say_away;
    f->home = &home;
    return follow_job(f, ret_end, err);
}

int session_connect(struct session *s)
{
    struct redis_options o;
    char *storage = NULL;
    struct err err = {""};
    int rc = store_redis_options(s->conf, "sluice", &o, &storage, &err);
    if (rc == 0)
        redis_options_describe(&o, &s->where);
    free(storage);
    if (rc == 0)
        rc = session_dial(s, &s->redis, &err);
    if (rc == 0)
        return CLI_GO;
    session_close(s);
    return cli_fail(rc, &err);
}

int session_open(struct session *s, const struct cli_common *common)
{
    int rc = session_load(s, common);
    return rc == CLI_GO ? session_connect(s) : rc;
}

void session_close(struct session *s)
{
    redis_conn_free(s->redis);
    store_free(s->store);
    conf_unref(s->conf);
    buf_release(&s->where);
    *s = (struct session){0};
}
