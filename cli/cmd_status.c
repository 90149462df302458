/* sluice status */
#include <getopt.h>

#include "cli/job_record.h"
#include "store/inspect_json.h"

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct session session = {0};
    int rc = cli_options(self, argc, argv, &common, NULL, NULL);
    if (rc != CLI_GO)
        return rc;
    if (argc - optind != 1)
        return cli_wants_jid(self);
    const char *jid = argv[optind];
    rc = session_open(&session, &common);
    if (rc != CLI_GO)
        return rc;
    struct err err = {""};
    struct reply *record = NULL;
    int code = store_job_read(session.store, session.redis, jid, &record, &err);
    if (code == 0 && reply_count(record) == 0)
        code = err_set(&err, -ENOENT,
                       "nothing is recorded of job %s: it is not tracked, has not started, or "
                       "ended too long ago",
                       jid);
    if (code != 0)
        rc = cli_fail(code, &err);
    else {
        double now = 0;
        struct buf out = {0};
        if (common.json) {
            inspect_put_job(&out, jid, record);
            cli_print(&out);
        } else {
            (void)!store_time(session.redis, &now, NULL); /* without it times are as recorded */
            job_record_print(record, now);
        }
        buf_release(&out);
        rc = CLI_DONE;
    }
    reply_free(record);
    session_close(&session);
    return rc;
}

const struct cli_command cmd_status = {
    .name = "status",
    .summary = "Show what is recorded of a tracked job",
    .usage = "JID [OPTIONS]",
    .details = "A job is tracked when it or its handler says track: true. Its record is kept for\n"
               "worker.stream_ttl (24 h) after it was written last.\n",
    .takes_arguments = true,
    .reads_redis = true,
    .prints_data = true,
    .run = run,
};
