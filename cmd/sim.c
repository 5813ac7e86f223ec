/* sim.c - the engine: hosts that come and go, their clocks, the heap of events. See sim.h.
 *
 * A host's wake-up stands once in the heap at the earliest deadline known; a later deadline is seen
 * when that comes (no tick, pushed again), an earlier one adds an item, and the item that lost is
 * dropped when it comes. Objects with bytes come from free lists by size. Nothing costs time in
 * proportion to the number of hosts. */
#include "cmd/sim.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_crypto.h"
#include "cmd/sim_impl.h"

#define EVENTS_PER_RUN 4000000000ull
#define SPIN_WAKES 2000 /* of one host within SPIN_TIME; at most one a microsecond is possible */
#define SPIN_TIME MSEC(10)
#define CACHE_LINE 64
#define EXPECTED_BYTES 448 /* of an actor */
#define EXPECTED 21	  /* items: the first, its children, and theirs */
#define DEADLINE_MAX DAYS(30) /* looked at again then: products of clock rates stay small */

_Static_assert(sizeof(struct sim_host) <= 512, "of 200 000 hosts");

/* --- events --- */

struct sim_event *sim_event_new(struct sim *s, size_t host, size_t len)
{
	struct sim_event *e;
	uint8_t class = 0;

	while (sizeof(*e) + len > (size_t)SIM_CLASS_LEAST << class)
		class ++;
	assert(class < SIM_CLASSES);
	e = s->free[class];
	if (e)
		s->free[class] = e->next;
	else
		e = mem_new((size_t)SIM_CLASS_LEAST << class);
	*e = (struct sim_event){ .host = (uint32_t)host,
				 .life = s->hosts[host].life,
				 .len = (uint16_t)len,
				 .size = class };
	return e;
}

void sim_event_free(struct sim *s, struct sim_event *e)
{
	e->next = s->free[e->size];
	s->free[e->size] = e;
}

void sim_trim(struct sim *s)
{
	for (size_t i = 0; i < SIM_CLASSES; i++)
		for (struct sim_event *e = s->free[i], *next; (s->free[i] = e); e = next) {
			next = e->next;
			free(e);
		}
}

void sim_event_push(struct sim *s, enum sim_kind kind, struct sim_event *e, usec_t delay)
{
	sim_heap_push(&s->heap, s->now + (delay ? delay : 1), kind, (uintptr_t)e);
}

void sim_host_later(struct sim_host *h, usec_t delay, uint64_t tag, const void *bytes, size_t len)
{
	struct sim_event *e = sim_event_new(h->s, h->index, len);

	e->tag = tag;
	memcpy(e->bytes, bytes, len);
	sim_event_push(h->s, SIM_LATER, e, delay);
}

void sim_call(struct sim *s, usec_t at, uint64_t what)
{
	sim_heap_push(&s->heap, at > s->now ? at : s->now + 1, SIM_CALL, what);
}

/* --- clocks --- */

usec_t sim_local(const struct sim_host *h, usec_t at)
{
	int64_t gone = (int64_t)(at - h->rate_from);

	if (!h->rate)
		return h->rate_local + (usec_t)gone;
	return h->rate_local + (usec_t)(gone + gone * h->rate / (int64_t)SIM_MILLION);
}

usec_t sim_global(const struct sim_host *h, usec_t local)
{
	int64_t gone = (int64_t)(local - h->rate_local);
	usec_t at;

	if (!h->rate)
		return h->rate_from + (usec_t)gone;
	gone = gone * (int64_t)SIM_MILLION / ((int64_t)SIM_MILLION + h->rate);
	at = h->rate_from + (usec_t)gone;
	while (sim_local(h, at) < local)
		at++;
	return at;
}

usec_t sim_host_now(const struct sim *s, size_t i) { return sim_local(&s->hosts[i], s->now); }

void sim_set_rate(struct sim *s, size_t i, int ppm)
{
	struct sim_host *h = &s->hosts[i];

	h->rate_local = sim_local(h, s->now);
	h->rate_from = s->now;
	h->rate = ppm;
	h->wake = USEC_NEVER; /* the item in the heap is for another speed */
	sim_touch(s, i);
}

void sim_step_wall(struct sim *s, size_t i, int64_t seconds)
{
	struct sim_host *h = &s->hosts[i];

	h->wall_ahead = seconds;
	if (h->actor && s->ops->clock)
		s->ops->clock(h->actor, sim_host_now(s, i));
	sim_touch(s, i);
}

void sim_sleep(struct sim *s, size_t i, usec_t until) { s->hosts[i].asleep_until = until; }

/* --- wake-ups --- */

static void arm(struct sim *s, struct sim_host *h)
{
	usec_t local, at;

	if (!h->actor)
		return;
	local = s->ops->deadline(h->actor);
	if (local == USEC_NEVER)
		return;
	at = sim_local(h, s->now);
	at = local > at + DEADLINE_MAX ? s->now + DEADLINE_MAX : sim_global(h, local);
	if (at <= s->now)
		at = s->now + 1;
	if (at >= h->wake)
		return;
	h->wake = at;
	sim_heap_push(&s->heap, at, SIM_WAKE, (uint64_t)h->index << 32 | h->life);
}

void sim_touch(struct sim *s, size_t i) { arm(s, &s->hosts[i]); }

/* A deadline in the past that no tick moves: virtual time would hardly go on. */
static void watch_spin(struct sim *s, struct sim_host *h)
{
	if (s->now > h->spin_from + SPIN_TIME) {
		h->spin_from = s->now;
		h->spin = 0;
	}
	if (++h->spin > SPIN_WAKES)
		s->stats.spinning = true;
}

static void note(struct sim *s, const struct sim_item *item, uint64_t host)
{
	s->trace = sim_mix(s->trace, item->at);
	s->trace = sim_mix(s->trace, host << 3 | sim_item_kind(item));
}

static void wake(struct sim *s, const struct sim_item *item)
{
	struct sim_host *h = &s->hosts[item->what >> 32];
	usec_t now = sim_local(h, s->now);

	if (h->life != (uint32_t)item->what || !h->actor || h->wake != item->at)
		return;
	h->wake = USEC_NEVER;
	if (h->asleep_until > s->now) {
		h->wake = h->asleep_until;
		sim_heap_push(&s->heap, h->wake, SIM_WAKE, item->what);
		return;
	}
	if (s->ops->deadline(h->actor) <= now) {
		note(s, item, h->index);
		s->last = h->index;
		s->stats.wakes++;
		watch_spin(s, h);
		s->ops->tick(h->actor, now);
	}
	arm(s, h);
}

/* --- memory ahead of time --- */

/* Hosts lie far apart, and each event finds its own cold: while one is handled, the memory of those
 * that come next is on its way. The heap's first items are mostly these; a guess that is wrong costs
 * little. The nearer an event, the deeper. */
static struct sim_host *host_of(struct sim *s, const struct sim_item *item)
{
	if (sim_item_kind(item) == SIM_WAKE)
		return &s->hosts[item->what >> 32];
	return &s->hosts[((const struct sim_event *)(uintptr_t)item->what)->host];
}

static void expect_far(struct sim *s, const struct sim_item *item)
{
	if (sim_item_kind(item) == SIM_WAKE)
		__builtin_prefetch(&s->hosts[item->what >> 32].actor);
	else if (sim_item_kind(item) != SIM_CALL)
		__builtin_prefetch((const void *)(uintptr_t)item->what);
}

static void expect_near(struct sim *s, const struct sim_item *item)
{
	const struct sim_host *h;

	if (sim_item_kind(item) == SIM_CALL)
		return;
	h = host_of(s, item);
	__builtin_prefetch(&h->actor);
	__builtin_prefetch(&h->wake);
}

static void expect_next(struct sim *s, const struct sim_item *item)
{
	const char *actor;

	if (sim_item_kind(item) == SIM_CALL)
		return;
	actor = host_of(s, item)->actor;
	for (size_t at = 0; actor && at < EXPECTED_BYTES; at += CACHE_LINE)
		__builtin_prefetch(actor + at);
}

static void expect(struct sim *s)
{
	const struct sim_item *v = s->heap.v;

	if (s->heap.count < EXPECTED)
		return;
	for (size_t i = 5; i < EXPECTED; i++)
		expect_far(s, &v[i]);
	for (size_t i = 1; i < 5; i++)
		expect_near(s, &v[i]);
	expect_next(s, &v[0]);
}

/* --- the loop --- */

static void deliver(struct sim *s, const struct sim_item *item, struct sim_event *e)
{
	struct sim_host *h = &s->hosts[e->host];
	usec_t now = sim_local(h, s->now);

	note(s, item, e->host);
	s->trace = sim_mix(s->trace, e->tag);
	s->trace = sim_mix_bytes(s->trace, e->bytes, e->len);
	s->last = e->host;
	if (sim_item_kind(item) == SIM_PACKET) {
		struct addr from = sim_net_source(e);

		s->ops->input(h->actor, 0, &from, e->bytes, e->len, now);
	} else {
		s->ops->later(h->actor, e->tag, e->bytes, e->len, now);
	}
	arm(s, h);
}

static void arrive(struct sim *s, const struct sim_item *item)
{
	struct sim_event *e = (struct sim_event *)(uintptr_t)item->what;
	struct sim_host *h = &s->hosts[e->host];
	bool packet = sim_item_kind(item) == SIM_PACKET;

	if (!h->actor || h->life != e->life || (packet && !sim_net_accepts(h, e->tag))) {
		s->stats.lost += packet;
	} else if (h->asleep_until <= s->now) {
		deliver(s, item, e);
	} else if (!packet) {
		sim_event_push(s, SIM_LATER, e, h->asleep_until - s->now);
		return;
	}
	sim_event_free(s, e);
}

static void handle(struct sim *s, const struct sim_item *item)
{
	switch (sim_item_kind(item)) {
	case SIM_WAKE:
		wake(s, item);
		break;
	case SIM_CALL:
		note(s, item, item->what);
		s->hooks.call(s->hooks.ctx, item->what);
		break;
	default:
		arrive(s, item);
	}
}

bool sim_until(struct sim *s, usec_t at, bool (*done)(struct sim *s, void *ctx), void *ctx)
{
	for (uint64_t i = 0; i < EVENTS_PER_RUN; i++) {
		struct sim_item item;

		if (done && done(s, ctx))
			return true;
		if (!s->heap.count || s->heap.v[0].at > at) {
			s->now = at;
			return !done;
		}
		item = sim_heap_pop(&s->heap);
		s->now = item.at;
		s->stats.events++;
		expect(s);
		handle(s, &item);
	}
	return false;
}

bool sim_run(struct sim *s, usec_t at) { return sim_until(s, at, NULL, NULL); }

/* --- the world --- */

struct sim *sim_new(const struct sim_setup *setup)
{
	struct sim *s = mem_new(sizeof(*s));

	assert(setup->nodes && setup->nodes <= SIM_NODES_MAX);
	sim_rng_seed(&s->rng, setup->seed);
	s->now = SIM_EPOCH;
	s->nodes = setup->nodes;
	s->ops = setup->actors;
	s->dummy = setup->dummy_crypto;
	s->crypto = s->dummy ? &crypto_dummy : &crypto_real;
	s->net = (struct sim_net){ .delay = MSEC(10), .jitter = MSEC(1) };
	s->disk = (struct sim_disk){ .delay = MSEC(2) };
	s->values = sim_values_new();
	s->hosts = mem_new(s->nodes * sizeof(*s->hosts));
	sim_hosts_init(s);
	return s;
}

void sim_free(struct sim *s)
{
	sim_hosts_fini(s);
	while (s->heap.count) {
		struct sim_item i = sim_heap_pop(&s->heap);

		if (sim_item_kind(&i) == SIM_PACKET || sim_item_kind(&i) == SIM_LATER)
			free((struct sim_event *)(uintptr_t)i.what);
	}
	sim_trim(s);
	sim_heap_fini(&s->heap);
	sim_results_free(s->results);
	sim_values_free(s->values);
	free(s->by_key);
	free(s->hosts);
	free(s);
}

void sim_set_hooks(struct sim *s, const struct sim_hooks *hooks) { s->hooks = *hooks; }

void sim_set_net(struct sim *s, const struct sim_net *net) { s->net = *net; }

void sim_set_disk(struct sim *s, const struct sim_disk *disk) { s->disk = *disk; }

usec_t sim_now(const struct sim *s) { return s->now; }

size_t sim_last(const struct sim *s) { return s->last; }

size_t sim_count(const struct sim *s) { return s->nodes; }

uint64_t sim_op(struct sim *s) { return ++s->next_op; }

unsigned sim_draw(struct sim *s, unsigned sides)
{
	return (unsigned)(sim_rng_next(&s->rng) % sides);
}

uint64_t sim_draw_half_lives(struct sim *s) { return sim_rng_half_lives(&s->rng); }

uint64_t sim_trace(const struct sim *s) { return s->trace; }

struct sim_stats sim_stats(const struct sim *s) { return s->stats; }
