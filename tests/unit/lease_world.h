/* lease_world.h - leases against a table of owners that stands for the keepers, on a disk that may
 * fail. For test_lease*.c. */
#ifndef TESTS_UNIT_LEASE_WORLD_H
#define TESTS_UNIT_LEASE_WORLD_H

#include "dht/lease.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "tests/check.h"

#define ASKED_MAX 64
#define EVENTS_MAX 256
#define DISK_MAX 64
#define OWNED_MAX 512

struct asked {
	uint64_t op;
	struct reg_op req;
	uint8_t payload[REG_PAYLOAD_OWNED_MAX];
};

struct stored {
	uint8_t key[80], value[GRANT_MAX + 64];
	size_t key_len, len;
	uint64_t op;
};

struct owned {
	struct reg_name name;
	struct pubkey owner;
	uint64_t generation;
	bool released;
};

struct world {
	struct leases *l;
	struct lease_config cfg;
	struct wall wall;
	struct pubkey other;
	usec_t now;
	uint32_t dice;
	bool disk_broken, disk_silent, submit_full;
	size_t room; /* that many may be asked at once; 0 = ASKED_MAX */
	size_t submits, persists;
	struct reg_name bad; /* that nothing can be asked about */
	struct asked asked[ASKED_MAX];
	size_t asked_count;
	struct stored writes[DISK_MAX]; /* not answered yet */
	size_t write_count;
	struct stored disk[DISK_MAX];
	size_t disk_count;
	struct owned owned[OWNED_MAX];
	size_t owned_count;
	struct lease_event events[EVENTS_MAX];
	size_t event_count;
	uint64_t number;
	uint32_t granted; /* seconds, 0 = what was asked for */
	uint64_t behind;  /* seconds, the keepers' clock */
	struct ip hint;	  /* that the keepers give */
	bool full;	  /* as they say */
	size_t claims;
};

static inline void env_random(void *ctx, void *out, size_t len)
{
	struct world *w = ctx;

	for (size_t i = 0; i < len; i++) {
		w->dice = w->dice * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(w->dice >> 24);
	}
}

static inline int env_submit(void *ctx, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct world *w = ctx;
	struct asked *a = &w->asked[w->asked_count];

	(void)now;
	w->submits++;
	if (reg_name_equal(&req->name, &w->bad))
		return -EINVAL;
	if (w->submit_full || w->asked_count == (w->room ? w->room : ASKED_MAX))
		return -EBUSY;
	w->asked_count++;
	w->claims += req->verb == OP_CLAIM;
	a->op = op;
	a->req = *req;
	if (req->payload_len)
		memcpy(a->payload, req->payload, req->payload_len);
	return 0;
}

static inline void env_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			const uint8_t *value, size_t len)
{
	struct world *w = ctx;
	struct stored *s = &w->writes[w->write_count];

	w->persists++;
	if (w->write_count == DISK_MAX)
		return;
	w->write_count++;
	s->op = op;
	s->key_len = key_len;
	s->len = len;
	memcpy(s->key, key, key_len);
	if (len)
		memcpy(s->value, value, len);
}

static inline void env_event(void *ctx, const struct lease_event *e)
{
	struct world *w = ctx;

	if (w->event_count < EVENTS_MAX)
		w->events[w->event_count++] = *e;
}

static inline struct stored *on_disk(struct world *w, const struct stored *like)
{
	for (size_t i = 0; i < w->disk_count; i++)
		if (w->disk[i].key_len == like->key_len &&
		    memcmp(w->disk[i].key, like->key, like->key_len) == 0)
			return &w->disk[i];
	return NULL;
}

static inline void to_disk(struct world *w, const struct stored *s)
{
	struct stored *at = on_disk(w, s);

	if (!at && s->len && w->disk_count < DISK_MAX)
		at = &w->disk[w->disk_count++];
	if (at && s->len)
		*at = *s;
	else if (at)
		*at = w->disk[--w->disk_count];
}

/* Answers what was written so far. */
static inline void disk_answers(struct world *w)
{
	struct stored batch[DISK_MAX];
	size_t n = w->write_count;

	memcpy(batch, w->writes, n * sizeof(batch[0]));
	w->write_count = 0;
	for (size_t i = 0; i < n; i++) {
		if (!w->disk_broken)
			to_disk(w, &batch[i]);
		if (!w->disk_silent)
			leases_persisted(w->l, batch[i].op, w->disk_broken ? -EIO : 0, w->now);
	}
}

static inline struct owned *owner_of(struct world *w, const struct reg_name *name)
{
	for (size_t i = 0; i < w->owned_count; i++)
		if (reg_name_equal(&w->owned[i].name, name))
			return &w->owned[i];
	return NULL;
}

static inline struct owned *own(struct world *w, const struct reg_name *name, const struct pubkey *who)
{
	struct owned *o = owner_of(w, name);

	if (!o && w->owned_count < OWNED_MAX)
		o = &w->owned[w->owned_count++];
	o->name = *name;
	o->owner = *who;
	o->generation++;
	o->released = false;
	return o;
}

static inline size_t make_grant(struct world *w, uint8_t *out, const struct asked *a,
			 const struct owned *o)
{
	uint8_t sig[1][SIG_LEN] = { { 1 } };
	struct grant g = { .name = o->name,
			   .state = o->released ? REG_RELEASED : REG_HELD,
			   .generation = o->generation,
			   .owner = o->owner,
			   .number = ++w->number,
			   .beacon = wall_seconds(&w->wall, w->now) - w->behind };

	memcpy(g.nsid, w->cfg.nsid, NSID_LEN);
	g.lease = w->granted ? w->granted : a->req.lease;
	if (!o->released) {
		g.payload = a->payload;
		g.payload_len = a->req.payload_len;
	}
	return grant_write(out, GRANT_MAX, &g, 1, sig);
}

static inline void world_tell(struct world *w, uint64_t op, struct reg_answer a)
{
	leases_result(w->l, op, &a, w->now);
}

/* What the keepers add to "owned": that all are, or one that they think is free. */
static inline struct reg_answer refusal(const struct world *w, const struct pubkey *owner)
{
	return (struct reg_answer){ .status = w->full ? REG_FULL : REG_OWNED, .holder = *owner,
				    .hint = w->hint };
}

static inline void answer(struct world *w, const struct asked *a)
{
	uint8_t grant[GRANT_MAX];
	struct owned *o = owner_of(w, &a->req.name);
	size_t len;

	if (o && !o->released && !key_equal(&o->owner, &w->cfg.self)) {
		world_tell(w, a->op, refusal(w, &o->owner));
		return;
	}
	if (a->req.verb != OP_CLAIM && (!o || o->released)) {
		world_tell(w, a->op, (struct reg_answer){ .status = REG_UNKNOWN, .holder = w->other });
		return;
	}
	if (a->req.verb == OP_CLAIM && (!o || o->released))
		o = own(w, &a->req.name, &w->cfg.self);
	o->released = a->req.verb == OP_RELEASE;
	len = make_grant(w, grant, a, o);
	world_tell(w, a->op, (struct reg_answer){ REG_OK, o->owner, .grant = grant, .len = len });
}

static inline void keepers_say(struct world *w, enum reg_status status)
{
	struct asked batch[ASKED_MAX];
	size_t n = w->asked_count;

	memcpy(batch, w->asked, n * sizeof(batch[0]));
	w->asked_count = 0;
	for (size_t i = 0; i < n; i++)
		if (status == REG_OK)
			answer(w, &batch[i]);
		else
			world_tell(w, batch[i].op, (struct reg_answer){ status, .holder = w->other });
}

/* Lets everything happen for `t`, keepers answering with `status`. */
static inline void run(struct world *w, usec_t t, enum reg_status status)
{
	usec_t end = w->now + t;

	for (int i = 0; i < 20000; i++) {
		leases_tick(w->l, w->now);
		disk_answers(w);
		keepers_say(w, status);
		if (w->write_count || w->asked_count || leases_deadline(w->l) <= w->now)
			continue;
		if (leases_deadline(w->l) > end)
			break;
		w->now = leases_deadline(w->l);
	}
	w->now = end;
}

static inline void begin(struct world *w)
{
	struct lease_env env = { .ctx = w, .random = env_random, .submit = env_submit,
				 .persist = env_persist, .event = env_event };

	w->l = leases_new(&w->cfg, &env, w->now);
	for (size_t i = 0; i < w->disk_count; i++)
		CHECK(leases_restore(w->l, w->disk[i].key, w->disk[i].key_len, w->disk[i].value,
				     w->disk[i].len, w->now));
	leases_started(w->l, w->now);
}

static inline struct world *world_new(const char *subnet)
{
	struct world *w = mem_new(sizeof(*w));

	w->now = SEC(1000);
	w->wall = (struct wall){ 1800000000, 0 };
	w->other.b[0] = 9;
	w->cfg = (struct lease_config){ .self = { { 7 } }, .lease = 86400, .wall = &w->wall,
					.same_machine = true };
	prefix_parse(&w->cfg.subnet, subnet);
	begin(w);
	return w;
}

static inline void world_free(struct world *w)
{
	leases_free(w->l);
	free(w);
}

/* The process dies: what it asked and wrote without an answer is gone (or not: `flushed`). */
static inline void restart(struct world *w, bool flushed, bool same_machine)
{
	for (size_t i = 0; i < w->write_count && flushed; i++)
		to_disk(w, &w->writes[i]);
	w->write_count = w->asked_count = w->event_count = 0;
	leases_free(w->l);
	w->cfg.same_machine = same_machine;
	begin(w);
}

static inline size_t events_of(const struct world *w, enum lease_event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < w->event_count; i++)
		n += w->events[i].type == type;
	return n;
}

static inline const struct lease_event *last_event(const struct world *w, enum lease_event_type type)
{
	for (size_t i = w->event_count; i > 0; i--)
		if (w->events[i - 1].type == type)
			return &w->events[i - 1];
	return NULL;
}

static inline bool info_of(const struct world *w, enum reg_kind kind, struct lease_info *out)
{
	size_t at = 0;

	while (leases_next(w->l, &at, out, w->now))
		if (out->name.kind == kind)
			return true;
	return false;
}

static inline struct reg_name address(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return reg_name_address(&ip);
}

static inline bool has_name(const struct lease_event *e, const struct reg_name *name)
{
	return e && reg_name_equal(&e->name, name);
}

#endif
