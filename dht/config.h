/* config.h - keeper configurations: who judges ownership in which epoch. Public.
 *
 * docs/protocol.md 7.2. Structs hold copies; encoders are canonical; verification is a pure function
 * of bytes and keys. */
#ifndef DHT_CONFIG_H
#define DHT_CONFIG_H

#include "dht/register.h"

#define KEEPERS_MAX 7
#define CONFIG_MAX 2048
#define CONFIG_BODY_MAX 1027 /* of seven */

struct keeper {
	struct pubkey node;
	uint64_t incarnation;
	struct pubkey epoch_key;
	uint8_t certificate[SIG_LEN];
};

struct config {
	struct pubkey root;
	uint32_t era, epoch;
	uint8_t quorum, count;
	uint16_t body; /* bytes of its body, in front of `bytes`; set by read and write */
	uint8_t previous[32];
	uint8_t hash[32]; /* of the body; set by read and write */
	const uint8_t *bytes; /* encoded, with ballot and proofs: those read, or room */
	size_t len;
	struct keeper members[KEEPERS_MAX]; /* what is kept ends with `count` of them */
	uint8_t room[CONFIG_MAX];	    /* config_genesis writes here */
};
struct checkpoint {
	uint32_t era, epoch;
	uint8_t hash[32];
};
/* A body under one ballot: what keepers sign, each with its epoch key, when they accept it. */
struct config_choice {
	const uint8_t *body;
	size_t len;
	struct ballot ballot;
};
/* Certifies k->epoch_key and k->incarnation with the node key, for root, era and epoch of *cf. */
void keeper_certify(struct keeper *k, const struct config *cf, const struct key_pair *node,
		    const struct crypto *c);
bool keeper_certified(const struct keeper *k, const struct config *cf, const struct crypto *c);
/* Genesis of an era, signed by the root: era, epoch 1, quorum and certified members are set. Fills
 * root, bytes, len, hash; bytes are in *cf. False when the sizes are not allowed. */
bool config_genesis(struct config *cf, const struct key_pair *root, const struct crypto *c);
/* The body: all that says what the configuration is, without ballot and proofs. Bytes or 0 (no room,
 * sizes not allowed). Root, era, epoch, quorum, certified members and previous are set. */
size_t config_body_write(uint8_t *out, size_t size, const struct config *cf);
/* Form, sizes, certificates, and that it is a successor of *previous. cf->bytes is b. */
bool config_body_read(struct config *cf, const uint8_t *b, size_t len,
		      const struct config *previous, const struct crypto *c);
/* One acceptor's word on a choice, by its epoch key of the configuration that chooses. */
void config_sign(uint8_t sig[SIG_LEN], const struct config_choice *choice,
		 const struct key_pair *epoch_key, const struct crypto *c);
bool config_signed(const uint8_t sig[SIG_LEN], const struct config_choice *choice,
		   const struct pubkey *epoch_key, const struct crypto *c);
/* Body, ballot and proofs; `signers` has a bit for each sigs[i] that counts. Bytes or 0. */
size_t config_assemble(uint8_t *out, size_t size, const struct config_choice *choice,
		       uint8_t signers, const uint8_t sigs[][SIG_LEN]);
/* Form, certificates, quorum against size; genesis: the root's proof. Later epochs need `previous`.
 * cf->bytes is b. */
bool config_read(struct config *cf, const uint8_t *b, size_t len, const struct pubkey *root,
		 const struct config *previous, const struct crypto *c);
/* All of that but the proofs of a later epoch: of our own disk, or named by a hash that is trusted. */
bool config_read_unproven(struct config *cf, const uint8_t *b, size_t len,
			  const struct pubkey *root, const struct crypto *c);
/* Which one it claims to be, without any check; 0 epochs when it is too short. */
struct checkpoint config_peek(const uint8_t *b, size_t len); /* without its hash */
bool config_is_newer(const struct config *cf, const struct config *than); /* by (era, epoch) */
bool config_matches(const struct config *cf, const struct checkpoint *cp); /* same or later */
int config_member(const struct config *cf, const struct pubkey *node); /* index or -1 */

#endif
