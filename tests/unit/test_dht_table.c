#include "dht/table.h"

#include "tests/check.h"

#define KEYS 400

static struct pubkey keys[KEYS];
static struct node_id self;

/* Keys whose ids differ from ours in the first bit: all of one bucket. */
static void keys_make(void)
{
	uint8_t seed = 1;
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
	CHECK_EQ_INT(dht_table_seen(&t, &keys[20], false, &check, TABLE_CHECK_AFTER), TABLE_FULL);
	CHECK(key_equal(&check, &keys[0]));
	CHECK(!dht_table_get(&t, &keys[20]));
	CHECK_EQ_INT(dht_table_seen(&t, &keys[21], false, &check, TABLE_CHECK_AFTER), TABLE_FULL);
	CHECK(!key_equal(&check, &keys[0])); /* being checked */
	CHECK_EQ_INT(seen(&t, 0, false, TABLE_CHECK_AFTER + SEC(1)), TABLE_KNOWN);
	CHECK(dht_table_get(&t, &keys[0]) != NULL);
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_contact_heard_of_lately_is_not_checked(void)
{
	struct dht_table t;
	struct pubkey check;

	table_fill(&t);
	CHECK_EQ_INT(dht_table_seen(&t, &keys[20], false, &check, TABLE_CHECK_AFTER - SEC(1)),
		     TABLE_FULL);
	CHECK(key_is_zero(&check));
	dht_table_fini(&t);
}

static void test_table_contact_that_fails_its_check_is_forgotten_at_once(void)
{
	struct dht_table t;

	table_fill(&t);
	seen(&t, 20, false, TABLE_CHECK_AFTER);
	CHECK(!dht_table_wants(&t, &keys[20]));
	CHECK(dht_table_failed(&t, &keys[0]));
	CHECK(!dht_table_get(&t, &keys[0]));
	CHECK(dht_table_wants(&t, &keys[20]));
	CHECK_EQ_INT(t.count, DHT_K - 1);
	dht_table_fini(&t);
}

static void test_table_contact_is_forgotten_after_two_failures_in_a_row_only(void)
{
	struct dht_table t;

	table_fill(&t);
	CHECK(!dht_table_failed(&t, &keys[3]));
	seen(&t, 3, false, SEC(200));
	CHECK(!dht_table_failed(&t, &keys[3]));
	CHECK(dht_table_failed(&t, &keys[3]));
	CHECK_EQ_INT(t.count, DHT_K - 1);
	CHECK(!dht_table_failed(&t, &keys[3]));
	dht_table_fini(&t);
}

static void test_table_suspect_gives_way_to_whoever_has_just_answered(void)
{
	struct dht_table t;

	table_fill(&t);
	CHECK(!dht_table_wants(&t, &keys[30]));
	dht_table_failed(&t, &keys[7]);
	CHECK(dht_table_wants(&t, &keys[30]));
	CHECK_EQ_INT(seen(&t, 30, false, SEC(30)), TABLE_ADDED);
	CHECK(!dht_table_get(&t, &keys[7]));
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_suspects_are_told_only_when_there_is_nobody_else(void)
{
	struct dht_table t;
	const struct contact *c[DHT_K];

	table_fill(&t);
	dht_table_failed(&t, &keys[7]);
	CHECK_EQ_INT(dht_table_nearest(&t, place_of(&keys[7]), c, DHT_K), DHT_K - 1);
	for (size_t i = 0; i < DHT_K; i++)
		if (i != 7)
			dht_table_remove(&t, &keys[i]);
	CHECK_EQ_INT(dht_table_nearest(&t, place_of(&keys[7]), c, DHT_K), 1);
	CHECK(key_equal(&c[0]->key, &keys[7]));
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
	CHECK_EQ_INT(seen(&t, 100, true, SEC(102)), TABLE_FULL); /* all have one */
	CHECK_EQ_INT(t.count, DHT_K);
	dht_table_fini(&t);
}

static void test_table_silent_session_is_passed_over_and_forgotten_once_down(void)
{
	struct dht_table t;
	const struct contact *c[1];
	uint64_t place;

	table_fill(&t);
	seen(&t, 5, true, SEC(100));
	place = place_of(&keys[5]);
	for (int i = 0; i < 300; i++)
		CHECK(!dht_table_failed(&t, &keys[5]));
	CHECK_EQ_INT(dht_table_nearest(&t, place, c, 1), 1);
	CHECK(!key_equal(&c[0]->key, &keys[5]));
	seen(&t, 5, false, SEC(101));
	dht_table_nearest(&t, place, c, 1);
	CHECK(key_equal(&c[0]->key, &keys[5]));
	CHECK(dht_table_down(&t, &keys[5]));
	CHECK(dht_table_failed(&t, &keys[5]));
	CHECK(!dht_table_down(&t, &keys[5]));
	dht_table_fini(&t);
}

/* Thousands of nodes answer: the neighbourhood is kept whole, the rest thinly. */
static void test_table_far_buckets_stay_small_near_ones_complete_and_nearest_are_in_order(void)
{
	static struct pubkey key[4000];
	const struct contact *c[64];
	struct dht_table t;
	struct pubkey check;
	uint64_t target = UINT64_C(0x5a11) << 48;
	size_t n, nearer = 0, missed = 0, at = 0;

	memset(&self, 0, sizeof(self));
	dht_table_init(&t, &self);
	for (size_t i = 4000; i-- > 0;) {
		key[i] = (struct pubkey){ .b = { 7, (uint8_t)i, (uint8_t)(i >> 8) } };
		dht_table_seen(&t, &key[i], false, &check, SEC(1));
	}
	CHECK(t.count < 9 * TABLE_FAR_MAX + 2 * DHT_K);
	CHECK(dht_table_size(&t) < 8 * 1024);
	n = dht_table_nearest(&t, t.self, c, DHT_K);
	CHECK_EQ_INT(n, DHT_K);
	for (size_t i = 0; i < 4000; i++)
		missed += place_of(&key[i]) < c[n - 1]->place && !dht_table_get(&t, &key[i]);
	CHECK_EQ_INT(missed, 0); /* nobody stands nearer to us than these */
	for (uint64_t turn = 0; turn < 64; turn++, target = target * 25 + 77) {
		n = dht_table_nearest(&t, target, c, 12);
		CHECK_EQ_INT(n, 12);
		for (size_t i = 1; i < n; i++)
			CHECK((c[i - 1]->place ^ target) < (c[i]->place ^ target));
		nearer = at = 0;
		for (const struct contact *x; (x = dht_table_next(&t, &at));)
			nearer += (x->place ^ target) < (c[11]->place ^ target);
		CHECK_EQ_INT(nearer, 11);
	}
	CHECK_EQ_INT(at, t.count);
	dht_table_fini(&t);
}

static void test_table_emptied_has_no_memory_and_no_depth(void)
{
	struct dht_table t;

	table_fill(&t);
	CHECK_EQ_INT(t.depth, 1);
	for (size_t i = 0; i < DHT_K; i++)
		CHECK(dht_table_remove(&t, &keys[i]));
	CHECK(!dht_table_remove(&t, &keys[0]));
	CHECK_EQ_INT(t.count + t.depth + dht_table_size(&t), 0);
	dht_table_fini(&t);
}

static void test_table_ourselves_are_refused(void)
{
	struct pubkey own = { .b = { 1 } }, check;
	struct node_id id = id_of(&own);
	struct dht_table t;

	dht_table_init(&t, &id);
	CHECK_EQ_INT(dht_table_seen(&t, &own, true, &check, SEC(1)), TABLE_REFUSED);
	CHECK(!dht_table_wants(&t, &own));
	CHECK_EQ_INT(t.count, 0);
	dht_table_fini(&t);
}

static const struct test tests[] = {
	TEST(test_table_bucket_keeps_old_contacts_and_has_the_oldest_checked),
	TEST(test_table_contact_heard_of_lately_is_not_checked),
	TEST(test_table_contact_that_fails_its_check_is_forgotten_at_once),
	TEST(test_table_contact_is_forgotten_after_two_failures_in_a_row_only),
	TEST(test_table_suspect_gives_way_to_whoever_has_just_answered),
	TEST(test_table_suspects_are_told_only_when_there_is_nobody_else),
	TEST(test_table_session_takes_the_place_of_the_oldest_without_one),
	TEST(test_table_silent_session_is_passed_over_and_forgotten_once_down),
	TEST(test_table_far_buckets_stay_small_near_ones_complete_and_nearest_are_in_order),
	TEST(test_table_emptied_has_no_memory_and_no_depth),
	TEST(test_table_ourselves_are_refused),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
