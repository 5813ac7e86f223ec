#include "dht/table.h"

#include "tests/check.h"

#define KEYS 400

static struct pubkey keys[KEYS];
static struct node_id self;

/* Keys whose ids differ from ours in the first bit: all of one bucket. */
static void keys_make(void)
{
	uint8_t seed = 0;
	size_t n = 0;

	for (uint32_t i = 0; n < KEYS; i++) {
		struct pubkey k = { .b = { seed, (uint8_t)i, (uint8_t)(i >> 8) } };
		struct node_id id = id_of(&k);

		if (id_common_bits(&self, &id) == 0)
			keys[n++] = k;
	}
}

static enum table_result seen(struct dht_table *t, size_t i, bool live, usec_t now)
{
	struct pubkey check;

	return dht_table_seen(t, &keys[i], live, &check, now);
}

/* A full bucket of contacts without sessions, number i seen at i seconds. */
static void table_fill(struct dht_table *t)
{
	memset(&self, 0, sizeof(self));
	keys_make();
	dht_table_init(t, &self);
	for (size_t i = 0; i < DHT_K; i++)
		CHECK_EQ_INT(seen(t, i, false, SEC(i)), TABLE_ADDED);
}

static void test_table_bucket_keeps_old_contacts_and_has_the_oldest_checked(void)
{
	struct dht_table t;
	struct pubkey check;

	table_fill(&t);
	CHECK_EQ_INT(dht_table_seen(&t, &keys[20], false, &check, SEC(100)), TABLE_SPARE);
	CHECK(key_equal(&check, &keys[0]));
	CHECK(!dht_table_get(&t, &keys[20]));
	CHECK_EQ_INT(dht_table_seen(&t, &keys[21], false, &check, SEC(100)), TABLE_SPARE);
	CHECK(key_is_zero(&check)); /* one check at a time */
	CHECK_EQ_INT(seen(&t, 0, false, SEC(101)), TABLE_KNOWN);
	CHECK(dht_table_get(&t, &keys[0]) != NULL);
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_contact_heard_of_lately_is_not_checked(void)
{
	struct dht_table t;
	struct pubkey check;

	table_fill(&t);
	CHECK_EQ_INT(dht_table_seen(&t, &keys[20], false, &check, SEC(30)), TABLE_SPARE);
	CHECK(key_is_zero(&check));
	dht_table_fini(&t);
}

static void test_table_contact_that_fails_its_check_is_replaced_by_the_latest_spare(void)
{
	struct dht_table t;
	struct pubkey instead;

	table_fill(&t);
	seen(&t, 20, false, SEC(100));
	seen(&t, 21, false, SEC(101));
	CHECK(dht_table_failed(&t, &keys[0], &instead));
	CHECK(key_equal(&instead, &keys[21]));
	CHECK(dht_table_get(&t, &keys[21]) != NULL);
	CHECK(!dht_table_get(&t, &keys[0]));
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_contact_is_forgotten_after_two_failures_in_a_row_only(void)
{
	struct dht_table t;
	struct pubkey instead;

	table_fill(&t);
	CHECK(!dht_table_failed(&t, &keys[3], &instead));
	seen(&t, 3, false, SEC(200));
	CHECK(!dht_table_failed(&t, &keys[3], &instead));
	CHECK(dht_table_failed(&t, &keys[3], &instead));
	CHECK(key_is_zero(&instead));
	CHECK_EQ_INT(t.count, DHT_K - 1);
	CHECK(!dht_table_failed(&t, &keys[3], &instead));
	dht_table_fini(&t);
}

static void test_table_spares_are_bounded_and_fresh_ones_stay(void)
{
	struct dht_table t;

	table_fill(&t);
	for (size_t i = 20; i < KEYS; i++)
		seen(&t, i, false, SEC(100));
	CHECK(dht_table_knows(&t, &keys[20]));
	CHECK(!dht_table_knows(&t, &keys[20 + TABLE_SPARES_MAX]));
	CHECK(!dht_table_wants(&t, &keys[50], SEC(101)));
	CHECK(dht_table_wants(&t, &keys[50], SEC(100) + TABLE_SPARE_STALE));
	seen(&t, 50, false, SEC(100) + TABLE_SPARE_STALE);
	CHECK(dht_table_knows(&t, &keys[50]));
	CHECK(!dht_table_knows(&t, &keys[20]));
	CHECK(dht_table_size(&t) < 4096);
	dht_table_fini(&t);
}

static void test_table_session_takes_the_place_of_the_oldest_without_one(void)
{
	struct dht_table t;

	table_fill(&t);
	CHECK_EQ_INT(seen(&t, 30, true, SEC(100)), TABLE_ADDED);
	CHECK(dht_table_get(&t, &keys[30]) != NULL);
	CHECK(!dht_table_get(&t, &keys[0]));
	for (size_t i = 31; i < 31 + DHT_K - 1; i++)
		CHECK_EQ_INT(seen(&t, i, true, SEC(101)), TABLE_ADDED);
	CHECK_EQ_INT(seen(&t, 100, true, SEC(102)), TABLE_SPARE); /* all have one */
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_silent_session_is_passed_over_and_forgotten_once_down(void)
{
	struct dht_table t;
	struct pubkey instead;
	const struct contact *c[1];
	struct node_id id;

	table_fill(&t);
	seen(&t, 5, true, SEC(100));
	id = id_of(&keys[5]);
	for (int i = 0; i < 300; i++)
		CHECK(!dht_table_failed(&t, &keys[5], &instead));
	CHECK_EQ_INT(dht_table_nearest(&t, &id, c, 1), 1);
	CHECK(!key_equal(&c[0]->key, &keys[5]));
	seen(&t, 5, false, SEC(101));
	dht_table_nearest(&t, &id, c, 1);
	CHECK(key_equal(&c[0]->key, &keys[5]));
	CHECK(dht_table_down(&t, &keys[5]));
	CHECK(dht_table_failed(&t, &keys[5], &instead));
	CHECK(!dht_table_down(&t, &keys[5]));
	dht_table_fini(&t);
}

static void test_table_nearest_are_the_nearest_in_order(void)
{
	struct dht_table t;
	struct node_id target = { .b = { 0x5a, 0x11 } };
	const struct contact *c[8];
	struct pubkey check;
	size_t n, nearer = 0;

	memset(&self, 0, sizeof(self));
	dht_table_init(&t, &self);
	for (uint16_t i = 0; i < 2000; i++) {
		struct pubkey k = { .b = { 7, (uint8_t)i, (uint8_t)(i >> 8) } };

		dht_table_seen(&t, &k, false, &check, SEC(1));
	}
	CHECK(t.count > 5 * DHT_K);
	n = dht_table_nearest(&t, &target, c, 8);
	CHECK_EQ_INT(n, 8);
	for (size_t i = 1; i < n; i++)
		CHECK(id_xor_compare(&target, &c[i - 1]->id, &c[i]->id) < 0);
	for (uint16_t i = 0; i < 2000; i++) {
		struct pubkey k = { .b = { 7, (uint8_t)i, (uint8_t)(i >> 8) } };
		const struct contact *x = dht_table_get(&t, &k);

		nearer += x && id_xor_compare(&target, &x->id, &c[7]->id) < 0;
	}
	CHECK_EQ_INT(nearer, 7);
	dht_table_fini(&t);
}

static void test_table_ourselves_are_refused(void)
{
	struct pubkey own = { .b = { 1 } }, check;
	struct node_id id = id_of(&own);
	struct dht_table t;

	dht_table_init(&t, &id);
	CHECK_EQ_INT(dht_table_seen(&t, &own, true, &check, SEC(1)), TABLE_REFUSED);
	CHECK(!dht_table_wants(&t, &own, SEC(1)));
	CHECK(!dht_table_has_room(&t, &own));
	CHECK_EQ_INT(t.count, 0);
	dht_table_fini(&t);
}

static const struct test tests[] = {
	TEST(test_table_bucket_keeps_old_contacts_and_has_the_oldest_checked),
	TEST(test_table_contact_heard_of_lately_is_not_checked),
	TEST(test_table_contact_that_fails_its_check_is_replaced_by_the_latest_spare),
	TEST(test_table_contact_is_forgotten_after_two_failures_in_a_row_only),
	TEST(test_table_spares_are_bounded_and_fresh_ones_stay),
	TEST(test_table_session_takes_the_place_of_the_oldest_without_one),
	TEST(test_table_silent_session_is_passed_over_and_forgotten_once_down),
	TEST(test_table_nearest_are_the_nearest_in_order),
	TEST(test_table_ourselves_are_refused),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
