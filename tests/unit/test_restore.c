/* test_restore.c - the keepers are gone; the root begins another era from a backup. */
#include "tests/unit/restore_kit.h"

static struct reg_op claim_of(const char *address)
{
	struct reg_op op = { .verb = OP_CLAIM };
	struct ip ip;

	CHECK(ip_parse(&ip, address));
	op.name = reg_name_address(&ip);
	return op;
}

static size_t grant_of_claim(struct rw_node *n, const char *address, uint8_t out[GRANT_MAX])
{
	struct reg_op op = claim_of(address);
	const struct rw_event *e;

	CHECK_EQ_INT(regs_submit(n->regs, 900, &op, NULL, n->w->now), 0);
	rw_run(n->w, SEC(6));
	e = rw_find(n, REGS_RESULT, 900);
	CHECK(e && e->e.status == REG_OK);
	if (!e)
		return 0;
	memcpy(out, e->grant, e->e.len);
	return e->e.len;
}

static struct rw_world *world(void)
{
	struct rw_world *w = rw_new(31);

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 9, 3600), REG_OK);
	return w;
}

static uint64_t held_by(const struct rw_node *keeper, const char *address, const struct rw_node *who)
{
	struct reg_op op = claim_of(address);
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(keeper->regs, &at, &name, &v))
		if (reg_name_equal(&name, &op.name) && key_equal(&v.owner, &who->key.pub) &&
		    v.state == REG_HELD)
			return v.generation;
	return 0;
}

static bool held_member(const struct rw_node *keeper, const struct rw_node *who)
{
	struct reg_name wanted = reg_name_key(REG_MEMBER, who->key.pub.b, KEY_LEN), name;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(keeper->regs, &at, &name, &v))
		if (reg_name_equal(&name, &wanted))
			return true;
	return false;
}

static void test_restore_members_and_their_addresses_are_registered_again(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *b = rw_join(w, 1, "b"), *k;
	uint8_t grant[GRANT_MAX], other[GRANT_MAX];
	struct backup backup;
	struct grant g;
	size_t len, n;

	backup_make(&backup, &w->node[0]);
	len = grant_of_claim(a, "10.7.3.3", grant);
	n = grant_of_claim(b, "10.7.3.4", other);
	dies(&w->node[0]);
	k = restored(w, &backup);
	CHECK_EQ_INT(regs_keepers(k->regs)->era, 1);
	hears(a, k);
	hears(b, k);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(regs_keepers(a->regs)->era, 1);
	CHECK(regs_show(a->regs, grant, len, w->now));
	CHECK(regs_show(b->regs, other, n, w->now));
	rw_run(w, SEC(1));
	CHECK_EQ_INT(held_by(k, "10.7.3.3", a), (UINT64_C(1) << 32) + 1);
	CHECK_EQ_INT(held_by(k, "10.7.3.4", b), (UINT64_C(1) << 32) + 1);
	CHECK(regs_check(b->regs, &g, grant, len, w->now)); /* the old grant runs on */
	{
		struct reg_op renew = claim_of("10.7.3.3");
		const uint8_t *member;

		renew.verb = OP_RENEW;
		renew.generation = 2;
		CHECK_EQ_INT(rw_do(a, &renew, NULL, &g), REG_BUSY); /* nobody showed that */
		renew.generation = 1; /* as it was granted in the last era */
		CHECK_EQ_INT(rw_do(a, &renew, NULL, &g), REG_OK);
		CHECK_EQ_INT(g.generation, (UINT64_C(1) << 32) + 1);
		CHECK_EQ_INT(g.ballot.era, 1);
		n = regs_membership(b->regs, &member);
		CHECK(grant_read(&g, member, n));
		CHECK_EQ_INT(g.ballot.era, 1);
	}
	rw_free(w);
}

static void test_restore_leases_run_on_at_the_same_address(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	struct lease_info before, after;
	struct backup backup;
	size_t at = 0;

	leases_want_address(a->leases, NULL, w->now);
	rw_run(w, SEC(10));
	CHECK(leases_next(a->leases, &at, &before, w->now));
	CHECK_EQ_INT(before.generation, 1);
	backup_make(&backup, &w->node[0]);
	dies(&w->node[0]);
	k = restored(w, &backup);
	hears(a, k);
	rw_run(w, SEC(10));
	at = 0;
	CHECK(leases_next(a->leases, &at, &before, w->now));
	CHECK(regs_show(a->regs, before.grant, before.grant_len, w->now));
	leases_renew(a->leases, &before.name, w->now);
	rw_run(w, SEC(15));
	at = 0;
	CHECK(leases_next(a->leases, &at, &after, w->now));
	CHECK(reg_name_equal(&after.name, &before.name));
	CHECK_EQ_INT(after.generation, (UINT64_C(1) << 32) + 1);
	CHECK_EQ_INT(after.state, LEASE_HELD);
	for (size_t i = 0; i < a->lease_event_count; i++)
		CHECK(a->lease_events[i].type != LEASE_GONE);
	CHECK(!regs_show(a->regs, after.grant, after.grant_len, w->now));
	rw_free(w);
}

/* Shown memberships are lost on the way; what else is shown arrives. */
static bool loses_memberships(struct rw_world *w, struct rw_message *m)
{
	struct membermsg msg;
	struct grant g;

	(void)w;
	if (m->service != REGS_SERVICE_MEMBER || !membermsg_read(&msg, m->b, m->len) ||
	    msg.type != MEMBERMSG_SHOW)
		return true;
	for (size_t i = 0; i < msg.shown_count; i++)
		if (grant_read(&g, msg.shown[i].p, msg.shown[i].len) && g.name.kind == REG_MEMBER)
			return false;
	return true;
}

static void test_restore_lease_outlives_a_renewal_that_comes_before_the_membership(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	struct lease_info before, after;
	struct backup backup;
	size_t at = 0;

	leases_want_address(a->leases, NULL, w->now);
	rw_run(w, SEC(10));
	CHECK(leases_next(a->leases, &at, &before, w->now));
	backup_make(&backup, &w->node[0]);
	dies(&w->node[0]);
	k = restored(w, &backup);
	w->hook = loses_memberships;
	hears(a, k);
	rw_run(w, SEC(1));
	CHECK(regs_show(a->regs, before.grant, before.grant_len, w->now));
	leases_renew(a->leases, &before.name, w->now);
	rw_run(w, SEC(10));
	CHECK(!held_member(k, a));
	w->hook = NULL;
	rw_run(w, SEC(60));
	at = 0;
	CHECK(held_member(k, a));
	CHECK(leases_next(a->leases, &at, &after, w->now));
	CHECK(reg_name_equal(&after.name, &before.name));
	CHECK_EQ_INT(after.generation, (UINT64_C(1) << 32) + 1);
	for (size_t i = 0; i < a->lease_event_count; i++)
		CHECK(a->lease_events[i].type != LEASE_GONE);
	rw_free(w);
}

static void test_restore_new_claims_get_the_share_that_was_held_back(void)
{
	static const struct {
		const char *address;
		enum reg_status before, after, in_the_end;
	} rows[] = { { "10.7.3.3", REG_OK, REG_OWNED, REG_OK },
		     { "10.7.243.3", REG_OWNED, REG_OK, REG_OK },
		     { "10.7.253.3", REG_OWNED, REG_OWNED, REG_OWNED } }; /* of the eras after */
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	struct backup backup;

	backup_make(&backup, &w->node[0]);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reg_op op = claim_of(rows[i].address);

		CHECK_EQ_INT(rw_do(a, &op, NULL, NULL), rows[i].before);
	}
	dies(&w->node[0]);
	k = restored(w, &backup);
	CHECK_EQ_INT(rw_count(k, REGS_FORKED), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reg_op op = claim_of(rows[i].address);

		CHECK_EQ_INT(rw_do(k, &op, NULL, NULL), rows[i].after);
	}
	{
		struct reg_op name = { .verb = OP_CLAIM };
		struct grant g;

		CHECK(reg_name_host(&name.name, "printer"));
		CHECK_EQ_INT(rw_do(k, &name, NULL, NULL), REG_OWNED);
		w->now += SEC(31 * 86400); /* all old leases are over */
		rw_run(w, SEC(1));
		CHECK_EQ_INT(rw_do(k, &name, NULL, &g), REG_OK);
		CHECK(g.generation > UINT64_C(1) << 32);
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct reg_op op = claim_of(rows[i].address);

		CHECK_EQ_INT(rw_do(k, &op, NULL, NULL), rows[i].in_the_end);
	}
	rw_free(w);
}

static void test_restore_renewal_waits_until_the_grant_was_shown(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	struct reg_op renew = claim_of("10.7.3.3");
	uint8_t grant[GRANT_MAX];
	struct backup backup;
	size_t len;

	renew.verb = OP_RENEW;
	backup_make(&backup, &w->node[0]);
	len = grant_of_claim(a, "10.7.3.3", grant);
	dies(&w->node[0]);
	k = restored(w, &backup);
	hears(a, k);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(rw_do(a, &renew, NULL, NULL), REG_BUSY);
	regs_show(a->regs, grant, len, w->now);
	rw_run(w, SEC(1));
	CHECK_EQ_INT(rw_do(a, &renew, NULL, NULL), REG_OK);
	rw_free(w);
}

/* Whoever shows the higher generation has it, whenever that is. */
static void test_restore_the_highest_generation_shown_wins(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *b = rw_join(w, 1, "b"), *k;
	struct reg_op release = claim_of("10.7.3.3");
	uint8_t old[GRANT_MAX], newer[GRANT_MAX];
	struct backup backup;
	size_t old_len, newer_len;

	release.verb = OP_RELEASE;
	backup_make(&backup, &w->node[0]);
	old_len = grant_of_claim(a, "10.7.3.3", old);
	CHECK_EQ_INT(rw_do(a, &release, NULL, NULL), REG_OK);
	newer_len = grant_of_claim(b, "10.7.3.3", newer);
	dies(&w->node[0]);
	k = restored(w, &backup);
	hears(a, k);
	hears(b, k);
	rw_run(w, SEC(10));
	regs_show(a->regs, old, old_len, w->now); /* it kept what it gave back */
	rw_run(w, SEC(1));
	CHECK(held_by(k, "10.7.3.3", a));
	regs_show(b->regs, newer, newer_len, w->now);
	rw_run(w, SEC(1));
	CHECK_EQ_INT(held_by(k, "10.7.3.3", b), (UINT64_C(1) << 32) + 2);
	regs_show(a->regs, old, old_len, w->now);
	rw_run(w, SEC(1));
	CHECK(held_by(k, "10.7.3.3", b));
	rw_free(w);
}

static void test_restore_nothing_that_was_not_granted_is_registered(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	uint8_t grant[GRANT_MAX];
	struct backup backup;
	size_t len;

	backup_make(&backup, &w->node[0]);
	len = grant_of_claim(a, "10.7.3.3", grant);
	dies(&w->node[0]);
	k = restored(w, &backup);
	hears(a, k);
	rw_run(w, SEC(10));
	for (size_t i = 0; i < len; i += 7) {
		grant[i] ^= 1;
		regs_show(a->regs, grant, len, w->now);
		rw_run(w, MSEC(200));
		grant[i] ^= 1;
		CHECK(!held_by(k, "10.7.3.3", a));
	}
	w->now += SEC(31 * 86400); /* it is over, and so is the time for showing */
	rw_run(w, SEC(1));
	regs_show(a->regs, grant, len, w->now);
	rw_run(w, SEC(1));
	CHECK(!held_by(k, "10.7.3.3", a));
	rw_free(w);
}

static void test_restore_revoked_keys_stay_revoked_once_anybody_shows_the_list(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *bad = rw_join(w, 1, "bad"), *k;
	struct reg_op claim = claim_of("10.7.243.9");
	struct backup backup;

	backup_make(&backup, &w->node[0]);
	bad->cut = true; /* it never hears of its end */
	CHECK_EQ_INT(rw_revoke(w, &bad->key.pub), REG_OK);
	rw_run(w, SEC(2));
	CHECK(regs_is_revoked(a->regs, &bad->key.pub));
	dies(&w->node[0]);
	bad->cut = false;
	k = restored(w, &backup);
	hears(bad, k); /* the backup is older: it is let in again */
	rw_run(w, SEC(10));
	CHECK(!regs_is_revoked(k->regs, &bad->key.pub));
	hears(a, k);
	rw_run(w, SEC(10));
	CHECK(regs_is_revoked(k->regs, &bad->key.pub));
	CHECK_EQ_INT(rw_do(bad, &claim, NULL, NULL), REG_REVOKED);
	CHECK_EQ_INT(rw_do(a, &claim, NULL, NULL), REG_OK);
	rw_free(w);
}

/* What was revoked since must not be lost when an older, longer list is shown. */
static void test_restore_lists_are_united(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *old = rw_join(w, 1, "old"), *b = rw_join(w, 1, "b");
	struct rw_node *k;
	struct backup backup;
	struct reg_op req = { .verb = OP_MEMBER_REVOKE };

	backup_make(&backup, &w->node[0]);
	b->cut = true;
	CHECK_EQ_INT(rw_revoke(w, &old->key.pub), REG_OK);
	rw_run(w, SEC(2));
	dies(&w->node[0]);
	a->cut = true;
	b->cut = false;
	k = restored(w, &backup);
	hears(b, k);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(regs_keepers(b->regs)->era, 1);
	req.name = reg_name_key(REG_MEMBER, b->key.pub.b, KEY_LEN);
	CHECK_EQ_INT(rw_do(k, &req, &w->root, NULL), REG_OK);
	CHECK(regs_is_revoked(k->regs, &b->key.pub));
	a->cut = false;
	hears(a, k);
	rw_run(w, SEC(20));
	CHECK(regs_is_revoked(k->regs, &old->key.pub));
	CHECK(regs_is_revoked(k->regs, &b->key.pub));
	CHECK(regs_is_revoked(a->regs, &b->key.pub));
	rw_free(w);
}

static void test_restore_later_secrets_and_settings_of_members_are_passed_over(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *k;
	struct regs_secret mine[2], theirs[2];
	struct backup backup;
	struct settings s;

	backup_make(&backup, &w->node[0]);
	settings_copy(&s, regs_settings(w->node[0].regs));
	s.number += 3;
	CHECK_EQ_INT(regs_change_settings(w->node[0].regs, &s, &w->root, w->now), 0);
	rw_run(w, SEC(3));
	dies(&w->node[0]);
	backup.secrets[0].number = 1;
	k = restored(w, &backup);
	hears(a, k);
	rw_run(w, SEC(20));
	CHECK(regs_settings(a->regs)->number == regs_settings(k->regs)->number);
	CHECK(regs_settings(a->regs)->era_began > 0);
	CHECK_EQ_INT(regs_secrets(a->regs, theirs), regs_secrets(k->regs, mine));
	CHECK_MEM(mine[0].b, theirs[0].b, 32);
	rw_free(w);
}

/* It lives, and its members hear from it that another is the keeper now. */
static void test_restore_old_keeper_tells_its_members(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a"), *b = rw_join(w, 1, "b"), *k;
	struct backup backup;

	backup_make(&backup, &w->node[0]);
	k = restored(w, &backup);
	hears(&w->node[0], k);
	rw_run(w, SEC(10));
	CHECK(!regs_is_keeper(w->node[0].regs));
	CHECK_EQ_INT(regs_keepers(a->regs)->era, 1);
	CHECK_EQ_INT(regs_keepers(b->regs)->era, 1);
	CHECK(held_member(k, a) && held_member(k, b));
	rw_free(w);
}

static void test_restore_is_the_roots_alone(void)
{
	struct rw_world *w = world();
	struct rw_node *a = rw_join(w, 1, "a");

	CHECK_EQ_INT(regs_reset_era(a->regs, &a->key, "x", w->now), -EINVAL);
	CHECK_EQ_INT(regs_keepers(a->regs)->era, 0);
	w->wall.base -= 3600; /* before its own membership was granted */
	CHECK_EQ_INT(regs_reset_era(a->regs, &w->root, "x", w->now), -ERANGE);
	w->wall.base += 3600;
	CHECK_EQ_INT(regs_reset_era(a->regs, &w->root, "x", w->now), 0);
	CHECK_EQ_INT(regs_reset_era(a->regs, &w->root, "x", w->now), -EBUSY);
	rw_run(w, SEC(2));
	CHECK(regs_is_keeper(a->regs));
	hears(&w->node[0], a); /* the old keeper lives, and is none any more */
	rw_run(w, SEC(10));
	CHECK(!regs_is_keeper(w->node[0].regs));
	CHECK_EQ_INT(regs_keepers(w->node[0].regs)->era, 1);
	rw_free(w);
}

static const struct test tests[] = {
	TEST(test_restore_members_and_their_addresses_are_registered_again),
	TEST(test_restore_leases_run_on_at_the_same_address),
	TEST(test_restore_lease_outlives_a_renewal_that_comes_before_the_membership),
	TEST(test_restore_new_claims_get_the_share_that_was_held_back),
	TEST(test_restore_renewal_waits_until_the_grant_was_shown),
	TEST(test_restore_the_highest_generation_shown_wins),
	TEST(test_restore_nothing_that_was_not_granted_is_registered),
	TEST(test_restore_revoked_keys_stay_revoked_once_anybody_shows_the_list),
	TEST(test_restore_lists_are_united),
	TEST(test_restore_later_secrets_and_settings_of_members_are_passed_over),
	TEST(test_restore_old_keeper_tells_its_members),
	TEST(test_restore_is_the_roots_alone),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
