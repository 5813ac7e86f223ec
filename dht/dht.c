/* dht.c - the composition: messages in, answers out, and what contacts mean to the parts.
 *
 *   msg      bytes <-> struct            table    contacts in k-buckets
 *   rpc      our requests and outcomes   lookup   nearest nodes, records under a name
 *   record   make, check, open           store    records held
 *   publish  our records, kept alive     get      lookups of the owner
 *   senders  how often each key may ask
 *
 * A key becomes a contact when it answered a request of ours or has a session. A stranger that
 * asks something is answered and, STRANGERS_RATE a second at most, pinged: only its answer counts.
 * Answers to requesters who have not proven their key stay under DHT_ANSWER_ROUTED_MAX.
 * Maintenance: after the first contact a lookup of our own id and one in each bucket's range,
 * quickly; then the same round at a slow pace. With no contacts there is no timer at all.
 * Bounds: RPC_MAX requests, GETS_MAX lookups asked for, PUBLISH_LOOKUPS_MAX + 1 of our own; tables
 * as their headers say. docs/protocol.md section 6. */
#include "dht/dht.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/limit.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/timer.h"
#include "dht/get.h"
#include "dht/lookup.h"
#include "dht/msg.h"
#include "dht/publish.h"
#include "dht/rpc.h"
#include "dht/senders.h"
#include "dht/store.h"
#include "dht/table.h"

#define STRANGERS_RATE 2        /* pings a second to keys that we know by their requests alone */
#define ROUTED_CHECKS_RATE 200  /* signatures a second checked for senders without a session */
#define SWEEP_TIME SEC(60)      /* between two searches for expired records */
#define JOIN_WAIT MSEC(500)     /* between maintenance lookups of a fresh table, and up to */
				/* as much again */
#define REFRESH_WAIT MINUTES(4) /* the same of a settled one */

struct dht {
	struct dht_config cfg;
	struct dht_env env;
	struct timers timers;
	struct drops drops;
	struct dht_table table;
	struct rpcs rpcs;
	struct dht_store store;
	struct lookups lookups;
	struct publisher publisher;
	struct senders proven, routed;
	struct limit strangers, routed_checks;
	struct gets gets;
	struct timer sweep, refresh;
	struct lookup_ops refresh_ops;
	bool refreshing, joining;
	size_t turn; /* of the maintenance round: 0 = our own id, then bucket turn - 1 */
};

static uint64_t wall_now(const struct dht *d, usec_t now) { return wall_seconds(d->cfg.wall, now); }

static usec_t and_up_to_twice(struct dht *d, usec_t span)
{
	uint32_t r;

	d->env.random(d->env.ctx, &r, sizeof(r));
	return span + span / 65536 * (r % 65536);
}

/* --- contacts --- */

static void ping_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	(void)ctx, (void)r, (void)m, (void)now; /* contact_answered and contact_failed know */
}

static void ping(struct dht *d, const struct pubkey *key, usec_t now)
{
	struct rpc_owner owner = { .done = ping_done };
	struct dht_msg m = { .type = DHT_MSG_PING };

	rpc_call(&d->rpcs, key, &m, &owner, now);
}

static void refresh_no_later(struct dht *d, usec_t at)
{
	if (!timer_is_set(&d->refresh) || d->refresh.at > at)
		timer_set(&d->timers, &d->refresh, at);
}

static void contact_seen(struct dht *d, const struct pubkey *key, bool live, usec_t now)
{
	struct pubkey check;
	enum table_result result = dht_table_seen(&d->table, key, live, &check, now);

	if (result == TABLE_SPARE && !key_is_zero(&check))
		ping(d, &check, now);
	if (result == TABLE_ADDED && d->table.count == 1) {
		d->turn = 0;
		d->joining = true;
		refresh_no_later(d, now);
	}
	if (result == TABLE_ADDED || (result == TABLE_KNOWN && live))
		publish_contact_up(&d->publisher, key, now);
}

/* The key itself is checked when it would enter the table: that is dear, and most are known or
 * find no room. */
static void contact_answered(void *ctx, const struct pubkey *key, usec_t now)
{
	struct dht *d = ctx;

	if (dht_table_wants(&d->table, key, now) ? key_valid(key) : dht_table_knows(&d->table, key))
		contact_seen(d, key, false, now);
}

static void contact_failed(void *ctx, const struct pubkey *key, usec_t now)
{
	struct dht *d = ctx;
	struct pubkey instead;

	if (!dht_table_failed(&d->table, key, &instead))
		return;
	publish_contact_lost(&d->publisher, key, now);
	if (!key_is_zero(&instead))
		publish_contact_up(&d->publisher, &instead, now);
}

void dht_contact_up(struct dht *d, const struct pubkey *key, usec_t now)
{
	size_t before = d->table.count;

	contact_seen(d, key, true, now);
	if (d->table.count > before && before > 0) { /* it may stand for a network we do not know */
		d->turn = 0;
		refresh_no_later(d, now + and_up_to_twice(d, JOIN_WAIT));
	}
}

void dht_contact_down(struct dht *d, const struct pubkey *key, usec_t now)
{
	if (dht_table_down(&d->table, key))
		ping(d, key, now);
}

/* Whoever asks us something. A stranger is worth a ping where there is room for a contact. */
static void sender_seen(struct dht *d, const struct pubkey *from, bool proven, usec_t now)
{
	if (proven)
		contact_seen(d, from, false, now);
	else if (dht_table_has_room(&d->table, from) && !dht_table_knows(&d->table, from) &&
		 limit_take(&d->strangers, now))
		ping(d, from, now);
}

/* --- maintenance --- */

/* An id that falls into bucket b: our own with bit b turned and everything after it random. */
static struct node_id id_in_bucket(struct dht *d, size_t b)
{
	struct node_id id;

	d->env.random(d->env.ctx, id.b, sizeof(id.b));
	for (size_t bit = 0; bit <= b; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		uint8_t own = d->table.self.b[bit / 8] & mask;

		if (bit == b)
			own ^= mask;
		id.b[bit / 8] = (uint8_t)((id.b[bit / 8] & ~mask) | own);
	}
	return id;
}

static void refresh_done(void *ctx, struct lookup *l, usec_t now)
{
	struct dht *d = ctx;

	(void)l, (void)now;
	d->refreshing = false;
}

static void refresh_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, refresh);
	struct record_name name = { .key = d->table.self };

	if (d->table.count == 0)
		return;
	if (!d->refreshing) {
		if (d->turn > 0)
			name.key = id_in_bucket(d, d->turn - 1);
		d->refreshing = true;
		lookup_start(lookup_new(&d->lookups, &d->refresh_ops, &name, NULL), now);
		if (++d->turn > dht_table_depth(&d->table)) {
			d->turn = 0;
			d->joining = false;
		}
	}
	timer_set(&d->timers, &d->refresh,
		  now + and_up_to_twice(d, d->joining ? JOIN_WAIT : REFRESH_WAIT));
}

static void sweep_fire(struct timer *t, usec_t now)
{
	struct dht *d = container_of(t, struct dht, sweep);

	dht_store_sweep(&d->store, wall_now(d, now));
	if (d->store.count)
		timer_set(&d->timers, &d->sweep, now + SWEEP_TIME);
}

/* --- requests of others --- */

struct request {
	const struct pubkey *from;
	bool proven;
	const struct dht_msg *m;
};

static void answer(struct dht *d, const struct request *q, struct dht_msg *m)
{
	uint8_t out[DHT_MSG_MAX];

	m->id = q->m->id;
	d->env.send(d->env.ctx, q->from, out, dht_msg_write(out, sizeof(out), m));
}

/* The nearest contacts to the asked key, as many as fit into `room` bytes, the asker left out. */
static void answer_keys(struct dht *d, const struct request *q, struct dht_msg *m, size_t room)
{
	const struct contact *c[DHT_K + 1];
	size_t n = dht_table_nearest(&d->table, &q->m->name.key, c, DHT_K + 1);
	size_t max = room / KEY_LEN < DHT_K ? room / KEY_LEN : DHT_K;

	for (size_t i = 0; i < n && m->keys < max; i++)
		if (!key_equal(&c[i]->key, q->from))
			m->key[m->keys++] = c[i]->key;
}

static void ping_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_PONG };

	(void)now;
	answer(d, q, &m);
}

static void find_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_NODES };

	(void)now;
	answer_keys(d, q, &m, DHT_K * KEY_LEN);
	answer(d, q, &m);
}

/* Records first, starting anywhere so that every signer gets its turn where not all fit. */
static void get_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_VALUES };
	struct record held[DHT_MSG_RECORDS_MAX];
	size_t room = (q->proven ? DHT_MSG_MAX : DHT_ANSWER_ROUTED_MAX) - DHT_MSG_HEAD_LEN - 2;
	size_t n =
		dht_store_get(&d->store, &q->m->name, wall_now(d, now), held, DHT_MSG_RECORDS_MAX);
	uint8_t start;

	d->env.random(d->env.ctx, &start, sizeof(start));
	for (size_t i = 0; i < n; i++) {
		const struct record *r = &held[(start + i) % n];

		if (2 + r->len > room)
			continue;
		m.record[m.records++] = (struct dht_bytes){ r->bytes, r->len };
		room -= 2 + r->len;
	}
	answer_keys(d, q, &m, room);
	answer(d, q, &m);
}

/* Cheap checks first, the signature last. */
static enum drop put_judge(struct dht *d, const struct request *q, struct record *r, usec_t now)
{
	static const enum drop why_not[] = {
		[STORE_NEW] = DROP_NONE,  [STORE_SAME] = DROP_NONE,   [STORE_OLDER] = DROP_STALE,
		[STORE_FULL] = DROP_FULL, [STORE_QUOTA] = DROP_QUOTA,
	};
	uint64_t wall = wall_now(d, now);
	enum store_result result;
	enum drop why;

	if (!record_read(r, q->m->record[0].p, q->m->record[0].len))
		return DROP_MALFORMED;
	why = record_check_dates(r, wall);
	if (why)
		return why;
	result = dht_store_ask(&d->store, r, wall);
	if (result != STORE_NEW)
		return why_not[result];
	if (!q->proven && !limit_take(&d->routed_checks, now))
		return DROP_RATE;
	why = record_check_signature(r, d->cfg.crypto);
	return why ? why : why_not[dht_store_put(&d->store, r, wall)];
}

static void put_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_STORED, .status = DHT_STORED_REFUSED };
	struct record r;
	enum drop why = put_judge(d, q, &r, now);

	if (why)
		drop_add(&d->drops, why);
	if (!why)
		m.status = DHT_STORED_OK;
	else if (why == DROP_STALE)
		m.status = DHT_STORED_OLDER;
	else if (why == DROP_FULL || why == DROP_QUOTA || why == DROP_RATE)
		m.status = DHT_STORED_FULL;
	if (d->store.count && !timer_is_set(&d->sweep))
		timer_set(&d->timers, &d->sweep, now + SWEEP_TIME);
	answer(d, q, &m);
}

static void (*const handlers[DHT_MSG_TYPES])(struct dht *, const struct request *, usec_t) = {
	[DHT_MSG_PING] = ping_handle,
	[DHT_MSG_FIND] = find_handle,
	[DHT_MSG_GET] = get_handle,
	[DHT_MSG_PUT] = put_handle,
};

static enum drop input(struct dht *d, struct request *q, struct rd bytes, usec_t now)
{
	struct dht_msg m;
	enum drop why = dht_msg_read(&m, bytes.p, rd_left(&bytes));

	if (why)
		return why;
	if (!dht_msg_is_request(m.type))
		return rpc_answer(&d->rpcs, q->from, &m, now) ? DROP_NONE : DROP_UNKNOWN;
	if (!senders_take(q->proven ? &d->proven : &d->routed, q->from, now))
		return DROP_RATE;
	assert(handlers[m.type]);
	q->m = &m;
	handlers[m.type](d, q, now);
	sender_seen(d, q->from, q->proven, now);
	return DROP_NONE;
}

void dht_input(struct dht *d, const struct pubkey *from, bool proven, const uint8_t *msg,
	       size_t len, usec_t now)
{
	struct request q = { .from = from, .proven = proven };
	enum drop why = DROP_SPOOF_PEER; /* nobody else speaks with our key */

	if (!key_equal(from, &d->cfg.self.pub))
		why = input(d, &q, rd_of(msg, len), now);
	if (why)
		drop_add(&d->drops, why);
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
	(void)now;
	publish_withdraw(&d->publisher, t);
}

void dht_tick(struct dht *d, usec_t now) { timers_run(&d->timers, now); }

usec_t dht_deadline(const struct dht *d) { return timers_next(&d->timers); }

struct dht_info dht_info(const struct dht *d)
{
	return (struct dht_info){
		.contacts = d->table.count,
		.records = d->store.count,
		.published = d->publisher.by_name.count,
		.lookups = d->gets.count,
	};
}

const struct drops *dht_drops(const struct dht *d) { return &d->drops; }

/* Each part gets the pointers it works with. */
static void wire_parts(struct dht *d)
{
	d->rpcs = (struct rpcs){ .env = &d->env, .timers = &d->timers, .ctx = d };
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
				       .drops = &d->drops };
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
	d->refresh_ops = (struct lookup_ops){ .done = refresh_done, .ctx = d };
}

struct dht *dht_new(const struct dht_config *cfg, const struct dht_env *env, usec_t now)
{
	struct dht *d = mem_new(sizeof(*d));
	struct node_id self = id_of(&cfg->self.pub);
	uint8_t seed[16];

	(void)now;
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
	gets_init(&d->gets);
	timer_init(&d->sweep, sweep_fire);
	timer_init(&d->refresh, refresh_fire);
	return d;
}

void dht_free(struct dht *d)
{
	if (!d)
		return;
	publish_fini(&d->publisher);
	gets_fini(&d->gets);
	lookup_fini(&d->lookups);
	rpc_fini(&d->rpcs);
	dht_store_fini(&d->store);
	dht_table_fini(&d->table);
	timer_cancel(&d->timers, &d->sweep);
	timer_cancel(&d->timers, &d->refresh);
	timers_fini(&d->timers);
	sodium_memzero(d, sizeof(*d));
	free(d);
}
