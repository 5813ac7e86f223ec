/* node_start.c - of two copies of one identity the newer lives (DESIGN 12.11).
 *
 * A copied state directory makes two nodes with one key. Each writes (start counter, random nonce
 * of this process) into the register `start:KEY` when it comes up and again every ten minutes or
 * so; keepers take only what is newer; of two with equal counters the first one to write. Whose
 * write is called superseded says so, remembers it durably, stops, and does not start again unless
 * told to take over, so that a service that restarts itself does not play ping-pong. Without a
 * keeper nothing is decided. */
#include "cmd/node.h"

#include <assert.h>

#include "cmd/node_internal.h"

#define START_FIRST SEC(2)     /* within: many nodes may have been started at once */
#define START_AGAIN MINUTES(8) /* and up to half as much again: each costs the keeper a durable write */
#define START_RETRY SEC(10)

static usec_t jitter(const struct ns *s, usec_t below)
{
	uint32_t r;

	s->n->env.random(s->n->env.ctx, &r, sizeof(r));
	return r % below;
}

void ns_start_soon(struct ns *s, usec_t now)
{
	s->next_start = now + jitter(s, START_FIRST);
}

usec_t ns_start_register(struct ns *s, usec_t now)
{
	struct start_payload p = { .counter = s->n->start_counter };
	struct reg_op req = { .verb = OP_START };
	uint8_t payload[REG_PAYLOAD_OWNED_MAX];
	struct wr w = wr_of(payload, sizeof(payload));

	if (s->start_op) /* its end wakes */
		return USEC_NEVER;
	/* A counter that is not on the disk may be used once more, and would look like a copy's. */
	if (!s->n->start_saved)
		return now + SEC(1);
	if (now < s->next_start)
		return s->next_start;
	memcpy(p.nonce, s->n->boot_nonce, sizeof(p.nonce));
	wr_start_payload(&w, &p);
	assert(wr_ok(&w));
	req.name = reg_name_key(REG_START, s->n->cfg.self.pub.b, KEY_LEN);
	req.payload = payload;
	req.payload_len = wr_len(&w);
	s->next_start = now + START_RETRY;
	s->start_op = node_op(s->n);
	if (ns_submit(s, s->start_op, &req, NULL, now) != 0)
		s->start_op = 0;
	return s->next_start;
}

void node_superseded(struct node *n, usec_t now)
{
	static const char why[] = "another copy of this node's identity has started; this one stops "
				  "(`vpnd --take-over` would make it the one that lives)";

	if (n->superseded)
		return;
	n->superseded = true;
	state_save_start(n);
	for (size_t i = 0; i < NODE_NAMESPACES_MAX; i++)
		if (n->ns[i])
			ns_shut(n->ns[i], why, now);
	n->env.stop(n->env.ctx, why);
}

bool ns_start_result(struct ns *s, const struct regs_event *e, usec_t now)
{
	if (!s->start_op || e->op != s->start_op)
		return false;
	s->start_op = 0;
	if (e->status == REG_SUPERSEDED)
		node_superseded(s->n, now);
	else if (e->status == REG_OK)
		s->next_start = now + START_AGAIN + jitter(s, START_AGAIN / 2);
	ns_wake(s, s->next_start);
	return true;
}
