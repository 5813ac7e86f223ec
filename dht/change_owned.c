/* change_owned.c - registers with one owner who signs: addresses, names, start counters.
 * docs/protocol.md 8.8; rules R5, R6, R9 and the transfer rule. */
#include "dht/change.h"

#include "dht/pool.h"

static bool is_mine(const struct turn *t) { return key_equal(&t->old->owner, &t->c->op->signer); }

static uint32_t lease_for(const struct turn *t)
{
	uint32_t asked = t->c->op->lease, max = t->w->lease_max;

	if (asked == 0 || asked > max)
		return max;
	return asked < LEASE_SECONDS_MIN ? LEASE_SECONDS_MIN : asked;
}

/* Held by `owner` from now on, with what the operation carries. */
static void hold(struct turn *t, const struct pubkey *owner, uint64_t generation, uint64_t number)
{
	t->r->status = REG_OK;
	t->r->holder = *owner;
	t->r->value = (struct reg_value){
		.state = REG_HELD,
		.generation = generation,
		.owner = *owner,
		.number = number,
		.lease = lease_for(t),
		.payload = t->c->op->payload,
		.payload_len = t->c->op->payload_len,
		.proof = t->c->proof,
		.proof_len = t->c->proof_len,
	};
}

/* Registered again in a new era, it is still the ownership that its owner means (8.10). */
static bool is_this_ownership(const struct turn *t)
{
	uint64_t meant = t->c->op->generation, is = t->old->generation;

	return meant == is || (meant && meant >> 32 < is >> 32 && (uint32_t)meant == (uint32_t)is);
}

/* Number 0: fresh from a transfer, the heir has done nothing here yet. What it asked for when it was
 * the owner before may still be on its way, and no number keeps that out: such operations must name
 * this generation, until the lease is surely over. */
static bool generation_fits(struct turn *t)
{
	const struct reg_value *old = t->old;
	bool fresh = old->number == 0 && t->age < change_lease_wait(old->lease);

	if (is_this_ownership(t) || (t->c->op->generation == 0 && !fresh))
		return true;
	turn_status(t, REG_OLD);
	return false;
}

static void take(struct turn *t, const struct pubkey *owner, uint64_t number)
{
	enum reg_status room = t->w->room(t->w->ctx, owner, &t->c->name);

	if (room != REG_OK)
		turn_status(t, room);
	else
		hold(t, owner, turn_next_generation(t), number);
}

/* Does the signer mean an ownership of an earlier era, after the one that was shown here? */
static bool means_later(const struct turn *t)
{
	uint64_t meant = t->c->op->generation, is = t->old->generation;

	return meant >> 32 < is >> 32 && (uint32_t)meant > (uint32_t)is;
}

/* A value that was left over from an earlier era may have had successors of which this keeper knows
 * nothing: until grants have been shown it is as good as none. So is one that was shown, to who owned
 * it later. */
static bool is_to_be_shown(const struct turn *t)
{
	const struct change_world *w = t->w;

	return w->settings && pool_is_settling(w->settings, w->era, w->wall) &&
	       (!t->old || t->old->generation >> 32 < w->era || means_later(t));
}

/* What nobody holds here may have an owner of the last era, or be the next era's to give. */
static bool may_be_claimed(struct turn *t)
{
	const struct change_world *w = t->w;
	enum reg_status status =
		w->settings ? pool_claim(w->settings, w->era, w->wall, &t->c->name) : REG_OK;

	t->r->status = status;
	return status == REG_OK;
}

/* Free: put. Mine: a renewal. Another's: only once its lease is surely over for the owner too. */
void change_claim(struct turn *t)
{
	const struct reg_op *op = t->c->op;

	if (t->old && is_mine(t)) {
		if (!turn_is_newer(t) || !generation_fits(t))
			return;
		if (t->old->state == REG_HELD && !is_to_be_shown(t)) {
			hold(t, &op->signer, t->old->generation, op->number);
			return;
		}
	} else if (t->old && t->old->state == REG_HELD &&
		   t->age < change_lease_wait(t->old->lease)) {
		turn_status(t, REG_OWNED);
		return;
	}
	if (may_be_claimed(t))
		take(t, &op->signer, op->number);
}

/* Held by the signer; false = status set. */
static bool holds(struct turn *t)
{
	if (is_to_be_shown(t))
		turn_status(t, REG_BUSY);
	else if (!t->old || (t->old->state == REG_RELEASED && !is_mine(t)))
		turn_status(t, REG_UNKNOWN);
	else if (!is_mine(t))
		turn_status(t, REG_OWNED);
	else if (turn_is_newer(t) && generation_fits(t)) {
		if (t->old->state == REG_HELD)
			return true;
		turn_status(t, REG_UNKNOWN);
	}
	return false;
}

void change_renew(struct turn *t)
{
	if (holds(t))
		hold(t, &t->c->op->signer, t->old->generation, t->c->op->number);
}

/* A tombstone: the last owner's number stays, so that a late claim cannot undo the release. */
void change_release(struct turn *t)
{
	if (!holds(t))
		return;
	hold(t, &t->c->op->signer, t->old->generation, t->c->op->number);
	t->r->value.state = REG_RELEASED;
	t->r->value.payload_len = 0;
	t->r->holder = (struct pubkey){ { 0 } };
}

/* Whatever the lease's age, but at exactly the generation that the owner signed. The heir's own
 * numbers start anew: generations keep old operations out (generation_fits). */
void change_transfer(struct turn *t)
{
	const struct reg_op *op = t->c->op;

	if (!holds(t))
		return;
	if (op->generation == 0)
		turn_status(t, REG_OLD);
	else if (op->deadline == 0)
		turn_status(t, REG_EXPIRED);
	else
		take(t, &op->heir, 0);
}

/* Of two copies of one identity the newer lives: the counter decides, at a tie the first. */
void change_start(struct turn *t)
{
	struct start_payload new, old;
	bool had = t->old && start_payload_read(&old, t->old->payload, t->old->payload_len);

	if (!start_payload_read(&new, t->c->op->payload, t->c->op->payload_len)) {
		turn_status(t, REG_MALFORMED);
	} else if (had && new.counter == old.counter &&
		   memcmp(new.nonce, old.nonce, sizeof(new.nonce)) == 0) {
		turn_same(t);
	} else if (had && new.counter <= old.counter) {
		turn_status(t, REG_SUPERSEDED);
	} else {
		hold(t, &t->c->op->signer, turn_next_generation(t), t->c->op->number);
		t->r->value.lease = 0;
	}
}

void change_read(struct turn *t)
{
	if (t->old)
		turn_same(t);
	else
		turn_status(t, REG_UNKNOWN);
}
