#include "dht/store.h"

#include <stdlib.h>

#include "tests/check.h"

#define WALL 1000u

static uint32_t state;

static void random_bytes(void *ctx, void *out, size_t len)
{
	(void)ctx;
	for (size_t i = 0; i < len; i++) {
		state = state * 1664525u + 1013904223u;
		((uint8_t *)out)[i] = (uint8_t)(state >> 16);
	}
}

static void store_make(struct dht_store *s)
{
	static const uint8_t seed[16] = { 1 };

	state = 1;
	*s = (struct dht_store){ .self = { .b = { 0xff } }, .random = random_bytes };
	dht_store_init(s, seed);
}

struct draft {
	uint32_t name, signer;
	uint64_t seq, expires;
	uint8_t body;
};

/* Records as the store sees them: it does not look at signatures. */
static struct record record_of(const struct draft *d, uint8_t bytes[RECORD_LEN_MAX])
{
	struct wr w = wr_of(bytes, RECORD_LEN_MAX);
	struct record r;

	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, 3);
	wr_u32(&w, d->name);
	wr_zero(&w, ID_LEN - 4);
	wr_u64(&w, d->seq);
	wr_u64(&w, d->expires);
	wr_u16(&w, 41);
	wr_zero(&w, 40);
	wr_u8(&w, d->body);
	wr_u32(&w, d->signer);
	wr_zero(&w, KEY_LEN - 4 + SIG_LEN);
	CHECK(record_read(&r, bytes, wr_len(&w)));
	return r;
}

static enum store_result put(struct dht_store *s, struct draft d, uint64_t wall)
{
	uint8_t bytes[RECORD_LEN_MAX];
	struct record r = record_of(&d, bytes);
	enum store_result asked = dht_store_ask(s, &r, wall), got = dht_store_put(s, &r, wall);

	CHECK(asked == got || got == STORE_FULL);
	return got;
}

static size_t get(struct dht_store *s, uint32_t name, uint64_t wall, struct record *first)
{
	struct draft d = { .name = name, .signer = 1 };
	uint8_t bytes[RECORD_LEN_MAX];
	struct record r = record_of(&d, bytes), out[DHT_SIGNERS_MAX];
	size_t n = dht_store_get(s, &r.name, wall, out, DHT_SIGNERS_MAX);

	if (n && first)
		*first = out[0];
	return n;
}

static void test_store_higher_sequence_wins_and_lower_is_refused(void)
{
	struct dht_store s;
	struct record r;

	store_make(&s);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 1, 5, 2000, 'a' }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 1, 4, 3000, 'b' }, WALL), STORE_OLDER);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 1, 5, 2000, 'b' }, WALL), STORE_OLDER);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 1, 5, 2000, 'a' }, WALL), STORE_SAME);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 1, 6, 2000, 'c' }, WALL), STORE_NEW);
	CHECK_EQ_INT(get(&s, 1, WALL, &r), 1);
	CHECK_EQ_INT(r.seq, 6);
	CHECK_EQ_INT(s.count, 1);
	dht_store_fini(&s);
}

static void test_store_expired_records_are_not_given_and_swept(void)
{
	struct dht_store s;

	store_make(&s);
	put(&s, (struct draft){ 1, 1, 5, 2000, 'a' }, WALL);
	put(&s, (struct draft){ 1, 2, 5, 3000, 'a' }, WALL);
	CHECK_EQ_INT(get(&s, 1, 1999, NULL), 2);
	CHECK_EQ_INT(get(&s, 1, 2000, NULL), 1);
	CHECK_EQ_INT(s.count, 2);
	dht_store_sweep(&s, 2000);
	CHECK_EQ_INT(s.count, 1);
	dht_store_sweep(&s, 3000);
	CHECK_EQ_INT(s.count + s.size + s.origins.count, 0);
	dht_store_fini(&s);
}

static void test_store_signers_under_one_name_are_bounded(void)
{
	struct dht_store s;
	struct record r;

	store_make(&s);
	for (uint32_t i = 0; i < DHT_SIGNERS_MAX; i++)
		CHECK_EQ_INT(put(&s, (struct draft){ 1, i, 5, 2000 + i, 0 }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 99, 5, 2000, 0 }, WALL), STORE_FULL);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 3, 6, 2003, 0 }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 2, 99, 5, 2000, 0 }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 98, 5, 2500, 0 }, 2000), STORE_NEW); /* 0 expired */
	CHECK_EQ_INT(put(&s, (struct draft){ 1, 0xff000000, 5, 2500, 0 }, 2000), STORE_NEW);
	CHECK_EQ_INT(get(&s, 1, 2000, &r), DHT_SIGNERS_MAX);
	CHECK(key_equal(&r.signer, &s.self)); /* our own is never refused */
	dht_store_fini(&s);
}

static void test_store_records_of_one_signer_are_bounded_except_our_own(void)
{
	struct dht_store s;

	store_make(&s);
	for (uint32_t i = 0; i < DHT_ORIGIN_MAX; i++)
		CHECK_EQ_INT(put(&s, (struct draft){ i, 7, 5, 2000, 0 }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 9999, 7, 5, 2000, 0 }, WALL), STORE_QUOTA);
	CHECK_EQ_INT(put(&s, (struct draft){ 9999, 8, 5, 2000, 0 }, WALL), STORE_NEW);
	CHECK_EQ_INT(put(&s, (struct draft){ 3, 7, 6, 2000, 0 }, WALL), STORE_NEW);
	for (uint32_t i = 0; i < DHT_ORIGIN_MAX + 1; i++)
		CHECK_EQ_INT(put(&s, (struct draft){ i, 0xff000000, 5, 2000, 0 }, WALL), STORE_NEW);
	dht_store_fini(&s);
}

static void test_store_full_of_far_records_takes_near_ones_and_refuses_farther(void)
{
	struct dht_store s;
	struct node_id self;
	uint32_t near, refused = 0;

	store_make(&s);
	self = id_of(&s.self);
	near = (uint32_t)self.b[0] << 24 | (uint32_t)self.b[1] << 16;
	for (uint32_t i = 0; i < DHT_RECORDS_MAX; i++)
		put(&s, (struct draft){ (near ^ 0x80000000) + i, i / 200, 5, 2000, 0 }, WALL);
	CHECK_EQ_INT(s.count, DHT_RECORDS_MAX);
	for (uint32_t i = 0; i < 100; i++)
		CHECK_EQ_INT(put(&s, (struct draft){ near + i, 5000 + i, 5, 2000, 0 }, WALL),
			     STORE_NEW);
	CHECK_EQ_INT(s.count, DHT_RECORDS_MAX);
	for (uint32_t i = 0; i < 100; i++)
		CHECK_EQ_INT(get(&s, near + i, WALL, NULL), 1);
	for (uint32_t i = 0; i < 100; i++)
		refused += put(&s, (struct draft){ near ^ 0xfff00000, 6000 + i, 5, 2000, 0 },
			       WALL) == STORE_FULL;
	CHECK(refused > 50);
	CHECK(dht_store_size(&s) < 16u << 20);
	dht_store_fini(&s);
}

static void test_store_removing_leaves_the_others_under_the_name(void)
{
	struct draft d = { 1, 2, 5, 2000, 0 };
	uint8_t bytes[RECORD_LEN_MAX];
	struct record r = record_of(&d, bytes);
	struct dht_store s;

	store_make(&s);
	for (uint32_t i = 1; i <= 3; i++)
		put(&s, (struct draft){ 1, i, 5, 2000, 0 }, WALL);
	dht_store_remove(&s, &r.name, &r.signer);
	dht_store_remove(&s, &r.name, &r.signer);
	CHECK_EQ_INT(get(&s, 1, WALL, NULL), 2);
	CHECK_EQ_INT(s.count, 2);
	dht_store_fini(&s);
}

static bool is_even(void *ctx, const struct record_name *name)
{
	(void)ctx;
	return name->key.b[3] % 2 == 0;
}

static void test_store_sheds_old_strays_of_others_only(void)
{
	const struct store_shed shed = { .minutes = 3, .is_stray = is_even };
	struct dht_store s;

	store_make(&s);
	s.self = (struct pubkey){ .b = { 0, 0, 0, 9 } };
	for (uint32_t name = 1; name <= 4; name++)
		put(&s, (struct draft){ name, 1, 5, 9000, 0 }, WALL);
	put(&s, (struct draft){ 2, 9, 5, 9000, 0 }, WALL);
	put(&s, (struct draft){ 4, 1, 6, 9000, 0 }, WALL + 120); /* came anew */
	dht_store_shed(&s, &shed, WALL + 100);
	CHECK_EQ_INT(s.count, 5);
	dht_store_shed(&s, &shed, WALL + 200);
	CHECK_EQ_INT(s.count, 4);
	CHECK_EQ_INT(get(&s, 1, WALL, NULL), 1);
	CHECK_EQ_INT(get(&s, 2, WALL, NULL), 1); /* our own */
	CHECK_EQ_INT(get(&s, 4, WALL, NULL), 1);
	dht_store_fini(&s);
}

static void test_store_stays_sorted_whatever_comes_and_goes(void)
{
	struct dht_store s;

	store_make(&s);
	for (uint32_t i = 0; i < 500; i++)
		put(&s, (struct draft){ i * 7919 % 500, 1 + i % 3, 5, 2000 + i % 5, 0 }, WALL);
	dht_store_sweep(&s, 2002);
	CHECK_EQ_INT(s.count, 200);
	CHECK(s.size < 300);
	for (size_t i = 1; i < s.count; i++) {
		struct record a = dht_store_at(&s, i - 1), b = dht_store_at(&s, i);

		CHECK(memcmp(&a.name, &b.name, sizeof(a.name)) < 0);
	}
	dht_store_fini(&s);
}

static const struct test tests[] = {
	TEST(test_store_higher_sequence_wins_and_lower_is_refused),
	TEST(test_store_expired_records_are_not_given_and_swept),
	TEST(test_store_signers_under_one_name_are_bounded),
	TEST(test_store_records_of_one_signer_are_bounded_except_our_own),
	TEST(test_store_full_of_far_records_takes_near_ones_and_refuses_farther),
	TEST(test_store_removing_leaves_the_others_under_the_name),
	TEST(test_store_sheds_old_strays_of_others_only),
	TEST(test_store_stays_sorted_whatever_comes_and_goes),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
