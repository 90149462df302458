/* Live workers, and the queues against who serves them. */
#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/doctor.h"
#include "cli/human.h"

/* Alive: Sluice's by its lease, Sidekiq's by its report. */
static bool is_live(const struct worker_info *w)
{
    return w->sluice ? w->lease : w->info[0] != '\0';
}

int doctor_live(const struct doctor *d)
{
    int n = 0;
    for (size_t i = 0; i < d->nworkers; i++)
        n += d->workers[i].sluice && d->workers[i].lease;
    return n;
}

/* ---- What a process says of itself ---------------------------------------------------------- */

static int find_version(void *ctx, const struct json_member *m)
{
    if (json_key_is(m->key, "version") && m->type == JSON_STRING)
        return json_decode_string(m->value, ctx);
    return 0;
}

/* Whether a live process serves the queue; one that has not reported yet may. */
static bool is_served(const struct doctor *d, const char *queue)
{
    bool served = false;
    for (size_t i = 0; i < d->nworkers && !served; i++)
        served = is_live(&d->workers[i]) && worker_info_serves(&d->workers[i], queue);
    return served;
}

/* ---- Workers -------------------------------------------------------------------------------- */

static void check_workers(struct doctor *d)
{
    int live = doctor_live(d), lost = 0;
    for (size_t i = 0; i < d->nworkers; i++)
        lost += d->workers[i].sluice && !d->workers[i].lease;
    if (live == 0)
        doctor_say(d, DOCTOR_WARNING, "workers", "start one with sluice-worker",
                   "no worker is alive: nothing runs");
    else
        doctor_say(d, DOCTOR_OK, "workers", NULL, "%d live worker%s", live, live == 1 ? "" : "s");
    if (lost > 0)
        doctor_say(d, DOCTOR_WARNING, "dead workers",
                   "when it stays so for a minute, sluice fsck tells more",
                   "%d worker%s no lease; a live one gives their jobs back within the lease and "
                   "5 s",
                   lost, lost == 1 ? " has" : "s have");
}

static void check_versions(struct doctor *d)
{
    struct buf first = {0};
    bool differ = false;
    for (size_t i = 0; i < d->nworkers && !differ; i++) {
        struct buf version = {0};
        enum json_type type;
        if (!d->workers[i].sluice || !d->workers[i].lease ||
            json_scan(slice_of(d->workers[i].info), &type, find_version, &version, NULL) != 0) {
            buf_release(&version);
            continue;
        }
        if (first.n == 0)
            buf_put(&first, buf_slice(&version));
        else if (version.n > 0 && !slice_eq(buf_slice(&first), buf_slice(&version))) {
            differ = true;
            doctor_say(d, DOCTOR_WARNING, "versions", "finish the deployment",
                       "live workers are of different versions: %s and %s, among others",
                       buf_str(&first), buf_str(&version));
        }
        buf_release(&version);
    }
    if (!differ && first.n > 0)
        doctor_say(d, DOCTOR_OK, "versions", NULL, "all live workers are %s", buf_str(&first));
    buf_release(&first);
}

/* ---- Queues --------------------------------------------------------------------------------- */

static const struct queue_info *find(const struct doctor *d, const char *name)
{
    for (size_t i = 0; i < d->nqueues; i++)
        if (strcmp(d->queues[i].name, name) == 0)
            return &d->queues[i];
    return NULL;
}

static bool check_queue(struct doctor *d, const struct queue_info *q)
{
    char jobs[HUMAN_TEXT];
    if (q->wrong_type)
        doctor_say(d, DOCTOR_PROBLEM, "queue", "sluice fsck --repair puts it aside",
                   "the key of the queue \"%s\" is no list: nothing can be enqueued", q->name);
    else if (q->size > 0 && q->paused)
        doctor_say(d, DOCTOR_WARNING, "queue", "take its name out of the set `paused` to go on",
                   "the queue \"%s\" is paused, and %s job%s in it", q->name,
                   human_count(q->size, jobs), q->size == 1 ? " waits" : "s wait");
    else if (q->size > 0 && !is_served(d, q->name))
        doctor_say(d, doctor_live(d) > 0 ? DOCTOR_PROBLEM : DOCTOR_WARNING, "queue",
                   "add it to worker.queues of a worker, and start that",
                   "no live worker serves the queue \"%s\", and %s job%s in it", q->name,
                   human_count(q->size, jobs), q->size == 1 ? " waits" : "s wait");
    else if (q->paused)
        doctor_say(d, DOCTOR_OK, "queue", NULL, "the queue \"%s\" is paused, and empty", q->name);
    else
        return true;
    return false;
}

static void check_queues(struct doctor *d)
{
    bool good = true;
    for (size_t i = 0; i < d->nqueues; i++)
        good = check_queue(d, &d->queues[i]) && good;
    for (int i = 0; i < d->conf->nqueues; i++) {
        const char *name = d->conf->queues[i].name;
        if (find(d, name))
            continue;
        good = false;
        doctor_say(d, DOCTOR_WARNING, "queue", "see that clients use the same name",
                   "worker.queues names \"%s\", which has never had a job or a worker here", name);
    }
    if (good)
        doctor_say(d, DOCTOR_OK, "queues", NULL, "%zu queue%s, none is paused or without a worker",
                   d->nqueues, d->nqueues == 1 ? "" : "s");
}

void doctor_fleet(struct doctor *d)
{
    check_workers(d);
    check_versions(d);
    check_queues(d);
}
