/* test_judge_governed.c - what an acceptor of a hardened set takes of members, tokens and the list. */
#include "tests/unit/judge_book.h"

static void test_judge_counts_a_token_only_for_who_signed(void)
{
	struct book *k = book_new();
	struct key_pair token = key_of(9);
	struct reg_name name = token_name(&token);
	struct token_payload p = { .uses = 2 };
	struct change_result r;
	struct reg_value old;
	struct signed_op s;
	struct change c;

	keep_token(k, &token, &p);
	CHECK(book_value(k, &name, &old));
	sign(k, &s, (struct reg_op){ .verb = OP_TOKEN_USE, .name = name }, &k->a, &token);
	c = change_of(&s);
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, &s), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	sign(k, &s, (struct reg_op){ .verb = OP_TOKEN_USE, .name = name }, &k->b, &token);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, &s), JUDGE_REFUSE);
	free(k);
}

static enum judge_word enrol(struct book *k, const struct key_pair *token, uint32_t rights)
{
	struct reg_name name = member_name(&k->a);
	struct change c = { .verb = OP_MEMBER_ENROL, .name = name };
	struct change_result r;

	c.member.rights = rights;
	memcpy(c.member.token, token_name(token).b, 32);
	make(k, &r, &c, NULL, 0);
	return offer(k, &name, NULL, 0, &r.value, NULL);
}

static void test_judge_lets_in_whom_a_token_counts_with_its_rights_alone(void)
{
	struct book *k = book_new();
	struct key_pair token = key_of(9);
	struct token_payload p = { .rights = RIGHT_RELAY };

	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY), JUDGE_FETCH);
	keep_token(k, &token, &p);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY), JUDGE_FETCH);
	p.used = 1;
	token_use_hash(p.used_by[0], &k->a.pub);
	keep_token(k, &token, &p);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY), JUDGE_TAKE);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY | RIGHT_ADMIN), JUDGE_REFUSE);
	p.keepers = 1;
	keep_token(k, &token, &p);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY | RIGHT_KEEPER), JUDGE_TAKE);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY), JUDGE_REFUSE);
	p.keepers = 0;
	p.revoked = true;
	keep_token(k, &token, &p);
	CHECK_EQ_INT(enrol(k, &token, RIGHT_RELAY), JUDGE_REFUSE);
	free(k);
}

static void keep_member(struct book *k, const struct key_pair *who, struct member_payload *m)
{
	uint8_t payload[600];
	struct reg_name name = member_name(who);
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1, .owner = who->pub,
			       .payload = payload };

	wr_member_payload(&w, m);
	v.payload_len = wr_len(&w);
	keep(k, &name, &v);
}

/* The member came by this token, then by another, and then an admin took its rights away. */
static void test_judge_gives_no_right_back_by_a_token_used_before(void)
{
	struct book *k = book_new();
	struct key_pair token = key_of(9);
	struct reg_name name = member_name(&k->a);
	struct token_payload p = { .rights = RIGHT_KEEPER, .used = 1 };
	struct member_payload m = { .serial = 3, .not_after = WALL + 86400, .token = { 4 } };
	struct change c = { .verb = OP_MEMBER_ENROL, .name = name };
	struct change_result r;
	struct reg_value old;

	token_use_hash(p.used_by[0], &k->a.pub);
	keep_token(k, &token, &p);
	c.member.rights = RIGHT_KEEPER;
	memcpy(c.member.token, token_name(&token).b, 32);
	keep_member(k, &k->a, &m);
	CHECK(book_value(k, &name, &old));
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_TAKE); /* no admin has */
	old.number = 7;
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	memcpy(m.token, token_name(&token).b, 32); /* and the same when it came by this one last, and */
	m.not_after = WALL - 1;			   /* its membership is over */
	keep_member(k, &k->a, &m);
	CHECK(book_value(k, &name, &old));
	old.number = 7;
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	free(k);
}

/* The same member, written so many seconds ago. */
static enum judge_word made_ago(struct book *k, struct judge_offer *o, uint64_t ago)
{
	struct judge_env env = env_of(k);
	struct reg_value v = *o->new;
	struct reg_name need = { 0 };
	struct member_payload m;
	uint8_t payload[600];
	struct wr w = wr_of(payload, sizeof(payload));

	CHECK(member_payload_read(&m, v.payload, v.payload_len));
	m.not_after -= ago;
	wr_member_payload(&w, &m);
	v.payload = payload;
	v.payload_len = wr_len(&w);
	o->new = &v;
	return judge_value(&env, o, &need);
}

static enum judge_word offer_made(struct book *k, const struct reg_name *name,
				  const struct reg_value *old, const struct reg_value *new,
				  uint64_t ago)
{
	return made_ago(k, &(struct judge_offer){ .name = name, .old = old, .new = new }, ago);
}

static enum judge_word report_made(struct book *k, const struct reg_name *name,
				   const struct reg_value *old, const struct reg_value *new,
				   uint64_t ago)
{
	return made_ago(k, &(struct judge_offer){ .name = name, .old = old, .new = new,
						  .earlier = true }, ago);
}

static void test_judge_renews_a_membership_when_it_is_time_and_no_further(void)
{
	struct book *k = book_new();
	struct member_payload m = { .serial = 1, .not_after = WALL + 86400 }, n;
	struct reg_name name = member_name(&k->a);
	struct change c = { .verb = OP_MEMBER_RENEW, .name = name };
	uint8_t payload[600];
	struct wr w = wr_of(payload, sizeof(payload));
	struct change_result r;
	struct reg_value old, v;

	keep_member(k, &k->a, &m);
	CHECK(book_value(k, &name, &old));
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_TAKE);
	CHECK_EQ_INT(offer_made(k, &name, &old, &r.value, 86400), JUDGE_REFUSE);
	CHECK_EQ_INT(report_made(k, &name, &old, &r.value, 86400), JUDGE_TAKE);
	CHECK_EQ_INT(report_made(k, &name, &old, &r.value, 29 * 86400), JUDGE_TAKE);
	CHECK_EQ_INT(report_made(k, &name, &old, &r.value, 29 * 86400 + 1), JUDGE_REFUSE);
	v = r.value;
	CHECK(member_payload_read(&n, v.payload, v.payload_len));
	n.not_after += 3600;
	wr_member_payload(&w, &n);
	v.payload = payload;
	v.payload_len = wr_len(&w);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &v, NULL), JUDGE_REFUSE);
	m.not_after = WALL + 30 * 86400;
	keep_member(k, &k->a, &m);
	CHECK(book_value(k, &name, &old));
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	free(k);
}

static void test_judge_lists_revoked_members_only(void)
{
	struct book *k = book_new();
	struct member_payload m = { .serial = 1, .not_after = WALL + 86400 };
	struct reg_name name = reg_name_key(REG_REVOCATION, NULL, 0);
	struct change c = { .verb = OP_REVOKE_ADD, .name = name,
			    .revoked = revoked_hash(&k->a.pub) };
	struct change_result r;

	keep_member(k, &k->a, &m);
	make(k, &r, &c, NULL, 0);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, NULL), JUDGE_REFUSE);
	m.revoked = true;
	keep_member(k, &k->a, &m);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, NULL), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &r.value, 0, &r.value, NULL), JUDGE_REFUSE);
	free(k);
}

static void test_judge_revokes_by_an_admin_or_in_the_wake_of_one_alone(void)
{
	struct book *k = book_new();
	struct key_pair token = key_of(9);
	struct reg_name name = member_name(&k->a);
	struct change c = { .verb = OP_MEMBER_REVOKE, .name = name }, d;
	struct member_payload m = { .serial = 1, .not_after = WALL + 86400 };
	struct token_payload p = { .uses = 2 };
	struct change_result r;
	struct reg_value old;
	struct signed_op s, alone, all;
	struct reg_name revoked = token_name(&token);

	sign(k, &alone, (struct reg_op){ .verb = OP_TOKEN_REVOKE, .name = revoked, .payload_len = 1,
					 .payload = (const uint8_t[]){ 0 } }, &k->root, NULL);
	sign(k, &all, (struct reg_op){ .verb = OP_TOKEN_REVOKE, .name = revoked, .payload_len = 1,
				       .payload = (const uint8_t[]){ 1 } }, &k->root, NULL);
	memcpy(m.token, token_name(&token).b, 32);
	keep_member(k, &k->a, &m);
	keep_token(k, &token, &p);
	CHECK(book_value(k, &name, &old));
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	p.revoked = true;
	keep_token(k, &token, &p); /* it fell with a member */
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	prove(k, &revoked, &alone);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	prove(k, &revoked, &all);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_TAKE);
	p.revoked = false;
	keep_token(k, &token, &p);
	sign(k, &s, (struct reg_op){ .verb = OP_MEMBER_REVOKE, .name = name }, &k->root, NULL);
	d = change_of(&s);
	make(k, &r, &d, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, &s), JUDGE_TAKE);
	k->status = REG_REFUSED;
	CHECK(offer(k, &name, &old, 0, &r.value, &s) != JUDGE_TAKE);
	free(k);
}

static const struct test tests[] = {
	TEST(test_judge_counts_a_token_only_for_who_signed),
	TEST(test_judge_lets_in_whom_a_token_counts_with_its_rights_alone),
	TEST(test_judge_gives_no_right_back_by_a_token_used_before),
	TEST(test_judge_renews_a_membership_when_it_is_time_and_no_further),
	TEST(test_judge_lists_revoked_members_only),
	TEST(test_judge_revokes_by_an_admin_or_in_the_wake_of_one_alone),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
