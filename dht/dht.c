/* dht.c - the composition: messages in, answers out, and what contacts mean to the parts.
 *
 *   msg      bytes <-> struct            table    contacts in k-buckets
 *   rpc      our requests and outcomes   lookup   nearest nodes, records under a name
 *   record   make, check, open           store    records held
 *   publish  our records, kept alive     get      lookups of the owner
 *   answer   requests of others          senders  how often each key may ask
 *   tend     the table kept useful       repair   held records for newcomers
 *   shed     what others hold by now
 *
 * A key becomes a contact when it answered a request of ours or has a session.
 * A client (cfg.client) asks and publishes: it answers nothing, holds nothing of others, tends
 * nothing, and marks its requests so that it is nobody's contact.
 * Idle, everything that is not in use is freed: tables are made when needed.
 * Bounds: RPC_MAX requests, GETS_MAX lookups asked for, PUBLISH_LOOKUPS_MAX + 1 of our own; tables
 * as their headers say. docs/protocol.md section 6. */
#include "dht/dht.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "dht/impl.h"

#define STRANGERS_RATE 1       /* pings a second to near keys that we know by requests alone */
#define ROUTED_CHECKS_RATE 200 /* signatures a second checked for senders without a session */
#define SPREADS_RATE 8		 /* records a second passed on for their owners, */
#define SPREADS_BURST 64
#define KNOWN_FOR MINUTES(1)   /* after its last answer a contact has not forgotten its records */
#define SWEEP_TIME SEC(60)     /* between two searches for expired records and idle senders */

uint64_t dht_wall(const struct dht *d, usec_t now) { return wall_seconds(d->cfg.wall, now); }

usec_t dht_jitter(struct dht *d, usec_t span)
{
	uint32_t r;

	d->env.random(d->env.ctx, &r, sizeof(r));
	return span + span / 65536 * (r % 65536);
}

/* --- contacts --- */

/* That it is up or not, contact_answered and contact_failed have heard before. */
static void ping_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	if (m && r->owner.tag)
		repair_newcomer(ctx, &r->to, now);
}

void dht_ping(struct dht *d, const struct pubkey *key, bool newcomer, usec_t now)
{
	struct rpc_owner owner = { .done = ping_done, .ctx = d, .tag = newcomer };
	struct dht_msg m = { .type = DHT_MSG_PING };

	rpc_call(&d->rpcs, key, &m, &owner, now);
}

void dht_contact_seen(struct dht *d, const struct pubkey *key, bool live, usec_t now)
{
	struct pubkey check;
	enum table_result result = dht_table_seen(&d->table, key, live, &check, now);

	if (!key_is_zero(&check))
		dht_ping(d, &check, false, now);
	if (result == TABLE_ADDED)
		tend_contact_added(d, key, live, now);
	if (result == TABLE_ADDED || (result == TABLE_KNOWN && live))
		publish_contact_up(&d->publisher, key, now);
}

/* The key itself is checked when it would enter the table: that is dear, and most are known or
 * find no room. */
static void contact_answered(void *ctx, const struct pubkey *key, usec_t now)
{
	struct dht *d = ctx;

	if (dht_table_wants(&d->table, key) ? d->cfg.crypto->key_valid(key)
					    : dht_table_get(&d->table, key) != NULL)
		dht_contact_seen(d, key, false, now);
}

static void contact_failed(void *ctx, const struct pubkey *key, usec_t now)
{
	struct dht *d = ctx;

	if (dht_table_failed(&d->table, key))
		publish_contact_lost(&d->publisher, key, now);
}

void dht_contact_up(struct dht *d, const struct pubkey *key, usec_t now)
{
	const struct contact *c = dht_table_get(&d->table, key);
	bool is_known = c && !c->live && !c->fails && SEC((usec_t)c->seen) + KNOWN_FOR > now;

	dht_contact_seen(d, key, true, now);
	if (!is_known)
		repair_newcomer(d, key, now);
}

void dht_contact_down(struct dht *d, const struct pubkey *key, usec_t now)
{
	if (dht_table_down(&d->table, key))
		tend_hear(d, key, now);
}

/* --- messages --- */

static void sweep_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, sweep);
	bool idle = senders_sweep(&d->proven, now);

	idle &= senders_sweep(&d->routed, now);
	dht_store_sweep(&d->store, dht_wall(d, now));
	shed_strays(d, now);
	if (d->store.count || !idle)
		timer_set(&d->timers, &d->sweep, now + SWEEP_TIME);
}

void dht_sweep_later(struct dht *d, usec_t now)
{
	if (!timer_is_set(&d->sweep))
		timer_set(&d->timers, &d->sweep, now + SWEEP_TIME);
}

static enum drop input(struct dht *d, const struct pubkey *from, bool proven, struct rd bytes,
		       usec_t now)
{
	struct dht_msg m;
	enum drop why = dht_msg_read(&m, bytes.p, rd_left(&bytes));

	if (why)
		return why;
	if (dht_msg_is_request(m.type))
		return answer_request(d, from, proven, &m, now);
	return rpc_answer(&d->rpcs, from, &m, now) ? DROP_NONE : DROP_UNKNOWN;
}

void dht_input(struct dht *d, const struct pubkey *from, bool proven, const uint8_t *msg,
	       size_t len, usec_t now)
{
	enum drop why = DROP_SPOOF_PEER; /* nobody else speaks with our key */

	if (!key_equal(from, &d->cfg.self.pub))
		why = input(d, from, proven, rd_of(msg, len), now);
	if (why)
		drop_add(d->cfg.drops, why);
}

/* --- the face --- */

int dht_get(struct dht *d, uint64_t op, const struct dht_topic *t, usec_t now)
{
	return gets_start(&d->gets, op, t, now);
}

void dht_cancel(struct dht *d, uint64_t op) { gets_cancel(&d->gets, op); }

int dht_publish(struct dht *d, const struct dht_topic *t, const uint8_t *body, size_t len,
		uint32_t lifetime, usec_t now)
{
	return publish_put(&d->publisher, t, (struct dht_bytes){ body, len }, lifetime, now);
}

void dht_withdraw(struct dht *d, const struct dht_topic *t, usec_t now)
{
	publish_withdraw(&d->publisher, t, now);
	dht_sweep_later(d, now);
}

void dht_tick(struct dht *d, usec_t now) { timers_run(&d->timers, now); }

usec_t dht_deadline(const struct dht *d) { return timers_next(&d->timers); }

struct dht_info dht_info(const struct dht *d)
{
	return (struct dht_info){
		.contacts = d->table.count,
		.records = d->store.count,
		.published = d->publisher.by_name.count - d->publisher.withdrawn,
		.lookups = d->gets.count,
		.waiting = d->rpcs.waiting.count,
		.timers = d->timers.count,
		.requests = d->rpcs.count,
		.bytes = sizeof(*d) + dht_table_size(&d->table) + dht_store_size(&d->store),
	};
}

/* Each part gets the pointers it works with. */
static void wire_parts(struct dht *d)
{
	d->rpcs = (struct rpcs){
		.env = &d->env, .timers = &d->timers, .ctx = d, .client = d->cfg.client
	};
	d->rpcs.answered = contact_answered;
	d->rpcs.failed = contact_failed;
	d->store.self = d->cfg.self.pub;
	d->store.random = d->env.random;
	d->store.ctx = d->env.ctx;
	d->lookups = (struct lookups){ .rpcs = &d->rpcs,
				       .table = &d->table,
				       .timers = &d->timers,
				       .self = d->cfg.self.pub,
				       .crypto = d->cfg.crypto,
				       .wall = d->cfg.wall,
				       .drops = d->cfg.drops };
	d->publisher = (struct publisher){ .cfg = &d->cfg,
					   .env = &d->env,
					   .rpcs = &d->rpcs,
					   .table = &d->table,
					   .lookups = &d->lookups,
					   .store = &d->store,
					   .timers = &d->timers };
	d->gets = (struct gets){
		.cfg = &d->cfg, .env = &d->env, .lookups = &d->lookups, .store = &d->store
	};
}

struct dht *dht_new(const struct dht_config *cfg, const struct dht_env *env, usec_t now)
{
	struct dht *d = mem_new(sizeof(*d));
	struct node_id self = id_of(&cfg->self.pub);
	uint8_t seed[16];

	(void)now;
	assert(cfg->drops);
	d->cfg = *cfg;
	d->env = *env;
	timers_init(&d->timers);
	dht_table_init(&d->table, &self);
	wire_parts(d);
	env->random(env->ctx, seed, sizeof(seed));
	rpc_init(&d->rpcs, seed);
	dht_store_init(&d->store, seed);
	lookup_init(&d->lookups);
	publish_init(&d->publisher, seed);
	senders_init(&d->proven, seed);
	senders_init(&d->routed, seed);
	limit_init(&d->strangers, STRANGERS_RATE, STRANGERS_RATE);
	limit_init(&d->routed_checks, ROUTED_CHECKS_RATE, ROUTED_CHECKS_RATE);
	limit_init(&d->spreads, SPREADS_RATE, SPREADS_BURST);
	gets_init(&d->gets);
	tend_init(d);
	repair_init(d);
	timer_init(&d->sweep, sweep_fire);
	return d;
}

void dht_free(struct dht *d)
{
	if (!d)
		return;
	repair_fini(d);
	tend_fini(d);
	publish_fini(&d->publisher);
	gets_fini(&d->gets);
	lookup_fini(&d->lookups);
	rpc_fini(&d->rpcs);
	dht_store_fini(&d->store);
	dht_table_fini(&d->table);
	senders_fini(&d->proven);
	senders_fini(&d->routed);
	timer_cancel(&d->timers, &d->sweep);
	timers_fini(&d->timers);
	sodium_memzero(d, sizeof(*d));
	free(d);
}
