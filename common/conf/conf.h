/*
 * Settings: one struct, filled from one descriptor table.
 *
 * Each scalar setting is one row of the table in table.c: YAML path, environment variable, flag,
 * type, range, default and one line of documentation. Everything else is derived from it: the
 * YAML reader, the environment, the flags, the errors, the dump, and config/worker.yaml, which a
 * test compares with the table. So a setting that exists is documented, and the reverse. (Rejected:
 * a reader per key. The five places that know a key then drift apart.)
 *
 * Precedence: built-in default < YAML file < environment < flag. An empty environment variable
 * counts as not set. Each error is one line, "FILE:LINE: what is wrong, what is allowed" (or
 * "NAME: …" for a variable, "--flag: …" for a flag), and the first one ends the load: nothing
 * is half applied. Secrets never appear in an error or in conf_dump(). A file holds one YAML
 * document of at most 1 MiB, without anchors, aliases and tags. It is checked whole, also the keys
 * that the program does not read, so that one file can serve all programs.
 *
 * Threads: immutable once loaded, so it is read without a lock; a reload makes a new one.
 * Ownership: reference counted; all strings belong to the conf. Blocking: conf_load() reads a file.
 */
#ifndef SLUICE_CONF_CONF_H
#define SLUICE_CONF_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

enum conf_program {
    CONF_WORKER = 1,
    CONF_COMMAND = 2,
    CONF_API = 4
}; /* bits: who reads a setting */

/* Connections beside the permits. Each worker holds one for its heartbeat and one for control
 * messages, and one blocking wait per queue up to CONF_BLOCKING_MAX (further queues share a
 * poll). The 20 of "permits + 20" hold these 18 and two to spare. */
enum { CONF_HEARTBEAT_CONNS = 1, CONF_CONTROL_CONNS = 1, CONF_BLOCKING_MAX = 16 };
enum { CONF_POOL_OVERHEAD = 20 };
/* The API process keeps one for what its viewers follow. */
enum { CONF_SUBSCRIBER_CONNS = 1 };
enum { CONF_QUEUES_MAX = 256, CONF_QUEUE_NAME_MAX = 256, CONF_QUEUE_WEIGHT_MAX = 1000 };

struct conf_queue {
    char *name;
    int weight; /* 0 in a strict list; 1..1000 when any queue of the list has a weight */
};

struct conf_env {
    char *name;
    char *value;
};

enum conf_handler_kind { CONF_PLUGIN, CONF_EXEC, CONF_PROCESS, CONF_HTTP };

struct conf_handler {
    const char *file; /* where it was written, for errors; the conf's */
    int line;
    char *klass; /* exact or glob */
    enum conf_handler_kind kind;
    char *plugin;             /* CONF_PLUGIN: path of the shared object */
    char *url;                /* CONF_HTTP: where jobs are posted */
    char **argv;              /* the others: NULL-terminated, argv[0] the program */
    double timeout_s;         /* 0 = none */
    double silence_timeout_s; /* 0 = none */
    int64_t retry;            /* -1 = not set; true is 25, false 0 */
    bool track;
    bool stream;          /* default true */
    int max_concurrency;  /* runs at once in this worker; 0 = no limit */
    char *workdir;        /* of programs: NULL = the worker's */
    struct conf_env *env; /* of programs: added to the child's environment */
    int nenv;
    int max_cpu_s;     /* CONF_EXEC, per job; 0 = no limit, as in the rest */
    int max_memory_mb; /* CONF_EXEC, per job */
    int processes;     /* CONF_PROCESS: 0 = one per processor */
    int max_jobs;      /* CONF_PROCESS: then a process is replaced */
    int max_rss_mb;    /* CONF_PROCESS: likewise */
    char *secret_file; /* CONF_HTTP: path of what requests are signed with, or NULL */
    char *tls_ca;      /* CONF_HTTP: trusted certificates, NULL = the system's */
};

struct conf {
    /* redis: */
    char *redis_url; /* as given, or NULL; secret; parsed by redis/conn.h; wins over the parts */
    char *redis_host;
    int redis_port;
    char *redis_username; /* NULL = none */
    char *redis_password; /* NULL = none; secret */
    int redis_db;
    bool redis_ssl;
    char *redis_tls_ca; /* NULL = the system's */
    char *redis_tls_cert;
    char *redis_tls_key;
    char *redis_sentinel_username; /* NULL = none */
    char *redis_sentinel_password; /* NULL = none; secret */
    double redis_connect_timeout;  /* seconds */
    double redis_socket_timeout;
    double redis_idle_timeout; /* 0 = never */
    int max_concurrent_ops;
    int max_connections; /* given as 0: permits + CONF_POOL_OVERHEAD; here never 0 */
    char *key_prefix;    /* "" = none */

    /* worker: */
    int threads;
    struct conf_queue *queues;
    int nqueues; /* >= 1 */
    bool weighted;
    double shutdown_timeout; /* seconds */
    double lease;
    int64_t max_payload;       /* bytes; larger jobs go to dead */
    int64_t stream_max_events; /* per job */
    double stream_ttl;         /* seconds */

    /* log:, metrics: */
    enum log_level log_level;
    enum log_format log_format;
    char *metrics_listen; /* "host:port", or NULL = off */

    /* api: */
    char *api_listen;     /* "host:port" */
    char *api_token;      /* may do everything; NULL = none; secret */
    char *api_read_token; /* may read; NULL = none; secret */
    char *api_tls_cert;   /* file; NULL = plain HTTP */
    char *api_tls_key;    /* file; set with it */
    int api_max_concurrent_ops;
    int api_max_connections;
    double api_max_wait;     /* seconds; longest wait for a turn at Redis */
    double api_idle_timeout; /* seconds */
    double api_stop_timeout; /* seconds */
    int64_t api_max_body;    /* bytes of one request */
    int api_max_clients;     /* connections at once */
    char *api_spool;         /* folder; "" = none */
    int64_t api_spool_max;   /* bytes */

    struct conf_handler *handlers; /* in the order of the file: the first match wins */
    int nhandlers;

    char *file;      /* that it was read from, or NULL */
    atomic_int refs; /* references beyond the first */
};

/* What main() read from the command line: NULL or "" where a flag was not given. */
struct conf_flags {
    const char *config_file; /* --config */
    const char *queues;      /* --queues */
    const char *threads;     /* --threads */
    const char *url;         /* --redis (commands) */
    const char *listen;      /* --listen (sluice-api) */
};

/* Loads the settings a program reads. Without a file: defaults, environment, flags.
 * -EINVAL (bad content) or -ENOENT and other errno (file), with err as described above. */
int conf_load(enum conf_program program, const struct conf_flags *flags, struct conf **ret,
              struct err *err) warn_unused_result;

struct conf *conf_ref(struct conf *c);
void conf_unref(struct conf *c); /* accepts NULL */

/* Private connections this worker will hold: heartbeat + control + blocking waits. */
int conf_reserved_connections(const struct conf *c);

/* The effective settings as YAML, secrets as "********": for --check-config and USR1. */
void conf_dump(const struct conf *c, enum conf_program program, struct buf *out);

/* The commented default file of a program, straight from the table (config/worker.yaml is this
 * text plus its example handlers; a test compares them). */
void conf_print_defaults(enum conf_program program, struct buf *out);

#endif
