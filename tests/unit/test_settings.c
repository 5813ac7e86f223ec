#include "dht/grant.h"

#include "tests/unit/keeper_ops.h"

static struct settings some_settings(void)
{
	struct settings s = { .root = kit_key(1).pub, .number = 4, .name = "lab", .domain = "a.example",
			      .lease = 86400, .mtu = 1420, .open = true, .hardened = true, .keepers = 5,
			      .admin_count = 2,
			      .admins = { kit_key(2).pub, kit_key(3).pub } };

	CHECK(prefix_parse(&s.subnet, "10.1.0.0/16"));
	return s;
}

static void test_settings_come_back_as_they_were_signed(void)
{
	struct key_pair root = kit_key(1);
	struct settings s = some_settings(), got;
	uint8_t buf[SETTINGS_MAX];
	size_t len = settings_write(buf, sizeof(buf), &s, &crypto_real, &root);

	CHECK(len && settings_read(&got, buf, len, &root.pub, &crypto_real));
	CHECK(strcmp(got.name, "lab") == 0 && strcmp(got.domain, "a.example") == 0);
	CHECK_EQ_INT(got.number, 4);
	CHECK_EQ_INT(got.mtu, 1420);
	CHECK_EQ_INT(got.lease, 86400);
	CHECK(got.open && got.hardened);
	CHECK_EQ_INT(got.keepers, 5);
	CHECK_EQ_INT(got.subnet.bits, 16);
	CHECK(settings_is_admin(&got, &root.pub));
	CHECK(settings_is_admin(&got, &s.admins[1]));
	CHECK(!settings_is_admin(&got, kit_pub(4)));
	CHECK(!settings_read(&got, buf, len, kit_pub(2), &crypto_real));
}

static void test_settings_of_full_size_fit(void)
{
	struct key_pair root = kit_key(1);
	struct settings s = some_settings(), got;
	uint8_t buf[SETTINGS_MAX];
	size_t len;

	memset(s.name, 'n', 32);
	memset(s.domain, 'd', 64);
	s.domain[30] = '.';
	s.admin_count = ADMINS_MAX;
	for (uint32_t i = 0; i < ADMINS_MAX; i++)
		s.admins[i] = kit_key(10 + i).pub;
	len = settings_write(buf, sizeof(buf), &s, &crypto_real, &root);
	CHECK(len && settings_read(&got, buf, len, &root.pub, &crypto_real));
}

static void test_settings_with_any_byte_changed_or_missing_are_refused(void)
{
	struct key_pair root = kit_key(1);
	struct settings s = some_settings(), got;
	uint8_t buf[SETTINGS_MAX + 1];
	size_t len = settings_write(buf, SETTINGS_MAX, &s, &crypto_real, &root);

	for (size_t i = 0; i < len; i++) {
		buf[i] ^= 0x40;
		CHECK(!settings_read(&got, buf, len, &root.pub, &crypto_real));
		buf[i] ^= 0x40;
		CHECK(!settings_read(&got, buf, i, &root.pub, &crypto_real));
	}
	buf[len] = 0;
	CHECK(!settings_read(&got, buf, len + 1, &root.pub, &crypto_real));
}

static void test_settings_that_make_no_sense_are_not_written(void)
{
	struct key_pair root = kit_key(1), other = kit_key(2);
	uint8_t buf[SETTINGS_MAX];

	for (int i = 0; i < 14; i++) {
		struct settings s = some_settings();

		switch (i) {
		case 0: s.name[0] = 0; break;
		case 1: s.name[0] = 'L'; break;
		case 2: memcpy(s.domain, "a..b", 5); break;
		case 3: memcpy(s.domain, ".a", 3); break;
		case 4: s.subnet.bits = 31; break;
		case 5: s.subnet.bits = 15; break; /* host bits set */
		case 6: s.lease = 59; break;
		case 7: s.mtu = 100; break;
		case 8: s.admins[1] = s.admins[0]; break;
		case 9: s.subnet.ip.b[3] = 1; break;
		case 10: s.keepers = 2; break;
		case 11: s.keepers = 4; break;
		case 12: s.keepers = 9; break;
		case 13: s.mtu = 1779; break; /* no frame carries it */
		}
		CHECK_EQ_INT(settings_write(buf, sizeof(buf), &s, &crypto_real, &root), 0);
	}
	CHECK_EQ_INT(settings_write(buf, sizeof(buf), &(struct settings){ .root = other.pub },
				    &crypto_real, &root), 0);
}

static const struct test tests[] = {
	TEST(test_settings_come_back_as_they_were_signed),
	TEST(test_settings_of_full_size_fit),
	TEST(test_settings_with_any_byte_changed_or_missing_are_refused),
	TEST(test_settings_that_make_no_sense_are_not_written),
};

int main(void) { return run_tests(tests, ARRAY_LEN(tests)); }
