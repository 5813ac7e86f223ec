/* What reads as a message is written back to the same bytes; and an instance takes anything. */
#include <assert.h>
#include <stdlib.h>

#include "dht/dht.h"
#include "dht/msg.h"

#define NOW SEC(100)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void random_bytes(void *ctx, void *out, size_t len)
{
	memset(out, (*(uint8_t *)ctx)++, len);
}

static void send(void *ctx, const struct pubkey *to, const uint8_t *msg, size_t len,
		 unsigned way)
{
	struct dht_msg m;

	(void)ctx, (void)to, (void)way;
	assert(len <= DHT_MSG_MAX && dht_msg_read(&m, msg, len) == DROP_NONE);
}

static void send_nearest(void *ctx, const struct node_id *target, const uint8_t *msg, size_t len,
			 unsigned way)
{
	(void)target;
	send(ctx, NULL, msg, len, way);
}

static void event(void *ctx, const struct dht_event *e)
{
	(void)ctx;
	/* The corpus holds one good record, which is empty; nobody here can sign another. */
	assert(e->type == DHT_DONE);
}

static void feed_instance(const uint8_t *data, size_t len, bool with_ring)
{
	uint8_t random = 0x80;
	const struct dht_env env = { &random, random_bytes, send, event,
				     with_ring ? send_nearest : NULL };
	struct wall wall = { 1800000000u, NOW };
	struct drops drops = { 0 };
	struct dht_config cfg = { .crypto = &crypto_real, .wall = &wall, .drops = &drops };
	struct dht_topic t = { .kind = DHT_NAME };
	struct pubkey peer;
	struct key_pair k;
	uint8_t seed[SEED_LEN] = { 1 };
	struct dht *d;

	while (!key_from_seed(&cfg.self, seed))
		seed[0]++;
	do
		seed[0]++;
	while (!key_from_seed(&k, seed));
	peer = k.pub;
	d = dht_new(&cfg, &env, NOW);
	dht_input(d, &peer, false, data, len, NOW);
	dht_contact_up(d, &peer, NOW);
	random = 0x11; /* makes the request id that the corpus answers */
	dht_get(d, 1, &t, NOW);
	dht_input(d, &peer, true, data, len, NOW);
	dht_tick(d, NOW + SEC(4));
	dht_free(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t out[DHT_MSG_MAX];
	struct dht_msg m;

	if (dht_msg_read(&m, data, len) == DROP_NONE) {
		assert(len <= DHT_MSG_MAX);
		assert(dht_msg_write(out, sizeof(out), &m) == len);
		assert(memcmp(out, data, len) == 0);
	}
	feed_instance(data, len, false);
	feed_instance(data, len, true);
	return 0;
}
