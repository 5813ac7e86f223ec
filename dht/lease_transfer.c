/* lease_transfer.c - an address or name goes from its owner to an heir. docs/protocol.md 8.12.
 *
 * Outgoing: use ends, the signed operation becomes durable, then it goes to the heir again and
 * again until the heir says what became of it. HANDED with a grant ends it: the lease is gone. A
 * refusal, or the deadline, turns it `over`: then only a renewal with a higher number, which voids
 * the operation wherever it still is, gives the address back; if the heir got it before, that
 * renewal is refused and the lease is gone too. After a restart all goes on as it was on disk.
 *
 * Incoming: a lease without a grant, made durable before the first submission; its life counts from
 * that. When its end is unknown (a crash, or nobody answered in time) it is renewed, never claimed:
 * ours already, or nothing. */
#include "dht/lease_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/mutant.h"

#define SEND_FIRST MSEC(300) /* doubling, between repetitions to the heir */
#define SEND_DOUBLINGS 5

bool lease_is_outgoing(const struct lease *e) { return e->transfer && !e->transfer->incoming; }

bool lease_is_incoming(const struct lease *e) { return e->transfer && e->transfer->incoming; }

void lease_transfer_drop(struct lease *e)
{
	free(e->transfer);
	e->transfer = NULL;
}

static struct transfer *transfer_new(struct lease *e, const uint8_t *op, size_t len)
{
	struct transfer *t = mem_new(sizeof(*t) + len);

	t->len = len;
	memcpy(t->op, op, len);
	lease_transfer_drop(e);
	e->transfer = t;
	return t;
}

/* 0 = the deadline is over. */
static usec_t time_left(const struct lease *e, usec_t now)
{
	uint64_t wall = wall_seconds(e->of->cfg.wall, now);

	return wall > e->transfer->deadline ? 0 : SEC(e->transfer->deadline + 1 - wall);
}

static bool is_late(const struct lease *e, usec_t now) { return time_left(e, now) == 0; }

static void tell_peer(const struct leases *l, const struct pubkey *to, const struct handover *h)
{
	l->env.hand(l->env.ctx, to, h);
}

/* --- outgoing --- */

int leases_transfer(struct leases *l, const struct reg_name *name, const struct pubkey *heir,
		    uint32_t seconds, usec_t now)
{
	struct lease *e = lease_find(l, name);
	struct reg_op req = { .name = *name, .verb = OP_TRANSFER, .lease = l->cfg.lease,
			      .heir = *heir };
	uint8_t op[REG_OP_MAX];
	struct transfer *t;
	int len;

	if (!e || !lease_holding(e) || !e->grant || e->transfer)
		return -ENOENT;
	if (key_equal(heir, &l->cfg.self) || seconds == 0 || seconds > TRANSFER_SECONDS_MAX)
		return -EINVAL;
	req.generation = e->generation;
	req.deadline = wall_seconds(l->cfg.wall, now) + seconds;
	len = l->env.sign(l->env.ctx, &req, op, now);
	if (len < 0)
		return len;
	assert(len <= TRANSFER_OP_MAX);
	t = transfer_new(e, op, (size_t)len);
	t->peer = *heir;
	t->number = req.number;
	t->deadline = req.deadline;
	lease_tell(e, LEASE_GONE, REG_OK, heir);
	e->state = LEASE_HANDING;
	e->tries = 0;
	lease_begin(e, OP_TRANSFER, now);
	lease_retell(l, now);
	return 0;
}

static void give_up(struct lease *e, usec_t now)
{
	e->transfer->over = true;
	e->tries = 0;
	lease_begin(e, OP_RENEW, now);
}

int leases_take_back(struct leases *l, const struct reg_name *name, usec_t now)
{
	struct lease *e = lease_find(l, name);

	if (!e || !lease_is_outgoing(e))
		return -ENOENT;
	if (!e->transfer->over)
		give_up(e, now);
	return 0;
}

/* For tests of the tests: what the one state here that is not used prevents. */
static void resume_early(struct lease *e, usec_t now)
{
	lease_transfer_drop(e);
	e->state = LEASE_HELD;
	lease_idle(e, e->end);
	lease_tell(e, LEASE_GAINED, REG_OK, NULL);
	(void)now;
}

void lease_transfer_send(struct lease *e, usec_t now)
{
	struct transfer *t = e->transfer;
	struct handover h = { .number = t->number, .bytes = t->op, .len = t->len };
	unsigned doublings = t->tries < SEND_DOUBLINGS ? t->tries : SEND_DOUBLINGS;
	usec_t next = (SEND_FIRST << doublings) + lease_random(e->of, SEND_FIRST / 2);

	t->tries++;
	tell_peer(e->of, &t->peer, &h);
	if (MUTANT(TRANSFER_RESUMES))
		resume_early(e, now);
	else
		lease_idle(e, now + usec_min(next, time_left(e, now)));
}

bool lease_transfer_step(struct lease *e, usec_t now)
{
	if (!lease_is_outgoing(e) || e->releasing)
		return false;
	if (e->transfer->over || is_late(e, now))
		give_up(e, now);
	else
		lease_transfer_send(e, now);
	return true;
}

static void tell_handed(struct lease *e, const struct pubkey *holder)
{
	lease_tell(e, LEASE_HANDED, REG_OK, holder);
	if (lease_is_asked_for(e))
		e->of->want[e->role].ask.len = 0;
}

static void want_another(struct leases *l, enum lease_role role, usec_t now)
{
	if (role >= WANTS)
		return;
	l->want[role].tried = 0;
	lease_want_fire(&l->want[role].timer, now);
}

/* Somebody else's by now, whoever says so. */
void lease_transfer_is_over(struct lease *e, const struct pubkey *holder, usec_t now)
{
	struct leases *l = e->of;
	enum lease_role role = e->role;

	tell_handed(e, holder);
	lease_drop(e, now);
	want_another(l, role, now);
}

/* The last era's keepers may have given it to the heir, who uses it; this era's know what was shown. */
bool lease_transfer_is_doubtful(const struct lease *e, const struct grant *g)
{
	return lease_is_outgoing(e) && !e->transfer->refused &&
	       g->generation >> 32 > e->generation >> 32;
}

void lease_transfer_give_back(struct lease *e, usec_t now)
{
	struct pubkey heir = e->transfer->peer;
	struct leases *l = e->of;
	enum lease_role role = e->role;

	tell_handed(e, &heir);
	lease_give_back(e, now);
	want_another(l, role, now);
}

/* What it shows was verified as the heir's; is it of this address, and of the transfer? */
static bool shows(const struct lease *e, const struct handover *h)
{
	struct grant g;

	return grant_read(&g, h->bytes, h->len) && reg_name_equal(&g.name, &e->name) &&
	       g.generation > e->generation;
}

static void on_handed(struct leases *l, const struct handover *h, usec_t now)
{
	for (size_t i = 0; i < l->count; i++) {
		struct lease *e = l->slot[i];

		if (!lease_is_outgoing(e) || e->transfer->over || e->releasing ||
		    e->transfer->number != h->number || !key_equal(&e->transfer->peer, &h->peer))
			continue;
		if (h->status == REG_OK && shows(e, h)) {
			lease_transfer_is_over(e, &h->peer, now);
		} else if (h->status != REG_OK) {
			lease_tell(e, LEASE_FAILED, h->status, &h->peer);
			e->transfer->refused = true;
			give_up(e, now);
		}
		return;
	}
}

/* --- incoming --- */

static void answer(const struct leases *l, const struct handover *h, enum reg_status status,
		   const struct lease *e)
{
	struct handover a = { .number = h->number, .done = true, .status = status };

	if (status == REG_OK) {
		a.bytes = e->grant;
		a.len = e->grant_len;
	}
	tell_peer(l, &h->peer, &a);
}

static bool is_for_us(const struct leases *l, const struct handover *h, const struct reg_op *op)
{
	return op->verb == OP_TRANSFER && key_equal(&op->heir, &l->cfg.self) &&
	       key_equal(&op->signer, &h->peer) && op->number == h->number &&
	       memcmp(op->nsid, l->cfg.nsid, NSID_LEN) == 0;
}

static void take(struct leases *l, const struct handover *h, const struct reg_op *op, usec_t now)
{
	enum lease_role role = op->name.kind == REG_ADDRESS ? ROLE_MORE_ADDRESSES : ROLE_MORE_NAMES;
	struct lease *e = lease_add(l, &op->name, role);
	struct transfer *t;

	if (!e) {
		answer(l, h, REG_FULL, NULL);
		return;
	}
	t = transfer_new(e, h->bytes, h->len);
	t->incoming = true;
	t->peer = h->peer;
	t->number = op->number;
	t->deadline = op->deadline;
	e->generation = op->generation + 1;
	e->taken = true;
	lease_begin(e, OP_TRANSFER, now);
}

static void on_handover(struct leases *l, const struct handover *h, usec_t now)
{
	struct lease *e;
	struct reg_op op;

	if (h->len > TRANSFER_OP_MAX || !reg_op_read(&op, h->bytes, h->len) ||
	    !is_for_us(l, h, &op))
		return; /* nobody honest sends that */
	e = lease_find(l, &op.name);
	if (e && e->grant && !e->releasing && e->generation > op.generation)
		answer(l, h, REG_OK, e); /* the answer before was lost */
	else if (e)
		return; /* under way here: the owner asks again */
	else if (wall_seconds(l->cfg.wall, now) > op.deadline)
		answer(l, h, REG_EXPIRED, NULL);
	else
		take(l, h, &op, now);
}

void leases_handover(struct leases *l, const struct handover *h, usec_t now)
{
	if (h->done)
		on_handed(l, h, now);
	else
		on_handover(l, h, now);
}

int lease_transfer_submit(struct lease *e, usec_t now)
{
	const struct leases *l = e->of;
	struct transfer *t = e->transfer;

	if (!t->sent)
		t->sent = now;
	e->sent = t->sent; /* the same operation: repeating it prolongs nothing */
	e->payload_len = 0;
	return l->env.submit_signed(l->env.ctx, e->op, t->op, t->len, now);
}

static struct handover who_asked(const struct lease *e)
{
	return (struct handover){ .peer = e->transfer->peer, .number = e->transfer->number };
}

/* e->grant says that it is ours. */
void lease_transfer_taken(struct lease *e)
{
	struct handover h;

	e->taken = false;
	if (!e->transfer)
		return;
	h = who_asked(e);
	if (e->transfer->incoming)
		answer(e->of, &h, REG_OK, e);
	lease_transfer_drop(e);
}

void lease_transfer_unsure(struct lease *e)
{
	lease_transfer_drop(e);
	e->state = LEASE_RENEW_FIRST;
}

static bool may_pass(enum reg_status s)
{
	return s == REG_NO_QUORUM || s == REG_BUSY || s == REG_OTHER_EPOCH || s == REG_OK;
}

void lease_transfer_refused(struct lease *e, enum reg_status status, usec_t now)
{
	struct handover h = who_asked(e);

	if (!may_pass(status)) {
		answer(e->of, &h, status, NULL);
		lease_drop(e, now);
		return;
	}
	if (is_late(e, now)) /* did it get through? */
		lease_transfer_unsure(e);
	e->tries++;
	lease_idle(e, now + lease_back_off(e));
}
