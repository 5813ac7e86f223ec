/* A record that its nearest holder passes on: what holders do, and how owners are not fooled. */
#include "base/list.h"
#include "dht/dht.h"
#include "dht/msg.h"
#include "dht/path.h"
#include "dht/spread.h"
#include "dht/table.h"
#include "tests/check.h"

#define WALL 1800000000u
#define SENT_MAX 4096
#define PEERS 30

struct sent {
	bool nearest;
	struct pubkey to;
	struct dht_msg m;
};

/* One instance that knows PEERS others, and every message it sent. */
struct bench {
	struct dht *d;
	struct key_pair self, peer[PEERS];
	struct wall wall;
	struct drops drops;
	uint32_t random;
	usec_t now;
	size_t count;
	struct sent sent[SENT_MAX];
};

static struct key_pair pair_of(uint32_t n)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { (uint8_t)n, (uint8_t)(n >> 8), 7 };

	while (!key_from_seed(&k, seed))
		seed[3]++;
	return k;
}

static void random_bytes(void *ctx, void *out, size_t len)
{
	struct bench *b = ctx;

	for (size_t i = 0; i < len; i++) {
		b->random = b->random * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(b->random >> 16);
	}
}

/* Records point into the message, which is gone: only their number is kept. */
static void note(struct bench *b, bool nearest, const struct pubkey *to, struct dht_bytes msg)
{
	struct sent *s = &b->sent[b->count++];

	CHECK(b->count < SENT_MAX);
	*s = (struct sent){ .nearest = nearest };
	if (to)
		s->to = *to;
	CHECK_EQ_INT(dht_msg_read(&s->m, msg.p, msg.len), DROP_NONE);
}

static void send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len, unsigned way)
{
	(void)way;
	note(ctx, false, to, (struct dht_bytes){ msg, len });
}

static void send_nearest(void *ctx, const struct node_id *target, const uint8_t *msg, size_t len,
			 unsigned way)
{
	(void)way, (void)target;
	note(ctx, true, NULL, (struct dht_bytes){ msg, len });
}

static void event(void *ctx, const struct dht_event *e) { (void)ctx, (void)e; }

static void run(struct bench *b, usec_t span)
{
	for (usec_t end = b->now + span; b->now < end; b->now += MSEC(50))
		dht_tick(b->d, b->now);
}

static struct bench *setup(void)
{
	static struct bench all;
	struct bench *b = &all;
	struct dht_env env = { b, random_bytes, send, event, send_nearest };
	struct dht_config cfg = { .crypto = &crypto_real, .wall = &b->wall,
				  .drops = &b->drops };

	memset(b, 0, sizeof(*b));
	b->now = SEC(100);
	b->wall = (struct wall){ WALL, b->now };
	b->self = cfg.self = pair_of(1);
	b->d = dht_new(&cfg, &env, b->now);
	for (uint32_t i = 0; i < PEERS; i++) {
		b->peer[i] = pair_of(100 + i);
		dht_contact_up(b->d, &b->peer[i].pub, b->now);
	}
	run(b, SEC(40)); /* it is new no more */
	for (uint32_t i = 0; i < PEERS; i++) /* they did not answer meanwhile */
		dht_contact_up(b->d, &b->peer[i].pub, b->now);
	run(b, SEC(5));
	b->count = 0;
	return b;
}

static void input(struct bench *b, const struct pubkey *from, const struct dht_msg *m)
{
	uint8_t bytes[DHT_MSG_MAX];

	dht_input(b->d, from, false, bytes, dht_msg_write(bytes, sizeof(bytes), m), b->now);
}

static struct dht_topic topic(void)
{
	return (struct dht_topic){ .kind = DHT_NAME, .name = "host", .name_len = 4 };
}

/* --- holders --- */

/* The record number `seq` of somebody, put by a peer with this wish. */
static void put(struct bench *b, uint64_t seq, uint8_t wish, bool spoil)
{
	uint8_t bytes[RECORD_LEN_MAX];
	struct dht_topic t = topic();
	struct key_pair signer = pair_of(50);
	struct record_draft d = { record_name_of(&t), t.secret, (const uint8_t *)"x", 1, seq,
				  WALL + 600, { 0 } };
	struct dht_msg m = { .type = DHT_MSG_PUT, .id = 7, .records = 1, .wish = wish };

	m.record[0] = (struct dht_bytes){ bytes, record_write(bytes, &d, &signer, &crypto_real) };
	bytes[m.record[0].len - 1] ^= spoil;
	b->count = 0;
	input(b, &b->peer[0].pub, &m);
}

static size_t count_of(const struct bench *b, enum dht_msg_type type, uint8_t wish)
{
	size_t n = 0;

	for (size_t i = 0; i < b->count; i++)
		n += b->sent[i].m.type == type && b->sent[i].m.wish == wish;
	return n;
}

static void test_dht_put_to_be_spread_goes_silently_to_thirteen_others_who_are_told(void)
{
	struct bench *b = setup();
	const struct dht_msg *m;

	put(b, 5, DHT_WISH_SPREAD, false);
	CHECK_EQ_INT(count_of(b, DHT_MSG_PUT, DHT_WISH_SILENCE), DHT_REPLICAS - 1);
	CHECK_EQ_INT(b->count, DHT_REPLICAS);
	m = &b->sent[b->count - 1].m;
	CHECK_EQ_INT(m->type, DHT_MSG_STORED);
	CHECK_EQ_INT(m->status, DHT_STORED_OK);
	CHECK_EQ_INT(m->keys, DHT_REPLICAS - 1);
	for (size_t i = 0; i < m->keys; i++) {
		CHECK(key_equal(&m->key[i], &b->sent[i].to));
		CHECK(!key_equal(&m->key[i], &b->peer[0].pub));
	}
	dht_free(b->d);
}

static void test_dht_put_is_answered_as_wished(void)
{
	struct bench *b = setup();

	put(b, 5, DHT_WISH_SILENCE, false);
	CHECK_EQ_INT(b->count, 0);
	CHECK_EQ_INT(dht_info(b->d).records, 1);
	put(b, 5, DHT_WISH_NOTHING, false);
	CHECK_EQ_INT(b->count, 1);
	CHECK_EQ_INT(b->sent[0].m.status, DHT_STORED_HELD);
	CHECK_EQ_INT(b->sent[0].m.keys, 0);
	put(b, 6, DHT_WISH_KEYS, false);
	CHECK_EQ_INT(b->count, 1);
	CHECK_EQ_INT(b->sent[0].m.status, DHT_STORED_OK);
	CHECK_EQ_INT(b->sent[0].m.keys, DHT_K);
	put(b, 6, 77, false); /* from a later version */
	CHECK_EQ_INT(b->count, 1);
	CHECK_EQ_INT(b->sent[0].m.keys, 0);
	dht_free(b->d);
}

static void test_dht_forged_or_older_puts_are_not_spread(void)
{
	struct bench *b = setup();

	put(b, 5, DHT_WISH_SPREAD, true);
	CHECK_EQ_INT(b->count, 1);
	CHECK_EQ_INT(b->sent[0].m.status, DHT_STORED_REFUSED);
	CHECK_EQ_INT(b->sent[0].m.keys, 0);
	put(b, 5, DHT_WISH_NOTHING, false);
	put(b, 4, DHT_WISH_SPREAD, false);
	CHECK_EQ_INT(b->count, 1);
	CHECK_EQ_INT(b->sent[0].m.status, DHT_STORED_OLDER);
	dht_free(b->d);
}

static void test_dht_spreading_is_bounded_and_who_is_refused_is_told_nobody(void)
{
	struct bench *b = setup();
	size_t spread = 0;

	for (uint64_t seq = 1; seq <= 100; seq++) {
		put(b, seq, DHT_WISH_SPREAD, false);
		spread += b->count > 1;
		CHECK(b->count == DHT_REPLICAS || b->count == 1);
	}
	CHECK_EQ_INT(spread, 64);
	CHECK_EQ_INT(b->sent[0].m.status, DHT_STORED_OK);
	CHECK_EQ_INT(b->sent[0].m.keys, 0);
	dht_free(b->d);
}

/* --- owners --- */

/* The last request that fits and was not looked at yet. */
static struct sent *next_put(struct bench *b, size_t *at)
{
	while (*at < b->count && b->sent[*at].m.type != DHT_MSG_PUT)
		++*at;
	return *at < b->count ? &b->sent[(*at)++] : NULL;
}

static size_t finds(const struct bench *b) { return count_of(b, DHT_MSG_FIND, 0); }

static void stored(struct bench *b, const struct sent *s, const struct pubkey *from, struct dht_msg m)
{
	m.type = DHT_MSG_STORED;
	m.id = s->m.id;
	input(b, from, &m);
}

/* Publishes; peer 0 is the nearest, and answers this. */
static size_t publish(struct bench *b, struct dht_msg m)
{
	struct dht_topic t = topic();
	size_t at = 0;
	const struct sent *s;

	CHECK_EQ_INT(dht_publish(b->d, &t, (const uint8_t *)"x", 1, 3600, b->now), 0);
	s = next_put(b, &at);
	CHECK(s && s->nearest && s->m.wish == DHT_WISH_SPREAD);
	CHECK_EQ_INT(finds(b), 0);
	stored(b, s, &b->peer[0].pub, m);
	return at;
}

static struct dht_msg naming(const struct bench *b, size_t keys)
{
	struct dht_msg m = { .keys = keys };

	for (size_t i = 0; i < keys; i++)
		m.key[i] = b->peer[1 + i].pub;
	return m;
}

static void test_dht_owner_asks_two_whether_they_were_given_its_record_and_is_content(void)
{
	struct bench *b = setup();
	size_t at = publish(b, naming(b, DHT_REPLICAS - 1));
	struct sent *beside, *named;

	CHECK(!next_put(b, &at));
	run(b, MSEC(2100)); /* longer, and requests are repeated */
	beside = next_put(b, &at);
	named = next_put(b, &at);
	CHECK(beside && beside->nearest && beside->m.wish == DHT_WISH_KEYS);
	CHECK(named && !named->nearest && named->m.wish == DHT_WISH_NOTHING);
	CHECK(!next_put(b, &at));
	stored(b, beside, &b->peer[20].pub, (struct dht_msg){ .status = DHT_STORED_HELD });
	stored(b, named, &named->to, (struct dht_msg){ .status = DHT_STORED_HELD });
	run(b, SEC(30));
	CHECK(!next_put(b, &at));
	dht_free(b->d);
}

/* Everybody asked says that it never saw the record before, or nothing. */
static void test_dht_owner_finds_holders_itself_when_its_record_was_swallowed(void)
{
	struct bench *b = setup();
	size_t at = publish(b, naming(b, DHT_REPLICAS - 1)), asked = 0, before;
	struct sent *s;

	for (size_t i = 0; i < 100 && count_of(b, DHT_MSG_FIND, 0) < 3; i++) {
		before = b->count;
		run(b, MSEC(100));
		for (at = at < before ? at : before; (s = next_put(b, &at)); asked++)
			stored(b, s, s->nearest ? &b->peer[20].pub : &s->to,
			       (struct dht_msg){ .status = DHT_STORED_OK });
	}
	CHECK(asked >= SPREAD_CHECKS_MAX && asked <= SPREAD_CHECKS_MAX + 1);
	CHECK(finds(b) >= 3);
	dht_free(b->d);
}

static void test_dht_owner_finds_holders_itself_when_nobody_is_named_or_only_itself(void)
{
	for (int turn = 0; turn < 2; turn++) {
		struct bench *b = setup();
		struct dht_msg m = { .keys = turn ? 3 : 0 };

		m.key[0] = b->self.pub;
		m.key[1] = m.key[2] = b->peer[0].pub; /* and who answers */
		publish(b, m);
		run(b, MSEC(100));
		CHECK(finds(b) > 0);
		dht_free(b->d);
	}
}

static void test_dht_a_key_named_twenty_times_is_asked_once(void)
{
	struct bench *b = setup();
	struct dht_msg m = { .keys = DHT_K };
	size_t at, asked = 0;
	struct sent *s;

	for (size_t i = 0; i < DHT_K; i++)
		m.key[i] = b->peer[5].pub;
	at = publish(b, m);
	run(b, MSEC(2100));
	while ((s = next_put(b, &at))) {
		asked += !s->nearest;
		CHECK(s->nearest || key_equal(&s->to, &b->peer[5].pub));
	}
	CHECK_EQ_INT(asked, 1);
	dht_free(b->d);
}

/* Whoever speaks of another neighbourhood is not believed. */
static void test_dht_owner_brings_its_record_to_those_left_out_but_not_on_a_strangers_word(void)
{
	for (int turn = 0; turn < 2; turn++) {
		struct bench *b = setup();
		struct dht_msg beside_says = { .status = DHT_STORED_HELD, .keys = DHT_K };
		size_t at = publish(b, naming(b, DHT_REPLICAS - 1)), brought = 0;
		struct sent *beside, *named, *s;

		for (size_t i = 0; i < DHT_K; i++)
			beside_says.key[i] = turn && i >= 6 ? b->peer[i - 5].pub :
							       pair_of(900 + (uint32_t)i).pub;
		run(b, MSEC(2100)); /* longer, and requests are repeated */
		beside = next_put(b, &at);
		named = next_put(b, &at);
		stored(b, beside, &b->peer[20].pub, beside_says);
		stored(b, named, &named->to, (struct dht_msg){ .status = DHT_STORED_HELD });
		while ((s = next_put(b, &at)))
			brought++;
		CHECK(brought <= SPREAD_MISSING_MAX);
		CHECK_EQ_INT(brought > 0, turn);
		dht_free(b->d);
	}
}

/* --- lies in lookups --- */

static void test_path_what_a_liar_told_is_dropped_and_what_two_told_stays(void)
{
	struct lookup_path p = { 0 };
	struct pubkey k = { .b = { 0 } };
	uint8_t liar = path_teller(&p), other = path_teller(&p);

	for (k.b[0] = 1; k.b[0] <= 10; k.b[0]++)
		path_add(&p, &k, k.b[0], liar);
	path_told_again(&p.candidate[9], other);
	path_told_again(&p.candidate[8], liar); /* twice the same says nothing */
	for (size_t i = 0; i < PATH_LIES; i++) {
		CHECK_EQ_INT(p.count, 10);
		p.candidate[i].state = CANDIDATE_SLOW;
		CHECK_EQ_INT(path_judge(&p, &p.candidate[i], false), i + 1 == PATH_LIES);
		CHECK(!path_judge(&p, &p.candidate[i], false) || p.count < 10);
	}
	CHECK_EQ_INT(p.count, PATH_LIES + 1);
	CHECK_EQ_INT(p.candidate[PATH_LIES].key.b[0], 10);
}

static void test_path_who_told_one_that_answers_is_no_liar(void)
{
	struct lookup_path p = { 0 };
	struct pubkey k = { .b = { 0 } };
	uint8_t honest = path_teller(&p);

	for (k.b[0] = 1; k.b[0] <= 10; k.b[0]++)
		path_add(&p, &k, k.b[0], honest);
	path_judge(&p, &p.candidate[0], true);
	for (size_t i = 1; i < 10; i++)
		CHECK(!path_judge(&p, &p.candidate[i], false));
	CHECK_EQ_INT(p.count, 10);
	for (size_t i = 1; i < 2 * PATH_TELLERS_MAX; i++)
		CHECK(path_teller(&p) == i || i >= PATH_TELLERS_MAX);
	CHECK_EQ_INT(path_teller(&p), PATH_TOLD_OFTEN);
}

static const struct test tests[] = {
	TEST(test_dht_put_to_be_spread_goes_silently_to_thirteen_others_who_are_told),
	TEST(test_dht_put_is_answered_as_wished),
	TEST(test_dht_forged_or_older_puts_are_not_spread),
	TEST(test_dht_spreading_is_bounded_and_who_is_refused_is_told_nobody),
	TEST(test_dht_owner_asks_two_whether_they_were_given_its_record_and_is_content),
	TEST(test_dht_owner_finds_holders_itself_when_its_record_was_swallowed),
	TEST(test_dht_owner_finds_holders_itself_when_nobody_is_named_or_only_itself),
	TEST(test_dht_a_key_named_twenty_times_is_asked_once),
	TEST(test_dht_owner_brings_its_record_to_those_left_out_but_not_on_a_strangers_word),
	TEST(test_path_what_a_liar_told_is_dropped_and_what_two_told_stays),
	TEST(test_path_who_told_one_that_answers_is_no_liar),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
