/* pool.h - what of the subnet new claims may have in an era. Private to dht/. docs/protocol.md 8.10.
 *
 * Pure. After an era reset nobody knows what the last era leased: until all of that is surely over,
 * new claims get only addresses that all eras before had held back, and every era holds such a share
 * back for the next. */
#ifndef DHT_POOL_H
#define DHT_POOL_H

#include "dht/grant.h"

#define POOL_SHARES 16 /* one part of so many is held back at first */
#define POOL_ERA_NUMBERS 65536 /* settings' numbers to an era: more changes than a backup ever missed */
#define POOL_BITS_MAX 23 /* a smaller subnet, a /24 first of all, gives all that it has: no share */

/* The last era's leases may still count. */
bool pool_is_settling(const struct settings *s, uint32_t era, uint64_t wall);
/* REG_OK when a register that nobody holds may be claimed now; REG_OWNED: it is of a share that is
 * not this era's to give, or not now; REG_BUSY: addresses of small subnets have to wait. */
enum reg_status pool_claim(const struct settings *s, uint32_t era, uint64_t wall,
			   const struct reg_name *name);
struct pool {
	struct prefix subnet;
	uint32_t era;
	bool settling;
};
enum reg_status pool_answer(const struct pool *p, const struct reg_name *name);
/* "web-e3" is a name of era 3: the length of what stands before the suffix, the whole without one. */
size_t pool_name_stem(const struct reg_name *name, uint32_t *era);

#endif
