/* put.c - one record of ours brought to one node, and what the node says to it.
 *
 * Requests carry the record's sequence number as their tag: the answer to what was signed anew or
 * withdrawn since finds nothing. A holder that has a higher one of ours (from before the clock was
 * set back) is asked for it, and we sign above it. */
#include "dht/put.h"

#define CONFLICT_WAIT SEC(10) /* between two looks at a holder's higher sequence number */
#define SEED_AGAIN SEC(4)     /* after the ring's nearest did not answer a new node */

void put_lost(struct own_record *o, uint64_t place, usec_t at)
{
	if (!own_replica_remove(o, place))
		return;
	if (o->gone < UINT8_MAX)
		o->gone++;
	if (own_is_thin(o))
		publish_due_no_later(o, at);
}

static void conflict_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct publisher *p = ctx;
	struct own_record *o = map_get(&p->by_seq, &r->owner.tag);

	for (size_t i = 0; o && m && i < m->records; i++) {
		struct record held;

		if (!record_read(&held, m->record[i].p, m->record[i].len) ||
		    !record_name_equal(&held.name, &o->name) || held.seq < o->seq ||
		    !key_equal(&held.signer, &p->cfg->self.pub) ||
		    record_check_signature(&held, p->cfg->crypto))
			continue;
		own_raise_seq(p, held.seq);
		own_sign(o, now);
		publish_again(o, now);
		break;
	}
}

void put_conflict(struct own_record *o, const struct pubkey *holder, usec_t now)
{
	struct rpc_owner owner = { .done = conflict_done, .ctx = o->all, .tag = o->seq };
	struct dht_msg m = { .type = DHT_MSG_GET, .name = o->name };

	if (now < o->conflict_after)
		return;
	o->conflict_after = now + CONFLICT_WAIT;
	rpc_call(o->all->rpcs, holder, &m, &owner, now);
}

static void failed(struct own_record *o, uint64_t place, usec_t now)
{
	put_lost(o, place, now + o->retry + publish_jitter(o->all, o->retry));
}

/* Whom the ring took for the nearest may just have died: a record must not wait for its first round
 * for that. */
static void seed_again(struct own_record *o, usec_t now)
{
	o->seeded = false;
	publish_due_no_later(o, now + SEED_AGAIN);
}

static void put_done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct publisher *p = ctx;
	struct own_record *o = map_get(&p->by_seq, &r->owner.tag);

	if (!o)
		return; /* signed anew, withdrawn, or forgotten since */
	if (m && dht_msg_has(m)) {
		if (r->nearest && !own_replica(o, place_of(&r->to)))
			own_replica_add(o, place_of(&r->to));
		return;
	}
	if (!r->nearest)
		failed(o, place_of(&r->to), now);
	else if (!m && publish_is_fresh(p, now))
		seed_again(o, now);
	if (m && m->status == DHT_STORED_OLDER)
		put_conflict(o, &r->to, now);
}

void put_to(struct own_record *o, const struct pubkey *key, usec_t now)
{
	struct rpc_owner owner = { .done = put_done, .ctx = o->all, .tag = o->seq };
	uint64_t place = place_of(key);
	struct dht_msg m;

	if (own_replica(o, place) || !own_put_request(o, &m))
		return;
	own_replica_add(o, place);
	if (rpc_call(o->all->rpcs, key, &m, &owner, now) < 0)
		failed(o, place, now);
}

void put_to_nearest(struct own_record *o, usec_t now)
{
	struct rpc_owner owner = { .done = put_done, .ctx = o->all, .tag = o->seq };
	struct dht_msg m;

	if (own_put_request(o, &m))
		rpc_call_nearest(o->all->rpcs, &o->name.key, &m, &owner, now);
}
