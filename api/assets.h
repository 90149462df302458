/*
 * The dashboard's files, built into the program: api/dashboard/ and the chart library. They are
 * what a browser gets, byte for byte; there is no template and no build step of theirs.
 *
 * Threads: constant.
 */
#ifndef SLUICE_API_ASSETS_H
#define SLUICE_API_ASSETS_H

#include <stddef.h>

struct asset {
    const char *name; /* of the file; NULL ends the table */
    const char *type;
    const char *etag; /* by its bytes, quoted */
    const unsigned char *bytes;
    size_t n;
};

extern const struct asset dashboard_assets[];

#endif
