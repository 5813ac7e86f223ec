/* dht_ring.h - who has sessions with whom in dht_net.h, and how nodes come and go. */
#ifndef TESTS_UNIT_DHT_RING_H
#define TESTS_UNIT_DHT_RING_H

#include "tests/unit/dht_net.h"

/* A ring of sessions with one far link each, made over `span`. */
static inline void net_join_all(struct net *n, usec_t span)
{
	for (size_t i = 1; i < n->count; i++) {
		net_link(n, i, i - 1);
		net_link(n, i, net_random(n) % i);
		net_run(n, span / n->count);
	}
	net_link(n, 0, n->count - 1);
}

/* It is gone, and those that had sessions with it know. */
static inline void net_leave(struct net *n, size_t i)
{
	n->node[i].gone = true;
	net_rewake(&n->node[i]);
	for (size_t j = 0; j < n->count; j++) {
		if (!n->link[i][j])
			continue;
		n->link[i][j] = n->link[j][i] = false;
		dht_contact_down(n->node[j].dht, &n->node[i].self.pub, n->now);
		net_rewake(&n->node[j]);
	}
}

/* A new life with the same key, and no memory. */
static inline void net_return(struct net *n, size_t i)
{
	dht_free(n->node[i].dht);
	n->node[i].gone = false;
	net_start(n, i);
}

static inline void net_circle(struct net *n)
{
	for (size_t i = 0; i < n->count; i++) {
		size_t j = i;

		for (; j > 0 && n->place[i] < n->place[n->circle[j - 1]]; j--)
			n->circle[j] = n->circle[j - 1];
		n->circle[j] = (uint16_t)i;
	}
}

/* The links that the ring would give to the node at place p of the circle: three neighbours a side
 * of those present, */
static inline void net_link_near(struct net *n, size_t p)
{
	for (size_t step = 1; step < n->count; step += n->count - 2)
		for (size_t d = 1, near = 0; d < n->count && near < 3; d++) {
			size_t j = n->circle[(p + d * step) % n->count];

			if (n->node[j].gone)
				continue;
			net_link(n, n->circle[p], j);
			near++;
		}
}

/* and some farther away. */
static inline void net_link_far(struct net *n, size_t p)
{
	for (size_t d = 4; 2 * d < n->count; d *= 4) {
		size_t j = n->circle[(p + d + net_random(n) % (3 * d)) % n->count];

		if (!n->node[j].gone)
			net_link(n, n->circle[p], j);
	}
}

static inline size_t net_place(const struct net *n, size_t i)
{
	size_t p = 0;

	while (n->circle[p] != i)
		p++;
	return p;
}

/* After node i went or came the ring closes around it. */
static inline void net_mend_ring(struct net *n, size_t i)
{
	size_t p = net_place(n, i);

	for (size_t d = 0; d < 13; d++) {
		size_t at = (p + n->count + d - 6) % n->count;

		if (!n->node[n->circle[at]].gone)
			net_link_near(n, at);
	}
	if (!n->node[i].gone)
		net_link_far(n, p);
}

/* Everybody gets these links, in any order, within `span`. */
static inline void net_ring_all(struct net *n, usec_t span)
{
	net_circle(n);
	for (size_t i = 0; i < n->count; i++) {
		net_link_near(n, i * 7919 % n->count);
		net_link_far(n, i * 7919 % n->count);
		net_run(n, span / n->count);
	}
}

#endif
