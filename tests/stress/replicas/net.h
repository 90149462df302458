/*
 * A network of its own: a bridge with Redis at it, and for each replica a namespace with a cable
 * (veth) to the bridge, which can be pulled.
 *
 * Why, beside support/proxy.h: a proxy ends connections or swallows bytes of them; a pulled cable
 * says nothing to anybody. Segments are sent again and again by the kernel, connections are neither
 * open nor closed, and when the cable is back, both ends hear of what the other has given up.
 *
 * Nothing has a name that outlives us: namespaces live by our descriptors and by the processes in
 * them, and end with them however that comes. The one that the bridge is in is ours alone, too, so
 * that two runs do not meet. Needs iproute2; and to be the super-user, or a kernel that lets
 * everybody have namespaces of users.
 *
 * Threads: one, as a namespace belongs to a thread. Each step but net_works() fails the test when
 * it cannot be done.
 */
#ifndef SLUICE_TESTS_STRESS_REPLICAS_NET_H
#define SLUICE_TESTS_STRESS_REPLICAS_NET_H

#include <stdbool.h>

enum { NET_MAX = 65 };
#define NET_SERVER "10.77.0.1" /* Redis' address at the bridge */

struct net {
    int home;        /* namespace with the bridge */
    int ns[NET_MAX]; /* of places */
    int n;
};

/* Whether all of this can be done here; tries it out in a child. */
bool net_works(void);

/* From now on this process is in the namespace with the bridge. */
void net_open(struct net *net);
void net_close(struct net *net);

/* One more place at the bridge; returns its number. Who is to be there enters net->ns[number]. */
int net_add(struct net *net);
/* The number of the place that has this address; -1: none. */
int net_place(const char *address);

/* Its cable. */
void net_pull(int place);
void net_plug(int place);

#endif
