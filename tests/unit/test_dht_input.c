#include "dht/dht.h"

#include "base/wire.h"
#include "dht/msg.h"
#include "dht/rpc.h"
#include "dht/senders.h"
#include "dht/table.h"
#include "tests/check.h"

#define WALL 1800000000u
#define START SEC(50)
#define SENT_MAX 4096

/* One instance, and everything it sent: the last message to each of a few checks. */
struct bench {
	struct dht *d;
	struct key_pair self, peer;
	struct wall wall;
	struct drops drops;
	uint32_t random;
	size_t sent, pings, len, found;
	struct pubkey to;
	uint8_t last[DHT_MSG_MAX];
	struct pubkey sent_to[SENT_MAX];
	uint64_t sent_id[SENT_MAX];
	uint8_t sent_type[SENT_MAX];
};

static struct key_pair pair_of(uint32_t n)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { (uint8_t)n, (uint8_t)(n >> 8), 1 };

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

static void send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
		 unsigned way)
{
	struct bench *b = ctx;

	(void)way;
	b->pings += msg[0] == DHT_MSG_PING;
	if (b->sent < SENT_MAX) {
		b->sent_to[b->sent] = *to;
		b->sent_id[b->sent] = rd_u64(&(struct rd){ msg + 1, msg + len, false });
		b->sent_type[b->sent] = msg[0];
	}
	b->sent++;
	b->to = *to;
	b->len = len;
	memcpy(b->last, msg, len);
}

static void event(void *ctx, const struct dht_event *e)
{
	((struct bench *)ctx)->found += e->type == DHT_FOUND;
}

static void setup(struct bench *b)
{
	struct dht_env env = { b, random_bytes, send, event, NULL };
	struct dht_config cfg = { .crypto = &crypto_real, .wall = &b->wall,
				  .drops = &b->drops };

	memset(b, 0, sizeof(*b));
	b->self = pair_of(1);
	b->peer = pair_of(2);
	b->wall = (struct wall){ WALL, START };
	cfg.self = b->self;
	b->d = dht_new(&cfg, &env, START);
}

static enum drop last_drop(struct bench *b, const struct drops *before)
{
	const struct drops *now = &b->drops;

	for (int i = 1; i < DROP_REASON_COUNT; i++)
		if (now->count[i] != before->count[i])
			return (enum drop)i;
	return DROP_NONE;
}

static enum drop input(struct bench *b, const struct dht_msg *m, bool proven, usec_t now)
{
	static uint8_t bytes[DHT_MSG_MAX];
	struct drops before = b->drops;

	b->len = 0;
	dht_input(b->d, &b->peer.pub, proven, bytes, dht_msg_write(bytes, sizeof(bytes), m), now);
	return last_drop(b, &before);
}

/* The status of the answer to a PUT, or -1. */
static int status(const struct bench *b)
{
	struct dht_msg m;

	if (dht_msg_read(&m, b->last, b->len) || m.type != DHT_MSG_STORED || m.id != 77)
		return -1;
	return m.status;
}

static struct dht_topic topic_of(const char *name)
{
	struct dht_topic t = { .kind = DHT_NAME, .name_len = (uint8_t)strlen(name) };

	memcpy(t.name, name, t.name_len);
	return t;
}

static size_t make(uint8_t out[RECORD_LEN_MAX], uint64_t seq, uint64_t expires, size_t len)
{
	static const uint8_t body[DHT_BODY_MAX];
	struct dht_topic t = topic_of("host");
	struct key_pair signer = pair_of(3);
	struct record_draft d = { record_name_of(&t), t.secret, body, len, seq, expires, { 0 } };

	return record_write(out, &d, &signer, &crypto_real);
}

static enum drop put(struct bench *b, const uint8_t *record, size_t len)
{
	struct dht_msg m = { .type = DHT_MSG_PUT, .id = 77, .records = 1 };

	m.record[0] = (struct dht_bytes){ record, len };
	return input(b, &m, true, START);
}

static void test_dht_puts_are_stored_replaced_by_higher_and_refused_when_lower(void)
{
	uint8_t r[RECORD_LEN_MAX];
	struct bench b;

	setup(&b);
	CHECK_EQ_INT(put(&b, r, make(r, 5, WALL + 60, 10)), DROP_NONE);
	CHECK_EQ_INT(status(&b), DHT_STORED_OK);
	CHECK_EQ_INT(put(&b, r, make(r, 5, WALL + 60, 10)), DROP_NONE); /* the same again */
	CHECK_EQ_INT(status(&b), DHT_STORED_HELD);
	CHECK_EQ_INT(put(&b, r, make(r, 4, WALL + 60, 10)), DROP_STALE);
	CHECK_EQ_INT(status(&b), DHT_STORED_OLDER);
	CHECK_EQ_INT(put(&b, r, make(r, 6, WALL + 60, 10)), DROP_NONE);
	CHECK_EQ_INT(dht_info(b.d).records, 1);
	dht_free(b.d);
}

/* A put that must be refused with `why` and leave nothing behind. */
static void refused(struct bench *b, const uint8_t *r, size_t len, enum drop why)
{
	CHECK_EQ_INT(put(b, r, len), why);
	CHECK_EQ_INT(status(b), DHT_STORED_REFUSED);
	CHECK_EQ_INT(dht_info(b->d).records, 0);
}

static void test_dht_expired_or_far_ahead_puts_are_refused_and_counted(void)
{
	uint8_t r[RECORD_LEN_MAX] = { 0 };
	struct bench b;

	setup(&b);
	refused(&b, r, make(r, 5, WALL, 10), DROP_EXPIRED);
	refused(&b, r, make(r, 5, WALL + RECORD_LIFE_MAX + RECORD_LIFE_SLACK + 1, 10),
		DROP_EXPIRED);
	CHECK_EQ_INT(b.drops.count[DROP_EXPIRED], 2);
	dht_free(b.d);
}

static void test_dht_unsigned_forged_or_anothers_puts_are_refused_and_counted(void)
{
	uint8_t r[RECORD_LEN_MAX] = { 0 };
	struct key_pair other = pair_of(9);
	struct bench b;
	size_t len;

	setup(&b);
	len = make(r, 5, WALL + 60, 10);
	r[len - 1] ^= 1; /* forged */
	refused(&b, r, len, DROP_SIGNATURE);
	memset(r + len - SIG_LEN, 0, SIG_LEN); /* unsigned */
	refused(&b, r, len, DROP_SIGNATURE);
	make(r, 5, WALL + 60, 10);
	memcpy(r + len - SIG_LEN - KEY_LEN, other.pub.b, KEY_LEN); /* of another signer */
	refused(&b, r, len, DROP_SIGNATURE);
	CHECK_EQ_INT(b.drops.count[DROP_SIGNATURE], 3);
	dht_free(b.d);
}

static void test_dht_wrongly_keyed_puts_are_refused_and_counted(void)
{
	uint8_t r[RECORD_LEN_MAX] = { 0 };
	struct bench b;
	size_t len;

	setup(&b);
	len = make(r, 5, WALL + 60, 10);
	r[2] ^= 1; /* under another key */
	refused(&b, r, len, DROP_SIGNATURE);
	make(r, 5, WALL + 60, 10);
	r[1] = DHT_ADDRESS; /* as another kind */
	refused(&b, r, len, DROP_SIGNATURE);
	dht_free(b.d);
}

static void test_dht_malformed_puts_are_refused_and_counted(void)
{
	uint8_t r[RECORD_LEN_MAX] = { 0 };
	struct bench b;
	size_t len;

	setup(&b);
	len = make(r, 5, WALL + 60, 10);
	r[0] = 2; /* of another version */
	refused(&b, r, len, DROP_MALFORMED);
	r[0] = 1;
	refused(&b, r, len - 1, DROP_MALFORMED);
	refused(&b, r, 0, DROP_MALFORMED);
	CHECK_EQ_INT(b.drops.count[DROP_MALFORMED], 3);
	dht_free(b.d);
}

static void test_dht_oversized_put_is_dropped_without_an_answer(void)
{
	static uint8_t bytes[DHT_MSG_HEAD_LEN + 2 + RECORD_LEN_MAX + 1];
	struct wr w = wr_of(bytes, sizeof(bytes));
	struct bench b;

	setup(&b);
	wr_u8(&w, DHT_MSG_PUT);
	wr_u64(&w, 77);
	wr_u16(&w, RECORD_LEN_MAX + 1);
	dht_input(b.d, &b.peer.pub, true, bytes, sizeof(bytes), START);
	CHECK_EQ_INT(b.drops.count[DROP_MALFORMED], 1);
	CHECK_EQ_INT(b.sent, 0);
	dht_free(b.d);
}

static void test_dht_answers_to_routed_requesters_stay_small_and_carry_any_record(void)
{
	struct dht_topic t = topic_of("host");
	struct dht_msg get = { .type = DHT_MSG_GET, .id = 1, .name = record_name_of(&t) }, m;
	uint8_t r[RECORD_LEN_MAX];
	struct bench b;

	setup(&b);
	for (uint32_t i = 100; i < 200; i++) {
		struct key_pair k = pair_of(i);

		dht_contact_up(b.d, &k.pub, START);
	}
	put(&b, r, make(r, 5, WALL + 60, DHT_BODY_MAX));
	input(&b, &get, false, START);
	CHECK(b.len <= DHT_ANSWER_ROUTED_MAX);
	CHECK_EQ_INT(dht_msg_read(&m, b.last, b.len), DROP_NONE);
	CHECK_EQ_INT(m.records, 1);
	put(&b, r, make(r, 6, WALL + 60, 400));
	input(&b, &get, false, START);
	CHECK(b.len <= DHT_ANSWER_ROUTED_MAX);
	CHECK_EQ_INT(dht_msg_read(&m, b.last, b.len), DROP_NONE);
	CHECK_EQ_INT(m.records, 1);
	CHECK(m.keys >= 16); /* the room that is left */
	input(&b, &get, true, START);
	CHECK_EQ_INT(dht_msg_read(&m, b.last, b.len), DROP_NONE);
	CHECK_EQ_INT(m.keys, DHT_K);
	dht_free(b.d);
}

static void test_dht_requests_over_the_rate_of_one_key_are_dropped(void)
{
	struct dht_msg ping = { .type = DHT_MSG_PING };
	struct bench b;
	size_t before;

	setup(&b);
	for (int i = 0; i < SENDERS_RATE; i++)
		CHECK_EQ_INT(input(&b, &ping, true, START), DROP_NONE);
	before = b.sent;
	CHECK_EQ_INT(input(&b, &ping, true, START), DROP_RATE);
	CHECK_EQ_INT(b.sent, before);
	CHECK_EQ_INT(input(&b, &ping, true, START + SEC(1)), DROP_NONE);
	dht_free(b.d);
}

/* Whoever writes with claimed keys uses up the routed slots, not those of sessions. */
static void test_dht_flood_from_claimed_keys_does_not_hurt_sessions(void)
{
	static uint8_t bytes[DHT_MSG_MAX];
	struct dht_msg ping = { .type = DHT_MSG_PING };
	size_t len = dht_msg_write(bytes, sizeof(bytes), &ping);
	struct bench b;

	setup(&b);
	for (uint32_t i = 0; i < 100000; i++) {
		struct pubkey k = { .b = { (uint8_t)i, (uint8_t)(i >> 8), (uint8_t)(i >> 16) } };

		dht_input(b.d, &k, false, bytes, len, START);
	}
	CHECK(b.sent <= SENDERS_SLOTS * SENDERS_RATE + 10);
	CHECK_EQ_INT(input(&b, &ping, true, START), DROP_NONE);
	CHECK_EQ_INT(dht_info(b.d).contacts, 1); /* of the session */
	dht_free(b.d);
}

/* A key without a session looks its own id up, as all do that join. */
static struct key_pair stranger_joins(struct bench *b, uint32_t number, usec_t now)
{
	struct key_pair k = pair_of(number);
	struct dht_msg find = { .type = DHT_MSG_FIND, .name.key = id_of(&k.pub) };
	uint8_t bytes[64];

	dht_input(b->d, &k.pub, false, bytes, dht_msg_write(bytes, sizeof(bytes), &find), now);
	return k;
}

static void test_dht_near_joiners_are_pinged_one_a_second_and_are_no_contacts_before_they_answer(
	void)
{
	static uint8_t bytes[DHT_MSG_MAX];
	const usec_t settled = START + SEC(31);
	struct key_pair k = pair_of(9);
	struct dht_msg pong;
	size_t len;
	struct bench b;

	setup(&b);
	dht_contact_up(b.d, &k.pub, START); /* and nobody is pinged for the first 30 seconds */
	for (uint32_t i = 10; i < 20; i++)
		stranger_joins(&b, i, settled - SEC(2));
	CHECK_EQ_INT(b.pings, 0);
	for (uint32_t i = 10; i < 20; i++)
		stranger_joins(&b, i, settled);
	CHECK_EQ_INT(b.pings, 1);
	CHECK_EQ_INT(dht_info(b.d).contacts, 1);
	k = stranger_joins(&b, 30, settled + SEC(1));
	CHECK_EQ_INT(b.last[0], DHT_MSG_PING);
	CHECK_EQ_INT(dht_msg_read(&pong, b.last, b.len), DROP_NONE);
	pong.type = DHT_MSG_PONG;
	len = dht_msg_write(bytes, sizeof(bytes), &pong);
	dht_input(b.d, &b.peer.pub, true, bytes, len, settled + SEC(1)); /* not the one asked */
	CHECK_EQ_INT(b.drops.count[DROP_UNKNOWN], 1);
	CHECK_EQ_INT(dht_info(b.d).contacts, 1);
	dht_input(b.d, &k.pub, false, bytes, len, settled + SEC(1));
	CHECK_EQ_INT(dht_info(b.d).contacts, 2);
	dht_input(b.d, &k.pub, false, bytes, len, settled + SEC(1)); /* and once only */
	CHECK_EQ_INT(b.drops.count[DROP_UNKNOWN], 2);
	dht_free(b.d);
}

static void test_dht_answers_nobody_waits_for_and_our_own_key_are_dropped(void)
{
	struct dht_msg nodes = { .type = DHT_MSG_NODES, .id = 5, .keys = 1 };
	struct dht_msg ping = { .type = DHT_MSG_PING };
	struct bench b;

	setup(&b);
	CHECK_EQ_INT(input(&b, &nodes, true, START), DROP_UNKNOWN);
	b.peer = b.self;
	CHECK_EQ_INT(input(&b, &ping, true, START), DROP_SPOOF_PEER);
	CHECK_EQ_INT(b.sent, 0);
	CHECK_EQ_INT(dht_info(b.d).contacts, 0);
	dht_free(b.d);
}

/* The one who was sent message i answers it. */
static void reply(struct bench *b, size_t i, struct dht_msg *m, usec_t now)
{
	m->id = b->sent_id[i];
	m->type = (enum dht_msg_type)(b->sent_type[i] + 1);
	b->peer.pub = b->sent_to[i];
	input(b, m, true, now);
}

static void test_dht_a_liars_list_makes_us_write_to_a_bounded_number_of_keys(void)
{
	struct dht_topic t = topic_of("host");
	struct dht_msg nodes = { .keys = DHT_K };
	size_t distinct = 0;
	struct bench b;

	setup(&b);
	dht_contact_up(b.d, &b.peer.pub, START);
	dht_get(b.d, 1, &t, START);
	for (uint32_t i = 0; i < DHT_K; i++)
		nodes.key[i] = pair_of(1000 + i).pub;
	for (size_t i = 0; i < b.sent && i < SENT_MAX; i++) { /* each names twenty more */
		reply(&b, i, &nodes, START);
		for (uint32_t j = 0; j < DHT_K; j++) {
			nodes.key[j].b[0] = (uint8_t)i;
			nodes.key[j].b[1] = (uint8_t)j;
		}
	}
	dht_tick(b.d, START + SEC(4));
	CHECK(b.sent < SENT_MAX);
	for (size_t i = 0; i < b.sent && b.sent < SENT_MAX; i++) {
		bool again = false;

		for (size_t j = 0; j < i; j++)
			again |= key_equal(&b.sent_to[i], &b.sent_to[j]);
		distinct += !again;
	}
	CHECK(distinct > 10);
	CHECK(distinct <= 82);
	dht_free(b.d);
}

/* Everything in an answer is checked by who asked: form, name, dates, seal, signature. */
static void test_dht_forged_answers_are_not_reported(void)
{
	static const enum drop want[] = { DROP_MALFORMED, DROP_MALFORMED, DROP_SEAL, DROP_SIGNATURE,
					  DROP_EXPIRED, DROP_NONE };
	struct dht_topic t = topic_of("host"), other = topic_of("other");
	uint8_t r[RECORD_LEN_MAX];

	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct record_name name = record_name_of(&other);
		struct dht_msg m = { .records = 1 };
		size_t len = make(r, 5, i == 4 ? WALL - 1 : WALL + 60, 10);
		struct bench b;

		setup(&b);
		dht_contact_up(b.d, &b.peer.pub, START);
		dht_get(b.d, 1, i == 2 ? &other : &t, START);
		if (i == 0)
			r[0] = 9;
		if (i == 1)
			memcpy(r + 2, name.key.b, ID_LEN);
		if (i == 2) /* the asked name, a body sealed for another */
			memcpy(r + 2, name.key.b, ID_LEN);
		if (i == 3)
			r[len - 1] ^= 1;
		m.record[0] = (struct dht_bytes){ r, len };
		reply(&b, b.sent - 1, &m, START);
		CHECK_EQ_INT(b.found, want[i] == DROP_NONE);
		if (want[i])
			CHECK_EQ_INT(b.drops.count[want[i]], 1);
		dht_free(b.d);
	}
}

static void test_dht_request_is_tried_twice_and_then_given_up(void)
{
	struct dht_topic t = topic_of("host");
	struct bench b;

	setup(&b);
	dht_contact_up(b.d, &b.peer.pub, START);
	dht_tick(b.d, START); /* the first maintenance lookup */
	b.sent = 0;
	dht_get(b.d, 1, &t, START + SEC(30));
	dht_tick(b.d, START + SEC(30) + RPC_TIMEOUT_FIRST - 1);
	b.sent = 1;
	dht_tick(b.d, START + SEC(30) + RPC_TIMEOUT_FIRST);
	CHECK_EQ_INT(b.sent, 2);
	dht_tick(b.d, START + SEC(30) + 2 * RPC_TIMEOUT_FIRST);
	CHECK_EQ_INT(dht_info(b.d).lookups, 0);
	dht_free(b.d);
}

static const struct test tests[] = {
	TEST(test_dht_puts_are_stored_replaced_by_higher_and_refused_when_lower),
	TEST(test_dht_expired_or_far_ahead_puts_are_refused_and_counted),
	TEST(test_dht_unsigned_forged_or_anothers_puts_are_refused_and_counted),
	TEST(test_dht_wrongly_keyed_puts_are_refused_and_counted),
	TEST(test_dht_malformed_puts_are_refused_and_counted),
	TEST(test_dht_oversized_put_is_dropped_without_an_answer),
	TEST(test_dht_answers_to_routed_requesters_stay_small_and_carry_any_record),
	TEST(test_dht_requests_over_the_rate_of_one_key_are_dropped),
	TEST(test_dht_flood_from_claimed_keys_does_not_hurt_sessions),
	TEST(test_dht_near_joiners_are_pinged_one_a_second_and_are_no_contacts_before_they_answer),
	TEST(test_dht_answers_nobody_waits_for_and_our_own_key_are_dropped),
	TEST(test_dht_a_liars_list_makes_us_write_to_a_bounded_number_of_keys),
	TEST(test_dht_forged_answers_are_not_reported),
	TEST(test_dht_request_is_tried_twice_and_then_given_up),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
