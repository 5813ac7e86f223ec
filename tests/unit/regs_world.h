/* regs_world.h - nodes with registers and leases on a network that delays, loses and doubles, with
 * disks that may be slow, fail, or lose what was not yet answered. For test_{client,member,regs}.c.
 *
 * Node 0 is the creator and keeper. Everything random comes from one seed. What people do with it
 * stands in regs_people.h. */
#ifndef TESTS_UNIT_REGS_WORLD_H
#define TESTS_UNIT_REGS_WORLD_H

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
	struct regs *regs;
	struct leases *leases;
	bool same_machine, cut, disk_broken, disk_silent;
	bool attached[NODES_MAX];
	struct rw_stored disk[STORED_MAX], writes[STORED_MAX];
	size_t disk_count, write_count;
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
	struct key_pair root;
	struct settings settings;
	struct rw_node node[NODES_MAX];
	size_t count;
	struct rw_message flight[FLIGHT_MAX];
	size_t flight_count;
	/* May change or swallow (false) a message on its way. */
	bool (*hook)(struct rw_world *w, struct rw_message *m);
	size_t updates; /* UPDATE messages sent */
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
	if (service == REGS_SERVICE_MEMBER && msg[0] == MEMBERMSG_UPDATE)
		w->updates++;
	rw_post_any(w, n->index, rw_index(w, to), service, msg, len);
	if (rw_dice(w) % 100 < w->doubled)
		rw_post_any(w, n->index, rw_index(w, to), service, msg, len);
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
				 .at = n->w->now + n->w->disk_delay };
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

/* --- life --- */

static inline void rw_start(struct rw_node *n)
{
	struct rw_world *w = n->w;
	struct regs_config cfg = { .self = n->key, .root = w->root.pub, .crypto = &crypto_real,
				   .wall = &w->wall, .same_machine = n->same_machine };
	struct regs_env env = { n, rw_random, rw_send, rw_persist, rw_event };
	struct lease_config lc = { .self = n->key.pub, .subnet = w->settings.subnet,
				   .lease = w->settings.lease, .same_machine = n->same_machine,
				   .wall = &w->wall };
	struct lease_env le = { n, rw_random, rw_submit, rw_persist, rw_lease_event };

	nsid_of(lc.nsid, &w->root.pub);
	n->dead = false;
	n->writes_left = SIZE_MAX;
	n->regs = regs_new(&cfg, &env, w->now);
	n->leases = leases_new(&lc, &le, w->now);
	for (size_t i = 0; i < n->disk_count; i++) {
		const struct rw_stored *s = &n->disk[i];

		if (s->key[0] == LEASE_KEY)
			CHECK(leases_restore(n->leases, s->key, s->key_len, s->value, s->len,
					     w->now));
		else
			CHECK(regs_restore(n->regs, s->key, s->key_len, s->value, s->len));
	}
	regs_started(n->regs, w->now);
	leases_started(n->leases, w->now);
}

static inline struct rw_node *rw_add(struct rw_world *w)
{
	struct rw_node *n = &w->node[w->count];
	uint8_t seed[SEED_LEN];

	n->w = w;
	n->index = w->count++;
	n->same_machine = true;
	n->events = mem_new(RW_EVENTS_MAX * sizeof(*n->events));
	do
		rw_random(n, seed, sizeof(seed));
	while (!key_from_seed(&n->key, seed));
	rw_start(n);
	return n;
}

/* The process ends; `flushed`: what was handed to the disk got there, only the answer is lost. */
static inline void rw_stop(struct rw_node *n, bool flushed)
{
	for (size_t i = 0; i < n->write_count; i++) {
		if (flushed && !n->disk_broken)
			rw_to_disk(n, &n->writes[i]);
		free(n->writes[i].value);
	}
	n->write_count = 0;
	n->event_count = n->lease_event_count = 0;
	leases_free(n->leases);
	regs_free(n->regs);
	n->leases = NULL;
	n->regs = NULL;
}

static inline void rw_attach(struct rw_node *a, struct rw_node *b)
{
	a->attached[b->index] = b->attached[a->index] = true;
	regs_peer_attached(a->regs, &b->key.pub, a->w->now);
	regs_peer_attached(b->regs, &a->key.pub, a->w->now);
}

/* A restarted process has to attach anew. */
static inline void rw_restart(struct rw_node *n, bool flushed)
{
	rw_stop(n, flushed);
	rw_start(n);
	for (size_t i = 0; i < n->w->count; i++)
		if (n->attached[i] && n->w->node[i].regs) {
			regs_peer_gone(n->w->node[i].regs, &n->key.pub, n->w->now);
			rw_attach(n, &n->w->node[i]);
		}
}

static inline void rw_hand_over(struct rw_node *n)
{
	static struct rw_event batch[RW_EVENTS_MAX];

	for (size_t i = 0; i < n->event_count && n->regs; i++) {
		batch[0] = n->events[i];
		if (batch[0].e.type == REGS_RESULT && (batch[0].e.op & LEASE_OP)) {
			memmove(&n->events[i], &n->events[i + 1],
				(--n->event_count - i) * sizeof(n->events[0]));
			for (size_t k = i; k < n->event_count; k++)
				n->events[k].e.grant = n->events[k].grant;
			i--;
			leases_result(n->leases, batch[0].e.op, batch[0].e.status,
				      &batch[0].e.holder, batch[0].grant, batch[0].e.len,
				      n->w->now);
		}
	}
}

static inline void rw_deliver(struct rw_world *w, size_t i)
{
	struct rw_message m = w->flight[i];
	struct rw_node *to = &w->node[m.to];
	bool pass;

	w->flight[i] = w->flight[--w->flight_count];
	pass = !w->node[m.from].cut && !to->cut && to->regs && !to->dead;
	if (pass && w->hook)
		pass = w->hook(w, &m);
	if (pass)
		regs_input(to->regs, &w->node[m.from].key.pub, to->attached[m.from], m.service, m.b,
			   m.len, w->now);
	free(m.b);
}

static inline bool rw_step(struct rw_world *w)
{
	bool any = false;
	usec_t now = w->now;

	for (size_t i = 0; i < w->flight_count; i++)
		if (w->flight[i].at <= now) {
			rw_deliver(w, i);
			any = true;
			break;
		}
	for (size_t i = 0; i < w->count; i++) {
		struct rw_node *n = &w->node[i];

		if (!n->regs)
			continue;
		any |= rw_disk_answers(n);
		if (n->dead)
			continue;
		if (regs_deadline(n->regs) <= now)
			regs_tick(n->regs, now);
		if (leases_deadline(n->leases) <= now)
			leases_tick(n->leases, now);
		rw_hand_over(n);
	}
	return any;
}

static inline usec_t rw_next(const struct rw_world *w)
{
	usec_t next = USEC_NEVER;

	for (size_t i = 0; i < w->flight_count; i++)
		next = usec_min(next, w->flight[i].at);
	for (size_t i = 0; i < w->count; i++) {
		const struct rw_node *n = &w->node[i];

		if (!n->regs)
			continue;
		if (n->write_count)
			next = usec_min(next, n->writes[0].at);
		if (!n->dead)
			next = usec_min(next, usec_min(regs_deadline(n->regs),
						       leases_deadline(n->leases)));
	}
	return next;
}

static inline void rw_run(struct rw_world *w, usec_t t)
{
	usec_t end = w->now + t;

	for (int spin = 0; w->now < end;) {
		usec_t next;

		if (rw_step(w))
			continue;
		next = rw_next(w);
		spin = next <= w->now ? spin + 1 : 0;
		if (spin > 1000) {
			CHECK(!"the clock stands still");
			return;
		}
		if (next > w->now)
			w->now = next < end ? next : end;
	}
}

static inline struct rw_world *rw_new(uint64_t seed)
{
	struct rw_world *w = mem_new(sizeof(*w));
	uint8_t root_seed[SEED_LEN] = { 1 };

	w->dice = seed;
	w->now = SEC(1000);
	w->wall = (struct wall){ 1800000000, 0 };
	w->delay = MSEC(5);
	w->jitter = MSEC(20);
	w->disk_delay = MSEC(1);
	while (!key_from_seed(&w->root, root_seed))
		root_seed[1]++;
	w->settings = (struct settings){ .root = w->root.pub, .number = 1, .name = "home",
					 .lease = 86400, .mtu = 1420 };
	prefix_parse(&w->settings.subnet, "10.7.0.0/16");
	rw_add(w);
	return w;
}

static inline void rw_free(struct rw_world *w)
{
	for (size_t i = 0; i < w->count; i++) {
		struct rw_node *n = &w->node[i];

		if (n->regs)
			rw_stop(n, false);
		for (size_t k = 0; k < n->disk_count; k++)
			free(n->disk[k].value);
		free(n->events);
	}
	for (size_t i = 0; i < w->flight_count; i++)
		free(w->flight[i].b);
	free(w);
}

static inline const struct rw_event *rw_find(const struct rw_node *n, enum regs_event_type type,
					     uint64_t op)
{
	for (size_t i = n->event_count; i > 0; i--)
		if (n->events[i - 1].e.type == type && n->events[i - 1].e.op == op)
			return &n->events[i - 1];
	return NULL;
}

static inline size_t rw_count(const struct rw_node *n, enum regs_event_type type)
{
	size_t c = 0;

	for (size_t i = 0; i < n->event_count; i++)
		c += n->events[i].e.type == type;
	return c;
}

#endif
