/* test_keeper_hint.c - what a keeper adds to "owned": an address that is free, or that none is. */
#include "dht/keeper.h"

#include "dht/pool.h"
#include "tests/unit/keeper_ops.h"

#define USABLE 13 /* of a /28 */

struct range {
	struct kit *t;
	struct key_pair router, a, b;
};

/* A router may hold many addresses. */
static struct range range_new(size_t keepers, const char *subnet)
{
	struct range r = { kit_new(keepers), kit_key(1), kit_key(2), kit_key(3) };

	CHECK(prefix_parse(&r.t->settings.subnet, subnet));
	CHECK_EQ_INT(kit_member_add(r.t, &r.router, RIGHT_ROUTER), REG_OK);
	CHECK_EQ_INT(kit_member_add(r.t, &r.a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(r.t, &r.b, 0), REG_OK);
	return r;
}

static enum reg_status claim(struct range *r, const struct key_pair *who, uint32_t n)
{
	return KIT_DO(r->t, who, .verb = OP_CLAIM, .name = nth_address(n), .lease = 3600);
}

static const struct kit_answer *refused(struct range *r, const struct key_pair *who, uint32_t n)
{
	const struct kit_answer *a = kit_do(
		r->t, (struct reg_op){ .verb = OP_CLAIM, .name = nth_address(n) }, who);

	CHECK(a && a->status != REG_OK && key_equal(&a->holder, &r->router.pub));
	return a;
}

/* All of a /28 but `free_one` (0: nothing) is the router's. */
static struct range range_taken(size_t keepers, uint32_t free_one)
{
	struct range r = range_new(keepers, "10.1.0.0/28");

	for (uint32_t n = 2; n < 2 + USABLE; n++)
		if (n != free_one)
			CHECK_EQ_INT(claim(&r, &r.router, n), REG_OK);
	return r;
}

static bool is_hint(const struct kit_answer *a, uint32_t n)
{
	struct reg_name want = nth_address(n), is;

	if (a->status != REG_OWNED || a->hint.len != 4)
		return false;
	is = reg_name_address(&a->hint);
	return reg_name_equal(&is, &want);
}

static void test_hint_names_the_last_free_address_whoever_asks_for_whichever(void)
{
	struct range r = range_taken(1, 9);

	for (uint32_t n = 2; n < 2 + USABLE; n++)
		if (n != 9)
			CHECK(is_hint(refused(&r, n % 2 ? &r.a : &r.b, n), 9));
	CHECK_EQ_INT(claim(&r, &r.a, 9), REG_OK);
	kit_free(r.t);
}

static void test_hint_full_is_said_with_the_owner_when_nothing_is_free(void)
{
	struct range r = range_taken(1, 0);
	const struct kit_answer *a = refused(&r, &r.a, 5);

	CHECK_EQ_INT(a->status, REG_FULL);
	CHECK_EQ_INT(a->hint.len, 0);
	CHECK_EQ_INT(claim(&r, &r.router, 5), REG_OK); /* its own is its own all the same */
	kit_free(r.t);
}

static void test_hint_is_what_was_given_back_or_is_surely_over(void)
{
	struct range r = range_taken(1, 0);
	const struct kit_answer *a;

	CHECK_EQ_INT(KIT_DO(r.t, &r.router, .verb = OP_RELEASE, .name = nth_address(7)), REG_OK);
	CHECK(is_hint(refused(&r, &r.a, 5), 7));
	CHECK_EQ_INT(claim(&r, &r.a, 7), REG_OK);
	CHECK_EQ_INT(refused(&r, &r.b, 5)->status, REG_FULL);
	r.t->now += SEC(3600);
	for (uint32_t n = 2; n < 2 + USABLE; n++)
		if (n != 12 && n != 7)
			CHECK_EQ_INT(claim(&r, &r.router, n), REG_OK);
	a = refused(&r, &r.b, 5); /* that of 12 is not yet surely over */
	CHECK_EQ_INT(a->status, REG_FULL);
	r.t->now += SEC(120);
	a = refused(&r, &r.b, 5);
	CHECK(is_hint(a, 12) || is_hint(a, 7));
	kit_free(r.t);
}

static void test_hint_full_is_not_said_while_somebody_asks_for_the_last_one(void)
{
	struct range r = range_taken(3, 9);
	uint64_t asks_last = kit_ask(r.t, (struct reg_op){ .verb = OP_CLAIM,
							     .name = nth_address(9) }, &r.a);
	uint64_t asks_taken = kit_ask(r.t, (struct reg_op){ .verb = OP_CLAIM,
							      .name = nth_address(5) }, &r.b);

	kit_run(r.t, SEC(6));
	CHECK_EQ_INT(kit_status(kit_answer_of(r.t, asks_last)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_answer_of(r.t, asks_taken)), REG_OWNED);
	CHECK_EQ_INT(kit_answer_of(r.t, asks_taken)->hint.len, 0);
	CHECK_EQ_INT(refused(&r, &r.b, 5)->status, REG_FULL);
	kit_free(r.t);
}

static void test_hint_sends_claimants_to_different_addresses(void)
{
	struct range r = range_new(1, "10.1.0.0/24");
	struct ip seen[16];
	size_t different = 0;

	CHECK_EQ_INT(claim(&r, &r.router, 5), REG_OK);
	for (uint32_t i = 0; i < ARRAY_LEN(seen); i++) {
		struct key_pair who = kit_key(100 + i);
		const struct kit_answer *a;
		bool is_new = true;

		CHECK_EQ_INT(kit_member_add(r.t, &who, 0), REG_OK);
		a = refused(&r, &who, 5);
		CHECK_EQ_INT(a->hint.len, 4);
		CHECK(prefix_has(&r.t->settings.subnet, &a->hint));
		CHECK(a->hint.b[3] > 1 && a->hint.b[3] < 255 && a->hint.b[3] != 5);
		seen[i] = a->hint;
		for (uint32_t j = 0; j < i; j++)
			is_new &= !ip_equal(&seen[j], &seen[i]);
		different += is_new;
	}
	CHECK(different >= 14);
	kit_free(r.t);
}

static void test_hint_is_never_of_a_share_that_is_held_back(void)
{
	struct range r = range_new(1, "10.1.0.0/22"); /* 64 are held back */
	struct reg_name name;
	uint32_t n;

	for (n = 2; n < 2 + 200; n++)
		CHECK_EQ_INT(claim(&r, &r.router, n), REG_OK);
	for (n = 2; n < 2 + 200; n++) {
		const struct kit_answer *a = refused(&r, n % 2 ? &r.a : &r.b, n);

		CHECK_EQ_INT(a->hint.len, 4);
		name = reg_name_address(&a->hint);
		CHECK_EQ_INT(pool_claim(&r.t->settings, 0, 0, &name), REG_OK);
		r.t->now += SEC(10); /* the rate of a member */
	}
	kit_free(r.t);
}

static void test_hint_full_is_said_when_only_a_share_is_left_that_is_held_back(void)
{
	struct range r = range_new(1, "10.1.0.0/23"); /* 32 are held back */

	for (uint32_t n = 2; n < 512 - 32; n++)
		CHECK_EQ_INT(claim(&r, &r.router, n), REG_OK);
	CHECK_EQ_INT(claim(&r, &r.router, 512 - 32), REG_FULL);
	CHECK_EQ_INT(refused(&r, &r.a, 5)->status, REG_FULL);
	kit_free(r.t);
}

static void test_hint_is_given_for_a_share_that_is_held_back_too(void)
{
	struct range r = range_new(1, "10.1.0.0/22");
	const struct kit_answer *a = kit_do(
		r.t, (struct reg_op){ .verb = OP_CLAIM, .name = nth_address(1020) }, &r.a);

	CHECK(a && a->status == REG_OWNED && key_is_zero(&a->holder) && a->hint.len == 4);
	kit_free(r.t);
}

static void test_hint_is_not_given_for_names(void)
{
	struct range r = range_new(1, "10.1.0.0/28");
	struct reg_op op = { .verb = OP_CLAIM, .name = kit_host("ada") };
	const struct kit_answer *a;

	CHECK_EQ_INT(kit_status(kit_do(r.t, op, &r.router)), REG_OK);
	a = kit_do(r.t, op, &r.a);
	CHECK(a && a->status == REG_OWNED && a->hint.len == 0);
	kit_free(r.t);
}

static const struct test tests[] = {
	TEST(test_hint_names_the_last_free_address_whoever_asks_for_whichever),
	TEST(test_hint_full_is_said_with_the_owner_when_nothing_is_free),
	TEST(test_hint_is_what_was_given_back_or_is_surely_over),
	TEST(test_hint_full_is_not_said_while_somebody_asks_for_the_last_one),
	TEST(test_hint_sends_claimants_to_different_addresses),
	TEST(test_hint_is_never_of_a_share_that_is_held_back),
	TEST(test_hint_full_is_said_when_only_a_share_is_left_that_is_held_back),
	TEST(test_hint_is_given_for_a_share_that_is_held_back_too),
	TEST(test_hint_is_not_given_for_names),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
