#include "redis/reply_build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum reply_type reply_type(const struct reply *r)
{
    return r ? r->type : REPLY_NIL;
}

struct slice reply_str(const struct reply *r)
{
    switch (reply_type(r)) {
    case REPLY_STRING:
    case REPLY_STATUS:
    case REPLY_ERROR:
        return (struct slice){r->text, r->n};
    default:
        return (struct slice){"", 0};
    }
}

/* The text that a number may be: an error, whatever it says, is none. Every text
 * ends with a NUL, so that the C library may parse it in place; a number must reach to its end. */
static struct slice number_text(const struct reply *r)
{
    return reply_type(r) == REPLY_ERROR ? (struct slice){"", 0} : reply_str(r);
}

static bool is_whole(struct slice text, const char *end)
{
    return text.n > 0 && end == text.p + text.n;
}

bool reply_whole(const struct reply *r, int64_t *ret)
{
    if (reply_type(r) == REPLY_INT) {
        *ret = r->integer;
        return true;
    }
    struct slice text = number_text(r);
    if (strspn(text.p, "-0123456789") != text.n) /* strtoll() would take spaces and a plus */
        return false;
    char *end;
    errno = 0;
    long long n = strtoll(text.p, &end, 10);
    if (!is_whole(text, end) || errno != 0)
        return false;
    *ret = n;
    return true;
}

int64_t reply_int(const struct reply *r)
{
    int64_t n = 0;
    (void)reply_whole(r, &n); /* else 0 */
    return n;
}

double reply_real(const struct reply *r)
{
    if (reply_type(r) == REPLY_INT)
        return (double)r->integer;
    struct slice text = number_text(r);
    char *end;
    double n = strtod(text.p, &end);
    return is_whole(text, end) && !isnan(n) ? n : 0;
}

size_t reply_count(const struct reply *r)
{
    return reply_type(r) == REPLY_ARRAY ? r->n : 0;
}

const struct reply *reply_at(const struct reply *r, size_t i)
{
    return i < reply_count(r) ? &r->children[i] : NULL;
}

const struct reply *reply_field(const struct reply *r, const char *field)
{
    for (size_t i = 0; i + 1 < reply_count(r); i += 2)
        if (slice_is(reply_str(reply_at(r, i)), field))
            return reply_at(r, i + 1);
    return NULL;
}

static bool is_word_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* True when word stands in text on its own: BUSY is not BUSYGROUP. */
static bool has_word(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
        if ((at == text || !is_word_char(at[-1])) && !is_word_char(at[n]))
            return true;
    return false;
}

static int classify(const char *text)
{
    static const struct {
        const char *word;
        int code;
    } known[] = {
        {"LOADING", -EAGAIN},        {"BUSY", -EAGAIN},
        {"TRYAGAIN", -EAGAIN},       {"CLUSTERDOWN", -EAGAIN},
        {"READONLY", -EROFS},        {"MASTERDOWN", -EROFS},
        {"UNBLOCKED", -EROFS},       {"OOM", -ENOSPC},
        {"MISCONF", -ENOSPC},        {"NOREPLICAS", -ENOSPC},
        {"NOAUTH", -EACCES},         {"WRONGPASS", -EACCES},
        {"NOPERM", -EACCES},         {"DENIED", -EACCES},
        {"WRONGTYPE", -EMEDIUMTYPE}, {"max number of clients reached", -EAGAIN},
    };

    /* Only as the first word: it makes the caller run the script again, which a script that has
     * merely quoted the word in its own error may not be. */
    if (strncmp(text, "NOSCRIPT ", strlen("NOSCRIPT ")) == 0)
        return -ENOEXEC;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (has_word(text, known[i].word))
            return known[i].code;
    return -EPROTO;
}

int reply_error(const struct reply *r, struct err *err)
{
    if (reply_type(r) != REPLY_ERROR)
        return 0;
    const char *text = r->text;
    return err_set(err, classify(text), "Redis: %s", text);
}
