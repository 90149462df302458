#include "store/connect.h"

#include <stdlib.h>

int store_redis_options(const struct conf *conf, const char *name, struct redis_options *ret,
                        char **ret_storage, struct err *err)
{
    struct redis_options o = {
        .host = conf->redis_host,
        .port = conf->redis_port,
        .username = conf->redis_username,
        .password = conf->redis_password,
        .db = conf->redis_db,
        .tls = conf->redis_ssl,
    };
    char *storage = NULL;
    if (conf->redis_url) {
        o = (struct redis_options){0};
        int rc = redis_url_parse(conf->redis_url, &o, &storage, err);
        if (rc != 0)
            return rc;
    }
    o.tls_ca = conf->redis_tls_ca;
    o.tls_cert = conf->redis_tls_cert;
    o.tls_key = conf->redis_tls_key;
    o.sentinel_username = conf->redis_sentinel_username;
    o.sentinel_password = conf->redis_sentinel_password;
    o.connect_timeout_ms = (int)(conf->redis_connect_timeout * 1000);
    o.socket_timeout_ms = (int)(conf->redis_socket_timeout * 1000);
    o.name = name;
    if (o.tls && !redis_tls_supported()) {
        free(storage);
        return err_set(err, -EINVAL,
                       "TLS to Redis (rediss:// or redis.ssl) needs a build with hiredis_ssl "
                       "(hiredis 1.0 or later); this build has none");
    }
    *ret = o;
    *ret_storage = storage;
    return 0;
}

size_t store_bulk_max(const struct conf *conf)
{
    size_t job = (size_t)conf->max_payload;
    return job > BULK_MAX_LEAST ? job : BULK_MAX_LEAST;
}
