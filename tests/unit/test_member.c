/* test_member.c - joining. */
#include "tests/unit/regs_people.h"

static struct rw_world *world(uint64_t seed, uint16_t uses)
{
	struct rw_world *w = rw_new(seed);

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, uses, 3600), REG_OK);
	return w;
}

static void test_member_joiner_gets_all_it_needs(void)
{
	struct rw_world *w = world(1, 1);
	struct rw_node *n = rw_add(w);
	struct regs_secret a[2], b[2];
	struct member_payload p;
	const uint8_t *grant;
	struct grant g;
	size_t len;

	rw_trust(n);
	CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_OK);
	CHECK(regs_settings(n->regs) && strcmp(regs_settings(n->regs)->name, "home") == 0);
	CHECK_EQ_INT(regs_secrets(w->node[0].regs, a), 1);
	CHECK_EQ_INT(regs_secrets(n->regs, b), 1);
	CHECK_MEM(&a[0], &b[0], sizeof(a[0]));
	len = regs_membership(n->regs, &grant);
	CHECK(regs_check(w->node[0].regs, &g, grant, len, w->now));
	CHECK(member_payload_read(&p, g.payload, g.payload_len) && strcmp(p.host, "ada") == 0);
	CHECK(!regs_is_keeper(n->regs));
	rw_free(w);
}

static void test_member_state_survives_a_restart(void)
{
	struct rw_world *w = world(2, 1);
	struct rw_node *n = rw_join(w, 1, "ada");
	struct regs_secret a[2], b[2];
	const uint8_t *grant;

	regs_secrets(n->regs, a);
	rw_restart(n, false);
	CHECK(regs_settings(n->regs) && regs_keepers(n->regs));
	CHECK(regs_membership(n->regs, &grant) > 0);
	CHECK_EQ_INT(regs_secrets(n->regs, b), 1);
	CHECK_MEM(&a[0], &b[0], sizeof(a[0]));
	rw_free(w);
}

static void test_member_used_up_token_admits_nobody_but_who_used_it(void)
{
	struct rw_world *w = world(3, 1);
	struct rw_node *n = rw_join(w, 1, "ada"), *m = rw_add(w);
	const uint8_t *grant;

	rw_trust(m);
	CHECK_EQ_INT(rw_enrol(m, 1, "eve"), REG_USED_UP);
	CHECK_EQ_INT(regs_membership(m->regs, &grant), 0);
	n->event_count = 0;
	CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_OK);
	rw_free(w);
}

static void test_member_expired_token_is_refused_with_its_date(void)
{
	struct rw_world *w = world(4, 1);
	struct rw_node *m = rw_add(w);
	uint64_t date = w->wall.base + w->now / 1000000 + 3600;

	rw_run(w, HOURS(2));
	rw_trust(m);
	CHECK_EQ_INT(rw_enrol(m, 1, "eve"), REG_EXPIRED);
	CHECK(rw_find(m, REGS_ENROLLED, 77)->e.detail <= date);
	CHECK(rw_find(m, REGS_ENROLLED, 77)->e.detail >= date - 60);
	rw_free(w);
}

static void test_member_revoked_and_unknown_tokens_are_refused(void)
{
	struct rw_world *w = world(5, 5);
	struct reg_op req = { .name = rw_token_name(1), .verb = OP_TOKEN_REVOKE,
			      .payload = (const uint8_t *)"", .payload_len = 1 };
	struct rw_node *m = rw_add(w);

	CHECK_EQ_INT(rw_do(&w->node[0], &req, &w->root, NULL), REG_OK);
	rw_trust(m);
	CHECK_EQ_INT(rw_enrol(m, 1, "eve"), REG_REVOKED);
	m->event_count = 0;
	CHECK_EQ_INT(rw_enrol(m, 2, "eve"), REG_UNKNOWN);
	rw_free(w);
}

static void test_member_without_a_keeper_is_told_so(void)
{
	struct rw_world *w = world(6, 1);
	struct rw_node *m = rw_add(w);

	rw_trust(m);
	w->node[0].cut = true;
	CHECK_EQ_INT(rw_enrol(m, 1, "ada"), REG_NO_QUORUM);
	w->node[0].cut = false;
	m->event_count = 0;
	CHECK_EQ_INT(rw_enrol(m, 1, "ada"), REG_OK);
	rw_free(w);
}

static void test_member_of_another_namespace_is_not_heard(void)
{
	struct rw_world *w = world(7, 1), *v = rw_new(7);
	struct rw_node *m;
	struct pubkey other;

	v->root.secret[0]++; /* any other root */
	other = v->root.pub;
	other.b[3] ^= 1;
	m = rw_add(w);
	regs_free(m->regs);
	{
		struct regs_config cfg = { .self = m->key, .root = other, .crypto = &crypto_real,
					   .wall = &w->wall, .drops = &m->drops };
		struct regs_env env = { m, rw_random, rw_send, rw_persist, rw_event };

		m->regs = regs_new(&cfg, &env, w->now);
		regs_started(m->regs, w->now);
	}
	rw_trust(m);
	CHECK_EQ_INT(rw_enrol(m, 1, "ada"), REG_NO_QUORUM);
	CHECK(w->node[0].drops.count[DROP_MALFORMED] > 0);
	rw_free(v);
	rw_free(w);
}

static void test_member_with_a_wrong_checkpoint_believes_no_keeper(void)
{
	struct rw_world *w = world(8, 1);
	struct rw_node *m = rw_add(w);
	const struct config *cf = regs_keepers(w->node[0].regs);
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch, .hash = { 1, 2, 3 } };

	regs_trust(m->regs, &cp, &w->node[0].key.pub, 1);
	CHECK_EQ_INT(rw_enrol(m, 1, "ada"), REG_NO_QUORUM);
	CHECK(!regs_keepers(m->regs));
	rw_free(w);
}

static bool only_to_zero(struct rw_world *w, struct rw_message *m)
{
	(void)w;
	return m->from == 0 || m->to == 0 || m->to == 1 || m->from == 1;
}

static void test_member_that_is_no_keeper_sends_the_joiner_to_one(void)
{
	struct rw_world *w = world(9, 2);
	struct rw_node *n = rw_join(w, 1, "ada"), *m = rw_add(w);
	const struct config *cf = regs_keepers(w->node[0].regs);
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch };

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	regs_trust(m->regs, &cp, &n->key.pub, 1); /* knows only the other member */
	w->hook = only_to_zero;
	CHECK_EQ_INT(rw_enrol(m, 1, "bob"), REG_OK);
	rw_free(w);
}

enum damage { FLIP_GRANT, NO_SECRET, SWAP_MEMBER, FLIP_SETTINGS, DAMAGES };
static enum damage damage;
static uint8_t swap[GRANT_MAX];
static size_t swap_len;

static bool damage_enrolled(struct rw_world *w, struct rw_message *m)
{
	static uint8_t grant[GRANT_MAX], settings[SETTINGS_MAX];
	struct membermsg r;
	uint8_t *b;

	(void)w;
	if (m->service != REGS_SERVICE_MEMBER || !membermsg_read(&r, m->b, m->len) ||
	    r.type != MEMBERMSG_ENROLLED)
		return true;
	memcpy(grant, r.membership.p, r.membership.len);
	memcpy(settings, r.settings.p, r.settings.len);
	grant[r.membership.len - 1] ^= damage == FLIP_GRANT;
	settings[r.settings.len - 1] ^= damage == FLIP_SETTINGS;
	r.membership.p = grant;
	r.settings.p = settings;
	if (damage == NO_SECRET)
		r.secret_count = 0;
	if (damage == SWAP_MEMBER)
		r.membership = (struct membermsg_block){ swap, swap_len };
	b = mem_new(MEMBERMSG_MAX);
	m->len = membermsg_write(b, MEMBERMSG_MAX, &r);
	free(m->b);
	m->b = b;
	return true;
}

static void test_member_enrolment_that_does_not_verify_is_not_believed(void)
{
	for (damage = 0; damage < DAMAGES; damage++) {
		struct rw_world *w = world(10, 3);
		struct rw_node *n = rw_join(w, 1, "ada"), *m = rw_add(w);
		const uint8_t *grant;

		swap_len = regs_membership(n->regs, &grant);
		memcpy(swap, grant, swap_len);
		rw_trust(m);
		w->hook = damage_enrolled;
		CHECK_EQ_INT(rw_enrol(m, 1, "bob"), REG_NO_QUORUM);
		CHECK_EQ_INT(regs_membership(m->regs, &grant), 0);
		CHECK(m->drops.count[DROP_SIGNATURE] > 0);
		rw_free(w);
	}
}

static void test_member_joins_over_a_bad_network(void)
{
	for (uint64_t seed = 20; seed < 26; seed++) {
		struct rw_world *w = world(seed, 1);
		struct rw_node *m = rw_add(w);
		enum reg_status s = REG_NO_QUORUM;

		w->loss = 25;
		w->doubled = 25;
		w->jitter = MSEC(300);
		rw_trust(m);
		for (int i = 0; i < 5 && s == REG_NO_QUORUM; i++) {
			m->event_count = 0;
			s = rw_enrol(m, 1, "ada");
			CHECK(rw_count(m, REGS_ENROLLED) == 1);
		}
		CHECK_EQ_INT(s, REG_OK);
		rw_free(w);
	}
}

static void test_member_join_survives_a_crash_at_any_write(void)
{
	for (size_t at = 0; at < 9; at++) {
		struct rw_world *w = world(11, 1);
		struct rw_node *m = rw_add(w), *who = at & 1 ? m : &w->node[0];
		enum reg_status s;

		rw_trust(m);
		who->writes_left = at / 2;
		rw_enrol(m, 1, "ada");
		rw_restart(who, at & 2);
		rw_run(w, SEC(1));
		rw_trust(m);
		m->event_count = 0;
		s = rw_enrol(m, 1, "ada"); /* the use it took is its own */
		CHECK_EQ_INT(s, REG_OK);
		rw_free(w);
	}
}

static void test_member_is_told_only_when_all_is_durable(void)
{
	struct rw_world *w = world(12, 1);
	struct rw_node *m = rw_add(w);
	uint8_t seed[SEED_LEN];

	w->disk_delay = MSEC(300);
	rw_trust(m);
	rw_token_seed(seed, 1);
	CHECK_EQ_INT(regs_enrol(m->regs, 77, seed, "ada", w->now), 0);
	for (int i = 0; i < 400 && !regs_settings(m->regs); i++)
		rw_run(w, MSEC(10));
	CHECK(regs_settings(m->regs));
	CHECK_EQ_INT(rw_count(m, REGS_ENROLLED), 0);
	rw_run(w, SEC(1));
	CHECK_EQ_INT(rw_count(m, REGS_ENROLLED), 1);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_member_joiner_gets_all_it_needs),
		TEST(test_member_state_survives_a_restart),
		TEST(test_member_used_up_token_admits_nobody_but_who_used_it),
		TEST(test_member_expired_token_is_refused_with_its_date),
		TEST(test_member_revoked_and_unknown_tokens_are_refused),
		TEST(test_member_without_a_keeper_is_told_so),
		TEST(test_member_of_another_namespace_is_not_heard),
		TEST(test_member_with_a_wrong_checkpoint_believes_no_keeper),
		TEST(test_member_that_is_no_keeper_sends_the_joiner_to_one),
		TEST(test_member_enrolment_that_does_not_verify_is_not_believed),
		TEST(test_member_joins_over_a_bad_network),
		TEST(test_member_join_survives_a_crash_at_any_write),
		TEST(test_member_is_told_only_when_all_is_durable),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
