#include "worker/settle_plan.h"

/* An ack that may be counted with its claim. Not after an ambiguous try: it may have been counted
 * alone by that. */
static bool is_plain_ack(const struct job *job)
{
    return !job->ambiguous && (!job->end || (job->end->ack && !job->end->record));
}

static void add_job(struct settle_batch *b, struct job *job)
{
    const struct settlement *end = job->end;
    job->op = b->n;
    if (!end || end->ack)
        settle_ack(b, job->claim->seq, job->index);
    else
        settle_move(b, job->claim->seq, job->index, end->where, end->stats, end->delay_s,
                    end->queue, end->payload.n > 0 ? buf_slice(&end->payload) : job->payload);
    if (end && end->record)
        settle_record(b, end->record->jid, end->record->ttl_s, end->record->where,
                      buf_slice(&end->record->event), end->record->fields, end->record->n);
}

static bool completes(const struct claim *c)
{
    return c->settled + c->settling == c->n;
}

void settle_plan(struct settle_batch *b, struct job *jobs)
{
    for (struct job *job = jobs; job; job = job->next) {
        struct claim *c = job->claim;
        if (c->settling++ == 0) {
            c->acks = 0;
            c->drop_op = NO_OP;
        }
        c->acks += is_plain_ack(job) && !c->piecewise;
    }
    for (struct job *job = jobs; job; job = job->next) {
        job->op = NO_OP;
        if (!is_plain_ack(job) || !completes(job->claim) || job->claim->piecewise)
            add_job(b, job);
    }
    for (struct job *job = jobs; job; job = job->next) {
        struct claim *c = job->claim;
        if (completes(c) && c->drop_op == NO_OP) {
            c->drop_op = b->n;
            settle_ack_claim(b, c->seq, c->acks);
        }
    }
}
