/* rpc.c - request ids are 64 random bits and belong to one key, or, when the ring chose who is
 * asked, to one answer: who does not see the request can not answer it. What is answered by the
 * nearest makes no contact: anybody on the way could have named any key.
 * Each request is tried RPC_TRIES times, the second by another way: somebody on the first may be
 * dead, or drop what he should forward; a try waits as long as the answers seen so far suggest
 * (RFC 6298, section 2; repeated requests do not count). At most RPC_MAX wait, a full table
 * refuses the caller, who tries later. */
#include "dht/rpc.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"

#define WAYS 64 /* other ways to choose from */

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

usec_t rpc_timeout(const struct rpcs *rs)
{
	usec_t wait = rs->srtt + 4 * rs->rttvar;

	if (rs->srtt == 0)
		return RPC_TIMEOUT_FIRST;
	if (wait < RPC_TIMEOUT_MIN)
		return RPC_TIMEOUT_MIN;
	return usec_min(wait, RPC_TIMEOUT_MAX);
}

static void measure(struct rpcs *rs, usec_t rtt)
{
	usec_t off = rtt > rs->srtt ? rtt - rs->srtt : rs->srtt - rtt;

	if (rs->srtt == 0) {
		rs->srtt = rtt ? rtt : 1;
		rs->rttvar = rtt / 2;
		return;
	}
	rs->rttvar += off / 4 - rs->rttvar / 4;
	rs->srtt += rtt / 8 + 1 - rs->srtt / 8;
}

static void send(struct rpc *r, usec_t now)
{
	const struct dht_env *env = r->all->env;
	unsigned way = r->tries++ ? 1 + r->id % WAYS : 0;

	timer_set(r->all->timers, &r->timer, now + rpc_timeout(r->all));
	if (r->nearest)
		env->send_nearest(env->ctx, &r->target, r->bytes, r->len, way);
	else
		env->send(env->ctx, &r->to, r->bytes, r->len, way);
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
	if (!r->nearest)
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

/* NULL when too many wait. */
static struct rpc *rpc_new(struct rpcs *rs, struct dht_msg *m, const struct rpc_owner *owner,
			   usec_t now)
{
	uint8_t bytes[DHT_PUT_MAX];
	struct rpc *r;
	size_t len;

	assert(dht_msg_is_request(m->type) && owner->done);
	if (rs->waiting.count >= RPC_MAX)
		return NULL;
	m->id = unused_id(rs);
	m->client = rs->client;
	len = dht_msg_write(bytes, sizeof(bytes), m);
	r = mem_new(sizeof(*r) + len);
	*r = (struct rpc){ .id = m->id, .owner = *owner, .all = rs, .sent = now, .len = len };
	memcpy(r->bytes, bytes, len);
	timer_init(&r->timer, fire);
	map_put(&rs->waiting, r);
	rs->count++;
	return r;
}

int rpc_call(struct rpcs *rs, const struct pubkey *to, struct dht_msg *m,
	     const struct rpc_owner *owner, usec_t now)
{
	struct rpc *r = rpc_new(rs, m, owner, now);

	if (!r)
		return -ENOSPC;
	r->to = *to;
	send(r, now);
	return 0;
}

int rpc_call_nearest(struct rpcs *rs, const struct node_id *target, struct dht_msg *m,
		     const struct rpc_owner *owner, usec_t now)
{
	struct rpc *r = rpc_new(rs, m, owner, now);

	assert(rs->env->send_nearest);
	if (!r)
		return -ENOSPC;
	r->nearest = true;
	r->target = *target;
	send(r, now);
	return 0;
}

static bool fits(const struct rpc *r, const struct pubkey *from, const struct dht_msg *m)
{
	enum dht_msg_type asked = r->bytes[0] & ~DHT_MSG_CLIENT;

	return (r->nearest || key_equal(&r->to, from)) && m->type == asked + 1;
}

bool rpc_answer(struct rpcs *rs, const struct pubkey *from, const struct dht_msg *m, usec_t now)
{
	struct rpc *r = map_get(&rs->waiting, &m->id);

	if (!r || !fits(r, from, m))
		return false;
	forget(rs, r);
	if (r->tries == 1)
		measure(rs, now - r->sent);
	r->to = *from;
	if (!r->nearest)
		rs->answered(rs->ctx, from, now);
	r->owner.done(r->owner.ctx, r, m, now);
	free(r);
	return true;
}
