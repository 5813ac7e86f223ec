#include "dht/proposer.h"

#include "tests/unit/keeper_ops.h"

/* A proposer alone among three; the test plays the acceptors. */
struct stage {
	struct proposer p;
	struct config cf;
	usec_t now;
	struct regmsg sent[5]; /* the last to each */
	uint8_t value[REG_VALUE_MAX]; /* of the last ACCEPT */
	size_t sends;
	struct outcome outcome;
	struct grant grant;
	uint8_t grant_bytes[GRANT_MAX];
	size_t done;
	void *tag;
	uint64_t counter;
	uint32_t rng;
	struct reg_op op;
	struct change change;
};

static void stage_random(void *ctx, void *out, size_t len)
{
	struct stage *s = ctx;
	uint8_t *b = out;

	for (size_t i = 0; i < len; i++) {
		s->rng = s->rng * 1664525u + 1013904223u;
		b[i] = (uint8_t)(s->rng >> 16);
	}
}

static void stage_send(void *ctx, uint8_t member, const struct regmsg *m, usec_t now)
{
	struct stage *s = ctx;

	(void)now;
	s->sent[member] = *m;
	s->sends++;
	if (m->len) {
		memcpy(s->value, m->bytes, m->len);
		s->sent[member].bytes = s->value;
	}
}

static const struct config *stage_config(void *ctx) { return &((struct stage *)ctx)->cf; }

static uint64_t stage_counter(void *ctx, const struct reg_name *name)
{
	(void)name;
	return ((struct stage *)ctx)->counter;
}

static enum reg_status stage_allowed(void *ctx, const struct change *c, usec_t now)
{
	(void)ctx;
	(void)c;
	(void)now;
	return REG_OK;
}

static enum reg_status stage_room(void *ctx, const struct pubkey *owner, const struct reg_name *n)
{
	(void)ctx;
	(void)owner;
	(void)n;
	return REG_OK;
}

static void stage_world(void *ctx, struct change_world *w, usec_t now)
{
	(void)now;
	*w = (struct change_world){ .ctx = ctx, .room = stage_room, .wall = 1000,
				    .lease_max = 86400 };
}

static void stage_done(void *ctx, void *tag, const struct outcome *o, usec_t now)
{
	struct stage *s = ctx;

	(void)now;
	s->done++;
	s->tag = tag;
	s->outcome = *o;
	if (o->len) {
		memcpy(s->grant_bytes, o->grant, o->len);
		CHECK(grant_read(&s->grant, s->grant_bytes, o->len));
	}
}

static bool good(const uint8_t sig[SIG_LEN], const struct pubkey *k, const char *label,
		 const void *msg, size_t len)
{
	(void)k, (void)label, (void)msg, (void)len;
	return sig[0] != 0xbd;
}

static void stage_begin(struct stage *s)
{
	static const struct crypto trusting = { .verify = good };
	struct proposer_env env = { .ctx = s, .random = stage_random, .send = stage_send,
				    .config = stage_config, .counter = stage_counter,
				    .allowed = stage_allowed, .world = stage_world,
				    .done = stage_done };

	memset(s, 0, sizeof(*s));
	s->now = SEC(100);
	s->cf.epoch = 1;
	s->cf.count = 3;
	s->cf.quorum = 2;
	for (uint32_t i = 0; i < 3; i++)
		s->cf.members[i].node = kit_key(i).pub;
	proposer_init(&s->p, &env, &s->cf.members[0].node);
	s->p.crypto = &trusting;
	s->op = (struct reg_op){ .verb = OP_CLAIM, .number = 1, .name = kit_address("10.1.0.9"),
				 .signer = kit_key(50).pub };
	s->change = (struct change){ .verb = OP_CLAIM, .name = s->op.name, .op = &s->op,
				     .proof = (const uint8_t *)"op", .proof_len = 2 };
}

static void start(struct stage *s)
{
	CHECK_EQ_INT(proposer_start(&s->p, &s->change, s, s->now), 0);
}

/* An answer to the last message to that member. */
static struct regmsg answer(struct stage *s, uint8_t member)
{
	struct regmsg m = s->sent[member];

	m.type = m.type == REGMSG_PREPARE ? REGMSG_PROMISE : REGMSG_ACCEPTED;
	m.bytes = NULL;
	m.len = 0;
	m.age = m.beacon = 0;
	return m;
}

static void say(struct stage *s, uint8_t member)
{
	struct regmsg m = answer(s, member);

	proposer_input(&s->p, member, &m, s->now);
}

/* A promise that reports a value held by key 60, accepted under this counter, of this age. */
static void promise_held(struct stage *s, uint8_t member, uint64_t counter, uint64_t age)
{
	struct reg_value v = { .state = REG_HELD, .generation = counter, .owner = kit_key(60).pub,
			       .number = 1, .lease = 199 };
	struct regmsg m = answer(s, member);
	uint8_t buf[200];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_reg_value(&w, &v);
	m.bytes = buf;
	m.len = wr_len(&w);
	m.accepted = (struct ballot){ 0, 1, counter, 1 };
	m.age = age;
	m.beacon = 500;
	proposer_input(&s->p, member, &m, s->now);
}

static void refuse(struct stage *s, uint8_t member, uint64_t counter)
{
	struct regmsg m = answer(s, member);

	m.status = REG_BUSY;
	m.ballot.counter = counter;
	proposer_input(&s->p, member, &m, s->now);
}

static void test_proposer_quorum_of_promises_and_acceptances_makes_a_grant(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	CHECK_EQ_INT(s.sends, 3);
	say(&s, 0);
	say(&s, 0); /* twice from one is not a quorum */
	CHECK_EQ_INT(s.sent[2].type, REGMSG_PREPARE);
	say(&s, 2);
	CHECK_EQ_INT(s.sent[1].type, REGMSG_ACCEPT);
	CHECK_EQ_INT(s.sent[1].age, 0);
	CHECK_EQ_INT(s.sent[1].beacon, 1000);
	say(&s, 1);
	CHECK_EQ_INT(s.done, 0);
	say(&s, 2);
	CHECK_EQ_INT(s.done, 1);
	CHECK(s.tag == &s);
	CHECK_EQ_INT(s.outcome.status, REG_OK);
	CHECK_EQ_INT(s.grant.generation, 1);
	CHECK_EQ_INT(s.grant.beacon, 1000);
	say(&s, 0); /* late */
	CHECK_EQ_INT(s.done, 1);
	CHECK(proposer_deadline(&s.p) == USEC_NEVER);
	proposer_fini(&s.p);
}

static void test_proposer_takes_the_highest_ballot_and_its_smallest_age(void)
{
	static const struct {
		uint64_t counter, age;
	} orders[][3] = { { { 8, 1000 }, { 9, 261 }, { 9, 260 } },
			  { { 9, 260 }, { 9, 261 }, { 8, 1 } },
			  { { 9, 261 }, { 8, 1 }, { 9, 260 } } };

	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		struct stage s;

		stage_begin(&s);
		s.cf.count = 5;
		s.cf.quorum = 3;
		start(&s);
		for (uint8_t j = 0; j < 3; j++)
			promise_held(&s, j, orders[i][j].counter, orders[i][j].age);
		CHECK_EQ_INT(s.sent[0].type, REGMSG_ACCEPT);
		CHECK_EQ_INT(s.sent[0].age, 260); /* one second too young */
		CHECK_EQ_INT(s.sent[0].beacon, 500);
		for (uint8_t j = 0; j < 3; j++)
			say(&s, j);
		CHECK_EQ_INT(s.outcome.status, REG_OWNED);
		CHECK(key_equal(&s.outcome.holder, kit_pub(60)));
		CHECK_EQ_INT(s.grant.generation, 9);
		proposer_fini(&s.p);
	}
}

static void test_proposer_refuses_at_once_what_a_quorum_has_seen_alike(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	promise_held(&s, 0, 9, 10);
	promise_held(&s, 1, 9, 10);
	CHECK_EQ_INT(s.done, 1);
	CHECK_EQ_INT(s.outcome.status, REG_OWNED);
	CHECK_EQ_INT(s.sends, 3);
	proposer_fini(&s.p);
}

static void test_proposer_finishes_a_half_written_value_before_it_refuses(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	promise_held(&s, 0, 9, 10);
	say(&s, 1); /* knows nothing of it */
	CHECK_EQ_INT(s.done, 0);
	CHECK_EQ_INT(s.sent[1].type, REGMSG_ACCEPT);
	CHECK_EQ_INT(s.sent[1].age, 10);
	say(&s, 0);
	say(&s, 1);
	CHECK_EQ_INT(s.outcome.status, REG_OWNED);
	proposer_fini(&s.p);
}

static void test_proposer_repeats_what_is_not_answered_to_those_who_did_not(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	say(&s, 0);
	s.sends = 0;
	s.now += PROPOSAL_RESEND;
	CHECK(proposer_deadline(&s.p) == s.now);
	proposer_tick(&s.p, s.now);
	CHECK_EQ_INT(s.sends, 2);
	proposer_fini(&s.p);
}

static void test_proposer_jumps_past_the_ballot_in_its_way_after_a_pause(void)
{
	struct stage s;
	usec_t then;

	stage_begin(&s);
	start(&s);
	refuse(&s, 1, 40);
	CHECK_EQ_INT(s.sent[0].ballot.counter, 1); /* two others may still agree */
	refuse(&s, 2, 70);
	then = proposer_deadline(&s.p);
	CHECK(then >= s.now && then <= s.now + PACE_MIN);
	s.now = then;
	proposer_tick(&s.p, s.now);
	CHECK_EQ_INT(s.sent[0].ballot.counter, 71);
	refuse(&s, 1, 70); /* of the round before */
	refuse(&s, 2, 70);
	say(&s, 0);
	say(&s, 1);
	CHECK_EQ_INT(s.sent[0].type, REGMSG_ACCEPT);
	proposer_fini(&s.p);
}

/* One of three is gone, another has a floor: no quorum, were it not for a higher ballot. */
static void test_proposer_jumps_past_one_that_is_far_beyond_while_another_is_silent(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	say(&s, 0);
	refuse(&s, 1, 500);
	CHECK_EQ_INT(s.sent[0].ballot.counter, 1);
	s.now += PROPOSAL_RESEND; /* the third has had its time */
	proposer_tick(&s.p, s.now);
	s.now = proposer_deadline(&s.p);
	CHECK(s.now <= SEC(100) + 2 * PROPOSAL_RESEND);
	proposer_tick(&s.p, s.now);
	CHECK_EQ_INT(s.sent[0].ballot.counter, 501);
	say(&s, 0);
	say(&s, 1);
	CHECK_EQ_INT(s.sent[0].type, REGMSG_ACCEPT);
	proposer_fini(&s.p);
}

static void test_proposer_waits_for_silent_ones_when_the_other_may_lie(void)
{
	struct stage s;

	stage_begin(&s);
	s.cf.count = 5;
	s.cf.quorum = 4;
	start(&s);
	refuse(&s, 1, 500);
	for (int i = 0; i < 10; i++) {
		s.now = proposer_deadline(&s.p);
		proposer_tick(&s.p, s.now);
	}
	CHECK_EQ_INT(s.sent[0].ballot.counter, 1);
	proposer_fini(&s.p);
}

/* The longest of its first pauses with many seeds, refused so long after it began. */
static usec_t longest_pause(usec_t refused_after, usec_t round)
{
	usec_t longest = 0;

	for (uint32_t seed = 0; seed < 50; seed++) {
		struct stage s;
		usec_t pause;

		stage_begin(&s);
		s.rng = seed * 2654435761u;
		start(&s);
		for (uint8_t i = 0; round && i < 2; i++) { /* one that succeeds */
			say(&s, 0);
			s.now += round / 2;
			say(&s, 1);
		}
		if (round)
			start(&s);
		s.now += refused_after;
		refuse(&s, 1, 40);
		refuse(&s, 2, 40);
		pause = proposer_deadline(&s.p) - s.now;
		longest = pause > longest ? pause : longest;
		proposer_fini(&s.p);
	}
	return longest;
}

static void test_proposer_pauses_by_what_rounds_take(void)
{
	CHECK(longest_pause(0, 0) > PACE_MIN / 2);
	CHECK(longest_pause(0, 0) <= PACE_MIN);
	CHECK(longest_pause(MSEC(250), 0) > MSEC(200)); /* this one has taken long already */
	CHECK(longest_pause(MSEC(250), 0) <= MSEC(250));
	CHECK(longest_pause(0, MSEC(600)) > MSEC(500)); /* those before did */
	CHECK(longest_pause(0, MSEC(600)) <= MSEC(600));
	CHECK(longest_pause(0, SEC(4)) <= PACE_MAX);
}

static void test_proposer_gives_up_as_busy_after_its_tries(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	for (uint64_t i = 1; i <= PROPOSAL_TRIES_MAX; i++) {
		CHECK_EQ_INT(s.done, 0);
		refuse(&s, 1, i * 100);
		refuse(&s, 2, i * 100);
		s.now = usec_min(proposer_deadline(&s.p), s.now + SEC(1));
		proposer_tick(&s.p, s.now);
	}
	CHECK_EQ_INT(s.done, 1);
	CHECK_EQ_INT(s.outcome.status, REG_BUSY);
	CHECK(s.now < SEC(105));
	proposer_fini(&s.p);
}

static void test_proposer_without_a_quorum_says_so_after_five_seconds(void)
{
	struct stage s;

	stage_begin(&s);
	start(&s);
	say(&s, 0);
	while (!s.done && s.now < SEC(200)) {
		s.now = proposer_deadline(&s.p);
		proposer_tick(&s.p, s.now);
	}
	CHECK_EQ_INT(s.outcome.status, REG_NO_QUORUM);
	CHECK_EQ_INT(s.now, SEC(105));
	proposer_fini(&s.p);
}

static void test_proposer_of_another_epoch_is_told(void)
{
	struct stage s;
	struct regmsg m;

	stage_begin(&s);
	start(&s);
	for (uint8_t i = 1; i < 3; i++) {
		m = answer(&s, i);
		m.status = REG_OTHER_EPOCH;
		m.ballot = (struct ballot){ 0, 2, 0, 0 };
		proposer_input(&s.p, i, &m, s.now);
	}
	CHECK_EQ_INT(s.outcome.status, REG_OTHER_EPOCH);
	proposer_fini(&s.p);
}

static void test_proposer_runs_one_proposal_per_register_and_bounds_the_queue(void)
{
	struct stage s;
	struct change other;

	stage_begin(&s);
	for (int i = 0; i < PROPOSALS_PER_REGISTER_MAX; i++)
		start(&s);
	CHECK_EQ_INT(s.sends, 3);
	CHECK_EQ_INT(proposer_start(&s.p, &s.change, NULL, s.now), -EBUSY);
	other = s.change;
	other.name = kit_address("10.1.0.10");
	CHECK_EQ_INT(proposer_start(&s.p, &other, NULL, s.now), 0);
	CHECK_EQ_INT(s.sends, 6);
	s.now += PROPOSAL_TIMEOUT;
	proposer_tick(&s.p, s.now);
	CHECK_EQ_INT(s.done, PROPOSALS_PER_REGISTER_MAX + 1);
	CHECK_EQ_INT(proposer_start(&s.p, &s.change, NULL, s.now), 0);
	proposer_fini(&s.p);
}

static void test_proposer_ignores_promises_with_values_it_cannot_read(void)
{
	struct stage s;
	struct regmsg m;

	stage_begin(&s);
	start(&s);
	m = answer(&s, 1);
	m.bytes = (const uint8_t *)"nonsense";
	m.len = 8;
	m.accepted = (struct ballot){ 0, 1, 9, 1 };
	proposer_input(&s.p, 1, &m, s.now);
	say(&s, 0);
	CHECK_EQ_INT(s.sent[0].type, REGMSG_PREPARE);
	say(&s, 2);
	CHECK_EQ_INT(s.sent[0].type, REGMSG_ACCEPT);
	proposer_fini(&s.p);
}

static const struct test tests[] = {
	TEST(test_proposer_quorum_of_promises_and_acceptances_makes_a_grant),
	TEST(test_proposer_takes_the_highest_ballot_and_its_smallest_age),
	TEST(test_proposer_refuses_at_once_what_a_quorum_has_seen_alike),
	TEST(test_proposer_finishes_a_half_written_value_before_it_refuses),
	TEST(test_proposer_repeats_what_is_not_answered_to_those_who_did_not),
	TEST(test_proposer_jumps_past_the_ballot_in_its_way_after_a_pause),
	TEST(test_proposer_jumps_past_one_that_is_far_beyond_while_another_is_silent),
	TEST(test_proposer_waits_for_silent_ones_when_the_other_may_lie),
	TEST(test_proposer_pauses_by_what_rounds_take),
	TEST(test_proposer_gives_up_as_busy_after_its_tries),
	TEST(test_proposer_without_a_quorum_says_so_after_five_seconds),
	TEST(test_proposer_of_another_epoch_is_told),
	TEST(test_proposer_runs_one_proposal_per_register_and_bounds_the_queue),
	TEST(test_proposer_ignores_promises_with_values_it_cannot_read),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
