/* node_witness.c - what this node did about ownership, for who wants to know (`vpnd --audit`).
 *
 * Operations on registers pass through here on their way, and their results on the way back; what
 * the leases may use is looked at whenever the node has done something; grants that peers show are
 * told when they change what is let in. Nothing is kept, and nothing costs more than a look at one
 * pointer, unless somebody wants to know. */
#include "cmd/node.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/node_audit.h"
#include "cmd/node_internal.h"

#define ASKED_MAX 256 /* operations under way of which the name is known; others are not told */
#define SHOWN_MAX 256 /* addresses whose grants were shown; the oldest is told again */

struct witness {
	struct ns *s;
	struct audit audit;
	struct asked {
		uint64_t op; /* 0 = free */
		struct reg_name name;
	} asked[ASKED_MAX];
	struct shown {
		struct reg_name name;
		uint64_t generation;
		bool accepted;
	} shown[SHOWN_MAX];
	size_t next_shown;
};

static void env_line(void *ctx, const char *text)
{
	struct witness *w = ctx;

	w->s->n->env.audit(w->s->n->env.ctx, w->s->number, text);
}

/* Made when first needed: then the start counter is known. NULL: nobody wants to know. */
static struct witness *witness(struct ns *s)
{
	const struct node *n = s->n;
	char process[32];

	if (s->witness || !n->env.audit || !n->started)
		return s->witness;
	s->witness = mem_new(sizeof(*s->witness));
	*s->witness = (struct witness){ .s = s };
	snprintf(process, sizeof(process), "%u-%02x%02x", n->start_counter, n->boot_nonce[0],
		 n->boot_nonce[1]);
	audit_init(&s->witness->audit, &n->cfg.self.pub, process);
	s->witness->audit.ctx = s->witness;
	s->witness->audit.line = env_line;
	return s->witness;
}

static struct asked *asked(struct witness *w, uint64_t op)
{
	for (size_t i = 0; i < ASKED_MAX; i++)
		if (w->asked[i].op == op)
			return &w->asked[i];
	return NULL;
}

static void begins(struct ns *s, uint64_t op, const struct reg_op *req, usec_t now)
{
	struct witness *w = witness(s);
	struct asked *a = w ? asked(w, 0) : NULL;

	if (!a)
		return;
	*a = (struct asked){ op, req->name };
	audit_invoke(&w->audit, op, req, now);
}

/* It was never sent. */
static int begun(struct ns *s, uint64_t op, int r, usec_t now)
{
	if (r < 0)
		ns_witness_result(s, &(struct regs_event){ .op = op, .status = REG_REFUSED }, now);
	return r;
}

int ns_submit(struct ns *s, uint64_t op, const struct reg_op *req, const struct key_pair *admin,
	      usec_t now)
{
	begins(s, op, req, now);
	return begun(s, op, regs_submit(s->regs, op, req, admin, now), now);
}

int ns_submit_signed(struct ns *s, uint64_t op, const uint8_t *bytes, size_t len, usec_t now)
{
	struct reg_op req;

	if (reg_op_read(&req, bytes, len))
		begins(s, op, &req, now);
	return begun(s, op, regs_submit_signed(s->regs, op, bytes, len, now), now);
}

void ns_witness_result(struct ns *s, const struct regs_event *e, usec_t now)
{
	struct asked *a = s->witness ? asked(s->witness, e->op) : NULL;

	if (!a || !e->op)
		return;
	audit_result(&s->witness->audit, &a->name, e, now);
	a->op = 0;
}

void ns_witness_leases(struct ns *s, usec_t now)
{
	struct witness *w = s->leases && s->leases_on ? witness(s) : NULL;

	if (w)
		audit_leases(&w->audit, s->leases, now);
}

void ns_witness_shown(struct ns *s, const struct grant *g, bool accepted, usec_t now)
{
	struct witness *w = witness(s);
	struct shown *at = NULL;

	if (!w)
		return;
	for (size_t i = 0; i < SHOWN_MAX && !at; i++)
		if (w->shown[i].generation && reg_name_equal(&w->shown[i].name, &g->name))
			at = &w->shown[i];
	if (at && at->generation == g->generation && at->accepted == accepted)
		return;
	if (!at)
		at = &w->shown[w->next_shown++ % SHOWN_MAX];
	*at = (struct shown){ g->name, g->generation, accepted };
	audit_frame(&w->audit, accepted, &g->name, g->generation, &g->owner, now);
}

void ns_witness_end(struct ns *s, usec_t now)
{
	if (s->witness)
		audit_died(&s->witness->audit, now);
	free(s->witness);
	s->witness = NULL;
}
