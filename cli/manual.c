#include "cli/manual.h"

#include <stdio.h>

#include "base/roff.h"
#include "cli/cli.h"
#include "conf/manual.h"

static void put_usage(const struct cli_command *cmd, struct buf *out)
{
    struct buf text = {0};
    buf_printf(&text, "sluice %s ", cmd->name);
    for (const char *p = cmd->usage; *p; p++) {
        buf_putc(&text, *p);
        if (*p == '\n') /* further lines are indented for --help */
            p += strspn(p + 1, " ");
    }
    roff_literal(out, buf_str(&text));
    buf_release(&text);
}

static void put_command(const struct cli_command *cmd, struct buf *out)
{
    const struct cli_option *options[CLI_OPTIONS_MAX];
    char tag[40];
    int n = cli_gather(cmd, options);
    roff_subsection(out, cmd->name);
    put_usage(cmd, out);
    buf_puts(out, ".PP\n");
    roff_text(out, cmd->summary);
    for (int i = 0; i < n; i++) {
        (void)snprintf(tag, sizeof tag, "--%s%s%s", options[i]->name, options[i]->arg ? " " : "",
                       options[i]->arg ? options[i]->arg : "");
        roff_entry(out, tag);
        roff_line(out, options[i]->help);
    }
    if (cmd->details) {
        buf_puts(out, ".PP\n");
        roff_text(out, cmd->details);
    }
}

void manual_put(const char *summary, const char *notes, struct buf *out)
{
    roff_title(out, "sluice", 1, "User Commands", summary);
    roff_section(out, "SYNOPSIS");
    roff_literal(out, "sluice COMMAND [OPTIONS]\nsluice help [COMMAND]\nsluice --version");
    roff_section(out, "DESCRIPTION");
    roff_text(out, notes);
    roff_section(out, "COMMANDS");
    for (size_t i = 0; cli_commands[i]; i++)
        put_command(cli_commands[i], out);
    manual_put_settings(CONF_COMMAND, out);
    manual_put_ends(out);
}
