/*
 * redis/url against any text: an address is refused in words that repeat nothing of it, or it
 * reads back from its own parts, and what people are shown of it holds neither user nor password.
 */
#include "fuzz.h"

#include "conf/table.h"
#include "redis/conn.h"

/* In place of the first X of the text: wherever that stands, it may be a secret. */
static const char secret[] = "S3cr3t";

static void put_encoded(const char *text, struct buf *out)
{
    for (; *text; text++)
        buf_printf(out, "%%%02x", (unsigned char)*text);
}

static bool is_same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void must_be_same(const struct redis_options *a, const struct redis_options *b)
{
    must(is_same(a->host, b->host) && is_same(a->path, b->path));
    must(is_same(a->username, b->username) && is_same(a->password, b->password));
    must(a->port == b->port && a->db == b->db && a->tls == b->tls);
}

/* The parts, written as an address again, are the same parts. */
static void check_back(const struct redis_options *o)
{
    struct buf url = {0};
    buf_puts(&url, o->path ? "unix://" : o->tls ? "rediss://" : "redis://");
    if (o->username)
        put_encoded(o->username, &url);
    if (o->password) {
        buf_putc(&url, ':');
        put_encoded(o->password, &url);
    }
    if (o->username || o->password)
        buf_putc(&url, '@');
    if (o->path) {
        buf_putc(&url, '/');
        put_encoded(o->path + 1, &url);
        buf_printf(&url, "?db=%d", o->db);
    } else {
        bool bracket = strchr(o->host, ':') != NULL;
        buf_printf(&url, bracket ? "[%s]:%d/%d" : "%s:%d/%d", o->host, o->port, o->db);
    }
    struct redis_options again = {0}, copy = {0};
    char *storage = NULL, *copied = NULL;
    must(redis_url_parse(buf_str(&url), &again, &storage, NULL) == 0);
    must_be_same(&again, o);
    must(redis_options_copy(&again, &copy, &copied) == 0);
    must_be_same(&copy, o);
    free(copied);
    free(storage);
    buf_release(&url);
}

static void check_shown(const char *url, const struct redis_options *o)
{
    static const struct setting *row;
    if (!row)
        row = setting_find("redis", "url");
    bool hidden = (o->password && strstr(o->password, secret)) ||
                  (o->username && strstr(o->username, secret));
    struct buf shown = {0};
    redis_options_describe(o, &shown);
    must(!hidden || !strstr(buf_str(&shown), secret));

    struct conf conf = {0}; /* as the settings show it: another reader, who must hide as much */
    struct err err = {0};
    buf_clear(&shown);
    if (value_parse(&row->field, &conf, url, &err) == 0) {
        must(value_put(&row->field, &conf, &shown));
        must(!hidden || !strstr(buf_str(&shown), secret));
    } else {
        must_be_sentence(&err);
        must(!strstr(err.text, secret));
    }
    value_free(&row->field, &conf);
    buf_release(&shown);
}

static void check_sentinels(const struct redis_options *o)
{
    must(o->nsentinels > 0 && o->service[0] && !o->path);
    for (int i = 0; i < o->nsentinels; i++)
        must(o->sentinels[i].host[0] && o->sentinels[i].port >= 1 && o->sentinels[i].port <= 65535);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf url = {0};
    const uint8_t *mark = n ? memchr(data, 'X', n) : NULL;
    size_t before = mark ? (size_t)(mark - data) : n;
    if (n > 0 && memmem(data, n, secret, strlen(secret)))
        return 0; /* the fuzzer has learned the word */
    buf_append(&url, data, before);
    if (mark) {
        buf_puts(&url, secret);
        buf_append(&url, mark + 1, n - before - 1);
    }

    struct redis_options o = {.name = "kept"};
    char *storage = NULL;
    struct err err = {0};
    int rc = redis_url_parse(buf_str(&url), &o, &storage, &err);
    if (rc == 0) {
        must(o.db >= 0 && strcmp(o.name, "kept") == 0);
        if (o.sentinels) {
            check_sentinels(&o);
        } else {
            must(o.path ? o.path[0] == '/' && o.path[1] : o.host[0]);
            must(o.port >= 1 && o.port <= 65535);
            check_back(&o);
        }
        check_shown(buf_str(&url), &o);
    } else {
        must(rc == -EINVAL && !storage && !o.host && !o.path);
        must_be_sentence(&err);
        must(!strstr(err.text, secret));
    }
    free(storage);
    buf_release(&url);
    return 0;
}
