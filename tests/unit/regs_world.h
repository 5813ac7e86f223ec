/* regs_world.h - nodes with registers and leases on a network that delays, loses and doubles, with
 * disks that may be slow, fail, or lose what was not yet answered. For test_{client,member,regs}.c.
 *
 * Node 0 is the creator and keeper. Everything random comes from one seed. What people do with it
 * stands in regs_people.h. */
#ifndef TESTS_UNIT_REGS_WORLD_H
#define TESTS_UNIT_REGS_WORLD_H

#include "tests/unit/regs_node.h"

/* --- life --- */

static inline void rw_start(struct rw_node *n)
{
	struct rw_world *w = n->w;
	struct regs_config cfg = { .self = n->key, .root = w->root.pub, .crypto = w->crypto,
				   .wall = &w->wall, .drops = &n->drops,
				   .same_machine = n->same_machine };
	struct regs_env env = { n, rw_random, rw_send, rw_persist, rw_event };
	struct lease_config lc = { .self = n->key.pub, .subnet = w->settings.subnet,
				   .lease = w->settings.lease, .same_machine = n->same_machine,
				   .wall = &w->wall };
	struct lease_env le = { n, rw_random, rw_submit, rw_persist, rw_lease_event,
				rw_sign, rw_submit_signed, rw_hand };

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

static inline void rw_to_leases(struct rw_node *n, const struct regs_event *e)
{
	struct handover h = regs_handover(e);
	struct reg_answer answer = regs_answer(e);

	if (e->type == REGS_STRAY && n->keeps_strays)
		return;
	if (e->type == REGS_STRAY)
		leases_stray(n->leases, e->grant, e->len, n->w->now);
	else if (e->type == REGS_HANDOVER)
		leases_handover(n->leases, &h, n->w->now);
	else
		leases_result(n->leases, e->op, &answer, n->w->now);
}

static inline void rw_hand_over(struct rw_node *n)
{
	static struct rw_event batch[RW_EVENTS_MAX];

	for (size_t i = 0; i < n->event_count && n->regs; i++) {
		batch[0] = n->events[i];
		batch[0].e.grant = batch[0].grant;
		if (batch[0].e.type == REGS_HANDOVER || batch[0].e.type == REGS_STRAY ||
		    (batch[0].e.type == REGS_RESULT && (batch[0].e.op & LEASE_OP))) {
			memmove(&n->events[i], &n->events[i + 1],
				(--n->event_count - i) * sizeof(n->events[0]));
			for (size_t k = i; k < n->event_count; k++)
				n->events[k].e.grant = n->events[k].grant;
			i--;
			rw_to_leases(n, &batch[0].e);
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
			rw_deliver(w, i--);
			any = true;
			if (!w->turns)
				break;
		}
	for (size_t i = 0; i < w->count; i++) {
		struct rw_node *n = &w->node[i];

		if (!n->regs)
			continue;
		while (rw_disk_answers(n)) {
			any = true;
			if (!w->turns)
				break;
		}
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
	w->crypto = &crypto_real;
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
