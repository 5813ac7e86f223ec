/* quota.h - how much each member holds and how often it asks. Private to dht/. */
#ifndef DHT_QUOTA_H
#define DHT_QUOTA_H

#include "base/map.h"
#include "base/time.h"
#include "dht/register.h"

#define QUOTA_BOOKS_MAX 65536

struct quota {
	struct map books;
};

void quota_init(struct quota *q, const uint8_t seed[16]);
void quota_fini(struct quota *q);
/* A register's value changed here: count it for its owners. old NULL = there was none. */
void quota_valued(struct quota *q, const struct reg_name *name, const struct reg_value *old,
		  const struct reg_value *new);
/* May `owner` with these rights hold one more of the kind of `name`? REG_OK, REG_QUOTA. `fresh`: the
 * register is not there yet; released ones stay, so four times the quota of them are room. */
enum reg_status quota_room(const struct quota *q, const struct pubkey *owner, uint32_t rights,
			   const struct reg_name *name, bool fresh);
/* One more operation: false = too many. Half the quota a minute, bursts of twice the quota. */
bool quota_rate(struct quota *q, const struct pubkey *who, uint32_t rights, usec_t now);

#endif
