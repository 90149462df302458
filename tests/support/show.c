#include "support/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/stream.h"
#include "support/redis_fixture.h"

enum { SILENT_PERCENT = 10, TTL_S = 3600, EVENTS_MAX = 1000000 };

/* ---- what it is ---- */

void show_init(struct show *s, int number, int64_t events, int padding)
{
    *s = (struct show){.number = number, .events = events, .padding = padding};
    (void)snprintf(s->jid, sizeof s->jid, "show%d", number);
}

void show_event(const struct show *s, int64_t id, char ret[SHOW_EVENT_MAX])
{
    int64_t mixed = id * 7919 + s->number * 104729;
    int n = snprintf(ret, SHOW_EVENT_MAX, "{\"show\":%d,\"n\":%" PRId64 ",\"more\":\"%0*d\"}",
                     s->number, id, (int)(1 + mixed % s->padding), 0);
    ck_assert_int_lt(n, SHOW_EVENT_MAX);
}

bool show_judge(const void *show, int64_t id, const char *data)
{
    const struct show *s = show;
    char text[SHOW_EVENT_MAX] = SHOW_STATUS;
    if (id != s->events + 1)
        show_event(s, id, text);
    return strcmp(data, text) == 0;
}

/* As plugins/testplugin.c emits. */
bool show_judge_job(const void *show, int64_t id, const char *data)
{
    const struct show *s = show;
    char text[64] = SHOW_STATUS;
    if (id != s->events + 1)
        (void)snprintf(text, sizeof text, "{\"n\":%" PRId64 "}", id); /* fits */
    return strcmp(data, text) == 0;
}

/* ---- how it goes on ---- */

/* The store takes output of a job that lies in a claim, so there is one. */
void show_staff_begin(struct show_staff *staff, struct redis_conn *redis)
{
    *staff = (struct show_staff){.redis = redis};
    ck_assert_int_eq(store_new("", "show:1:0123456789ab", &staff->store), 0);
    must_do(redis, "RPUSH sluice:claim:%s:1 job", store_identity(staff->store));
}

void show_staff_end(struct show_staff *staff)
{
    store_free(staff->store);
    *staff = (struct show_staff){0};
}

void show_append(struct show *s, struct show_staff *staff, const char *event)
{
    const struct stream_target target = {
        .jid = s->jid, .seq = 1, .ttl_s = TTL_S, .max_events = EVENTS_MAX};
    struct slice events[] = {slice_of(event)};
    struct err err = {""};
    int64_t length;
    int rc = store_stream_append(staff->store, staff->redis, &target, events, 1, s->length, &length,
                                 &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    ck_assert_int_eq(length, ++s->length);
}

void show_append_silently(struct show *s, struct show_staff *staff, const char *event)
{
    staff->silent++;
    int64_t length = must_int(staff->redis, "RPUSH sluice:stream:%s %s", s->jid, event);
    ck_assert_int_eq(length, ++s->length);
}

void show_go_on(struct show *s, struct show_staff *staff, int64_t n, struct dice *dice)
{
    char text[SHOW_EVENT_MAX];
    for (; n > 0 && s->length < s->events; n--) {
        show_event(s, s->length + 1, text);
        if (dice_percent(dice, SILENT_PERCENT))
            show_append_silently(s, staff, text);
        else
            show_append(s, staff, text);
    }
    if (s->length == s->events && s->leaves_silently)
        show_append_silently(s, staff, SHOW_STATUS);
    else if (s->length == s->events)
        show_append(s, staff, SHOW_STATUS);
}
