/* keeper_ops.h - operations on the keepers of keeper_kit.h, made easy: ask, run, look at the
 * answer. */
#ifndef TESTS_UNIT_KEEPER_OPS_H
#define TESTS_UNIT_KEEPER_OPS_H

#include "tests/unit/keeper_kit.h"

/* Only the public key, good until the eighth call from now. */
static inline const struct pubkey *kit_pub(uint32_t n)
{
	static struct pubkey kept[8];
	static size_t next;

	next = (next + 1) % ARRAY_LEN(kept);
	kept[next] = kit_key(n).pub;
	return &kept[next];
}

/* An operation as a client would make it; number 0 = the next. */
static inline size_t kit_op(struct kit *t, uint8_t out[REG_OP_MAX], struct reg_op *op,
			    const struct key_pair *signer, const struct key_pair *second)
{
	nsid_of(op->nsid, &t->root.pub);
	if (!op->number)
		op->number = ++t->number;
	return reg_op_write(out, REG_OP_MAX, op, &crypto_real, signer, second);
}

static inline uint64_t kit_ask_bytes(struct kit *t, size_t keeper, const struct pubkey *from,
				     const uint8_t *op, size_t len)
{
	uint8_t msg[REGMSG_MAX];
	struct regmsg m = { .type = REGMSG_OPERATION, .request = ++t->request, .bytes = op,
			    .len = len, .echo = t->shown[keeper] };

	nsid_of(m.nsid, &t->root.pub);
	keeper_input(t->keepers[keeper].k, from, msg, regmsg_write(msg, sizeof(msg), &m), t->now);
	return t->request;
}

static inline uint64_t kit_ask(struct kit *t, struct reg_op op, const struct key_pair *signer)
{
	uint8_t buf[REG_OP_MAX];
	size_t len = kit_op(t, buf, &op, signer, NULL);

	CHECK(len > 0);
	return kit_ask_bytes(t, 0, &signer->pub, buf, len);
}

static inline struct kit_answer *kit_answer_of(struct kit *t, uint64_t request)
{
	for (size_t i = 0; i < t->answer_count && i < KIT_ANSWERS; i++)
		if (t->answers[i].request == request)
			return &t->answers[i];
	return NULL;
}

/* Asks keeper 0 and waits. The answer, or NULL. */
static inline struct kit_answer *kit_do(struct kit *t, struct reg_op op,
					const struct key_pair *signer)
{
	uint64_t request = kit_ask(t, op, signer);

	kit_run(t, SEC(16));
	return kit_answer_of(t, request);
}

static inline enum reg_status kit_status(const struct kit_answer *a)
{
	return a ? a->status : REG_STATUS_COUNT;
}

#define KIT_DO(t, signer, ...) kit_status(kit_do(t, (struct reg_op){ __VA_ARGS__ }, signer))

static inline struct reg_name kit_address(const char *text)
{
	struct ip ip;

	CHECK(ip_parse(&ip, text));
	return reg_name_address(&ip);
}

static inline struct reg_name kit_host(const char *text)
{
	struct reg_name n;

	CHECK(reg_name_host(&n, text));
	return n;
}

static inline struct reg_name kit_member_name(const struct key_pair *k)
{
	return reg_name_key(REG_MEMBER, k->pub.b, KEY_LEN);
}

/* The root makes this key a member with these rights, at this very keeper. */
static inline enum reg_status kit_member_add(struct kit *t, const struct key_pair *k,
					     uint32_t rights)
{
	struct member_payload m = { .rights = rights };
	uint8_t payload[300], buf[REG_OP_MAX];
	struct wr w = wr_of(payload, sizeof(payload));
	struct reg_op op = { .verb = OP_MEMBER_SET, .name = kit_member_name(k) };

	wr_member_payload(&w, &m);
	op.payload = payload;
	op.payload_len = wr_len(&w);
	CHECK_EQ_INT(keeper_submit_local(t->keepers[0].k, ++t->request, buf,
					 kit_op(t, buf, &op, &t->root, NULL), t->now), 0);
	kit_run(t, SEC(6));
	return kit_status(kit_answer_of(t, t->request));
}

static inline struct reg_name kit_token_name(const struct key_pair *token)
{
	uint8_t id[32];

	token_id(id, &token->pub);
	return reg_name_key(REG_TOKEN, id, sizeof(id));
}

static inline enum reg_status kit_token_add(struct kit *t, const struct key_pair *token,
					    uint16_t uses)
{
	struct token_payload p = { .uses = uses, .expires = KIT_WALL + 3600,
				   .groups = { 1, { "servers" } } };
	uint8_t payload[400];
	struct wr w = wr_of(payload, sizeof(payload));

	wr_token_payload(&w, &p);
	return KIT_DO(t, &t->root, .verb = OP_TOKEN_CREATE, .name = kit_token_name(token),
		      .payload = payload, .payload_len = wr_len(&w));
}

static inline uint64_t kit_enrol_ask(struct kit *t, const struct key_pair *node,
				     const struct key_pair *token)
{
	uint8_t buf[REG_OP_MAX];
	struct reg_op op = { .verb = OP_TOKEN_USE, .name = kit_token_name(token) };
	struct keeper_ask ask = { .from = node->pub, .request = ++t->request, .host = "alpha",
				  .op = buf, .len = kit_op(t, buf, &op, node, token) };

	keeper_enrol(t->keepers[0].k, &ask, t->now);
	return ask.request;
}

static inline struct kit_answer *kit_enrol(struct kit *t, const struct key_pair *node,
					   const struct key_pair *token)
{
	uint64_t request = kit_enrol_ask(t, node, token);

	kit_run(t, SEC(11));
	return kit_answer_of(t, request);
}

struct pair {
	struct kit *t;
	struct key_pair a, b;
};

/* One keeper and two members. */
static inline struct pair two_members(void)
{
	struct pair p = { kit_new(1), kit_key(1), kit_key(2) };

	CHECK_EQ_INT(kit_member_add(p.t, &p.a, 0), REG_OK);
	CHECK_EQ_INT(kit_member_add(p.t, &p.b, 0), REG_OK);
	return p;
}

static inline struct reg_name nth_address(uint32_t n)
{
	struct ip ip = ip_v4(0x0a010000 + n);

	return reg_name_address(&ip);
}

static inline bool kit_is_listed(struct kit *t, const struct key_pair *k)
{
	struct reg_name name;
	struct reg_value v;
	size_t at = 0;

	while (keeper_next(t->keepers[0].k, &at, &name, &v)) {
		struct revocation_payload p;

		if (name.kind == REG_REVOCATION)
			return revocation_payload_read(&p, v.payload, v.payload_len) &&
			       revocation_has(&p, &k->pub);
	}
	return false;
}

#endif
