/* sim_own_liar.c - a keeper of a hardened set that lies, for whole schedules.
 *
 * One of the keepers runs the product like everybody, but what leaves its process passes here, and
 * what it hears is heard here first. The liar knows its own keys and those of two accomplices,
 * members whose processes do not run; what others sign it can only collect. From a generator of its
 * own it draws which words it alters and how (_words.c), what it proposes by itself, to whom
 * (_plot.c), what it says again that it has said long ago, and when it says nothing. Its
 * tastes differ from schedule to schedule; its words are counted, so that a schedule ends.
 *
 * Nothing is promised but that nobody owns what another owns; the checkers of the world say whether
 * that is so, and the book (_book.c) whether two values were granted that exclude each other.
 * Where it lies, answers may be of yesterday (struct sim_audit, lied_to), and who asks may wait.
 *
 * crypto_quick signs with the public key, so that the liar's keys need no way out of its process. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cmd/sim_own_liar_impl.h"
#include "dht/bundle.h"

#define EVERY_MAX SEC(3) /* between two of its deeds */
#define PEOPLE 8	 /* at most; the others are its accomplices */

uint64_t liar_draw(struct ow_liar *l, uint64_t below)
{
	return below ? sim_rng_next(&l->rng) % below : 0;
}

bool liar_lot(struct ow_liar *l, uint32_t in_1000) { return liar_draw(l, 1000) < in_1000; }

bool liar_lies(struct ow_liar *l, enum liar_kind kind)
{
	if (!l->words || liar_draw(l, 8) >= l->taste[kind])
		return false;
	l->words--;
	l->told[kind]++;
	return true;
}

struct ow_process *liar_process(struct ow_liar *l)
{
	struct ow_process *p = &l->w->process[l->person];

	return p->state == OW_RUNS ? p : NULL;
}

const struct config *liar_config(struct ow_liar *l, int *self)
{
	struct ow_process *p = &l->w->process[l->person];
	const struct config *cf = p->regs ? regs_keepers(p->regs) : NULL;

	*self = cf ? config_member(cf, &l->w->person[l->person].pub) : -1;
	return *self < 0 ? NULL : cf;
}

uint64_t liar_wall(struct ow_liar *l)
{
	const struct ow_process *p = &l->w->process[l->person];

	return wall_seconds(&p->wall, ow_now(p));
}

/* --- what it says --- */

static void keep_said(struct ow_liar *l, size_t person, uint8_t service, struct rd msg)
{
	struct liar_said *s = &l->said[l->saids++ % LIAR_SAID];

	ow_free(&l->w->pool, s->bytes);
	s->person = (uint16_t)person;
	s->service = service;
	s->len = (uint32_t)rd_left(&msg);
	s->bytes = ow_alloc(&l->w->pool, s->len);
	memcpy(s->bytes, msg.p, s->len);
}

static void put(struct ow_liar *l, size_t person, uint8_t service, struct rd msg)
{
	if (person < l->w->size.persons && person != l->person)
		ow_net_say(&l->w->process[l->person], person, service, msg);
}

void liar_send(struct ow_liar *l, const struct pubkey *to, const struct regmsg *m)
{
	struct regmsg copy = *m;
	size_t len;

	nsid_of(copy.nsid, &l->w->root.pub);
	len = regmsg_write(l->out, sizeof(l->out), &copy);
	if (len)
		put(l, ow_person_of(l->w, to), REGS_SERVICE_REGISTER, rd_of(l->out, len));
}

static void say_part(struct ow_liar *l, size_t person, const uint8_t *part, size_t len)
{
	struct regmsg m;

	if (!regmsg_read(&m, part, len) || !liar_lot(l, 500)) {
		put(l, person, REGS_SERVICE_REGISTER, rd_of(part, len));
	} else if (liar_twist(l, &m)) {
		if (m.type == REGMSG_ACCEPT)
			liar_offered(l, &m);
		liar_send(l, &l->w->person[person].pub, &m);
	}
}

static bool say_member(struct ow_liar *l, size_t person, const uint8_t *msg, size_t len)
{
	size_t n = liar_twist_member(l, msg, len);

	if (n)
		put(l, person, REGS_SERVICE_MEMBER, rd_of(l->out, n));
	return n > 0;
}

bool ow_liar_is(const struct ow_process *p)
{
	const struct ow_liar *l = p->w->liar;

	for (size_t i = 0; l && i < l->count; i++)
		if (p->index == l->persons[i])
			return true;
	return false;
}

/* True: it was said, or not said, in its own way. */
bool ow_liar_says(struct ow_process *p, size_t person, uint8_t service, struct rd msg)
{
	struct ow_liar *l = p->w->liar;
	const uint8_t *part;
	uint8_t nsid[NSID_LEN];
	struct bundle b;
	size_t len;

	if (!ow_liar_is(p))
		return false;
	l->person = (uint8_t)p->index;
	if (p->w->now < l->silent_until)
		return true;
	if (service != OW_SERVICE_FRAME && liar_lot(l, 250))
		keep_said(l, person, service, msg);
	if (!l->words || !liar_lot(l, l->alters))
		return false;
	if (service == REGS_SERVICE_MEMBER)
		return say_member(l, person, msg.p, rd_left(&msg));
	if (service != REGS_SERVICE_REGISTER)
		return false;
	nsid_of(nsid, &p->w->root.pub);
	if (!bundle_open(&b, msg.p, rd_left(&msg), nsid)) {
		say_part(l, person, msg.p, rd_left(&msg));
		return true;
	}
	while (bundle_next(&b, &part, &len))
		say_part(l, person, part, len);
	return true;
}

/* --- what it does by itself --- */

static void replay(struct ow_liar *l)
{
	size_t n = l->saids < LIAR_SAID ? l->saids : LIAR_SAID;
	struct liar_said *s = n ? &l->said[liar_draw(l, n)] : NULL;
	size_t to;

	if (!s)
		return;
	to = liar_lot(l, 700) ? s->person : liar_draw(l, l->w->rules.people);
	put(l, to, s->service, rd_of(s->bytes, s->len));
}

static void plan_a_set(struct ow_liar *l)
{
	struct regmsg m = { .type = REGMSG_STAND, .request = l->next_request++ };
	int self;
	const struct config *cf = liar_config(l, &self);
	size_t first = liar_draw(l, l->w->size.members);

	if (!cf)
		return;
	m.at = (struct epoch_at){ cf->era, cf->epoch };
	m.planned_count = (uint8_t)(1 + liar_draw(l, KEEPERS_MAX));
	for (size_t i = 0; i < m.planned_count; i++)
		m.planned[i] = l->w->person[(first + i) % l->w->size.members].pub;
	for (size_t i = 0; i < l->w->rules.people; i++)
		liar_send(l, &l->w->person[i].pub, &m);
}

static void fall_silent(struct ow_liar *l)
{
	l->silent_until = l->w->now + MSEC(200) + liar_draw(l, liar_lot(l, 100) ? SEC(60) : SEC(6));
}

static const struct {
	enum liar_kind kind;
	uint8_t share;
	void (*act)(struct ow_liar *l);
} deeds[] = {
	{ LIE_PROPOSAL, 14, liar_propose },	      { LIE_REPLAY, 4, replay },
	{ LIE_SUCCESSOR, 2, liar_propose_successor }, { LIE_STANDING, 1, plan_a_set },
	{ LIE_SILENCE, 1, fall_silent },	      { LIE_FRIEND, 3, liar_friend_acts },
};

/* One deed, and when the next comes. */
void ow_liar_acts(struct ow_world *w)
{
	struct ow_liar *l = w->liar;
	uint64_t sum = 0, at;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(deeds) / sizeof(*deeds); k++)
		sum += deeds[k].share;
	for (at = liar_draw(l, sum); at >= deeds[i].share; i++)
		at -= deeds[i].share;
	l->person = l->persons[liar_draw(l, l->count)];
	if (liar_process(l) && liar_lies(l, deeds[i].kind))
		deeds[i].act(l);
	if (l->words)
		sim_heap_push(&w->heap, w->now + MSEC(20) + liar_draw(l, l->every), OW_PLANNED,
			      l->slot);
}

/* --- a schedule --- */

static void names_of_people(struct ow_liar *l)
{
	struct ow_world *w = l->w;

	for (uint32_t i = 0; i < 5; i++) {
		struct ip ip = ip_v4((10u << 24 | 7u << 16 | 2) + i);
		struct reg_name name = reg_name_address(&ip);

		liar_name(l, &name);
	}
	liar_name(l, &w->hot_name);
	for (size_t i = 0; i < w->size.persons; i++) {
		struct reg_name name = reg_name_key(REG_MEMBER, w->person[i].pub.b, KEY_LEN);

		liar_name(l, &name);
	}
}

static void forget(struct ow_liar *l)
{
	for (size_t i = 0; i < LIAR_SAID; i++) {
		ow_free(&l->w->pool, l->said[i].bytes);
		l->said[i].bytes = NULL;
	}
	memset(l->op, 0, sizeof(l->op));
	memset(l->round, 0, sizeof(l->round));
	l->values = l->ops = l->saids = l->grants = l->rounds = l->names = l->deeds = 0;
	l->booked = l->entries = 0;
	l->asked_out = 0;
	l->silent_until = 0;
}

static void tastes(struct ow_liar *l)
{
	static const uint32_t alters[] = { 0, 20, 100, 300, 700 };
	static const uint32_t at_once[] = { 0, 20, 150, 500 };

	l->alters = alters[liar_draw(l, 5)];
	l->at_once = at_once[liar_draw(l, 4)];
	l->every = MSEC(50) + liar_draw(l, EVERY_MAX);
	l->words = (uint32_t)(50 + liar_draw(l, LIAR_WORDS));
	for (size_t i = 0; i < LIE_KINDS; i++)
		l->taste[i] = (uint8_t)(liar_draw(l, 4) ? liar_draw(l, 9) : 0);
}

/* Its rules of a schedule: sets of five, and accomplices that nobody else is. */
void ow_liar_begin(struct ow_world *w)
{
	struct ow_liar *l = w->liar;
	struct ow_rules *r = &w->rules;

	if (!l) {
		l = w->liar = mem_new(sizeof(*l));
		l->w = w;
	}
	forget(l);
	sim_rng_seed(&l->rng, sim_mix(sim_mix(0x6c6965, w->seed), w->index));
	if (w->size.hardened && r->keepers != 1)
		r->keepers = liar_draw(l, 4) ? 5 : 7;
	if (r->people < 5)
		r->people = 5;
	if (r->people > PEOPLE || r->keepers == 7)
		r->people = PEOPLE;
	l->person = (uint8_t)(r->keepers == 1 ? 1 + liar_draw(l, 4) : liar_draw(l, r->keepers));
	l->persons[0] = l->person;
	l->persons[1] = (uint8_t)((l->person + 1 + liar_draw(l, 6)) % 7);
	l->count = r->keepers == 7 ? 2 : 1;
	for (uint8_t i = 0; i < LIAR_FRIENDS; i++)
		l->friends[i] = (uint8_t)(PEOPLE + i);
	tastes(l);
	names_of_people(l);
	l->next_request = UINT64_C(1) << 50;
	l->next_number = (uint64_t)OW_WALL << 21;
	l->schedules++;
	if (w->plan_count == OW_PLAN)
		w->plan_count--;
	l->slot = (uint8_t)w->plan_count++;
	w->plan[l->slot] = (struct ow_plan){ .fault = OW_LIE, .at = w->begin + MSEC(500) };
}

void ow_liar_put_out(struct ow_world *w, size_t person)
{
	if (w->liar)
		w->liar->asked_out |= (uint16_t)(1u << person);
}

void ow_liar_sums(const struct ow_world *w)
{
	static const char *const kinds[LIE_KINDS] = { "report",	  "vote",   "proposal", "successor",
						      "standing", "copy",   "state",	"answer",
						      "member",	  "replay", "silence",	"friend" };
	const struct ow_liar *l = w->liar;

	if (!l)
		return;
	printf("%llu with a liar; its lies:", (unsigned long long)l->schedules);
	for (size_t i = 0; i < LIE_KINDS; i++)
		printf(" %s %llu", kinds[i], (unsigned long long)l->told[i]);
	printf("; granted to it: %llu; operations served: %llu; disputes: %llu\n",
	       (unsigned long long)l->granted, (unsigned long long)w->served,
	       (unsigned long long)w->disputes);
}

void ow_liar_free(struct ow_world *w)
{
	if (w->liar)
		forget(w->liar);
	free(w->liar);
	w->liar = NULL;
}

void ow_liar_end(struct ow_world *w)
{
	if (!w->liar)
		return;
	forget(w->liar);
	w->liar->count = 0;
}
