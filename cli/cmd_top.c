/* sluice top */
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/terminal.h"
#include "cli/time_text.h"
#include "cli/top.h"
#include "store/cancel.h"
#include "store/pause.h"
#include "store/wanted.h"

enum { EVERY = CLI_OPTION };
#define EVERY_MIN_S 0.2
#define EVERY_MAX_S 60.0

static const struct cli_option options[] = {
    {EVERY, "every", "DURATION", "look this often, 0.2 s to 60 s (default: 1 s)"},
    {0},
};

struct top {
    struct session session;
    struct top_screen screen;
    struct top_view view;
    const char *every; /* as it was given; NULL: it was not */
    double every_s;
    int64_t looked_ns;
    void (*asked)(struct top *t); /* what a "y" does; NULL: nothing is asked */
};

static int take_option(void *ctx, int id, const char *value)
{
    struct top *t = ctx;
    if (id == EVERY)
        t->every = value;
    return CLI_GO;
}

/* ---- looking ---- */

static void look(struct top *t)
{
    struct top_view *v = &t->view;
    struct top_look l;
    struct err err = {""};
    int64_t now = clock_now_ns();
    int rc = t->session.redis ? 0 : session_dial(&t->session, &t->session.redis, &err);
    if (rc == 0)
        rc = top_look(&t->session, &l, &err);
    if (rc == 0) {
        top_view_take(v, &l, (double)(now - t->looked_ns) / (double)NS_PER_S);
        t->looked_ns = now;
        v->trouble = (struct err){""};
        return;
    }
    if (!err.text[0])
        (void)err_set(&err, rc, "%s", err_phrase(rc)); /* returns the code */
    v->trouble = err;
    redis_conn_free(t->session.redis); /* whatever it is, a new one is as good */
    t->session.redis = NULL;
}

/* ---- acting ---- */

static void note(struct top *t, int rc, const struct err *err, const char *done, const char *name)
{
    char *to = t->view.note;
    if (rc != 0)
        (void)snprintf(to, sizeof t->view.note, "%.120s: %.120s", name,
                       err->text[0] ? err->text : err_phrase(rc));
    else
        (void)snprintf(to, sizeof t->view.note, "%.120s %s", name, done);
}

static void pause_queue(struct top *t)
{
    const struct queue_info *q = &t->view.look.queues[top_selected(&t->view)];
    struct err err = {""};
    bool changed;
    int rc = store_pause(t->session.store, t->session.redis, q->name, !q->paused, &changed, &err);
    note(t, rc, &err, q->paused ? "goes on" : "is paused", q->name);
}

static void order(struct top *t, enum order_cmd cmd, const char *done)
{
    const struct worker_info *w = &t->view.look.workers[top_selected(&t->view)];
    struct err err = {""};
    struct given given = {0};
    int rc = store_order_give(t->session.store, t->session.redis, w->identity,
                              &(struct order){.cmd = cmd}, &given, &err);
    if (rc == 0)
        reply_free(given.reply);
    note(t, rc, &err, done, w->identity);
}

static void stop_worker(struct top *t)
{
    order(t, ORDER_STOP, "was told to stop");
}

static void cancel_job(struct top *t)
{
    const char *jid = top_name(&t->view, top_selected(&t->view));
    struct err err = {""};
    int rc = store_cancel(t->session.store, t->session.redis, jid, &err);
    note(t, rc, &err, "was told to stop", jid);
}

static void ask(struct top *t, const char *what, void (*yes)(struct top *t))
{
    (void)snprintf(t->view.note, sizeof t->view.note, "%s %.160s? y/n", what,
                   top_name(&t->view, top_selected(&t->view)));
    t->asked = yes;
}

static void act(struct top *t, int key)
{
    struct top_view *v = &t->view;
    if (top_rows(v) == 0 || !t->session.redis)
        return;
    if (v->pane == TOP_QUEUES && key == 'p')
        pause_queue(t);
    else if (v->pane == TOP_WORKERS && key == 'p')
        v->look.workers[top_selected(v)].quiet ? order(t, ORDER_RESUME, "goes on")
                                               : order(t, ORDER_QUIET, "takes no more jobs");
    else if (v->pane == TOP_WORKERS && key == 's')
        ask(t, "Stop", stop_worker);
    else if (v->pane == TOP_JOBS && key == 'c')
        ask(t, "Cancel", cancel_job);
    else
        return;
    if (!t->asked)
        look(t); /* what it did shows at once */
}

/* ---- keys ---- */

static void move_to(struct top *t, int key)
{
    struct top_view *v = &t->view;
    long at = (long)top_selected(v), page = top_list_height();
    top_select(v, key == KEY_UP      ? at - 1
                  : key == KEY_DOWN  ? at + 1
                  : key == KEY_PPAGE ? at - page
                  : key == KEY_NPAGE ? at + page
                  : key == KEY_HOME  ? 0
                                     : (long)top_rows(v) - 1);
}

/* False: that was all. */
static bool press(struct top *t, int key)
{
    struct top_view *v = &t->view;
    void (*asked)(struct top *) = t->asked;
    if (key == ERR)
        return true;
    t->asked = NULL;
    if (key != KEY_RESIZE)
        v->note[0] = '\0';
    switch (key) {
    case 'q':
        return false;
    case 'y':
        if (asked && t->session.redis && top_rows(v) > 0)
            asked(t);
        return true;
    case '\t':
    case KEY_RIGHT:
        v->pane = (enum top_pane)((v->pane + 1) % TOP_PANES);
        return true;
    case KEY_LEFT:
    case KEY_BTAB:
        v->pane = (enum top_pane)((v->pane + TOP_PANES - 1) % TOP_PANES);
        return true;
    case '1':
    case '2':
    case '3':
        v->pane = (enum top_pane)(key - '1');
        return true;
    case KEY_UP:
    case KEY_DOWN:
    case KEY_PPAGE:
    case KEY_NPAGE:
    case KEY_HOME:
    case KEY_END:
        move_to(t, key);
        return true;
    default:
        act(t, key);
        return true;
    }
}

static void show(struct top *t)
{
    int64_t next_ns = 0;
    for (bool on = true; on;) {
        if (clock_now_ns() >= next_ns && !t->asked) { /* a question stays about what it was */
            look(t);
            next_ns = clock_now_ns() + (int64_t)(t->every_s * (double)NS_PER_S);
        }
        top_draw(&t->screen, &t->view);
        int wait = t->asked ? -1 : clock_poll_ms(next_ns);
        timeout(wait);
        on = press(t, getch());
    }
}

/* ---- life ---- */

static int read_options(struct top *t, const struct cli_command *self)
{
    struct err err = {""};
    t->every_s = 1;
    if (t->every && (duration_parse(t->every, &t->every_s, &err) != 0 || t->every_s < EVERY_MIN_S ||
                     t->every_s > EVERY_MAX_S))
        return cli_usage(self, "--every must be 0.2 s to 60 s, and is \"%s\"", t->every);
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return cli_usage(self, "this needs a terminal; for programs there is sluice stats --json");
    return CLI_GO;
}

static int run(const struct cli_command *self, int argc, char **argv)
{
    struct cli_common common = {0};
    struct top t = {0};
    int rc = cli_options(self, argc, argv, &common, take_option, &t);
    if (rc == CLI_GO)
        rc = read_options(&t, self);
    if (rc == CLI_GO)
        rc = session_open(&t.session, &common); /* an address that is wrong shows in plain text */
    if (rc != CLI_GO)
        return rc;

    (void)setlocale(LC_CTYPE, ""); /* without one, blocks become question marks */
    t.screen.where = buf_str(&t.session.where);
    t.screen.colour = terminal_of(STDOUT_FILENO).colour;
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        session_close(&t.session);
        return cli_usage(self, "the terminal (TERM) is not known");
    }
    if (t.screen.colour && has_colors() && start_color() == OK && use_default_colors() == OK) {
        (void)init_pair(1, COLOR_GREEN, -1);
        (void)init_pair(2, COLOR_YELLOW, -1);
        (void)init_pair(3, COLOR_RED, -1);
    } else {
        t.screen.colour = false;
    }
    (void)cbreak(); /* Ctrl-C still ends it, and ncurses restores the terminal */
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)curs_set(0);
    show(&t);
    (void)endwin();
    delscreen(screen);
    top_look_release(&t.view.look);
    session_close(&t.session);
    return CLI_DONE;
}

const struct cli_command cmd_top = {
    .name = "top",
    .summary = "Watch it all, and act: queues, workers, running jobs",
    .usage = "[OPTIONS]",
    .details =
        "Throughput, latency and the gate of all workers together, and a list of queues,\n"
        "workers or running jobs. Keys: tab or 1 to 3 changes the list, up and down choose,\n"
        "p pauses a queue or quiets a worker, and takes that back; s stops a worker, c\n"
        "cancels a job, both after a y; q ends.\n",
    .options = options,
    .reads_redis = true,
    .run = run,
};
