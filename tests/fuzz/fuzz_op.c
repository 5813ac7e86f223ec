/* fuzz_op.c - operations on registers: what reads has exactly one encoding. */
#include <string.h>

#include "dht/register.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void no_sign(uint8_t sig[SIG_LEN], const struct key_pair *k, const char *label,
		    const void *msg, size_t len)
{
	(void)k;
	(void)label;
	(void)msg;
	(void)len;
	memset(sig, 0, SIG_LEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct crypto dummy = { .sign = no_sign };
	struct key_pair signer = { .secret = { 0 } }, second = { .secret = { 0 } };
	uint8_t again[REG_OP_MAX];
	struct reg_op op;
	size_t tail = 2 * SIG_LEN + KEY_LEN, n;

	if (!reg_op_read(&op, data, len))
		return 0;
	reg_op_verify(&op, data, len, &crypto_real);
	signer.pub = op.signer;
	second.pub = op.second;
	n = reg_op_write(again, sizeof(again), &op, &dummy, &signer,
			 key_is_zero(&op.second) ? NULL : &second);
	if (n != len || memcmp(again, data, len - tail) != 0)
		__builtin_trap();
	return 0;
}
