/* sim_light_fault.c - hosts that misbehave, as the script says.
 *
 *   junk       answers FIND and GET with keys that nobody has and records with a wrong signature,
 *              PUT with "I have it already" and keys that nobody has
 *   drops      forwards no routed packet
 *   misroutes  forwards over any link
 *   lies       all nodes and links that it tells of in RING messages are nobody's, at addresses
 *              where nobody is, as many as a message holds; it accepts every shortcut
 *
 * What they do for themselves they do right: the worst neighbour is the one that stays. */
#include "cmd/sim_light_impl.h"

#include <assert.h>

#define RECORD_VERSION 1
#define SEALED_LEN (24 + 256 + 16)
#define JUNK_MAX 1300

static void random_key(struct light *l, struct pubkey *k)
{
	const struct crypto *c = sim_host_crypto(l->host);

	do {
		sim_host_random(l->host, k->b, KEY_LEN);
		k->b[KEY_LEN - 1] &= 0x7f;
	} while (!c->key_valid(k));
}

/* docs/protocol.md 6.1, with a body and a signature out of the air. `name`: kind and key. */
static void forge_record(struct light *l, struct wr *w, const uint8_t name[1 + ID_LEN])
{
	uint8_t *block = wr_open(w), noise[SEALED_LEN + SIG_LEN];
	struct pubkey signer;

	random_key(l, &signer);
	sim_host_random(l->host, noise, sizeof(noise));
	wr_u8(w, RECORD_VERSION);
	wr_copy(w, name, 1 + ID_LEN);
	wr_u64(w, UINT64_MAX - 1);
	wr_u64(w, wall_seconds(&l->wall, l->now) + 3600);
	wr_block(w, noise, SEALED_LEN);
	wr_copy(w, signer.b, KEY_LEN);
	wr_copy(w, noise + SEALED_LEN, SIG_LEN);
	wr_close(w, block);
}

/* docs/protocol.md 6. */
bool light_fault_dht(struct light *l, const struct pubkey *from, const uint8_t *msg, size_t len)
{
	enum { FIND = 3, NODES, GET, VALUES, PUT, STORED };
	enum { HELD = 4 };
	struct rd r = rd_of(msg, len);
	uint8_t out[JUNK_MAX], type = rd_u8(&r) & 0x7f, name[1 + ID_LEN];
	struct wr w = wr_of(out, sizeof(out));

	if (!(sim_host_faults(l->host) & SIM_JUNK) || (type != FIND && type != GET && type != PUT))
		return false;
	wr_u8(&w, (uint8_t)(type + 1));
	wr_u64(&w, rd_u64(&r));
	if (type == GET) {
		rd_copy(&r, name, sizeof(name));
		wr_u8(&w, 1);
		forge_record(l, &w, name);
	}
	if (type == PUT)
		wr_u8(&w, HELD);
	wr_u8(&w, DHT_K);
	for (size_t i = 0; i < DHT_K; i++) {
		struct pubkey key;

		random_key(l, &key);
		wr_copy(&w, key.b, KEY_LEN);
	}
	assert(wr_ok(&w));
	light_dht_send(l, from, out, wr_len(&w), 0);
	return true;
}

struct light_link *light_fault_hop(struct light *l, struct light_link *right)
{
	unsigned faults = sim_host_faults(l->host);
	struct pubkey keys[64];
	size_t n;

	if (faults & SIM_DROPS)
		return NULL;
	if (!(faults & SIM_MISROUTES))
		return right;
	n = ring_links(l->ring, keys, ARRAY_LEN(keys));
	return n ? light_link_find(l, &keys[light_random(l, (uint32_t)n)]) : right;
}

/* An address where nobody is. */
static void lie_contact(struct light *l, struct wr *w)
{
	struct pubkey key;
	struct addr a = { .ip = ip_v4(0x0a000000 + light_random(l, 1 << 24)), .port = 24655 };

	random_key(l, &key);
	wr_copy(w, key.b, KEY_LEN);
	wr_u8(w, 1);
	wr_addr(w, &a);
}

static void own_contact(struct light *l, struct wr *w)
{
	wr_copy(w, sim_host_key(l->host)->pub.b, KEY_LEN);
	wr_u8(w, 1);
	wr_addr(w, sim_host_addr(l->host));
}

static void lie_links(struct light *l, struct wr *w)
{
	uint8_t id[8];

	wr_u8(w, RING_TOLD_MAX);
	for (size_t i = 0; i < RING_TOLD_MAX; i++) {
		sim_host_random(l->host, id, sizeof(id));
		wr_copy(w, id, sizeof(id));
	}
}

/* docs/protocol.md 5.1. Who asks for a shortcut gets one. */
const uint8_t *light_fault_ring(struct light *l, const uint8_t *msg, size_t *len,
				uint8_t lie[LIGHT_LIE_MAX])
{
	enum { STATUS = 1, FOUND = 4, LINKS = 6, ACCEPTS = 1, QUERY_LEN = 8 };
	struct rd r = rd_of(msg, *len);
	struct wr w = wr_of(lie, LIGHT_LIE_MAX);
	uint8_t type = rd_u8(&r);
	unsigned contacts = RING_STATUS_MAX;

	if (!(sim_host_faults(l->host) & SIM_LIES) ||
	    (type != STATUS && type != FOUND && type != LINKS))
		return msg;
	wr_u8(&w, type);
	if (type == LINKS) {
		lie_links(l, &w);
		contacts = 0;
	} else if (type == FOUND) {
		wr_copy(&w, rd_bytes(&r, QUERY_LEN), QUERY_LEN);
		wr_u8(&w, ACCEPTS);
		wr_u8(&w, RING_STATUS_MAX);
		own_contact(l, &w);
		contacts--;
	} else {
		wr_u8(&w, rd_u8(&r));
		wr_u8(&w, RING_STATUS_MAX);
	}
	while (contacts--)
		lie_contact(l, &w);
	assert(wr_ok(&w));
	*len = wr_len(&w);
	return lie;
}
