/* test_seek.c - chains between nodes: who knows more tells who asks, and nobody is believed. */
#include "tests/unit/chain_kit.h"
#include "tests/unit/regs_people.h"

#define LAST 9

static void disk_put(struct rw_node *n, char kind, const struct config *cf)
{
	struct rw_stored s = { .key_len = kind == 'c' ? 1 : 9, .len = cf->len };
	struct wr w = wr_of(s.key, sizeof(s.key));

	wr_u8(&w, (uint8_t)kind);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	s.value = mem_copy(cf->bytes, cf->len);
	rw_to_disk(n, &s);
	free(s.value);
}

static struct rw_stored *disk_find(struct rw_node *n, char kind, uint32_t epoch)
{
	for (size_t i = 0; i < n->disk_count; i++)
		if (n->disk[i].key[0] == kind && (kind == 'c' || n->disk[i].key[8] == epoch))
			return &n->disk[i];
	return NULL;
}

/* Node 0 knows epochs `from` to `to`. */
static void knows(struct rw_node *n, struct config *const *made, uint32_t from, uint32_t to)
{
	rw_stop(n, true);
	for (uint32_t e = from; e < to; e++)
		disk_put(n, 'h', made[e]);
	disk_put(n, 'c', made[to]);
	rw_start(n);
}

static struct rw_world *world(void)
{
	struct rw_world *w = rw_new(5);

	rw_stop(&w->node[0], false);
	w->root = chain_root();
	w->settings.root = w->root.pub;
	rw_start(&w->node[0]);
	return w;
}

static uint32_t epoch_of(const struct rw_node *n)
{
	return regs_keepers(n->regs) ? regs_keepers(n->regs)->epoch : 0;
}

static void trusts(struct rw_node *n, const struct config *cf)
{
	struct checkpoint cp = chain_checkpoint(cf);

	regs_trust(n->regs, &cp, &n->w->node[0].key.pub, 1);
}

static void enrols(struct rw_node *n)
{
	uint8_t seed[SEED_LEN];

	rw_token_seed(seed, 1);
	CHECK_EQ_INT(regs_enrol(n->regs, 77, seed, "x", n->w->now), 0);
	rw_run(n->w, SEC(3));
}

static void shows(struct rw_node *n, const struct pubkey *from, struct config *const *c, size_t count)
{
	struct membermsg m = { .type = MEMBERMSG_CHAIN, .shown_count = (uint8_t)count };
	uint8_t msg[MEMBERMSG_MAX];

	nsid_of(m.nsid, &n->w->root.pub);
	for (size_t i = 0; i < count; i++)
		m.shown[i] = (struct membermsg_block){ c[i]->bytes, c[i]->len };
	m.era = c[count - 1]->era;
	m.epoch = c[count - 1]->epoch;
	regs_input(n->regs, from, false, REGS_SERVICE_MEMBER, msg,
		   membermsg_write(msg, sizeof(msg), &m), n->w->now);
}

/* --- joining --- */

static void test_seek_joiner_with_an_old_token_is_led_to_the_newest(void)
{
	struct config *made[LAST + 1];

	chain_make(made, 0, LAST);
	for (uint32_t e = 1; e <= LAST; e += 4) {
		struct rw_world *w = world();
		struct rw_node *n = rw_add(w);

		knows(&w->node[0], made, 1, LAST);
		trusts(n, made[e]);
		enrols(n);
		CHECK_EQ_INT(epoch_of(n), LAST);
		for (uint32_t i = 1; i <= LAST; i++)
			CHECK_EQ_INT(regs_config_of(n->regs, 0, i) != NULL, i >= e);
		rw_free(w);
	}
	chain_free(made, LAST);
}

static void test_seek_joiner_believes_no_history_but_its_tokens(void)
{
	struct config *made[LAST + 1], *liar[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, LAST);
	liar[1] = chain_genesis(0, 1);
	for (uint32_t e = 2; e <= LAST; e++)
		liar[e] = chain_next(liar[e - 1], 0);
	knows(&w->node[0], liar, 1, LAST);
	trusts(n, made[2]);
	enrols(n);
	CHECK_EQ_INT(epoch_of(n), 0);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(rw_find(n, REGS_ENROLLED, 77)->e.status, REG_OTHER_EPOCH);
	chain_free(made, LAST);
	chain_free(liar, LAST);
	rw_free(w);
}

static void test_seek_checkpoint_that_nobody_knows_any_more_ends_the_joining(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, LAST);
	knows(&w->node[0], made, 4, LAST);
	trusts(n, made[2]);
	enrols(n);
	rw_run(w, SEC(10));
	CHECK_EQ_INT(epoch_of(n), 0);
	CHECK_EQ_INT(rw_find(n, REGS_ENROLLED, 77)->e.status, REG_OTHER_EPOCH);
	chain_free(made, LAST);
	rw_free(w);
}

/* --- catching up --- */

static void test_seek_sleeper_catches_up_over_many_epochs_and_keeps_them(void)
{
	struct config *made[2 * LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, 2 * LAST);
	knows(&w->node[0], made, 1, 2 * LAST);
	knows(n, made, 1, 3);
	shows(n, &w->node[0].key.pub, &made[2 * LAST], 1);
	CHECK_EQ_INT(epoch_of(n), 3);
	rw_run(w, SEC(3));
	CHECK_EQ_INT(epoch_of(n), 2 * LAST);
	CHECK(rw_count(n, REGS_UPDATED) > 0);
	rw_stop(n, false);
	rw_start(n);
	CHECK_EQ_INT(epoch_of(n), 2 * LAST);
	for (uint32_t e = 1; e <= 2 * LAST; e++)
		CHECK(regs_config_of(n->regs, 0, e));
	chain_free(made, 2 * LAST);
	rw_free(w);
}

static size_t wants;

static bool count_wants(struct rw_world *w, struct rw_message *m)
{
	(void)w;
	wants += m->service == REGS_SERVICE_MEMBER && m->b[0] == MEMBERMSG_CHAIN_WANT;
	return true;
}

static void test_seek_hint_leads_to_the_keepers_it_names(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);
	uint8_t hint[HINT_MAX];
	size_t len;

	chain_make(made, 0, LAST);
	knows(&w->node[0], made, 1, LAST);
	knows(n, made, 1, 2);
	len = regs_hint(w->node[0].regs, hint, sizeof(hint));
	CHECK(len > 0);
	memcpy(hint + len - KEY_LEN, w->node[0].key.pub.b, KEY_LEN); /* one that is there */
	CHECK(!regs_offer_hint(n->regs, hint, len - 1, w->now));
	CHECK(regs_offer_hint(n->regs, hint, len, w->now));
	rw_run(w, SEC(10));
	CHECK_EQ_INT(epoch_of(n), LAST);
	CHECK(!regs_offer_hint(n->regs, hint, len, w->now));
	chain_free(made, LAST);
	rw_free(w);
}

static void test_seek_largest_hint_fits(void)
{
	uint8_t hint[HINT_MAX];
	struct rw_world *w = world();
	struct key_pair root = chain_root();
	struct config cf = { .root = root.pub, .epoch = 1, .count = 7, .quorum = 6 };

	for (uint32_t i = 0; i < 7; i++) {
		struct key_pair node = chain_node(1, i);

		cf.members[i] = (struct keeper){ .node = node.pub,
						 .epoch_key = chain_key(0, 1, i).pub };
		keeper_certify(&cf.members[i], &cf, &node, &crypto_real);
	}
	CHECK(config_genesis(&cf, &root, &crypto_real));
	rw_stop(&w->node[0], true);
	disk_put(&w->node[0], 'c', &cf);
	rw_start(&w->node[0]);
	CHECK_EQ_INT(regs_hint(w->node[0].regs, hint, sizeof(hint)), HINT_MAX);
	rw_free(w);
}

static void test_seek_claims_of_sets_that_are_not_there_cost_few_questions(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, LAST);
	knows(&w->node[0], made, 1, 2);
	knows(n, made, 1, 2);
	wants = 0;
	w->hook = count_wants;
	for (int i = 0; i < 60; i++) {
		shows(n, &w->node[0].key.pub, &made[LAST], 1);
		rw_run(w, SEC(1));
	}
	CHECK_EQ_INT(epoch_of(n), 2);
	CHECK(wants > 0 && wants <= 24);
	chain_free(made, LAST);
	rw_free(w);
}

/* --- grants of older epochs --- */

static void test_seek_grant_of_an_older_epoch_is_judged_by_its_own_keepers(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);
	struct ip ip = { .len = 4, .b = { 10, 7, 0, 9 } };
	struct reg_name name = reg_name_address(&ip);
	uint8_t grant[GRANT_MAX];
	struct grant g;
	size_t len;

	chain_make(made, 0, LAST);
	knows(&w->node[0], made, 1, LAST);
	knows(n, made, LAST, LAST);
	len = chain_grant(grant, sizeof(grant), made[4], kit_pub(3), &name);
	CHECK(!regs_check(n->regs, &g, grant, len, w->now));
	regs_ask_chain(n->regs, &w->node[0].key.pub, grant, len, w->now);
	rw_run(w, SEC(2));
	CHECK(regs_check(n->regs, &g, grant, len, w->now));
	for (uint32_t e = 1; e <= LAST; e++)
		CHECK_EQ_INT(regs_config_of(n->regs, 0, e) != NULL, e >= 1);
	grant[len - 1] ^= 1;
	CHECK(!regs_check(n->regs, &g, grant, len, w->now));
	chain_free(made, LAST);
	rw_free(w);
}

static void test_seek_grant_of_another_epochs_keys_is_refused(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct ip ip = { .len = 4, .b = { 10, 7, 0, 9 } };
	struct reg_name name = reg_name_address(&ip);
	struct config *mixed = NULL;
	uint8_t grant[GRANT_MAX];
	struct grant g;
	size_t len;

	chain_make(made, 0, 4);
	knows(&w->node[0], made, 1, 4);
	mixed = chain_copy(made[4]);
	mixed->epoch = 3; /* signs with the keys of 3, says 4 */
	len = chain_grant(grant, sizeof(grant), mixed, kit_pub(3), &name);
	CHECK(regs_check(w->node[0].regs, &g, grant, len, w->now));
	len = chain_grant(grant, sizeof(grant), made[4], kit_pub(3), &name);
	CHECK(regs_check(w->node[0].regs, &g, grant, len, w->now));
	grant[len - 1] ^= 1;
	CHECK(!regs_check(w->node[0].regs, &g, grant, len, w->now));
	free(mixed);
	chain_free(made, 4);
	rw_free(w);
}

static void test_seek_who_becomes_a_keeper_gets_the_whole_era(void)
{
	struct config *made[LAST + 1], *with_us, cf;
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, LAST);
	chain_members(&cf, 0, LAST + 1);
	memcpy(cf.previous, made[LAST]->hash, sizeof(cf.previous));
	cf.members[2].node = n->key.pub;
	keeper_certify(&cf.members[2], &cf, &n->key, &crypto_real);
	with_us = chain_prove(made[LAST], &cf);
	knows(&w->node[0], made, 1, LAST);
	knows(n, made, LAST, LAST);
	shows(n, &w->node[0].key.pub, &with_us, 1);
	rw_run(w, SEC(3));
	CHECK_EQ_INT(epoch_of(n), LAST + 1);
	for (uint32_t e = 1; e <= LAST; e++)
		CHECK(regs_config_of(n->regs, 0, e));
	free(with_us);
	chain_free(made, LAST);
	rw_free(w);
}

/* --- forks --- */

static void test_seek_fork_stops_the_era_is_told_once_and_outlasts_a_restart(void)
{
	struct config *made[LAST + 1], *twin, *era = chain_genesis(1, 0);
	struct rw_world *w = world();
	struct rw_node *n = &w->node[0];

	chain_make(made, 0, 5);
	twin = chain_next(made[3], 1);
	knows(n, made, 1, 4);
	CHECK(!regs_is_forked(n->regs));
	for (int i = 0; i < 3; i++)
		shows(n, kit_pub(9), &twin, 1);
	CHECK(regs_is_forked(n->regs));
	CHECK_EQ_INT(rw_count(n, REGS_FORKED), 1);
	shows(n, kit_pub(9), &made[5], 1);
	CHECK_EQ_INT(epoch_of(n), 4);
	rw_run(w, SEC(1));
	rw_stop(n, false);
	rw_start(n);
	CHECK(regs_is_forked(n->regs));
	CHECK_EQ_INT(epoch_of(n), 4);
	shows(n, kit_pub(9), &era, 1);
	CHECK(!regs_is_forked(n->regs));
	CHECK_EQ_INT(regs_keepers(n->regs)->era, 1);
	chain_free(made, 5);
	free(twin);
	free(era);
	rw_free(w);
}

/* --- the disk --- */

static void restart_with(struct rw_node *n)
{
	rw_stop(n, true);
	rw_start(n);
}

static void test_seek_damaged_records_are_fetched_again(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = rw_add(w);

	chain_make(made, 0, LAST);
	knows(&w->node[0], made, 1, LAST);
	knows(n, made, 1, LAST);
	rw_stop(n, true);
	disk_find(n, 'c', LAST)->value[200] ^= 1; /* in a certificate */
	disk_find(n, 'h', 3)->value[200] ^= 1;
	for (size_t i = 0; i < n->disk_count;) { /* what cannot be restored is left out */
		struct config cf;

		if (config_read_unproven(&cf, n->disk[i].value, n->disk[i].len, &w->root.pub,
					 &crypto_real)) {
			i++;
			continue;
		}
		free(n->disk[i].value);
		n->disk[i] = n->disk[--n->disk_count];
	}
	CHECK_EQ_INT(n->disk_count, LAST - 2);
	rw_start(n);
	CHECK_EQ_INT(epoch_of(n), LAST - 1); /* the one before serves */
	CHECK(!regs_config_of(n->regs, 0, 3));
	shows(n, &w->node[0].key.pub, &made[LAST], 1);
	rw_run(w, SEC(2));
	CHECK_EQ_INT(epoch_of(n), LAST);
	restart_with(n);
	CHECK_EQ_INT(epoch_of(n), LAST);
	chain_free(made, LAST);
	rw_free(w);
}

static void test_seek_record_with_damaged_proofs_is_kept_but_not_told(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *a = &w->node[0], *n = rw_add(w);

	chain_make(made, 0, 5);
	knows(a, made, 1, 5);
	rw_stop(a, true);
	disk_find(a, 'h', 4)->value[made[4]->len - 1] ^= 1;
	rw_start(a);
	CHECK(regs_config_of(a->regs, 0, 4));
	knows(n, made, 1, 2);
	shows(n, &a->key.pub, &made[5], 1);
	rw_run(w, MINUTES(1));
	CHECK_EQ_INT(epoch_of(n), 3);
	shows(a, kit_pub(9), &made[4], 1); /* somebody shows the proof again */
	shows(n, &a->key.pub, &made[5], 1);
	rw_run(w, MINUTES(1));
	CHECK_EQ_INT(epoch_of(n), 5);
	chain_free(made, 5);
	rw_free(w);
}

static void test_seek_chain_is_written_where_the_disk_fails_at_first(void)
{
	struct config *made[LAST + 1];
	struct rw_world *w = world();
	struct rw_node *n = &w->node[0];

	chain_make(made, 0, 3);
	knows(n, made, 1, 1);
	n->disk_broken = true;
	shows(n, kit_pub(9), &made[2], 2);
	CHECK_EQ_INT(epoch_of(n), 3);
	rw_run(w, SEC(3));
	CHECK_EQ_INT(n->disk_count, 1);
	n->disk_broken = false;
	rw_run(w, SEC(3));
	restart_with(n);
	CHECK_EQ_INT(epoch_of(n), 3);
	CHECK(regs_config_of(n->regs, 0, 1) && regs_config_of(n->regs, 0, 2));
	chain_free(made, 3);
	rw_free(w);
}

static void test_seek_members_forget_the_oldest_beyond_their_bound(void)
{
	struct config *last = chain_genesis(0, 0), *first[2] = { NULL, last }, *next;
	struct rw_world *w = world();
	struct rw_node *n = &w->node[0];

	knows(n, first, 1, 1);
	for (uint32_t e = 2; e <= CHAIN_MEMBER_MAX + 6; e++) {
		next = chain_next(last, 0);
		free(last);
		last = next;
		shows(n, kit_pub(9), &last, 1);
		rw_run(w, SEC(1));
	}
	CHECK_EQ_INT(epoch_of(n), CHAIN_MEMBER_MAX + 6);
	CHECK(!regs_config_of(n->regs, 0, 5));
	CHECK(regs_config_of(n->regs, 0, 6));
	CHECK_EQ_INT(n->disk_count, CHAIN_MEMBER_MAX + 1);
	free(last);
	rw_free(w);
}

static const struct test tests[] = {
	TEST(test_seek_joiner_with_an_old_token_is_led_to_the_newest),
	TEST(test_seek_joiner_believes_no_history_but_its_tokens),
	TEST(test_seek_checkpoint_that_nobody_knows_any_more_ends_the_joining),
	TEST(test_seek_sleeper_catches_up_over_many_epochs_and_keeps_them),
	TEST(test_seek_hint_leads_to_the_keepers_it_names),
	TEST(test_seek_largest_hint_fits),
	TEST(test_seek_claims_of_sets_that_are_not_there_cost_few_questions),
	TEST(test_seek_grant_of_an_older_epoch_is_judged_by_its_own_keepers),
	TEST(test_seek_grant_of_another_epochs_keys_is_refused),
	TEST(test_seek_who_becomes_a_keeper_gets_the_whole_era),
	TEST(test_seek_fork_stops_the_era_is_told_once_and_outlasts_a_restart),
	TEST(test_seek_damaged_records_are_fetched_again),
	TEST(test_seek_record_with_damaged_proofs_is_kept_but_not_told),
	TEST(test_seek_chain_is_written_where_the_disk_fails_at_first),
	TEST(test_seek_members_forget_the_oldest_beyond_their_bound),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
