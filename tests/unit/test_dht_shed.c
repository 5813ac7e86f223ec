#include "dht/impl.h"

#include <stdlib.h>

#include "tests/check.h"

#define WALL 1800000000u
#define START MINUTES(60)
#define CONTACTS 200
#define SELF_PLACE ((UINT64_C(1) << 62) + 3) /* the ring goes on below, the tree does not */
#define COUNTED 10			     /* nearest contacts that show how dense ids are */

/* One instance in a crowd of contacts, and records whose keys lie where the test wants them. */
struct bench {
	struct dht *d;
	struct wall wall;
	struct drops drops;
	usec_t now;
	struct pubkey contact[CONTACTS];
	size_t contacts;
	uint64_t reach; /* distance of the COUNTED-th */
};

static void random_bytes(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 7, len);
}

static void send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len, unsigned way)
{
	(void)ctx, (void)to, (void)msg, (void)len, (void)way;
}

static void event(void *ctx, const struct dht_event *e) { (void)ctx, (void)e; }

static struct bench *bench_new(void)
{
	static const struct log quiet;
	struct bench *b = calloc(1, sizeof(*b));
	struct dht_config cfg = { .self.pub = { { 0xee } }, .crypto = &crypto_real, .log = &quiet,
				  .wall = &b->wall, .drops = &b->drops };
	struct dht_env env = { b, random_bytes, send, event, NULL };

	b->now = START;
	b->wall = (struct wall){ WALL, START };
	b->d = dht_new(&cfg, &env, b->now);
	b->d->table.self = SELF_PLACE;
	return b;
}

static void bench_free(struct bench *b)
{
	dht_free(b->d);
	free(b);
}

static int by_far(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a ^ SELF_PLACE, y = *(const uint64_t *)b ^ SELF_PLACE;

	return (x > y) - (x < y);
}

static void meet(struct bench *b, size_t count, bool live)
{
	uint64_t place[CONTACTS];
	struct pubkey check;

	for (size_t i = 0; i < count; i++) {
		b->contact[i] = (struct pubkey){ { (uint8_t)i, 1 } };
		dht_table_seen(&b->d->table, &b->contact[i], live, &check, b->now);
		place[i] = place_of(&b->contact[i]);
	}
	qsort(place, count, sizeof(place[0]), by_far);
	b->contacts = count;
	b->reach = count >= COUNTED ? place[COUNTED - 1] ^ SELF_PLACE : 0;
}

/* So far away that this many are to be expected nearer. */
static uint64_t place_behind(const struct bench *b, uint64_t nodes)
{
	return SELF_PLACE ^ (b->reach / COUNTED * nodes);
}

static struct record_name name_at(uint64_t place)
{
	struct record_name n = { .kind = DHT_NAME };
	struct wr w = wr_of(n.key.b, sizeof(n.key.b));

	wr_u64(&w, place);
	return n;
}

static void hold(struct bench *b, uint64_t place, const struct pubkey *signer)
{
	struct record_name name = name_at(place);
	uint8_t bytes[RECORD_LEN_MAX];
	struct wr w = wr_of(bytes, sizeof(bytes));
	struct record r;

	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, name.kind);
	wr_copy(&w, name.key.b, ID_LEN);
	wr_u64(&w, 5);
	wr_u64(&w, WALL + 86400);
	wr_u16(&w, 41);
	wr_zero(&w, 41);
	wr_copy(&w, signer->b, KEY_LEN);
	wr_zero(&w, SIG_LEN);
	CHECK(record_read(&r, bytes, wr_len(&w)));
	CHECK_EQ_INT(dht_store_put(&b->d->store, &r, dht_wall(b->d, b->now)), STORE_NEW);
}

static const struct pubkey someone = { { 0xcc } };

static bool is_held(const struct bench *b, uint64_t place, const struct pubkey *signer)
{
	struct record_name name = name_at(place);
	struct record r;

	return dht_store_find(&b->d->store, &name, signer, &r);
}

/* A record of somebody's at this place, after so long. */
static bool stays(struct bench *b, uint64_t place, usec_t after)
{
	hold(b, place, &someone);
	b->now += after;
	shed_strays(b->d, b->now);
	return is_held(b, place, &someone);
}

static void test_shed_what_many_stand_nearer_to_goes_and_what_few_do_stays(void)
{
	struct bench *b = bench_new();

	meet(b, CONTACTS, true);
	CHECK(stays(b, place_behind(b, 0), MINUTES(5)));
	CHECK(stays(b, place_behind(b, 5), MINUTES(5)));
	CHECK(stays(b, place_behind(b, 15), MINUTES(5)));
	CHECK(!stays(b, place_behind(b, 30), MINUTES(5)));
	CHECK(!stays(b, ~SELF_PLACE, MINUTES(5)));
	CHECK(is_held(b, place_behind(b, 15), &someone));
	bench_free(b);
}

static void test_shed_what_came_lately_stays(void)
{
	struct bench *b = bench_new();

	meet(b, CONTACTS, true);
	CHECK(stays(b, ~SELF_PLACE, 0));
	b->now += MINUTES(2);
	shed_strays(b->d, b->now);
	CHECK(is_held(b, ~SELF_PLACE, &someone));
	b->now += MINUTES(1);
	shed_strays(b->d, b->now);
	CHECK(!is_held(b, ~SELF_PLACE, &someone));
	bench_free(b);
}

static void test_shed_our_own_records_stay(void)
{
	struct bench *b = bench_new();
	const struct pubkey *self = &b->d->cfg.self.pub;

	meet(b, CONTACTS, true);
	hold(b, ~SELF_PLACE, self);
	CHECK(!stays(b, ~SELF_PLACE, MINUTES(30)));
	CHECK(is_held(b, ~SELF_PLACE, self));
	bench_free(b);
}

static void test_shed_with_few_contacts_everything_stays(void)
{
	for (size_t few = 0; few < COUNTED; few++) {
		struct bench *b = bench_new();

		meet(b, few, true);
		CHECK(stays(b, ~SELF_PLACE, MINUTES(30)));
		bench_free(b);
	}
}

static void test_shed_contacts_that_are_down_or_silent_are_not_counted_on(void)
{
	struct bench *b = bench_new();

	meet(b, CONTACTS, true);
	for (size_t i = 0; i < b->contacts; i++)
		dht_table_down(&b->d->table, &b->contact[i]);
	CHECK(stays(b, ~SELF_PLACE, MINUTES(5)));
	bench_free(b);
	b = bench_new();
	meet(b, CONTACTS, false);
	CHECK(!stays(b, ~SELF_PLACE, MINUTES(5))); /* heard five minutes ago */
	CHECK(stays(b, ~SELF_PLACE, MINUTES(6)));  /* eleven */
	bench_free(b);
}

/* All but the nearest are gone: how dense ids are does not follow from those that were there. */
static void test_shed_the_fewer_are_up_the_more_stays(void)
{
	struct bench *b = bench_new();
	uint64_t place;

	meet(b, CONTACTS, true);
	place = place_behind(b, 30);
	for (size_t i = 0; i < b->contacts; i++)
		if (i % 4)
			dht_table_down(&b->d->table, &b->contact[i]);
	CHECK(stays(b, place, MINUTES(5)));
	bench_free(b);
}

/* Far off in the tree, next to us on the ring: where the ring takes who looks for it. */
static void test_shed_what_lies_beside_us_on_the_ring_stays(void)
{
	struct bench *b = bench_new();
	uint64_t beside = (UINT64_C(1) << 62) - 1;

	meet(b, CONTACTS, true);
	CHECK((beside ^ SELF_PLACE) > b->reach / COUNTED * 30);
	CHECK(stays(b, beside, MINUTES(5)));
	bench_free(b);
}

static const struct test tests[] = {
	TEST(test_shed_what_many_stand_nearer_to_goes_and_what_few_do_stays),
	TEST(test_shed_what_came_lately_stays),
	TEST(test_shed_our_own_records_stay),
	TEST(test_shed_with_few_contacts_everything_stays),
	TEST(test_shed_contacts_that_are_down_or_silent_are_not_counted_on),
	TEST(test_shed_the_fewer_are_up_the_more_stays),
	TEST(test_shed_what_lies_beside_us_on_the_ring_stays),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
