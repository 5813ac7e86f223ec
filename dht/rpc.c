/* rpc.c - request ids are 64 random bits and belong to one key: who does not see the request can
 * not answer it. Each request is tried RPC_TRIES times; at most RPC_MAX wait, a full table refuses
 * the caller, who tries later. */
#include "dht/rpc.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

void rpc_init(struct rpcs *rs, const uint8_t seed[16])
{
	assert(rs->env && rs->timers && rs->answered && rs->failed);
	map_init(&rs->waiting, offsetof(struct rpc, id), sizeof(uint64_t), RPC_MAX, seed);
}

static void forget(struct rpcs *rs, struct rpc *r)
{
	map_take(&rs->waiting, &r->id);
	timer_cancel(rs->timers, &r->timer);
}

void rpc_fini(struct rpcs *rs)
{
	struct rpc *r;
	size_t at = 0;

	while ((r = map_next(&rs->waiting, &at))) {
		map_take_at(&rs->waiting, &at);
		timer_cancel(rs->timers, &r->timer);
		free(r);
	}
	map_fini(&rs->waiting);
}

static void send(struct rpc *r, usec_t now)
{
	r->tries++;
	timer_set(r->all->timers, &r->timer, now + RPC_TIMEOUT);
	r->all->env->send(r->all->env->ctx, &r->to, r->bytes, r->len);
}

static void fire(struct timer *t, usec_t now)
{
	struct rpc *r = container_of(t, struct rpc, timer);
	struct rpcs *rs = r->all;

	if (r->tries < RPC_TRIES) {
		send(r, now);
		if (r->owner.slow)
			r->owner.slow(r->owner.ctx, r, now);
		return;
	}
	forget(rs, r);
	rs->failed(rs->ctx, &r->to, now);
	r->owner.done(r->owner.ctx, r, NULL, now);
	free(r);
}

static uint64_t unused_id(struct rpcs *rs)
{
	uint64_t id;

	rs->env->random(rs->env->ctx, &id, sizeof(id));
	while (map_get(&rs->waiting, &id)) /* at most RPC_MAX times */
		id++;
	return id;
}

int rpc_call(struct rpcs *rs, const struct pubkey *to, struct dht_msg *m,
	     const struct rpc_owner *owner, usec_t now)
{
	uint8_t bytes[DHT_MSG_HEAD_LEN + 2 + RECORD_LEN_MAX];
	struct rpc *r;
	size_t len;

	assert(dht_msg_is_request(m->type) && owner->done);
	if (rs->waiting.count >= RPC_MAX)
		return -ENOSPC;
	m->id = unused_id(rs);
	len = dht_msg_write(bytes, sizeof(bytes), m);
	r = mem_new(sizeof(*r) + len);
	*r = (struct rpc){ .id = m->id, .to = *to, .owner = *owner, .all = rs, .len = len };
	memcpy(r->bytes, bytes, len);
	timer_init(&r->timer, fire);
	map_put(&rs->waiting, r);
	send(r, now);
	return 0;
}

bool rpc_answer(struct rpcs *rs, const struct pubkey *from, const struct dht_msg *m, usec_t now)
{
	struct rpc *r = map_get(&rs->waiting, &m->id);

	if (!r || !key_equal(&r->to, from) || m->type != (enum dht_msg_type)(r->bytes[0] + 1))
		return false;
	forget(rs, r);
	rs->answered(rs->ctx, from, now);
	r->owner.done(r->owner.ctx, r, m, now);
	free(r);
	return true;
}
