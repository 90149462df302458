#include "handlers/object.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/thread.h"

/* The size of struct sluice_plugin when ABI 1 was published. Members appended later are used only
 * when the plugin's own size covers them. */
#define PLUGIN_SIZE_V1 (offsetof(struct sluice_plugin, fini) + sizeof(void (*)(void)))

struct object {
    struct object *next;
    void *dl;
    const struct sluice_plugin *plugin; /* the symbol inside the mapping */
    int refs;
};

/* guards: objects, and the calls of init() and fini(), which thus never run beside each other.
 * It is the one mutex held across code of a plugin: opening is rare, and the second to open an
 * object has to wait until the first has initialised it. */
static struct mutex objects_mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct object *objects;

static const char *dl_reason(const char *path)
{
    const char *text = dlerror();
    if (!text)
        return "unknown reason";
    size_t n = strlen(path);
    return strncmp(text, path, n) == 0 && text[n] == ':' ? text + n + 2 : text; /* named already */
}

static int check_abi(const struct sluice_plugin *p, const char *path, struct err *err)
{
    if (p->abi != SLUICE_HANDLER_ABI)
        return err_set(err, -EINVAL, "%s was built for handler ABI %u, this worker speaks %d", path,
                       p->abi, SLUICE_HANDLER_ABI);
    if (p->size < PLUGIN_SIZE_V1)
        return err_set(err, -EINVAL, "%s: size in sluice_plugin is %u, less than the %zu of ABI %d",
                       path, p->size, PLUGIN_SIZE_V1, SLUICE_HANDLER_ABI);
    if (!p->run)
        return err_set(err, -EINVAL, "%s: sluice_plugin has no run()", path);
    return 0;
}

static struct object *object_find_locked(const struct sluice_plugin *plugin)
{
    struct object *o = objects;
    while (o && o->plugin != plugin)
        o = o->next;
    return o;
}

static int object_add_locked(void *dl, const struct sluice_plugin *plugin, const char *path,
                             struct object **ret, struct err *err)
{
    int rc = check_abi(plugin, path, err);
    if (rc < 0)
        return rc;
    struct object *o = malloc(sizeof *o);
    if (!o)
        return err_set(err, -ENOMEM, "%s: no memory", path);
    const char *reason = NULL;
    if (plugin->init && plugin->init(&reason) != 0) {
        free(o);
        return err_set(err, -EINVAL, "%s: init failed: %s", path,
                       reason ? reason : "no reason given");
    }
    *o = (struct object){.next = objects, .dl = dl, .plugin = plugin, .refs = 1};
    objects = o;
    *ret = o;
    return 0;
}

static int object_open_locked(const char *path, struct object **ret, struct err *err)
{
    void *dl = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!dl)
        return err_set(err, -EINVAL, "%s: %s", path, dl_reason(path));
    const struct sluice_plugin *plugin = dlsym(dl, "sluice_plugin");
    struct object *o = plugin ? object_find_locked(plugin) : NULL;
    if (o) {
        (void)dlclose(dl); /* cannot fail: the object holds a reference of its own */
        o->refs++;
        *ret = o;
        return 0;
    }
    int rc = plugin ? object_add_locked(dl, plugin, path, ret, err)
                    : err_set(err, -EINVAL, "%s: no symbol \"sluice_plugin\"", path);
    if (rc < 0)
        (void)dlclose(dl); /* a failure leaves it mapped, which harms nobody */
    return rc;
}

static void object_close_locked(struct object *o)
{
    if (--o->refs > 0)
        return;
    struct object **link = &objects;
    while (*link != o)
        link = &(*link)->next;
    *link = o->next;
    if (o->plugin->fini)
        o->plugin->fini();
    (void)dlclose(o->dl); /* as above */
    free(o);
}

int object_open(const char *path, struct object **ret, struct err *err)
{
    mutex_lock(&objects_mutex);
    int rc = object_open_locked(path, ret, err);
    mutex_unlock(&objects_mutex);
    return rc;
}

void object_close(struct object *o)
{
    mutex_lock(&objects_mutex);
    object_close_locked(o);
    mutex_unlock(&objects_mutex);
}

const struct sluice_plugin *object_plugin(const struct object *o)
{
    return o->plugin;
}
