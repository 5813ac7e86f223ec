/* test_repair.c - a revocation whose keeper crashed before the others had voted.
 *
 * Nodes 0 to 2 are the keepers, a majority decides. */
#include "tests/unit/succession_kit.h"

#define OUT 5 /* who is to be put out */

/* Of members node 0 says nothing to the other keepers. */
static bool keeps_home(struct rw_world *w, struct rw_message *m)
{
	struct reg_name who = reg_name_key(REG_MEMBER, w->node[OUT].key.pub.b, KEY_LEN);
	struct regmsg r;

	if (m->from != 0 || m->to == 0 || m->service != REGS_SERVICE_REGISTER || !regmsg_read(&r, m->b, m->len))
		return true;
	return r.type != REGMSG_OPERATION &&
	       (r.type != REGMSG_ACCEPT || !reg_name_equal(&r.name, &who));
}

static bool is_out(const struct sk *s, size_t at)
{
	struct reg_name who = reg_name_key(REG_MEMBER, s->w->node[OUT].key.pub.b, KEY_LEN), name;
	struct member_payload p;
	struct reg_value v;
	size_t i = 0;

	while (regs_next(s->w->node[at].regs, &i, &name, &v))
		if (reg_name_equal(&name, &who))
			return member_payload_read(&p, v.payload, v.payload_len) && p.revoked;
	return false;
}

static bool is_listed(const struct sk *s, size_t at)
{
	return regs_is_revoked(s->w->node[at].regs, &s->w->node[OUT].key.pub);
}

static void test_repair_lists_nobody_whom_a_quorum_has_not_revoked(void)
{
	struct sk *s = sk_new(9, 7);
	struct reg_op revoke = { .verb = OP_MEMBER_REVOKE };

	revoke.name = reg_name_key(REG_MEMBER, s->w->node[OUT].key.pub.b, KEY_LEN);
	CHECK_EQ_INT(sk_change(s, 0, "012"), 0);
	CHECK(sk_wait(s, 2, "012", SEC(60)) != USEC_NEVER);
	s->w->hook = keeps_home;
	CHECK_EQ_INT(regs_submit(s->w->node[0].regs, 900, &revoke, &s->w->root, s->w->now), 0);
	for (int i = 0; i < 1000 && !is_out(s, 0); i++)
		rw_run(s->w, MSEC(1));
	rw_run(s->w, MSEC(20)); /* durable */
	CHECK(is_out(s, 0) && !is_out(s, 1) && !is_out(s, 2));
	rw_restart(&s->w->node[0], true);
	sk_run(s, SEC(10));
	CHECK(!is_out(s, 1) && !is_listed(s, 1));
	CHECK(!is_out(s, 2) && !is_listed(s, 2));
	s->w->hook = NULL;
	rw_restart(&s->w->node[0], true);
	sk_run(s, SEC(10));
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ_INT(is_out(s, i), is_listed(s, i));
	sk_free(s);
}

static const struct test tests[] = {
	TEST(test_repair_lists_nobody_whom_a_quorum_has_not_revoked),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
