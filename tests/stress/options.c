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
