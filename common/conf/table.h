/*
 * The descriptor table: one row per scalar setting of struct conf, in the order of the file.
 *
 * A row says where a setting may be written (YAML path, environment variable, flag), what it may
 * be (type and range), what it is otherwise (default), which programs read it, and what it means
 * (one line). To add a setting, add a field to struct conf and a row here, and put the new text
 * of the defaults into config/worker.yaml; nothing else knows the names. Handlers are a list of
 * mappings and have a small table of their own in handlers.c.
 *
 * Threads: constant.
 */
#ifndef SLUICE_CONF_TABLE_H
#define SLUICE_CONF_TABLE_H

#include "conf/conf.h"
#include "conf/value.h"

enum { SETTINGS = 42 };

struct setting {
    struct field field; /* named by its path, "redis.url" */
    const char *section;
    const char *key;
    const char *env;
    const char *flag; /* or NULL */
    size_t flag_at;   /* of its text in struct conf_flags */
    unsigned flag_programs;
    unsigned programs;   /* enum conf_program bits */
    const char *preset;  /* the default as text; NULL: not set */
    const char *example; /* shown in place of a default that is not set */
    const char *doc;
};

extern const struct setting settings[SETTINGS];

/* NULL when there is none. */
const struct setting *setting_find(const char *section, const char *key);

/* The row of a field of struct conf, which must have one. */
const struct setting *setting_at(size_t offset);

/* The index of the first row of a section, or -1. */
int setting_section(const char *section);

/* True for the first row of a section. */
bool setting_opens_section(const struct setting *s);

#endif
