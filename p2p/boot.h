/* boot.h - bootstraps: nodes that we keep a link to for the sake of the ring. */
#ifndef P2P_BOOT_H
#define P2P_BOOT_H

#include "base/addr.h"
#include "base/key.h"
#include "base/time.h"

#define BOOTS_MAX 32
#define BOOT_ADDRS 8
#define BOOT_GAP_MAX SEC(30) /* WHOIS, and INIT, are tried again after 1 s, doubling up to this */
#define BOOT_REST MINUTES(40)  /* and up to as much again: between two looks at one */
#define BOOT_SETTLE SEC(10) /* after it is up: do we know our place by now? */
#define BOOT_SILENT 4	     /* unanswered tries before WRONG_KEY is told */

struct p2p;
struct session;

struct boot {
	struct pubkey key; /* zero = WHOIS first */
	struct addr *addrs; /* exactly addr_count, at most BOOT_ADDRS */
	uint8_t addr_count;
	uint8_t challenge[16];
	unsigned tries;
	bool told;
	bool resting; /* the ring is well without it */
	usec_t next;
};

struct boots {
	struct boot *list; /* exactly count, at most BOOTS_MAX */
	size_t count;
};

void boots_fini(struct boots *bs);
void boot_tick(struct p2p *p, usec_t now);
usec_t boot_deadline(const struct p2p *p);
void boot_whois_answer(struct p2p *p, const uint8_t *pkt, size_t len, usec_t now);
bool boot_claims(const struct p2p *p, const uint8_t *pkt, size_t len); /* answers our WHOIS? */
/* Facts about sessions with bootstraps. */
void boot_up(struct p2p *p, const struct session *s);
void boot_down(struct p2p *p, const struct session *s, usec_t now);
void boot_unanswered(struct p2p *p, const struct session *s, unsigned tries);
usec_t boot_gap(unsigned tries); /* back-off after this many tries */

#endif
