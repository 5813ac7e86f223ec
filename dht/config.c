/* config.c - keeper configurations: who judges ownership, in a chain signed from the root. See
 * config.h. docs/protocol.md 7.2, rules R1 and R2.
 *
 * A genesis carries one proof by the root. Every later epoch was chosen by the one before, as the
 * value of a register: its proofs are the signatures that acceptors gave when they accepted the body
 * under one ballot. The ballot is signed with it, or signatures of two ballots, neither of which got
 * a quorum, would add up to a proof of what was never chosen. Epoch keys are erased after the
 * hand-over, so an old set cannot name a second successor later. Proofs stand in rising order of
 * their signers. The hash names the body alone: the same choice may be proven by several quorums. */
#include "dht/config.h"

#include <assert.h>
#include <stddef.h>

#define CONFIG_VERSION 1
#define CONFIG_LABEL "vpnd config"
#define EPOCH_LABEL "vpnd epoch key"
#define SIGNER_ROOT 255
#define CERTIFIED_LEN (KEY_LEN + 4 + 4 + 8 + KEY_LEN)

static void certified(uint8_t out[CERTIFIED_LEN], const struct config *cf, const struct keeper *k)
{
	struct wr w = wr_of(out, CERTIFIED_LEN);

	wr_copy(&w, cf->root.b, KEY_LEN);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	wr_u64(&w, k->incarnation);
	wr_copy(&w, k->epoch_key.b, KEY_LEN);
	assert(wr_ok(&w));
}

void keeper_certify(struct keeper *k, const struct config *cf, const struct key_pair *node,
		    const struct crypto *c)
{
	uint8_t msg[CERTIFIED_LEN];

	certified(msg, cf, k);
	c->sign(k->certificate, node, EPOCH_LABEL, msg, sizeof(msg));
}

bool keeper_certified(const struct keeper *k, const struct config *cf, const struct crypto *c)
{
	uint8_t msg[CERTIFIED_LEN];

	certified(msg, cf, k);
	return c->key_valid(&k->node) && c->key_valid(&k->epoch_key) &&
	       c->verify(k->certificate, &k->node, EPOCH_LABEL, msg, sizeof(msg));
}

/* An epoch key that two members share would count one signature twice. */
static bool members_valid(const struct config *cf, const struct crypto *c)
{
	for (size_t i = 0; i < cf->count; i++)
		for (size_t j = 0; j < i; j++)
			if (key_equal(&cf->members[i].node, &cf->members[j].node) ||
			    key_equal(&cf->members[i].epoch_key, &cf->members[j].epoch_key))
				return false;
	for (size_t i = 0; i < cf->count; i++)
		if (!keeper_certified(&cf->members[i], cf, c))
			return false;
	return true;
}

/* Two quorums must share a member; two keepers are less available than one, so never two. */
static bool sizes_valid(const struct config *cf)
{
	return cf->count >= 1 && cf->count <= KEEPERS_MAX && cf->count != 2 &&
	       cf->quorum <= cf->count && 2 * cf->quorum > cf->count;
}

/* --- the body --- */

size_t config_body_write(uint8_t *out, size_t size, const struct config *cf)
{
	struct wr w = wr_of(out, size);

	if (!sizes_valid(cf))
		return 0;
	wr_u8(&w, CONFIG_VERSION);
	wr_copy(&w, cf->root.b, KEY_LEN);
	wr_u32(&w, cf->era);
	wr_u32(&w, cf->epoch);
	wr_u8(&w, cf->quorum);
	wr_u8(&w, cf->count);
	for (size_t i = 0; i < cf->count; i++) {
		wr_copy(&w, cf->members[i].node.b, KEY_LEN);
		wr_u64(&w, cf->members[i].incarnation);
		wr_copy(&w, cf->members[i].epoch_key.b, KEY_LEN);
		wr_copy(&w, cf->members[i].certificate, SIG_LEN);
	}
	wr_copy(&w, cf->previous, sizeof(cf->previous));
	return wr_ok(&w) ? wr_len(&w) : 0;
}

static void body_named(struct config *cf, const uint8_t *b, size_t len)
{
	assert(len <= CONFIG_BODY_MAX);
	cf->bytes = b;
	cf->body = (uint16_t)len;
	hash_of(cf->hash, sizeof(cf->hash), "vpnd config hash", b, len);
}

static void rd_config_body(struct rd *r, struct config *cf)
{
	const uint8_t *start = r->p;

	memset(cf, 0, offsetof(struct config, room));
	if (rd_u8(r) != CONFIG_VERSION)
		r->bad = true;
	rd_copy(r, cf->root.b, KEY_LEN);
	cf->era = rd_u32(r);
	cf->epoch = rd_u32(r);
	cf->quorum = rd_u8(r);
	cf->count = rd_u8(r);
	if (!sizes_valid(cf))
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < cf->count; i++) {
		rd_copy(r, cf->members[i].node.b, KEY_LEN);
		cf->members[i].incarnation = rd_u64(r);
		rd_copy(r, cf->members[i].epoch_key.b, KEY_LEN);
		rd_copy(r, cf->members[i].certificate, SIG_LEN);
	}
	rd_copy(r, cf->previous, sizeof(cf->previous));
	if (rd_ok(r))
		body_named(cf, start, (size_t)(r->p - start));
}

static bool follows(const struct config *cf, const struct config *previous)
{
	return previous && key_equal(&cf->root, &previous->root) && cf->era == previous->era &&
	       cf->epoch == previous->epoch + 1 && cf->epoch > 1 &&
	       memcmp(cf->previous, previous->hash, sizeof(cf->previous)) == 0;
}

bool config_body_read(struct config *cf, const uint8_t *b, size_t len,
		      const struct config *previous, const struct crypto *c)
{
	struct rd r = rd_of(b, len);

	rd_config_body(&r, cf);
	cf->len = len;
	return rd_done(&r) && follows(cf, previous) && members_valid(cf, c);
}

/* --- proofs --- */

#define SIGNED_MAX (CONFIG_BODY_MAX + 4 + 4 + 8 + 1)

static size_t choice_write(uint8_t out[SIGNED_MAX], const struct config_choice *choice)
{
	struct wr w = wr_of(out, SIGNED_MAX);

	wr_copy(&w, choice->body, choice->len);
	wr_ballot(&w, &choice->ballot);
	assert(wr_ok(&w));
	return wr_len(&w);
}

void config_sign(uint8_t sig[SIG_LEN], const struct config_choice *choice,
		 const struct key_pair *epoch_key, const struct crypto *c)
{
	uint8_t msg[SIGNED_MAX];

	c->sign(sig, epoch_key, CONFIG_LABEL, msg, choice_write(msg, choice));
}

bool config_signed(const uint8_t sig[SIG_LEN], const struct config_choice *choice,
		   const struct pubkey *epoch_key, const struct crypto *c)
{
	uint8_t msg[SIGNED_MAX];

	/* A lying keeper may have made us propose any payload that fits into a register. */
	return choice->len <= CONFIG_BODY_MAX &&
	       c->verify(sig, epoch_key, CONFIG_LABEL, msg, choice_write(msg, choice));
}

size_t config_assemble(uint8_t *out, size_t size, const struct config_choice *choice,
		       uint8_t signers, const uint8_t sigs[][SIG_LEN])
{
	struct wr w = wr_of(out, size);

	wr_copy(&w, choice->body, choice->len);
	wr_ballot(&w, &choice->ballot);
	wr_u8(&w, (uint8_t)__builtin_popcount(signers));
	for (uint8_t i = 0; i < KEEPERS_MAX; i++) {
		if (!(signers & 1u << i))
			continue;
		wr_u8(&w, i);
		wr_copy(&w, sigs[i], SIG_LEN);
	}
	return wr_ok(&w) ? wr_len(&w) : 0;
}

static bool is_genesis(const struct config *cf)
{
	static const uint8_t nothing[sizeof(cf->previous)];

	return cf->epoch == 1 && memcmp(cf->previous, nothing, sizeof(nothing)) == 0;
}

bool config_genesis(struct config *cf, const struct key_pair *root, const struct crypto *c)
{
	struct config_choice choice = { .body = cf->room };
	uint8_t sig[SIG_LEN];
	struct wr w;

	cf->root = root->pub;
	if (!is_genesis(cf))
		return false;
	choice.len = config_body_write(cf->room, sizeof(cf->room), cf);
	if (!choice.len)
		return false;
	body_named(cf, cf->room, choice.len);
	config_sign(sig, &choice, root, c);
	w = wr_of(cf->room + choice.len, sizeof(cf->room) - choice.len);
	wr_ballot(&w, &choice.ballot);
	wr_u8(&w, 1);
	wr_u8(&w, SIGNER_ROOT);
	wr_copy(&w, sig, SIG_LEN);
	cf->len = choice.len + wr_len(&w);
	return wr_ok(&w);
}

struct proofs {
	struct config_choice choice;
	uint8_t count;
	uint8_t signer[KEEPERS_MAX];
	const uint8_t *sig[KEEPERS_MAX];
};

static void rd_proofs(struct rd *r, struct proofs *p)
{
	p->choice.ballot = rd_ballot(r);
	p->count = rd_u8(r);
	if (p->count == 0 || p->count > KEEPERS_MAX)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < p->count; i++) {
		p->signer[i] = rd_u8(r);
		p->sig[i] = rd_bytes(r, SIG_LEN);
		if (i && p->signer[i] <= p->signer[i - 1])
			r->bad = true;
	}
}

static bool proven_by_root(const struct config *cf, const struct proofs *p, const struct crypto *c)
{
	static const struct ballot none;

	return is_genesis(cf) && p->count == 1 && p->signer[0] == SIGNER_ROOT &&
	       ballot_compare(&p->choice.ballot, &none) == 0 &&
	       config_signed(p->sig[0], &p->choice, &cf->root, c);
}

/* The ballot is one of the configuration that chose. */
static bool proven_by(const struct config *previous, const struct config *cf,
		      const struct proofs *p, const struct crypto *c)
{
	const struct ballot *b = &p->choice.ballot;

	if (!follows(cf, previous) || p->count < previous->quorum || b->era != previous->era ||
	    b->epoch != previous->epoch || b->proposer >= previous->count)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (p->signer[i] >= previous->count ||
		    !config_signed(p->sig[i], &p->choice,
				   &previous->members[p->signer[i]].epoch_key, c))
			return false;
	return true;
}

static bool config_split(struct config *cf, struct proofs *p, const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);

	rd_config_body(&r, cf);
	rd_proofs(&r, p);
	p->choice.body = b;
	p->choice.len = cf->body;
	cf->len = len;
	return rd_done(&r) && len <= CONFIG_MAX;
}

bool config_read(struct config *cf, const uint8_t *b, size_t len, const struct pubkey *root,
		 const struct config *previous, const struct crypto *c)
{
	struct proofs p;

	return config_split(cf, &p, b, len) && key_equal(&cf->root, root) && members_valid(cf, c) &&
	       (proven_by_root(cf, &p, c) || proven_by(previous, cf, &p, c));
}

bool config_read_unproven(struct config *cf, const uint8_t *b, size_t len,
			  const struct pubkey *root, const struct crypto *c)
{
	struct proofs p;

	return config_split(cf, &p, b, len) && key_equal(&cf->root, root) && members_valid(cf, c) &&
	       (!is_genesis(cf) || proven_by_root(cf, &p, c));
}

struct checkpoint config_peek(const uint8_t *b, size_t len)
{
	struct rd r = rd_of(b, len);
	struct checkpoint cp = { 0 };

	rd_bytes(&r, 1 + KEY_LEN);
	cp.era = rd_u32(&r);
	cp.epoch = rd_u32(&r);
	return cp;
}

bool config_is_newer(const struct config *cf, const struct config *than)
{
	return cf->era != than->era ? cf->era > than->era : cf->epoch > than->epoch;
}

bool config_matches(const struct config *cf, const struct checkpoint *cp)
{
	if (cf->era != cp->era)
		return cf->era > cp->era;
	if (cf->epoch != cp->epoch)
		return cf->epoch > cp->epoch;
	return memcmp(cf->hash, cp->hash, sizeof(cf->hash)) == 0;
}

int config_member(const struct config *cf, const struct pubkey *node)
{
	for (size_t i = 0; i < cf->count; i++)
		if (key_equal(&cf->members[i].node, node))
			return (int)i;
	return -1;
}
