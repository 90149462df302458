/*
 * The feed: one connection that hears the channels of any number of streams, or of all.
 *
 * What it says is a hint (store/job_view.h): whoever is told that a stream is subscribed, or has a
 * new length, reads it.
 *
 * Threads: as safe as their connection, which is used for nothing else.
 */
#ifndef SLUICE_STORE_FEED_H
#define SLUICE_STORE_FEED_H

#include "store/store.h"

/* Sends the order; the confirmations come among the messages, one for each. */
int store_feed_subscribe(const struct store *s, struct redis_conn *c, const char *const *jids,
                         size_t n) warn_unused_result;
int store_feed_unsubscribe(const struct store *s, struct redis_conn *c, const char *const *jids,
                           size_t n) warn_unused_result;

/* The streams of all jobs, also of those to come. The confirmation is awaited: afterwards every
 * append is told. Redis tells those of its other databases, too: their streams are empty here. */
int store_feed_subscribe_all(const struct store *s, struct redis_conn *c,
                             struct err *err) warn_unused_result;

enum feed_kind {
    FEED_OTHER,
    FEED_SUBSCRIBED, /* from now on lengths are told */
    FEED_LENGTH,     /* events were appended */
};

/* What a reply says; *ret_jid is borrowed from it, *ret_length is that of FEED_LENGTH. */
enum feed_kind store_feed_read(const struct store *s, const struct reply *reply,
                               struct slice *ret_jid, int64_t *ret_length);

#endif
