/* lan.c - LAN beacons of one overlay. docs/protocol.md 5.3; whom to answer is decided in beacon.c.
 *
 * A beacon leaves like any datagram, by the socket P2P_SOCKET_LAN: the owner puts it on every
 * LAN. A heard one becomes a candidate address of a session that is wanted once: one round of
 * INITs, after which nothing is left but a remembered key. A session that comes up is the
 * ring's to keep. */
#include "p2p/lan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/beacon.h"
#include "p2p/connect.h"
#include "p2p/core.h"
#include "p2p/session.h"

/* A link with a leaf leads nowhere. */
static bool is_alone(const struct p2p *p)
{
	struct ring_info i = ring_info(p->ring);

	return i.links <= i.leaves;
}

void lan_init(struct p2p *p, usec_t now)
{
	if (!p->cfg.lan_port)
		return;
	p->beacons = mem_new(sizeof(*p->beacons));
	beacons_init(p->beacons, p2p_random32(p), now);
}

void lan_fini(struct p2p *p)
{
	free(p->beacons);
	p->beacons = NULL;
}

void lan_tick(struct p2p *p, usec_t now)
{
	static const struct addr everybody;
	struct beacon b = { .key = p->cfg.self.pub, .port = p->cfg.lan_port };
	uint8_t pkt[BEACON_LEN], nonce[BEACON_NONCE_LEN];

	if (!p->beacons)
		return;
	b.alone = is_alone(p);
	b.leaf = p->cfg.leaf;
	if (!beacons_due(p->beacons, b.alone, now))
		return;
	beacons_sent(p->beacons, p2p_random32(p), now);
	p2p_random(p, nonce, sizeof(nonce));
	beacon_write(pkt, &b, p->cfg.overlay_keys[0], nonce);
	p->env.send(p->env.ctx, P2P_SOCKET_LAN, &everybody, pkt, sizeof(pkt));
}

usec_t lan_deadline(const struct p2p *p)
{
	return p->beacons ? beacons_deadline(p->beacons) : USEC_NEVER;
}

void p2p_lan_changed(struct p2p *p, usec_t now)
{
	if (p->beacons)
		beacons_hurry(p->beacons, now);
}

static bool is_ours(const struct p2p *p, struct beacon *b, const uint8_t *pkt, size_t len)
{
	for (size_t i = 0; i < p->cfg.overlay_key_count; i++)
		if (beacon_read(b, pkt, len, p->cfg.overlay_keys[i]))
			return true;
	return false;
}

static void answer(struct p2p *p, const struct beacon *b, const struct addr *at, usec_t now)
{
	struct session *s = session_find(p, &b->key);
	struct node_id id = id_of(&b->key);
	struct beacon_view v = { is_alone(p), p->cfg.leaf,
				 !ring_next(p->ring, &id, NULL, false) };

	if ((s && s->up) || !beacons_weigh(p->beacons, b, &v, p2p_random32(p), now))
		return;
	s = session_want(p, &b->key, now);
	if (!s)
		return;
	paths_add(&s->paths, at, 0, true, now);
	connect_want(s, now);
	s->attempt->next = now; /* also when it was tried elsewhere, with long pauses by now */
	session_touch(s);
}

bool p2p_lan_input(struct p2p *p, const struct addr *from, const uint8_t *pkt, size_t len,
		   usec_t now)
{
	struct addr at = { .ip = from->ip, .scope = from->scope };
	struct beacon b;

	p2p_enter(p, now);
	if (!p->beacons)
		return false;
	if (!beacons_admit(p->beacons, &from->ip, now)) {
		p2p_drop(p, DROP_RATE);
		return false;
	}
	if (!is_ours(p, &b, pkt, len)) {
		p2p_drop(p, DROP_MAC);
		return false;
	}
	at.port = b.port;
	if (!key_equal(&b.key, &p->cfg.self.pub) && at.ip.len && !ip_is_multicast(&at.ip))
		answer(p, &b, &at, now);
	session_settle(p, now);
	return true;
}
