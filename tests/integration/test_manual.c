/* Manual pages and completions: they tell of everything that there is. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion.h"
#include "conf/table.h"
#include "support/program.h"
#include "support/support.h"

#define BIN TEST_BINARY_DIR "/bin/"

static struct program print(const char *a, const char *b, const char *c, const char *d)
{
    struct program p = {0};
    const char *const argv[] = {a, b, c, d, NULL};
    program_start(&p, argv);
    ck_assert_int_eq(program_wait(&p), 0);
    return p;
}

static void must_hold(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what), "\"%s\" is not in\n%.4000s", what, text);
}

/* As roff writes it. */
static void must_hold_name(const char *text, const char *before, const char *name)
{
    char what[128];
    size_t n = (size_t)snprintf(what, sizeof what, "%s", before);
    for (; *name && n < sizeof what - 3; name++) {
        if (*name == '-')
            what[n++] = '\\';
        what[n++] = *name;
    }
    what[n] = '\0';
    must_hold(text, what);
}

START_TEST(each_command_is_in_the_manual)
{
    struct program p = print(BIN "sluice", "help", "--man", NULL);
    for (size_t i = 0; cli_commands[i]; i++) {
        char heading[64];
        const struct cli_option *options[CLI_OPTIONS_MAX];
        int n = cli_gather(cli_commands[i], options);
        (void)snprintf(heading, sizeof heading, "\n.SS \"%s\"\n", cli_commands[i]->name);
        must_hold(p.out, heading);
        for (int o = 0; o < n; o++)
            must_hold_name(strstr(p.out, heading), "\n\\fB\\-\\-", options[o]->name);
    }
    program_end(&p);
}
END_TEST

static const struct {
    const char *program;
    enum conf_program reads;
} daemons[] = {{BIN "sluice-worker", CONF_WORKER}, {BIN "sluice-api", CONF_API}};

START_TEST(each_setting_is_in_the_manual)
{
    struct program p = print(daemons[_i].program, "--man", NULL, NULL);
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        if (!(s->programs & daemons[_i].reads))
            continue;
        must_hold_name(p.out, "\n\\fB", s->field.name);
        must_hold(p.out, s->env);
        if (s->flag_programs & daemons[_i].reads)
            must_hold_name(p.out, "\n\\fB", s->flag);
    }
    program_end(&p);
}
END_TEST

/* A line of text is never taken for a command of roff, and no byte is lost to an escape. */
START_TEST(pages_are_roff)
{
    static const char *const macros[] = {"TH", "SH", "SS", "TP", "PP", "nf",
                                         "fi", "br", "BR", "nh", "ad"};
    struct program p = print(BIN "sluice", "help", "--man", NULL);
    for (const char *line = p.out; *line; line = strchr(line, '\n') + 1) {
        bool known = line[0] != '.' && line[0] != '\'';
        for (size_t i = 0; !known && i < sizeof macros / sizeof *macros; i++)
            known = strncmp(line + 1, macros[i], 2) == 0;
        ck_assert_msg(known, "%.60s", line);
        ck_assert_ptr_nonnull(strchr(line, '\n'));
    }
    must_hold(p.out, "\"args\":[%d]}\\en'"); /* an example with a backslash */
    program_end(&p);
}
END_TEST

static const char *const shells[] = {"bash", "zsh", "fish"};

START_TEST(each_command_is_completed)
{
    struct program p = print(BIN "sluice", "help", "--completion", shells[_i]);
    for (size_t i = 0; cli_commands[i]; i++) {
        const struct cli_option *options[CLI_OPTIONS_MAX];
        int n = cli_gather(cli_commands[i], options);
        must_hold(p.out, cli_commands[i]->name);
        for (int o = 0; o < n; o++)
            must_hold(p.out, options[o]->name);
    }
    program_end(&p);
}
END_TEST

START_TEST(other_shells_are_refused)
{
    struct program p = {0};
    const char *const argv[] = {BIN "sluice", "help", "--completion", "csh", NULL};
    program_start(&p, argv);
    ck_assert_int_eq(program_wait(&p), 2);
    ck_assert_str_eq(p.err, "sluice help: --completion is \"csh\"; allowed: bash, zsh, fish\n");
    program_end(&p);
}
END_TEST

/* What bash offers for a line, by its own completion. */
START_TEST(bash_completes)
{
    static const struct {
        const char *line, *offers;
    } lines[] = {
        {"sluice enq", "enqueue"},           {"sluice enqueue --cou", "--count"},
        {"sluice help sta", "status stats"}, {"sluice help --completion z", "zsh"},
        {"sluice enqueue --queue ", ""}, /* no Redis, no names, no words */
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char script[512];
        struct program p = {.env = {"REDIS_URL=unix:///nowhere.sock"}};
        (void)snprintf(script, sizeof script,
                       "PATH=" BIN ":$PATH; . <(sluice help --completion bash); COMP_LINE='%s'; "
                       "COMP_POINT=${#COMP_LINE}; _sluice; printf %%s \"${COMPREPLY[*]}\"",
                       lines[i].line);
        const char *const argv[] = {"/bin/bash", "-c", script, NULL};
        program_start(&p, argv);
        ck_assert_int_eq(program_wait(&p), 0);
        ck_assert_str_eq(p.out, lines[i].offers);
        ck_assert_str_eq(p.err, "");
        program_end(&p);
    }
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("manual");
    TCase *tc = tcase_create("pages");
    tcase_add_test(tc, each_command_is_in_the_manual);
    tcase_add_loop_test(tc, each_setting_is_in_the_manual, 0, 2);
    tcase_add_test(tc, pages_are_roff);
    suite_add_tcase(suite, tc);
    tc = tcase_create("completion");
    tcase_add_loop_test(tc, each_command_is_completed, 0, 3);
    tcase_add_test(tc, other_shells_are_refused);
    tcase_add_test(tc, bash_completes);
    suite_add_tcase(suite, tc);
    return suite;
}
