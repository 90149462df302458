#include "questions.h"

#include <stdlib.h>

void question_send(struct questions *q)
{
    if (q->rc == 0)
        q->rc = redis_conn_send(q->c, &q->cmd);
    q->n++;
    command_clear(&q->cmd);
}

void question_ask(struct questions *q, const char *verb)
{
    command_text(&q->cmd, verb);
    question_send(q);
}

void question_ask_key(struct questions *q, const char *verb, struct slice key)
{
    command_text(&q->cmd, verb);
    command_add(&q->cmd, key);
    question_send(q);
}

void question_ask_named(struct questions *q, const struct store *s, const char *verb,
                        enum key prefix, const char *name)
{
    command_text(&q->cmd, verb);
    store_add_key(&q->cmd, s, prefix, name);
    question_send(q);
}

void questions_release(struct questions *q)
{
    for (size_t i = 0; q->answers && i < q->n; i++)
        reply_free(q->answers[i]);
    free(q->answers);
    command_release(&q->cmd);
    *q = (struct questions){.c = q->c};
}

int questions_read(struct questions *q, struct err *err)
{
    if (q->rc != 0)
        return err_set(err, q->rc, "%s", err_phrase(q->rc));
    q->answers = calloc(q->n ? q->n : 1, sizeof *q->answers);
    if (!q->answers)
        return err_set(err, -ENOMEM, "no memory for %zu replies", q->n);
    int first = 0;
    for (size_t i = 0; i < q->n; i++) {
        int rc = redis_conn_read(q->c, &q->answers[i], err);
        if (rc != 0)
            return rc;
        rc = reply_error(q->answers[i], NULL);
        if (rc != 0 && rc != -EMEDIUMTYPE && first == 0)
            first = reply_error(q->answers[i], err);
    }
    return first;
}

const struct reply *question_answer(const struct questions *q, size_t i)
{
    return i < q->n ? q->answers[i] : NULL;
}

double question_time(const struct reply *time)
{
    return (double)reply_int(reply_at(time, 0)) + (double)reply_int(reply_at(time, 1)) / 1e6;
}

char *question_text(const struct reply *r)
{
    struct slice s = reply_str(r);
    return s.n ? strndup(s.p, s.n) : strdup("");
}

void names_release(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        free(names->name[i]);
    free(names->name);
    *names = (struct names){0};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int names_of(const struct reply *a, const struct reply *b, struct names *ret, struct err *err)
{
    size_t na = reply_count(a), nb = reply_count(b);
    struct names names = {.name = calloc(na + nb + 1, sizeof(char *))};
    if (!names.name)
        return err_set(err, -ENOMEM, "no memory for %zu names", na + nb);
    for (size_t i = 0; i < na + nb; i++) {
        names.name[i] = question_text(i < na ? reply_at(a, i) : reply_at(b, i - na));
        if (!names.name[i]) {
            names_release(&names);
            return err_set(err, -ENOMEM, "no memory for %zu names", na + nb);
        }
        names.n++;
    }
    qsort(names.name, names.n, sizeof *names.name, by_text);
    size_t kept = 0;
    for (size_t i = 0; i < names.n; i++) {
        if (kept > 0 && strcmp(names.name[kept - 1], names.name[i]) == 0)
            free(names.name[i]);
        else
            names.name[kept++] = names.name[i];
    }
    names.n = kept;
    *ret = names;
    return 0;
}

bool names_have(const struct names *names, const char *name)
{
    return names->n > 0 && bsearch(&name, names->name, names->n, sizeof *names->name, by_text);
}

void names_cut(struct names *names, size_t max)
{
    while (names->n > max)
        free(names->name[--names->n]);
}

bool set_has(const struct reply *set, const char *name)
{
    for (size_t i = 0; i < reply_count(set); i++)
        if (slice_is(reply_str(reply_at(set, i)), name))
            return true;
    return false;
}
