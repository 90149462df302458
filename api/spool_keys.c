#include "api/spool_keys.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

#include "http/digest.h"

static_assert(sizeof((struct spool_key *)0)->digest <= HTTP_DIGEST_BYTES, "a part of it");

static int compare(const void *a, const void *b)
{
    const struct spool_key *x = a, *y = b;
    return memcmp(x->digest, y->digest, sizeof x->digest);
}

int spool_key_of(struct slice key, int64_t offset, struct spool_key *ret)
{
    unsigned char digest[HTTP_DIGEST_BYTES];
    int rc = http_digest(key, digest);
    if (rc != 0)
        return rc;
    memcpy(ret->digest, digest, sizeof ret->digest);
    ret->offset = offset;
    return 0;
}

const struct spool_key *spool_keys_find(const struct spool_keys *k, const struct spool_key *key)
{
    struct spool_key *const *node = tfind(key, &k->root, compare);
    return node ? *node : NULL;
}

void spool_keys_put(struct spool_keys *k, const struct spool_key *key)
{
    struct spool_key *const *node = tfind(key, &k->root, compare);
    if (node) {
        (*node)->offset = key->offset;
        return;
    }
    struct spool_key *copy = malloc(sizeof *copy);
    if (!copy)
        return;
    *copy = *key;
    if (!tsearch(copy, &k->root, compare))
        free(copy);
}

void spool_keys_release(struct spool_keys *k)
{
    tdestroy(k->root, free);
    k->root = NULL;
}
