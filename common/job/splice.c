#include "job/envelope.h"

#include "base/json.h"

struct splicing {
    const struct splice *splices;
    int n;
    struct buf *out;
    bool first;
};

static void separate(struct splicing *s)
{
    if (!s->first)
        buf_putc(s->out, ',');
    s->first = false;
}

/* Keeps a member that is not spliced. Keys are compared decoded: "cl\u0061ss" is class. */
static int keep(void *ctx, const struct json_member *member)
{
    struct splicing *s = ctx;
    for (int i = 0; i < s->n; i++)
        if (json_key_is(member->key, s->splices[i].key))
            return 0;
    separate(s);
    buf_put(s->out, member->whole);
    return 0;
}

int envelope_splice(struct slice payload, const struct splice *splices, int n, struct buf *out)
{
    struct splicing s = {.splices = splices, .n = n, .out = out, .first = true};
    enum json_type type;
    buf_putc(out, '{');
    int rc = json_scan(payload, &type, keep, &s, NULL);
    if (rc != 0)
        return rc;
    if (type != JSON_OBJECT)
        return -EBADMSG;
    for (int i = 0; i < n; i++) {
        if (splices[i].json.n == 0)
            continue;
        separate(&s);
        buf_putc(out, '"');
        buf_puts(out, splices[i].key);
        buf_puts(out, "\":");
        buf_put(out, splices[i].json);
    }
    buf_putc(out, '}');
    return buf_error(out);
}
