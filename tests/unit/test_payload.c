#include "dht/payload.h"

#include <errno.h>

#include "tests/unit/keeper_ops.h"

/* Every shorter form, and one byte more, must be refused. */
#define CHECK_EXACT(read, p, buf, len) \
	do { \
		for (size_t n_ = 0; n_ < (len); n_++) \
			CHECK(!read(p, buf, n_)); \
		(buf)[len] = 0; \
		CHECK(!read(p, buf, (len) + 1)); \
		CHECK(read(p, buf, len)); \
	} while (0)

static void test_payload_owned_comes_back(void)
{
	struct owned_payload p = { .has_mac = true, .mac = { 2, 0, 0, 0, 0, 1 }, .host = "alpha" };
	struct owned_payload got;
	uint8_t buf[80];
	struct wr w = wr_of(buf, sizeof(buf));

	CHECK(ip_parse(&p.v4, "10.1.0.9") && ip_parse(&p.v6, "fd00::9"));
	wr_owned_payload(&w, &p);
	CHECK(wr_len(&w) <= REG_PAYLOAD_OWNED_MAX);
	CHECK(owned_payload_read(&got, buf, wr_len(&w)));
	CHECK(memcmp(&p, &got, sizeof(p)) == 0);
	CHECK(owned_payload_read(&got, NULL, 0));
}

static void test_payload_owned_refuses_other_orders_lengths_and_types(void)
{
	static const struct {
		uint8_t b[20];
		size_t len;
	} bad[] = {
		{ { 3, 4, 10, 1, 0, 9, 1, 6, 2, 0, 0, 0, 0, 1 }, 14 }, /* falling */
		{ { 3, 4, 10, 1, 0, 9, 3, 4, 10, 1, 0, 9 }, 12 },      /* twice */
		{ { 1, 5, 2, 0, 0, 0, 0 }, 7 },
		{ { 1, 7, 2, 0, 0, 0, 0, 0, 0 }, 9 },
		{ { 3, 3, 10, 1, 0 }, 5 },
		{ { 3, 4, 10, 1, 0 }, 5 },
		{ { 2, 0 }, 2 },
		{ { 2, 1, 'A' }, 3 },
		{ { 0, 0 }, 2 },
		{ { 5, 0 }, 2 },
		{ { 3 }, 1 },
	};
	struct owned_payload p;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!owned_payload_read(&p, bad[i].b, bad[i].len));
}

static struct token_payload some_token(void)
{
	struct token_payload p = { .uses = 3, .expires = 77, .ephemeral = true, .rights = RIGHT_EDGE,
				   .keepers = 1,
				   .groups = { 2, { "a", "b.c" } }, .used = 2 };

	memset(p.used_by[0], 1, 16);
	memset(p.used_by[1], 2, 16);
	return p;
}

static size_t token_bytes(uint8_t *buf, size_t size, const struct token_payload *p)
{
	struct wr w = wr_of(buf, size);

	wr_token_payload(&w, p);
	return wr_len(&w);
}

static void test_payload_token_comes_back_and_no_other_form_is_read(void)
{
	struct token_payload p = some_token(), got;
	uint8_t buf[4097];
	size_t len = token_bytes(buf, sizeof(buf), &p);

	CHECK_EXACT(token_payload_read, &got, buf, len);
	CHECK(memcmp(&p, &got, sizeof(p)) == 0);
	buf[10] = 2; /* revoked: neither no nor yes */
	CHECK(!token_payload_read(&got, buf, len));
}

static void test_payload_token_of_full_size_fits(void)
{
	static struct token_payload p, got;
	static uint8_t buf[4097];

	p = (struct token_payload){ .uses = REG_USES_MAX, .used = REG_USES_MAX };
	p.groups.count = REG_GROUPS_MAX;
	for (int i = 0; i < REG_GROUPS_MAX; i++) {
		memset(p.groups.name[i], 'x', REG_GROUP_LEN);
		p.groups.name[i][0] = (char)('a' + i);
	}
	for (int i = 0; i < REG_USES_MAX; i++)
		p.used_by[i][0] = (uint8_t)i;
	CHECK(token_payload_read(&got, buf, token_bytes(buf, sizeof(buf), &p)));
	CHECK(memcmp(&p, &got, sizeof(p)) == 0);
}

static void test_payload_token_refuses_counts_doubles_and_rights_out_of_bounds(void)
{
	struct token_payload p, got;
	uint8_t buf[4097];

	for (int i = 0; i < 8; i++) {
		p = some_token();
		p.keepers = i == 7 ? 4 : p.keepers; /* of three uses */
		p.uses = i == 0 ? 0 : i == 1 ? REG_USES_MAX + 1 : p.uses;
		p.used = i == 2 ? 4 : p.used;
		p.rights = i == 3 ? 0x100 : p.rights;
		if (i == 4)
			memset(p.used_by[1], 1, 16);
		if (i == 5)
			p.groups.name[1][0] = 'a', p.groups.name[1][1] = 0;
		if (i == 6)
			p.groups.name[1][0] = 'A';
		CHECK(!token_payload_read(&got, buf, token_bytes(buf, sizeof(buf), &p)));
	}
}

static void test_payload_token_gives_the_keeper_right_to_its_first_users_only(void)
{
	struct pubkey node[4] = { { { 1 } }, { { 2 } }, { { 3 } }, { { 4 } } };
	struct token_payload p = { .uses = 9, .rights = RIGHT_RELAY, .keepers = 2, .used = 3 };

	for (size_t i = 0; i < 3; i++)
		token_use_hash(p.used_by[i], &node[i]);
	CHECK_EQ_INT(token_rights(&p, &node[0]), RIGHT_RELAY | RIGHT_KEEPER);
	CHECK_EQ_INT(token_rights(&p, &node[1]), RIGHT_RELAY | RIGHT_KEEPER);
	CHECK_EQ_INT(token_rights(&p, &node[2]), RIGHT_RELAY);
	CHECK_EQ_INT(token_rights(&p, &node[3]), RIGHT_RELAY); /* has not used it */
	p.keepers = 0;
	CHECK_EQ_INT(token_rights(&p, &node[0]), RIGHT_RELAY);
}

static void test_payload_member_comes_back_and_no_other_form_is_read(void)
{
	struct member_payload p = { .host = "alpha", .rights = RIGHT_KEEPER | RIGHT_ADMIN,
				    .groups = { 1, { "g" } }, .token = { 5 }, .serial = 6,
				    .not_after = 7, .ephemeral = true };
	struct member_payload got;
	uint8_t buf[400];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_member_payload(&w, &p);
	CHECK_EXACT(member_payload_read, &got, buf, wr_len(&w));
	CHECK(memcmp(&p, &got, sizeof(p)) == 0);
	buf[2] = 'A';
	CHECK(!member_payload_read(&got, buf, wr_len(&w)));
	buf[2] = 'a';
	buf[wr_len(&w) - 1] = 2;
	CHECK(!member_payload_read(&got, buf, wr_len(&w)));
}

static void test_payload_revocation_list_is_a_sorted_set(void)
{
	static struct revocation_payload p, got;
	static uint8_t buf[4097];
	struct wr w = wr_of(buf, sizeof(buf));

	p.number = 9;
	for (uint32_t i = 0; i < REG_REVOKED_MAX; i++) {
		struct pubkey key = { { (uint8_t)i } };
		struct node_id who = revoked_hash(&key);

		CHECK(!revocation_has(&p, &key));
		CHECK_EQ_INT(revocation_add(&p, &who), 0);
		CHECK_EQ_INT(revocation_add(&p, &who), -EEXIST);
		CHECK(revocation_has(&p, &key));
	}
	CHECK_EQ_INT(revocation_add(&p, &(struct node_id){ { 0 } }), -ENOSPC);
	wr_revocation_payload(&w, &p);
	CHECK(wr_ok(&w) && wr_len(&w) <= REG_PAYLOAD_MAX);
	CHECK_EXACT(revocation_payload_read, &got, buf, wr_len(&w));
	CHECK(memcmp(&p, &got, sizeof(p)) == 0);
	memcpy(buf + 10, buf + 30, ID_LEN); /* the first twice */
	CHECK(!revocation_payload_read(&got, buf, wr_len(&w)));
}

static void test_payload_start_comes_back(void)
{
	struct start_payload p = { 5, { 1, 2, 3 } }, got;
	uint8_t buf[30];
	struct wr w = wr_of(buf, sizeof(buf));

	wr_start_payload(&w, &p);
	CHECK_EXACT(start_payload_read, &got, buf, wr_len(&w));
	CHECK_EQ_INT(got.counter, 5);
	CHECK_MEM(got.nonce, p.nonce, 16);
}

static void test_payload_rights_have_names(void)
{
	for (uint32_t bit = 1; bit & RIGHTS_ALL; bit <<= 1)
		CHECK_EQ_INT(right_parse(right_text(bit)), bit);
	CHECK_EQ_INT(right_parse("king"), 0);
	CHECK(strcmp(right_text(0x100), "?") == 0);
}

static const struct test tests[] = {
	TEST(test_payload_owned_comes_back),
	TEST(test_payload_owned_refuses_other_orders_lengths_and_types),
	TEST(test_payload_token_comes_back_and_no_other_form_is_read),
	TEST(test_payload_token_of_full_size_fits),
	TEST(test_payload_token_gives_the_keeper_right_to_its_first_users_only),
	TEST(test_payload_token_refuses_counts_doubles_and_rights_out_of_bounds),
	TEST(test_payload_member_comes_back_and_no_other_form_is_read),
	TEST(test_payload_revocation_list_is_a_sorted_set),
	TEST(test_payload_start_comes_back),
	TEST(test_payload_rights_have_names),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
