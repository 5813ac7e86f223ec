#include "p2p/beacon.h"

#include "tests/check.h"

#include <string.h>

static const uint8_t overlay[32] = { 1, 2, 3 }, other[32] = { 1, 2, 4 };
static const uint8_t nonce[BEACON_NONCE_LEN] = { 9 };
static const struct beacon_view in_ring, lonely = { .alone = true }, next_to = { .nearest = true };

#define T0 SEC(1000)

static struct beacon somebody(uint8_t which)
{
	return (struct beacon){ .key = { { which, 7 } }, .port = 24655 };
}

static bool weigh(struct beacons *bs, const struct beacon *b, const struct beacon_view *v, usec_t at)
{
	return beacons_weigh(bs, b, v, 1, at); /* draws no lucky number */
}

static void test_beacon_says_who_where_and_how_linked(void)
{
	struct beacon b = somebody(5), got;
	uint8_t pkt[BEACON_LEN];

	b.alone = true;
	beacon_write(pkt, &b, overlay, nonce);
	CHECK_EQ_INT(pkt[0], 0x46);
	CHECK(beacon_read(&got, pkt, BEACON_LEN, overlay));
	CHECK(key_equal(&got.key, &b.key));
	CHECK_EQ_INT(got.port, 24655);
	CHECK(got.alone && !got.leaf);
	b.alone = false;
	b.leaf = true;
	beacon_write(pkt, &b, overlay, nonce);
	CHECK(beacon_read(&got, pkt, BEACON_LEN, overlay));
	CHECK(!got.alone && got.leaf);
}

static void test_beacon_hides_the_key_from_who_lacks_the_overlay_key(void)
{
	struct beacon b = somebody(5);
	uint8_t pkt[BEACON_LEN];

	memset(b.key.b, 0x5a, KEY_LEN);
	beacon_write(pkt, &b, overlay, nonce);
	for (size_t i = 0; i + 8 <= BEACON_LEN; i++)
		CHECK(memcmp(pkt + i, b.key.b, 8) != 0);
}

static void test_beacon_of_another_overlay_is_refused(void)
{
	struct beacon b = somebody(5), got;
	uint8_t pkt[BEACON_LEN];

	beacon_write(pkt, &b, other, nonce);
	CHECK(!beacon_read(&got, pkt, BEACON_LEN, overlay));
}

static void test_beacon_cut_longer_or_changed_is_refused(void)
{
	struct beacon b = somebody(5), got;
	uint8_t pkt[BEACON_LEN + 1] = { 0 };

	beacon_write(pkt, &b, overlay, nonce);
	for (size_t len = 0; len < BEACON_LEN; len++)
		CHECK(!beacon_read(&got, pkt, len, overlay));
	CHECK(!beacon_read(&got, pkt, BEACON_LEN + 1, overlay));
	for (size_t i = 0; i < BEACON_LEN; i++) {
		pkt[i] ^= 1;
		CHECK(!beacon_read(&got, pkt, BEACON_LEN, overlay));
		pkt[i] ^= 1;
	}
	CHECK(beacon_read(&got, pkt, BEACON_LEN, overlay));
}

static void test_beacon_without_key_or_port_is_refused(void)
{
	struct beacon nobody = { .port = 24655 }, nowhere = somebody(5), got;
	uint8_t pkt[BEACON_LEN];

	beacon_write(pkt, &nobody, overlay, nonce);
	CHECK(!beacon_read(&got, pkt, BEACON_LEN, overlay));
	nowhere.port = 0;
	beacon_write(pkt, &nowhere, overlay, nonce);
	CHECK(!beacon_read(&got, pkt, BEACON_LEN, overlay));
}

/* How many are sent from `now` to `until`; *last = when the last one was. */
static unsigned sent(struct beacons *bs, bool alone, usec_t now, usec_t until, usec_t *last)
{
	unsigned n = 0;

	while (beacons_deadline(bs) < until) {
		now = beacons_deadline(bs) > now ? beacons_deadline(bs) : now;
		if (beacons_due(bs, alone, now)) {
			beacons_sent(bs, (uint32_t)(n * 2654435761u), now);
			*last = now;
			n++;
		}
	}
	return n;
}

static void test_beacon_goes_out_three_times_at_the_start_then_hourly(void)
{
	struct beacons bs;
	usec_t last = 0;

	for (uint32_t draw = 0; draw < UINT32_MAX - 0x20000000; draw += 0x11111111) {
		beacons_init(&bs, draw, T0);
		CHECK_EQ_INT(sent(&bs, false, T0, T0 + MSEC(300), &last), 1);
		CHECK_EQ_INT(sent(&bs, false, T0 + MSEC(300), T0 + SEC(6), &last), 2);
		CHECK_EQ_INT(sent(&bs, false, T0 + SEC(6), T0 + MINUTES(48), &last), 0);
		CHECK_EQ_INT(sent(&bs, false, T0 + MINUTES(48), T0 + MINUTES(73), &last), 1);
	}
}

static void test_beacon_goes_out_every_ten_seconds_while_alone(void)
{
	struct beacons bs;
	usec_t last = 0;
	unsigned n;

	beacons_init(&bs, 0x80000000, T0);
	n = sent(&bs, true, T0, T0 + SEC(606), &last);
	CHECK(n >= 3 + 600 / 12 - 1 && n <= 3 + 600 / 8 + 1);
}

static void test_beacon_follows_the_loss_of_the_last_link_within_a_second(void)
{
	struct beacons bs;
	usec_t last = 0, lost = T0 + MINUTES(20);

	beacons_init(&bs, 7, T0);
	sent(&bs, false, T0, lost, &last);
	beacons_due(&bs, true, lost);
	CHECK(beacons_deadline(&bs) <= lost + SEC(1));
	CHECK(sent(&bs, true, lost, lost + SEC(1) + 1, &last) == 1);
	/* Found again: back to once an hour. */
	CHECK(!beacons_due(&bs, false, last + SEC(1)));
	CHECK(beacons_deadline(&bs) >= last + MINUTES(48));
}

static void test_beacon_flapping_links_do_not_make_a_flood(void)
{
	struct beacons bs;
	unsigned n = 0;

	beacons_init(&bs, 7, T0);
	for (usec_t now = T0; now < T0 + SEC(100); now += MSEC(10))
		if (beacons_due(&bs, now / MSEC(10) % 2, now)) {
			beacons_sent(&bs, (uint32_t)now, now);
			n++;
		}
	CHECK(n <= 3 + 50);
}

static void test_beacon_greets_a_new_lan_at_most_every_ten_seconds(void)
{
	struct beacons bs;
	usec_t last = 0, now = T0 + MINUTES(5);

	beacons_init(&bs, 7, T0);
	sent(&bs, false, T0, now, &last);
	beacons_hurry(&bs, now);
	CHECK_EQ_INT(sent(&bs, false, now, now + SEC(1), &last), 1);
	beacons_hurry(&bs, last + SEC(1));
	CHECK_EQ_INT(sent(&bs, false, last + SEC(1), last + SEC(10), &now), 0);
	CHECK_EQ_INT(sent(&bs, false, last + SEC(10), last + SEC(11), &now), 1);
}

static void test_beacon_who_is_alone_answers_whom_he_hears(void)
{
	struct beacon b = somebody(5);
	struct beacons bs;

	beacons_init(&bs, 7, T0);
	CHECK(weigh(&bs, &b, &lonely, T0));
	b = somebody(6);
	b.alone = true;
	CHECK(weigh(&bs, &b, &lonely, T0));
}

static void test_beacon_of_the_lone_is_answered_by_the_nearest_at_once_by_others_when_repeated(void)
{
	struct beacon b = somebody(5);
	struct beacons near, far;

	b.alone = true;
	beacons_init(&near, 7, T0);
	beacons_init(&far, 7, T0);
	CHECK(weigh(&near, &b, &next_to, T0));
	CHECK(!weigh(&far, &b, &in_ring, T0));
	CHECK(!weigh(&far, &b, &in_ring, T0 + MSEC(1))); /* by another LAN, or IPv6 */
	CHECK(weigh(&far, &b, &in_ring, T0 + MSEC(1200)));
	/* Who has found somebody meanwhile is not answered. */
	beacons_init(&far, 7, T0);
	CHECK(!weigh(&far, &b, &in_ring, T0));
	b.alone = false;
	CHECK(!weigh(&far, &b, &in_ring, T0 + MSEC(1200)));
	b.alone = true;
	CHECK(!weigh(&far, &b, &in_ring, T0 + SEC(100)));
}

static void test_beacon_between_linked_nodes_is_for_the_nearest_and_for_luck(void)
{
	struct beacon b = somebody(5);
	struct beacons bs;

	beacons_init(&bs, 7, T0);
	CHECK(weigh(&bs, &b, &next_to, T0));
	b = somebody(6);
	CHECK(!weigh(&bs, &b, &in_ring, T0));
	CHECK(!beacons_weigh(&bs, &b, &in_ring, 8, T0 + SEC(59))); /* not in the rush of a start */
	CHECK(!beacons_weigh(&bs, &b, &in_ring, 9, T0 + SEC(61)));
	CHECK(beacons_weigh(&bs, &b, &in_ring, 8, T0 + SEC(61)));
}

static void test_beacon_of_a_leaf_is_answered_only_while_it_has_no_link(void)
{
	static const struct beacon_view leaf = { .leaf = true },
					lone_leaf = { .leaf = true, .alone = true };
	struct beacon b = somebody(5);
	struct beacons bs;

	beacons_init(&bs, 7, T0);
	b.leaf = true;
	CHECK(!weigh(&bs, &b, &next_to, T0));
	CHECK(!weigh(&bs, &b, &lonely, T0));
	b.alone = true;
	CHECK(!weigh(&bs, &b, &lone_leaf, T0));
	CHECK(weigh(&bs, &b, &next_to, T0));
	b = somebody(6);
	CHECK(!weigh(&bs, &b, &leaf, T0));
	CHECK(weigh(&bs, &b, &lone_leaf, T0));
}

static void test_beacon_replayed_costs_one_attempt_in_five_seconds(void)
{
	struct beacon b = somebody(5);
	struct beacons bs;
	unsigned n = 0;

	beacons_init(&bs, 7, T0);
	for (usec_t now = T0; now < T0 + SEC(60); now += MSEC(1))
		n += weigh(&bs, &b, &lonely, now);
	CHECK_EQ_INT(n, 12);
}

static void test_beacon_attempts_are_bounded_whoever_is_heard(void)
{
	struct beacons bs;
	unsigned n = 0;

	beacons_init(&bs, 7, T0);
	for (unsigned i = 0; i < 10000; i++) {
		struct beacon b = somebody((uint8_t)i);

		b.key.b[1] = (uint8_t)(i >> 8);
		b.key.b[2] = 1;
		n += weigh(&bs, &b, &lonely, T0 + i * MSEC(1));
	}
	CHECK(n >= 20 && n <= 24);
}

static void test_beacon_flood_from_one_source_leaves_room_for_another(void)
{
	struct ip loud = ip_v4(0x0a000001), calm = ip_v4(0x0a000002);
	struct beacons bs;
	unsigned n = 0;

	beacons_init(&bs, 7, T0);
	for (unsigned i = 0; i < 10000; i++)
		n += beacons_admit(&bs, &loud, T0 + i * MSEC(1));
	CHECK(n >= 38 && n <= 41);
	CHECK(beacons_admit(&bs, &calm, T0 + SEC(10)));
}

static void test_beacon_flood_from_everywhere_is_bounded(void)
{
	struct beacons bs;
	unsigned n = 0;

	beacons_init(&bs, 7, T0);
	for (uint32_t i = 0; i < 10000; i++) {
		struct ip from = ip_v4(0x0a000000 + i);

		n += beacons_admit(&bs, &from, T0 + i * MSEC(1));
	}
	CHECK(n <= 1100);
}

static const struct test tests[] = {
	TEST(test_beacon_says_who_where_and_how_linked),
	TEST(test_beacon_hides_the_key_from_who_lacks_the_overlay_key),
	TEST(test_beacon_of_another_overlay_is_refused),
	TEST(test_beacon_cut_longer_or_changed_is_refused),
	TEST(test_beacon_without_key_or_port_is_refused),
	TEST(test_beacon_goes_out_three_times_at_the_start_then_hourly),
	TEST(test_beacon_goes_out_every_ten_seconds_while_alone),
	TEST(test_beacon_follows_the_loss_of_the_last_link_within_a_second),
	TEST(test_beacon_flapping_links_do_not_make_a_flood),
	TEST(test_beacon_greets_a_new_lan_at_most_every_ten_seconds),
	TEST(test_beacon_who_is_alone_answers_whom_he_hears),
	TEST(test_beacon_of_the_lone_is_answered_by_the_nearest_at_once_by_others_when_repeated),
	TEST(test_beacon_between_linked_nodes_is_for_the_nearest_and_for_luck),
	TEST(test_beacon_of_a_leaf_is_answered_only_while_it_has_no_link),
	TEST(test_beacon_replayed_costs_one_attempt_in_five_seconds),
	TEST(test_beacon_attempts_are_bounded_whoever_is_heard),
	TEST(test_beacon_flood_from_one_source_leaves_room_for_another),
	TEST(test_beacon_flood_from_everywhere_is_bounded),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
