/* Where and as whom to connect: URLs in, and a harmless description out. No error here quotes the
 * URL, since any part of a mistyped one may be the password. */
#include "redis/conn.h"

#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PORT = 6379, MAX_DB = 1000000 };

/* The pieces of a URL as they are taken off its front; each text is NULL when absent. */
struct parts {
    char *user, *password, *host, *path;
    int port, db;
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

static int parse_host(char *authority, struct parts *p, struct err *err)
{
    char *port;
    if (*authority == '[') {
        char *end = strchr(authority, ']');
        if (!end || (end[1] && end[1] != ':'))
            return err_set(err, -EINVAL, "Redis URL: an IPv6 address is written [::1]:port");
        *end = '\0';
        if (!is_ipv6(authority + 1))
            return err_set(err, -EINVAL, "Redis URL: what is in [ ] is no IPv6 address");
        p->host = authority + 1;
        port = end[1] ? end + 2 : NULL;
    } else {
        p->host = authority;
        port = strchr(authority, ':');
        if (port)
            *port++ = '\0';
    }
    if (!*p->host)
        return err_set(err, -EINVAL, "Redis URL: the host is missing");
    if (strpbrk(p->host, "?#%&= "))
        return err_set(err, -EINVAL, "Redis URL: host:port is followed by /db or by nothing");
    return port ? parse_number(port, 1, 65535, "port", &p->port, err) : 0;
}

/* rest: what follows "redis://", writable. */
static int parse_tcp(char *rest, struct parts *p, struct err *err)
{
    char *slash = strchr(rest, '/');
    if (slash)
        *slash++ = '\0';
    int rc = 0;
    char *at = strrchr(rest, '@'); /* the last: an unescaped @ in a password is forgiven */
    if (at) {
        *at = '\0';
        rc = parse_user(rest, p, err);
        rest = at + 1;
    }
    if (rc == 0)
        rc = parse_host(rest, p, err);
    if (rc == 0 && slash && *slash)
        rc = parse_number(slash, 0, MAX_DB, "database after the host", &p->db, err);
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

static const char *skip(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

int redis_url_parse(const char *url, struct redis_options *ret, char **ret_storage, struct err *err)
{
    const char *unix_rest = skip(url, "unix://");
    const char *tls_rest = skip(url, "rediss://");
    const char *rest = unix_rest ? unix_rest : tls_rest ? tls_rest : skip(url, "redis://");
    if (!rest)
        return err_set(err, -EINVAL,
                       "Redis URL: it must begin with redis://, rediss:// or unix://");
    char *storage = strdup(url);
    if (!storage)
        return err_set(err, -ENOMEM, "no memory for the Redis URL");

    struct parts p = {.port = DEFAULT_PORT};
    char *text = storage + (rest - url);
    int rc = unix_rest ? parse_unix(text, &p, err) : parse_tcp(text, &p, err);
    if (rc != 0) {
        free(storage);
        return rc;
    }
    ret->host = p.host;
    ret->port = p.port;
    ret->path = p.path;
    ret->username = p.user;
    ret->password = p.password;
    ret->db = p.db;
    ret->tls = tls_rest != NULL;
    *ret_storage = storage;
    return 0;
}

int redis_options_copy(const struct redis_options *o, struct redis_options *ret, char **ret_storage)
{
    struct redis_options copy = *o;
    const char **at[] = {&copy.host,   &copy.path,     &copy.username, &copy.password,
                         &copy.tls_ca, &copy.tls_cert, &copy.tls_key,  &copy.name};
    enum { COUNT = sizeof at / sizeof at[0] };
    size_t total = 1;
    for (int i = 0; i < COUNT; i++)
        total += *at[i] ? strlen(*at[i]) + 1 : 0;
    char *storage = malloc(total);
    if (!storage)
        return -ENOMEM;
    char *to = storage;
    for (int i = 0; i < COUNT; i++)
        if (*at[i]) {
            size_t n = strlen(*at[i]) + 1;
            *at[i] = memcpy(to, *at[i], n);
            to += n;
        }
    *ret = copy;
    *ret_storage = storage;
    return 0;
}

void redis_options_describe(const struct redis_options *o, struct buf *out)
{
    if (o->path) {
        buf_printf(out, "unix://%s", o->path);
        if (o->db != 0)
            buf_printf(out, "?db=%d", o->db);
        return;
    }
    bool v6 = strchr(o->host, ':') != NULL;
    buf_printf(out, "%s://%s%s%s:%d/%d", o->tls ? "rediss" : "redis", v6 ? "[" : "", o->host,
               v6 ? "]" : "", o->port, o->db);
}
