/*
 * `sluice top`: what one look at Redis finds, what is shown of it, and what has been chosen.
 *
 *   look (top_look.c) ─▶ view ─▶ screen (top_screen.c)
 *                          ▲
 *                         keys (cmd_top.c)
 *
 * The view survives the looks: a selection stays on its row by name, wherever that moves to.
 *
 * Threads: one. ncurses belongs to the screen and the command's loop.
 */
#ifndef SLUICE_CLI_TOP_H
#define SLUICE_CLI_TOP_H

#include "cli/session.h"
#include "store/inspect.h"

/* ---- one look ---- */

struct top_job {
    char *jid, *klass, *queue, *worker; /* "" when it is not known */
    double started_at;
};

struct top_look {
    struct store_stats stats;
    struct queue_info *queues;
    struct worker_info *workers;
    struct top_job *jobs; /* the longest-running first */
    size_t nqueues, nworkers, njobs;
    int64_t running;   /* of which njobs are here */
    struct gauges sum; /* of the workers that live */
};

/* Some round trips. On failure *ret is as it was. */
int top_look(struct session *session, struct top_look *ret, struct err *err) warn_unused_result;
void top_look_release(struct top_look *l); /* harmless on a zeroed one */

/* ---- the view ---- */

enum top_pane { TOP_QUEUES, TOP_WORKERS, TOP_JOBS, TOP_PANES };
enum { TOP_HISTORY = 240, TOP_NAME = 320 };

struct top_view {
    struct top_look look;
    bool looked;        /* at least once */
    struct err trouble; /* why the last look failed; "": it did not */
    double done_s[TOP_HISTORY], failed_s[TOP_HISTORY]; /* jobs a second, the newest last */
    int samples;
    enum top_pane pane;
    char chosen[TOP_PANES][TOP_NAME]; /* the name of the selected row; "": the first */
    int first[TOP_PANES];             /* row at the top of the list */
    char note[256];                   /* what came of the last key, or a question */
};

/* Takes over a look, after the one before that was taken over `seconds` ago. */
void top_view_take(struct top_view *v, struct top_look *look, double seconds);

size_t top_rows(const struct top_view *v);
const char *top_name(const struct top_view *v, size_t row); /* borrowed from the look */
size_t top_selected(const struct top_view *v);              /* 0 when there is no row */
void top_select(struct top_view *v, long row);              /* the nearest that there is */

/* ---- the screen ---- */

struct top_screen {
    const char *where; /* the address, without credentials */
    bool colour;
};

void top_draw(const struct top_screen *s, struct top_view *v);
int top_list_height(void); /* rows of the list that fit */

#endif
