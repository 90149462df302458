/*
 * SHA-256 of files: args [PATH, …].
 *
 *   one path       result {"path":"/etc/hosts","sha256":"…","bytes":188}
 *   several paths  one such event per file as it is done, and an array of them as the result
 *
 * Wrong arguments are dead at once: they do not get better. A file that cannot be read is a
 * failure, since it may be there at the next attempt. Only regular files are read: a FIFO or a
 * device could keep a thread for ever. Running twice does no harm, as nothing is written.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sluice/handler.h"

enum { BLOCK = 65536 };

struct sum {
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    int64_t bytes;
};

static int fail(struct sluice_job *job, const struct sluice_api *api, const char *error_class,
                const char *path, const char *reason)
{
    char text[512];
    (void)snprintf(text, sizeof text, "%s: %s", path, reason); /* cut to fit */
    api->error(job, error_class, text);
    return SLUICE_FAILED;
}

/* Opens a regular file; a FIFO without a writer does not block us. -1 with *ret_reason. */
static int open_regular(const char *path, const char **ret_reason)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
        return fd;
    *ret_reason = fd < 0 ? strerror(errno) : "not a regular file";
    if (fd >= 0)
        (void)close(fd); /* only read from */
    return -1;
}

/* Digests fd to its end. NULL, or why not. */
static const char *digest(struct sluice_job *job, const struct sluice_api *api, int fd,
                          struct sum *ret)
{
    const char *reason = NULL;
    unsigned char md[EVP_MAX_MD_SIZE];
    unsigned md_n = 0;
    ssize_t n = 0;
    unsigned char *block = malloc(BLOCK);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!block || !ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
        reason = "cannot set up SHA-256";
    ret->bytes = 0;
    while (!reason && (n = read(fd, block, BLOCK)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            reason = strerror(errno);
        else if (api->cancelled(job))
            reason = "stopped on request";
        else if (!EVP_DigestUpdate(ctx, block, (size_t)n))
            reason = "SHA-256 failed";
        else
            ret->bytes += n;
    }
    if (!reason && !EVP_DigestFinal_ex(ctx, md, &md_n))
        reason = "SHA-256 failed";
    for (unsigned i = 0; i < md_n; i++)
        (void)sprintf(ret->hex + 2 * i, "%02x", md[i]); /* sized for the longest digest */
    EVP_MD_CTX_free(ctx);
    free(block);
    return reason;
}

/* {"path":…,"sha256":…,"bytes":…}; NULL without memory. */
static cJSON *describe(const char *path, const struct sum *sum)
{
    cJSON *o = cJSON_CreateObject();
    if (o && cJSON_AddStringToObject(o, "path", path) &&
        cJSON_AddStringToObject(o, "sha256", sum->hex) &&
        cJSON_AddNumberToObject(o, "bytes", (double)sum->bytes))
        return o;
    cJSON_Delete(o);
    return NULL;
}

/* Gives a value to emit() or result(), which look alike. 0 or -1. */
static int give(int (*to)(struct sluice_job *, const char *, size_t), struct sluice_job *job,
                const cJSON *value)
{
    char *text = cJSON_PrintUnformatted(value);
    int rc = text ? to(job, text, strlen(text)) : -1;
    cJSON_free(text);
    return rc;
}

static int sum_one(struct sluice_job *job, const struct sluice_api *api, const char *path,
                   cJSON *results)
{
    const char *reason = NULL;
    struct sum sum;
    int fd = open_regular(path, &reason);
    if (fd >= 0) {
        reason = digest(job, api, fd, &sum);
        (void)close(fd); /* only read from */
    }
    if (reason && api->cancelled(job))
        return SLUICE_FAILED; /* the worker knows why it asked, and records that */
    if (reason)
        return fail(job, api, "FileError", path, reason);
    cJSON *o = describe(path, &sum);
    if (!o)
        return fail(job, api, "OutOfMemory", path, "no memory");
    (void)cJSON_AddItemToArray(results, o); /* fails for NULL only */
    return SLUICE_DONE;
}

static int sum_all(struct sluice_job *job, const struct sluice_api *api, const cJSON *args)
{
    const cJSON *path;
    const bool several = cJSON_GetArraySize(args) > 1;
    cJSON *results = cJSON_CreateArray();
    int rc = results ? SLUICE_DONE : fail(job, api, "OutOfMemory", "results", "no memory");
    cJSON_ArrayForEach(path, args)
    {
        if (rc == SLUICE_DONE)
            rc = sum_one(job, api, path->valuestring, results);
        if (rc == SLUICE_DONE && several)
            (void)give(api->emit, job,
                       cJSON_GetArrayItem(results, cJSON_GetArraySize(results) - 1));
    }
    if (rc == SLUICE_DONE && give(api->result, job, several ? results : results->child) < 0)
        rc = fail(job, api, "ResultError", "result", "no memory, or too large");
    cJSON_Delete(results);
    return rc;
}

static bool are_paths(const cJSON *args)
{
    const cJSON *path;
    cJSON_ArrayForEach(path, args)
    {
        if (!cJSON_IsString(path) || !path->valuestring[0])
            return false;
    }
    return cJSON_GetArraySize(args) > 0;
}

static int checksum_run(struct sluice_job *job, const struct sluice_job_info *info,
                        const struct sluice_api *api)
{
    cJSON *args = cJSON_ParseWithLength(info->args, info->args_len);
    int rc;
    if (are_paths(args)) {
        rc = sum_all(job, api, args);
    } else {
        api->error(job, "ArgumentError", "args must be one or more paths: [\"/etc/hosts\", …]");
        rc = SLUICE_DEAD;
    }
    cJSON_Delete(args);
    return rc;
}

const struct sluice_plugin sluice_plugin = {
    .abi = SLUICE_HANDLER_ABI,
    .size = sizeof(struct sluice_plugin),
    .name = "checksum",
    .run = checksum_run,
};
