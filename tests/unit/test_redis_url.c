/* Addresses of Redis: what is accepted, what is refused, and that no refusal tells a secret. */
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

#include "redis/conn.h"

struct accepted {
    const char *url;
    const char *host, *path, *user, *password;
    int port, db;
    bool tls;
};

static const struct accepted accepted[] = {
    {"redis://h", "h", NULL, NULL, NULL, 6379, 0, false},
    {"redis://h/", "h", NULL, NULL, NULL, 6379, 0, false},
    {"redis://h:1", "h", NULL, NULL, NULL, 1, 0, false},
    {"redis://h:65535/15", "h", NULL, NULL, NULL, 65535, 15, false},
    {"redis://127.0.0.1:7000/3", "127.0.0.1", NULL, NULL, NULL, 7000, 3, false},
    {"rediss://r.example.com", "r.example.com", NULL, NULL, NULL, 6379, 0, true},
    {"redis://[::1]", "::1", NULL, NULL, NULL, 6379, 0, false},
    {"redis://[fe80::1]:7001/2", "fe80::1", NULL, NULL, NULL, 7001, 2, false},
    {"redis://:pw@h", "h", NULL, NULL, "pw", 6379, 0, false},
    {"redis://user:pw@h:1/2", "h", NULL, "user", "pw", 1, 2, false},
    {"redis://user@h", "h", NULL, "user", NULL, 6379, 0, false},
    {"redis://user:@h", "h", NULL, "user", "", 6379, 0, false},
    {"redis://u%40x:p%3a%2F%25%40@h", "h", NULL, "u@x", "p:/%@", 6379, 0, false},
    {"redis://u:p@ss@h", "h", NULL, "u", "p@ss", 6379, 0, false},
    {"redis://u:p:q@[::1]:9", "::1", NULL, "u", "p:q", 9, 0, false},
    {"unix:///run/r.sock", NULL, "/run/r.sock", NULL, NULL, 6379, 0, false},
    {"unix:///run/r.sock?db=4", NULL, "/run/r.sock", NULL, NULL, 6379, 4, false},
    {"unix:///run/a%20b%3fc", NULL, "/run/a b?c", NULL, NULL, 6379, 0, false},
    {"unix:///run/a@b", NULL, "/run/a@b", NULL, NULL, 6379, 0, false},
    {"unix://user:p%40w@/run/r.sock?db=1", NULL, "/run/r.sock", "user", "p@w", 6379, 1, false},
};

static const struct {
    const char *url, *description;
    const char *user, *password, *service;
    int n;
    struct redis_address last;
} with_sentinels[] = {
    {"redis+sentinel://h/m", "redis+sentinel://h:26379/m/0", NULL, NULL, "m", 1, {"h", 26379}},
    {"redis+sentinel://h:1/m/", "redis+sentinel://h:1/m/0", NULL, NULL, "m", 1, {"h", 1}},
    {"redis+sentinel://u:p%40,w@a,b:7,[::1]:9/my-master.1/3",
     "redis+sentinel://a:26379,b:7,[::1]:9/my-master.1/3",
     "u",
     "p@,w",
     "my-master.1",
     3,
     {"::1", 9}},
    {"rediss+sentinel://:pw@[fe80::1],b/a%20b",
     "rediss+sentinel://[fe80::1]:26379,b:26379/a b/0",
     NULL,
     "pw",
     "a b",
     2,
     {"b", 26379}},
};

static void check_text(const char *got, const char *want)
{
    if (want)
        ck_assert_str_eq(got, want);
    else
        ck_assert_ptr_null(got);
}

START_TEST(good_urls)
{
    const struct accepted *a = &accepted[_i];
    struct redis_options o = {.name = "kept", .connect_timeout_ms = 7};
    char *storage = NULL;
    struct err err = {""};
    ck_assert_msg(redis_url_parse(a->url, &o, &storage, &err) == 0, "%s: %s", a->url, err.text);
    check_text(o.host, a->host);
    check_text(o.path, a->path);
    check_text(o.username, a->user);
    check_text(o.password, a->password);
    ck_assert_int_eq(o.port, a->port);
    ck_assert_int_eq(o.db, a->db);
    ck_assert(o.tls == a->tls);
    ck_assert_str_eq(o.name, "kept");
    ck_assert_int_eq(o.connect_timeout_ms, 7);
    free(storage);
}
END_TEST

static void check_sentinels(const struct redis_options *o, int i)
{
    struct buf out = {0};
    check_text(o->host, NULL);
    check_text(o->path, NULL);
    check_text(o->username, with_sentinels[i].user);
    check_text(o->password, with_sentinels[i].password);
    ck_assert_str_eq(o->service, with_sentinels[i].service);
    ck_assert_int_eq(o->nsentinels, with_sentinels[i].n);
    ck_assert_str_eq(o->sentinels[o->nsentinels - 1].host, with_sentinels[i].last.host);
    ck_assert_int_eq(o->sentinels[o->nsentinels - 1].port, with_sentinels[i].last.port);
    ck_assert(o->tls == (strncmp(with_sentinels[i].url, "rediss", 6) == 0));
    redis_options_describe(o, &out);
    ck_assert_str_eq(buf_str(&out), with_sentinels[i].description);
    buf_release(&out);
}

START_TEST(sentinel_urls)
{
    struct redis_options o = {.sentinel_username = "su", .sentinel_password = "sp"}, copy;
    char *storage = NULL, *copied = NULL;
    struct err err = {""};
    const char *url = with_sentinels[_i].url;
    ck_assert_msg(redis_url_parse(url, &o, &storage, &err) == 0, "%s: %s", url, err.text);
    check_sentinels(&o, _i);
    ck_assert_int_eq(redis_options_copy(&o, &copy, &copied), 0);
    free(storage);
    check_sentinels(&copy, _i);
    ck_assert_str_eq(copy.sentinel_username, "su");
    ck_assert_str_eq(copy.sentinel_password, "sp");
    free(copied);
}
END_TEST

/* Each holds the word SECRET wherever a secret may stand, rightly or by a mistake. */
static const char *const refused[] = {
    "",
    "SECRET",
    "http://h",
    "redis:/h",
    "REDIS://h",
    "redis://",
    "redis:///3",
    "redis://:6379",
    "redis://u:SECRET@",
    "redis://u:SECRET@:6379",
    "redis://u:SECRET@h:",
    "redis://u:SECRET@h:0",
    "redis://u:SECRET@h:65536",
    "redis://u:SECRET@h:99999999999999999999",
    "redis://u:SECRET@h:6379x",
    "redis://u:SECRET@h:-1",
    "redis://u:SECRET@h/x",
    "redis://u:SECRET@h/-1",
    "redis://u:SECRET@h/1/2",
    "redis://u:SECRET@h/99999999999",
    "redis://u:SECRET/more@h",
    "redis://u:SECRET%@h",
    "redis://u:SECRET%4@h",
    "redis://u:SECRET%zz@h",
    "redis://u:SECRET%00@h",
    "redis://SECRET%x@h",
    "redis://u:SECRET@[::1",
    "redis://u:SECRET@[::1]x",
    "redis://u:SECRET@[[]",
    "redis://u:SECRET@[]",
    "redis://[SECRET]",
    "redis://u:SECRET@h?db=1",
    "unix://",
    "unix://relative",
    "unix:///",
    "unix:///?db=4",
    "unix://host/run/r.sock",
    "unix://u:SECRET/run/r.sock",
    "unix://u:SECRET@/run/r.sock?db=x",
    "unix://u:SECRET@/run/r.sock?base=1",
    "unix:///run/%SECRET",
    "redis+sentinel://",
    "redis+sentinel://h",
    "redis+sentinel://h/",
    "redis+sentinel:///m",
    "redis+sentinel://u:SECRET@/m",
    "redis+sentinel://u:SECRET@h,/m",
    "redis+sentinel://u:SECRET@,h/m",
    "redis+sentinel://u:SECRET@h:/m",
    "redis+sentinel://u:SECRET@h:1,i:0/m",
    "redis+sentinel://u:SECRET@h:1:2/m",
    "redis+sentinel://u:SECRET@h:1,i/m/x",
    "redis+sentinel://u:SECRET@h/m/1/2",
    "redis+sentinel://u:SECRET@h/m?db=1",
    "redis+sentinel://u:SECRET@h?m=1/m",
    "redis+sentinel://u:SECRET@h/m%",
    "redis+sentinel://u:SECRET%@h/m",
    "sentinel://u:SECRET@h/m",
};

START_TEST(bad_urls)
{
    struct redis_options o = {.host = "before", .port = 1};
    char *storage = NULL;
    struct err err = {""};
    int rc = redis_url_parse(refused[_i], &o, &storage, &err);
    ck_assert_msg(rc == -EINVAL, "%s was accepted", refused[_i]);
    ck_assert_msg(err.text[0] != '\0' && !strstr(err.text, "SECRET"), "%s: %s", refused[_i],
                  err.text);
    ck_assert_ptr_null(storage);
    ck_assert_str_eq(o.host, "before");
    ck_assert_int_eq(o.port, 1);
}
END_TEST

static void check_description(const struct redis_options *o, const char *want)
{
    struct buf out = {0};
    redis_options_describe(o, &out);
    ck_assert_str_eq(buf_str(&out), want);
    buf_release(&out);
}

START_TEST(descriptions_hold_no_credentials)
{
    struct redis_options o = {.host = "h", .port = 1, .username = "u", .password = "p", .db = 2};
    check_description(&o, "redis://h:1/2");
    o.tls = true;
    check_description(&o, "rediss://h:1/2");
    o.host = "::1";
    check_description(&o, "rediss://[::1]:1/2");
    o.path = "/run/r.sock";
    check_description(&o, "unix:///run/r.sock?db=2");
    o.db = 0;
    check_description(&o, "unix:///run/r.sock");
}
END_TEST

Suite *test_suite(void)
{
    Suite *s = suite_create("redis/url");
    TCase *t = tcase_create("url");
    tcase_add_loop_test(t, good_urls, 0, sizeof accepted / sizeof accepted[0]);
    tcase_add_loop_test(t, sentinel_urls, 0, sizeof with_sentinels / sizeof with_sentinels[0]);
    tcase_add_loop_test(t, bad_urls, 0, sizeof refused / sizeof refused[0]);
    tcase_add_test(t, descriptions_hold_no_credentials);
    suite_add_tcase(s, t);
    return s;
}
