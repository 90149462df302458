#include "conf/handlers.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>

#include "conf/cursor.h"

#define AT(member) offsetof(struct conf_handler, member)

enum { WEEK = 7 * 24 * 60 * 60, PATH_BYTES_MAX = 4096, ENV_MAX = 256 };

static const struct field fields[] = {
    {.name = "class", VALUE_TEXT, AT(klass), 1, 256, NULL},
    {.name = "plugin", VALUE_TEXT, AT(plugin), 1, PATH_BYTES_MAX, NULL},
    {.name = "timeout", VALUE_SECONDS, AT(timeout_s), 0, WEEK, NULL},
    {.name = "silence_timeout", VALUE_SECONDS, AT(silence_timeout_s), 0, WEEK, NULL},
    {.name = "retry", VALUE_RETRY, AT(retry), 0, 1000, NULL},
    {.name = "track", VALUE_BOOL, AT(track), 0, 0, NULL},
    {.name = "stream", VALUE_BOOL, AT(stream), 0, 0, NULL},
    {.name = "workdir", VALUE_TEXT, AT(workdir), 1, PATH_BYTES_MAX, NULL},
};

enum { FIELDS = sizeof fields / sizeof *fields };
enum { SEEN_EXEC = FIELDS, SEEN_ENV };

static const char known_keys[] =
    "class, plugin, exec, timeout, silence_timeout, retry, track, stream, workdir, env";

static const char *const later_kinds[] = {"process", "http", NULL};
static const char *const later_keys[] = {"max_concurrency", "processes", "max_jobs", "max_rss",
                                         NULL};

static bool is_one_of(const char *const *words, const char *word)
{
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words;
}

/* One more element, zeroed; NULL without memory. Capacities are powers of two. */
static void *grow(void *array, int n, size_t size)
{
    if ((n & (n - 1)) == 0) {
        array = realloc(array, (n ? 2 * (size_t)n : 1) * size);
        if (!array)
            return NULL;
    }
    memset((char *)array + (size_t)n * size, 0, size);
    return array;
}

static int field_of(const char *key)
{
    for (int i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, key) == 0)
            return i;
    return -1;
}

static int no_memory(const struct cursor *c, struct err *err)
{
    return err_set(err, -ENOMEM, "%s: no memory", c->file);
}

/* exec: [program, argument, …] */
static int read_exec(struct cursor *c, struct conf_handler *h, struct err *err)
{
    const char *text;
    int rc, n = 0, line = cursor_line(c);
    if (!cursor_is(c, YAML_SEQUENCE_START_EVENT))
        return cursor_fail(c, line, err,
                           "exec is %s, must be a list of a program and its arguments",
                           cursor_what(c));
    h->argv = grow(NULL, 0, sizeof *h->argv);
    if (!h->argv)
        return no_memory(c, err);
    while ((rc = cursor_next(c, err)) == 0 && !cursor_is(c, YAML_SEQUENCE_END_EVENT)) {
        rc = cursor_text(c, "an argument of exec", &text, err);
        if (rc < 0)
            return rc;
        char **argv = grow(h->argv, n + 1, sizeof *argv); /* its end first: always terminated */
        if (!argv)
            return no_memory(c, err);
        h->argv = argv;
        argv[n] = strdup(text);
        if (!argv[n++])
            return no_memory(c, err);
    }
    if (rc == 0 && (n == 0 || !*h->argv[0]))
        rc = cursor_fail(c, line, err, "exec has no program, must be a list that begins with one");
    return rc;
}

static bool is_variable_name(const char *name)
{
    if (isdigit((unsigned char)*name))
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && *p != '_')
            return false;
    return *name;
}

/* env: {NAME: value, …} */
static int read_env(struct cursor *c, struct conf_handler *h, struct err *err)
{
    struct key key;
    const char *text;
    int rc;
    if (!cursor_is(c, YAML_MAPPING_START_EVENT))
        return cursor_fail(c, cursor_line(c), err, "env is %s, must be a mapping of NAME: value",
                           cursor_what(c));
    while ((rc = cursor_next_key(c, &key, err)) > 0) {
        if (!is_variable_name(key.text))
            return cursor_fail(c, key.line, err,
                               "\"%.60s\" in env is no name, must be letters, digits and _",
                               key.text);
        for (int i = 0; i < h->nenv; i++)
            if (strcmp(h->env[i].name, key.text) == 0)
                return cursor_fail(c, key.line, err, "%s in env is given twice, must be once",
                                   key.text);
        if (h->nenv == ENV_MAX)
            return cursor_fail(c, key.line, err, "env has more than %d names, the most allowed",
                               ENV_MAX);
        rc = cursor_text(c, key.text, &text, err);
        if (rc < 0)
            return rc;
        struct conf_env *env = grow(h->env, h->nenv, sizeof *env);
        if (!env)
            return no_memory(c, err);
        h->env = env;
        env += h->nenv++;
        env->name = strdup(key.text);
        env->value = strdup(text);
        if (!env->name || !env->value)
            return no_memory(c, err);
    }
    return rc;
}

static int unknown_key(const struct cursor *c, const struct key *key, struct err *err)
{
    if (is_one_of(later_kinds, key->text))
        return cursor_fail(c, key->line, err,
                           "%s handlers are not available in this version, must be plugin or exec",
                           key->text);
    if (is_one_of(later_keys, key->text))
        return cursor_fail(c, key->line, err,
                           "%s is not available in this version, must be left out", key->text);
    return cursor_fail(c, key->line, err, "unknown key \"%.60s\" in a handler, must be one of %s",
                       key->text, known_keys);
}

static int read_keys(struct cursor *c, struct conf_handler *h, struct err *err)
{
    struct key key;
    int rc, line[FIELDS + 2] = {0};
    while ((rc = cursor_next_key(c, &key, err)) > 0) {
        int i = strcmp(key.text, "exec") == 0  ? SEEN_EXEC
                : strcmp(key.text, "env") == 0 ? SEEN_ENV
                                               : field_of(key.text);
        if (i < 0)
            return unknown_key(c, &key, err);
        if (line[i])
            return cursor_fail(c, key.line, err, "%s is given twice, first on line %d", key.text,
                               line[i]);
        line[i] = key.line;
        rc = i == SEEN_EXEC  ? read_exec(c, h, err)
             : i == SEEN_ENV ? read_env(c, h, err)
                             : cursor_read(c, &fields[i], h, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int check(const struct cursor *c, struct conf_handler *h, struct err *err)
{
    if (!h->klass)
        return cursor_fail(c, h->line, err, "a handler without class, must have one");
    if (!h->plugin == !h->argv)
        return cursor_fail(c, h->line, err,
                           "handler \"%.60s\" has %s, must have exactly one of plugin and exec",
                           h->klass, h->plugin ? "plugin and exec" : "neither plugin nor exec");
    h->kind = h->plugin ? CONF_PLUGIN : CONF_EXEC;
    if (h->kind == CONF_PLUGIN && (h->env || h->workdir))
        return cursor_fail(c, h->line, err,
                           "handler \"%.60s\" has %s, which a plugin cannot have, only exec",
                           h->klass, h->env ? "env" : "workdir");
    return 0;
}

int handlers_read(struct conf *conf, struct cursor *c, struct err *err)
{
    int rc;
    if (!cursor_is(c, YAML_SEQUENCE_START_EVENT))
        return cursor_fail(c, cursor_line(c), err, "handlers is %s, must be a list of mappings",
                           cursor_what(c));
    while ((rc = cursor_next(c, err)) == 0 && !cursor_is(c, YAML_SEQUENCE_END_EVENT)) {
        if (!cursor_is(c, YAML_MAPPING_START_EVENT))
            return cursor_fail(c, cursor_line(c), err, "a handler is %s, must be a mapping with %s",
                               cursor_what(c), known_keys);
        struct conf_handler *list = grow(conf->handlers, conf->nhandlers, sizeof *list);
        if (!list)
            return no_memory(c, err);
        conf->handlers = list;
        struct conf_handler *h = &list[conf->nhandlers++];
        h->file = conf->file;
        h->line = cursor_line(c);
        h->retry = -1;
        h->stream = true;
        rc = read_keys(c, h, err);
        if (rc == 0)
            rc = check(c, h, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static void put_handler(const struct conf_handler *h, struct buf *out)
{
    const char *lead = "  - ";
    for (int i = 0; i < FIELDS; i++) {
        struct buf value = {0};
        if (value_put(&fields[i], h, &value)) {
            buf_printf(out, "%s%s: %s\n", lead, fields[i].name, buf_str(&value));
            lead = "    ";
        }
        buf_release(&value);
    }
    for (char **arg = h->argv; arg && *arg; arg++) {
        buf_puts(out, arg == h->argv ? "    exec: [" : ", ");
        value_put_quoted(*arg, out);
    }
    if (h->argv)
        buf_puts(out, "]\n");
    for (int i = 0; i < h->nenv; i++)
        buf_printf(out, "%s%s: \"********\"%s", i == 0 ? "    env: {" : ", ", h->env[i].name,
                   i + 1 == h->nenv ? "}\n" : "");
}

void handlers_put(const struct conf *c, struct buf *out)
{
    buf_puts(out, "handlers:\n");
    for (int i = 0; i < c->nhandlers; i++)
        put_handler(&c->handlers[i], out);
}

static void release(struct conf_handler *h)
{
    for (int i = 0; i < FIELDS; i++)
        value_free(&fields[i], h);
    for (char **arg = h->argv; arg && *arg; arg++)
        free(*arg);
    free(h->argv);
    for (int i = 0; i < h->nenv; i++) {
        free(h->env[i].name);
        free(h->env[i].value);
    }
    free(h->env);
}

void handlers_release(struct conf *c)
{
    for (int i = 0; i < c->nhandlers; i++)
        release(&c->handlers[i]);
    free(c->handlers);
    c->handlers = NULL;
    c->nhandlers = 0;
}
