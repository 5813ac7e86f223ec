/* test_judge_value.c - what an acceptor of a hardened set takes, by what it knows itself. */
#include <stdlib.h>

#include "dht/judge.h"
#include "dht/token.h"
#include "tests/check.h"

#define WALL 1800000000
#define REGISTERS 8

struct book { /* what this acceptor knows */
	struct {
		struct reg_name name;
		struct reg_value v;
		uint8_t payload[600];
	} of[REGISTERS];
	size_t count;
	struct key_pair root, a, b;
	uint64_t number;
	uint32_t era;
	enum judge_word shown; /* what is thought of a shown grant */
	enum reg_status status; /* of every operation */
};

static bool book_value(void *ctx, const struct reg_name *name, struct reg_value *v)
{
	struct book *k = ctx;

	for (size_t i = 0; i < k->count; i++)
		if (reg_name_equal(&k->of[i].name, name)) {
			*v = k->of[i].v;
			return true;
		}
	return false;
}

static bool book_member(void *ctx, size_t *at, struct pubkey *key, struct member_payload *m)
{
	struct book *k = ctx;

	while (*at < k->count) {
		size_t i = (*at)++;

		if (k->of[i].name.kind != REG_MEMBER)
			continue;
		memcpy(key->b, k->of[i].name.b, KEY_LEN);
		return member_payload_read(m, k->of[i].v.payload, k->of[i].v.payload_len);
	}
	return false;
}

static enum reg_status book_allowed(void *ctx, const struct change *c)
{
	struct book *k = ctx;

	(void)c;
	return k->status;
}

static enum reg_status book_room(void *ctx, const struct pubkey *owner, const struct reg_name *name)
{
	(void)ctx, (void)owner, (void)name;
	return REG_OK;
}

static void book_prune(void *ctx, struct revocation_payload *list) { (void)ctx, (void)list; }

static void book_world(void *ctx, struct change_world *w)
{
	struct book *k = ctx;

	*w = (struct change_world){ .ctx = k, .room = book_room, .prune = book_prune,
				    .root = k->root.pub, .wall = WALL, .lease_max = 86400,
				    .era = k->era };
}

static enum judge_word book_shown(void *ctx, struct grant *g, const uint8_t *b, size_t len)
{
	return (void)g, (void)b, (void)len, ((struct book *)ctx)->shown;
}

static struct key_pair key_of(uint8_t n)
{
	uint8_t seed[SEED_LEN] = { 7, n };
	struct key_pair k;

	while (!key_from_seed(&k, seed))
		seed[31]++;
	return k;
}

static struct book *book_new(void)
{
	struct book *k = calloc(1, sizeof(*k));

	k->root = key_of(1);
	k->a = key_of(2);
	k->b = key_of(3);
	k->status = REG_OK;
	k->shown = JUDGE_TAKE;
	return k;
}

static struct judge_env env_of(struct book *k)
{
	struct judge_env e = { .ctx = k, .crypto = &crypto_real, .allowed = book_allowed,
			       .world = book_world, .value = book_value, .member = book_member,
			       .shown = book_shown };

	nsid_of(e.nsid, &k->root.pub);
	return e;
}

struct signed_op {
	struct reg_op op;
	uint8_t bytes[REG_OP_MAX];
	size_t len;
};

static void sign(struct book *k, struct signed_op *s, struct reg_op op, const struct key_pair *signer,
		 const struct key_pair *second)
{
	nsid_of(op.nsid, &k->root.pub);
	op.number = op.number ? op.number : ++k->number;
	s->len = reg_op_write(s->bytes, sizeof(s->bytes), &op, &crypto_real, signer, second);
	CHECK(s->len > 0 && reg_op_read(&s->op, s->bytes, s->len));
}

/* What an honest proposer that knows `old` makes of it. */
static void make(struct book *k, struct change_result *r, const struct change *c,
		 const struct reg_value *old, uint64_t age)
{
	struct change_world w;

	book_world(k, &w);
	change_apply(r, c, &w, old, age);
	CHECK_EQ_INT(r->status, REG_OK);
}

static struct change change_of(const struct signed_op *s)
{
	return (struct change){ .verb = s->op.verb, .name = s->op.name, .op = &s->op,
				.proof = s->bytes, .proof_len = s->len };
}

static enum judge_word offer(struct book *k, const struct reg_name *name, const struct reg_value *old,
			     uint64_t age, const struct reg_value *new, const struct signed_op *why)
{
	struct judge_env env = env_of(k);
	struct reg_name need = { 0 };
	struct judge_offer o = { .name = name, .old = old, .age = age, .new = new, .beacon = WALL,
				 .why = why ? why->bytes : NULL, .why_len = why ? why->len : 0 };

	return judge_value(&env, &o, &need);
}

static struct reg_name address(void)
{
	struct ip ip = ip_v4(0x0a010009);

	return reg_name_address(&ip);
}

static void test_judge_takes_a_claim_of_what_is_free_and_nothing_else_made_of_it(void)
{
	struct book *k = book_new();
	struct reg_name name = address();
	struct change_result r;
	struct signed_op s;
	struct change c;
	struct reg_value v;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->a, NULL);
	c = change_of(&s);
	make(k, &r, &c, NULL, 0);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, &s), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, NULL), JUDGE_REFUSE);
	v = r.value;
	v.generation += 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.owner = k->b.pub;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.lease += 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v.lease = 3600;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	v = r.value;
	v.state = REG_RELEASED;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &s), JUDGE_REFUSE);
	s.bytes[s.len - 70] ^= 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &r.value, &s), JUDGE_REFUSE);
	free(k);
}

static void test_judge_gives_nobody_what_is_leased_by_its_own_clock(void)
{
	struct book *k = book_new();
	struct reg_name name = address();
	struct change_result held, r;
	struct signed_op s, t;
	struct change c, d;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name, .lease = 1990 }, &k->a, NULL);
	c = change_of(&s);
	make(k, &held, &c, NULL, 0);
	sign(k, &t, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->b, NULL);
	d = change_of(&t);
	make(k, &r, &d, &held.value, 2070);
	CHECK_EQ_INT(offer(k, &name, &held.value, 2070, &r.value, &t), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &held.value, 2069, &r.value, &t), JUDGE_REFUSE);
	CHECK_EQ_INT(offer(k, &name, &held.value, 0, &r.value, &t), JUDGE_REFUSE);
	free(k);
}

static void test_judge_refuses_what_the_rules_refuse_and_fetches_whom_it_does_not_know(void)
{
	struct book *k = book_new();
	struct reg_name name = address(), need = { 0 };
	struct judge_env env = env_of(k);
	struct change_result r;
	struct signed_op s;
	struct change c;
	struct judge_offer o;

	sign(k, &s, (struct reg_op){ .verb = OP_CLAIM, .name = name }, &k->a, NULL);
	c = change_of(&s);
	make(k, &r, &c, NULL, 0);
	k->status = REG_REFUSED;
	o = (struct judge_offer){ .name = &name, .new = &r.value, .beacon = WALL, .why = s.bytes,
				  .why_len = s.len };
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_FETCH);
	CHECK(need.kind == REG_MEMBER && memcmp(need.b, k->a.pub.b, KEY_LEN) == 0);
	k->of[0].name = need;
	k->of[0].v = (struct reg_value){ .state = REG_GOVERNED, .generation = 1 };
	k->count = 1;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_REFUSE);
	k->status = REG_OK;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_TAKE);
	o.beacon = WALL + JUDGE_CLOCKS_APART_HARDENED + 1;
	CHECK_EQ_INT(judge_value(&env, &o, &need), JUDGE_REFUSE);
	free(k);
}

static void keep(struct book *k, const struct reg_name *name, const struct reg_value *v)
{
	size_t i = 0;

	while (i < k->count && !reg_name_equal(&k->of[i].name, name))
		i++;
	if (i == k->count)
		k->count++;
	k->of[i].name = *name;
	k->of[i].v = *v;
	CHECK(v->payload_len <= sizeof(k->of[i].payload));
	memmove(k->of[i].payload, v->payload, v->payload_len);
	k->of[i].v.payload = k->of[i].payload;
	k->of[i].v.proof_len = 0;
}

static struct reg_name member_name(const struct key_pair *k)
{
	return reg_name_key(REG_MEMBER, k->pub.b, KEY_LEN);
}

static struct reg_name token_name(const struct key_pair *token)
{
	uint8_t id[32];

	token_id(id, &token->pub);
	return reg_name_key(REG_TOKEN, id, sizeof(id));
}

static void keep_token(struct book *k, const struct key_pair *token, struct token_payload *p)
{
	uint8_t payload[600];
	struct reg_name name = token_name(token);
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_value v = { .state = REG_GOVERNED, .generation = 1, .owner = k->root.pub,
			       .payload = payload };

	p->uses = p->uses ? p->uses : 2;
	p->expires = WALL + 3600;
	wr_token_payload(&w, p);
	v.payload_len = wr_len(&w);
	keep(k, &name, &v);
}

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
	struct signed_op s;

	memcpy(m.token, token_name(&token).b, 32);
	keep_member(k, &k->a, &m);
	keep_token(k, &token, &p);
	CHECK(book_value(k, &name, &old));
	make(k, &r, &c, &old, 0);
	CHECK_EQ_INT(offer(k, &name, &old, 0, &r.value, NULL), JUDGE_REFUSE);
	p.revoked = true;
	keep_token(k, &token, &p);
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

/* As the keepers of era 0 granted it to a, and what stands for that in era 1. */
static struct reg_value shown_make(struct book *k, const struct reg_name *name, uint64_t generation,
				   struct signed_op *why)
{
	struct reg_value v = { .state = REG_HELD, .generation = generation, .owner = k->a.pub,
			       .number = 7, .lease = 3600 };
	uint8_t nsid[NSID_LEN], sigs[KEEPERS_MAX][SIG_LEN] = { { 0 } };
	struct grant g;

	nsid_of(nsid, &k->root.pub);
	g = grant_of(nsid, name, &v);
	g.ballot = (struct ballot){ 0, 3, 9, 1 };
	g.beacon = WALL - 100;
	why->len = grant_write(why->bytes, sizeof(why->bytes), &g, 15, (const uint8_t(*)[SIG_LEN])sigs);
	CHECK(why->len > 0);
	v.generation |= UINT64_C(1) << 32;
	return v;
}

static void test_judge_takes_what_an_earlier_era_granted_and_nothing_else_made_of_it(void)
{
	struct book *k = book_new();
	struct reg_name name = address(), other = name;
	struct signed_op why, newer;
	struct reg_value v = shown_make(k, &name, 5, &why), next = shown_make(k, &name, 6, &newer), bad;

	k->era = 1;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, NULL), JUDGE_REFUSE);
	other.b[3]++; /* another address */
	CHECK_EQ_INT(offer(k, &other, NULL, 0, &v, &why), JUDGE_REFUSE);
	for (int i = 0; i < 4; i++) {
		bad = v;
		bad.owner = i == 0 ? k->b.pub : v.owner;
		bad.generation += i == 1;
		bad.lease += i == 2;
		bad.number -= i == 3;
		CHECK_EQ_INT(offer(k, &name, NULL, 0, &bad, &why), JUDGE_REFUSE);
	}
	k->shown = JUDGE_REFUSE;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_REFUSE);
	k->shown = JUDGE_FETCH;
	CHECK_EQ_INT(offer(k, &name, NULL, 0, &v, &why), JUDGE_FETCH);
	k->shown = JUDGE_TAKE;
	CHECK_EQ_INT(offer(k, &name, &v, 0, &next, &newer), JUDGE_TAKE);
	CHECK_EQ_INT(offer(k, &name, &next, 0, &v, &why), JUDGE_REFUSE);
	CHECK_EQ_INT(offer(k, &name, &v, 0, &v, &why), JUDGE_REFUSE);
	free(k);
}

static const struct test tests[] = {
	TEST(test_judge_takes_a_claim_of_what_is_free_and_nothing_else_made_of_it),
	TEST(test_judge_gives_nobody_what_is_leased_by_its_own_clock),
	TEST(test_judge_refuses_what_the_rules_refuse_and_fetches_whom_it_does_not_know),
	TEST(test_judge_counts_a_token_only_for_who_signed),
	TEST(test_judge_lets_in_whom_a_token_counts_with_its_rights_alone),
	TEST(test_judge_renews_a_membership_when_it_is_time_and_no_further),
	TEST(test_judge_lists_revoked_members_only),
	TEST(test_judge_takes_what_an_earlier_era_granted_and_nothing_else_made_of_it),
	TEST(test_judge_revokes_by_an_admin_or_in_the_wake_of_one_alone),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
