/* handshake.c - see handshake.h. docs/protocol.md 3.1-3.3.
 *
 *	initiator			responder
 *	init_create  ---- INIT ---->	mac1_match, [cookie_check], init_consume,
 *					the owner looks at timestamp and collision,
 *	response_consume <- RESPONSE --	respond
 *
 * Every message is judged on copies, and whoever is given something gets it only when all of it
 * has proven good; every copy is wiped on every path. There is one kind of failure: false. A
 * RESPONSE can be consumed once, because the initiator's half is wiped by the one that fits (a
 * second time would mean the same keys again, with counters from zero).
 *
 * The header and the macs are not part of Noise: mac1 covers the header, and a RESPONSE must carry
 * the receiver index that its INIT announced. Index 0 is nobody's. */
#include "p2p/handshake.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "p2p/mac.h"
#include "p2p/noise.h"
#include "p2p/offer.h"

#define INIT_HEADER_LEN 8
#define RESPONSE_HEADER_LEN 12
#define INIT_MIN (INIT_HEADER_LEN + NOISE_INIT_OVERHEAD + OFFER_INIT_MIN + MACS_LEN)
#define INIT_MAX (INIT_MIN + HANDSHAKE_EXT_MAX)
#define RESPONSE_MIN \
	(RESPONSE_HEADER_LEN + NOISE_RESPONSE_OVERHEAD + OFFER_RESPONSE_MIN + MACS_LEN)
#define RESPONSE_MAX (RESPONSE_MIN + HANDSHAKE_EXT_MAX)

_Static_assert(INIT_MAX <= PACKET_HANDSHAKE_MAX && RESPONSE_MAX <= PACKET_HANDSHAKE_MAX,
	       "every message fits a path without fragments");
_Static_assert(RESPONSE_MIN + 23 <= INIT_MIN, "no amplification: our RESPONSE, with an address");

static const char prologue[] = "vpnd handshake 1";

static bool has_type(const uint8_t *pkt, size_t len, enum packet_type type)
{
	return len > 0 && pkt[0] == (PACKET_VERSION | type);
}

bool handshake_self_init(struct handshake_self *s, const struct key_pair *pair,
			 const struct crypto *crypto)
{
	uint8_t derived[32];
	bool ok;

	memset(s, 0, sizeof(*s));
	s->crypto = crypto;
	s->pub = pair->pub;
	crypto->dh_secret(s->dh_secret, pair);
	crypto->dh_base(derived, s->dh_secret);
	ok = crypto->key_valid(&pair->pub) && crypto->dh_public(s->dh_public, &pair->pub) &&
	     memcmp(derived, s->dh_public, 32) == 0; /* the halves belong together */
	if (!ok)
		sodium_memzero(s, sizeof(*s));
	return ok;
}

static struct noise_self noise_self_of(const struct handshake_self *self,
				       const struct handshake *hs)
{
	return (struct noise_self){
		.crypto = self->crypto,
		.s_secret = self->dh_secret,
		.s_public = self->dh_public,
		.e_secret = hs->e_secret,
		.e_public = hs->e_public,
		.psk = hs->psk,
	};
}

/* --- INIT --- */

/* Writes the Noise message behind the header; what the initiator must remember goes to hs. */
static bool init_seal(struct handshake *hs, struct wr *w, const struct handshake_init_args *a)
{
	const struct offer_init offer = { a->start_counter, a->boottime, a->self->pub,
					  a->own };
	struct noise_self ns = noise_self_of(a->self, hs);
	uint8_t plain[OFFER_MAX], remote_s[32], *at;
	struct wr p = wr_of(plain, sizeof(plain));
	struct noise n;
	bool ok;

	if (!a->self->crypto->key_valid(a->remote) ||
	    !a->self->crypto->dh_public(remote_s, a->remote))
		return false;
	offer_write_init(&p, &offer);
	at = wr_room(w, NOISE_INIT_OVERHEAD + wr_len(&p));
	assert(wr_ok(&p) && at);
	noise_begin(&n, prologue, sizeof(prologue) - 1, remote_s);
	ok = noise_init_write(&n, &ns, remote_s, (struct noise_text){ plain, wr_len(&p) }, at);
	memcpy(hs->ck, n.ck, sizeof(hs->ck));
	memcpy(hs->h, n.h, sizeof(hs->h));
	sodium_memzero(&n, sizeof(n));
	sodium_memzero(plain, sizeof(plain));
	return ok;
}

size_t handshake_init_create(struct handshake *hs, uint8_t *out,
			     const struct handshake_init_args *a)
{
	struct wr w = wr_of(out, PACKET_HANDSHAKE_MAX);

	assert(a->index != 0);
	memset(hs, 0, sizeof(*hs));
	memcpy(hs->psk, a->psk, sizeof(hs->psk));
	memcpy(hs->e_secret, a->ephemeral, sizeof(hs->e_secret));
	a->self->crypto->dh_base(hs->e_public, hs->e_secret);
	hs->remote = *a->remote;
	hs->index = a->index;
	hs->own = a->own;
	packet_write_type(&w, PACKET_INIT);
	wr_u32(&w, a->index);
	if (!init_seal(hs, &w, a)) {
		sodium_memzero(hs, sizeof(*hs));
		return 0;
	}
	memcpy(hs->mac1, mac_append(&w, a->psk, a->remote, a->cookie), sizeof(hs->mac1));
	assert(wr_ok(&w) && wr_len(&w) <= INIT_MAX);
	return wr_len(&w);
}

/* The key that the payload names is the one whose X25519 form opened the message. */
static bool names_static(const struct crypto *c, const struct pubkey *node, const uint8_t s[32])
{
	uint8_t dh[32];

	return c->key_valid(node) && c->dh_public(dh, node) && memcmp(dh, s, sizeof(dh)) == 0;
}

/* `in` is scratch: the caller wipes it when this says false. */
static bool init_open(struct handshake_incoming *in, const struct handshake_self *self,
		      struct noise_text msg)
{
	struct noise_self ns = { .crypto = self->crypto, .s_secret = self->dh_secret,
				 .s_public = self->dh_public };
	uint8_t plain[OFFER_MAX];
	struct offer_init o = { 0 };
	struct noise_peer peer;
	struct noise n;
	bool ok;

	noise_begin(&n, prologue, sizeof(prologue) - 1, self->dh_public);
	ok = noise_init_read(&n, &ns, msg, &peer, plain) &&
	     offer_read_init(rd_of(plain, msg.len - NOISE_INIT_OVERHEAD), &o) &&
	     names_static(self->crypto, &o.node, peer.s);
	if (ok) {
		memcpy(in->ck, n.ck, sizeof(in->ck));
		memcpy(in->h, n.h, sizeof(in->h));
		memcpy(in->remote_e, peer.e, sizeof(in->remote_e));
		memcpy(in->remote_s, peer.s, sizeof(in->remote_s));
		in->result.remote = o.node;
		in->result.theirs = o.offer;
		in->result.start_counter = o.start_counter;
		in->result.boottime = o.boottime;
	}
	sodium_memzero(&n, sizeof(n));
	sodium_memzero(&peer, sizeof(peer));
	sodium_memzero(plain, sizeof(plain));
	return ok;
}

bool handshake_init_consume(struct handshake_incoming *in, const struct handshake_self *self,
			    const uint8_t *pkt, size_t len)
{
	struct handshake_incoming scratch = { 0 };
	struct rd r = rd_of(pkt, len);
	struct noise_text msg;
	bool ok;

	if (len < INIT_MIN || len > INIT_MAX || !packet_read_type(&r, PACKET_INIT))
		return false;
	scratch.result.remote_index = rd_u32(&r);
	msg.len = len - INIT_HEADER_LEN - MACS_LEN;
	msg.p = rd_bytes(&r, msg.len);
	ok = msg.p && scratch.result.remote_index != 0 && init_open(&scratch, self, msg);
	if (ok)
		*in = scratch;
	sodium_memzero(&scratch, sizeof(scratch));
	return ok;
}

/* --- keys --- */

static enum aead_suite suite_of(uint32_t initiator_features, uint32_t responder_features)
{
	return initiator_features & responder_features & HANDSHAKE_FEATURE_AES ?
		       AEAD_AES256_GCM : AEAD_CHACHA20_POLY1305;
}

/* What both sides said is bound into the keys: who heard something else has other keys. */
static void bind_key(uint8_t key[32], enum aead_suite suite, uint32_t initiator, uint32_t responder)
{
	uint8_t buf[32 + 1 + 1 + 4 + 4];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_copy(&w, key, 32);
	wr_u8(&w, OFFER_VERSION);
	wr_u8(&w, (uint8_t)suite);
	wr_u32(&w, initiator);
	wr_u32(&w, responder);
	assert(wr_ok(&w) && wr_len(&w) == sizeof(buf));
	hash_of(key, 32, "vpnd transport", buf, sizeof(buf));
	sodium_memzero(buf, sizeof(buf));
}

/* Suite, both keys and the transcript; out->theirs is set. */
static void finish(struct handshake_result *out, const struct noise *n, const struct crypto *c,
		   bool initiator, uint32_t own_features)
{
	uint32_t fi = initiator ? own_features : out->theirs.features;
	uint32_t fr = initiator ? out->theirs.features : own_features;

	out->suite = suite_of(fi, fr);
	memcpy(out->transcript, n->h, sizeof(out->transcript));
	if (initiator)
		noise_split(n, c, out->send_key, out->receive_key);
	else
		noise_split(n, c, out->receive_key, out->send_key);
	bind_key(out->send_key, out->suite, fi, fr);
	bind_key(out->receive_key, out->suite, fi, fr);
}

static void resume(struct noise *n, const uint8_t ck[32], const uint8_t h[32])
{
	memset(n, 0, sizeof(*n));
	memcpy(n->ck, ck, sizeof(n->ck));
	memcpy(n->h, h, sizeof(n->h));
}

/* --- RESPONSE --- */

/* Writes the Noise message behind the header; keys to in->result. */
static bool response_seal(struct handshake_incoming *in, struct wr *w,
			  const struct handshake_respond_args *a)
{
	uint8_t plain[OFFER_MAX], e_public[32], *at;
	struct noise_self ns = { a->self->crypto, a->self->dh_secret, a->self->dh_public,
				 a->ephemeral, e_public, a->psk };
	struct wr p = wr_of(plain, sizeof(plain));
	struct noise_peer peer;
	struct noise n;
	bool ok;

	resume(&n, in->ck, in->h);
	memcpy(peer.s, in->remote_s, sizeof(peer.s));
	memcpy(peer.e, in->remote_e, sizeof(peer.e));
	a->self->crypto->dh_base(e_public, a->ephemeral);
	offer_write_response(&p, &a->own);
	at = wr_room(w, NOISE_RESPONSE_OVERHEAD + wr_len(&p));
	assert(wr_ok(&p) && at);
	ok = noise_response_write(&n, &ns, &peer, (struct noise_text){ plain, wr_len(&p) }, at);
	if (ok)
		finish(&in->result, &n, a->self->crypto, false, a->own.features);
	sodium_memzero(&n, sizeof(n));
	sodium_memzero(plain, sizeof(plain));
	return ok;
}

size_t handshake_respond(struct handshake_incoming *in, uint8_t *out,
			 const struct handshake_respond_args *a)
{
	struct wr w = wr_of(out, PACKET_HANDSHAKE_MAX);
	bool ok;

	assert(a->index != 0);
	assert(in->result.remote_index != 0); /* consumed, and not answered yet */
	packet_write_type(&w, PACKET_RESPONSE);
	wr_u32(&w, a->index);
	wr_u32(&w, in->result.remote_index);
	ok = response_seal(in, &w, a);
	sodium_memzero(in->ck, sizeof(in->ck));
	sodium_memzero(in->h, sizeof(in->h));
	sodium_memzero(in->remote_e, sizeof(in->remote_e));
	sodium_memzero(in->remote_s, sizeof(in->remote_s));
	if (!ok)
		return 0;
	mac_append(&w, a->psk, &in->result.remote, NULL);
	assert(wr_ok(&w) && wr_len(&w) <= RESPONSE_MAX);
	return wr_len(&w);
}

/* `out` is scratch: the caller wipes it when this says false. */
static bool response_open(const struct handshake *hs, const struct handshake_self *self,
			  struct noise_text msg, struct handshake_result *out)
{
	struct noise_self ns = noise_self_of(self, hs);
	uint8_t plain[OFFER_MAX];
	struct noise n;
	bool ok;

	resume(&n, hs->ck, hs->h);
	ok = noise_response_read(&n, &ns, msg, plain) &&
	     offer_read_response(rd_of(plain, msg.len - NOISE_RESPONSE_OVERHEAD), &out->theirs);
	if (ok) {
		out->remote = hs->remote;
		finish(out, &n, self->crypto, true, hs->own.features);
	}
	sodium_memzero(&n, sizeof(n));
	sodium_memzero(plain, sizeof(plain));
	return ok;
}

/* The header and both macs: is it for this handshake? *msg = the Noise message in it. */
static bool response_frame(const struct handshake *hs, const struct handshake_self *self,
			   struct rd r, uint32_t *remote_index, struct noise_text *msg)
{
	const size_t len = rd_left(&r);
	const uint8_t *pkt = r.p, *mac2;

	if (len < RESPONSE_MIN || len > RESPONSE_MAX || !packet_read_type(&r, PACKET_RESPONSE))
		return false;
	*remote_index = rd_u32(&r);
	if (*remote_index == 0 || hs->index == 0 || rd_u32(&r) != hs->index)
		return false;
	msg->len = len - RESPONSE_HEADER_LEN - MACS_LEN;
	msg->p = rd_bytes(&r, msg->len);
	rd_bytes(&r, MAC_LEN); /* mac1, over all before */
	mac2 = rd_bytes(&r, MAC_LEN);
	return rd_done(&r) && mac1_fits(pkt, len, hs->psk, &self->pub) &&
	       sodium_is_zero(mac2, MAC_LEN);
}

bool handshake_response_consume(struct handshake *hs, const struct handshake_self *self,
				const uint8_t *pkt, size_t len, struct handshake_result *out)
{
	struct handshake_result scratch = { 0 };
	struct noise_text msg;
	bool ok;

	ok = response_frame(hs, self, rd_of(pkt, len), &scratch.remote_index, &msg) &&
	     response_open(hs, self, msg, &scratch);
	if (ok) {
		*out = scratch;
		sodium_memzero(hs, sizeof(*hs));
	}
	sodium_memzero(&scratch, sizeof(scratch));
	return ok;
}

/* --- first checks --- */

int handshake_mac1_match(const uint8_t *pkt, size_t len, const struct pubkey *self,
			 const uint8_t (*overlay_keys)[32], size_t count)
{
	int match = -1;

	assert(count <= HANDSHAKE_OVERLAY_KEYS_MAX);
	if (len > PACKET_HANDSHAKE_MAX ||
	    !((has_type(pkt, len, PACKET_INIT) && len >= INIT_MIN) ||
	      (has_type(pkt, len, PACKET_RESPONSE) && len >= RESPONSE_MIN)))
		return -1;
	for (size_t i = 0; i < count; i++) /* all of them, so that time does not tell which */
		if (mac1_fits(pkt, len, overlay_keys[i], self) && match < 0)
			match = (int)i;
	return match;
}

uint32_t handshake_receiver_index(const uint8_t *pkt, size_t len)
{
	struct rd r = rd_of(pkt, len);

	if (has_type(pkt, len, PACKET_RESPONSE))
		rd_bytes(&r, 8);
	else if (has_type(pkt, len, PACKET_COOKIE))
		rd_bytes(&r, 4);
	else
		return 0;
	return rd_u32(&r);
}

uint32_t handshake_sender_index(const uint8_t *pkt, size_t len)
{
	struct rd r = rd_of(pkt, len);

	if (!has_type(pkt, len, PACKET_INIT) && !has_type(pkt, len, PACKET_RESPONSE))
		return 0;
	rd_bytes(&r, 4);
	return rd_u32(&r);
}
