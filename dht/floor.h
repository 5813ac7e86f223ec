/* floor.h - registers of which a keeper has a promise and nothing else: kept few. Private to
 * acceptor*.c. docs/protocol.md 8.4; why it is right: acceptor_floor.c. */
#ifndef DHT_FLOOR_H
#define DHT_FLOOR_H

#include "base/list.h"
#include "dht/register.h"

#define PROMISES_KEPT 16384 /* of the REGS_REGISTERS_MAX that there is room for */

struct acceptor;
struct cell;

struct promises {
	struct list cells; /* those, by their last change */
	size_t count;
	size_t keep;	     /* when there are more, the oldest go */
	struct ballot floor; /* what is promised of a name without a cell; all zero: nothing */
	uint64_t position;   /* of the last change when the floor was raised last */
	uint64_t op;	     /* the write of both, while it is under way ... */
	bool writing, failed; /* ... or has to be made again */
};

void promises_init(struct promises *p);
/* After every change of a cell, and before it goes. */
void promises_note(struct acceptor *a, struct cell *c);
void promises_drop(struct acceptor *a, struct cell *c);
bool promises_are_full(const struct acceptor *a); /* so many only while the disk does not write */
/* What an ACCEPT of this register (c NULL: no cell) must not be below. */
struct ballot promise_of(const struct acceptor *a, const struct cell *c);

void floor_keep(struct acceptor *a); /* are there too many? */
/* False: the write was another one. */
bool floor_persisted(struct acceptor *a, uint64_t op, int result);
void floor_write_again(struct acceptor *a);
void floor_started(struct acceptor *a); /* era and epoch are known */
void floor_turn(struct acceptor *a);	/* they are others */

#endif
