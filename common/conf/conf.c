#include "conf/conf.h"

#include <stdlib.h>

#include "conf/handlers.h"
#include "conf/table.h"

struct conf *conf_ref(struct conf *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
    return c;
}

void conf_unref(struct conf *c)
{
    if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) > 0)
        return;
    for (const struct setting *s = settings; s < settings + SETTINGS; s++)
        value_free(&s->field, c);
    handlers_release(c);
    free(c->file);
    free(c);
}

int conf_reserved_connections(const struct conf *c)
{
    int waits = c->nqueues < CONF_BLOCKING_MAX ? c->nqueues : CONF_BLOCKING_MAX;
    return CONF_HEARTBEAT_CONNS + CONF_CONTROL_CONNS + waits;
}
