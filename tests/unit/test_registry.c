/* The registry: which handler a class leads to, and what its life costs. */
#include <dlfcn.h>
#include <stdatomic.h>
#include <string.h>

#include "handlers/registry.h"
#include "support/support.h"

#define TESTPLUGIN TEST_BINARY_DIR "/tests/testplugin.so"

static char *sh_argv[] = {(char *)"sh", NULL};

static struct conf_handler exec_handler(const char *klass)
{
    return (struct conf_handler){.file = "worker.yaml",
                                 .line = 7,
                                 .klass = (char *)klass,
                                 .kind = CONF_EXEC,
                                 .argv = sh_argv};
}

static struct conf_handler plugin_handler(const char *klass, const char *path)
{
    return (struct conf_handler){.file = "worker.yaml",
                                 .line = 8,
                                 .klass = (char *)klass,
                                 .kind = CONF_PLUGIN,
                                 .plugin = (char *)path};
}

/* Settings on the stack: the reference taken here is never given back, so nobody frees them. */
static void settings_init(struct conf *conf, struct conf_handler *handlers, int n)
{
    *conf = (struct conf){.handlers = handlers, .nhandlers = n};
    (void)conf_ref(conf);
}

START_TEST(the_first_match_wins)
{
    struct conf_handler handlers[] = {
        exec_handler("mail.urgent"), exec_handler("mail.*"),    exec_handler("My::Job"),
        exec_handler("[a-c]?"),      exec_handler("mail.late"), exec_handler("odd[name"),
    };
    static const struct {
        const char *klass;
        int handler; /* -1: none */
    } cases[] = {
        {"mail.urgent", 0}, {"mail.late", 1}, {"mail.", 1},       {"mail.a/b", 1}, {"mail", -1},
        {"My::Job", 2},     {"my::job", -1},  {"b7", 3},          {"d7", -1},      {"", -1},
        {"odd[name", 5},    {"[a-c]?", 3},    {"xmail.late", -1},
    };
    struct conf conf;
    struct registry *r;
    settings_init(&conf, handlers, sizeof handlers / sizeof *handlers);
    ck_assert_int_eq(registry_open(&conf, &r, NULL), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct handler *h = registry_find(r, cases[i].klass);
        int found = h ? (int)(h->conf - handlers) : -1;
        ck_assert_msg(found == cases[i].handler, "%s: %d", cases[i].klass, found);
    }
    registry_unref(r);
}
END_TEST

START_TEST(without_handlers_nothing_matches)
{
    struct conf conf;
    struct registry *r;
    settings_init(&conf, NULL, 0);
    ck_assert_int_eq(registry_open(&conf, &r, NULL), 0);
    ck_assert_ptr_null(registry_find(r, "any"));
    registry_unref(r);
    registry_unref(NULL);
}
END_TEST

static int counter(void *dl, const char *name)
{
    atomic_int *n = dlsym(dl, name);
    ck_assert_ptr_nonnull(n);
    return atomic_load(n);
}

START_TEST(the_last_reference_closes_the_handlers)
{
    void *dl = dlopen(TESTPLUGIN, RTLD_NOW | RTLD_LOCAL);
    ck_assert_ptr_nonnull(dl);
    struct conf_handler handlers[] = {plugin_handler("a", TESTPLUGIN),
                                      plugin_handler("b", TESTPLUGIN), exec_handler("*")};
    struct conf conf;
    struct registry *old, *new;
    settings_init(&conf, handlers, 3);
    ck_assert_int_eq(registry_open(&conf, &old, NULL), 0);
    ck_assert_int_eq(registry_open(&conf, &new, NULL), 0); /* a reload, while runs use the old */
    ck_assert_int_eq(counter(dl, "testplugin_inits"), 1);
    struct registry *run = registry_ref(old);
    registry_unref(old);
    ck_assert_str_eq(registry_find(run, "b")->conf->klass, "b");
    registry_unref(run);
    ck_assert_int_eq(counter(dl, "testplugin_finis"), 0);
    registry_unref(new);
    ck_assert_int_eq(counter(dl, "testplugin_finis"), 1);
    ck_assert_int_eq(dlclose(dl), 0);
}
END_TEST

START_TEST(a_failed_open_leaves_nothing_open)
{
    void *dl = dlopen(TESTPLUGIN, RTLD_NOW | RTLD_LOCAL);
    ck_assert_ptr_nonnull(dl);
    struct conf_handler handlers[] = {plugin_handler("a", TESTPLUGIN), exec_handler("b"),
                                      plugin_handler("c", "/no/such.so")};
    struct conf conf;
    struct registry *r = NULL;
    struct err err = {0};
    settings_init(&conf, handlers, 3);
    ck_assert_int_eq(registry_open(&conf, &r, &err), -EINVAL);
    ck_assert_ptr_null(r);
    ck_assert_str_eq(err.text, "worker.yaml:8: /no/such.so: cannot open shared object file: "
                               "No such file or directory");
    ck_assert_int_eq(counter(dl, "testplugin_inits"), 1);
    ck_assert_int_eq(counter(dl, "testplugin_finis"), 1);
    ck_assert_int_eq(dlclose(dl), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("registry");
    TCase *c = tcase_create("registry");
    tcase_add_test(c, the_first_match_wins);
    tcase_add_test(c, without_handlers_nothing_matches);
    tcase_add_test(c, the_last_reference_closes_the_handlers);
    tcase_add_test(c, a_failed_open_leaves_nothing_open);
    suite_add_tcase(s, c);
    return s;
}
