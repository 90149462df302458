#include "chaos.h"

#include <stdio.h>
#include <string.h>

#include "soak.h"

enum {
    PAIR_PERCENT = 50,
    LONG_REST_PERCENT = 25,
    FIRST_REST_MS = 1000, /* so that there are jobs to disturb */
    SHORT_REST_MS = 500,  /* at least … */
    MORE_REST_MS = 2000,  /* … and so much more at most */
    LONG_REST_MS = 10000,
    END_WITHIN_MS = SLOW * 60000,
    SHUFFLE_SERIES = 1 << 30, /* above the numbers of rounds */
};

/* --- choosing ------------------------------------------------------------------------------ */

static int find_fault(const char *name, size_t n)
{
    for (int i = 0; i < nfaults; i++)
        if (strlen(faults[i].name) == n && strncmp(faults[i].name, name, n) == 0)
            return i;
    return -1;
}

bool chaos_choose(struct chaos *c, const char *names)
{
    *c = (struct chaos){0};
    for (int i = 0; !names && i < nfaults; i++)
        c->kind[c->nkinds++] = i;
    while (names && *names) {
        size_t n = strcspn(names, ",");
        int at = find_fault(names, n);
        if (at < 0 || c->nkinds == CHAOS_KINDS_MAX) {
            (void)fprintf(stderr, "--faults: there is no fault \"%.*s\"; allowed:", (int)n, names);
            for (int i = 0; i < nfaults; i++)
                (void)fprintf(stderr, " %s", faults[i].name);
            (void)fprintf(stderr, "\n");
            return false;
        }
        c->kind[c->nkinds++] = at;
        names += n + (names[n] == ',');
    }
    return true;
}

void chaos_init(struct soak *s)
{
    struct chaos *c = &s->chaos;
    struct dice dice = dice_of(s->options.seed, SHUFFLE_SERIES);
    for (int i = c->nkinds - 1; i > 0; i--) {
        int j = (int)dice_below(&dice, (uint64_t)i + 1), kind = c->kind[i];
        c->kind[i] = c->kind[j];
        c->kind[j] = kind;
    }
    c->rest_until_ns = clock_deadline_ms(FIRST_REST_MS);
}

/* --- planning ------------------------------------------------------------------------------ */

static int draw_by_weight(const struct chaos *c, struct dice *dice)
{
    uint64_t sum = 0;
    for (int i = 0; i < c->nkinds; i++)
        sum += faults[c->kind[i]].weight;
    uint64_t at = dice_below(dice, sum);
    int i = 0;
    while (at >= faults[c->kind[i]].weight)
        at -= faults[c->kind[i++]].weight;
    return c->kind[i];
}

static int draw_hungry(const struct chaos *c, struct dice *dice)
{
    int first = (int)dice_below(dice, (uint64_t)c->nkinds);
    for (int i = 0; i < c->nkinds; i++) {
        int kind = c->kind[(first + i) % c->nkinds];
        if (c->bit[kind] == 0)
            return kind;
    }
    return -1;
}

static void plan(struct soak *s, int which, int kind, struct dice *dice, int64_t in_ms)
{
    struct chaos *c = &s->chaos;
    const struct fault *f = &faults[kind];
    int from = f->takes_lasting ? 0 : CREW_LASTING;
    c->trouble[which] = (struct trouble){
        .fault = f,
        .lasts_ms = dice_between(dice, f->shortest_ms, f->longest_ms),
        .victim = (int)dice_between(dice, from, s->crew.n - 1),
        .dice = dice_of(s->options.seed, (c->round + 1) << 32 | (uint64_t)which),
    };
    c->state[which] = TROUBLE_PLANNED;
    c->begins_ns[which] = clock_deadline_ms(in_ms);
}

static bool may_overlap(const struct trouble *a, const struct trouble *b)
{
    return a->fault->place != b->fault->place ||
           (a->fault->place == AT_WORKER && a->victim != b->victim);
}

static void plan_round(struct soak *s)
{
    struct chaos *c = &s->chaos;
    struct dice dice = dice_of(s->options.seed, c->round);
    int kind = c->ending                        ? draw_hungry(c, &dice)
               : c->round < (uint64_t)c->nkinds ? c->kind[c->round]
                                                : draw_by_weight(c, &dice);
    if (kind < 0)
        return;
    plan(s, 0, kind, &dice, 0);
    bool pair = dice_percent(&dice, PAIR_PERCENT) && !c->ending;
    int64_t in_ms = dice_between(&dice, 0, c->trouble[0].lasts_ms);
    plan(s, 1, draw_by_weight(c, &dice), &dice, in_ms);
    if (!pair || !may_overlap(&c->trouble[0], &c->trouble[1]))
        c->state[1] = TROUBLE_NONE;
    c->pairs += c->state[1] == TROUBLE_PLANNED;
    c->rest_ms = dice_percent(&dice, LONG_REST_PERCENT)
                     ? LONG_REST_MS
                     : dice_between(&dice, SHORT_REST_MS, SHORT_REST_MS + MORE_REST_MS);
    c->round++;
}

/* --- going through with it ----------------------------------------------------------------- */

static void set_in_trouble(struct soak *s, const struct trouble *t, bool on)
{
    if (t->fault->place == AT_WORKER)
        s->crew.member[t->victim].in_trouble = on;
}

static void begin(struct soak *s, int which)
{
    struct trouble *t = &s->chaos.trouble[which];
    s->chaos.state[which] = TROUBLE_ON;
    s->chaos.injected[t->fault - faults]++;
    set_in_trouble(s, t, true);
    t->due_ns = clock_deadline_ms(t->lasts_ms);
    if (t->fault->begin)
        t->fault->begin(s, t);
}

/* True when it has ended. */
static bool go_on(struct soak *s, int which)
{
    struct trouble *t = &s->chaos.trouble[which];
    int64_t now_ns = clock_now_ns();
    if (now_ns < t->due_ns) {
        if (t->fault->keep)
            t->fault->keep(s, t);
        return false;
    }
    if (t->fault->end && !t->fault->end(s, t)) {
        if (now_ns > t->due_ns + END_WITHIN_MS * NS_PER_MS)
            ck_abort_msg("%s does not come to an end", t->fault->name);
        return false;
    }
    set_in_trouble(s, t, false);
    s->chaos.bit[t->fault - faults] += t->bit;
    return true;
}

/* A second fault whose moment has not come when the first one is over still comes: it overlaps with
 * what the first one has left behind. */
void chaos_step(struct soak *s)
{
    struct chaos *c = &s->chaos;
    bool idle = true;
    for (int i = 0; i < CHAOS_PAIR; i++) {
        if (c->state[i] == TROUBLE_PLANNED && clock_now_ns() >= c->begins_ns[i])
            begin(s, i);
        else if (c->state[i] == TROUBLE_ON && go_on(s, i)) {
            c->state[i] = TROUBLE_NONE;
            c->rest_until_ns = clock_deadline_ms(c->rest_ms);
        }
        idle = idle && c->state[i] == TROUBLE_NONE;
    }
    if (idle && clock_now_ns() >= c->rest_until_ns)
        plan_round(s);
}

bool chaos_is_over(struct soak *s)
{
    struct dice any = {0};
    s->chaos.ending = true;
    return chaos_count(s) == 0 && draw_hungry(&s->chaos, &any) < 0;
}

void chaos_end(struct soak *s)
{
    struct chaos *c = &s->chaos;
    for (int i = 0; i < CHAOS_PAIR; i++) {
        while (c->state[i] == TROUBLE_ON && !go_on(s, i))
            (void)usleep(5000);
        c->state[i] = TROUBLE_NONE;
    }
}

int chaos_count(const struct soak *s)
{
    int n = 0;
    for (int i = 0; i < CHAOS_PAIR; i++)
        n += s->chaos.state[i] == TROUBLE_ON;
    return n;
}

int chaos_count_but(const struct soak *s, const char *name)
{
    int n = 0;
    for (int i = 0; i < CHAOS_PAIR; i++)
        n += s->chaos.state[i] == TROUBLE_ON && strcmp(s->chaos.trouble[i].fault->name, name) != 0;
    return n;
}

int chaos_bitten(const struct soak *s)
{
    int n = 0;
    for (int i = 0; i < s->chaos.nkinds; i++)
        n += s->chaos.bit[s->chaos.kind[i]] > 0;
    return n;
}
