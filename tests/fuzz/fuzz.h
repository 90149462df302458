/* What the fuzz targets share: checks that say what broke before they stop the run. */
#ifndef SLUICE_TESTS_FUZZ_H
#define SLUICE_TESTS_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/utf8.h"

/* libFuzzer calls it with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define must(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* One line of UTF-8 that says something and cannot drive a terminal. */
static inline void must_be_sentence(const struct err *err)
{
    must(err->text[0]);
    must(utf8_ok(slice_of(err->text)));
    for (const unsigned char *p = (const unsigned char *)err->text; *p; p++) {
        must(*p >= 0x20 && *p != 0x7f);
        must(!(p[0] == 0xc2 && p[1] < 0xa0)); /* U+0080 to U+009F: controls, too */
    }
}

#endif
