/* Two pairs of sockets on loopback: what is sent arrives, whole, in frames, from the right
 * sender. */
#include "host/udp.h"

#include <errno.h>
#include <poll.h>

#include "tests/check.h"

struct end {
	struct udp *udp;
	struct frame_pool pool;
	struct addr addr;
};

static struct end a, b;

static bool end_open(struct end *e, const char *ip)
{
	struct addr at = { 0 };
	int r;

	ip_parse(&at.ip, ip);
	frame_pool_init(&e->pool, 256);
	r = udp_open(&e->udp, &at, NULL);
	if (r == 0)
		e->addr = (struct addr){ at.ip, udp_port(e->udp), 0 };
	return r == 0;
}

static void end_close(struct end *e)
{
	udp_close(e->udp);
	frame_pool_fini(&e->pool);
}

static void open_both(const char *ip)
{
	CHECK(end_open(&a, ip) && end_open(&b, ip));
}

static void close_both(void)
{
	end_close(&a);
	end_close(&b);
}

static enum udp_family family(void)
{
	return a.addr.ip.len == 16 ? UDP_V6 : UDP_V4;
}

/* Sends frames of these lengths from a to b; each is filled with its number. */
static void send_frames(const size_t lens[], size_t count)
{
	struct frame *f[UDP_BATCH] = { NULL };

	for (size_t i = 0; i < count; i++) {
		f[i] = frame_get(&a.pool);
		f[i]->len = (uint32_t)lens[i];
		f[i]->verdict = FRAME_TO_WIRE;
		f[i]->remote = b.addr;
		memset(f[i]->data, (int)i + 1, lens[i]);
	}
	udp_send_frames(a.udp, f, count);
	for (size_t i = 0; i < count; i++)
		frame_put(&a.pool, f[i]);
}

/* Receives at b until `want` have come; checks lengths, contents and sender. */
static void receive_frames(const size_t lens[], size_t want)
{
	struct frame *f[UDP_BATCH] = { NULL };
	size_t got = 0;

	while (got < want) {
		struct pollfd p = { udp_fd(b.udp, family()), POLLIN, 0 };
		size_t n;

		if (!udp_pending(b.udp) && poll(&p, 1, 5000) != 1)
			break;
		n = udp_receive(b.udp, family(), &b.pool, f, UDP_BATCH);
		for (size_t i = 0; i < n; i++, got++) {
			CHECK_EQ_INT(f[i]->len, got < want ? lens[got] : 0);
			CHECK_EQ_INT(f[i]->data[0], got + 1);
			CHECK_EQ_INT(f[i]->data[f[i]->len - 1], got + 1);
			CHECK(addr_equal(&f[i]->remote, &a.addr));
			frame_put(&b.pool, f[i]);
		}
	}
	CHECK_EQ_INT(got, want);
}

static void check_full_batch(const char *ip)
{
	size_t lens[UDP_BATCH];

	open_both(ip);
	for (size_t i = 0; i < UDP_BATCH; i++)
		lens[i] = 1400;
	send_frames(lens, UDP_BATCH);
	receive_frames(lens, UDP_BATCH);
	CHECK(udp_stats(a.udp)->sends <= UDP_BATCH / 8); /* joined, not one by one */
	close_both();
}

static void test_udp_sends_a_batch_of_equal_frames_in_few_calls_over_ipv4(void)
{
	check_full_batch("127.0.0.1");
}

static void test_udp_sends_a_batch_of_equal_frames_in_few_calls_over_ipv6(void)
{
	check_full_batch("::1");
}

static void test_udp_keeps_lengths_and_order_of_mixed_frames(void)
{
	static const size_t lens[] = { 100, 100, 60, 1400, 1400, 1400, 20, 20, 1500, 1, 1, 1, 900 };

	open_both("127.0.0.1");
	send_frames(lens, ARRAY_LEN(lens));
	receive_frames(lens, ARRAY_LEN(lens));
	close_both();
}

static void test_udp_passes_over_frames_that_are_not_for_the_wire(void)
{
	struct frame *f = NULL;
	static const size_t lens[] = { 5 };

	open_both("127.0.0.1");
	f = frame_get(&a.pool);
	f->len = 9;
	f->verdict = FRAME_DROP;
	f->remote = b.addr;
	udp_send_frames(a.udp, &f, 1);
	frame_put(&a.pool, f);
	send_frames(lens, 1);
	receive_frames(lens, 1);
	close_both();
}

static void test_udp_drops_and_counts_datagrams_longer_than_a_frame(void)
{
	static const uint8_t big[FRAME_LEN_MAX + 1], fits[FRAME_LEN_MAX];
	struct frame *f[2];
	struct pollfd p;

	open_both("127.0.0.1");
	udp_send(a.udp, &b.addr, big, sizeof(big));
	udp_send(a.udp, &b.addr, fits, sizeof(fits));
	p = (struct pollfd){ udp_fd(b.udp, UDP_V4), POLLIN, 0 };
	CHECK_EQ_INT(poll(&p, 1, 5000), 1);
	CHECK_EQ_INT(udp_receive(b.udp, UDP_V4, &b.pool, f, 2), 1);
	CHECK_EQ_INT(f[0]->len, FRAME_LEN_MAX);
	CHECK_EQ_INT(udp_stats(b.udp)->too_long, 1);
	frame_put(&b.pool, f[0]);
	close_both();
}

static void test_udp_goes_on_after_icmp_says_that_a_port_is_closed(void)
{
	static const size_t lens[] = { 7 };
	struct addr closed;
	struct end c;

	open_both("127.0.0.1");
	CHECK(end_open(&c, "127.0.0.1"));
	closed = c.addr;
	end_close(&c);
	for (int i = 0; i < 10; i++)
		udp_send(a.udp, &closed, (const uint8_t *)"x", 1);
	send_frames(lens, 1);
	receive_frames(lens, 1);
	close_both();
}

static void test_udp_takes_another_port_when_the_wanted_one_is_taken(void)
{
	struct udp *second = NULL;

	open_both("127.0.0.1");
	CHECK_EQ_INT(udp_open(&second, &a.addr, NULL), 0);
	CHECK(udp_port(second) != udp_port(a.udp) && udp_port(second) != 0);
	udp_close(second);
	close_both();
}

static void test_udp_on_any_address_has_both_families_on_one_port(void)
{
	struct udp *u = NULL;

	CHECK_EQ_INT(udp_open(&u, &(struct addr){ 0 }, NULL), 0);
	CHECK(udp_fd(u, UDP_V4) >= 0 && udp_fd(u, UDP_V6) >= 0 && udp_port(u));
	udp_close(u);
}

static void test_udp_on_an_address_of_another_host_is_an_error(void)
{
	struct addr at = { .port = 1 };
	struct udp *u;

	ip_parse(&at.ip, "192.0.2.77");
	CHECK_EQ_INT(udp_open(&u, &at, NULL), -EADDRNOTAVAIL);
}

static void test_udp_without_frames_left_counts_and_loses_no_frame(void)
{
	static const size_t lens[] = { 5, 5, 5 };
	struct frame *all[256], *f[4];
	struct pollfd p;

	open_both("127.0.0.1");
	for (size_t i = 0; i < 256; i++)
		all[i] = frame_get(&b.pool);
	send_frames(lens, 3);
	p = (struct pollfd){ udp_fd(b.udp, UDP_V4), POLLIN, 0 };
	CHECK_EQ_INT(poll(&p, 1, 5000), 1);
	CHECK_EQ_INT(udp_receive(b.udp, UDP_V4, &b.pool, f, 4), 0);
	CHECK_EQ_INT(udp_stats(b.udp)->no_frame, 3);
	for (size_t i = 0; i < 256; i++)
		frame_put(&b.pool, all[i]);
	close_both();
}

int main(void)
{
	static const struct test tests[] = {
		TEST(test_udp_sends_a_batch_of_equal_frames_in_few_calls_over_ipv4),
		TEST(test_udp_sends_a_batch_of_equal_frames_in_few_calls_over_ipv6),
		TEST(test_udp_keeps_lengths_and_order_of_mixed_frames),
		TEST(test_udp_passes_over_frames_that_are_not_for_the_wire),
		TEST(test_udp_drops_and_counts_datagrams_longer_than_a_frame),
		TEST(test_udp_goes_on_after_icmp_says_that_a_port_is_closed),
		TEST(test_udp_takes_another_port_when_the_wanted_one_is_taken),
		TEST(test_udp_on_any_address_has_both_families_on_one_port),
		TEST(test_udp_on_an_address_of_another_host_is_an_error),
		TEST(test_udp_without_frames_left_counts_and_loses_no_frame),
	};
	return run_tests(tests, ARRAY_LEN(tests));
}
