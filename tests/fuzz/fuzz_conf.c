/*
 * The settings against any bytes: a file, or one environment variable. Either they are refused in
 * one line that says where, or every value is within its row of the table, and the settings, shown
 * and read again, are the same settings.
 *
 * An input that begins with '=' is a variable: a letter for its row in the table (A is the first),
 * then the value. Anything else is a file.
 */
#include "fuzz.h"

#include <ctype.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/queues.h"
#include "conf/table.h"
#include "job/envelope.h"

static char path[40]; /* of a file in memory, written anew for each input */
static int fd = -1;

static void set_up(void)
{
    for (int i = 0; i < SETTINGS; i++)
        must(unsetenv(settings[i].env) == 0);
    fd = memfd_create("settings", MFD_CLOEXEC);
    must(fd >= 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
}

static int load_file(struct slice text, struct conf **ret, struct err *err)
{
    struct conf_flags flags = {.config_file = path};
    must(ftruncate(fd, 0) == 0);
    must(text.n == 0 || pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n);
    return conf_load(CONF_WORKER, &flags, ret, err);
}

/* ---- What is accepted. ---- */

#define VALUE(type) (*(const type *)(const void *)((const char *)c + f->offset))

static void check_text(const struct field *f, const char *text)
{
    if (!text)
        return;
    size_t n = strlen(text);
    must((double)n >= f->min && (double)n <= f->max);
    for (; *text; text++)
        must(!iscntrl((unsigned char)*text));
}

static void check_value(const struct field *f, const struct conf *c)
{
    int words = 0;
    switch (f->type) {
    case VALUE_TEXT:
    case VALUE_SECRET:
        check_text(f, VALUE(char *));
        break;
    case VALUE_URL:
        must(!VALUE(char *) || strstr(VALUE(char *), "://"));
        break;
    case VALUE_LISTEN:
        must(!VALUE(char *) || strrchr(VALUE(char *), ':') > VALUE(char *));
        break;
    case VALUE_INT:
        must(VALUE(int) >= f->min && VALUE(int) <= f->max);
        break;
    case VALUE_LONG:
    case VALUE_RETRY:
        must((double)VALUE(int64_t) >= f->min && (double)VALUE(int64_t) <= f->max);
        break;
    case VALUE_SECONDS:
        must(VALUE(double) >= f->min && VALUE(double) <= f->max);
        break;
    case VALUE_BOOL:
        break;
    case VALUE_CHOICE:
        while (f->choices[words])
            words++;
        must(VALUE(int) >= 0 && VALUE(int) < words);
        break;
    case VALUE_QUEUES:
        must(c->nqueues >= 1 && c->nqueues <= CONF_QUEUES_MAX);
        break;
    }
}

static void check_queues(const struct conf *c)
{
    for (int i = 0; i < c->nqueues; i++) {
        must(job_queue_name_ok(c->queues[i].name)); /* or nobody could push to it */
        must(c->queues[i].weight >= (c->weighted ? 1 : 0));
        must(c->queues[i].weight <= (c->weighted ? CONF_QUEUE_WEIGHT_MAX : 0));
        for (int j = 0; j < i; j++)
            must(strcmp(c->queues[i].name, c->queues[j].name) != 0);
    }
}

static void check_handlers(const struct conf *c)
{
    for (int i = 0; i < c->nhandlers; i++) {
        const struct conf_handler *h = &c->handlers[i];
        must(h->klass && *h->klass && h->line > 0);
        must(h->kind == CONF_PLUGIN ? h->plugin && !h->argv : h->argv && *h->argv[0]);
        must(h->timeout_s >= 0 && h->silence_timeout_s >= 0 && h->retry >= -1 && h->retry <= 1000);
        must(!h->plugin || (!h->workdir && h->nenv == 0));
        for (int j = 0; j < h->nenv; j++)
            must(*h->env[j].name && h->env[j].value);
    }
}

/* Shown, read and shown again: the same text. (Secrets are shown as stars, which read as such.) */
static void check_shown(const struct conf *c)
{
    struct buf shown = {0}, again = {0};
    struct conf *back = NULL;
    struct err err = {0};
    conf_dump(c, CONF_WORKER, &shown);
    must(utf8_ok(buf_slice(&shown)));
    int rc = load_file(buf_slice(&shown), &back, &err);
    if (rc != 0)
        fprintf(stderr, "%s\n%s\n", err.text, buf_str(&shown));
    must(rc == 0);
    conf_dump(back, CONF_WORKER, &again);
    if (!slice_eq(buf_slice(&shown), buf_slice(&again)))
        fprintf(stderr, "%s\n!=\n%s\n", buf_str(&shown), buf_str(&again));
    must(slice_eq(buf_slice(&shown), buf_slice(&again)));
    conf_unref(back);
    buf_release(&shown);
    buf_release(&again);
}

static void check_conf(struct conf *c, struct slice text)
{
    for (int i = 0; i < SETTINGS; i++)
        check_value(&settings[i].field, c);
    must(c->max_connections >= c->max_concurrent_ops + conf_reserved_connections(c));
    must(!c->redis_tls_cert == !c->redis_tls_key);
    check_queues(c);
    check_handlers(c);
    if (utf8_ok(text)) /* bytes of a variable that are no text are shown as numbers */
        check_shown(c);
    conf_unref(c);
}

/* ---- What is refused. ---- */

/* "FILE:LINE: what is wrong", and the line is one of the file, or the one behind its end. */
static void check_place(const struct err *err, struct slice text)
{
    size_t n = strlen(path);
    must(strncmp(err->text, path, n) == 0 && err->text[n] == ':');
    char *end;
    long line = strtol(err->text + n + 1, &end, 10);
    must(end[0] == ':' && end[1] == ' ' && end[2]);
    long lines = 1;
    for (size_t i = 0; i < text.n;
         i++) /* YAML 1.1 has more line ends than this, with these bytes */
        lines += text.p[i] == '\n' || text.p[i] == '\r' || (text.p[i] & 0x80);
    must(line >= 1 && line <= lines + 1);
}

static void check_file(struct slice text)
{
    struct conf *c = NULL;
    struct err err = {0};
    int rc = load_file(text, &c, &err);
    if (rc == 0) {
        check_conf(c, text);
        return;
    }
    must(rc == -EINVAL && !c);
    must_be_sentence(&err);
    check_place(&err, text);
}

static void check_variable(const struct setting *s, struct slice value)
{
    struct buf text = {0};
    struct conf *c = NULL;
    struct err err = {0}, other = {0};
    buf_put(&text, value);
    must(setenv(s->env, buf_str(&text), 1) == 0);
    int rc = conf_load(CONF_WORKER, NULL, &c, &err);
    bool is_secret = s->field.type == VALUE_SECRET || s->field.type == VALUE_URL;
    if (rc != 0 && is_secret) { /* any other refused one is told in the same words */
        must(setenv(s->env, "\n", 1) == 0);
        must(conf_load(CONF_WORKER, NULL, &c, &other) == rc);
        must(strcmp(err.text, other.text) == 0);
    }
    must(unsetenv(s->env) == 0);
    if (rc == 0) {
        check_conf(c, value);
    } else {
        size_t n = strlen(s->env);
        must(rc == -EINVAL && !c);
        must_be_sentence(&err);
        must(strncmp(err.text, s->env, n) == 0 && err.text[n] == ':');
    }
    buf_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (fd < 0)
        set_up();
    struct slice text = {(const char *)data, n};
    if (n < 2 || data[0] != '=')
        check_file(text);
    else
        check_variable(&settings[(unsigned)(data[1] - 'A') % SETTINGS],
                       (struct slice){text.p + 2, n - 2});
    return 0;
}
