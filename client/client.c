#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"

const char *sluice_client_version(void)
{
    return SLUICE_VERSION;
}

int client_fail(struct sluice_client_error *error, int code, const struct err *err)
{
    if (error) {
        *error = (struct sluice_client_error){.code = code};
        const char *text = code == 0 ? "" : err->text[0] ? err->text : err_phrase(code);
        (void)snprintf(error->text, sizeof error->text, "%s", text); /* fits */
    }
    return code;
}

int sluice_client_new(const struct sluice_client_options *options, struct sluice_client **ret,
                      struct sluice_client_error *error)
{
    struct err err = {""};
    struct sluice_client *c = calloc(1, sizeof *c);
    if (!c)
        return client_fail(error, -ENOMEM, &err);
    int rc = settings_read(options, &c->settings, &err);
    if (rc == 0)
        rc = store_new(c->settings.conf.key_prefix, NULL, &c->store);
    if (rc != 0) {
        settings_release(&c->settings);
        free(c);
        return client_fail(error, rc, &err);
    }
    permit_init(&c->turn, 1);
    *ret = c;
    return client_fail(error, 0, &err);
}

void sluice_client_free(struct sluice_client *client)
{
    struct sigpipe sigpipe;
    if (!client)
        return;
    sigpipe_block(&sigpipe);
    redis_conn_free(client->conn);
    sigpipe_restore(&sigpipe);
    permit_release_all(&client->turn);
    store_free(client->store);
    settings_release(&client->settings);
    free(client);
}

/* A parent's connection is the parent's: two that read from it would get each other's answers. */
static bool usable(const struct sluice_client *c)
{
    return c->conn && c->owner == getpid() && !redis_conn_stale(c->conn);
}

int client_dial(void *client, int64_t deadline_ns, struct redis_conn **ret, struct err *err)
{
    const struct sluice_client *c = client;
    struct redis_options o = c->settings.redis;
    int left_ms = deadline_ns == CLOCK_NEVER ? o.connect_timeout_ms : clock_poll_ms(deadline_ns);
    if (left_ms < o.connect_timeout_ms)
        o.connect_timeout_ms = left_ms > 0 ? left_ms : 1;
    return redis_conn_open(&o, ret, err);
}

static void hang_up(struct sluice_client *c)
{
    redis_conn_free(c->conn);
    c->conn = NULL;
    c->clock = (struct store_clock){0}; /* the next server may have another time */
}

int client_begin(struct client_call *call, struct sluice_client *client, int64_t deadline_ns)
{
    *call = (struct client_call){.client = client};
    int rc = permit_acquire(&client->turn, deadline_ns);
    if (rc != 0)
        return err_set(&call->err, rc, "other threads had the client for all of %d ms",
                       client->settings.timeout_ms);
    sigpipe_block(&call->sigpipe);
    if (!usable(client)) {
        hang_up(client);
        rc = client_dial(client, deadline_ns, &client->conn, &call->err);
        client->owner = getpid();
    }
    if (rc == 0) {
        redis_conn_set_deadline(client->conn, deadline_ns);
        call->conn = client->conn;
        return 0;
    }
    sigpipe_restore(&call->sigpipe);
    permit_give(&client->turn);
    return rc;
}

int client_end(struct client_call *call, int rc)
{
    struct sluice_client *c = call->client;
    bool lost = rc != 0 && redis_conn_broken(c->conn) && !redis_conn_demoted(c->conn);
    if (lost && call->ordered)
        rc = err_prefix(&call->err, -ECONNABORTED,
                        "Redis was lost before it answered, so this may have happened or not");
    if (redis_conn_broken(c->conn))
        hang_up(c);
    sigpipe_restore(&call->sigpipe);
    permit_give(&c->turn);
    return rc;
}

bool client_knows_time(struct sluice_client *client, int64_t deadline_ns, double *ret)
{
    if (permit_acquire(&client->turn, deadline_ns) != 0)
        return false;
    bool known = store_clock_read(&client->clock, ret);
    permit_give(&client->turn);
    return known;
}

int client_ask_time(struct sluice_client *client, int64_t deadline_ns, double *ret, struct err *err)
{
    struct client_call call;
    int rc = client_begin(&call, client, deadline_ns);
    if (rc == 0) {
        struct store_clock clock;
        rc = store_clock_ask(&clock, call.conn, &call.err);
        if (rc == 0) {
            client->clock = clock;
            *ret = clock.redis_s;
        }
        rc = client_end(&call, rc);
    }
    if (rc != 0)
        *err = call.err;
    return rc;
}

int sluice_client_ping(struct sluice_client *client, struct sluice_client_error *error)
{
    struct client_call call;
    int rc = client_begin(&call, client, clock_deadline_ms(client->settings.timeout_ms));
    if (rc == 0)
        rc = client_end(&call, redis_callf(call.conn, NULL, &call.err, "PING"));
    return client_fail(error, rc, &call.err);
}
