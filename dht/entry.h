/* entry.h - one register as a keeper shows it to another that copies. Private; acceptor_copy.c.
 *
 * docs/protocol.md 8.5, CELLS. */
#ifndef DHT_ENTRY_H
#define DHT_ENTRY_H

#include "dht/acceptor.h"

#define BALLOT_UNKNOWN 255 /* as its proposer, the counter 0: nothing is known here */

struct acceptor_entry { /* one of them; an empty value: it is unknown there */
	const uint8_t *start; /* of its bytes */
	struct reg_name name;
	struct ballot accepted;
	uint64_t age, beacon; /* seconds, wall seconds */
	struct rd value;
};
bool rd_acceptor_entry(struct rd *r, struct acceptor_entry *e);
bool acceptor_entries_read(struct rd entries); /* they are entries to the last byte */
/* As it stands, whatever we had. False: no room. */
bool acceptor_put(struct acceptor *a, const struct acceptor_entry *e, usec_t since);

#endif
