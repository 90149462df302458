/* The YAML file: one document, a mapping of sections, each a mapping of settings by the table. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf/cursor.h"
#include "conf/handlers.h"
#include "conf/load.h"
#include "conf/queues.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static int read_file(const char *path, struct buf *out, struct err *err)
{
    char chunk[8192];
    ssize_t n = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd >= 0) {
        while ((n = read(fd, chunk, sizeof chunk)) != 0 && out->n <= FILE_BYTES_MAX) {
            if (n > 0)
                buf_append(out, chunk, (size_t)n);
            else if (errno != EINTR)
                break;
        }
    }
    int rc = n < 0 ? err_set(err, -errno, "%s: cannot be read: %s", path, strerror(errno)) : 0;
    if (fd >= 0)
        (void)close(fd); /* it was only read */
    if (rc == 0 && out->n > FILE_BYTES_MAX)
        rc = err_set(err, -EINVAL, "%s: larger than 1 MiB, the most that is allowed", path);
    if (rc == 0 && buf_error(out) < 0)
        rc = err_set(err, -ENOMEM, "%s: no memory", path);
    return rc;
}

/* "url, host, …" of a section; for NULL the sections. */
static void put_keys(const char *section, struct buf *out)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        if (section ? strcmp(s->section, section) != 0 : !setting_opens_section(s))
            continue;
        if (out->n)
            buf_puts(out, ", ");
        buf_puts(out, section ? s->key : s->section);
    }
    if (!section)
        buf_puts(out, ", handlers");
}

static int unknown(const struct cursor *c, const struct key *key, const char *section,
                   struct err *err)
{
    struct buf keys = {0};
    put_keys(section, &keys);
    int rc = cursor_fail(c, key->line, err, "unknown %s \"%.60s\"%s%s, must be one of %s",
                         section ? "key" : "section", key->text, section ? " in " : "",
                         section ? section : "", buf_str(&keys));
    buf_release(&keys);
    return rc;
}

static int read_queues(struct cursor *c, const struct field *f, struct conf *conf, struct err *err)
{
    struct queue_list list = {0};
    const char *text;
    int line = cursor_line(c);
    int rc;
    while ((rc = cursor_next(c, err)) == 0 && !cursor_is(c, YAML_SEQUENCE_END_EVENT)) {
        rc = cursor_text(c, "a queue", &text, err);
        if (rc < 0)
            break;
        rc = queue_list_add(&list, slice_of(text), err);
        if (rc < 0) {
            rc = err_prefix(err, rc, "%s:%d: %s", c->file, cursor_line(c), f->name);
            break;
        }
    }
    if (rc == 0 && list.n == 0)
        rc = cursor_fail(c, line, err, "%s is an empty list, must be at least one queue", f->name);
    if (rc == 0)
        queue_list_move(&list, conf);
    queue_list_release(&list);
    return rc;
}

static int read_section(struct load *l, struct cursor *c, const char *section, struct err *err)
{
    struct key key;
    int rc;
    while ((rc = cursor_next_key(c, &key, err)) > 0) {
        const struct setting *s = setting_find(section, key.text);
        if (!s)
            return unknown(c, &key, section, err);
        int *line = &l->line[s - settings];
        if (*line)
            return cursor_fail(c, key.line, err, "%s is given twice, first on line %d",
                               s->field.name, *line);
        *line = key.line;
        l->origin[s - settings] = ORIGIN_FILE;
        rc = s->field.type == VALUE_QUEUES && cursor_is(c, YAML_SEQUENCE_START_EVENT)
                 ? read_queues(c, &s->field, l->conf, err)
                 : cursor_read(c, &s->field, l->conf, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_sections(struct load *l, struct cursor *c, struct err *err)
{
    int opened[SETTINGS + 1] = {0}; /* the line of each section, by its first row; then handlers */
    struct key key;
    int rc;
    while ((rc = cursor_next_key(c, &key, err)) > 0) {
        int row = strcmp(key.text, "handlers") == 0 ? SETTINGS : setting_section(key.text);
        if (row < 0)
            return unknown(c, &key, NULL, err);
        if (opened[row])
            return cursor_fail(c, key.line, err, "%s is given twice, first on line %d", key.text,
                               opened[row]);
        opened[row] = key.line;
        if (cursor_is_null(c))
            continue; /* a section whose lines are all commented out */
        if (row == SETTINGS)
            rc = handlers_read(l->conf, c, err);
        else if (cursor_is(c, YAML_MAPPING_START_EVENT))
            rc = read_section(l, c, key.text, err);
        else
            rc = cursor_fail(c, key.line, err, "%s is %s, must be a mapping of settings", key.text,
                             cursor_what(c));
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int read_document(struct load *l, struct cursor *c, struct err *err)
{
    int rc = cursor_next(c, err);
    if (rc < 0 || cursor_is(c, YAML_STREAM_END_EVENT))
        return rc; /* nothing but comments: all defaults */
    rc = cursor_next(c, err);
    if (rc < 0)
        return rc;
    if (cursor_is(c, YAML_MAPPING_START_EVENT))
        rc = read_sections(l, c, err);
    else if (!cursor_is_null(c))
        rc = cursor_fail(c, cursor_line(c), err, "the file is %s, must be a mapping of sections",
                         cursor_what(c));
    if (rc == 0)
        rc = cursor_next(c, err); /* the end of the document */
    if (rc == 0)
        rc = cursor_next(c, err);
    if (rc == 0 && !cursor_is(c, YAML_STREAM_END_EVENT))
        rc = cursor_fail(c, cursor_line(c), err, "a second document, must be one only");
    return rc;
}

int load_yaml(struct load *l, struct err *err)
{
    struct buf text = {0};
    struct cursor c;
    int rc = read_file(l->conf->file, &text, err);
    if (rc < 0)
        goto out;
    rc = cursor_init(&c, l->conf->file, buf_slice(&text), err);
    if (rc < 0)
        goto out;
    rc = read_document(l, &c, err);
    cursor_release(&c);
out:
    buf_release(&text);
    return rc;
}
