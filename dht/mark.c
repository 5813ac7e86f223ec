/* mark.c - see mark.h. Unverified here: only the keeper itself looks at the signature, and only when
 * it is shown more than it knows of itself. Who invents marks of others fools nobody, as whoever
 * keeps one took it from that keeper's own session. */
#include "dht/mark.h"

#include <stdlib.h>

#include "base/mem.h"

#define MARK_LABEL "vpnd mark"

static size_t words(uint8_t out[16], const struct mark *m)
{
	struct wr w = wr_of(out, 16);

	wr_u64(&w, m->starts);
	wr_u64(&w, m->position);
	return wr_len(&w);
}

void wr_mark(struct wr *w, const struct mark *m)
{
	wr_u64(w, m->starts);
	wr_u64(w, m->position);
	wr_copy(w, m->sig, SIG_LEN);
}

struct mark rd_mark(struct rd *r)
{
	struct mark m = { .starts = rd_u64(r) };

	m.position = rd_u64(r);
	rd_copy(r, m.sig, SIG_LEN);
	if (m.starts == 0)
		r->bad = true;
	return m;
}

void mark_sign(struct mark *m, const struct key_pair *epoch_key, const struct crypto *c)
{
	uint8_t msg[16];
	size_t len = words(msg, m);

	c->sign(m->sig, epoch_key, MARK_LABEL, msg, len);
}

bool mark_is_signed(const struct mark *m, const struct pubkey *epoch_key, const struct crypto *c)
{
	uint8_t msg[16];
	size_t len = words(msg, m);

	return c->verify(m->sig, epoch_key, MARK_LABEL, msg, len);
}

bool mark_is_beyond(const struct mark *a, const struct mark *b)
{
	return a->position != b->position ? a->position > b->position : a->starts > b->starts;
}

static bool is_of(const struct marks *all, const struct config *cf)
{
	return all && all->era == cf->era && all->epoch == cf->epoch;
}

static struct mark *find(struct marks *all, uint8_t member)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->of[i].member == member)
			return &all->of[i].mark;
	return NULL;
}

const struct mark *marks_of(const struct marks *all, const struct config *cf, uint8_t member)
{
	return is_of(all, cf) ? find((struct marks *)(uintptr_t)all, member) : NULL;
}

void marks_note(struct marks **all, const struct config *cf, uint8_t member, const struct mark *m)
{
	struct marks *a = *all;
	struct mark *known;
	size_t count;

	if (!is_of(a, cf)) {
		free(a);
		a = *all = NULL;
	}
	known = a ? find(a, member) : NULL;
	if (known) {
		if (mark_is_beyond(m, known))
			*known = *m;
		return;
	}
	count = a ? a->count : 0;
	if (count >= KEEPERS_MAX)
		return;
	a = *all = mem_resize(a, sizeof(*a) + (count + 1) * sizeof(a->of[0]));
	a->era = cf->era;
	a->epoch = cf->epoch;
	a->of[count] = (struct marks_entry){ member, *m };
	a->count = count + 1;
}
