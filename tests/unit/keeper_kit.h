/* keeper_kit.h - keepers in a test: a disk that loses what was not yet written, a net that loses
 * messages, settings, keys, and operations made easy. Virtual time, one generator. */
#ifndef TESTS_UNIT_KEEPER_KIT_H
#define TESTS_UNIT_KEEPER_KIT_H

#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "dht/keeper.h"
#include "dht/regmsg.h"
#include "dht/token.h"
#include "tests/check.h"

#define KIT_WALL 1800000000
#define KIT_RECORDS 4096
#define KIT_WRITES 2048
#define KIT_MESSAGES 2048
#define KIT_ANSWERS 256

struct kit_record {
	uint8_t key[80];
	size_t key_len, len;
	uint8_t *value;
};

struct kit_write { /* handed to the disk, not yet durable */
	uint64_t op;
	struct kit_record r;
};

struct kit_message {
	struct pubkey from, to;
	usec_t at;
	uint8_t *bytes;
	size_t len;
};

struct kit_answer {
	uint64_t request;
	struct pubkey to;
	enum reg_status status;
	struct pubkey holder;
	struct ip hint;
	uint64_t detail;
	uint8_t grant[GRANT_MAX];
	size_t len;
};

struct kit;
struct kit_keeper {
	struct kit *kit;
	struct key_pair key, epoch_key;
	struct keeper_role *k;
	struct drops drops; /* of all its lives */
	struct kit_record records[KIT_RECORDS];
	size_t record_count;
	struct kit_write writes[KIT_WRITES];
	size_t write_count;
	bool disk_fails, is_cut_off;
	/* A lying keeper: changes what it says to another; false: says nothing. */
	bool (*lie)(struct kit_keeper *kk, const struct pubkey *to, struct regmsg *m);
	void (*wrote)(struct kit_keeper *kk); /* something is durable */
	void (*hear)(struct kit_keeper *kk, const struct pubkey *from, const struct regmsg *m);
	size_t changed, caught[EVIDENCE_KINDS];
};

struct kit {
	usec_t now;
	struct wall wall;
	uint32_t rng;
	unsigned loss; /* percent of messages */
	struct key_pair root;
	struct settings settings;
	struct config config;
	bool has_config;
	struct kit_keeper keepers[KEEPERS_MAX];
	size_t count;
	struct kit_message messages[KIT_MESSAGES];
	size_t message_count;
	struct kit_answer answers[KIT_ANSWERS]; /* RESULT, local results and enrolments alike */
	size_t answer_count;
	uint64_t request, number;
	struct mark shown[KEEPERS_MAX]; /* by each keeper to clients, the last */
};

static inline uint32_t kit_draw(struct kit *t)
{
	t->rng = t->rng * 1664525u + 1013904223u;
	return t->rng >> 8;
}

static inline struct key_pair kit_key(uint32_t n)
{
	uint8_t seed[SEED_LEN] = { 7 };
	struct key_pair k;

	memcpy(seed + 1, &n, sizeof(n));
	while (!key_from_seed(&k, seed))
		seed[31]++;
	return k;
}

static inline void kit_random(void *ctx, void *out, size_t len)
{
	struct kit_keeper *kk = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)kit_draw(kk->kit);
}

static inline void kit_answer(struct kit *t, uint64_t request, const struct pubkey *to,
			      const struct keeper_answer *a)
{
	struct kit_answer *x = &t->answers[t->answer_count++ % KIT_ANSWERS];

	*x = (struct kit_answer){ .request = request, .to = *to, .status = a->status,
				  .holder = a->holder, .hint = a->hint, .detail = a->detail,
				  .len = a->len };
	if (a->len)
		memcpy(x->grant, a->grant, a->len);
}

static inline bool kit_is_keeper(struct kit *t, const struct pubkey *key)
{
	for (size_t i = 0; i < t->count; i++)
		if (key_equal(key, &t->keepers[i].key.pub))
			return true;
	return false;
}

/* On its way to another keeper. */
static inline void kit_post(struct kit_keeper *kk, const struct pubkey *to, const uint8_t *msg,
			    size_t len)
{
	struct kit *t = kk->kit;

	if (kk->is_cut_off || kit_draw(t) % 100 < t->loss || t->message_count >= KIT_MESSAGES)
		return;
	t->messages[t->message_count++] =
		(struct kit_message){ kk->key.pub, *to, t->now + MSEC(1 + kit_draw(t) % 30),
				      mem_copy(msg, len), len };
}

static inline void kit_say(struct kit_keeper *kk, const struct pubkey *to, const struct regmsg *m)
{
	uint8_t msg[REGMSG_MAX];
	size_t len = regmsg_write(msg, sizeof(msg), m);

	CHECK(len > 0);
	kit_post(kk, to, msg, len);
}

static inline void kit_send(void *ctx, const struct pubkey *to, uint8_t service, const uint8_t *msg,
			    size_t len)
{
	struct kit_keeper *kk = ctx;
	struct kit *t = kk->kit;
	struct regmsg m;

	CHECK_EQ_INT(service, 4);
	if (kit_is_keeper(t, to)) {
		CHECK(!key_equal(to, &kk->key.pub));
		if (!kk->lie)
			kit_post(kk, to, msg, len);
		else if (regmsg_read(&m, msg, len) && kk->lie(kk, to, &m))
			kit_say(kk, to, &m);
		return;
	}
	CHECK(regmsg_read(&m, msg, len) && m.type == REGMSG_RESULT);
	if (m.mark.starts)
		t->shown[kk - t->keepers] = m.mark;
	kit_answer(t, m.request, to,
		   &(struct keeper_answer){ .status = (enum reg_status)m.status, .holder = m.holder,
					    .hint = m.hint, .grant = m.bytes, .len = m.len });
}

static inline void kit_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			       const uint8_t *value, size_t len)
{
	struct kit_keeper *kk = ctx;
	struct kit_write *w = &kk->writes[kk->write_count++];

	CHECK(op & KEEPER_OP);
	CHECK(kk->write_count <= KIT_WRITES && key_len <= sizeof(w->r.key));
	w->op = op;
	w->r = (struct kit_record){ .key_len = key_len, .len = len,
				    .value = len ? mem_copy(value, len) : NULL };
	memcpy(w->r.key, key, key_len);
}

static inline const struct settings *kit_settings(void *ctx)
{
	struct kit_keeper *kk = ctx;

	return &kk->kit->settings;
}

static inline const struct config *kit_config(void *ctx)
{
	struct kit_keeper *kk = ctx;

	return kk->kit->has_config ? &kk->kit->config : NULL;
}

static inline void kit_ask_chain(void *ctx, const struct pubkey *from, const uint8_t *b, size_t len)
{
	(void)ctx, (void)from, (void)b, (void)len;
}

static inline const struct config *kit_config_of(void *ctx, uint32_t era, uint32_t epoch)
{
	const struct config *cf = kit_config(ctx);

	return cf && cf->era == era && cf->epoch == epoch ? cf : NULL;
}

static inline bool kit_config_durable(void *ctx)
{
	(void)ctx;
	return true;
}

static inline void kit_chosen(void *ctx, const uint8_t *config, size_t len)
{
	(void)ctx;
	(void)config;
	(void)len;
}

static inline void kit_lead(void *ctx, const struct pubkey *peer, uint32_t era, uint32_t epoch)
{
	(void)ctx;
	(void)peer;
	(void)era;
	(void)epoch;
}

static inline void kit_installed(void *ctx) { (void)ctx; }

static inline void kit_result(void *ctx, uint64_t request, const struct keeper_answer *a)
{
	struct kit_keeper *kk = ctx;

	kit_answer(kk->kit, request, &kk->key.pub, a);
}

static inline void kit_enrolled(void *ctx, const struct pubkey *to, uint64_t request,
				const struct keeper_answer *a)
{
	struct kit_keeper *kk = ctx;

	kit_answer(kk->kit, request, to, a);
}

static inline void kit_changed(void *ctx, const struct reg_name *name, const uint8_t *grant,
			       size_t len)
{
	struct kit_keeper *kk = ctx;
	struct grant g;

	CHECK(grant_verify(&g, grant, len, &kk->kit->config, &crypto_real));
	CHECK(reg_name_equal(&g.name, name));
	kk->changed++;
}

static inline void kit_caught(void *ctx, const struct evidence *e)
{
	struct kit_keeper *kk = ctx;

	kk->caught[e->kind]++;
}

static inline void kit_keeper_new(struct kit_keeper *kk)
{
	struct keeper_config cfg = { .self = kk->key, .root = kk->kit->root.pub,
				     .crypto = &crypto_real, .wall = &kk->kit->wall,
				     .drops = &kk->drops };
	struct keeper_env env = { .ctx = kk, .random = kit_random, .send = kit_send,
				  .persist = kit_persist, .settings = kit_settings,
				  .config = kit_config, .config_of = kit_config_of,
				  .ask_chain = kit_ask_chain, .chosen = kit_chosen,
				  .config_durable = kit_config_durable, .installed = kit_installed,
				  .lead = kit_lead, .result = kit_result, .caught = kit_caught,
				  .enrolled = kit_enrolled, .changed = kit_changed };

	kk->k = keeper_new(&cfg, &env, kk->kit->now);
}

static inline void kit_record_put(struct kit_keeper *kk, struct kit_record *r)
{
	for (size_t i = 0; i < kk->record_count; i++) {
		struct kit_record *old = &kk->records[i];

		if (old->key_len != r->key_len || memcmp(old->key, r->key, r->key_len) != 0)
			continue;
		free(old->value);
		*old = r->len ? *r : kk->records[--kk->record_count];
		return;
	}
	if (!r->len)
		return;
	CHECK(kk->record_count < KIT_RECORDS);
	kk->records[kk->record_count++] = *r;
}

/* The first write under way becomes durable (or fails), and is answered. */
static inline bool kit_write_one(struct kit_keeper *kk)
{
	struct kit_write w;

	if (!kk->write_count)
		return false;
	w = kk->writes[0];
	memmove(&kk->writes[0], &kk->writes[1], --kk->write_count * sizeof(kk->writes[0]));
	if (kk->disk_fails)
		free(w.r.value);
	else
		kit_record_put(kk, &w.r);
	if (kk->wrote && !kk->disk_fails)
		kk->wrote(kk);
	keeper_persisted(kk->k, w.op, kk->disk_fails ? -ENOSPC : 0, kk->kit->now);
	return true;
}

/* kill -9: what is not durable is lost. Then a new process. */
static inline void kit_crash(struct kit_keeper *kk)
{
	for (size_t i = 0; i < kk->write_count; i++)
		free(kk->writes[i].r.value);
	kk->write_count = 0;
	keeper_free(kk->k);
	kit_keeper_new(kk);
	for (size_t i = 0; i < kk->record_count; i++)
		CHECK(keeper_restore(kk->k, kk->records[i].key, kk->records[i].key_len,
				     kk->records[i].value, kk->records[i].len));
	keeper_started(kk->k, kk->kit->now);
}

static inline void kit_hear(struct kit_keeper *kk, const struct kit_message *m)
{
	struct regmsg heard;

	if (kk->hear && regmsg_read(&heard, m->bytes, m->len))
		kk->hear(kk, &m->from, &heard);
	keeper_input(kk->k, &m->from, m->bytes, m->len, kk->kit->now);
}

static inline void kit_deliver(struct kit *t)
{
	for (size_t i = 0; i < t->message_count;) {
		struct kit_message m = t->messages[i];

		if (m.at > t->now) {
			i++;
			continue;
		}
		memmove(&t->messages[i], &t->messages[i + 1],
			(--t->message_count - i) * sizeof(m));
		for (size_t j = 0; j < t->count; j++)
			if (key_equal(&m.to, &t->keepers[j].key.pub) && !t->keepers[j].is_cut_off)
				kit_hear(&t->keepers[j], &m);
		free(m.bytes);
	}
}

/* Runs until nothing is left to do, or `span` has passed. */
static inline void kit_run(struct kit *t, usec_t span)
{
	usec_t end = t->now + span;

	for (;;) {
		usec_t next = USEC_NEVER;
		bool wrote = false;

		kit_deliver(t);
		for (size_t i = 0; i < t->count; i++) {
			while (kit_write_one(&t->keepers[i]))
				wrote = true;
			if (keeper_deadline(t->keepers[i].k) <= t->now)
				keeper_tick(t->keepers[i].k, t->now);
			next = usec_min(next, keeper_deadline(t->keepers[i].k));
			wrote |= t->keepers[i].write_count != 0;
		}
		if (wrote)
			continue;
		for (size_t i = 0; i < t->message_count; i++)
			next = usec_min(next, t->messages[i].at);
		if (next > end)
			break;
		t->now = next > t->now ? next : t->now;
	}
}

static inline void kit_settings_make(struct kit *t)
{
	t->settings = (struct settings){ .root = t->root.pub, .number = 1, .name = "lab",
					 .lease = 86400, .mtu = 1420 };
	CHECK(prefix_parse(&t->settings.subnet, "10.1.0.0/16"));
}

static inline void kit_record_add(struct kit_keeper *kk, const char *key, const struct wr *w)
{
	struct kit_record r = { .key_len = 1, .len = wr_len(w),
				.value = mem_copy(w->start, wr_len(w)) };

	r.key[0] = (uint8_t)key[0];
	kit_record_put(kk, &r);
}

/* Several keepers from the start: their records are written by hand. */
static inline void kit_make_set(struct kit *t, uint8_t quorum)
{
	t->config.era = 0;
	t->config.epoch = 1;
	t->config.root = t->root.pub;
	t->config.count = (uint8_t)t->count;
	t->config.quorum = quorum;
	for (size_t i = 0; i < t->count; i++) {
		struct kit_keeper *kk = &t->keepers[i];
		struct keeper *m = &t->config.members[i];
		uint8_t buf[64], seed[SEED_LEN] = { 99, (uint8_t)i };
		struct wr w;

		while (!key_from_seed(&kk->epoch_key, seed))
			seed[2]++;
		*m = (struct keeper){ .node = kk->key.pub, .incarnation = i + 1,
				      .epoch_key = kk->epoch_key.pub };
		keeper_certify(m, &t->config, &kk->key, &crypto_real);
		w = wr_of(buf, sizeof(buf));
		wr_u8(&w, 2);
		wr_u8(&w, 1);
		wr_u32(&w, 0);
		wr_u32(&w, 1);
		wr_copy(&w, seed, SEED_LEN);
		kit_record_add(kk, "e", &w);
		w = wr_of(buf, sizeof(buf));
		wr_u8(&w, 1);
		wr_u32(&w, 0);
		wr_u32(&w, 1);
		wr_u8(&w, 0);
		wr_u64(&w, 0);
		kit_record_add(kk, "i", &w);
		w = wr_of(buf, sizeof(buf));
		wr_u8(&w, 1);
		wr_u64(&w, i + 1);
		wr_u64(&w, 1);
		kit_record_add(kk, "k", &w);
	}
	CHECK(config_genesis(&t->config, &t->root, &crypto_real));
}

static inline struct kit *kit_new_set(size_t keepers, uint8_t quorum)
{
	struct kit *t = mem_new(sizeof(*t));

	t->now = SEC(1000);
	t->wall = (struct wall){ KIT_WALL, t->now };
	t->rng = 1;
	t->count = keepers;
	t->root = kit_key(1000);
	kit_settings_make(t);
	for (size_t i = 0; i < keepers; i++) {
		t->keepers[i].kit = t;
		t->keepers[i].key = kit_key(2000 + (uint32_t)i);
		kit_keeper_new(&t->keepers[i]);
	}
	if (keepers == 1)
		keeper_genesis(t->keepers[0].k, &t->root, 0, &t->config, t->now);
	else
		kit_make_set(t, quorum);
	t->has_config = true;
	for (size_t i = 0; keepers > 1 && i < keepers; i++)
		kit_crash(&t->keepers[i]);
	return t;
}

static inline struct kit *kit_new(size_t keepers)
{
	return kit_new_set(keepers, (uint8_t)(keepers / 2 + 1));
}

static inline void kit_free(struct kit *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct kit_keeper *kk = &t->keepers[i];

		for (size_t j = 0; j < kk->write_count; j++)
			free(kk->writes[j].r.value);
		for (size_t j = 0; j < kk->record_count; j++)
			free(kk->records[j].value);
		keeper_free(kk->k);
	}
	for (size_t i = 0; i < t->message_count; i++)
		free(t->messages[i].bytes);
	free(t);
}

#endif
