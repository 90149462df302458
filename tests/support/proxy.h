/*
 * A proxy in front of a server, that breaks the connection on purpose.
 *
 * One thread listens on a port of 127.0.0.1 and forwards bytes both ways to the server's unix
 * socket, which may be that of another server from some moment on. What it does wrong is set at any
 * time and holds for connections that exist as well as for new ones; the counters let a test verify
 * that the fault did happen: an injection that did not bite is a failed test.
 *
 * Threads: all functions are safe from any thread; stop joins. Ownership: embedded; proxy_stop()
 * closes everything. Errors: 0 or a negative errno with a sentence; no dependency on Check.
 */
#ifndef SLUICE_TESTS_PROXY_H
#define SLUICE_TESTS_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/thread.h"

enum proxy_lane { PROXY_REQUESTS, PROXY_REPLIES, PROXY_LANES };

enum proxy_spell { PROXY_NONE, PROXY_CUT, PROXY_MUTE };

struct proxy_faults {
    bool refuse;                    /* accept and reset at once */
    bool hold;                      /* a client's end is hidden from the server */
    bool black_hole[PROXY_LANES];   /* swallow the bytes and say nothing */
    int64_t delay_ms[PROXY_LANES];  /* hold each chunk back for so long */
    int64_t cut_after[PROXY_LANES]; /* bytes that may pass until a cut; < 0: no cut is armed */
};

struct proxy_stats {
    uint64_t accepted;            /* connections, refused ones included */
    uint64_t refused, cuts;       /* faults that bit */
    uint64_t trapped;             /* likewise */
    uint64_t passed[PROXY_LANES]; /* bytes forwarded */
    uint64_t swallowed[PROXY_LANES];
    int open; /* connections now */
    int held; /* servers' sides without a client now */
};

/* Waits for a request, then spoils the replies of the connection that carried it. */
struct proxy_trap {
    enum proxy_spell spell; /* PROXY_NONE: not armed */
    char text[64];          /* that the request contains, within one read */
    int64_t after;          /* bytes of replies that still pass */
};

struct proxy {
    int port; /* where the proxy listens, on 127.0.0.1 */
    int listener, wake;
    struct thread thread;

    struct mutex mutex; /* guards: all below */
    char upstream[96];  /* the server's unix socket */
    struct proxy_faults faults;
    struct proxy_stats stats;
    struct proxy_trap trap;
    bool drop_all, stopping;
};

int proxy_start(struct proxy *p, const char *upstream, struct err *err) warn_unused_result;
void proxy_stop(struct proxy *p); /* harmless on a zeroed struct */

void proxy_refuse(struct proxy *p, bool on);
void proxy_black_hole(struct proxy *p, enum proxy_lane lane, bool on);
void proxy_delay(struct proxy *p, enum proxy_lane lane, int64_t ms);

/* Arms one cut: k more bytes pass in this lane, summed over all connections, then the connection
 * that carried (or, for k = 0, is about to carry) the last of them is closed on both sides. */
void proxy_cut(struct proxy *p, enum proxy_lane lane, int64_t k);

/* Arms one trap: the first connection whose request contains the text gets its request through;
 * after so many bytes of replies it is closed (PROXY_CUT), or never hears from the server again
 * (PROXY_MUTE). */
void proxy_trap(struct proxy *p, const char *text, enum proxy_spell spell, int64_t after);

/* While on, the server's side stays open when the client's has ended: its ghost. Off ends them. */
void proxy_hold(struct proxy *p, bool on);

/* New connections go to this server, as those to a virtual address do after a failover; the others
 * stay with theirs. */
void proxy_retarget(struct proxy *p, const char *upstream);

/* Closes every connection that is open now. */
void proxy_drop_all(struct proxy *p);

struct proxy_stats proxy_stats(struct proxy *p);

#endif
