/* sim_crypto.h - the key operations of large simulations: a thousand times cheaper, still checked.
 *
 * Everybody could forge everything: it is a stand-in for honest arithmetic, not for security. But
 * what is signed by one key, altered, or sealed for another is refused, as with crypto_real, so a
 * run that mixes up keys fails. Real key pairs (drawn inside dht/ for tokens and epochs) work with
 * the dummy as well; its own do not work with crypto_real. */
#ifndef CMD_SIM_CRYPTO_H
#define CMD_SIM_CRYPTO_H

#include "base/key.h"

extern const struct crypto crypto_dummy;

/* A key pair of the dummy's, a function of the seed; every seed fits. */
void sim_key_pair(struct key_pair *k, const uint8_t seed[SEED_LEN]);

#endif
