/* test_newcomer.c - who is new in a hardened set, and is lied to by a keeper of the set before.
 *
 * A liar is a keeper whose memory we write: it shows what stands there in copies, promises and votes.
 * Nodes 0 to 4 are the keepers, four of five decide; node 9 holds an address, node 8 would like to. */
#include "tests/unit/succession_kit.h"

#include "dht/keeper_impl.h"

#define HOLDER 9
#define ACCOMPLICE 8

static const char *const FIRST = "01234";

static int hard_change(struct sk *s, size_t at, const char *nodes)
{
	struct keeper_set set = sk_set(s, nodes);

	set.quorum = 4;
	return regs_change_keepers(s->w->node[at].regs, &set, s->w->now);
}

static struct keeper_role *role(struct sk *s, size_t i) { return s->w->node[i].regs->keeper; }

static const struct cell *cell_at(struct sk *s, size_t i, const struct reg_name *name)
{
	return keeper_cell(role(s, i), name);
}

static enum reg_status asks(struct sk *s, size_t i, uint8_t verb, const struct reg_name *name)
{
	struct reg_op req = { .name = *name, .verb = verb };

	return rw_do(&s->w->node[i], &req, NULL, NULL);
}

/* As it would be if keepers were sure of it. */
static void holds(struct sk *s, size_t i, const struct reg_name *name, const struct reg_value *v,
		  uint64_t counter)
{
	uint8_t value[REG_VALUE_MAX];
	struct wr w = wr_of(value, sizeof(value));
	struct acceptor_entry e = { .name = *name, .beacon = wall_seconds(&s->w->wall, s->w->now) };

	wr_reg_value(&w, v);
	e.accepted = (struct ballot){ 0, sk_epoch(s, i), counter, 4 };
	e.value = rd_of(value, wr_len(&w));
	CHECK(acceptor_put(&role(s, i)->acceptor, &e, 0));
}

static struct reg_value owned_by(struct sk *s, size_t who, uint64_t generation)
{
	return (struct reg_value){ .state = REG_HELD, .generation = generation, .number = 1 << 20,
				   .owner = s->w->node[who].key.pub, .lease = 86400 };
}

static struct reg_name forged_member(void)
{
	static const uint8_t key[KEY_LEN] = { 0x47, 0x11 };

	return reg_name_key(REG_MEMBER, key, KEY_LEN);
}

/* Another owner of what is owned, an owner of what is free, a member with all rights. */
static void lies(struct sk *s, size_t i)
{
	struct reg_name held = sk_address(0), free_one = sk_address(1), name = forged_member();
	struct reg_value v = owned_by(s, ACCOMPLICE, 7);
	struct member_payload m = { .rights = RIGHT_ADMIN, .serial = 1, .not_after = UINT32_MAX };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr w = wr_of(payload, sizeof(payload));

	holds(s, i, &held, &v, 1000);
	holds(s, i, &free_one, &v, 1000);
	wr_member_payload(&w, &m);
	v = (struct reg_value){ .state = REG_GOVERNED, .generation = 1, .payload = payload,
				.payload_len = wr_len(&w) };
	memcpy(v.owner.b, name.b, KEY_LEN);
	holds(s, i, &name, &v, 1000);
}

static struct sk *five(uint64_t seed)
{
	struct sk *s = sk_new(seed, 10);
	struct reg_name name = sk_address(0);

	s->w->node[HOLDER].keeps_strays = true;
	CHECK_EQ_INT(hard_change(s, 0, FIRST), 0);
	CHECK(sk_wait(s, 2, FIRST, SEC(30)) != USEC_NEVER);
	CHECK_EQ_INT(asks(s, HOLDER, OP_CLAIM, &name), REG_OK);
	return s;
}

static bool is_held_by(struct sk *s, size_t i, const struct reg_name *name, size_t who)
{
	struct reg_value v;

	return cell_value(cell_at(s, i, name), &v) &&
	       key_equal(&v.owner, &s->w->node[who].key.pub);
}

/* None of these believes any of the lies; all have what is true. */
static size_t poisoned(struct sk *s, const char *nodes)
{
	struct reg_name held = sk_address(0), free_one = sk_address(1), name = forged_member();
	size_t count = 0;

	for (; *nodes; nodes++) {
		size_t i = (size_t)(*nodes - '0');

		count += !is_held_by(s, i, &held, HOLDER) || cell_at(s, i, &free_one) ||
			 cell_at(s, i, &name);
	}
	return count;
}

/* There is one owner, and it is who it was. */
static void stays_owner(struct sk *s)
{
	struct reg_name held = sk_address(0);

	CHECK_EQ_INT(asks(s, HOLDER, OP_RENEW, &held), REG_OK);
	CHECK(asks(s, ACCOMPLICE, OP_RENEW, &held) != REG_OK);
	CHECK(asks(s, ACCOMPLICE, OP_CLAIM, &held) != REG_OK);
	CHECK_EQ_INT(asks(s, HOLDER, OP_RENEW, &held), REG_OK);
}

static const struct {
	const char *to, *new, *honest;
} changes[] = {
	{ "01245", "5", "0125" },
	{ "04567", "567", "0567" },
	{ "45673", "567", "3567" },
	{ "01235", "5", "01235" }, /* the liar goes */
};

static void test_newcomers_believe_no_lying_old_member(void)
{
	for (uint64_t seed = 1; seed <= 16; seed++) {
		size_t c = seed % ARRAY_LEN(changes);
		struct sk *s = five(seed);

		lies(s, 4);
		CHECK_EQ_INT(hard_change(s, 0, changes[c].to), 0);
		CHECK(sk_wait(s, 3, changes[c].to, SEC(30)) < SEC(6));
		CHECK_EQ_INT(poisoned(s, changes[c].honest), 0);
		stays_owner(s);
		sk_free(s);
	}
}

/* An honest keeper that was passed over, and was led to take another's claim before; the liar shows
 * the same: two equal words of five, under the highest ballot. */
static void test_newcomers_believe_no_liar_and_one_that_it_has_led(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		size_t c = 1 + seed % 2;
		struct sk *s = five(seed);
		struct reg_name held = sk_address(0);
		struct reg_value v = owned_by(s, ACCOMPLICE, 1);

		holds(s, 3, &held, &v, 1000);
		holds(s, 4, &held, &v, 1000);
		CHECK_EQ_INT(hard_change(s, 0, changes[c].to), 0);
		CHECK(sk_wait(s, 3, changes[c].to, SEC(30)) < SEC(6));
		for (const char *n = changes[c].new; *n; n++)
			CHECK(is_held_by(s, (size_t)(*n - '0'), &held, HOLDER));
		CHECK(asks(s, ACCOMPLICE, OP_RENEW, &held) != REG_OK);
		stays_owner(s);
		sk_free(s);
	}
}

/* All that is left to copy from are members of the newest set, one of which lies. */
static void test_a_late_newcomer_does_not_believe_one_that_is_installed(void)
{
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct sk *s = five(seed);
		usec_t end;

		lies(s, 4);
		CHECK_EQ_INT(hard_change(s, 0, "45678"), 0);
		for (end = s->w->now + SEC(30); s->w->now < end && sk_epoch(s, 0) < 3;)
			rw_run(s->w, MSEC(1));
		s->w->node[7].cut = true;
		sk_run(s, SEC(10));
		s->w->now += MINUTES(10); /* so long those that leave wait for it */
		sk_run(s, SEC(10));
		CHECK(!regs_is_keeper(s->w->node[0].regs) && !role(s, 0)->acceptor.epoch);
		lies(s, 4);
		CHECK(!regs_is_keeper(s->w->node[7].regs));
		s->w->node[7].cut = false;
		CHECK(sk_wait(s, 3, "45678", SEC(60)) != USEC_NEVER);
		CHECK_EQ_INT(poisoned(s, "567"), 0);
		stays_owner(s);
		sk_free(s);
	}
}

static bool all_unknown(struct sk *s, const char *nodes, const struct reg_name *name)
{
	for (; *nodes; nodes++)
		if (!cell_is_unknown(cell_at(s, (size_t)(*nodes - '0'), name)))
			return false;
	return true;
}

/* Four half-written first claims of one address: nobody can tell which was chosen. */
static void test_newcomers_do_not_vote_on_what_they_cannot_know(void)
{
	struct sk *s = five(1);
	struct reg_name name = sk_address(2), other = sk_address(3);

	for (size_t i = 0; i < 4; i++) {
		struct reg_value v = owned_by(s, 5 + i, 1);

		holds(s, i, &name, &v, 1000 + i);
	}
	CHECK_EQ_INT(hard_change(s, 0, "34567"), 0);
	CHECK(sk_wait(s, 3, "34567", SEC(30)) < SEC(8));
	CHECK(all_unknown(s, "567", &name));
	CHECK(asks(s, ACCOMPLICE, OP_CLAIM, &name) != REG_OK);
	CHECK(asks(s, HOLDER, OP_CLAIM, &name) != REG_OK);
	CHECK_EQ_INT(asks(s, HOLDER, OP_CLAIM, &other), REG_OK);
	rw_restart(&s->w->node[6], true);
	sk_run(s, SEC(5));
	CHECK(all_unknown(s, "567", &name));
	CHECK_EQ_INT(hard_change(s, 5, "12567"), 0);
	CHECK(sk_wait(s, 4, "12567", SEC(30)) < SEC(8));
	CHECK(all_unknown(s, "12567", &name)); /* and nobody takes their silence for "free" */
	CHECK(asks(s, ACCOMPLICE, OP_CLAIM, &name) != REG_OK);
	s->w->now += SEC((uint64_t)29 * 86400);
	sk_run(s, SEC(700)); /* memberships are renewed */
	CHECK(asks(s, HOLDER, OP_CLAIM, &name) != REG_OK);
	s->w->now += SEC((uint64_t)2 * 86400); /* no lease of it can run any more */
	CHECK_EQ_INT(asks(s, HOLDER, OP_CLAIM, &name), REG_OK);
	sk_free(s);
}

static size_t missing(struct sk *s, size_t at, size_t of)
{
	struct reg_name name;
	struct reg_value v, here;
	size_t count = 0, i = 0;

	while (keeper_next(role(s, of), &i, &name, &v))
		count += !cell_value(cell_at(s, at, &name), &here) ||
			 here.generation != v.generation || here.number != v.number;
	return count;
}

/* What all of them show goes over as it was, whatever the liar leaves out. */
static void test_newcomers_take_what_a_liar_hides(void)
{
	struct sk *s = five(3);

	while (!acceptor_clear(&role(s, 4)->acceptor, SIZE_MAX))
		rw_run(s->w, MSEC(10));
	CHECK_EQ_INT(hard_change(s, 0, "04567"), 0);
	CHECK(sk_wait(s, 3, "04567", SEC(30)) < SEC(6));
	CHECK_EQ_INT(poisoned(s, "0567"), 0);
	CHECK(role(s, 0)->acceptor.cells.count >= 12);
	for (size_t i = 5; i <= 7; i++)
		CHECK_EQ_INT(missing(s, i, 0), 0);
	stays_owner(s);
	sk_free(s);
}

/* Nobody holds what another holds while claims run and the set changes and one keeps lying. */
static void test_claims_go_on_while_a_liar_is_copied(void)
{
	for (uint64_t seed = 1; seed <= 6; seed++) {
		static const char *const sets[] = { "04567", "01254", "34567" };
		struct sk *s = five(seed);

		s->first = 8;
		s->claims = true;
		for (uint32_t i = 0; i < ARRAY_LEN(sets); i++) {
			size_t at = i == 2 ? 2 : 0;

			sk_run(s, SEC(1));
			lies(s, 4);
			CHECK_EQ_INT(hard_change(s, at, sets[i]), 0);
			CHECK(sk_wait(s, 3 + i, sets[i], SEC(60)) != USEC_NEVER);
		}
		CHECK_EQ_INT(s->violations, 0);
		CHECK(s->ok > 20);
		sk_free(s);
	}
}

/* The right value, under a ballot that no epoch ever comes to. */
static void shows_an_endless_ballot(struct sk *s, size_t i)
{
	struct reg_name held = sk_address(0);
	const struct cell *c = cell_at(s, i, &held);
	struct acceptor_entry e = { .name = held, .beacon = c->beacon,
				    .accepted = { 0, UINT32_MAX, UINT64_MAX, 4 } };
	uint8_t value[REG_VALUE_MAX];

	memcpy(value, c->value, c->value_len);
	e.value = rd_of(value, c->value_len);
	CHECK(acceptor_put(&role(s, i)->acceptor, &e, 0));
}

/* Also when it has left again. */
static void test_no_ballot_that_a_liar_shows_ends_a_register(void)
{
	for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
		struct sk *s = five(1 + c);
		struct reg_name held = sk_address(0);

		shows_an_endless_ballot(s, 4);
		CHECK_EQ_INT(hard_change(s, 0, changes[c].to), 0);
		CHECK(sk_wait(s, 3, changes[c].to, SEC(30)) != USEC_NEVER);
		CHECK_EQ_INT(asks(s, HOLDER, OP_RENEW, &held), REG_OK);
		sk_free(s);
	}
}

/* The right value and beacon, under another ballot of its own epoch, since another time. */
static void shows_again(struct sk *s, size_t i, uint64_t counter, usec_t since)
{
	struct reg_name held = sk_address(0);
	const struct cell *c = cell_at(s, i, &held);
	struct acceptor_entry e = { .name = held, .beacon = c->beacon,
				    .accepted = { 0, sk_epoch(s, i), counter, 4 } };
	uint8_t value[REG_VALUE_MAX];

	memcpy(value, c->value, c->value_len);
	e.value = rd_of(value, c->value_len);
	CHECK(acceptor_put(&role(s, i)->acceptor, &e, since));
}

/* Nor do those that stay believe how old it is what they have: the lease would seem over. */
static void test_no_liar_makes_older_what_is_copied(void)
{
	for (size_t c = 0; c < ARRAY_LEN(changes); c++) {
		struct sk *s = five(1 + c);
		struct reg_name held = sk_address(0);

		s->w->now += SEC((uint64_t)20 * 86400);
		sk_run(s, SEC(700)); /* memberships are renewed */
		CHECK_EQ_INT(asks(s, HOLDER, OP_CLAIM, &held), REG_OK);
		CHECK_EQ_INT(asks(s, ACCOMPLICE, OP_CLAIM, &held), REG_OWNED);
		shows_again(s, 4, 1000, 0);
		CHECK_EQ_INT(hard_change(s, 0, changes[c].to), 0);
		CHECK(sk_wait(s, 3, changes[c].to, SEC(30)) != USEC_NEVER);
		CHECK_EQ_INT(asks(s, ACCOMPLICE, OP_CLAIM, &held), REG_OWNED);
		stays_owner(s);
		sk_free(s);
	}
}

/* They copy in advance, while they vote; one that is wanted does not come. */
static void test_no_ballot_of_the_epoch_that_is_served_ends_a_register_either(void)
{
	struct sk *s = five(1);
	struct reg_name held = sk_address(0);

	shows_again(s, 4, UINT64_MAX, s->w->now);
	s->w->node[5].cut = true;
	CHECK_EQ_INT(hard_change(s, 0, "01245"), 0);
	sk_run(s, SEC(25));
	CHECK_EQ_INT(sk_epoch(s, 0), 2);
	CHECK_EQ_INT(asks(s, HOLDER, OP_RENEW, &held), REG_OK);
	sk_free(s);
}

/* Of what nobody can know nobody goes on asking: each refusal would make the next one read. */
static void test_what_is_not_known_keeps_no_keeper_busy(void)
{
	struct sk *s = five(1);
	struct reg_name name = sk_address(2);
	uint64_t counter;

	for (size_t i = 0; i < 4; i++) {
		struct reg_value v = owned_by(s, 5 + i, 1);

		holds(s, i, &name, &v, 1000 + i);
	}
	CHECK_EQ_INT(hard_change(s, 0, "34567"), 0);
	CHECK(sk_wait(s, 3, "34567", SEC(30)) < SEC(8));
	CHECK(asks(s, ACCOMPLICE, OP_CLAIM, &name) != REG_OK);
	sk_run(s, SEC(20));
	counter = cell_at(s, 5, &name)->promised.counter;
	sk_run(s, SEC(20));
	CHECK_EQ_INT(cell_at(s, 5, &name)->promised.counter, counter);
	sk_free(s);
}

/* There the highest ballot would stand, also one that a single member was led to. */
static void test_no_set_of_majorities_follows_a_hardened_one(void)
{
	struct sk *s = five(1);
	struct keeper_set set = sk_set(s, "01245");

	set.quorum = 3;
	regs_change_keepers(s->w->node[0].regs, &set, s->w->now);
	sk_run(s, SEC(30));
	CHECK_EQ_INT(sk_epoch(s, 0), 2);
	CHECK_EQ_INT(hard_change(s, 1, "01245"), 0);
	CHECK(sk_wait(s, 3, "01245", SEC(60)) != USEC_NEVER);
	sk_free(s);
}

static const struct test tests[] = {
	TEST(test_newcomers_believe_no_lying_old_member),
	TEST(test_newcomers_believe_no_liar_and_one_that_it_has_led),
	TEST(test_a_late_newcomer_does_not_believe_one_that_is_installed),
	TEST(test_newcomers_do_not_vote_on_what_they_cannot_know),
	TEST(test_newcomers_take_what_a_liar_hides),
	TEST(test_claims_go_on_while_a_liar_is_copied),
	TEST(test_no_ballot_that_a_liar_shows_ends_a_register),
	TEST(test_no_liar_makes_older_what_is_copied),
	TEST(test_no_ballot_of_the_epoch_that_is_served_ends_a_register_either),
	TEST(test_what_is_not_known_keeps_no_keeper_busy),
	TEST(test_no_set_of_majorities_follows_a_hardened_one),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
