#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "soak.h"

enum {
    OPEN_MAX = 2000,   /* jobs that wait or run */
    AT_ONCE = 50,      /* pushes in one step */
    PATIENCE_MS = 300, /* for the answer to a push */
    AFTER_ERROR_MS = 50,
};

static const char *const queues[] = {"default", "critical", "low"};

/* A job under construction. */
struct draft {
    const char *class;
    unsigned attempts; /* until it is at rest */
    bool dies, later;  /* later: by the schedule */
    char args[256];    /* more members of the plugin's object: ,"name":value … */
    char fields[64];   /* more members of the envelope, likewise */
};

static void make_plain(struct draft *d, struct dice *dice)
{
    (void)d, (void)dice;
}

static void make_slow(struct draft *d, struct dice *dice)
{
    (void)snprintf(d->args, sizeof d->args, ",\"sleep_ms\":%d", (int)dice_between(dice, 1, 500));
}

static void make_output(struct draft *d, struct dice *dice)
{
    (void)snprintf(d->args, sizeof d->args, ",\"emit\":%d", (int)dice_between(dice, 1, 20));
}

static void make_tracked(struct draft *d, struct dice *dice)
{
    (void)snprintf(d->fields, sizeof d->fields, ",\"track\":true");
    (void)snprintf(d->args, sizeof d->args, ",\"sleep_ms\":%d,\"emit\":2,\"result\":{\"n\":[1,2]}",
                   (int)dice_between(dice, 0, 20));
}

static void make_program(struct draft *d, struct dice *dice)
{
    (void)dice;
    d->class = "program";
}

static void make_later(struct draft *d, struct dice *dice)
{
    (void)dice;
    d->later = true;
}

/* Fails once. Its second attempt comes after 15 to 24 s and ends well. */
static void make_flaky(struct draft *d, struct dice *dice)
{
    (void)dice;
    d->attempts = 2;
    (void)snprintf(d->fields, sizeof d->fields, ",\"retry\":2");
    (void)snprintf(d->args, sizeof d->args, ",\"outcome\":\"fail\",\"until\":1");
}

/* Fails twice and may be tried again once. */
static void make_hopeless(struct draft *d, struct dice *dice)
{
    (void)dice;
    d->attempts = 2;
    d->dies = true;
    (void)snprintf(d->fields, sizeof d->fields, ",\"retry\":1");
    (void)snprintf(d->args, sizeof d->args, ",\"outcome\":\"fail\"");
}

static void make_dying(struct draft *d, struct dice *dice)
{
    (void)dice;
    d->dies = true;
    (void)snprintf(d->args, sizeof d->args, ",\"outcome\":\"dead\"");
}

/* `dead` holds 10,000 jobs before it is trimmed: what dies is rare enough for half an hour. */
static const struct kind {
    unsigned weight; /* of a thousand */
    void (*make)(struct draft *d, struct dice *dice);
} kinds[] = {
    {595, make_plain}, {180, make_slow}, {60, make_output},  {50, make_tracked}, {15, make_program},
    {80, make_later},  {10, make_flaky}, {5, make_hopeless}, {5, make_dying},
};

static const struct kind *draw_kind(struct dice *dice)
{
    unsigned at = (unsigned)dice_below(dice, 1000);
    size_t i = 0;
    while (at >= kinds[i].weight)
        at -= kinds[i++].weight;
    return &kinds[i];
}

/* Bytes of padding: mostly few, at times up to 100 KB. */
static int draw_padding(struct dice *dice)
{
    uint64_t percent = dice_below(dice, 100);
    return (int)dice_below(dice, percent < 90 ? 200 : percent < 98 ? 10000 : 100000);
}

static bool connected(struct soak *s)
{
    struct load *l = &s->load;
    if (l->conn && redis_conn_broken(l->conn)) {
        redis_conn_free(l->conn);
        l->conn = NULL;
    }
    struct redis_options to = server_options(&s->server);
    to.connect_timeout_ms = to.socket_timeout_ms = SLOW * PATIENCE_MS;
    return l->conn || redis_conn_open(&to, &l->conn, NULL) == 0;
}

static char *write_payload(struct soak *s, const struct draft *d, const char *queue)
{
    static const char spaces[] = "                                                               ";
    char jid[ORACLE_JID + 1];
    struct buf b = {0};
    oracle_expect(&s->oracle, d->attempts, d->dies, jid);
    buf_printf(&b,
               "{\"class\":\"%s\",\"jid\":\"%s\",\"queue\":\"%s\",\"created_at\":1.5%s,"
               "\"args\":[{\"log\":\"%s\"%s,\"pad\":\"",
               d->class, jid, queue, d->fields, s->oracle.log, d->args);
    for (int left = draw_padding(&s->load.dice); left > 0; left -= (int)sizeof spaces - 1)
        buf_puts(&b, spaces);
    buf_puts(&b, "\"}]}");
    ck_assert_int_eq(buf_error(&b), 0);
    char *text = strdup(buf_str(&b));
    ck_assert_ptr_nonnull(text);
    buf_release(&b);
    return text;
}

/* False when Redis did not say that it has it. */
static bool push_one(struct soak *s)
{
    struct load *l = &s->load;
    struct draft d = {.class = "test", .attempts = 1};
    const char *queue = queues[dice_below(&l->dice, sizeof queues / sizeof *queues)];
    const struct kind *kind = draw_kind(&l->dice);
    int64_t later_ms = dice_between(&l->dice, 1000, 5000);
    if (s->options.broken)
        queue = queues[0]; /* all that the broken worker can do */
    else
        kind->make(&d, &l->dice);
    char *payload = write_payload(s, &d, queue);
    double due = (double)clock_wall_us() / 1e6 + (double)later_ms / 1e3;
    bool done =
        connected(s) &&
        (d.later ? redis_callf(l->conn, NULL, NULL, "ZADD schedule %f %s", due, payload)
                 : redis_callf(l->conn, NULL, NULL, "LPUSH queue:%s %s", queue, payload)) == 0;
    if (done)
        oracle_ack(&s->oracle, 1);
    else
        l->refused++;
    free(payload);
    return done;
}

void load_init(struct soak *s)
{
    s->load =
        (struct load){.dice = dice_of(s->options.seed, UINT64_MAX), .next_ns = clock_now_ns()};
}

void load_step(struct soak *s)
{
    struct load *l = &s->load;
    int64_t now_ns = clock_now_ns(), every_ns = NS_PER_S / s->options.rate;
    for (int i = 0; i < AT_ONCE && l->next_ns <= now_ns; i++) {
        if (s->oracle.missing >= OPEN_MAX)
            break;
        l->next_ns = push_one(s) ? l->next_ns + every_ns : clock_deadline_ms(AFTER_ERROR_MS);
    }
    if (l->next_ns <= now_ns) /* what was held back is not made up for */
        l->next_ns = now_ns + every_ns;
}

void load_release(struct soak *s)
{
    redis_conn_free(s->load.conn);
    s->load.conn = NULL;
}
