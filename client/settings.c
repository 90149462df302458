#include "client/settings.h"

#include <limits.h>
#include <stdlib.h>

#include "conf/table.h"
#include "store/connect.h"

/* What a client goes by, of all that there is. */
static const size_t rows[] = {
    offsetof(struct conf, redis_url),
    offsetof(struct conf, redis_host),
    offsetof(struct conf, redis_port),
    offsetof(struct conf, redis_username),
    offsetof(struct conf, redis_password),
    offsetof(struct conf, redis_db),
    offsetof(struct conf, redis_ssl),
    offsetof(struct conf, redis_tls_ca),
    offsetof(struct conf, redis_tls_cert),
    offsetof(struct conf, redis_tls_key),
    offsetof(struct conf, redis_sentinel_username),
    offsetof(struct conf, redis_sentinel_password),
    offsetof(struct conf, redis_connect_timeout),
    offsetof(struct conf, redis_socket_timeout),
    offsetof(struct conf, key_prefix),
    offsetof(struct conf, max_payload),
    offsetof(struct conf, stream_ttl),
};
enum { ROWS = sizeof rows / sizeof *rows };

bool settings_size_ok(const void *given, size_t size, size_t first, size_t ours)
{
    const unsigned char *byte = given;
    if (size < first)
        return false;
    for (size_t i = ours; i < size; i++)
        if (byte[i])
            return false;
    return true;
}

/* What an option says instead of the environment; NULL: nothing. */
static const char *option_for(const struct sluice_client_options *o, size_t field)
{
    return field == offsetof(struct conf, redis_url)                 ? o->url
           : field == offsetof(struct conf, key_prefix)              ? o->key_prefix
           : field == offsetof(struct conf, redis_tls_ca)            ? o->tls_ca
           : field == offsetof(struct conf, redis_tls_cert)          ? o->tls_cert
           : field == offsetof(struct conf, redis_tls_key)           ? o->tls_key
           : field == offsetof(struct conf, redis_sentinel_username) ? o->sentinel_username
           : field == offsetof(struct conf, redis_sentinel_password) ? o->sentinel_password
                                                                     : NULL;
}

/* An empty variable counts as not set, as everywhere. */
static int read_row(const struct setting *row, const char *option, struct conf *conf,
                    struct err *err)
{
    const char *variable = getenv(row->env);
    if (option)
        return value_parse(&row->field, conf, option, err);
    if (variable && *variable) {
        int rc = value_parse(&row->field, conf, variable, err);
        return rc == 0 ? 0 : err_prefix(err, rc, "%s", row->env);
    }
    return row->preset ? value_parse(&row->field, conf, row->preset, err) : 0;
}

int settings_read(const struct sluice_client_options *options, struct settings *ret,
                  struct err *err)
{
    const struct sluice_client_options none = {.size = sizeof none};
    const struct sluice_client_options *o = options ? options : &none;
    struct settings s = {.timeout_ms = o->timeout_ms};
    int rc = 0;
    if (!settings_size_ok(o, o->size, sizeof *o, sizeof *o))
        return err_set(err, -EINVAL,
                       "the options' size is %zu; %zu, that of the struct, is required, as "
                       "sluice_client_options_init() sets it",
                       o->size, sizeof *o);
    if (o->timeout_ms < 0)
        return err_set(err, -EINVAL, "timeout_ms is %d; 0 or more is required", o->timeout_ms);
    if (o->name && (!*o->name || strpbrk(o->name, " \n")))
        return err_set(err, -EINVAL, "the name is \"%s\"; one without spaces is required", o->name);
    for (int i = 0; rc == 0 && i < ROWS; i++)
        rc = read_row(setting_at(rows[i]), option_for(o, rows[i]), &s.conf, err);
    if (rc == 0)
        rc = store_redis_options(&s.conf, o->name ? o->name : "sluice-client", &s.redis, &s.storage,
                                 err);
    if (rc == 0) {
        struct redis_options copy;
        char *storage = NULL;
        rc = redis_options_copy(&s.redis, &copy, &storage); /* the name is only borrowed */
        free(s.storage);
        s.storage = storage;
        s.redis = copy;
        if (rc != 0)
            rc = err_set(err, rc, "%s", err_phrase(rc));
    }
    if (rc != 0) {
        settings_release(&s);
        return rc;
    }
    if (s.timeout_ms == 0)
        s.timeout_ms = (int)(s.conf.redis_socket_timeout * 1000);
    s.redis.connect_timeout_ms = s.redis.socket_timeout_ms = s.timeout_ms;
    s.redis.master = true; /* a replica could only refuse */
    *ret = s;
    return 0;
}

void settings_release(struct settings *s)
{
    for (int i = 0; i < ROWS; i++)
        value_free(&setting_at(rows[i])->field, &s->conf);
    free(s->storage);
    *s = (struct settings){.storage = NULL};
}
