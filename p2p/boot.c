/* boot.c - bootstraps. docs/protocol.md 3.5 for those whose key is not known.
 *
 * Each is either being asked who it is (WHOIS to all its addresses, after 1 s doubling to 30 s) or
 * has a key and therefore a session that is kept, or being made (connect.c, same back-off), until
 * our place on the ring is sure; then bootstraps rest, and one at a time is looked at again about
 * once an hour. A leaf tries them one after the other, until it has its one link. */
#include "p2p/boot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "p2p/addresses.h"
#include "p2p/connect.h"
#include "p2p/core.h"
#include "p2p/session.h"
#include "p2p/transmit.h"
#include "p2p/whois.h"

usec_t boot_gap(unsigned tries)
{
	return tries > 5 ? BOOT_GAP_MAX : usec_min(SEC(1) << (tries ? tries - 1 : 0), BOOT_GAP_MAX);
}

static struct boot *find(struct boots *bs, const struct pubkey *key)
{
	for (size_t i = 0; i < bs->count; i++)
		if (key_equal(&bs->list[i].key, key))
			return &bs->list[i];
	return NULL;
}

static struct boot *find_addr(struct boots *bs, const struct addr *a)
{
	for (size_t i = 0; i < bs->count; i++)
		for (size_t j = 0; j < bs->list[i].addr_count; j++)
			if (addr_equal(&bs->list[i].addrs[j], a))
				return &bs->list[i];
	return NULL;
}

static struct boot *more(struct boots *bs)
{
	struct boot *b;

	bs->list = mem_resize(bs->list, (bs->count + 1) * sizeof(*bs->list));
	b = &bs->list[bs->count++];
	*b = (struct boot){ 0 };
	return b;
}

void boots_fini(struct boots *bs)
{
	for (size_t i = 0; i < bs->count; i++)
		free(bs->list[i].addrs);
	free(bs->list);
	*bs = (struct boots){ 0 };
}

int p2p_bootstrap(struct p2p *p, const struct pubkey *key, const struct addr *addrs, size_t count,
		  usec_t now)
{
	struct boot *b;

	if (!count || count > BOOT_ADDRS || (key && (key_equal(key, &p->cfg.self.pub) ||
						     !p->cfg.crypto->key_valid(key))))
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		if (!addrs[i].ip.len || !addrs[i].port)
			return -EINVAL;
	b = key ? find(&p->boots, key) : find_addr(&p->boots, &addrs[0]);
	if (!b && p->boots.count == BOOTS_MAX)
		return -ENOSPC;
	if (!b)
		b = more(&p->boots);
	if (key)
		b->key = *key;
	free(b->addrs);
	b->addrs = mem_copy(addrs, count * sizeof(*addrs));
	b->addr_count = (uint8_t)count;
	b->next = p->cfg.leaf ? now + SEC(b - p->boots.list) : now; /* one after the other */
	return 0;
}

static void silent(struct p2p *p, struct boot *b, unsigned tries)
{
	if (tries != BOOT_SILENT || b->told)
		return;
	b->told = true;
	p2p_emit(p, &(struct p2p_event){ .type = P2P_WRONG_KEY, .peer = b->key,
					 .addr = b->addrs[0] });
}

static void ask(struct p2p *p, struct boot *b, usec_t now)
{
	uint8_t pkt[WHOIS_LEN], nonce[24];

	silent(p, b, b->tries);
	b->tries++;
	b->next = now + boot_gap(b->tries) + p2p_random32(p) % MSEC(100);
	p2p_random(p, b->challenge, sizeof(b->challenge));
	p2p_random(p, nonce, sizeof(nonce));
	whois_create(pkt, p->cfg.overlay_keys[0], nonce, b->challenge);
	for (size_t i = 0; i < b->addr_count; i++)
		transmit_to(p, 0, &b->addrs[i], pkt, sizeof(pkt));
}

/* A leaf has one link: while there is one, it looks for no other. A node whose place on the ring is
 * sure needs its bootstraps no more, but for a look now and then: they may know another ring. */
static bool is_settled(const struct p2p *p)
{
	struct ring_info ring = ring_info(p->ring);

	return ring.links > 0 && (p->cfg.leaf || ring.sure);
}

static void rest(struct p2p *p, struct boot *b, usec_t now)
{
	struct session *s = session_find(p, &b->key);

	b->resting = true;
	b->next = p->cfg.leaf ? USEC_NEVER : now + BOOT_REST + p2p_random32(p) % BOOT_REST;
	if (!s)
		return;
	s->bootstrap = false;
	session_touch(s);
	if (ring_info(p->ring).size > RING_LARGE && s->up && s->initiator && !session_is_ours(s) &&
	    session_active_at(s) == heard_at(s->up_since))
		session_close(s, now); /* so many begin with it: no trial */
}

static void keep(struct p2p *p, struct boot *b, usec_t now)
{
	bool look = b->resting && !p->cfg.leaf && !ring_keeps(p->ring, &b->key);
	struct session *s;

	if (is_settled(p) && !look) {
		rest(p, b, now);
		return;
	}
	b->resting = false;
	s = session_want(p, &b->key, now);
	b->next = now + BOOT_GAP_MAX; /* boot_down is quicker */
	if (!s)
		return;
	s->bootstrap = true;
	for (size_t i = 0; i < b->addr_count; i++)
		paths_add(&s->paths, &b->addrs[i], 0, true, now);
	if (!s->up)
		connect_want(s, now);
	session_touch(s);
}

void boot_tick(struct p2p *p, usec_t now)
{
	for (size_t i = 0; i < p->boots.count; i++) {
		struct boot *b = &p->boots.list[i];

		if (b->next > now)
			continue;
		if (key_is_zero(&b->key))
			ask(p, b, now);
		else
			keep(p, b, now);
	}
}

usec_t boot_deadline(const struct p2p *p)
{
	usec_t at = USEC_NEVER;

	for (size_t i = 0; i < p->boots.count; i++)
		at = usec_min(at, p->boots.list[i].next);
	return at;
}

/* The place of the bootstrap whose WHOIS this answers, or -1; *key = what it says. */
static int asked(const struct p2p *p, const uint8_t *pkt, size_t len, struct pubkey *key)
{
	for (size_t i = 0; i < p->boots.count; i++) {
		const struct boot *b = &p->boots.list[i];
		const struct whois_question q = { p->cfg.overlay_keys[0], b->challenge,
						  p->cfg.crypto };

		if (key_is_zero(&b->key) && b->tries && whois_consume(pkt, len, &q, key))
			return (int)i;
	}
	return -1;
}

bool boot_claims(const struct p2p *p, const uint8_t *pkt, size_t len)
{
	struct pubkey key;

	return asked(p, pkt, len, &key) >= 0;
}

void boot_whois_answer(struct p2p *p, const uint8_t *pkt, size_t len, usec_t now)
{
	struct pubkey key;
	int place = asked(p, pkt, len, &key);
	struct boot *b;

	if (place < 0) {
		p2p_drop(p, DROP_MAC);
		return;
	}
	b = &p->boots.list[place];
	b->next = USEC_NEVER; /* an address of our own is left alone */
	b->tries = 0;
	if (key_equal(&key, &p->cfg.self.pub))
		return;
	b->key = key;
	b->next = now;
}

void boot_up(struct p2p *p, const struct session *s)
{
	struct boot *b = s->bootstrap ? find(&p->boots, &s->peer) : NULL;

	if (!b)
		return;
	b->told = false;
	if (!p->cfg.leaf)
		b->next = usec_min(b->next, p->now + BOOT_SETTLE);
}

void boot_down(struct p2p *p, const struct session *s, usec_t now)
{
	struct boot *b = s->bootstrap ? find(&p->boots, &s->peer) : NULL;

	if (b)
		b->next = now + boot_gap(0);
	/* The last link is gone: nobody rests. A leaf asks one after the other. */
	for (size_t i = 0; ring_info(p->ring).links == 0 && i < p->boots.count; i++)
		if (p->boots.list[i].resting)
			p->boots.list[i].next = now + (p->cfg.leaf ? SEC(i) : boot_gap(0));
}

void boot_unanswered(struct p2p *p, const struct session *s, unsigned tries)
{
	struct boot *b = find(&p->boots, &s->peer);

	if (b)
		silent(p, b, tries);
}
