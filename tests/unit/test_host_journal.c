/* What was acknowledged is there after any crash; what is damaged is said, never guessed. */
#include "host/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/files.h"
#include "host/store_format.h"
#include "tests/check.h"

#define HEAD 56

static char dir[] = "/tmp/vpnd-journal-XXXXXX";
static char error[JOURNAL_ERROR_MAX];

static const char *path_of(const char *name)
{
	static char path[200];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void fresh(void)
{
	unlink(path_of("state"));
}

static struct journal *opened(void)
{
	struct journal *j = NULL;

	CHECK_EQ_INT(journal_open(&j, dir, NULL, error), 0);
	return j;
}

static void put(struct journal *j, uint64_t op, const char *key, const char *value)
{
	journal_put(j, op, &(struct journal_pair){ (const uint8_t *)key, (const uint8_t *)value,
						   strlen(key), strlen(value) });
}

/* Waits for one answer: to `op`, its result. */
static int answer(struct journal *j, uint64_t op)
{
	struct pollfd p = { journal_fd(j), POLLIN, 0 };
	struct journal_answer a = { 0 };

	journal_flush(j);
	CHECK_EQ_INT(poll(&p, 1, 10000), 1);
	CHECK_EQ_INT(journal_answers(j, &a, 1), 1);
	CHECK_EQ_INT(a.op, op);
	return a.result;
}

static void store(struct journal *j, const char *key, const char *value)
{
	put(j, 7, key, value);
	CHECK_EQ_INT(answer(j, 7), 0);
}

struct text {
	char s[2000];
};

static int add_pair(void *ctx, const struct journal_pair *p)
{
	struct text *t = ctx;
	size_t n = strlen(t->s);

	snprintf(t->s + n, sizeof(t->s) - n, "%.*s=%.*s ", (int)p->key_len, (const char *)p->key,
		 p->len > 20 ? 20 : (int)p->len, (const char *)p->value);
	return 0;
}

static struct text contents(const char *order)
{
	struct journal *j = opened();
	struct text t = { "" };

	if (j)
		journal_each(j, order, &t, add_pair);
	journal_close(j);
	return t;
}

static bool holds(const char *want)
{
	struct text t = contents("");

	if (strcmp(t.s, want) != 0)
		printf("# it holds %s\n", t.s);
	return strcmp(t.s, want) == 0;
}

static off_t file_size(void)
{
	struct stat st = { 0 };

	CHECK(stat(path_of("state"), &st) == 0);
	return st.st_size;
}

static void flip(off_t at)
{
	int fd = open(path_of("state"), O_RDWR | O_CLOEXEC);
	uint8_t b = 0;

	CHECK_EQ_INT(pread(fd, &b, 1, at), 1);
	b ^= 0x40;
	CHECK_EQ_INT(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static void test_journal_holds_the_last_value_of_each_key_after_a_restart(void)
{
	struct journal *j;

	fresh();
	j = opened();
	store(j, "a", "1");
	store(j, "b", "2");
	store(j, "a", "3");
	store(j, "b", "");
	store(j, "never", "");
	journal_close(j);
	CHECK(holds("a=3 "));
	CHECK(holds("a=3 "));
}

static void test_journal_gives_pairs_by_the_order_of_kinds_then_by_key(void)
{
	struct journal *j;

	fresh();
	j = opened();
	store(j, "K1", "x");
	store(j, "Z", "x");
	store(j, "S", "x");
	store(j, "N2", "x");
	store(j, "N", "x");
	store(j, "N1", "x");
	journal_close(j);
	CHECK(strcmp(contents("SNK").s, "S=x N=x N1=x N2=x K1=x Z=x ") == 0);
}

static void test_journal_writes_on_close_what_was_put_without_waiting(void)
{
	struct journal *j;

	fresh();
	j = opened();
	for (int i = 0; i < 100; i++)
		put(j, (uint64_t)i, i % 2 ? "odd" : "even", i > 97 ? "last" : "early");
	journal_close(j);
	CHECK(holds("even=last odd=last "));
}

static void test_journal_answers_in_the_order_of_the_puts(void)
{
	struct journal *j;

	fresh();
	j = opened();
	for (uint64_t i = 0; i < 500; i++)
		put(j, i, "k", "v");
	for (uint64_t i = 0; i < 500; i++)
		CHECK_EQ_INT(answer(j, i), 0);
	journal_close(j);
}

/* Each unit has a head: the file tells how many there were. */
static void test_journal_puts_of_one_turn_are_one_commit(void)
{
	const size_t record = STORE_RECORD_HEAD + 4 + 1, turns = 3, puts = 100;
	struct stat st;
	struct journal *j;
	char key[8];

	fresh();
	j = opened();
	for (uint64_t t = 0; t < turns; t++) {
		for (uint64_t i = 0; i < puts; i++) {
			snprintf(key, sizeof(key), "k%u%02u", (unsigned)t, (unsigned)i);
			put(j, i, key, "v");
		}
		for (uint64_t i = 0; i < puts; i++)
			CHECK_EQ_INT(answer(j, i), 0);
	}
	CHECK_EQ_INT(stat(path_of("state"), &st), 0);
	CHECK_EQ_INT(st.st_size, STORE_HEAD_LEN + turns * (STORE_UNIT_HEAD + puts * record));
	journal_close(j);
}

/* The file as a crash at every byte would leave it. */
static void test_journal_cut_off_anywhere_keeps_everything_acknowledged_before(void)
{
	static const char *const want[] = { "", "a=first ", "a=first b=second ",
					    "a=third b=second " };
	off_t acknowledged[4] = { HEAD };
	uint8_t whole[1000];
	struct journal *j;
	int fd;

	fresh();
	j = opened();
	store(j, "a", "first");
	acknowledged[1] = file_size();
	store(j, "b", "second");
	acknowledged[2] = file_size();
	store(j, "a", "third");
	acknowledged[3] = file_size();
	journal_close(j);
	fd = open(path_of("state"), O_RDONLY | O_CLOEXEC);
	CHECK_EQ_INT(read(fd, whole, sizeof(whole)), acknowledged[3]);
	close(fd);
	for (off_t at = HEAD; at <= acknowledged[3]; at++) {
		int n = 0;

		while (n < 3 && acknowledged[n + 1] <= at)
			n++;
		fd = open(path_of("state"), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600);
		CHECK_EQ_INT(write(fd, whole, (size_t)at), at);
		close(fd);
		CHECK(holds(want[n]));
		CHECK_EQ_INT(file_size(), acknowledged[n]);
	}
}

static void test_journal_goes_on_after_a_torn_end_was_cut_off(void)
{
	struct journal *j;

	fresh();
	j = opened();
	store(j, "a", "1");
	store(j, "b", "2");
	journal_close(j);
	CHECK_EQ_INT(truncate(path_of("state"), file_size() - 3), 0);
	j = opened();
	store(j, "c", "3");
	journal_close(j);
	CHECK(holds("a=1 c=3 "));
}

static void test_journal_damaged_before_its_end_is_refused_and_left_alone(void)
{
	struct journal *j;
	off_t first_end, size;
	char place[40];

	fresh();
	j = opened();
	store(j, "a", "1");
	first_end = file_size();
	store(j, "b", "2");
	store(j, "c", "3");
	journal_close(j);
	size = file_size();
	for (off_t at = HEAD; at < 2 * first_end - HEAD; at++) {
		flip(at);
		CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EBADMSG);
		snprintf(place, sizeof(place), "state is damaged at byte %d",
			 (int)(at < first_end ? HEAD : first_end));
		CHECK(strstr(error, place) && strstr(error, dir));
		CHECK_EQ_INT(file_size(), size);
		flip(at);
	}
	CHECK(holds("a=1 b=2 c=3 "));
}

static void test_journal_with_a_damaged_head_is_refused(void)
{
	struct journal *j;

	fresh();
	journal_close(opened());
	for (off_t at = 0; at < HEAD; at++) {
		flip(at);
		CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EBADMSG);
		flip(at);
	}
	for (off_t at = 0; at < HEAD; at++) {
		CHECK_EQ_INT(truncate(path_of("state"), at), 0);
		CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EBADMSG);
	}
}

static void test_journal_compacts_when_most_of_it_is_dead_and_loses_nothing(void)
{
	char *big = malloc(100001);
	struct journal *j;
	struct text t;

	fresh();
	memset(big, 'x', 100000);
	big[100000] = 0;
	j = opened();
	store(j, "small", "1");
	for (int i = 0; i < 60; i++) {
		memset(big, '0' + i % 10, 20);
		store(j, i % 2 ? "odd" : "even", big);
	}
	CHECK(file_size() < 3 << 20); /* 6 MB were written, 0.2 are alive */
	store(j, "after", "2");
	journal_close(j);
	t = contents("");
	CHECK(strcmp(t.s, "after=2 even=88888888888888888888 odd=99999999999999999999 small=1 ") == 0);
	free(big);
}

static void test_journal_damaged_in_what_a_compaction_wrote_is_refused_even_at_its_end(void)
{
	char *big = malloc(300001);
	struct journal *j;
	off_t before;

	fresh();
	memset(big, 'x', 300000);
	big[300000] = 0;
	j = opened();
	do {
		before = file_size();
		store(j, "k", big);
	} while (file_size() > before);
	journal_close(j);
	flip(file_size() - 1);
	CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EBADMSG);
	free(big);
}

static void test_journal_file_of_another_program_is_refused_by_name(void)
{
	struct journal *j;

	fresh();
	CHECK_EQ_INT(files_replace(dir, "state", 0600, "something else entirely", 23), 0);
	CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EBADMSG);
	CHECK(strstr(error, "state") != NULL);
}

static void test_journal_of_a_newer_version_is_refused_with_both_versions(void)
{
	struct journal *j;
	uint8_t head[HEAD];
	int fd;

	fresh();
	journal_close(opened());
	fd = open(path_of("state"), O_RDWR | O_CLOEXEC);
	CHECK_EQ_INT(pread(fd, head, HEAD, 0), HEAD);
	head[11] = 2;
	crypto_generichash(head + HEAD - 16, 16, head, HEAD - 16, NULL, 0);
	CHECK_EQ_INT(pwrite(fd, head, HEAD, 0), HEAD);
	close(fd);
	CHECK_EQ_INT(journal_open(&j, dir, NULL, error), -EPROTO);
	CHECK(strstr(error, "has version 2, this vpnd knows version 1") != NULL);
}

static void test_journal_answers_with_the_error_when_the_disk_is_full_and_recovers(void)
{
	struct rlimit old, small;
	char *big = malloc(100001);
	struct journal *j;

	fresh();
	memset(big, 'x', 100000);
	big[100000] = 0;
	j = opened();
	store(j, "a", "1");
	signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes stands in for a full disk */
	CHECK_EQ_INT(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (rlim_t)file_size() + 50000;
	CHECK_EQ_INT(setrlimit(RLIMIT_FSIZE, &small), 0);
	put(j, 8, "b", big);
	CHECK_EQ_INT(answer(j, 8), -EFBIG);
	store(j, "c", "3"); /* what still fits is written */
	CHECK_EQ_INT(setrlimit(RLIMIT_FSIZE, &old), 0);
	put(j, 9, "d", big);
	CHECK_EQ_INT(answer(j, 9), 0);
	journal_close(j);
	CHECK(holds("a=1 c=3 d=xxxxxxxxxxxxxxxxxxxx "));
	free(big);
}

static void test_journal_refuses_what_is_too_large_and_goes_on(void)
{
	struct journal_pair p = { (const uint8_t *)"key", NULL, 3, (1u << 20) + 1 };
	struct journal *j;

	fresh();
	j = opened();
	p.value = calloc(1, p.len);
	journal_put(j, 1, &p);
	CHECK_EQ_INT(answer(j, 1), -E2BIG);
	journal_put(j, 2, &(struct journal_pair){ p.value, p.value, 0, 1 });
	CHECK_EQ_INT(answer(j, 2), -E2BIG);
	store(j, "a", "1");
	journal_close(j);
	CHECK(holds("a=1 "));
	free((void *)(uintptr_t)p.value);
}

static void test_journal_refuses_a_second_process_and_names_the_first(void)
{
	struct journal *j, *second = NULL;
	char pid[32];

	fresh();
	j = opened();
	CHECK_EQ_INT(journal_open(&second, dir, NULL, error), -EBUSY);
	snprintf(pid, sizeof(pid), "process id %ld", (long)getpid());
	CHECK(strstr(error, pid) && strstr(error, dir));
	store(j, "a", "1");
	journal_close(j);
	CHECK(holds("a=1 "));
}

static void test_journal_in_a_folder_that_is_not_there_is_an_error_that_names_it(void)
{
	struct journal *j;

	CHECK_EQ_INT(journal_open(&j, "/nowhere/at/all", NULL, error), -ENOENT);
	CHECK(strstr(error, "/nowhere/at/all") != NULL);
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_journal_holds_the_last_value_of_each_key_after_a_restart),
		TEST(test_journal_gives_pairs_by_the_order_of_kinds_then_by_key),
		TEST(test_journal_writes_on_close_what_was_put_without_waiting),
		TEST(test_journal_answers_in_the_order_of_the_puts),
		TEST(test_journal_puts_of_one_turn_are_one_commit),
		TEST(test_journal_cut_off_anywhere_keeps_everything_acknowledged_before),
		TEST(test_journal_goes_on_after_a_torn_end_was_cut_off),
		TEST(test_journal_damaged_before_its_end_is_refused_and_left_alone),
		TEST(test_journal_with_a_damaged_head_is_refused),
		TEST(test_journal_compacts_when_most_of_it_is_dead_and_loses_nothing),
		TEST(test_journal_damaged_in_what_a_compaction_wrote_is_refused_even_at_its_end),
		TEST(test_journal_file_of_another_program_is_refused_by_name),
		TEST(test_journal_of_a_newer_version_is_refused_with_both_versions),
		TEST(test_journal_answers_with_the_error_when_the_disk_is_full_and_recovers),
		TEST(test_journal_refuses_what_is_too_large_and_goes_on),
		TEST(test_journal_refuses_a_second_process_and_names_the_first),
		TEST(test_journal_in_a_folder_that_is_not_there_is_an_error_that_names_it),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = run_tests(tests, ARRAY_LEN(tests));
	fresh();
	unlink(path_of("lock"));
	rmdir(dir);
	return r;
}
