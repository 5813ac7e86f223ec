/* sim_light_work.c - what the light actor is asked to do: publish, look up, send.
 *
 * A topic is a number: secret and body follow from it, so that whoever looks it up can judge what
 * comes back. A send is routed to the receiver's id and answered with the links it crossed; the
 * sender repeats it after 0.5, 1 and 2 s, and gives up 4 s after the last; from the third time on
 * by way of another link of its own, since a way that ends at a hole in the ring, or at somebody
 * who drops, ends there each time. How many there are at once is the script's business. */
#include "cmd/sim_light_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"

#define BODY_LEN 256
#define LIFETIME 86400 /* seconds */
#define SENT_LEN 10    /* op, attempt or hops, zero */

struct sending {
	struct list list;
	uint64_t op;
	struct node_id to;
	unsigned attempt;
	usec_t next;
};

struct lookup {
	struct list list;
	uint64_t op, topic;
	bool found;
};

static const usec_t pauses[] = { MSEC(500), SEC(1), SEC(2), SEC(4) };

static void make_topic(struct dht_topic *t, uint8_t body[BODY_LEN], uint64_t number)
{
	uint8_t n[8];
	struct wr w = wr_of(n, sizeof(n));

	wr_u64(&w, number);
	memset(t, 0, sizeof(*t));
	t->kind = DHT_NAME;
	hash_of(t->secret, sizeof(t->secret), "vpnsim topic", n, sizeof(n));
	memcpy(t->name, "topic", 5);
	t->name_len = 5;
	for (size_t i = 0; i < BODY_LEN; i += 32)
		hash_of(body + i, 32, "vpnsim body", n, sizeof(n));
}

void light_publish(struct light *l, uint64_t op, uint64_t topic)
{
	struct dht_topic t;
	uint8_t body[BODY_LEN];

	make_topic(&t, body, topic);
	sim_host_done(l->host, op,
		      dht_publish(l->dht, &t, body, sizeof(body), LIFETIME, l->now) == 0, 0);
}

void light_lookup(struct light *l, uint64_t op, uint64_t topic)
{
	struct lookup *u = mem_new(sizeof(*u));
	struct dht_topic t;
	uint8_t body[BODY_LEN];

	make_topic(&t, body, topic);
	u->op = op;
	u->topic = topic;
	list_add_tail(&l->lookups, &u->list);
	if (dht_get(l->dht, op, &t, l->now) == 0)
		return;
	list_del(&u->list);
	free(u);
	sim_host_done(l->host, op, false, 0);
}

static struct lookup *lookup_of(struct light *l, uint64_t op)
{
	for (struct list *i = l->lookups.next; i != &l->lookups; i = i->next) {
		struct lookup *u = container_of(i, struct lookup, list);

		if (u->op == op)
			return u;
	}
	return NULL;
}

void light_work_event(struct light *l, const struct dht_event *e)
{
	struct lookup *u = lookup_of(l, e->op);
	struct dht_topic t;
	uint8_t body[BODY_LEN];

	if (!u)
		return;
	if (e->type == DHT_FOUND && !u->found) {
		make_topic(&t, body, u->topic);
		u->found = e->len == BODY_LEN && memcmp(e->body, body, BODY_LEN) == 0;
		if (u->found)
			sim_host_done(l->host, u->op, true, 0);
	} else if (e->type == DHT_DONE) {
		if (!u->found)
			sim_host_done(l->host, u->op, false, 0);
		list_del(&u->list);
		free(u);
	}
}

/* Who has what it looked for asks no further, as a node does. */
void light_work_settle(struct light *l)
{
	struct list *i = l->lookups.next, *next;

	for (; i != &l->lookups; i = next) {
		struct lookup *u = container_of(i, struct lookup, list);

		next = i->next;
		if (!u->found)
			continue;
		dht_cancel(l->dht, u->op);
		l->stirred = true;
		list_del(&u->list);
		free(u);
	}
}

static void transmit(struct light *l, struct sending *s)
{
	uint8_t body[SENT_LEN];
	struct wr w = wr_of(body, sizeof(body));
	struct light_routed m = { .service = LIGHT_SEND, .to = s->to, .body = body,
				  .len = sizeof(body) };
	const struct pubkey *agent = NULL;

	wr_u64(&w, s->op);
	wr_u16(&w, (uint16_t)s->attempt);
	if (s->attempt > 1)
		agent = ring_agent(l->ring, l->turn + s->attempt);
	s->next = l->now + pauses[s->attempt++];
	l->sends_at = usec_min(l->sends_at, s->next);
	if (agent)
		m.agent = id_of(agent);
	light_route_later(l, &m);
}

void light_send(struct light *l, uint64_t op, const struct pubkey *to)
{
	struct sending *s = mem_new(sizeof(*s));

	s->op = op;
	s->to = id_of(to);
	list_add_tail(&l->sends, &s->list);
	transmit(l, s);
}

/* Answered with how many links it crossed; 0 when it never left us. */
void light_work_delivered(struct light *l, const struct light_routed *m)
{
	uint8_t body[SENT_LEN];
	struct rd r = rd_of(m->body, m->len);
	struct wr w = wr_of(body, sizeof(body));
	bool own = id_equal(&m->source_id, &l->id);

	wr_u64(&w, rd_u64(&r));
	wr_u16(&w, own ? 0 : (uint16_t)(RING_HOPS - m->hops + 1));
	light_route_later(l, &(struct light_routed){ .service = LIGHT_SENT, .to = m->source_id,
						     .agent = m->source_agent, .body = body,
						     .len = sizeof(body) });
}

static void done(struct light *l, struct sending *s, bool ok, unsigned hops)
{
	sim_host_done(l->host, s->op, ok, hops);
	list_del(&s->list);
	free(s);
}

void light_work_answered(struct light *l, const struct light_routed *m)
{
	struct rd r = rd_of(m->body, m->len);
	uint64_t op = rd_u64(&r);
	unsigned hops = rd_u16(&r);

	for (struct list *i = l->sends.next; i != &l->sends; i = i->next) {
		struct sending *s = container_of(i, struct sending, list);

		if (s->op == op && rd_done(&r)) {
			done(l, s, true, hops);
			return;
		}
	}
}

void light_work_tick(struct light *l)
{
	if (l->sends_at > l->now)
		return;
	l->sends_at = USEC_NEVER;
	for (struct list *i = l->sends.next, *next; i != &l->sends; i = next) {
		struct sending *s = container_of(i, struct sending, list);

		next = i->next;
		if (s->next > l->now)
			l->sends_at = usec_min(l->sends_at, s->next);
		else if (s->attempt < ARRAY_LEN(pauses))
			transmit(l, s);
		else
			done(l, s, false, 0);
	}
}

/* What was asked of a host that stopped has failed. */
void light_work_clear(struct light *l)
{
	struct list *item;

	while (!list_is_empty(&l->sends))
		done(l, container_of(l->sends.next, struct sending, list), false, 0);
	while ((item = list_take(&l->lookups))) {
		struct lookup *u = container_of(item, struct lookup, list);

		if (!u->found)
			sim_host_done(l->host, u->op, false, 0);
		free(u);
	}
}
