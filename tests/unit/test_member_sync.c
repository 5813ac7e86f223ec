/* test_member_sync.c - keeping up, being put out. */
#include "tests/unit/regs_people.h"

static struct rw_world *world(uint64_t seed, uint16_t uses)
{
	struct rw_world *w = rw_new(seed);

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, uses, 3600), REG_OK);
	return w;
}

static void test_member_revocation_reaches_all_attached_within_a_second(void)
{
	struct rw_world *w = world(13, 9);
	struct rw_node *n[4];

	for (int i = 0; i < 4; i++)
		n[i] = rw_join(w, 1, "x");
	{
		struct reg_op req = { .name = reg_name_key(REG_MEMBER, n[3]->key.pub.b, KEY_LEN),
				      .verb = OP_MEMBER_REVOKE };

		regs_submit(w->node[0].regs, 5, &req, &w->root, w->now);
		rw_run(w, SEC(1));
	}
	for (int i = 0; i < 3; i++) {
		CHECK(regs_is_revoked(n[i]->regs, &n[3]->key.pub));
		CHECK(!regs_is_revoked(n[i]->regs, &n[(i + 1) % 3]->key.pub));
		CHECK_EQ_INT(rw_count(n[i], REGS_REVOKED_SELF), 0);
		CHECK(rw_count(n[i], REGS_UPDATED) > 0);
	}
	CHECK_EQ_INT(rw_count(n[3], REGS_REVOKED_SELF), 1);
	rw_run(w, MINUTES(1));
	CHECK_EQ_INT(rw_count(n[3], REGS_REVOKED_SELF), 1);
	rw_free(w);
}

static size_t swallow;

static bool swallow_updates(struct rw_world *w, struct rw_message *m)
{
	(void)w;
	if (m->service != REGS_SERVICE_MEMBER || m->b[0] != MEMBERMSG_UPDATE || !swallow)
		return true;
	swallow--;
	return false;
}

static void test_member_revocation_is_repeated_where_it_is_lost(void)
{
	struct rw_world *w = world(14, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y");

	swallow = 6;
	w->hook = swallow_updates;
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	rw_run(w, SEC(20));
	CHECK_EQ_INT(swallow, 0);
	CHECK(regs_is_revoked(n->regs, &m->key.pub));
	rw_free(w);
}

static bool spoil_updates(struct rw_world *w, struct rw_message *m)
{
	(void)w;
	if (m->service == REGS_SERVICE_MEMBER && m->b[0] == MEMBERMSG_UPDATE)
		m->b[m->len - 1] ^= 1; /* of the last signature of the revocation list */
	return true;
}

static void test_member_update_that_cannot_be_taken_is_not_repeated_for_ever(void)
{
	struct rw_world *w = world(15, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y");
	size_t before = w->updates;

	w->hook = spoil_updates;
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	rw_run(w, MINUTES(2));
	CHECK(!regs_is_revoked(n->regs, &m->key.pub));
	CHECK(w->updates - before <= 16);
	rw_free(w);
}

static void test_member_older_revocation_list_changes_nothing(void)
{
	struct rw_world *w = world(16, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y"), *o = rw_join(w, 1, "z");
	uint8_t old[GRANT_MAX];
	const uint8_t *grant;
	size_t len;

	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	len = regs_revocation_grant(n->regs, &grant);
	CHECK(len > 0);
	memcpy(old, grant, len);
	CHECK_EQ_INT(rw_revoke(w, &o->key.pub), REG_OK);
	CHECK_EQ_INT(regs_revocation_number(n->regs), 2);
	CHECK(!regs_offer_revocations(n->regs, old, len, w->now));
	CHECK_EQ_INT(regs_revocation_number(n->regs), 2);
	CHECK(regs_is_revoked(n->regs, &o->key.pub));
	rw_free(w);
}

static void test_member_pushes_stop_when_all_have_answered(void)
{
	struct rw_world *w = world(15, 9);
	struct rw_node *m;
	size_t before;

	rw_join(w, 1, "x");
	m = rw_join(w, 1, "y");
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	rw_run(w, MINUTES(5));
	before = w->updates;
	rw_run(w, MINUTES(5));
	CHECK(w->updates - before <= 4);
	rw_free(w);
}

static void test_member_that_was_away_learns_of_it_when_it_attaches(void)
{
	struct rw_world *w = world(16, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y");

	n->cut = true;
	regs_peer_gone(w->node[0].regs, &n->key.pub, w->now);
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	rw_run(w, MINUTES(2));
	CHECK(!regs_is_revoked(n->regs, &m->key.pub));
	n->cut = false;
	rw_attach(n, &w->node[0]);
	rw_run(w, SEC(1));
	CHECK(regs_is_revoked(n->regs, &m->key.pub));
	rw_restart(n, false);
	CHECK(regs_is_revoked(n->regs, &m->key.pub));
	rw_free(w);
}

static void test_member_revoked_is_refused_by_keepers(void)
{
	struct rw_world *w = world(17, 9);
	struct rw_node *m = rw_join(w, 1, "y");
	struct reg_op req = { .verb = OP_CLAIM, .lease = 3600 };
	struct ip ip;

	ip_parse(&ip, "10.7.1.1");
	req.name = reg_name_address(&ip);
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	CHECK_EQ_INT(rw_do(m, &req, NULL, NULL), REG_REVOKED);
	m->event_count = 0;
	CHECK_EQ_INT(rw_enrol(m, 1, "y"), REG_REVOKED);
	rw_free(w);
}

static bool leaked;
static struct regs_secret secret[2];

static bool watch_secrets(struct rw_world *w, struct rw_message *m)
{
	struct membermsg r;

	if (m->service == REGS_SERVICE_MEMBER && m->to == w->count - 1 &&
	    membermsg_read(&r, m->b, m->len) && r.secret_count)
		leaked = true;
	return true;
}

static void test_member_secret_is_replaced_after_a_revocation_and_not_told_to_the_revoked(void)
{
	struct rw_world *w = world(18, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y");

	rw_run(w, DAYS(2)); /* at most daily */
	leaked = false;
	w->hook = watch_secrets;
	CHECK_EQ_INT(rw_revoke(w, &m->key.pub), REG_OK);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(regs_secrets(n->regs, secret), 2);
	CHECK_EQ_INT(secret[0].number, 2);
	CHECK_EQ_INT(secret[1].number, 1);
	rw_run(w, HOURS(49));
	CHECK_EQ_INT(regs_secrets(n->regs, secret), 1);
	CHECK_EQ_INT(secret[0].number, 2);
	CHECK_EQ_INT(regs_secrets(w->node[0].regs, secret), 1);
	CHECK(!leaked);
	rw_free(w);
}

static void test_member_is_renewed_before_its_end(void)
{
	struct rw_world *w = world(19, 9);
	struct rw_node *n = rw_join(w, 1, "x");
	const uint8_t *grant;
	struct grant g;
	size_t len;

	for (int i = 0; i < 9; i++)
		rw_run(w, DAYS(5));
	len = regs_membership(n->regs, &grant);
	CHECK(regs_check(n->regs, &g, grant, len, w->now));
	len = regs_membership(w->node[0].regs, &grant);
	CHECK(regs_check(w->node[0].regs, &g, grant, len, w->now));
	rw_free(w);
}

static void test_member_updates_from_others_than_keepers_are_dropped(void)
{
	struct rw_world *w = world(20, 9);
	struct rw_node *n = rw_join(w, 1, "x"), *m = rw_join(w, 1, "y");
	struct membermsg u = { .type = MEMBERMSG_UPDATE, .secret_count = 1,
			       .secrets = { { .number = 9 } } };
	uint8_t msg[MEMBERMSG_MAX];
	size_t len;

	nsid_of(u.nsid, &w->root.pub);
	len = membermsg_write(msg, sizeof(msg), &u);
	CHECK(len);
	regs_input(n->regs, &m->key.pub, true, REGS_SERVICE_MEMBER, msg, len, w->now);
	CHECK_EQ_INT(regs_secrets(n->regs, secret), 1);
	CHECK_EQ_INT(secret[0].number, 1);
	CHECK_EQ_INT(n->drops.count[DROP_UNKNOWN], 1);
	u.secret_count = 0;
	u.status = REG_REVOKED;
	len = membermsg_write(msg, sizeof(msg), &u);
	regs_input(n->regs, &m->key.pub, true, REGS_SERVICE_MEMBER, msg, len, w->now);
	CHECK_EQ_INT(rw_count(n, REGS_REVOKED_SELF), 0);
	rw_free(w);
}

static void test_member_messages_survive_writing_and_reading(void)
{
	uint8_t msg[MEMBERMSG_MAX];
	struct membermsg m = { .type = MEMBERMSG_SYNC, .request = 7,
			       .held = { 1, 2, 3, 4, 5, 6 } }, r;
	size_t len = membermsg_write(msg, sizeof(msg), &m);

	CHECK(membermsg_read(&r, msg, len) && memcmp(&r.held, &m.held, sizeof(r.held)) == 0);
	for (size_t n = 0; n < len; n++)
		CHECK(!membermsg_read(&r, msg, n));
	CHECK(!membermsg_read(&r, msg, len + 1));
	msg[0] = 0;
	CHECK(!membermsg_read(&r, msg, len));
	msg[0] = MEMBERMSG_TYPE_COUNT;
	CHECK(!membermsg_read(&r, msg, len));
	m = (struct membermsg){ .type = MEMBERMSG_UPDATE, .secret_count = 2,
				.secrets = { { .number = 1 }, { .number = 2 } } };
	len = membermsg_write(msg, sizeof(msg), &m);
	CHECK(len && !membermsg_read(&r, msg, len)); /* newest first */
	m = (struct membermsg){ .type = MEMBERMSG_ENROL, .host = "ada",
				.op = { (const uint8_t *)"xyz", 3 } };
	len = membermsg_write(msg, sizeof(msg), &m);
	CHECK(membermsg_read(&r, msg, len) && strcmp(r.host, "ada") == 0 && r.op.len == 3);
	msg[31 + 1] = 0; /* inside the host name */
	CHECK(!membermsg_read(&r, msg, len));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_member_revocation_reaches_all_attached_within_a_second),
		TEST(test_member_revocation_is_repeated_where_it_is_lost),
		TEST(test_member_update_that_cannot_be_taken_is_not_repeated_for_ever),
		TEST(test_member_older_revocation_list_changes_nothing),
		TEST(test_member_pushes_stop_when_all_have_answered),
		TEST(test_member_that_was_away_learns_of_it_when_it_attaches),
		TEST(test_member_revoked_is_refused_by_keepers),
		TEST(test_member_secret_is_replaced_after_a_revocation_and_not_told_to_the_revoked),
		TEST(test_member_is_renewed_before_its_end),
		TEST(test_member_updates_from_others_than_keepers_are_dropped),
		TEST(test_member_messages_survive_writing_and_reading),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
