/* fuzz_addr.c - texts and wire forms of addresses, prefixes and keys. First byte: which; the rest:
 * the input. What is accepted must come back the same after it was written and read again. */
#include <assert.h>
#include <string.h>

#include "base/addr.h"
#include "base/key.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX 256

static void addr_again(const char *text)
{
	char out[ADDR_TEXT_LEN];
	struct addr a, b;

	if (!addr_parse(&a, text))
		return;
	addr_text(out, &a);
	assert(addr_parse(&b, out) && addr_equal(&a, &b));
}

static void prefix_again(const char *text)
{
	char out[PREFIX_TEXT_LEN];
	struct prefix a, b;

	if (!prefix_parse(&a, text))
		return;
	prefix_text(out, &a);
	assert(prefix_parse(&b, out) && a.bits == b.bits && ip_equal(&a.ip, &b.ip));
	assert(prefix_has(&a, &a.ip) && prefix_overlaps(&a, &b));
}

static void key_again(const char *text)
{
	char out[KEY_TEXT_LEN];
	uint8_t dh[32];
	struct pubkey k;

	if (!key_parse(&k, text, &crypto_real))
		return;
	key_text(out, &k);
	assert(strcmp(out, text) == 0 && key_dh_public(dh, &k));
}

static void wire_again(const uint8_t *data, size_t len)
{
	struct rd r = rd_of(data, len);
	struct addr a = rd_addr(&r);
	uint8_t out[32];
	struct wr w = wr_of(out, sizeof(out));

	if (!rd_ok(&r))
		return;
	wr_addr(&w, &a);
	assert(wr_ok(&w) && wr_len(&w) <= len && memcmp(out, data, wr_len(&w)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static void (*const texts[])(const char *) = { addr_again, prefix_again, key_again };
	char text[TEXT_MAX] = { 0 };

	if (len == 0)
		return 0;
	if (data[0] % 4 == 3) {
		wire_again(data + 1, len - 1);
		return 0;
	}
	memcpy(text, data + 1, len - 1 < TEXT_MAX - 1 ? len - 1 : TEXT_MAX - 1);
	texts[data[0] % 4](text);
	return 0;
}
