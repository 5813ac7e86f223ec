/* regs.c - the registers of one namespace on one node: the parts put together.
 *
 * Facts (what is known and durable), client (own operations), member (joining, keeping up), serve
 * (the keeper's side towards members) and, when the keeper set names us, the keeper role. Every
 * entry notes `now`, hands the input on, and ends in regs_settle, which does what callbacks of the
 * keeper only noted and what waits for the disk: callbacks themselves never call back. */
#include "dht/regs.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/regs_impl.h"
#include "dht/witness.h"

static void message_leave(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct regs *r = ctx;

	r->env.send(r->env.ctx, to, REGS_SERVICE_REGISTER, msg, len);
}

/* REGISTER messages wait for the end of the owner's turn, to leave together: regs_tick. */
void regs_send(struct regs *r, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	bundles_add(&r->bundles, &(struct bundles_way){ r, message_leave, r->nsid }, to, msg, len);
}

struct reg_answer regs_answer(const struct regs_event *e)
{
	return (struct reg_answer){ .status = e->status, .holder = e->holder, .hint = e->hint,
				    .grant = e->grant, .len = e->len };
}

void regs_tell(struct regs *r, const struct regs_event *e) { r->env.event(r->env.ctx, e); }

uint64_t regs_random64(const struct regs *r)
{
	uint64_t v = 0;

	while (v == 0)
		r->env.random(r->env.ctx, &v, sizeof(v));
	return v;
}

usec_t regs_jitter(const struct regs *r, usec_t below)
{
	return below ? regs_random64(r) % below : 0;
}

/* --- the keeper role's surroundings --- */

static void keeper_random(void *ctx, void *out, size_t len)
{
	struct regs *r = ctx;

	r->env.random(r->env.ctx, out, len);
}

static void keeper_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
			size_t len)
{
	struct regs *r = ctx;

	assert(service == REGS_SERVICE_REGISTER);
	(void)service;
	regs_send(r, to, msg, len);
}

static void keeper_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			   const uint8_t *value, size_t len)
{
	struct regs *r = ctx;

	assert(op & KEEPER_OP);
	r->env.persist(r->env.ctx, op, key, key_len, value, len);
}

static const struct settings *keeper_settings(void *ctx) { return regs_settings(ctx); }

/* Of two histories nobody can tell which one counts: no keeper serves then. */
static const struct config *keeper_config(void *ctx)
{
	return regs_is_forked(ctx) ? NULL : regs_keepers(ctx);
}

static const struct config *keeper_config_of(void *ctx, uint32_t era, uint32_t epoch)
{
	return regs_config_of(ctx, era, epoch);
}

static void keeper_chosen(void *ctx, const uint8_t *config, size_t len)
{
	struct regs *r = ctx;

	if (facts_take_config(r, NULL, config, len))
		r->updated = r->push_all = true;
}

static bool keeper_config_durable(void *ctx) { return facts_config_durable(ctx); }

static void keeper_lead(void *ctx, const struct pubkey *peer, uint32_t era, uint32_t epoch)
{
	seek_tell(ctx, peer, era, epoch);
}

static void keeper_installed(void *ctx)
{
	struct regs *r = ctx;

	r->updated = r->push_all = true;
}

static void keeper_result(void *ctx, uint64_t request, const struct keeper_answer *a)
{
	struct regs *r = ctx;

	client_local_result(r, request, a, r->now);
}

static void keeper_enrolled(void *ctx, const struct pubkey *to, uint64_t request,
			    const struct keeper_answer *a)
{
	serve_enrolled(ctx, to, request, a);
}

static void keeper_changed(void *ctx, const struct reg_name *name, const uint8_t *grant, size_t len)
{
	serve_changed(ctx, name, grant, len);
}

static void keeper_ask_chain(void *ctx, const struct pubkey *from, const uint8_t *grant, size_t len)
{
	struct regs *r = ctx;

	regs_ask_chain(r, from, grant, len, r->now);
}

static void keeper_caught(void *ctx, const struct evidence *e) { regs_report(ctx, e); }

struct keeper_role *regs_keeper(struct regs *r)
{
	struct keeper_config cfg = { .self = r->cfg.self, .root = r->cfg.root,
				     .crypto = r->cfg.crypto, .log = r->cfg.log,
				     .wall = r->cfg.wall, .drops = r->cfg.drops,
				     .promises = r->cfg.promises };
	struct keeper_env env = { .ctx = r, .random = keeper_random, .send = keeper_send,
				  .persist = keeper_persist, .settings = keeper_settings,
				  .config = keeper_config, .result = keeper_result,
				  .enrolled = keeper_enrolled, .changed = keeper_changed,
				  .ask_chain = keeper_ask_chain, .caught = keeper_caught,
				  .config_of = keeper_config_of, .chosen = keeper_chosen,
				  .config_durable = keeper_config_durable,
				  .lead = keeper_lead, .installed = keeper_installed };

	if (r->keeper)
		return r->keeper;
	r->keeper = keeper_new(&cfg, &env, r->now);
	sodium_memzero(&cfg.self, sizeof(cfg.self));
	if (r->started)
		keeper_started(r->keeper, r->now);
	return r->keeper;
}

bool regs_judges(const struct regs *r)
{
	return r->keeper && r->facts.config && keeper_is_active(r->keeper);
}

void regs_settle(struct regs *r, usec_t now)
{
	static const struct regs_event updated = { .type = REGS_UPDATED };

	if (r->updated) {
		r->updated = false;
		if (r->keeper)
			keeper_turned(r->keeper, now);
		serve_secrets(r, now);
		r->push_all |= regs_judges(r);
		r->updated = false;
		regs_tell(r, &updated);
		member_check_revoked(r, false);
		member_tell(r, now);
	}
	if (r->push_all) {
		r->push_all = false;
		serve_push_all(r, now);
	}
	member_settle(r, now);
	create_settle(r, now);
	seats_settle(r, now);
}

/* --- messages --- */

static void not_here(struct regs *r, const struct pubkey *to, uint64_t request)
{
	struct regmsg m = { .type = REGMSG_RESULT, .request = request, .status = REG_OTHER_EPOCH };
	uint8_t msg[REGMSG_MAX];
	size_t n;

	m.config = r->facts.config->bytes;
	m.config_len = r->facts.config->len;
	memcpy(m.nsid, r->nsid, NSID_LEN);
	n = regmsg_write(msg, sizeof(msg), &m);
	if (n)
		regs_send(r, to, msg, n);
}

/* The role is made for those whom a keeper wants as one. */
static bool is_asked_to_stand(const struct regs *r, const struct pubkey *from,
			      const struct regmsg *m)
{
	return m->type == REGMSG_STAND && r->facts.config &&
	       config_member(r->facts.config, from) >= 0;
}

static void register_part(struct regs *r, const struct pubkey *from, const uint8_t *msg,
			  size_t len, usec_t now)
{
	struct regmsg m;

	if (handover_input(r, from, msg, len, now))
		return;
	if (!regmsg_read(&m, msg, len) || memcmp(m.nsid, r->nsid, NSID_LEN) != 0)
		drop_add(r->cfg.drops, DROP_MALFORMED);
	else if (m.type == REGMSG_RESULT)
		client_result(r, from, &m, now);
	else if (r->keeper || is_asked_to_stand(r, from, &m))
		keeper_input(regs_keeper(r), from, msg, len, now);
	else if (m.type == REGMSG_OPERATION && r->facts.config &&
		 limit_take(&r->sync_limit, now))
		not_here(r, from, m.request); /* the asker's keeper set is old */
	else
		drop_add(r->cfg.drops, DROP_UNKNOWN);
}

static void register_input(struct regs *r, const struct pubkey *from, const uint8_t *msg,
			   size_t len, usec_t now)
{
	struct bundle b;

	if (!len || msg[0] != REGMSG_BUNDLE) {
		register_part(r, from, msg, len, now);
		return;
	}
	if (!bundle_open(&b, msg, len, r->nsid))
		drop_add(r->cfg.drops, DROP_MALFORMED);
	else
		while (bundle_next(&b, &msg, &len))
			register_part(r, from, msg, len, now);
}

static void sync_input(struct regs *r, const struct pubkey *from, const struct membermsg *m,
		       usec_t now)
{
	serve_sync(r, from, m, now);
}

static void (*const member_rows[])(struct regs *r, const struct pubkey *from,
				   const struct membermsg *m, usec_t now) = {
	[MEMBERMSG_ENROL] = serve_enrol,
	[MEMBERMSG_ENROLLED] = member_enrolled,
	[MEMBERMSG_SYNC] = sync_input,
	[MEMBERMSG_UPDATE] = member_update,
	[MEMBERMSG_CHAIN_WANT] = seek_serve,
	[MEMBERMSG_CHAIN] = seek_chain,
	[MEMBERMSG_SHOW] = restore_shown,
};
_Static_assert(ARRAY_LEN(member_rows) == MEMBERMSG_TYPE_COUNT, "every message type has a row");

static void member_input(struct regs *r, const struct pubkey *from, const uint8_t *msg, size_t len,
			 usec_t now)
{
	struct membermsg m;

	if (!membermsg_read(&m, msg, len) || memcmp(m.nsid, r->nsid, NSID_LEN) != 0)
		drop_add(r->cfg.drops, DROP_MALFORMED);
	else
		member_rows[m.type](r, from, &m, now);
	sodium_memzero(m.secrets, sizeof(m.secrets));
}

void regs_input(struct regs *r, const struct pubkey *from, bool attached, uint8_t service,
		const uint8_t *msg, size_t len, usec_t now)
{
	(void)attached; /* membership is judged by registers, not by attachments */
	assert(r->started);
	r->now = now;
	if (service == REGS_SERVICE_REGISTER)
		register_input(r, from, msg, len, now);
	else if (service == REGS_SERVICE_MEMBER)
		member_input(r, from, msg, len, now);
	else
		drop_add(r->cfg.drops, DROP_UNKNOWN);
	regs_settle(r, now);
}

/* --- life --- */

bool regs_restore(struct regs *r, const uint8_t *key, size_t key_len, const uint8_t *value,
		  size_t len)
{
	assert(!r->started);
	return facts_restore(r, key, key_len, value, len) ||
	       seats_restore(r, key, key_len, value, len) ||
	       keeper_restore(regs_keeper(r), key, key_len, value, len);
}

void regs_started(struct regs *r, usec_t now)
{
	r->now = now;
	facts_chain_started(r);
	if (!r->keeper && r->facts.config &&
	    config_member(r->facts.config, &r->cfg.self.pub) >= 0)
		regs_keeper(r); /* its state is lost: it will stay silent and say so */
	if (r->keeper)
		keeper_started(r->keeper, now);
	r->started = true;
	client_started(r, now);
	member_started(r, now);
	regs_settle(r, now);
}

void regs_persisted(struct regs *r, uint64_t op, int result, usec_t now)
{
	r->now = now;
	if (!(op & KEEPER_OP))
		facts_persisted(r, op, result, now);
	else if (r->keeper)
		keeper_persisted(r->keeper, op, result, now);
	regs_settle(r, now);
}

void regs_tick(struct regs *r, usec_t now)
{
	r->now = now;
	timers_run(&r->timers, now);
	if (r->keeper)
		keeper_tick(r->keeper, now);
	regs_settle(r, now);
	bundles_flush(&r->bundles, &(struct bundles_way){ r, message_leave, r->nsid });
}

usec_t regs_deadline(const struct regs *r)
{
	usec_t next = r->bundles ? r->now : timers_next(&r->timers);

	return r->keeper ? usec_min(next, keeper_deadline(r->keeper)) : next;
}

void regs_trust(struct regs *r, const struct checkpoint *cp, const struct pubkey *keepers,
		size_t count)
{
	r->has_trust = true;
	r->trust = *cp;
	r->trusted_count = count < TRUSTED_MAX ? count : TRUSTED_MAX;
	free(r->trusted);
	r->trusted = NULL;
	if (r->trusted_count)
		r->trusted = mem_copy(keepers, r->trusted_count * sizeof(*keepers));
}

int regs_submit(struct regs *r, uint64_t op, const struct reg_op *req, const struct key_pair *admin,
		usec_t now)
{
	struct client_ask ask = { .id = op, .req = req, .signer = admin ? admin : &r->cfg.self };
	int rc;

	assert(r->started);
	r->now = now;
	rc = client_submit(r, &ask, now);
	regs_settle(r, now);
	return rc;
}

void regs_peer_attached(struct regs *r, const struct pubkey *peer, usec_t now)
{
	r->now = now;
	serve_attached(r, peer, now);
	member_sync(r, peer, now);
}

void regs_peer_gone(struct regs *r, const struct pubkey *peer, usec_t now)
{
	r->now = now;
	serve_gone(r, peer);
}

struct regs *regs_new(const struct regs_config *cfg, const struct regs_env *env, usec_t now)
{
	struct regs *r = mem_new(sizeof(*r));

	assert(cfg->drops);
	r->cfg = *cfg;
	r->env = *env;
	r->now = now;
	nsid_of(r->nsid, &cfg->root);
	timers_init(&r->timers);
	facts_init(r);
	client_init(r);
	member_init(r);
	serve_init(r);
	return r;
}

void regs_free(struct regs *r)
{
	if (!r)
		return;
	create_fini(r);
	seats_fini(r);
	serve_fini(r);
	member_fini(r);
	client_fini(r);
	seek_fini(r);
	facts_fini(r);
	keeper_free(r->keeper);
	witness_free(r->witness);
	bundles_free(&r->bundles);
	timers_fini(&r->timers);
	free(r->trusted);
	sodium_memzero(r, sizeof(*r));
	free(r);
}
