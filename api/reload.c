/* Reload: what of new settings can take effect without a restart, and a warning for the rest. */
#include <stddef.h>

#include "api/parts.h"
#include "base/log.h"
#include "conf/table.h"

static bool is_live(const struct setting *s)
{
    static const size_t live[] = {
        offsetof(struct conf, log_level),        offsetof(struct conf, log_format),
        offsetof(struct conf, api_token),        offsetof(struct conf, api_read_token),
        offsetof(struct conf, api_tls_cert),     offsetof(struct conf, api_tls_key),
        offsetof(struct conf, api_stop_timeout), /* main.c has it */
    };
    for (size_t i = 0; i < sizeof live / sizeof *live; i++)
        if (s->field.offset == live[i])
            return true;
    return false;
}

int api_reload(struct api *a, const struct conf *conf, struct err *err)
{
    if (!http_server_is_loopback(a->http) && !conf->api_token && !conf->api_read_token)
        return err_set(err, -EINVAL,
                       "api.token is no longer set, and other machines can reach api.listen");
    /* Whether there is one at all cannot change. */
    int rc = a->conf->api_tls_cert ? api_load_certificate(conf, err) : 0;
    if (rc != 0)
        return rc;
    rc = auth_set(&a->auth, conf->api_token, conf->api_read_token);
    if (rc != 0)
        return err_set(err, rc, "%s", err_phrase(rc));
    log_setup(conf->log_level, conf->log_format);
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        if (s->programs & CONF_API && !is_live(s) && !value_same(&s->field, a->conf, conf))
            log_warn("a changed setting needs a restart; the old value stays",
                     log_str("setting", s->field.name));
    log_info("settings reloaded");
    return 0;
}
