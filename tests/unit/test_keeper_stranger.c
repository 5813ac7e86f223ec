/* test_keeper_stranger.c - a keeper that missed a membership reads it before it refuses anybody. */
#include "tests/unit/keeper_ops.h"

/* Three keepers; keeper 0 was away when `late` became a member. */
struct missed {
	struct kit *t;
	struct key_pair early, late;
};

static uint64_t ask_of(struct kit *t, size_t keeper, struct reg_op op, const struct key_pair *signer)
{
	uint8_t buf[REG_OP_MAX];
	size_t len = kit_op(t, buf, &op, signer, NULL);

	CHECK(len > 0);
	return kit_ask_bytes(t, keeper, &signer->pub, buf, len);
}

static enum reg_status do_at(struct kit *t, size_t keeper, struct reg_op op,
			     const struct key_pair *signer)
{
	uint64_t request = ask_of(t, keeper, op, signer);

	kit_run(t, SEC(16));
	return kit_status(kit_answer_of(t, request));
}

static struct missed missed_new(void)
{
	struct missed m = { kit_new(3), kit_key(1), kit_key(2) };
	struct member_payload p = { .rights = 0 };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_op set = { .name = kit_member_name(&m.late), .verb = OP_MEMBER_SET,
			      .payload = payload };

	wr_member_payload(&w, &p);
	set.payload_len = wr_len(&w);
	CHECK_EQ_INT(kit_member_add(m.t, &m.early, 0), REG_OK);
	m.t->keepers[0].is_cut_off = true;
	CHECK_EQ_INT(do_at(m.t, 1, set, &m.t->root), REG_OK);
	m.t->keepers[0].is_cut_off = false;
	return m;
}

static struct reg_op claim_of(const char *address)
{
	return (struct reg_op){ .name = kit_address(address), .verb = OP_CLAIM };
}

static void test_keeper_that_could_not_read_a_membership_refuses_nobody(void)
{
	struct missed m = missed_new();
	uint64_t request;

	m.t->keepers[1].is_cut_off = m.t->keepers[2].is_cut_off = true;
	request = ask_of(m.t, 0, claim_of("10.1.0.9"), &m.late);
	kit_run(m.t, MSEC(5020)); /* the read has failed, the rest would not */
	m.t->keepers[1].is_cut_off = m.t->keepers[2].is_cut_off = false;
	kit_run(m.t, SEC(16));
	CHECK_EQ_INT(kit_status(kit_answer_of(m.t, request)), REG_NO_QUORUM);
	CHECK_EQ_INT(do_at(m.t, 0, claim_of("10.1.0.9"), &m.late), REG_OK);
	kit_free(m.t);
}

static usec_t late_until; /* promises are */

static bool promises_late(struct kit_keeper *kk, const struct pubkey *to, struct regmsg *m)
{
	(void)to;
	return m->type != REGMSG_PROMISE || m->status != REG_OK || kk->kit->now > late_until;
}

/* It is about to write the membership as well, and takes the promise of who reads it. */
static void goes_between(struct kit_keeper *kk, const struct pubkey *from, const struct regmsg *m)
{
	struct regmsg prepare = *m;

	if (m->type != REGMSG_PREPARE || m->ballot.counter == 1 || late_until != USEC_NEVER)
		return;
	late_until = kk->kit->now + MSEC(100);
	prepare.ballot.counter += 1000;
	prepare.ballot.proposer = 1;
	kit_say(kk, from, &prepare);
}

static void test_keeper_that_has_read_what_it_may_not_keep_refuses_nobody(void)
{
	struct missed m = missed_new();
	uint64_t request;

	late_until = USEC_NEVER;
	m.t->keepers[1].hear = goes_between;
	m.t->keepers[1].lie = m.t->keepers[2].lie = promises_late;
	request = ask_of(m.t, 0, claim_of("10.1.0.9"), &m.late);
	kit_run(m.t, SEC(2));
	CHECK_EQ_INT(kit_status(kit_answer_of(m.t, request)), REG_BUSY);
	CHECK_EQ_INT(do_at(m.t, 0, claim_of("10.1.0.9"), &m.late), REG_OK);
	kit_free(m.t);
}

static void test_keeper_refuses_who_is_no_member_anywhere(void)
{
	struct missed m = missed_new();
	struct key_pair nobody = kit_key(3);

	CHECK_EQ_INT(do_at(m.t, 0, claim_of("10.1.0.9"), &nobody), REG_REFUSED);
	kit_free(m.t);
}

static void test_keeper_reads_the_membership_of_an_heir(void)
{
	struct missed m = missed_new();
	struct reg_op transfer = claim_of("10.1.0.9");

	CHECK_EQ_INT(do_at(m.t, 0, transfer, &m.early), REG_OK);
	transfer.verb = OP_TRANSFER;
	transfer.generation = 1;
	transfer.deadline = KIT_WALL + 600;
	transfer.heir = kit_key(3).pub;
	CHECK_EQ_INT(do_at(m.t, 0, transfer, &m.early), REG_REFUSED);
	transfer.heir = m.late.pub;
	CHECK_EQ_INT(do_at(m.t, 0, transfer, &m.early), REG_OK);
	kit_free(m.t);
}

static const struct test tests[] = {
	TEST(test_keeper_that_could_not_read_a_membership_refuses_nobody),
	TEST(test_keeper_that_has_read_what_it_may_not_keep_refuses_nobody),
	TEST(test_keeper_refuses_who_is_no_member_anywhere),
	TEST(test_keeper_reads_the_membership_of_an_heir),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
