/* A record that reads is within its bounds; none that was not sealed here opens. */
#include <assert.h>

#include "dht/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct dht_topic t = { .kind = DHT_NAME, .secret = "not the corpus's" };
	uint8_t body[DHT_BODY_MAX];
	struct record r;

	if (!record_read(&r, data, len))
		return 0;
	assert(len <= RECORD_LEN_MAX && r.len == len && r.signed_len + SIG_LEN == len);
	assert(r.sealed >= data && r.sealed + r.sealed_len <= data + len);
	assert(record_open(body, &r, &t) < 0);
	(void)record_check_dates(&r, r.expires / 2);
	(void)record_check_signature(&r, &crypto_real);
	return 0;
}
