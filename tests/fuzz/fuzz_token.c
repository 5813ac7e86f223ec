/* fuzz_token.c - join tokens: what parses is written the same; a second pass mends the checksum, so
 * that the fuzzer gets past it. */
#include <string.h>

#include "dht/token.h"

#define VARIANT sodium_base64_VARIANT_URLSAFE_NO_PADDING
#define BYTES_MAX 700

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void parse(const char *text)
{
	char again[TOKEN_TEXT_MAX];
	struct token t;

	if (token_parse(&t, text, &crypto_real))
		return;
	while (*text != 'v')
		text++;
	if (!token_write(again, sizeof(again), &t) || strncmp(again, text, strlen(again)) != 0)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char text[TOKEN_TEXT_MAX + 16] = "vpnd1:";
	uint8_t bytes[BYTES_MAX], sum[16];
	size_t n;

	if (len > TOKEN_TEXT_MAX)
		return 0;
	memcpy(text, data, len);
	text[len] = 0;
	parse(text);
	if (len < 10 || sodium_base642bin(bytes, sizeof(bytes), (const char *)data + 6, len - 6, NULL,
					  &n, NULL, VARIANT) != 0 || n < 4)
		return 0;
	hash_of(sum, sizeof(sum), "vpnd token text", bytes, n - 4);
	memcpy(bytes + n - 4, sum, 4);
	memcpy(text, "vpnd1:", 6);
	sodium_bin2base64(text + 6, sizeof(text) - 6, bytes, n, VARIANT);
	parse(text);
	return 0;
}
