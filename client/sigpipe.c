#include "client/sigpipe.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

static bool is_pending(void)
{
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

static sigset_t only_sigpipe(void)
{
    sigset_t set;
    (void)sigemptyset(&set); /* these two fail for numbers that are no signal */
    (void)sigaddset(&set, SIGPIPE);
    return set;
}

void sigpipe_block(struct sigpipe *s)
{
    sigset_t set = only_sigpipe();
    s->was_pending = is_pending();
    (void)pthread_sigmask(SIG_BLOCK, &set, &s->before); /* fails for a bad first argument */
}

void sigpipe_restore(const struct sigpipe *s)
{
    static const struct timespec at_once = {0, 0};
    sigset_t set = only_sigpipe();
    if (!s->was_pending && is_pending())
        while (sigtimedwait(&set, NULL, &at_once) < 0 && errno == EINTR)
            continue;
    (void)pthread_sigmask(SIG_SETMASK, &s->before, NULL); /* likewise */
}
