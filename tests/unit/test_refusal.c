/* test_refusal.c - in a hardened set one keeper's word does not end anything at its client.
 *
 * Nodes 0 to 4 are the keepers, four of five decide; node 1 lies to everybody who asks it. */
#include "tests/unit/succession_kit.h"

#define LIAR 1
#define CLIENT 9

static enum reg_status told; /* by the liar, to every client */
static bool alone; /* only node 0 is in reach of clients */

/* It does nothing, and says that it was done. */
static bool says_done(struct rw_world *w, const struct rw_message *m)
{
	struct regmsg r;
	uint8_t msg[REGMSG_MAX];
	size_t len;

	if (m->service != REGS_SERVICE_REGISTER || !regmsg_read(&r, m->b, m->len) ||
	    r.type != REGMSG_OPERATION)
		return false;
	r = (struct regmsg){ .type = REGMSG_RESULT, .request = r.request, .status = REG_OK };
	nsid_of(r.nsid, &w->root.pub);
	len = regmsg_write(msg, sizeof(msg), &r);
	regs_input(w->node[m->from].regs, &w->node[LIAR].key.pub, false, m->service, msg, len, w->now);
	return true;
}

static bool lies(struct rw_world *w, struct rw_message *m)
{
	struct regmsg r;
	uint8_t msg[REGMSG_MAX];

	if (alone && m->from >= 5 && m->to > 0 && m->to < 5)
		return false;
	if (told == REG_OK && m->to == LIAR && m->from >= 5 && says_done(w, m))
		return false;
	if (m->from != LIAR || m->to < 5)
		return true;
	if (m->service == REGS_SERVICE_MEMBER &&
	    (m->b[0] == MEMBERMSG_UPDATE || m->b[0] == MEMBERMSG_ENROLLED)) {
		struct membermsg u;

		if (!membermsg_read(&u, m->b, m->len))
			return true;
		u = (struct membermsg){ .type = m->b[0], .request = u.request,
					.status = (uint8_t)told };
		nsid_of(u.nsid, &w->root.pub);
		free(m->b);
		m->len = membermsg_write(msg, sizeof(msg), &u);
		m->b = mem_copy(msg, m->len);
		return true;
	}
	if (m->service != REGS_SERVICE_REGISTER || !regmsg_read(&r, m->b, m->len) ||
	    r.type != REGMSG_RESULT)
		return true;
	r = (struct regmsg){ .type = REGMSG_RESULT, .request = r.request, .status = (uint8_t)told };
	r.holder = w->node[8].key.pub;
	nsid_of(r.nsid, &w->root.pub);
	free(m->b);
	m->len = regmsg_write(msg, sizeof(msg), &r);
	m->b = mem_copy(msg, m->len);
	return true;
}

static struct sk *hardened(uint64_t seed)
{
	struct sk *s = sk_new(seed, 10);
	struct settings st;
	struct keeper_set set;

	for (size_t i = 0; i < 10; i++)
		s->w->node[i].keeps_strays = true;
	settings_copy(&st, regs_settings(s->w->node[0].regs));
	st.number++;
	st.hardened = true;
	CHECK_EQ_INT(regs_change_settings(s->w->node[0].regs, &st, &s->w->root, s->w->now), 0);
	sk_run(s, SEC(3));
	set = sk_set(s, "01234");
	set.quorum = 4;
	CHECK_EQ_INT(regs_change_keepers(s->w->node[0].regs, &set, s->w->now), 0);
	CHECK(sk_wait(s, 2, "01234", SEC(60)) != USEC_NEVER);
	s->w->hook = lies;
	return s;
}

/* Asked first. */
static void prefers_the_liar(struct sk *s)
{
	s->w->node[CLIENT].regs->client.prefer = LIAR;
}

static void test_refusal_of_one_liar_ends_no_operation(void)
{
	static const enum reg_status finals[] = { REG_OWNED, REG_REFUSED, REG_QUOTA, REG_OLD,
						  REG_EXPIRED, REG_REVOKED, REG_UNKNOWN, REG_FULL,
						  REG_MALFORMED, REG_SUPERSEDED };
	struct sk *s = hardened(3);
	struct rw_node *c = &s->w->node[CLIENT];
	struct reg_op req = { .name = sk_address(1), .verb = OP_CLAIM };

	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		told = finals[i];
		prefers_the_liar(s);
		CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OK);
	}
	req.name = sk_address(2);
	told = REG_REVOKED;
	CHECK_EQ_INT(rw_do(&s->w->node[8], &req, NULL, NULL), REG_OK);
	prefers_the_liar(s);
	CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OWNED); /* as two honest ones say */
	sk_free(s);
}

/* A liar may not turn "taken, try another" into "you are revoked". */
static void test_refusal_of_one_liar_is_not_added_to_an_honest_one(void)
{
	static const enum reg_status finals[] = { REG_REVOKED, REG_SUPERSEDED, REG_UNKNOWN };
	struct sk *s = hardened(6);
	struct reg_op req = { .name = sk_address(1), .verb = OP_CLAIM };

	told = REG_BUSY;
	CHECK_EQ_INT(rw_do(&s->w->node[8], &req, NULL, NULL), REG_OK);
	for (size_t i = 0; i < ARRAY_LEN(finals); i++) {
		told = finals[i];
		s->w->node[CLIENT].regs->client.prefer = LIAR - 1; /* the liar is asked next */
		CHECK_EQ_INT(rw_do(&s->w->node[CLIENT], &req, NULL, NULL), REG_OWNED);
	}
	sk_free(s);
}

/* What is said to be done, and is not. */
static void test_refusal_nor_is_one_liars_word_that_it_was_done(void)
{
	struct sk *s = hardened(9);
	struct rw_node *c = &s->w->node[CLIENT];
	struct pubkey *out = &s->w->node[7].key.pub;
	struct reg_op req = { .name = sk_address(1), .verb = OP_CLAIM };

	told = REG_BUSY;
	CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OK);
	told = REG_OK;
	prefers_the_liar(s);
	req.verb = OP_RELEASE;
	CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OK);
	req.verb = OP_CLAIM;
	CHECK_EQ_INT(rw_do(&s->w->node[8], &req, NULL, NULL), REG_OK);
	req = (struct reg_op){ .name = reg_name_key(REG_MEMBER, out->b, KEY_LEN),
			       .verb = OP_MEMBER_REVOKE };
	prefers_the_liar(s);
	CHECK_EQ_INT(rw_do(c, &req, &s->w->root, NULL), REG_OK);
	sk_run(s, SEC(30));
	CHECK(regs_is_revoked(s->w->node[2].regs, out));
	sk_free(s);
}

static void test_refusal_busy_of_one_liar_is_not_waited_out(void)
{
	struct sk *s = hardened(7);
	struct rw_node *c = &s->w->node[CLIENT];
	struct reg_op req = { .name = sk_address(1), .verb = OP_CLAIM };

	told = REG_BUSY;
	for (int i = 0; i < 5; i++) {
		prefers_the_liar(s);
		CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OK);
	}
	sk_free(s);
}

/* Who reaches so few that all of them may lie is not told what they say, but that they are too few. */
static void test_refusal_of_too_few_is_no_quorum(void)
{
	struct sk *s = hardened(8);
	struct rw_node *c = &s->w->node[CLIENT];
	struct reg_op req = { .name = sk_address(1), .verb = OP_CLAIM };

	told = REG_BUSY;
	CHECK_EQ_INT(rw_do(&s->w->node[8], &req, NULL, NULL), REG_OK);
	alone = true;
	for (int i = 0; i < 5; i++) {
		c->regs->client.prefer = 0;
		CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_NO_QUORUM);
		CHECK(!(c->regs->client.silent & 1u)); /* it did answer */
		sk_run(s, MSEC(170));
	}
	alone = false;
	CHECK_EQ_INT(rw_do(c, &req, NULL, NULL), REG_OWNED);
	sk_free(s);
}

static void test_refusal_of_one_liar_puts_no_member_out(void)
{
	struct sk *s = hardened(4);
	struct rw_node *c = &s->w->node[CLIENT];

	told = REG_REVOKED;
	rw_attach(c, &s->w->node[LIAR]);
	sk_run(s, MINUTES(30));
	CHECK_EQ_INT(rw_count(c, REGS_REVOKED_SELF), 0);
	CHECK_EQ_INT(rw_revoke(s->w, &c->key.pub), REG_OK);
	sk_run(s, MINUTES(30));
	CHECK_EQ_INT(rw_count(c, REGS_REVOKED_SELF), 1);
	sk_free(s);
}

/* Who knows the set when it asks: of a stranger's word nothing is known. */
static void test_refusal_of_one_liar_ends_no_joining(void)
{
	struct sk *s = hardened(5);
	uint8_t hint[HINT_MAX];
	struct rw_node *n;
	size_t len;

	CHECK_EQ_INT(rw_token(s->w, 2, 2, 3600), REG_OK);
	told = REG_REVOKED;
	n = rw_add(s->w);
	rw_trust(n);
	len = regs_hint(s->w->node[0].regs, hint, sizeof(hint));
	CHECK(regs_offer_hint(n->regs, hint, len, s->w->now));
	sk_run(s, SEC(5));
	CHECK(regs_keepers(n->regs) != NULL);
	n->regs->client.prefer = LIAR;
	CHECK_EQ_INT(rw_enrol(n, 2, "new"), REG_OK);
	sk_free(s);
}

static const struct test tests[] = {
	TEST(test_refusal_of_one_liar_ends_no_operation),
	TEST(test_refusal_of_one_liar_is_not_added_to_an_honest_one),
	TEST(test_refusal_nor_is_one_liars_word_that_it_was_done),
	TEST(test_refusal_busy_of_one_liar_is_not_waited_out),
	TEST(test_refusal_of_too_few_is_no_quorum),
	TEST(test_refusal_of_one_liar_puts_no_member_out),
	TEST(test_refusal_of_one_liar_ends_no_joining),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
