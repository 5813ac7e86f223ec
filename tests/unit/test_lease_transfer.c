/* test_lease_transfer.c - an address goes from one member to another: never two use it, and in the
 * end one does, whatever is lost, doubled, crashes or races. */
#include "tests/unit/regs_people.h"

#define IP "10.7.1.1"

static struct reg_name address(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return reg_name_address(&ip);
}

static bool info_of(const struct rw_node *n, const char *text, struct lease_info *out)
{
	struct reg_name name = address(text);
	size_t at = 0;

	while (n->leases && leases_next(n->leases, &at, out, n->w->now))
		if (reg_name_equal(&out->name, &name))
			return true;
	return false;
}

static bool uses(const struct rw_node *n)
{
	struct lease_info li;

	return !n->dead && info_of(n, IP, &li) && li.left &&
	       (li.state == LEASE_HELD || li.state == LEASE_RENEWING || li.state == LEASE_AT_RISK);
}

/* Runs in small steps: at no moment may both use it. */
static void run(struct rw_world *w, usec_t t)
{
	usec_t end = w->now + t;

	while (w->now < end) {
		rw_run(w, MSEC(w->now + t < end + SEC(2) ? 1 : 20));
		CHECK(!(uses(&w->node[1]) && uses(&w->node[2])));
	}
}

static size_t lease_events(const struct rw_node *n, enum lease_event_type type)
{
	size_t count = 0;

	for (size_t i = 0; i < n->lease_event_count; i++)
		count += n->lease_events[i].type == type;
	return count;
}

/* Node 1 holds the address, node 2 is the heir. */
static struct rw_world *with_two(uint64_t seed)
{
	struct rw_world *w = rw_new(seed);
	struct ip ip;

	CHECK(rw_create(w));
	CHECK_EQ_INT(rw_token(w, 1, 9, 3600), REG_OK);
	rw_join(w, 1, "ada");
	rw_join(w, 1, "bob");
	ip_parse(&ip, IP);
	CHECK_EQ_INT(leases_add_address(w->node[1].leases, &ip, w->now), 0);
	rw_run(w, SEC(2));
	CHECK(uses(&w->node[1]));
	w->node[1].lease_event_count = w->node[2].lease_event_count = 0;
	return w;
}

static int hand(struct rw_world *w, uint32_t seconds)
{
	struct reg_name name = address(IP);

	return leases_transfer(w->node[1].leases, &name, &w->node[2].key.pub, seconds, w->now);
}

static bool seen_in_use, seen_not_durable, seen;

static bool at_handover(struct rw_world *w, struct rw_message *m)
{
	if (m->service != REGS_SERVICE_REGISTER || m->b[0] != 14)
		return true;
	seen = true;
	seen_in_use |= uses(&w->node[1]);
	for (size_t i = 0; i < w->node[1].disk_count; i++)
		if (w->node[1].disk[i].key[0] == LEASE_KEY)
			seen_not_durable |= !(w->node[1].disk[i].value[2] & 2);
	return true;
}

static void test_transfer_makes_the_heir_the_owner(void)
{
	struct rw_world *w = with_two(1);
	struct lease_info before, after;
	usec_t begun;

	CHECK(info_of(&w->node[1], IP, &before));
	seen = seen_in_use = seen_not_durable = false;
	w->hook = at_handover;
	begun = w->now;
	CHECK_EQ_INT(hand(w, 20), 0);
	CHECK(!uses(&w->node[1])); /* at once */
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_GONE), 1);
	run(w, SEC(2));
	CHECK(seen && !seen_in_use && !seen_not_durable);
	CHECK(uses(&w->node[2]) && info_of(&w->node[2], IP, &after));
	CHECK_EQ_INT(after.generation, before.generation + 1);
	CHECK(after.left <= SEC(w->settings.lease) - (w->now - begun) + SEC(2));
	CHECK(!info_of(&w->node[1], IP, &after));
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_HANDED), 1);
	CHECK_EQ_INT(lease_events(&w->node[2], LEASE_GAINED), 1);
	for (size_t i = 0; i < w->node[1].disk_count; i++)
		CHECK(w->node[1].disk[i].key[0] != LEASE_KEY);
	run(w, SEC(60)); /* and it stays so */
	CHECK(uses(&w->node[2]));
	rw_free(w);
}

static void test_transfer_of_what_is_not_held_is_refused(void)
{
	struct rw_world *w = with_two(2);
	struct reg_name name = address(IP), other = address("10.7.9.9");
	struct leases *l = w->node[1].leases;
	struct pubkey heir = w->node[2].key.pub;

	CHECK_EQ_INT(leases_transfer(l, &other, &heir, 20, w->now), -ENOENT);
	CHECK_EQ_INT(leases_transfer(l, &name, &w->node[1].key.pub, 20, w->now), -EINVAL);
	CHECK_EQ_INT(leases_transfer(l, &name, &heir, 0, w->now), -EINVAL);
	CHECK_EQ_INT(leases_transfer(l, &name, &heir, TRANSFER_SECONDS_MAX + 1, w->now), -EINVAL);
	CHECK_EQ_INT(leases_take_back(l, &name, w->now), -ENOENT);
	CHECK(uses(&w->node[1]));
	CHECK_EQ_INT(leases_transfer(l, &name, &heir, 20, w->now), 0);
	CHECK_EQ_INT(leases_transfer(l, &name, &heir, 20, w->now), -ENOENT);
	rw_free(w);
}

static void test_transfer_to_an_heir_without_room_comes_back(void)
{
	struct rw_world *w = with_two(3);
	struct ip ip;

	for (uint32_t i = 0; i < 4; i++) {
		ip = ip_v4(0x0a070200u + i);
		CHECK_EQ_INT(leases_add_address(w->node[2].leases, &ip, w->now), 0);
	}
	run(w, SEC(2));
	CHECK_EQ_INT(lease_events(&w->node[2], LEASE_GAINED), 4);
	CHECK_EQ_INT(hand(w, 20), 0);
	run(w, SEC(2));
	CHECK(uses(&w->node[1]) && !uses(&w->node[2]));
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_FAILED), 1);
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_GAINED), 1);
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_HANDED), 0);
	rw_free(w);
}

static void test_transfer_past_its_deadline_is_void(void)
{
	struct rw_world *w = with_two(4);

	w->node[2].cut = true;
	CHECK_EQ_INT(hand(w, 10), 0);
	run(w, SEC(9));
	CHECK(!uses(&w->node[1]));
	run(w, SEC(15));
	CHECK(uses(&w->node[1])); /* renewed by then */
	w->node[2].cut = false;
	run(w, SEC(30));
	CHECK(uses(&w->node[1]) && !uses(&w->node[2]));
	rw_free(w);
}

static uint8_t kept[REG_OP_MAX];
static size_t kept_len;
static uint64_t kept_number;

static bool keep_handover(struct rw_world *w, struct rw_message *m)
{
	struct rd r = rd_of(m->b, m->len), op;

	(void)w;
	if (m->service != REGS_SERVICE_REGISTER || m->b[0] != 14)
		return true;
	rd_bytes(&r, 1 + NSID_LEN);
	kept_number = rd_u64(&r);
	op = rd_block(&r, sizeof(kept));
	kept_len = rd_left(&op);
	memcpy(kept, op.p, kept_len);
	return false;
}

/* The signed operation lies in somebody's hands; the owner's renewal makes it worthless. */
static void test_transfer_is_refused_by_keepers_after_a_later_renewal(void)
{
	struct rw_world *w = with_two(5);
	struct reg_name name = address(IP);
	const struct rw_event *e;

	kept_len = 0;
	w->hook = keep_handover;
	CHECK_EQ_INT(hand(w, TRANSFER_SECONDS_MAX), 0);
	run(w, SEC(1));
	CHECK(kept_len > 0);
	CHECK_EQ_INT(leases_take_back(w->node[1].leases, &name, w->now), 0);
	CHECK(!uses(&w->node[1])); /* not before it is committed */
	run(w, SEC(1));
	CHECK(uses(&w->node[1]));
	w->hook = NULL;
	CHECK_EQ_INT(regs_submit_signed(w->node[2].regs, 9, kept, kept_len, w->now), 0);
	run(w, SEC(2));
	e = rw_find(&w->node[2], REGS_RESULT, 9);
	CHECK(e && e->e.status == REG_OLD);
	run(w, SEC(20));
	CHECK(uses(&w->node[1]) && !uses(&w->node[2]));
	rw_free(w);
}

static void test_transfer_taken_back_too_late_is_gone(void)
{
	struct rw_world *w = with_two(6);
	struct reg_name name = address(IP);

	kept_len = 0;
	w->hook = keep_handover; /* the owner's heir is told by another way */
	CHECK_EQ_INT(hand(w, TRANSFER_SECONDS_MAX), 0);
	run(w, SEC(1));
	CHECK_EQ_INT(regs_submit_signed(w->node[2].regs, 9, kept, kept_len, w->now), 0);
	run(w, SEC(1));
	CHECK_EQ_INT(rw_find(&w->node[2], REGS_RESULT, 9)->e.status, REG_OK);
	CHECK_EQ_INT(leases_take_back(w->node[1].leases, &name, w->now), 0);
	run(w, SEC(1));
	CHECK(!uses(&w->node[1]));
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_HANDED), 1);
	rw_free(w);
}

/* Both in every order: in the end exactly one uses it. */
static void test_transfer_races_with_taking_back(void)
{
	size_t stayed = 0, went = 0;

	for (uint64_t seed = 0; seed < 40; seed++) {
		struct rw_world *w = with_two(100 + seed);
		struct reg_name name = address(IP);

		w->loss = seed % 2 ? 15 : 0;
		w->doubled = 20;
		CHECK_EQ_INT(hand(w, 20), 0);
		run(w, MSEC(3 * seed));
		leases_take_back(w->node[1].leases, &name, w->now);
		run(w, SEC(25));
		w->loss = 0;
		run(w, SEC(20));
		stayed += uses(&w->node[1]);
		went += uses(&w->node[2]);
		CHECK(uses(&w->node[1]) != uses(&w->node[2]));
		rw_free(w);
	}
	CHECK(stayed > 4 && went > 4);
}

static void test_transfer_survives_lost_and_doubled_messages(void)
{
	size_t went = 0;

	for (uint64_t seed = 0; seed < 30; seed++) {
		struct rw_world *w = with_two(200 + seed);

		w->loss = 35;
		w->doubled = 30;
		CHECK_EQ_INT(hand(w, 20), 0);
		run(w, SEC(45));
		w->loss = 0;
		run(w, SEC(45));
		CHECK(uses(&w->node[1]) != uses(&w->node[2]));
		went += uses(&w->node[2]);
		rw_free(w);
	}
	CHECK(went > 20);
}

/* One of the two dies at every write it makes, with or without that write on disk. */
static void crash_at(size_t who, size_t write, bool flushed, bool same_machine, bool *died)
{
	struct rw_world *w = with_two(300 + write);
	struct rw_node *n = &w->node[who];

	n->writes_left = write;
	CHECK_EQ_INT(hand(w, 20), 0);
	run(w, MSEC(700));
	*died = n->dead;
	n->same_machine = same_machine;
	rw_restart(n, flushed);
	run(w, SEC(60));
	CHECK(uses(&w->node[1]) != uses(&w->node[2]));
	rw_free(w);
}

static void test_transfer_survives_a_crash_at_every_write(void)
{
	for (size_t who = 1; who <= 2; who++) {
		bool died = true;
		size_t deaths = 0;

		for (size_t write = 0; write < 12 && died; write++) {
			for (int k = 0; k < 4; k++)
				crash_at(who, write, k & 1, k & 2, &died);
			deaths += died;
		}
		CHECK(deaths >= 2);
	}
}

static void test_transfer_from_somebody_else_than_its_signer_is_ignored(void)
{
	struct rw_world *w = with_two(7);
	struct handover h = { .done = false };

	kept_len = 0;
	w->hook = keep_handover;
	CHECK_EQ_INT(hand(w, TRANSFER_SECONDS_MAX), 0);
	run(w, SEC(1));
	h.peer = w->node[0].key.pub; /* brings it, but did not sign it */
	h.number = kept_number;
	h.bytes = kept;
	h.len = kept_len;
	leases_handover(w->node[2].leases, &h, w->now);
	h.peer = w->node[1].key.pub;
	h.number++;
	leases_handover(w->node[2].leases, &h, w->now);
	h.number--;
	h.len--;
	leases_handover(w->node[2].leases, &h, w->now);
	run(w, SEC(2));
	CHECK(!uses(&w->node[2]));
	h.len++;
	leases_handover(w->node[2].leases, &h, w->now);
	run(w, SEC(2));
	CHECK(uses(&w->node[2]));
	rw_free(w);
}

/* "It is mine now" without a grant that says so, or from somebody else, ends nothing. */
static void test_transfer_is_not_over_without_proof(void)
{
	struct rw_world *w = with_two(8);
	struct rw_node *heir = &w->node[2];
	struct handover h = { .done = true, .status = REG_OK };
	uint8_t nothing[4] = { 0 };
	struct lease_info li;
	struct ip ip;

	kept_len = 0;
	w->hook = keep_handover;
	CHECK_EQ_INT(hand(w, TRANSFER_SECONDS_MAX), 0);
	run(w, SEC(1));
	h.peer = w->node[1].key.pub;
	h.number = kept_number;
	h.bytes = nothing;
	regs_hand(heir->regs, &h, w->now);
	h.len = sizeof(nothing);
	regs_hand(heir->regs, &h, w->now);
	h.len = regs_membership(heir->regs, &h.bytes); /* a grant, of something else */
	regs_hand(heir->regs, &h, w->now);
	ip_parse(&ip, "10.7.3.3");
	CHECK_EQ_INT(leases_add_address(heir->leases, &ip, w->now), 0);
	run(w, SEC(1));
	CHECK(info_of(heir, "10.7.3.3", &li) && li.grant_len);
	h.bytes = li.grant; /* another address of its own */
	h.len = li.grant_len;
	regs_hand(heir->regs, &h, w->now);
	run(w, SEC(1));
	h.status = REG_QUOTA;
	h.len = 0;
	regs_hand(w->node[0].regs, &h, w->now); /* a refusal from a stranger to it */
	run(w, SEC(1));
	CHECK(info_of(&w->node[1], IP, &li) && li.state == LEASE_HANDING);
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_HANDED), 0);
	CHECK_EQ_INT(lease_events(&w->node[1], LEASE_FAILED), 0);
	rw_free(w);
}

static void test_transfer_released_meanwhile_is_nobodys(void)
{
	struct rw_world *w = with_two(9);
	struct reg_name name = address(IP);
	struct lease_info li;

	w->hook = keep_handover;
	CHECK_EQ_INT(hand(w, TRANSFER_SECONDS_MAX), 0);
	run(w, SEC(1));
	leases_release(w->node[1].leases, &name, w->now);
	run(w, SEC(2));
	CHECK(!info_of(&w->node[1], IP, &li));
	CHECK_EQ_INT(regs_submit_signed(w->node[2].regs, 9, kept, kept_len, w->now), 0);
	run(w, SEC(2));
	CHECK(rw_find(&w->node[2], REGS_RESULT, 9)->e.status != REG_OK);
	rw_free(w);
}

static uint8_t old_release[REG_OP_MAX];

/* What the heir asked for when it was the owner before must not undo what it was given since; its
 * own release, without a renewal before it, must. */
static void test_transfer_stands_against_a_late_release_of_an_earlier_ownership(void)
{
	struct rw_world *w = with_two(10);
	struct reg_op req = { .name = address(IP), .verb = OP_RELEASE };
	struct rw_node *a = &w->node[1], *b = &w->node[2];
	struct reg_name name;
	struct reg_value v;
	int len;

	CHECK_EQ_INT(hand(w, 20), 0);
	run(w, SEC(2));
	len = regs_sign(b->regs, &req, old_release, w->now);
	CHECK(len > 0 && uses(b));
	CHECK_EQ_INT(leases_transfer(b->leases, &req.name, &a->key.pub, 20, w->now), 0);
	run(w, SEC(2));
	CHECK(uses(a));
	CHECK_EQ_INT(hand(w, 20), 0);
	run(w, MSEC(150)); /* given, and nothing done with it yet */
	CHECK_EQ_INT(regs_submit_signed(a->regs, 9, old_release, (size_t)len, w->now), 0);
	run(w, SEC(2));
	CHECK_EQ_INT(rw_find(a, REGS_RESULT, 9)->e.status, REG_OLD);
	CHECK(uses(b));
	leases_release(b->leases, &req.name, w->now);
	run(w, SEC(2));
	for (size_t at = 0; regs_next(w->node[0].regs, &at, &name, &v);)
		if (reg_name_equal(&name, &req.name))
			CHECK_EQ_INT(v.state, REG_RELEASED);
	rw_free(w);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_transfer_makes_the_heir_the_owner),
		TEST(test_transfer_of_what_is_not_held_is_refused),
		TEST(test_transfer_to_an_heir_without_room_comes_back),
		TEST(test_transfer_past_its_deadline_is_void),
		TEST(test_transfer_is_refused_by_keepers_after_a_later_renewal),
		TEST(test_transfer_taken_back_too_late_is_gone),
		TEST(test_transfer_races_with_taking_back),
		TEST(test_transfer_survives_lost_and_doubled_messages),
		TEST(test_transfer_survives_a_crash_at_every_write),
		TEST(test_transfer_from_somebody_else_than_its_signer_is_ignored),
		TEST(test_transfer_is_not_over_without_proof),
		TEST(test_transfer_released_meanwhile_is_nobodys),
		TEST(test_transfer_stands_against_a_late_release_of_an_earlier_ownership),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
