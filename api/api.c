#include <stdlib.h>
#include <sys/resource.h>

#include "api/call.h"
#include "api/judge.h"
#include "api/parts.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/certificate.h"
#include "store/connect.h"

enum {
    SPARE_THREADS = 12, /* of the crew, beyond the permits */
    SERVER_THREADS = 2,
    HEAD_BYTES = 16384,
    BODIES = 16, /* of the largest, that are held at once */
    SPARE_FILES = 64,
    LAST_WORDS_MS = 1000,
};

static int new_pool(struct api *a, struct err *err)
{
    struct redis_pool_options o = {
        .permits = a->conf->api_max_concurrent_ops,
        .max_connections = a->conf->api_max_connections,
        .reserved = CONF_SUBSCRIBER_CONNS,
        .idle_timeout_ms = (int64_t)(a->conf->redis_idle_timeout * 1000),
    };
    char *storage = NULL;
    int rc = store_redis_options(a->conf, "sluice-api", &o.redis, &storage, err);
    o.redis.master = true;
    if (rc == 0)
        rc = redis_pool_new(&o, &a->pool, err);
    free(storage);
    if (rc == 0)
        redis_pool_set_bulk_max(a->pool, store_bulk_max(a->conf));
    return rc;
}

int api_load_certificate(const struct conf *conf, struct err *err)
{
    if (!conf->api_tls_cert)
        return 0;
    int rc = http_certificate_load(conf->api_tls_cert, conf->api_tls_key, err);
    return rc == 0 ? 0 : err_prefix(err, rc, "api.tls_cert, api.tls_key");
}

int api_new(struct conf *conf, struct api **ret, struct err *err)
{
    struct api *a = calloc(1, sizeof *a);
    if (!a)
        return err_set(err, -ENOMEM, "no memory");
    a->conf = conf_ref(conf);
    redis_clock_init(&a->clock);
    snapshots_init(&a->snapshots);
    sampler_init(&a->sampler, a);
    a->born_at = (double)clock_wall_us() / 1e6;
    auth_init(&a->auth);
    int rc = auth_set(&a->auth, conf->api_token, conf->api_read_token);
    if (rc == 0)
        rc = store_new(conf->key_prefix, NULL, &a->store);
    if (rc != 0)
        rc = err_set(err, rc, "%s", err_phrase(rc));
    else
        rc = new_pool(a, err);
    if (rc == 0)
        rc = api_load_certificate(conf, err);
    if (rc != 0)
        api_free(a);
    else
        *ret = a;
    return rc;
}

static int open_spool(struct api *a, struct err *err)
{
    struct spool_options o = {.path = a->conf->api_spool,
                              .max_bytes = a->conf->api_spool_max,
                              .store = a->store,
                              .pool = a->pool};
    if (!*o.path)
        return 0;
    int rc = spool_open(&o, &a->spool, err);
    if (rc == 0 && (rc = spool_start(a->spool)) != 0)
        rc = err_set(err, rc, "cannot start threads: %s", err_phrase(rc));
    return rc;
}

/* A descriptor for every client. */
static void raise_files(const struct conf *conf)
{
    struct rlimit limit;
    rlim_t wanted = (rlim_t)conf->api_max_clients + (rlim_t)conf->api_max_connections + SPARE_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return;
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        log_warn("fewer files may be open than api.max_clients needs: raise the limit (nofile)",
                 log_int("limit", (int64_t)limit.rlim_cur), log_int("wanted", (int64_t)wanted));
}

static int check_reach(struct api *a, struct err *err)
{
    if (http_server_is_loopback(a->http) || auth_required(&a->auth))
        return 0;
    return err_set(err, -EINVAL,
                   "api.listen is \"%s\", which turns out to be an address that other machines can "
                   "reach; api.token (SLUICE_API_TOKEN) must be set",
                   a->conf->api_listen);
}

int api_start(struct api *a, struct err *err)
{
    const struct conf *conf = a->conf;
    struct http_server_options o = {
        .listen = conf->api_listen,
        .ctx = a,
        .begin = judge_begin,
        .handle = judge_handle,
        .ended = access_log_ended,
        .tls = conf->api_tls_cert != NULL,
        .threads = SERVER_THREADS,
        .max_connections = (unsigned)conf->api_max_clients,
        .timeout_s = (unsigned)conf->api_idle_timeout,
        .max_head = HEAD_BYTES,
        .max_body = conf->api_max_body,
        .max_bodies = BODIES * conf->api_max_body,
    };
    if (o.max_connections < SERVER_THREADS)
        o.threads = 1; /* each serves its share of them */
    raise_files(conf);
    int rc = open_spool(a, err);
    if (rc != 0)
        return rc;
    struct crew_work work = {.run = call_run, .joins = call_joins, .ctx = a};
    rc = crew_start(&a->crew, conf->api_max_concurrent_ops + SPARE_THREADS, &work);
    if (rc != 0)
        return err_set(err, rc, "cannot start threads: %s", err_phrase(rc));
    rc = hub_start(a->store, a->pool, &a->hub);
    if (rc != 0)
        return err_set(err, rc, "cannot start threads: %s", err_phrase(rc));
    rc = sampler_start(&a->sampler);
    if (rc != 0)
        return err_set(err, rc, "cannot start threads: %s", err_phrase(rc));
    rc = http_server_start(&o, &a->http, err);
    if (rc != 0)
        return err_prefix(err, rc, "api.listen");
    rc = check_reach(a, err);
    if (rc == 0)
        log_info("serving the API", log_str("listen", conf->api_listen),
                 log_str("tls", o.tls ? "yes" : "no"),
                 log_str("token", auth_required(&a->auth) ? "required" : "none"));
    return rc;
}

void api_tend(struct api *a)
{
    redis_pool_tend(a->pool);
}

void api_begin_stop(struct api *a)
{
    atomic_store(&a->stopping, true);
    http_server_quiesce(a->http);
    hub_end_viewers(a->hub);
}

bool api_wait_idle(struct api *a, int64_t deadline_ns)
{
    return http_server_wait_idle(a->http, deadline_ns);
}

void api_free(struct api *a)
{
    if (!a)
        return;
    if (a->http)
        api_begin_stop(a);
    if (a->pool)
        redis_pool_stop(a->pool);
    snapshots_interrupt(&a->snapshots);
    sampler_stop(&a->sampler);
    crew_stop(&a->crew); /* every exchange is answered now */
    spool_free(a->spool);
    if (a->http && !http_server_wait_idle(a->http, clock_deadline_ms(LAST_WORDS_MS)))
        log_warn("clients had not read their answers at the end",
                 log_int("requests", http_server_exchanges(a->http)));
    hub_stop(a->hub); /* nobody wakes a connection any more */
    http_server_stop(a->http);
    crew_release(&a->crew);
    hub_free(a->hub);
    redis_pool_free(a->pool);
    sampler_release(&a->sampler);
    snapshots_release(&a->snapshots);
    redis_clock_release(&a->clock);
    auth_release(&a->auth);
    store_free(a->store);
    http_certificate_unload();
    conf_unref(a->conf);
    free(a);
}
