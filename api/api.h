/*
 * The API process: HTTP in front of the store.
 *
 * Two kinds of threads. The server's (http/server.h) read requests, judge them by their heads
 * (api/judge.h) and send answers; they never wait. The crew's (api/crew.h) make the answers, each
 * with a permit and a connection for as long as it needs Redis. So a Redis that has stopped
 * answering holds up neither /livez nor whoever sends a bad request.
 *
 *   head ─ judge ─ body ─ line ─ a thread of the crew: gate ─ Redis ─ answer ─ access log
 *
 * Two threads besides work for all clients together: the hub's (api/hub.h) and the sampler's
 * (api/sampler.h).
 *
 * Nothing is waited for without a bound: whoever gets no turn at Redis within api.max_wait is told
 * 503, with Retry-After. The crew has more threads than there are permits, so there is always one
 * left to say so.
 *
 * With a spool (api/spool.h) the crew puts jobs there while Redis is away, and a thread of its own
 * replays them.
 *
 * Stop: no new connections and requests; what is under way ends, at most api.stop_timeout; then the
 * pool stops, the crew says 503 to the rest, the replay ends, and the server closes.
 *
 * Threads: all functions from one thread. Ownership: api_new() takes a reference of the conf.
 */
#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include <stdbool.h>

#include "base/err.h"
#include "conf/conf.h"

/* From the end of api.stop_timeout to the end of the process, at most, with the timeouts of Redis
 * at their defaults: whoever kills what does not stop waits for both together. */
enum { API_FREE_S = 15 };

struct api; /* api/parts.h */

/* Connects to nothing. -EINVAL with a sentence when the settings cannot work. */
int api_new(struct conf *conf, struct api **ret, struct err *err) warn_unused_result;
/* Serves from the return on, whether Redis can be reached or not. */
int api_start(struct api *a, struct err *err) warn_unused_result;

void api_tend(struct api *a); /* every second or so */
void api_dump(struct api *a); /* its state, to the log */

/* Takes over what can change while it serves: tokens and the log. Settings that need a restart are
 * named in a warning, and keep their old values. */
int api_reload(struct api *a, const struct conf *conf, struct err *err) warn_unused_result;

void api_begin_stop(struct api *a);
/* True when nothing is under way any more; false at the monotonic deadline. */
bool api_wait_idle(struct api *a, int64_t deadline_ns);
/* Gives up what is still under way, ends all threads. Accepts NULL, and one that never started. */
void api_free(struct api *a);

#endif
