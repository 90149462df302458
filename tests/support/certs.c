#include "support/certs.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/support.h"

void certs_make(struct certs *c)
{
    char command[512];
    *c = (struct certs){"/tmp/sluice-certs-XXXXXX"};
    ck_assert_ptr_nonnull(mkdtemp(c->dir));
    (void)snprintf(command, sizeof command, "sh '%s/tests/support/make_certs.sh' %s",
                   TEST_SOURCE_DIR, c->dir);
    ck_assert_msg(system(command) == 0, "%s failed", command);
}

void certs_remove(struct certs *c)
{
    char command[64];
    (void)snprintf(command, sizeof command, "rm -r %s", c->dir);
    ck_assert_int_eq(system(command), 0);
}

struct cert_path certs_path(const struct certs *c, const char *name)
{
    struct cert_path path;
    int n = snprintf(path.text, sizeof path.text, "%s/%s", c->dir, name);
    ck_assert_int_lt(n, (int)sizeof path.text);
    return path;
}
