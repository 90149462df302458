/*
 * What the suites of the settings share: a private folder to write conf.yaml into, an environment
 * without settings, and loads that end in a conf or in one exact line.
 */
#ifndef SLUICE_TESTS_CONF_H
#define SLUICE_TESTS_CONF_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "conf/table.h"
#include "support/support.h"

static char conf_folder[32];

static inline void conf_setup(void)
{
    for (int i = 0; i < SETTINGS; i++)
        ck_assert_int_eq(unsetenv(settings[i].env), 0);
    (void)strcpy(conf_folder, "/tmp/sluice-conf-XXXXXX"); /* fits */
    ck_assert_ptr_nonnull(mkdtemp(conf_folder));
    ck_assert_int_eq(chdir(conf_folder), 0);
}

static inline void conf_teardown(void)
{
    (void)remove("conf.yaml"); /* not every test writes it */
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(conf_folder), 0);
}

static inline TCase *conf_case(const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, conf_setup, conf_teardown);
    return tc;
}

static inline void write_yaml(const void *bytes, size_t n)
{
    FILE *f = fopen("conf.yaml", "w");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

/* The settings of a worker with this file (NULL: none) and these flags. */
static inline struct conf *accept_with(const char *yaml, struct conf_flags flags)
{
    struct conf *c = NULL;
    struct err err = {""};
    if (yaml) {
        write_yaml(yaml, strlen(yaml));
        flags.config_file = "conf.yaml";
    }
    int rc = conf_load(CONF_WORKER, &flags, &c, &err);
    ck_assert_msg(rc == 0, "refused: %s", err.text);
    ck_assert_str_eq(err.text, "");
    return c;
}

static inline struct conf *accept_yaml(const char *yaml)
{
    return accept_with(yaml, (struct conf_flags){0});
}

/* The load fails with exactly this line and leaves its output alone. */
static inline void refuse_with(const char *yaml, struct conf_flags flags, const char *line)
{
    struct conf *untouched = (struct conf *)(void *)&flags, *c = untouched;
    struct err err = {""};
    if (yaml) {
        write_yaml(yaml, strlen(yaml));
        flags.config_file = "conf.yaml";
    }
    int rc = conf_load(CONF_WORKER, &flags, &c, &err);
    ck_assert_str_eq(err.text, line);
    ck_assert_int_eq(rc, -EINVAL);
    ck_assert_ptr_eq(c, untouched);
    ck_assert_int_eq(conf_load(CONF_WORKER, &flags, &c, NULL), -EINVAL);
}

static inline void refuse_yaml(const char *yaml, const char *line)
{
    refuse_with(yaml, (struct conf_flags){0}, line);
}

static inline char *dump_of(const struct conf *c)
{
    struct buf out = {0};
    conf_dump(c, CONF_WORKER, &out);
    char *text = buf_steal(&out, NULL);
    ck_assert_ptr_nonnull(text);
    return text;
}

#endif
