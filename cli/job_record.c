#include "cli/job_record.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/session.h"
#include "cli/table.h"
#include "cli/time_text.h"
#include "store/inspect_json.h"

enum tone job_end_tone(enum job_end end)
{
    switch (end) {
    case JOB_COMPLETED:
        return TONE_GOOD;
    case JOB_FAILED:
    case JOB_DEAD:
        return TONE_BAD;
    case JOB_STOPPED:
        return TONE_WARN;
    case JOB_GOES_ON:
        break;
    }
    return TONE_PLAIN;
}

void job_record_print(const struct reply *record, double now)
{
    static const struct table_column columns[] = {{.title = ""}, {.title = ""}};
    struct terminal terminal = terminal_of(STDOUT_FILENO);
    struct table t = {.column = columns, .columns = 2};
    char text[DURATION_TEXT];
    for (size_t i = 0; i < JOB_FIELDS; i++) {
        const struct reply *value = reply_field(record, job_fields[i].name);
        struct slice s = reply_str(value);
        if (!value)
            continue;
        table_cell(&t, TONE_DIM, "%s", job_fields[i].name);
        if (job_fields[i].kind == JOB_TIME && now > 0)
            table_cell(&t, TONE_PLAIN, "%s ago", duration_text(now - reply_real(value), text));
        else if (job_fields[i].kind == JOB_SECONDS)
            table_cell(&t, TONE_PLAIN, "%s", duration_text(reply_real(value), text));
        else
            table_cell(&t, i == 0 ? job_end_tone(job_end_of_state(s)) : TONE_PLAIN, "%.*s",
                       (int)s.n, s.p);
    }
    table_print(&t, &terminal);
    table_release(&t);
}

int job_wait(const struct session *session, const char *jid, bool json)
{
    struct follow f = {.jid = jid};
    struct err err = {""};
    struct redis_conn *conn = NULL;
    struct reply *record = NULL;
    enum job_end end = JOB_GOES_ON;
    int rc = session_follow(session, &f, &end, &err);
    if (rc == 0)
        rc = session_dial(session, &conn, &err); /* the session's own may be long dead */
    if (rc == 0)
        rc = store_job_read(session->store, conn, jid, &record, &err);
    if (rc == 0) {
        struct buf out = {0};
        struct slice error = reply_str(reply_field(record, "error"));
        if (json)
            inspect_put_job(&out, jid, record);
        else if (end == JOB_COMPLETED)
            buf_put(&out, reply_str(reply_field(record, "result")));
        else
            fprintf(stderr, "job %s: %s: %.*s\n", jid, job_end_name(end), (int)error.n, error.p);
        if (out.n > 0)
            cli_print(&out);
        buf_release(&out);
    }
    reply_free(record);
    redis_conn_free(conn);
    if (rc != 0)
        return cli_fail(rc, &err);
    return end == JOB_COMPLETED ? CLI_DONE : CLI_FAILED;
}
