/* answer.c - requests of others.
 *
 * Everybody is answered, at most SENDERS_RATE a second and key, and a requester who has not proven
 * its key with at most DHT_ANSWER_ROUTED_MAX bytes. Asking makes no contact: a stranger whose
 * bucket wants it is remembered for tend.c; a near one that is just joining is pinged at once
 * (STRANGERS_RATE a second at most, and not while we are new ourselves: then everybody is).
 * A client never becomes one. */
#include "dht/impl.h"

#include <assert.h>

struct request {
	const struct pubkey *from;
	bool proven;
	const struct dht_msg *m;
};

static void answer(struct dht *d, const struct request *q, struct dht_msg *m)
{
	uint8_t out[DHT_MSG_MAX];

	m->id = q->m->id;
	d->env.send(d->env.ctx, q->from, out, dht_msg_write(out, sizeof(out), m), 0);
}

/* The nearest contacts to the target, as many as fit into `room` bytes, the asker left out. */
static void answer_keys(struct dht *d, const struct request *q, const struct node_id *target,
			struct dht_msg *m, size_t room)
{
	const struct contact *c[DHT_K + 1];
	size_t n = dht_table_nearest(&d->table, place_of_id(target), c, DHT_K + 1);
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
	answer_keys(d, q, &q->m->name.key, &m, DHT_K * KEY_LEN);
	answer(d, q, &m);
}

/* Records first, starting anywhere so that every signer gets its turn where not all fit. */
static void get_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_VALUES };
	struct record held[DHT_MSG_RECORDS_MAX];
	size_t room = (q->proven ? DHT_MSG_MAX : DHT_ANSWER_ROUTED_MAX) - DHT_MSG_HEAD_LEN - 2;
	size_t n = dht_store_get(&d->store, &q->m->name, dht_wall(d, now), held,
				 DHT_MSG_RECORDS_MAX);
	uint8_t start;

	d->env.random(d->env.ctx, &start, sizeof(start));
	for (size_t i = 0; i < n; i++) {
		const struct record *r = &held[(start + i) % n];

		if (2 + r->len > room)
			continue;
		m.record[m.records++] = (struct dht_bytes){ r->bytes, r->len };
		room -= 2 + r->len;
	}
	m.more = m.records < n;
	answer_keys(d, q, &q->m->name.key, &m, room);
	answer(d, q, &m);
}

/* Cheap checks first, the signature last. */
static enum drop put_judge(struct dht *d, const struct request *q, struct record *r, bool *held,
			   usec_t now)
{
	static const enum drop why_not[] = {
		[STORE_NEW] = DROP_NONE,  [STORE_SAME] = DROP_NONE,   [STORE_OLDER] = DROP_STALE,
		[STORE_FULL] = DROP_FULL, [STORE_QUOTA] = DROP_QUOTA,
	};
	uint64_t wall = dht_wall(d, now);
	enum store_result result;
	enum drop why;

	if (!record_read(r, q->m->record[0].p, q->m->record[0].len))
		return DROP_MALFORMED;
	why = record_check_dates(r, wall);
	if (why)
		return why;
	result = dht_store_ask(&d->store, r, wall);
	*held = result == STORE_SAME;
	if (result != STORE_NEW)
		return why_not[result];
	if (!q->proven && !limit_take(&d->routed_checks, now))
		return DROP_RATE;
	why = record_check_signature(r, d->cfg.crypto);
	return why ? why : why_not[dht_store_put(&d->store, r, wall)];
}

static uint8_t status_of(enum drop why, bool held)
{
	if (!why)
		return held ? DHT_STORED_HELD : DHT_STORED_OK;
	if (why == DROP_STALE)
		return DHT_STORED_OLDER;
	return why == DROP_FULL || why == DROP_QUOTA || why == DROP_RATE ? DHT_STORED_FULL :
									   DHT_STORED_REFUSED;
}

/* To the other replicas, as far as we know them: they do not answer, the owner asks some. */
static void spread(struct dht *d, const struct request *q, const struct record *r,
		   struct dht_msg *told)
{
	struct dht_msg m = { .type = DHT_MSG_PUT, .records = 1, .wish = DHT_WISH_SILENCE };
	uint8_t out[DHT_PUT_MAX];
	size_t len;

	m.record[0] = (struct dht_bytes){ r->bytes, r->len };
	len = dht_msg_write(out, sizeof(out), &m);
	answer_keys(d, q, &r->name.key, told, (DHT_REPLICAS - 1) * KEY_LEN);
	for (size_t i = 0; i < told->keys; i++)
		d->env.send(d->env.ctx, &told->key[i], out, len, 0);
}

static void put_answer(struct dht *d, const struct request *q, const struct record *r,
		       struct dht_msg *m, usec_t now)
{
	if (dht_msg_has(m) && q->m->wish == DHT_WISH_KEYS)
		answer_keys(d, q, &r->name.key, m, DHT_K * KEY_LEN);
	else if (dht_msg_has(m) && q->m->wish == DHT_WISH_SPREAD && limit_take(&d->spreads, now))
		spread(d, q, r, m);
	if (q->m->wish != DHT_WISH_SILENCE)
		answer(d, q, m);
}

static void put_handle(struct dht *d, const struct request *q, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_STORED };
	struct record r;
	bool held = false;
	enum drop why = put_judge(d, q, &r, &held, now);

	if (why)
		drop_add(d->cfg.drops, why);
	m.status = status_of(why, held);
	put_answer(d, q, &r, &m, now);
	if (!why && key_equal(&r.signer, &d->cfg.self.pub))
		publish_seen(&d->publisher, &r, now);
}

static void (*const handlers[DHT_MSG_TYPES])(struct dht *, const struct request *, usec_t) = {
	[DHT_MSG_PING] = ping_handle,
	[DHT_MSG_FIND] = find_handle,
	[DHT_MSG_GET] = get_handle,
	[DHT_MSG_PUT] = put_handle,
};

/* Whoever looks its own id up has come lately. */
static bool is_joining(const struct request *q)
{
	struct node_id id;

	if (q->m->type != DHT_MSG_FIND)
		return false;
	id = id_of(q->from);
	return id_equal(&id, &q->m->name.key);
}

static void asker_seen(struct dht *d, const struct request *q, usec_t now)
{
	if (q->m->client)
		dht_table_remove(&d->table, q->from);
	else if (q->proven)
		dht_contact_seen(d, q->from, false, now);
	else if (!dht_table_wants(&d->table, q->from))
		return;
	else if (is_joining(q) && dht_table_is_near(&d->table, q->from) &&
		 !publish_is_fresh(&d->publisher, now) && limit_take(&d->strangers, now))
		dht_ping(d, q->from, true, now);
	else
		tend_hear(d, q->from, now);
}

enum drop answer_request(struct dht *d, const struct pubkey *from, bool proven,
			 const struct dht_msg *m, usec_t now)
{
	struct request q = { .from = from, .proven = proven, .m = m };

	if (d->cfg.client)
		return DROP_UNKNOWN;
	dht_sweep_later(d, now);
	if (!senders_take(proven ? &d->proven : &d->routed, from, now))
		return DROP_RATE;
	assert(handlers[m->type]);
	handlers[m->type](d, &q, now);
	asker_seen(d, &q, now);
	return DROP_NONE;
}
