/* sim_own_work.c - what people do: want an address or a name, keep it for a while, give it back,
 * hand it on, read who owns it, send each other frames under their grants, and start anew.
 *
 * Everybody takes a step every few seconds. A frame carries its sender's grant; the receiver judges
 * it as the daemon does: regs_check, the key of the session it came by, vnet's fence. */
#include <assert.h>
#include <string.h>

#include "cmd/sim_own_impl.h"
#include "dht/regmsg.h"

#define FIRST_HOT 2 /* 10.7.0.2 and up */
#define DUE SEC(3)  /* of a first step, at most */

static struct ip hot(struct ow_world *w)
{
	return ip_v4((10u << 24 | 7u << 16 | FIRST_HOT) + (uint32_t)ow_draw(w, w->rules.hot));
}

static void start_register(struct ow_process *p)
{
	struct start_payload s = { .counter = (uint32_t)p->start_counter };
	uint8_t payload[REG_PAYLOAD_OWNED_MAX];
	struct wr out = wr_of(payload, sizeof(payload));
	struct reg_op req = { .verb = OP_START, .payload = payload };

	memset(s.nonce, p->index + 1, sizeof(s.nonce));
	s.nonce[0] = (uint8_t)p->life;
	wr_start_payload(&out, &s);
	req.name = reg_name_key(REG_START, p->w->person[p->person].pub.b, KEY_LEN);
	req.payload_len = wr_len(&out);
	ow_submit(p, &req, NULL);
}

void ow_work_begin(struct ow_process *p)
{
	struct ow_world *w = p->w;

	if (p->person >= w->size.members || !w->begin || !w->rules.people)
		return;
	ow_push(w, w->now + ow_draw(w, DUE), OW_STEP, p);
	ow_push(w, w->now + ow_draw(w, w->rules.chat), OW_CHAT, p);
}

static bool holds(const struct ow_process *p, enum reg_kind kind, struct lease_info *out)
{
	size_t at = 0;

	while (leases_next(p->leases, &at, out, ow_now(p)))
		if (out->name.kind == kind && out->left)
			return true;
	return false;
}

static bool wants(const struct ow_process *p, enum reg_kind kind)
{
	struct lease_info i;
	size_t at = 0;

	while (leases_next(p->leases, &at, &i, ow_now(p)))
		if (i.name.kind == kind && i.state != LEASE_LOST)
			return true;
	return false;
}

static void read_one(struct ow_process *p)
{
	struct ip ip = hot(p->w);
	struct reg_op req = { .verb = OP_READ, .name = reg_name_address(&ip) };

	if (ow_draw(p->w, 3) == 0)
		req.name = p->w->hot_name;
	ow_submit(p, &req, NULL);
}

/* Whoever it is given to did not ask for it, and may be gone. */
static bool transfer(struct ow_process *p, const struct reg_name *name)
{
	struct ow_world *w = p->w;
	size_t heir = ow_draw(w, w->rules.people);

	return leases_transfer(p->leases, name, &w->person[heir].pub,
			       (uint32_t)(2 + ow_draw(w, TRANSFER_SECONDS_MAX - 1)), ow_now(p)) == 0;
}

static void address(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct lease_info i;

	if (!wants(p, REG_ADDRESS) || (!p->quiet && ow_draw(w, 1000) < w->rules.moves)) {
		struct ip ask = hot(w);

		leases_want_address(p->leases, &ask, ow_now(p));
	} else if (!p->quiet && holds(p, REG_ADDRESS, &i)) {
		if (ow_draw(w, 1000) < w->rules.transfers && transfer(p, &i.name))
			return;
		if (ow_draw(w, 1000) < w->rules.releases)
			leases_release(p->leases, &i.name, ow_now(p));
	}
}

static void name(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct lease_info i;

	if (!wants(p, REG_HOST_NAME))
		leases_add_name(p->leases, "web", ow_now(p));
	else if (!p->quiet && holds(p, REG_HOST_NAME, &i) && ow_draw(w, 2))
		leases_release(p->leases, &i.name, ow_now(p));
}

/* Claims what another holds, once a second (keepers allow 40 in a row) around the end of its lease. */
static void eager(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct ip ip = ip_v4(10u << 24 | 7u << 16 | FIRST_HOT);

	if (w->now >= w->rules.eager_from)
		leases_add_address(p->leases, &ip, ow_now(p));
	ow_push(w, w->now + MSEC(900) + ow_draw(w, MSEC(200)), OW_STEP, p);
}

void ow_grab(struct ow_process *p)
{
	struct ip ip = ip_v4((10u << 24 | 7u << 16 | FIRST_HOT) + (uint32_t)ow_draw(p->w, 5));

	leases_add_address(p->leases, &ip, ow_now(p));
	p->leases_touched = true;
	ow_settle(p);
}

/* A keeper prepares names that are nobody's, and nothing comes of it: what the others promise there
 * makes them forget promises that were made to others. */
static void mistake(struct ow_process *p)
{
	struct ow_world *w = p->w;
	const struct config *cf = regs_keepers(p->regs);
	const struct pubkey *self = &w->person[p->person].pub;
	int at = cf ? config_member(cf, self) : -1;
	uint64_t dice = sim_mix(sim_mix(w->seed, w->index), ++w->mistakes);
	uint32_t number = (uint32_t)(dice % 61);
	uint8_t msg[REGMSG_MAX];
	struct regmsg m = { .type = REGMSG_PREPARE, .request = dice,
			    .name = reg_name_key(REG_ADDRESS, &number, sizeof(number)) };

	if (at < 0)
		return;
	nsid_of(m.nsid, &w->root.pub);
	m.ballot = (struct ballot){ cf->era, cf->epoch, 1 + dice / 61 % 6, (uint8_t)at };
	for (size_t i = 0; i < cf->count; i++)
		if (i != (size_t)at)
			ow_net_send(p, &cf->members[i].node, REGS_SERVICE_REGISTER, msg,
				    regmsg_write(msg, sizeof(msg), &m));
}

static void mistakes(struct ow_process *p)
{
	for (size_t i = 0; p->w->rules.promises && i < 3; i++)
		mistake(p);
}

static void step(struct ow_process *p)
{
	struct ow_world *w = p->w;

	address(p);
	if (ow_draw(w, 1000) < w->rules.names)
		name(p);
	if (ow_draw(w, 1000) < w->rules.reads)
		read_one(p);
	ow_push(w, w->now + SEC(1) + ow_draw(w, w->rules.hold), OW_STEP, p);
}

void ow_step(struct ow_process *p)
{
	struct ow_world *w = p->w;

	if (p->start_counter && !p->last_op)
		start_register(p);
	mistakes(p);
	if (w->rules.eager && p->person == w->rules.eager)
		eager(p);
	else if (!w->rules.eager || p->person == w->rules.holder)
		step(p);
	p->leases_touched = true;
	ow_settle(p);
}

/* --- frames --- */

void ow_chat(struct ow_process *p)
{
	struct ow_world *w = p->w;
	struct lease_info i;
	size_t to = ow_draw(w, w->rules.people);

	if (holds(p, REG_ADDRESS, &i) && i.grant)
		ow_net_send(p, &w->person[to].pub, OW_SERVICE_FRAME, i.grant, i.grant_len);
	mistakes(p);
	ow_push(w, w->now + MSEC(500) + ow_draw(w, w->rules.chat), OW_CHAT, p);
}

void ow_frame(struct ow_process *p, const struct ow_packet *k)
{
	const struct pubkey *from = &p->w->person[p->w->process[k->from].person].pub;
	struct grant g;
	struct ip ip = { 0 };
	bool good;

	if (!grant_read(&g, k->bytes, k->len) || g.name.kind != REG_ADDRESS)
		return;
	ip.len = g.name.len;
	memcpy(ip.b, g.name.b, g.name.len);
	good = regs_check(p->regs, &g, k->bytes, k->len, ow_now(p)) && g.state == REG_HELD &&
	       key_equal(&g.owner, from) &&
	       fence_judge(&p->fence, &ip, from, g.generation) == FENCE_PASS;
	audit_frame(&p->audit, good, &g.name, g.generation, from, ow_now(p));
}

/* --- membership --- */

void ow_revoke(struct ow_world *w, size_t person)
{
	struct reg_op req = { .verb = OP_MEMBER_REVOKE };

	req.name = reg_name_key(REG_MEMBER, w->person[person].pub.b, KEY_LEN);
	if (w->process[0].state != OW_RUNS)
		return;
	ow_liar_put_out(w, person);
	ow_submit(&w->process[0], &req, &w->root);
	ow_settle(&w->process[0]);
}

/* Two strangers with one token for one, at different keepers where there are several. */
void ow_strangers(struct ow_world *w)
{
	for (size_t i = w->size.members; i < w->size.persons; i++) {
		struct ow_process *p = &w->process[i];

		if (p->state != OW_DEAD || w->process[0].state != OW_RUNS)
			return;
		ow_start(p);
		ow_enrol(p, regs_keepers(w->process[0].regs), w->single_seed);
	}
}

/* Who was put out, and keepers know it, tries to come back by the token that still admits others. */
void ow_come_back(struct ow_world *w, size_t person)
{
	struct ow_process *first = &w->process[0], *p = ow_running(w, person);

	if (first->state != OW_RUNS || !p || !regs_is_revoked(first->regs, &w->person[person].pub))
		return;
	w->revoked |= (uint16_t)(1u << person);
	regs_enrol(p->regs, ++p->last_op, w->token_seed[person / OW_TOKEN_USES], "again", ow_now(p));
	ow_settle(p);
}

static void admitted(struct ow_process *p)
{
	struct ow_world *w = p->w;

	if (w->audit->only_fence)
		return;
	if (p->person >= w->size.members && ++w->admitted > 1)
		ow_wrong(w, "a token for one admitted two");
	if (w->revoked >> p->person & 1)
		ow_wrong(w, "a member that was put out was let in again");
}

/* Where one keeper may lead all others: it must at least be known afterwards. */
static void disputed(struct ow_process *p, const struct regs_event *e)
{
	if (e->type != REGS_DISPUTED)
		return;
	p->w->disputes++;
	if (!regs_evidence_count(p->regs))
		ow_wrong(p->w, "two owners were shown for one generation, and no evidence kept");
}

void ow_answered(struct ow_process *p, const struct ow_waits *q, const struct regs_event *e)
{
	struct ow_world *w = p->w;

	if (!w->begin && e->len) /* ow_make asked */
		w->answer_len = e->len;
	if (q && q->verb == OP_START && e->status == REG_SUPERSEDED)
		p->superseded = true;
	if (e->type == REGS_ENROLLED)
		log_debug(&p->log, "enrolment: %s", reg_status_text(e->status));
	if (e->type == REGS_ENROLLED && e->status == REG_OK)
		admitted(p);
	if (w->audit->only_fence)
		disputed(p, e);
	else if (e->type == REGS_DISPUTED)
		ow_wrong(w, "two owners were shown for one generation");
	else if (e->type == REGS_FORKED)
		ow_wrong(w, "two successors of one keeper set were proven");
}
