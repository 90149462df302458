/*
 * What `sluice retry`, `schedule` and `dead` do, once it is known what is asked for.
 *
 * Threads: one. They print, and return the exit code.
 */
#ifndef SLUICE_CLI_SETS_H
#define SLUICE_CLI_SETS_H

#include "cli/session.h"
#include "store/job_filter.h"
#include "store/sets_bulk.h"

struct sets_request {
    const struct cli_command *self;
    struct session *session;
    enum job_set set;
    struct job_filter filter;
    char **jids; /* these jobs, and no filter */
    int njids;
    int64_t limit; /* 0: all */
    bool yes, json;
};

/* Those that meet the filter, as a table or as one JSON object. */
int sets_list(const struct sets_request *r);

int sets_act_on_jids(const struct sets_request *r, enum bulk_action action);
/* Asks before it deletes. */
int sets_act_on_many(const struct sets_request *r, enum bulk_action action);

#endif
