#include "options.h"

#include <stdio.h>
#include <stdlib.h>

bool option_number(const char *name, const char *text, double least, double most, double *ret)
{
    char *end;
    double n = strtod(text, &end);
    if (end == text || *end || !(n >= least && n <= most)) {
        (void)fprintf(stderr, "--%s: \"%s\" is no number from %g to %g\n", name, text, least, most);
        return false;
    }
    *ret = n;
    return true;
}

bool option_whole(const char *name, const char *text, int least, int most, int *ret)
{
    double n;
    if (!option_number(name, text, least, most, &n))
        return false;
    *ret = (int)n;
    return true;
}

bool option_seed(const char *text, uint64_t *ret)
{
    double n;
    if (!option_number("seed", text, 0, 1e9, &n))
        return false;
    *ret = (uint64_t)n;
    return true;
}

bool options_read(const char *program, int argc, char **argv, const struct option *names,
                  bool (*read_one)(int which, const char *text))
{
    int which;
    while ((which = getopt_long(argc, argv, "", names, NULL)) != -1)
        if (!read_one(which, optarg))
            return false;
    if (optind < argc)
        (void)fprintf(stderr, "%s: unexpected argument \"%s\"; see --help\n", program,
                      argv[optind]);
    return optind == argc;
}

int long_test_run(const char *name, const TTest *test)
{
    Suite *suite = suite_create(name);
    TCase *tc = tcase_create(test->name);
    tcase_set_timeout(tc, 0);
    tcase_add_test(tc, test);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
