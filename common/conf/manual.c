#include "conf/manual.h"

#include "base/roff.h"
#include "conf/table.h"

static void put_setting(const struct setting *s, enum conf_program program, struct buf *out)
{
    struct buf line = {0};
    roff_entry(out, s->field.name);
    roff_line(out, s->doc);
    buf_puts(out, ".br\n");
    buf_printf(&line, "Variable %s", s->env);
    if (s->flag_programs & program)
        buf_printf(&line, ", option %s", s->flag);
    buf_puts(&line, ": ");
    value_put_allowed(&s->field, &line);
    buf_puts(&line, ". ");
    if (!s->preset)
        buf_puts(&line, "Not set unless given.");
    else
        buf_printf(&line, "Default: %s.", *s->preset ? s->preset : "empty");
    roff_line(out, buf_str(&line));
    buf_release(&line);
}

void manual_put_settings(enum conf_program program, struct buf *out)
{
    roff_section(out, "SETTINGS");
    roff_text(out, "A value comes from its option, else from its variable, else from the YAML file "
                   "given by --config, else it is the default. An empty variable counts as not "
                   "set. Unknown keys, wrong types and values out of range are errors.\n");
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        if (s->programs & program)
            put_setting(s, program, out);
}

void manual_put_ends(struct buf *out)
{
    static const struct {
        const char *code, *meaning;
    } codes[] = {
        {"0", "Done."},
        {"1", "Failed."},
        {"2", "Bad usage or configuration; one line says what is allowed."},
        {"69", "Redis cannot be reached (commands only: daemons keep trying)."},
    };
    roff_section(out, "EXIT STATUS");
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        roff_entry(out, codes[i].code);
        roff_line(out, codes[i].meaning);
    }
    roff_section(out, "SEE ALSO");
    buf_puts(out, ".BR sluice (1),\n.BR sluice\\-worker (8),\n.BR sluice\\-api (8)\n");
}
