/* X25519 and Ed25519 as this program uses them, against the Wycheproof values. */
#include "base/key.h"
#include "p2p/noise.h"

#include "tests/unit/vectors.h"

static unsigned zero_results;

static void one_x25519(char *word[])
{
	struct bytes secret = bytes_of(word[2]), public = bytes_of(word[3]);
	struct bytes shared = bytes_of(word[4]);
	bool zero = sodium_is_zero(shared.b, 32);
	uint8_t got[32];
	bool ok;

	CHECK(secret.len == 32 && public.len == 32 && shared.len == 32);
	ok = crypto_real.dh(got, secret.b, public.b);
	CHECK(ok == !zero);
	if (ok)
		CHECK_MEM(got, shared.b, 32);
	zero_results += !ok;
}

static void test_key_x25519_answers_wycheproof_and_refuses_zero_results(void)
{
	FILE *f = vectors_open("wycheproof-x25519.txt");

	zero_results = 0;
	if (!f)
		return;
	CHECK_EQ_INT(vectors_run(f, 6, one_x25519), 518);
	CHECK_EQ_INT(zero_results, 31);
}

/* Wycheproof X25519 test 1, and the points of low order among its values. */
static void test_key_x25519_low_order_points_are_refused_here_too(void)
{
	static const char *const low[] = {
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
		"5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	};
	struct bytes secret =
		bytes_of("c8a9d5a91091ad851c668b0736c1c9a02936c0d3ad62670858088047ba057475");
	struct bytes public =
		bytes_of("504a36999f489cd2fdbc08baff3d88fa00569ba986cba22548ffde80f9806829");
	struct bytes shared =
		bytes_of("436a2c040cf45fea9b29a0cb81b1f41458f863d0d61b453d0a982720d6d61320");
	uint8_t got[32];

	CHECK(crypto_real.dh(got, secret.b, public.b));
	CHECK_MEM(got, shared.b, 32);
	for (size_t i = 0; i < ARRAY_LEN(low); i++) {
		struct bytes p = bytes_of(low[i]);

		CHECK(!crypto_real.dh(got, secret.b, p.b));
	}
}

static unsigned verified;

static void one_ed25519(char *word[])
{
	struct bytes public = bytes_of(word[2]), msg = bytes_of(word[3]), sig = bytes_of(word[4]);
	bool valid = strcmp(word[1], "valid") == 0, ok;
	struct pubkey k;

	CHECK_EQ_INT(public.len, KEY_LEN);
	ok = sig.len == SIG_LEN &&
	     crypto_sign_verify_detached(sig.b, msg.b, msg.len, public.b) == 0;
	CHECK(ok == valid);
	verified += ok;
	/* A key that proves something here is one of ours exactly when its sign bit is 0. */
	memcpy(k.b, public.b, KEY_LEN);
	if (valid)
		CHECK(key_valid(&k) == !(k.b[KEY_LEN - 1] & 0x80));
}

static void test_key_ed25519_answers_wycheproof(void)
{
	FILE *f = vectors_open("wycheproof-ed25519.txt");

	verified = 0;
	if (!f)
		return;
	CHECK_EQ_INT(vectors_run(f, 5, one_ed25519), 151);
	CHECK_EQ_INT(verified, 88);
}

static const struct test tests[] = {
	TEST(test_key_x25519_answers_wycheproof_and_refuses_zero_results),
	TEST(test_key_x25519_low_order_points_are_refused_here_too),
	TEST(test_key_ed25519_answers_wycheproof),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
