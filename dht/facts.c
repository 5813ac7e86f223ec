/* facts.c - what this node knows of its namespace.
 *
 * Config, settings, secrets, own membership, revocation list: each is taken only when it verifies
 * and is newer than what is held, so that nothing ever goes back. What is taken counts at once and
 * is written by facts_store.c. */
#include "dht/regs_impl.h"

#include "base/list.h"

bool facts_set_membership(struct regs *r, const struct grant *g, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct member_payload p;

	if (len > sizeof(f->membership) || !member_payload_read(&p, g->payload, g->payload_len))
		return false;
	f->member = p;
	f->membership_ballot = g->ballot;
	memcpy(f->membership, b, len);
	f->membership_len = len;
	f->has_membership = true;
	return true;
}

bool facts_set_revocations(struct regs *r, const struct grant *g, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct revocation_payload p;

	if (len > sizeof(f->revocations) ||
	    !revocation_payload_read(&p, g->payload, g->payload_len))
		return false;
	if (f->has_revocations && p.number <= f->revoked.number)
		return false;
	f->revoked = p;
	memcpy(f->revocations, b, len);
	f->revocations_len = len;
	f->has_revocations = true;
	return true;
}

static bool config_is_newer(const struct config *c, const struct config *than)
{
	return c->era != than->era ? c->era > than->era : c->epoch > than->epoch;
}

void facts_own_config(struct regs *r, const struct config *c)
{
	r->facts.config = *c;
	r->facts.has_config = true;
	facts_write(r, FACT_CONFIG);
}

bool facts_take_config(struct regs *r, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct config c;

	/* A new era is signed by the root alone; an epoch by the one before it. */
	if (!(f->has_config && config_read(&c, b, len, &r->cfg.root, &f->config, r->cfg.crypto)) &&
	    !config_read(&c, b, len, &r->cfg.root, NULL, r->cfg.crypto))
		return false;
	if (f->has_config ? !config_is_newer(&c, &f->config) :
			    r->has_trust && !config_matches(&c, &r->trust))
		return false;
	if (r->started && config_member(&c, &r->cfg.self.pub) >= 0)
		regs_keeper(r);
	facts_own_config(r, &c);
	return true;
}

bool facts_take_settings(struct regs *r, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct settings s;

	if (len > sizeof(f->settings_bytes) ||
	    !settings_read(&s, b, len, &r->cfg.root, r->cfg.crypto) ||
	    (f->has_settings && s.number <= f->settings.number))
		return false;
	f->settings = s;
	f->has_settings = true;
	memcpy(f->settings_bytes, b, len);
	f->settings_len = len;
	facts_write(r, FACT_SETTINGS);
	return true;
}

bool facts_take_secrets(struct regs *r, const struct regs_secret *s, size_t count, usec_t now)
{
	struct facts *f = &r->facts;

	if (count == 0 || count > ARRAY_LEN(f->secrets) ||
	    (f->secret_count && (s[0].number < f->secrets[0].number ||
				 (s[0].number == f->secrets[0].number && count == f->secret_count))))
		return false;
	if (!f->secret_count || s[0].number != f->secrets[0].number) {
		f->rotated = wall_seconds(r->cfg.wall, now);
		f->rotated_for = f->has_revocations ? f->revoked.number : 0;
	}
	memset(f->secrets, 0, sizeof(f->secrets));
	memcpy(f->secrets, s, count * sizeof(*s));
	f->secret_count = count;
	facts_write(r, FACT_SECRETS);
	return true;
}

bool facts_verify(const struct regs *r, struct grant *g, const struct reg_name *name,
		  const uint8_t *b, size_t len)
{
	return r->facts.has_config &&
	       grant_verify(g, b, len, &r->facts.config, r->cfg.crypto) &&
	       reg_name_equal(&g->name, name);
}

bool facts_take_membership(struct regs *r, const uint8_t *b, size_t len)
{
	struct reg_name own = reg_name_key(REG_MEMBER, r->cfg.self.pub.b, KEY_LEN);
	struct facts *f = &r->facts;
	struct grant g;

	if (!facts_verify(r, &g, &own, b, len) ||
	    (f->has_membership && ballot_compare(&g.ballot, &f->membership_ballot) <= 0) ||
	    !facts_set_membership(r, &g, b, len))
		return false;
	facts_write(r, FACT_MEMBERSHIP);
	return true;
}

bool facts_take_revocations(struct regs *r, const uint8_t *b, size_t len)
{
	struct reg_name name = reg_name_key(REG_REVOCATION, NULL, 0);
	struct grant g;

	if (!facts_verify(r, &g, &name, b, len) || !facts_set_revocations(r, &g, b, len))
		return false;
	facts_write(r, FACT_REVOCATIONS);
	return true;
}

struct member_held facts_held(const struct regs *r)
{
	const struct facts *f = &r->facts;

	return (struct member_held){
		.settings = f->has_settings ? f->settings.number : 0,
		.secret = f->secret_count ? f->secrets[0].number : 0,
		.revocations = f->has_revocations ? f->revoked.number : 0,
		.era = f->has_config ? f->config.era : 0,
		.epoch = f->has_config ? f->config.epoch : 0,
		.serial = f->has_membership ? f->member.serial : 0,
	};
}
