/*
 * The floor of the api bench: a server of nothing but libmicrohttpd, with as many threads as the
 * API has, that takes each request's body and answers 202 at once with what the API would say.
 *
 * Usage: bare-http PORT ANSWER_BYTES   (until it is killed)
 */
#include <microhttpd.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS = 2, HEAD_BYTES = 16384, CLIENTS = 10000, ANSWER_MAX = 65536 };

static char answer[ANSWER_MAX];
static size_t answer_n;

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **state)
{
    static int begun;
    (void)cls, (void)url, (void)method, (void)version, (void)upload;
    if (!*state) {
        *state = &begun;
        return MHD_YES;
    }
    if (*upload_n > 0) {
        *upload_n = 0;
        return MHD_YES;
    }
    struct MHD_Response *r =
        MHD_create_response_from_buffer(answer_n, answer, MHD_RESPMEM_PERSISTENT);
    if (!r || MHD_add_response_header(r, "Content-Type", "application/json") != MHD_YES)
        return MHD_NO;
    enum MHD_Result ok = MHD_queue_response(c, MHD_HTTP_ACCEPTED, r);
    MHD_destroy_response(r);
    return ok;
}

int main(int argc, char **argv)
{
    answer_n = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    if (answer_n == 0 || answer_n > ANSWER_MAX) {
        (void)fputs("usage: bare-http PORT ANSWER_BYTES\n", stderr);
        return 2;
    }
    memset(answer, 'x', answer_n);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, (uint16_t)strtoul(argv[1], NULL, 10), NULL, NULL, on_request,
        NULL, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREADS, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CLIENTS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_BYTES, MHD_OPTION_END);
    if (!daemon) {
        (void)fputs("bare-http: cannot start\n", stderr);
        return EXIT_FAILURE;
    }
    for (;;)
        (void)pause();
}
