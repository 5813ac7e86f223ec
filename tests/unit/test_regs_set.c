/* test_regs_set.c - three and five keepers: latency, keepers that are down, chains that are cut. */
#include "tests/unit/regs_set.h"

static struct reg_name address(uint32_t last)
{
	struct ip ip = ip_v4(0x0a070100u + last);

	return reg_name_address(&ip);
}

/* How long a claim takes, and what it says. */
static usec_t claim(struct rw_node *n, uint32_t last, enum reg_status *status)
{
	struct reg_op req = { .name = address(last), .verb = OP_CLAIM, .lease = 3600 };
	struct rw_world *w = n->w;
	usec_t begun = w->now;
	static uint64_t op = 1000;
	const struct rw_event *e;

	CHECK_EQ_INT(regs_submit(n->regs, ++op, &req, NULL, w->now), 0);
	while (!(e = rw_find(n, REGS_RESULT, op)) && w->now < begun + SEC(6))
		rw_run(w, MSEC(1));
	*status = e ? e->e.status : REG_STATUS_COUNT;
	n->event_count = 0;
	return w->now - begun;
}

static int rising(const void *a, const void *b)
{
	usec_t x = *(const usec_t *)a, y = *(const usec_t *)b;

	return x < y ? -1 : x > y;
}

static void latency_of(size_t keepers)
{
	struct rw_world *w = rw_new_set(keepers, keepers);
	struct rw_node *n = rw_join_router(w);
	enum reg_status status;
	usec_t took[51];

	w->delay = MSEC(10); /* one way, everywhere: RTT 20 ms; a write takes 1 ms */
	w->jitter = 0;
	for (uint32_t i = 0; i < ARRAY_LEN(took); i++) {
		took[i] = claim(n, i, &status);
		CHECK_EQ_INT(status, REG_OK);
		rw_run(w, SEC(5));
	}
	qsort(took, ARRAY_LEN(took), sizeof(took[0]), rising);
	printf("# %zu keepers: a claim takes %u ms, the longest of 51 %u ms\n", keepers,
	       (unsigned)(took[25] / 1000), (unsigned)(took[50] / 1000));
	CHECK(took[25] <= MSEC(20) + 2 * MSEC(20) + MSEC(5));
	CHECK(took[50] <= MSEC(20) + 2 * MSEC(20) + MSEC(5));
	rw_free(w);
}

static void test_set_answers_a_claim_in_three_round_trips(void)
{
	latency_of(3);
	latency_of(5);
}

/* Every choice of `down` keepers: the first claim and those after it. */
static void down_of(size_t keepers, size_t down)
{
	usec_t worst = 0, later = 0;

	for (unsigned mask = 1; mask < 1u << keepers; mask++) {
		struct rw_world *w;
		struct rw_node *n;
		enum reg_status status;

		if ((size_t)__builtin_popcount(mask) != down)
			continue;
		w = rw_new_set(7 + mask, keepers);
		n = rw_join_router(w);
		claim(n, 1, &status);
		for (size_t i = 0; i < keepers; i++)
			w->node[i].cut = mask & 1u << i;
		for (uint32_t i = 0; i < 4; i++) {
			usec_t took = claim(n, 2 + i, &status);

			CHECK_EQ_INT(status, REG_OK);
			worst = took > worst ? took : worst;
			if (i > 0)
				later = took > later ? took : later;
		}
		rw_free(w);
	}
	printf("# %zu of %zu keepers down: the first claim takes at most %u ms, the next %u ms\n",
	       down, keepers, (unsigned)(worst / 1000), (unsigned)(later / 1000));
	CHECK(worst < SEC(1));
	CHECK(later < MSEC(250));
}

static void test_set_with_one_of_three_down_answers_within_a_second(void) { down_of(3, 1); }

static void test_set_with_two_of_five_down_answers_within_a_second(void) { down_of(5, 2); }

static void test_set_without_a_quorum_says_so_within_five_seconds(void)
{
	for (size_t left = 0; left < 2; left++) {
		struct rw_world *w = rw_new_set(40, 3);
		struct rw_node *n = rw_join(w, 1, "ada");
		enum reg_status status;

		for (size_t i = left; i < 3; i++)
			w->node[i].cut = true;
		CHECK(claim(n, 1, &status) <= SEC(5));
		CHECK_EQ_INT(status, REG_NO_QUORUM);
		rw_free(w);
	}
}

static size_t uses_of_token(const struct rw_node *n, uint8_t which)
{
	struct reg_name name, want = rw_token_name(which);
	struct token_payload p;
	struct reg_value v;
	size_t at = 0;

	while (regs_next(n->regs, &at, &name, &v))
		if (reg_name_equal(&name, &want) && token_payload_read(&p, v.payload, v.payload_len))
			return p.used;
	return 0;
}

static void trust_set(struct rw_node *n, size_t keepers)
{
	const struct config *cf = regs_keepers(n->w->node[0].regs);
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch };
	struct pubkey keys[KEEPERS_MAX];

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	for (size_t i = 0; i < keepers; i++)
		keys[i] = n->w->node[i].key.pub;
	regs_trust(n->regs, &cp, keys, keepers);
}

static void test_set_enrols_with_one_keeper_down(void)
{
	for (size_t keepers = 3; keepers <= 5; keepers += 2)
		for (size_t down = 0; down < keepers; down++) {
			struct rw_world *w = rw_new_set(50 + down, keepers);
			size_t before = uses_of_token(&w->node[(down + 1) % keepers], 1);
			struct rw_node *n = rw_add(w);

			w->node[down].cut = true;
			trust_set(n, keepers);
			CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_OK);
			CHECK_EQ_INT(uses_of_token(&w->node[(down + 1) % keepers], 1), before + 1);
			rw_free(w);
		}
}

/* The keeper that counts the use dies at each of its writes on the way. */
static void test_set_finishes_an_enrolment_that_a_crash_cut(void)
{
	size_t cut = 0;

	for (size_t write = 0; write < 6; write++) {
		struct rw_world *w = rw_new_set(60, 3);
		size_t before = uses_of_token(&w->node[1], 1);
		struct rw_node *n = rw_add(w);

		trust_set(n, 3);
		w->node[0].writes_left = write;
		CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_OK);
		cut += w->node[0].dead;
		w->node[0].cut = w->node[0].dead;
		CHECK_EQ_INT(uses_of_token(&w->node[1], 1) + uses_of_token(&w->node[2], 1) > before,
			     1);
		CHECK(uses_of_token(&w->node[1], 1) <= before + 1);
		rw_free(w);
	}
	CHECK(cut >= 4);
}

static bool is_revoked_at(const struct rw_world *w, size_t keeper, const struct rw_node *n)
{
	return regs_is_revoked(w->node[keeper].regs, &n->key.pub);
}

static void test_set_finishes_a_revocation_that_a_crash_cut(void)
{
	size_t cut = 0;

	for (size_t write = 0; write < 6; write++) {
		struct rw_world *w = rw_new_set(70, 3);
		struct rw_node *n = rw_join(w, 1, "ada");
		struct reg_op req = { .name = reg_name_key(REG_MEMBER, n->key.pub.b, KEY_LEN),
				      .verb = OP_MEMBER_REVOKE };

		w->node[0].writes_left = write;
		CHECK_EQ_INT(regs_submit(w->node[0].regs, 5, &req, &w->root, w->now), 0);
		rw_run(w, SEC(2));
		if (w->node[0].dead) {
			cut++;
			w->node[0].cut = true;
			CHECK_EQ_INT(rw_do(&w->node[1], &req, &w->root, NULL), REG_OK);
		}
		rw_run(w, SEC(10));
		CHECK(is_revoked_at(w, 1, n) || is_revoked_at(w, 2, n));
		CHECK_EQ_INT(rw_enrol(n, 1, "ada"), REG_REVOKED);
		rw_free(w);
	}
	CHECK(cut >= 4);
}

/* Operations reach the last keeper only. */
static bool only_the_last(struct rw_world *w, struct rw_message *m)
{
	return m->service != REGS_SERVICE_REGISTER || m->b[0] != REGMSG_OPERATION || m->to == 2 ||
	       m->from < 3 || (void *)w == NULL;
}

/* Every keeper counts what it has accepted. One that was away while a member filled its quota counts
 * less; what it gives too much is its own quota at the most. */
static void test_set_keeps_quotas_at_every_keeper(void)
{
	struct rw_world *w = rw_new_set(80, 3);
	struct rw_node *n = rw_join(w, 1, "ada");
	enum reg_status status;
	size_t given = 0;

	for (uint32_t i = 0; i < 4; i++) {
		claim(n, i, &status);
		CHECK_EQ_INT(status, REG_OK);
	}
	w->hook = only_the_last; /* it took part in none of them by itself */
	claim(n, 4, &status);
	CHECK_EQ_INT(status, REG_QUOTA);
	w->hook = NULL;
	n = rw_join(w, 1, "bob");
	w->node[2].cut = true;
	for (uint32_t i = 10; i < 14; i++) {
		claim(n, i, &status);
		CHECK_EQ_INT(status, REG_OK);
	}
	w->node[2].cut = false;
	w->hook = only_the_last;
	for (uint32_t i = 14; i < 24; i++) {
		claim(n, i, &status);
		given += status == REG_OK;
		CHECK(status == REG_OK || status == REG_QUOTA);
	}
	printf("# given too much by a keeper that was away: %zu\n", given);
	CHECK(given <= 4);
	rw_free(w);
}

/* What it missed was decided without it, and nobody says it again. */
static void test_set_keeper_that_was_away_refuses_who_was_revoked_meanwhile(void)
{
	struct rw_world *w = rw_new_set(81, 3);
	struct rw_node *n = rw_join(w, 1, "ada");
	enum reg_status status;

	w->node[2].cut = true;
	rw_run(w, SEC(60));
	CHECK_EQ_INT(rw_revoke(w, &n->key.pub), REG_OK);
	rw_run(w, SEC(60));
	w->node[2].cut = false;
	rw_run(w, SEC(10));
	w->hook = only_the_last;
	claim(n, 1, &status);
	CHECK_EQ_INT(status, REG_REVOKED);
	rw_free(w);
}

static void test_set_keeper_that_was_away_serves_whose_membership_was_renewed_meanwhile(void)
{
	struct rw_world *w = rw_new_set(82, 3);
	struct rw_node *n = rw_join(w, 1, "ada");
	enum reg_status status;

	w->node[2].cut = true;
	for (size_t i = 0; i < 2; i++) {
		w->now += SEC(16 * 86400);
		rw_run(w, SEC(700));
	}
	w->node[2].cut = false;
	w->hook = only_the_last;
	claim(n, 1, &status);
	CHECK_EQ_INT(status, REG_OK);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_set_answers_a_claim_in_three_round_trips),
		TEST(test_set_with_one_of_three_down_answers_within_a_second),
		TEST(test_set_with_two_of_five_down_answers_within_a_second),
		TEST(test_set_without_a_quorum_says_so_within_five_seconds),
		TEST(test_set_enrols_with_one_keeper_down),
		TEST(test_set_finishes_an_enrolment_that_a_crash_cut),
		TEST(test_set_finishes_a_revocation_that_a_crash_cut),
		TEST(test_set_keeps_quotas_at_every_keeper),
		TEST(test_set_keeper_that_was_away_refuses_who_was_revoked_meanwhile),
		TEST(test_set_keeper_that_was_away_serves_whose_membership_was_renewed_meanwhile),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
