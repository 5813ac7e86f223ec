#include "dht/pool.h"

#include "base/list.h"
#include "tests/check.h"

static struct reg_name address(const char *text)
{
	struct ip ip;

	CHECK(ip_parse(&ip, text));
	return reg_name_address(&ip);
}

static void test_pool_names_have_their_share_too(void)
{
	static const struct {
		const char *name;
		uint32_t era;
		bool settling, good;
	} rows[] = { { "web", 0, 0, 1 },    { "web-e1", 0, 0, 0 }, { "web-e1", 1, 1, 1 },
		     { "web", 1, 1, 0 },    { "web", 1, 0, 1 },	   { "web-e1", 2, 1, 0 },
		     { "web-e1", 2, 0, 1 }, { "web-e01", 0, 0, 1 }, { "e1", 0, 0, 1 },
		     { "x-e", 0, 0, 1 },    { "x-e99999999999", 0, 0, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool p = { .era = rows[i].era, .settling = rows[i].settling };
		struct reg_name name;

		CHECK(reg_name_host(&name, rows[i].name));
		CHECK_EQ_INT(pool_answer(&p, &name) == REG_OK, rows[i].good);
	}
}

static void test_pool_has_a_share_for_every_era(void)
{
	static const struct {
		const char *subnet, *address;
		uint32_t era;
		bool share;
	} rows[] = { { "10.7.0.0/16", "10.7.239.255", 1, 0 }, { "10.7.0.0/16", "10.7.240.0", 1, 1 },
		     { "10.7.0.0/16", "10.7.247.255", 1, 1 }, { "10.7.0.0/16", "10.7.248.0", 1, 0 },
		     { "10.7.0.0/16", "10.7.248.0", 2, 1 },   { "10.7.0.0/16", "10.7.247.255", 2, 0 },
		     { "10.7.0.0/16", "10.7.255.254", 12, 1 }, { "10.7.0.0/16", "10.7.255.254", 13, 0 },
		     { "10.7.0.0/16", "10.7.255.254", 99, 0 }, { "10.7.0.0/23", "10.7.1.230", 1, 1 },
		     { "10.7.0.0/23", "10.7.1.250", 1, 0 },
		     { "10.7.1.0/24", "10.7.1.245", 1, 0 },   { "10.7.1.0/28", "10.7.1.14", 1, 0 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pool p = { .era = rows[i].era, .settling = true };
		struct reg_name name = address(rows[i].address);

		prefix_parse(&p.subnet, rows[i].subnet);
		CHECK_EQ_INT(pool_answer(&p, &name) == REG_OK, rows[i].share);
	}
	{
		struct settings s = { .era_began = 1000, .number = POOL_ERA_NUMBERS + 1 };
		struct reg_name name = address("10.7.1.3");

		prefix_parse(&s.subnet, "10.7.1.0/28");
		CHECK_EQ_INT(pool_claim(&s, 0, 1001, &name), REG_OK);
		CHECK_EQ_INT(pool_claim(&s, 1, 1001, &name), REG_BUSY);
		CHECK_EQ_INT(pool_claim(&s, 1, 1001 + 31 * 86400, &name), REG_OK);
		s.number--; /* still this era's first */
		CHECK_EQ_INT(pool_claim(&s, 1, 1001 + 31 * 86400, &name), REG_OK);
		s.number--; /* of the last era: who has only these does not know when it ended */
		CHECK_EQ_INT(pool_claim(&s, 1, 1001 + 31 * 86400, &name), REG_BUSY);
	}
}

/* Whoever was granted an address in some era may have it for ever, and be silent when the next begins. */
static void test_pool_gives_while_it_settles_what_no_era_before_has_given(void)
{
	struct pool p = { .settling = false };

	CHECK(prefix_parse(&p.subnet, "10.7.0.0/16"));
	for (uint32_t at = 0; at < 65536; at += 7) {
		struct ip ip = ip_v4(ip_to_v4(&p.subnet.ip) + at);
		struct reg_name name = reg_name_address(&ip);
		bool given = false;

		for (p.era = 0; p.era < 40; p.era++) {
			p.settling = true;
			CHECK(!(p.era && given && pool_answer(&p, &name) == REG_OK));
			given |= p.era && pool_answer(&p, &name) == REG_OK;
			p.settling = false;
			given |= pool_answer(&p, &name) == REG_OK;
		}
	}
}

static const struct test tests[] = {
	TEST(test_pool_names_have_their_share_too),
	TEST(test_pool_has_a_share_for_every_era),
	TEST(test_pool_gives_while_it_settles_what_no_era_before_has_given),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
