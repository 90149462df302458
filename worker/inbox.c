#include "worker/inbox.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

void errand_free(struct errand *e)
{
    if (e)
        order_release(&e->order);
    free(e);
}

void errands_push(struct errands *list, struct errand *e)
{
    e->next = NULL;
    if (list->tail)
        list->tail->next = e;
    else
        list->head = e;
    list->tail = e;
}

struct errand *errands_pop(struct errands *list)
{
    struct errand *e = list->head;
    if (!e)
        return NULL;
    list->head = e->next;
    if (!list->head)
        list->tail = NULL;
    e->next = NULL;
    return e;
}

int inbox_init(struct inbox *b, void (*call)(void *), void *ctx)
{
    *b = (struct inbox){.call = call, .call_ctx = ctx};
    b->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (b->bell < 0)
        return -errno;
    mutex_init(&b->mutex);
    return 0;
}

void inbox_release(struct inbox *b)
{
    struct errand *e;
    while ((e = errands_pop(&b->asked)) || (e = errands_pop(&b->done)))
        errand_free(e);
    mutex_release(&b->mutex);
    (void)close(b->bell); /* nothing to flush */
}

int inbox_ask(struct inbox *b, struct order *o)
{
    struct errand *e = calloc(1, sizeof *e);
    if (!e)
        return -ENOMEM;
    e->order = *o;
    o->subject = NULL;
    mutex_lock(&b->mutex);
    errands_push(&b->asked, e);
    b->n++;
    mutex_unlock(&b->mutex);
    b->call(b->call_ctx);
    return 0;
}

bool inbox_is_full(struct inbox *b)
{
    mutex_lock(&b->mutex);
    bool full = b->n >= INBOX_MAX;
    mutex_unlock(&b->mutex);
    return full;
}

struct errand *inbox_take(struct inbox *b)
{
    mutex_lock(&b->mutex);
    struct errand *e = errands_pop(&b->asked);
    mutex_unlock(&b->mutex);
    return e;
}

void inbox_finish(struct inbox *b, struct errand *e)
{
    uint64_t one = 1;
    mutex_lock(&b->mutex);
    errands_push(&b->done, e);
    mutex_unlock(&b->mutex);
    (void)!write(b->bell, &one, sizeof one); /* EAGAIN: it is rung already */
}

struct errand *inbox_collect(struct inbox *b)
{
    uint64_t rung;
    (void)!read(b->bell, &rung, sizeof rung); /* first: what is done from now on rings again */
    mutex_lock(&b->mutex);
    struct errand *all = b->done.head;
    for (struct errand *e = all; e; e = e->next)
        b->n--;
    b->done = (struct errands){0};
    mutex_unlock(&b->mutex);
    return all;
}
