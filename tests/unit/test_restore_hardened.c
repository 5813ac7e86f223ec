/* test_restore_hardened.c - members of a lost era show what they have to keepers that believe nobody.
 *
 * Nodes 0 to 4 were the keepers, four of five decided; all are lost. Node 11 is a new machine that
 * begins the next era, with 5 to 8 again four of five. Node 9 holds an address, 8 may as well. */
#include "tests/unit/restore_kit.h"
#include "tests/unit/succession_kit.h"

#include "dht/keeper_impl.h"

#define OWNER 9
#define FIRST "01234"
#define SECOND ";5678"
#define BAD 10
#define NEW 11

struct lost {
	struct sk *s;
	struct reg_name name[2];
	uint8_t grant[2][GRANT_MAX]; /* of OWNER and of node 8, as era 0 gave them */
	size_t len[2];
};

static struct rw_node *node(struct lost *l, size_t i) { return &l->s->w->node[i]; }

static void hard_change(struct lost *l, size_t at, const char *nodes, uint32_t epoch)
{
	struct keeper_set set = sk_set(l->s, nodes);

	set.quorum = 4;
	CHECK_EQ_INT(regs_change_keepers(node(l, at)->regs, &set, l->s->w->now), 0);
	CHECK(sk_wait(l->s, epoch, nodes, SEC(60)) != USEC_NEVER);
}

static size_t asks(struct rw_node *n, uint8_t verb, const struct reg_name *name, uint8_t *grant)
{
	struct reg_op req = { .name = *name, .verb = verb };
	const struct rw_event *e;
	uint64_t op = 900 + n->event_count + n->w->now;

	CHECK_EQ_INT(regs_submit(n->regs, op, &req, NULL, n->w->now), 0);
	rw_run(n->w, SEC(6));
	e = rw_find(n, REGS_RESULT, op);
	CHECK(e && e->e.status == REG_OK);
	if (!e || e->e.status != REG_OK)
		return 0;
	if (grant)
		memcpy(grant, e->grant, e->e.len);
	return e->e.len;
}

/* The settings want hardened sets before all is lost. */
static void wants_hardened(struct lost *l)
{
	struct settings st;

	settings_copy(&st, regs_settings(node(l, 0)->regs));
	st.number++;
	st.hardened = true;
	CHECK_EQ_INT(regs_change_settings(node(l, 0)->regs, &st, &l->s->w->root, l->s->w->now), 0);
	sk_run(l->s, SEC(3));
}

/* Era 0 with its hardened set. */
static struct lost *first_era(uint64_t seed)
{
	struct lost *l = mem_new(sizeof(*l));

	l->s = sk_new(seed, 11);
	for (size_t i = 0; i < 11; i++)
		node(l, i)->keeps_strays = true;
	wants_hardened(l);
	hard_change(l, 0, FIRST, 2);
	for (size_t i = 0; i < 2; i++)
		l->name[i] = sk_address(i);
	l->len[0] = asks(node(l, OWNER), OP_CLAIM, &l->name[0], l->grant[0]);
	return l;
}

/* All keepers are lost; the next era gets as many. OWNER comes when they are there. */
static void second_era(struct lost *l)
{
	struct backup backup;

	backup_make(&backup, node(l, 0));
	for (size_t i = 0; i < 5; i++)
		dies(node(l, i));
	node(l, OWNER)->cut = true;
	restored(l->s->w, &backup);
	node(l, NEW)->keeps_strays = true;
	for (size_t i = 5; i < 9; i++) {
		node(l, i)->cut = false;
		hears(node(l, i), node(l, NEW));
	}
	sk_run(l->s, SEC(20));
	hard_change(l, NEW, SECOND, 2);
	node(l, OWNER)->cut = false;
	hears(node(l, OWNER), node(l, NEW));
	sk_run(l->s, SEC(20));
	CHECK_EQ_INT(regs_keepers(node(l, OWNER)->regs)->era, 1);
}

static void lost_free(struct lost *l)
{
	sk_free(l->s);
	free(l);
}

/* How many keepers of the new era have it as this node's, of which generation. */
static size_t held(struct lost *l, const struct reg_name *name, size_t who, uint64_t generation)
{
	size_t count = 0;

	for (const char *n = SECOND; *n; n++) {
		struct keeper_role *k = node(l, (size_t)(*n - '0'))->regs->keeper;
		struct reg_value v;

		count += cell_value(keeper_cell(k, name), &v) && v.state != REG_FREE &&
			 key_equal(&v.owner, &node(l, who)->key.pub) &&
			 v.generation == (UINT64_C(1) << 32 | (uint32_t)generation);
	}
	return count;
}

static uint64_t generation_of(struct lost *l, size_t i)
{
	struct grant g;

	CHECK(grant_read(&g, l->grant[i], l->len[i]));
	return g.generation;
}

static void shows(struct lost *l, size_t who, const uint8_t *grant, size_t len)
{
	CHECK(regs_show(node(l, who)->regs, grant, len, l->s->w->now));
	sk_run(l->s, SEC(3));
}

static void test_hardened_keepers_register_again_what_members_show(void)
{
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct lost *l = first_era(seed);
		const uint8_t *member;
		struct grant g;
		size_t n;

		l->len[1] = asks(node(l, 8), OP_CLAIM, &l->name[1], l->grant[1]);
		second_era(l);
		n = regs_membership(node(l, OWNER)->regs, &member);
		CHECK(grant_read(&g, member, n));
		CHECK_EQ_INT(g.ballot.era, 1);
		shows(l, OWNER, l->grant[0], l->len[0]);
		shows(l, 8, l->grant[1], l->len[1]); /* itself a keeper */
		CHECK(held(l, &l->name[0], OWNER, generation_of(l, 0)) >= 4);
		CHECK(held(l, &l->name[1], 8, generation_of(l, 1)) >= 4);
		n = asks(node(l, OWNER), OP_RENEW, &l->name[0], NULL);
		CHECK(n > 0);
		shows(l, OWNER, l->grant[0], l->len[0]); /* again, to no effect */
		CHECK(held(l, &l->name[0], OWNER, generation_of(l, 0)) >= 4);
		lost_free(l);
	}
}

/* The first that is asked takes no notice. */
static void test_hardened_keepers_hear_what_one_of_them_keeps_to_itself(void)
{
	struct lost *l = first_era(5);
	struct regs *liar = NULL;
	const struct pubkey *to;

	second_era(l);
	to = client_keeper(node(l, OWNER)->regs, 0);
	for (size_t i = 5; i <= NEW; i++)
		if (key_equal(&node(l, i)->key.pub, to))
			liar = node(l, i)->regs;
	CHECK(liar);
	limit_init(&liar->sync_limit, 0, 0);
	shows(l, OWNER, l->grant[0], l->len[0]);
	CHECK(held(l, &l->name[0], OWNER, generation_of(l, 0)) >= 4);
	lost_free(l);
}

/* A keeper of the new set says that all of this was shown. */
struct forgery {
	struct regmsg m;
	uint8_t value[REG_VALUE_MAX];
};

static void forgery_make(struct forgery *f, struct lost *l, const struct reg_name *name,
			 const struct reg_value *v)
{
	struct wr w = wr_of(f->value, sizeof(f->value));
	static uint64_t counter = 1000;

	counter++;
	wr_reg_value(&w, v);
	f->m = (struct regmsg){ .type = REGMSG_ACCEPT, .request = counter, .name = *name,
				.ballot = { 1, 2, counter, 1 }, .bytes = f->value,
				.len = wr_len(&w) };
	f->m.beacon = wall_seconds(&l->s->w->wall, l->s->w->now);
	memcpy(f->m.nsid, node(l, 6)->regs->keeper->nsid, NSID_LEN);
}

/* Node 5 offers it to 6, 7, 8: who takes it? */
static size_t takers(struct lost *l, const struct forgery *f)
{
	size_t count = 0;

	for (size_t i = 6; i <= 8; i++) {
		struct keeper_role *k = node(l, i)->regs->keeper;
		struct acceptor_reply reply;
		const struct cell *c;

		k->now = l->s->w->now;
		judge_ask(k, &node(l, 5)->key.pub, &f->m, &reply);
		c = keeper_cell(k, &f->m.name);
		count += c && c->value && c->value_len == f->m.len &&
			 memcmp(c->value, f->m.bytes, f->m.len) == 0;
	}
	return count;
}

static struct reg_value value_of_grant(const uint8_t *grant, size_t len)
{
	struct grant g;

	CHECK(grant_read(&g, grant, len));
	return (struct reg_value){ .state = g.state, .owner = g.owner, .number = g.number,
				   .lease = g.lease, .payload = g.payload,
				   .payload_len = g.payload_len,
				   .generation = UINT64_C(1) << 32 | (uint32_t)g.generation };
}

static void test_hardened_keepers_believe_no_keeper_what_was_never_shown(void)
{
	struct lost *l = first_era(7);
	struct reg_value v = value_of_grant(l->grant[0], l->len[0]);
	uint8_t forged[GRANT_MAX];
	struct forgery f;

	second_era(l);
	forgery_make(&f, l, &l->name[0], &v);
	CHECK_EQ_INT(takers(l, &f), 0); /* without the grant */
	memcpy(forged, l->grant[0], l->len[0]);
	forged[l->len[0] - 1] ^= 1;
	f.m.why = forged;
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 0); /* one signature is not right */
	v.owner = node(l, 5)->key.pub;
	forgery_make(&f, l, &l->name[0], &v);
	f.m.why = l->grant[0];
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 0); /* another owner */
	v = value_of_grant(l->grant[0], l->len[0]);
	forgery_make(&f, l, &l->name[1], &v);
	f.m.why = l->grant[0];
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 0); /* another address */
	forgery_make(&f, l, &l->name[0], &v);
	f.m.why = l->grant[0];
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 3); /* as it was: that is what a grant is for */
	lost_free(l);
}

/* What was given back and then given to another: the later owner stays. */
static void test_hardened_keepers_give_an_older_generation_nothing(void)
{
	struct lost *l = first_era(9);
	uint8_t newer[GRANT_MAX];
	struct reg_value v;
	struct forgery f;
	size_t len;

	asks(node(l, OWNER), OP_RELEASE, &l->name[0], NULL);
	len = asks(node(l, 8), OP_CLAIM, &l->name[0], newer);
	second_era(l);
	shows(l, OWNER, l->grant[0], l->len[0]); /* who gave it back shows it first */
	CHECK(held(l, &l->name[0], OWNER, generation_of(l, 0)) >= 4);
	shows(l, 8, newer, len);
	CHECK(held(l, &l->name[0], 8, generation_of(l, 0) + 1) >= 4);
	shows(l, OWNER, l->grant[0], l->len[0]);
	CHECK(held(l, &l->name[0], 8, generation_of(l, 0) + 1) >= 4);
	v = value_of_grant(l->grant[0], l->len[0]);
	forgery_make(&f, l, &l->name[0], &v);
	f.m.why = l->grant[0];
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 0);
	lost_free(l);
}

static void test_hardened_keepers_unite_the_list_that_is_shown(void)
{
	struct lost *l = first_era(11);
	struct reg_name bad = reg_name_key(REG_MEMBER, node(l, BAD)->key.pub.b, KEY_LEN);
	size_t count = 0;

	for (size_t i = 5; i < 9; i++)
		node(l, i)->cut = true; /* these never hear of it */
	node(l, BAD)->cut = true;
	CHECK_EQ_INT(rw_revoke(l->s->w, &node(l, BAD)->key.pub), REG_OK);
	sk_run(l->s, SEC(5));
	CHECK(regs_is_revoked(node(l, OWNER)->regs, &node(l, BAD)->key.pub));
	second_era(l);
	for (const char *n = SECOND; *n; n++)
		count += keeper_is_listed(node(l, (size_t)(*n - '0'))->regs->keeper, &bad);
	CHECK(count >= 4);
	lost_free(l);
}

static const struct config *knows_none(void *ctx, uint32_t era, uint32_t epoch)
{
	return era ? regs_config_of(ctx, era, epoch) : NULL;
}

static size_t chains_asked;

static void asks_chain(void *ctx, const struct pubkey *from, const uint8_t *grant, size_t len)
{
	(void)ctx, (void)from, (void)grant, (void)len;
	chains_asked++;
}

static void test_hardened_keeper_asks_for_an_era_that_it_does_not_know(void)
{
	struct lost *l = first_era(13);
	struct reg_value v = value_of_grant(l->grant[0], l->len[0]);
	struct forgery f;

	second_era(l);
	node(l, 6)->regs->keeper->env.config_of = knows_none;
	node(l, 6)->regs->keeper->env.ask_chain = asks_chain;
	forgery_make(&f, l, &l->name[0], &v);
	f.m.why = l->grant[0];
	f.m.why_len = l->len[0];
	CHECK_EQ_INT(takers(l, &f), 2);
	CHECK_EQ_INT(chains_asked, 1);
	lost_free(l);
}

static const struct test tests[] = {
	TEST(test_hardened_keepers_register_again_what_members_show),
	TEST(test_hardened_keepers_hear_what_one_of_them_keeps_to_itself),
	TEST(test_hardened_keepers_believe_no_keeper_what_was_never_shown),
	TEST(test_hardened_keepers_give_an_older_generation_nothing),
	TEST(test_hardened_keepers_unite_the_list_that_is_shown),
	TEST(test_hardened_keeper_asks_for_an_era_that_it_does_not_know),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
