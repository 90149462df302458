#include "cli/completion.h"

#include <ctype.h>

#include "cli/cli.h"

/* ---- what a word is ---- */

/* What the glue of a shell can complete, by the names that the scripts have for it. */
static const char no_kind[] = "none";
static const struct {
    const char *word, *kind;
} kinds[] = {
    {"COMMAND", "command"}, {"QUEUE", "queue"}, {"Q", "queue"},     {"WORKER", "worker"},
    {"FILE", "file"},       {"PATH", "file"},   {"SHELL", "shell"}, {"ARG", "file"},
};

/* By the first word in capitals that says it, up to the end of the line. */
static const char *kind_of(const char *text)
{
    for (const char *p = text; *p && *p != '\n'; p++) {
        if (!isupper((unsigned char)*p))
            continue;
        struct slice word = {p, 0};
        while (isupper((unsigned char)p[word.n]))
            word.n++;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (slice_is(word, kinds[i].word))
                return kinds[i].kind;
        p += word.n - 1;
    }
    return no_kind;
}

static void put_names(struct buf *out)
{
    for (size_t i = 0; cli_commands[i]; i++)
        buf_printf(out, "%s%s", i > 0 ? " " : "", cli_commands[i]->name);
}

/* In single quotes, as every shell here has them; `quote` is how it writes one. */
static void put_quoted(struct buf *out, const char *text, const char *quote)
{
    buf_putc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_puts(out, quote);
        else
            buf_putc(out, *text);
    }
    buf_putc(out, '\'');
}

/* The rest of each script: cli/completion/. */
extern const char completion_bash[], completion_zsh[], completion_fish[];

/* ---- bash and zsh: one table ---- */

static void put_row(const struct cli_command *cmd, struct buf *out)
{
    const struct cli_option *options[CLI_OPTIONS_MAX];
    int n = cli_gather(cmd, options);
    buf_printf(out, "    %s)\n        options='", cmd->name);
    for (int i = 0; i < n; i++)
        buf_printf(out, "%s--%s", i > 0 ? " " : "", options[i]->name);
    buf_puts(out, "'\n        case $2 in\n");
    for (int i = 0; i < n; i++)
        if (options[i]->arg)
            buf_printf(out, "        --%s) kind='%s' ;;\n", options[i]->name,
                       kind_of(options[i]->arg));
    buf_printf(out, "        *) kind='%s' ;;\n        esac\n        ;;\n",
               cmd->takes_arguments ? kind_of(cmd->usage) : no_kind);
}

static void put_table(struct buf *out)
{
    buf_puts(out, "# The options of command $1, and what is wanted behind the word $2.\n"
                  "_sluice_table() {\n    options='' kind=none\n    case $1 in\n");
    for (size_t i = 0; cli_commands[i]; i++)
        put_row(cli_commands[i], out);
    buf_puts(out, "    esac\n}\n\n"
                  "_sluice_names() { # queues name, workers identity\n"
                  "    timeout 1 sluice \"$1\" --json 2>/dev/null |\n"
                  "        grep -oE \"\\{\\\"$2\\\":\\\"[A-Za-z0-9_.:-]+\\\"\" | cut -d '\"' -f 4\n"
                  "}\n\n"
                  "_sluice_words() { # of a kind\n    case $1 in\n    command) echo '");
    put_names(out);
    buf_puts(out, "' ;;\n"
                  "    queue) _sluice_names queues name ;;\n"
                  "    worker) _sluice_names workers identity ;;\n"
                  "    shell) echo 'bash zsh fish' ;;\n"
                  "    esac\n}\n\n");
}

static void put_bash(struct buf *out)
{
    put_table(out);
    buf_puts(out, completion_bash);
}

static void put_zsh(struct buf *out)
{
    buf_puts(out, "#compdef sluice\n\n");
    put_table(out);
    buf_puts(out, "_sluice_commands() {\n    names=(\n");
    for (size_t i = 0; cli_commands[i]; i++) {
        struct buf line = {0};
        buf_printf(&line, "%s:%s", cli_commands[i]->name, cli_commands[i]->summary);
        buf_puts(out, "        ");
        put_quoted(out, buf_str(&line), "'\\''");
        buf_putc(out, '\n');
        buf_release(&line);
    }
    buf_puts(out, "    )\n}\n\n");
    buf_puts(out, completion_zsh);
}

/* ---- fish ---- */

static void put_fish_kind(const char *kind, struct buf *out)
{
    if (strcmp(kind, "file") == 0)
        buf_puts(out, " -F");
    else if (strcmp(kind, no_kind) != 0)
        buf_printf(out, " -a '(__sluice_words %s)'", kind);
}

static void put_fish_command(const struct cli_command *cmd, struct buf *out)
{
    const struct cli_option *options[CLI_OPTIONS_MAX];
    int n = cli_gather(cmd, options);
    buf_printf(out, "complete -c sluice -n __fish_use_subcommand -a %s -d ", cmd->name);
    put_quoted(out, cmd->summary, "\\'");
    buf_putc(out, '\n');
    if (cmd->takes_arguments && strcmp(kind_of(cmd->usage), no_kind) != 0) {
        buf_printf(out, "complete -c sluice -n '__fish_seen_subcommand_from %s'", cmd->name);
        put_fish_kind(kind_of(cmd->usage), out);
        buf_putc(out, '\n');
    }
    for (int i = 0; i < n; i++) {
        buf_printf(out, "complete -c sluice -n '__fish_seen_subcommand_from %s' -l %s", cmd->name,
                   options[i]->name);
        if (options[i]->arg) {
            buf_puts(out, strcmp(kind_of(options[i]->arg), "file") == 0 ? " -r" : " -x");
            put_fish_kind(kind_of(options[i]->arg), out);
        }
        buf_puts(out, " -d ");
        put_quoted(out, options[i]->help, "\\'");
        buf_putc(out, '\n');
    }
}

static void put_fish(struct buf *out)
{
    buf_puts(out, completion_fish);
    buf_puts(out, "\nfunction __sluice_commands\n    string split ' ' '");
    put_names(out);
    buf_puts(out, "'\nend\n\n");
    for (size_t i = 0; cli_commands[i]; i++)
        put_fish_command(cli_commands[i], out);
}

int completion_put(const char *shell, struct buf *out)
{
    static const struct {
        const char *name;
        void (*put)(struct buf *out);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shell, shells[i].name) == 0) {
            shells[i].put(out);
            return 0;
        }
    return -EINVAL;
}
