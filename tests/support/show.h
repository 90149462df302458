/*
 * A show: a stream of output of which every event is known by its number, so that whoever has seen
 * one can be judged (a viewer_judge of support/viewer.h).
 *
 * Either a job emits it, run by a worker with the test plugin; or it is appended here, by the store
 * and its script, as a worker does it. What is appended may be kept from the viewers: it is in the
 * stream, and no message says so.
 *
 * Threads: one. Ownership: embedded; the staff's connection is the test's, and must be there
 * whenever something is appended. Whatever cannot be done fails the test.
 */
#ifndef SLUICE_TESTS_SHOW_H
#define SLUICE_TESTS_SHOW_H

#include "redis/conn.h"
#include "store/store.h"
#include "support/dice.h"
#include "support/viewer.h"

#define SHOW_STATUS "{\"type\":\"status\",\"status\":\"completed\"}"

struct show {
    char jid[16];
    int number;
    int padding;          /* of an event, in bytes: a number below this one */
    bool leaves_silently; /* its end is told to nobody */
    int64_t events;       /* and the status behind them */
    int64_t length;       /* of one that is appended here */
};

/* Who appends. */
struct show_staff {
    struct store *store;
    struct redis_conn *redis;
    uint64_t silent; /* events that were appended without a word */
};

void show_staff_begin(struct show_staff *staff, struct redis_conn *redis);
void show_staff_end(struct show_staff *staff);

void show_init(struct show *s, int number, int64_t events, int padding);

/* Its next events, some of them silently, and its end behind the last of them. */
void show_go_on(struct show *s, struct show_staff *staff, int64_t n, struct dice *dice);

/* Single steps: the text of an event, and any event. */
enum { SHOW_EVENT_MAX = 8192 };
void show_event(const struct show *s, int64_t id, char ret[SHOW_EVENT_MAX]);
void show_append(struct show *s, struct show_staff *staff, const char *event);
void show_append_silently(struct show *s, struct show_staff *staff, const char *event);

/* Whether this is the data of its event with this id: of one that is appended here, of a job. */
bool show_judge(const void *show, int64_t id, const char *data);
bool show_judge_job(const void *show, int64_t id, const char *data);

#endif
