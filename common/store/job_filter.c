#include "store/job_filter.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "move.h"

bool job_filter_is_empty(const struct job_filter *f)
{
    return !f->klass && !f->error_class && !f->queue && f->before == 0 && f->after == 0;
}

struct look {
    struct slice error_class, error, retried_at; /* as they stand; empty: not there */
};

/* The last of a name counts, as with all members of a job. */
static int look_at(void *ctx, const struct json_member *m)
{
    struct look *look = ctx;
    if (json_key_is(m->key, "error_class"))
        look->error_class = m->value;
    else if (json_key_is(m->key, "error_message"))
        look->error = m->value;
    else if (json_key_is(m->key, "retried_at"))
        look->retried_at = m->value;
    return 0;
}

static struct look look_into(const struct envelope *e)
{
    struct look look = {{"", 0}, {"", 0}, {"", 0}};
    enum json_type type;
    if (json_scan(e->payload, &type, look_at, &look, NULL) != 0)
        look = (struct look){{"", 0}, {"", 0}, {"", 0}}; /* it has been parsed: cannot be */
    return look;
}

static bool is_text(struct slice value, const char *wanted)
{
    struct buf text = {0};
    bool is = value.n > 0 && json_type_of(value) == JSON_STRING &&
              json_decode_string(value, &text) == 0 && strcmp(buf_str(&text), wanted) == 0;
    buf_release(&text);
    return is;
}

static void copy_text(struct slice value, char *ret, size_t size)
{
    struct buf text = {0};
    if (value.n > 0 && json_type_of(value) == JSON_STRING && json_decode_string(value, &text) == 0)
        (void)snprintf(ret, size, "%s", buf_str(&text)); /* cut to fit */
    buf_release(&text);
}

/* Clients write milliseconds, too (job/envelope.h). */
static double time_of(struct slice value)
{
    enum { MS = 1000 };
    double t = 0;
    if (value.n == 0 || json_type_of(value) != JSON_NUMBER || json_decode_real(value, &t) != 0)
        return 0;
    return t > 1e11 ? t / MS : t;
}

static double came_at(enum job_set set, const struct envelope *e, const struct look *look)
{
    if (set == JOBS_SCHEDULE)
        return e->created_at;
    double retried_at = time_of(look->retried_at);
    return retried_at > 0 ? retried_at : e->failed_at;
}

bool job_filter_meets(const struct job_filter *f, enum job_set set, const struct envelope *e)
{
    if (f->klass && strcmp(f->klass, e->klass) != 0)
        return false;
    if (f->queue && strcmp(f->queue, move_queue(set, e)) != 0)
        return false;
    if (!f->error_class && f->before == 0 && f->after == 0)
        return true;
    struct look look = look_into(e);
    double at = came_at(set, e, &look);
    if ((f->before > 0 && (at <= 0 || at >= f->before)) || (f->after > 0 && at <= f->after))
        return false;
    return !f->error_class || is_text(look.error_class, f->error_class);
}

void job_story_read(enum job_set set, const struct envelope *e, struct job_story *ret)
{
    struct look look = look_into(e);
    *ret = (struct job_story){.came_at = came_at(set, e, &look)};
    copy_text(look.error_class, ret->error_class, sizeof ret->error_class);
    copy_text(look.error, ret->error, sizeof ret->error);
}
