/* test_acceptor_copy.c - cells from one acceptor to another, and the seal. */
#include "dht/acceptor.h"

#include "dht/change.h"
#include "dht/entry.h"
#include "tests/unit/keeper_ops.h"

#define NOW SEC(10000)

struct shop { /* an acceptor, with a disk that answers when it is told to */
	struct acceptor a;
	uint64_t first, last; /* writes not answered yet */
	struct acceptor_reply reply;
};

static void shop_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 9, len);
}

static void shop_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			 const uint8_t *value, size_t len)
{
	struct shop *s = ctx;

	(void)key;
	(void)key_len;
	(void)value;
	(void)len;
	s->last = op;
}

static void shop_valued(void *ctx, struct cell *c, const struct reg_value *old,
			const struct reg_value *new)
{
	(void)ctx;
	(void)c;
	(void)old;
	(void)new;
}

static bool shop_follows(void *ctx, const uint8_t *body, size_t len)
{
	(void)ctx;
	return len == 4 && memcmp(body, "next", 4) == 0;
}

static void shop_open(struct shop *s, uint32_t epoch)
{
	struct acceptor_env env = { .ctx = s, .random = shop_random, .persist = shop_persist,
				    .valued = shop_valued, .follows = shop_follows };

	memset(s, 0, sizeof(*s));
	s->first = 1;
	acceptor_init(&s->a, &env, 1);
	s->a.crypto = &crypto_real;
	s->a.epoch = epoch;
	s->a.epoch_key = kit_key(100);
}

static void shop_flush(struct shop *s, int result)
{
	for (; s->first <= s->last; s->first++)
		acceptor_persisted(&s->a, s->first, result, &s->reply, NOW);
}

static size_t held(uint8_t out[200], uint8_t owner)
{
	struct reg_value v = { .state = REG_HELD, .generation = 1, .lease = 60 };
	struct wr w = wr_of(out, 200);

	v.owner.b[0] = owner;
	wr_reg_value(&w, &v);
	return wr_len(&w);
}

static bool shop_put(struct shop *s, uint32_t n, uint64_t counter, uint8_t owner, usec_t now)
{
	uint8_t value[200];
	struct regmsg m = { .type = REGMSG_ACCEPT, .request = counter, .name = nth_address(n),
			    .ballot = { 0, s->a.epoch, counter, 0 }, .bytes = value };
	struct pubkey from = kit_key(1).pub;

	m.len = held(value, owner);
	return acceptor_accept(&s->a, &from, &m, &s->reply, now);
}

static bool shop_promise(struct shop *s, uint32_t n, uint64_t counter)
{
	struct regmsg m = { .type = REGMSG_PREPARE, .request = counter, .name = nth_address(n),
			    .ballot = { 0, s->a.epoch, counter, 0 } };
	struct pubkey from = kit_key(1).pub;

	return acceptor_prepare(&s->a, &from, &m, &s->reply, NOW);
}

static bool shop_succeed(struct shop *s, uint64_t counter, const char *body)
{
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1,
			       .payload = (const uint8_t *)body, .payload_len = strlen(body) };
	struct regmsg m = { .type = REGMSG_ACCEPT, .request = counter,
			    .name = acceptor_successor(0, s->a.epoch),
			    .ballot = { 0, s->a.epoch, counter, 0 } };
	struct pubkey from = kit_key(1).pub;
	uint8_t value[200];
	struct wr w = wr_of(value, sizeof(value));

	wr_reg_value(&w, &v);
	m.bytes = value;
	m.len = wr_len(&w);
	return acceptor_accept(&s->a, &from, &m, &s->reply, NOW);
}

/* Everything above *position goes over; bytes. */
static size_t copy_all(struct shop *to, struct shop *from, uint64_t *position, usec_t now)
{
	static uint8_t room[COPY_ENTRIES_MAX];
	size_t total = 0, n;

	do {
		struct rd r;

		n = acceptor_give(&from->a, position, room, sizeof(room), now);
		r = rd_of(room, n);
		CHECK(acceptor_take(&to->a, &r, now));
		shop_flush(to, 0);
		total += n;
	} while (n);
	return total;
}

static uint8_t owner_at(const struct shop *s, uint32_t n)
{
	struct reg_name name = nth_address(n);
	struct reg_value v;

	return cell_value(acceptor_cell(&s->a, &name), &v) ? v.owner.b[0] : 0;
}

static void shops_close(struct shop *a, struct shop *b)
{
	acceptor_fini(&a->a);
	acceptor_fini(&b->a);
}

static void test_acceptor_copy_brings_what_is_durable_and_no_more(void)
{
	struct shop a, b;
	uint64_t position = 0;

	shop_open(&a, 1);
	shop_open(&b, 0);
	shop_put(&a, 1, 5, 11, NOW);
	shop_flush(&a, 0);
	shop_put(&a, 2, 5, 12, NOW);
	CHECK(copy_all(&b, &a, &position, NOW) > 0);
	CHECK_EQ_INT(owner_at(&b, 1), 11);
	CHECK_EQ_INT(owner_at(&b, 2), 0);
	CHECK(position < a.a.position);
	shop_flush(&a, 0);
	copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(owner_at(&b, 2), 12);
	CHECK_EQ_INT(position, a.a.position);
	CHECK_EQ_INT(copy_all(&b, &a, &position, NOW), 0);
	shops_close(&a, &b);
}

static void test_acceptor_copy_waits_for_what_could_not_be_written(void)
{
	struct shop a, b;
	uint64_t position = 0;

	shop_open(&a, 1);
	shop_open(&b, 0);
	shop_put(&a, 1, 5, 11, NOW);
	shop_flush(&a, -EIO);
	shop_put(&a, 2, 5, 12, NOW);
	shop_flush(&a, 0);
	CHECK(!acceptor_is_quiet(&a.a));
	CHECK_EQ_INT(copy_all(&b, &a, &position, NOW), 0);
	acceptor_write_again(&a.a);
	shop_flush(&a, 0);
	CHECK(acceptor_is_quiet(&a.a));
	copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(owner_at(&b, 1), 11);
	CHECK_EQ_INT(owner_at(&b, 2), 12);
	shops_close(&a, &b);
}

static void test_acceptor_copy_sends_again_only_what_changed(void)
{
	struct shop a, b;
	uint64_t position = 0;
	size_t all, one;

	shop_open(&a, 1);
	shop_open(&b, 0);
	for (uint32_t i = 0; i < 100; i++)
		shop_put(&a, i, 5, 11, NOW);
	shop_flush(&a, 0);
	all = copy_all(&b, &a, &position, NOW);
	shop_put(&a, 50, 6, 13, NOW);
	shop_flush(&a, 0);
	one = copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(one * 100, all);
	CHECK_EQ_INT(owner_at(&b, 50), 13);
	shops_close(&a, &b);
}

static void test_acceptor_copy_keeps_the_higher_ballot_and_of_equal_ones_the_smaller_age(void)
{
	struct shop a, b;
	struct reg_name name = nth_address(2);
	uint64_t position = 0;

	shop_open(&a, 1);
	shop_open(&b, 1);
	b.a.sealed = true;
	shop_put(&a, 1, 5, 11, NOW);
	shop_put(&a, 2, 5, 12, NOW - SEC(10));
	b.a.sealed = false;
	shop_put(&b, 1, 7, 21, NOW);
	shop_put(&b, 2, 5, 12, NOW - SEC(90));
	b.a.sealed = true;
	shop_flush(&a, 0);
	shop_flush(&b, 0);
	copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(owner_at(&b, 1), 21);
	CHECK_EQ_INT(NOW - acceptor_cell(&b.a, &name)->since, SEC(10));
	position = 0;
	a.a.sealed = true;
	copy_all(&a, &b, &position, NOW + SEC(5));
	CHECK_EQ_INT(owner_at(&a, 1), 21);
	CHECK_EQ_INT(NOW - acceptor_cell(&a.a, &name)->since, SEC(10));
	shops_close(&a, &b);
}

/* It has promised 9 to somebody: what comes at 5 must not look as if it had been there before. */
static void test_acceptor_copy_below_a_promise_counts_only_when_there_are_no_votes_any_more(void)
{
	struct shop a, b;
	struct reg_name name = nth_address(1);
	uint64_t position = 0;

	shop_open(&a, 1);
	shop_open(&b, 1);
	shop_put(&a, 1, 5, 11, NOW);
	shop_flush(&a, 0);
	shop_promise(&b, 1, 9);
	shop_flush(&b, 0);
	copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(owner_at(&b, 1), 0);
	CHECK_EQ_INT(position, a.a.position);
	CHECK(shop_promise(&b, 1, 8)); /* the promise stands */
	CHECK(!shop_succeed(&b, 3, "next"));
	CHECK(acceptor_take_late(&b.a, NOW));
	shop_flush(&b, 0);
	CHECK_EQ_INT(owner_at(&b, 1), 11);
	CHECK_EQ_INT(acceptor_cell(&b.a, &name)->promised.counter, 9);
	shops_close(&a, &b);
}

static void test_acceptor_copy_of_garbage_changes_nothing(void)
{
	struct shop a, b;
	uint8_t room[1000];
	uint64_t position = 0;
	size_t len;

	shop_open(&a, 1);
	shop_open(&b, 0);
	shop_put(&a, 1, 5, 11, NOW);
	shop_put(&a, 2, 5, 12, NOW);
	shop_flush(&a, 0);
	len = acceptor_give(&a.a, &position, room, sizeof(room), NOW);
	for (size_t n = 1; n < len; n++) {
		struct rd r = rd_of(room, n);

		if (n != len / 2)
			CHECK(!acceptor_take(&b.a, &r, NOW));
	}
	CHECK_EQ_INT(b.a.cells.count, 0);
	shops_close(&a, &b);
}

/* More of them than have a mark each, every one at its own pace, while registers change. */
static void test_acceptor_copy_every_reader_gets_the_last_of_all_that_changes(void)
{
	enum { READERS = 24, REGISTERS = 200 };
	uint64_t at[READERS] = { 0 }, seen[READERS][REGISTERS] = { { 0 } }, counter = 1;
	static uint8_t room[400];
	uint32_t random = 7;
	struct shop s;

	shop_open(&s, 1);
	for (uint32_t i = 0; i < REGISTERS; i++)
		shop_put(&s, i, ++counter, 1, NOW);
	for (uint32_t i = 0; i < 60000; i++) {
		uint32_t who = (random = random * 1664525 + 1013904223) >> 8;
		uint64_t before = at[who % READERS];
		struct acceptor_entry e;
		struct rd r;

		if (who % 11 == 0 && i < 40000)
			shop_put(&s, who / 11 % REGISTERS, ++counter, 1, NOW);
		shop_flush(&s, 0);
		r = rd_of(room, acceptor_give(&s.a, &at[who % READERS], room, sizeof(room), NOW));
		while (rd_left(&r) && rd_acceptor_entry(&r, &e))
			seen[who % READERS][e.name.b[3]] = e.accepted.counter;
		CHECK(rd_done(&r));
		CHECK(at[who % READERS] >= before);
		if (who % 97 == 0) /* its answer was lost */
			at[who % READERS] = before;
	}
	for (size_t r = 0; r < READERS; r++)
		for (uint32_t n = 0; n < REGISTERS; n++) {
			struct reg_name name = nth_address(n);

			CHECK_EQ_INT(seen[r][n], acceptor_cell(&s.a, &name)->accepted.counter);
		}
	CHECK(!acceptor_clear(&s.a, REGISTERS / 2));
	for (size_t r = 0; r < READERS; r++)
		CHECK_EQ_INT(acceptor_give(&s.a, &at[r], room, sizeof(room), NOW), 0);
	acceptor_fini(&s.a);
}

/* --- the seal --- */

static void test_acceptor_copy_source_that_is_sealed_votes_for_successors_only(void)
{
	struct shop a, b;
	uint64_t position = 0;

	shop_open(&a, 1);
	shop_open(&b, 0);
	CHECK(!shop_put(&a, 1, 5, 11, NOW));
	CHECK(!shop_promise(&a, 2, 6));
	CHECK(!shop_succeed(&a, 3, "evil")); /* not judged to follow: not accepted either */
	CHECK(!a.a.sealed);
	CHECK(!shop_succeed(&a, 3, "next"));
	CHECK(a.a.sealed && !a.a.sealed_durably);
	CHECK(shop_put(&a, 1, 7, 12, NOW));
	CHECK_EQ_INT(a.reply.msg.status, REG_OTHER_EPOCH);
	CHECK(shop_put(&a, 2, 6, 12, NOW)); /* promised before the seal */
	CHECK_EQ_INT(a.reply.msg.status, REG_OTHER_EPOCH);
	CHECK(shop_promise(&a, 3, 1));
	CHECK_EQ_INT(a.reply.msg.status, REG_OTHER_EPOCH);
	CHECK(!shop_succeed(&a, 4, "next"));
	shop_flush(&a, 0);
	CHECK(a.a.sealed_durably);
	copy_all(&b, &a, &position, NOW);
	CHECK_EQ_INT(b.a.cells.count, 1); /* not the successor, not what was promised only */
	CHECK_EQ_INT(owner_at(&b, 1), 11);
	shops_close(&a, &b);
}

static void test_acceptor_copy_turn_drops_old_tombstones_and_generations_go_on_above_them(void)
{
	struct shop a;
	struct reg_value v = { .state = REG_RELEASED, .generation = 70 };
	struct reg_name old = kit_host("old"), fresh = kit_host("fresh"), high = kit_host("high");
	struct pubkey from = kit_key(1).pub;
	const struct reg_name *names[] = { &old, &fresh, &high };
	uint8_t value[200];

	shop_open(&a, 1);
	for (size_t i = 0; i < 3; i++) {
		struct wr w = wr_of(value, sizeof(value));
		struct regmsg m = { .type = REGMSG_ACCEPT, .name = *names[i], .bytes = value,
				    .ballot = { 0, 1, 5, 0 } };

		v.generation = i == 2 ? UINT64_C(70) << 16 : 70;
		wr_reg_value(&w, &v);
		m.len = wr_len(&w);
		CHECK(!acceptor_accept(&a.a, &from, &m, &a.reply,
				       i == 1 ? SEC(100001) : SEC(10000)));
	}
	shop_flush(&a, 0);
	acceptor_turn(&a.a, 0, 2, SEC(100001));
	CHECK(!acceptor_cell(&a.a, &old));
	CHECK(acceptor_cell(&a.a, &fresh) && acceptor_cell(&a.a, &high));
	CHECK(change_first_generation(0, 2) > 70);
	CHECK(change_first_generation(1, 1) > change_first_generation(0, UINT32_MAX));
	CHECK_EQ_INT(change_first_generation(0, 1), 1);
	acceptor_fini(&a.a);
}

/* --- how much --- */

/* 65 536 addresses: what is copied in advance, and what is left when the registers stand still. */
static void test_acceptor_copy_of_65536_registers_leaves_little_for_after_the_seal(void)
{
	struct shop a, b;
	uint64_t position = 0;
	size_t before, after;

	shop_open(&a, 1);
	shop_open(&b, 0);
	for (uint32_t i = 0; i < 65536; i++) {
		shop_put(&a, i, 5, 11, NOW);
		shop_flush(&a, 0);
	}
	before = copy_all(&b, &a, &position, NOW);
	for (uint32_t i = 0; i < 256; i++) /* BEHIND_FEW of succession.c */
		shop_put(&a, i, 6, 12, NOW);
	shop_flush(&a, 0);
	after = copy_all(&b, &a, &position, NOW);
	printf("# 65536 registers: %zu kB in advance, %zu kB after the seal, %zu ms at 100 Mb/s\n",
	       before / 1000, after / 1000, after * 8 / 100000);
	CHECK(before < 10 * 1000 * 1000);
	CHECK(after * 8 / 100000 < 10);
	CHECK_EQ_INT(b.a.cells.count, 65536);
	CHECK_EQ_INT(owner_at(&b, 0), 12);
	CHECK_EQ_INT(owner_at(&b, 65535), 11);
	shops_close(&a, &b);
}

static const struct test tests[] = {
	TEST(test_acceptor_copy_brings_what_is_durable_and_no_more),
	TEST(test_acceptor_copy_waits_for_what_could_not_be_written),
	TEST(test_acceptor_copy_sends_again_only_what_changed),
	TEST(test_acceptor_copy_keeps_the_higher_ballot_and_of_equal_ones_the_smaller_age),
	TEST(test_acceptor_copy_below_a_promise_counts_only_when_there_are_no_votes_any_more),
	TEST(test_acceptor_copy_of_garbage_changes_nothing),
	TEST(test_acceptor_copy_every_reader_gets_the_last_of_all_that_changes),
	TEST(test_acceptor_copy_source_that_is_sealed_votes_for_successors_only),
	TEST(test_acceptor_copy_turn_drops_old_tombstones_and_generations_go_on_above_them),
	TEST(test_acceptor_copy_of_65536_registers_leaves_little_for_after_the_seal),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
