/*
 * The hub: live output of jobs for any number of viewers, over one subscribed connection.
 *
 * A topic is a job that somebody views. Its stream is read once for all its viewers, from where the
 * last reading ended, and becomes chunks (api/chunk.h), of which the latest are kept. A viewer that
 * is behind what is kept has pages of its own read for it until it has caught up. So a thousand
 * viewers of a job cost Redis what one costs, and each sees every event once and in order: what
 * counts is the id that it wants next.
 *
 *   message ─▶ topic is due ─▶ line ─┐                            ┌─▶ viewer ─▶ its connection
 *   viewer is behind ─────────▶ line ┴─▶ the hub's thread: gate ─▶ chunk
 *
 * A viewer may want what its topic has not read yet: it has had a page of its own, or comes from
 * another process. It is believed until a reading shows that the stream is shorter.
 *
 * Messages are hints. First a topic is subscribed, then it is read; after the connection was lost
 * all are subscribed and read again; and each is read every LOOK_S without a message.
 *
 * A viewer's stream ends behind the final status, which is the last event of its job; of one whose
 * handler keeps no output it is made of the record, without an id. A stream that goes on says
 * something every BEAT_S, so that proxies and the process notice who is gone.
 *
 * Bounds: a topic keeps KEEP_BYTES, or one chunk; a viewer holds one chunk, of a page (PAGE_BYTES,
 * or one event). Who does not read what is sent is cut off by the server's timeout, and resumes.
 *
 * Threads: one of its own, which alone talks to Redis and alone ends topics; viewers are opened
 * from any thread, and read and closed on the server's. One mutex, nothing slow under it.
 */
#ifndef SLUICE_API_HUB_H
#define SLUICE_API_HUB_H

#include "http/server.h"
#include "redis/pool.h"
#include "store/store.h"

struct hub; /* api/hub_parts.h */

int hub_start(const struct store *store, struct redis_pool *pool,
              struct hub **ret) warn_unused_result;
/* All viewers come to their end. */
void hub_end_viewers(struct hub *hub);
/* Ends the thread: nothing is read and nobody is woken any more. Accepts NULL, as does the next. */
void hub_stop(struct hub *hub);
/* There must be no viewer any more. */
void hub_free(struct hub *hub);

/* Makes the answer to x a stream of the job's events after this id. -ENOMEM. */
int hub_view(struct hub *hub, const char *jid, int64_t after,
             struct http_exchange *x) warn_unused_result;

struct hub_stats {
    int viewers, topics;
    uint64_t events, reads; /* sent to viewers; of Redis */
};
void hub_stats(struct hub *hub, struct hub_stats *ret);

#endif
