/* Where the files of a process' control group are. What groups do is shown by a worker:
 * integration/test_worker_memory. */
#include "support/support.h"

#include "handlers/cgroup.h"

static const char v2[] = "24 30 0:22 / /proc rw,nosuid - proc proc rw\n"
                         "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";
static const char hybrid[] =
    "31 25 0:27 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"
    "32 31 0:28 / /sys/fs/cgroup/unified rw shared:5 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
    "33 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
static const char part[] = "30 23 0:26 /box/a /sys/fs/cgroup rw - cgroup2 cgroup2 rw";

static const struct {
    const char *cgroup, *mountinfo;
    const char *path; /* NULL: there is none */
} places[] = {
    {"0::/system.slice/worker.service\n", v2, "/sys/fs/cgroup/system.slice/worker.service"},
    {"0::/\n", v2, "/sys/fs/cgroup/"},
    {"0::/", v2, "/sys/fs/cgroup/"},
    {"5:memory:/x\n1:name=systemd:/y\n0::/z\n", hybrid, "/sys/fs/cgroup/unified/z"},
    {"0::/box/a/b\n", part, "/sys/fs/cgroup/b"},
    {"0::/box/a\n", part, "/sys/fs/cgroup"},
    {"0::/box/ab\n", part, NULL},
    {"0::/bo\n", part, NULL},
    {"0::/../other\n", part, NULL},
    {"5:memory:/x\n", hybrid, NULL},
    {"0::/x\n", "33 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw\n", NULL},
    {"0::/x\n", "33 31 - cgroup2 \n", NULL},
    {"0::/x\n", "", NULL},
    {"", v2, NULL},
};
enum { PLACES = sizeof places / sizeof places[0] };

START_TEST(a_group_is_located)
{
    char path[4096] = "";
    int rc = cgroup_locate(places[_i].cgroup, places[_i].mountinfo, path, sizeof path);
    ck_assert_int_eq(rc, places[_i].path ? 0 : -ENOTSUP);
    if (places[_i].path)
        ck_assert_str_eq(path, places[_i].path);
}
END_TEST

START_TEST(a_path_that_does_not_fit_is_none)
{
    char path[16];
    ck_assert_int_eq(cgroup_locate("0::/a-long-name-of-a-group\n", v2, path, sizeof path),
                     -ENOTSUP);
}
END_TEST

/* Before groups were opened, or where there are none, they cost nothing and say nothing. */
START_TEST(without_groups_nothing_happens)
{
    struct cgroup g;
    struct cgroup_usage used = {true, 1};
    char path[CGROUP_ENTRY_MAX];
    ck_assert(!cgroup_begin(&g, 64));
    ck_assert_ptr_null(cgroup_entry(&g, path));
    cgroup_end(&g, &used);
    ck_assert(!used.killed);
    ck_assert_int_eq(used.peak_kb, 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("control groups");
    TCase *tc = tcase_create("control groups");
    tcase_add_loop_test(tc, a_group_is_located, 0, PLACES);
    tcase_add_test(tc, a_path_that_does_not_fit_is_none);
    tcase_add_test(tc, without_groups_nothing_happens);
    suite_add_tcase(suite, tc);
    return suite;
}
