/* test_refusal.c - in a hardened set one keeper's word does not end anything at its client.
 *
 * Nodes 0 to 4 are the keepers, four of five decide; node 1 lies to everybody who asks it. */
#include "tests/unit/succession_kit.h"

#define LIAR 1
#define CLIENT 9

static enum reg_status told; /* by the liar, to every client */

static bool lies(struct rw_world *w, struct rw_message *m)
{
	struct regmsg r;
	uint8_t msg[REGMSG_MAX];

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
	TEST(test_refusal_of_one_liar_puts_no_member_out),
	TEST(test_refusal_of_one_liar_ends_no_joining),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
