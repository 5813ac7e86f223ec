/* ring_script.h - one ring against a script, for test_ring.c and test_ring_peer.c: what it emits is
 * counted and the last of it kept; keys[0] is itself. */
#ifndef TESTS_UNIT_RING_SCRIPT_H
#define TESTS_UNIT_RING_SCRIPT_H

#include <sodium.h>
#include <stdlib.h>

#include "p2p/ring_impl.h"
#include "tests/check.h"

#define KEYS 400
#define WANTED 4096
#define START SEC(1000)

static struct pubkey keys[KEYS]; /* made by script_keys */

struct script {
	struct ring *ring;
	uint64_t rng;
	usec_t now;
	unsigned sent, routed, wanted, addresses;
	usec_t wanted_at[WANTED], sent_at;
	unsigned wanted_cost[WANTED];
	struct ring_contact last_want;
	struct node_id last_agent, last_target, last_via;
	bool has_agent, nearest; /* of the last want; of the last routed message */
	unsigned types[MSG_TYPES]; /* messages of each kind */
	struct pubkey last_to;	   /* of the last that was sent over a link */
	uint8_t link_flags;	   /* of the last LINK */
	uint8_t status_flags;	   /* of the last STATUS */
	size_t len;
	uint8_t msg[1400];
};

static inline void on_random(void *ctx, void *out, size_t len)
{
	struct script *s = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++) {
		s->rng = s->rng * 6364136223846793005u + 1442695040888963407u;
		b[i] = (uint8_t)(s->rng >> 40);
	}
}

static inline void on_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct script *s = ctx;

	s->types[msg[0]]++;
	s->last_to = *to;
	if (msg[0] == MSG_LINK)
		s->link_flags = msg[1];
	if (msg[0] == MSG_STATUS)
		s->status_flags = msg[1];
	s->sent++;
	s->sent_at = s->now;
	s->len = len;
	memcpy(s->msg, msg, len);
}

static inline void on_route(void *ctx, const struct node_id *to, const struct node_id *agent,
			    bool nearest, const uint8_t *msg, size_t len)
{
	struct script *s = ctx;

	s->types[msg[0]]++;
	s->routed++;
	s->last_target = *to;
	if (agent)
		s->last_via = *agent;
	s->nearest = nearest;
	s->len = len;
	memcpy(s->msg, msg, len);
}

static inline void on_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	struct script *s = ctx;

	CHECK(s->wanted < WANTED);
	s->wanted_at[s->wanted] = s->now;
	s->wanted_cost[s->wanted++] = c->addr_count ? c->addr_count : 1;
	s->last_want = *c;
	s->has_agent = agent != NULL;
	if (agent)
		s->last_agent = *agent;
}

static inline size_t on_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	struct script *s = ctx;

	(void)peer;
	for (size_t i = 0; i < s->addresses && i < max; i++) {
		uint8_t b[16] = { 0x20, 1, 0x0d, 0xb8, (uint8_t)i };

		out[i] = (struct addr){ .ip = ip_v6(b), .port = 24655 };
	}
	return s->addresses < max ? s->addresses : max;
}

static inline void open_script_as(struct script *s, enum ring_profile profile)
{
	struct ring_env env = { s, on_random, on_send, on_route, on_want, on_addresses,
				key_valid, on_send };

	*s = (struct script){ .rng = 12345, .now = START, .addresses = 1 };
	s->ring = ring_new(&keys[0], profile, &env, START);
}

static inline void open_script(struct script *s)
{
	open_script_as(s, RING_FULL);
}

static inline void up(struct script *s, int k)
{
	ring_link_up(s->ring, &keys[k], s->now);
}

static inline void run(struct script *s, usec_t for_long)
{
	usec_t end = s->now + for_long;

	for (usec_t at; (at = ring_deadline(s->ring)) <= end;) {
		s->now = at > s->now ? at : s->now;
		ring_tick(s->ring, s->now);
		CHECK(ring_deadline(s->ring) > s->now); /* or it would never sleep */
		if (ring_deadline(s->ring) <= s->now)
			break;
	}
	s->now = end;
}

/* STATUS, LEAVE or FOUND with keys[first..first+count), each of `addrs` addresses. */
static inline struct wr message(uint8_t *buf, size_t size, uint8_t type, uint8_t flags)
{
	struct wr w = wr_of(buf, size);

	wr_u8(&w, type);
	if (type == MSG_STATUS)
		wr_u8(&w, flags);
	return w;
}

static inline void contacts(struct wr *w, int first, int count, int addrs)
{
	wr_u8(w, (uint8_t)count);
	for (int i = first; i < first + count; i++) {
		wr_copy(w, keys[i].b, KEY_LEN);
		wr_u8(w, (uint8_t)addrs);
		for (int a = 0; a < addrs; a++) {
			struct addr at = { .ip = ip_v4(0x09000000u + (uint32_t)(i * 4 + a)),
					   .port = 1000 };

			wr_addr(w, &at);
		}
	}
}

static inline void status(struct script *s, int from, uint8_t flags, int first, int count)
{
	uint8_t buf[2048];
	struct wr w = message(buf, sizeof(buf), MSG_STATUS, flags);

	contacts(&w, first, count, 2);
	ring_input(s->ring, &keys[from], true, NULL, rd_of(buf, wr_len(&w)), s->now);
}

static inline void say_link(struct script *s, int from, uint8_t flags)
{
	uint8_t buf[2] = { MSG_LINK, flags };

	ring_input(s->ring, &keys[from], true, NULL, rd_of(buf, sizeof(buf)), s->now);
}

/* LINKS of this link: the ids of keys[first..first+count). */
static inline void say_links(struct script *s, int from, int first, int count)
{
	uint8_t buf[2 + 8 * 255] = { MSG_LINKS, (uint8_t)count };

	for (int i = 0; i < count; i++) {
		struct node_id id = id_of(&keys[first + i]);

		memcpy(buf + 2 + 8 * i, id.b, 8);
	}
	ring_input(s->ring, &keys[from], true, NULL, rd_of(buf, 2 + 8 * (size_t)count), s->now);
}

/* Nearest of keys[1..n) to ourselves on one side, counting from 0. */
static inline int nth(int n, int rank, bool clockwise)
{
	struct node_id me = id_of(&keys[0]);

	for (int i = 1; i < n; i++) {
		struct node_id a = id_of(&keys[i]);
		struct node_id d = clockwise ? id_clockwise(&me, &a) : id_clockwise(&a, &me);
		int before = 0;

		for (int k = 1; k < n; k++) {
			struct node_id b = id_of(&keys[k]);
			struct node_id e = clockwise ? id_clockwise(&me, &b) : id_clockwise(&b, &me);

			before += memcmp(e.b, d.b, ID_LEN) < 0;
		}
		if (before == rank)
			return i;
	}
	return -1;
}

static inline void input(struct script *s, int from, bool from_link, const uint8_t *msg, size_t len)
{
	struct node_id agent = id_of(&keys[1]);

	ring_input(s->ring, &keys[from], from_link, &agent, rd_of(msg, len), s->now);
}

static inline bool script_keys(void)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { 0 };

	if (sodium_init() < 0)
		return false;
	for (int i = 0; i < KEYS; i++) {
		do {
			seed[1] += ++seed[0] == 0;
		} while (!key_from_seed(&k, seed));
		keys[i] = k.pub;
	}
	return true;
}

#endif
