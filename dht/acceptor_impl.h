/* acceptor_impl.h - the inside of the acceptor: shared by acceptor*.c only. */
#ifndef DHT_ACCEPTOR_IMPL_H
#define DHT_ACCEPTOR_IMPL_H

#include "dht/acceptor.h"
#include "dht/entry.h"

struct write {
	uint64_t op;
	struct cell *cell;
	struct pubkey to;
	uint64_t request, position;
	struct ballot ballot;
	uint8_t type; /* of the answer: REGMSG_PROMISE, REGMSG_ACCEPTED, or 0 = none */
};
struct cell *cell_make(struct acceptor *a, const struct reg_name *name);
bool cell_value_fits(const struct reg_name *name, const uint8_t *b, size_t len);
void cell_set(struct acceptor *a, struct cell *c, const uint8_t *value, size_t len);
void cell_persist(struct acceptor *a, struct write *wait);
void cell_rewrite(struct acceptor *a, struct cell *c); /* nobody waits for an answer */
void cell_forget(struct acceptor *a, struct cell *c); /* also on the disk; no write is under way */
/* acceptor_copy.c: before a cell is forgotten. */
void cell_goes(struct acceptor *a, const struct cell *c);

#endif
