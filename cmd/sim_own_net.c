/* sim_own_net.c - the network: packets are lost, doubled, late by up to a minute, and do not pass
 * from one side of a partition to the other. Who is two processes is answered where it spoke last. */
#include <string.h>

#include "cmd/sim_own_impl.h"
#include "dht/bundle.h"
#include "dht/regmsg.h"

size_t ow_person_of(const struct ow_world *w, const struct pubkey *key)
{
	size_t i = 0;

	while (i < OW_PERSONS && !key_equal(&w->person[i].pub, key))
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

	*k = (struct ow_packet){ .from = from->index, .person = (uint8_t)person,
				  .service = service, .len = (uint32_t)len };
	memcpy(k->bytes, msg.p, len);
	sim_heap_push(&w->heap, w->now + delay_of(w), OW_PACKET, (uint64_t)(uintptr_t)k);
}

static bool decides_one(const uint8_t *msg, size_t len)
{
	struct regmsg m;

	return regmsg_read(&m, msg, len) &&
	       (m.type == REGMSG_PREPARE || m.type == REGMSG_ACCEPT) &&
	       (m.name.kind == REG_ADDRESS || m.name.kind == REG_HOST_NAME);
}

/* Does the message ask an acceptor about an address or a name? */
static bool decides(const struct ow_world *w, uint8_t service, const uint8_t *msg, size_t len)
{
	uint8_t nsid[NSID_LEN];
	struct bundle b;

	nsid_of(nsid, &w->root.pub);
	if (service != REGS_SERVICE_REGISTER)
		return false;
	if (!bundle_open(&b, msg, len, nsid))
		return decides_one(msg, len);
	while (bundle_next(&b, &msg, &len))
		if (decides_one(msg, len))
			return true;
	return false;
}

void ow_net_send(struct ow_process *from, const struct pubkey *to, uint8_t service,
		  const uint8_t *msg, size_t len)
{
	struct ow_world *w = from->w;
	size_t person = ow_person_of(w, to);

	w->packets++;
	if (person == OW_PERSONS || person == from->person)
		return;
	if (ow_chance(w, w->rules.net.loss) ||
	    (w->rules.deaf && person == w->rules.deaf && decides(w, service, msg, len)))
		return;
	post(from, person, service, rd_of(msg, len));
	if (w->rules.net.doubled && ow_chance(w, w->rules.net.doubled))
		post(from, person, service, rd_of(msg, len));
}

/* A process that stands still finds its packets when it goes on; one that sleeps does not. */
static void keep(struct ow_process *to, struct ow_packet *k)
{
	if (to->state == OW_PAUSED && to->waiting_count < OW_WAITING)
		to->waiting[to->waiting_count++] = k;
	else
		ow_free(&to->w->pool, k);
}

void ow_net_arrive(struct ow_world *w, struct ow_packet *k)
{
	const struct ow_process *from = &w->process[k->from];
	struct ow_process *to = &w->process[from->heard[k->person]];

	if (from->side != to->side || to->state == OW_DEAD) {
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
