/*
 * A load in progress: the conf that is being filled, and where each value of it came from.
 *
 * The sources are read in order of precedence, each over the one before: defaults, yaml.c, then
 * env.c for environment and flags. The origin is kept so that a check of several values against
 * each other can name the place where one of them was written.
 *
 * Threads: none. Ownership: load.c owns the conf until it is done.
 */
#ifndef SLUICE_CONF_LOAD_H
#define SLUICE_CONF_LOAD_H

#include "conf/conf.h"
#include "conf/table.h"

enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENV, ORIGIN_FLAG };

struct load {
    struct conf *conf;
    enum conf_program program;
    enum origin origin[SETTINGS];
    int line[SETTINGS]; /* in the file; 0 when it was not there */
};

/* Sets one setting from its text; an error says where it stands. */
int load_set(struct load *l, const struct setting *s, enum origin origin, const char *text,
             struct err *err) warn_unused_result;

/* Puts the place that a setting came from before the sentence in err. Returns code. */
int load_blame(const struct load *l, const struct setting *s, int code, struct err *err);

int load_yaml(struct load *l, struct err *err) warn_unused_result; /* l->conf->file */
int load_env(struct load *l, struct err *err) warn_unused_result;
int load_flags(struct load *l, const struct conf_flags *flags, struct err *err) warn_unused_result;

#endif
