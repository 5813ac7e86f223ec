/* govern.c - settings change, and a member asks for what is newer. docs/protocol.md 7.1, 9. */
#include "dht/regs_impl.h"

#include <errno.h>

#define SYNC_GAP SEC(10) /* an unproven number causes at most one fetch in this time */

void regs_sync(struct regs *r, usec_t now)
{
	const struct pubkey *keeper = client_keeper(r, 0);

	r->now = now;
	if (!keeper || regs_judges(r) || (r->sync_asked && now < r->sync_asked + SYNC_GAP))
		return;
	r->sync_asked = now;
	member_sync(r, keeper, now);
}

int regs_change_settings(struct regs *r, const struct settings *s, const struct key_pair *root,
			 usec_t now)
{
	uint8_t bytes[SETTINGS_MAX];
	size_t n;

	r->now = now;
	if (!regs_judges(r))
		return -EPERM;
	n = settings_write(bytes, sizeof(bytes), s, r->cfg.crypto, root);
	if (!n || !facts_take_settings(r, bytes, n))
		return -EINVAL;
	serve_push_all(r, now);
	regs_settle(r, now);
	return 0;
}
