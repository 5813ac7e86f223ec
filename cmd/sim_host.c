/* sim_host.c - hosts: identity, disk, coming and going, and what an actor may ask of its host. */
#include "cmd/sim_impl.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_crypto.h"

#define BOOTSTRAPS 6  /* earlier hosts */
#define LATER_HOSTS 8 /* the first ones may also start from later ones, and from host 0 */

/* --- identities --- */

static size_t slot_of(const struct sim *s, const struct pubkey *key)
{
	uint64_t word;

	memcpy(&word, key->b, sizeof(word));
	return sim_mix(0, word) >> 20 & s->by_key_mask;
}

static void add_key(struct sim *s, size_t host)
{
	size_t at = slot_of(s, &s->hosts[host].key.pub);

	while (s->by_key[at])
		at = (at + 1) & s->by_key_mask;
	s->by_key[at] = (uint32_t)host + 1;
	s->by_key_used++;
}

size_t sim_find(const struct sim *s, const struct pubkey *key)
{
	for (size_t at = slot_of(s, key); s->by_key[at]; at = (at + 1) & s->by_key_mask)
		if (key_equal(&s->hosts[s->by_key[at] - 1].key.pub, key))
			return s->by_key[at] - 1;
	return SIZE_MAX;
}

static void index_keys(struct sim *s)
{
	memset(s->by_key, 0, (s->by_key_mask + 1) * sizeof(*s->by_key));
	s->by_key_used = 0;
	for (size_t i = 0; i < s->nodes; i++)
		add_key(s, i);
}

/* The place of its old key leads to the host still, where it finds another key: until there are too
 * many such places. */
static void key_changed(struct sim *s, size_t host)
{
	if (s->by_key_used > s->by_key_mask / 4 * 3)
		index_keys(s);
	else
		add_key(s, host);
}

static void draw_key(struct sim_host *h)
{
	uint8_t b[SEED_LEN];

	do
		sim_rng_fill(&h->s->rng, b, sizeof(b));
	while (!h->s->dummy && !key_from_seed(&h->key, b));
	if (h->s->dummy)
		sim_key_pair(&h->key, b);
}

static void print_log(void *ctx, enum log_level level, const char *line)
{
	const struct sim_host *h = ctx;

	fprintf(stderr, "%10.6f %u %s: %s\n", (double)(h->s->now - SIM_EPOCH) / 1e6, h->index,
		log_level_text(level), line);
}

void sim_hosts_init(struct sim *s)
{
	enum log_level level = getenv("VPNSIM_LOG") ? LOG_LEVEL_DEBUG : LOG_LEVEL_ERROR;

	s->by_key_mask = 4;
	while (s->by_key_mask < 2 * s->nodes)
		s->by_key_mask *= 2;
	s->by_key = mem_new(s->by_key_mask * sizeof(*s->by_key));
	s->by_key_mask--;
	for (size_t i = 0; i < s->nodes; i++) {
		struct sim_host *h = &s->hosts[i];

		*h = (struct sim_host){ .s = s, .index = (uint32_t)i, .wake = USEC_NEVER };
		h->log = (struct log){ h, print_log, level };
		draw_key(h);
		sim_net_init(h);
		add_key(s, i);
	}
}

void sim_hosts_fini(struct sim *s)
{
	s->hooks = (struct sim_hooks){ 0 };
	for (size_t i = 0; i < s->nodes; i++) {
		sim_crash(s, i);
		if (s->hosts[i].disk)
			sim_store_free(s->hosts[i].disk);
		sim_nat_free(s->hosts[i].nat);
	}
}

/* --- coming and going --- */

void sim_start(struct sim *s, size_t i)
{
	struct sim_host *h = &s->hosts[i];

	assert(!h->actor);
	h->life++;
	h->wake = USEC_NEVER;
	h->asleep_until = 0;
	h->up_since = s->now;
	h->actor = s->ops->start(h, sim_local(h, s->now));
	sim_touch(s, i);
	if (h->actor && s->hooks.started)
		s->hooks.started(s->hooks.ctx, i);
}

static void stop(struct sim *s, size_t i, bool graceful)
{
	struct sim_host *h = &s->hosts[i];
	void *actor = h->actor;

	if (!actor)
		return;
	sim_sent_add(s, h, &s->sent);
	h->mute = !graceful;
	h->actor = NULL;
	h->life++;
	s->ops->stop(actor, graceful, sim_local(h, s->now));
	h->mute = false;
	if (h->disk)
		sim_store_crash(h->disk, sim_rng_next(&s->rng));
	if (s->hooks.fell)
		s->hooks.fell(s->hooks.ctx, i);
}

void sim_sent_add(const struct sim *s, const struct sim_host *h, struct p2p_sent *sum)
{
	struct p2p_sent own = { 0 };

	if (!h->actor || !s->ops->sent)
		return;
	s->ops->sent(h->actor, &own);
	for (size_t k = 0; k < P2P_SENT_KINDS; k++) {
		sum->packets[k] += own.packets[k];
		sum->bytes[k] += own.bytes[k] + own.packets[k] * SIM_IP_UDP;
	}
}

void sim_sent(const struct sim *s, struct p2p_sent *out)
{
	*out = s->sent;
	for (size_t i = 0; i < s->nodes; i++)
		sim_sent_add(s, &s->hosts[i], out);
}

void sim_crash(struct sim *s, size_t i) { stop(s, i, false); }

void sim_stop(struct sim *s, size_t i) { stop(s, i, true); }

void sim_wipe(struct sim *s, size_t i)
{
	struct sim_host *h = &s->hosts[i];

	assert(!h->actor);
	if (h->disk)
		sim_store_free(h->disk);
	h->disk = NULL;
	draw_key(h);
	key_changed(s, i);
}

void sim_clone(struct sim *s, size_t from, size_t to)
{
	struct sim_host *h = &s->hosts[to];

	assert(from != to);
	sim_crash(s, to);
	if (h->disk)
		sim_store_free(h->disk);
	h->disk = sim_store_copy(sim_host_disk(&s->hosts[from]));
	h->key = s->hosts[from].key;
	h->copied = true;
	key_changed(s, to);
}

void *sim_actor(struct sim *s, size_t i) { return s->hosts[i].actor; }

const struct sim_actor_ops *sim_ops(const struct sim *s) { return s->ops; }

const struct sim_host *sim_host(const struct sim *s, size_t i) { return &s->hosts[i]; }

bool sim_is_awake(const struct sim *s, size_t i)
{
	return s->hosts[i].actor && s->hosts[i].asleep_until <= s->now;
}

usec_t sim_up_since(const struct sim *s, size_t i) { return s->hosts[i].up_since; }

void sim_set_side(struct sim *s, size_t i, int side) { s->hosts[i].side = side; }

int sim_side(const struct sim *s, size_t i) { return s->hosts[i].side; }

void sim_set_nat(struct sim *s, size_t i, enum sim_nat_kind kind, usec_t expiry)
{
	sim_net_nat(&s->hosts[i], kind, expiry);
}

void sim_set_faults(struct sim *s, size_t i, unsigned faults)
{
	s->hosts[i].faults = (uint8_t)faults;
}

/* --- for the actor --- */

uint32_t sim_host_index(const struct sim_host *h) { return h->index; }

const struct key_pair *sim_host_key(const struct sim_host *h) { return &h->key; }

const struct crypto *sim_host_crypto(const struct sim_host *h) { return h->s->crypto; }

const struct addr *sim_host_addr(const struct sim_host *h) { return &h->addr; }

const struct log *sim_host_log(const struct sim_host *h) { return &h->log; }

uint64_t sim_host_wall(const struct sim_host *h)
{
	usec_t up = sim_local(h, h->s->now) - SIM_EPOCH;

	return (uint64_t)((int64_t)(SIM_WALL + up / SEC(1)) + h->wall_ahead);
}

/* Earlier hosts, as the names of a well-kept list or an invitation's contacts would be: whoever starts
 * in order finds one that runs. The same ones at every start. Drawn from all, so that nobody is
 * everybody's, but for a few at the very beginning. */
bool sim_host_bootstrap(const struct sim_host *h, size_t i, struct pubkey *key, struct addr *addr)
{
	const struct sim *s = h->s;
	bool first = h->index < LATER_HOSTS;
	const struct sim_host *b = &s->hosts[0];

	if (i > BOOTSTRAPS || (i == BOOTSTRAPS && !first))
		return false;
	if (i < BOOTSTRAPS)
		b = &s->hosts[sim_mix(sim_mix(0, h->index), i) % (first ? s->nodes : h->index)];
	if (b == h || b->nat)
		b = &s->hosts[h->index ? 0 : s->nodes - 1];
	*key = b->key.pub;
	*addr = b->addr;
	return b != h;
}

void sim_host_random(struct sim_host *h, void *out, size_t len)
{
	sim_rng_fill(&h->s->rng, out, len);
}

void sim_host_count(struct sim_host *h, enum p2p_sent_kind kind, size_t bytes)
{
	h->s->sent.packets[kind] += !h->mute;
	h->s->sent.bytes[kind] += h->mute ? 0 : bytes;
}

unsigned sim_host_faults(const struct sim_host *h) { return h->faults; }

void sim_host_done(struct sim_host *h, uint64_t op, bool ok, unsigned hops)
{
	if (h->s->hooks.done)
		h->s->hooks.done(h->s->hooks.ctx, h->index, op, ok, hops);
}

struct sim_store *sim_host_disk(struct sim_host *h)
{
	if (!h->disk)
		h->disk = sim_store_new(h->s->values);
	return h->disk;
}
