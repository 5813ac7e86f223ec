/* LAN beacons of whole overlays: nodes on one LAN, datagrams and beacons in one queue. */
#include "p2p/p2p.h"

#include <stdlib.h>

#include "base/mem.h"
#include "p2p/aead.h"
#include "p2p/beacon.h"
#include "p2p/status.h"
#include "tests/check.h"

#define NODES_MAX 8
#define QUEUE_MAX 4096
#define DELAY MSEC(1)

struct lan_node {
	struct lan *lan;
	struct p2p *p;
	struct key_pair key;
	struct addr addr;
	struct drops drops;
	unsigned beacons, inits;
};

struct flight {
	usec_t at;
	size_t from;
	bool beacon;
	struct addr to;
	size_t len;
	uint8_t b[1700];
};

struct lan {
	struct lan_node nodes[NODES_MAX];
	size_t count;
	usec_t now;
	uint64_t seed;
	struct flight *queue; /* in order of arrival: there is one delay */
	size_t head, tail;
};

static const struct log no_log;

static void on_random(void *ctx, void *out, size_t len)
{
	struct lan_node *n = ctx;
	uint8_t seed[32] = { 0 };

	n->lan->seed++;
	memcpy(seed, &n->lan->seed, sizeof(n->lan->seed));
	randombytes_buf_deterministic(out, len, seed);
}

static void on_send(void *ctx, uint8_t socket, const struct addr *to, const uint8_t *pkt, size_t len)
{
	struct lan_node *n = ctx;
	struct lan *l = n->lan;
	struct flight *f = &l->queue[l->tail++ % QUEUE_MAX];

	CHECK(l->tail - l->head < QUEUE_MAX);
	CHECK(len <= sizeof(f->b));
	*f = (struct flight){ .at = l->now + DELAY, .from = (size_t)(n - l->nodes),
			      .beacon = socket == P2P_SOCKET_LAN, .to = *to, .len = len };
	memcpy(f->b, pkt, len);
	n->beacons += f->beacon;
	n->inits += !f->beacon && (pkt[0] & 63) == PACKET_INIT;
}

static void on_event(void *ctx, const struct p2p_event *e)
{
	(void)ctx;
	(void)e;
}

static bool on_grant_ok(void *ctx, uint16_t ns, const struct pubkey *peer, const uint8_t *grant,
			size_t len, usec_t now)
{
	(void)ctx, (void)ns, (void)peer, (void)grant, (void)len, (void)now;
	return true;
}

static size_t on_own_grant(void *ctx, uint16_t ns, uint8_t *out, size_t size)
{
	(void)ctx, (void)ns, (void)out, (void)size;
	return 0;
}

static struct lan_node *add(struct lan *l, uint8_t overlay)
{
	struct lan_node *n = &l->nodes[l->count++];
	struct p2p_config cfg = { .crypto = &crypto_real, .log = &no_log, .start_counter = 1,
				  .overlay_key_count = 1, .lan_port = 24655,
				  .drops = &n->drops };
	struct p2p_env env = { n, on_send, on_random, on_event, on_grant_ok, on_own_grant };
	uint8_t seed[SEED_LEN] = { (uint8_t)l->count };

	CHECK(l->count <= NODES_MAX);
	n->lan = l;
	while (!key_from_seed(&n->key, seed))
		seed[1]++;
	n->addr = (struct addr){ .ip = ip_v4(0x0a000000 + (uint32_t)l->count), .port = 24655 };
	cfg.self = n->key;
	cfg.overlay_keys[0][0] = overlay;
	n->p = p2p_new(&cfg, &env, l->now);
	p2p_set_addresses(n->p, &n->addr, 1, l->now);
	return n;
}

static struct lan *lan_of(size_t count)
{
	struct lan *l = mem_new(sizeof(*l));

	l->queue = mem_new(QUEUE_MAX * sizeof(*l->queue));
	l->now = SEC(1000);
	for (size_t i = 0; i < count; i++)
		add(l, 1);
	return l;
}

static void lan_done(struct lan *l)
{
	for (size_t i = 0; i < l->count; i++)
		p2p_free(l->nodes[i].p, l->now);
	free(l->queue);
	free(l);
}

static void arrive(struct lan *l, struct flight *f)
{
	const struct addr *from = &l->nodes[f->from].addr;

	for (size_t i = 0; i < l->count; i++)
		if (f->beacon) /* the sender hears it too, as on a real LAN */
			p2p_lan_input(l->nodes[i].p, from, f->b, f->len, l->now);
		else if (addr_equal(&l->nodes[i].addr, &f->to))
			p2p_input(l->nodes[i].p, 0, from, f->b, f->len, l->now);
}

static void run(struct lan *l, usec_t until)
{
	for (;;) {
		usec_t at = l->head < l->tail ? l->queue[l->head % QUEUE_MAX].at : USEC_NEVER;
		size_t who = NODES_MAX;

		for (size_t i = 0; i < l->count; i++)
			if (p2p_deadline(l->nodes[i].p) < at) {
				at = p2p_deadline(l->nodes[i].p);
				who = i;
			}
		if (at >= until)
			break;
		l->now = at > l->now ? at : l->now;
		if (who < NODES_MAX)
			p2p_tick(l->nodes[who].p, l->now);
		else
			arrive(l, &l->queue[l->head++ % QUEUE_MAX]);
	}
	l->now = until;
}

static bool meet(const struct lan_node *a, const struct lan_node *b)
{
	return p2p_has_session(a->p, &b->key.pub) && p2p_has_session(b->p, &a->key.pub);
}

static void test_p2p_lan_two_that_know_nobody_meet_within_a_second(void)
{
	struct lan *l = lan_of(2);

	run(l, SEC(1001));
	CHECK(meet(&l->nodes[0], &l->nodes[1]));
	lan_done(l);
}

static void test_p2p_lan_everybody_becomes_one_ring(void)
{
	struct lan *l = lan_of(6);

	run(l, SEC(1020));
	for (size_t i = 0; i < l->count; i++)
		for (size_t j = 0; j < i; j++)
			CHECK(meet(&l->nodes[i], &l->nodes[j])); /* all are near: 3 on each side */
	lan_done(l);
}

static void test_p2p_lan_no_link_a_beacon_every_ten_seconds_a_link_one_an_hour(void)
{
	struct lan *l = lan_of(1);

	run(l, SEC(1306));
	CHECK(l->nodes[0].beacons >= 3 + 24 && l->nodes[0].beacons <= 3 + 38);
	add(l, 1);
	run(l, SEC(1330));
	CHECK(meet(&l->nodes[0], &l->nodes[1]));
	l->nodes[0].beacons = l->nodes[1].beacons = 0;
	run(l, SEC(1330) + MINUTES(47));
	CHECK_EQ_INT(l->nodes[0].beacons + l->nodes[1].beacons, 0);
	run(l, SEC(1330) + MINUTES(73));
	CHECK_EQ_INT(l->nodes[0].beacons, 1);
	CHECK_EQ_INT(l->nodes[1].beacons, 1);
	lan_done(l);
}

static void test_p2p_lan_own_beacon_is_not_answered(void)
{
	struct lan *l = lan_of(1);

	run(l, SEC(1100));
	CHECK(l->nodes[0].beacons > 3);
	CHECK_EQ_INT(l->nodes[0].inits, 0);
	lan_done(l);
}

static void test_p2p_lan_another_overlay_is_not_answered(void)
{
	struct lan *l = lan_of(1);

	add(l, 2);
	run(l, SEC(1100));
	CHECK_EQ_INT(l->nodes[0].inits + l->nodes[1].inits, 0);
	CHECK(l->nodes[0].drops.count[DROP_MAC] > 3);
	lan_done(l);
}

static void test_p2p_lan_who_wants_no_beacons_sends_none_and_answers_none(void)
{
	struct lan *l = lan_of(1);
	struct beacon b = { .key = l->nodes[0].key.pub, .port = 24655, .alone = true };
	uint8_t pkt[BEACON_LEN], overlay[32] = { 1 }, nonce[BEACON_NONCE_LEN] = { 0 };
	struct lan_node deaf = { .lan = l, .key = { .pub = { { 0 } } } };
	struct p2p_config cfg = { .crypto = &crypto_real, .log = &no_log, .start_counter = 1,
				  .overlay_key_count = 1, .overlay_keys = { { 1 } },
				  .drops = &deaf.drops };
	struct p2p_env env = { &deaf, on_send, on_random, on_event, on_grant_ok, on_own_grant };
	uint8_t seed[SEED_LEN] = { 77 };

	while (!key_from_seed(&deaf.key, seed))
		seed[1]++;
	cfg.self = deaf.key;
	deaf.p = p2p_new(&cfg, &env, l->now);
	beacon_write(pkt, &b, overlay, nonce);
	CHECK(!p2p_lan_input(deaf.p, &l->nodes[0].addr, pkt, BEACON_LEN, l->now));
	for (usec_t now = l->now; now < l->now + SEC(60); now += MSEC(100))
		p2p_tick(deaf.p, now);
	CHECK_EQ_INT(deaf.beacons + deaf.inits, 0);
	p2p_free(deaf.p, l->now);
	lan_done(l);
}

/* Somebody without the overlay key repeats a beacon of a node that is gone, from everywhere. */
static void test_p2p_lan_replayed_flood_costs_a_bounded_number_of_inits(void)
{
	struct lan *l = lan_of(1);
	struct beacon b = { .port = 24655, .alone = true };
	uint8_t pkt[BEACON_LEN], overlay[32] = { 1 }, nonce[BEACON_NONCE_LEN] = { 0 };
	struct key_pair gone;
	uint8_t seed[SEED_LEN] = { 99 };

	while (!key_from_seed(&gone, seed))
		seed[1]++;
	b.key = gone.pub;
	beacon_write(pkt, &b, overlay, nonce);
	run(l, SEC(1001));
	for (uint32_t i = 0; i < 60000; i++) {
		struct addr from = { .ip = ip_v4(0x0a000100 + i) };

		p2p_lan_input(l->nodes[0].p, &from, pkt, BEACON_LEN, l->now);
		run(l, l->now + MSEC(1));
	}
	/* One every 5 s and the retries of a handshake, to at most 8 addresses each. */
	CHECK(l->nodes[0].inits > 0);
	CHECK(l->nodes[0].inits <= 8 * (60 + 12));
	CHECK(l->nodes[0].drops.count[DROP_RATE] > 50000);
	lan_done(l);
}

static void test_p2p_lan_beacon_from_a_multicast_address_is_not_answered(void)
{
	struct lan *l = lan_of(1);
	struct beacon b = { .key = { { 5 } }, .port = 24655, .alone = true };
	uint8_t pkt[BEACON_LEN], overlay[32] = { 1 }, nonce[BEACON_NONCE_LEN] = { 0 };
	struct addr from = { .ip = ip_v4(0xe0000001) };

	beacon_write(pkt, &b, overlay, nonce);
	p2p_lan_input(l->nodes[0].p, &from, pkt, BEACON_LEN, l->now);
	run(l, SEC(1030));
	CHECK_EQ_INT(l->nodes[0].inits, 0);
	lan_done(l);
}

static const struct test tests[] = {
	TEST(test_p2p_lan_two_that_know_nobody_meet_within_a_second),
	TEST(test_p2p_lan_everybody_becomes_one_ring),
	TEST(test_p2p_lan_no_link_a_beacon_every_ten_seconds_a_link_one_an_hour),
	TEST(test_p2p_lan_own_beacon_is_not_answered),
	TEST(test_p2p_lan_another_overlay_is_not_answered),
	TEST(test_p2p_lan_who_wants_no_beacons_sends_none_and_answers_none),
	TEST(test_p2p_lan_replayed_flood_costs_a_bounded_number_of_inits),
	TEST(test_p2p_lan_beacon_from_a_multicast_address_is_not_answered),
};

int main(void)
{
	return sodium_init() < 0 || run_tests(tests, ARRAY_LEN(tests));
}
