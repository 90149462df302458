/*
 * `sluice dev`: a private Redis, and a worker and the API on it, in a temporary folder.
 *
 *   <folder>/r.sock       Redis' unix socket: nothing listens on the network
 *   <folder>/redis.log
 *   <folder>/worker.yaml  the settings, unless --config gave others
 *
 * Order. Start: folder, Redis until it answers, worker until it holds its lease, API until
 * it can be reached. Stop: worker (TERM, it drains, which can be watched), API, Redis, folder.
 * Signals are blocked and waited for, together with the ends of the children, in dev_wait() alone;
 * so nothing runs in a signal handler.
 *
 * Threads: one.
 */
#ifndef SLUICE_CLI_DEV_H
#define SLUICE_CLI_DEV_H

#include "cli/process.h"
#include "conf/conf.h"
#include "redis/conn.h"

struct dev {
    char bin[4096]; /* folder of this program */
    char dir[128];  /* "" until made */
    char socket[160];
    char url[192]; /* of the socket */
    char log[160];
    char config[4096]; /* the worker's settings: given or generated */
    bool examples;     /* the generated settings name example handlers */
    char listen[300];  /* the API's address */
    struct conf *conf; /* the worker's */
    struct redis_conn *connection;
    struct process redis, worker, api;
    unsigned interrupts; /* signals that ask to stop, so far */
};

/* dev_setup.c: each 0 or a negative errno with a sentence. */
int dev_find_programs(struct dev *d, struct err *err) warn_unused_result;
int dev_make_folder(struct dev *d, struct err *err) warn_unused_result;
/* given: the path of --config, or NULL to generate one. */
int dev_choose_config(struct dev *d, const char *given, struct err *err) warn_unused_result;
void dev_remove_folder(const struct dev *d);

/* dev_watch.c */
int dev_block_signals(struct err *err) warn_unused_result;

/* Sleeps up to ms (-1: until something happens) and takes in what did: interrupts counts up, ends
 * of children are reaped. */
void dev_wait(struct dev *d, int ms);

/* Starts Redis and waits until it answers. redis_server: the program, NULL = the first installed
 * one. -ECANCELED when interrupted, -ECHILD when it ended instead. */
int dev_start_redis(struct dev *d, const char *redis_server, struct err *err) warn_unused_result;
int dev_start_worker(struct dev *d, struct err *err) warn_unused_result;
int dev_start_api(struct dev *d, struct err *err) warn_unused_result;

/* The first of the three that has ended; NULL while all run. */
const struct process *dev_ended(const struct dev *d);

/* Ends what runs, in order. A further interrupt meanwhile makes the worker stop at once. */
void dev_stop(struct dev *d);

#endif
