#include <stdlib.h>

#include "conf/load.h"

int load_env(struct load *l, struct err *err)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        const char *text = s->programs & l->program ? getenv(s->env) : NULL;
        if (!text || !*text)
            continue; /* compose files and manifests pass empty ones for "not set" */
        int rc = load_set(l, s, ORIGIN_ENV, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int load_flags(struct load *l, const struct conf_flags *flags, struct err *err)
{
    for (const struct setting *s = settings; s < settings + SETTINGS; s++) {
        if (!(s->flag_programs & l->program))
            continue;
        const char *text = *(const char *const *)(const void *)((const char *)flags + s->flag_at);
        if (!text || !*text)
            continue;
        int rc = load_set(l, s, ORIGIN_FLAG, text, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}
