/*
 * The spool's files: frames, records, segments that were torn or damaged anywhere, the lock, the
 * bounds, keys. Without a replay, so without Redis.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "api/once.h"
#include "api/spool_frame.h"
#include "api/spool_parts.h"
#include "base/log.h"
#include "support/support.h"

enum { MIB = 1 << 20 };

static char top[64];  /* a temporary folder */
static char home[96]; /* the spool's, in it */

static void set_up(void)
{
    (void)snprintf(top, sizeof top, "/tmp/sluice-spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(top));
    (void)snprintf(home, sizeof home, "%s/spool", top);
    log_setup(LOG_ERROR + 1, LOG_LOGFMT); /* what is damaged here is meant to be */
}

static void empty(const char *folder)
{
    char path[512];
    DIR *dir = opendir(folder);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        (void)snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            (void)unlink(path); /* a folder stays */
    }
    if (dir)
        (void)closedir(dir);
}

static void tear_down(void)
{
    empty(home);
    (void)rmdir(home); /* not every test has made it */
    empty(top);
    ck_assert_int_eq(rmdir(top), 0);
}

/* ---- steps ---- */

static struct spool *must_open_spool(int64_t max_bytes)
{
    struct spool *s = NULL;
    struct err err = {""};
    int rc = spool_open(&(struct spool_options){.path = home, .max_bytes = max_bytes}, &s, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    return s;
}

static struct spool_stats stats_of(struct spool *s)
{
    struct spool_stats stats;
    spool_stats(s, &stats);
    return stats;
}

static struct job_batch batch_of(const char *payload, int jobs)
{
    struct job_batch b = {.now = 1};
    for (int i = 0; i < jobs; i++)
        ck_assert_int_eq(job_batch_put(&b, i % 2 ? "other" : "default", "", i % 3 ? 0 : 4e9 + 0.25,
                                       slice_of(payload)),
                         0);
    return b;
}

static struct spool_request add(struct spool *s, const char *key, const char *kept,
                                const char *payload)
{
    struct job_batch b = batch_of(payload, 1);
    struct spool_request r = {
        .batch = &b, .key = key, .kept = slice_of(kept ? kept : ""), .why = "a test"};
    struct spool_request *all[] = {&r};
    spool_add(s, all, 1, CLOCK_NEVER);
    job_batch_release(&b);
    r.batch = NULL;
    return r;
}

static void must_add(struct spool *s, const char *payload)
{
    struct spool_request r = add(s, NULL, NULL, payload);
    ck_assert_msg(r.rc == 0, "%s", r.err.text);
}

static char *path_of(uint64_t segment)
{
    static char path[160];
    char name[SEGMENT_NAME];
    spool_segment_name(segment, name);
    (void)snprintf(path, sizeof path, "%s/%s", home, name);
    return path;
}

static void read_file(const char *path, struct buf *ret)
{
    char bytes[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    for (ssize_t n; (n = read(fd, bytes, sizeof bytes)) > 0;)
        buf_append(ret, bytes, (size_t)n);
    (void)close(fd);
}

static void write_file(const char *path, struct slice bytes)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(spool_segment_write(fd, 0, bytes), 0);
    (void)close(fd);
}

/* ---- frames ---- */

START_TEST(a_frame_is_whole_or_not)
{
    struct buf frame = {0};
    struct slice body;
    size_t size = 0;
    ck_assert_int_eq(spool_frame_put(&frame, slice_of("a body")), 0);
    ck_assert_uint_eq(frame.n, FRAME_HEAD + 6);
    ck_assert_int_eq(spool_frame_read(buf_slice(&frame), &body, &size), FRAME_WHOLE);
    ck_assert(slice_is(body, "a body"));
    ck_assert_uint_eq(size, frame.n);
    for (size_t n = 0; n < frame.n; n++) {
        struct slice part = {frame.p, n};
        ck_assert_int_eq(spool_frame_read(part, &body, &size), FRAME_PART);
        ck_assert_uint_gt(size, n);
        ck_assert_uint_eq(spool_frame_find(part), n);
    }
    for (size_t i = 0; i < frame.n; i++)
        for (int bit = 0; bit < 8; bit++) {
            frame.p[i] = (char)(frame.p[i] ^ 1 << bit);
            ck_assert_int_ne(spool_frame_read(buf_slice(&frame), &body, &size), FRAME_WHOLE);
            frame.p[i] = (char)(frame.p[i] ^ 1 << bit);
        }
    buf_release(&frame);
}
END_TEST

START_TEST(a_frame_is_found_in_rubbish)
{
    struct buf bytes = {0};
    buf_append(&bytes, "\xff\xffSP1\xffSP1 no frame", 18);
    size_t at = bytes.n;
    ck_assert_int_eq(spool_frame_put(&bytes, slice_of("found")), 0);
    ck_assert_uint_eq(spool_frame_find(buf_slice(&bytes)), at);
    buf_release(&bytes);
}
END_TEST

/* ---- records ---- */

START_TEST(a_record_comes_back_as_it_was)
{
    struct job_batch b = batch_of("{\"a\":[1,\"\\u0000\"]}", 5), again = {0};
    struct spool_record r = {.run = slice_of("0123456789abcdef01234567"),
                             .slot = 7,
                             .number = INT64_C(1) << 50,
                             .accepted_us = 1795964113729607,
                             .key = slice_of("key"),
                             .kept = slice_of("kept"),
                             .njobs = 5},
                        got;
    struct buf body = {0};
    ck_assert_int_eq(spool_record_put(&body, &r, &b), 0);
    ck_assert_int_eq(spool_record_read(buf_slice(&body), &got, &again), 0);
    ck_assert(slice_eq(got.run, r.run) && slice_eq(got.key, r.key) && slice_eq(got.kept, r.kept));
    ck_assert_uint_eq(got.slot, 7);
    ck_assert_int_eq(got.number, r.number);
    ck_assert_int_eq(got.accepted_us, r.accepted_us);
    ck_assert_uint_eq(got.njobs, 5);
    ck_assert_uint_eq(again.n, 5);
    for (size_t i = 0; i < 5; i++) {
        ck_assert_str_eq(job_batch_queue(&again, i), job_batch_queue(&b, i));
        ck_assert(slice_eq(job_batch_payload(&again, i), job_batch_payload(&b, i)));
        ck_assert(again.job[i].due == b.job[i].due);
    }
    /* And no other bytes do. */
    for (size_t n = 0; n < body.n; n++) {
        struct job_batch none = {0};
        ck_assert_int_eq(spool_record_read((struct slice){body.p, n}, &got, &none), -EBADMSG);
        job_batch_release(&none);
    }
    buf_putc(&body, 'x');
    ck_assert_int_eq(spool_record_read(buf_slice(&body), &got, NULL), -EBADMSG);
    buf_release(&body);
    job_batch_release(&again);
    job_batch_release(&b);
}
END_TEST

/* ---- what a crash leaves ---- */

enum { THREE = 3 };

/* The segment of three requests, and where each ends. */
static void write_three(struct buf *ret, size_t ends[THREE])
{
    struct spool *s = must_open_spool(MIB);
    for (int i = 0; i < THREE; i++) {
        must_add(s, i == 1 ? "{\"class\":\"longer than the others\"}" : "{\"class\":\"x\"}");
        ends[i] = (size_t)stats_of(s).bytes;
    }
    spool_free(s);
    read_file(path_of(1), ret);
    ck_assert_uint_eq(ret->n, ends[THREE - 1]);
}

static struct spool_stats open_with(struct slice segment)
{
    empty(home);
    write_file(path_of(1), segment);
    struct spool *s = must_open_spool(MIB);
    struct spool_stats stats = stats_of(s);
    spool_free(s);
    return stats;
}

START_TEST(a_torn_end_is_cut_at_every_byte)
{
    struct buf whole = {0};
    size_t ends[THREE];
    write_three(&whole, ends);
    for (size_t n = 0; n <= whole.n; n++) {
        struct spool_stats stats = open_with((struct slice){whole.p, n});
        size_t left = 0;
        while (left < THREE && ends[left] <= n)
            left++;
        ck_assert_uint_eq(stats.requests, left);
        ck_assert_uint_eq(stats.jobs, left);
        ck_assert_uint_eq(stats.damages, 0);
    }
    buf_release(&whole);
}
END_TEST

/* Behind a torn end a new run goes on, and what was torn never counts, not even when it turns out
 * to be whole after all. */
START_TEST(a_fence_keeps_out_what_was_given_up)
{
    struct buf whole = {0};
    size_t ends[THREE];
    write_three(&whole, ends);
    (void)open_with((struct slice){whole.p, ends[1] + 5});
    struct spool *s = must_open_spool(MIB);
    must_add(s, "{\"class\":\"behind\"}");
    ck_assert_uint_eq(stats_of(s).requests, 3);
    spool_free(s);
    write_file(path_of(1), buf_slice(&whole)); /* the disk had it all the time */
    s = must_open_spool(MIB);
    ck_assert_uint_eq(stats_of(s).requests, 3);
    ck_assert_uint_eq(stats_of(s).damages, 0);
    spool_free(s);
    /* And what is missing before the fence is told. */
    write_file(path_of(1), (struct slice){whole.p, ends[0]});
    s = must_open_spool(MIB);
    ck_assert_uint_eq(stats_of(s).requests, 2);
    ck_assert_uint_eq(stats_of(s).damages, 1);
    spool_free(s);
    buf_release(&whole);
}
END_TEST

/* Each byte in turn is wrong: at most the request that it belongs to is lost, and that is told. */
START_TEST(damage_is_told_and_passed_over)
{
    struct buf whole = {0};
    size_t ends[THREE], told = 0;
    write_three(&whole, ends);
    size_t header = ends[0] - (ends[2] - ends[1]); /* the first and the last are equal */
    for (size_t i = 0; i < whole.n; i++) {
        whole.p[i] = (char)(whole.p[i] ^ 0x40);
        struct spool_stats stats = open_with(buf_slice(&whole));
        whole.p[i] = (char)(whole.p[i] ^ 0x40);
        ck_assert_uint_eq(stats.requests, i < header ? THREE : THREE - 1);
        /* The last one's length, grown, looks like a torn end. */
        ck_assert_uint_le(stats.damages, 1);
        if (stats.damages == 0)
            ck_assert(i >= ends[1] + FRAME_HEAD - 4 && i < ends[1] + FRAME_HEAD);
        told += stats.damages;
    }
    ck_assert_uint_ge(told, whole.n - 4);
    buf_release(&whole);
}
END_TEST

START_TEST(another_version_is_refused)
{
    struct buf segment = {0};
    struct spool *s = NULL;
    struct err err = {""};
    char body[18] = {'H', 2};
    ck_assert_int_eq(spool_frame_put(&segment, (struct slice){body, sizeof body}), 0);
    (void)mkdir(home, 0700);
    write_file(path_of(1), buf_slice(&segment));
    buf_release(&segment);
    ck_assert_int_eq(spool_open(&(struct spool_options){.path = home, .max_bytes = MIB}, &s, &err),
                     -EPROTO);
    ck_assert_ptr_nonnull(strstr(err.text, "another version"));
}
END_TEST

/* ---- the folder ---- */

START_TEST(a_folder_has_one_owner)
{
    struct spool *s = must_open_spool(MIB), *other = NULL;
    struct err err = {""};
    struct stat st;
    struct spool_options o = {.path = home, .max_bytes = MIB};
    char pid[32];
    ck_assert_int_eq(spool_open(&o, &other, &err), -EBUSY);
    (void)snprintf(pid, sizeof pid, "(pid %d)", (int)getpid());
    ck_assert_msg(strstr(err.text, pid), "%s", err.text);
    ck_assert_int_eq(stat(home, &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    must_add(s, "{}");
    ck_assert_int_eq(stat(path_of(1), &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(spool_check(home, &err), 0); /* also beside a process that has it */
    spool_free(s);
    s = must_open_spool(MIB);
    ck_assert_uint_eq(stats_of(s).requests, 1);
    spool_free(s);
}
END_TEST

START_TEST(a_folder_that_cannot_be_is_told)
{
    char path[128];
    struct err err = {""};
    (void)snprintf(path, sizeof path, "%s/no/spool", top);
    ck_assert_int_eq(spool_check(path, &err), -ENOENT);
    ck_assert_msg(strncmp(err.text, "api.spool: /tmp/", 16) == 0, "%s", err.text);
    (void)snprintf(path, sizeof path, "%s/file", top);
    write_file(path, slice_of("x"));
    ck_assert_int_eq(spool_check(path, &err), -ENOTDIR);
    ck_assert_int_eq(spool_check(home, &err), 0); /* it would be made */
    ck_assert_int_ne(access(home, F_OK), 0);
}
END_TEST

START_TEST(it_is_bounded_and_in_pieces)
{
    struct spool *s = must_open_spool(MIB);
    struct buf payload = {0};
    for (int i = 0; i < 100000; i++)
        buf_putc(&payload, 'x');
    struct spool_request r = {.rc = 0};
    size_t added = 0;
    for (; (r = add(s, NULL, NULL, buf_str(&payload))).rc == 0; added++)
        ck_assert_uint_lt(added, 11);
    ck_assert_int_eq(r.rc, -ENOSPC);
    ck_assert_ptr_nonnull(strstr(r.err.text, "api.spool_max"));
    ck_assert_uint_eq(added, 10);
    ck_assert(stats_of(s).failing);
    must_add(s, "{}"); /* there is room for less */
    ck_assert(!stats_of(s).failing);
    ck_assert_int_eq(access(path_of(4), F_OK), 0);
    spool_free(s);
    s = must_open_spool(MIB);
    ck_assert_uint_eq(stats_of(s).requests, added + 1);
    spool_free(s);
    buf_release(&payload);
}
END_TEST

/* ---- keys ---- */

#define MARK "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefj"

START_TEST(what_is_kept_under_a_key_is_found)
{
    for (int restarted = 0; restarted < 2; restarted++) {
        struct spool *s = must_open_spool(MIB);
        struct spool_request r = add(s, "key", MARK "first", "{}");
        ck_assert_int_eq(r.rc, 0);
        if (restarted)
            ck_assert_str_eq(buf_str(&r.was), MARK "first");
        else
            ck_assert_uint_eq(r.was.n, 0);
        buf_release(&r.was);
        r = add(s, "key", MARK "second", "{}");
        ck_assert_str_eq(buf_str(&r.was), MARK "first");
        buf_release(&r.was);
        r = add(s, "another", MARK "third", "{}");
        buf_release(&r.was);
        ck_assert_uint_eq(stats_of(s).requests, 2);
        spool_free(s);
    }
}
END_TEST

START_TEST(the_same_key_twice_in_one_group)
{
    struct spool *s = must_open_spool(MIB);
    struct job_batch b = batch_of("{}", 1);
    struct spool_request one = {
        .batch = &b, .key = "key", .kept = slice_of(MARK "1"), .why = "a test"};
    struct spool_request two = one, three = one;
    two.kept = slice_of(MARK "2");
    three.key = "another";
    struct spool_request *all[] = {&one, &two, &three};
    spool_add(s, all, 3, CLOCK_NEVER);
    ck_assert(one.rc == 0 && two.rc == 0 && three.rc == 0);
    ck_assert_uint_eq(one.was.n, 0);
    ck_assert_str_eq(buf_str(&two.was), MARK "1");
    ck_assert_uint_eq(three.was.n, 0);
    ck_assert_uint_eq(stats_of(s).requests, 2);
    buf_release(&two.was);
    job_batch_release(&b);
    spool_free(s);
}
END_TEST

/* ---- many at once ---- */

enum { ADDERS = 8, EACH = 100 / SLOW };

static void *add_many(void *arg)
{
    for (int i = 0; i < EACH; i++)
        must_add(arg, "{\"class\":\"x\"}");
    return NULL;
}

START_TEST(many_threads_add)
{
    struct thread threads[ADDERS] = {{.started = false}};
    struct spool *s = must_open_spool(MIB);
    for (int i = 0; i < ADDERS; i++)
        ck_assert_int_eq(thread_start(&threads[i], "adder", add_many, s), 0);
    for (int i = 0; i < ADDERS; i++)
        thread_join(&threads[i]);
    ck_assert_uint_eq(stats_of(s).requests, ADDERS * EACH);
    ck_assert_uint_eq(stats_of(s).spooled, ADDERS * EACH);
    int64_t bytes = stats_of(s).bytes;
    spool_free(s);
    s = must_open_spool(MIB);
    ck_assert_uint_eq(stats_of(s).requests, ADDERS * EACH);
    ck_assert_int_eq(stats_of(s).bytes, bytes);
    spool_free(s);
}
END_TEST

/* ---- turns ---- */

START_TEST(no_two_turns_are_alike)
{
    struct spool *s = must_open_spool(MIB);
    struct spool_turn first, second, third;
    struct enqueue_guard guard = spool_turn_take(s, &first);
    ck_assert_str_eq(guard.name, first.name);
    ck_assert_int_eq(guard.number, first.number);
    (void)spool_turn_take(s, &second);
    ck_assert_str_ne(first.name, second.name);
    spool_turn_give(s, &first);
    (void)spool_turn_take(s, &third); /* the slot again, further on */
    ck_assert_str_eq(first.name, third.name);
    ck_assert_int_gt(third.number, first.number);
    /* What was sent under a turn and is spooled keeps its slot: a higher number there would pass
     * it. */
    struct job_batch b = batch_of("{}", 1);
    struct spool_request r = {.batch = &b, .sent = &third, .why = "a test"}, *all[] = {&r};
    spool_add(s, all, 1, CLOCK_NEVER);
    ck_assert_int_eq(r.rc, 0);
    spool_turn_give(s, &third);
    (void)spool_turn_take(s, &first);
    ck_assert_str_ne(first.name, third.name);
    job_batch_release(&b);
    for (int i = 3; i < SPOOL_SLOTS; i++)
        (void)spool_turn_take(s, &first);
    ck_assert_ptr_null(spool_turn_take(s, &first).name); /* there are no more */
    spool_turn_give(s, &first);
    spool_free(s);
}
END_TEST

static TCase *new_case(Suite *suite, const char *name)
{
    TCase *tc = tcase_create(name);
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_set_timeout(tc, SLOW * 60);
    suite_add_tcase(suite, tc);
    return tc;
}

Suite *test_suite(void)
{
    Suite *suite = suite_create("spool");
    TCase *tc = new_case(suite, "frames and records");
    tcase_add_test(tc, a_frame_is_whole_or_not);
    tcase_add_test(tc, a_frame_is_found_in_rubbish);
    tcase_add_test(tc, a_record_comes_back_as_it_was);
    tc = new_case(suite, "after a crash");
    tcase_add_test(tc, a_torn_end_is_cut_at_every_byte);
    tcase_add_test(tc, a_fence_keeps_out_what_was_given_up);
    tcase_add_test(tc, damage_is_told_and_passed_over);
    tcase_add_test(tc, another_version_is_refused);
    tc = new_case(suite, "the folder");
    tcase_add_test(tc, a_folder_has_one_owner);
    tcase_add_test(tc, a_folder_that_cannot_be_is_told);
    tcase_add_test(tc, it_is_bounded_and_in_pieces);
    tc = new_case(suite, "adding");
    tcase_add_test(tc, what_is_kept_under_a_key_is_found);
    tcase_add_test(tc, the_same_key_twice_in_one_group);
    tcase_add_test(tc, many_threads_add);
    tcase_add_test(tc, no_two_turns_are_alike);
    return suite;
}
