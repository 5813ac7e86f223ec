/* node_trace.c - "how does a message get to this node?": a question along the ring and back.
 *
 * TRACE is a service of ROUTED (docs/protocol.md 5.3): a question is answered by the node it is
 * for, with the number of links it came over. Who asks repeats it, so that one lost packet says
 * nothing, and by other ways, so that one dead link does not; four unanswered ones end it. Answers
 * go to the claimed source and are no longer than questions; they are given at a bounded rate. */
#include "cmd/node.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/node_internal.h"

enum { TRACE_QUESTION = 1, TRACE_ANSWER = 2 };

#define TRACE_LEN 11
#define TRACES_MAX 256
#define TRIES 4
#define TRIES_USUAL 2 /* by the usual way; then by links of ours that need not be on it */
#define ANSWERS_A_SECOND 100

static const usec_t waits[TRIES] = { MSEC(500), SEC(1), SEC(2), MSEC(500) };

struct trace {
	uint64_t id; /* random: who did not see the question cannot answer it */
	uint64_t op;
	struct node *n;
	struct overlay *o;
	struct pubkey key;
	struct node_id agent;
	bool has_agent;
	uint8_t tries;
	usec_t sent[TRIES];
	struct timer timer;
};

static size_t trace_write(uint8_t out[TRACE_LEN], uint8_t type, uint64_t id, uint8_t try, uint8_t links)
{
	struct wr w = wr_of(out, TRACE_LEN);

	wr_u8(&w, type);
	wr_u64(&w, id);
	wr_u8(&w, try);
	wr_u8(&w, links);
	assert(wr_ok(&w));
	return wr_len(&w);
}

static void trace_free(struct trace *t)
{
	map_take(&t->n->traces, &t->id);
	timer_cancel(&t->n->timers, &t->timer);
	free(t);
}

static void ask(struct trace *t, usec_t now)
{
	uint8_t msg[TRACE_LEN];
	size_t len = trace_write(msg, TRACE_QUESTION, t->id, t->tries, 0);
	struct node_id to = id_of(&t->key), link = p2p_link(t->o->p2p, (unsigned)t->id + t->tries);
	const struct node_id *agent = t->has_agent ? &t->agent : overlay_agent(t->o, &t->key);

	if (!t->has_agent && t->tries >= TRIES_USUAL)
		agent = &link;
	p2p_route(t->o->p2p, &to, agent, ROUTED_TRACE, msg, len, now);
	t->sent[t->tries] = now;
	timer_set(&t->n->timers, &t->timer, now + waits[t->tries++]);
}

static void trace_fire(struct timer *timer, usec_t now)
{
	struct trace *t = container_of(timer, struct trace, timer);
	struct node *n = t->n;
	uint64_t op = t->op;

	if (t->tries < TRIES) {
		ask(t, now);
		return;
	}
	trace_free(t);
	node_notice(n, op, NODE_TIMEOUT, "no answer within 4 s: it is down, or no links lead to it");
}

void node_trace_start(struct overlay *o, uint64_t op, const struct pubkey *key,
		      const struct node_id *agent, usec_t now)
{
	struct node *n = o->n;
	struct trace *t;

	if (key_equal(key, &n->cfg.self.pub)) {
		n->env.notice(n->env.ctx, &(struct node_notice){ .op = op, .text = "", .key = *key,
								 .direct = true });
		return;
	}
	t = mem_new(sizeof(*t));
	t->n = n;
	t->o = o;
	t->op = op;
	t->key = *key;
	t->has_agent = agent;
	if (agent)
		t->agent = *agent;
	timer_init(&t->timer, trace_fire);
	n->env.random(n->env.ctx, &t->id, sizeof(t->id));
	if (map_put(&n->traces, t) != 0) {
		node_notice(n, op, NODE_NO, "too many traces at once");
		free(t);
		return;
	}
	ask(t, now);
}

void node_trace_key(struct node *n, uint64_t op, const struct pubkey *key,
		    const struct node_id *agent, usec_t now)
{
	struct overlay *o = node_overlay(n, op);

	node_enter(n, now);
	if (o)
		node_trace_start(o, op, key, agent, now);
	node_pump(n, now);
}

static bool is_direct(const struct overlay *o, const struct pubkey *key, usec_t now)
{
	struct p2p_peer_info info;
	size_t at = 0;

	while (p2p_peer_next(o->p2p, &at, &info, now))
		if (key_equal(&info.key, key))
			return info.up && info.kind == P2P_PATH_DIRECT;
	return false;
}

static void answered(struct trace *t, uint8_t try, uint8_t links, usec_t now)
{
	struct node_notice nt = { .op = t->op, .text = "", .key = t->key, .hops = links };
	struct node *n = t->n;

	nt.rtt = now - t->sent[try];
	nt.direct = is_direct(t->o, &t->key, now);
	trace_free(t);
	n->env.notice(n->env.ctx, &nt);
}

void node_trace_input(struct overlay *o, const struct p2p_event *e, usec_t now)
{
	struct rd r = rd_of(e->msg, e->len);
	struct node_id to = id_of(&e->peer);
	uint8_t type = rd_u8(&r), msg[TRACE_LEN], try, links;
	uint64_t id = rd_u64(&r);
	struct trace *t;

	try = rd_u8(&r);
	links = rd_u8(&r);
	if (!rd_done(&r) || type < TRACE_QUESTION || type > TRACE_ANSWER) {
		drop_add(&o->n->drops, DROP_MALFORMED);
	} else if (type == TRACE_QUESTION) {
		if (!limit_take(&o->n->trace_answers, now))
			drop_add(&o->n->drops, DROP_RATE);
		else
			p2p_route(o->p2p, &to, &e->agent, ROUTED_TRACE, msg,
				  trace_write(msg, TRACE_ANSWER, id, try, (uint8_t)e->number), now);
	} else {
		t = map_get(&o->n->traces, &id);
		if (t && t->o == o && key_equal(&t->key, &e->peer) && try < t->tries)
			answered(t, try, links, now);
	}
}

/* Of an overlay that goes; NULL: all. */
void node_trace_drop(struct node *n, const struct overlay *o)
{
	struct trace *t;
	size_t at = 0;

	while ((t = map_next(&n->traces, &at)))
		if (!o || t->o == o) {
			map_take_at(&n->traces, &at);
			timer_cancel(&n->timers, &t->timer);
			if (o)
				node_notice(n, t->op, NODE_NO, "the overlay was left");
			free(t);
		}
}

void node_trace_init(struct node *n)
{
	map_init(&n->traces, offsetof(struct trace, id), sizeof(uint64_t), TRACES_MAX, n->seed);
	limit_init(&n->trace_answers, ANSWERS_A_SECOND, 2 * ANSWERS_A_SECOND);
}
