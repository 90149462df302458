#include "http/origin.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "http/listen.h"

enum { PORT_DIGITS = 5, ADDRESS_MAX = 64 };

/* "host", "host:port", "[address]:port". */
struct authority {
    struct slice host; /* without brackets */
    bool bracketed;
    struct slice port; /* empty: none */
};

static bool parse(const char *text, struct authority *ret)
{
    struct authority a = {.bracketed = *text == '['};
    const char *end;
    if (a.bracketed) {
        size_t n = strcspn(++text, "]");
        if (text[n] != ']')
            return false;
        a.host = (struct slice){text, n};
        end = text + n + 1;
    } else {
        a.host = (struct slice){text, strcspn(text, ":/?#@[] \t")};
        end = text + a.host.n;
    }
    if (*end == ':') {
        a.port = slice_of(end + 1);
        if (a.port.n > PORT_DIGITS || strspn(a.port.p, "0123456789") != a.port.n)
            return false;
    } else if (*end != '\0') {
        return false;
    }
    *ret = a;
    return a.host.n > 0;
}

static bool same_text(struct slice a, struct slice b)
{
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* ---- the page ---- */

/* Whether an origin, "https://host:port", is that of the host. A proxy may have taken the TLS off,
 * so a port that is left out is that of the origin's scheme on both sides. */
static bool same_origin(const char *origin, const char *host)
{
    static const struct {
        const char *scheme, *port;
    } schemes[] = {{"http://", "80"}, {"https://", "443"}};
    struct authority page, own;
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        size_t n = strlen(schemes[i].scheme);
        if (strncasecmp(origin, schemes[i].scheme, n) != 0)
            continue;
        if (!parse(origin + n, &page) || !parse(host, &own))
            return false;
        struct slice port = slice_of(schemes[i].port);
        return page.bracketed == own.bracketed && same_text(page.host, own.host) &&
               slice_eq(page.port.n > 0 ? page.port : port, own.port.n > 0 ? own.port : port);
    }
    return false; /* "null", or of an extension or a file */
}

bool http_is_cross_origin(const char *host, const char *origin, const char *fetch_site)
{
    if (origin && !(host && same_origin(origin, host)))
        return true;
    return fetch_site &&
           (strcasecmp(fetch_site, "cross-site") == 0 || strcasecmp(fetch_site, "same-site") == 0);
}

/* ---- the host ---- */

static bool is_loopback(const struct authority *a)
{
    char text[ADDRESS_MAX];
    struct in6_addr address; /* room for either */
    int family = a->bracketed ? AF_INET6 : AF_INET;
    if (a->host.n >= sizeof text)
        return false;
    memcpy(text, a->host.p, a->host.n);
    text[a->host.n] = '\0';
    if (!a->bracketed && strcasecmp(text, "localhost") == 0)
        return true;
    return inet_pton(family, text, &address) == 1 && http_address_is_loopback(family, &address);
}

bool http_host_is_local(const char *host, const char *listen)
{
    struct authority given, own;
    if (!parse(host, &given))
        return false;
    return is_loopback(&given) || (parse(listen, &own) && given.bracketed == own.bracketed &&
                                   same_text(given.host, own.host));
}
