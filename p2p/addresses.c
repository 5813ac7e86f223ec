/* addresses.c - telling peers where we may be reached, and trying what they tell.
 *
 * What we tell: what the owner set, then where peers that proved themselves see us (the newest
 * OBSERVED_MAX). What a peer tells becomes candidates: the peer is authenticated and asked for it,
 * yet a told address may be somebody else's, so there are at most eight candidates, each with a
 * schedule that thins out (path.c), and one such message a second. */
#include "p2p/addresses.h"

#include "p2p/later.h"

bool addresses_usable(const struct addr *a)
{
	return a->ip.len && a->port && !ip_is_multicast(&a->ip) && !ip_is_link_local(&a->ip);
}

static bool is_in(const struct addr *list, size_t count, const struct addr *a)
{
	for (size_t i = 0; i < count; i++)
		if (addr_equal(&list[i], a))
			return true;
	return false;
}

static size_t own(const struct p2p *p, struct addr out[P2P_ADDRESSES_MAX])
{
	size_t count = 0;

	for (size_t i = 0; i < p->address_count; i++)
		if (addresses_usable(&p->addresses[i]) && !is_in(out, count, &p->addresses[i]))
			out[count++] = p->addresses[i];
	for (size_t i = 0; i < OBSERVED_MAX && count < P2P_ADDRESSES_MAX; i++)
		if (p->observed[i].ip.len && !is_in(out, count, &p->observed[i]))
			out[count++] = p->observed[i];
	return count;
}

void addresses_tell(struct session *s, usec_t now)
{
	struct addr list[P2P_ADDRESSES_MAX];
	uint8_t msg[1 + 19 * P2P_ADDRESSES_MAX];
	struct wr w = wr_of(msg, sizeof(msg));
	size_t count = own(s->p, list);

	if (!s->up)
		return;
	wr_u8(&w, (uint8_t)count);
	for (size_t i = 0; i < count; i++)
		wr_addr(&w, &list[i]);
	if (channel_send(s->channel, SERVICE_ADDRESSES, msg, wr_len(&w), now) < 0)
		p2p_drop(s->p, DROP_FULL);
	session_touch(s);
}

void addresses_tell_all(struct p2p *p, usec_t now)
{
	struct session *s;
	size_t at = 0;

	while ((s = map_next(&p->sessions, &at)))
		addresses_tell(s, now);
}

/* Loopback is believed only by nodes that are reachable there themselves. */
static bool may_be_tried(const struct p2p *p, const struct addr *a)
{
	if (!addresses_usable(a))
		return false;
	if (!ip_is_loopback(&a->ip))
		return true;
	for (size_t i = 0; i < p->address_count; i++)
		if (ip_is_loopback(&p->addresses[i].ip))
			return true;
	return false;
}

void addresses_input(struct session *s, struct rd r, usec_t now)
{
	struct addr list[P2P_ADDRESSES_MAX];
	size_t count = rd_u8(&r);

	if (count > P2P_ADDRESSES_MAX) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	for (size_t i = 0; i < count; i++)
		list[i] = rd_addr(&r);
	if (!rd_done(&r)) {
		p2p_drop(s->p, DROP_MALFORMED);
		return;
	}
	if (!limit_take(&s->addresses, now)) {
		p2p_drop(s->p, DROP_RATE);
		return;
	}
	s->told_count = 0;
	for (size_t i = 0; i < count; i++) {
		if (!may_be_tried(s->p, &list[i]))
			continue;
		s->told[s->told_count++] = list[i];
		paths_add(&s->paths, &list[i], 0, true, now);
	}
}

void addresses_observed(struct p2p *p, const struct addr *a, usec_t now)
{
	size_t oldest = 0;

	if (!addresses_usable(a))
		return;
	for (size_t i = 0; i < OBSERVED_MAX; i++) {
		if (p->observed[i].ip.len && addr_equal(&p->observed[i], a)) {
			p->observed_at[i] = now;
			return;
		}
		if (p->observed_at[i] < p->observed_at[oldest])
			oldest = i;
	}
	p->observed[oldest] = *a;
	p->observed_at[oldest] = now;
	p->observed[oldest].scope = 0;
}

size_t addresses_of(const struct session *s, struct addr *out, size_t max)
{
	size_t count = 0;

	if (s->paths.used >= 0 && count < max)
		out[count++] = s->paths.list[s->paths.used].addr;
	for (size_t i = 0; i < P2P_PATHS_MAX && count < max; i++) {
		const struct path *path = &s->paths.list[i];

		if (path->addr.ip.len && path->proven && !is_in(out, count, &path->addr))
			out[count++] = path->addr;
	}
	for (size_t i = 0; i < s->told_count && count < max; i++)
		if (!is_in(out, count, &s->told[i]))
			out[count++] = s->told[i];
	return count;
}
