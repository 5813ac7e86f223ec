/* sim_own_net.c - the network: packets are lost, doubled, late by up to a minute, and do not pass
 * from one side of a partition to the other. Who is two processes is answered where it spoke last. */
#include <string.h>

#include "cmd/sim_own_impl.h"
#include "dht/bundle.h"
#include "dht/regmsg.h"

size_t ow_person_of(const struct ow_world *w, const struct pubkey *key)
{
	size_t i = 0;

	while (i < w->size.persons && !key_equal(&w->person[i].pub, key))
		i++;
	return i;
}

static usec_t delay_of(struct ow_world *w)
{
	const struct ow_net *n = &w->rules.net;
	usec_t d = n->delay + ow_draw(w, n->jitter);

	if (n->late && ow_chance(w, n->late))
		d += ow_draw(w, n->late_max);
	return d;
}

static void post(struct ow_process *from, size_t person, uint8_t service, struct rd msg)
{
	struct ow_world *w = from->w;
	size_t len = rd_left(&msg);
	struct ow_packet *k = ow_alloc(&w->pool, sizeof(*k) + len);

	*k = (struct ow_packet){ .from = from->index, .person = (uint16_t)person,
				  .service = service, .len = (uint32_t)len };
	memcpy(k->bytes, msg.p, len);
	sim_heap_push(&w->heap, w->now + delay_of(w), OW_PACKET, (uint64_t)(uintptr_t)k);
}

/* What a message asks an acceptor about: bits of enum reg_kind; 0 = nothing. */
static unsigned asked_in_one(const uint8_t *msg, size_t len)
{
	struct regmsg m;

	return regmsg_read(&m, msg, len) &&
			       (m.type == REGMSG_PREPARE || m.type == REGMSG_ACCEPT) ?
		       1u << m.name.kind :
		       0;
}

static unsigned asked_in(const struct ow_world *w, const uint8_t *msg, size_t len)
{
	uint8_t nsid[NSID_LEN];
	unsigned kinds = 0;
	struct bundle b;

	nsid_of(nsid, &w->root.pub);
	if (!bundle_open(&b, msg, len, nsid))
		return asked_in_one(msg, len);
	while (bundle_next(&b, &msg, &len))
		kinds |= asked_in_one(msg, len);
	return kinds;
}

/* For schedules that look at what is said: is this one lost? Does a change of the set begin? */
static bool is_lost(struct ow_process *from, size_t person, const uint8_t *msg, size_t len)
{
	struct ow_world *w = from->w;
	unsigned kinds = asked_in(w, msg, len);

	if (w->cut.mask && w->cut.news && kinds & 1u << REG_SUCCESSOR)
		ow_cut_now(w);
	return w->rules.deaf && person == w->rules.deaf &&
	       kinds & (1u << REG_ADDRESS | 1u << REG_HOST_NAME);
}

void ow_net_say(struct ow_process *from, size_t person, uint8_t service, struct rd msg)
{
	struct ow_world *w = from->w;

	w->packets++;
	if (person == w->size.persons || person == from->person)
		return;
	if (ow_chance(w, w->rules.net.loss))
		return;
	if (w->rules.deaf && service == REGS_SERVICE_REGISTER &&
	    is_lost(from, person, msg.p, rd_left(&msg)))
		return;
	post(from, person, service, msg);
	if (w->rules.net.doubled && ow_chance(w, w->rules.net.doubled))
		post(from, person, service, msg);
}

void ow_net_send(struct ow_process *from, const struct pubkey *to, uint8_t service,
		  const uint8_t *msg, size_t len)
{
	size_t person = ow_person_of(from->w, to);

	if (!ow_liar_says(from, person, service, rd_of(msg, len)))
		ow_net_say(from, person, service, rd_of(msg, len));
}

/* A process that stands still finds its packets when it goes on; one that sleeps does not. */
static void keep(struct ow_process *to, struct ow_packet *k)
{
	if (to->state == OW_PAUSED && to->waiting_count < OW_WAITING)
		to->waiting[to->waiting_count++] = k;
	else
		ow_free(&to->w->pool, k);
}

static bool passes(const struct ow_process *from, const struct ow_process *to,
		   const struct ow_packet *k)
{
	if (to->side == OW_BRIDGE)
		return k->service != REGS_SERVICE_MEMBER;
	return from->side == to->side || from->side == OW_BRIDGE ||
	       (from->w->news && k->service == REGS_SERVICE_MEMBER);
}

void ow_net_arrive(struct ow_world *w, struct ow_packet *k)
{
	const struct ow_process *from = &w->process[k->from];
	struct ow_process *to = &w->process[from->heard[k->person]];

	if (!passes(from, to, k) || to->state == OW_DEAD) {
		ow_free(&w->pool, k);
		return;
	}
	if (to->state != OW_RUNS) {
		keep(to, k);
		return;
	}
	ow_trace(w, (uint64_t)k->from << 56 ^ (uint64_t)to->index << 48 ^ k->len);
	ow_input(to, k);
	ow_free(&w->pool, k);
}
