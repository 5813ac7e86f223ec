#include "dht/acceptor.h"

#include "tests/unit/keeper_ops.h"

struct bench {
	struct acceptor a;
	uint64_t op; /* of the last write */
	uint8_t key[80], record[6000];
	size_t key_len, record_len, writes, valued;
	uint8_t value[200];
	size_t value_len;
	struct pubkey from;
	struct acceptor_reply reply;
};

static void bench_random(void *ctx, void *out, size_t len)
{
	(void)ctx;
	memset(out, 5, len);
}

static void bench_persist(void *ctx, uint64_t op, const uint8_t *key, size_t key_len,
			  const uint8_t *value, size_t len)
{
	struct bench *b = ctx;

	b->op = op;
	b->writes++;
	memcpy(b->key, key, b->key_len = key_len);
	memcpy(b->record, value, b->record_len = len);
}

static void bench_valued(void *ctx, struct cell *c, const struct reg_value *old,
			 const struct reg_value *new)
{
	struct bench *b = ctx;

	(void)c;
	CHECK(new->state == REG_HELD && (!old || old->state == REG_HELD));
	b->valued++;
}

static bool bench_follows(void *ctx, const uint8_t *body, size_t len)
{
	(void)ctx;
	return len == 4 && memcmp(body, "next", 4) == 0;
}

static void bench_begin(struct bench *b)
{
	struct acceptor_env env = { b, bench_random, bench_persist, bench_valued, bench_follows,
				    NULL };
	struct reg_value v = { .state = REG_HELD, .generation = 1, .lease = 60 };
	struct wr w;

	memset(b, 0, sizeof(*b));
	acceptor_init(&b->a, &env, 1);
	b->a.crypto = &crypto_real;
	b->a.epoch = 1;
	b->a.epoch_key = kit_key(100);
	b->from = kit_key(1).pub;
	w = wr_of(b->value, sizeof(b->value));
	wr_reg_value(&w, &v);
	b->value_len = wr_len(&w);
}

static struct regmsg message(struct bench *b, uint8_t type, uint64_t counter, uint64_t request)
{
	struct regmsg m = { .type = type, .request = request, .name = kit_address("10.1.0.9"),
			    .ballot = { 0, 1, counter, 0 }, .beacon = 77 };

	m.bytes = b->value;
	m.len = b->value_len;
	return m;
}

/* True: an answer came at once. */
static bool prepare(struct bench *b, uint64_t counter, uint64_t request)
{
	struct regmsg m = message(b, REGMSG_PREPARE, counter, request);

	return acceptor_prepare(&b->a, &b->from, &m, &b->reply, SEC(100));
}

static bool accept(struct bench *b, uint64_t counter, usec_t now)
{
	struct regmsg m = message(b, REGMSG_ACCEPT, counter, 1);

	return acceptor_accept(&b->a, &b->from, &m, &b->reply, now);
}

static enum reg_status persisted(struct bench *b, usec_t now)
{
	CHECK(acceptor_persisted(&b->a, b->op, 0, &b->reply, now));
	return (enum reg_status)b->reply.msg.status;
}

static void test_acceptor_answers_only_when_its_promise_is_durable(void)
{
	struct bench b;

	bench_begin(&b);
	CHECK(!prepare(&b, 5, 1));
	CHECK_EQ_INT(b.writes, 1);
	CHECK_EQ_INT(persisted(&b, SEC(100)), REG_OK);
	CHECK_EQ_INT(b.reply.msg.type, REGMSG_PROMISE);
	CHECK_EQ_INT(b.reply.msg.request, 1);
	CHECK_EQ_INT(b.reply.msg.ballot.counter, 5);
	CHECK_EQ_INT(b.reply.msg.len, 0);
	CHECK(key_equal(&b.reply.to, &b.from));
	CHECK(!acceptor_persisted(&b.a, b.op, 0, &b.reply, SEC(100))); /* once */
	acceptor_fini(&b.a);
}

static void test_acceptor_refuses_lower_ballots_and_says_what_it_promised(void)
{
	struct bench b;

	bench_begin(&b);
	prepare(&b, 5, 1);
	CHECK(prepare(&b, 4, 2));
	CHECK_EQ_INT(b.reply.msg.status, REG_BUSY);
	CHECK_EQ_INT(b.reply.msg.ballot.counter, 5);
	CHECK(accept(&b, 4, SEC(100)));
	CHECK_EQ_INT(b.reply.msg.status, REG_BUSY);
	CHECK_EQ_INT(b.writes, 1);
	CHECK(!accept(&b, 5, SEC(100)));
	CHECK(prepare(&b, 4, 2));
	acceptor_fini(&b.a);
}

static void test_acceptor_promises_an_equal_ballot_to_the_same_request_only(void)
{
	struct bench b;

	bench_begin(&b);
	CHECK(!prepare(&b, 5, 1));
	CHECK(!prepare(&b, 5, 1));
	CHECK_EQ_INT(b.writes, 2);
	CHECK(prepare(&b, 5, 2));
	CHECK_EQ_INT(b.reply.msg.status, REG_BUSY);
	acceptor_fini(&b.a);
}

static void test_acceptor_refuses_other_epochs(void)
{
	static const struct ballot others[] = { { 1, 1, 9, 0 }, { 0, 9, 9, 0 }, { 1, 2, 0, 0 },
						{ 1, 2, 9, KEEPERS_MAX } };
	struct bench b;

	bench_begin(&b);
	b.a.era = 1;
	b.a.epoch = 2;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct regmsg m = message(&b, REGMSG_PREPARE, 9, 1);

		m.ballot = others[i];
		CHECK(acceptor_prepare(&b.a, &b.from, &m, &b.reply, SEC(100)));
		CHECK_EQ_INT(b.reply.msg.status, REG_OTHER_EPOCH);
		CHECK(acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
		CHECK_EQ_INT(b.reply.msg.status, REG_OTHER_EPOCH);
	}
	CHECK_EQ_INT(b.writes, 0);
	acceptor_fini(&b.a);
}

static void test_acceptor_says_nothing_in_an_epoch_to_come(void)
{
	static const struct ballot others[] = { { 0, 2, 9, 0 }, { 1, 1, 9, 0 } };
	struct bench b;

	bench_begin(&b);
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct regmsg m = message(&b, REGMSG_PREPARE, 9, 1);

		m.ballot = others[i];
		CHECK(!acceptor_prepare(&b.a, &b.from, &m, &b.reply, SEC(100)));
		CHECK(!acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
	}
	CHECK_EQ_INT(b.writes, 0);
	acceptor_fini(&b.a);
}

static void test_acceptor_reports_what_it_accepted_with_its_age(void)
{
	struct bench b;

	bench_begin(&b);
	CHECK(!accept(&b, 5, SEC(100)));
	CHECK_EQ_INT(persisted(&b, SEC(100)), REG_OK);
	CHECK(!prepare(&b, 6, 2));
	CHECK_EQ_INT(persisted(&b, SEC(130) - 1), REG_OK);
	CHECK_EQ_INT(b.reply.msg.age, 29);
	CHECK_EQ_INT(b.reply.msg.beacon, 77);
	CHECK_EQ_INT(b.reply.msg.accepted.counter, 5);
	CHECK_EQ_INT(b.reply.msg.len, b.value_len);
	CHECK_MEM(b.reply.msg.bytes, b.value, b.value_len);
	acceptor_fini(&b.a);
}

static void test_acceptor_copy_keeps_the_age_it_came_with(void)
{
	struct bench b;
	struct regmsg m;

	bench_begin(&b);
	m = message(&b, REGMSG_ACCEPT, 5, 1);
	m.age = 40;
	CHECK(!acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
	prepare(&b, 6, 2);
	CHECK_EQ_INT(persisted(&b, SEC(101)), REG_OK);
	CHECK_EQ_INT(b.reply.msg.age, 41);
	m.ballot.counter = 7;
	m.age = UINT64_MAX;
	CHECK(!acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
	prepare(&b, 8, 2);
	CHECK_EQ_INT(persisted(&b, SEC(101)), REG_OK);
	CHECK_EQ_INT(b.reply.msg.age, 41); /* our own count goes on */
	m.ballot.counter = 9;
	m.beacon++;
	CHECK(!acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
	prepare(&b, 10, 2);
	CHECK_EQ_INT(persisted(&b, SEC(101)), REG_OK);
	CHECK_EQ_INT(b.reply.msg.age, 101);
	acceptor_fini(&b.a);
}

static void test_acceptor_signature_is_good_for_the_grant(void)
{
	struct bench b;
	struct reg_value v;
	struct grant g;
	uint8_t body[GRANT_MAX];
	struct wr w = wr_of(body, sizeof(body));

	bench_begin(&b);
	accept(&b, 5, SEC(100));
	CHECK_EQ_INT(persisted(&b, SEC(100)), REG_OK);
	CHECK_EQ_INT(b.reply.msg.type, REGMSG_ACCEPTED);
	CHECK(cell_value(acceptor_cell(&b.a, &(struct reg_name){ 1, 4, { 10, 1, 0, 9 } }), &v));
	g = grant_of(b.a.nsid, &(struct reg_name){ 1, 4, { 10, 1, 0, 9 } }, &v);
	g.ballot = (struct ballot){ 0, 1, 5, 0 };
	g.beacon = 77;
	wr_grant_body(&w, &g);
	CHECK(crypto_real.verify(b.reply.msg.sig, &b.a.epoch_key.pub, GRANT_LABEL, body,
				 wr_len(&w)));
	acceptor_fini(&b.a);
}

static void test_acceptor_overtaken_while_writing_refuses(void)
{
	struct bench b;
	uint64_t first, second;

	bench_begin(&b);
	prepare(&b, 5, 1);
	first = b.op;
	prepare(&b, 6, 2);
	second = b.op;
	CHECK(acceptor_persisted(&b.a, first, 0, &b.reply, SEC(100)));
	CHECK_EQ_INT(b.reply.msg.status, REG_BUSY);
	CHECK_EQ_INT(b.reply.msg.ballot.counter, 6);
	CHECK(acceptor_persisted(&b.a, second, 0, &b.reply, SEC(100)));
	CHECK_EQ_INT(b.reply.msg.status, REG_OK);
	acceptor_fini(&b.a);
}

static void test_acceptor_whose_write_fails_says_nothing(void)
{
	struct bench b;

	bench_begin(&b);
	prepare(&b, 5, 1);
	CHECK(!acceptor_persisted(&b.a, b.op, -EIO, &b.reply, SEC(100)));
	CHECK(!acceptor_persisted(&b.a, 12345, 0, &b.reply, SEC(100)));
	acceptor_fini(&b.a);
}

static void test_acceptor_refuses_values_that_are_not_well_formed(void)
{
	struct bench b;

	bench_begin(&b);
	for (size_t n = 0; n < 40; n++) {
		struct regmsg m = message(&b, REGMSG_ACCEPT, 5, 1);

		m.len = n;
		CHECK(!acceptor_accept(&b.a, &b.from, &m, &b.reply, SEC(100)));
	}
	CHECK_EQ_INT(b.writes, 0);
	CHECK_EQ_INT(b.valued, 0);
	acceptor_fini(&b.a);
}

static void test_acceptor_remembers_over_a_restart(void)
{
	struct bench b, c;

	bench_begin(&b);
	bench_begin(&c);
	accept(&b, 5, SEC(100));
	prepare(&b, 9, 2);
	CHECK(acceptor_restore(&c.a, b.key + 1, b.key_len - 1, b.record, b.record_len));
	CHECK_EQ_INT(c.valued, 1);
	acceptor_started(&c.a, SEC(500));
	CHECK(prepare(&c, 9, 2)); /* it does not know to whom it promised 9 */
	CHECK(!prepare(&c, 10, 3));
	CHECK_EQ_INT(persisted(&c, SEC(510)), REG_OK);
	CHECK_EQ_INT(c.reply.msg.age, 10);
	CHECK_EQ_INT(c.reply.msg.accepted.counter, 5);
	CHECK_EQ_INT(c.reply.msg.beacon, 77);
	CHECK_MEM(c.reply.msg.bytes, b.value, b.value_len);
	acceptor_fini(&b.a);
	acceptor_fini(&c.a);
}

static const struct test tests[] = {
	TEST(test_acceptor_answers_only_when_its_promise_is_durable),
	TEST(test_acceptor_refuses_lower_ballots_and_says_what_it_promised),
	TEST(test_acceptor_promises_an_equal_ballot_to_the_same_request_only),
	TEST(test_acceptor_refuses_other_epochs),
	TEST(test_acceptor_says_nothing_in_an_epoch_to_come),
	TEST(test_acceptor_reports_what_it_accepted_with_its_age),
	TEST(test_acceptor_copy_keeps_the_age_it_came_with),
	TEST(test_acceptor_signature_is_good_for_the_grant),
	TEST(test_acceptor_overtaken_while_writing_refuses),
	TEST(test_acceptor_whose_write_fails_says_nothing),
	TEST(test_acceptor_refuses_values_that_are_not_well_formed),
	TEST(test_acceptor_remembers_over_a_restart),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
