/* sluice retry, sluice schedule, sluice dead */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/sets.h"
#include "cli/time_text.h"

enum { CLASS = CLI_OPTION, ERROR_CLASS, QUEUE, JID, OLDER, NEWER, LIMIT, ALL, YES, LAST };
enum { LIST_DEFAULT = 100, LIMIT_MAX = 1000000000 };

static const struct cli_option options[] = {
    {CLASS, "class", "CLASS", "jobs of this class"},
    {ERROR_CLASS, "error-class", "CLASS", "jobs that failed last with an error of this class"},
    {QUEUE, "queue", "Q", "jobs of this queue"},
    {OLDER, "older", "DURATION", "that came here longer ago: seconds, or 10s, 5m, 2d"},
    {NEWER, "newer", "DURATION", "that came here less long ago"},
    {JID, "jid", "JID", "this job, as when it is given as an argument"},
    {LIMIT, "limit", "N", "so many at most; 0 is all (default: ls 100, else 0)"},
    {ALL, "all", NULL, "requeue or rm all of them, without a filter"},
    {YES, "yes", NULL, "do not ask before rm"},
    {0},
};

struct request {
    struct cli_common common;
    const char *value[LAST - CLI_OPTION]; /* by id; "" for one that takes none */
    const char *action;
    struct sets_request sets;
    char *one; /* the jid of --jid, as a list */
};

static int take_option(void *ctx, int id, const char *value)
{
    struct request *r = ctx;
    r->value[id - CLI_OPTION] = value ? value : "";
    return CLI_GO;
}

static const char *given(const struct request *r, int id)
{
    return r->value[id - CLI_OPTION];
}

static int check_action(const struct cli_command *self, struct request *r, int argc, char **argv)
{
    static const char *const actions[] = {"ls", "requeue", "rm"};
    const char *word = optind < argc ? argv[optind] : "";
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        if (strcmp(word, actions[i]) == 0)
            r->action = actions[i];
    if (!r->action)
        return cli_usage(self,
                         "\"%s\" is not allowed; allowed: ls, requeue, rm; as in: sluice %s ls",
                         word, self->name);
    r->sets.jids = argv + optind + 1;
    r->sets.njids = argc - optind - 1;
    if (given(r, JID) && r->sets.njids > 0)
        return cli_usage(self, "jobs are named by --jid or as arguments, not both");
    if (given(r, JID)) {
        r->one = (char *)given(r, JID);
        r->sets.jids = &r->one;
        r->sets.njids = 1;
    }
    return CLI_GO;
}

/* Which jobs are meant has to be said, of all things that change something. */
static int check_choice(const struct cli_command *self, const struct request *r)
{
    const struct sets_request *s = &r->sets;
    bool filtered = given(r, OLDER) || given(r, NEWER) || !job_filter_is_empty(&s->filter);
    bool lists = strcmp(r->action, "ls") == 0;
    if (lists && s->njids > 0)
        return cli_usage(self, "ls takes no jid; sluice why JID tells of one job");
    if (lists && given(r, ALL))
        return cli_usage(self, "ls takes no --all; --limit 0 shows all");
    if (lists)
        return CLI_GO;
    if ((s->njids > 0) + (filtered ? 1 : 0) + (given(r, ALL) ? 1 : 0) != 1)
        return cli_usage(self,
                         "which jobs? allowed: jids, or filters, or --all; see sluice %s --help",
                         self->name);
    return CLI_GO;
}

static int check(const struct cli_command *self, struct request *r, int argc, char **argv)
{
    struct err err = {""};
    double ignored;
    const char *limit = given(r, LIMIT);
    int rc = check_action(self, r, argc, argv);
    if (rc != CLI_GO)
        return rc;
    for (int id = OLDER; id <= NEWER; id++) {
        if (given(r, id) && duration_parse(given(r, id), &ignored, &err) != 0)
            return cli_usage(self, "--%s: %s", id == OLDER ? "older" : "newer", err.text);
    }
    r->sets.limit = strcmp(r->action, "ls") == 0 ? LIST_DEFAULT : 0;
    if (limit) {
        char *end = NULL;
        r->sets.limit = strtoll(limit, &end, 10);
        if (!*limit || *end || r->sets.limit < 0 || r->sets.limit > LIMIT_MAX)
            return cli_usage(self, "--limit \"%s\" is not allowed; allowed: 0 to %d", limit,
                             LIMIT_MAX);
    }
    r->sets.filter = (struct job_filter){
        .klass = given(r, CLASS), .error_class = given(r, ERROR_CLASS), .queue = given(r, QUEUE)};
    return check_choice(self, r);
}

/* Ages are by Redis' clock, as what they are compared with. */
static int set_ages(struct request *r, struct err *err)
{
    double now = 0, age = 0;
    int rc = given(r, OLDER) || given(r, NEWER) ? store_time(r->sets.session->redis, &now, err) : 0;
    if (rc == 0 && given(r, OLDER)) {
        rc = duration_parse(given(r, OLDER), &age, err);
        r->sets.filter.before = now - age;
    }
    if (rc == 0 && given(r, NEWER)) {
        rc = duration_parse(given(r, NEWER), &age, err);
        r->sets.filter.after = now - age;
    }
    return rc;
}

static int act(struct request *r)
{
    struct err err = {""};
    int rc = set_ages(r, &err);
    if (rc != 0)
        return cli_fail(rc, &err);
    if (strcmp(r->action, "ls") == 0)
        return sets_list(&r->sets);
    enum bulk_action action = strcmp(r->action, "rm") == 0 ? BULK_DELETE : BULK_REQUEUE;
    return r->sets.njids > 0 ? sets_act_on_jids(&r->sets, action)
                             : sets_act_on_many(&r->sets, action);
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct session session = {0};
    struct request r = {.sets = {.self = self,
                                 .session = &session,
                                 .set = self == &cmd_retry      ? JOBS_RETRY
                                        : self == &cmd_schedule ? JOBS_SCHEDULE
                                                                : JOBS_DEAD}};
    int rc = cli_options(self, argc, argv, &r.common, take_option, &r);
    if (rc == CLI_GO)
        rc = check(self, &r, argc, argv);
    if (rc == CLI_GO)
        rc = session_open(&session, &r.common);
    if (rc != CLI_GO)
        return rc;
    r.sets.json = r.common.json;
    r.sets.yes = given(&r, YES) != NULL;
    rc = act(&r);
    session_close(&session);
    return rc;
}

#define HOW                                                                                        \
    "Which jobs: jids as arguments, or filters (all that are given must hold), or --all. Many "    \
    "are\n"                                                                                        \
    "done in small steps, each job in one: what breaks in between loses none and does none "       \
    "twice.\n"                                                                                     \
    "rm of many asks first; where nobody can be asked, --yes has to be given.\n"

const struct cli_command cmd_retry = {
    .name = "retry",
    .summary = "List, run now or delete jobs that wait for another try",
    .usage = "ls|requeue|rm [JID...] [OPTIONS]",
    .details =
        "ls shows the soonest first. requeue takes jobs to their queues now, as they are. The\n"
        "age of a job counts from its last failure.\n\n" HOW,
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};

const struct cli_command cmd_schedule = {
    .name = "schedule",
    .summary = "List, run now or delete jobs that are to run later",
    .usage = "ls|requeue|rm [JID...] [OPTIONS]",
    .details =
        "ls shows the soonest first. requeue takes jobs to their queues now. The age of a job\n"
        "counts from when it was made.\n\n" HOW,
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};

const struct cli_command cmd_dead = {
    .name = "dead",
    .summary = "List, run again or delete jobs that will not run again",
    .usage = "ls|requeue|rm [JID...] [OPTIONS]",
    .details =
        "ls shows those first that died last. requeue begins them anew, with all their retries\n"
        "before them. What is no job cannot be requeued. The age of a job counts from its last\n"
        "failure.\n\n" HOW,
    .options = options,
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
