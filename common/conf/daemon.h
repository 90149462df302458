/*
 * The command line of a daemon, sluice-worker or sluice-api.
 *
 * Its options are those settings of the table that have a flag, and what each daemon has: where
 * the settings are, checks, help. So --help, the manual page and what is accepted come from one
 * table. (Rejected: getopt in each main(). The texts then say what the table said once.)
 *
 * Threads: before there are any. Blocking: none.
 */
#ifndef SLUICE_CONF_DAEMON_H
#define SLUICE_CONF_DAEMON_H

#include "conf/conf.h"

struct daemon {
    enum conf_program program;
    const char *name;    /* "sluice-worker" */
    const char *summary; /* "Run jobs from Redis lists" */
    const char *signals; /* paragraphs (base/roff.h) */
};

enum daemon_task {
    DAEMON_RUN,
    DAEMON_CHECK_CONFIG, /* check the settings and print them */
    DAEMON_CHECK_HEALTH, /* ask the one that runs with these settings */
};

/* Returns -1 to go on with what there is to do, else the exit code: --help, --version, --man and
 * errors have been printed. */
int daemon_options(const struct daemon *d, int argc, char **argv, struct conf_flags *ret_flags,
                   enum daemon_task *ret_task) warn_unused_result;

#endif
