/* test_liar_any.c - a keeper that lies about the set itself.
 *
 * It proposes successors by itself, stands for changes that never come, and leaves newcomers alone.
 * Nodes 0 to 4 are the keepers, four of five decide, 4 lies. */
#include "tests/unit/succession_kit.h"

#include "dht/keeper_impl.h"

static struct keeper_role *role(struct sk *s, size_t i) { return s->w->node[i].regs->keeper; }

static int hard_change(struct sk *s, size_t at, const char *nodes)
{
	struct keeper_set set = sk_set(s, nodes);

	set.quorum = 4;
	return regs_change_keepers(s->w->node[at].regs, &set, s->w->now);
}

static enum reg_status asks(struct sk *s, size_t i, uint8_t verb, const struct reg_name *name)
{
	struct reg_op req = { .name = *name, .verb = verb };

	return rw_do(&s->w->node[i], &req, NULL, NULL);
}

static struct sk *five(uint64_t seed)
{
	struct sk *s = sk_new(seed, 10);

	s->w->node[9].keeps_strays = s->w->node[8].keeps_strays = true;
	CHECK_EQ_INT(hard_change(s, 0, "01234"), 0);
	CHECK(sk_wait(s, 2, "01234", SEC(30)) != USEC_NEVER);
	return s;
}

static void says(struct sk *s, size_t liar, const char *to, struct regmsg *m)
{
	struct keeper_role *k = role(s, liar);

	CHECK(keeper_enter(k, s->w->now));
	memcpy(m->nsid, k->nsid, NSID_LEN);
	for (; *to; to++)
		keeper_message(k, &s->w->node[*to - '0'].key.pub, m);
	keeper_leave(k, s->w->now);
}

/* ACCEPT of a value that nobody has asked for, to these. */
static void offers(struct sk *s, const char *to, struct regmsg *m, const struct reg_value *v)
{
	uint8_t value[REG_VALUE_MAX];
	struct wr w = wr_of(value, sizeof(value));

	wr_reg_value(&w, v);
	m->type = REGMSG_ACCEPT;
	m->bytes = value;
	m->len = wr_len(&w);
	m->ballot.era = 0;
	m->ballot.epoch = sk_epoch(s, 4);
	m->ballot.proposer = 4;
	says(s, 4, to, m);
}

/* Members that are nodes stand as they are; 'a' to 'e' are keys that nobody knows. */
static void offers_successor(struct sk *s, const char *to, const char *set, uint64_t counter)
{
	const struct config *cf = regs_keepers(s->w->node[4].regs);
	struct config next = { .root = cf->root, .era = cf->era, .epoch = cf->epoch + 1,
			       .count = (uint8_t)strlen(set) };
	struct regmsg m = { .request = 1 << 20 | counter, .ballot.counter = counter,
			    .beacon = wall_seconds(&s->w->wall, s->w->now),
			    .name = acceptor_successor(cf->era, cf->epoch) };
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1, .owner = cf->root };
	uint8_t body[CONFIG_BODY_MAX];

	next.quorum = next.count < 5 ? next.count : 4;
	memcpy(next.previous, cf->hash, sizeof(next.previous));
	for (size_t i = 0; i < next.count; i++) {
		struct key_pair node = { .pub = { { 99, (uint8_t)set[i] } } };
		struct keeper *k = &next.members[i];

		*k = (struct keeper){ .node = node.pub, .incarnation = 1,
				      .epoch_key = { { 98, (uint8_t)set[i] } } };
		if (set[i] <= '9') {
			struct keeper_role *r = role(s, (size_t)(set[i] - '0'));

			node = s->w->node[set[i] - '0'].key;
			k->node = node.pub;
			k->incarnation = r->incarnation;
			k->epoch_key = keeper_key_make(r, (struct epoch_at){ 0, next.epoch })->pair.pub;
		}
		keeper_certify(k, &next, &node, s->w->crypto);
	}
	v.payload = body;
	v.payload_len = config_body_write(body, sizeof(body), &next);
	CHECK(v.payload_len);
	offers(s, to, &m, &v);
}

static size_t sealed(struct sk *s)
{
	size_t count = 0;

	for (size_t i = 0; i < 4; i++)
		count += role(s, i)->acceptor.sealed;
	return count;
}

/* Accomplices whom nobody has given the right to be keepers would be the whole of the next set. */
static void test_no_liar_names_strangers_as_keepers(void)
{
	struct sk *s = five(1);
	struct reg_name name = sk_address(0);

	offers_successor(s, "0123", "4abcd", 1000);
	sk_run(s, SEC(10));
	CHECK_EQ_INT(sealed(s), 0);
	CHECK_EQ_INT(sk_epoch(s, 0), 2);
	CHECK_EQ_INT(asks(s, 9, OP_CLAIM, &name), REG_OK);
	sk_free(s);
}

/* Of members, but one that ends when the liar says nothing. */
static void test_no_liar_makes_a_set_that_cannot_do_without_it(void)
{
	struct sk *s = five(1);
	struct reg_name name = sk_address(0);

	offers_successor(s, "0123", "401", 1000);
	offers_successor(s, "0123", "4012", 2000);
	sk_run(s, SEC(10));
	CHECK_EQ_INT(sealed(s), 0);
	s->w->node[4].cut = true;
	CHECK_EQ_INT(asks(s, 9, OP_CLAIM, &name), REG_OK);
	sk_free(s);
}

/* It stands for a change that never comes, for ever. */
static void test_a_liar_that_plans_for_ever_is_replaced(void)
{
	struct sk *s = five(1);
	usec_t end = s->w->now + MINUTES(60);
	bool began = false;

	while (s->w->now < end && sk_epoch(s, 0) < 3) {
		struct regmsg m = { .type = REGMSG_STAND, .request = 1, .at = role(s, 4)->seen,
				    .planned_count = 1 };

		m.planned[0] = s->w->node[4].key.pub;
		says(s, 4, "0123", &m);
		rw_run(s->w, SEC(5));
		if (!began)
			began = hard_change(s, 0, "01235") == 0;
	}
	CHECK(sk_wait(s, 3, "01235", SEC(60)) != USEC_NEVER);
	sk_free(s);
}

/* It says that it serves, and shows nothing to the one that was late. */
static void test_a_late_newcomer_is_not_left_to_a_liar(void)
{
	struct sk *s = five(1);
	struct reg_name name = sk_address(0);
	usec_t end = s->w->now + SEC(30);

	CHECK_EQ_INT(asks(s, 9, OP_CLAIM, &name), REG_OK);
	CHECK_EQ_INT(hard_change(s, 0, "45678"), 0);
	while (s->w->now < end && sk_epoch(s, 0) < 3)
		rw_run(s->w, MSEC(1));
	s->w->node[7].cut = true;
	sk_run(s, SEC(20));
	s->w->node[4].cut = true;
	s->w->node[7].cut = false;
	sk_run(s, SEC(60));
	CHECK(regs_is_keeper(s->w->node[7].regs));
	CHECK_EQ_INT(asks(s, 9, OP_RENEW, &name), REG_OK);
	sk_free(s);
}

static const struct test tests[] = {
	TEST(test_no_liar_names_strangers_as_keepers),
	TEST(test_no_liar_makes_a_set_that_cannot_do_without_it),
	TEST(test_a_liar_that_plans_for_ever_is_replaced),
	TEST(test_a_late_newcomer_is_not_left_to_a_liar),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
