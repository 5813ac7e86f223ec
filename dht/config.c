/* config.c - keeper configurations: who judges ownership, in a chain signed from the root. See
 * grant.h. docs/protocol.md 7.2, rules R1 and R2.
 *
 * A genesis carries one proof by the root. Every later epoch carries proofs of a quorum of the
 * epoch before, by its epoch keys: those are erased after the hand-over, so an old set cannot name
 * a second successor later. Proofs stand in rising order of their signers. */
#include "dht/grant.h"

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

static bool member_valid(const struct config *cf, size_t i, const struct crypto *c)
{
	const struct keeper *k = &cf->members[i];
	uint8_t msg[CERTIFIED_LEN];

	for (size_t j = 0; j < i; j++)
		if (key_equal(&k->node, &cf->members[j].node))
			return false;
	certified(msg, cf, k);
	return c->key_valid(&k->node) && c->key_valid(&k->epoch_key) &&
	       c->verify(k->certificate, &k->node, EPOCH_LABEL, msg, sizeof(msg));
}

/* Two quorums must share a member; two keepers are less available than one, so never two. */
static bool sizes_valid(const struct config *cf)
{
	return cf->count >= 1 && cf->count <= KEEPERS_MAX && cf->count != 2 &&
	       cf->quorum <= cf->count && 2 * cf->quorum > cf->count;
}

static void wr_config_body(struct wr *w, const struct config *cf)
{
	wr_u8(w, CONFIG_VERSION);
	wr_copy(w, cf->root.b, KEY_LEN);
	wr_u32(w, cf->era);
	wr_u32(w, cf->epoch);
	wr_u8(w, cf->quorum);
	wr_u8(w, cf->count);
	for (size_t i = 0; i < cf->count; i++) {
		wr_copy(w, cf->members[i].node.b, KEY_LEN);
		wr_u64(w, cf->members[i].incarnation);
		wr_copy(w, cf->members[i].epoch_key.b, KEY_LEN);
		wr_copy(w, cf->members[i].certificate, SIG_LEN);
	}
	wr_copy(w, cf->previous, sizeof(cf->previous));
}

static void config_hash(struct config *cf, size_t body)
{
	hash_of(cf->hash, sizeof(cf->hash), "vpnd config hash", cf->bytes, body);
}

bool config_genesis(struct config *cf, const struct key_pair *root, const struct crypto *c)
{
	struct wr w = wr_of(cf->room, sizeof(cf->room));
	uint8_t sig[SIG_LEN];

	cf->root = root->pub;
	if (!sizes_valid(cf))
		return false;
	cf->bytes = cf->room;
	wr_config_body(&w, cf);
	config_hash(cf, wr_len(&w));
	c->sign(sig, root, CONFIG_LABEL, cf->bytes, wr_len(&w));
	wr_u8(&w, 1);
	wr_u8(&w, SIGNER_ROOT);
	wr_copy(&w, sig, SIG_LEN);
	cf->len = wr_len(&w);
	return wr_ok(&w);
}

static void rd_config_body(struct rd *r, struct config *cf)
{
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
}

struct proofs {
	size_t body; /* bytes that they sign */
	uint8_t count;
	uint8_t signer[KEEPERS_MAX];
	const uint8_t *sig[KEEPERS_MAX];
};

static void rd_proofs(struct rd *r, struct proofs *p)
{
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

static bool follows(const struct config *cf, const struct config *previous)
{
	return previous && cf->era == previous->era && cf->epoch == previous->epoch + 1 &&
	       memcmp(cf->previous, previous->hash, sizeof(cf->previous)) == 0;
}

static bool proofs_valid(const struct config *cf, const struct proofs *p,
			 const struct config *previous, const struct crypto *c)
{
	if (p->count == 1 && p->signer[0] == SIGNER_ROOT)
		return c->verify(p->sig[0], &cf->root, CONFIG_LABEL, cf->bytes, p->body);
	if (!follows(cf, previous) || p->count < previous->quorum)
		return false;
	for (size_t i = 0; i < p->count; i++)
		if (p->signer[i] >= previous->count ||
		    !c->verify(p->sig[i], &previous->members[p->signer[i]].epoch_key, CONFIG_LABEL,
			       cf->bytes, p->body))
			return false;
	return true;
}

bool config_read(struct config *cf, const uint8_t *b, size_t len, const struct pubkey *root,
		 const struct config *previous, const struct crypto *c)
{
	struct rd r = rd_of(b, len);
	struct proofs p;

	memset(cf, 0, offsetof(struct config, room));
	if (len > CONFIG_MAX)
		return false;
	rd_config_body(&r, cf);
	p.body = (size_t)(r.p - b);
	rd_proofs(&r, &p);
	if (!rd_done(&r) || !key_equal(&cf->root, root))
		return false;
	cf->bytes = b;
	cf->len = len;
	config_hash(cf, p.body);
	for (size_t i = 0; i < cf->count; i++)
		if (!member_valid(cf, i, c))
			return false;
	return proofs_valid(cf, &p, previous, c);
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
