/* grant.c - a quorum's signed word on one register; see grant.h. docs/protocol.md 8.6.
 *
 * Signatures stand in rising order of the members' indexes and all of them must be right, so that a
 * grant has one encoding for each set of signers. */
#include "dht/grant.h"

#include "base/mutant.h"

#define GRANT_VERSION 1

struct grant grant_of(const uint8_t nsid[NSID_LEN], const struct reg_name *name,
		      const struct reg_value *v)
{
	struct grant g = { .name = *name, .state = v->state, .generation = v->generation,
			   .owner = v->owner, .number = v->number, .lease = v->lease,
			   .payload = v->payload, .payload_len = v->payload_len };

	memcpy(g.nsid, nsid, NSID_LEN);
	return g;
}

void wr_grant_body(struct wr *w, const struct grant *g)
{
	wr_u8(w, GRANT_VERSION);
	wr_copy(w, g->nsid, NSID_LEN);
	wr_reg_name(w, &g->name);
	wr_u8(w, g->state);
	wr_u64(w, g->generation);
	wr_copy(w, g->owner.b, KEY_LEN);
	wr_u64(w, g->number);
	wr_u32(w, g->lease);
	wr_block(w, g->payload, g->payload_len);
	wr_ballot(w, &g->ballot);
	wr_u64(w, g->beacon);
}

size_t grant_write(uint8_t *out, size_t size, const struct grant *g, uint8_t signers,
		   const uint8_t sigs[][SIG_LEN])
{
	struct wr w = wr_of(out, size);

	wr_grant_body(&w, g);
	wr_u8(&w, (uint8_t)__builtin_popcount(signers));
	for (uint8_t i = 0; i < KEEPERS_MAX; i++) {
		if (!(signers & 1u << i))
			continue;
		wr_u8(&w, i);
		wr_copy(&w, sigs[i], SIG_LEN);
	}
	return wr_ok(&w) ? wr_len(&w) : 0;
}

static void rd_grant_body(struct rd *r, struct grant *g)
{
	struct rd payload;

	if (rd_u8(r) != GRANT_VERSION)
		r->bad = true;
	rd_copy(r, g->nsid, NSID_LEN);
	g->name = rd_reg_name(r);
	g->state = rd_u8(r);
	g->generation = rd_u64(r);
	rd_copy(r, g->owner.b, KEY_LEN);
	g->number = rd_u64(r);
	g->lease = rd_u32(r);
	payload = rd_block(r, REG_PAYLOAD_MAX);
	g->payload = payload.p;
	g->payload_len = rd_left(&payload);
	g->ballot = rd_ballot(r);
	g->beacon = rd_u64(r);
	if (g->state == REG_FREE || g->state > REG_GOVERNED || g->ballot.proposer >= KEEPERS_MAX ||
	    g->payload_len > reg_payload_max(g->name.kind))
		r->bad = true;
}

struct grant_sigs {
	size_t body; /* bytes that they sign */
	uint8_t count;
	uint8_t signer[KEEPERS_MAX];
	const uint8_t *sig[KEEPERS_MAX];
};

static bool grant_split(struct grant *g, struct grant_sigs *s, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	memset(g, 0, sizeof(*g));
	rd_grant_body(&r, g);
	s->body = (size_t)(r.p - b);
	s->count = rd_u8(&r);
	if (s->count == 0 || s->count > KEEPERS_MAX)
		r.bad = true;
	for (size_t i = 0; rd_ok(&r) && i < s->count; i++) {
		s->signer[i] = rd_u8(&r);
		s->sig[i] = rd_bytes(&r, SIG_LEN);
		if (s->signer[i] >= KEEPERS_MAX || (i && s->signer[i] <= s->signer[i - 1]))
			r.bad = true;
	}
	return rd_done(&r);
}

bool grant_read(struct grant *g, const uint8_t *b, size_t len)
{
	struct grant_sigs s;

	return grant_split(g, &s, b, len);
}

uint8_t grant_signers(const uint8_t *b, size_t len)
{
	struct grant_sigs s;
	struct grant g;
	uint8_t mask = 0;

	if (grant_split(&g, &s, b, len))
		for (size_t i = 0; i < s.count; i++)
			mask |= (uint8_t)(1u << s.signer[i]);
	return mask;
}

bool grant_verify(struct grant *g, const uint8_t *b, size_t len, const struct config *cf,
		  const struct crypto *c)
{
	uint8_t nsid[NSID_LEN];
	struct grant_sigs s;

	if (!grant_split(g, &s, b, len) || (s.count < cf->quorum && !MUTANT(VIEW_QUORUM)))
		return false;
	nsid_of(nsid, &cf->root);
	if (memcmp(nsid, g->nsid, NSID_LEN) != 0 || g->ballot.era != cf->era ||
	    g->ballot.epoch != cf->epoch || g->ballot.proposer >= cf->count)
		return false;
	for (size_t i = 0; i < s.count; i++)
		if (s.signer[i] >= cf->count ||
		    !c->verify(s.sig[i], &cf->members[s.signer[i]].epoch_key, GRANT_LABEL, b,
			       s.body))
			return false;
	return true;
}

/* A grant is: what comes before the name and the name; the state and the generation; the owner; the
 * rest. The first and the third are left out. */
#define BEFORE_OWNER (1 + 8)

size_t grant_shorten(uint8_t *out, size_t size, const uint8_t *grant, size_t len)
{
	struct wr w = wr_of(out, size);
	struct rd r = rd_of(grant, len);
	struct grant g;

	if (!grant_read(&g, grant, len))
		return 0;
	rd_bytes(&r, 1 + NSID_LEN);
	rd_reg_name(&r);
	wr_copy(&w, rd_bytes(&r, BEFORE_OWNER), BEFORE_OWNER);
	rd_bytes(&r, KEY_LEN);
	wr_copy(&w, r.p, rd_left(&r));
	return wr_ok(&w) ? wr_len(&w) : 0;
}

size_t grant_restore(uint8_t *out, size_t size, const struct grant_known *known,
		     const uint8_t *b, size_t len)
{
	struct wr w = wr_of(out, size);
	struct rd r = rd_of(b, len);
	const uint8_t *before = rd_bytes(&r, BEFORE_OWNER);
	struct grant g;

	if (!rd_ok(&r))
		return 0;
	wr_u8(&w, GRANT_VERSION);
	wr_copy(&w, known->nsid, NSID_LEN);
	wr_reg_name(&w, &known->name);
	wr_copy(&w, before, BEFORE_OWNER);
	wr_copy(&w, known->owner.b, KEY_LEN);
	wr_copy(&w, r.p, rd_left(&r));
	return wr_ok(&w) && grant_read(&g, out, wr_len(&w)) ? wr_len(&w) : 0;
}

uint64_t grant_end(const struct grant *g)
{
	struct member_payload m;

	switch (g->name.kind) {
	case REG_ADDRESS:
	case REG_HOST_NAME:
		if (g->state != REG_HELD)
			return 0;
		return g->beacon > UINT64_MAX - g->lease ? UINT64_MAX : g->beacon + g->lease;
	case REG_MEMBER:
		return member_payload_read(&m, g->payload, g->payload_len) ? m.not_after : 0;
	default:
		return UINT64_MAX;
	}
}
