#include "conf/cursor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int cursor_init(struct cursor *c, const char *file, struct slice text, struct err *err)
{
    *c = (struct cursor){.file = file, .text = text};
    if (!yaml_parser_initialize(&c->parser))
        return err_set(err, -ENOMEM, "%s: no memory", file);
    yaml_parser_set_encoding(&c->parser, YAML_UTF8_ENCODING);
    const char *input = text.n ? text.p : ""; /* libyaml aborts on NULL */
    yaml_parser_set_input_string(&c->parser, (const unsigned char *)input, text.n);
    int rc = cursor_next(c, err); /* the start of the stream */
    if (rc < 0)
        cursor_release(c);
    return rc;
}

void cursor_release(struct cursor *c)
{
    yaml_event_delete(&c->event);
    yaml_parser_delete(&c->parser);
}

int cursor_fail(const struct cursor *c, int line, struct err *err, const char *fmt, ...)
{
    struct err what;
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(what.text, sizeof what.text, fmt, ap); /* cut: still a clear line */
    va_end(ap);
    return err_set(err, -EINVAL, "%s:%d: %s", c->file, line, what.text);
}

/* A bad byte is reported by its offset, all other problems by a mark. */
static int problem_line(const struct cursor *c)
{
    if (c->parser.error != YAML_READER_ERROR)
        return (int)c->parser.problem_mark.line + 1;
    int line = 1;
    for (size_t i = 0; i < c->parser.problem_offset && i < c->text.n; i++)
        if (c->text.p[i] == '\n')
            line++;
    return line;
}

static bool has_anchor_or_tag(const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return e->data.scalar.anchor || e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor || e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor || e->data.mapping_start.tag;
    default:
        return e->type == YAML_ALIAS_EVENT;
    }
}

int cursor_next(struct cursor *c, struct err *err)
{
    yaml_event_delete(&c->event);
    if (!yaml_parser_parse(&c->parser, &c->event)) {
        if (c->parser.error == YAML_MEMORY_ERROR)
            return err_set(err, -ENOMEM, "%s: no memory", c->file);
        return cursor_fail(c, problem_line(c), err, "not valid YAML: %s",
                           c->parser.problem ? c->parser.problem : "unknown problem");
    }
    if (has_anchor_or_tag(&c->event))
        return cursor_fail(
            c, cursor_line(c), err,
            "anchors, aliases and tags are not allowed, text with & * ! in front must be "
            "in quotes");
    return 0;
}

int cursor_next_key(struct cursor *c, struct key *ret, struct err *err)
{
    int rc = cursor_next(c, err);
    if (rc < 0 || cursor_is(c, YAML_MAPPING_END_EVENT))
        return rc;
    const char *text;
    rc = cursor_text(c, "a key", &text, err);
    if (rc < 0)
        return rc;
    if (strlen(text) >= sizeof ret->text)
        return cursor_fail(c, cursor_line(c), err, "a key of %zu bytes, must be %zu at most",
                           strlen(text), sizeof ret->text - 1);
    (void)snprintf(ret->text, sizeof ret->text, "%s", text); /* fits */
    ret->line = cursor_line(c);
    rc = cursor_next(c, err);
    return rc < 0 ? rc : 1;
}

bool cursor_is(const struct cursor *c, yaml_event_type_t type)
{
    return c->event.type == type;
}

static bool is_plain(const struct cursor *c)
{
    return c->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

bool cursor_is_null(const struct cursor *c)
{
    if (!cursor_is(c, YAML_SCALAR_EVENT) || !is_plain(c))
        return false;
    const char *text = (const char *)c->event.data.scalar.value;
    return !*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

int cursor_line(const struct cursor *c)
{
    return (int)c->event.start_mark.line + 1;
}

const char *cursor_what(const struct cursor *c)
{
    switch (c->event.type) {
    case YAML_SEQUENCE_START_EVENT:
        return "a list";
    case YAML_MAPPING_START_EVENT:
        return "a mapping";
    default:
        return cursor_is_null(c) ? "without a value" : is_plain(c) ? "a word" : "text in quotes";
    }
}

int cursor_text(const struct cursor *c, const char *name, const char **ret, struct err *err)
{
    if (!cursor_is(c, YAML_SCALAR_EVENT) || cursor_is_null(c))
        return cursor_fail(c, cursor_line(c), err, "%s is %s, must be text", name, cursor_what(c));
    const char *text = (const char *)c->event.data.scalar.value;
    if (strlen(text) != c->event.data.scalar.length)
        return cursor_fail(c, cursor_line(c), err, "%s holds a NUL byte, must be text", name);
    *ret = text;
    return 0;
}

int cursor_read(const struct cursor *c, const struct field *f, void *base, struct err *err)
{
    int rc;
    const char *text;
    bool scalar = cursor_is(c, YAML_SCALAR_EVENT) && !cursor_is_null(c);
    if (!scalar || (!is_plain(c) && !value_is_textual(f))) {
        rc = value_refuse(f, cursor_what(c), err);
    } else {
        rc = cursor_text(c, f->name, &text, err);
        if (rc < 0)
            return rc;
        rc = value_parse(f, base, text, err);
    }
    return rc < 0 ? err_prefix(err, rc, "%s:%d", c->file, cursor_line(c)) : 0;
}
