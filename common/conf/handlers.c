#include "conf/handlers.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf/cursor.h"

#define AT(member) offsetof(struct conf_handler, member)

enum { WEEK = 7 * 24 * 60 * 60, PATH_BYTES_MAX = 4096, URL_BYTES_MAX = 2048, ENV_MAX = 256 };
enum { MANY_MAX = 1000000, MEGABYTES_MAX = 1 << 20 };

/* The kinds a key means something to, as bits. */
enum {
    PLUGIN = 1 << CONF_PLUGIN,
    EXEC = 1 << CONF_EXEC,
    PROCESS = 1 << CONF_PROCESS,
    HTTP = 1 << CONF_HTTP,
    PROGRAMS = EXEC | PROCESS,
    ALL = PLUGIN | PROGRAMS | HTTP,
};

static const struct {
    const char *name; /* the key that makes a handler one of this kind */
    const char *article;
} kinds[] = {
    [CONF_PLUGIN] = {"plugin", "a"},
    [CONF_EXEC] = {"exec", "an"},
    [CONF_PROCESS] = {"process", "a"},
    [CONF_HTTP] = {"http", "an"},
};
enum { KINDS = sizeof kinds / sizeof *kinds };
#define KIND_NAMES "plugin, exec, process and http"

static const struct {
    struct field field;
    unsigned kinds;
} keys[] = {
    {{.name = "class", VALUE_TEXT, AT(klass), 1, 256, NULL}, ALL},
    {{.name = "plugin", VALUE_TEXT, AT(plugin), 1, PATH_BYTES_MAX, NULL}, PLUGIN},
    {{.name = "http", VALUE_TEXT, AT(url), 1, URL_BYTES_MAX, NULL}, HTTP},
    {{.name = "timeout", VALUE_SECONDS, AT(timeout_s), 0, WEEK, NULL}, ALL},
    {{.name = "silence_timeout", VALUE_SECONDS, AT(silence_timeout_s), 0, WEEK, NULL}, ALL},
    {{.name = "retry", VALUE_RETRY, AT(retry), 0, 1000, NULL}, ALL},
    {{.name = "track", VALUE_BOOL, AT(track), 0, 0, NULL}, ALL},
    {{.name = "stream", VALUE_BOOL, AT(stream), 0, 0, NULL}, ALL},
    {{.name = "max_concurrency", VALUE_INT, AT(max_concurrency), 0, 10000, NULL}, ALL},
    {{.name = "workdir", VALUE_TEXT, AT(workdir), 1, PATH_BYTES_MAX, NULL}, PROGRAMS},
    {{.name = "max_cpu", VALUE_INT, AT(max_cpu_s), 0, WEEK, NULL}, EXEC},
    {{.name = "max_memory", VALUE_INT, AT(max_memory_mb), 0, MEGABYTES_MAX, NULL}, EXEC},
    {{.name = "processes", VALUE_INT, AT(processes), 1, 1000, NULL}, PROCESS},
    {{.name = "max_jobs", VALUE_INT, AT(max_jobs), 0, MANY_MAX, NULL}, PROCESS},
    {{.name = "max_rss", VALUE_INT, AT(max_rss_mb), 0, MEGABYTES_MAX, NULL}, PROCESS},
    {{.name = "secret_file", VALUE_TEXT, AT(secret_file), 1, PATH_BYTES_MAX, NULL}, HTTP},
    {{.name = "tls_ca", VALUE_TEXT, AT(tls_ca), 1, PATH_BYTES_MAX, NULL}, HTTP},
};

enum { KEYS = sizeof keys / sizeof *keys };
enum { SEEN_EXEC = KEYS, SEEN_PROCESS, SEEN_ENV, SEEN };

static const char known_keys[] =
    "class, plugin, exec, process, http, timeout, silence_timeout, retry, track, stream, "
    "max_concurrency, workdir, env, max_cpu, max_memory, processes, max_jobs, max_rss, "
    "secret_file, tls_ca";

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

static int find_key(const char *key)
{
    for (int i = 0; i < KEYS; i++)
        if (strcmp(keys[i].field.name, key) == 0)
            return i;
    return strcmp(key, "exec") == 0      ? SEEN_EXEC
           : strcmp(key, "process") == 0 ? SEEN_PROCESS
           : strcmp(key, "env") == 0     ? SEEN_ENV
                                         : -1;
}

static int no_memory(const struct cursor *c, struct err *err)
{
    return err_set(err, -ENOMEM, "%s: no memory", c->file);
}

/* exec: [program, argument, …] */
static int read_program(struct cursor *c, const char *key, struct conf_handler *h, struct err *err)
{
    char what[160];
    const char *text;
    int rc, n = 0, line = cursor_line(c);
    if (!cursor_is(c, YAML_SEQUENCE_START_EVENT))
        return cursor_fail(c, line, err, "%s is %s, must be a list of a program and its arguments",
                           key, cursor_what(c));
    if (h->argv)
        return cursor_fail(c, line, err,
                           "a handler has exec and process, must have exactly one of " KIND_NAMES);
    h->argv = grow(NULL, 0, sizeof *h->argv);
    if (!h->argv)
        return no_memory(c, err);
    (void)snprintf(what, sizeof what, "an argument of %s", key); /* a key is short */
    while ((rc = cursor_next(c, err)) == 0 && !cursor_is(c, YAML_SEQUENCE_END_EVENT)) {
        rc = cursor_text(c, what, &text, err);
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
        rc = cursor_fail(c, line, err, "%s has no program, must be a list that begins with one",
                         key);
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
    return cursor_fail(c, key->line, err, "unknown key \"%.60s\" in a handler, must be one of %s",
                       key->text, known_keys);
}

/* line[]: where each key was given, or 0. */
static int read_keys(struct cursor *c, struct conf_handler *h, int line[SEEN], struct err *err)
{
    struct key key;
    int rc;
    while ((rc = cursor_next_key(c, &key, err)) > 0) {
        int i = find_key(key.text);
        if (i < 0)
            return unknown_key(c, &key, err);
        if (line[i])
            return cursor_fail(c, key.line, err, "%s is given twice, first on line %d", key.text,
                               line[i]);
        line[i] = key.line;
        if (i == SEEN_ENV)
            rc = read_env(c, h, err);
        else if (i >= KEYS)
            rc = read_program(c, key.text, h, err);
        else
            rc = cursor_read(c, &keys[i].field, h, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static int misplaced(const struct cursor *c, const struct conf_handler *h, const char *key,
                     unsigned fits, struct err *err)
{
    struct buf who = {0};
    for (int k = 0; k < KINDS; k++)
        if (fits & 1U << k)
            buf_printf(&who, "%s%s", who.n > 0 ? " and " : "", kinds[k].name);
    int rc =
        cursor_fail(c, h->line, err, "handler \"%.60s\" has %s, which %s %s cannot have, only %s",
                    h->klass, key, kinds[h->kind].article, kinds[h->kind].name, buf_str(&who));
    buf_release(&who);
    return rc;
}

static int check(const struct cursor *c, struct conf_handler *h, const int line[SEEN],
                 struct err *err)
{
    if (!h->klass)
        return cursor_fail(c, h->line, err, "a handler without class, must have one");
    const bool has[] = {[CONF_PLUGIN] = h->plugin,
                        [CONF_EXEC] = line[SEEN_EXEC],
                        [CONF_PROCESS] = line[SEEN_PROCESS],
                        [CONF_HTTP] = h->url};
    int first = KINDS;
    for (int k = KINDS - 1; k >= 0; k--) {
        if (has[k] && first < KINDS)
            return cursor_fail(
                c, h->line, err,
                "handler \"%.60s\" has %s and %s, must have exactly one of " KIND_NAMES, h->klass,
                kinds[k].name, kinds[first].name);
        if (has[k])
            first = k;
    }
    if (first == KINDS)
        return cursor_fail(c, h->line, err,
                           "handler \"%.60s\" has no kind, must have exactly one of " KIND_NAMES,
                           h->klass);
    h->kind = (enum conf_handler_kind)first;
    for (int i = 0; i < KEYS; i++)
        if (line[i] && !(keys[i].kinds & 1U << h->kind))
            return misplaced(c, h, keys[i].field.name, keys[i].kinds, err);
    if (line[SEEN_ENV] && !(PROGRAMS & 1U << h->kind))
        return misplaced(c, h, "env", PROGRAMS, err);
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
        int line[SEEN] = {0};
        rc = read_keys(c, h, line, err);
        if (rc == 0)
            rc = check(c, h, line, err);
        if (rc < 0)
            return rc;
    }
    return rc;
}

static void put_program(const struct conf_handler *h, struct buf *out)
{
    for (char **arg = h->argv; arg && *arg; arg++) {
        if (arg == h->argv)
            buf_printf(out, "    %s: [", kinds[h->kind].name);
        else
            buf_puts(out, ", ");
        value_put_quoted(*arg, out);
    }
    if (h->argv)
        buf_puts(out, "]\n");
}

static void put_handler(const struct conf_handler *h, struct buf *out)
{
    const char *lead = "  - ";
    for (int i = 0; i < KEYS; i++) {
        struct buf value = {0};
        bool preset = keys[i].field.offset == AT(processes) && h->processes == 0;
        if (keys[i].kinds & 1U << h->kind && !preset && value_put(&keys[i].field, h, &value)) {
            buf_printf(out, "%s%s: %s\n", lead, keys[i].field.name, buf_str(&value));
            lead = "    ";
        }
        buf_release(&value);
    }
    put_program(h, out);
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
    for (int i = 0; i < KEYS; i++)
        value_free(&keys[i].field, h);
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
