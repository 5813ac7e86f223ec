/* vote.h - what keepers sign when they accept a value: a grant, or which configuration follows.
 * Private to dht/. docs/protocol.md 8.6, 7.2. */
#ifndef DHT_VOTE_H
#define DHT_VOTE_H

#include "dht/grant.h"

struct vote {
	const uint8_t *nsid; /* of NSID_LEN bytes */
	const struct reg_name *name;
	struct reg_value value;
	struct ballot ballot;
	uint64_t beacon; /* wall seconds */
};

bool vote_signed(const struct vote *v, const uint8_t sig[SIG_LEN], const struct pubkey *epoch_key,
		 const struct crypto *c);
/* With the signatures of a quorum: the grant, or the configuration. `signers` has a bit for each
 * sigs[i] that counts. Bytes or 0. */
size_t vote_proof(uint8_t *out, size_t size, const struct vote *v, uint8_t signers,
		  const uint8_t sigs[][SIG_LEN]);

#endif
