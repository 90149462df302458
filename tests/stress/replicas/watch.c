#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fleet.h"

enum { EVERY_MS = 50, PORTS = 65536, ESTABLISHED = 1 };

/* Whose connections they are: of the process that is there now, or of nobody any more. */
struct connections {
    int live, ghosts;
};

/* The ports that the connections of a namespace come from, as its process sees them. */
static void read_ports(pid_t pid, bool ret[PORTS])
{
    char path[64], line[256];
    unsigned port, state;
    (void)snprintf(path, sizeof path, "/proc/%d/net/tcp", (int)pid);
    FILE *table = fopen(path, "re");
    while (table && fgets(line, sizeof line, table))
        if (sscanf(line, " %*d: %*x:%x %*x:%*x %x", &port, &state) == 2 && state == ESTABLISHED)
            ret[port] = true;
    if (table)
        (void)fclose(table); /* only read */
}

/* The process is asked after the server: what both have is alive. */
static void count_connections(struct fleet *f, struct connections ret[NET_MAX])
{
    static const char field[] = " addr=";
    static bool ports[NET_MAX][PORTS];
    struct reply *list = must_call(f->redis, "CLIENT LIST");
    memset(ports, 0, sizeof ports);
    for (int i = 0; i <= f->replicas.n; i++)
        if (f->replicas.one[i].process.pid > 0)
            read_ports(f->replicas.one[i].process.pid, ports[i]);
    for (const char *at = reply_str(list).p; (at = strstr(at, field)) != NULL; at++) {
        int place = net_place(at + sizeof field - 1);
        if (place < 0 || place > f->replicas.n)
            continue;
        if (ports[place][atoi(strchr(at, ':') + 1)])
            ret[place].live++;
        else
            ret[place].ghosts++;
    }
    reply_free(list);
}

static void keep_most(int *most, int n)
{
    if (n > *most)
        *most = n;
}

void watch_step(struct fleet *f)
{
    struct watch *w = &f->watch;
    struct connections of[NET_MAX] = {0};
    int live = 0, ghosts = 0;
    if (clock_now_ns() < w->next_ns)
        return;
    w->next_ns = clock_deadline_ms(EVERY_MS);
    w->looks++;
    count_connections(f, of);
    for (int i = 0; i < f->replicas.n; i++) {
        live += of[i].live;
        ghosts += of[i].ghosts;
        keep_most(&w->most_of_one, of[i].live);
        if (of[i].live > POOL)
            fleet_complain(f, "replica %d has %d connections, its pool is %d", i, of[i].live, POOL);
    }
    if (live + ghosts > f->replicas.n * POOL)
        fleet_complain(f, "%d replicas with pools of %d have %d connections, %d of them ghosts",
                       f->replicas.n, POOL, live + ghosts, ghosts);
    keep_most(&w->most_live, live);
    keep_most(&w->most_ghosts, ghosts);
    keep_most(&w->most_at_once, live + ghosts);
}

/* --- shares --------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* Lines are "JID ATTEMPT PID start". */
struct shares watch_shares(struct fleet *f, size_t from)
{
    size_t share[NET_MAX] = {0};
    int n = f->replicas.n;
    char *text = worker_process_file(&f->replicas.one[0].process, "oracle.log"),
         *rest = text + from;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        int pid;
        char what[16];
        if (sscanf(line, "%*s %*s %d %15s", &pid, what) != 2 || strcmp(what, "start") != 0)
            continue;
        for (int i = 0; i < n; i++)
            share[i] += f->replicas.one[i].process.pid == pid;
    }
    free(text);
    qsort(share, (size_t)n, sizeof *share, compare);
    return (struct shares){.least = share[0], .median = share[n / 2], .most = share[n - 1]};
}
