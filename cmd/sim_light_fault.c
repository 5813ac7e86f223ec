/* sim_light_fault.c - hosts that misbehave, as the script says.
 *
 *   junk       answers FIND and GET with keys that nobody has and records with a wrong signature,
 *              PUT with "stored"
 *   drops      forwards no routed packet
 *   misroutes  forwards over any link
 *   lies       every key that it tells in RING messages is nobody's
 *
 * What they do for themselves they do right: the worst neighbour is the one that stays. */
#include "cmd/sim_light.h"

#include "dht/msg.h"

static void random_key(struct light *l, struct pubkey *k)
{
	const struct crypto *c = sim_host_crypto(l->host);

	do {
		sim_host_random(l->host, k->b, KEY_LEN);
		k->b[KEY_LEN - 1] &= 0x7f;
	} while (!c->key_valid(k));
}

static size_t forged_record(struct light *l, const struct record_name *name, uint8_t *out)
{
	struct wr w = wr_of(out, RECORD_LEN_MAX);

	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, name->kind);
	wr_copy(&w, name->key.b, ID_LEN);
	wr_u64(&w, UINT64_MAX - 1);
	wr_u64(&w, wall_seconds(&l->wall, l->now) + 3600);
	wr_u16(&w, RECORD_NONCE_LEN + 256 + 16);
	sim_host_random(l->host, w.p, RECORD_NONCE_LEN + 256 + 16 + KEY_LEN + SIG_LEN);
	w.p += RECORD_NONCE_LEN + 256 + 16;
	w.p[KEY_LEN - 1] &= 0x7f;
	w.p += KEY_LEN + SIG_LEN;
	return wr_len(&w);
}

bool light_fault_dht(struct light *l, const struct pubkey *from, const uint8_t *msg, size_t len)
{
	struct dht_msg m, a = { .status = DHT_STORED_OK };
	uint8_t record[RECORD_LEN_MAX], out[DHT_MSG_MAX];

	if (!(sim_host_faults(l->host) & SIM_JUNK) || dht_msg_read(&m, msg, len) != DROP_NONE)
		return false;
	if (m.type != DHT_MSG_FIND && m.type != DHT_MSG_GET && m.type != DHT_MSG_PUT)
		return false;
	a.id = m.id;
	a.type = m.type == DHT_MSG_FIND ? DHT_MSG_NODES :
		 m.type == DHT_MSG_GET	? DHT_MSG_VALUES :
					  DHT_MSG_STORED;
	if (m.type == DHT_MSG_GET) {
		a.record[0] = (struct dht_bytes){ record, forged_record(l, &m.name, record) };
		a.records = 1;
	}
	while (m.type != DHT_MSG_PUT && a.keys < DHT_K)
		random_key(l, &a.key[a.keys++]);
	light_dht_send(l, from, out, dht_msg_write(out, sizeof(out), &a));
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

size_t light_fault_ring(struct light *l, uint8_t *msg, size_t len)
{
	(void)l, (void)msg;
	return len;
}
