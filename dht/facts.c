/* facts.c - what this node knows of its namespace.
 *
 * Settings, secrets, own membership, revocation list (and configurations: facts_chain.c): each is
 * taken only when it verifies and is newer than what is held, so that nothing ever goes back. What is
 * taken counts at once and is written by facts_store.c. */
#include "dht/regs_impl.h"

#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

/* `b` may lie in what is given up. */
static void keep(uint8_t **to, size_t *to_len, const uint8_t *b, size_t len)
{
	uint8_t *copy = mem_copy(b, len);

	free(*to);
	*to = copy;
	*to_len = len;
}

void facts_keep_settings(struct regs *r, const struct settings *s, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct settings *copy = mem_copy(s, settings_size(s));

	free(f->settings);
	f->settings = copy;
	keep(&f->settings_bytes, &f->settings_len, b, len);
}

bool facts_set_membership(struct regs *r, const struct grant *g, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct member_payload p;

	if (len > GRANT_MAX || !member_payload_read(&p, g->payload, g->payload_len))
		return false;
	f->member_serial = p.serial;
	f->member_revoked = p.revoked;
	f->membership_ballot = g->ballot;
	keep(&f->membership, &f->membership_len, b, len);
	return true;
}

bool facts_set_revocations(struct regs *r, const struct grant *g, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct revocation_payload p;

	if (len > GRANT_MAX || !revocation_payload_read(&p, g->payload, g->payload_len))
		return false;
	if (f->revoked && p.number <= f->revoked->number)
		return false;
	if (!f->revoked)
		f->revoked = mem_new(sizeof(*f->revoked));
	*f->revoked = p;
	keep(&f->revocations, &f->revocations_len, b, len);
	return true;
}

bool facts_take_settings(struct regs *r, const uint8_t *b, size_t len)
{
	struct facts *f = &r->facts;
	struct settings s;

	if (len > SETTINGS_MAX || !settings_read(&s, b, len, &r->cfg.root, r->cfg.crypto) ||
	    (f->settings && s.number <= f->settings->number))
		return false;
	facts_keep_settings(r, &s, b, len);
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
		f->rotated_for = f->revoked ? f->revoked->number : 0;
	}
	memset(f->secrets, 0, sizeof(f->secrets));
	memcpy(f->secrets, s, count * sizeof(*s));
	f->secret_count = count;
	facts_write(r, FACT_SECRETS);
	return true;
}

bool facts_check(const struct regs *r, struct grant *g, const uint8_t *b, size_t len)
{
	const struct config *cf = NULL;

	if (grant_read(g, b, len))
		cf = facts_config_of(r, g->ballot.era, g->ballot.epoch);
	return cf && grant_verify(g, b, len, cf, r->cfg.crypto);
}

bool facts_verify(const struct regs *r, struct grant *g, const struct reg_name *name,
		  const uint8_t *b, size_t len)
{
	return facts_check(r, g, b, len) && reg_name_equal(&g->name, name);
}

bool facts_take_membership(struct regs *r, const uint8_t *b, size_t len)
{
	struct reg_name own = reg_name_key(REG_MEMBER, r->cfg.self.pub.b, KEY_LEN);
	struct facts *f = &r->facts;
	struct grant g;

	if (!facts_verify(r, &g, &own, b, len) ||
	    (f->membership && ballot_compare(&g.ballot, &f->membership_ballot) <= 0) ||
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
		.settings = f->settings ? f->settings->number : 0,
		.secret = f->secret_count ? f->secrets[0].number : 0,
		.revocations = f->revoked ? f->revoked->number : 0,
		.era = f->config ? f->config->era : 0,
		.epoch = f->config ? f->config->epoch : 0,
		/* One of an older era is as good as none: it is to be granted anew. */
		.serial = f->membership && !restore_is_due(r) ? f->member_serial : 0,
	};
}
