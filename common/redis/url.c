/* Where and as whom to connect: URLs in, and a harmless description out. No error here quotes the
 * URL, since any part of a mistyped one may be the password. */
#include "redis/conn.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 6379, SENTINEL_PORT = 26379, MAX_DB = 1000000 };

/* The pieces of a URL as they are taken off its front; each text is NULL when absent. */
struct parts {
    char *user, *password, *path, *service;
    struct redis_address at; /* of the server */
    struct redis_address *sentinels;
    int nsentinels, db;
};

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes %XX in place. */
static int percent_decode(char *text, const char *what, struct err *err)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        if (*in != '%') {
            *out++ = *in;
            continue;
        }
        int high = hex_digit(in[1]);
        int low = high < 0 ? -1 : hex_digit(in[2]);
        if (low < 0 || high + low == 0)
            return err_set(err, -EINVAL, "Redis URL: the %s has a %% that is no %%XX (write %%25)",
                           what);
        *out++ = (char)(high << 4 | low);
        in += 2;
    }
    *out = '\0';
    return 0;
}

/* Decimal digits only, min..max. */
static int parse_number(const char *text, int min, int max, const char *what, int *ret,
                        struct err *err)
{
    long n = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && n <= max; at++)
        n = n * 10 + (*at - '0');
    if (at == text || *at || n < min || n > max)
        return err_set(err, -EINVAL, "Redis URL: the %s is not a number from %d to %d", what, min,
                       max);
    *ret = (int)n;
    return 0;
}

/* "user[:password]", without the @ that ends it. ":password" means the default user. */
static int parse_user(char *text, struct parts *p, struct err *err)
{
    char *colon = strchr(text, ':');
    if (colon) {
        *colon = '\0';
        p->password = colon + 1;
        int rc = percent_decode(p->password, "password", err);
        if (rc != 0)
            return rc;
    }
    if (!*text)
        return 0;
    p->user = text;
    return percent_decode(text, "user", err);
}

/* Roughly: what the resolver takes for one is its own to say. */
static bool is_ipv6(const char *text)
{
    return strchr(text, ':') && !text[strspn(text, "0123456789abcdefABCDEF:.")];
}

/* ret->port is the default. next: what may follow host:port, in words. */
static int parse_host(char *authority, const char *next, struct redis_address *ret, struct err *err)
{
    char *port;
    if (*authority == '[') {
        char *end = strchr(authority, ']');
        if (!end || (end[1] && end[1] != ':'))
            return err_set(err, -EINVAL, "Redis URL: an IPv6 address is written [::1]:port");
        *end = '\0';
        if (!is_ipv6(authority + 1))
            return err_set(err, -EINVAL, "Redis URL: what is in [ ] is no IPv6 address");
        ret->host = authority + 1;
        port = end[1] ? end + 2 : NULL;
    } else {
        ret->host = authority;
        port = strchr(authority, ':');
        if (port)
            *port++ = '\0';
    }
    if (!*ret->host)
        return err_set(err, -EINVAL, "Redis URL: the host is missing");
    if (strpbrk(ret->host, "?#%&= "))
        return err_set(err, -EINVAL, "Redis URL: host:port is followed by %s", next);
    return port ? parse_number(port, 1, 65535, "port", &ret->port, err) : 0;
}

/* Takes "user:password@" off the front of *rest. */
static int take_user(char **rest, struct parts *p, struct err *err)
{
    char *at = strrchr(*rest, '@'); /* the last: an unescaped @ in a password is forgiven */
    if (!at)
        return 0;
    *at = '\0';
    int rc = parse_user(*rest, p, err);
    *rest = at + 1;
    return rc;
}

/* Ends the text at its first slash. Returns what follows that, or NULL. */
static char *cut_at_slash(char *text)
{
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    return slash;
}

/* rest: what follows "redis://", writable. */
static int parse_tcp(char *rest, struct parts *p, struct err *err)
{
    char *db = cut_at_slash(rest);
    int rc = take_user(&rest, p, err);
    if (rc == 0)
        rc = parse_host(rest, "/db or by nothing", &p->at, err);
    if (rc == 0 && db && *db)
        rc = parse_number(db, 0, MAX_DB, "database after the host", &p->db, err);
    return rc;
}

/* rest: what follows "redis+sentinel://", writable; p->sentinels has room for all of its hosts. */
static int parse_sentinel(char *rest, struct parts *p, struct err *err)
{
    char *service = cut_at_slash(rest);
    char *db = service ? cut_at_slash(service) : NULL;
    if (!service || !*service)
        return err_set(err, -EINVAL,
                       "Redis URL: the sentinels are followed by /service, the name of the master");
    if (strpbrk(service, "?#&= "))
        return err_set(err, -EINVAL, "Redis URL: the service is followed by /db or by nothing");
    p->service = service;
    int rc = percent_decode(service, "service", err);
    if (rc == 0)
        rc = take_user(&rest, p, err);
    for (char *next = rest; rc == 0 && next; rest = next) {
        next = strchr(rest, ',');
        if (next)
            *next++ = '\0';
        struct redis_address *at = &p->sentinels[p->nsentinels++];
        at->port = SENTINEL_PORT;
        rc = parse_host(rest, "a comma and another one, or by /service", at, err);
    }
    if (rc == 0 && db && *db)
        rc = parse_number(db, 0, MAX_DB, "database after the service", &p->db, err);
    return rc;
}

/* rest: what follows "unix://", writable. */
static int parse_unix(char *rest, struct parts *p, struct err *err)
{
    char *slash = strchr(rest, '/');
    if (!slash || !slash[1] || slash[1] == '?')
        return err_set(err, -EINVAL, "Redis URL: unix:// needs an absolute path to the socket");
    int rc = 0;
    if (slash != rest) {
        if (slash[-1] != '@')
            return err_set(err, -EINVAL,
                           "Redis URL: unix:// takes no host, only [user:password@]/path");
        slash[-1] = '\0';
        rc = parse_user(rest, p, err);
    }
    char *query = strchr(slash, '?');
    if (query) {
        *query++ = '\0';
        if (strncmp(query, "db=", 3) != 0)
            return err_set(err, -EINVAL, "Redis URL: after ? only db=N is known");
        if (rc == 0)
            rc = parse_number(query + 3, 0, MAX_DB, "database", &p->db, err);
    }
    p->path = slash;
    return rc == 0 ? percent_decode(p->path, "path", err) : rc;
}

static const struct scheme {
    const char *prefix;
    int (*parse)(char *rest, struct parts *p, struct err *err);
    bool tls;
} schemes[] = {
    {"redis://", parse_tcp, false},
    {"rediss://", parse_tcp, true},
    {"unix://", parse_unix, false},
    {"redis+sentinel://", parse_sentinel, false},
    {"rediss+sentinel://", parse_sentinel, true},
};

static const struct scheme *find_scheme(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    return NULL;
}

int redis_url_parse(const char *url, struct redis_options *ret, char **ret_storage, struct err *err)
{
    const struct scheme *scheme = find_scheme(url);
    if (!scheme)
        return err_set(err, -EINVAL,
                       "Redis URL: it must begin with redis://, rediss://, unix://, "
                       "redis+sentinel:// or rediss+sentinel://");
    size_t hosts = 1;
    for (const char *c = url; *c; c++)
        hosts += *c == ',';
    struct parts p = {.at.port = DEFAULT_PORT};
    size_t front = hosts * sizeof *p.sentinels; /* the block begins with what must be aligned */
    char *storage = calloc(1, front + strlen(url) + 1);
    if (!storage)
        return err_set(err, -ENOMEM, "no memory for the Redis URL");
    p.sentinels = (struct redis_address *)(void *)storage;
    char *text = memcpy(storage + front, url, strlen(url) + 1);
    int rc = scheme->parse(text + strlen(scheme->prefix), &p, err);
    if (rc != 0) {
        free(storage);
        return rc;
    }
    ret->host = p.at.host;
    ret->port = p.at.port;
    ret->path = p.path;
    ret->username = p.user;
    ret->password = p.password;
    ret->db = p.db;
    ret->tls = scheme->tls;
    ret->sentinels = p.nsentinels > 0 ? p.sentinels : NULL;
    ret->nsentinels = p.nsentinels;
    ret->service = p.service;
    *ret_storage = storage;
    return 0;
}

/* Moves a string into the block that *to is in; NULL stays NULL. */
static const char *put(const char *text, char **to)
{
    if (!text)
        return NULL;
    size_t n = strlen(text) + 1;
    char *copy = memcpy(*to, text, n);
    *to += n;
    return copy;
}

int redis_options_copy(const struct redis_options *o, struct redis_options *ret, char **ret_storage)
{
    struct redis_options copy = *o;
    const char **at[] = {&copy.host,
                         &copy.path,
                         &copy.username,
                         &copy.password,
                         &copy.tls_ca,
                         &copy.tls_cert,
                         &copy.tls_key,
                         &copy.name,
                         &copy.service,
                         &copy.sentinel_username,
                         &copy.sentinel_password};
    enum { COUNT = sizeof at / sizeof at[0] };
    size_t front = (size_t)o->nsentinels * sizeof *o->sentinels, total = front + 1;
    for (int i = 0; i < COUNT; i++)
        total += *at[i] ? strlen(*at[i]) + 1 : 0;
    for (int i = 0; i < o->nsentinels; i++)
        total += strlen(o->sentinels[i].host) + 1;
    char *storage = malloc(total);
    if (!storage)
        return -ENOMEM;
    char *to = storage + front;
    for (int i = 0; i < COUNT; i++)
        *at[i] = put(*at[i], &to);
    struct redis_address *sentinels = (struct redis_address *)(void *)storage;
    for (int i = 0; i < o->nsentinels; i++)
        sentinels[i] = (struct redis_address){put(o->sentinels[i].host, &to), o->sentinels[i].port};
    copy.sentinels = o->nsentinels > 0 ? sentinels : NULL;
    *ret = copy;
    *ret_storage = storage;
    return 0;
}

static void put_address(const struct redis_address *at, struct buf *out)
{
    bool v6 = strchr(at->host, ':') != NULL;
    buf_printf(out, "%s%s%s:%d", v6 ? "[" : "", at->host, v6 ? "]" : "", at->port);
}

void redis_options_describe(const struct redis_options *o, struct buf *out)
{
    if (o->path) {
        buf_printf(out, "unix://%s", o->path);
        if (o->db != 0)
            buf_printf(out, "?db=%d", o->db);
        return;
    }
    buf_printf(out, "%s%s://", o->tls ? "rediss" : "redis", o->sentinels ? "+sentinel" : "");
    for (int i = 0; o->sentinels && i < o->nsentinels; i++) {
        if (i > 0)
            buf_putc(out, ',');
        put_address(&o->sentinels[i], out);
    }
    if (o->sentinels)
        buf_printf(out, "/%s", o->service);
    else
        put_address(&(struct redis_address){o->host, o->port}, out);
    buf_printf(out, "/%d", o->db);
}
