/* own.c - one record of ours: its signatures and who has it.
 *
 * The record's bytes stand in the store, which never refuses our own. The sequence number rises
 * with the wall clock and with every signature, so each names one signature of one record: a late
 * answer to an older one finds nothing. Holders are remembered by 32 bits of their places, at most
 * OWN_REPLICAS_MAX, the nearest; of the topic there is its name's hash and the secret. */
#include "dht/own.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/spread.h"

#define SEQ_SHIFT 20 /* signatures a second before the number runs ahead of the clock */

struct own_record *own_new(struct publisher *p, const struct dht_topic *t,
			    void (*due)(struct timer *timer, usec_t now))
{
	struct own_record *o = mem_new(sizeof(*o));

	o->all = p;
	o->name = record_name_of(t);
	memcpy(o->secret, t->secret, sizeof(o->secret));
	list_init(&o->in_due);
	timer_init(&o->timer, due);
	map_put(&p->by_name, o);
	return o;
}

/* What was signed anew has another round. */
static void spread_end(struct own_record *o)
{
	o->all->looking -= o->spread != NULL;
	spread_cancel(o);
}

void own_free(struct own_record *o)
{
	struct publisher *p = o->all;

	spread_end(o);
	if (o->lookup) {
		lookup_cancel(o->lookup);
		p->looking--;
	}
	p->withdrawn -= o->withdrawn;
	map_take(&p->by_name, &o->name);
	map_take(&p->by_seq, &o->seq);
	timer_cancel(p->timers, &o->timer);
	list_del(&o->in_due);
	sodium_memzero(o->secret, sizeof(o->secret));
	if (o->body)
		sodium_memzero(o->body, o->len);
	free(o->body);
	free(o);
}

static uint32_t begin_of(uint64_t place) { return (uint32_t)(place >> 32); }

/* Its number among those remembered, or how many these are. */
static size_t find(const struct own_record *o, uint64_t place)
{
	size_t i = 0;

	while (i < o->replicas && o->replica[i] != begin_of(place))
		i++;
	return i;
}

bool own_replica(const struct own_record *o, uint64_t place) { return find(o, place) < o->replicas; }

bool own_replica_remove(struct own_record *o, uint64_t place)
{
	size_t at = find(o, place);

	if (at == o->replicas)
		return false;
	o->replica[at] = o->replica[--o->replicas];
	return true;
}

void own_replica_add(struct own_record *o, uint64_t place)
{
	uint32_t target = begin_of(place_of_id(&o->name.key)), *far = &o->replica[0];

	if (o->replicas < OWN_REPLICAS_MAX) {
		o->replica[o->replicas++] = begin_of(place);
		return;
	}
	for (size_t i = 1; i < o->replicas; i++)
		if ((o->replica[i] ^ target) > (*far ^ target))
			far = &o->replica[i];
	*far = begin_of(place);
}

/* A quarter of those the last round put it to is gone. */
bool own_is_thin(const struct own_record *o)
{
	return o->gone > 0 && 4 * o->gone >= o->puts;
}

void own_raise_seq(struct publisher *p, uint64_t seq)
{
	if (seq > p->last_seq && seq < UINT64_MAX / 2)
		p->last_seq = seq;
}

static uint32_t life_of(const struct own_record *o)
{
	return o->withdrawn && o->lifetime > PUBLISH_EMPTY_LIFE ? PUBLISH_EMPTY_LIFE : o->lifetime;
}

void own_sign(struct own_record *o, usec_t now)
{
	struct publisher *p = o->all;
	uint64_t wall = wall_seconds(p->cfg->wall, now);
	struct record_draft d = { .name = o->name, .secret = o->secret,
				  .body = o->body, .len = o->len };
	uint8_t bytes[RECORD_LEN_MAX];
	struct record r;
	bool ok;

	spread_end(o);
	if (dht_store_find(p->store, &o->name, &p->cfg->self.pub, &r))
		own_raise_seq(p, r.seq);
	own_raise_seq(p, (wall << SEQ_SHIFT) - 1);
	if (o->seq)
		map_take(&p->by_seq, &o->seq);
	o->seq = d.seq = ++p->last_seq;
	map_put(&p->by_seq, o);
	d.expires = wall + life_of(o);
	p->env->random(p->env->ctx, d.nonce, sizeof(d.nonce));
	ok = record_read(&r, bytes, record_write(bytes, &d, &p->cfg->self, p->cfg->crypto));
	assert(ok);
	(void)ok;
	o->signed_at = now;
	o->replicas = o->gone = 0;
	o->retry = PUBLISH_RETRY;
	dht_store_remove(p->store, &o->name, &p->cfg->self.pub);
	dht_store_put(p->store, &r, wall);
}

bool own_put_request(struct own_record *o, struct dht_msg *m)
{
	struct record r;

	if (!dht_store_find(o->all->store, &o->name, &o->all->cfg->self.pub, &r) ||
	    r.seq != o->seq)
		return false;
	*m = (struct dht_msg){ .type = DHT_MSG_PUT, .records = 1 };
	m->record[0] = (struct dht_bytes){ r.bytes, r.len };
	return true;
}

usec_t own_half_life(const struct own_record *o) { return SEC((uint64_t)life_of(o)) / 2; }
