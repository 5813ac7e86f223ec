/* token.c - the one pasteable line that admits a node; see token.h. docs/protocol.md 7.3. */
#include "dht/token.h"

#include <ctype.h>

#define TOKEN_PREFIX "vpnd1:"
#define TOKEN_BYTES_MAX 700
#define CHECKSUM_LEN 4
#define ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING

static void checksum(uint8_t out[CHECKSUM_LEN], const uint8_t *b, size_t len)
{
	uint8_t full[16];

	hash_of(full, sizeof(full), "vpnd token text", b, len);
	memcpy(out, full, CHECKSUM_LEN);
}

void wr_token_contact(struct wr *w, const struct token_contact *c)
{
	wr_copy(w, c->key.b, KEY_LEN);
	wr_u8(w, c->addr_count);
	for (size_t i = 0; i < c->addr_count; i++)
		wr_addr(w, &c->addrs[i]);
}

static void wr_token(struct wr *w, const struct token *t)
{
	uint8_t sum[CHECKSUM_LEN];

	wr_copy(w, t->root.b, KEY_LEN);
	wr_copy(w, t->rendezvous, sizeof(t->rendezvous));
	wr_copy(w, t->overlay_key, sizeof(t->overlay_key));
	wr_u32(w, t->checkpoint.era);
	wr_u32(w, t->checkpoint.epoch);
	wr_copy(w, t->checkpoint.hash, sizeof(t->checkpoint.hash));
	wr_copy(w, t->seed, SEED_LEN);
	wr_u8(w, t->contact_count);
	for (size_t i = 0; i < t->contact_count; i++)
		wr_token_contact(w, &t->contacts[i]);
	checksum(sum, w->start, wr_len(w));
	wr_copy(w, sum, sizeof(sum));
}

size_t token_write(char *out, size_t size, const struct token *t)
{
	uint8_t bytes[TOKEN_BYTES_MAX];
	struct wr w = wr_of(bytes, sizeof(bytes));
	size_t prefix = strlen(TOKEN_PREFIX), n = 0;

	if (t->contact_count > TOKEN_CONTACTS_MAX)
		return 0;
	for (size_t i = 0; i < t->contact_count; i++)
		if (t->contacts[i].addr_count > TOKEN_CONTACT_ADDRS)
			return 0;
	wr_token(&w, t);
	if (wr_ok(&w) && size >= prefix + sodium_base64_encoded_len(wr_len(&w), VARIANT)) {
		memcpy(out, TOKEN_PREFIX, prefix);
		sodium_bin2base64(out + prefix, size - prefix, bytes, wr_len(&w), VARIANT);
		n = strlen(out);
	}
	sodium_memzero(bytes, sizeof(bytes));
	return n;
}

void rd_token_contact(struct rd *r, struct token_contact *c)
{
	memset(c, 0, sizeof(*c));
	rd_copy(r, c->key.b, KEY_LEN);
	c->addr_count = rd_u8(r);
	if (c->addr_count > TOKEN_CONTACT_ADDRS)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < c->addr_count; i++)
		c->addrs[i] = rd_addr(r);
}

static void rd_token(struct rd *r, struct token *t, const struct crypto *c)
{
	rd_copy(r, t->root.b, KEY_LEN);
	rd_copy(r, t->rendezvous, sizeof(t->rendezvous));
	rd_copy(r, t->overlay_key, sizeof(t->overlay_key));
	t->checkpoint.era = rd_u32(r);
	t->checkpoint.epoch = rd_u32(r);
	rd_copy(r, t->checkpoint.hash, sizeof(t->checkpoint.hash));
	rd_copy(r, t->seed, SEED_LEN);
	t->contact_count = rd_u8(r);
	if (t->contact_count > TOKEN_CONTACTS_MAX)
		r->bad = true;
	for (size_t i = 0; rd_ok(r) && i < t->contact_count; i++) {
		rd_token_contact(r, &t->contacts[i]);
		if (rd_ok(r) && !c->key_valid(&t->contacts[i].key))
			r->bad = true;
	}
}

static const char *token_read(struct token *t, const uint8_t *b, size_t len,
			      const struct crypto *c)
{
	uint8_t sum[CHECKSUM_LEN];
	struct key_pair key;
	struct rd r;

	if (len <= CHECKSUM_LEN)
		return "damaged: the token is cut off";
	checksum(sum, b, len - CHECKSUM_LEN);
	if (memcmp(sum, b + len - CHECKSUM_LEN, CHECKSUM_LEN) != 0)
		return "damaged: the checksum does not match, a character is wrong or missing";
	r = rd_of(b, len - CHECKSUM_LEN);
	rd_token(&r, t, c);
	if (!rd_done(&r))
		return "malformed: a field of the token is wrong";
	if (!c->key_valid(&t->root))
		return "malformed: the namespace key of the token is not a key";
	if (!key_from_seed(&key, t->seed))
		return "malformed: the secret of the token is not a key";
	sodium_memzero(&key, sizeof(key));
	return NULL;
}

const char *token_parse(struct token *t, const char *text, const struct crypto *c)
{
	uint8_t bytes[TOKEN_BYTES_MAX];
	const char *wrong;
	size_t n, len = 0;

	memset(t, 0, sizeof(*t));
	while (isspace((unsigned char)*text))
		text++;
	if (strncmp(text, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) != 0)
		return "not a vpnd token: it does not begin with " TOKEN_PREFIX;
	text += strlen(TOKEN_PREFIX);
	n = strlen(text);
	while (n && isspace((unsigned char)text[n - 1]))
		n--;
	/* libsodium 1.0.18 reads some bytes above 127 as if they were of the alphabet. */
	if (n > TOKEN_TEXT_MAX || strspn(text, ALPHABET) != n ||
	    sodium_base642bin(bytes, sizeof(bytes), text, n, NULL, &len, NULL, VARIANT) != 0)
		wrong = "damaged: not base64url text of the right length";
	else
		wrong = token_read(t, bytes, len, c);
	if (wrong)
		sodium_memzero(t, sizeof(*t));
	sodium_memzero(bytes, sizeof(bytes));
	return wrong;
}

void token_id(uint8_t id[32], const struct pubkey *token_key)
{
	hash_of(id, 32, "vpnd token id", token_key->b, KEY_LEN);
}
