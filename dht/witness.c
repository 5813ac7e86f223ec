/* witness.c - the rule of receivers, in one place. docs/protocol.md 8.11, rules R14 and R15.
 *
 * Of every address and name of which a good grant was seen: the highest generation, and a short
 * keyed hash of its owner. A lower generation is refused, however long its lease may still run.
 * The same generation for another owner can only come of keepers that lied (or lost their memory
 * and serve on): both are refused until a higher generation comes, and that is evidence.
 *
 * The table is compact, for every member has one: buckets of four entries of 32 bytes, doubled when
 * one is full, up to WITNESS_NAMES_MAX; then an entry of the full bucket is replaced in turn. Only
 * verified grants come here, so nobody fills it faster than keepers grant. The first grant is not
 * kept (it would be thirty times larger): evidence begins with the second one, and is complete once
 * the first is shown or looked up again. Who signed the first is remembered. */
#include "dht/witness.h"

#include <assert.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/mutant.h"

#define BUCKET 4

struct seen {
	uint64_t name; /* keyed hash; 0 = a free place */
	uint64_t owner;
	uint64_t generation;
	uint32_t epoch;
	uint8_t signers; /* bits: members of that epoch's keeper set */
	bool disputed;
};
_Static_assert(sizeof(struct seen) == 32, "every member has thousands of them");

struct witness {
	uint8_t seed[16];
	struct seen *seen;
	size_t places; /* 0 or a power of two; below BUCKET there is one smaller bucket */
	uint32_t turn;
	struct evidence *kept; /* EVIDENCE_MAX; NULL before the first */
	size_t kept_count;
	uint64_t count;
};

struct witness *witness_new(const uint8_t seed[16])
{
	struct witness *w = mem_new(sizeof(*w));

	memcpy(w->seed, seed, sizeof(w->seed));
	return w;
}

void witness_free(struct witness *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->kept_count; i++)
		for (size_t s = 0; s < 2; s++)
			free(w->kept[i].side[s].grant);
	free(w->kept);
	free(w->seen);
	free(w);
}

const char *evidence_text(enum evidence_kind kind)
{
	static const char *const text[EVIDENCE_KINDS] = {
		[EVIDENCE_OWNERS] = "two owners for one generation",
		[EVIDENCE_PROPOSAL] = "two values proposed under one ballot",
	};

	return text[kind];
}

static uint64_t short_hash(const struct witness *w, const void *b, size_t len)
{
	uint8_t h[crypto_shorthash_BYTES];
	struct rd r = rd_of(h, sizeof(h));
	uint64_t v;

	_Static_assert(sizeof(w->seed) == crypto_shorthash_KEYBYTES, "seed is a SipHash key");
	crypto_shorthash(h, b, len, w->seed);
	v = rd_u64(&r);
	return v ? v : 1;
}

static struct seen *bucket_of(struct seen *table, size_t places, uint64_t name)
{
	return places <= BUCKET ? table : &table[(name & (places / BUCKET - 1)) * BUCKET];
}

static size_t width(size_t places) { return places < BUCKET ? places : BUCKET; }

static struct seen *find(const struct witness *w, uint64_t name)
{
	struct seen *b;

	if (!w->places)
		return NULL;
	b = bucket_of(w->seen, w->places, name);
	for (size_t i = 0; i < width(w->places); i++)
		if (b[i].name == name)
			return &b[i];
	return NULL;
}

static struct seen *place_free(struct seen *table, size_t places, uint64_t name)
{
	struct seen *bucket = bucket_of(table, places, name);

	for (size_t i = 0; i < width(places); i++)
		if (!bucket[i].name)
			return &bucket[i];
	return NULL;
}

/* Each bucket becomes two, so whatever was in it has room. */
static void table_double(struct witness *w)
{
	size_t places = w->places ? 2 * w->places : 1;
	struct seen *table = mem_new(places * sizeof(*table));

	for (size_t i = 0; i < w->places; i++)
		if (w->seen[i].name)
			*place_free(table, places, w->seen[i].name) = w->seen[i];
	free(w->seen);
	w->seen = table;
	w->places = places;
}

static struct seen *place_make(struct witness *w, uint64_t name)
{
	struct seen *b, *place = NULL;

	while (!w->places || !(place = place_free(w->seen, w->places, name))) {
		if (w->places >= WITNESS_NAMES_MAX)
			break;
		table_double(w);
	}
	if (!place) {
		b = bucket_of(w->seen, w->places, name);
		place = &b[w->turn++ % BUCKET];
	}
	*place = (struct seen){ .name = name };
	return place;
}

static struct evidence *evidence_find(const struct witness *w, const struct evidence *like)
{
	for (size_t i = 0; i < w->kept_count; i++)
		if (w->kept[i].kind == like->kind && w->kept[i].generation == like->generation &&
		    reg_name_equal(&w->kept[i].name, &like->name))
			return &w->kept[i];
	return NULL;
}

static struct evidence *evidence_add(struct witness *w, const struct evidence *e)
{
	w->count++;
	if (w->kept_count == EVIDENCE_MAX)
		return NULL;
	if (!w->kept)
		w->kept = mem_new(EVIDENCE_MAX * sizeof(*w->kept));
	w->kept[w->kept_count] = *e;
	return &w->kept[w->kept_count++];
}

/* A grant that belongs to a dispute: of each owner one is kept. */
static void side_keep(struct evidence *e, const struct witness_view *v)
{
	for (size_t i = 0; i < ARRAY_LEN(e->side); i++) {
		struct evidence_side *s = &e->side[i];

		if (s->grant && key_equal(&s->owner, &v->g->owner))
			return;
		if (s->grant)
			continue;
		s->owner = v->g->owner;
		s->grant = mem_copy(v->bytes, v->len);
		s->len = v->len;
		return;
	}
}

/* Indexes mean the same keepers within one epoch only; of two epochs nobody is named before both
 * grants are at hand. */
static void liars_name(struct evidence *e, const struct config *cf, uint8_t both)
{
	for (uint8_t i = 0; i < cf->count; i++)
		if (both & 1u << i)
			e->liar[e->liars++] = cf->members[i].node;
}

static void alarm(struct witness *w, const struct seen *s, const struct witness_view *v,
		  uint8_t signers)
{
	struct evidence e = { .kind = EVIDENCE_OWNERS, .name = v->g->name,
			      .generation = v->g->generation }, *kept;

	if (s->epoch == v->g->ballot.epoch && v->g->ballot.era == v->config->era)
		liars_name(&e, v->config, s->signers & signers);
	kept = evidence_add(w, &e);
	if (kept)
		side_keep(kept, v);
}

static enum witness_word dispute(struct witness *w, struct seen *s, const struct witness_view *v,
				 uint8_t signers)
{
	struct evidence like = { .kind = EVIDENCE_OWNERS, .name = v->g->name,
				 .generation = v->g->generation }, *e;

	if (!s->disputed) {
		s->disputed = true;
		alarm(w, s, v, signers);
		return WITNESS_ALARM;
	}
	e = evidence_find(w, &like);
	if (e)
		side_keep(e, v);
	return WITNESS_DISPUTED;
}

enum witness_word witness_judge(struct witness *w, const struct witness_view *v)
{
	const struct grant *g = v->g;
	uint8_t signers = grant_signers(v->bytes, v->len);
	uint64_t name = short_hash(w, &g->name, sizeof(g->name));
	uint64_t owner = short_hash(w, g->owner.b, KEY_LEN);
	struct seen *s = find(w, name);

	if (g->name.kind != REG_ADDRESS && g->name.kind != REG_HOST_NAME)
		return WITNESS_SAME;
	if (s && g->generation < s->generation)
		return MUTANT(OLD_GRANT) ? WITNESS_SAME : WITNESS_OLD;
	if (s && g->generation == s->generation)
		return s->disputed || s->owner != owner ? dispute(w, s, v, signers) : WITNESS_SAME;
	if (!s)
		s = place_make(w, name);
	*s = (struct seen){ name, owner, g->generation, g->ballot.epoch, signers, false };
	return WITNESS_NEW;
}

bool witness_report(struct witness *w, enum evidence_kind kind, const struct reg_name *name,
		    uint64_t generation, const struct pubkey *liar)
{
	struct evidence e = { .kind = kind, .name = *name, .generation = generation };

	if (liar)
		e.liar[e.liars++] = *liar;
	if (evidence_find(w, &e))
		return false;
	return evidence_add(w, &e) != NULL;
}

const struct evidence *witness_evidence(const struct witness *w, size_t i)
{
	return w && i < w->kept_count ? &w->kept[i] : NULL;
}

uint64_t witness_count(const struct witness *w) { return w ? w->count : 0; }
