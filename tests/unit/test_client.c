/* test_client.c - own operations: numbers, retries, and answers that prove nothing. */
#include "dht/client_impl.h"
#include "tests/unit/regs_people.h"

static struct reg_name address(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return reg_name_address(&ip);
}

static struct reg_op claim_of(const char *text)
{
	return (struct reg_op){ .name = address(text), .verb = OP_CLAIM, .lease = 3600 };
}

static struct rw_world *with_member(uint64_t seed, struct rw_node **n)
{
	struct rw_world *w = rw_new(seed);

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 9, 3600), REG_OK);
	*n = rw_join(w, 1, "ada");
	return w;
}

static void test_client_claim_is_answered_with_a_grant_that_verifies(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(1, &n);
	struct reg_op req = claim_of("10.7.1.1");
	const struct regs_event *told;
	struct grant g;

	CHECK_EQ_INT(rw_do(n, &req, NULL, &g), REG_OK);
	CHECK(key_equal(&g.owner, &n->key.pub) && g.state == REG_HELD);
	CHECK_EQ_INT(rw_do(&w->node[0], &req, NULL, NULL), REG_OWNED);
	told = &w->node[0].events[w->node[0].event_count - 1].e;
	CHECK(key_equal(&told->holder, &n->key.pub));
	CHECK(prefix_has(&w->settings.subnet, &told->hint));
	CHECK_EQ_INT(rw_do(rw_join(w, 1, "eve"), &req, NULL, NULL), REG_OWNED); /* by messages */
	told = &w->node[2].events[w->node[2].event_count - 1].e;
	CHECK(prefix_has(&w->settings.subnet, &told->hint));
	rw_free(w);
}

static void test_client_without_a_keeper_fails_within_five_seconds(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(2, &n);
	struct reg_op req = claim_of("10.7.1.1");

	w->node[0].cut = true;
	CHECK_EQ_INT(regs_submit(n->regs, 1, &req, NULL, w->now), 0);
	rw_run(w, MSEC(4600));
	CHECK(!rw_find(n, REGS_RESULT, 1));
	rw_run(w, MSEC(200));
	CHECK(rw_find(n, REGS_RESULT, 1));
	CHECK_EQ_INT(rw_find(n, REGS_RESULT, 1)->e.status, REG_NO_QUORUM);
	rw_free(w);
}

static bool hook_count;
static uint8_t first_op[REG_OP_MAX];
static size_t first_len, ops_seen, ops_different;

static bool remember(struct rw_world *w, struct rw_message *m)
{
	struct regmsg r;

	(void)w;
	if (m->service != REGS_SERVICE_REGISTER || !regmsg_read(&r, m->b, m->len) ||
	    r.type != REGMSG_OPERATION)
		return true;
	if (ops_seen++ == 0) {
		first_len = r.len;
		memcpy(first_op, r.bytes, r.len);
	} else if (r.len != first_len || memcmp(first_op, r.bytes, r.len) != 0) {
		ops_different++;
	}
	return hook_count;
}

static void test_client_repeats_the_identical_bytes(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(3, &n);
	struct reg_op req = claim_of("10.7.1.1");

	ops_seen = ops_different = 0;
	hook_count = false;
	w->hook = remember;
	CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_NO_QUORUM);
	CHECK(ops_seen >= 4 && ops_seen <= 6);
	CHECK_EQ_INT(ops_different, 0);
	rw_free(w);
}

static void test_client_newer_operation_ends_the_older_of_one_register(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(4, &n);
	struct reg_op req = claim_of("10.7.1.1"), other = claim_of("10.7.1.2");

	CHECK_EQ_INT(regs_submit(n->regs, 1, &req, NULL, w->now), 0);
	CHECK_EQ_INT(regs_submit(n->regs, 2, &other, NULL, w->now), 0);
	CHECK_EQ_INT(regs_submit(n->regs, 3, &req, NULL, w->now), 0);
	CHECK(rw_find(n, REGS_RESULT, 1));
	CHECK_EQ_INT(rw_find(n, REGS_RESULT, 1)->e.status, REG_BUSY);
	rw_run(w, SEC(6));
	CHECK_EQ_INT(rw_count(n, REGS_RESULT), 3);
	CHECK_EQ_INT(rw_find(n, REGS_RESULT, 2)->e.status, REG_OK);
	CHECK_EQ_INT(rw_find(n, REGS_RESULT, 3)->e.status, REG_OK);
	rw_free(w);
}

static void test_client_doubled_answer_is_given_once(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(5, &n);
	struct reg_op req = claim_of("10.7.1.1");

	w->doubled = 100;
	CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_OK);
	CHECK_EQ_INT(rw_count(n, REGS_RESULT), 1);
	rw_free(w);
}

/* Submits until there is no room; how many were taken. */
static size_t fill(struct rw_node *n, uint8_t verb)
{
	char text[IP_TEXT_LEN];
	int rc = 0, taken = 0;

	for (int i = 0; i < 300 && rc == 0; i++) {
		struct reg_op req;

		snprintf(text, sizeof(text), "10.7.%d.%d", i / 200 + 1 + 10 * verb, i % 200 + 2);
		req = claim_of(text);
		req.verb = verb;
		rc = regs_submit(n->regs, 1000 * verb + (uint64_t)i, &req, NULL, n->w->now);
		taken += rc == 0;
	}
	CHECK_EQ_INT(rc, -EBUSY);
	return (size_t)taken;
}

/* Many leases leave room for what else a person may ask. */
static void test_client_table_is_bounded(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(6, &n);
	size_t claims, reads;

	w->node[0].cut = true;
	claims = fill(n, OP_CLAIM);
	CHECK(claims >= 8 && claims <= REGS_OPS_MAX / 2);
	reads = fill(n, OP_READ);
	CHECK_EQ_INT(claims + reads, REGS_OPS_MAX);
	rw_run(w, SEC(6));
	CHECK_EQ_INT(rw_count(n, REGS_RESULT), REGS_OPS_MAX);
	rw_free(w);
}

/* However many leases are granted quickly: somebody asks something else, or a start is registered. */
static void test_client_window_leaves_room_and_is_of_grants(void)
{
	struct rw_node *n;
	struct rw_world *w = with_member(6, &n);
	struct reg_op req = claim_of("10.7.1.1");
	struct client_op *o;

	w->node[0].cut = true;
	CHECK_EQ_INT(regs_submit(n->regs, 1, &req, NULL, w->now), 0);
	o = n->regs->client.op[0];
	o->first[0] = w->now;
	for (int i = 0; i < 300; i++) /* "busy" is said at once, and says nothing of a grant's delay */
		client_keeper_answered(o, 0, REG_BUSY, w->now + MSEC(1));
	CHECK_EQ_INT(n->regs->client.load->best, 0);
	CHECK_EQ_INT(n->regs->client.load->window, 32);
	for (int i = 0; i < 300; i++)
		client_keeper_answered(o, 0, REG_OK, w->now + MSEC(900));
	CHECK_EQ_INT(n->regs->client.load->best, MSEC(900));
	fill(n, OP_CLAIM);
	CHECK(n->regs->client.count <= REGS_OPS_MAX - 16);
	CHECK(fill(n, OP_READ) >= 16);
	rw_free(w);
}

/* --- answers that prove nothing --- */

enum lie { FORGED, OTHER_NAME, OTHER_OWNER, OLD_NUMBER, NO_GRANT, OTHER_SIGNER, LIES };
static enum lie lie;
static uint8_t other_grant[GRANT_MAX];
static size_t other_len;

static void put_grant(struct rw_message *m, struct regmsg *r, const uint8_t *grant, size_t len)
{
	uint8_t *b = mem_new(REGMSG_MAX);
	size_t n;

	r->bytes = grant;
	r->len = len;
	n = regmsg_write(b, REGMSG_MAX, r);
	CHECK(n);
	free(m->b);
	m->b = b;
	m->len = n;
}

static bool tell_lies(struct rw_world *w, struct rw_message *m)
{
	uint8_t grant[GRANT_MAX];
	struct regmsg r;

	if (m->service != REGS_SERVICE_REGISTER || !regmsg_read(&r, m->b, m->len) ||
	    r.type != REGMSG_RESULT || r.status != REG_OK)
		return true;
	memcpy(grant, r.bytes, r.len);
	switch (lie) {
	case FORGED:
		grant[r.len - 1] ^= 1;
		put_grant(m, &r, grant, r.len);
		break;
	case OTHER_NAME:
	case OTHER_OWNER:
	case OLD_NUMBER:
		put_grant(m, &r, other_grant, other_len);
		break;
	case NO_GRANT:
		put_grant(m, &r, NULL, 0);
		break;
	case OTHER_SIGNER: /* the right answer, by somebody who is no keeper */
		m->from = w->count - 1;
		break;
	default:
		break;
	}
	return true;
}

/* A true grant of the wrong kind for the lie that is told. */
static void get_other(struct rw_world *w, struct rw_node *n)
{
	struct reg_op req = claim_of(lie == OTHER_NAME ? "10.7.9.9" : "10.7.1.1");
	struct rw_node *by = lie == OTHER_OWNER ? &w->node[0] : n;
	const struct rw_event *e;

	CHECK_EQ_INT(rw_do(by, &req, NULL, NULL), REG_OK);
	e = &by->events[by->event_count - 1];
	memcpy(other_grant, e->grant, e->e.len);
	other_len = e->e.len;
	if (lie == OTHER_OWNER) {
		req.verb = OP_RELEASE;
		CHECK_EQ_INT(rw_do(by, &req, NULL, NULL), REG_OK);
	}
}

static void test_client_answers_that_prove_nothing_are_not_believed(void)
{
	for (lie = 0; lie < LIES; lie++) {
		struct rw_node *n;
		struct rw_world *w = with_member(7, &n);
		struct reg_op req = claim_of("10.7.1.1");

		rw_join(w, 1, "bob");
		get_other(w, n);
		w->hook = tell_lies;
		CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_NO_QUORUM);
		w->hook = NULL;
		CHECK_EQ_INT(rw_do(n, &req, NULL, NULL), REG_OK);
		CHECK(n->drops.count[DROP_SIGNATURE] > 0 || lie == OTHER_SIGNER);
		rw_free(w);
	}
}

/* --- numbers --- */

#define SEEN_MAX 256
static struct seen {
	uint64_t number;
	uint8_t sig[SIG_LEN];
} seen[SEEN_MAX];
static size_t seen_count;
static uint64_t highest;
static bool repeated;

static bool watch_numbers(struct rw_world *w, struct rw_message *m)
{
	struct regmsg r;
	struct reg_op op;

	(void)w;
	if (m->from == 0 || m->service != REGS_SERVICE_REGISTER ||
	    !regmsg_read(&r, m->b, m->len) || r.type != REGMSG_OPERATION ||
	    !reg_op_read(&op, r.bytes, r.len))
		return true;
	for (size_t i = 0; i < seen_count; i++)
		if (seen[i].number == op.number && memcmp(seen[i].sig, op.sig, SIG_LEN) != 0)
			repeated = true;
	if (seen_count < SEEN_MAX) {
		seen[seen_count].number = op.number;
		memcpy(seen[seen_count++].sig, op.sig, SIG_LEN);
	}
	if (op.number > highest)
		highest = op.number;
	return true;
}

static void test_client_numbers_never_repeat_after_a_crash(void)
{
	for (int round = 0; round < 6; round++) {
		struct rw_node *n;
		struct rw_world *w = with_member(8, &n);
		struct reg_op req = claim_of("10.7.1.1");

		w->wall.base = round & 1 ? 0 : w->wall.base; /* without help from the clock */
		highest = seen_count = 0;
		repeated = false;
		w->hook = watch_numbers;
		w->delay = 0;
		w->jitter = 0;
		for (int i = 0; i < 4; i++) {
			uint64_t before = highest;

			n->writes_left = round / 2 ? (size_t)round : SIZE_MAX;
			for (int k = 0; k < 3 && !n->dead; k++) {
				req.name.b[3]++;
				regs_submit(n->regs, 1, &req, NULL, w->now);
			}
			rw_run(w, SEC(1));
			CHECK(highest > before || n->dead);
			rw_restart(n, round & 1);
			rw_run(w, SEC(1));
			before = highest;
			req.name.b[3]++;
			regs_submit(n->regs, 1, &req, NULL, w->now);
			rw_run(w, SEC(1));
			CHECK(highest > before);
		}
		CHECK(!repeated);
		rw_free(w);
	}
}

static void test_client_sends_nothing_before_its_number_is_durable(void)
{
	struct rw_world *w = rw_new(9);
	struct rw_node *n;
	struct reg_op req = claim_of("10.7.1.1");

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 9, 3600), REG_OK);
	n = rw_add(w);
	rw_trust(n);
	n->disk_silent = true;
	ops_seen = 0;
	hook_count = true;
	w->hook = remember;
	CHECK_EQ_INT(regs_submit(n->regs, 1, &req, NULL, w->now), 0);
	rw_run(w, SEC(4));
	CHECK_EQ_INT(ops_seen, 0);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_client_claim_is_answered_with_a_grant_that_verifies),
		TEST(test_client_without_a_keeper_fails_within_five_seconds),
		TEST(test_client_repeats_the_identical_bytes),
		TEST(test_client_newer_operation_ends_the_older_of_one_register),
		TEST(test_client_doubled_answer_is_given_once),
		TEST(test_client_table_is_bounded),
		TEST(test_client_window_leaves_room_and_is_of_grants),
		TEST(test_client_answers_that_prove_nothing_are_not_believed),
		TEST(test_client_numbers_never_repeat_after_a_crash),
		TEST(test_client_sends_nothing_before_its_number_is_durable),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
