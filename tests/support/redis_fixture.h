/*
 * What tests against a real Redis share: each helper does one step and fails the test, with the
 * reason, when that step fails.
 */
#ifndef SLUICE_TESTS_REDIS_FIXTURE_H
#define SLUICE_TESTS_REDIS_FIXTURE_H

#include "base/slice.h"
#include "redis/conn.h"
#include "support/proxy.h"
#include "support/redis_server.h"
#include "support/support.h"

void must_start(struct redis_server *s, const struct redis_server_options *o);
void must_restart(struct redis_server *s);

/* Options for the unix socket of a server, with timeouts that only a hang exceeds. */
struct redis_options server_options(const struct redis_server *s);
struct redis_options proxy_options(const struct proxy *p);

struct redis_conn *must_open(const struct redis_options *o);

/* Runs a command (hiredis' format) and expects no error; the reply is the caller's. */
struct reply *must_call(struct redis_conn *c, const char *fmt, ...);

/* The same for replies that are numbers, and for those that do not matter. */
int64_t must_int(struct redis_conn *c, const char *fmt, ...);
void must_do(struct redis_conn *c, const char *fmt, ...);

/* The same for replies that are text: a copy that the caller frees, NULL for nil. It ends with a
 * NUL, and may hold others. */
char *must_text(struct redis_conn *c, const char *fmt, ...);

/* Whether the reply is this text; NULL stands for nil. For wait_until(). */
bool answers_with(struct redis_conn *c, const char *text, const char *fmt, ...);

/* LPUSH of any bytes. */
void must_push(struct redis_conn *c, const char *key, struct slice bytes);

#endif
