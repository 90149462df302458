/*
 * A crowd: thousands of viewers (support/viewer.h) in one epoll loop, on a thread of nobody's own.
 *
 * Nothing moves but in crowd_step() and crowd_run(). A viewer that is cut off, by the server, by
 * itself or because nobody listens, dials again soon, as a browser does, and behind the id it saw
 * last. How viewers misbehave is the test's choice: cut at once or within the next so many bytes,
 * by an orderly end or by a reset; deaf for a while, so that the server cannot get rid of what it
 * has.
 *
 * Threads: one. Ownership: crowd_free() ends all.
 */
#ifndef SLUICE_TESTS_CROWD_H
#define SLUICE_TESTS_CROWD_H

#include <stddef.h>

#include "support/dice.h"
#include "support/viewer.h"

struct crowd_viewer {
    struct viewer_client v;
    int64_t last;    /* id of the event that must be its last */
    int64_t dial_ns; /* not connected: when it dials */
    bool dialing;    /* the request has not been sent */
    bool reset;      /* how it will cut itself off, */
    int64_t cut_in;  /* … after so many bytes; < 0: not at all */
    int64_t deaf_ns; /* until when it does not read; 0: it reads */
};

struct crowd {
    struct crowd_viewer *viewer;
    size_t n, ended;
    int epoll;
    struct dice dice;
    int64_t look_ns;
    uint64_t dials, refused; /* of these, nobody listened */
    uint64_t cuts, resets;   /* that viewers made: orderly, and not */
    uint64_t hangups;        /* by the server, before the end */
    uint64_t torn;           /* of all these, in the middle of an event */
    uint64_t deaf;
};

/* What a crowd has seen, when it is over. */
struct crowd_verdict {
    int64_t events, lost, doubled, odd;
    size_t unfinished;
    const char *complaint; /* one viewer's; "": none. Valid as long as the crowd */
};

/* For n viewers; raises the limit of descriptors for them. */
void crowd_init(struct crowd *c, size_t n, uint64_t seed);
void crowd_free(struct crowd *c);

/* One more: views a job from its start to the event with the id `last`, each to be as the judge
 * says. Dials in the next step. */
struct crowd_viewer *crowd_join(struct crowd *c, int port, const char *jid, int64_t last,
                                viewer_judge *judge, const void *ctx);

/* Waits for something to happen, at most so long, and sees to it. */
void crowd_step(struct crowd *c, int64_t ms);
/* Steps for so long. */
void crowd_run(struct crowd *c, int64_t ms);

/* Cuts a viewer off within the next so many bytes that come for it; 0: now. */
void crowd_cut(struct crowd *c, struct crowd_viewer *cv, int64_t bytes, bool reset);
void crowd_deafen(struct crowd *c, struct crowd_viewer *cv, int64_t ms);

/* Viewers whose connection has shown that it is a stream. */
size_t crowd_present(const struct crowd *c);
struct crowd_verdict crowd_judge(const struct crowd *c);

/* Steps until the expression is true; fails the test when that takes longer than ms. */
#define crowd_until(c, ms, expression)                                                             \
    do {                                                                                           \
        int64_t crowd_deadline = clock_deadline_ms(ms);                                            \
        while (!(expression)) {                                                                    \
            if (clock_now_ns() > crowd_deadline)                                                   \
                ck_abort_msg("never became true: %s", #expression);                                \
            crowd_step(c, 2);                                                                      \
        }                                                                                          \
    } while (0)

#endif
