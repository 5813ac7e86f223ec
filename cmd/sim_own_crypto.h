/* sim_own_crypto.h - signatures that cost nothing, for a million schedules.
 *
 * A keyed 64-bit hash over public key, label and message, drawn out to 64 bytes. Whoever wants to
 * can forge it; but a signature of another key, of other bytes or under another label is refused,
 * and so every check the product makes still decides. Key pairs are those of key_from_seed. */
#ifndef CMD_SIM_OWN_CRYPTO_H
#define CMD_SIM_OWN_CRYPTO_H

#include "base/key.h"

extern const struct crypto crypto_quick;

#endif
