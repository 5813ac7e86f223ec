/* fuzz_grant.c - grants: what reads has exactly one encoding, and a set of other keys refuses
 * it. */
#include <string.h>

#include "dht/grant.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct config nobody = { .quorum = 1, .count = 1 };
	uint8_t again[GRANT_MAX];
	struct wr w = wr_of(again, sizeof(again));
	struct grant g, other;

	if (!grant_read(&g, data, len))
		return 0;
	grant_end(&g);
	wr_grant_body(&w, &g);
	if (!wr_ok(&w) || wr_len(&w) >= len || memcmp(again, data, wr_len(&w)) != 0 ||
	    grant_verify(&other, data, len, &nobody, &crypto_real))
		__builtin_trap();
	return 0;
}
