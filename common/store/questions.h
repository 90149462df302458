/*
 * Questions: reads sent to Redis in one write and answered in order, and the names in sets that
 * further questions are made from. Private to the store's inspection.
 *
 * Build the command in `cmd`, then question_send(); or use the short forms. The first failure
 * sticks and is returned by questions_read(), so that nothing is checked in between.
 *
 * Threads: none. Ownership: questions_release() ends it; answers borrow from it.
 */
#ifndef SLUICE_STORE_QUESTIONS_H
#define SLUICE_STORE_QUESTIONS_H

#include "keys.h"
#include "redis/conn.h"

struct questions {
    struct redis_conn *c;
    struct command cmd;
    size_t n;
    int rc;
    struct reply **answers; /* n of them, once they have been read */
};

void question_send(struct questions *q); /* what is in q->cmd */
void question_ask(struct questions *q, const char *verb);
void question_ask_key(struct questions *q, const char *verb, struct slice key);
/* verb on the key prefix + name. */
void question_ask_named(struct questions *q, const struct store *s, const char *verb,
                        enum key prefix, const char *name);

/* Reads every answer. An error reply stays an answer, which reply accessors read as empty, when it
 * says that one key has the wrong type; any other error is the result, after all were read. */
int questions_read(struct questions *q, struct err *err) warn_unused_result;
void questions_release(struct questions *q);

/* Answer i, NULL beyond the end. */
const struct reply *question_answer(const struct questions *q, size_t i);

/* The answer of TIME in seconds. */
double question_time(const struct reply *time);

/* A copy of the reply's text, "" for none; NULL when there is no memory. */
char *question_text(const struct reply *r);

/* A sorted list of names, each once. */
struct names {
    char **name;
    size_t n;
};

/* The members of both sets; b may be NULL. -ENOMEM. */
int names_of(const struct reply *a, const struct reply *b, struct names *ret,
             struct err *err) warn_unused_result;
void names_release(struct names *names);
bool names_have(const struct names *names, const char *name);
void names_cut(struct names *names, size_t max); /* the first ones stay */

bool set_has(const struct reply *set, const char *name);

#endif
