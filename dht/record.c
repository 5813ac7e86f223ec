/* record.c - the record's bytes. docs/protocol.md 6.1.
 *
 * A holder sees a blinded key and a sealed body: it can check form, dates and signature, and learn
 * nothing else. Who knows the topic's secret finds and opens. The seal covers the signer's key, so
 * a holder cannot sign somebody's sealed body again under a key of its own: that does not open.
 * The nonce is long enough to be random, but not all of it is sent: sequence and end are part of
 * it, and what one signer makes of one record differs in those, unless its clock was set back. */
#include "dht/record.h"

#include <assert.h>
#include <errno.h>

#include "base/wire.h"

#define SEAL_TAG_LEN crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_LEN (1 + 1 + ID_LEN + 8 + 8) /* before the body's length */
#define DATES_AT (HEAD_LEN - 8 - 8)	  /* sequence and end */

_Static_assert(8 + 8 + RECORD_NONCE_LEN == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(RECORD_SEALED_MAX == RECORD_NONCE_LEN + DHT_BODY_MAX + SEAL_TAG_LEN, "seal");

struct record_name record_name_of(const struct dht_topic *t)
{
	struct record_name n = { .kind = (uint8_t)t->kind };
	struct hash h;

	assert(t->name_len <= sizeof(t->name));
	hash_begin(&h, "vpnd blind", sizeof(n.key.b));
	hash_add(&h, t->secret, sizeof(t->secret));
	hash_add(&h, &n.kind, 1);
	hash_add(&h, t->name, t->name_len);
	hash_end(&h, n.key.b);
	return n;
}

bool record_name_equal(const struct record_name *a, const struct record_name *b)
{
	return a->kind == b->kind && id_equal(&a->key, &b->key);
}

static void body_key(uint8_t out[32], const uint8_t secret[32], const struct node_id *key)
{
	struct hash h;

	hash_begin(&h, "vpnd body", 32);
	hash_add(&h, secret, 32);
	hash_add(&h, key->b, sizeof(key->b));
	hash_end(&h, out);
}

/* The nonce of a record whose first bytes are `head`; `shown` stands before its sealed body. */
static void seal_nonce(uint8_t out[8 + 8 + RECORD_NONCE_LEN], const uint8_t *head,
		       const uint8_t shown[RECORD_NONCE_LEN])
{
	memcpy(out, head + DATES_AT, 8 + 8);
	memcpy(out + 8 + 8, shown, RECORD_NONCE_LEN);
}

/* Associated data of the seal: everything before the body, and the signer. */
static void seal_context(uint8_t out[HEAD_LEN + KEY_LEN], const uint8_t *head,
			 const struct pubkey *signer)
{
	memcpy(out, head, HEAD_LEN);
	memcpy(out + HEAD_LEN, signer->b, KEY_LEN);
}

size_t record_write(uint8_t out[RECORD_LEN_MAX], const struct record_draft *d,
		    const struct key_pair *self, const struct crypto *crypto)
{
	struct wr w = wr_of(out, RECORD_LEN_MAX);
	uint8_t context[HEAD_LEN + KEY_LEN], nonce[8 + 8 + RECORD_NONCE_LEN], key[32], *at;
	size_t signed_len;

	assert(d->len <= DHT_BODY_MAX);
	wr_u8(&w, RECORD_VERSION);
	wr_u8(&w, d->name.kind);
	wr_copy(&w, d->name.key.b, ID_LEN);
	wr_u64(&w, d->seq);
	wr_u64(&w, d->expires);
	seal_context(context, out, &self->pub);
	seal_nonce(nonce, out, d->nonce);
	body_key(key, d->secret, &d->name.key);
	wr_u16(&w, (uint16_t)(RECORD_NONCE_LEN + d->len + SEAL_TAG_LEN));
	wr_copy(&w, d->nonce, RECORD_NONCE_LEN);
	at = wr_room(&w, d->len + SEAL_TAG_LEN);
	assert(at);
	crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, d->body, d->len, context,
						   sizeof(context), NULL, nonce, key);
	sodium_memzero(key, sizeof(key));
	wr_copy(&w, self->pub.b, KEY_LEN);
	signed_len = wr_len(&w);
	at = wr_room(&w, SIG_LEN);
	assert(at);
	crypto->sign(at, self, "vpnd record", out, signed_len);
	return wr_len(&w);
}

bool record_read(struct record *r, const uint8_t *bytes, size_t len)
{
	struct rd in = rd_of(bytes, len), sealed;
	uint8_t version = rd_u8(&in);

	*r = (struct record){ .bytes = bytes, .len = len };
	r->name.kind = rd_u8(&in);
	rd_copy(&in, r->name.key.b, ID_LEN);
	r->seq = rd_u64(&in);
	r->expires = rd_u64(&in);
	sealed = rd_block(&in, RECORD_SEALED_MAX);
	r->sealed = sealed.p;
	r->sealed_len = rd_left(&sealed);
	rd_copy(&in, r->signer.b, KEY_LEN);
	rd_bytes(&in, SIG_LEN);
	r->signed_len = len - SIG_LEN;
	return rd_done(&in) && version == RECORD_VERSION && r->name.kind != 0 &&
	       r->sealed_len >= RECORD_NONCE_LEN + SEAL_TAG_LEN;
}

bool record_is_empty(const struct record *r)
{
	return r->sealed_len == RECORD_NONCE_LEN + SEAL_TAG_LEN;
}

enum drop record_check_dates(const struct record *r, uint64_t wall)
{
	if (r->expires <= wall || r->expires - wall > RECORD_LIFE_MAX + RECORD_LIFE_SLACK)
		return DROP_EXPIRED;
	return DROP_NONE;
}

enum drop record_check_signature(const struct record *r, const struct crypto *crypto)
{
	if (!crypto->key_valid(&r->signer) || !crypto->verify(r->bytes + r->signed_len, &r->signer,
						      "vpnd record", r->bytes, r->signed_len))
		return DROP_SIGNATURE;
	return DROP_NONE;
}

int record_open(uint8_t out[DHT_BODY_MAX], const struct record *r, const struct dht_topic *t)
{
	const uint8_t *cipher = r->sealed + RECORD_NONCE_LEN;
	size_t cipher_len = r->sealed_len - RECORD_NONCE_LEN;
	uint8_t context[HEAD_LEN + KEY_LEN], nonce[8 + 8 + RECORD_NONCE_LEN], key[32];
	int err;

	assert(r->sealed_len >= RECORD_NONCE_LEN + SEAL_TAG_LEN);
	seal_context(context, r->bytes, &r->signer);
	seal_nonce(nonce, r->bytes, r->sealed);
	body_key(key, t->secret, &r->name.key);
	err = crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, cipher, cipher_len,
							 context, sizeof(context), nonce, key);
	sodium_memzero(key, sizeof(key));
	return err ? -EBADMSG : (int)(cipher_len - SEAL_TAG_LEN);
}
