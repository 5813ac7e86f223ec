#include "dht/rpc.h"

#include "base/list.h"
#include "tests/check.h"

/* Requests alone: what is sent, and who may answer. */
struct bench {
	struct rpcs rs;
	struct dht_env env;
	struct timers timers;
	unsigned way;
	size_t sent, nearest, done, failed, answered;
	uint64_t random;
	struct pubkey who; /* the last one that answered */
};

static const struct pubkey alice = { .b = { 1 } }, mallory = { .b = { 2 } };
static const struct node_id target = { .b = { 3 } };

static void random_bytes(void *ctx, void *out, size_t len)
{
	struct bench *b = ctx;

	CHECK_EQ_INT(len, sizeof(b->random));
	b->random += 77;
	memcpy(out, &b->random, len);
}

static void send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
		 unsigned way)
{
	(void)to, (void)msg, (void)len;
	((struct bench *)ctx)->way = way;
	((struct bench *)ctx)->sent++;
}

static void send_nearest(void *ctx, const struct node_id *to, const uint8_t *msg, size_t len,
			 unsigned way)
{
	(void)msg, (void)len;
	((struct bench *)ctx)->way = way;
	CHECK(id_equal(to, &target));
	((struct bench *)ctx)->nearest++;
}

static void answered(void *ctx, const struct pubkey *key, usec_t now)
{
	(void)key, (void)now;
	((struct bench *)ctx)->answered++;
}

static void failed(void *ctx, const struct pubkey *key, usec_t now)
{
	(void)key, (void)now;
	((struct bench *)ctx)->failed++;
}

static void done(void *ctx, const struct rpc *r, const struct dht_msg *m, usec_t now)
{
	struct bench *b = ctx;

	(void)now;
	b->done++;
	if (m)
		b->who = r->to;
}

static void setup(struct bench *b)
{
	static const uint8_t seed[16];

	*b = (struct bench){ .random = 5 };
	b->env = (struct dht_env){ b, random_bytes, send, NULL, send_nearest };
	timers_init(&b->timers);
	b->rs = (struct rpcs){ .env = &b->env, .timers = &b->timers, .ctx = b };
	b->rs.answered = answered;
	b->rs.failed = failed;
	rpc_init(&b->rs, seed);
}

static void end(struct bench *b)
{
	rpc_fini(&b->rs);
	timers_fini(&b->timers);
}

static uint64_t call(struct bench *b, bool nearest, usec_t now)
{
	struct rpc_owner owner = { .done = done, .ctx = b };
	struct dht_msg m = { .type = DHT_MSG_FIND };

	if (nearest)
		CHECK_EQ_INT(rpc_call_nearest(&b->rs, &target, &m, &owner, now), 0);
	else
		CHECK_EQ_INT(rpc_call(&b->rs, &alice, &m, &owner, now), 0);
	return m.id;
}

static bool answer(struct bench *b, const struct pubkey *from, uint64_t id, usec_t now)
{
	struct dht_msg m = { .type = DHT_MSG_NODES, .id = id };

	return rpc_answer(&b->rs, from, &m, now);
}

static void test_rpc_answer_counts_once_and_only_from_the_key_that_was_asked(void)
{
	struct bench b;
	uint64_t id;

	setup(&b);
	id = call(&b, false, SEC(1));
	CHECK(!answer(&b, &mallory, id, SEC(1)));
	CHECK(!answer(&b, &alice, id + 1, SEC(1)));
	CHECK_EQ_INT(b.done, 0);
	CHECK(answer(&b, &alice, id, SEC(1)));
	CHECK(!answer(&b, &alice, id, SEC(1)));
	CHECK_EQ_INT(b.done, 1);
	CHECK_EQ_INT(b.answered, 1);
	end(&b);
}

static void test_rpc_nearest_may_be_anybody_once_and_makes_no_contact(void)
{
	struct bench b;
	uint64_t id;

	setup(&b);
	id = call(&b, true, SEC(1));
	CHECK_EQ_INT(b.nearest, 1);
	CHECK_EQ_INT(b.sent, 0);
	CHECK(!answer(&b, &mallory, id ^ 1, SEC(1))); /* who has not seen the request */
	CHECK(answer(&b, &mallory, id, SEC(1)));
	CHECK(key_equal(&b.who, &mallory));
	CHECK(!answer(&b, &alice, id, SEC(1)));
	CHECK_EQ_INT(b.done, 1);
	CHECK_EQ_INT(b.answered, 0);
	call(&b, true, SEC(2));
	timers_run(&b.timers, SEC(4));
	timers_run(&b.timers, SEC(8));
	CHECK_EQ_INT(b.done, 2);
	CHECK_EQ_INT(b.failed, 0); /* nobody in particular */
	end(&b);
}

static void test_rpc_timeout_follows_the_answers_within_its_bounds(void)
{
	usec_t now = SEC(1);
	struct bench b;

	setup(&b);
	CHECK_EQ_INT(rpc_timeout(&b.rs), RPC_TIMEOUT_FIRST);
	for (int i = 0; i < 50; i++, now += SEC(1))
		CHECK(answer(&b, &alice, call(&b, false, now), now + MSEC(40)));
	CHECK_EQ_INT(rpc_timeout(&b.rs), RPC_TIMEOUT_MIN);
	for (int i = 0; i < 50; i++, now += SEC(3))
		CHECK(answer(&b, &alice, call(&b, false, now), now + MSEC(i % 2 ? 900 : 500)));
	CHECK(rpc_timeout(&b.rs) > MSEC(900) && rpc_timeout(&b.rs) < RPC_TIMEOUT_MAX);
	for (int i = 0; i < 50; i++, now += SEC(9))
		CHECK(answer(&b, &alice, call(&b, false, now), now + SEC(5)));
	CHECK_EQ_INT(rpc_timeout(&b.rs), RPC_TIMEOUT_MAX);
	end(&b);
}

static void test_rpc_second_try_goes_another_way(void)
{
	struct bench b;

	for (int nearest = 0; nearest < 2; nearest++) {
		setup(&b);
		b.way = 99;
		call(&b, nearest, SEC(1));
		CHECK_EQ_INT(b.way, 0);
		timers_run(&b.timers, SEC(2));
		CHECK_EQ_INT(b.sent + b.nearest, 2);
		CHECK(b.way > 0);
		end(&b);
	}
}

static void test_rpc_answers_to_repeated_requests_do_not_change_the_timeout(void)
{
	struct bench b;
	uint64_t id;

	setup(&b);
	id = call(&b, false, SEC(1));
	timers_run(&b.timers, SEC(1) + RPC_TIMEOUT_FIRST);
	CHECK_EQ_INT(b.sent, 2);
	CHECK(answer(&b, &alice, id, SEC(1) + RPC_TIMEOUT_FIRST + 1));
	CHECK_EQ_INT(rpc_timeout(&b.rs), RPC_TIMEOUT_FIRST);
	end(&b);
}

static void test_rpc_requests_that_wait_are_bounded_and_a_silent_one_fails_once(void)
{
	struct rpc_owner owner = { .done = done };
	struct dht_msg m = { .type = DHT_MSG_PING };
	struct bench b;

	setup(&b);
	for (int i = 0; i < RPC_MAX; i++)
		call(&b, false, SEC(1));
	CHECK(rpc_call(&b.rs, &alice, &m, &owner, SEC(1)) < 0);
	timers_run(&b.timers, SEC(1) + RPC_TIMEOUT_FIRST);
	timers_run(&b.timers, SEC(1) + 2 * RPC_TIMEOUT_FIRST);
	CHECK_EQ_INT(b.sent, 2 * RPC_MAX);
	CHECK_EQ_INT(b.failed, RPC_MAX);
	CHECK_EQ_INT(b.done, RPC_MAX);
	CHECK_EQ_INT(b.rs.waiting.count, 0);
	end(&b);
}

static const struct test tests[] = {
	TEST(test_rpc_answer_counts_once_and_only_from_the_key_that_was_asked),
	TEST(test_rpc_nearest_may_be_anybody_once_and_makes_no_contact),
	TEST(test_rpc_timeout_follows_the_answers_within_its_bounds),
	TEST(test_rpc_second_try_goes_another_way),
	TEST(test_rpc_answers_to_repeated_requests_do_not_change_the_timeout),
	TEST(test_rpc_requests_that_wait_are_bounded_and_a_silent_one_fails_once),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
