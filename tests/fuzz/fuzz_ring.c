/* fuzz_ring.c - a ring with three links against peers that say anything.
 *
 * Input: records of one operation byte, two length bytes and that many bytes. Bit 0 of the
 * operation: from a link or routed; bits 1 and 2: which peer; bit 3: a second passes (with bit 6:
 * a minute); bit 4: the peer's link goes down, or up again; bit 5: it is in doubt, and there was
 * traffic with it. The first byte's bit 7: we are a leaf. What must hold: contacts, wants and
 * messages stay bounded, and a next hop is nearer than we are. */
#include <assert.h>
#include <sodium.h>

#include "p2p/ring_impl.h"
#include "tests/fuzz/fuzz.h"

#define PEERS 4

struct peers {
	struct pubkey key[PEERS];
	uint8_t drawn;
};

static void on_random(void *ctx, void *out, size_t len)
{
	struct peers *p = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = p->drawn++; /* queries have numbers that an input can guess */
}

static void on_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)to;
	(void)msg;
	assert(len > 0 && len <= MESSAGE_MAX);
}

static void on_route(void *ctx, const struct node_id *to, const struct node_id *agent, bool nearest,
		     const uint8_t *msg, size_t len)
{
	(void)ctx;
	(void)to;
	(void)agent;
	(void)nearest;
	(void)msg;
	assert(len > 0 && len <= MESSAGE_MAX);
}

static void on_want(void *ctx, const struct ring_contact *c, const struct node_id *agent)
{
	(void)ctx;
	(void)agent;
	assert(c->addr_count <= RING_CONTACT_ADDRS);
}

static size_t on_addresses(void *ctx, const struct pubkey *peer, struct addr *out, size_t max)
{
	(void)ctx;
	(void)peer;
	if (max)
		out[0] = (struct addr){ .ip = ip_v4(0x09090909), .port = 1 };
	return max ? 1 : 0;
}

static void peers_make(struct peers *p)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { 0 };

	for (size_t i = 0; i < PEERS; i++) {
		do {
			seed[0]++;
		} while (!key_from_seed(&k, seed));
		p->key[i] = k.pub;
	}
}

static void check_hop(const struct ring *r, const struct node_id *to)
{
	const struct pubkey *next = ring_next(r, to, NULL, false);
	struct node_id id;

	if (!next)
		return;
	id = id_of(next);
	assert(id_ring_compare(to, &id, &r->id) < 0);
}

static void step(struct ring *r, const struct peers *p, uint8_t op, struct rd msg, usec_t now)
{
	const struct pubkey *peer = &p->key[1 + (op >> 1 & 3) % (PEERS - 1)];
	struct node_id agent = id_of(&p->key[1]);

	if (op & 16 && ring_link(r, peer))
		ring_link_down(r, peer, now);
	else if (op & 16)
		ring_link_up(r, peer, now);
	ring_link_state(r, peer, !(op & 64), op & 32);
	if (op & 32)
		ring_traffic(r, peer, now);
	ring_input(r, peer, !(op & 1), &agent, msg, now);
	ring_tick(r, now);
	assert(r->known.count <= RING_CONTACTS_MAX && r->links.count + r->leaves.count < PEERS);
	assert(r->lost_count <= LOST_MAX);
	assert(ring_deadline(r) > now);
	check_hop(r, &agent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct peers p = { .drawn = 0 };
	struct ring_env env = { &p, on_random, on_send, on_route, on_want, on_addresses,
				key_valid, on_send };
	struct rd in = rd_of(data, len);
	struct ring *r;
	usec_t now = SEC(1);

	if (sodium_init() < 0)
		return 0;
	peers_make(&p);
	r = ring_new(&p.key[0], len && data[0] & 128 ? RING_LEAF : RING_FULL, &env, now);
	for (int i = 1; i < PEERS; i++)
		ring_link_up(r, &p.key[i], now);
	ring_tick(r, now);
	while (rd_left(&in) >= 3) {
		uint8_t op = rd_u8(&in);
		size_t n = rd_u16(&in);

		n = n < rd_left(&in) ? n : rd_left(&in);
		now += !(op & 8) ? MSEC(10) : op & 64 ? MINUTES(1) : SEC(1);
		step(r, &p, op, rd_of(rd_bytes(&in, n), n), now);
	}
	ring_leave(r, now);
	ring_free(r);
	return 0;
}
