/* fuzz_backup.c - the one line that `vpnctl root restore` reads, at a node that knows nothing.
 *
 * Input: one byte, bit 0: the rest is the line itself; else length 2, the token's bytes, and the
 * estate's, which get their checksums and become text; bit 1: with a new era; bit 2: every signature
 * passes. Whatever it says, it is answered once, and the node goes on. */
#include <assert.h>

#include "tests/fuzz/fuzz.h"
#include "tests/unit/node_kit.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define SUM_LEN 4
#define BYTES_MAX 4096

/* `label`: of the checksum. */
static void append(char *text, const char *label, struct rd *in, size_t n)
{
	uint8_t bytes[BYTES_MAX + SUM_LEN], sum[16];

	rd_copy(in, bytes, n);
	hash_of(sum, sizeof(sum), label, bytes, n);
	memcpy(bytes + n, sum, SUM_LEN);
	sodium_bin2base64(text + strlen(text), 2 * BYTES_MAX, bytes, n + SUM_LEN, VARIANT);
}

static char *line_of(struct rd *in, bool as_it_is)
{
	char *text = mem_new(4 * BYTES_MAX + 32);
	size_t n;

	if (as_it_is) {
		n = rd_left(in);
		rd_copy(in, (uint8_t *)text, n);
		return text;
	}
	n = rd_u16(in);
	n = n < rd_left(in) ? n : rd_left(in);
	snprintf(text, 32, "vpnd-root2:");
	append(text, "vpnd token text", in, n);
	snprintf(text + strlen(text), 2, ".");
	append(text, "vpnd backup text", in, rd_left(in));
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct crypto gullible;
	struct rd in = rd_of(data, len);
	uint8_t how = rd_u8(&in);
	struct node_root_restore r = { .new_era = how & 2 };
	struct kit *k;
	char *text;

	if (len > BYTES_MAX)
		return 0;
	gullible = crypto_real;
	gullible.verify = fuzz_believe;
	text = line_of(&in, how & 1);
	r.text = text;
	k = kit_new(1, 1);
	if (how & 4)
		k->node[0].n->cfg.crypto = &gullible;
	node_root_restore(k->node[0].n, ++k->last_op, &r, k->now);
	assert(kit_wait(k, 0, k->last_op, SEC(60)));
	kit_run(k, SEC(2));
	kit_free(k);
	free(text);
	return 0;
}
