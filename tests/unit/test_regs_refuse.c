/* test_regs_refuse.c - every answer that three keepers can give, by its name: a table over all of
 * enum reg_status, each row with a case that leads to it. */
#include "tests/unit/regs_set.h"

static struct reg_name address(const char *text)
{
	struct ip ip;

	ip_parse(&ip, text);
	return reg_name_address(&ip);
}

static struct reg_name host(const char *text)
{
	struct reg_name name = { 0 };

	CHECK(reg_name_host(&name, text));
	return name;
}

static enum reg_status ask(struct rw_node *n, uint8_t verb, struct reg_name name)
{
	struct reg_op req = { .name = name, .verb = verb, .lease = 3600 };

	return rw_do(n, &req, NULL, NULL);
}

/* --- one case each: node 3 is a plain member, node 4 another one --- */

static enum reg_status free_address(struct rw_world *w)
{
	return ask(&w->node[3], OP_CLAIM, address("10.7.1.1"));
}

static enum reg_status of_another(struct rw_world *w)
{
	CHECK_EQ_INT(ask(&w->node[4], OP_CLAIM, address("10.7.1.1")), REG_OK);
	return ask(&w->node[3], OP_CLAIM, address("10.7.1.1"));
}

static enum reg_status renewal_of_anothers(struct rw_world *w)
{
	CHECK_EQ_INT(ask(&w->node[4], OP_CLAIM, host("db")), REG_OK);
	return ask(&w->node[3], OP_RENEW, host("db"));
}

static enum reg_status reserved_name(struct rw_world *w)
{
	return ask(&w->node[3], OP_CLAIM, host("localhost"));
}

static enum reg_status lowest_address(struct rw_world *w)
{
	return ask(&w->node[3], OP_CLAIM, address("10.7.0.1"));
}

static enum reg_status outside_the_subnet(struct rw_world *w)
{
	return ask(&w->node[3], OP_CLAIM, address("10.8.0.9"));
}

static enum reg_status without_the_right(struct rw_world *w)
{
	struct reg_op req = { .name = reg_name_key(REG_MEMBER, w->node[4].key.pub.b, KEY_LEN),
			      .verb = OP_MEMBER_REVOKE };

	return rw_do(&w->node[3], &req, NULL, NULL);
}

static enum reg_status by_a_key_that_is_no_member(struct rw_world *w)
{
	struct reg_op req = { .name = address("10.7.1.1"), .verb = OP_CLAIM };
	uint8_t seed[SEED_LEN] = { 200 };
	struct key_pair stranger;

	while (!key_from_seed(&stranger, seed))
		seed[1]++;
	return rw_do(&w->node[3], &req, &stranger, NULL);
}

static enum reg_status of_a_keeper(struct rw_world *w)
{
	return rw_revoke(w, &w->node[1].key.pub);
}

static enum reg_status above_the_quota(struct rw_world *w)
{
	for (int i = 0; i < 4; i++) {
		char text[16];

		snprintf(text, sizeof(text), "10.7.1.%d", i + 1);
		CHECK_EQ_INT(ask(&w->node[3], OP_CLAIM, address(text)), REG_OK);
	}
	return ask(&w->node[3], OP_CLAIM, address("10.7.1.9"));
}

static enum reg_status below_the_last_number(struct rw_world *w)
{
	struct reg_op req = { .name = address("10.7.1.1"), .verb = OP_CLAIM, .lease = 3600 };
	struct rw_node *n = &w->node[3];
	uint8_t old[REG_OP_MAX];
	int len = regs_sign(n->regs, &req, old, w->now);

	CHECK(len > 0);
	CHECK_EQ_INT(ask(n, OP_CLAIM, address("10.7.1.1")), REG_OK);
	CHECK_EQ_INT(regs_submit_signed(n->regs, 99, old, (size_t)len, w->now), 0);
	rw_run(w, SEC(6));
	return rw_find(n, REGS_RESULT, 99)->e.status;
}

static enum reg_status of_another_generation(struct rw_world *w)
{
	struct reg_op req = { .name = address("10.7.1.1"), .verb = OP_RENEW, .generation = 77 };

	CHECK_EQ_INT(ask(&w->node[3], OP_CLAIM, req.name), REG_OK);
	return rw_do(&w->node[3], &req, NULL, NULL);
}

static enum reg_status past_its_deadline(struct rw_world *w)
{
	struct reg_op req = { .name = address("10.7.1.1"), .verb = OP_CLAIM,
			      .deadline = wall_seconds(&w->wall, w->now) - 1 };

	return rw_do(&w->node[3], &req, NULL, NULL);
}

static enum reg_status with_an_expired_token(struct rw_world *w)
{
	struct rw_node *n;

	CHECK_EQ_INT(rw_token(w, 2, 9, 30), REG_OK);
	rw_run(w, SEC(60));
	n = rw_add(w);
	rw_trust(n);
	return rw_enrol(n, 2, "eve");
}

static enum reg_status by_a_revoked_member(struct rw_world *w)
{
	CHECK_EQ_INT(rw_revoke(w, &w->node[3].key.pub), REG_OK);
	return ask(&w->node[3], OP_CLAIM, address("10.7.1.1"));
}

static enum reg_status with_a_revoked_token(struct rw_world *w)
{
	static const uint8_t only_it[] = { 0 };
	struct reg_op req = { .name = rw_token_name(1), .verb = OP_TOKEN_REVOKE,
			      .payload = only_it, .payload_len = 1 };
	struct rw_node *n = rw_add(w);

	CHECK_EQ_INT(rw_do(&w->node[0], &req, &w->root, NULL), REG_OK);
	rw_trust(n);
	return rw_enrol(n, 1, "eve");
}

static enum reg_status with_a_used_up_token(struct rw_world *w)
{
	struct rw_node *n;

	CHECK_EQ_INT(rw_token(w, 2, 1, 3600), REG_OK);
	rw_join(w, 2, "first");
	n = rw_add(w);
	rw_trust(n);
	return rw_enrol(n, 2, "second");
}

static enum reg_status release_of_what_is_free(struct rw_world *w)
{
	return ask(&w->node[3], OP_RELEASE, address("10.7.1.1"));
}

static enum reg_status with_an_unknown_token(struct rw_world *w)
{
	struct rw_node *n = rw_add(w);

	rw_trust(n);
	return rw_enrol(n, 9, "eve");
}

static enum reg_status with_one_of_three_left(struct rw_world *w)
{
	w->node[1].cut = w->node[2].cut = true;
	return ask(&w->node[3], OP_CLAIM, address("10.7.1.1"));
}

static enum reg_status faster_than_allowed(struct rw_world *w)
{
	struct reg_op req = { .verb = OP_READ };

	for (uint32_t i = 0; i < 150; i++) { /* 40 at each keeper */
		struct ip ip = ip_v4(0x0a070200u + i);

		req.name = reg_name_address(&ip);
		CHECK_EQ_INT(regs_submit(w->node[3].regs, 500 + i, &req, NULL, w->now), 0);
	}
	rw_run(w, SEC(6));
	for (uint32_t i = 0; i < 150; i++) {
		const struct rw_event *e = rw_find(&w->node[3], REGS_RESULT, 500 + i);

		if (e && e->e.status == REG_BUSY)
			return REG_BUSY;
	}
	return REG_OK;
}

static enum reg_status with_a_payload_that_does_not_read(struct rw_world *w)
{
	struct reg_op req = { .name = address("10.7.1.1"), .verb = OP_CLAIM,
			      .payload = (const uint8_t *)"nonsense", .payload_len = 8 };

	return rw_do(&w->node[3], &req, NULL, NULL);
}

static uint8_t told;

static bool listen(struct rw_world *w, struct rw_message *m)
{
	struct regmsg r;

	(void)w;
	if (m->service == REGS_SERVICE_REGISTER && m->from == 4 && regmsg_read(&r, m->b, m->len) &&
	    r.type == REGMSG_RESULT && r.config_len)
		told = r.status;
	return true;
}

/* An operation that is sent to somebody who is no keeper; it comes with the keeper set. */
static enum reg_status of_no_keeper(struct rw_world *w)
{
	struct regmsg m = { .type = REGMSG_OPERATION, .request = 5 };
	struct reg_op op = { .name = address("10.7.1.1"), .verb = OP_CLAIM };
	uint8_t bytes[REG_OP_MAX], msg[REGMSG_MAX];
	size_t n;

	m.len = (size_t)regs_sign(w->node[3].regs, &op, bytes, w->now);
	m.bytes = bytes;
	nsid_of(m.nsid, &w->root.pub);
	n = regmsg_write(msg, sizeof(msg), &m);
	told = 0;
	w->hook = listen;
	rw_post(w, 3, 4, REGS_SERVICE_REGISTER, msg, n);
	rw_run(w, SEC(1));
	return (enum reg_status)told;
}

static enum reg_status token_of_group(struct rw_world *w, uint8_t which, char first, uint8_t count)
{
	struct token_payload p = { .uses = 9, .expires = wall_seconds(&w->wall, w->now) + 3600 };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct reg_op req = { .name = rw_token_name(which), .verb = OP_TOKEN_CREATE };

	p.groups.count = count;
	for (uint8_t i = 0; i < count; i++)
		p.groups.name[i][0] = (char)(first + i);
	wr_token_payload(&out, &p);
	req.payload = payload;
	req.payload_len = wr_len(&out);
	return rw_do(&w->node[0], &req, &w->root, NULL);
}

static enum reg_status into_too_many_groups(struct rw_world *w)
{
	CHECK_EQ_INT(token_of_group(w, 2, 'a', 8), REG_OK);
	CHECK_EQ_INT(token_of_group(w, 3, 'k', 1), REG_OK);
	CHECK_EQ_INT(rw_enrol(&w->node[3], 2, "ada"), REG_OK);
	return rw_enrol(&w->node[3], 3, "ada");
}

static enum reg_status of_an_older_start(struct rw_world *w)
{
	struct rw_node *n = &w->node[3];
	struct reg_op req = { .name = reg_name_key(REG_START, n->key.pub.b, KEY_LEN),
			      .verb = OP_START };
	struct start_payload p = { .counter = 7 };
	enum reg_status status = REG_OK;

	for (int i = 0; i < 2; i++, p.counter--) {
		uint8_t payload[64];
		struct wr out = wr_of(payload, sizeof(payload));

		CHECK_EQ_INT(status, REG_OK);
		wr_start_payload(&out, &p);
		req.payload = payload;
		req.payload_len = wr_len(&out);
		status = rw_do(n, &req, NULL, NULL);
	}
	return status;
}

static const struct {
	enum reg_status status;
	enum reg_status (*run)(struct rw_world *w);
} rows[] = {
	{ REG_OK, free_address },
	{ REG_OWNED, of_another },
	{ REG_OWNED, renewal_of_anothers },
	{ REG_REFUSED, reserved_name },
	{ REG_REFUSED, lowest_address },
	{ REG_REFUSED, outside_the_subnet },
	{ REG_REFUSED, without_the_right },
	{ REG_REFUSED, by_a_key_that_is_no_member },
	{ REG_REFUSED, of_a_keeper },
	{ REG_QUOTA, above_the_quota },
	{ REG_OLD, below_the_last_number },
	{ REG_OLD, of_another_generation },
	{ REG_EXPIRED, past_its_deadline },
	{ REG_EXPIRED, with_an_expired_token },
	{ REG_REVOKED, by_a_revoked_member },
	{ REG_REVOKED, with_a_revoked_token },
	{ REG_USED_UP, with_a_used_up_token },
	{ REG_UNKNOWN, release_of_what_is_free },
	{ REG_UNKNOWN, with_an_unknown_token },
	{ REG_NO_QUORUM, with_one_of_three_left },
	{ REG_BUSY, faster_than_allowed },
	{ REG_MALFORMED, with_a_payload_that_does_not_read },
	{ REG_OTHER_EPOCH, of_no_keeper },
	{ REG_FULL, into_too_many_groups },
	{ REG_SUPERSEDED, of_an_older_start },
};

static void test_refusals_of_three_keepers_are_told_by_name(void)
{
	bool covered[REG_STATUS_COUNT] = { false };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rw_world *w = rw_new_set(20 + i, 3);
		enum reg_status status;

		rw_join(w, 1, "ada");
		rw_join(w, 1, "bob");
		status = rows[i].run(w);
		if (status != rows[i].status)
			printf("# row %zu: %s instead of %s\n", i, reg_status_text(status),
			       reg_status_text(rows[i].status));
		CHECK_EQ_INT(status, rows[i].status);
		covered[rows[i].status] = true;
		rw_free(w);
	}
	for (size_t i = 0; i < REG_STATUS_COUNT; i++)
		CHECK(covered[i]);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_refusals_of_three_keepers_are_told_by_name),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
