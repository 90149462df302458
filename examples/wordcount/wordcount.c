/*
 * An exec handler: counts lines, words and bytes of text files. args [PATH, …].
 *
 * The whole contract in one small program. The job comes as one line of JSON on stdin; each line
 * written to stdout is an event, live:
 *
 *   {"path":"/etc/hosts","lines":7,"words":22,"bytes":188,"file":1,"files":2}
 *
 * The exit status is the outcome: 0 done, 100 dead (wrong arguments: no use in trying again), any
 * other failed, with what stands on stderr as the error message.
 */
#include <cjson/cJSON.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DONE = 0, FAILED = 1, DEAD = 100 };

struct counts {
    long long lines;
    long long words;
    long long bytes;
};

static int count(const char *path, struct counts *ret)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return -errno;
    struct counts c = {0};
    bool in_word = false;
    int ch;
    while ((ch = getc(f)) != EOF) {
        c.bytes++;
        c.lines += ch == '\n';
        c.words += !isspace(ch) && !in_word;
        in_word = !isspace(ch);
    }
    int rc = ferror(f) ? -errno : 0; /* a directory opens, but does not read */
    (void)fclose(f);                 /* only read from */
    if (rc == 0)
        *ret = c;
    return rc;
}

/* One event: printed and flushed, as stdout is a pipe and would be held back otherwise. */
static int emit(const char *path, const struct counts *c, int file, int files)
{
    cJSON *o = cJSON_CreateObject();
    bool complete = o && cJSON_AddStringToObject(o, "path", path) &&
                    cJSON_AddNumberToObject(o, "lines", (double)c->lines) &&
                    cJSON_AddNumberToObject(o, "words", (double)c->words) &&
                    cJSON_AddNumberToObject(o, "bytes", (double)c->bytes) &&
                    cJSON_AddNumberToObject(o, "file", file) &&
                    cJSON_AddNumberToObject(o, "files", files);
    char *text = complete ? cJSON_PrintUnformatted(o) : NULL;
    bool written = text && printf("%s\n", text) >= 0 && fflush(stdout) == 0;
    cJSON_free(text);
    cJSON_Delete(o);
    return written ? 0 : -1;
}

static bool are_paths(const cJSON *args)
{
    const cJSON *path;
    cJSON_ArrayForEach(path, args)
    {
        if (!cJSON_IsString(path))
            return false;
    }
    return cJSON_GetArraySize(args) > 0;
}

static int run(const cJSON *args)
{
    if (!are_paths(args)) {
        (void)fputs("args must be one or more paths: [\"/etc/hosts\", …]\n", stderr);
        return DEAD;
    }
    const int files = cJSON_GetArraySize(args);
    int file = 0;
    const cJSON *path;
    cJSON_ArrayForEach(path, args)
    {
        struct counts c = {0};
        int rc = count(path->valuestring, &c);
        if (rc < 0) {
            (void)fprintf(stderr, "%s: %s\n", path->valuestring, strerror(-rc));
            return FAILED;
        }
        if (emit(path->valuestring, &c, ++file, files) < 0) {
            (void)fputs("cannot write the event\n", stderr);
            return FAILED;
        }
    }
    return DONE;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n = getline(&line, &room, stdin);
    cJSON *job = n > 0 ? cJSON_ParseWithLength(line, (size_t)n) : NULL;
    int rc = run(cJSON_GetObjectItemCaseSensitive(job, "args"));
    cJSON_Delete(job);
    free(line);
    return rc;
}
