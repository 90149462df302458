/* The table of commands, in the order in which the overview shows them. */
#include <string.h>

#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
    &cmd_dev,   &cmd_enqueue, &cmd_status, &cmd_why,     &cmd_follow, &cmd_tail,  &cmd_cancel,
    &cmd_stats, &cmd_queues,  &cmd_pause,  &cmd_unpause, &cmd_clear,  &cmd_retry, &cmd_schedule,
    &cmd_dead,  &cmd_workers, &cmd_ping,   &cmd_quiet,   &cmd_resume, &cmd_stop,  &cmd_set,
    &cmd_top,   &cmd_doctor,  &cmd_fsck,   &cmd_help,    NULL,
};

const struct cli_command *cli_find(const char *name)
{
    for (size_t i = 0; cli_commands[i]; i++)
        if (strcmp(cli_commands[i]->name, name) == 0)
            return cli_commands[i];
    return NULL;
}

void cli_put_names(struct buf *out)
{
    for (size_t i = 0; cli_commands[i]; i++)
        buf_printf(out, "%s%s", i > 0 ? ", " : "", cli_commands[i]->name);
}
