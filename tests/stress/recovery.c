#include "recovery.h"

#include <stdio.h>
#include <string.h>

#include "soak.h"

enum { LOOK_MS = 100, SETTLE_MS = 3000 };

static void note_job(void *ctx, const char *payload)
{
    struct recovery_case *c = ctx;
    const char *at = strstr(payload, "\"jid\":\"");
    if (at && c->jobs < RECOVERY_JOBS)
        (void)snprintf(c->job[c->jobs++].jid, ORACLE_JID + 1, "%s", at + 7);
}

/* While Redis does not answer, nobody can have recovered them either: later will do. */
static void read_claims(struct soak *s, struct recovery_case *c)
{
    c->jobs = 0;
    c->read = crew_claimed(s, c->identity, note_job, c);
    oracle_read(&s->oracle);
    for (size_t i = 0; i < c->jobs; i++) {
        const struct oracle_job *job = oracle_find(&s->oracle, c->job[i].jid);
        c->job[i].starts = job ? job->starts : 0;
        c->job[i].begun = false;
    }
    s->recovery.jobs += c->read ? c->jobs : 0;
}

void recovery_begin(struct soak *s, const char *identity)
{
    struct recovery *r = &s->recovery;
    r->kills++;
    for (int i = 0; i < RECOVERY_CASES && identity[0]; i++) {
        struct recovery_case *c = &r->cases[i];
        if (c->identity[0])
            continue;
        *c = (struct recovery_case){.killed_ns = clock_now_ns()};
        (void)snprintf(c->identity, sizeof c->identity, "%s", identity);
        read_claims(s, c);
        return;
    }
    r->unmeasured += identity[0] != '\0';
}

static void close_case(struct recovery *r, struct recovery_case *c)
{
    int64_t ms = (c->last_ns - c->killed_ns) / NS_PER_MS;
    if (c->begun > 0) {
        times_add(&r->all, ms);
        if (!c->disturbed)
            times_add(&r->undisturbed, ms);
    }
    c->identity[0] = '\0';
}

static void look(struct soak *s, struct recovery_case *c)
{
    int64_t now_ns = clock_now_ns();
    if (!c->read)
        read_claims(s, c);
    for (size_t i = 0; i < c->jobs; i++) {
        const struct oracle_job *job = oracle_find(&s->oracle, c->job[i].jid);
        if (c->job[i].begun || !job || job->starts <= c->job[i].starts)
            continue;
        c->job[i].begun = true;
        c->begun++;
        c->last_ns = now_ns;
    }
    if (c->gone_ns == 0 && soak_count(s, "SISMEMBER sluice:workers %s", c->identity) == 0)
        c->gone_ns = now_ns;
    bool quiet =
        now_ns - (c->last_ns > c->gone_ns ? c->last_ns : c->gone_ns) > SLOW * SETTLE_MS * NS_PER_MS;
    if (c->read && c->gone_ns > 0 && (c->begun == c->jobs || quiet))
        close_case(&s->recovery, c);
}

void recovery_step(struct soak *s)
{
    struct recovery *r = &s->recovery;
    bool due = clock_now_ns() >= r->next_ns;
    for (int i = 0; i < RECOVERY_CASES; i++) {
        struct recovery_case *c = &r->cases[i];
        c->disturbed = c->disturbed || chaos_count_but(s, "worker-kill") > 0;
        if (c->identity[0] && due)
            look(s, c);
    }
    if (due)
        r->next_ns = clock_deadline_ms(LOOK_MS);
}

void recovery_end(struct soak *s)
{
    for (int i = 0; i < RECOVERY_CASES; i++)
        if (s->recovery.cases[i].identity[0])
            close_case(&s->recovery, &s->recovery.cases[i]);
}

void recovery_release(struct soak *s)
{
    times_release(&s->recovery.all);
    times_release(&s->recovery.undisturbed);
    s->recovery = (struct recovery){0};
}
