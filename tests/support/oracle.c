#include "support/oracle.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/random.h"

enum { PUSH_AT_ONCE = 100, LOOK_US = 5000, ATTEMPTS_MAX = 31, DEAD_MAX = 10000 };

void oracle_init(struct oracle *o, const struct redis_server *s)
{
    *o = (struct oracle){.server = s};
    (void)snprintf(o->log, sizeof o->log, "%s/oracle.log", s->dir);
    random_hex(o->salt, (ORACLE_JID - 8) / 2);
}

void oracle_release(struct oracle *o)
{
    redis_conn_free(o->conn);
    free(o->jobs);
    *o = (struct oracle){0};
}

void oracle_follow(struct oracle *o, const struct redis_server *s)
{
    redis_conn_free(o->conn);
    o->conn = NULL;
    o->server = s;
}

/* --- pushing ------------------------------------------------------------------------------- */

static bool connected(struct oracle *o)
{
    if (o->conn && redis_conn_broken(o->conn)) {
        redis_conn_free(o->conn);
        o->conn = NULL;
    }
    struct redis_options to = server_options(o->server);
    return o->conn || redis_conn_open(&to, &o->conn, NULL) == 0;
}

void oracle_expect(struct oracle *o, unsigned attempts, bool dies, char ret_jid[ORACLE_JID + 1])
{
    if (o->njobs == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 1024;
        o->jobs = realloc(o->jobs, o->cap * sizeof *o->jobs);
        ck_assert_ptr_nonnull(o->jobs);
    }
    (void)snprintf(ret_jid, ORACLE_JID + 1, "%s%08zx", o->salt, o->njobs);
    o->jobs[o->njobs++] = (struct oracle_job){.owes = (uint8_t)attempts, .dies = dies};
}

char *oracle_payload(struct oracle *o, const char *queue, const char *args,
                     char ret_jid[ORACLE_JID + 1])
{
    char jid[ORACLE_JID + 1];
    oracle_expect(o, 1, false, jid);
    char *payload;
    int n = asprintf(&payload,
                     "{\"class\":\"test\",\"jid\":\"%s\",\"queue\":\"%s\",\"created_at\":1.5,"
                     "\"args\":[{\"log\":\"%s\"%s%s}]}",
                     jid, queue, o->log, *args ? "," : "", args);
    ck_assert_int_gt(n, 0);
    if (ret_jid)
        memcpy(ret_jid, jid, sizeof jid);
    return payload;
}

static bool at_rest(const struct oracle_job *job)
{
    return __builtin_popcount(job->settled) >= job->owes;
}

void oracle_ack(struct oracle *o, size_t jobs)
{
    for (size_t i = o->njobs - jobs; i < o->njobs; i++) {
        o->missing += !o->jobs[i].acked && !at_rest(&o->jobs[i]);
        o->acked += !o->jobs[i].acked;
        o->jobs[i].acked = true;
    }
}

void oracle_tail_begins(struct oracle *o)
{
    o->tail_from = o->njobs;
    o->tail_to = SIZE_MAX;
}

void oracle_tail_ends(struct oracle *o)
{
    o->tail_to = o->njobs;
}

enum { REPLICATED_WITHIN_MS = 5000 };

static bool is_replicated(struct oracle *o)
{
    struct reply *replicas = NULL;
    if (o->replicas == 0)
        return true;
    bool yes = redis_callf(o->conn, &replicas, NULL, "WAIT %d %d", o->replicas,
                           REPLICATED_WITHIN_MS) == 0 &&
               reply_int(replicas) >= o->replicas;
    reply_free(replicas);
    return yes;
}

static bool push(struct oracle *o, const char *queue, const char *args, int n)
{
    struct command cmd = {0};
    char *payloads[PUSH_AT_ONCE];
    command_text(&cmd, "LPUSH");
    command_printf(&cmd, "queue:%s", queue);
    for (int i = 0; i < n; i++) {
        payloads[i] = oracle_payload(o, queue, args, NULL);
        command_text(&cmd, payloads[i]);
    }
    bool done = connected(o) && redis_call(o->conn, &cmd, NULL, NULL) == 0 && is_replicated(o);
    if (done)
        oracle_ack(o, (size_t)n);
    for (int i = 0; i < n; i++)
        free(payloads[i]);
    command_release(&cmd);
    return done;
}

bool oracle_push(struct oracle *o, const char *queue, const char *args)
{
    return push(o, queue, args, 1);
}

void oracle_push_many(struct oracle *o, const char *queue, const char *args, int n)
{
    for (int left = n; left > 0; left -= PUSH_AT_ONCE)
        ck_assert(push(o, queue, args, left < PUSH_AT_ONCE ? left : PUSH_AT_ONCE));
}

/* --- reading ------------------------------------------------------------------------------- */

static struct oracle_job *find(struct oracle *o, const char *jid)
{
    char *end;
    size_t salt = strlen(o->salt);
    if (strlen(jid) != ORACLE_JID || strncmp(jid, o->salt, salt) != 0)
        return NULL;
    unsigned long i = strtoul(jid + salt, &end, 16);
    return *end == '\0' && i < o->njobs ? &o->jobs[i] : NULL;
}

const struct oracle_job *oracle_find(struct oracle *o, const char *jid)
{
    return find(o, jid);
}

void oracle_close(struct oracle *o)
{
    oracle_read(o);
    o->closed = true;
}

static void note_start(struct oracle *o, struct oracle_job *job, uint32_t attempt)
{
    o->started++;
    o->running++;
    o->revived += o->closed && at_rest(job);
    job->starts++;
    job->attempts |= attempt;
}

static void note_end(struct oracle *o, struct oracle_job *job, uint32_t attempt)
{
    bool rested = at_rest(job);
    o->running--;
    o->ended += job->ends == 0;
    job->ends++;
    job->settled |= attempt;
    o->missing -= job->acked && !rested && at_rest(job);
}

static void note(struct oracle *o, const char *line)
{
    char jid[64], what[16];
    int64_t attempt;
    long pid;
    if (sscanf(line, "%63s %" SCNd64 " %ld %15s", jid, &attempt, &pid, what) != 4)
        ck_abort_msg("a line of the oracle's log is odd: %s", line);
    struct oracle_job *job = find(o, jid);
    uint32_t bit = UINT32_C(1) << (attempt < ATTEMPTS_MAX ? attempt : ATTEMPTS_MAX);
    if (!job)
        o->unexpected++;
    else if (strcmp(what, "start") == 0)
        note_start(o, job, bit);
    else if (strcmp(what, "end") == 0)
        note_end(o, job, bit);
}

void oracle_read(struct oracle *o)
{
    struct stat st;
    int fd = open(o->log, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || (size_t)st.st_size == o->offset) {
        if (fd >= 0)
            (void)close(fd); /* only read */
        return;              /* no job has run yet, or none since */
    }
    size_t size = (size_t)st.st_size - o->offset;
    char *text = calloc(size + 1, 1);
    ck_assert_ptr_nonnull(text);
    ssize_t n = pread(fd, text, size, (off_t)o->offset);
    (void)close(fd); /* likewise */
    char *line = text, *end;
    while (n > 0 && (end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        note(o, line);
        line = end + 1;
    }
    o->offset += (size_t)(line - text);
    free(text);
}

size_t oracle_running(struct oracle *o)
{
    oracle_read(o);
    return o->running;
}

size_t oracle_started(struct oracle *o)
{
    oracle_read(o);
    return o->started;
}

size_t oracle_ended(struct oracle *o)
{
    oracle_read(o);
    return o->ended;
}

/* Marks the jobs that lie in a sorted set. False when Redis does not answer. */
static bool look_into(struct oracle *o, const char *set, bool dead)
{
    static const char field[] = "\"jid\":\"";
    struct reply *members = NULL;
    if (!connected(o) || redis_callf(o->conn, &members, NULL, "ZRANGE %s 0 -1", set) != 0)
        return false;
    for (size_t i = 0; i < reply_count(members); i++) {
        const char *text = reply_str(reply_at(members, i)).p, *at = strstr(text, field);
        char jid[ORACLE_JID + 1] = "";
        if (at)
            (void)snprintf(jid, sizeof jid, "%s", at + sizeof field - 1);
        struct oracle_job *job = find(o, jid);
        if (!job)
            continue;
        job->kept += job->kept < UINT8_MAX;
        job->dead = job->dead || dead;
        job->buried = dead && strstr(text, "\"error_class\":\"WorkerDied\"") != NULL;
    }
    o->ndead += dead ? reply_count(members) : 0;
    reply_free(members);
    return true;
}

static bool look_at_kept(struct oracle *o)
{
    for (size_t i = 0; i < o->njobs; i++) {
        o->jobs[i].kept = 0;
        o->jobs[i].dead = o->jobs[i].buried = false;
    }
    o->ndead = 0;
    return look_into(o, "retry", false) && look_into(o, "dead", true);
}

/* --- judging ------------------------------------------------------------------------------- */

/* Is it in retry or dead as it should be? One that its workers' deaths have buried lies in dead
 * whatever else was expected; dead holds so many, and is trimmed then. */
static bool is_misplaced(const struct oracle *o, const struct oracle_job *job)
{
    if (job->kept == 0)
        return job->dies && at_rest(job) && o->ndead < DEAD_MAX;
    if (job->kept > 1)
        return true;
    return !job->buried && (job->dead ? !job->dies || !at_rest(job) : at_rest(job));
}

/* Acknowledged jobs that are nowhere, outside the tail or in it. */
static size_t missing(const struct oracle *o, bool in_tail)
{
    size_t n = 0;
    for (size_t i = 0; i < o->njobs; i++)
        if ((i >= o->tail_from && i < o->tail_to) == in_tail)
            n += o->jobs[i].acked && !at_rest(&o->jobs[i]) && !o->jobs[i].kept;
    return n;
}

bool oracle_drain(struct oracle *o, int64_t ms)
{
    int64_t deadline_ns = clock_deadline_ms(ms);
    for (;;) {
        oracle_read(o);
        if (o->missing == 0 || (look_at_kept(o) && missing(o, false) == 0))
            return true;
        if (clock_now_ns() > deadline_ns)
            return false;
        (void)usleep(LOOK_US);
    }
}

struct oracle_figures oracle_figures(struct oracle *o)
{
    oracle_read(o);
    /* The first look may only find that the server has been another one since. */
    ck_assert(look_at_kept(o) || look_at_kept(o));
    struct oracle_figures f = {
        .acked = o->acked,
        .executions = o->started,
        .ended = o->ended,
        .lost = missing(o, false),
        .tail = missing(o, true),
        .unexpected = o->unexpected,
        .revived = o->revived,
    };
    for (size_t i = 0; i < o->njobs; i++) {
        const struct oracle_job *job = &o->jobs[i];
        f.kept += job->kept > 0;
        f.duplicates += job->starts - (unsigned)__builtin_popcount(job->attempts);
        f.misplaced += is_misplaced(o, job);
        f.settled += (unsigned)__builtin_popcount(job->settled) + job->buried;
    }
    return f;
}

struct oracle_figures oracle_check(struct oracle *o, const char *title, size_t max_duplicates)
{
    struct oracle_figures f = oracle_figures(o);
    (void)printf("%s: %zu acked, %zu executions, %zu ended, %zu in retry or dead; lost %zu, "
                 "unexpected %zu, duplicates %zu (at most %zu)\n",
                 title, f.acked, f.executions, f.ended, f.kept, f.lost, f.unexpected, f.duplicates,
                 max_duplicates);
    (void)fflush(stdout); /* Check leaves by _exit */
    ck_assert_uint_eq(f.lost, 0);
    ck_assert_uint_eq(f.unexpected, 0);
    ck_assert_uint_le(f.duplicates, max_duplicates);
    return f;
}
