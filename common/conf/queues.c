#include "conf/queues.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "conf/value.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.n > 0 && is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool name_ok(struct slice name)
{
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c <= ' ' || c == 0x7f || strchr(",:\"'", c))
            return false;
    }
    return name.n > 0 && name.n <= CONF_QUEUE_NAME_MAX && utf8_ok(name);
}

static bool parse_weight(struct slice text, int *ret)
{
    int weight = 0;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || weight > CONF_QUEUE_WEIGHT_MAX)
            return false;
        weight = weight * 10 + (text.p[i] - '0');
    }
    if (text.n == 0 || text.p[0] == '0' || weight > CONF_QUEUE_WEIGHT_MAX)
        return false;
    *ret = weight;
    return true;
}

static bool contains(const struct queue_list *list, struct slice name)
{
    for (int i = 0; i < list->n; i++)
        if (slice_is(name, list->items[i].name))
            return true;
    return false;
}

static int append(struct queue_list *list, struct slice name, int weight)
{
    struct conf_queue *items = realloc(list->items, (size_t)(list->n + 1) * sizeof *items);
    if (!items)
        return -ENOMEM;
    list->items = items;
    char *copy = strndup(name.p, name.n);
    if (!copy)
        return -ENOMEM;
    items[list->n++] = (struct conf_queue){.name = copy, .weight = weight};
    return 0;
}

int queue_list_add(struct queue_list *list, struct slice item, struct err *err)
{
    item = trim(item);
    int shown = item.n > 60 ? 60 : (int)item.n;
    int weight = 0;
    struct slice name = item;
    const char *colon = item.n ? memchr(item.p, ':', item.n) : NULL;
    if (colon) {
        name.n = (size_t)(colon - item.p);
        if (!parse_weight((struct slice){colon + 1, item.n - name.n - 1}, &weight))
            return err_set(err, -EINVAL,
                           "\"%.*s\" has a bad weight, must be name:weight with a whole number "
                           "from 1 to %d",
                           shown, item.p, CONF_QUEUE_WEIGHT_MAX);
    }
    if (!name_ok(name))
        return err_set(err, -EINVAL,
                       "\"%.*s\" is no queue name, must be 1 to %d printable bytes without space, "
                       "comma, colon or quote",
                       shown, item.n ? item.p : "", CONF_QUEUE_NAME_MAX);
    if (contains(list, name))
        return err_set(err, -EINVAL, "queue \"%.*s\" is given twice, must be once", shown, item.p);
    if (list->n == CONF_QUEUES_MAX)
        return err_set(err, -EINVAL, "more than %d queues, which is the most allowed",
                       CONF_QUEUES_MAX);
    int rc = append(list, name, weight);
    return rc < 0 ? err_set(err, rc, "no memory") : 0;
}

void queue_list_release(struct queue_list *list)
{
    for (int i = 0; i < list->n; i++)
        free(list->items[i].name);
    free(list->items);
    *list = (struct queue_list){0};
}

void queue_list_move(struct queue_list *list, struct conf *c)
{
    queues_release(c);
    for (int i = 0; i < list->n; i++)
        if (list->items[i].weight > 0)
            c->weighted = true;
    for (int i = 0; c->weighted && i < list->n; i++)
        if (list->items[i].weight == 0)
            list->items[i].weight = 1;
    c->queues = list->items;
    c->nqueues = list->n;
    *list = (struct queue_list){0};
}

int queues_parse(struct conf *c, const char *text, struct err *err)
{
    struct queue_list list = {0};
    int rc;
    for (const char *p = text;; p++) {
        size_t n = strcspn(p, ",");
        rc = queue_list_add(&list, (struct slice){p, n}, err);
        if (rc < 0)
            goto out;
        p += n;
        if (!*p)
            break;
    }
    queue_list_move(&list, c);
out:
    queue_list_release(&list);
    return rc;
}

void queues_put(const struct conf *c, struct buf *out)
{
    buf_putc(out, '[');
    for (int i = 0; i < c->nqueues; i++) {
        struct buf item = {0};
        buf_puts(&item, c->queues[i].name);
        if (c->weighted)
            buf_printf(&item, ":%d", c->queues[i].weight);
        if (i > 0)
            buf_puts(out, ", ");
        value_put_quoted(buf_str(&item), out);
        buf_release(&item);
    }
    buf_putc(out, ']');
}

void queues_release(struct conf *c)
{
    struct queue_list list = {c->queues, c->nqueues};
    queue_list_release(&list);
    c->queues = NULL;
    c->nqueues = 0;
    c->weighted = false;
}
