#include "base/roff.h"

/* Text as roff prints it: a minus stays one, and neither a backslash nor the first byte of a line
 * is a command. */
static void put(struct buf *out, struct slice text)
{
    static const char ellipsis[] = "…"; /* the only character of help texts beyond ASCII */
    if (text.n > 0 && (text.p[0] == '.' || text.p[0] == '\''))
        buf_puts(out, "\\&");
    for (size_t i = 0; i < text.n; i++) {
        if (text.n - i >= sizeof ellipsis - 1 &&
            memcmp(text.p + i, ellipsis, sizeof ellipsis - 1) == 0) {
            buf_puts(out, "...");
            i += sizeof ellipsis - 2;
        } else if (text.p[i] == '\\') {
            buf_puts(out, "\\e");
        } else if (text.p[i] == '-') {
            buf_puts(out, "\\-");
        } else {
            buf_putc(out, text.p[i]);
        }
    }
}

static void put_upper(struct buf *out, const char *text)
{
    for (; *text; text++)
        buf_putc(out, *text >= 'a' && *text <= 'z' ? (char)(*text - 'a' + 'A') : *text);
}

void roff_title(struct buf *out, const char *name, int section, const char *manual,
                const char *summary)
{
    buf_puts(out, ".TH \"");
    put_upper(out, name);
    buf_printf(out, "\" %d \"\" \"Sluice " SLUICE_VERSION "\" \"%s\"\n.SH NAME\n", section, manual);
    put(out, slice_of(name));
    buf_puts(out, " \\- ");
    roff_line(out, summary);
    buf_puts(out, ".nh\n.ad l\n"); /* names of settings are searched for: never broken */
}

static void put_heading(struct buf *out, const char *macro, const char *title)
{
    buf_printf(out, "%s \"", macro);
    put(out, slice_of(title));
    buf_puts(out, "\"\n");
}

void roff_section(struct buf *out, const char *title)
{
    put_heading(out, ".SH", title);
}

void roff_subsection(struct buf *out, const char *title)
{
    put_heading(out, ".SS", title);
}

void roff_entry(struct buf *out, const char *tag)
{
    buf_puts(out, ".TP\n\\fB");
    put(out, slice_of(tag));
    buf_puts(out, "\\fR\n");
}

void roff_line(struct buf *out, const char *text)
{
    put(out, slice_of(text));
    buf_putc(out, '\n');
}

/* The next line without its end; *text moves behind it. */
static struct slice next_line(const char **text)
{
    struct slice line = {*text, strcspn(*text, "\n")};
    *text += line.n + ((*text)[line.n] == '\n');
    return line;
}

void roff_literal(struct buf *out, const char *lines)
{
    buf_puts(out, ".nf\n");
    while (*lines) {
        put(out, next_line(&lines));
        buf_putc(out, '\n');
    }
    buf_puts(out, ".fi\n");
}

void roff_text(struct buf *out, const char *text)
{
    bool literal = *text == ' ', apart = false; /* apart: an empty line, and nothing after it */
    if (literal)
        buf_puts(out, ".nf\n");
    while (*text) {
        struct slice line = next_line(&text);
        if (line.n == 0) {
            apart = true;
            continue;
        }
        if ((line.p[0] == ' ') != literal) {
            literal = !literal;
            buf_puts(out, literal ? ".PP\n.nf\n" : ".fi\n.PP\n");
        } else if (apart) {
            buf_puts(out, literal ? "\n" : ".PP\n");
        }
        apart = false;
        put(out, line);
        buf_putc(out, '\n');
    }
    if (literal)
        buf_puts(out, ".fi\n");
}
