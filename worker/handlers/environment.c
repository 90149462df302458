#include "handlers/environment.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const secrets[] = {
    "REDIS_PASSWORD",
    "REDIS_URL",
    "SLUICE_API_TOKEN",
    "SLUICE_API_READ_TOKEN",
};

static const char *const of_the_job[] = {
    "SLUICE_JID", "SLUICE_CLASS", "SLUICE_QUEUE", "SLUICE_ATTEMPT", "TRACEPARENT",
};
enum { OF_THE_JOB = sizeof of_the_job / sizeof *of_the_job };

/* Whether a variable "NAME=value" has this name. */
static bool is_named(const char *var, const char *name)
{
    size_t n = strlen(name);
    return strncmp(var, name, n) == 0 && var[n] == '=';
}

static bool is_listed(const char *var, const char *const names[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_named(var, names[i]))
            return true;
    return false;
}

static bool is_inherited(const char *var, const struct conf_handler *conf)
{
    if (is_listed(var, secrets, sizeof secrets / sizeof *secrets) ||
        is_listed(var, of_the_job, OF_THE_JOB))
        return false;
    for (int i = 0; i < conf->nenv; i++)
        if (is_named(var, conf->env[i].name))
            return false;
    return true;
}

int environment_init(struct environment *e, const struct conf_handler *conf)
{
    size_t most = (size_t)conf->nenv;
    for (char **var = environ; var && *var; var++)
        most++;
    *e = (struct environment){.vars = calloc(most + 1, sizeof *e->vars)};
    if (!e->vars)
        return -ENOMEM;
    bool complete = true;
    for (char **var = environ; complete && var && *var; var++)
        if (is_inherited(*var, conf))
            complete = (e->vars[e->n++] = strdup(*var)) != NULL;
    for (int i = 0; complete && i < conf->nenv; i++) {
        char *var;
        complete = asprintf(&var, "%s=%s", conf->env[i].name, conf->env[i].value) >= 0;
        if (!complete)
            break;
        if (is_listed(var, of_the_job, OF_THE_JOB))
            free(var); /* the job's own value wins */
        else
            e->vars[e->n++] = var;
    }
    if (!complete) {
        environment_release(e);
        return -ENOMEM;
    }
    return 0;
}

void environment_release(struct environment *e)
{
    for (size_t i = 0; i < e->n; i++)
        free(e->vars[i]);
    free(e->vars);
    *e = (struct environment){0};
}

int environment_for_job(const struct environment *e, const struct run_job *job, char ***ret)
{
    char attempt[24];
    (void)snprintf(attempt, sizeof attempt, "%" PRId64, job->attempt);
    const char *const values[OF_THE_JOB] = {job->jid, job->klass, job->queue, attempt,
                                            job->traceparent};
    size_t pointers = (e->n + OF_THE_JOB + 1) * sizeof(char *);
    size_t size = pointers;
    for (size_t i = 0; i < OF_THE_JOB; i++)
        if (values[i])
            size += strlen(of_the_job[i]) + strlen(values[i]) + sizeof "=";
    char **vars = malloc(size);
    if (!vars)
        return -ENOMEM;
    memcpy(vars, e->vars, e->n * sizeof *vars);
    size_t n = e->n;
    char *text = (char *)vars + pointers; /* the strings lie behind the pointers */
    for (size_t i = 0; i < OF_THE_JOB; i++)
        if (values[i]) {
            vars[n++] = text;
            text = stpcpy(text, of_the_job[i]);
            *text++ = '=';
            text = stpcpy(text, values[i]) + 1;
        }
    vars[n] = NULL;
    *ret = vars;
    return 0;
}
