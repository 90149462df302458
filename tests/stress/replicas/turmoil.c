#include "turmoil.h"

#include "fleet.h"

enum {
    LEFT = 2, /* at work */
    TURMOIL_SERIES = 1,
};

void turmoil_init(struct fleet *f)
{
    f->turmoil = (struct turmoil){.dice = dice_of(f->options.seed, TURMOIL_SERIES),
                                  .fewest = f->options.replicas};
}

/* One that is up, from a random one on; -1 when there is none, or none may be lost. */
static int draw(struct fleet *f, bool may_be_cut)
{
    int first = (int)dice_below(&f->turmoil.dice, (uint64_t)f->replicas.n);
    for (int i = 0; i < f->replicas.n; i++) {
        int at = (first + i) % f->replicas.n;
        const struct replica *r = &f->replicas.one[at];
        if (r->state == REPLICA_UP && (r->cut ? may_be_cut : replicas_reached(f) > LEFT))
            return at;
    }
    return -1;
}

static void kill_some(struct fleet *f)
{
    struct dice *dice = &f->turmoil.dice;
    for (int64_t n = dice_between(dice, 1, 3); n > 0; n--) {
        int at = draw(f, true);
        if (at >= 0)
            replica_kill(f, at, dice_between(dice, 0, 3000));
    }
}

/* Half of them for less than a lease. */
static void cut_some(struct fleet *f)
{
    struct dice *dice = &f->turmoil.dice;
    for (int64_t n = dice_between(dice, 1, 3); n > 0; n--) {
        int at = draw(f, false);
        int64_t ms = dice_percent(dice, 50) ? dice_between(dice, 100, 2500)
                                            : dice_between(dice, 3000, 10000);
        if (at >= 0)
            replica_cut(f, at, ms);
    }
}

static void shrink(struct fleet *f)
{
    for (int64_t n = dice_between(&f->turmoil.dice, 1, f->replicas.n); n > 0; n--) {
        int at = draw(f, true);
        if (at >= 0)
            replica_stop(f, at);
    }
}

static void grow(struct fleet *f)
{
    f->turmoil.grows++;
    for (int i = 0; i < f->replicas.n; i++)
        if (f->replicas.one[i].state != REPLICA_UP)
            replica_start_in(f, i, 0);
}

static void note_size(struct fleet *f)
{
    int up = 0;
    for (int i = 0; i < f->replicas.n; i++)
        up += f->replicas.one[i].state == REPLICA_UP;
    if (up < f->turmoil.fewest)
        f->turmoil.fewest = up;
    if (up > f->turmoil.most)
        f->turmoil.most = up;
}

void turmoil_step(struct fleet *f)
{
    static void (*const deeds[TURMOIL_KINDS])(struct fleet * f) = {kill_some, cut_some, shrink,
                                                                   grow};
    struct turmoil *t = &f->turmoil;
    note_size(f);
    if (clock_now_ns() < t->next_ns)
        return;
    uint64_t at = dice_below(&t->dice, TURMOIL_KINDS);
    if (t->deeds == 0)
        t->first = (unsigned)at;
    deeds[t->deeds < TURMOIL_KINDS ? (t->first + t->deeds) % TURMOIL_KINDS : at](f);
    t->deeds++;
    t->next_ns = clock_deadline_ms(dice_between(&t->dice, 200, 2000));
}

bool turmoil_was_had(const struct fleet *f)
{
    return f->replicas.kills > 0 && f->replicas.cuts > 0 && f->replicas.stops > 0 &&
           f->turmoil.grows > 0;
}

void turmoil_end(struct fleet *f)
{
    for (int i = 0; i < f->replicas.n; i++)
        f->replicas.one[i].plug_ns = 0;
    grow(f);
}
