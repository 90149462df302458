/*
 * The spool of sluice-api under kill -9, which is a loss of power here (support/preload/disk.c),
 * and on disks that fail, are full, or lie.
 *
 * The oracle: clients number their jobs, and remember what was acknowledged. In the end each such
 * job is in Redis, once, in its client's order; of the others none is there twice. A disk that lies
 * shows that the oracle can fail.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../integration/test_api.h"
#include "base/random.h"
#include "support/dice.h"
#include "support/preload/disk.h"

enum {
    CLIENTS = 4,
    JOBS_MAX = 20000, /* of one client */
    KILLS = SLOW == 1 ? 12 : 4,
    OUTAGE_MS = 150,
};

static struct proxy proxy;
static struct disk *disk;
static char disk_file[160], asan[1024];

/* A process of its own, as programs are started beside it, which is no business of threads. All of
 * it is shared with them. */
struct client {
    pid_t pid;
    int number, port;
    atomic_bool stop;
    atomic_int tried, acknowledged, spooled;
    bool acked[JOBS_MAX];
    int found[JOBS_MAX];
};

static struct client *clients;

/* ---- the process ---- */

static struct disk *new_disk(void)
{
    char path[128];
    struct disk none = {.mode = DISK_HONEST};
    (void)snprintf(path, sizeof path, "%s/disk", server.dir);
    (void)snprintf(disk_file, sizeof disk_file, "DISK_FILE=%s", path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, &none, sizeof none), (ssize_t)sizeof none);
    void *at = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(at, MAP_FAILED);
    (void)close(fd); /* the mapping stays */
    return at;
}

static void set_up_all(void)
{
    const char *given = getenv("ASAN_OPTIONS");
    set_up();
    ck_assert_int_eq(proxy_start(&proxy, server.socket, NULL), 0);
    disk = new_disk();
    (void)snprintf(asan, sizeof asan, "ASAN_OPTIONS=%s%sverify_asan_link_order=0",
                   given ? given : "", given ? ":" : "");
    port = redis_server_free_port();
    ck_assert_int_gt(port, 0);
    clients = mmap(NULL, CLIENTS * sizeof *clients, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(clients, MAP_FAILED);
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].number = i;
        clients[i].port = port;
    }
}

static void tear_down_all(void)
{
    tear_down();
    proxy_stop(&proxy);
}

/* Always on the same port, with the same folder. */
static void start_again(void)
{
    char settings[256], url[64], listen[64];
    const char *const env[] = {"LD_PRELOAD=" DISK_LIBRARY, disk_file, asan, NULL};
    const char *const args[] = {"--listen", listen, NULL};
    (void)snprintf(settings, sizeof settings,
                   "redis: {socket_timeout: 0.5, connect_timeout: 1}\n"
                   "api: {spool: %s/spool, max_wait: 0.2}\n",
                   server.dir);
    (void)snprintf(url, sizeof url, "redis://127.0.0.1:%d", proxy.port);
    (void)snprintf(listen, sizeof listen, "127.0.0.1:%d", port);
    worker_process_free(&worker);
    worker_process_spawn(
        &worker, &server,
        &(struct worker_options){
            .program = API_PROGRAM, .settings = settings, .url = url, .args = args, .env = env});
    wait_said("serving the API");
}

static void redis_goes(void)
{
    proxy_refuse(&proxy, true);
    proxy_drop_all(&proxy);
}

static void redis_comes(void)
{
    proxy_refuse(&proxy, false);
}

static void hold_ms(int64_t ms)
{
    struct timespec t = clock_timespec(ms * NS_PER_MS);
    (void)nanosleep(&t, NULL); /* about right will do */
}

/* ---- clients ---- */

/* The status; 0 when the process is gone. */
static int send_next(struct client *c)
{
    char body[128];
    int n = atomic_load(&c->tried);
    (void)snprintf(body, sizeof body,
                   "{\"class\":\"x\",\"args\":[%d],\"queue\":\"c%d\",\"jid\":\"%d-%d\"}", n,
                   c->number, c->number, n);
    struct answer a = ask_for(c->port, "POST", "/v1/jobs", TYPE_JSON, slice_of(body));
    c->acked[n] = a.status == 202;
    atomic_store(&c->tried, n + 1);
    if (a.status == 202)
        (void)atomic_fetch_add(&c->acknowledged, 1); /* the count before is of no use */
    if (a.status == 202 && strstr(a.text, "Sluice-Spooled"))
        (void)atomic_fetch_add(&c->spooled, 1); /* likewise */
    free(a.text);
    return a.status;
}

static void start_client(struct client *c)
{
    pid_t parent = getpid(), pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0) {
        c->pid = pid;
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (getppid() == parent && !atomic_load(&c->stop) && atomic_load(&c->tried) < JOBS_MAX)
        if (send_next(c) == 0)
            hold_ms(1);
    _exit(0);
}

static void stop_clients(void)
{
    int status;
    for (int i = 0; i < CLIENTS; i++)
        atomic_store(&clients[i].stop, true);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_eq(waitpid(clients[i].pid, &status, 0), clients[i].pid);
        ck_assert_int_eq(status, 0);
    }
}

static int sum_spooled(void)
{
    int n = 0;
    for (int i = 0; i < CLIENTS; i++)
        n += atomic_load(&clients[i].spooled);
    return n;
}

/* ---- the oracle ---- */

struct verdict {
    int acknowledged, lost, twice, out_of_order;
};

static void judge_client(struct client *c, struct verdict *v)
{
    struct reply *jobs = must_call(redis, "LRANGE queue:c%d 0 -1", c->number);
    int last = -1;
    for (size_t i = reply_count(jobs); i-- > 0;) { /* the first pushed is the last */
        const char *at = strstr(reply_str(reply_at(jobs, i)).p, "\"args\":[");
        ck_assert_ptr_nonnull(at);
        int n = atoi(at + 8);
        ck_assert(n >= 0 && n < c->tried);
        if (c->acked[n]) {
            v->out_of_order += n < last;
            last = n;
        }
        c->found[n]++;
    }
    reply_free(jobs);
    for (int n = 0; n < c->tried; n++) {
        v->acknowledged += c->acked[n];
        v->lost += c->acked[n] && c->found[n] == 0;
        v->twice += c->found[n] > 1;
    }
}

static struct verdict judge(void)
{
    struct verdict v = {0};
    wait_until(HANG_MS, status_of("/livez") == 200 && figure("sluice_spool_jobs") == 0);
    for (int i = 0; i < CLIENTS; i++)
        judge_client(&clients[i], &v);
    (void)printf("%d acknowledged, %d lost, %d twice, %d out of order\n", v.acknowledged, v.lost,
                 v.twice, v.out_of_order);
    return v;
}

static void must_be_right(struct verdict v)
{
    ck_assert_int_eq(v.lost, 0);
    ck_assert_int_eq(v.twice, 0);
    ck_assert_int_eq(v.out_of_order, 0);
}

static struct dice throw_dice(const char *title)
{
    const char *given = getenv("FAULT_SEED");
    unsigned seed =
        given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)random_below(UINT64_C(1000000));
    (void)printf("%s: FAULT_SEED=%u\n", title, seed);
    return dice_of(seed, 0);
}

/* ---- kills ---- */

/* Redis goes in one way or another, for a moment. */
static void break_redis(struct dice *d)
{
    enum proxy_lane lane = dice_percent(d, 50) ? PROXY_REPLIES : PROXY_REQUESTS;
    switch (dice_below(d, 4)) {
    case 0: /* in the middle of some message, and is back at once */
        proxy_cut(&proxy, lane, dice_between(d, 0, 3000));
        break;
    case 1:
    case 2: /* what is under way gets lost, it or the answer; likewise */
        proxy_black_hole(&proxy, lane, true);
        hold_ms(dice_between(d, 0, OUTAGE_MS));
        proxy_drop_all(&proxy);
        proxy_black_hole(&proxy, lane, false);
        break;
    default:
        redis_goes();
    }
    hold_ms(dice_between(d, 0, OUTAGE_MS / 3));
}

START_TEST(killed_at_any_moment)
{
    struct dice d = throw_dice("spool");
    int left = 0;
    start_again();
    for (int i = 0; i < CLIENTS; i++)
        start_client(&clients[i]);
    for (int i = 0; i < KILLS; i++) {
        int before = sum_spooled();
        break_redis(&d);
        redis_goes();
        wait_until(HANG_MS, sum_spooled() > before + (int)dice_below(&d, 50));
        if (i == 0 || dice_percent(&d, 50)) { /* while it spools; else while it replays, or later */
            worker_process_kill(&worker);
            start_again();
            left += worker_process_said(&worker, "holds jobs of an earlier run");
        }
        redis_comes();
        hold_ms(dice_between(&d, 0, OUTAGE_MS));
        worker_process_kill(&worker);
        start_again();
        left += worker_process_said(&worker, "holds jobs of an earlier run");
        hold_ms(dice_between(&d, 0, OUTAGE_MS / 2)); /* while it replays those */
        worker_process_kill(&worker);
        start_again();
    }
    stop_clients();
    struct verdict v = judge();
    must_be_right(v);
    ck_assert_int_gt(v.acknowledged, KILLS);
    ck_assert_int_gt(left, 0);
    ck_assert_int_gt(atomic_load(&disk->syncs), 0);
}
END_TEST

/* ---- disks ---- */

/* So many requests of the first client, each answered so. */
static void send_all(int n, int status)
{
    for (int i = 0; i < n; i++)
        ck_assert_int_eq(send_next(&clients[0]), status);
}

static const struct {
    enum disk_mode mode;
    const char *says;
} bad_disks[] = {
    {DISK_FAILS, "it cannot be written to disk: Input/output error"},
    {DISK_FAILS, "cannot write to disk 0000000000000001.spool: Input/output error"},
    {DISK_FULL, "it cannot be written: No space left on device"},
};
enum { BAD_DISKS = sizeof bad_disks / sizeof *bad_disks };

/* What was acknowledged before and after is kept; what was refused is not there, as the fence or
 * the cut behind it say. */
START_TEST(a_bad_disk_is_503)
{
    bool from_the_start = _i == 1;
    start_again();
    redis_goes();
    if (!from_the_start)
        send_all(5, 202);
    atomic_store(&disk->mode, bad_disks[_i].mode);
    send_all(3, 503);
    ck_assert_int_gt(atomic_load(&disk->failures), 0);
    ck_assert_msg(worker_process_said(&worker, bad_disks[_i].says), "%s", bad_disks[_i].says);
    must_refuse(get("/readyz"), 503, "redis_unavailable");
    atomic_store(&disk->mode, DISK_HONEST);
    send_all(5, 202);
    wait_said("the spool can be written again");
    worker_process_kill(&worker);
    start_again();
    ck_assert(!worker_process_said(&worker, "cannot be read"));
    redis_comes();
    must_be_right(judge());
    ck_assert_int_eq(must_int(redis, "LLEN queue:c0"), from_the_start ? 5 : 10);
}
END_TEST

/* The proof that jobs would be missed. */
START_TEST(a_disk_that_lies_is_found_out)
{
    start_again();
    redis_goes();
    send_all(5, 202);
    atomic_store(&disk->mode, DISK_LIES);
    send_all(5, 202);
    worker_process_kill(&worker);
    atomic_store(&disk->mode, DISK_HONEST);
    start_again();
    redis_comes();
    struct verdict v = judge();
    ck_assert_int_eq(v.acknowledged, 10);
    ck_assert_int_eq(v.lost, 5);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("the spool");
    TCase *tc = tcase_create("kills");
    tcase_add_checked_fixture(tc, set_up_all, tear_down_all);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    tcase_add_test(tc, killed_at_any_moment);
    suite_add_tcase(suite, tc);
    tc = tcase_create("disks");
    tcase_add_checked_fixture(tc, set_up_all, tear_down_all);
    tcase_set_timeout(tc, TEST_TIMEOUT_S);
    tcase_add_loop_test(tc, a_bad_disk_is_503, 0, BAD_DISKS);
    tcase_add_test(tc, a_disk_that_lies_is_found_out);
    suite_add_tcase(suite, tc);
    return suite;
}
