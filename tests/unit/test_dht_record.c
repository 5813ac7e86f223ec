#include "dht/record.h"

#include <errno.h>

#include "base/wire.h"
#include "dht/msg.h"
#include "tests/check.h"

#define WALL 1800000000u

static struct key_pair pair_of(uint8_t n)
{
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { n };

	while (!key_from_seed(&k, seed))
		seed[1]++;
	return k;
}

static struct dht_topic topic_of(const char *name, const char *secret)
{
	struct dht_topic t = { .kind = DHT_NAME, .name_len = (uint8_t)strlen(name) };

	memcpy(t.name, name, t.name_len);
	memcpy(t.secret, secret, strlen(secret));
	return t;
}

static size_t make(uint8_t out[RECORD_LEN_MAX], const char *body, const struct key_pair *k)
{
	struct dht_topic t = topic_of("host", "secret");
	struct record_draft d = { .name = record_name_of(&t), .secret = t.secret, .seq = 5,
				  .expires = WALL + 60 };

	d.body = (const uint8_t *)body;
	d.len = strlen(body);
	return record_write(out, &d, k, &crypto_real);
}

static void test_record_what_was_sealed_opens_under_its_topic(void)
{
	struct key_pair k = pair_of(1);
	struct dht_topic t = topic_of("host", "secret");
	struct record_name name = record_name_of(&t);
	uint8_t bytes[RECORD_LEN_MAX], body[DHT_BODY_MAX];
	size_t len = make(bytes, "hello", &k);
	struct record r;

	CHECK(record_read(&r, bytes, len));
	CHECK(record_name_equal(&r.name, &name));
	CHECK_EQ_INT(r.seq, 5);
	CHECK_EQ_INT(r.expires, WALL + 60);
	CHECK(key_equal(&r.signer, &k.pub));
	CHECK_EQ_INT(record_check_signature(&r, &crypto_real), DROP_NONE);
	CHECK_EQ_INT(record_check_dates(&r, WALL), DROP_NONE);
	CHECK_EQ_INT(record_open(body, &r, &t), 5);
	CHECK_MEM(body, "hello", 5);
}

static void test_record_shows_neither_its_name_nor_its_body(void)
{
	struct key_pair k = pair_of(1);
	uint8_t bytes[RECORD_LEN_MAX];
	size_t len = make(bytes, "a long enough body", &k);

	CHECK(!memmem(bytes, len, "a long enough body", 18));
	CHECK(!memmem(bytes, len, "host", 4));
}

static void test_record_of_the_largest_body_fits_and_is_read(void)
{
	struct key_pair k = pair_of(1);
	static char text[DHT_BODY_MAX + 1];
	uint8_t bytes[RECORD_LEN_MAX];
	struct record r;

	memset(text, 'x', DHT_BODY_MAX);
	CHECK_EQ_INT(make(bytes, text, &k), RECORD_LEN_MAX);
	CHECK(record_read(&r, bytes, RECORD_LEN_MAX));
}

static void test_record_does_not_open_under_another_secret_name_or_kind(void)
{
	struct key_pair k = pair_of(1);
	struct dht_topic other = topic_of("host", "secret2"), name = topic_of("most", "secret");
	struct dht_topic kind = topic_of("host", "secret");
	struct record_name a, b = record_name_of(&kind);
	uint8_t bytes[RECORD_LEN_MAX], body[DHT_BODY_MAX];
	size_t len = make(bytes, "hello", &k);
	struct record r;

	CHECK(record_read(&r, bytes, len));
	CHECK_EQ_INT(record_open(body, &r, &other), -EBADMSG);
	kind.kind = DHT_ADDRESS;
	a = record_name_of(&kind);
	CHECK(!record_name_equal(&a, &b));
	a = record_name_of(&name);
	CHECK(!record_name_equal(&a, &b));
}

static void test_record_the_same_random_bytes_seal_another_version_otherwise(void)
{
	struct dht_topic t = topic_of("host", "secret");
	struct record_draft d = { record_name_of(&t), t.secret, (const uint8_t *)"hello", 5, 5,
				  WALL + 60, { 9 } };
	struct key_pair k = pair_of(1);
	uint8_t one[RECORD_LEN_MAX], other[RECORD_LEN_MAX];
	struct record a, b;

	CHECK(record_read(&a, one, record_write(one, &d, &k, &crypto_real)));
	d.seq++;
	CHECK(record_read(&b, other, record_write(other, &d, &k, &crypto_real)));
	CHECK_MEM(a.sealed, b.sealed, RECORD_NONCE_LEN);
	CHECK(memcmp(a.sealed + RECORD_NONCE_LEN, b.sealed + RECORD_NONCE_LEN, 5) != 0);
	d.seq--;
	d.expires++;
	CHECK(record_read(&b, other, record_write(other, &d, &k, &crypto_real)));
	CHECK(memcmp(a.sealed + RECORD_NONCE_LEN, b.sealed + RECORD_NONCE_LEN, 5) != 0);
	d.expires--;
	CHECK(record_read(&b, other, record_write(other, &d, &k, &crypto_real)));
	CHECK_MEM(a.sealed, b.sealed, a.sealed_len);
}

/* A holder cannot put somebody's sealed body under a signature of its own. */
static void test_record_sealed_body_signed_again_by_another_does_not_open(void)
{
	struct key_pair k = pair_of(1), thief = pair_of(2);
	struct dht_topic t = topic_of("host", "secret");
	uint8_t bytes[RECORD_LEN_MAX], body[DHT_BODY_MAX];
	size_t len = make(bytes, "hello", &k);
	struct record r;

	memcpy(bytes + len - SIG_LEN - KEY_LEN, thief.pub.b, KEY_LEN);
	crypto_real.sign(bytes + len - SIG_LEN, &thief, "vpnd record", bytes, len - SIG_LEN);
	CHECK(record_read(&r, bytes, len));
	CHECK_EQ_INT(record_check_signature(&r, &crypto_real), DROP_NONE);
	CHECK_EQ_INT(record_open(body, &r, &t), -EBADMSG);
}

static void test_record_with_any_byte_changed_is_refused(void)
{
	struct key_pair k = pair_of(1);
	uint8_t bytes[RECORD_LEN_MAX];
	size_t len = make(bytes, "hello", &k);

	for (size_t i = 0; i < len; i++) {
		struct record r;

		bytes[i] ^= 1;
		CHECK(!record_read(&r, bytes, len) || record_check_signature(&r, &crypto_real));
		bytes[i] ^= 1;
	}
}

static void test_record_of_any_other_length_is_refused(void)
{
	struct key_pair k = pair_of(1);
	uint8_t bytes[RECORD_LEN_MAX + 1] = { 0 };
	size_t len = make(bytes, "hello", &k);
	struct record r;

	for (size_t n = 0; n < len; n++)
		CHECK(!record_read(&r, bytes, n));
	CHECK(!record_read(&r, bytes, len + 1));
}

static void test_record_signature_for_another_purpose_is_refused(void)
{
	struct key_pair k = pair_of(1);
	uint8_t bytes[RECORD_LEN_MAX];
	size_t len = make(bytes, "hello", &k);
	struct record r;

	crypto_real.sign(bytes + len - SIG_LEN, &k, "vpnd op", bytes, len - SIG_LEN);
	CHECK(record_read(&r, bytes, len));
	CHECK_EQ_INT(record_check_signature(&r, &crypto_real), DROP_SIGNATURE);
}

static void test_record_signer_of_small_order_is_refused(void)
{
	struct key_pair k = pair_of(1);
	uint8_t bytes[RECORD_LEN_MAX];
	size_t len = make(bytes, "hello", &k);
	struct record r;

	memset(bytes + len - SIG_LEN - KEY_LEN, 0, KEY_LEN + SIG_LEN);
	bytes[len - SIG_LEN - KEY_LEN] = 1;
	CHECK(record_read(&r, bytes, len));
	CHECK_EQ_INT(record_check_signature(&r, &crypto_real), DROP_SIGNATURE);
}

static void test_record_expired_or_too_far_ahead_is_refused(void)
{
	struct record r = { .expires = WALL };

	CHECK_EQ_INT(record_check_dates(&r, WALL), DROP_EXPIRED);
	CHECK_EQ_INT(record_check_dates(&r, WALL - 1), DROP_NONE);
	CHECK_EQ_INT(record_check_dates(&r, WALL + 1), DROP_EXPIRED);
	r.expires = WALL + RECORD_LIFE_MAX + RECORD_LIFE_SLACK;
	CHECK_EQ_INT(record_check_dates(&r, WALL), DROP_NONE);
	r.expires++;
	CHECK_EQ_INT(record_check_dates(&r, WALL), DROP_EXPIRED);
	r.expires = UINT64_MAX;
	CHECK_EQ_INT(record_check_dates(&r, WALL), DROP_EXPIRED);
}

static void test_msg_every_type_is_read_back_as_written(void)
{
	static uint8_t out[DHT_MSG_MAX];
	const struct dht_bytes rec = { (const uint8_t *)"record", 6 };

	for (int type = DHT_MSG_PING; type < DHT_MSG_TYPES; type++) {
		struct dht_msg m = { .type = (enum dht_msg_type)type, .id = 0x0102030405060708 }, r;
		size_t len;

		if (type == DHT_MSG_FIND || type == DHT_MSG_GET)
			m.name.key.b[3] = 9;
		if (type == DHT_MSG_GET)
			m.name.kind = DHT_NAME;
		if (type == DHT_MSG_PUT)
			m.wish = DHT_WISH_SPREAD;
		if (type == DHT_MSG_NODES || type == DHT_MSG_VALUES || type == DHT_MSG_STORED) {
			m.keys = DHT_K;
			m.key[DHT_K - 1].b[31] = 4;
		}
		if (type == DHT_MSG_VALUES || type == DHT_MSG_PUT)
			m.record[m.records++] = rec;
		if (type == DHT_MSG_STORED)
			m.status = DHT_STORED_FULL;
		len = dht_msg_write(out, sizeof(out), &m);
		CHECK_EQ_INT(dht_msg_read(&r, out, len), DROP_NONE);
		CHECK_EQ_INT(r.id, m.id);
		CHECK_EQ_INT(r.status, m.status);
		CHECK_EQ_INT(r.wish, m.wish);
		CHECK(record_name_equal(&r.name, &m.name));
		CHECK_EQ_INT(r.keys, m.keys);
		CHECK_MEM(r.key, m.key, sizeof(m.key));
		CHECK_EQ_INT(r.records, m.records);
		if (r.records) {
			CHECK_EQ_INT(r.record[0].len, 6);
			CHECK_MEM(r.record[0].p, "record", 6);
		}
		for (size_t n = 0; n < len; n++)
			CHECK(dht_msg_read(&r, out, n) != DROP_NONE);
		CHECK(dht_msg_read(&r, out, len + 1) != DROP_NONE);
	}
}

static void test_msg_unknown_types_and_counts_over_the_bounds_are_refused(void)
{
	uint8_t bytes[2000] = { 0 };
	struct dht_msg m;

	CHECK_EQ_INT(dht_msg_read(&m, bytes, 9), DROP_UNKNOWN);
	bytes[0] = DHT_MSG_TYPES;
	CHECK_EQ_INT(dht_msg_read(&m, bytes, 9), DROP_UNKNOWN);
	bytes[0] = DHT_MSG_NODES;
	bytes[9] = DHT_K + 1;
	CHECK_EQ_INT(dht_msg_read(&m, bytes, 10 + (DHT_K + 1) * KEY_LEN), DROP_MALFORMED);
	CHECK_EQ_INT(m.keys, 0);
	bytes[0] = DHT_MSG_VALUES;
	bytes[9] = DHT_MSG_RECORDS_MAX + 1;
	CHECK_EQ_INT(dht_msg_read(&m, bytes, 10 + 17 * 2 + 1), DROP_MALFORMED);
	bytes[0] = DHT_MSG_PUT;
	bytes[9] = (RECORD_LEN_MAX + 1) >> 8;
	bytes[10] = (RECORD_LEN_MAX + 1) & 0xff;
	CHECK_EQ_INT(dht_msg_read(&m, bytes, 11 + RECORD_LEN_MAX + 1), DROP_MALFORMED);
}

static void test_msg_client_bit_is_for_requests_and_more_bit_for_values_alone(void)
{
	uint8_t out[DHT_MSG_MAX];

	for (int type = DHT_MSG_PING; type < DHT_MSG_TYPES; type++) {
		struct dht_msg m = { .type = (enum dht_msg_type)type, .name.kind = 3 }, r;
		size_t len;

		m.records = type == DHT_MSG_PUT;
		m.record[0] = (struct dht_bytes){ (const uint8_t *)"x", 1 };
		m.more = type == DHT_MSG_VALUES;
		len = dht_msg_write(out, sizeof(out), &m);
		CHECK_EQ_INT(dht_msg_read(&r, out, len), DROP_NONE);
		CHECK_EQ_INT(r.more, m.more);
		CHECK(!r.client);
		out[0] |= DHT_MSG_CLIENT;
		CHECK_EQ_INT(dht_msg_read(&r, out, len),
			     dht_msg_is_request(m.type) ? DROP_NONE : DROP_UNKNOWN);
		CHECK_EQ_INT(r.client, 1);
	}
}

static const struct test tests[] = {
	TEST(test_record_what_was_sealed_opens_under_its_topic),
	TEST(test_record_shows_neither_its_name_nor_its_body),
	TEST(test_record_of_the_largest_body_fits_and_is_read),
	TEST(test_record_does_not_open_under_another_secret_name_or_kind),
	TEST(test_record_the_same_random_bytes_seal_another_version_otherwise),
	TEST(test_record_sealed_body_signed_again_by_another_does_not_open),
	TEST(test_record_with_any_byte_changed_is_refused),
	TEST(test_record_of_any_other_length_is_refused),
	TEST(test_record_signature_for_another_purpose_is_refused),
	TEST(test_record_signer_of_small_order_is_refused),
	TEST(test_record_expired_or_too_far_ahead_is_refused),
	TEST(test_msg_every_type_is_read_back_as_written),
	TEST(test_msg_client_bit_is_for_requests_and_more_bit_for_values_alone),
	TEST(test_msg_unknown_types_and_counts_over_the_bounds_are_refused),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
