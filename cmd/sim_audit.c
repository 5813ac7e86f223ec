/* sim_audit.c - see sim_audit.h. One pass over the facts in the order of time feeds all checkers;
 * their tables are searched from the newest entry, which is nearly always the one. */
#include "cmd/sim_audit.h"

#include <stdlib.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"

struct span { /* a name was used */
	usec_t from, until;
	uint64_t generation;
	uint16_t node, name;
};

struct asked { /* an operation */
	usec_t at;
	uint64_t id, floor; /* what was known of the name when it began */
	uint64_t made;	    /* the version its answer showed; 0 = none */
	uint16_t node, name;
	uint8_t verb;
	bool over;
};

struct made { /* a generation */
	usec_t seen;
	uint64_t generation;
	uint16_t name, owner;
	bool told; /* by an answer to its owner */
};

struct known { /* of a name (node 0), or of a name at a receiver */
	uint16_t node, name, owner; /* owner: of what a receiver let in last */
	uint64_t version;
};

/* Growing arrays of one history; kept from one to the next. */
struct table {
	void *v;
	size_t count, size;
};
struct work {
	struct table open, spans, asked, made, known, seen;
};

struct check {
	struct sim_audit *a;
	struct work *w;
	char *why;
	size_t why_size;
};

/* From the last to the first: the one looked at may be taken out. */
#define EACH(type, x, table) \
	for (type *x = last(&(table), sizeof(type)); x; x = x > (type *)(table).v ? x - 1 : NULL)

static void *last(const struct table *t, size_t item)
{
	return t->count ? (uint8_t *)t->v + (t->count - 1) * item : NULL;
}

static void *add(struct table *t, size_t item)
{
	if (t->count == t->size) {
		t->size = t->size ? 2 * t->size : 64;
		t->v = mem_resize(t->v, t->size * item);
	}
	return memset((char *)t->v + item * t->count++, 0, item);
}

static const char *text(const struct check *c, uint16_t word)
{
	return c->a->word[word].text;
}

static uint16_t owner_of(const struct check *c, uint16_t node)
{
	return c->a->word[node].owner;
}

static double seconds(usec_t t) { return (double)t / 1e6; }

/* --- overlap --- */

static void two_since(struct audit_word *owner, usec_t at)
{
	if (!owner->is_two)
		owner->two_at = at;
	owner->is_two = true;
}

static void lives(struct check *c, const struct audit_fact *f)
{
	struct audit_word *self = &c->a->word[f->node];

	if (f->type == AUDIT_DIE || self->lives) {
		self->lives = f->type != AUDIT_DIE;
		return;
	}
	self->lives = true;
	for (size_t i = 0; i < c->a->words; i++)
		if (c->a->word[i].lives && i != f->node && c->a->word[i].owner == self->owner)
			two_since(&c->a->word[self->owner], f->at);
}

static bool is_two(const struct check *c, uint16_t owner, usec_t at)
{
	return c->a->word[owner].is_two && c->a->word[owner].two_at <= at;
}

/* Of two that use a name from `at` on. */
static bool are_one(const struct check *c, const struct span *s, const struct span *t, usec_t at)
{
	uint16_t x = owner_of(c, s->node), y = owner_of(c, t->node);

	return x == y || is_two(c, x, at) || is_two(c, y, at);
}

static void span_end(struct check *c, struct span *s, usec_t now)
{
	struct span *kept;

	if (s->until > now)
		s->until = now;
	if (s->until > s->from) {
		struct span copy = *s;

		kept = add(&c->w->spans, sizeof(*kept));
		*kept = copy;
	}
	*s = ((struct span *)c->w->open.v)[--c->w->open.count];
}

static void ends(struct check *c, const struct audit_fact *f)
{
	EACH(struct span, s, c->w->open)
		if (s->node == f->node && (f->type == AUDIT_DIE || s->name == f->name))
			span_end(c, s, f->at);
}

static void holds(struct check *c, const struct audit_fact *f)
{
	struct span *s;

	ends(c, f);
	s = add(&c->w->open, sizeof(*s));
	*s = (struct span){ f->at, f->until, f->number, f->node, f->name };
}

static int compare_spans(const void *x, const void *y)
{
	const struct span *a = x, *b = y;

	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	if (a->from != b->from)
		return a->from < b->from ? -1 : 1;
	return a->until != b->until ? (a->until < b->until ? -1 : 1) : (int)a->node - (int)b->node;
}

/* Sorted by start, each must begin after the one that ends last, unless that is the owner's own. */
static const char *overlap(struct check *c)
{
	const struct span *last = NULL, *s = c->w->spans.v;

	if (c->w->spans.count)
		qsort(c->w->spans.v, c->w->spans.count, sizeof(*s), compare_spans);
	for (size_t i = 0; i < c->w->spans.count; i++, s++) {
		bool new = !last || last->name != s->name;

		if (!new && s->from < last->until && !are_one(c, s, last, s->from)) {
			snprintf(c->why, c->why_size,
				 "%s is used by %s (generation %llu) from %.6f until %.6f and by %s "
				 "(generation %llu) from %.6f", text(c, s->name), text(c, last->node),
				 (unsigned long long)last->generation, seconds(last->from),
				 seconds(last->until), text(c, s->node),
				 (unsigned long long)s->generation, seconds(s->from));
			return "overlap";
		}
		if (new || s->until > last->until)
			last = s;
	}
	return NULL;
}

/* --- chain --- */

static struct known *known(struct table *t, uint16_t node, uint16_t name)
{
	struct known *k;

	EACH(struct known, x, *t)
		if (x->name == name && x->node == node)
			return x;
	k = add(t, sizeof(*k));
	k->node = node;
	k->name = name;
	return k;
}

static bool makes(const struct asked *o)
{
	return o->verb == OP_CLAIM || o->verb == OP_TRANSFER;
}

/* Everything that shows a generation must show one owner. */
static const char *generation(struct check *c, const struct audit_fact *f, uint16_t owner)
{
	struct made *m;

	if (owner == AUDIT_NOBODY)
		return NULL;
	EACH(struct made, x, c->w->made)
		if (x->name == f->name && x->generation == f->number) {
			if (x->owner == owner)
				return NULL;
			snprintf(c->why, c->why_size, "generation %llu of %s has two owners, %s and %s",
				 (unsigned long long)f->number, text(c, f->name), text(c, x->owner),
				 text(c, owner));
			return "chain";
		}
	m = add(&c->w->made, sizeof(*m));
	*m = (struct made){ f->at, f->number, f->name, owner, false };
	return NULL;
}

static void invoked(struct check *c, const struct audit_fact *f)
{
	struct asked *o = add(&c->w->asked, sizeof(*o));

	*o = (struct asked){ .at = f->at, .id = f->id, .node = f->node, .name = f->name,
			     .verb = f->verb,
			     .floor = known(&c->w->known, 0, f->name)->version };
}

static struct asked *answered(struct check *c, const struct audit_fact *f)
{
	EACH(struct asked, o, c->w->asked)
		if (o->node == f->node && o->id == f->id && !o->over) {
			o->over = true;
			return o;
		}
	return NULL;
}

/* Within a generation a register goes from held to released, never back. */
static uint64_t version_of(const struct audit_fact *f)
{
	return 2 * f->number + (f->peer == AUDIT_NOBODY);
}

static const char *told(struct check *c, const struct audit_fact *f)
{
	struct asked *o = answered(c, f);
	const char *broken;
	struct known *k;

	if (!o)
		return NULL;
	o->made = version_of(f);
	if (o->made < o->floor && !c->a->lied_to) {
		snprintf(c->why, c->why_size,
			 "%s began at %.6f and saw generation %llu of %s%s; an operation that had ended "
			 "before saw generation %llu%s", text(c, f->node), seconds(o->at),
			 (unsigned long long)f->number, text(c, f->name), o->made & 1 ? " released" : "",
			 (unsigned long long)o->floor / 2, o->floor & 1 ? " released" : "");
		return "chain";
	}
	k = known(&c->w->known, 0, f->name);
	if (o->made > k->version)
		k->version = o->made;
	broken = generation(c, f, f->peer);
	EACH(struct made, m, c->w->made)
		if (m->name == f->name && m->generation == f->number &&
		    m->owner == owner_of(c, f->node))
			m->told = true;
	return broken;
}

/* A refusal shows no generation, but that there is none. */
static const char *refused(struct check *c, const struct audit_fact *f)
{
	struct asked *o = answered(c, f);

	if (!c->a->one_era || c->a->lied_to || !o || o->verb != OP_READ || f->number != REG_UNKNOWN || !o->floor)
		return NULL;
	snprintf(c->why, c->why_size,
		 "%s began at %.6f and was told that nobody ever owned %s; an operation that had ended "
		 "before saw generation %llu", text(c, f->node), seconds(o->at), text(c, o->name),
		 (unsigned long long)o->floor / 2);
	return "chain";
}

static bool is_first(const struct check *c, const struct made *m)
{
	EACH(struct made, x, c->w->made)
		if (x->name == m->name && x->generation < m->generation)
			return false;
	return true;
}

/* Only then must there be an explanation: the owner writes audits, and the name is one to claim. */
static bool is_told(const struct check *c, const struct made *m)
{
	bool node = false, claimed = false;

	EACH(struct asked, o, c->w->asked) {
		node |= owner_of(c, o->node) == m->owner;
		claimed |= o->name == m->name && o->verb == OP_CLAIM;
	}
	return node && claimed;
}

static bool asked_for(const struct check *c, const struct made *m)
{
	EACH(struct asked, o, c->w->asked)
		if (o->name == m->name && makes(o) && o->at <= m->seen &&
		    (o->verb == OP_TRANSFER || owner_of(c, o->node) == m->owner))
			return true;
	return false;
}

static const char *out_of_nothing(struct check *c)
{
	EACH(struct made, m, c->w->made) {
		if (asked_for(c, m) || is_first(c, m) || !is_told(c, m))
			continue;
		snprintf(c->why, c->why_size,
			 "generation %llu of %s, of %s, was seen at %.6f; it had not claimed it",
			 (unsigned long long)m->generation, text(c, m->name), text(c, m->owner),
			 seconds(m->seen));
		return "chain";
	}
	return NULL;
}

/* What is used must have been the answer to an operation of its owner that was not given up: a
 * late copy of a claim may make a generation, its owner must not use it (rule R7). */
static const char *used(struct check *c, const struct audit_fact *f)
{
	uint16_t owner = owner_of(c, f->node);
	const char *broken = generation(c, f, owner);

	if (broken)
		return broken;
	EACH(struct made, m, c->w->made) {
		if (m->name != f->name || m->generation != f->number)
			continue;
		if (m->told || is_first(c, m) || !is_told(c, m))
			return NULL;
		snprintf(c->why, c->why_size,
			 "%s uses %s under generation %llu at %.6f and was not answered that it may",
			 text(c, f->node), text(c, f->name), (unsigned long long)f->number,
			 seconds(f->at));
		return "chain";
	}
	return NULL;
}

/* --- fence --- */

static const char *accepted(struct check *c, const struct audit_fact *f)
{
	struct known *k = known(&c->w->seen, f->node, f->name);

	if (f->number < k->version) {
		snprintf(c->why, c->why_size,
			 "%s let in a frame from %s under generation %llu at %.6f and had seen %llu",
			 text(c, f->node), text(c, f->name), (unsigned long long)f->number,
			 seconds(f->at), (unsigned long long)k->version);
		return "fence";
	}
	if (f->number == k->version && k->owner != AUDIT_NOBODY && k->owner != f->peer) {
		snprintf(c->why, c->why_size,
			 "%s let in frames from %s under generation %llu from %s and, at %.6f, from %s",
			 text(c, f->node), text(c, f->name), (unsigned long long)f->number,
			 text(c, k->owner), seconds(f->at), text(c, f->peer));
		return "fence";
	}
	k->version = f->number;
	k->owner = f->peer;
	return c->a->only_fence ? NULL : generation(c, f, f->peer);
}

/* A new process has seen nothing. */
static void forgets(struct check *c, uint16_t node)
{
	EACH(struct known, k, c->w->seen)
		if (k->node == node)
			*k = ((struct known *)c->w->seen.v)[--c->w->seen.count];
}

/* --- all --- */

static const char *one(struct check *c, const struct audit_fact *f)
{
	lives(c, f);
	if (c->a->only_fence && f->type != AUDIT_ACCEPT && f->type != AUDIT_DIE)
		return NULL;
	switch ((enum audit_type)f->type) {
	case AUDIT_INVOKE:
		invoked(c, f);
		return NULL;
	case AUDIT_OK:
		return told(c, f);
	case AUDIT_FAIL:
		return refused(c, f);
	case AUDIT_INFO:
		answered(c, f);
		return NULL;
	case AUDIT_HOLD:
		holds(c, f);
		return used(c, f);
	case AUDIT_DIE:
		forgets(c, f->node);
		ends(c, f);
		return NULL;
	case AUDIT_DROP:
		ends(c, f);
		return NULL;
	case AUDIT_ACCEPT:
		return accepted(c, f);
	default:
		return NULL;
	}
}

static int compare_facts(const void *x, const void *y)
{
	const struct audit_fact *a = *(const struct audit_fact *const *)x,
				*b = *(const struct audit_fact *const *)y;

	return a->at != b->at ? (a->at < b->at ? -1 : 1) : a < b ? -1 : a > b;
}

/* Facts of several files; those of one keep their order where times are equal. */
static void sort(struct sim_audit *a)
{
	const struct audit_fact **order;
	struct audit_fact *sorted;
	size_t i = 1;

	while (i < a->count && a->fact[i - 1].at <= a->fact[i].at)
		i++;
	if (i >= a->count)
		return;
	order = mem_new(a->count * sizeof(*order));
	sorted = mem_new(a->count * sizeof(*sorted));
	for (i = 0; i < a->count; i++)
		order[i] = &a->fact[i];
	qsort(order, a->count, sizeof(*order), compare_facts);
	for (i = 0; i < a->count; i++)
		sorted[i] = *order[i];
	free(order);
	free(a->fact);
	a->fact = sorted;
	a->size = a->count;
}

const char *sim_audit_check(struct sim_audit *a, char *why, size_t size)
{
	struct check c = { a, a->work, why, size };
	const char *broken = NULL;

	if (!c.w)
		a->work = c.w = mem_new(sizeof(*c.w));
	for (size_t i = 0; i < sizeof(*c.w) / sizeof(struct table); i++)
		((struct table *)c.w)[i].count = 0;
	for (size_t i = 0; i < a->words; i++)
		a->word[i].lives = a->word[i].is_two = false;
	sort(a);
	for (size_t i = 0; i < a->count && !broken; i++)
		broken = one(&c, &a->fact[i]);
	while (c.w->open.count)
		span_end(&c, c.w->open.v, USEC_NEVER);
	if (!broken && !a->only_fence)
		broken = overlap(&c);
	return broken || a->only_fence ? broken : out_of_nothing(&c);
}

/* --- the history --- */

void sim_audit_init(struct sim_audit *a)
{
	*a = (struct sim_audit){ 0 };
	sim_audit_word(a, "-");
}

void sim_audit_fini(struct sim_audit *a)
{
	struct table *t = a->work;

	for (size_t i = 0; t && i < sizeof(struct work) / sizeof(*t); i++)
		free(t[i].v);
	free(a->work);
	free(a->fact);
	free(a->word);
}
