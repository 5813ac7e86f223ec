/* noise.h - Noise_IKpsk2_25519_ChaChaPoly_SHA256 and nothing more of Noise. docs/protocol.md 3.
 *
 * The two messages as functions of (state, keys, payload); who says what in the payload is
 * handshake.c's. Every function that returns bool leaves the state useless when it says false: the
 * caller works on a copy and wipes it. Private to p2p/ and its tests. */
#ifndef P2P_NOISE_H
#define P2P_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/key.h"

#define NOISE_LEN 32 /* keys, points, hashes */
#define NOISE_TAG_LEN 16
#define NOISE_INIT_OVERHEAD (NOISE_LEN + NOISE_LEN + NOISE_TAG_LEN + NOISE_TAG_LEN)
#define NOISE_RESPONSE_OVERHEAD (NOISE_LEN + NOISE_TAG_LEN)

struct noise {		       /* the symmetric state; wipe with sodium_memzero */
	uint8_t ck[NOISE_LEN]; /* chaining key */
	uint8_t h[NOISE_LEN];  /* hash of everything said so far */
	uint8_t k[NOISE_LEN];  /* cipher key; each message begins with a new one */
	uint64_t n;	       /* its next nonce */
};

struct noise_self { /* borrowed for the call */
	const struct crypto *crypto;
	const uint8_t *s_secret, *s_public; /* static */
	const uint8_t *e_secret, *e_public; /* ephemeral; not read by noise_init_read */
	const uint8_t *psk;		    /* read by the RESPONSE functions */
};

struct noise_peer {
	uint8_t s[NOISE_LEN], e[NOISE_LEN];
};

struct noise_text { /* a payload to seal, or a message to open */
	const uint8_t *p;
	size_t len;
};

/* Begins: both sides know the responder's static key. */
void noise_begin(struct noise *n, const void *prologue, size_t len, const uint8_t responder_s[32]);
/* Message 1: payload.len + NOISE_INIT_OVERHEAD bytes to out. */
bool noise_init_write(struct noise *n, const struct noise_self *self, const uint8_t remote_s[32],
		      struct noise_text payload, uint8_t *out);
/* msg.len - NOISE_INIT_OVERHEAD bytes of payload to out. */
bool noise_init_read(struct noise *n, const struct noise_self *self, struct noise_text msg,
		     struct noise_peer *peer, uint8_t *out);
/* Message 2: payload.len + NOISE_RESPONSE_OVERHEAD bytes to out. */
bool noise_response_write(struct noise *n, const struct noise_self *self,
			  const struct noise_peer *peer, struct noise_text payload, uint8_t *out);
/* msg.len - NOISE_RESPONSE_OVERHEAD bytes of payload to out. */
bool noise_response_read(struct noise *n, const struct noise_self *self, struct noise_text msg,
			 uint8_t *out);
/* The keys of the initiator's and of the responder's messages; n->h is then the handshake hash. */
void noise_split(const struct noise *n, const struct crypto *c, uint8_t initiator[32],
		 uint8_t responder[32]);

struct noise_cipher { /* ChaChaPoly with Noise's nonce and its associated data */
	const uint8_t *key;
	uint64_t n;
	struct noise_text ad;
};
/* text.len + NOISE_TAG_LEN bytes to out. */
void noise_seal(const struct noise_cipher *c, struct noise_text text, uint8_t *out);
/* text.len - NOISE_TAG_LEN bytes to out; false, with out unchanged or zero, when forged. */
bool noise_open(const struct noise_cipher *c, struct noise_text text, uint8_t *out);

#endif
