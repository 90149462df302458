#include "redis/reply_build.h"

#include <hiredis/hiredis.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Blocks double from one to the other: a long reply needs few, and a short one wastes little. */
enum { BLOCK_MIN = 512, BLOCK_MAX = 64 * 1024 };

struct block {
    struct block *before;
    max_align_t bytes[];
};

struct reply_tree {
    struct reply root;
    struct block *blocks; /* the last one first */
    size_t next_block;    /* how large it is to be */
    max_align_t bytes[];
};

static void *room_in_place(struct reply_builder *b, size_t n, size_t align)
{
    size_t gap = -(uintptr_t)b->at % align;
    if ((size_t)(b->end - b->at) < gap + n)
        return NULL;
    char *room = b->at + gap;
    b->at = room + n;
    return room;
}

/* Memory of the tree. */
static void *take(struct reply_builder *b, size_t n, size_t align)
{
    void *room = room_in_place(b, n, align);
    if (room)
        return room;
    struct reply_tree *tree = b->tree;
    size_t size = n > tree->next_block ? n : tree->next_block;
    struct block *block = size <= SIZE_MAX / 2 ? malloc(sizeof *block + size) : NULL;
    if (!block)
        return NULL;
    block->before = tree->blocks;
    tree->blocks = block;
    if (tree->next_block < BLOCK_MAX)
        tree->next_block *= 2;
    if (size > n) { /* else what is left of the block before is more */
        b->at = (char *)block->bytes + n;
        b->end = (char *)block->bytes + size;
    }
    return block->bytes;
}

/* Where the object of a task belongs: into its parent; or it is a root, and begins a tree with room
 * for so many bytes. */
static struct reply *place(const redisReadTask *task, enum reply_type type, size_t room)
{
    struct reply_builder *b = task->privdata;
    struct reply *r;
    if (task->parent) {
        const struct reply *parent = task->parent->obj;
        r = &parent->children[task->idx];
    } else {
        struct reply_tree *tree = room < SIZE_MAX / 2 ? malloc(sizeof *tree + room) : NULL;
        if (!tree)
            return NULL;
        tree->blocks = NULL;
        tree->next_block = BLOCK_MIN;
        *b = (struct reply_builder){tree, (char *)tree->bytes, (char *)tree->bytes + room};
        r = &tree->root;
    }
    *r = (struct reply){.type = type};
    return r;
}

/* RESP3's types do not arrive, for HELLO 3 is never sent; from a server that sends them all the
 * same they are nil, children and all. */
static enum reply_type type_of(const redisReadTask *task)
{
    switch (task->type) {
    case REDIS_REPLY_STRING:
        return REPLY_STRING;
    case REDIS_REPLY_STATUS:
        return REPLY_STATUS;
    case REDIS_REPLY_ERROR:
        return REPLY_ERROR;
    case REDIS_REPLY_ARRAY:
        return REPLY_ARRAY;
    default:
        return REPLY_NIL;
    }
}

static void *create_string(const redisReadTask *task, char *text, size_t n)
{
    struct reply *r = place(task, type_of(task), n + 1);
    char *copy = r ? take(task->privdata, n + 1, 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    r->text = copy;
    r->n = n;
    return r;
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t n)
#else
static void *create_array(const redisReadTask *task, int n)
#endif
{
    size_t size;
    if (__builtin_mul_overflow((size_t)n, sizeof(struct reply), &size))
        return NULL;
    struct reply *r = place(task, type_of(task), size);
    void *children = r ? take(task->privdata, size, _Alignof(struct reply)) : NULL;
    if (!children)
        return NULL;
    r->children = children;
    r->n = (size_t)n;
    return r;
}

static void *create_integer(const redisReadTask *task, long long n)
{
    struct reply *r = place(task, REPLY_INT, 0);
    if (r)
        r->integer = n;
    return r;
}

static void *create_nil(const redisReadTask *task)
{
    return place(task, REPLY_NIL, 0);
}

#if HIREDIS_MAJOR >= 1
static void *create_double(const redisReadTask *task, double n, char *text, size_t len)
{
    (void)n, (void)text, (void)len;
    return place(task, REPLY_NIL, 0);
}

static void *create_bool(const redisReadTask *task, int n)
{
    (void)n;
    return place(task, REPLY_NIL, 0);
}
#endif

static void free_object(void *root)
{
    reply_free(root);
}

void reply_builder_attach(struct reply_builder *b, struct redisReader *reader)
{
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = create_double,
        .createBool = create_bool,
#endif
        .freeObject = free_object,
    };
    reader->fn = &functions;
    reader->privdata = b;
}

void reply_free(struct reply *r)
{
    if (!r)
        return;
    struct reply_tree *tree = (struct reply_tree *)r; /* only a root is anybody's to free */
    for (struct block *block = tree->blocks, *before; block; block = before) {
        before = block->before;
        free(block);
    }
    free(tree);
}
