#include "net.h"

#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "support/support.h"

static const char own_namespace[] = "/proc/self/ns/net";

/* --- steps, that say whether they were done ------------------------------------------------- */

/* Silent: whoever needs a step to be done says that it was not. */
__attribute__((format(printf, 1, 2))) static bool ip(const char *fmt, ...)
{
    char line[256] = "exec 2>/dev/null; ip ";
    size_t n = strlen(line);
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(line + n, sizeof line - n, fmt, ap);
    va_end(ap);
    int status = system(line);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    if (fd >= 0)
        (void)close(fd); /* what was written is in force */
    return done;
}

/* Among users of our own we are the super-user. */
static bool become_root(uid_t uid, gid_t gid)
{
    char users[32], groups[32];
    (void)snprintf(users, sizeof users, "0 %u 1", (unsigned)uid);
    (void)snprintf(groups, sizeof groups, "0 %u 1", (unsigned)gid);
    return write_text("/proc/self/setgroups", "deny") && write_text("/proc/self/uid_map", users) &&
           write_text("/proc/self/gid_map", groups);
}

static bool go_home(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    bool own = uid == 0 ? unshare(CLONE_NEWNET) == 0
                        : unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 && become_root(uid, gid);
    return own && ip("link set lo up") && ip("link add bridge type bridge") &&
           ip("addr add " NET_SERVER "/16 dev bridge") && ip("link set bridge up");
}

static void write_address(int place, char *ret, size_t size)
{
    (void)snprintf(ret, size, "10.77.1.%d", place + 1);
}

/* Returns the namespace; negative when that could not be made. The cable is made from its far end:
 * that is in the namespace, where we are for the moment, and its near end goes to our pid's, which
 * a child keeps at home. */
static int make_place(int home, int place)
{
    char address[32];
    write_address(place, address, sizeof address);
    pid_t anchor = fork(); /* stays at home while we are away */
    if (anchor == 0) {
        (void)pause();
        _exit(0);
    }
    bool away = anchor > 0 && unshare(CLONE_NEWNET) == 0;
    int ns = away ? open(own_namespace, O_RDONLY | O_CLOEXEC) : -1;
    bool made = ns >= 0 && ip("link set lo up") &&
                ip("link add eth0 type veth peer name place%d netns %d", place, (int)anchor) &&
                ip("addr add %s/16 dev eth0", address) && ip("link set eth0 up");
    if (anchor > 0 && kill(anchor, SIGKILL) == 0)
        (void)waitpid(anchor, NULL, 0); /* killed: its status tells nothing */
    made = setns(home, CLONE_NEWNET) == 0 && made && ip("link set place%d master bridge", place) &&
           ip("link set place%d up", place);
    return made ? ns : -1;
}

/* --- what others call ----------------------------------------------------------------------- */

bool net_works(void)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        int home = -1;
        bool works = go_home() && (home = open(own_namespace, O_RDONLY | O_CLOEXEC)) >= 0 &&
                     make_place(home, 0) >= 0 && ip("link set place0 down");
        _exit(works ? 0 : 1);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

void net_open(struct net *net)
{
    *net = (struct net){0};
    ck_assert(go_home());
    net->home = open(own_namespace, O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(net->home, 0);
}

void net_close(struct net *net)
{
    for (int i = 0; i < net->n; i++)
        (void)close(net->ns[i]); /* nobody is there any more */
    if (net->home > 0)
        (void)close(net->home); /* we are in it */
    *net = (struct net){0};
}

int net_add(struct net *net)
{
    ck_assert_int_lt(net->n, NET_MAX);
    net->ns[net->n] = make_place(net->home, net->n);
    ck_assert_int_ge(net->ns[net->n], 0);
    return net->n++;
}

int net_place(const char *address)
{
    int place;
    return sscanf(address, "10.77.1.%d", &place) == 1 ? place - 1 : -1;
}

void net_pull(int place)
{
    ck_assert(ip("link set place%d down", place));
}

void net_plug(int place)
{
    ck_assert(ip("link set place%d up", place));
}
