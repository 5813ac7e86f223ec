/* bench_vnet.c - nanoseconds a frame costs in the fast path when its flow is there, in a table of
 * FLOWS flows, for frames of one flow and of FRAMES flows in turn. */
#include <stdlib.h>
#include <time.h>

#include "tests/unit/vnet_rig.h"

#define BATCH 64
#define ROUNDS 40000
#define FRAMES 256 /* few enough to stay in the cache: they are not what is measured */
#define FLOWS 10000

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct ip target(size_t i) { return ip_v4(0x0a010100 + (uint32_t)i); }

static void fill(struct frame *f, const struct ip *src, const struct ip *dst, bool ethernet)
{
	static const uint8_t body[1200];
	struct ip_out o = { .src = *src, .dst = *dst, .proto = 17, .hops = 64, .body = body,
			    .body_len = sizeof(body) };
	uint8_t out[FRAME_LEN_MAX];
	size_t len = rig_eth(out, &o), cut = ethernet ? 0 : ETH_HEADER_LEN;

	memcpy(f->data, out + cut, len - cut);
	f->len = (uint32_t)(len - cut);
	f->session = ethernet ? 0 : 101;
	f->type = TYPE_IP;
}

/* Runs the same frames again and again; a frame is put back to how it came each time. */
static void run(struct rig *r, size_t flows, bool ethernet)
{
	struct frame *frames[FRAMES];
	struct ip own = rig_ip("10.1.0.5");
	uint32_t len;
	double start;

	for (size_t i = 0; i < FRAMES; i++) {
		struct ip other = target(i % flows * (FLOWS / FRAMES));

		frames[i] = calloc(1, sizeof(struct frame));
		frames[i]->data = frames[i]->store + FRAME_HEAD;
		fill(frames[i], ethernet ? &own : &other, ethernet ? &other : &own, ethernet);
	}
	len = frames[0]->len;
	start = seconds();
	for (size_t i = 0; i < ROUNDS; i++) {
		struct frame **batch = frames + i * BATCH % FRAMES;

		(ethernet ? vnet_from_port : vnet_from_session)(vnet_view(r->v), vnet_lane(r->v, 0),
								batch, BATCH, r->now);
		for (size_t k = 0; k < BATCH; k++) {
			if (batch[k]->verdict != (ethernet ? FRAME_TO_PEER : FRAME_TO_PORT))
				abort();
			batch[k]->data = batch[k]->store + FRAME_HEAD;
			batch[k]->len = len;
		}
	}
	printf("%-12s %4zu flows  %6.1f ns/frame\n", ethernet ? "from_port" : "from_session", flows,
	       (seconds() - start) * 1e9 / ROUNDS / BATCH);
	for (size_t i = 0; i < FRAMES; i++)
		free(frames[i]);
}

int main(void)
{
	static const size_t flows[] = { 1, FRAMES };
	struct rig *r = rig_new();
	struct pubkey k = rig_key(1);

	vnet_peer_up(r->v, &k, 101, 201, r->now);
	for (size_t i = 0; i < FLOWS; i++) {
		struct ip ip = target(i);

		vnet_bind(r->v, &ip, &k, 1, USEC_NEVER, r->now);
	}
	for (size_t i = 0; i < ARRAY_LEN(flows); i++) {
		run(r, flows[i], true);
		run(r, flows[i], false);
	}
	rig_free(r);
	return 0;
}
