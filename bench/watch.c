#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *watch_main(void *arg)
{
    struct watch *watch = arg;
    while (!atomic_load(&watch->stop)) {
        struct reply *info = NULL;
        struct err err = {""};
        if (redis_callf(watch->conn, &info, &err, "INFO clients") != 0) {
            (void)fprintf(stderr, "watch: %s\n", err.text);
            exit(1);
        }
        const char *at = strstr(reply_str(info).p, "connected_clients:");
        int n = at ? atoi(at + strlen("connected_clients:")) - 1 : 0;
        watch->peak = n > watch->peak ? n : watch->peak;
        reply_free(info);
        (void)usleep(2000);
    }
    return NULL;
}

int watch_start(struct watch *watch, const struct redis_options *redis, struct err *err)
{
    *watch = (struct watch){0};
    int rc = redis_conn_open(redis, &watch->conn, err);
    if (rc == 0)
        rc = redis_callf(watch->conn, NULL, err, "FLUSHALL");
    if (rc == 0)
        rc = -pthread_create(&watch->thread, NULL, watch_main, watch);
    return rc;
}

int watch_end(struct watch *watch)
{
    atomic_store(&watch->stop, true);
    (void)pthread_join(watch->thread, NULL);
    redis_conn_free(watch->conn);
    return watch->peak;
}
