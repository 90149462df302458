/* Settings as text: the effective ones, and the defaults file. */
#include "conf/handlers.h"
#include "conf/table.h"

static bool opens_section(const struct setting *s, enum conf_program program)
{
    for (const struct setting *t = s; !setting_opens_section(t);)
        if ((--t)->programs & program)
            return false;
    return true;
}

void conf_dump(const struct conf *c, enum conf_program program, struct buf *out)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        if (!(s->programs & program))
            continue;
        if (opens_section(s, program))
            buf_printf(out, "%s:\n", s->section);
        struct buf value = {0};
        if (value_put(&s->field, c, &value))
            buf_printf(out, "  %s: %s\n", s->key, buf_str(&value));
        else
            buf_printf(out, "  # %s: not set\n", s->key);
        buf_release(&value);
    }
    if (program == CONF_WORKER)
        handlers_put(c, out);
}

static void put_doc(const struct setting *s, enum conf_program program, struct buf *out)
{
    buf_printf(out, "  # %s\n  # %s", s->doc, s->env);
    if (s->flag_programs & program)
        buf_printf(out, ", %s", s->flag);
    buf_puts(out, ": ");
    value_put_allowed(&s->field, out);
    buf_puts(out, ".\n");
}

void conf_print_defaults(enum conf_program program, struct buf *out)
{
    buf_printf(out,
               "# Settings of %s: every key, with its default.\n"
               "#\n"
               "# A key here is overruled by its environment variable, and that by its flag; an\n"
               "# empty variable counts as not set. Unknown keys, wrong types and values out of\n"
               "# range are errors.\n",
               program == CONF_WORKER ? "sluice-worker"
               : program == CONF_API  ? "sluice-api"
                                      : "the sluice command");
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        if (!(s->programs & program))
            continue;
        buf_putc(out, '\n');
        if (opens_section(s, program))
            buf_printf(out, "%s:\n", s->section);
        put_doc(s, program, out);
        if (s->preset)
            buf_printf(out, "  %s: %s\n", s->key, *s->preset ? s->preset : "\"\"");
        else
            buf_printf(out, "  # %s: %s\n", s->key, s->example);
    }
}
