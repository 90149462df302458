#include "support/exposition.h"

#include <check.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

enum { NAME_MAX_BYTES = 128, SERIES_MAX = 4096 };

struct family {
    char name[NAME_MAX_BYTES];
    char type[16];
};

/* A histogram's series between its first bucket and its _count. */
struct buckets {
    char labels[SERIES_MAX]; /* without le */
    double bound, count;
    bool open, summed;
};

struct reader {
    const char *line; /* for messages */
    struct family family;
    struct buckets buckets;
    size_t samples; /* of the family */
    char **seen;    /* families and series */
    size_t nseen;
};

/* No ck_assert: Check makes a system call for each one that holds, and here are thousands. */
#define must(r, condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg("%s in: %.*s", #condition, (int)strcspn((r)->line, "\n"), (r)->line);     \
    } while (0)

static void must_be_new(struct reader *r, const char *what)
{
    for (size_t i = 0; i < r->nseen; i++)
        must(r, strcmp(r->seen[i], what) != 0);
    r->seen = realloc(r->seen, (r->nseen + 1) * sizeof *r->seen);
    ck_assert_ptr_nonnull(r->seen);
    r->seen[r->nseen] = strdup(what);
    ck_assert_ptr_nonnull(r->seen[r->nseen++]);
}

static const char *read_name(struct reader *r, const char *p, char ret[NAME_MAX_BYTES])
{
    size_t n = 0;
    must(r, isalpha((unsigned char)*p) || *p == '_');
    while (isalnum((unsigned char)p[n]) || p[n] == '_')
        n++;
    must(r, n < NAME_MAX_BYTES);
    memcpy(ret, p, n);
    ret[n] = '\0';
    return p + n;
}

static void finish_family(struct reader *r)
{
    must(r, !r->buckets.open);
}

static void read_comment(struct reader *r, const char *p)
{
    char name[NAME_MAX_BYTES], family[NAME_MAX_BYTES + 2];
    bool help = strncmp(p, "# HELP ", 7) == 0;
    must(r, help || strncmp(p, "# TYPE ", 7) == 0);
    p = read_name(r, p + 7, name);
    must(r, *p == ' ');
    size_t n = strcspn(++p, "\n");
    must(r, n > 0 && p[n - 1] != ' ');
    if (help) {
        finish_family(r);
        must(r, !memchr(p, '\\', n));
        (void)snprintf(family, sizeof family, "# %s", name); /* a series may be called the same */
        must_be_new(r, family);
        r->family = (struct family){.type = ""};
        memcpy(r->family.name, name, sizeof name);
        r->samples = 0;
        return;
    }
    must(r, strcmp(name, r->family.name) == 0 && !r->family.type[0] && r->samples == 0);
    must(r, n < sizeof r->family.type);
    memcpy(r->family.type, p, n);
    must(r, strcmp(r->family.type, "counter") == 0 || strcmp(r->family.type, "gauge") == 0 ||
                strcmp(r->family.type, "histogram") == 0);
    size_t len = strlen(name);
    bool total = len > 6 && strcmp(name + len - 6, "_total") == 0;
    must(r, total == (strcmp(r->family.type, "counter") == 0));
}

/* {name="value",…}; labels: all but le, as written; le: its value or "". */
static const char *read_labels(struct reader *r, const char *p, char *labels, char le[64])
{
    char name[NAME_MAX_BYTES];
    size_t n = 0;
    labels[0] = le[0] = '\0';
    if (*p != '{')
        return p;
    do {
        const char *from = ++p;
        p = read_name(r, p, name);
        must(r, strncmp(p, "=\"", 2) == 0);
        p += 2;
        const char *value = p;
        for (; *p != '"'; p++) {
            must(r, *p != '\n' && *p != '\0');
            if (*p == '\\') {
                p++;
                must(r, *p == '\\' || *p == '"' || *p == 'n');
            }
        }
        must(r, utf8_ok((struct slice){value, (size_t)(p - value)}));
        if (strcmp(name, "le") == 0)
            (void)snprintf(le, 64, "%.*s", (int)(p - value), value);
        else
            n += (size_t)snprintf(labels + n, SERIES_MAX - n, "%.*s,", (int)(p + 1 - from), from);
        must(r, n < SERIES_MAX);
        p++;
    } while (*p == ',');
    must(r, *p == '}');
    return p + 1;
}

static void read_bucket(struct reader *r, const char *labels, const char *le, double value)
{
    struct buckets *b = &r->buckets;
    char *end = NULL;
    double bound = strtod(le, &end); /* knows +Inf, too */
    must(r, end != le && *end == '\0');
    if (!b->open) {
        *b = (struct buckets){.open = true, .bound = -1};
        memcpy(b->labels, labels, sizeof b->labels);
    }
    must(r, strcmp(b->labels, labels) == 0);
    must(r, bound > b->bound && value >= b->count);
    b->bound = bound;
    b->count = value;
}

static void read_histogram(struct reader *r, const char *suffix, const char *labels, const char *le,
                           double value)
{
    struct buckets *b = &r->buckets;
    if (strcmp(suffix, "_bucket") == 0) {
        read_bucket(r, labels, le, value);
        return;
    }
    must(r, b->open && isinf(b->bound) && !le[0] && strcmp(b->labels, labels) == 0);
    if (strcmp(suffix, "_sum") == 0) {
        must(r, !b->summed);
        b->summed = true;
        return;
    }
    must(r, strcmp(suffix, "_count") == 0 && b->summed && b->count == value);
    b->open = false;
}

static void read_sample(struct reader *r, const char *p)
{
    char name[NAME_MAX_BYTES], labels[SERIES_MAX], le[64], series[SERIES_MAX];
    const char *from = p;
    char *end;
    size_t n = strlen(r->family.name);
    p = read_labels(r, read_name(r, p, name), labels, le);
    must(r, *p == ' ');
    (void)snprintf(series, sizeof series, "%.*s", (int)(p - from), from);
    must_be_new(r, series);
    must(r, isdigit((unsigned char)p[1]) || p[1] == '-');
    double value = strtod(p + 1, &end);
    must(r, *end == '\n' && isfinite(value));
    must(r, r->family.type[0] && strncmp(name, r->family.name, n) == 0);
    r->samples++;
    if (strcmp(r->family.type, "gauge") != 0)
        must(r, value >= 0);
    if (strcmp(r->family.type, "histogram") == 0)
        read_histogram(r, name + n, labels, le, value);
    else
        must(r, name[n] == '\0' && !le[0]);
}

void must_be_exposition(const char *text)
{
    struct reader r = {.line = text};
    size_t n = strlen(text);
    ck_assert_msg(n > 0 && text[n - 1] == '\n', "the last line has no end");
    for (; *r.line; r.line += strcspn(r.line, "\n") + 1)
        if (r.line[0] == '#')
            read_comment(&r, r.line);
        else
            read_sample(&r, r.line);
    finish_family(&r);
    for (size_t i = 0; i < r.nseen; i++)
        free(r.seen[i]);
    free(r.seen);
}

bool exposition_value(const char *text, const char *series, double *ret)
{
    size_t n = strlen(series);
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        if (strncmp(line, series, n) == 0 && line[n] == ' ') {
            *ret = strtod(line + n, NULL);
            return true;
        }
    return false;
}

double must_value(const char *text, const char *series)
{
    double value = 0;
    ck_assert_msg(exposition_value(text, series, &value), "no %s in:\n%s", series, text);
    return value;
}
