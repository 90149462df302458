#include "job/envelope.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/random.h"
#include "base/utf8.h"

/* The members that Sluice reads, the shortest names first. Everything else is the user's and only
 * passes through. */
#define FIELDS(ROW)                                                                                \
    ROW(FIELD_AT, "at")                                                                            \
    ROW(FIELD_JID, "jid")                                                                          \
    ROW(FIELD_ARGS, "args")                                                                        \
    ROW(FIELD_DEAD, "dead")                                                                        \
    ROW(FIELD_CLASS, "class")                                                                      \
    ROW(FIELD_QUEUE, "queue")                                                                      \
    ROW(FIELD_RETRY, "retry")                                                                      \
    ROW(FIELD_TRACK, "track")                                                                      \
    ROW(FIELD_TIMEOUT, "timeout")                                                                  \
    ROW(FIELD_FAILED_AT, "failed_at")                                                              \
    ROW(FIELD_RETRY_FOR, "retry_for")                                                              \
    ROW(FIELD_CREATED_AT, "created_at")                                                            \
    ROW(FIELD_EXPIRES_AT, "expires_at")                                                            \
    ROW(FIELD_RETRY_QUEUE, "retry_queue")                                                          \
    ROW(FIELD_TRACEPARENT, "traceparent")                                                          \
    ROW(FIELD_RETRY_COUNT, "retry_count")                                                          \
    ROW(FIELD_ENQUEUED_AT, "enqueued_at")

#define CONSTANT(field, text) field,
enum field { FIELDS(CONSTANT) FIELD_COUNT };

#define NAME(field, text) [field] = text,
static const char *const names[FIELD_COUNT] = {FIELDS(NAME)};

/* The values as they came, after the scan: nothing is judged before the last duplicate is known. */
struct fields {
    struct slice value[FIELD_COUNT]; /* n is 0 when absent */
    const char **refused;            /* where to note which one is wrong */
};

static enum field field_of(struct slice key)
{
    if (key.n == 0)
        return FIELD_COUNT; /* the element of an array: refused once it is scanned */
    struct slice name = {key.p + 1, key.n - 2};
    /* Written out, so that each comparison is one of a length that the compiler knows. */
#define RETURN_IF(field, text)                                                                     \
    if (name.n == sizeof(text) - 1 && memcmp(name.p, text, sizeof(text) - 1) == 0)                 \
        return field;
    FIELDS(RETURN_IF)
    if (memchr(name.p, '\\', name.n)) /* rare, yet "cl\u0061ss" is class */
        for (int i = 0; i < FIELD_COUNT; i++)
            if (json_key_is(key, names[i]))
                return (enum field)i;
    return FIELD_COUNT;
}

static int collect(void *ctx, const struct json_member *member)
{
    struct fields *fields = ctx;
    enum field field = field_of(member->key);
    if (field != FIELD_COUNT)
        fields->value[field] = member->value; /* of duplicates the last one stays */
    return 0;
}

static bool absent(struct slice value)
{
    return value.n == 0 || value.p[0] == 'n';
}

/* ---- Refusals --------------------------------------------------------------------------- */

static int refuse(const struct fields *fields, enum field field, const char *allowed,
                  struct err *err)
{
    static const char *const kinds[] = {
        [JSON_NULL] = "null",        [JSON_FALSE] = "false",     [JSON_TRUE] = "true",
        [JSON_NUMBER] = "a number",  [JSON_STRING] = "a string", [JSON_ARRAY] = "an array",
        [JSON_OBJECT] = "an object",
    };
    struct slice value = fields->value[field];
    const char *name = names[field];
    *fields->refused = name;
    if (value.n == 0)
        return err_set(err, -EBADMSG, "field \"%s\" is missing; %s is required", name, allowed);
    enum json_type type = json_type_of(value);
    if (type != JSON_NUMBER && type != JSON_STRING)
        return err_set(err, -EBADMSG, "field \"%s\" is %s; %s is required", name, kinds[type],
                       allowed);
    if (value.n > 40)
        return err_set(err, -EBADMSG, "field \"%s\" is %s of %zu bytes; %s is required", name,
                       kinds[type], value.n, allowed);
    return err_set(err, -EBADMSG, "field \"%s\" is %.*s; %s is required", name, (int)value.n,
                   value.p, allowed);
}

/* ---- Scalars ---------------------------------------------------------------------------- */

static bool is_number(struct slice value)
{
    return json_type_of(value) == JSON_NUMBER;
}

static int read_bool(const struct fields *fields, enum field field, bool *ret, struct err *err)
{
    struct slice value = fields->value[field];
    if (absent(value))
        return 0;
    enum json_type type = json_type_of(value);
    if (type != JSON_TRUE && type != JSON_FALSE)
        return refuse(fields, field, "true or false", err);
    *ret = type == JSON_TRUE;
    return 0;
}

static int read_duration(const struct fields *fields, enum field field, double *ret,
                         struct err *err)
{
    struct slice value = fields->value[field];
    double seconds;
    if (absent(value))
        return 0;
    if (!is_number(value) || json_decode_real(value, &seconds) != 0 || seconds <= 0)
        return refuse(fields, field, "a number of seconds above 0", err);
    *ret = seconds;
    return 0;
}

/* Seconds up to the year 5138, and from there on milliseconds. A string here would break every
 * page of Sidekiq's dashboard, so such a payload must not stay in a queue. */
static int read_time(const struct fields *fields, enum field field, double *ret, struct err *err)
{
    struct slice value = fields->value[field];
    double time;
    if (absent(value))
        return 0;
    if (!is_number(value) || json_decode_real(value, &time) != 0 || fabs(time) > 1e14)
        return refuse(fields, field, "a Unix time in seconds or milliseconds", err);
    *ret = fabs(time) > 1e11 ? time / 1000 : time;
    return 0;
}

static int read_retry(const struct fields *fields, struct envelope *e, struct err *err)
{
    struct slice value = fields->value[FIELD_RETRY];
    if (absent(value))
        return 0;
    enum json_type type = json_type_of(value);
    int64_t n = JOB_RETRY_DEFAULT;
    if (type == JSON_FALSE) {
        e->retry = JOB_RETRY_NEVER;
        return 0;
    }
    if (type != JSON_TRUE && (type != JSON_NUMBER || json_decode_int(value, &n) != 0 || n < 0))
        return refuse(fields, FIELD_RETRY, "true, false or an integer from 0", err);
    e->retry = JOB_RETRY_COUNT;
    e->max_retries = n;
    return 0;
}

/* Sidekiq's dashboard takes one off the count when it retries a job by hand, so that a job which
 * failed once comes back with -1. The upper bound keeps count + 1 from overflowing. */
static int read_retry_count(const struct fields *fields, struct envelope *e, struct err *err)
{
    struct slice value = fields->value[FIELD_RETRY_COUNT];
    int64_t n;
    if (absent(value))
        return 0;
    if (!is_number(value) || json_decode_int(value, &n) != 0)
        return refuse(fields, FIELD_RETRY_COUNT, "an integer", err);
    e->retry_count = n < -1 ? -1 : n > INT32_MAX ? INT32_MAX : n;
    return 0;
}

static int read_scalars(const struct fields *fields, struct envelope *e, struct err *err)
{
    int rc = read_retry(fields, e, err);
    if (rc == 0)
        rc = read_retry_count(fields, e, err);
    if (rc == 0)
        rc = read_bool(fields, FIELD_DEAD, &e->keep_dead, err);
    if (rc == 0)
        rc = read_bool(fields, FIELD_TRACK, &e->track, err);
    if (rc == 0)
        rc = read_duration(fields, FIELD_TIMEOUT, &e->timeout_s, err);
    if (rc == 0)
        rc = read_duration(fields, FIELD_RETRY_FOR, &e->retry_for_s, err);
    if (rc == 0)
        rc = read_time(fields, FIELD_CREATED_AT, &e->created_at, err);
    if (rc == 0)
        rc = read_time(fields, FIELD_ENQUEUED_AT, &e->enqueued_at, err);
    if (rc == 0)
        rc = read_time(fields, FIELD_FAILED_AT, &e->failed_at, err);
    if (rc == 0)
        rc = read_time(fields, FIELD_AT, &e->at, err);
    if (rc == 0)
        rc = read_time(fields, FIELD_EXPIRES_AT, &e->expires_at, err);
    return rc;
}

/* ---- Strings ---------------------------------------------------------------------------- */

static bool class_ok(struct slice text)
{
    return text.n > 0 && text.n <= JOB_CLASS_MAX;
}

static bool jid_ok(struct slice text)
{
    if (text.n == 0 || text.n > JOB_JID_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
            return false;
    return true;
}

static bool queue_ok(struct slice text)
{
    if (text.n == 0 || text.n > JOB_QUEUE_MAX)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == 0x7f || c == ',' || c == '"' || c == '\'')
            return false;
    }
    return true;
}

bool job_queue_name_ok(const char *name)
{
    struct slice text = slice_of(name);
    return queue_ok(text) && utf8_ok(text);
}

static bool traceparent_ok(struct slice text)
{
    return text.n <= JOB_TRACEPARENT_MAX;
}

#define QUEUE_ALLOWED                                                                              \
    "a string of 1 to 256 bytes without white space, commas, quotes and control characters"

static const struct string_rule {
    enum field field;
    size_t place; /* of the char * in struct envelope */
    bool (*ok)(struct slice text);
    const char *allowed; /* NULL: what breaks the rule counts as absent */
    bool required;
} string_rules[] = {
    {FIELD_CLASS, offsetof(struct envelope, klass), class_ok, "a string of 1 to 256 bytes", true},
    {FIELD_JID, offsetof(struct envelope, jid), jid_ok,
     "a string of 1 to 128 bytes without control characters", false},
    {FIELD_QUEUE, offsetof(struct envelope, queue), queue_ok, QUEUE_ALLOWED, false},
    {FIELD_RETRY_QUEUE, offsetof(struct envelope, retry_queue), queue_ok, QUEUE_ALLOWED, false},
    {FIELD_TRACEPARENT, offsetof(struct envelope, traceparent), traceparent_ok, NULL, false},
};
enum { STRING_RULES = sizeof string_rules / sizeof string_rules[0] };

/* Decodes a string to *at and moves *at behind it. */
static int read_string(const struct fields *fields, const struct string_rule *rule,
                       struct envelope *e, char **at, struct err *err)
{
    struct slice value = fields->value[rule->field];
    size_t n;
    if (absent(value) && !rule->required)
        return 0;
    int rc = -EINVAL;
    if (!absent(value) && json_type_of(value) == JSON_STRING)
        rc = json_decode_into(value, *at, &n);
    if (rc == -ENOMEM)
        return rc;
    if (rc != 0 || !rule->ok((struct slice){*at, n}))
        return rule->allowed ? refuse(fields, rule->field, rule->allowed, err) : 0;
    *(char **)((char *)e + rule->place) = *at;
    *at += n + 1;
    return 0;
}

/* One block for all: allocating each string would cost more than scanning the payload. A decoded
 * string is never longer than its JSON text. */
static int read_strings(const struct fields *fields, struct envelope *e, struct err *err)
{
    size_t room = JOB_JID_BYTES + 1;
    for (int i = 0; i < STRING_RULES; i++)
        room += fields->value[string_rules[i].field].n;
    char *at = e->strings = malloc(room);
    if (!at)
        return -ENOMEM;
    for (int i = 0; i < STRING_RULES; i++) {
        int rc = read_string(fields, &string_rules[i], e, &at, err);
        if (rc != 0)
            return rc;
    }
    if (!e->jid) {
        job_new_jid(at);
        e->jid = at;
        e->jid_is_new = true;
    }
    return 0;
}

/* ---- The envelope ----------------------------------------------------------------------- */

static const char *root_kind(enum json_type type)
{
    switch (type) {
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_NUMBER:
        return "a number";
    case JSON_NULL:
        return "null";
    default:
        return "a boolean";
    }
}

int envelope_check(struct slice payload, struct envelope *ret, const char **ret_field,
                   struct err *err)
{
    struct fields fields = {.refused = ret_field};
    struct envelope e = {.payload = payload, .keep_dead = true, .retry_count = -1};
    enum json_type type;
    int rc = json_scan(payload, &type, collect, &fields, err);
    if (rc != 0)
        return rc;
    if (type != JSON_OBJECT)
        return err_set(err, -EBADMSG, "the payload is %s; an object is required", root_kind(type));
    rc = read_strings(&fields, &e, err);
    if (rc == -ENOMEM)
        (void)err_set(err, rc, "no memory for a job's strings"); /* the code is kept in rc */
    if (rc != 0)
        goto out;
    e.args = fields.value[FIELD_ARGS];
    if (absent(e.args) || json_type_of(e.args) != JSON_ARRAY) {
        rc = refuse(&fields, FIELD_ARGS, "an array", err);
        goto out;
    }
    rc = read_scalars(&fields, &e, err);
out:
    if (rc != 0)
        envelope_release(&e);
    else
        *ret = e;
    return rc;
}

int envelope_parse(struct slice payload, struct envelope *ret, struct err *err)
{
    const char *field;
    return envelope_check(payload, ret, &field, err);
}

void envelope_release(struct envelope *e)
{
    free(e->strings);
    *e = (struct envelope){0};
}

void job_new_jid(char ret[JOB_JID_BYTES + 1])
{
    random_hex(ret, JOB_JID_BYTES / 2);
}
