/* quota.c - books of members: registers held, operations asked for; see quota.h.
 *
 * What is held is counted from the accepted values, so a restart counts it again. Books of members
 * that hold nothing and have not asked for an hour make room when the table is full. */
#include "dht/quota.h"

#include <stdlib.h>

#include "base/mem.h"

#define IDLE HOURS(1)
#define RELEASED_TIMES 4 /* the quota: registers that somebody held last and gave back */
#define TOKEN_PARTS ((uint64_t)60 * 1000000) /* of one operation: so many a minute, microseconds */

struct book {
	struct pubkey who;
	uint32_t addresses, names, released;
	uint64_t level; /* parts of operations that may be asked for */
	usec_t last;	/* 0 = never asked */
};

struct allowance {
	uint32_t addresses, names;
};

static struct allowance allowance_of(uint32_t rights)
{
	return rights & RIGHT_ROUTER ? (struct allowance){ 1024, 16 } : (struct allowance){ 4, 16 };
}

void quota_init(struct quota *q, const uint8_t seed[16])
{
	map_init(&q->books, offsetof(struct book, who), KEY_LEN, QUOTA_BOOKS_MAX, seed);
}

void quota_fini(struct quota *q)
{
	struct book *b;
	size_t at = 0;

	while ((b = map_next(&q->books, &at))) {
		map_take_at(&q->books, &at);
		free(b);
	}
	map_fini(&q->books);
}

static void sweep(struct quota *q, usec_t now)
{
	struct book *b;
	size_t at = 0;

	while ((b = map_next(&q->books, &at))) {
		if (b->addresses || b->names || b->released || now - b->last < IDLE)
			continue;
		map_take_at(&q->books, &at);
		free(b);
	}
}

static struct book *book_make(struct quota *q, const struct pubkey *who)
{
	struct book *b = map_get(&q->books, who);

	if (b)
		return b;
	b = mem_new(sizeof(*b));
	b->who = *who;
	if (map_put(&q->books, b) == 0)
		return b;
	free(b);
	return NULL;
}

static uint32_t *count_of(struct book *b, enum reg_kind kind)
{
	return kind == REG_ADDRESS ? &b->addresses : &b->names;
}

static uint32_t *count_in(struct book *b, enum reg_kind kind, const struct reg_value *v)
{
	return v->state == REG_HELD ? count_of(b, kind) : &b->released;
}

void quota_valued(struct quota *q, const struct reg_name *name, const struct reg_value *old,
		  const struct reg_value *new)
{
	struct book *b;

	if (name->kind != REG_ADDRESS && name->kind != REG_HOST_NAME)
		return;
	if (old && (b = map_get(&q->books, &old->owner)) && *count_in(b, name->kind, old) > 0)
		--*count_in(b, name->kind, old);
	b = book_make(q, &new->owner);
	if (b)
		++*count_in(b, name->kind, new);
}

enum reg_status quota_room(const struct quota *q, const struct pubkey *owner, uint32_t rights,
			   const struct reg_name *name, bool fresh)
{
	struct allowance most = allowance_of(rights);
	struct book *b = map_get(&q->books, owner);
	uint32_t max = name->kind == REG_ADDRESS ? most.addresses : most.names;

	if (b && fresh && b->released >= RELEASED_TIMES * (most.addresses + most.names))
		return REG_QUOTA;

	if (name->kind != REG_ADDRESS && name->kind != REG_HOST_NAME)
		return REG_OK;
	return !b || *count_of(b, name->kind) < max ? REG_OK : REG_QUOTA;
}

bool quota_rate(struct quota *q, const struct pubkey *who, uint32_t rights, usec_t now)
{
	struct allowance most = allowance_of(rights);
	uint64_t quota = most.addresses + most.names, full = 2 * quota * TOKEN_PARTS;
	struct book *b;
	usec_t gone;

	if (q->books.count >= QUOTA_BOOKS_MAX)
		sweep(q, now);
	b = book_make(q, who);
	if (!b)
		return false;
	if (!b->last)
		b->level = full;
	gone = b->last ? now - b->last : 0;
	b->last = now ? now : 1;
	b->level += (gone < IDLE ? gone : IDLE) * (quota / 2);
	if (b->level > full)
		b->level = full;
	if (b->level < TOKEN_PARTS)
		return false;
	b->level -= TOKEN_PARTS;
	return true;
}
