/*
 * One connection to Redis: open, authenticate, send, read, fail cleanly.
 *
 * Model. A connection is usable until its first transport failure (timeout, reset, protocol
 * error); from then on it is broken for good and every call says -ENOTCONN: a reply that comes
 * late must never be taken for the answer to another command. Whether a command that was sent has
 * taken effect is unknown after a failure.
 *
 * Error replies are not failures of the connection, with one exception: the reply that its server
 * is no master (any more). Where the master is now, only a new connection can find out, through the
 * name, the virtual address or the Sentinel that leads to it; so this one takes no more commands
 * (-EROFS) and counts as broken. Replies to what was sent before can still be read.
 *
 * Commands may be pipelined: any number of redis_conn_send(), then as many redis_conn_read(), in
 * order. Nothing is written before the first read or redis_conn_flush().
 *
 * A string in a reply may be as long as Redis allows (512 MB) unless redis_conn_set_bulk_max() caps
 * it; one that is longer is not read (redis/bulk_cap.h): the read says -EMSGSIZE, once, and the
 * connection is broken, as the string is still on its way. The command has taken effect.
 *
 * Set on each socket: FD_CLOEXEC (hiredis does not), TCP keepalive, TCP_NODELAY,
 * TCP_USER_TIMEOUT (above the receive timeout: who reads gives up first, so that the server is told
 * of the end as soon as it can be reached again), send and receive timeouts. After connecting: TLS
 * (when asked, with the host name verified), AUTH, SELECT, CLIENT SETNAME, PING, and ROLE for those
 * who want a master. With sentinels, each connection first asks them where the master is
 * (redis/sentinel.h).
 *
 * connect_timeout_ms bounds all of that together (except the resolver's time for a host name).
 * After that the timeouts bound each silence, however many there are in one exchange; who must be
 * back at a certain time sets a deadline, beyond which nothing waits (redis_conn_set_deadline()).
 *
 * A process that talks to Redis ignores SIGPIPE: hiredis writes without MSG_NOSIGNAL.
 *
 * Threads: a connection belongs to one thread at a time. Blocking: up to the timeouts.
 * Errors: -ENOTCONN (not reached, broken, timed out, certificate refused), -EAGAIN (LOADING and
 * the like, or the server is at its maxclients), -EROFS (a master is wanted, and it is none),
 * -EACCES (AUTH), -EINVAL (settings that cannot work: TLS without support or with unusable files, a
 * database that does not exist), -EMSGSIZE (a reply above the cap), -ENOMEM.
 * Ownership: redis_conn_free() closes; accepts NULL.
 */
#ifndef SLUICE_REDIS_CONN_H
#define SLUICE_REDIS_CONN_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "redis/command.h"
#include "redis/reply.h"

struct redis_address {
    const char *host;
    int port; /* 1..65535 */
};

struct redis_options {
    const char *host;     /* TCP host; ignored when path or sentinels are set */
    int port;             /* 1..65535 */
    const char *path;     /* unix socket, or NULL */
    const char *username; /* or NULL */
    const char *password; /* or NULL; never printed */
    int db;               /* 0.. */
    bool tls;
    const char *tls_ca;   /* file of trusted certificates, NULL = the system's */
    const char *tls_cert; /* client certificate and key, or NULL */
    const char *tls_key;
    int connect_timeout_ms; /* > 0 */
    int socket_timeout_ms;  /* > 0: longest silence while a reply is awaited; see set_timeout */
    const char *name;       /* for CLIENT SETNAME; no spaces; or NULL */
    bool master;            /* a server that says it is none is refused; implied by sentinels */

    const struct redis_address *sentinels; /* they know where the master is; NULL: there are none */
    int nsentinels;
    const char *service; /* the master's name at the sentinels */
    const char *sentinel_username;
    const char *sentinel_password; /* as above; those of the master are other ones */
};

struct redis_conn; /* opaque */

/* True for a failure that a new connection may not meet, after a while: it was not reached, is not
 * ready, or is no master. */
static inline bool redis_is_away(int code)
{
    return code == -ENOTCONN || code == -EAGAIN || code == -EROFS;
}

/* True when this build can speak TLS to Redis. */
bool redis_tls_supported(void);

/* Reads a URL into the options: user, password, host, port (6379), db (0), path, tls, sentinels
 * (port 26379) and service; the others stay as they are. User, password, path and service may be
 * percent-encoded. All that the options then point to is allocated into *storage (one block, free()
 * it after the options' last use).
 *   redis[s]://[user[:password]@]host[:port][/db]   unix://[user:password@]/path[?db=N]
 *   redis[s]+sentinel://[user[:password]@]host[:port][,host[:port]…]/service[/db]
 * User, password and the TLS of rediss+sentinel:// are for the master.
 * -EINVAL with a sentence that never repeats the password. */
int redis_url_parse(const char *url, struct redis_options *ret, char **ret_storage,
                    struct err *err) warn_unused_result;

/* A copy whose strings are its own, in *ret_storage as above. -ENOMEM. */
int redis_options_copy(const struct redis_options *o, struct redis_options *ret,
                       char **ret_storage) warn_unused_result;

/* "redis://host:port/db", "unix:///path?db=N" or "redis+sentinel://host:port,host:port/service/db",
 * for people: no credentials. */
void redis_options_describe(const struct redis_options *o, struct buf *out);

int redis_conn_open(const struct redis_options *options, struct redis_conn **ret,
                    struct err *err) warn_unused_result;
/* The same straight to the host or path, whatever the options say of sentinels, within a deadline
 * and without the address before the sentence: for redis/sentinel.h. */
int redis_conn_open_direct(const struct redis_options *options, int64_t deadline_ns,
                           struct redis_conn **ret, struct err *err) warn_unused_result;
void redis_conn_free(struct redis_conn *c);

bool redis_conn_broken(const struct redis_conn *c);

/* Its server has said that it is no master. */
bool redis_conn_demoted(const struct redis_conn *c);

/* True when it is not broken and every command sent has been answered: the next reply will belong
 * to the next command. No system call. */
bool redis_conn_reusable(const struct redis_conn *c);

int redis_conn_fd(const struct redis_conn *c); /* for poll() */

/* The pool's notes. */
struct redis_conn_note {
    int64_t lent_ns; /* since when it is lent out, monotonic */
    unsigned epoch;  /* redis/pool.c */
};
struct redis_conn_note *redis_conn_note(struct redis_conn *c);

/* True when it is not reusable, or the peer has closed or has sent bytes that nobody asked for: an
 * idle connection in that state is not to be used again. One recv(MSG_PEEK) without blocking. */
bool redis_conn_stale(const struct redis_conn *c);

/* Changes the wait for replies (timeout_ms > 0), e.g. to that of a blocking command and 2 s. */
int redis_conn_set_timeout(struct redis_conn *c, int timeout_ms) warn_unused_result;

/* From now on sending and receiving end at this monotonic time at the latest, however the bytes
 * trickle in; CLOCK_NEVER lifts it, as it is at first. Costs two system calls for each wait. (With
 * TLS, a peer that stops within a record is noticed as late as it has sent pieces of it.) */
void redis_conn_set_deadline(struct redis_conn *c, int64_t deadline_ns);

/* Strings of more bytes than this are not read from now on; 0 lifts the cap, as it is at first. */
void redis_conn_set_bulk_max(struct redis_conn *c, size_t bytes);

/* Appends a command to the output buffer. -ENOTCONN, -EROFS, -ENOMEM. */
int redis_conn_send(struct redis_conn *c, const struct command *cmd) warn_unused_result;

/* Writes what is buffered without reading. */
int redis_conn_flush(struct redis_conn *c, struct err *err) warn_unused_result;

/* Reads the next reply in order, writing what is buffered first. An error reply is a reply:
 * 0 is returned and reply_error() tells. */
int redis_conn_read(struct redis_conn *c, struct reply **ret, struct err *err) warn_unused_result;

/* True when a whole reply has been received already, so that redis_conn_read() will not block.
 * Reads what the socket has without blocking; call it after poll() says readable. Sets
 * *ret_ready; -ENOTCONN when the connection broke meanwhile, -EMSGSIZE when by the cap. */
int redis_conn_poll(struct redis_conn *c, bool *ret_ready) warn_unused_result;

/* Send and read one command. An error reply is returned as its code (and freed). *ret may be
 * given as NULL when the reply does not matter. No pipelined reply may be outstanding. */
int redis_call(struct redis_conn *c, const struct command *cmd, struct reply **ret,
               struct err *err) warn_unused_result;

/* The same with printf-like text split at spaces outside of arguments (hiredis' format: %s a C
 * string, %b pointer + size_t, %d …). For the rare commands, not the hot path. */
int redis_callf(struct redis_conn *c, struct reply **ret, struct err *err, const char *fmt,
                ...) warn_unused_result;
int redis_vcallf(struct redis_conn *c, struct reply **ret, struct err *err, const char *fmt,
                 va_list ap) warn_unused_result;

#endif
