/* path.c - a sorted array, nearest first. In a full path the farthest that was not asked yet gives
 * way to a nearer one; who was asked stays, so nobody is asked twice.
 *
 * Keys cost nothing to invent, and each costs a lookup its time: so it is remembered which answer
 * told a key. Of one whose first PATH_LIES keys all stay silent the rest is dropped. */
#include "dht/path.h"

#include <string.h>

static bool make_room(struct lookup_path *p, uint64_t far)
{
	size_t i = p->count;

	if (p->count < PATH_MAX_CANDIDATES)
		return true;
	while (i > 0 && p->candidate[i - 1].state != CANDIDATE_NEW)
		i--;
	if (i == 0 || far >= p->candidate[i - 1].far)
		return false;
	p->count--;
	memmove(&p->candidate[i - 1], &p->candidate[i],
		(p->count - (i - 1)) * sizeof(struct candidate));
	return true;
}

void path_add(struct lookup_path *p, const struct pubkey *key, uint64_t far, uint8_t teller)
{
	size_t i;

	if (!make_room(p, far))
		return;
	i = p->count;
	while (i > 0 && far < p->candidate[i - 1].far)
		i--;
	memmove(&p->candidate[i + 1], &p->candidate[i], (p->count - i) * sizeof(struct candidate));
	p->candidate[i] = (struct candidate){ .key = *key, .far = far, .teller = teller };
	p->count++;
}

uint8_t path_teller(struct lookup_path *p)
{
	if (p->tellers == PATH_TELLERS_MAX)
		return PATH_TOLD_OFTEN;
	p->teller[p->tellers] = (struct path_teller){ 0 };
	return p->tellers++;
}

void path_told_again(struct candidate *c, uint8_t teller)
{
	if (c->state == CANDIDATE_NEW && c->teller != teller)
		c->teller = PATH_TOLD_OFTEN;
}

static void drop_told(struct lookup_path *p, uint8_t teller)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		if (p->candidate[i].state != CANDIDATE_NEW || p->candidate[i].teller != teller)
			p->candidate[n++] = p->candidate[i];
	p->count = n;
}

bool path_judge(struct lookup_path *p, struct candidate *c, bool answered)
{
	struct path_teller *t;

	if (c->teller == PATH_TOLD_OFTEN)
		return false;
	t = &p->teller[c->teller];
	if (answered) {
		t->heard++;
		return false;
	}
	if (c->silent)
		return false;
	c->silent = true;
	t->silent++;
	if (t->heard || t->silent < PATH_LIES)
		return false;
	drop_told(p, c->teller);
	return true;
}

struct candidate *path_find(struct lookup_path *p, const struct pubkey *key)
{
	for (size_t i = 0; i < p->count; i++)
		if (memcmp(p->candidate[i].key.b, key->b, KEY_LEN) == 0)
			return &p->candidate[i];
	return NULL;
}

static bool is_good(const struct candidate *c, bool heard)
{
	return c->state == CANDIDATE_ANSWERED || (heard && c->state != CANDIDATE_FAILED);
}

const struct candidate *path_next(const struct lookup_path *p, size_t *at, bool heard)
{
	while (*at < p->count && !is_good(&p->candidate[*at], heard))
		++*at;
	return *at < p->count ? &p->candidate[*at] : NULL;
}
