/* regs_people.h - what an administrator and a joiner do in the world of regs_world.h. */
#ifndef TESTS_UNIT_REGS_PEOPLE_H
#define TESTS_UNIT_REGS_PEOPLE_H

#include "tests/unit/regs_world.h"

static inline bool rw_create(struct rw_world *w)
{
	struct rw_node *n = &w->node[0];
	const struct rw_event *e;

	CHECK_EQ_INT(regs_create(n->regs, &w->root, &w->settings, "creator", w->now), 0);
	rw_run(w, SEC(2));
	e = rw_find(n, REGS_ENROLLED, 0);
	return e && e->e.status == REG_OK && regs_is_keeper(n->regs);
}

static inline enum reg_status rw_do(struct rw_node *n, const struct reg_op *req,
				    const struct key_pair *admin, struct grant *g)
{
	static uint64_t last;
	uint64_t op = ++last;
	const struct rw_event *e;
	int rc = regs_submit(n->regs, op, req, admin, n->w->now);

	CHECK_EQ_INT(rc, 0);
	rw_run(n->w, SEC(6));
	e = rw_find(n, REGS_RESULT, op);
	CHECK(e);
	if (!e)
		return REG_STATUS_COUNT;
	if (g && e->e.len)
		CHECK(grant_read(g, e->grant, e->e.len));
	return e->e.status;
}

static inline void rw_token_seed(uint8_t seed[SEED_LEN], uint8_t which)
{
	struct key_pair k;

	memset(seed, 0, SEED_LEN);
	seed[0] = which;
	seed[2] = 0x77;
	while (!key_from_seed(&k, seed))
		seed[1]++;
}

static inline struct reg_name rw_token_name(uint8_t which)
{
	uint8_t seed[SEED_LEN], id[32];
	struct key_pair k;

	rw_token_seed(seed, which);
	key_from_seed(&k, seed);
	token_id(id, &k.pub);
	return reg_name_key(REG_TOKEN, id, sizeof(id));
}

static inline enum reg_status rw_token(struct rw_world *w, uint8_t which, uint16_t uses,
				       uint64_t seconds)
{
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct token_payload p = { .uses = uses,
				   .expires = wall_seconds(&w->wall, w->now) + seconds };
	struct reg_op req = { .name = rw_token_name(which), .verb = OP_TOKEN_CREATE };

	wr_token_payload(&out, &p);
	req.payload = payload;
	req.payload_len = wr_len(&out);
	return rw_do(&w->node[0], &req, &w->root, NULL);
}

static inline void rw_trust(struct rw_node *n)
{
	const struct config *cf = regs_keepers(n->w->node[0].regs);
	struct checkpoint cp = { .era = cf->era, .epoch = cf->epoch };

	memcpy(cp.hash, cf->hash, sizeof(cp.hash));
	regs_trust(n->regs, &cp, &n->w->node[0].key.pub, 1);
}

/* The status that the joiner is told, REG_STATUS_COUNT when it is told nothing. */
static inline enum reg_status rw_enrol(struct rw_node *n, uint8_t token, const char *host)
{
	uint8_t seed[SEED_LEN];
	const struct rw_event *e;

	rw_token_seed(seed, token);
	CHECK_EQ_INT(regs_enrol(n->regs, 77, seed, host, n->w->now), 0);
	rw_run(n->w, SEC(6));
	e = rw_find(n, REGS_ENROLLED, 77);
	return e ? e->e.status : REG_STATUS_COUNT;
}

static inline struct rw_node *rw_join(struct rw_world *w, uint8_t token, const char *host)
{
	struct rw_node *n = rw_add(w);

	rw_trust(n);
	CHECK_EQ_INT(rw_enrol(n, token, host), REG_OK);
	rw_attach(n, &w->node[0]);
	rw_run(w, SEC(1));
	return n;
}

/* Who may own more than four addresses. */
static inline struct rw_node *rw_join_router(struct rw_world *w)
{
	struct rw_node *n = rw_join(w, 1, "ada");
	struct member_payload p = { .rights = RIGHT_ROUTER };
	uint8_t payload[REG_PAYLOAD_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct reg_op req = { .name = reg_name_key(REG_MEMBER, n->key.pub.b, KEY_LEN),
			      .verb = OP_MEMBER_SET };

	wr_member_payload(&out, &p);
	req.payload = payload;
	req.payload_len = wr_len(&out);
	CHECK_EQ_INT(rw_do(&w->node[0], &req, &w->root, NULL), REG_OK);
	return n;
}

static inline enum reg_status rw_revoke(struct rw_world *w, const struct pubkey *who)
{
	struct reg_op req = { .name = reg_name_key(REG_MEMBER, who->b, KEY_LEN),
			      .verb = OP_MEMBER_REVOKE };

	return rw_do(&w->node[0], &req, &w->root, NULL);
}

#endif
