/*
 * The key figures of a bench, for programs: one line, the last that it prints, of names and plain
 * numbers:
 *
 *     figures: per_s=411000 floor_per_s=893000 ratio=0.46
 *
 * What a person reads stands above it and may change its words; these names are what bench/targets
 * refers to, and bench/run makes its table of them.
 *
 * Threads: one.
 */
#ifndef SLUICE_BENCH_KEY_FIGURES_H
#define SLUICE_BENCH_KEY_FIGURES_H

#include "base/err.h"

/* Adds one to the line. */
void key_figure(double value, const char *name, ...) printf_like(2, 3);
void key_figures_print(void);

#endif
