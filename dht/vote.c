/* vote.c - signatures of those that accepted a value, one by one and put together. See vote.h. */
#include "dht/vote.h"

static struct config_choice choice_of(const struct vote *v)
{
	return (struct config_choice){ v->value.payload, v->value.payload_len, v->ballot };
}

static struct grant grant_made(const struct vote *v)
{
	struct grant g = grant_of(v->nsid, v->name, &v->value);

	g.ballot = v->ballot;
	g.beacon = v->beacon;
	return g;
}

bool vote_signed(const struct vote *v, const uint8_t sig[SIG_LEN], const struct pubkey *epoch_key,
		 const struct crypto *c)
{
	struct config_choice choice = choice_of(v);
	struct grant g = grant_made(v);
	uint8_t body[GRANT_MAX];
	struct wr w = wr_of(body, sizeof(body));

	if (v->name->kind == REG_SUCCESSOR)
		return config_signed(sig, &choice, epoch_key, c);
	wr_grant_body(&w, &g);
	return wr_ok(&w) && c->verify(sig, epoch_key, GRANT_LABEL, body, wr_len(&w));
}

size_t vote_proof(uint8_t *out, size_t size, const struct vote *v, uint8_t signers,
		  const uint8_t sigs[][SIG_LEN])
{
	struct config_choice choice = choice_of(v);
	struct grant g = grant_made(v);

	return v->name->kind == REG_SUCCESSOR ?
		       config_assemble(out, size, &choice, signers, sigs) :
		       grant_write(out, size, &g, signers, sigs);
}
