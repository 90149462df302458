/*
 * Viewers of output under faults: each of them has every event once and in order, whatever is cut,
 * killed and restarted between the handler and its eyes.
 *
 * Half of the streams are of jobs that a real worker runs; the other half is appended by the store,
 * as a worker does it, and now and then without a word to the viewers. Redis keeps an append-only
 * file and writes it before it answers (`appendfsync no` loses what only the system has when power
 * goes, and nothing when the process dies), so what a viewer has seen stays.
 */
#include "integration/test_api.h"
#include "stage.h"
#include "support/crowd.h"
#include "support/show.h"

enum {
    VIEWERS = SLOW > 1 ? 300 : 2000,
    LATE = VIEWERS / 10, /* of these, come in the middle */
    STREAMS = 50,
    OWN = STREAMS / 2, /* of these are not of jobs */
    FAT = 2,           /* of these are larger than what the API keeps of one */
    EVENTS = SLOW > 1 ? 150 : 400,
    PADDING = 60,
    FAT_PADDING = 800000 / EVENTS,
    TICKS = 10, /* between two faults, at least */
    TICK_OF_MS = 30,
    EMIT_MS = SLOW > 1 ? 45 : 18,
    CONNECTIONS = 50, /* redis.max_connections of the API */
};

/* ---- the house ---- */

static struct crowd crowd;
static struct show shows[STREAMS];
static struct show_staff staff;
static struct proxy proxy;
static struct worker_process emitter;
static char proxy_url[64];
static int peak;            /* connections of the API to Redis */
static int64_t server_peak; /* … and of all */

static void open_house(void)
{
    static const char *const extra[] = {
        "--appendonly", "yes", "--appendfsync", "no", "--auto-aof-rewrite-percentage", "0", NULL};
    struct err err = {""};
    must_start(&server, &(struct redis_server_options){.extra = extra});
    open_redis();
    ck_assert_msg(proxy_start(&proxy, server.socket, &err) == 0, "%s", err.text);
    (void)snprintf(proxy_url, sizeof proxy_url, "redis://127.0.0.1:%d/0", proxy.port);
    show_staff_begin(&staff, redis);
    start_api_at(proxy_url, NULL, NULL);
}

static void close_house(void)
{
    worker_process_free(&emitter);
    crowd_free(&crowd);
    show_staff_end(&staff);
    tear_down();
    proxy_stop(&proxy);
}

static void name_shows(void)
{
    for (int i = 0; i < STREAMS; i++)
        show_init(&shows[i], i, EVENTS, i < FAT ? FAT_PADDING : PADDING);
    shows[OWN - 1].events = EVENTS / 4; /* others go on while the viewers find that out */
    shows[OWN - 1].leaves_silently = true;
}

static void seat_viewers(struct dice *dice)
{
    for (int i = 0; i < VIEWERS; i++) {
        const struct show *s = &shows[i % STREAMS];
        struct crowd_viewer *cv = crowd_join(&crowd, port, s->jid, s->events + 1,
                                             s->number < OWN ? show_judge : show_judge_job, s);
        if (i >= VIEWERS - LATE)
            cv->dial_ns = clock_deadline_ms(dice_between(dice, 500, 5000));
    }
}

static void start_jobs(void)
{
    worker_process_start(
        &emitter, &server,
        &(struct worker_options){.settings = "worker: {threads: 30}\nhandlers:\n" TEST_HANDLER});
    for (int i = OWN; i < STREAMS; i++)
        must_do(redis,
                "LPUSH queue:default {\"class\":\"test\",\"jid\":\"%s\",\"args\":"
                "[{\"emit\":%d,\"emit_ms\":%d}]}",
                shows[i].jid, EVENTS, EMIT_MS);
}

static void note_peaks(void)
{
    int open = proxy_stats(&proxy).open;
    peak = open > peak ? open : peak;
    char *clients = must_text(redis, "INFO clients");
    int64_t n = strtoll(strstr(clients, "connected_clients:") + 18, NULL, 10);
    server_peak = n > server_peak ? n : server_peak;
    free(clients);
}

/* Connections that are subscribed to streams; a worker's has two channels, of orders. */
static int feeds(void)
{
    int n = 0;
    char *list = must_text(redis, "CLIENT LIST TYPE pubsub");
    for (const char *at = list; (at = strstr(at, " sub=")) != NULL; at += 5)
        n += strtol(at + 5, NULL, 10) > 2;
    free(list);
    return n;
}

/* Every stream that goes on has one subscriber, and that is the same for all. */
static bool one_subscription(void)
{
    for (const struct show *s = shows; s < shows + STREAMS; s++) {
        struct reply *r = must_call(redis, "PUBSUB NUMSUB sluice:stream:%s", s->jid);
        int64_t n = reply_int(reply_at(r, 1));
        reply_free(r);
        if (n > 1 || (n == 0 && must_int(redis, "LLEN sluice:stream:%s", s->jid) <= s->events))
            return false;
    }
    return feeds() == 1;
}

/* ---- faults ---- */

/* Each is to make the API connect anew; it may have to wait until it can. */
struct strike {
    bool (*ready)(void);
    void (*inject)(struct dice *dice);
};

static uint64_t connects(void)
{
    return proxy_stats(&proxy).accepted;
}

static bool always(void)
{
    return true;
}

static bool is_fed(void)
{
    return feeds() == 1;
}

static bool has_both_kinds(void)
{
    return is_fed() && proxy_stats(&proxy).open > 1;
}

static void cut_feed(struct dice *dice)
{
    (void)dice;
    ck_assert_int_ge(must_int(redis, "CLIENT KILL TYPE pubsub"), 1);
}

static void cut_clients(struct dice *dice)
{
    (void)dice;
    ck_assert_int_ge(must_int(redis, "CLIENT KILL TYPE normal SKIPME yes"), 1);
}

static void cut_bytes(struct dice *dice)
{
    uint64_t before = proxy_stats(&proxy).cuts;
    proxy_cut(&proxy, PROXY_REPLIES, dice_between(dice, 0, 2000));
    crowd_until(&crowd, DRAIN_MS, proxy_stats(&proxy).cuts == before + 1);
}

static void cut_link(struct dice *dice)
{
    (void)dice;
    proxy_drop_all(&proxy);
}

static void bring_redis_back(void)
{
    struct redis_options to = server_options(&server);
    redis_conn_free(redis);
    redis = NULL;
    crowd_run(&crowd, 100);
    must_restart(&server);
    crowd_until(&crowd, DRAIN_MS, redis_conn_open(&to, &redis, NULL) == 0);
    staff.redis = redis;
}

static void kill_redis(struct dice *dice)
{
    (void)dice;
    redis_server_kill(&server);
    bring_redis_back();
}

static void stop_redis(struct dice *dice)
{
    (void)dice;
    redis_server_stop(&server);
    bring_redis_back();
}

static void kill_api(struct dice *dice)
{
    (void)dice;
    uint64_t before = crowd.hangups;
    worker_process_kill(&worker);
    worker_process_free(&worker);
    crowd_until(&crowd, DRAIN_MS, crowd.hangups > before + VIEWERS / 4);
    start_api_again(proxy_url, NULL, NULL);
}

static const struct strike strikes[] = {
    {is_fed, cut_feed},   {is_fed, cut_feed},   {has_both_kinds, cut_clients},
    {is_fed, cut_bytes},  {is_fed, cut_bytes},  {is_fed, cut_link},
    {is_fed, kill_redis}, {is_fed, stop_redis}, {always, kill_api},
};
enum { STRIKES = sizeof strikes / sizeof *strikes };

static void shuffle(struct strike *to, struct dice *dice)
{
    memcpy(to, strikes, sizeof strikes);
    for (size_t i = STRIKES - 1; i > 0; i--) {
        size_t with = dice_below(dice, i + 1);
        struct strike other = to[with];
        to[with] = to[i];
        to[i] = other;
    }
}

/* Of themselves. */
static void disturb_viewers(struct dice *dice)
{
    for (int i = 0; i < VIEWERS / 100; i++)
        crowd_cut(&crowd, &crowd.viewer[dice_below(dice, VIEWERS)], dice_between(dice, 0, 2000),
                  dice_percent(dice, 50));
    for (int i = 0; i < 1 + VIEWERS / 400; i++)
        crowd_deafen(&crowd, &crowd.viewer[dice_below(dice, VIEWERS)],
                     dice_between(dice, 100, 1500));
}

/* A moment of the play: streams go on, up to so many events. */
static void play(struct dice *dice, int64_t up_to)
{
    for (struct show *s = shows; s < shows + OWN; s++)
        if (s->length < up_to)
            show_go_on(s, &staff, (int64_t)dice_below(dice, 6), dice);
    disturb_viewers(dice);
    crowd_run(&crowd, TICK_OF_MS);
    note_peaks();
}

/* ---- tests ---- */

static void print_figures(const struct crowd_verdict *v, int64_t begun_ns)
{
    (void)printf(
        "viewers: %d on %d streams, %lld events seen, %llu of them in the stream without a "
        "message; %llu reconnects: %llu cut, %llu reset, %llu cut off (%llu in the middle "
        "of an event), %llu found nobody; %llu deaf; the API had %d connections to Redis "
        "at most (%d allowed), one of them subscribed, Redis %lld of all; %.1f s\n",
        VIEWERS, STREAMS, (long long)v->events, (unsigned long long)staff.silent,
        (unsigned long long)crowd.dials - VIEWERS, (unsigned long long)crowd.cuts,
        (unsigned long long)crowd.resets, (unsigned long long)crowd.hangups,
        (unsigned long long)crowd.torn, (unsigned long long)crowd.refused,
        (unsigned long long)crowd.deaf, peak, CONNECTIONS, (long long)server_peak,
        (double)ms_since(begun_ns) / 1000);
    (void)fflush(stdout);
}

/* All faults, in an order of their own, while streams go on to shortly before their end. */
static void strike_all(struct dice *dice)
{
    struct strike order[STRIKES];
    shuffle(order, dice);
    for (int i = 0; i < STRIKES; i++) {
        int64_t up_to = EVENTS * (i + 1) / (STRIKES + 1);
        for (int tick = 0; tick < TICKS || !order[i].ready(); tick++)
            play(dice, up_to);
        uint64_t before = connects();
        order[i].inject(dice);
        while (connects() == before)
            play(dice, up_to);
    }
}

static void must_be_flawless(const struct crowd_verdict *v)
{
    int64_t wanted = 0;
    ck_assert_msg(v->lost == 0 && v->doubled == 0 && v->odd == 0 && v->unfinished == 0,
                  "%lld lost, %lld doubled, %lld odd; %zu viewers without the end; %s",
                  (long long)v->lost, (long long)v->doubled, (long long)v->odd, v->unfinished,
                  v->complaint);
    for (size_t i = 0; i < crowd.n; i++)
        wanted += crowd.viewer[i].last;
    ck_assert_int_eq(v->events, wanted);
}

START_TEST(every_viewer_has_every_event_once)
{
    struct dice dice = dice_of(seed("viewers"), 0);
    int64_t begun_ns = clock_now_ns();
    open_house();
    crowd_init(&crowd, VIEWERS, dice_below(&dice, 1000000));
    name_shows();
    seat_viewers(&dice);
    crowd_until(&crowd, DRAIN_MS, crowd_present(&crowd) >= VIEWERS - LATE);
    crowd_until(&crowd, DRAIN_MS, one_subscription());
    start_jobs();
    strike_all(&dice);
    crowd_until(&crowd, DRAIN_MS, one_subscription());
    for (int i = 0; i < OWN; i++)
        show_go_on(&shows[i], &staff, EVENTS, &dice);
    int64_t deadline_ns = clock_deadline_ms(DRAIN_MS);
    while (crowd.ended < crowd.n && clock_now_ns() < deadline_ns)
        crowd_step(&crowd, 5);
    struct crowd_verdict v = crowd_judge(&crowd);
    print_figures(&v, begun_ns);
    must_be_flawless(&v);
    ck_assert_int_le(peak, CONNECTIONS);
    ck_assert(crowd.cuts > 0 && crowd.resets > 0 && crowd.torn > 0 && crowd.deaf > 0);
    ck_assert(staff.silent > 0);
    wait_until(DRAIN_MS, must_int(redis, "GET stat:processed") == STREAMS - OWN);
    ck_assert_int_eq(worker_process_stop(&emitter), 0);
    close_house();
}
END_TEST

/* ---- that it can fail ---- */

static void forget_one(struct crowd_viewer *cv)
{
    cv->v.lie = 1; /* it says that it has seen one more */
    crowd_cut(&crowd, cv, 0, false);
}

static void repeat_one(struct crowd_viewer *cv)
{
    cv->v.lie = -1;
    crowd_cut(&crowd, cv, 0, false);
}

static void change_one(struct crowd_viewer *cv)
{
    (void)cv;
    show_append_silently(&shows[0], &staff, "{\"n\":0}");
}

static void swap_two(struct crowd_viewer *cv)
{
    struct show *s = &shows[0];
    char text[SHOW_EVENT_MAX];
    (void)cv;
    int64_t id = s->length + 1;
    show_event(s, id + 1, text);
    show_append(s, &staff, text);
    show_event(s, id, text);
    show_append(s, &staff, text);
}

static void end_early(struct crowd_viewer *cv)
{
    (void)cv;
    show_append(&shows[0], &staff, SHOW_STATUS);
}

static const struct {
    const char *name;
    void (*spoil)(struct crowd_viewer *cv);
    int64_t lost, doubled, odd; /* at least */
} spoils[] = {
    {"an event is left out", forget_one, 1, 0, 0},
    {"an event comes twice", repeat_one, 0, 1, 0},
    {"an event is another", change_one, 0, 0, 1},
    {"two events are exchanged", swap_two, 0, 0, 2},
    {"the end comes before the end", end_early, 1, 0, 1},
};

START_TEST(the_judge_can_fail)
{
    struct dice dice = dice_of(1, 0);
    open_house();
    crowd_init(&crowd, 1, 1);
    name_shows();
    struct show *s = &shows[0];
    s->events = 20;
    struct crowd_viewer *cv = crowd_join(&crowd, port, s->jid, s->events + 1, show_judge, s);
    show_go_on(s, &staff, 10, &dice);
    crowd_until(&crowd, DRAIN_MS, cv->v.id == 10);
    ck_assert_str_eq(crowd_judge(&crowd).complaint, "");
    spoils[_i].spoil(cv);
    if (spoils[_i].spoil != end_early)
        show_go_on(s, &staff, 20, &dice);
    crowd_until(&crowd, DRAIN_MS, crowd.ended == 1);
    struct crowd_verdict v = crowd_judge(&crowd);
    ck_assert_msg(v.lost >= spoils[_i].lost && v.doubled >= spoils[_i].doubled &&
                      v.odd >= spoils[_i].odd && v.complaint[0],
                  "%s, and it says: %lld lost, %lld doubled, %lld odd; %s", spoils[_i].name,
                  (long long)v.lost, (long long)v.doubled, (long long)v.odd, v.complaint);
    close_house();
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("viewers under faults");
    stage_add(suite, every_viewer_has_every_event_once, 1);
    stage_add(suite, the_judge_can_fail, (int)(sizeof spoils / sizeof *spoils));
    return suite;
}
