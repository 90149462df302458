#include "conf/daemon.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/roff.h"
#include "conf/manual.h"
#include "conf/table.h"

enum { EXIT_USAGE = 2, OPTIONS_MAX = SETTINGS + 8 };
enum {
    OPTION_CONFIG = SETTINGS,
    OPTION_CHECK,
    OPTION_HEALTH,
    OPTION_MAN,
    OPTION_VERSION,
    OPTION_HELP
};

struct option_row {
    int id; /* the index of a setting, or one of OPTION_… */
    const char *name, *arg, *doc;
};

static const struct option_row config = {OPTION_CONFIG, "config", "FILE",
                                         "Settings as YAML; --man has all of them."};
static const struct option_row others[] = {
    {OPTION_CHECK, "check-config", NULL, "Check the settings, print them, and exit."},
    {OPTION_HEALTH, "check-health", NULL,
     "Ask the one that runs whether it is ready; exit with 0 if so."},
    {OPTION_MAN, "man", NULL, "Print the manual page."},
    {OPTION_VERSION, "version", NULL, "Print the version."},
    {OPTION_HELP, "help", NULL, "Print this text."},
};
enum { OTHERS = sizeof others / sizeof *others };

static const char *arg_of(const struct setting *s)
{
    switch (s->field.type) {
    case VALUE_LISTEN:
        return "HOST:PORT";
    case VALUE_QUEUES:
        return "A,B";
    default:
        return "N";
    }
}

static int gather(const struct daemon *d, struct option_row ret[OPTIONS_MAX])
{
    int n = 0;
    ret[n++] = config;
    for (int i = 0; i < SETTINGS; i++)
        if (settings[i].flag_programs & d->program)
            ret[n++] =
                (struct option_row){i, settings[i].flag + 2, arg_of(&settings[i]), settings[i].doc};
    for (int i = 0; i < OTHERS; i++)
        ret[n++] = others[i];
    return n;
}

/* "--config FILE" */
static const char *left_of(const struct option_row *o, char *text, size_t size)
{
    (void)snprintf(text, size, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    return text;
}

static void put_help(const struct daemon *d, const struct option_row *options, int n,
                     struct buf *out)
{
    char left[40];
    buf_printf(out, "Usage: %s [OPTION]…\n%s.\n\n", d->name, d->summary);
    for (int i = 0; i < n; i++)
        buf_printf(out, "  %-18s  %s\n", left_of(&options[i], left, sizeof left), options[i].doc);
    buf_printf(out,
               "\nSettings also come from the environment (REDIS_URL, SLUICE_LOG_LEVEL, …).\n"
               "\nSignals:\n%s",
               d->signals);
}

static void put_man(const struct daemon *d, const struct option_row *options, int n,
                    struct buf *out)
{
    char left[40];
    roff_title(out, d->name, 8, "System Administration", d->summary);
    roff_section(out, "SYNOPSIS");
    roff_entry(out, d->name);
    roff_line(out, "[OPTION]…");
    roff_section(out, "OPTIONS");
    for (int i = 0; i < n; i++) {
        roff_entry(out, left_of(&options[i], left, sizeof left));
        roff_line(out, options[i].doc);
    }
    roff_section(out, "SIGNALS");
    roff_text(out, d->signals);
    manual_put_settings(d->program, out);
    manual_put_ends(out);
}

int daemon_options(const struct daemon *d, int argc, char **argv, struct conf_flags *ret_flags,
                   enum daemon_task *ret_task)
{
    struct option_row options[OPTIONS_MAX];
    struct option table[OPTIONS_MAX + 1] = {0};
    struct buf text = {0};
    int n = gather(d, options), id;
    for (int i = 0; i < n; i++)
        table[i] = (struct option){
            options[i].name, options[i].arg ? required_argument : no_argument, NULL, options[i].id};
    while ((id = getopt_long(argc, argv, "", table, NULL)) != -1) {
        switch (id) {
        case OPTION_CONFIG:
            ret_flags->config_file = optarg;
            continue;
        case OPTION_CHECK:
            *ret_task = DAEMON_CHECK_CONFIG;
            continue;
        case OPTION_HEALTH:
            *ret_task = DAEMON_CHECK_HEALTH;
            continue;
        case OPTION_MAN:
            put_man(d, options, n, &text);
            break;
        case OPTION_VERSION:
            buf_printf(&text, "%s " SLUICE_VERSION "\n", d->name);
            break;
        case OPTION_HELP:
            put_help(d, options, n, &text);
            break;
        case '?':
            (void)fprintf(stderr, "try: %s --help\n", d->name);
            return EXIT_USAGE;
        default:
            *(const char **)(void *)((char *)ret_flags + settings[id].flag_at) = optarg;
            continue;
        }
        (void)fputs(buf_str(&text), stdout);
        buf_release(&text);
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (optind < argc) {
        (void)fprintf(stderr, "%s: unexpected argument \"%s\"; options only\n", d->name,
                      argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}
