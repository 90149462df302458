#include "crew.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "support/broken_worker.h"

#include "soak.h"

const double crew_lease_s = SLOW > 1 ? 6 : 3;

enum { STOP_WITHIN_MS = SLOW * 60000, CLAIM_MAX = 100, BROKEN_JOB_MS = 20 };

/* malloc keeps what a thread has freed for that thread, up to a bound of its own. These caches fill
 * for hours, and would hide a leak in what they take. */
static const char *const without_caches[] = {"GLIBC_TUNABLES=glibc.malloc.tcache_count=0", NULL};

/* The handler that is a program leaves the same lines as the plugin does. */
#define PROGRAM                                                                                    \
    "  - class: program\n"                                                                         \
    "    exec: [/bin/sh, -c, 'n=\"$SLUICE_JID $SLUICE_ATTEMPT $$\"; echo \"$n start\" >>\"$LOG\";" \
    " cat >/dev/null; echo \"{}\"; echo \"$n end\" >>\"$LOG\"']\n"

static void start_broken(struct soak *s, struct member *m)
{
    m->process = (struct worker_process){
        .server = &s->server,
        .pid = broken_worker_start(s->server.url, s->oracle.log, BROKEN_JOB_MS)};
}

void crew_start(struct soak *s, int i)
{
    struct member *m = &s->crew.member[i];
    char text[2048];
    worker_process_free(&m->process);
    if (s->options.broken) {
        start_broken(s, m);
        return;
    }
    int n = snprintf(text, sizeof text,
                     "worker: {threads: %d, queues: " LOAD_QUEUES ", lease: %g, stream_ttl: 5}\n"
                     "redis: {socket_timeout: 1, connect_timeout: 1, idle_timeout: 1}\n"
                     "handlers:\n" PROGRAM "    env: {LOG: \"%s\"}\n" TEST_HANDLER,
                     CREW_THREADS, crew_lease_s, s->oracle.log);
    ck_assert_int_lt(n, (int)sizeof text);
    worker_process_spawn(&m->process, &s->server,
                         &(struct worker_options){.settings = text,
                                                  .url = m->proxied ? s->proxy_url : NULL,
                                                  .env = without_caches});
}

void crew_init(struct soak *s)
{
    s->crew.n = s->options.workers;
    for (int i = 0; i < s->crew.n; i++) {
        s->crew.member[i].proxied = i % 2 == 1;
        crew_start(s, i);
    }
    for (int i = 0; i < s->crew.n && !s->options.broken; i++)
        worker_process_wait_ready(&s->crew.member[i].process, "");
}

void crew_kill(struct soak *s, int i)
{
    worker_process_kill(&s->crew.member[i].process);
}

void crew_step(struct soak *s)
{
    for (int i = 0; i < s->crew.n; i++) {
        struct member *m = &s->crew.member[i];
        if (m->in_trouble || !worker_process_ended(&m->process))
            continue;
        soak_complain(s, "worker %d ended by itself with status %d", i, m->process.status);
        crew_start(s, i);
    }
}

void crew_stop(struct soak *s)
{
    if (s->options.broken)
        return; /* killed with the release */
    for (int i = 0; i < s->crew.n; i++)
        worker_process_signal(&s->crew.member[i].process, SIGTERM);
    for (int i = 0; i < s->crew.n; i++) {
        int status = worker_process_wait(&s->crew.member[i].process, STOP_WITHIN_MS);
        if (status != 0)
            soak_complain(s, "worker %d stopped with status %d", i, status);
    }
}

void crew_release(struct soak *s)
{
    for (int i = 0; i < s->crew.n; i++)
        worker_process_free(&s->crew.member[i].process);
}

const char *crew_identity(struct soak *s, int i)
{
    struct worker_process *w = &s->crew.member[i].process;
    if (!w->identity[0] && w->log[0])
        (void)worker_process_identify(w); /* "" is an answer */
    return w->identity;
}

bool crew_claimed(struct soak *s, const char *identity, void (*see)(void *ctx, const char *payload),
                  void *ctx)
{
    struct reply *claims = NULL;
    if (!identity[0])
        return true;
    if (!soak_ask(s, &claims, "HKEYS sluice:claims:%s", identity))
        return false;
    bool all = true;
    for (size_t i = 0; all && i < reply_count(claims); i++) {
        struct reply *jobs = NULL;
        all = soak_ask(s, &jobs, "LRANGE sluice:claim:%s:%s 0 -1", identity,
                       reply_str(reply_at(claims, i)).p);
        for (size_t j = 0; j < reply_count(jobs); j++)
            if (reply_str(reply_at(jobs, j)).p[0] == '{') /* else its end is written */
                see(ctx, reply_str(reply_at(jobs, j)).p);
        reply_free(jobs);
    }
    reply_free(claims);
    return all;
}

static void count(void *ctx, const char *payload)
{
    (void)payload;
    ++*(size_t *)ctx;
}

size_t crew_at_stake(struct soak *s, int i)
{
    size_t n = 0;
    if (!crew_claimed(s, crew_identity(s, i), count, &n))
        n = CLAIM_MAX;
    return n + CREW_THREADS;
}
