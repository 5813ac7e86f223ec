/* restore.c - from one era to the next: beginning it, and being registered again. See eras.h.
 * docs/protocol.md 8.10, rule R13.
 *
 * The root begins an era when a quorum of keepers is gone for good. Its first keeper knows nothing of
 * the registers; members bring them: each shows its membership, the revocation list and its own
 * leases, as the last era's keepers granted them, to the keepers of the new one. A member shows its
 * membership and list with every SYNC until it has a membership of the new era; its leases are the
 * owner's to show (regs_show).
 * A backup may be older than what it is a backup of. So the first keeper's settings get a number well
 * above the backup's, and when members know a later secret, it makes one after that. */
#include <errno.h>

#include "base/list.h"
#include "dht/eras.h"
#include "dht/judge.h"
#include "dht/pool.h"
#include "dht/regs_impl.h"

#define CLOCK_BEHIND_MAX 600 /* seconds: what beacons of keepers may be ahead */
#define ERAS_MISSED 4 /* that a backup does not know of */
#define SECRETS_MISSED 4096 /* a secret a day is made at most */

static uint64_t wall(const struct regs *r) { return wall_seconds(r->cfg.wall, r->now); }

bool regs_is_settling(const struct regs *r, usec_t now)
{
	const struct facts *f = &r->facts;

	return f->settings && f->config &&
	       pool_is_settling(f->settings, f->config->era, wall_seconds(r->cfg.wall, now));
}

/* --- showing --- */

bool restore_is_due(const struct regs *r)
{
	const struct facts *f = &r->facts;

	return f->config && f->membership && f->membership_ballot.era < f->config->era;
}

static void show(struct regs *r, const struct pubkey *to, struct membermsg *m)
{
	uint8_t msg[MEMBERMSG_MAX];
	size_t n;

	m->type = MEMBERMSG_SHOW;
	memcpy(m->nsid, r->nsid, NSID_LEN);
	n = membermsg_write(msg, sizeof(msg), m);
	if (n)
		r->env.send(r->env.ctx, to, REGS_SERVICE_MEMBER, msg, n);
}

void restore_show(struct regs *r, const struct pubkey *to)
{
	const struct facts *f = &r->facts;
	struct membermsg m = { 0 };

	if (f->revoked)
		m.shown[m.shown_count++] =
			(struct membermsg_block){ f->revocations, f->revocations_len };
	m.shown[m.shown_count++] = (struct membermsg_block){ f->membership, f->membership_len };
	show(r, to, &m);
}

/* To so many that one of them does not lie. */
static void show_lease(struct regs *r, struct membermsg *m)
{
	unsigned liars = judge_liars(r->facts.config);
	const struct pubkey *to;

	for (unsigned i = 0; i <= liars && (to = client_keeper(r, i)); i++)
		show(r, to, m);
}

bool regs_show(struct regs *r, const uint8_t *grant, size_t len, usec_t now)
{
	struct membermsg m = { .shown_count = 1, .shown = { { grant, len } } };
	struct grant g;

	r->now = now;
	if (!r->facts.config || !client_keeper(r, 0) || !grant_read(&g, grant, len) ||
	    g.ballot.era >= r->facts.config->era)
		return false;
	if (regs_judges(r)) {
		keeper_shown(r->keeper, grant, len, now);
		regs_settle(r, now);
	} else {
		show_lease(r, &m);
	}
	return true;
}

void restore_shown(struct regs *r, const struct pubkey *from, const struct membermsg *m, usec_t now)
{
	struct grant g;

	if (!regs_judges(r) || !limit_take(&r->sync_limit, now)) {
		drop_add(r->cfg.drops, DROP_RATE);
		return;
	}
	for (size_t i = 0; i < m->shown_count; i++) {
		if (facts_check(r, &g, m->shown[i].p, m->shown[i].len)) {
			keeper_shown(r->keeper, m->shown[i].p, m->shown[i].len, now);
		} else {
			drop_add(r->cfg.drops, DROP_SIGNATURE);
			regs_ask_chain(r, from, m->shown[i].p, m->shown[i].len, now);
		}
	}
}

void restore_secret(struct regs *r, const struct pubkey *from, uint32_t number, usec_t now)
{
	const struct facts *f = &r->facts;
	struct regs_secret s[2];
	struct member_payload p;

	if (!f->secret_count || number <= f->secrets[0].number ||
	    number - f->secrets[0].number > SECRETS_MISSED ||
	    config_member(f->config, &r->cfg.self.pub) != 0 ||
	    !pool_is_settling(f->settings, f->config->era, wall(r)) ||
	    !keeper_member(r->keeper, from, &p) || p.revoked || regs_is_revoked(r, from))
		return;
	s[1] = f->secrets[0];
	s[0].number = number + 1;
	r->env.random(r->env.ctx, s[0].b, sizeof(s[0].b));
	r->updated = r->push_all = facts_take_secrets(r, s, 2, now);
	sodium_memzero(s, sizeof(s));
}

/* --- beginning an era --- */

int regs_adopt(struct regs *r, const struct regs_estate *e, usec_t now)
{
	struct settings s;
	struct config cf;

	r->now = now;
	if (e->settings_len > SETTINGS_MAX || !e->secret_count || e->secret_count > 2 ||
	    !settings_read(&s, e->settings, e->settings_len, &r->cfg.root, r->cfg.crypto) ||
	    !config_read_unproven(&cf, e->config, e->config_len, &r->cfg.root, r->cfg.crypto))
		return -EINVAL;
	facts_take_settings(r, e->settings, e->settings_len);
	facts_take_secrets(r, e->secrets, e->secret_count, now);
	if (!r->facts.config) /* what we are given by the root's holder needs no proof */
		facts_own_config(r, &cf);
	return 0;
}

/* Above every one that we heard of: with an old backup the next one may have been begun already, and
 * members of two eras with one number would not know each other. Whoever spreads rumours shall not use
 * up the shares of the eras to come. */
static uint32_t next_era(const struct facts *f)
{
	uint32_t era = f->config->era;

	return 1 + (f->rumoured > era && f->rumoured - era <= ERAS_MISSED ? f->rumoured : era);
}

/* Their number tells whose era they are of (pool.c). */
static bool settings_begin(struct regs *r, const struct key_pair *root, uint32_t era)
{
	uint8_t bytes[SETTINGS_MAX];
	struct settings s;
	uint64_t of;
	size_t n;

	settings_copy(&s, r->facts.settings);
	of = s.number / POOL_ERA_NUMBERS;
	s.number += (of < era ? era - of : 1) * POOL_ERA_NUMBERS;
	s.era_began = wall(r);
	n = settings_write(bytes, sizeof(bytes), &s, r->cfg.crypto, root);
	return n && facts_take_settings(r, bytes, n);
}

/* The latest date known here from others: an era that begins with a clock before it would be taken
 * for settled too early. */
static uint64_t date_known(const struct facts *f)
{
	uint64_t newest = f->settings ? f->settings->era_began : 0;
	struct grant g;

	if (f->membership && grant_read(&g, f->membership, f->membership_len) && g.beacon > newest)
		newest = g.beacon;
	if (f->revocations && grant_read(&g, f->revocations, f->revocations_len) &&
	    g.beacon > newest)
		newest = g.beacon;
	return newest;
}

int regs_reset_era(struct regs *r, const struct key_pair *root, const char *host, usec_t now)
{
	struct config cf;
	uint32_t era;

	r->now = now;
	if (r->create)
		return -EBUSY;
	if (wall(r) + CLOCK_BEHIND_MAX < date_known(&r->facts))
		return -ERANGE;
	if (!key_equal(&root->pub, &r->cfg.root) || strlen(host) > MEMBER_HOST_MAX ||
	    !r->facts.settings || !r->facts.config)
		return -EINVAL;
	era = next_era(&r->facts);
	if (!settings_begin(r, root, era))
		return -EINVAL;
	keeper_genesis(regs_keeper(r), root, era, &cf, now);
	facts_own_config(r, &cf);
	r->push_all = true;
	r->updated = r->facts.membership != NULL; /* else REGS_ENROLLED is the first word of it */
	create_begin(r, root, host, now);
	return 0;
}
