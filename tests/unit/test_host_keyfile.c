/* The identity file: written whole, read whole, or refused by name. */
#include "host/keyfile.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.h"
#include "tests/check.h"

static char dir[] = "/tmp/vpnd-key-XXXXXX", path[100];
static char error[KEYFILE_ERROR_MAX];
static const uint8_t seed[KEYFILE_SEED_LEN] = { 1, 2, 3, [31] = 255 };

static void test_keyfile_gives_back_the_seed_that_was_saved(void)
{
	uint8_t got[KEYFILE_SEED_LEN] = { 0 };
	struct stat st = { 0 };

	CHECK_EQ_INT(keyfile_save(dir, seed), 0);
	CHECK_EQ_INT(keyfile_load(dir, got, error), 0);
	CHECK_MEM(got, seed, sizeof(seed));
	CHECK_EQ_INT(stat(path, &st), 0);
	CHECK_EQ_INT(st.st_mode & 07777, 0600);
}

static void test_keyfile_that_is_not_there_is_told_apart_from_a_damaged_one(void)
{
	uint8_t got[KEYFILE_SEED_LEN];

	unlink(path);
	CHECK_EQ_INT(keyfile_load(dir, got, error), -ENOENT);
}

static void test_keyfile_others_can_read_is_refused_with_the_command_that_mends_it(void)
{
	uint8_t got[KEYFILE_SEED_LEN];

	CHECK_EQ_INT(keyfile_save(dir, seed), 0);
	CHECK_EQ_INT(chmod(path, 0640), 0);
	CHECK_EQ_INT(keyfile_load(dir, got, error), -EACCES);
	CHECK(strstr(error, "chmod 600") && strstr(error, path));
	CHECK_EQ_INT(chmod(path, 0604), 0);
	CHECK_EQ_INT(keyfile_load(dir, got, error), -EACCES);
	CHECK_EQ_INT(chmod(path, 0600), 0);
	CHECK_EQ_INT(keyfile_load(dir, got, error), 0);
}

static void test_keyfile_cut_off_anywhere_is_refused_by_name(void)
{
	uint8_t got[KEYFILE_SEED_LEN];
	struct stat st = { 0 };

	CHECK_EQ_INT(keyfile_save(dir, seed), 0);
	CHECK_EQ_INT(stat(path, &st), 0);
	for (off_t n = st.st_size - 1; n >= 0; n--) {
		CHECK_EQ_INT(truncate(path, n), 0);
		CHECK_EQ_INT(keyfile_load(dir, got, error), -EBADMSG);
		CHECK(strstr(error, path) != NULL);
	}
}

static void test_keyfile_with_other_contents_is_refused(void)
{
	static const char *const bad[] = {
		"vpnd-key1 AAAA\n",
		"vpnd-key2 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"vpnd-key1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nmore\n",
		"vpnd-key1 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",
		"vpnd-key1 !AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
		"",
		"#",
	};
	uint8_t got[KEYFILE_SEED_LEN];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK_EQ_INT(files_replace(dir, "identity", 0600, bad[i], strlen(bad[i])), 0);
		CHECK_EQ_INT(keyfile_load(dir, got, error), -EBADMSG);
	}
}

static void test_keyfile_longer_than_any_is_refused(void)
{
	static const char many[5000] = { '#' };
	uint8_t got[KEYFILE_SEED_LEN];

	CHECK_EQ_INT(files_replace(dir, "identity", 0600, many, sizeof(many)), 0);
	CHECK_EQ_INT(keyfile_load(dir, got, error), -EBADMSG);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_keyfile_gives_back_the_seed_that_was_saved),
		TEST(test_keyfile_that_is_not_there_is_told_apart_from_a_damaged_one),
		TEST(test_keyfile_others_can_read_is_refused_with_the_command_that_mends_it),
		TEST(test_keyfile_cut_off_anywhere_is_refused_by_name),
		TEST(test_keyfile_with_other_contents_is_refused),
		TEST(test_keyfile_longer_than_any_is_refused),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/identity", dir);
	r = run_tests(tests, ARRAY_LEN(tests));
	unlink(path);
	rmdir(dir);
	return r;
}
