/* sim_light_shake.c - how links of the light actor are made: REQUEST and ACCEPT stand for INIT and
 * RESPONSE, 1 RTT; who accepted is up with the first packet that follows.
 *
 * As p2p/connect.c: REQUEST to the address told, and along the ring 250 ms later (at once when
 * there is no address); again after 1, 1, 2 s; given up 4 s after the fourth. What the ring wants
 * `once` gets one REQUEST, to its address. Nobody is behind a NAT: the answer goes straight to the
 * address that the REQUEST came from, or names when it came routed. */
#include "cmd/sim_light_impl.h"

#include <assert.h>

#define RETRY SEC(1)
#define RETRY_JITTER 333000
#define TRIES_MAX 4
#define RING_LATER MSEC(250)

static size_t write_request(struct light *l, const struct light_link *k, uint8_t *pkt, size_t size)
{
	struct wr w = wr_of(pkt, size);

	wr_u8(&w, LIGHT_REQUEST);
	wr_u32(&w, k->index);
	wr_copy(&w, sim_host_key(l->host)->pub.b, KEY_LEN);
	wr_addr(&w, sim_host_addr(l->host));
	assert(wr_ok(&w));
	return wr_len(&w);
}

static void request_by_ring(struct light *l, struct light_link *k)
{
	uint8_t pkt[96];
	struct light_routed m = { .service = LIGHT_HANDSHAKE, .to = k->id, .agent = k->agent,
				  .body = pkt };

	m.len = write_request(l, k, pkt, sizeof(pkt));
	k->by_ring = false;
	light_route(l, &m);
}

static void request(struct light *l, struct light_link *k)
{
	uint8_t pkt[96];
	usec_t gap = RETRY << (k->tries < 2 ? 0 : k->tries - 1);

	k->tries++;
	k->asked = l->now;
	k->again = l->now + gap + light_random(l, RETRY_JITTER);
	k->by_ring = !k->once;
	if (k->has_addr)
		light_transmit(l, &k->addr, pkt, write_request(l, k, pkt, sizeof(pkt)), REAL_REQUEST);
	else if (k->by_ring)
		request_by_ring(l, k);
	k->next = k->by_ring ? l->now + RING_LATER : k->again;
	light_link_wake(l, k, k->next);
}

void light_shake_tick(struct light *l, struct light_link *k)
{
	if (k->by_ring) {
		request_by_ring(l, k);
		k->next = k->again;
	} else if (k->tries < (k->once ? 1 : TRIES_MAX)) {
		request(l, k);
	} else {
		light_link_lost(l, k);
	}
}

void light_link_want(struct light *l, const struct ring_contact *c, const struct node_id *agent)
{
	struct light_link *k = light_link_find(l, &c->key);

	if (k || !(k = light_link_new(l, &c->key)))
		return;
	k->state = LINK_ASKING;
	k->initiator = true;
	k->begun = l->now;
	k->once = c->once;
	k->has_addr = c->addr_count > 0;
	if (k->has_addr)
		k->addr = c->addrs[0];
	if (agent)
		k->agent = *agent;
	request(l, k);
}

static void send_accept(struct light *l, struct light_link *k)
{
	uint8_t pkt[1 + 4 + 4];
	struct wr w = wr_of(pkt, sizeof(pkt));

	wr_u8(&w, LIGHT_ACCEPT);
	wr_u32(&w, k->peer_index);
	wr_u32(&w, k->index);
	k->asked = l->now;
	light_transmit(l, &k->addr, pkt, sizeof(pkt), REAL_ACCEPT);
}

static void requested(struct light *l, const struct addr *from, struct rd r)
{
	uint32_t index = rd_u32(&r);
	struct pubkey key;
	struct addr told;
	struct light_link *k;

	rd_copy(&r, key.b, KEY_LEN);
	told = rd_addr(&r);
	if (!rd_done(&r))
		return;
	k = light_link_find(l, &key);
	if (k && k->state == LINK_UP && k->peer_index != index) {
		light_link_lost(l, k); /* another process has the key now */
		k = NULL;
	}
	if (!k && !(k = light_link_new(l, &key)))
		return;
	k->addr = from ? *from : told;
	k->has_addr = true;
	k->peer_index = index;
	if (k->state != LINK_UP) {
		k->initiator = k->initiator && memcmp(l->id.b, k->id.b, ID_LEN) < 0;
		k->state = LINK_ANSWERED;
		k->begun = l->now;
		light_link_wake(l, k, l->now + LIGHT_ANSWERED_KEPT);
	}
	send_accept(l, k);
}

static void accepted(struct light *l, const struct addr *from, struct rd r)
{
	struct light_link *k = light_link_by_index(l, rd_u32(&r));
	uint32_t peer_index = rd_u32(&r);

	if (!rd_done(&r) || !k || k->state == LINK_UP || !from)
		return;
	k->addr = *from;
	k->has_addr = true;
	k->peer_index = peer_index;
	light_link_answered(l, k);
	light_link_up(l, k);
	light_link_bare(l, k, 0, REAL_KEEPALIVE);
}

void light_link_shake(struct light *l, const struct addr *from, struct rd r)
{
	if (rd_u8(&r) == LIGHT_REQUEST)
		requested(l, from, r);
	else
		accepted(l, from, r);
}

