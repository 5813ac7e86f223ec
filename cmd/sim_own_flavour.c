/* sim_own_flavour.c - what a schedule is: its rules and its faults, drawn at its beginning.
 *
 * Half of the schedules are of OW_ANY, where everything happens a little; the others look for one
 * kind of fault where it is likely. A flavour is a row: how often which fault, and what it makes of
 * the rules. */
#include <string.h>

#include "base/list.h"
#include "cmd/sim_own_impl.h"

#define APART_MAX 200 /* seconds; keepers refuse values of 600 and more ahead */

const char *const ow_flavour_names[OW_FLAVOURS] = {
	[OW_ANY] = "any",	[OW_LATE] = "late",	[OW_STILL] = "still",
	[OW_EDGE] = "edge",	[OW_COPIES] = "copies", [OW_TOKENS] = "tokens",
	[OW_DUEL] = "duel",	[OW_RESTARTS] = "restarts", [OW_CHANGES] = "changes",	[OW_QUORUMS] = "quorums",
	[OW_REINSTALL] = "reinstall",	[OW_FLOORS] = "floors",
};

static void plan(struct ow_world *w, const struct ow_plan *f)
{
	if (w->plan_count < OW_PLAN)
		w->plan[w->plan_count++] = *f;
}

/* Short ones are common, a few are long. */
usec_t ow_span_draw(struct ow_world *w)
{
	usec_t max = ow_draw(w, 3) ? SEC(20) : SEC(160);

	return MSEC(50) + ow_draw(w, max);
}

static void any(struct ow_world *w)
{
	(void)w;
}

static void late(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;

	r->people = r->keepers > 4 ? r->keepers : 4;
	r->hot = 1;
	r->hold = SEC(4);
	r->releases = 600;
	r->moves = 500;
	r->net.late = 150000;
	r->span = SEC(90);
}

static void still(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;

	r->people = (uint8_t)(r->keepers + 3);
	r->on_send = 60000;
	r->hot = 1;
	r->moves = 400;
	r->hold = SEC(8);
	r->releases = r->names = 0;
	r->span = SEC(220);
}

/* The last but one claims what the last holds when that is cut off. */
static void edge(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;
	struct ow_plan f = { .fault = OW_PARTITION, .span = SEC(200) };

	r->keepers = r->keepers > 3 ? 3 : r->keepers;
	r->people = 6;
	r->holder = 5;
	r->eager = 4;
	r->hot = 1;
	r->releases = r->names = r->transfers = r->on_send = 0;
	r->hold = SEC(2);
	r->net = (struct ow_net){ .delay = MSEC(1), .jitter = MSEC(2) };
	f.at = w->begin + SEC(20) + ow_draw(w, SEC(40));
	f.mask = 1u << r->holder;
	plan(w, &f);
	r->eager_from = f.at + SEC(25) + ow_draw(w, SEC(35));
	if (ow_draw(w, 2)) /* what an honest keeper waits for */
		r->eager_from = f.at + SEC(85) + ow_draw(w, SEC(35));
}

static void copies(struct ow_world *w)
{
	w->rules.releases = 500;
	w->rules.hold = SEC(15);
	w->rules.span = SEC(100);
	w->rules.moves = 200;
}

static void tokens(struct ow_world *w)
{
	struct ow_plan f = { .fault = OW_ENROL, .at = w->begin + SEC(1) };

	plan(w, &f);
	w->rules.span = SEC(90);
	w->rules.net.doubled = 100000;
	w->rules.people = w->rules.keepers > 5 ? w->rules.keepers : 6;
	f.fault = OW_REVOKE;
	f.at = w->begin + SEC(2) + ow_draw(w, SEC(60));
	f.who = (uint8_t)(w->rules.people - 1);
	plan(w, &f);
}

static void duel(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;

	r->keepers = ow_draw(w, 4) ? 3 : 5;
	r->people = r->keepers > 4 ? r->keepers : 4;
	r->hot = 1;
	r->hold = SEC(2);
	r->releases = 700;
	r->moves = 700;
	r->names = 0;
	r->reads = 300;
	r->net.late = 30000;
	r->net.late_max = SEC(8);
	r->span = SEC(50);
}

static void restarts(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;

	r->people = r->keepers > 5 ? r->keepers : 6;
	r->hot = 1;
	r->hold = SEC(20);
	r->moves = 500;
	r->releases = 100;
	r->span = SEC(130) + ow_draw(w, SEC(40));
}

/* One of the people's processes, from some time on, for good or (span) a while. */
static void at(struct ow_world *w, enum ow_fault fault, usec_t when, uint16_t who, usec_t span)
{
	struct ow_plan f = { .fault = (uint8_t)fault, .at = w->begin + when, .span = span };

	if (fault == OW_PARTITION || fault == OW_CHANGE_TO || fault == OW_CUT_IN_CHANGE)
		f.mask = who;
	else
		f.who = (uint8_t)who;
	plan(w, &f);
}

static void changes(struct ow_world *w)
{
	w->rules.span = SEC(50) + ow_draw(w, SEC(50));
}

#define NO_END OW_SPAN_MAX
#define FAR(a, b) (uint16_t)(1u << (a) | 1u << (b))

/* Keepers 0, 1, 2 become 0, 3, 4; 1 and 2 have sealed, and then hear nothing of how it ended, while
 * clients that hear nothing of it either go on asking them. */
static void half_changed(struct ow_world *w, usec_t t)
{
	struct ow_plan f = { .fault = OW_CUT_IN_CHANGE, .at = w->begin + t, .span = NO_END,
			     .mask = FAR(5, 6), .bridge = FAR(1, 2) };

	at(w, OW_CHANGE_TO, t, FAR(0, 3) | FAR(4, 4), 0);
	at(w, OW_GRABS, t + MSEC(500), 0, SEC(2));
	plan(w, &f);
}

/* What 0 and 1 decided without 2 must be known to 2, 3 and 4 when they take over; of the old keepers
 * they reach only 2. */
static void stale_source(struct ow_world *w, usec_t t)
{
	struct ow_plan f = { .fault = OW_CUT_IN_CHANGE, .at = w->begin + t, .span = NO_END,
			     .mask = FAR(0, 1), .news = true };

	w->rules.deaf = 2;
	at(w, OW_CHANGE_TO, t, FAR(2, 3) | FAR(4, 4), 0);
	at(w, OW_GRABS, t, 0, SEC(1));
	plan(w, &f);
}

/* ... and to 1 and 2 when 1 has lost its disk and 0 is cut off. */
static void lost_disk(struct ow_world *w, usec_t t)
{
	usec_t when = t - SEC(1) + ow_draw(w, SEC(2));
	usec_t span = MSEC(100) + ow_draw(w, SEC(2));

	at(w, OW_PARTITION, t - SEC(20), FAR(2, 2), NO_END);
	at(w, OW_DISK_LOST, when, 1, span);
	at(w, OW_PARTITION, t, FAR(0, 0), NO_END);
}

/* The same with a disk that wrote nothing for a while, before a crash. */
static void lost_writes(struct ow_world *w, usec_t t)
{
	at(w, OW_PARTITION, t - SEC(20), FAR(2, 2), NO_END);
	at(w, OW_DISK_FAILS, t - SEC(20), 1, SEC(20));
	at(w, OW_CRASH, t - MSEC(100), 1, MSEC(200));
	at(w, OW_PARTITION, t, FAR(0, 0), NO_END);
}

/* The rules of a script in which one quorum decides and then another one. */
static void two_quorums(struct ow_rules *r)
{
	r->keepers = 3;
	r->people = 7;
	r->hot = 2;
	r->hold = SEC(2);
	r->releases = r->transfers = r->on_send = 0;
	r->moves = 300;
	r->net = (struct ow_net){ .delay = MSEC(5), .jitter = MSEC(40), .loss = r->net.loss / 5 };
}

static void quorums(struct ow_world *w)
{
	static void (*const scripts[])(struct ow_world *w, usec_t t) = { half_changed, stale_source,
									lost_disk, lost_writes };
	void (*script)(struct ow_world *w, usec_t t);
	usec_t begin;

	two_quorums(&w->rules);
	script = scripts[ow_draw(w, ARRAY_LEN(scripts))];
	begin = SEC(21) + ow_draw(w, SEC(10));
	w->rules.span = begin + SEC(40);
	script(w, begin);
}

/* In the epoch of {0, 1, 3}, 0 and 1 decide while 3 is cut off. Then 1 has lost its disk, 0 is
 * cut off, and all that 1 could be installed from again is 3, which has the epoch's registers but
 * not those votes. Only if 1 stays a stranger (R12) do 1 and 3 not decide all of it once more. */
static void reinstall(struct ow_world *w)
{
	usec_t cut, lost;

	two_quorums(&w->rules);
	cut = SEC(6) + ow_draw(w, SEC(4));
	lost = cut + SEC(20) + ow_draw(w, SEC(10));
	w->rules.span = lost + SEC(40);
	at(w, OW_CHANGE_TO, SEC(1), FAR(0, 1) | FAR(3, 3), 0);
	at(w, OW_PARTITION, cut, FAR(3, 3), NO_END);
	at(w, OW_GRABS, cut + SEC(1), 0, SEC(10));
	at(w, OW_DISK_LOST, lost - MSEC(100), 1, MSEC(200));
	at(w, OW_PARTITION, lost, FAR(0, 0), NO_END);
}

/* Promises are forgotten all the time, keepers die all the time, and ACCEPTs come late. */
static void floors(struct ow_world *w)
{
	struct ow_rules *r = &w->rules;

	duel(w);
	r->net.late = 200000;
	r->net.late_max = SEC(3);
	r->on_send = 0;
	for (usec_t t = SEC(3); t < r->span && w->plan_count < OW_PLAN / 2;
	     t += MSEC(500) + ow_draw(w, SEC(3)))
		at(w, OW_CRASH, t, (uint16_t)ow_draw(w, r->keepers), MSEC(20) + ow_draw(w, MSEC(50)));
}

#define ROW_ANY \
	[OW_PARTITION] = 10, [OW_CRASH] = 8, [OW_REBOOT] = 5, [OW_CRASH_AT_WRITE] = 8, \
	[OW_DISK_FAILS] = 3, [OW_DISK_HANGS] = 2, [OW_PAUSE] = 10, [OW_SUSPEND] = 5, \
	[OW_DISK_BACK] = 3, [OW_COPY] = 2, [OW_REVOKE] = 1, [OW_ENROL] = 1, [OW_DISK_LOST] = 1, [OW_CHANGE] = 4

static const struct {
	uint8_t share; /* of schedules */
	uint8_t faults; /* at most */
	void (*adjust)(struct ow_world *w);
	uint8_t weight[OW_FAULTS];
} flavours[OW_FLAVOURS] = {
	[OW_ANY] = { 24, 12, any, { ROW_ANY } },
	[OW_LATE] = { 2, 4, late, { ROW_ANY } },
	[OW_STILL] = { 1, 6, still, { [OW_PAUSE] = 3, [OW_PARTITION] = 1 } },
	[OW_EDGE] = { 2, 0, edge, { [OW_PAUSE] = 1 } },
	[OW_COPIES] = { 2, 10, copies, { [OW_DISK_BACK] = 6, [OW_COPY] = 2, [OW_REBOOT] = 6,
					 [OW_DISK_LOST] = 1 } },
	[OW_TOKENS] = { 1, 3, tokens, { ROW_ANY } },
	[OW_DUEL] = { 3, 4, duel, { ROW_ANY } },
	[OW_RESTARTS] = { 3, 12, restarts, { [OW_CRASH] = 4, [OW_REBOOT] = 2, [OW_PARTITION] = 4,
					     [OW_CRASH_AT_WRITE] = 3, [OW_DISK_FAILS] = 3 } },
	[OW_CHANGES] = { 5, 10, changes, { [OW_CHANGE] = 30, [OW_PARTITION] = 10, [OW_CRASH] = 10,
					   [OW_DISK_LOST] = 4, [OW_REBOOT] = 4, [OW_PAUSE] = 6,
					   [OW_CRASH_AT_WRITE] = 6, [OW_DISK_FAILS] = 2 } },
	[OW_QUORUMS] = { 4, 0, quorums, { [OW_PAUSE] = 1 } },
	[OW_REINSTALL] = { 0, 0, reinstall, { [OW_PAUSE] = 1 } }, /* by name only */
	[OW_FLOORS] = { 0, 0, floors, { [OW_PAUSE] = 1 } }, /* likewise */
};

static uint8_t draw_flavour(struct ow_world *w)
{
	uint64_t sum = 0, at;
	uint8_t f = 0;

	if (w->flavour < OW_FLAVOURS)
		return (uint8_t)w->flavour;
	for (size_t i = 0; i < OW_FLAVOURS; i++)
		sum += flavours[i].share;
	for (at = ow_draw(w, sum); at >= flavours[f].share; f++)
		at -= flavours[f].share;
	return f;
}

static uint8_t draw_fault(struct ow_world *w, const uint8_t weight[OW_FAULTS])
{
	uint64_t sum = 0, at;
	uint8_t f = 0;

	for (size_t i = 0; i < OW_FAULTS; i++)
		sum += weight[i];
	for (at = ow_draw(w, sum); at >= weight[f]; f++)
		at -= weight[f];
	return f;
}

static void draw_rules(struct ow_world *w)
{
	static const uint8_t keepers[] = { 1, 1, 3, 3, 3, 3, 3, 3, 3, 5 };
	static const uint32_t losses[] = { 0, 10000, 50000, 250000 };
	struct ow_rules *r = &w->rules;

	memset(r, 0, sizeof(*r));
	r->keepers = keepers[ow_draw(w, ARRAY_LEN(keepers))];
	if (w->size.hardened && r->keepers > 1)
		r->keepers = 5; /* the least that endure a liar */
	r->people = (uint8_t)(4 + ow_draw(w, 1 + ow_draw(w, 6)));
	if (r->people < r->keepers)
		r->people = r->keepers;
	r->hot = (uint8_t)(2 + ow_draw(w, 3));
	r->span = ow_draw(w, 3) ? SEC(45) + ow_draw(w, SEC(40)) : SEC(130) + ow_draw(w, SEC(40));
	r->hold = SEC(5) + ow_draw(w, SEC(60));
	r->chat = SEC(4) + ow_draw(w, SEC(10));
	r->releases = (uint32_t)ow_draw(w, 600);
	r->transfers = (uint32_t)ow_draw(w, 100);
	r->reads = (uint32_t)ow_draw(w, 300);
	r->names = (uint32_t)ow_draw(w, 300);
	r->moves = (uint32_t)ow_draw(w, 200);
	if (ow_draw(w, 2))
		r->on_send = (uint32_t)ow_draw(w, 20000);
	r->net.loss = losses[ow_draw(w, ARRAY_LEN(losses))];
	r->net.doubled = (uint32_t)ow_draw(w, 40000);
	r->net.late = ow_draw(w, 2) ? (uint32_t)ow_draw(w, 60000) : 0;
	r->net.late_max = SEC(60);
	r->net.delay = MSEC(1 + ow_draw(w, 60));
	r->net.jitter = MSEC(1 + ow_draw(w, 60));
	r->apart = ow_draw(w, 4) ? 1 : APART_MAX;
}

/* Not from the draws of the rest, which stay as they were. */
static void draw_promises(struct ow_world *w)
{
	uint64_t dice = sim_mix(sim_mix(0x70726f6d, w->seed), w->index);

	if (w->rules.flavour == OW_FLOORS)
		dice -= dice % 3;
	w->rules.promises = dice % 3 ? 0 : (uint8_t)(1 + dice / 3 % 4);
}

void ow_plan_draw(struct ow_world *w)
{
	uint8_t flavour = draw_flavour(w);
	size_t n;

	draw_rules(w);
	w->rules.flavour = flavour;
	n = ow_draw(w, flavours[flavour].faults + 1u);
	flavours[flavour].adjust(w);
	for (size_t i = 0; i < n; i++) {
		struct ow_plan f = { .at = w->begin + ow_draw(w, w->rules.span) };

		/* One draw a statement: C leaves the order within one open. */
		f.fault = draw_fault(w, flavours[flavour].weight);
		f.span = ow_span_draw(w);
		f.who = (uint8_t)ow_draw(w, w->rules.people);
		f.mask = (uint16_t)sim_rng_next(&w->rng);
		plan(w, &f);
	}
	draw_promises(w);
}

/* Keepers fast, the holder slow: the worst that is allowed. */
void ow_edge_clocks(struct ow_world *w)
{
	if (w->rules.flavour != OW_EDGE)
		return;
	for (size_t i = 0; i < w->rules.people; i++)
		w->process[i].clock_ppm = i == w->rules.holder ? -OW_PPM_MAX : OW_PPM_MAX;
}
