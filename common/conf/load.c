#include "conf/load.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"

static size_t row_of(const struct setting *s)
{
    return (size_t)(s - settings);
}

int load_blame(const struct load *l, const struct setting *s, int code, struct err *err)
{
    switch (l->origin[row_of(s)]) {
    case ORIGIN_DEFAULT:
        return err_prefix(err, code, "default");
    case ORIGIN_FILE:
        return err_prefix(err, code, "%s:%d", l->conf->file, l->line[row_of(s)]);
    case ORIGIN_ENV:
        return err_prefix(err, code, "%s", s->env);
    case ORIGIN_FLAG:
        return err_prefix(err, code, "%s", s->flag);
    }
    return code;
}

int load_set(struct load *l, const struct setting *s, enum origin origin, const char *text,
             struct err *err)
{
    l->origin[row_of(s)] = origin;
    int rc = value_parse(&s->field, l->conf, text, err);
    return rc < 0 ? load_blame(l, s, rc, err) : 0;
}

static int load_defaults(struct load *l, struct err *err)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        int rc = s->preset ? load_set(l, s, ORIGIN_DEFAULT, s->preset, err) : 0;
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The sum behind the promise that the pool is never exhausted (redis/pool.h). */
static int check_pool(const struct load *l, struct err *err)
{
    struct conf *c = l->conf;
    if (c->max_connections == 0)
        c->max_connections = c->max_concurrent_ops + CONF_POOL_OVERHEAD;

    int reserved = conf_reserved_connections(c);
    int needed = c->max_concurrent_ops + reserved;
    if (c->max_connections >= needed)
        return 0;
    int waits = reserved - CONF_HEARTBEAT_CONNS - CONF_CONTROL_CONNS;
    int rc = err_set(err, -EINVAL,
                     "redis.max_connections is %d, but %d are needed: %d permit%s + %d heartbeat + "
                     "%d control + %d blocking wait%s",
                     c->max_connections, needed, c->max_concurrent_ops,
                     c->max_concurrent_ops == 1 ? "" : "s", CONF_HEARTBEAT_CONNS,
                     CONF_CONTROL_CONNS, waits, waits == 1 ? "" : "s");
    return load_blame(l, setting_at(offsetof(struct conf, max_connections)), rc, err);
}

/* A certificate and its key, each the setting at its offset. */
static int check_pair(const struct load *l, size_t cert_at, size_t key_at, struct err *err)
{
    const struct setting *cert = setting_at(cert_at), *key = setting_at(key_at);
    bool has_cert = *(char *const *)((const char *)l->conf + cert_at) != NULL;
    bool has_key = *(char *const *)((const char *)l->conf + key_at) != NULL;
    if (has_cert == has_key)
        return 0;
    const struct setting *given = has_cert ? cert : key;
    const struct setting *missing = given == cert ? key : cert;
    int rc = err_set(err, -EINVAL, "%s is given without %s, must be both or neither",
                     given->field.name, missing->field.name);
    return load_blame(l, given, rc, err);
}

/* "host" of "host:port", as is_listen() in value.c has let it pass. */
static bool is_loopback(const char *listen)
{
    struct slice host = {listen, (size_t)(strrchr(listen, ':') - listen)};
    return slice_is(host, "localhost") || slice_is(host, "[::1]") ||
           (host.n > 4 && strncmp(host.p, "127.", 4) == 0 &&
            strspn(host.p, "0123456789.") == host.n);
}

/* Where it is open to other machines, it is not open to everybody. */
static int check_api(const struct load *l, struct err *err)
{
    const struct conf *c = l->conf;
    int needed = c->api_max_concurrent_ops + CONF_SUBSCRIBER_CONNS;
    const struct setting *listen = setting_at(offsetof(struct conf, api_listen));
    if (!c->api_listen)
        return load_blame(l, listen,
                          err_set(err, -EINVAL, "api.listen is \"off\", must be host:port"), err);
    if (!is_loopback(c->api_listen) && !c->api_token && !c->api_read_token)
        return load_blame(l, listen,
                          err_set(err, -EINVAL,
                                  "api.listen is \"%s\", which other machines can reach; it must "
                                  "be a loopback address (127.0.0.1, [::1], localhost), or "
                                  "api.token (SLUICE_API_TOKEN) must be set",
                                  c->api_listen),
                          err);
    if (c->api_max_connections < needed)
        return load_blame(l, setting_at(offsetof(struct conf, api_max_connections)),
                          err_set(err, -EINVAL,
                                  "api.max_connections is %d, but %d are needed: %d permit%s + %d "
                                  "subscriber",
                                  c->api_max_connections, needed, c->api_max_concurrent_ops,
                                  c->api_max_concurrent_ops == 1 ? "" : "s", CONF_SUBSCRIBER_CONNS),
                          err);
    return 0;
}

static bool is_given(const char *flag)
{
    return flag && *flag;
}

int conf_load(enum conf_program program, const struct conf_flags *flags, struct conf **ret,
              struct err *err)
{
    int rc = -ENOMEM;
    struct load l = {.program = program};
    l.conf = calloc(1, sizeof *l.conf);
    if (!l.conf)
        return err_set(err, rc, "settings: no memory");
    if (flags && is_given(flags->config_file)) {
        l.conf->file = strdup(flags->config_file);
        if (!l.conf->file) {
            (void)err_set(err, rc, "settings: no memory"); /* rc stays */
            goto out;
        }
    }

    rc = load_defaults(&l, err);
    if (rc == 0 && l.conf->file)
        rc = load_yaml(&l, err);
    if (rc == 0)
        rc = load_env(&l, err);
    if (rc == 0 && flags)
        rc = load_flags(&l, flags, err);
    if (rc == 0)
        rc = check_pair(&l, offsetof(struct conf, redis_tls_cert),
                        offsetof(struct conf, redis_tls_key), err);
    if (rc == 0)
        rc = check_pair(&l, offsetof(struct conf, api_tls_cert), offsetof(struct conf, api_tls_key),
                        err);
    if (rc == 0 && program == CONF_WORKER)
        rc = check_pool(&l, err);
    if (rc == 0 && program == CONF_API)
        rc = check_api(&l, err);
    if (rc == 0) {
        *ret = l.conf;
        l.conf = NULL;
    }
out:
    conf_unref(l.conf);
    return rc;
}
