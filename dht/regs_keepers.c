/* regs_keepers.c - the keeper set: changing it, and what is known of its members; see keepers.h. */
#include <errno.h>

#include "dht/regs_impl.h"

int regs_change_keepers(struct regs *r, const struct keeper_set *want, usec_t now)
{
	int err;

	r->now = now;
	err = r->keeper ? keeper_change(r->keeper, want, now) : -EPERM;
	regs_settle(r, now);
	return err;
}

bool regs_is_changing(const struct regs *r)
{
	return r->keeper && keeper_is_changing(r->keeper);
}

size_t regs_keeper_infos(const struct regs *r, struct keeper_info out[KEEPERS_MAX], usec_t now)
{
	return r->keeper ? keeper_infos(r->keeper, out, now) : 0;
}

uint64_t regs_last_change(const struct regs *r)
{
	return r->keeper ? keeper_last_change(r->keeper) : 0;
}
