/*
 * Two hashes, both FNV-1a: one of 128 bits that tells whether two texts are the same without
 * keeping them, and a short one that spreads texts over buckets.
 *
 * For texts of those who may be mistaken, not of those who attack: two that collide can be made by
 * whoever wants to. (Where that matters there is http/digest.h, which needs OpenSSL.)
 *
 * Source: G. Fowler, L. C. Noll, K.-P. Vo, "The FNV Non-Cryptographic Hash Algorithm".
 *
 * Threads: pure functions.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

enum { HASH_HEX = 32 };

/* In lower-case hex digits, with a NUL. */
void hash_hex(struct slice text, char ret[HASH_HEX + 1]);

/* Says nothing about whether two texts are the same. */
uint32_t hash_short(struct slice text);

#endif
