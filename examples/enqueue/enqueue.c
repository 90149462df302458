/*
 * Enqueue from C with libsluice-client. Redis' address is in REDIS_URL.
 *
 *     cc -o enqueue enqueue.c $(pkg-config --cflags --libs sluice-client)
 *
 * Usage: enqueue [SECONDS]    the second job is due in so many seconds (default: 60)
 */
#include <errno.h>
#include <sluice/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 5, MANY = 3 };

/* A key names an occasion, such as an order; here each run of the program is one. With it, what got
 * no answer may be asked again, and is enqueued once. */
static int enqueue_surely(struct sluice_client *client, const struct sluice_client_job *jobs,
                          size_t n, char (*jids)[SLUICE_CLIENT_JID_SIZE], const char *what)
{
    char key[64];
    struct sluice_client_error error;
    int rc = -ECONNABORTED;
    (void)snprintf(key, sizeof key, "%ld-%ld/%s", (long)time(NULL), (long)getpid(), what);
    for (int i = 0; rc == -ECONNABORTED && i < TRIES; i++)
        rc = sluice_client_enqueue_bulk(client, jobs, n, key, jids, &error);
    if (rc != 0)
        fprintf(stderr, "enqueue: %s: %s\n", what, error.text);
    return rc;
}

static int run(struct sluice_client *client, double delay)
{
    static const char *const many[MANY] = {"[\"/etc/hosts\"]", "[\"/etc/services\"]",
                                           "[\"/etc/passwd\"]"};
    char jid[SLUICE_CLIENT_JID_SIZE], jids[MANY][SLUICE_CLIENT_JID_SIZE];
    struct sluice_client_error error;
    struct sluice_client_job single = sluice_client_job_init();
    single.klass = "checksum";
    single.args = "[\"/etc/hosts\"]";
    single.retry = 5;
    /* Without a key: an answer that is lost is reported, and the rest is up to us. */
    if (sluice_client_enqueue(client, &single, NULL, jid, &error) != 0) {
        fprintf(stderr, "enqueue: %s\n", error.text);
        return 1;
    }
    printf("single %s\n", jid);

    struct sluice_client_job later = sluice_client_job_init();
    later.klass = "noop";
    later.args = "[12345678901234567890, 1.10, \"\\u00e9\", [], {}]";
    later.at = (double)time(NULL) + delay;
    if (enqueue_surely(client, &later, 1, jids, "delayed") != 0)
        return 1;
    printf("delayed %s\n", jids[0]);

    struct sluice_client_job bulk[MANY];
    for (int i = 0; i < MANY; i++) {
        bulk[i] = sluice_client_job_init();
        bulk[i].klass = "checksum";
        bulk[i].args = many[i];
        bulk[i].queue = "low";
    }
    if (enqueue_surely(client, bulk, MANY, jids, "bulk") != 0)
        return 1;
    printf("bulk %s %s %s\n", jids[0], jids[1], jids[2]);
    return 0;
}

int main(int argc, char **argv)
{
    struct sluice_client *client;
    struct sluice_client_error error;
    double delay = argc > 1 ? strtod(argv[1], NULL) : 60;
    if (sluice_client_new(NULL, &client, &error) != 0) {
        fprintf(stderr, "enqueue: %s\n", error.text);
        return 2;
    }
    int status = run(client, delay);
    sluice_client_free(client);
    return status;
}
