#include "base/hash.h"

#include <inttypes.h>
#include <stdio.h>

__extension__ typedef unsigned __int128 uint128;

void hash_hex(struct slice text, char ret[HASH_HEX + 1])
{
    const uint128 prime = (uint128)1 << 88 | 0x13b;
    uint128 hash = (uint128)0x6c62272e07bb0142 << 64 | 0x62b821756295c58d;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * prime;
    (void)snprintf(ret, HASH_HEX + 1, "%016" PRIx64 "%016" PRIx64, (uint64_t)(hash >> 64),
                   (uint64_t)hash); /* fits */
}

uint32_t hash_short(struct slice text)
{
    uint32_t hash = 2166136261U;
    for (size_t i = 0; i < text.n; i++)
        hash = (hash ^ (unsigned char)text.p[i]) * 16777619U;
    return hash;
}
