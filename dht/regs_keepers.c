/* regs_keepers.c - the keeper set: changing it, and what is known of its members. */
#include <errno.h>

#include "dht/regs_impl.h"

int regs_change_keepers(struct regs *r, const struct keeper_set *want, usec_t now)
{
	(void)want;
	(void)now;
	return regs_judges(r) ? -EAGAIN : -EPERM;
}

bool regs_is_changing(const struct regs *r)
{
	(void)r;
	return false;
}

size_t regs_keeper_infos(const struct regs *r, struct keeper_info out[KEEPERS_MAX], usec_t now)
{
	const struct config *cf = r->facts.config;

	(void)now;
	if (!cf || !regs_judges(r))
		return 0;
	for (size_t i = 0; i < cf->count; i++)
		out[i] = (struct keeper_info){ .node = cf->members[i].node };
	return cf->count;
}

uint64_t regs_last_change(const struct regs *r)
{
	(void)r;
	return 0;
}
