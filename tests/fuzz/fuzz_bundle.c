/* fuzz_bundle.c - bundles of REGISTER messages: what opens is what bundles_add makes of its parts. */
#include "dht/bundle.h"

#include <assert.h>

#include "dht/regmsg.h"
#include "tests/fuzz/fuzz.h"

struct sent {
	const uint8_t *bytes; /* as they should be */
	size_t len, count;
};

static void on_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct sent *s = ctx;

	(void)to;
	assert(s->len == len && memcmp(s->bytes, msg, len) == 0);
	s->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct pubkey to = { { 1 } };
	struct sent sent = { data, len, 0 };
	struct bundles_way way = { &sent, on_send, data + 1 };
	struct bundles *all = NULL;
	struct bundle b;
	struct regmsg m;
	const uint8_t *part;
	size_t n;

	if (len <= NSID_LEN || !bundle_open(&b, data, len, data + 1))
		return 0;
	while (bundle_next(&b, &part, &n)) {
		assert(part >= data && n > 0 && n <= BUNDLE_PART_MAX && part + n <= data + len);
		regmsg_read(&m, part, n);
		bundles_add(&all, &way, &to, part, n);
	}
	bundles_flush(&all, &way);
	assert(sent.count == 1);
	return 0;
}
