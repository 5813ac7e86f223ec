/* test_mark.c - keepers whose disk was rolled back, and keepers that live twice: shown how far their
 * own log had come, they fall silent. Crashes are none of that. */
#include "dht/mark.h"

#include "tests/unit/keeper_ops.h"

#define SNAPSHOTS 64
#define RECORDS 64

struct snapshot {
	struct kit_record r[RECORDS];
	size_t count;
};

static struct snapshot shots[SNAPSHOTS]; /* of one keeper's disk, after every write */
static size_t shot_count;

static void shot_free(struct snapshot *s)
{
	for (size_t i = 0; i < s->count; i++)
		free(s->r[i].value);
	s->count = 0;
}

static void shots_free(void)
{
	while (shot_count)
		shot_free(&shots[--shot_count]);
}

static void shot_take(struct kit_keeper *kk)
{
	struct snapshot *s = &shots[shot_count];

	CHECK(shot_count < SNAPSHOTS && kk->record_count <= RECORDS);
	if (shot_count == SNAPSHOTS || kk->record_count > RECORDS)
		return;
	shot_count++;
	s->count = kk->record_count;
	for (size_t i = 0; i < s->count; i++) {
		s->r[i] = kk->records[i];
		s->r[i].value = mem_copy(s->r[i].value, s->r[i].len);
	}
}

/* The disk as it was `writes` writes ago, and a start from it. */
static void roll_back(struct kit_keeper *kk, size_t writes)
{
	struct snapshot *s = &shots[shot_count - 1 - writes];

	CHECK(writes < shot_count);
	kk->wrote = NULL;
	for (size_t i = 0; i < kk->record_count; i++)
		free(kk->records[i].value);
	kk->record_count = s->count;
	for (size_t i = 0; i < s->count; i++) {
		kk->records[i] = s->r[i];
		kk->records[i].value = mem_copy(s->r[i].value, s->r[i].len);
	}
	kit_crash(kk);
}

static struct reg_op claim_of(uint32_t n)
{
	return (struct reg_op){ .verb = OP_CLAIM, .name = nth_address(10 + n) };
}

static void test_mark_of_another_key_or_with_other_words_is_none(void)
{
	struct key_pair a = kit_key(1), b = kit_key(2);
	struct mark m = { .starts = 3, .position = 70 }, n;

	mark_sign(&m, &a, &crypto_real);
	CHECK(mark_is_signed(&m, &a.pub, &crypto_real));
	CHECK(!mark_is_signed(&m, &b.pub, &crypto_real));
	n = m;
	n.position++;
	CHECK(!mark_is_signed(&n, &a.pub, &crypto_real));
	n = m;
	n.starts++;
	CHECK(!mark_is_signed(&n, &a.pub, &crypto_real));
	CHECK(mark_is_beyond(&n, &m) && !mark_is_beyond(&m, &n));
	n.position--;
	CHECK(!mark_is_beyond(&n, &m) && mark_is_beyond(&m, &n));
}

static void test_marks_are_kept_of_each_member_and_of_one_set(void)
{
	struct config one = { .epoch = 1 }, two = { .epoch = 2 };
	struct mark m = { .starts = 1, .position = 5 };
	struct marks *all = NULL;

	CHECK(!marks_of(all, &one, 0));
	marks_note(&all, &one, 0, &m);
	m.position = 9;
	marks_note(&all, &one, 2, &m);
	m.position = 4;
	marks_note(&all, &one, 0, &m);
	CHECK_EQ_INT(marks_of(all, &one, 0)->position, 5);
	CHECK_EQ_INT(marks_of(all, &one, 2)->position, 9);
	CHECK(!marks_of(all, &one, 1) && !marks_of(all, &two, 0));
	for (uint8_t i = 0; i < 20; i++)
		marks_note(&all, &one, i, &m);
	CHECK_EQ_INT(all->count, KEEPERS_MAX);
	marks_note(&all, &two, 1, &m);
	CHECK(all->count == 1 && marks_of(all, &two, 1));
	free(all);
}

/* A snapshot from any number of writes ago, of the only keeper. */
static void test_keeper_rolled_back_by_any_number_of_writes_falls_silent(void)
{
	for (size_t back = 1; back <= 5; back++) {
		struct pair p = two_members();
		struct kit_keeper *kk = &p.t->keepers[0];
		uint64_t life;

		shot_take(kk);
		kk->wrote = shot_take;
		for (uint32_t i = 0; i < 4; i++)
			CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(i), i & 1 ? &p.a : &p.b)),
				     REG_OK);
		CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(0), &p.b)), REG_OK);
		CHECK_EQ_INT(shot_count, 6);
		roll_back(kk, back);
		CHECK(keeper_is_active(kk->k));
		CHECK(!kit_do(p.t, claim_of(9), &p.a));
		CHECK(!keeper_is_active(kk->k));
		kit_crash(kk); /* for good */
		CHECK(!keeper_is_active(kk->k));
		memset(p.t->shown, 0, sizeof(p.t->shown));
		life = p.t->answer_count;
		CHECK(kit_status(kit_do(p.t, claim_of(9), &p.a)) != REG_OK);
		CHECK(p.t->answer_count <= life + 1);
		shots_free();
		kit_free(p.t);
	}
}

static void test_keeper_killed_at_any_write_is_not_taken_for_rolled_back(void)
{
	for (size_t writes = 0; writes < 4; writes++) {
		struct pair p = two_members();
		struct kit_keeper *kk = &p.t->keepers[0];

		for (uint32_t i = 0; i < 3; i++) {
			kit_ask(p.t, claim_of(i), &p.a);
			for (size_t w = 0; w < writes; w++)
				kit_write_one(kk);
			kit_crash(kk);
			CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(i), &p.a)), REG_OK);
		}
		CHECK(keeper_is_active(kk->k));
		kit_free(p.t);
	}
}

static void test_keeper_is_not_silenced_by_an_invented_mark(void)
{
	struct pair p = two_members();
	struct kit_keeper *kk = &p.t->keepers[0];

	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(0), &p.a)), REG_OK);
	p.t->shown[0].position += 1000;
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(1), &p.a)), REG_OK);
	p.t->shown[0].starts += 1000;
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(2), &p.a)), REG_OK);
	p.t->shown[0] = (struct mark){ .starts = 99, .position = UINT64_MAX };
	mark_sign(&p.t->shown[0], &p.a, &crypto_real);
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(3), &p.a)), REG_OK);
	CHECK(keeper_is_active(kk->k));
	kit_free(p.t);
}

static void test_keeper_of_three_rolled_back_falls_silent_by_the_others_word(void)
{
	for (size_t back = 1; back <= 6; back++) {
		struct kit *t = kit_new(3);
		struct key_pair a = kit_key(1);
		struct kit_keeper *kk = &t->keepers[1];

		CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
		shot_take(kk);
		kk->wrote = shot_take;
		for (uint32_t i = 0; i < 3; i++)
			CHECK_EQ_INT(kit_status(kit_do(t, claim_of(i), &a)), REG_OK);
		CHECK(shot_count > 6);
		roll_back(kk, back);
		CHECK(keeper_is_active(kk->k));
		kit_run(t, SEC(5));
		CHECK(!keeper_is_active(kk->k));
		CHECK(keeper_is_active(t->keepers[0].k) && keeper_is_active(t->keepers[2].k));
		CHECK_EQ_INT(kit_status(kit_do(t, claim_of(5), &a)), REG_OK);
		shots_free();
		kit_free(t);
	}
}

/* It asks the others before it has heard of anybody: their promises tell it. */
static void test_keeper_rolled_back_cannot_lead_a_proposal_either(void)
{
	struct kit *t = kit_new(3);
	struct key_pair a = kit_key(1), b = kit_key(2);
	uint8_t buf[REG_OP_MAX];
	struct reg_op op = claim_of(0);
	uint64_t request;

	CHECK_EQ_INT(kit_member_add(t, &a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(t, &b, 0), REG_OK);
	shot_take(&t->keepers[1]);
	t->keepers[1].wrote = shot_take;
	CHECK_EQ_INT(kit_status(kit_do(t, claim_of(0), &a)), REG_OK);
	roll_back(&t->keepers[1], 1);
	memset(t->shown, 0, sizeof(t->shown));
	request = kit_ask_bytes(t, 1, &b.pub, buf, kit_op(t, buf, &op, &b, NULL));
	kit_run(t, SEC(6));
	CHECK(kit_status(kit_answer_of(t, request)) != REG_OK);
	CHECK(!keeper_is_active(t->keepers[1].k));
	shots_free();
	kit_free(t);
}

/* The same directory started twice: the second copy serves a while unnoticed, on its own; whoever
 * shows either of the two more than it knows ends it. */
static void test_keeper_that_lives_twice_is_ended_once_clients_meet_both(void)
{
	struct pair p = two_members();
	struct kit_keeper *kk = &p.t->keepers[0];
	struct keeper_role *first = kk->k, *second;
	struct mark of_first, of_second;

	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(0), &p.a)), REG_OK);
	kit_keeper_new(kk);
	second = kk->k;
	for (size_t i = 0; i < kk->record_count; i++)
		CHECK(keeper_restore(second, kk->records[i].key, kk->records[i].key_len,
				     kk->records[i].value, kk->records[i].len));
	keeper_started(second, p.t->now);
	kit_run(p.t, SEC(1));
	kk->k = first;
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(1), &p.a)), REG_OK);
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(2), &p.a)), REG_OK);
	of_first = p.t->shown[0];
	memset(p.t->shown, 0, sizeof(p.t->shown));
	kk->k = second;
	CHECK_EQ_INT(kit_status(kit_do(p.t, claim_of(3), &p.b)), REG_OK);
	of_second = p.t->shown[0];
	CHECK(mark_is_beyond(&of_first, &of_second));
	p.t->shown[0] = of_first;
	CHECK(!kit_do(p.t, claim_of(3), &p.b));
	CHECK(!keeper_is_active(second) && keeper_is_active(first));
	kk->k = first;
	p.t->shown[0] = of_second; /* a later start than its own */
	CHECK(!kit_do(p.t, claim_of(1), &p.a));
	CHECK(!keeper_is_active(first));
	kk->k = second;
	keeper_free(first);
	kit_free(p.t);
}

static const struct test tests[] = {
	TEST(test_mark_of_another_key_or_with_other_words_is_none),
	TEST(test_marks_are_kept_of_each_member_and_of_one_set),
	TEST(test_keeper_rolled_back_by_any_number_of_writes_falls_silent),
	TEST(test_keeper_killed_at_any_write_is_not_taken_for_rolled_back),
	TEST(test_keeper_is_not_silenced_by_an_invented_mark),
	TEST(test_keeper_of_three_rolled_back_falls_silent_by_the_others_word),
	TEST(test_keeper_rolled_back_cannot_lead_a_proposal_either),
	TEST(test_keeper_that_lives_twice_is_ended_once_clients_meet_both),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
