/* seats.c - the roster at work: see roster.h for who should be keeper, seats.h for the rest.
 *
 * Exists where this node is a keeper, made on demand and given up, on disk too, when the set names
 * us no more. Every 10 to 15 s (every minute while nobody else may be keeper) it looks who is there
 * and asks the roster; what the roster wants is begun by regs_change_keepers. Registers are looked
 * through for new candidates when one of them changed, else every ten minutes.
 *
 * Who is there: keepers by what they tell each other, others by an attached session or by a SYNC.
 * For that, members with the keeper right send a SYNC that asks for nothing to every keeper
 * (seats_tell), so that each keeper knows all candidates, not only those attached to it.
 *
 * Durable: key 'w', value: version 1, count 1, count x (node key, score 4, falls 1); hourly. */
#include "dht/seats.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/judge.h"
#include "dht/regs_impl.h"
#include "dht/roster.h"

#define LOOK_EVERY SEC(10)
#define LOOK_JITTER SEC(5)
#define LOOK_ALONE MINUTES(1)
#define SCAN_EVERY MINUTES(10)
#define SAVE_EVERY HOURS(1)
#define SEATS_KEY 'w'

struct seats {
	struct regs *of;
	struct roster *roster;
	struct timer timer;
	uint32_t era, epoch; /* of the set that the roster knows */
	bool stale;	     /* a member's register changed */
	usec_t scanned, saved;
};

static void write_value(struct regs *r, const uint8_t *value, size_t len)
{
	static const uint8_t key = SEATS_KEY;

	/* Whether it succeeds does not matter: it is written again within the hour. */
	r->env.persist(r->env.ctx, ++r->facts.last_op, &key, 1, value, len);
}

static void save(struct seats *s, usec_t now)
{
	uint8_t bytes[ROSTER_BYTES_MAX];
	size_t len = roster_write(s->roster, bytes, sizeof(bytes));

	s->saved = now;
	if (roster_count(s->roster) > 1 && len)
		write_value(s->of, bytes, len);
}

static bool may_be_keeper(const struct regs *r, const struct pubkey *node)
{
	struct member_payload p;

	return keeper_member(r->keeper, node, &p) && !p.revoked && p.rights & RIGHT_KEEPER &&
	       !regs_is_revoked(r, node);
}

static void scan(struct seats *s, usec_t now)
{
	struct regs *r = s->of;
	struct member_payload p;
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	s->stale = false;
	s->scanned = now;
	while (keeper_next(r->keeper, &at, &name, &v)) {
		struct pubkey node;

		if (name.kind != REG_MEMBER ||
		    !member_payload_read(&p, v.payload, v.payload_len) || p.revoked ||
		    !(p.rights & RIGHT_KEEPER))
			continue;
		memcpy(node.b, name.b, KEY_LEN);
		roster_admit(s->roster, &node, now);
	}
}

static bool is_present(const struct seats *s, const struct roster_view *v,
		       const struct pubkey *node, usec_t now)
{
	for (size_t i = 0; i < v->count; i++)
		if (key_equal(&v->seat[i].node, node))
			return i == v->self || v->seat[i].reachable;
	return serve_peer(s->of, node) || roster_was_heard(s->roster, node, now);
}

/* False: this node is no keeper. */
static bool view_of(const struct regs *r, struct roster_view *v, usec_t now)
{
	const struct config *cf = r->facts.config;
	const struct settings *st = r->facts.settings;
	struct keeper_info info[KEEPERS_MAX];
	size_t n = regs_judges(r) ? regs_keeper_infos(r, info, now) : 0, works = 0;
	int self = n ? config_member(cf, &r->cfg.self.pub) : -1;

	if (self < 0 || !st)
		return false;
	*v = (struct roster_view){ .count = (uint8_t)n, .quorum = cf->quorum,
				   .self = (uint8_t)self, .most = st->keepers,
				   .hardened = st->hardened || regs_is_hardened(r) };
	for (size_t i = 0; i < n; i++) {
		v->seat[i] = (struct roster_seat){ .node = info[i].node,
						   .reachable = info[i].reachable,
						   .lost = info[i].lost };
		works += info[i].reachable && info[i].installed && !info[i].lost;
	}
	v->settled = works >= cf->quorum && !regs_is_changing(r);
	return true;
}

static void look(struct seats *s, const struct roster_view *v, usec_t now)
{
	const struct config *cf = s->of->facts.config;

	if (s->stale || now >= s->scanned + SCAN_EVERY)
		scan(s, now);
	for (size_t i = 0; i < v->count; i++)
		roster_admit(s->roster, &v->seat[i].node, now);
	for (size_t i = 0; i < roster_count(s->roster); i++) {
		const struct pubkey *node = roster_node(s->roster, i);

		roster_see(s->roster, node, may_be_keeper(s->of, node),
			   is_present(s, v, node, now), now);
	}
	roster_tick(s->roster, now);
	if (cf->era == s->era && cf->epoch == s->epoch)
		return;
	s->era = cf->era;
	s->epoch = cf->epoch;
	roster_changed(s->roster, now);
}

static int begin(struct seats *s, const struct roster_view *v, enum roster_change c,
		 const struct keeper_set *want, usec_t now)
{
	struct regs *r = s->of;
	int rc = regs_change_keepers(r, want, now);

	if (rc != 0)
		return rc;
	log_info(r->cfg.log, "the set of %u keepers %s: %u keepers, quorum %u, are wanted", v->count,
		 roster_change_text(c), want->count, want->quorum);
	roster_begun(s->roster, v, want, now);
	save(s, now);
	return 0;
}

static void seats_end(struct regs *r, bool for_good)
{
	struct seats *s = r->seats;

	if (!s)
		return;
	if (for_good)
		write_value(r, NULL, 0);
	timer_cancel(&r->timers, &s->timer);
	roster_free(s->roster);
	free(s);
	r->seats = NULL;
}

static bool is_seated(const struct regs *r)
{
	return r->facts.config && config_member(r->facts.config, &r->cfg.self.pub) >= 0;
}

static void fire(struct timer *t, usec_t now)
{
	struct seats *s = container_of(t, struct seats, timer);
	struct regs *r = s->of;
	struct keeper_set want;
	struct roster_view v;
	enum roster_change c;

	if (!is_seated(r)) {
		seats_end(r, true);
		return;
	}
	if (view_of(r, &v, now)) {
		look(s, &v, now);
		c = roster_decide(s->roster, &v, false, &want, now);
		if (c != ROSTER_STAY)
			begin(s, &v, c, &want, now);
		if (now >= s->saved + SAVE_EVERY)
			save(s, now);
	}
	timer_set(&r->timers, t, roster_count(s->roster) > 1 ?
					 now + LOOK_EVERY + regs_jitter(r, LOOK_JITTER) :
					 now + LOOK_ALONE);
}

static struct seats *seats_make(struct regs *r, usec_t now)
{
	struct seats *s = mem_new(sizeof(*s));

	s->of = r;
	s->roster = roster_new(now);
	s->stale = true;
	s->saved = now;
	timer_init(&s->timer, fire);
	return s;
}

void seats_settle(struct regs *r, usec_t now)
{
	if (!r->started || !regs_judges(r))
		return;
	if (!r->seats)
		r->seats = seats_make(r, now);
	if (!timer_is_set(&r->seats->timer))
		timer_set(&r->timers, &r->seats->timer,
			  now + LOOK_EVERY + regs_jitter(r, LOOK_JITTER));
}

bool seats_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		   size_t len)
{
	if (key_len != 1 || key[0] != SEATS_KEY)
		return false;
	if (!r->seats)
		r->seats = seats_make(r, r->now);
	roster_read(r->seats->roster, value, len, r->now); /* else: of another version, forgotten */
	return true;
}

void seats_fini(struct regs *r) { seats_end(r, false); }

void seats_member_changed(struct regs *r)
{
	if (r->seats)
		r->seats->stale = true;
}

void seats_heard(struct regs *r, const struct pubkey *from, usec_t now)
{
	if (r->seats)
		roster_heard(r->seats->roster, from, now);
}

bool seats_is_candidate(const struct regs *r)
{
	struct member_payload p;
	struct grant g;

	return r->facts.membership && !is_seated(r) &&
	       grant_read(&g, r->facts.membership, r->facts.membership_len) &&
	       member_payload_read(&p, g.payload, g.payload_len) && p.rights & RIGHT_KEEPER;
}

bool regs_candidate(const struct regs *r, size_t *at, struct candidate *out, usec_t now)
{
	struct roster_view v;

	return r->seats && view_of(r, &v, now) && roster_next(r->seats->roster, &v, at, out, now);
}

int regs_keepers_grow(struct regs *r, struct keeper_set *want, usec_t now)
{
	struct roster_view v;
	enum roster_change c;

	r->now = now;
	if (!r->seats || !view_of(r, &v, now))
		return -EPERM;
	if (!v.settled)
		return -EBUSY;
	r->seats->stale = true;
	look(r->seats, &v, now);
	c = roster_decide(r->seats->roster, &v, true, want, now);
	return c == ROSTER_STAY ? -ENOENT : begin(r->seats, &v, c, want, now);
}

bool regs_is_hardened(const struct regs *r)
{
	return r->facts.config && judge_is_hardened(r->facts.config);
}

uint8_t regs_keeper_quorum(uint8_t count, bool hardened) { return roster_quorum(count, hardened); }
