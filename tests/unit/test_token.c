#include "dht/token.h"

#include "tests/unit/keeper_ops.h"

static struct token some_token(void)
{
	struct token t = { .root = kit_key(1).pub, .rendezvous = { 2 }, .overlay_key = { 3 },
			   .checkpoint = { 4, 5, { 6 } }, .contact_count = 2 };
	struct key_pair seed = kit_key(7);

	memcpy(t.seed, seed.secret, SEED_LEN);
	t.contacts[0].key = kit_key(8).pub;
	t.contacts[0].addr_count = 2;
	CHECK(addr_parse(&t.contacts[0].addrs[0], "192.0.2.1:24655"));
	CHECK(addr_parse(&t.contacts[0].addrs[1], "[2001:db8::1]:24655"));
	t.contacts[1].key = kit_key(9).pub;
	return t;
}

static void test_token_comes_back_also_with_white_space_around_it(void)
{
	struct token t = some_token(), got;
	char text[TOKEN_TEXT_MAX + 8] = " \n";
	size_t n = token_write(text + 2, TOKEN_TEXT_MAX, &t);

	CHECK(n == strlen(text + 2));
	CHECK(strncmp(text + 2, "vpnd1:", 6) == 0);
	memcpy(text + 2 + n, "\r\n", 3);
	CHECK(token_parse(&got, text, &crypto_real) == NULL);
	CHECK(memcmp(&t, &got, sizeof(t)) == 0);
}

static void test_token_of_full_size_fits(void)
{
	struct token t = some_token(), got;
	char text[TOKEN_TEXT_MAX];

	t.contact_count = TOKEN_CONTACTS_MAX;
	for (uint32_t i = 0; i < TOKEN_CONTACTS_MAX; i++) {
		t.contacts[i].key = kit_key(20 + i).pub;
		t.contacts[i].addr_count = TOKEN_CONTACT_ADDRS;
		for (size_t j = 0; j < TOKEN_CONTACT_ADDRS; j++)
			CHECK(addr_parse(&t.contacts[i].addrs[j], "[2001:db8::1]:24655"));
	}
	CHECK(token_write(text, sizeof(text), &t) > 0);
	CHECK(token_parse(&got, text, &crypto_real) == NULL);
	CHECK_EQ_INT(token_write(text, 100, &t), 0);
	t.contact_count++;
	CHECK_EQ_INT(token_write(text, sizeof(text), &t), 0);
}

static void test_token_with_any_character_changed_or_missing_is_called_damaged(void)
{
	struct token t = some_token(), got;
	char text[TOKEN_TEXT_MAX];
	size_t n = token_write(text, sizeof(text), &t);

	for (size_t i = 6; i < n; i++) {
		char c = text[i];
		const char *wrong;

		text[i] = c == 'A' ? 'B' : 'A';
		wrong = token_parse(&got, text, &crypto_real);
		CHECK(wrong && strstr(wrong, "damaged"));
		for (int b = 0; b < 256; b++) { /* no other byte stands for the same */
			text[i] = (char)b;
			CHECK(text[i] == c || token_parse(&got, text, &crypto_real));
		}
		text[i] = c;
	}
	for (size_t i = n; i-- > 6;) {
		text[i] = 0;
		CHECK(token_parse(&got, text, &crypto_real));
		CHECK(sodium_is_zero((const uint8_t *)&got, sizeof(got)));
	}
}

static void test_token_that_is_something_else_is_called_so(void)
{
	static const char *const texts[] = { "", "hello", "vpnd2:abcd", "VPND1:abcd" };
	struct token got;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const char *wrong = token_parse(&got, texts[i], &crypto_real);

		CHECK(wrong && strstr(wrong, "not a vpnd token"));
	}
	CHECK(token_parse(&got, "vpnd1:", &crypto_real) != NULL);
	CHECK(token_parse(&got, "vpnd1:!!!!", &crypto_real) != NULL);
}

static void test_token_whose_keys_are_no_keys_is_called_malformed(void)
{
	struct token t = some_token(), got;
	char text[TOKEN_TEXT_MAX];
	const char *wrong;

	memset(&t.root, 0, sizeof(t.root));
	token_write(text, sizeof(text), &t);
	wrong = token_parse(&got, text, &crypto_real);
	CHECK(wrong && strstr(wrong, "malformed"));
	t = some_token();
	memset(&t.contacts[1].key, 1, KEY_LEN);
	token_write(text, sizeof(text), &t);
	wrong = token_parse(&got, text, &crypto_real);
	CHECK(wrong && strstr(wrong, "malformed"));
}

static const struct test tests[] = {
	TEST(test_token_comes_back_also_with_white_space_around_it),
	TEST(test_token_of_full_size_fits),
	TEST(test_token_with_any_character_changed_or_missing_is_called_damaged),
	TEST(test_token_that_is_something_else_is_called_so),
	TEST(test_token_whose_keys_are_no_keys_is_called_malformed),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
