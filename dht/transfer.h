/* transfer.h - a lease goes to another member, or comes from one. Public; comes with lease.h.
 *
 * docs/protocol.md 8.12. */
#ifndef DHT_TRANSFER_H
#define DHT_TRANSFER_H

#include "dht/handover.h"

struct leases;

/* Half of what keepers wait beyond a lease (R9): an heir that crashed in between may count from a
 * later send by so much. */
#define TRANSFER_SECONDS_MAX 30

/* To `heir`, who has `seconds` to take it. Use stops at once (LEASE_GONE); LEASE_HANDED follows, or
 * LEASE_GAINED once keepers have confirmed that it stayed ours. 0, -ENOENT: not held, -EINVAL: to
 * ourselves, no time or too much, -EAGAIN: ask again. */
int leases_transfer(struct leases *l, const struct reg_name *name, const struct pubkey *heir,
		    uint32_t seconds, usec_t now);
int leases_take_back(struct leases *l, const struct reg_name *name, usec_t now); /* or -ENOENT */
void leases_handover(struct leases *l, const struct handover *h, usec_t now); /* it came */
/* A verified grant of ours that nobody asked for any more: a late copy of a claim. Given back. */
void leases_stray(struct leases *l, const uint8_t *grant, size_t len, usec_t now);
/* The keepers' era; while it settles only a share may be claimed (protocol.md 8.10). */
void leases_set_era(struct leases *l, uint32_t era, bool settling);

#endif
