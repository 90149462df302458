/*
 * A hash that tells whether two texts are the same without keeping them: FNV-1a of 128 bits.
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

#include "base/slice.h"

enum { HASH_HEX = 32 };

/* In lower-case hex digits, with a NUL. */
void hash_hex(struct slice text, char ret[HASH_HEX + 1]);

#endif
