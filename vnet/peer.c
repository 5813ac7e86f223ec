/* peer.c - peers by key and, while attached, by session. A peer lives while it has a session or
 * owns a flow; at most VNET_PEERS_MAX, and then one without a session has to go (owner.c). */
#include "vnet/peer.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"

void peers_init(struct peers *ps, const uint8_t seed[16], void *ctx)
{
	map_init(&ps->by_key, offsetof(struct peer, key), sizeof(struct pubkey), VNET_PEERS_MAX,
		 seed);
	map_init(&ps->by_session, offsetof(struct peer, session), sizeof(uint32_t), VNET_PEERS_MAX,
		 seed);
	list_init(&ps->age);
	ps->ctx = ctx;
}

void peers_fini(struct peers *ps)
{
	struct list *l;

	while ((l = list_take(&ps->age)))
		free(container_of(l, struct peer, age));
	map_fini(&ps->by_key);
	map_fini(&ps->by_session);
}

struct peer *peer_find(const struct peers *ps, const struct pubkey *key)
{
	return map_get(&ps->by_key, key);
}

struct peer *peer_of_session(const struct peers *ps, uint32_t session)
{
	return map_get(&ps->by_session, &session);
}

struct peer *peer_get(struct peers *ps, const struct pubkey *key)
{
	struct peer *p = peer_find(ps, key);

	if (p || ps->by_key.count >= ps->by_key.max)
		return p;
	p = mem_new(sizeof(*p));
	p->key = *key;
	p->ctx = ps->ctx;
	list_init(&p->flows);
	held_queue_init(&p->held);
	list_add_tail(&ps->age, &p->age);
	map_put(&ps->by_key, p);
	return p;
}

struct peer *peer_victim(const struct peers *ps)
{
	for (struct list *l = ps->age.next; l != &ps->age; l = l->next)
		if (!container_of(l, struct peer, age)->session)
			return container_of(l, struct peer, age);
	return NULL;
}

void peer_set_session(struct peers *ps, struct peer *p, uint32_t session, uint32_t tag)
{
	assert(!session || !peer_of_session(ps, session) || peer_of_session(ps, session) == p);
	if (p->session)
		map_take(&ps->by_session, &p->session);
	p->session = session;
	p->tag = session ? tag : 0;
	if (session)
		map_put(&ps->by_session, p);
}

void peer_release(struct peers *ps, struct peer *p)
{
	if (p->session || p->pinned || !list_is_empty(&p->flows))
		return;
	assert(!p->held.count && !timer_is_set(&p->grant_timer));
	map_take(&ps->by_key, &p->key);
	list_del(&p->age);
	free(p);
}
