/* test_bundle.c - messages that leave together, and bundles that lie. */
#include "dht/bundle.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dht/regmsg.h"
#include "tests/check.h"

#define SENT_MAX 256

struct sent {
	struct pubkey to;
	uint8_t *b;
	size_t len;
};

struct post {
	struct sent sent[SENT_MAX];
	size_t count;
	struct bundles *all;
	uint8_t nsid[NSID_LEN];
};

static void on_send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len)
{
	struct post *p = ctx;

	CHECK(p->count < SENT_MAX);
	p->sent[p->count++] = (struct sent){ *to, mem_copy(msg, len), len };
}

static struct bundles_way way(struct post *p)
{
	return (struct bundles_way){ p, on_send, p->nsid };
}

static void forget(struct post *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->sent[i].b);
	p->count = 0;
}

/* A message of `len` bytes whose second byte tells it from others. */
static void put(struct post *p, uint8_t who, uint8_t tell, size_t len)
{
	struct bundles_way w = way(p);
	struct pubkey to = { { who } };
	uint8_t *msg = mem_new(len);

	msg[0] = REGMSG_OPERATION;
	msg[1] = tell;
	bundles_add(&p->all, &w, &to, msg, len);
	free(msg);
}

static void flush(struct post *p)
{
	struct bundles_way w = way(p);

	bundles_flush(&p->all, &w);
	CHECK(!p->all);
}

static size_t parts_of(const struct post *p, size_t i)
{
	const uint8_t *part;
	struct bundle b;
	size_t len, n = 0;

	if (p->sent[i].b[0] != REGMSG_BUNDLE)
		return 1;
	CHECK(bundle_open(&b, p->sent[i].b, p->sent[i].len, p->nsid));
	while (bundle_next(&b, &part, &len))
		n += part[0] == REGMSG_OPERATION;
	return n;
}

static void test_bundle_of_one_message_is_that_message(void)
{
	struct post p = { .nsid = { 1 } };

	put(&p, 1, 7, 40);
	CHECK_EQ_INT(p.count, 0);
	flush(&p);
	CHECK_EQ_INT(p.count, 1);
	CHECK_EQ_INT(p.sent[0].len, 40);
	CHECK(p.sent[0].b[0] == REGMSG_OPERATION && p.sent[0].b[1] == 7);
	forget(&p);
	flush(&p);
	CHECK_EQ_INT(p.count, 0);
}

static void test_bundle_holds_what_goes_to_one_destination_in_its_order(void)
{
	struct post p = { .nsid = { 1 } };
	const uint8_t *part;
	struct bundle b;
	size_t len;

	for (uint8_t i = 0; i < 10; i++)
		put(&p, i % 2, i, 50u + i);
	flush(&p);
	CHECK_EQ_INT(p.count, 2);
	for (size_t i = 0; i < 2; i++) {
		CHECK_EQ_INT(p.sent[i].to.b[0], i);
		CHECK(bundle_open(&b, p.sent[i].b, p.sent[i].len, p.nsid));
		for (size_t k = i; bundle_next(&b, &part, &len); k += 2) {
			CHECK_EQ_INT(part[1], k);
			CHECK_EQ_INT(len, 50 + k);
		}
	}
	forget(&p);
}

static void test_bundle_is_cut_at_its_parts_and_at_its_bytes(void)
{
	struct post p = { .nsid = { 1 } };
	size_t total = 0;

	for (size_t i = 0; i < 150; i++)
		put(&p, 1, 0, 20);
	flush(&p);
	CHECK_EQ_INT(p.count, 3);
	CHECK_EQ_INT(parts_of(&p, 0), BUNDLE_PARTS_MAX);
	CHECK_EQ_INT(parts_of(&p, 2), 150 - 2 * BUNDLE_PARTS_MAX);
	forget(&p);
	for (size_t i = 0; i < 20; i++)
		put(&p, 1, 0, BUNDLE_PART_MAX);
	flush(&p);
	for (size_t i = 0; i < p.count; i++) {
		CHECK(p.sent[i].len <= BUNDLE_MAX);
		total += parts_of(&p, i);
	}
	CHECK_EQ_INT(total, 20);
	forget(&p);
}

static void test_bundle_lets_long_messages_go_alone_and_in_order(void)
{
	struct post p = { .nsid = { 1 } };

	put(&p, 1, 1, 30);
	put(&p, 1, 2, BUNDLE_PART_MAX + 1);
	put(&p, 1, 3, 30);
	flush(&p);
	CHECK_EQ_INT(p.count, 3);
	for (size_t i = 0; i < 3; i++)
		CHECK_EQ_INT(p.sent[i].b[1], i + 1);
	forget(&p);
}

static void test_bundle_to_many_destinations_loses_nothing(void)
{
	struct post p = { .nsid = { 1 } };
	size_t total = 0;

	for (size_t i = 0; i < 100; i++)
		put(&p, (uint8_t)(i / 2), 0, 30);
	flush(&p);
	for (size_t i = 0; i < p.count; i++)
		total += parts_of(&p, i);
	CHECK_EQ_INT(total, 100);
	forget(&p);
	put(&p, 1, 0, 30);
	bundles_free(&p.all);
	CHECK(!p.all && p.count == 0);
}

/* A good one of three parts, to be spoiled. */
static size_t good(uint8_t out[256], const uint8_t nsid[NSID_LEN])
{
	struct wr w = wr_of(out, 256);
	uint8_t part[5] = { REGMSG_PREPARE };

	wr_u8(&w, REGMSG_BUNDLE);
	wr_copy(&w, nsid, NSID_LEN);
	wr_u64(&w, 0);
	wr_u8(&w, 3);
	for (int i = 0; i < 3; i++)
		wr_block(&w, part, sizeof(part));
	return wr_len(&w);
}

#define COUNT_AT (1 + NSID_LEN + 8)

static void test_bundle_that_lies_is_refused_whole(void)
{
	static const struct {
		size_t at;
		uint8_t value;
	} lies[] = {
		{ 0, REGMSG_OPERATION },      /* not a bundle */
		{ 1, 99 },		      /* another namespace */
		{ 1 + NSID_LEN + 7, 1 },      /* a request number */
		{ COUNT_AT, 0 },	      { COUNT_AT, 1 },
		{ COUNT_AT, 2 },	      { COUNT_AT, 4 },
		{ COUNT_AT, 65 },	      { COUNT_AT, 255 },
		{ COUNT_AT + 2, 4 },	      { COUNT_AT + 2, 6 },
		{ COUNT_AT + 2, 0 },	      { COUNT_AT + 1, 0xff },
		{ COUNT_AT + 3, REGMSG_BUNDLE }, /* a bundle inside */
	};
	uint8_t b[256], nsid[NSID_LEN] = { 1 };
	struct bundle out;
	size_t len = good(b, nsid);

	CHECK(bundle_open(&out, b, len, nsid));
	for (size_t i = 0; i < len; i++)
		CHECK(!bundle_open(&out, b, i, nsid));
	CHECK(!bundle_open(&out, b, len + 1, nsid));
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		len = good(b, nsid);
		b[lies[i].at] = lies[i].value;
		CHECK(!bundle_open(&out, b, len, nsid));
	}
}

static void test_bundle_longer_than_allowed_is_refused(void)
{
	static uint8_t b[BUNDLE_MAX + 4096], part[7000] = { REGMSG_OPERATION };
	struct wr w = wr_of(b, sizeof(b));
	uint8_t nsid[NSID_LEN] = { 1 };
	struct bundle out;

	wr_u8(&w, REGMSG_BUNDLE);
	wr_copy(&w, nsid, NSID_LEN);
	wr_u64(&w, 0);
	wr_u8(&w, 9);
	for (int i = 0; i < 9; i++)
		wr_block(&w, part, sizeof(part));
	CHECK(wr_ok(&w) && wr_len(&w) > BUNDLE_MAX);
	CHECK(!bundle_open(&out, b, wr_len(&w), nsid));
	b[COUNT_AT] = 8;
	CHECK(bundle_open(&out, b, wr_len(&w) - sizeof(part) - 2, nsid));
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_bundle_of_one_message_is_that_message),
		TEST(test_bundle_holds_what_goes_to_one_destination_in_its_order),
		TEST(test_bundle_is_cut_at_its_parts_and_at_its_bytes),
		TEST(test_bundle_lets_long_messages_go_alone_and_in_order),
		TEST(test_bundle_to_many_destinations_loses_nothing),
		TEST(test_bundle_that_lies_is_refused_whole),
		TEST(test_bundle_longer_than_allowed_is_refused),
	};

	return run_tests(tests, ARRAY_LEN(tests));
}
