#include "dht/change.h"

#include <errno.h>

#include "dht/pool.h"
#include "tests/unit/keeper_ops.h"

/* One register under the change functions, without keepers. */
struct desk {
	bool held;
	struct reg_value value;
	uint8_t bytes[REG_VALUE_MAX];
	enum reg_status room;
	size_t pruned;
	uint64_t wall;
	const struct settings *settings;
	struct change_result r;
};

static enum reg_status desk_room(void *ctx, const struct pubkey *owner, const struct reg_name *n)
{
	struct desk *d = ctx;

	(void)owner;
	(void)n;
	return d->room;
}

static void desk_prune(void *ctx, struct revocation_payload *list)
{
	struct desk *d = ctx;

	if (d->pruned && list->count)
		list->count--;
	d->pruned = 0;
}

static enum reg_status apply(struct desk *d, const struct change *c, uint64_t age)
{
	struct change_world w = { .ctx = d, .room = desk_room, .prune = desk_prune, .era = 3,
				  .wall = d->wall ? d->wall : 1000, .lease_max = 86400,
				  .settings = d->settings };
	uint8_t bytes[REG_VALUE_MAX];
	struct wr out = wr_of(bytes, sizeof(bytes));
	struct rd in;

	change_apply(&d->r, c, &w, d->held ? &d->value : NULL, age);
	if (d->r.status != REG_OK || d->r.same)
		return d->r.status;
	wr_reg_value(&out, &d->r.value);
	CHECK(wr_ok(&out));
	memcpy(d->bytes, bytes, wr_len(&out));
	in = rd_of(d->bytes, wr_len(&out));
	CHECK(rd_reg_value(&in, &d->value) && rd_done(&in));
	d->held = true;
	return REG_OK;
}

/* Proofs stand for signed bytes: one letter of the signer and the number. */
static enum reg_status act(struct desk *d, struct reg_op op, uint32_t signer, uint64_t age)
{
	uint8_t proof[3] = { (uint8_t)signer, op.verb, (uint8_t)op.number };
	struct change c = { .verb = op.verb, .name = op.name, .op = &op, .proof = proof,
			    .proof_len = sizeof(proof) };

	memset(op.signer.b, (int)signer, KEY_LEN);
	return apply(d, &c, age);
}

#define ACT(d, who, verb_, number_, ...) \
	act(d, (struct reg_op){ .verb = verb_, .number = number_, __VA_ARGS__ }, who, 0)

/* A survivor of the last era missed that somebody else got the register: its value proves nothing. */
static void test_change_what_an_old_era_left_is_nobodys_until_it_is_shown(void)
{
	static const enum reg_verb verbs[] = { OP_RENEW, OP_RELEASE, OP_CLAIM, OP_TRANSFER };
	struct settings s = { .number = 3 * POOL_ERA_NUMBERS, .era_began = 900 };
	struct ip ip = ip_v4(0x0a070303);
	struct reg_name name = reg_name_address(&ip);

	CHECK(prefix_parse(&s.subnet, "10.7.0.0/16"));
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		struct desk d = { .held = true, .settings = &s };
		struct reg_op op = { .verb = verbs[i], .number = 9, .name = name,
				     .generation = ((uint64_t)2 << 32) + 5, .deadline = 2000 };

		d.value = (struct reg_value){ .state = REG_HELD, .number = 1, .lease = 86400,
					      .generation = ((uint64_t)2 << 32) + 5 };
		memset(d.value.owner.b, 'a', KEY_LEN);
		CHECK_EQ_INT(act(&d, op, 'a', 0), verbs[i] == OP_CLAIM ? REG_OWNED : REG_BUSY);
		d.value.generation = op.generation = ((uint64_t)3 << 32) + 5; /* it was */
		op.number = 10;
		CHECK_EQ_INT(act(&d, op, 'a', 0), REG_OK);
	}
}

static void test_change_first_generation_belongs_to_the_era(void)
{
	struct desk d = { .held = false };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_OK);
	CHECK(d.value.generation == ((uint64_t)3 << 32) + 1);
	CHECK_EQ_INT(d.value.state, REG_HELD);
}

static void test_change_lease_is_what_is_asked_within_bounds(void)
{
	static const struct {
		uint32_t asked, given;
	} rows[] = { { 0, 86400 }, { 1, 60 }, { 60, 60 }, { 61, 61 }, { 86400, 86400 },
		     { 86401, 86400 }, { UINT32_MAX, 86400 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct desk d = { .held = false };

		CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1, .lease = rows[i].asked), REG_OK);
		CHECK_EQ_INT(d.value.lease, rows[i].given);
	}
}

static void test_change_lease_wait_covers_both_clocks_drifting_apart(void)
{
	CHECK_EQ_INT(change_lease_wait(199), 201 + 60);
	CHECK_EQ_INT(change_lease_wait(200), 203 + 60); /* 202.01 rounded up */
	CHECK_EQ_INT(change_lease_wait(0), 60);
	for (uint64_t l = 1; l < UINT32_MAX / 3; l = l * 3 + 1)
		CHECK((change_lease_wait((uint32_t)l) - 60) * 995 >= l * 1005);
}

static void test_change_claim_of_a_held_register_waits_for_the_exact_second(void)
{
	struct desk d = { .held = false };
	struct reg_op op = { .verb = OP_CLAIM, .number = 1 };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1, .lease = 199), REG_OK);
	CHECK_EQ_INT(act(&d, op, 'b', 260), REG_OWNED);
	CHECK_EQ_INT(d.r.holder.b[0], 'a');
	CHECK_EQ_INT(act(&d, op, 'b', 261), REG_OK);
	CHECK_EQ_INT(d.value.owner.b[0], 'b');
	CHECK_EQ_INT((uint32_t)d.value.generation, 2);
}

static void test_change_claim_over_quota_is_refused_but_renewals_are_not(void)
{
	struct desk d = { .held = false, .room = REG_QUOTA };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_QUOTA);
	d.room = REG_OK;
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_OK);
	d.room = REG_QUOTA;
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 2), REG_OK);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 3), REG_OK);
}

static void test_change_same_operation_is_answered_the_same_another_one_is_old(void)
{
	struct desk d = { .held = false };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 5), REG_OK);
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 5), REG_OK);
	CHECK(d.r.same);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 5), REG_OLD);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 4), REG_OLD);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RELEASE, 4), REG_OLD);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 6), REG_OK);
	CHECK(!d.r.same);
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 5), REG_OLD);
}

static void test_change_wrong_generation_is_old(void)
{
	struct desk d = { .held = false };
	uint64_t g;

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_OK);
	g = d.value.generation;
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 2, .generation = g + 1), REG_OLD);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RELEASE, 3, .generation = g - 1), REG_OLD);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 4, .generation = g), REG_OK);
	CHECK_EQ_INT(d.value.generation == g, 1);
}

static void test_change_only_the_owner_renews_and_releases(void)
{
	struct desk d = { .held = false };

	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 1), REG_UNKNOWN);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RELEASE, 1), REG_UNKNOWN);
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_OK);
	CHECK_EQ_INT(ACT(&d, 'b', OP_RENEW, 9), REG_OWNED);
	CHECK_EQ_INT(ACT(&d, 'b', OP_RELEASE, 9), REG_OWNED);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RELEASE, 2), REG_OK);
	CHECK_EQ_INT(d.value.state, REG_RELEASED);
	CHECK_EQ_INT(d.value.payload_len, 0);
	CHECK_EQ_INT(ACT(&d, 'a', OP_RENEW, 3), REG_UNKNOWN);
	CHECK_EQ_INT(ACT(&d, 'b', OP_RENEW, 3), REG_UNKNOWN);
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1), REG_OLD); /* late: it cannot undo the release */
	CHECK_EQ_INT(ACT(&d, 'b', OP_CLAIM, 1), REG_OK);
}

static void test_change_late_operation_is_expired(void)
{
	struct desk d = { .held = false };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1, .deadline = 999), REG_EXPIRED);
	CHECK_EQ_INT(d.r.detail, 999);
	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1, .deadline = 1000), REG_OK);
}

static void test_change_transfer_ignores_the_age_of_the_lease(void)
{
	struct desk d = { .held = false };
	struct reg_op op = { .verb = OP_TRANSFER, .number = 2, .deadline = 2000, .heir = { { 9 } } };

	CHECK_EQ_INT(ACT(&d, 'a', OP_CLAIM, 1, .lease = 60), REG_OK);
	CHECK_EQ_INT(act(&d, op, 'a', 100000), REG_OLD); /* no generation */
	op.generation = d.value.generation;
	CHECK_EQ_INT(act(&d, op, 'a', 100000), REG_OK);
	CHECK_EQ_INT(d.value.owner.b[0], 9);
	CHECK(d.value.generation == op.generation + 1);
	CHECK_EQ_INT(act(&d, op, 'a', 0), REG_OK); /* again: done already */
	CHECK(d.r.same);
	op.number = 3;
	CHECK_EQ_INT(act(&d, op, 'a', 0), REG_OWNED);
}

static void token_put(struct desk *d, uint16_t uses, uint64_t expires)
{
	struct token_payload p = { .uses = uses, .expires = expires };
	uint8_t buf[64];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_token_payload(&w, &p);
	CHECK_EQ_INT(ACT(d, 'r', OP_TOKEN_CREATE, 1, .payload = buf, .payload_len = wr_len(&w)),
		     REG_OK);
}

static void test_change_token_create_refuses_used_revoked_expired_and_taken(void)
{
	for (int i = 0; i < 4; i++) {
		struct desk d = { .held = false };
		struct token_payload p = { .uses = 2, .expires = 2000, .revoked = i == 0,
					   .used = i == 1 };
		uint8_t buf[64];
		struct wr w = wr_of(buf, sizeof(buf));

		if (i == 2)
			p.expires = 1000;
		if (i == 3)
			token_put(&d, 5, 3000);
		wr_token_payload(&w, &p);
		CHECK_EQ_INT(ACT(&d, 'q', OP_TOKEN_CREATE, 9, .payload = buf,
				 .payload_len = wr_len(&w)),
			     i == 3 ? REG_OWNED : i == 2 ? REG_EXPIRED : REG_MALFORMED);
	}
}

static void test_change_token_use_keeps_the_admins_signature(void)
{
	struct desk d = { .held = false };
	struct token_payload p;

	token_put(&d, 2, 2000);
	CHECK_EQ_INT(ACT(&d, 'n', OP_TOKEN_USE, 1), REG_OK);
	CHECK_EQ_INT(d.value.proof_len, 3);
	CHECK_EQ_INT(d.value.proof[0], 'r');
	CHECK_EQ_INT(d.value.owner.b[0], 'r');
	CHECK(token_payload_read(&p, d.value.payload, d.value.payload_len));
	CHECK_EQ_INT(p.used, 1);
	CHECK_EQ_INT(ACT(&d, 'n', OP_TOKEN_USE, 1), REG_OK);
	CHECK(d.r.same);
	CHECK_EQ_INT(ACT(&d, 'm', OP_TOKEN_USE, 1), REG_OK);
	CHECK_EQ_INT(ACT(&d, 'o', OP_TOKEN_USE, 1), REG_USED_UP);
	d.wall = 2000;
	CHECK_EQ_INT(ACT(&d, 'o', OP_TOKEN_USE, 1), REG_EXPIRED);
	CHECK_EQ_INT(ACT(&d, 'n', OP_TOKEN_USE, 1), REG_OK); /* was let in while it held */
}

static void test_change_enrolment_with_a_second_token_adds_up(void)
{
	struct desk d = { .held = false };
	struct change c = { .verb = OP_MEMBER_ENROL, .name = { REG_MEMBER, 32, { 5 } } };
	struct member_payload m;

	c.member = (struct member_payload){ .rights = RIGHT_RELAY, .token = { 1 },
					    .groups = { 1, { "a" } } };
	CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
	CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
	CHECK(d.r.same);
	c.member = (struct member_payload){ .rights = RIGHT_EDGE, .token = { 2 },
					    .groups = { 2, { "a", "b" } } };
	CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
	CHECK(member_payload_read(&m, d.value.payload, d.value.payload_len));
	CHECK_EQ_INT(m.rights, RIGHT_RELAY | RIGHT_EDGE);
	CHECK_EQ_INT(m.groups.count, 2);
	CHECK_EQ_INT(m.serial, 2);
	CHECK_EQ_INT(m.token[0], 2);
	CHECK_EQ_INT(d.value.owner.b[0], 5);
}

static void test_change_ephemeral_members_last_a_day(void)
{
	struct desk d = { .held = false };
	struct change c = { .verb = OP_MEMBER_ENROL, .name = { REG_MEMBER, 32, { 5 } },
			    .member = { .ephemeral = true, .token = { 1 } } };
	struct member_payload m;

	CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
	CHECK(member_payload_read(&m, d.value.payload, d.value.payload_len));
	CHECK_EQ_INT(m.not_after, 1000 + 86400);
	CHECK(m.ephemeral);
}

static void test_change_revoked_member_stays_revoked(void)
{
	struct desk d = { .held = false };
	struct change enrol = { .verb = OP_MEMBER_ENROL, .name = { REG_MEMBER, 32, { 5 } } };
	struct change renew = { .verb = OP_MEMBER_RENEW, .name = enrol.name };
	struct change revoke = { .verb = OP_MEMBER_REVOKE, .name = enrol.name };
	uint8_t buf[200];
	struct wr w = wr_of(buf, sizeof(buf));

	CHECK_EQ_INT(apply(&d, &revoke, 0), REG_UNKNOWN);
	CHECK_EQ_INT(apply(&d, &renew, 0), REG_UNKNOWN);
	CHECK_EQ_INT(apply(&d, &enrol, 0), REG_OK);
	CHECK_EQ_INT(apply(&d, &renew, 0), REG_OK);
	CHECK(d.r.same); /* young */
	CHECK_EQ_INT(apply(&d, &revoke, 0), REG_OK);
	CHECK_EQ_INT(apply(&d, &revoke, 0), REG_OK);
	CHECK(d.r.same);
	CHECK_EQ_INT(apply(&d, &renew, 0), REG_REVOKED);
	CHECK_EQ_INT(apply(&d, &enrol, 0), REG_REVOKED);
	wr_member_payload(&w, &(struct member_payload){ .rights = 1 });
	CHECK_EQ_INT(ACT(&d, 'r', OP_MEMBER_SET, 9, .payload = buf, .payload_len = wr_len(&w)),
		     REG_REVOKED);
}

static void test_change_revocation_number_rises_and_a_full_list_says_so(void)
{
	struct desk d = { .held = false };
	struct change c = { .verb = OP_REVOKE_ADD, .name = { REG_REVOCATION, 0, { 0 } } };
	static struct revocation_payload p;

	for (uint32_t i = 0; i < REG_REVOKED_MAX; i++) {
		c.revoked.b[1] = (uint8_t)i;
		CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
		CHECK(!d.r.same);
		CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
		CHECK(d.r.same);
	}
	CHECK(revocation_payload_read(&p, d.value.payload, d.value.payload_len));
	CHECK_EQ_INT(p.number, REG_REVOKED_MAX);
	c.revoked.b[0] = 1;
	CHECK_EQ_INT(apply(&d, &c, 0), REG_FULL);
	d.pruned = 1; /* one is past its end */
	CHECK_EQ_INT(apply(&d, &c, 0), REG_OK);
}

static void test_change_unknown_verbs_are_malformed(void)
{
	struct desk d = { .held = false };
	struct change c = { .verb = 0 };

	CHECK_EQ_INT(apply(&d, &c, 0), REG_MALFORMED);
	c.verb = 200;
	CHECK_EQ_INT(apply(&d, &c, 0), REG_MALFORMED);
}

static const struct test tests[] = {
	TEST(test_change_first_generation_belongs_to_the_era),
	TEST(test_change_what_an_old_era_left_is_nobodys_until_it_is_shown),
	TEST(test_change_lease_is_what_is_asked_within_bounds),
	TEST(test_change_lease_wait_covers_both_clocks_drifting_apart),
	TEST(test_change_claim_of_a_held_register_waits_for_the_exact_second),
	TEST(test_change_claim_over_quota_is_refused_but_renewals_are_not),
	TEST(test_change_same_operation_is_answered_the_same_another_one_is_old),
	TEST(test_change_wrong_generation_is_old),
	TEST(test_change_only_the_owner_renews_and_releases),
	TEST(test_change_late_operation_is_expired),
	TEST(test_change_transfer_ignores_the_age_of_the_lease),
	TEST(test_change_token_create_refuses_used_revoked_expired_and_taken),
	TEST(test_change_token_use_keeps_the_admins_signature),
	TEST(test_change_enrolment_with_a_second_token_adds_up),
	TEST(test_change_ephemeral_members_last_a_day),
	TEST(test_change_revoked_member_stays_revoked),
	TEST(test_change_revocation_number_rises_and_a_full_list_says_so),
	TEST(test_change_unknown_verbs_are_malformed),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
