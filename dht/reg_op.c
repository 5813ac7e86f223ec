/* reg_op.c - operations on registers: signed requests. docs/protocol.md 8.2.
 *
 * Which verb goes with which kind of register, and what it must carry, stands in one table and is
 * part of the form: an operation that its table row does not allow is malformed. Verbs that keepers
 * derive (MEMBER_ENROL, MEMBER_RENEW, REVOKE_ADD) are never signed and never read. */
#include "dht/register.h"

#include "base/list.h"

#define OP_VERSION 1
#define OP_LABEL "vpnd op"
#define OF(kind) (1u << (kind))
#define OF_OWNED (OF(REG_ADDRESS) | OF(REG_HOST_NAME))
#define OF_ANY (OF_OWNED | OF(REG_TOKEN) | OF(REG_MEMBER) | OF(REG_START) | OF(REG_REVOCATION))

static const struct {
	uint32_t kinds;
	bool heir, second;
} verbs[] = {
	[OP_CLAIM] = { OF_OWNED, false, false },
	[OP_RENEW] = { OF_OWNED, false, false },
	[OP_RELEASE] = { OF_OWNED, false, false },
	[OP_TRANSFER] = { OF_OWNED, true, false },
	[OP_READ] = { OF_ANY, false, false },
	[OP_TOKEN_CREATE] = { OF(REG_TOKEN), false, false },
	[OP_TOKEN_USE] = { OF(REG_TOKEN), false, true },
	[OP_TOKEN_REVOKE] = { OF(REG_TOKEN), false, false },
	[OP_MEMBER_SET] = { OF(REG_MEMBER), false, false },
	[OP_MEMBER_REVOKE] = { OF(REG_MEMBER), false, false },
	[OP_START] = { OF(REG_START), false, false },
};

static void wr_op_body(struct wr *w, const struct reg_op *op)
{
	wr_u8(w, OP_VERSION);
	wr_copy(w, op->nsid, NSID_LEN);
	wr_reg_name(w, &op->name);
	wr_u8(w, op->verb);
	wr_u64(w, op->number);
	wr_u64(w, op->generation);
	wr_u32(w, op->lease);
	wr_block(w, op->payload, op->payload_len);
	wr_copy(w, op->heir.b, KEY_LEN);
	wr_u64(w, op->deadline);
	wr_copy(w, op->signer.b, KEY_LEN);
}

size_t reg_op_write(uint8_t *out, size_t size, struct reg_op *op, const struct crypto *c,
		    const struct key_pair *signer, const struct key_pair *second)
{
	struct wr w = wr_of(out, size);
	size_t body;

	op->signer = signer->pub;
	op->second = second ? second->pub : (struct pubkey){ { 0 } };
	memset(op->second_sig, 0, SIG_LEN);
	wr_op_body(&w, op);
	body = wr_len(&w);
	if (!wr_ok(&w))
		return 0;
	c->sign(op->sig, signer, OP_LABEL, out, body);
	if (second)
		c->sign(op->second_sig, second, OP_LABEL, out, body);
	wr_copy(&w, op->sig, SIG_LEN);
	wr_copy(&w, op->second.b, KEY_LEN);
	wr_copy(&w, op->second_sig, SIG_LEN);
	return wr_ok(&w) ? wr_len(&w) : 0;
}

static bool op_fits(const struct reg_op *op)
{
	if (op->verb >= ARRAY_LEN(verbs) || !(verbs[op->verb].kinds & OF(op->name.kind)))
		return false;
	return op->payload_len <= reg_payload_max(op->name.kind) &&
	       verbs[op->verb].heir == !key_is_zero(&op->heir) &&
	       verbs[op->verb].second == !key_is_zero(&op->second) &&
	       (verbs[op->verb].second || sodium_is_zero(op->second_sig, SIG_LEN));
}

bool reg_op_read(struct reg_op *op, const uint8_t *msg, size_t len)
{
	struct rd r = rd_of(msg, len), payload;
	bool version = rd_u8(&r) == OP_VERSION;

	rd_copy(&r, op->nsid, NSID_LEN);
	op->name = rd_reg_name(&r);
	op->verb = rd_u8(&r);
	op->number = rd_u64(&r);
	op->generation = rd_u64(&r);
	op->lease = rd_u32(&r);
	payload = rd_block(&r, REG_PAYLOAD_MAX);
	op->payload = payload.p;
	op->payload_len = rd_left(&payload);
	rd_copy(&r, op->heir.b, KEY_LEN);
	op->deadline = rd_u64(&r);
	rd_copy(&r, op->signer.b, KEY_LEN);
	rd_copy(&r, op->sig, SIG_LEN);
	rd_copy(&r, op->second.b, KEY_LEN);
	rd_copy(&r, op->second_sig, SIG_LEN);
	return rd_done(&r) && version && op_fits(op);
}

bool reg_op_verify(const struct reg_op *op, const uint8_t *msg, size_t len, const struct crypto *c)
{
	size_t body = len - (2 * SIG_LEN + KEY_LEN);

	if (len < 2 * SIG_LEN + KEY_LEN || !c->key_valid(&op->signer))
		return false;
	if (!key_is_zero(&op->heir) && !c->key_valid(&op->heir))
		return false;
	if (!c->verify(op->sig, &op->signer, OP_LABEL, msg, body))
		return false;
	return key_is_zero(&op->second) ||
	       (c->key_valid(&op->second) &&
		c->verify(op->second_sig, &op->second, OP_LABEL, msg, body));
}
