/* test_restore_owners.c - what owners make of a new era's answers, in whatever order things are shown. */
#include "tests/unit/restore_kit.h"

#include "dht/lease_impl.h"

#define ERA_1 (UINT64_C(1) << 32)

struct lost {
	struct rw_world *w;
	struct rw_node *a, *b, *k; /* members, the new era's keeper */
	struct backup backup;
};

static struct reg_name address(const char *text)
{
	struct ip ip;

	CHECK(ip_parse(&ip, text));
	return reg_name_address(&ip);
}

static struct lost *lost_new(void)
{
	struct lost *l = mem_new(sizeof(*l));

	l->w = rw_new(37);
	CHECK(rw_create(l->w));
	CHECK_EQ_INT(rw_token(l->w, 1, 9, 3600), REG_OK);
	l->a = rw_join(l->w, 1, "ada");
	l->b = rw_join(l->w, 1, "bob");
	backup_make(&l->backup, &l->w->node[0]);
	return l;
}

static void lost_free(struct lost *l)
{
	rw_free(l->w);
	free(l);
}

/* As cmd/node_ns.c and node_backup.c tell it. */
static void meets(struct lost *l, struct rw_node *n)
{
	hears(n, l->k);
	rw_run(l->w, SEC(10));
	CHECK_EQ_INT(regs_keepers(n->regs)->era, 1);
	leases_set_era(n->leases, 1, regs_is_settling(n->regs, l->w->now));
}

static void shows_all(struct lost *l, struct rw_node *n)
{
	struct lease_info li;
	struct grant g;
	size_t at = 0;

	while (leases_next(n->leases, &at, &li, l->w->now))
		if (li.grant_len && grant_read(&g, li.grant, li.grant_len) && g.ballot.era == 0 &&
		    regs_show(n->regs, li.grant, li.grant_len, l->w->now))
			leases_renew(n->leases, &li.name, l->w->now);
}

static void lives(struct lost *l, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		shows_all(l, l->a);
		shows_all(l, l->b);
		rw_run(l->w, SEC(5));
	}
}

static bool holds(const struct lost *l, const struct rw_node *n, const struct reg_name *name)
{
	struct lease_info li;
	size_t at = 0;

	while (leases_next(n->leases, &at, &li, l->w->now))
		if (reg_name_equal(&li.name, name) && li.left)
			return true;
	return false;
}

/* At the keeper; 0 = nobody's. */
static uint64_t generation_at(const struct lost *l, const struct reg_name *wanted)
{
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(l->k->regs, &at, &name, &v))
		if (reg_name_equal(&name, wanted))
			return v.generation;
	return 0;
}

static size_t held(const struct lost *l, const struct rw_node *n)
{
	struct lease_info li;
	size_t at = 0, count = 0;

	while (leases_next(n->leases, &at, &li, l->w->now))
		count += li.left > 0;
	return count;
}

static size_t all(const struct lost *l, const struct rw_node *n)
{
	struct lease_info li;
	size_t at = 0, count = 0;

	while (leases_next(n->leases, &at, &li, l->w->now))
		count++;
	return count;
}

/* Off for longer than its leases, as all keepers were, and started again: nobody registers it anew. */
static void test_restore_owner_whose_lease_ended_while_it_was_off_gets_another(void)
{
	struct lost *l = lost_new();

	leases_want_address(l->a->leases, NULL, l->w->now);
	leases_want_name(l->a->leases, "ada", l->w->now);
	rw_run(l->w, SEC(10));
	CHECK_EQ_INT(held(l, l->a), 2);
	rw_stop(l->a, true);
	dies(&l->w->node[0]);
	l->w->now += SEC(2 * 86400);
	l->k = restored(l->w, &l->backup);
	rw_start(l->a);
	leases_want_address(l->a->leases, NULL, l->w->now);
	leases_want_name(l->a->leases, "ada", l->w->now);
	meets(l, l->a);
	lives(l, 36);
	CHECK_EQ_INT(held(l, l->a), 2);
	CHECK_EQ_INT(all(l, l->a), 2);
	lost_free(l);
}

/* Its own clock says nothing against it: it waits until it was shown. */
static void test_restore_owner_that_was_started_again_waits_while_its_lease_runs(void)
{
	struct lost *l = lost_new();
	struct reg_name mine = address("10.7.3.3");
	struct ip ip;

	ip_parse(&ip, "10.7.3.3");
	leases_want_address(l->a->leases, &ip, l->w->now);
	rw_run(l->w, SEC(10));
	rw_stop(l->a, true);
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	l->a->same_machine = false;
	rw_start(l->a);
	meets(l, l->a);
	rw_run(l->w, MINUTES(5)); /* asked for, and not shown */
	CHECK(!holds(l, l->a, &mine));
	lives(l, 8);
	CHECK(holds(l, l->a, &mine));
	lost_free(l);
}

static size_t granted_by(struct lost *l, struct rw_node *n, uint8_t verb, const struct reg_name *name,
		       uint8_t out[GRANT_MAX])
{
	struct reg_op op = { .name = *name, .verb = verb };
	const struct rw_event *e;

	CHECK_EQ_INT(regs_submit(n->regs, 900, &op, NULL, l->w->now), 0);
	rw_run(l->w, SEC(6));
	e = rw_find(n, REGS_RESULT, 900);
	CHECK(e && e->e.status == REG_OK);
	memcpy(out, e->grant, e->e.len);
	return e->e.len;
}

/* a kept the grant of what it gave back, and comes first; b owns it. */
static void test_restore_later_owner_is_not_refused_before_it_has_shown(void)
{
	struct lost *l = lost_new();
	struct reg_name name = address("10.7.3.3");
	struct reg_op renew = { .name = name, .verb = OP_RENEW, .generation = 2 },
		      release = { .name = name, .verb = OP_RELEASE };
	uint8_t old[GRANT_MAX], newer[GRANT_MAX], none[GRANT_MAX];
	size_t old_len = granted_by(l, l->a, OP_CLAIM, &name, old), len;

	granted_by(l, l->a, OP_RELEASE, &name, none);
	len = granted_by(l, l->b, OP_CLAIM, &name, newer);
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	meets(l, l->a);
	meets(l, l->b);
	regs_show(l->a->regs, old, old_len, l->w->now);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(rw_do(l->b, &renew, NULL, NULL), REG_BUSY);
	CHECK_EQ_INT(rw_do(l->a, &release, NULL, NULL), REG_OK);
	CHECK_EQ_INT(rw_do(l->b, &renew, NULL, NULL), REG_BUSY);
	regs_show(l->b->regs, newer, len, l->w->now);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(rw_do(l->b, &renew, NULL, NULL), REG_OK);
	renew.generation = 1;
	CHECK_EQ_INT(rw_do(l->a, &renew, NULL, NULL), REG_OWNED);
	lost_free(l);
}

/* b got it from the old keepers, a never heard of that, and b hears late of the new era. */
static void test_restore_owner_does_not_take_back_what_an_heir_may_have(void)
{
	struct lost *l = lost_new();
	struct reg_name name = address("10.7.3.3");
	struct ip ip;

	ip_parse(&ip, "10.7.3.3");
	leases_want_address(l->a->leases, &ip, l->w->now);
	rw_run(l->w, SEC(10));
	CHECK(holds(l, l->a, &name));
	rw_attach(l->a, l->b);
	CHECK_EQ_INT(leases_transfer(l->a->leases, &name, &l->b->key.pub, 20, l->w->now), 0);
	rw_run(l->w, MSEC(20));
	l->a->cut = true;
	rw_run(l->w, SEC(10));
	CHECK(holds(l, l->b, &name));
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	l->b->cut = true;
	l->a->cut = false;
	meets(l, l->a);
	for (unsigned i = 0; i < 60; i++) {
		shows_all(l, l->a);
		rw_run(l->w, SEC(5));
		CHECK(!(holds(l, l->a, &name) && holds(l, l->b, &name)));
	}
	CHECK_EQ_INT(held(l, l->a), 1); /* another one */
	l->b->cut = false;
	meets(l, l->b);
	lives(l, 10);
	CHECK(holds(l, l->b, &name));
	CHECK(!holds(l, l->a, &name));
	lost_free(l);
}

/* The owner is gone, the keepers as well: nothing will ever be shown. */
static void test_restore_heir_without_a_grant_gives_up(void)
{
	struct lost *l = lost_new();
	struct reg_name name = address("10.7.3.3");
	struct ip ip;

	ip_parse(&ip, "10.7.3.3");
	leases_want_address(l->a->leases, &ip, l->w->now);
	rw_run(l->w, SEC(10));
	rw_attach(l->a, l->b);
	l->w->node[0].cut = true;
	CHECK_EQ_INT(leases_transfer(l->a->leases, &name, &l->b->key.pub, 20, l->w->now), 0);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(all(l, l->b), 1);
	l->a->cut = true;
	rw_run(l->w, SEC(40));
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	meets(l, l->b);
	lives(l, 240);
	CHECK_EQ_INT(all(l, l->b), 0);
	lost_free(l);
}

static bool loses_memberships(struct rw_world *w, struct rw_message *m)
{
	struct membermsg msg;

	(void)w;
	return m->service != REGS_SERVICE_MEMBER || !membermsg_read(&msg, m->b, m->len) ||
	       msg.type != MEMBERMSG_SHOW;
}

/* An admin that was not shown yet hears that it is to try again, not that it has no right. */
static void test_restore_admin_is_not_refused_before_it_has_shown(void)
{
	struct lost *l = lost_new();
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct member_payload p = { .rights = RIGHT_ADMIN };
	struct reg_op set = { .name = reg_name_key(REG_MEMBER, l->a->key.pub.b, KEY_LEN),
			      .verb = OP_MEMBER_SET, .payload = payload },
		      revoke = { .name = reg_name_key(REG_MEMBER, l->b->key.pub.b, KEY_LEN),
				 .verb = OP_MEMBER_REVOKE };

	wr_member_payload(&out, &p);
	set.payload_len = wr_len(&out);
	CHECK_EQ_INT(rw_do(&l->w->node[0], &set, &l->w->root, NULL), REG_OK);
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	meets(l, l->b);
	l->w->hook = loses_memberships;
	hears(l->a, l->k);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(rw_do(l->a, &revoke, NULL, NULL), REG_BUSY);
	l->w->hook = NULL;
	rw_run(l->w, SEC(60));
	CHECK_EQ_INT(rw_do(l->b, &revoke, NULL, NULL), REG_REFUSED);
	CHECK_EQ_INT(rw_do(l->a, &revoke, NULL, NULL), REG_OK);
	lost_free(l);
}

/* Nobody made another backup after the first fire: the second keeper must not begin the same era. */
static void same_backup_twice(bool found, bool told)
{
	struct lost *l = lost_new();
	struct reg_name name = address("10.7.3.3");
	struct regs_estate e = estate_of(&l->backup);
	uint8_t hint[HINT_MAX];
	struct ip ip;
	size_t len;

	ip_parse(&ip, "10.7.3.3");
	leases_want_address(l->a->leases, &ip, l->w->now);
	rw_run(l->w, SEC(10));
	dies(&l->w->node[0]);
	l->k = restored(l->w, &l->backup);
	meets(l, l->a);
	lives(l, 5);
	CHECK(holds(l, l->a, &name));
	len = regs_hint(l->k->regs, hint, sizeof(hint));
	dies(l->k);
	l->k = rw_add(l->w);
	CHECK_EQ_INT(regs_adopt(l->k->regs, &e, l->w->now), 0);
	if (found)
		CHECK(regs_offer_hint(l->k->regs, hint, len, l->w->now));
	if (told)
		regs_look_for_era(l->k->regs, &l->a->key.pub, l->w->now);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(regs_reset_era(l->k->regs, &l->w->root, "again", l->w->now), 0);
	rw_run(l->w, SEC(2));
	CHECK_EQ_INT(regs_keepers(l->k->regs)->era, 2);
	CHECK(regs_is_settling(l->k->regs, l->w->now));
	CHECK_EQ_INT(regs_settings(l->k->regs)->number / POOL_ERA_NUMBERS, 2);
	hears(l->a, l->k);
	rw_run(l->w, SEC(20));
	CHECK_EQ_INT(regs_keepers(l->a->regs)->era, 2);
	leases_set_era(l->a->leases, 2, true);
	for (unsigned i = 0; i < 6; i++) {
		struct lease_info li;
		size_t at = 0;

		CHECK(leases_next(l->a->leases, &at, &li, l->w->now));
		if (regs_show(l->a->regs, li.grant, li.grant_len, l->w->now))
			leases_renew(l->a->leases, &li.name, l->w->now);
		rw_run(l->w, SEC(10));
	}
	CHECK_EQ_INT(generation_at(l, &name), (UINT64_C(2) << 32) + 1);
	CHECK(holds(l, l->a, &name));
	lost_free(l);
}

static void test_restore_same_backup_twice_begins_another_era(void)
{
	same_backup_twice(true, false); /* found in the DHT */
	same_backup_twice(false, true);
	same_backup_twice(true, true);
}

static const struct test tests[] = {
	TEST(test_restore_owner_whose_lease_ended_while_it_was_off_gets_another),
	TEST(test_restore_owner_that_was_started_again_waits_while_its_lease_runs),
	TEST(test_restore_later_owner_is_not_refused_before_it_has_shown),
	TEST(test_restore_owner_does_not_take_back_what_an_heir_may_have),
	TEST(test_restore_heir_without_a_grant_gives_up),
	TEST(test_restore_admin_is_not_refused_before_it_has_shown),
	TEST(test_restore_same_backup_twice_begins_another_era),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
