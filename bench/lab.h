/*
 * The laboratory of the benches: a private redis-server, a real worker, a backlog, a clock.
 *
 * Each bench prints its figure beside a floor (the same store calls by a client that does nothing
 * with the jobs) measured in the same run, because an absolute figure moves with the machine.
 * Every failure ends the program with one line: a bench has nobody to report to.
 */
#ifndef SLUICE_BENCH_LAB_H
#define SLUICE_BENCH_LAB_H

#include <stdint.h>
#include <sys/types.h>

#include "redis/conn.h"
#include "store/store.h"
#include "support/redis_server.h"

struct lab {
    struct redis_server server;
    struct redis_conn *conn; /* for the bench itself */
    struct store *store;     /* without an identity */
    char settings[160];      /* path of the worker's settings file */
};

void lab_open(struct lab *lab, const char *const *redis_args); /* NULL: nothing extra */
void lab_close(struct lab *lab);
struct redis_conn *lab_connect(struct lab *lab);

void lab_flush(struct lab *lab);
/* Pushes n no-op jobs of about 200 bytes to queue:default. */
void lab_fill(struct lab *lab, int n);
void lab_fill_class(struct lab *lab, int n, const char *klass);
int64_t lab_int(struct lab *lab, const char *fmt, ...) printf_like(2, 3);

/* A worker of this build; yaml is appended to settings that open the noop example. Returns its pid
 * when it holds a lease. */
pid_t lab_worker(struct lab *lab, const char *yaml);
void lab_worker_stop(pid_t pid);

/* How a worker does with a backlog that lies there when it begins. Fails when a job is not done. */
struct lab_drain {
    double per_s;
    double cpu_us;   /* of the worker's processor time, per job */
    double redis_us; /* of the server's */
    int64_t rss_kb;
};
struct lab_drain lab_drain(struct lab *lab, const char *yaml, int jobs, const char *klass);

/* CPU time of a process so far in seconds, and its resident memory in KiB. */
double lab_cpu_s(pid_t pid);
int64_t lab_rss_kb(pid_t pid);

double lab_now_s(void);
double lab_median(double *values, int n); /* sorts */
_Noreturn void lab_fail(const char *fmt, ...) printf_like(1, 2);

#endif
