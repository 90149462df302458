/*
 * What a server says, as any bytes, cut anywhere: read by a connection, by the accessors of
 * replies, and by the store, which acts on them. A reply is read as what it is or refused; a
 * stream that is no RESP, or ends within a reply, breaks the connection for good.
 *
 * The first byte says who reads, the second how the bytes are cut, the rest are the bytes.
 */
#include "fuzz.h"

#include <math.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "redis/dial.h"
#include "store/claim.h"
#include "store/lease.h"
#include "store/store.h"
#include "store/unread.h"

/* ---- The server. ---- */

static struct slice said;
static unsigned cut_seed;
static int server_fd = -1;

static void say(struct slice text)
{
    must(text.n == 0 || send(server_fd, text.p, text.n, MSG_DONTWAIT) == (ssize_t)text.n);
}

/* In place of redis/dial.c: a pair of sockets that keep the bounds of what is sent, so that each
 * piece arrives as one, whatever the time. Nothing follows the last: nobody has to wait for it. */
int dial(const struct redis_options *options, int64_t deadline_ns, struct err *err)
{
    (void)options, (void)deadline_ns, (void)err;
    int fd[2];
    must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == 0);
    server_fd = fd[1];
    say(slice_of("+PONG\r\n"));
    unsigned seed = cut_seed;
    size_t longest = 1 + said.n / 32 + seed % 16; /* the socket holds some hundred pieces */
    for (size_t at = 0; at < said.n;) {
        seed = seed * 1103515245 + 12345;
        size_t n = cut_seed == 0 ? said.n : 1 + (seed >> 16) % longest;
        if (n > said.n - at)
            n = said.n - at;
        say((struct slice){said.p + at, n});
        at += n;
    }
    must(shutdown(server_fd, SHUT_WR) == 0);
    return fd[0];
}

void dial_let_go(int fd)
{
    (void)fd; /* nobody is behind it */
}

int dial_set_timeouts(int fd, int receive_ms, int send_ms)
{
    (void)fd, (void)receive_ms, (void)send_ms;
    return 0; /* nothing waits */
}

static struct redis_conn *open_conn(void)
{
    struct redis_options o = {
        .host = "fuzz", .port = 1, .connect_timeout_ms = 1000, .socket_timeout_ms = 1000};
    struct redis_conn *c = NULL;
    must(redis_conn_open(&o, &c, NULL) == 0);
    return c;
}

static void close_conn(struct redis_conn *c)
{
    redis_conn_free(c);
    must(close(server_fd) == 0);
}

/* Debian's hiredis makes room for an array of any length before its elements have come. */
static bool asks_for_memory(struct slice text)
{
    size_t digits = 0;
    for (size_t i = 0; i < text.n; i++) {
        digits = text.p[i] >= '0' && text.p[i] <= '9' ? digits + 1 : 0;
        if (digits > 5)
            return true;
    }
    return false;
}

/* ---- Replies. ---- */

static void check_error(const struct reply *r)
{
    struct err err = {0};
    int rc = reply_error(r, &err);
    char text[sizeof err.text + 1];
    struct slice all = reply_str(r);
    (void)snprintf(text, sizeof text, "%.*s", (int)(all.n < 512 ? all.n : 512), all.n ? all.p : "");
    must_be_sentence(&err);
    switch (-rc) {
    case EAGAIN:
        must(all.n > 500 || strstr(text, "LOADING") || strstr(text, "BUSY") ||
             strstr(text, "TRYAGAIN") || strstr(text, "CLUSTERDOWN") || strstr(text, "max number"));
        break;
    case EROFS:
        must(all.n > 500 || strstr(text, "READONLY") || strstr(text, "MASTERDOWN") ||
             strstr(text, "UNBLOCKED"));
        break;
    case ENOSPC:
        must(all.n > 500 || strstr(text, "OOM") || strstr(text, "MISCONF") ||
             strstr(text, "NOREPLICAS"));
        break;
    case EACCES:
        must(all.n > 500 || strstr(text, "NOAUTH") || strstr(text, "WRONGPASS") ||
             strstr(text, "NOPERM") || strstr(text, "DENIED"));
        break;
    case EMEDIUMTYPE:
        must(all.n > 500 || strstr(text, "WRONGTYPE"));
        break;
    case ENOEXEC:
        must(strncmp(text, "NOSCRIPT ", 9) == 0);
        break;
    default:
        must(rc == -EPROTO && strncmp(text, "NOSCRIPT ", 9) != 0);
    }
}

/* Every accessor on every part: what fits the type, or empty. Returns a sum of what was read. */
static unsigned check_reply(const struct reply *r)
{
    enum reply_type type = reply_type(r);
    struct slice text = reply_str(r);
    int64_t whole = 0;
    unsigned sum = (unsigned)type + 1;
    must((reply_error(r, NULL) != 0) == (type == REPLY_ERROR));
    if (type == REPLY_ERROR)
        check_error(r);
    must(!isnan(reply_real(r)));
    if (reply_whole(r, &whole))
        must(type == REPLY_INT || (text.n > 0 && strspn(text.p, "-0123456789") == text.n));
    must(reply_int(r) == whole);
    must(type != REPLY_INT || text.n == 0);
    for (size_t i = 0; i < text.n; i++)
        sum = 31 * sum + (unsigned char)text.p[i];
    must(type == REPLY_ARRAY || reply_count(r) == 0);
    for (size_t i = 0; i < reply_count(r); i++)
        sum = 31 * sum + check_reply(reply_at(r, i));
    must(!reply_at(r, reply_count(r)));
    const struct reply *field = reply_field(r, "maxclients");
    must(!field || type == REPLY_ARRAY);
    return sum + (unsigned)whole;
}

static void check_broken(struct redis_conn *c)
{
    struct command ping = {0};
    struct reply *r = NULL;
    struct err err = {0};
    bool ready;
    command_text(&ping, "PING");
    must(redis_conn_broken(c) && !redis_conn_reusable(c) && redis_conn_stale(c));
    must(redis_conn_read(c, &r, &err) == -ENOTCONN && !r);
    must_be_sentence(&err);
    must(redis_conn_send(c, &ping) == -ENOTCONN && redis_conn_poll(c, &ready) == -ENOTCONN);
    must(redis_call(c, &ping, &r, NULL) == -ENOTCONN && !r);
    command_release(&ping);
}

/* Reads all that is there; the sum of it does not depend on how the bytes were cut. */
static unsigned read_all(bool poll_first)
{
    struct redis_conn *c = open_conn();
    unsigned sum = 0;
    for (;;) {
        struct reply *r = NULL;
        struct err err = {0};
        bool ready = false;
        if (poll_first && redis_conn_poll(c, &ready) != 0)
            break;
        int rc = redis_conn_read(c, &r, &err);
        if (rc != 0) {
            must(rc == -ENOTCONN && !r && !ready);
            must_be_sentence(&err);
            break;
        }
        sum = 31 * sum + check_reply(r);
        reply_free(r);
    }
    check_broken(c);
    close_conn(c);
    return sum;
}

static void check_reading(void)
{
    unsigned sum = read_all(false);
    must(read_all(true) == sum);
    cut_seed = 0;
    must(read_all(false) == sum);
}

/* ---- The store. ---- */

static struct store *store;

/* After these the connection takes no more commands: it is gone, or its server is no master. */
static bool is_over(int rc)
{
    return rc == -ENOTCONN || rc == -EROFS;
}

/* A failure says so in words, and none but those breaks the connection. */
static void check_rc(const struct redis_conn *c, int rc, const struct err *err)
{
    must(rc <= 0 && is_over(rc) == redis_conn_broken(c));
    if (rc != 0)
        must_be_sentence(err);
}

enum { WANT = 3, QUEUES = 2, RESULTS = 2 };

static void check_results(const int8_t *results)
{
    for (int i = 0; i < RESULTS; i++)
        must(results[i] >= SETTLE_NOT_ALL && results[i] <= SETTLE_WRITTEN);
}

static void visit_queue(void *ctx, int queue)
{
    (void)ctx;
    must(queue >= 0 && queue < QUEUES);
}

static void fill(struct settle_batch *batch)
{
    settle_begin(batch, store, NULL, 1795478712.5);
    settle_ack(batch, 1, 0);
    settle_ack_claim(batch, 2, 3);
}

static void check_claim(bool with_batch)
{
    static const char *const queues[QUEUES] = {"a", "b"};
    struct claim_request r = {.seq = 7,
                              .want = WANT,
                              .max_bytes = 1,
                              .max_payload = 1,
                              .queues = queues,
                              .nqueues = QUEUES};
    struct settle_batch batch = {0};
    struct claimed got = {0};
    struct err err = {0};
    int settled = 1;
    int8_t results[RESULTS] = {99, 99};
    struct redis_conn *c = open_conn();
    if (with_batch)
        fill(&batch);
    int rc = store_claim(store, c, &r, with_batch ? &batch : NULL, &settled, results, &got, &err);
    must(rc <= 0 && (with_batch ? settled <= 0 : settled == 1));
    must(redis_conn_broken(c) == (is_over(rc) || is_over(settled))); /* either's reply */
    if (rc != 0)
        must_be_sentence(&err);
    if (settled == 0)
        check_results(results);
    if (rc == 0) {
        must(got.reply && got.queue >= -1 && got.queue < QUEUES);
        must(got.queue >= 0 ? got.n >= 1 && got.n <= WANT && !got.no_lease : got.n == 0);
        for (size_t i = 0; i < unread_count(got.unread); i++)
            (void)unread_at(got.unread, i); /* nothing is sure but that it can be asked */
        claimed_wrong_queues(&got, visit_queue, NULL);
        for (unsigned i = 0; i < got.n; i++)
            must(claimed_payload(&got, i).p);
        reply_free(got.reply);
    } else {
        must(!got.reply);
    }
    settle_release(&batch);
    close_conn(c);
}

static void check_settle(void)
{
    struct settle_batch batch = {0};
    struct err err = {0};
    int8_t results[RESULTS] = {99, 99};
    struct redis_conn *c = open_conn();
    fill(&batch);
    int rc = store_settle(c, &batch, results, &err);
    check_rc(c, rc, &err);
    if (rc == 0)
        check_results(results);
    settle_release(&batch);
    close_conn(c);
}

static void check_renew(void)
{
    struct lease_state state = {.now = -1};
    struct err err = {0};
    struct redis_conn *c = open_conn();
    int rc = store_lease_renew(store, c, 15000, &state, &err);
    check_rc(c, rc, &err);
    must(rc == 0 ? state.now >= 0 : state.now == -1);
    double now = -1;
    rc = store_time(c, &now, &err);
    must(rc == 0 || now == -1);
    bool alive = false;
    rc = store_lease_extend(store, c, 15000, &alive, &err);
    must(rc == 0 || !alive);
    close_conn(c);
}

static void check_recover(void)
{
    struct recovered got = {0};
    struct err err = {0};
    struct redis_conn *c = open_conn();
    int rc = store_recover(store, c, "host:1:0123456789ab", 0, 1 << 20, &got, &err);
    check_rc(c, rc, &err);
    if (rc == 0) {
        must(got.state >= RECOVER_LATE && got.state <= RECOVER_REMAINS);
        for (size_t i = 0; i < got.nsuspects; i++)
            must(recovered_suspect(&got, i).payload.p);
        for (size_t i = 0; i < got.nwrong; i++)
            must(recovered_wrong(&got, i).p);
    }
    reply_free(got.reply);
    close_conn(c);
}

static void check_wait(bool ask_paused)
{
    struct reply *job = NULL;
    bool paused = false;
    struct err err = {0};
    struct redis_conn *c = open_conn();
    must(store_wait_send(store, c, 7, "a", 1, ask_paused) == 0);
    int rc = store_wait_read(c, ask_paused, &job, &paused, &err);
    if (job)
        must(rc == 0 && reply_type(job) == REPLY_STRING);
    else
        check_rc(c, rc, &err);
    reply_free(job);
    close_conn(c);
}

static void check_registry(void)
{
    struct claim_entry *entries = NULL;
    char **ids = NULL;
    size_t n = 0;
    struct err err = {0};
    struct redis_conn *c = open_conn();
    int rc = store_claims(store, c, &entries, &n, &err);
    check_rc(c, rc, &err);
    must((rc == 0) == (entries != NULL));
    claim_entries_free(entries, n);
    if (rc == 0)
        rc = store_lapsed_workers(store, c, &ids, &n, &err);
    for (size_t i = 0; rc == 0 && ids && i < n; i++)
        free(ids[i]);
    free(ids);
    close_conn(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2 || n > 4096)
        return 0;
    said = (struct slice){(const char *)data + 2, n - 2};
    cut_seed = data[1];
    if (asks_for_memory(said))
        return 0;
    if (!store) {
        must(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
        must(store_new("", "host:2:0123456789ab", &store) == 0);
    }
    switch (data[0] % 8) {
    case 0:
        check_reading();
        break;
    case 1:
    case 2:
        check_claim(data[0] % 8 == 2);
        break;
    case 3:
        check_settle();
        break;
    case 4:
        check_renew();
        break;
    case 5:
        check_recover();
        break;
    case 6:
        check_wait(data[1] & 1);
        break;
    default:
        check_registry();
    }
    return 0;
}
