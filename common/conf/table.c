#include "conf/table.h"

#include <assert.h>
#include <stddef.h>

static const char *const log_levels[] = {"debug", "info", "warn", "error", NULL};
static const char *const log_formats[] = {"logfmt", "json", NULL};

static_assert(sizeof(enum log_level) == sizeof(int) && LOG_ERROR == 3, "log_levels[]");
static_assert(sizeof(enum log_format) == sizeof(int) && LOG_JSON == 1, "log_formats[]");

#define PATH(section_, key_) .section = section_, .key = key_, .field.name = section_ "." key_
#define FLAG(name, member, program)                                                                \
    .flag = name, .flag_at = offsetof(struct conf_flags, member), .flag_programs = program
#define FIELD(type_, member) .field.type = type_, .field.offset = offsetof(struct conf, member)
#define RANGE(lo, hi)        .field.min = lo, .field.max = hi

#define TEXT(member, lo, hi)    FIELD(VALUE_TEXT, member), RANGE(lo, hi)
#define SECRET(member, lo, hi)  FIELD(VALUE_SECRET, member), RANGE(lo, hi)
#define INT(member, lo, hi)     FIELD(VALUE_INT, member), RANGE(lo, hi)
#define LONG(member, lo, hi)    FIELD(VALUE_LONG, member), RANGE(lo, hi)
#define SECONDS(member, lo, hi) FIELD(VALUE_SECONDS, member), RANGE(lo, hi)
#define CHOICE(member, words)   FIELD(VALUE_CHOICE, member), .field.choices = words

#define WORKER .programs = CONF_WORKER
#define API    .programs = CONF_API
#define ALL    .programs = CONF_WORKER | CONF_COMMAND | CONF_API

enum { MINUTE = 60, HOUR = 60 * MINUTE, DAY = 24 * HOUR, MIB = 1 << 20 };

/* clang-format off: a row reads as a record */
const struct setting settings[SETTINGS] = {
    {PATH("redis", "url"), .env = "REDIS_URL", FLAG("--redis", url, CONF_COMMAND), ALL,
     FIELD(VALUE_URL, redis_url), .example = "redis://127.0.0.1:6379/0",
     .doc = "Address of Redis, or of the sentinels that know it. Wins over host to ssl below."},
    {PATH("redis", "host"), .env = "REDIS_HOST", ALL, TEXT(redis_host, 1, 255),
     .preset = "127.0.0.1", .doc = "Host name or address of Redis."},
    {PATH("redis", "port"), .env = "REDIS_PORT", ALL, INT(redis_port, 1, 65535), .preset = "6379",
     .doc = "Port of Redis."},
    {PATH("redis", "username"), .env = "REDIS_USERNAME", ALL, TEXT(redis_username, 1, 1024),
     .example = "sluice", .doc = "ACL user to log in as; without it, the default user."},
    {PATH("redis", "password"), .env = "REDIS_PASSWORD", ALL, SECRET(redis_password, 1, 1024),
     .example = "secret", .doc = "Password of that user. Never printed."},
    {PATH("redis", "db"), .env = "REDIS_DB", ALL, INT(redis_db, 0, 65535), .preset = "0",
     .doc = "Number of the database."},
    {PATH("redis", "ssl"), .env = "REDIS_SSL", ALL, FIELD(VALUE_BOOL, redis_ssl), .preset = "false",
     .doc = "Connect with TLS and verify the server's name."},
    {PATH("redis", "tls_ca"), .env = "REDIS_TLS_CA", ALL, TEXT(redis_tls_ca, 1, 4096),
     .example = "/etc/ssl/certs/redis-ca.pem",
     .doc = "File of certificates to trust; without it, the system's."},
    {PATH("redis", "tls_cert"), .env = "REDIS_TLS_CERT", ALL, TEXT(redis_tls_cert, 1, 4096),
     .example = "/etc/sluice/client.pem", .doc = "Client certificate; needs tls_key."},
    {PATH("redis", "tls_key"), .env = "REDIS_TLS_KEY", ALL, TEXT(redis_tls_key, 1, 4096),
     .example = "/etc/sluice/client.key", .doc = "Key of the client certificate; needs tls_cert."},
    {PATH("redis", "sentinel_username"), .env = "REDIS_SENTINEL_USERNAME", ALL,
     TEXT(redis_sentinel_username, 1, 1024), .example = "sluice",
     .doc = "ACL user to log in as at the sentinels of a redis+sentinel:// address."},
    {PATH("redis", "sentinel_password"), .env = "REDIS_SENTINEL_PASSWORD", ALL,
     SECRET(redis_sentinel_password, 1, 1024), .example = "secret",
     .doc = "Password at the sentinels; that of Redis itself is part of the address."},
    {PATH("redis", "connect_timeout"), .env = "REDIS_CONNECT_TIMEOUT", ALL,
     SECONDS(redis_connect_timeout, 0.1, 5 * MINUTE), .preset = "5",
     .doc = "Longest wait for a new connection."},
    {PATH("redis", "socket_timeout"), .env = "REDIS_SOCKET_TIMEOUT", ALL,
     SECONDS(redis_socket_timeout, 0.1, 5 * MINUTE), .preset = "5",
     .doc = "Longest wait for a reply; the connection is closed after it."},
    {PATH("redis", "idle_timeout"), .env = "REDIS_IDLE_TIMEOUT", ALL,
     SECONDS(redis_idle_timeout, 0, DAY), .preset = "60",
     .doc = "Close connections that were unused for this long; 0 is never."},
    {PATH("redis", "max_concurrent_ops"), .env = "REDIS_WORKER_MAX_CONCURRENT_OPS", WORKER,
     INT(max_concurrent_ops, 1, 10000), .preset = "100",
     .doc = "Permits: operations on Redis at once. Whoever comes on top waits for a turn."},
    {PATH("redis", "max_connections"), .env = "REDIS_WORKER_MAX_CONNECTIONS", WORKER,
     INT(max_connections, 0, 20000), .preset = "0",
     .doc =
         "Connections in all, at least permits + 2 + one per queue up to 16; 0 is permits + 20."},
    {PATH("redis", "key_prefix"), .env = "SLUICE_KEY_PREFIX", ALL, TEXT(key_prefix, 0, 128),
     .preset = "", .doc = "Put before the name of every key and channel."},

    {PATH("worker", "threads"), .env = "SLUICE_THREADS", FLAG("--threads", threads, CONF_WORKER),
     WORKER, INT(threads, 1, 10000), .preset = "100",
     .doc = "Jobs that run at once in one worker."},
    {PATH("worker", "queues"), .env = "SLUICE_QUEUES", FLAG("--queues", queues, CONF_WORKER),
     WORKER, FIELD(VALUE_QUEUES, queues), .preset = "default",
     .doc =
         "Queues to serve, in strict order; a name:weight anywhere makes it a choice by weight."},
    {PATH("worker", "shutdown_timeout"), .env = "SLUICE_SHUTDOWN_TIMEOUT", WORKER,
     SECONDS(shutdown_timeout, 0, DAY), .preset = "25",
     .doc = "From SIGTERM until jobs that still run go back to their queue."},
    {PATH("worker", "lease"), .env = "SLUICE_LEASE", ALL, SECONDS(lease, 1, HOUR), .preset = "15",
     .doc = "Without a heartbeat for this long, a worker is presumed dead."},
    {PATH("worker", "max_payload"), .env = "SLUICE_MAX_PAYLOAD", ALL,
     LONG(max_payload, 1024, 512 * MIB), .preset = "67108864",
     .doc = "Bytes of one job; a larger one goes to the dead set."},
    {PATH("worker", "stream_max_events"), .env = "SLUICE_STREAM_MAX_EVENTS", WORKER,
     LONG(stream_max_events, 1, 100000000), .preset = "100000",
     .doc = "Events kept of one job's output."},
    {PATH("worker", "stream_ttl"), .env = "SLUICE_STREAM_TTL", ALL,
     SECONDS(stream_ttl, 1, 365 * DAY), .preset = "86400",
     .doc = "How long a job's output and state are kept."},

    {PATH("log", "level"), .env = "SLUICE_LOG_LEVEL", ALL, CHOICE(log_level, log_levels),
     .preset = "info", .doc = "Least level that is logged."},
    {PATH("log", "format"), .env = "SLUICE_LOG_FORMAT", ALL, CHOICE(log_format, log_formats),
     .preset = "logfmt", .doc = "Format of log lines."},

    {PATH("metrics", "listen"), .env = "SLUICE_METRICS_LISTEN", WORKER,
     FIELD(VALUE_LISTEN, metrics_listen), .preset = "127.0.0.1:9394",
     .doc =
         "Where the worker serves /metrics, /livez and /readyz, to whoever reaches it; off: not."},

    {PATH("api", "listen"), .env = "SLUICE_API_LISTEN", FLAG("--listen", listen, CONF_API), API,
     FIELD(VALUE_LISTEN, api_listen), .preset = "127.0.0.1:8394",
     .doc = "Where the API is served; an address that other machines reach needs a token."},
    {PATH("api", "token"), .env = "SLUICE_API_TOKEN", API, SECRET(api_token, 1, 1024),
     .example = "secret", .doc = "Bearer token of who may do everything. Never printed."},
    {PATH("api", "read_token"), .env = "SLUICE_API_READ_TOKEN", API,
     SECRET(api_read_token, 1, 1024), .example = "secret",
     .doc = "Bearer token of who may read and change nothing. Never printed."},
    {PATH("api", "tls_cert"), .env = "SLUICE_API_TLS_CERT", API, TEXT(api_tls_cert, 1, 4096),
     .example = "/etc/sluice/api.pem",
     .doc = "Certificate (PEM with its chain) to serve HTTPS; needs tls_key. HUP reads it again."},
    {PATH("api", "tls_key"), .env = "SLUICE_API_TLS_KEY", API, TEXT(api_tls_key, 1, 4096),
     .example = "/etc/sluice/api.key", .doc = "Key of that certificate; needs tls_cert."},
    {PATH("api", "max_concurrent_ops"), .env = "REDIS_MAX_CONCURRENT_OPS", API,
     INT(api_max_concurrent_ops, 1, 1000), .preset = "20",
     .doc = "Permits: operations of the API on Redis at once."},
    {PATH("api", "max_connections"), .env = "REDIS_MAX_CONNECTIONS", API,
     INT(api_max_connections, 2, 20000), .preset = "50",
     .doc = "Connections of the API to Redis in all, at least permits + 1."},
    {PATH("api", "max_wait"), .env = "SLUICE_API_MAX_WAIT", API, SECONDS(api_max_wait, 0.1, 60),
     .preset = "2", .doc = "Longest wait of a request for a turn at Redis; then it is told 503."},
    {PATH("api", "idle_timeout"), .env = "SLUICE_API_IDLE_TIMEOUT", API,
     SECONDS(api_idle_timeout, 1, HOUR), .preset = "30",
     .doc = "Close connections of clients that were silent for this long."},
    {PATH("api", "stop_timeout"), .env = "SLUICE_API_STOP_TIMEOUT", API,
     SECONDS(api_stop_timeout, 0, HOUR), .preset = "10",
     .doc = "From SIGTERM until requests that are still under way are given up."},
    {PATH("api", "max_body"), .env = "SLUICE_API_MAX_BODY", API,
     LONG(api_max_body, 1024, 512 * MIB), .preset = "16777216",
     .doc = "Bytes of one request's body."},
    {PATH("api", "max_clients"), .env = "SLUICE_API_MAX_CLIENTS", API,
     INT(api_max_clients, 1, 1000000), .preset = "10000",
     .doc = "Connections of clients at once; more wait in the kernel."},
    {PATH("api", "spool"), .env = "SLUICE_API_SPOOL", API, TEXT(api_spool, 0, 4000), .preset = "",
     .doc =
         "Folder for jobs that come while Redis is away, of one process; empty: they are refused."},
    {PATH("api", "spool_max"), .env = "SLUICE_API_SPOOL_MAX", API,
     LONG(api_spool_max, MIB, 1024.0 * 1024 * MIB), .preset = "1073741824",
     .doc = "Bytes of that folder; then jobs are refused."},
};
/* clang-format on */

const struct setting *setting_find(const char *section, const char *key)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        if (strcmp(s->section, section) == 0 && strcmp(s->key, key) == 0)
            return s;
    return NULL;
}

const struct setting *setting_at(size_t offset)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        if (s->field.offset == offset)
            return s;
    assert(!"every scalar of struct conf has a row");
    return settings;
}

int setting_section(const char *section)
{
    for (int i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].section, section) == 0)
            return i;
    return -1;
}

bool setting_opens_section(const struct setting *s)
{
    return s == settings || strcmp(s[-1].section, s->section) != 0;
}
