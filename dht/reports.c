/* reports.c - what each source of a change of keepers shows of each register; see keeper_settle.c.
 *
 * Sources that show the same share one report, so that among honest ones every value is here once; it
 * goes when its register is settled. A source has one report of a register at a time, and what is
 * kept for it ends at REPORTS_SOURCE_MAX bytes: b liars can have 1 + b times that kept, no more. */
#include "dht/reports.h"

#include <stdlib.h>

#include "base/mem.h"
#include "dht/regs.h"

#define USEC_A_SECOND 1000000

struct reports *reports_new(const uint8_t seed[16])
{
	struct reports *r = mem_new(sizeof(*r));

	map_init(&r->regs, offsetof(struct reports_of, name), sizeof(struct reg_name),
		 (size_t)COPY_SOURCES_MAX * REGS_REGISTERS_MAX, seed);
	return r;
}

static void values_free(struct reports_of *o)
{
	struct report *next;

	for (struct report *p = o->first; p; p = next) {
		next = p->next;
		free(p);
	}
	o->first = NULL;
}

void reports_free(struct reports *r)
{
	struct reports_of *o;
	size_t at = 0;

	if (!r)
		return;
	while ((o = map_next(&r->regs, &at))) {
		map_take_at(&r->regs, &at);
		values_free(o);
		free(o);
	}
	map_fini(&r->regs);
	free(r);
}

void reports_settled(struct reports_of *o)
{
	values_free(o);
	o->settled = true;
}

bool report_same_value(const struct report *a, const struct report *b)
{
	return a->len == b->len && memcmp(a->value, b->value, a->len) == 0;
}

static size_t cost(size_t len) { return sizeof(struct reports_of) + sizeof(struct report) + len; }

/* A report that nobody shows any more goes. */
static void withdraw(struct reports *r, struct reports_of *o, uint16_t slots)
{
	struct report **at = &o->first;

	while (*at) {
		struct report *p = *at;

		for (uint8_t i = 0; i < COPY_SOURCES_MAX; i++)
			if (p->sources & slots & 1u << i)
				r->kept[i] -= cost(p->len);
		p->sources &= (uint16_t)~slots;
		if (p->sources) {
			at = &p->next;
			continue;
		}
		*at = p->next;
		free(p);
	}
}

void reports_keep(struct reports *r, uint16_t slots)
{
	struct reports_of *o;
	size_t at = 0;

	while ((o = map_next(&r->regs, &at))) {
		withdraw(r, o, (uint16_t)~slots);
		if (o->first || o->settled)
			continue;
		map_take_at(&r->regs, &at);
		free(o);
	}
}

static bool is_report(const struct report *p, const struct acceptor_entry *e)
{
	return ballot_compare(&p->accepted, &e->accepted) == 0 && p->beacon == e->beacon &&
	       p->len == rd_left(&e->value) && memcmp(p->value, e->value.p, p->len) == 0;
}

static struct report *report_of(struct reports_of *o, const struct acceptor_entry *e)
{
	struct report **at = &o->first, *p;

	while (*at && ballot_compare(&(*at)->accepted, &e->accepted) >= 0) {
		if (is_report(*at, e))
			return *at;
		at = &(*at)->next;
	}
	p = mem_new(sizeof(*p) + rd_left(&e->value));
	p->accepted = e->accepted;
	p->beacon = e->beacon;
	p->len = rd_left(&e->value);
	memcpy(p->value, e->value.p, p->len);
	p->next = *at;
	*at = p;
	return p;
}

static struct reports_of *reports_make(struct reports *r, const struct reg_name *name)
{
	struct reports_of *o = map_get(&r->regs, name);

	if (o)
		return o;
	o = mem_new(sizeof(*o));
	o->name = *name;
	if (map_put(&r->regs, o) == 0)
		return o;
	free(o);
	return NULL;
}

static bool entry_take(struct reports *r, uint8_t slot, const struct acceptor_entry *e, usec_t now)
{
	usec_t age = e->age < now / USEC_A_SECOND ? e->age * USEC_A_SECOND : now;
	struct reports_of *o = map_get(&r->regs, &e->name);
	size_t more = cost(rd_left(&e->value));
	struct report *p;

	if (o && o->settled)
		return true;
	if (o)
		withdraw(r, o, (uint16_t)(1u << slot));
	if (r->kept[slot] + more > REPORTS_SOURCE_MAX || !(o = reports_make(r, &e->name)))
		return false;
	p = report_of(o, e);
	r->kept[slot] += more;
	p->sources |= (uint16_t)(1u << slot);
	p->since = now - age > p->since ? now - age : p->since;
	return true;
}

bool reports_take(struct reports *r, uint8_t slot, struct rd *entries, usec_t now)
{
	struct acceptor_entry e;

	if (!acceptor_entries_read(*entries))
		return false;
	while (rd_left(entries) && rd_acceptor_entry(entries, &e))
		if (!entry_take(r, slot, &e, now))
			return false;
	return true;
}
