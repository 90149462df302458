#include "cli/session.h"

#include <stdio.h>
#include <stdlib.h>

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

static int options_of(const struct conf *conf, struct redis_options *ret, char **ret_storage,
                      struct err *err)
{
    *ret = (struct redis_options){
        .host = conf->redis_host,
        .port = conf->redis_port,
        .username = conf->redis_username,
        .password = conf->redis_password,
        .db = conf->redis_db,
        .tls = conf->redis_ssl,
        .tls_ca = conf->redis_tls_ca,
        .tls_cert = conf->redis_tls_cert,
        .tls_key = conf->redis_tls_key,
        .connect_timeout_ms = (int)(conf->redis_connect_timeout * 1000),
        .socket_timeout_ms = (int)(conf->redis_socket_timeout * 1000),
        .name = "sluice",
    };
    return conf->redis_url ? redis_url_parse(conf->redis_url, ret, ret_storage, err) : 0;
}

int session_dial(const struct session *s, struct redis_conn **ret, struct err *err)
{
    struct redis_options o;
    char *storage = NULL;
    int rc = options_of(s->conf, &o, &storage, err);
    if (rc == 0)
        rc = redis_conn_open(&o, ret, err);
    free(storage);
    return rc;
}

int session_connect(struct session *s)
{
    struct redis_options o;
    char *storage = NULL;
    struct err err = {""};
    int rc = options_of(s->conf, &o, &storage, &err);
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
