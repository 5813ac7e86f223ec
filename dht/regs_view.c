/* regs_view.c - what regs knows, for others to read, and offers from elsewhere (DHT, peers). */
#include "dht/regs.h"

#include "dht/regs_impl.h"

const struct config *regs_keepers(const struct regs *r)
{
	return r->facts.config;
}

const struct settings *regs_settings(const struct regs *r)
{
	return r->facts.settings;
}

size_t regs_settings_bytes(const struct regs *r, const uint8_t **out)
{
	*out = r->facts.settings_bytes;
	return r->facts.settings_len;
}

size_t regs_secrets(const struct regs *r, struct regs_secret out[2])
{
	memcpy(out, r->facts.secrets, sizeof(r->facts.secrets));
	return r->facts.secret_count;
}

size_t regs_membership(const struct regs *r, const uint8_t **grant)
{
	*grant = r->facts.membership;
	return r->facts.membership_len;
}

uint64_t regs_revocation_number(const struct regs *r)
{
	return r->facts.revoked ? r->facts.revoked->number : 0;
}

size_t regs_revocation_grant(const struct regs *r, const uint8_t **grant)
{
	*grant = r->facts.revocations;
	return r->facts.revocations_len;
}

bool regs_is_revoked(const struct regs *r, const struct pubkey *key)
{
	return r->facts.revoked && revocation_has(r->facts.revoked, key);
}

bool regs_is_keeper(const struct regs *r) { return regs_judges(r); }

static bool member_is_good(const struct regs *r, const struct grant *g)
{
	struct member_payload p;
	struct pubkey key;

	memcpy(key.b, g->name.b, KEY_LEN);
	return member_payload_read(&p, g->payload, g->payload_len) && !p.revoked &&
	       !regs_is_revoked(r, &key);
}

bool regs_check(struct regs *r, struct grant *g, const uint8_t *b, size_t len, usec_t now)
{
	if (!facts_check(r, g, b, len) || wall_seconds(r->cfg.wall, now) >= grant_end(g))
		return false;
	if (g->name.kind == REG_MEMBER)
		return member_is_good(r, g);
	return !regs_is_revoked(r, &g->owner) && regs_believe(r, g, b, len);
}

bool regs_next(const struct regs *r, size_t *at, struct reg_name *name, struct reg_value *v)
{
	return r->keeper && keeper_next(r->keeper, at, name, v);
}

bool regs_offer_revocations(struct regs *r, const uint8_t *grant, size_t len, usec_t now)
{
	bool newer;

	r->now = now;
	newer = facts_take_revocations(r, grant, len);
	r->updated |= newer;
	regs_settle(r, now);
	return newer;
}
