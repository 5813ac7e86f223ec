/* test_node_keepers.c - who may be keeper, admins, and what a node says about all that. */
#include "cmd/node_health.h"

#include "tests/unit/node_kit.h"

/* Node 0 creates "kit", which lets `most` keepers choose themselves; all others join by `token`s
 * of so many uses, in turn. */
static struct kit *members_of(uint64_t seed, size_t count, uint8_t most, uint16_t uses)
{
	struct node_create c = { .name = "kit", .has_subnet = true, .keepers = most };
	struct node_invite v = { .uses = uses, .expires = 86400 };
	struct kit *k = kit_new(seed, count);
	char token[KIT_TEXT];
	uint64_t op = ++k->last_op;

	CHECK(prefix_parse(&c.subnet, "10.9.0.0/16"));
	node_create(k->node[0].n, op, &c, k->now);
	CHECK(kit_wait(k, 0, op, SEC(10)) && k->node[0].notice.result == NODE_OK);
	for (size_t i = 1; i < count; i++) {
		if ((i - 1) % uses == 0) {
			op = ++k->last_op;
			node_invite(k->node[0].n, op, NULL, &v, k->now);
			CHECK(kit_wait(k, 0, op, SEC(5)) && k->node[0].notice.result == NODE_OK);
			memcpy(token, k->node[0].text, sizeof(token));
		}
		CHECK(kit_join(k, i, token) && k->node[i].notice.result == NODE_OK);
	}
	return k;
}

static uint32_t rights_at_keeper(struct kit *k, size_t i)
{
	struct reg_name name = reg_name_key(REG_MEMBER, k->node[i].key.pub.b, KEY_LEN);
	struct member_payload mp;

	return root_rights_of(kit_ns(k, 0), &name, &mp);
}

static size_t with_keeper_right(struct kit *k)
{
	size_t n = 0;

	for (size_t i = 1; i < k->count; i++)
		n += (rights_at_keeper(k, i) & RIGHT_KEEPER) != 0;
	return n;
}

static bool health_says(struct kit *k, size_t i, const char *text)
{
	char line[NODE_HEALTH_MAX];
	size_t at = 0;

	while (node_health_next(k->node[i].n, 0, &at, line, k->now)) {
		CHECK(strlen(line) > 20 && strlen(line) < NODE_HEALTH_MAX - 1);
		if (strstr(line, text))
			return true;
	}
	return false;
}

/* How a verb ended, and whether it said so. */
static bool ended(struct kit *k, size_t i, uint64_t op, enum node_result r, const char *text)
{
	const struct node_notice *n = kit_wait(k, i, op, SEC(100));

	if (n && n->result == r && strstr(k->node[i].text, text))
		return true;
	printf("# it said %d: %s\n", n ? (int)n->result : -1, k->node[i].text);
	return false;
}

/* All machines are suspended, then run for a while: days of trying to reach somebody take long. */
static void sleep_for(struct kit *k, usec_t span)
{
	k->now += span;
	kit_run(k, SEC(30));
}

static void test_node_the_first_two_invited_may_be_keepers_whatever_the_tokens(void)
{
	for (uint16_t uses = 1; uses <= 4; uses++) {
		struct kit *k = members_of(uses, 5, 5, uses);

		CHECK_EQ_INT(with_keeper_right(k), 2);
		CHECK(rights_at_keeper(k, 1) & RIGHT_KEEPER);
		CHECK(rights_at_keeper(k, 2) & RIGHT_KEEPER);
		kit_free(k);
	}
}

static void test_node_where_people_choose_keepers_nobody_gets_the_right_unasked(void)
{
	struct kit *k = members_of(11, 4, 0, 1);

	CHECK_EQ_INT(with_keeper_right(k), 0);
	CHECK(health_says(k, 0, "1 keeper: fragile"));
	CHECK(health_says(k, 0, "vpnctl keepers add"));
	kit_free(k);
}

static void test_node_says_what_one_keeper_needs(void)
{
	struct kit *k = members_of(12, 2, 5, 1);

	CHECK(health_says(k, 0, "1 keeper: fragile; it takes two more members"));
	CHECK(health_says(k, 1, "1 keeper: fragile; new addresses need that node"));
	kit_run(k, SEC(30));
	CHECK(health_says(k, 0, "node1 (waits for one more"));
	CHECK(!health_says(k, 0, "membership"));
	kit_free(k);
}

static void test_node_a_membership_with_less_than_a_quarter_left_is_told(void)
{
	struct kit *k = members_of(13, 2, 0, 1);

	kit_run(k, SEC(5));
	kit_crash(k, 0);
	sleep_for(k, DAYS(20));
	CHECK(!health_says(k, 1, "membership"));
	sleep_for(k, DAYS(3));
	CHECK(health_says(k, 1, "this membership ends in 6 days and was not renewed"));
	sleep_for(k, DAYS(8));
	CHECK(health_says(k, 1, "this membership has ended"));
	kit_free(k);
}

static void test_node_every_lease_state_says_what_to_do(void)
{
	for (int s = 0; s < LEASE_STATE_COUNT; s++) {
		CHECK(strlen(node_lease_advice((enum lease_state)s)) > strlen("unknown"));
		for (int t = 0; t < s; t++)
			CHECK(strcmp(node_lease_advice((enum lease_state)s),
				     node_lease_advice((enum lease_state)t)) != 0);
	}
	CHECK(strcmp(node_lease_advice(LEASE_STATE_COUNT), "unknown") == 0);
	CHECK(strstr(node_lease_advice(LEASE_AT_RISK), "vpnctl keepers"));
	CHECK(strstr(node_lease_advice(LEASE_WAITING), "vpnctl keepers"));
}

static void test_node_every_candidate_is_told_why_it_waits(void)
{
	for (int w = 0; w < CANDIDATE_WAIT_COUNT; w++) {
		struct candidate c = { .wait = (enum candidate_wait)w, .left = MINUTES(25) };
		char text[100];

		node_candidate_text(&c, 5, text, sizeof(text));
		CHECK(strlen(text) > 5 && strlen(text) < sizeof(text) - 1);
		CHECK((w == CANDIDATE_PROOF) == (strstr(text, "25 min") != NULL));
		CHECK((w == CANDIDATE_FULL) == (strstr(text, "allow 5") != NULL));
	}
}

static void test_node_a_lease_at_risk_is_told_with_what_is_left(void)
{
	struct kit *k = members_of(14, 2, 0, 1);

	kit_run(k, SEC(5));
	CHECK(!health_says(k, 1, "at risk"));
	kit_crash(k, 0);
	sleep_for(k, DAYS(16)); /* past the half of 30 days */
	CHECK(health_says(k, 1, "at risk, left 13 days"));
	kit_free(k);
}

static void test_node_an_added_admin_invites_and_revokes(void)
{
	struct kit *k = members_of(15, 4, 5, 1);
	struct node_invite v = { .uses = 1, .expires = 3600 };
	struct kit_node *admin = &k->node[3];
	char key[KEY_TEXT_LEN];
	uint64_t op;

	kit_run(k, SEC(5));
	node_invite(admin->n, op = ++k->last_op, NULL, &v, k->now);
	CHECK(ended(k, 3, op, NODE_NO, "root add-admin"));
	node_add_admin(admin->n, op = ++k->last_op, NULL, "node1", k->now);
	CHECK(ended(k, 3, op, NODE_NO, "root key"));
	node_add_admin(k->node[0].n, op = ++k->last_op, NULL, "nobody", k->now);
	CHECK(ended(k, 0, op, NODE_NO, "no member 'nobody'"));
	node_add_admin(k->node[0].n, op = ++k->last_op, NULL, "node3", k->now);
	CHECK(ended(k, 0, op, NODE_OK, "node3 is an admin of kit"));
	kit_run(k, SEC(5));
	node_invite(admin->n, op = ++k->last_op, NULL, &v, k->now);
	CHECK(ended(k, 3, op, NODE_OK, "vpnd1:"));
	node_member_revoke(admin->n, op = ++k->last_op, NULL, "nobody", k->now);
	CHECK(ended(k, 3, op, NODE_NO, "name it by its key, or run it on a keeper"));
	key_text(key, &k->node[2].key.pub);
	node_member_revoke(admin->n, op = ++k->last_op, NULL, key, k->now);
	CHECK(ended(k, 3, op, NODE_OK, "revoked"));
	kit_run(k, SEC(5));
	CHECK(kit_ns(k, 2)->state == NODE_NS_OUT);
	node_add_admin(k->node[0].n, op = ++k->last_op, NULL, "node3", k->now);
	CHECK(ended(k, 0, op, NODE_NO, "admin already"));
	kit_free(k);
}

static void test_node_a_member_with_the_admin_right_invites_too(void)
{
	struct kit *k = members_of(16, 2, 5, 1);
	struct node_invite v = { .uses = 1, .expires = 3600 };
	uint64_t op;

	node_member_set(k->node[0].n, op = ++k->last_op, NULL, "node1", RIGHT_ADMIN, 0, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "rights set"));
	kit_run(k, SEC(5));
	node_invite(k->node[1].n, op = ++k->last_op, NULL, &v, k->now);
	CHECK(ended(k, 1, op, NODE_OK, "vpnd1:"));
	kit_free(k);
}

static void test_node_a_keeper_is_not_revoked_before_it_has_left_the_set(void)
{
	struct kit *k = members_of(17, 2, 5, 1), *m = members_of(18, 2, 0, 1);
	uint64_t op;

	node_member_revoke(k->node[0].n, op = ++k->last_op, NULL, "node0", k->now);
	CHECK(ended(k, 0, op, NODE_NO, "`vpnctl member set node0 --no-right keeper`"));
	node_member_revoke(m->node[0].n, op = ++m->last_op, NULL, "node0", m->now);
	CHECK(ended(m, 0, op, NODE_NO, "keepers replace node0 OTHER"));
	kit_free(k);
	kit_free(m);
}

static void test_node_refuses_changes_of_keepers_that_cannot_be(void)
{
	struct kit *k = members_of(19, 4, 0, 1);
	struct node_keepers_change c = { .add = { "node1" }, .added = 1 };
	struct kit_node *root = &k->node[0];
	uint64_t op;

	kit_run(k, SEC(20));
	node_keepers_change(k->node[1].n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 1, op, NODE_NO, "no admin"));
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "`vpnctl member set node1 --right keeper` first"));
	node_member_set(root->n, op = ++k->last_op, NULL, "node1", RIGHT_KEEPER, 0, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "rights set"));
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "there are 1, 3, 5 or 7. Name one more"));
	c.add[0] = "node0";
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "node0 is a keeper already"));
	c.add[0] = "nobody";
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "`vpnctl member list`"));
	c = (struct node_keepers_change){ .remove = { "node2" }, .removed = 1 };
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "node2 is no keeper"));
	c.remove[0] = "node0";
	node_keepers_change(root->n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "this would make 0 keepers"));
	node_keepers_grow(root->n, op = ++k->last_op, NULL, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "chosen by people"));
	kit_free(k);
}

static void test_node_the_number_of_keepers_is_a_setting(void)
{
	struct kit *k = members_of(20, 2, 5, 1);
	struct node_keepers_info info;
	uint64_t op;

	node_keepers_max(k->node[1].n, op = ++k->last_op, NULL, &(struct node_keepers_max){ .most = 3 }, k->now);
	CHECK(ended(k, 1, op, NODE_NO, "root key"));
	node_keepers_max(k->node[0].n, op = ++k->last_op, NULL,
			 &(struct node_keepers_max){ 7, true, true }, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "at most 7 keepers, which choose themselves; hardened"));
	kit_run(k, SEC(5));
	node_keepers_info(k->node[1].n, 0, &info, k->now);
	CHECK(info.most == 7 && info.hardened && !info.here && info.count == 1);
	node_keepers_max(k->node[0].n, op = ++k->last_op, NULL, &(struct node_keepers_max){ .most = 0 }, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "chosen by people"));
	node_keepers_info(k->node[0].n, 0, &info, k->now);
	CHECK(info.most == 0 && info.hardened && info.here);
	kit_free(k);
}

static struct node_keepers_info keepers_at(struct kit *k, size_t i)
{
	struct node_keepers_info info;

	node_keepers_info(k->node[i].n, 0, &info, k->now);
	return info;
}

static void test_node_one_keeper_becomes_three_by_itself_within_minutes(void)
{
	struct kit *k = members_of(21, 4, 5, 2);

	kit_run(k, MINUTES(3));
	for (size_t i = 0; i < k->count; i++)
		CHECK_EQ_INT(keepers_at(k, i).count, 3);
	CHECK(keepers_at(k, 0).here && keepers_at(k, 1).here && keepers_at(k, 2).here);
	CHECK(!keepers_at(k, 3).here);
	CHECK_EQ_INT(keepers_at(k, 2).reachable, 3);
	CHECK(!health_says(k, 0, "fragile") && !health_says(k, 0, "keepers reachable"));
	kit_crash(k, 0);
	kit_run(k, SEC(30));
	CHECK(health_says(k, 1, "2 of 3 keepers reachable: one more loss"));
	kit_crash(k, 2);
	kit_run(k, SEC(30));
	CHECK(health_says(k, 1, "1 of 3 keepers reachable: too few"));
	kit_free(k);
}

static void test_node_who_is_away_for_long_is_replaced_by_a_spare(void)
{
	struct kit *k = members_of(22, 4, 3, 2);
	const struct config *cf;
	uint64_t op;

	node_member_set(k->node[0].n, op = ++k->last_op, NULL, "node3", RIGHT_KEEPER, 0, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "rights set"));
	kit_run(k, MINUTES(3));
	CHECK_EQ_INT(keepers_at(k, 0).count, 3);
	cf = regs_keepers(kit_ns(k, 0)->regs);
	for (size_t i = 1; i < 4; i++)
		if (config_member(cf, &k->node[i].key.pub) >= 0) {
			kit_crash(k, i);
			break;
		}
	kit_run(k, MINUTES(14));
	cf = regs_keepers(kit_ns(k, 0)->regs);
	CHECK_EQ_INT(cf->count, 3);
	CHECK_EQ_INT(cf->epoch, 3);
	CHECK_EQ_INT(keepers_at(k, 0).reachable, 3);
	kit_free(k);
}

static void test_node_an_admin_changes_keepers_by_hand(void)
{
	struct kit *k = members_of(23, 4, 0, 1);
	struct node_keepers_change c = { .add = { "node1", "node2" }, .added = 2 };
	uint64_t op;

	for (size_t i = 1; i < 4; i++) {
		char who[] = { 'n', 'o', 'd', 'e', (char)('0' + i), 0 };

		node_member_set(k->node[0].n, op = ++k->last_op, NULL, who, RIGHT_KEEPER, 0, k->now);
		CHECK(ended(k, 0, op, NODE_OK, "rights set"));
	}
	node_keepers_change(k->node[0].n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "kit has 3 keepers now"));
	node_add_admin(k->node[0].n, op = ++k->last_op, NULL, "node1", k->now);
	CHECK(ended(k, 0, op, NODE_OK, "is an admin"));
	kit_run(k, SEC(10));
	c = (struct node_keepers_change){ .add = { "node3" }, .added = 1, .remove = { "node0" },
					  .removed = 1 };
	node_keepers_change(k->node[1].n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 1, op, NODE_OK, "kit has 3 keepers now"));
	kit_run(k, SEC(10));
	CHECK(!keepers_at(k, 0).here && keepers_at(k, 3).here);
	c = (struct node_keepers_change){ .remove = { "node1", "node2" }, .removed = 2 };
	node_keepers_change(k->node[1].n, op = ++k->last_op, NULL, &c, k->now);
	CHECK(ended(k, 1, op, NODE_OK, "kit has 1 keeper now"));
	kit_free(k);
}

static void test_node_grow_does_not_wait(void)
{
	struct kit *k = members_of(24, 3, 5, 2);
	uint64_t op;

	kit_run(k, SEC(15));
	CHECK_EQ_INT(keepers_at(k, 0).count, 1);
	CHECK(health_says(k, 0, "`vpnctl keepers grow`"));
	node_keepers_grow(k->node[0].n, op = ++k->last_op, NULL, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "kit has 3 keepers now"));
	node_keepers_grow(k->node[0].n, op = ++k->last_op, NULL, k->now);
	CHECK(ended(k, 0, op, NODE_NO, "vpnctl keepers"));
	kit_free(k);
}

static void test_node_a_keeper_without_the_right_leaves_and_can_then_be_revoked(void)
{
	struct kit *k = members_of(25, 4, 3, 2);
	uint64_t op;

	node_member_set(k->node[0].n, op = ++k->last_op, NULL, "node3", RIGHT_KEEPER, 0, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "rights set"));
	node_keepers_grow(k->node[0].n, op = ++k->last_op, NULL, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "kit has 3 keepers now"));
	kit_run(k, SEC(10));
	for (size_t i = 1; i < 4; i++) {
		char who[] = { 'n', 'o', 'd', 'e', (char)('0' + i), 0 };

		if (!keepers_at(k, i).here)
			continue;
		node_member_set(k->node[0].n, op = ++k->last_op, NULL, who, 0, RIGHT_KEEPER, k->now);
		CHECK(ended(k, 0, op, NODE_OK, "rights set"));
		kit_run(k, MINUTES(2));
		CHECK(!keepers_at(k, i).here);
		CHECK_EQ_INT(keepers_at(k, 0).count, 3);
		CHECK_EQ_INT(keepers_at(k, 0).reachable, 3);
		node_member_revoke(k->node[0].n, op = ++k->last_op, NULL, who, k->now);
		CHECK(ended(k, 0, op, NODE_OK, "revoked"));
		break;
	}
	kit_free(k);
}

/* Its registers, its epoch key and its incarnation are gone from the disk. */
static void forget_keeping(struct kit_node *h)
{
	struct kit_pair **p = &h->disk, *gone;

	while ((gone = *p)) {
		uint8_t kind = gone->key_len > 1 + NSID_LEN ? gone->bytes[1 + NSID_LEN] : 0;

		if (gone->bytes[0] != 'R' || !kind || !strchr("rek", kind)) {
			p = &gone->next;
			continue;
		}
		*p = gone->next;
		free(gone);
	}
}

static void test_node_a_keeper_that_lost_its_state_is_seated_anew(void)
{
	struct kit *k = members_of(26, 3, 3, 2);
	uint64_t op;

	kit_run(k, SEC(15));
	node_keepers_grow(k->node[0].n, op = ++k->last_op, NULL, k->now);
	CHECK(ended(k, 0, op, NODE_OK, "kit has 3 keepers now"));
	kit_run(k, MINUTES(2));
	kit_crash(k, 1);
	forget_keeping(&k->node[1]);
	kit_start(k, 1);
	kit_run(k, SEC(5));
	CHECK(!keepers_at(k, 1).here);
	kit_run(k, MINUTES(2));
	CHECK(keepers_at(k, 1).here);
	CHECK_EQ_INT(keepers_at(k, 0).epoch, 3);
	CHECK_EQ_INT(keepers_at(k, 0).reachable, 3);
	kit_free(k);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_node_the_first_two_invited_may_be_keepers_whatever_the_tokens),
		TEST(test_node_where_people_choose_keepers_nobody_gets_the_right_unasked),
		TEST(test_node_says_what_one_keeper_needs),
		TEST(test_node_a_membership_with_less_than_a_quarter_left_is_told),
		TEST(test_node_every_lease_state_says_what_to_do),
		TEST(test_node_every_candidate_is_told_why_it_waits),
		TEST(test_node_a_lease_at_risk_is_told_with_what_is_left),
		TEST(test_node_an_added_admin_invites_and_revokes),
		TEST(test_node_a_member_with_the_admin_right_invites_too),
		TEST(test_node_a_keeper_is_not_revoked_before_it_has_left_the_set),
		TEST(test_node_refuses_changes_of_keepers_that_cannot_be),
		TEST(test_node_the_number_of_keepers_is_a_setting),
		TEST(test_node_one_keeper_becomes_three_by_itself_within_minutes),
		TEST(test_node_who_is_away_for_long_is_replaced_by_a_spare),
		TEST(test_node_an_admin_changes_keepers_by_hand),
		TEST(test_node_grow_does_not_wait),
		TEST(test_node_a_keeper_without_the_right_leaves_and_can_then_be_revoked),
		TEST(test_node_a_keeper_that_lost_its_state_is_seated_anew),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
