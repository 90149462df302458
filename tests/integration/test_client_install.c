/*
 * The C client as others get it: installed, found by pkg-config, linked both ways, from C and C++.
 *
 * The compiler is the machine's `cc` and `c++`, the flags are strict, and nothing of this tree is
 * seen but what was installed.
 */
#include "support/program.h"
#include "test_worker.h"

static char prefix[160];
static char pc_path[256];

/* Runs a shell's line and expects status 0; returns what it printed, to be freed. */
static char *run(const char *fmt, ...) printf_like(1, 2);
static char *run(const char *fmt, ...)
{
    char line[4096], *out;
    va_list ap;
    struct program p = {.env = {pc_path}};
    va_start(ap, fmt);
    ck_assert_int_lt(vsnprintf(line, sizeof line, fmt, ap), (int)sizeof line);
    va_end(ap);
    program_start(&p, (const char *const[]){"/bin/sh", "-c", line, NULL});
    int status = program_wait(&p);
    ck_assert_msg(status == 0, "%s\n%d: %s%s", line, status, p.out, p.err);
    ck_assert_msg(!strstr(p.err, "warning"), "%s\n%s", line, p.err);
    out = strdup(p.out);
    ck_assert_ptr_nonnull(out);
    program_end(&p);
    return out;
}

static void must_run(const char *line)
{
    free(run("cd '%s' && %s", prefix, line));
}

static void write_file(const char *name, const char *text)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", prefix, name);
    FILE *f = fopen(path, "we");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    ck_assert_int_eq(fclose(f), 0);
}

/* Reads as C11 and as C++11. Its own names are some of those that we have inside. */
static const char consumer[] =
    "#include <sluice/client.h>\n"
    "#include <sluice/client.h>\n"
    "#include <stdio.h>\n"
    "int dial(void);\n"
    "int greet(void);\n"
    "void buf_append(void);\n"
    "int dial(void) { return 0; }\n"
    "int greet(void) { return 0; }\n"
    "void buf_append(void) { puts(\"not yours\"); }\n"
    "int main(int argc, char **argv)\n"
    "{\n"
    "    struct sluice_client *client;\n"
    "    struct sluice_client_error error;\n"
    "    struct sluice_client_options options = sluice_client_options_init();\n"
    "    struct sluice_client_job job = sluice_client_job_init();\n"
    "    char jid[SLUICE_CLIENT_JID_SIZE];\n"
    "    options.url = argc > 1 ? argv[1] : NULL;\n"
    "    job.klass = \"x\";\n"
    "    job.args = \"[1.10]\";\n"
    "    if (sluice_client_new(&options, &client, &error) != 0 ||\n"
    "        sluice_client_enqueue(client, &job, NULL, jid, &error) != 0) {\n"
    "        fprintf(stderr, \"%s\\n\", error.text);\n"
    "        return 1;\n"
    "    }\n"
    "    sluice_client_free(client);\n"
    "    printf(\"%s %s\\n\", sluice_client_version(), jid);\n"
    "    return dial() + greet();\n"
    "}\n";

static void set_up_prefix(void)
{
    set_up();
    (void)snprintf(prefix, sizeof prefix, "%s/prefix", server.dir);
    free(run("cmake --install '%s' --component client --prefix '%s'", TEST_BINARY_DIR, prefix));
    char *pc = run("dirname \"$(find '%s' -name sluice-client.pc)\"", prefix);
    (void)snprintf(pc_path, sizeof pc_path, "PKG_CONFIG_PATH=%.*s", (int)strcspn(pc, "\n"), pc);
    free(pc);
    write_file("consumer.c", consumer);
    write_file("consumer.cc", consumer);
}

static void tear_down_prefix(void)
{
    pc_path[0] = '\0';
    free(run("rm -rf '%s'", prefix));
    tear_down();
}

#define FLAGS "-Wall -Wextra -pedantic -Werror $(pkg-config --cflags sluice-client)"

/* A program that was built as `name` enqueues one job. */
static void must_enqueue(const char *name)
{
    char *said = run("cd '%s' && LD_LIBRARY_PATH=\"$(pkg-config --variable=libdir sluice-client)\" "
                     "./%s %s",
                     prefix, name, server.url);
    ck_assert_msg(strlen(said) == strlen(SLUICE_VERSION " ") + 24 + 1, "%s", said);
    free(said);
    ck_assert_int_eq(must_int(redis, "LLEN queue:default"), 1);
    char *job = must_text(redis, "RPOP queue:default");
    ck_assert_ptr_nonnull(strstr(job, "\"args\":[1.10]"));
    free(job);
}

START_TEST(a_c_program)
{
    must_run("cc -std=c11 " FLAGS " -o shared consumer.c $(pkg-config --libs sluice-client)");
    must_enqueue("shared");
    char *needs = run("readelf -d '%s/shared'", prefix);
    ck_assert_msg(strstr(needs, "[libsluice-client.so.1]"), "%s", needs);
    free(needs);
}
END_TEST

START_TEST(a_cpp_program)
{
    must_run("c++ -std=c++11 " FLAGS " -o cpp consumer.cc $(pkg-config --libs sluice-client)");
    must_enqueue("cpp");
}
END_TEST

START_TEST(a_static_program)
{
    must_run("cc -std=c11 " FLAGS " -o static consumer.c "
             "\"$(pkg-config --variable=libdir sluice-client)/libsluice-client.a\" "
             "$(pkg-config --static --libs-only-l sluice-client | sed s/-lsluice-client//)");
    must_enqueue("static");
    char *needs = run("readelf -d '%s/static'", prefix);
    ck_assert_msg(!strstr(needs, "sluice"), "%s", needs);
    ck_assert_msg(!strstr(needs, "yaml"), "%s", needs);
    free(needs);
}
END_TEST

/* Alone and first, beside the header for plugins, and before any other. */
START_TEST(the_header_stands_alone)
{
    write_file("alone.c", "#include <sluice/client.h>\nint x;\n");
    write_file("both.c", "#include <sluice/client.h>\n#include \"" TEST_SOURCE_DIR
                         "/include/sluice/handler.h\"\nint x;\n");
    must_run("cc -std=c11 " FLAGS " -Wshadow -Wundef -Wstrict-prototypes -c alone.c both.c");
    must_run("cc -std=c99 " FLAGS " -c alone.c");
    must_run("c++ -std=c++11 -x c++ " FLAGS " -Wold-style-cast -c alone.c both.c");
}
END_TEST

/* Nothing but sluice_client_*, and all of what the header declares. */
START_TEST(only_the_interface_is_exported)
{
    char *shared =
        run("nm -D --defined-only '%s/lib/libsluice-client.so' | awk '{print $3}' | sort",
            TEST_BINARY_DIR);
    char *archive =
        run("nm -g --defined-only '%s/lib/libsluice-client.a' | awk 'NF == 3 {print $3}' "
            "| sort",
            TEST_BINARY_DIR);
    char *declared = run("grep -oE 'sluice_client_[a-z_]+\\(struct|sluice_client_[a-z_]+\\(const|"
                         "sluice_client_version\\(' '%s/include/sluice/client.h' | "
                         "grep -oE '^sluice_client_[a-z_]+' | sort -u",
                         TEST_SOURCE_DIR);
    ck_assert_str_eq(shared, declared);
    ck_assert_str_eq(archive, declared);
    ck_assert_ptr_nonnull(strstr(declared, "sluice_client_enqueue_bulk\n"));
    free(shared);
    free(archive);
    free(declared);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("client: installed");
    TCase *tc = tcase_create("installed");
    tcase_add_checked_fixture(tc, set_up_prefix, tear_down_prefix);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    suite_add_tcase(suite, tc);
    tcase_add_test(tc, a_c_program);
    tcase_add_test(tc, a_cpp_program);
    tcase_add_test(tc, a_static_program);
    tcase_add_test(tc, the_header_stands_alone);
    tcase_add_test(tc, only_the_interface_is_exported);
    return suite;
}
