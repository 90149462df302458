#include "handlers/program.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int check_workdir(const char *workdir, struct err *err)
{
    struct stat st;
    if (!workdir)
        return 0;
    if (stat(workdir, &st) < 0)
        return err_set(err, -EINVAL, "workdir %s: %s", workdir, strerror(errno));
    return S_ISDIR(st.st_mode) ? 0 : err_set(err, -EINVAL, "workdir %s is no directory", workdir);
}

static int check_file(const char *program, const char *workdir, const char *kind, struct err *err)
{
    struct stat st;
    struct buf path = {0};
    if (workdir && program[0] != '/')
        buf_printf(&path, "%s/", workdir);
    buf_puts(&path, program);
    const char *name = buf_str(&path);
    int rc = buf_error(&path);
    if (rc < 0)
        rc = err_set(err, rc, "%s: no memory", kind);
    else if (stat(name, &st) < 0)
        rc = err_set(err, -EINVAL, "%s: %s: %s", kind, name, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        rc = err_set(err, -EINVAL, "%s: %s is no regular file", kind, name);
    else if (access(name, X_OK) < 0)
        rc = err_set(err, -EINVAL, "%s: %s is not executable: %s", kind, name, strerror(errno));
    buf_release(&path);
    return rc;
}

int program_check(const struct conf_handler *conf, const char *kind, struct err *err)
{
    const char *program = conf->argv ? conf->argv[0] : NULL;
    int rc = check_workdir(conf->workdir, err);
    if (rc < 0)
        return rc;
    if (!program || !*program)
        return err_set(err, -EINVAL, "%s: no program", kind);
    return strchr(program, '/') ? check_file(program, conf->workdir, kind, err) : 0;
}

void program_put_start_failure(struct buf *out, const struct conf_handler *conf, int code)
{
    buf_printf(out, "cannot start %s%s%s: %s", conf->argv[0], conf->workdir ? " in " : "",
               conf->workdir ? conf->workdir : "", strerror(-code));
}

bool program_was_killed(const siginfo_t *how)
{
    return how->si_code == CLD_KILLED || how->si_code == CLD_DUMPED;
}

void program_put_exit(struct buf *out, const siginfo_t *how)
{
    const char *name = sigabbrev_np(how->si_status); /* NULL for real-time signals */
    const char *core = how->si_code == CLD_DUMPED ? " (core dumped)" : "";
    if (how->si_code == CLD_EXITED)
        buf_printf(out, "exit status %d", how->si_status);
    else if (!program_was_killed(how))
        buf_puts(out, "exit status unknown");
    else if (name)
        buf_printf(out, "killed by SIG%s%s", name, core);
    else
        buf_printf(out, "killed by signal %d%s", how->si_status, core);
}
