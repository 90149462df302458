#include "store/feed.h"

#include <string.h>

#include "keys.h"

static int send_all(const struct store *s, struct redis_conn *c, const char *order,
                    const char *const *jids, size_t n)
{
    struct command cmd = {0};
    command_text(&cmd, order);
    for (size_t i = 0; i < n; i++)
        store_add_key(&cmd, s, KEY_STREAM_PREFIX, jids[i]);
    int rc = redis_conn_send(c, &cmd);
    command_release(&cmd);
    return rc == 0 ? redis_conn_flush(c, NULL) : rc;
}

int store_feed_subscribe(const struct store *s, struct redis_conn *c, const char *const *jids,
                         size_t n)
{
    return send_all(s, c, "SUBSCRIBE", jids, n);
}

int store_feed_unsubscribe(const struct store *s, struct redis_conn *c, const char *const *jids,
                           size_t n)
{
    return send_all(s, c, "UNSUBSCRIBE", jids, n);
}

int store_feed_subscribe_all(const struct store *s, struct redis_conn *c, struct err *err)
{
    struct buf pattern = {0};
    struct command cmd = {0};
    for (const char *p = s->key[KEY_STREAM_PREFIX]; *p; p++) {
        if (strchr("*?[]\\", *p)) /* a prefix may hold what a pattern takes for its own */
            buf_putc(&pattern, '\\');
        buf_putc(&pattern, *p);
    }
    buf_putc(&pattern, '*');
    int rc = buf_error(&pattern);
    command_text(&cmd, "PSUBSCRIBE");
    command_add(&cmd, buf_slice(&pattern));
    if (rc == 0)
        rc = redis_call(c, &cmd, NULL, err);
    command_release(&cmd);
    buf_release(&pattern);
    return rc;
}

enum feed_kind store_feed_read(const struct store *s, const struct reply *reply,
                               struct slice *ret_jid, int64_t *ret_length)
{
    const char *prefix = s->key[KEY_STREAM_PREFIX];
    size_t n = strlen(prefix);
    struct slice kind = reply_str(reply_at(reply, 0));
    const size_t at = slice_is(kind, "pmessage") ? 2 : 1; /* behind the pattern */
    struct slice channel = reply_str(reply_at(reply, at));
    if (reply_count(reply) != at + 2 || channel.n < n || memcmp(channel.p, prefix, n) != 0)
        return FEED_OTHER;
    *ret_jid = (struct slice){channel.p + n, channel.n - n};
    if (slice_is(kind, "subscribe"))
        return FEED_SUBSCRIBED;
    if ((at == 1 && !slice_is(kind, "message")) ||
        !reply_whole(reply_at(reply, at + 1), ret_length))
        return FEED_OTHER;
    return FEED_LENGTH;
}
