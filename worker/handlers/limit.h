/*
 * sluice-limit: lays bounds on itself and becomes a program. What bounds.c and it have agreed on.
 *
 *   sluice-limit CPU_S MEMORY_MB GROUP PATH PROGRAM [ARGUMENT]...
 *
 * A number of 0 and an empty GROUP are no bound. GROUP is a file that a process enters a control
 * group by. PROGRAM is searched in PATH, which is the worker's and not that of the job.
 *
 * At LIMIT_REPORT_FD is a pipe. It is closed by the exec, which tells that the program runs now;
 * when there was none, the errno that says why has been written to it before, as an int.
 *
 * A worker that runs while its package is replaced meets the next version of this program: what is
 * agreed on here may only be added to behind.
 */
#ifndef SLUICE_WORKER_HANDLERS_LIMIT_H
#define SLUICE_WORKER_HANDLERS_LIMIT_H

#define LIMIT_NAME "sluice-limit"

enum { LIMIT_CPU = 1, LIMIT_MEMORY, LIMIT_GROUP, LIMIT_PATH, LIMIT_PROGRAM }; /* of argv */
enum { LIMIT_REPORT_FD = 3 };

#endif
