/* regs_node.h - what a node in the world of regs_world.h is given: randomness, a network that delays,
 * loses and doubles, a disk, and a place for events. */
#ifndef TESTS_UNIT_REGS_NODE_H
#define TESTS_UNIT_REGS_NODE_H

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/bundle.h"
#include "dht/keeper.h"
#include "dht/lease.h"
#include "dht/membermsg.h"
#include "dht/regmsg.h"
#include "dht/regs.h"
#include "dht/token.h"
#include "tests/check.h"

#define NODES_MAX 12
#define FLIGHT_MAX 2048
#define STORED_MAX 512
#define RW_EVENTS_MAX 512

struct rw_message {
	size_t from, to;
	uint8_t service;
	uint8_t *b;
	size_t len;
	usec_t at;
};

struct rw_stored {
	uint64_t op;
	uint8_t key[96];
	size_t key_len, len;
	uint8_t *value;
	usec_t at; /* when the disk answers */
};

struct rw_event {
	struct regs_event e;
	uint8_t grant[GRANT_MAX];
};

struct rw_node {
	struct rw_world *w;
	size_t index;
	struct key_pair key;
	struct drops drops; /* of all its lives */
	struct regs *regs;
	struct leases *leases;
	bool same_machine, cut, disk_broken, disk_silent;
	bool keeps_strays; /* what is asked for without its leases is not given back by them */
	bool attached[NODES_MAX];
	struct rw_stored disk[STORED_MAX], writes[STORED_MAX];
	size_t disk_count, write_count;
	usec_t commit_begin, commit_end; /* of the group commit under way */
	bool commit_next;		 /* another one follows */
	size_t writes_left; /* the process dies at this write; SIZE_MAX = never */
	size_t fails_in;    /* the write after so many fails; 0 = none */
	bool dead;
	struct rw_event *events; /* of regs */
	size_t event_count;
	struct lease_event lease_events[RW_EVENTS_MAX];
	size_t lease_event_count;
	uint64_t highest_number; /* seen in operations it sent */
};

struct rw_world {
	usec_t now;
	struct wall wall;
	uint64_t dice;
	unsigned loss, doubled; /* percent */
	usec_t delay, jitter, disk_delay;
	bool turns; /* like a daemon: what is due is handed over before the next tick, writes that
		     * come while the disk is busy become its next commit */
	struct key_pair root;
	struct settings settings;
	const struct crypto *crypto;
	struct rw_node node[NODES_MAX];
	size_t count;
	struct rw_message flight[FLIGHT_MAX];
	size_t flight_count;
	/* May change or swallow (false) a message on its way. */
	bool (*hook)(struct rw_world *w, struct rw_message *m);
	size_t updates; /* UPDATE messages sent */
	size_t sent;	/* all messages */
};

static inline uint32_t rw_dice(struct rw_world *w)
{
	w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(w->dice >> 33);
}

static inline void rw_random(void *ctx, void *out, size_t len)
{
	struct rw_node *n = ctx;

	for (size_t i = 0; i < len; i++)
		((uint8_t *)out)[i] = (uint8_t)rw_dice(n->w);
}

static inline size_t rw_index(const struct rw_world *w, const struct pubkey *key)
{
	for (size_t i = 0; i < w->count; i++)
		if (key_equal(&w->node[i].key.pub, key))
			return i;
	return NODES_MAX;
}

static inline void rw_post(struct rw_world *w, size_t from, size_t to, uint8_t service,
			   const uint8_t *msg, size_t len)
{
	struct rw_message m = { from, to, service, NULL, len, 0 };

	if (to >= w->count || w->flight_count == FLIGHT_MAX || rw_dice(w) % 100 < w->loss)
		return;
	m.b = mem_copy(msg, len);
	m.at = w->now + w->delay + (w->jitter ? rw_dice(w) % w->jitter : 0);
	w->flight[w->flight_count++] = m;
}

/* Who looks at messages on their way sees those of a bundle one by one. */
static inline void rw_post_any(struct rw_world *w, size_t from, size_t to, uint8_t service,
			       const uint8_t *msg, size_t len)
{
	uint8_t nsid[NSID_LEN];
	struct bundle b;

	nsid_of(nsid, &w->root.pub);
	if (!w->hook || service != REGS_SERVICE_REGISTER || !bundle_open(&b, msg, len, nsid)) {
		rw_post(w, from, to, service, msg, len);
		return;
	}
	while (bundle_next(&b, &msg, &len))
		rw_post(w, from, to, service, msg, len);
}

static inline void rw_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
			   size_t len)
{
	struct rw_node *n = ctx;
	struct rw_world *w = n->w;

	if (n->dead)
		return;
	CHECK(len <= 65536);
	w->sent++;
	if (service == REGS_SERVICE_MEMBER && msg[0] == MEMBERMSG_UPDATE)
		w->updates++;
	rw_post_any(w, n->index, rw_index(w, to), service, msg, len);
	if (rw_dice(w) % 100 < w->doubled)
		rw_post_any(w, n->index, rw_index(w, to), service, msg, len);
}

/* When what is written now is on disk. */
static inline usec_t rw_commit(struct rw_node *n)
{
	usec_t now = n->w->now, delay = n->w->disk_delay;

	if (!n->w->turns)
		return now + delay;
	if (now >= n->commit_end && n->commit_next) {
		n->commit_begin = n->commit_end;
		n->commit_end += delay;
		n->commit_next = false;
	}
	if (now >= n->commit_end) {
		n->commit_begin = now;
		n->commit_end = now + delay;
	}
	n->commit_next |= n->commit_begin != now;
	return n->commit_begin == now ? n->commit_end : n->commit_end + delay;
}

static inline void rw_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			      const uint8_t *value, size_t len)
{
	struct rw_node *n = ctx;
	struct rw_stored *s = &n->writes[n->write_count];

	if (n->dead || n->writes_left == 0) {
		n->dead = true;
		return;
	}
	n->writes_left -= n->writes_left != SIZE_MAX;
	CHECK(n->write_count < STORED_MAX && key_len <= sizeof(s->key));
	n->write_count++;
	*s = (struct rw_stored){ .op = op, .key_len = key_len, .len = len,
				 .at = rw_commit(n) };
	memcpy(s->key, key, key_len);
	s->value = len ? mem_copy(value, len) : NULL;
}

static inline void rw_event(void *ctx, const struct regs_event *e)
{
	struct rw_node *n = ctx;
	struct rw_event *to = &n->events[n->event_count];

	if (n->dead || n->event_count == RW_EVENTS_MAX)
		return;
	n->event_count++;
	to->e = *e;
	CHECK(e->len <= GRANT_MAX);
	if (e->len)
		memcpy(to->grant, e->grant, e->len);
	to->e.grant = to->grant;
}

static inline int rw_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct rw_node *n = ctx;

	return regs_submit(n->regs, op, req, NULL, now);
}

static inline int rw_sign(void *ctx, struct reg_op *req, uint8_t out[REG_OP_MAX], usec_t now)
{
	struct rw_node *n = ctx;

	return regs_sign(n->regs, req, out, now);
}

static inline int rw_submit_signed(void *ctx, uint64_t op, const uint8_t *b, size_t len, usec_t now)
{
	struct rw_node *n = ctx;

	return regs_submit_signed(n->regs, op, b, len, now);
}

static inline void rw_hand(void *ctx, const struct pubkey *to, const struct handover *h)
{
	struct rw_node *n = ctx;
	struct handover copy = *h;

	copy.peer = *to;
	if (!n->dead)
		regs_hand(n->regs, &copy, n->w->now);
}

static inline void rw_lease_event(void *ctx, const struct lease_event *e)
{
	struct rw_node *n = ctx;

	if (!n->dead && n->lease_event_count < RW_EVENTS_MAX)
		n->lease_events[n->lease_event_count++] = *e;
}

/* --- disk --- */

static inline void rw_to_disk(struct rw_node *n, struct rw_stored *s)
{
	size_t i = 0;

	while (i < n->disk_count && (n->disk[i].key_len != s->key_len ||
				     memcmp(n->disk[i].key, s->key, s->key_len) != 0))
		i++;
	if (i == n->disk_count && s->len) {
		CHECK(n->disk_count < STORED_MAX);
		n->disk[n->disk_count++] = (struct rw_stored){ 0 };
	}
	if (i < n->disk_count) {
		free(n->disk[i].value);
		n->disk[i] = s->len ? *s : n->disk[--n->disk_count];
	}
	s->value = NULL;
}

static inline bool rw_disk_answers(struct rw_node *n)
{
	struct rw_stored s;
	bool fails;

	if (n->write_count == 0 || n->writes[0].at > n->w->now)
		return false;
	s = n->writes[0];
	memmove(n->writes, n->writes + 1, --n->write_count * sizeof(s));
	fails = n->disk_broken || n->fails_in == 1;
	n->fails_in -= n->fails_in != 0;
	if (!fails)
		rw_to_disk(n, &s);
	free(s.value);
	if (n->dead || n->disk_silent)
		return true;
	if ((s.op & LEASE_OP) && !(s.op & KEEPER_OP))
		leases_persisted(n->leases, s.op, fails ? -EIO : 0, n->w->now);
	else
		regs_persisted(n->regs, s.op, fails ? -EIO : 0, n->w->now);
	return true;
}

#endif
